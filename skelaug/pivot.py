"""``about=``: the point that a random matrix leaves in place: the origin, a given point, a joint, each person's centre.

``x' = A (x - c) + c`` is the change with matrix A and offset ``c - A c``, so it joins its neighbours as any other does.
The matrix is one of a sample; the offset is one of each person where everybody has a centre of its own.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import space as fs
from skelaug.functional import values as fv
from skelaug.params import Params

__all__ = ["centres", "declare", "params_about"]

_WORDS = ("origin", "body")


def declare(transform: Any) -> None:
    """Check ``transform.about``, and declare what follows from it; called at a constructor's end.

    ``about`` is ``"origin"``, ``"body"``, a point as numbers, or a joint by number or by name; a name needs
    ``transform.skeleton``.

    Raises:
        ValueError: it is none of these, or the joint is not one of the skeleton's.
    """
    who, about = type(transform).__name__, transform.about
    transform._pivot = _found(who, about, transform.skeleton)
    if isinstance(transform._pivot, tuple):
        transform.shapes = f"{transform.shapes}, offset: N D"
    elif transform._pivot != "origin":
        transform.shapes = f"{transform.shapes}, offset: N D M"
        transform.data_dependent = True


def _found(who: str, about: Any, skeleton: Any) -> str | int | tuple[float, ...]:
    """The point as a tuple, the joint's number, or one of the two words."""
    if isinstance(about, str) and about in _WORDS:
        return about
    if isinstance(about, str) and skeleton is None:
        raise ValueError(
            f"{who}(about={about!r}): about must be 'origin', 'body', a point or a joint; where it is the name of a "
            f"joint, say whose, as in skeleton='ntu25'"
        )
    if isinstance(about, str):
        try:
            return int(skeleton.index(about))
        except ValueError as error:
            raise ValueError(f"{who}(about={about!r}): {error}") from error
    if check.whole(about) and 0 <= int(about) < (math.inf if skeleton is None else len(skeleton)):
        return int(about)
    point = about if isinstance(about, tuple | list) else ()
    numbers = all(type(v) in (int, float) and math.isfinite(v) for v in point)
    if point and numbers:  # how many there must be, the data say
        return tuple(map(float, point))
    joints = "a joint" if skeleton is None else f"a joint (0 … {len(skeleton) - 1}, or its name)"
    raise ValueError(
        f"{who}(about={about!r}): about must be 'origin', 'body' (each person's centre over the clip), a point "
        f"(a number for each coordinate) or {joints}, got {about!r}"
    )


def params_about(transform: Any, matrix: Tensor, batch: SkeletonBatch) -> Params:
    """The params of a transform with a ``matrix (N, d, d)`` or, diagonal, ``(N, d)``, with the offset that it needs."""
    pivot = transform._pivot
    if pivot == "origin":
        return {"matrix": matrix}
    who, d = type(transform).__name__, matrix.shape[1]
    if not isinstance(pivot, tuple):
        coords = check.channels(who, transform.coords, batch.x)
        return {"matrix": matrix, "offset": _offset(centres(batch, coords, _joint(who, pivot, batch)), matrix)}
    if len(pivot) != d:
        raise ValueError(f"{who}(about={pivot}): a point of {len(pivot)} numbers, but x has {d} coordinates")
    point = check.constant(pivot, batch.device).view(1, d, 1).expand(len(batch), d, 1)
    return {"matrix": matrix, "offset": _offset(point, matrix)[:, :, 0]}


def _joint(who: str, pivot: str | int, batch: SkeletonBatch) -> int | None:
    if isinstance(pivot, str):
        return None
    if pivot >= batch.x.shape[3]:
        raise ValueError(f"{who}(about={pivot}): x has only {batch.x.shape[3]} joints; shape {tuple(batch.x.shape)}")
    return pivot


def _offset(centre: Tensor, matrix: Tensor) -> Tensor:
    """``c - A c`` for centres ``(N, d, M)``."""
    return centre - fs.linear(centre, matrix)


def centres(batch: SkeletonBatch, coords: tuple[int, ...], joint: int | None = None) -> Tensor:
    """Where each person is over the clip.

    Args:
        batch: the data.
        coords: channels that are coordinates.
        joint: the mean of this joint over the frames where it is observed. ``None``, and for somebody whose joint never
            is: the mean of all joints and frames that are.

    Returns:
        float32 ``(N, d, M)``; 0 for somebody who is never observed.
    """
    x, seen = fv.pick(batch.x, coords), batch.seen
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # 0 where nothing is observed
    count = seen.sum((1, 2)) * (1 if seen.shape[2] > 1 else x.shape[3])  # (N, M)
    centre = x.sum((2, 3)) / count.clamp(min=1)[:, None]
    if joint is not None:
        frames = seen[:, :, min(joint, seen.shape[2] - 1)].sum(1)
        own = x[:, :, :, joint].sum(2) / frames.clamp(min=1)[:, None]
        centre = torch.where(frames[:, None] > 0, own, centre)
    return centre.float()
