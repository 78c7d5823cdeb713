"""Features of clips: of a frozen encoder, or, as a baseline, their coordinates as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import skelaug
from skelaug import Skeleton, SkeletonBatch, check
from skelaug.functional import space
from skelaug.transform import Transform
from skelaug_contrib import arguments
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
        TypeError: an argument is of another type.
        ValueError: there is no index, or one that is not of the data set.

    Example:
        >>> import tempfile
        >>> from skelaug_contrib.datasets import preparation, write
        >>> skeleton = skelaug.skeletons["ntu25"]
        >>> about = {"length": [20, 20], "label": [0, 1], "names": ["a", "b"], "class_names": ["wave", "kick"]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     x = skelaug.synthetic_motion(skeleton, 2, 20).x.numpy()
        ...     clips = write(f"{folder}/two", x=x, skeleton=skeleton, **about)
        ...     embed(Coordinates(), clips, [1, 0], preparation(skeleton, frames=10)).shape
        torch.Size([2, 750])
    """
    indices = check_clips("embed", dataset, indices, prepare, encoder=encoder)
    check.count("embed", "batch", batch)
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


def check_clips(who: str, dataset: Any, indices: Any, prepare: Any, *, encoder: Any) -> NDArray[np.int64]:
    """The indices as an array, once they and what goes with them are what an evaluation needs."""
    arguments.instance(who, "encoder", encoder, nn.Module, "a torch.nn.Module")
    arguments.instance(who, "dataset", dataset, PreparedDataset, "a PreparedDataset")
    arguments.instance(who, "prepare", prepare, Transform, "a transform, as preparation(…) gives it")
    name = "train" if who == "finetune" else "indices"
    clips = whole_numbers(who, name, indices, len(dataset))
    if not len(clips):
        raise ValueError(f"{who}({name}=[]): {name} must name at least one clip")
    return clips


def whole_numbers(who: str, name: str, values: Any, below: int | None = None) -> NDArray[np.int64]:
    """``values`` as int64 ``(S,)``, each ≥ 0 and, where that is given, smaller than ``below``."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        array = np.empty(())
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(f"{who}({name}=…): {name} must be whole numbers (S,), got {type(values).__name__}")
    if array.size and (array.min() < 0 or (below is not None and array.max() >= below)):
        most = "" if below is None else f" and < {below}"
        raise ValueError(f"{who}({name}=…): {name} must be ≥ 0{most}, got {array.min()} … {array.max()}")
    return array.astype(np.int64)


class Coordinates(nn.Module):
    """An encoder that learns nothing: all coordinates of all joints and frames in a row.

    With :func:`~skelaug_contrib.evaluate.ridge` this is the baseline that every learned representation has to beat.

    Args:
        skeleton: if given, each clip is first turned about its vertical axis so that the line from the left to the
            right shoulder of the first person in the first frame lies along x: the camera's direction is taken out. A
            clip without that person in its first frame stays as it is.

    Raises:
        ValueError: the skeleton has no shoulders.

    Example:
        >>> Coordinates(skelaug.skeletons["ntu25"])(torch.randn(2, 3, 10, 25, 2)).shape
        torch.Size([2, 1500])
    """

    def __init__(self, skeleton: Skeleton | str | None = None) -> None:
        super().__init__()
        bones = None if skeleton is None else check.skeleton("Coordinates", skeleton)
        self.shoulders = None if bones is None else bones.shoulders
        self.vertical = "xyz".index("y" if bones is None else bones.up[-1])
        if skeleton is not None and self.shoulders is None:
            raise ValueError(f"Coordinates(skeleton={skeleton!r}): this skeleton names no shoulders; leave it out")

    def forward(self, batch: Tensor | SkeletonBatch, people: Tensor | None = None) -> Tensor:
        """Coordinates ``(N, C·T·V·M)``; ``people`` makes no difference."""
        x = batch.x if isinstance(batch, SkeletonBatch) else batch
        arguments.tensor("Coordinates", "batch", x, "N C T V M")
        if self.shoulders is not None:
            left, right = self.shoulders
            across = x[:, :, 0, right, 0] - x[:, :, 0, left, 0]
            x = space.linear(x, space.facing(across, self.vertical))
        return x.flatten(1)
