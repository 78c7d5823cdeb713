"""What became of each joint in a view that somebody made before: found from the two batches alone."""

from __future__ import annotations

import torch

from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.preview.trace import ABSENT, GONE, MASKED, SHOWN, Traced

__all__ = ["compare"]


@torch.no_grad()
def compare(before: SkeletonBatch, after: SkeletonBatch, coords: tuple[int, ...]) -> Traced:
    """What :func:`skelaug.preview.trace.trace` tells, as far as the data alone tell it.

    A joint that was there and is observed no longer is GONE. One that is observed at exactly 0, where it was not before
    and where its body did not move, is MASKED. Other fills of a mask cannot be told from a joint that moved.

    Args:
        before: the clips, on the CPU.
        after: the same clips after something was done to them, on the CPU. With another number of frames or persons
            nothing can be compared: its joints are SHOWN or ABSENT.
        coords: which channels are coordinates.
    """
    x, seen = fv.pick(after.x.float(), coords), after.mask
    state = torch.where(seen, SHOWN, ABSENT)
    moved = None
    if before.x.shape[2:] == after.x.shape[2:]:
        old, both = fv.pick(before.x.float(), coords), seen & before.mask
        size = fv.body_size(old, before.seen)[:, None, None]  # (N, 1, 1, …) beside (N, T, V, M)
        zero = both & (x == 0).all(1) & (old != 0).any(1)
        shift = torch.where((both & ~zero)[:, None], x - old, torch.nan).nanmedian(3, keepdim=True).values
        with_body = (x - old - shift).norm(dim=1) < 1e-3 * size  # as the pelvis of a body that was centred
        state = torch.where(zero & ~with_body, MASKED, state)
        state = torch.where(before.mask & ~seen, GONE, state)
        x = torch.where(((state == MASKED) | (state == GONE))[:, None], old, x)
        far = (fv.pick(after.x.float(), coords) - old).norm(dim=1) / size.clamp(min=1e-12)
        moved = torch.where(both, far, torch.nan)
    return Traced(
        torch.where((state == ABSENT)[:, None], 0, x), state.to(torch.uint8), moved, [[] for _ in range(len(after))]
    )
