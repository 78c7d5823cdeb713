"""Gaps in time: frames in which something was not observed, between or beside frames in which it was."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fill", "last_known", "neighbours"]


def neighbours(seen: Tensor) -> tuple[Tensor, Tensor]:
    """The frames before and after each frame in which something was observed, itself if it was.

    Args:
        seen: bool ``(N, T, …)``.

    Returns:
        Two int64 tensors like ``seen``: the frame before, −1 where there is none, and the one after, T where there is
        none.

    Example:
        >>> before, after = neighbours(torch.tensor([[False, True, False, True]]))
        >>> before.tolist(), after.tolist()
        ([[-1, 1, 1, 3]], [[1, 1, 3, 3]])
    """
    frames = seen.shape[1]
    if not seen.numel():
        return seen.long(), seen.long()
    frame = torch.arange(frames, device=seen.device).view(1, -1, *(1,) * (seen.ndim - 2))
    before = torch.where(seen, frame, -1).cummax(1).values
    after = torch.where(seen, frame, frames).flip(1).cummin(1).values.flip(1)
    return before, after


def last_known(value: Tensor, seen: Tensor) -> Tensor:
    """A value of each frame, where it was not observed that of the last frame before in which it was.

    Before the first such frame it is that of the first one; where there is none at all, the value stays.

    Args:
        value: ``(N, d, T, M)``.
        seen: bool ``(N, T, M)``.

    Example:
        >>> value = torch.tensor([0.0, 5.0, 0.0, 7.0]).view(1, 1, 4, 1)
        >>> last_known(value, (value > 0)[:, 0]).flatten().tolist()
        [5.0, 5.0, 5.0, 7.0]
    """
    before, after = neighbours(seen)
    index = torch.where(before >= 0, before, after).clamp(max=max(value.shape[2] - 1, 0))
    return value.gather(2, index[:, None].expand(-1, value.shape[1], -1, -1))


def fill(x: Tensor, mask: Tensor, limit: int | None = None, hold: bool = False) -> tuple[Tensor, Tensor]:
    """Fill the gaps of each joint, between two frames in which it was observed.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: bool ``(N, T, V or 1, M)``.
        limit: gaps of more frames stay; None fills all.
        hold: the values of the frame before the gap; otherwise they go linearly to those of the frame after it.

    Returns:
        The filled ``x``, and the mask, True in the filled gaps.

    Example:
        >>> x = torch.tensor([1.0, 0.0, 0.0, 4.0]).view(1, 1, 4, 1, 1)
        >>> fill(x, (x != 0)[:, 0])[0].flatten().tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    frames = x.shape[2]
    if not x.numel():
        return x, mask
    before, after = neighbours(mask)
    filled = ~mask & (before >= 0) & (after < frames)
    if limit is not None:
        filled = filled & (after - before - 1 <= limit)
    index = before.clamp(min=0)[:, None].expand_as(x)
    value = x.gather(2, index)
    if not hold:
        frame = torch.arange(frames, device=x.device).view(1, -1, 1, 1)
        wide = torch.promote_types(x.dtype, torch.float32)
        share = ((frame - before).to(wide) / (after - before).clamp(min=1).to(wide))[:, None]
        later = x.gather(2, after.clamp(max=frames - 1)[:, None].expand_as(x))
        value = torch.lerp(value.to(wide), later.to(wide), share.expand_as(x)).to(x.dtype)
    return torch.where(filled[:, None], value, x), mask | filled
