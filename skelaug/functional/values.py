"""Changes of the values: noise, style statistics, and the size of a body."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skelaug.functional import joints as fj

__all__ = ["adain", "add_noise", "body_size", "bone_lengths", "moments", "pick", "place", "put", "resize_bones"]


def add_noise(x: Tensor, noise: Tensor, mask: Tensor | None = None, *, own: bool = False) -> Tensor:
    """Add ``noise`` (broadcasts against ``x (N, C, T, V, M)``) to what is present; ``own``: in place."""
    noise = noise.to(x.dtype)
    if noise.shape[3] == 1:
        noise = fj.spell_out(noise, x.shape[3])
    return fj.add(x, noise, mask, own=own)


def body_size(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Size of each person: the diagonal of the bounding box of its observed joints, averaged over its frames.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        mask: what is present.

    Returns:
        At least float32, ``(N, M)``; 0 for somebody who is never there. About 2 m for a standing adult.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    high = low = x
    if mask is not None and mask.shape[2] > 1:  # absent persons are left out below
        high, low = (torch.where(mask[:, None], x, end) for end in (-torch.inf, torch.inf))
    extent = _fold(torch.maximum, high) - _fold(torch.minimum, low)
    if mask is None:
        return _length(extent).mean(1)
    there = mask.any(2)  # (N, T, M)
    diagonal = _length(torch.where(there[:, None], extent, 0))
    return diagonal.sum(1) / there.sum(1).clamp(min=1)


def _fold(op: Callable[[Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
    """The largest or smallest over the joints, axis 3, by halves: a reduction over that axis is six times slower."""
    while x.shape[3] > 1:
        half = (x.shape[3] + 1) // 2
        x = op(x[:, :, :, :half], x[:, :, :, -half:])  # of an odd number the middle one is in both
    return x[:, :, :, 0]


def pick(x: Tensor, coords: tuple[int, ...]) -> Tensor:
    """The channels ``coords`` of ``x (N, C, T, V, M)``; a view where it can be."""
    if coords == tuple(range(len(coords))):
        return x[:, : len(coords)]
    return torch.stack([x[:, c] for c in coords], 1)


def place(value: Tensor, coords: tuple[int, ...], channels: int) -> Tensor:
    """Put ``value (N, d, …)`` at the channels ``coords`` of ``channels``, 0 elsewhere: the inverse of :func:`pick`."""
    if coords == tuple(range(channels)):
        return value
    rows = {c: value[:, i] for i, c in enumerate(coords)}
    return torch.stack([rows.get(c, torch.zeros_like(value[:, 0])) for c in range(channels)], 1)


def put(x: Tensor, value: Tensor, coords: tuple[int, ...]) -> Tensor:
    """``x`` with its channels ``coords`` replaced by ``value (N, d, …)``."""
    if coords == tuple(range(x.shape[1])):
        return value
    rows = {c: value[:, i] for i, c in enumerate(coords)}
    return torch.stack([rows.get(c, x[:, c]) for c in range(x.shape[1])], 1)


def moments(x: Tensor, mask: Tensor | None, *, per_frame: bool = False) -> tuple[Tensor, Tensor]:
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
    seen = torch.ones_like(x[:, :1]) if mask is None else fj.weights(mask, x).expand_as(x[:, :1])
    count = seen.sum(dims, keepdim=True)
    mean = x.sum(dims, keepdim=True) / count.clamp(min=1)
    spread = ((x - fj.spell_out(mean, x.shape[3])) * seen).square().sum(dims, keepdim=True) / (count - 1).clamp(min=1)
    return mean, (spread + 1e-5).sqrt()


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
    # The cast keeps float16 and bfloat16 data in float32 until the end.
    v = x.shape[3]
    scale, shift = fj.spell_out(std.to(own_std.dtype) / own_std, v), fj.spell_out(mean.to(own_mean.dtype), v)
    y = torch.addcmul(shift, x - fj.spell_out(own_mean, v), scale).to(x.dtype)
    return torch.where(fj.spell_out((paired if mask is None else paired & mask)[:, None], v), y, x)


def _length(x: Tensor) -> Tensor:
    """Euclidean length over the coordinates, axis 1."""
    return _root(_square(x))


def _square(x: Tensor) -> Tensor:
    # vector_norm over an axis that is not the last is a hundred times slower.
    square = x[:, 0] * x[:, 0]
    for channel in range(1, x.shape[1]):
        square.addcmul_(x[:, channel], x[:, channel])
    return square


def _root(square: Tensor) -> Tensor:
    there = square > 0  # the root's slope at 0 would be infinite
    return torch.where(there, torch.where(there, square, 1).sqrt(), 0)


def bone_lengths(x: Tensor, parents: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean length of every bone over the frames in which both its ends are observed.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        parents: int64 ``(V,)``.
        mask: what is present.

    Returns:
        At least float32 ``(N, V, M)``: entry v is the bone from v's parent to v; 0 at the root and for bones never
        seen.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    bones = fj.take_joints(x, parents.expand(x.shape[0], -1)).sub_(x)
    square = _square(bones)
    del bones  # as large as x
    length = _root(square)  # (N, T, V, M)
    if mask is None:
        return length.mean(1)
    seen = mask if mask.shape[2] == 1 else mask & mask.index_select(2, parents)
    return length.mul_(fj.weights(seen, x)[:, 0]).sum(1) / seen.sum(1).clamp(min=1)


def resize_bones(x: Tensor, ratio: Tensor, parents: Tensor, ancestors: Tensor, mask: Tensor | None = None) -> Tensor:
    """Stretch each bone by a factor, directions kept: joints move by what the bones between root and them gain.

    Args:
        x: coordinates ``(N, C, T, V, M)``.
        ratio: ``(N, V, M)``, new length over old.
        parents: int64 ``(V,)``.
        ancestors: ``(V, V)``, 1 where the bone of the second joint lies on the path from the root to the first.
        mask: what is present; a bone with an unobserved end gains nothing.
    """
    n, c, t, v, m = x.shape
    gain = fj.bone(x, parents, mask)[0].mul_((ratio - 1).to(x.dtype)[:, None, None])
    # Joints and persons as one axis: one product of matrices, where einsum would make thousands of tiny ones.
    paths = torch.kron(ancestors.to(x.dtype), torch.eye(m, dtype=x.dtype, device=x.device))
    moved = x + (gain.reshape(n * c * t, v * m) @ paths.mT).view(x.shape)
    return moved if mask is None else moved * fj.weights(mask, x)
