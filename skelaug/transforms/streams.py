"""The streams that encoders see beside the joints: bones, motion, and the motion of bones.

Coordinates are subtracted. Another channel, a score, becomes the lower of the two that it stands for: of a bone's ends,
of a motion's frames.
"""

from __future__ import annotations

from typing import Any, final

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import joints as fj
from skelaug.functional import values as fv
from skelaug.presence import Presence
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["Bone", "BoneMotion", "Motion"]


@final
class Bone(Transform):
    """The bone stream: each joint minus its parent, 0 at the root. Nothing is drawn.

    Args:
        skeleton: whose parents are meant.
        coords: channels that are coordinates.

    Source: 2s-AGCN (CVPR 2019).

    Example:
        >>> import torch
        >>> from skelaug import skeletons
        >>> Bone(skeletons["ntu25"])(torch.ones(8, 3, 50, 25, 2)).abs().max()
        tensor(0.)
    """

    moves_presence = True
    shapes = ""

    def __init__(self, skeleton: Skeleton | str, coords: Any = None) -> None:
        super().__init__()
        self.skeleton = check.skeleton("Bone", skeleton)
        self.coords = check.coordinates("Bone", coords)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return bones(batch, self.skeleton, check.channels("Bone", self.coords, batch.x))


@final
class Motion(Transform):
    """The motion stream: the next frame minus this one, 0 in the last frame and next to absence. Nothing is drawn.

    Args:
        coords: channels that are coordinates.

    Source: 2s-AGCN, AimCLR, HiCLR.

    Example:
        >>> import torch
        >>> Motion()(torch.arange(4.0).view(1, 1, 4, 1, 1) + 1).flatten()
        tensor([1., 1., 1., 0.])
    """

    shapes = ""

    def __init__(self, coords: Any = None) -> None:
        super().__init__()
        self.coords = check.coordinates("Motion", coords)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return motions(batch, check.channels("Motion", self.coords, batch.x))


@final
class BoneMotion(Transform):
    """The motion of the bones. Nothing is drawn.

    Args:
        skeleton: whose parents are meant.
        coords: channels that are coordinates.

    Example:
        >>> import torch
        >>> from skelaug import skeletons
        >>> BoneMotion(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    moves_presence = True
    shapes = ""

    def __init__(self, skeleton: Skeleton | str, coords: Any = None) -> None:
        super().__init__()
        self.skeleton = check.skeleton("BoneMotion", skeleton)
        self.coords = check.coordinates("BoneMotion", coords)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("BoneMotion", self.coords, batch.x)
        return motions(bones(batch, self.skeleton, coords), coords)


def bones(batch: SkeletonBatch, skeleton: Skeleton | None, coords: tuple[int, ...]) -> SkeletonBatch:
    """Each joint minus its parent; a bone is observed if both its ends are, and has the lower of their scores."""
    assert skeleton is not None
    x, seen = fj.bone(fv.pick(batch.x, coords), skeleton.parents, batch.seen)
    assert seen is not None
    if len(coords) < batch.x.shape[1]:
        x = fv.put(fj.lower_end(batch.x, skeleton.parents, seen), x, coords)
    return batch.with_parts(x=x, observed=batch.observed if seen is batch.seen else Presence.of(seen))


def motions(batch: SkeletonBatch, coords: tuple[int, ...]) -> SkeletonBatch:
    """The next frame minus this one, with the lower of their scores."""
    x = fj.motion(fv.pick(batch.x, coords), batch.seen)
    if len(coords) < batch.x.shape[1]:
        x = fv.put(fj.lower_frame(batch.x, batch.seen), x, coords)
    return batch.with_parts(x=x)
