"""Changes of the values: offsets, noise, style statistics, bone lengths, and the size of a body."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skelaug.check import constant
from skelaug.functional import joints as fj

__all__ = ["adain", "add", "add_noise", "body_size", "bone_lengths", "digest", "moments", "pick", "put", "resize_bones"]


def add(x: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Add ``value``, which broadcasts against ``x (N, C, T, V, M)``, to what is observed; the rest stays +0.0."""
    return x + torch.where(_all_or(mask, x)[:, None], value.to(x.dtype), 0)


def add_noise(x: Tensor, noise: Tensor, mask: Tensor | None = None, *, overwrite: bool = False) -> Tensor:
    """:func:`add` for finite numbers of the size of ``x``, without a copy of them.

    Args:
        x: ``(N, C, T, V, M)``.
        noise: finite, broadcasts against ``x``.
        mask: what is present, ``(N, T, V or 1, M)``.
        overwrite: ``x`` is scratch memory: no tensor outside the caller can alias it.
    """
    noise, there = noise.to(x.dtype), fj.weights(_all_or(mask, x), x)
    return x.addcmul_(noise, there) if overwrite else torch.addcmul(x, noise, there)


def _all_or(mask: Tensor | None, x: Tensor) -> Tensor:
    """The mask; everybody, as ``(N, T, 1, M)``, where there is none."""
    return x.new_ones(x.shape[0], x.shape[2], 1, x.shape[4], dtype=torch.bool) if mask is None else mask


