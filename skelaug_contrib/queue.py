"""The queue of past keys: a ring buffer of features on the model's device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skelaug import check
from skelaug_contrib import arguments, distributed

__all__ = ["FeatureQueue"]


class FeatureQueue(nn.Module):
    """The last ``size`` keys, the negatives of a contrastive loss.

    ``features (size, dim)`` starts as random rows of unit length, the same for one seed, hence on every process, and
    is saved with the model, as is the position in it. No call waits for the device.

    Args:
        size: number of rows, K ≥ 0; 0 keeps nothing.
        dim: length of a row, D ≥ 1.
        seed: of the rows at the start, a whole number ≥ 0.

    Raises:
        ValueError: an argument is out of range.

    Source: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, section 3.2.

    Example:
        >>> queue = FeatureQueue(size=3, dim=2)
        >>> queue.update(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> queue.update(torch.tensor([[-1.0, 0.0], [0.0, -1.0]]))  # the oldest key makes room
        >>> queue.features
        tensor([[ 0., -1.],
                [ 0.,  1.],
                [-1.,  0.]])
    """

    features: Tensor
    cursor: Tensor

    def __init__(self, size: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        size, dim = check.count("FeatureQueue", "size", size, low=0), check.count("FeatureQueue", "dim", dim)
        seed = check.count("FeatureQueue", "seed", seed, low=0)
        start = torch.randn(size, dim, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("features", nn.functional.normalize(start, dim=1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, keys: Tensor) -> None:
        """Put the keys of all processes, in rank order, in the place of the oldest ones.

        Args:
            keys: floating-point ``(n, dim)`` on the queue's device, rows of unit length, any n ≥ 0, the same in every
                process. Of more than ``size`` keys, the last stay. In the place of a key that is not finite the
                oldest one stays, which such a step would otherwise compare with for ever.

        Raises:
            TypeError: ``keys`` is no tensor.
            ValueError: its shape, kind or device is another.
        """
        size, dim = self.features.shape
        arguments.tensor("FeatureQueue.update", "keys", keys, "n dim", like=self.features, dim=dim)
        if size == 0:
            return
        keys = distributed.gather(keys)[-size:]
        place = (self.cursor + torch.arange(len(keys), device=self.features.device)) % size
        finite = keys.isfinite().all(1, keepdim=True)
        kept = torch.where(finite, keys.to(self.features.dtype), self.features.index_select(0, place))
        self.features.index_copy_(0, place, kept)
        self.cursor.add_(len(keys)).remainder_(size)

    def extra_repr(self) -> str:
        """Sizes, for print."""
        return "size={}, dim={}".format(*self.features.shape)
