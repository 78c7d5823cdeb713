"""The streams that encoders see beside the joints: bones, motion, and the motion of bones."""

from __future__ import annotations

from typing import final

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.change import Change
from skelaug.functional import joints as fj
from skelaug.presence import Presence
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["Bone", "BoneMotion", "Motion"]


@final
class Bone(Transform):
    """The bone stream: each joint minus its parent, 0 at the root. Nothing is drawn.

    Args:
        skeleton: whose parents are meant.

    Source: 2s-AGCN (CVPR 2019).

    Example:
        >>> import torch
        >>> from skelaug import skeletons
        >>> Bone(skeletons["ntu25"])(torch.ones(8, 3, 50, 25, 2)).abs().max()
        tensor(0.)
    """

    moves_presence = True
    shapes = ""

    def __init__(self, skeleton: Skeleton | str) -> None:
        super().__init__()
        self.skeleton = check.skeleton("Bone", skeleton)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return bones(batch, self.skeleton)

    def score_change(self, params: Params) -> Change:
        """No score moves: a bone is absent where an end is, and has the score of its joint elsewhere."""
        return Change()


@final
class Motion(Transform):
    """The motion stream: the next frame minus this one, 0 in the last frame and next to absence. Nothing is drawn.

    Source: 2s-AGCN, AimCLR, HiCLR.

    Example:
        >>> import torch
        >>> Motion()(torch.arange(4.0).view(1, 1, 4, 1, 1) + 1).flatten()
        tensor([1., 1., 1., 0.])
    """

    shapes = ""

    def __init__(self) -> None:
        super().__init__()

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return batch.with_parts(x=fj.motion(batch.x, batch.seen))


@final
class BoneMotion(Transform):
    """The motion of the bones. Nothing is drawn.

    Args:
        skeleton: whose parents are meant.

    Example:
        >>> import torch
        >>> from skelaug import skeletons
        >>> BoneMotion(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    moves_presence = True
    shapes = ""

    def __init__(self, skeleton: Skeleton | str) -> None:
        super().__init__()
        self.skeleton = check.skeleton("BoneMotion", skeleton)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        batch = bones(batch, self.skeleton)
        return batch.with_parts(x=fj.motion(batch.x, batch.seen))

    def score_change(self, params: Params) -> Change:
        """No score moves: a bone is absent where an end is, and has the score of its joint elsewhere."""
        return Change()


def bones(batch: SkeletonBatch, skeleton: Skeleton | None) -> SkeletonBatch:
    """Each joint minus its parent; a bone is observed if both its ends are."""
    assert skeleton is not None
    x, seen = fj.bone(batch.x, skeleton.parents, batch.seen)
    assert seen is not None
    return batch.with_parts(x=x, observed=batch.observed if seen is batch.seen else Presence.of(seen))