def body_size(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Size of each person: the diagonal of the bounding box of its observed joints, averaged over its frames.

    Frames in which a joint is infinite or NaN do not count.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        mask: what is present.

    Returns:
        At least float32, ``(N, M)``; 0 for somebody who is never there. About 2 m for a standing adult.
    """
    x, mask = x.to(torch.promote_types(x.dtype, torch.float32)), _all_or(mask, x)
    high = low = x
    if mask.shape[2] > 1:  # absent persons are left out below
        high, low = (torch.where(mask[:, None], x, end) for end in (-torch.inf, torch.inf))
    if not x.shape[3]:
        return x.new_zeros(x.shape[0], x.shape[4])
    extent = _fold(torch.maximum, high) - _fold(torch.minimum, low)
    there = mask.any(2) & extent.isfinite().all(1)  # (N, T, M)
    diagonal = _root(_square(torch.where(there[:, None], extent, 0)))
    return diagonal.sum(1) / there.sum(1).clamp(min=1)


def _fold(op: Callable[[Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
    """The largest or smallest over the joints, axis 3, by halves: a reduction over an inner axis is slow."""
    while x.shape[3] > 1:
        half = (x.shape[3] + 1) // 2
        x = op(x[:, :, :, :half], x[:, :, :, -half:])  # of an odd number the middle one is in both
    return x[:, :, :, 0]


def pick(x: Tensor, coords: tuple[int, ...]) -> Tensor:
    """The channels ``coords`` of ``x (N, C, T, V, M)``; a view where it can be."""
    if coords == tuple(range(x.shape[1])):
        return x
    if coords == tuple(range(len(coords))):
        return x[:, : len(coords)]
    return torch.stack([x[:, c] for c in coords], 1)


def put(x: Tensor, value: Tensor, coords: tuple[int, ...]) -> Tensor:
    """``x`` with its channels ``coords`` replaced by ``value (N, d, …)``."""
    if coords == tuple(range(x.shape[1])):
        return value
    channels = {c: value[:, i] for i, c in enumerate(coords)}
    return torch.stack([channels.get(c, x[:, c]) for c in range(x.shape[1])], 1)


def digest(x: Tensor) -> Tensor:
    """A number of each person that equal data have in common: int64 ``(N, M)`` from ``x (N, C, T, V, M)``."""
    bits = x.sum((2, 3), dtype=torch.float32).view(torch.int32).to(torch.int64)  # (N, C, M)
    return (bits * torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]).sum(1)


def moments(x: Tensor, mask: Tensor | None = None, *, per_frame: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of what is present, per sample, channel and person.

    Args:
        x: ``(N, C, T, V, M)``, 0 where absent.
        mask: what is present.
        per_frame: over the joints of each frame; else over all frames and joints.

    Returns:
        Two tensors, at least float32, ``(N, C, T or 1, 1, M)``; the variance is unbiased, plus 1e-5.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    dims = (3,) if per_frame else (2, 3)
    there = fj.weights(_all_or(mask, x), x).expand_as(x[:, :1])
    count = there.sum(dims, keepdim=True)
    mean = x.sum(dims, keepdim=True) / count.clamp(min=1)
    spread = ((x - fj.over_joints(mean, x.shape[3])) * there).square().sum(dims, keepdim=True)
    return mean, (spread / (count - 1).clamp(min=1) + 1e-5).sqrt()


def adain(
    x: Tensor, mean: Tensor, std: Tensor, paired: Tensor, mask: Tensor | None = None, *, per_frame: bool = False
) -> Tensor:
    """Give each person the mean and standard deviation of a style.

    ``y = std · (x - μ) / σ + mean`` with μ and σ from :func:`moments` of ``x``.

    Args:
        x: ``(N, C, T, V, M)``.
        mean: of the style, ``(N, C, T or 1, 1, M)``.
        std: of the style, same shape.
        paired: bool ``(N, T or 1, 1, M)``; where False, ``x`` is kept.
        mask: what is present; absent entries stay 0.
        per_frame: statistics of ``x`` per frame.
    """
    own_mean, own_std = moments(x, mask, per_frame=per_frame)
    v = x.shape[3]
    # The cast keeps float16 and bfloat16 data in float32 until the end.
    scale, shift = fj.over_joints(std.to(own_std.dtype) / own_std, v), fj.over_joints(mean.to(own_mean.dtype), v)
    y = torch.addcmul(shift, x - fj.over_joints(own_mean, v), scale).to(x.dtype)
    return torch.where(fj.over_joints((paired & _all_or(mask, x))[:, None], v), y, x)


def _square(x: Tensor) -> Tensor:
    """Squared length over the coordinates, axis 1: a norm over an axis that is not the last is slow."""
    square = x[:, 0] * x[:, 0]
    for channel in range(1, x.shape[1]):
        square = torch.addcmul(square, x[:, channel], x[:, channel])
    return square


def _root(square: Tensor) -> Tensor:
    positive = square > 0  # the root's slope at 0 would be infinite
    return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)


def bone_lengths(x: Tensor, parents: Sequence[int], mask: Tensor | None = None) -> Tensor:
    """Mean length of every bone over the frames in which both its ends are observed.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        parents: parent of each joint, V of them; the root is its own.
        mask: what is present.

    Returns:
        At least float32 ``(N, V, M)``: entry v is the bone from v's parent to v; 0 at the root and for bones never
        mask.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    bones, both = fj.bone(x, parents, _all_or(mask, x))
    assert both is not None
    length = _root(_square(bones))  # (N, T, V, M)
    return torch.where(both, length, 0).sum(1) / both.sum(1).clamp(min=1)


def resize_bones(x: Tensor, ratio: Tensor, parents: Sequence[int], mask: Tensor | None = None) -> Tensor:
    """Stretch each bone by a factor, directions kept: joints move by what the bones between root and them gain.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        ratio: ``(N, V, M)``, new length over old.
        parents: parent of each joint, V of them.
        mask: what is present; a bone with an unobserved end gains nothing.
    """
    above = list(parents)
    moved = fj.bone(x, above, mask)[0] * (ratio - 1).to(x.dtype)[:, None, None]
    # Each round adds what the next 1, 2, 4 … bones towards the root gain, until all have arrived there.
    while len(set(above)) > 1:
        moved = moved + fj.take_joints(moved, constant(above, x.device).expand(x.shape[0], -1))
        above = [above[joint] for joint in above]
    return fj.clear_absent(x + moved, _all_or(mask, x))
