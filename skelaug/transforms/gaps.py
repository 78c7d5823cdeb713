"""What is done about joints that come and go."""

from __future__ import annotations

from typing import final

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import gaps
from skelaug.presence import Presence
from skelaug.transform import Params, Transform

__all__ = ["FillGaps"]


@final
class FillGaps(Transform):
    """Fill the frames in which a joint was not observed, between two in which it was. Nothing is drawn.

    A filled joint counts as observed from then on. What lies before the first or after the last frame in which a joint
    was observed stays as it is, and so does a joint that was never observed. A person who was lost for some frames is
    filled like every single joint.

    Args:
        limit: gaps of more frames than this stay; ``None`` fills all.
        how: ``"linear"``: every channel goes linearly from the frame before the gap to the one after it. ``"hold"``: it
            stays as it was before the gap.
        p: probability per sample.

    Example:
        >>> import torch
        >>> from skelaug import SkeletonBatch
        >>> x = torch.tensor([1.0, float("nan"), 3.0, 4.0]).view(1, 1, 4, 1, 1)
        >>> FillGaps()(SkeletonBatch(x)).x.flatten().tolist()
        [1.0, 2.0, 3.0, 4.0]
    """

    moves_presence = True
    shapes = ""

    def __init__(self, limit: int | None = None, how: str = "linear", p: float = 1.0) -> None:
        super().__init__(p)
        self.limit = None if limit is None else check.count("FillGaps", "limit", limit)
        self.how = check.choice("FillGaps", "how", how, ("linear", "hold"))

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x, seen = gaps.fill(batch.x, batch.seen, self.limit, hold=self.how == "hold")
        return batch.with_parts(x=x, observed=Presence.of(seen))
