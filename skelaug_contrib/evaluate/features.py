"""Features of clips: of a frozen encoder, or, as a baseline, their coordinates as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import skelaug
from skelaug import Skeleton, SkeletonBatch, check
from skelaug.functional import space
from skelaug.transform import Transform
from skelaug_contrib.datasets import EpochBatches, PreparedDataset, loader

__all__ = ["Coordinates", "embed"]


@torch.no_grad()
def embed(
    encoder: nn.Module,
    dataset: PreparedDataset,
    indices: Any,
    prepare: Transform,
    *,
    batch: int = 256,
    device: torch.device | str = "cpu",
) -> Tensor:
    """What an encoder in eval mode makes of clips, without augmentation.

    Args:
        encoder: ``encoder(batch, people) -> (N, D)``; moved to ``device``, and left in the mode that it was in.
        dataset: the clips.
        indices: int ``(S,)``, which of them, in which order.
        prepare: centres, resizes and so on, see :func:`skelaug_contrib.datasets.preparation`; acts on the device.
        batch: clips at a time.
        device: where to work.

    Returns:
        float32 ``(S, D)`` on ``device``: features, or logits where the encoder is a classifier.

    Raises:
        ValueError: there is no index.

    Example:
        >>> import tempfile
        >>> from skelaug_contrib.datasets import preparation, write
        >>> skeleton = skelaug.skeletons["ntu25"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     clips = write(
        ...         f"{folder}/two",
        ...         x=skelaug.synthetic_motion(skeleton, 2, 20).x.numpy(),
        ...         length=[20, 20],
        ...         label=[0, 1],
        ...         names=["a", "b"],
        ...         class_names=["wave", "kick"],
        ...         skeleton=skeleton,
        ...     )
        ...     embed(Coordinates(), clips, [1, 0], preparation(skeleton, frames=10)).shape
        torch.Size([2, 750])
    """
    if not len(indices):
        raise ValueError("embed(indices=[]): needs at least one clip")
    training = encoder.training
    encoder.to(device).eval()
    try:
        parts = []
        sampler = EpochBatches(indices, batch, 0, shuffle=False, drop_last=False)
        for clips in loader(dataset, sampler):
            ids = clips.ids.to(device)
            # Nothing is drawn in earnest; keys keep prepare's hands off the global generator, so that a monitor in the
            # middle of a training run changes nothing about it.
            ready = prepare(clips.batch.to(device), keys=skelaug.random.keys(0, 0, ids))
            parts.append(encoder(ready, clips.people.to(device)).float())
        return torch.cat(parts)
    finally:
        encoder.train(training)


class Coordinates(nn.Module):
    """An encoder that learns nothing: all coordinates of all joints and frames in a row.

    With :func:`~skelaug_contrib.evaluate.ridge` this is the baseline that every learned representation has to beat.

    Args:
        skeleton: if given, each clip is first turned about the vertical y axis so that the line from the left to the
            right shoulder of the first person in the first frame lies along x: the camera's direction is taken out. A
            clip without that person in its first frame stays as it is.

    Raises:
        ValueError: the skeleton has no shoulders.

    Example:
        >>> Coordinates(skelaug.skeletons["ntu25"])(torch.randn(2, 3, 10, 25, 2)).shape
        torch.Size([2, 1500])
    """

    def __init__(self, skeleton: Skeleton | None = None) -> None:
        super().__init__()
        self.shoulders = None if skeleton is None else check.skeleton("Coordinates", skeleton).shoulders
        if skeleton is not None and self.shoulders is None:
            raise ValueError(f"Coordinates(skeleton={skeleton!r}): this skeleton names no shoulders; leave it out")

    def forward(self, batch: Tensor | SkeletonBatch, people: Tensor | None = None) -> Tensor:
        """Coordinates ``(N, C·T·V·M)``; ``people`` makes no difference."""
        x = batch.x if isinstance(batch, SkeletonBatch) else batch
        if self.shoulders is not None:
            left, right = self.shoulders
            across = x[:, :, 0, right, 0] - x[:, :, 0, left, 0]
            still = torch.zeros_like(across[:, 0])
            turn = torch.stack([still, torch.atan2(across[:, 2], across[:, 0]), still], 1)
            x = space.linear(x, space.rotation_matrix(turn))
        return x.flatten(1)
