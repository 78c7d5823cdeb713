"""Checks of constructor arguments: the message says what was given, what was expected and how to mend it."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from skelaug.expect import whole
from skelaug.skeleton import AXES, Skeleton, find_skeleton

__all__ = [
    "channels",
    "choice",
    "constant",
    "coordinates",
    "count",
    "data",
    "groups",
    "joints",
    "limbed",
    "named_channels",
    "number",
    "probability",
    "scores",
    "sided",
    "skeleton",
    "span",
    "up",
    "vectors",
    "whole",
]


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def number(who: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` if it is a finite number in ``[low, high]``."""
    if _is_number(value) and low <= value <= high:
        return float(value)
    raise ValueError(f"{who}({name}={value!r}): {name} must be a number{_bounds(low, high)}, got {value!r}")


def probability(who: str, p: Any) -> float:
    """``p`` if it is a number in ``[0, 1]``."""
    if _is_number(p) and 0 <= p <= 1:
        return float(p)
    raise ValueError(f"{who}(p={p!r}): p must be a probability, 0 ≤ p ≤ 1, got {p!r}")


def count(who: str, name: str, value: Any, low: int = 1) -> int:
    """``value`` if it is a whole number ≥ ``low``."""
    if whole(value) and int(value) >= low:
        return int(value)
    raise ValueError(f"{who}({name}={value!r}): {name} must be a whole number ≥ {low}, got {value!r}")


def choice(who: str, name: str, value: Any, options: Sequence[Any]) -> Any:
    """``value`` if it is one of ``options``."""
    if any(type(value) is type(option) and value == option for option in options):
        return value
    listed = ", ".join(map(repr, options))
    raise ValueError(f"{who}({name}={value!r}): {name} must be one of {listed}, got {value!r}")


def span(
    who: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, single: str = "symmetric"
) -> tuple[float, float]:
    """A ``(low, high)`` pair from a pair or a single number.

    Args:
        who: the transform, for the message.
        name: the argument.
        value: what was given.
        low: no value may lie below.
        high: no value may lie above.
        single: what a number ``a`` means: ``"symmetric"`` is ``(-a, a)`` with a ≥ 0, ``"fixed"`` is ``(a, a)``,
            ``"none"`` is refused.
    """
    if isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)):
        if low <= value[0] <= value[1] <= high:
            return float(value[0]), float(value[1])
    elif _is_number(value) and single == "symmetric" and 0 <= value <= high:
        return -float(value), float(value)
    elif _is_number(value) and single == "fixed" and low <= value <= high:
        return float(value), float(value)
    if single == "none":
        wanted = f"a (low, high) pair{_bounds(low, high)}"
    else:
        wanted = f"a number{_bounds(0 if single == 'symmetric' else low, high)} or a (low, high) pair"
    raise ValueError(f"{who}({name}={value!r}): {name} must be {wanted}, got {value!r}")


def _bounds(low: float, high: float) -> str:
    parts = [f"≥ {low:g}"] if low > -math.inf else []
    parts += [f"≤ {high:g}"] if high < math.inf else []
    return f" {' and '.join(parts)}" if parts else ""


def coordinates(who: str, coords: Any) -> tuple[int, ...] | None:
    """Normalise ``coords``: ``None`` (all channels), a number of leading channels, or their indices."""
    if coords is None:
        return None
    if isinstance(coords, int) and not isinstance(coords, bool) and 0 < coords < 2**16:
        return tuple(range(coords))
    indices = isinstance(coords, list | tuple) and all(type(c) is int and c >= 0 for c in coords)
    if indices and 0 < len(set(coords)) == len(coords):
        return tuple(coords)
    raise ValueError(
        f"{who}(coords={coords!r}): coords must be None (every channel is a coordinate), a number of leading "
        f"channels or distinct channel indices ≥ 0, got {coords!r}"
    )


def vectors(who: str, vectors: Any, coords: tuple[int, ...] | None) -> tuple[tuple[int, ...], ...] | None:
    """Normalise ``vectors``: None, one group of channels, or a list of groups, each as long as the coordinates."""
    if vectors is None:
        return None
    given = vectors if isinstance(vectors, list | tuple) else (vectors,)
    alone = bool(given) and all(isinstance(c, int) for c in given)
    groups = tuple(tuple(g) if isinstance(g, list | tuple) else (g,) for g in ((given,) if alone else given))
    if coords is None:
        raise ValueError(f"{who}(vectors={vectors!r}): say which channels are coordinates, too, as in coords=3")
    if any(len(group) == 4 for group in groups):
        raise ValueError(
            f"{who}(vectors={vectors!r}): four channels are no vector. A quaternion is not turned by a matrix, as "
            f"vectors are: give its rotation matrix as three vectors, one a column"
        )
    flat = [c for group in groups for c in group]
    indices = all(type(c) is int and c >= 0 for c in flat)
    twice = len({*flat, *coords}) < len(flat) + len(coords)
    if not flat or not indices or twice or {len(group) for group in groups} != {len(coords)}:
        raise ValueError(
            f"{who}(coords={coords}, vectors={vectors!r}): each vector must be {len(coords)} channels, as many as the "
            f"coordinates, and no channel may be named twice, as in coords=3, vectors=[(3, 4, 5)]; got {vectors!r}"
        )
    return groups


def groups(
    who: str,
    coords: tuple[int, ...] | None,
    vectors: tuple[tuple[int, ...], ...] | None,
    x: Tensor,
    allowed: Sequence[int] = (),
) -> list[tuple[int, ...]]:
    """The channels that a matrix acts on: the coordinates, then each vector."""
    found = [channels(who, coords, x, allowed), *(vectors or ())]
    if vectors and max(map(max, vectors)) >= x.shape[1] > 0:
        raise ValueError(f"{who}(vectors={vectors}): x has only {x.shape[1]} channels: shape {tuple(x.shape)}")
    return found


def channels(who: str, coords: tuple[int, ...] | None, x: Tensor, allowed: Sequence[int] = ()) -> tuple[int, ...]:
    """The coordinate channels of ``x``, whose number must be in ``allowed`` if that is given."""
    there = x.shape[1]
    if coords is None:
        if there == 2 and x.shape[4] == 3:
            raise ValueError(
                f"{who}: x {tuple(x.shape)} has two coordinates and three persons as (N, C, T, V, M); two persons in "
                f"3D look so when axes are swapped: write skelaug.to_layout(x, 'NMTVC', 'NCTVM'). If these are three "
                f"persons in 2D, say {who}(…, coords=2)"
            )
        found = tuple(range(there))
    else:
        found = coords
        if max(found) >= there > 0:
            raise ValueError(f"{who}(coords={coords}): x has only {there} channels: shape {tuple(x.shape)}")
    if allowed and len(found) not in allowed:
        raise ValueError(
            f"{who}: needs {' or '.join(map(str, allowed))} coordinates, x has {len(found)} (axis 1 of "
            f"{tuple(x.shape)}); "
            f"name the coordinate channels, as in {who}(…, coords=2) for (x, y, score)"
        )
    return found


def constant(values: Any, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A small tensor of known values on ``device``; floats are float32 unless ``dtype`` says otherwise.

    ``torch.tensor(values, device="cuda")`` would wait for the stream; an asynchronous copy does not.
    """
    host = torch.tensor(values, dtype=dtype, device="cpu")
    if dtype is None and host.is_floating_point():
        host = torch.tensor(values, dtype=torch.float32, device="cpu")
    return host.to(device, non_blocking=True)


def skeleton(who: str, value: Skeleton | str, name: str = "skeleton") -> Skeleton:
    """The skeleton that is meant: ``value`` itself, or the known one of that name.

    Raises:
        TypeError: it is neither.
        ValueError: no skeleton is known by that name; the message names the nearest.
    """
    if not isinstance(value, Skeleton | str):
        raise TypeError(
            f"{who}({name}={value!r}): {name} must be a Skeleton or the name of one, such as 'ntu25', or "
            f"skelaug.Skeleton.from_edges(…), got {type(value).__name__}"
        )
    try:
        return find_skeleton(value)
    except ValueError as error:
        raise ValueError(f"{who}({name}={value!r}): {error}") from error


def up(who: str, value: str | None, skeleton: Skeleton | None = None) -> str:
    """The axis that points up: the given one, else the skeleton's, else ``"y"``."""
    if value is None:
        return "y" if skeleton is None else skeleton.up
    return str(choice(who, "up", value, AXES))


def sided(who: str, value: Skeleton | str, does: str) -> Skeleton:
    """:func:`skeleton`, for a transform that exchanges left and right; a warning says what it ``does`` without any."""
    found = skeleton(who, value)
    if not found.pairs:
        warnings.warn(
            f"{who}: skeleton {found.name!r} has no pairs of left and right joints, so {who} {does}; give them, as in "
            f"Skeleton.from_edges(…, pairs=[(left, right), …])",
            stacklevel=4,  # who makes the transform, past its constructor and the class's call
        )
    return found


def limbed(who: str, value: Skeleton | str) -> Skeleton:
    """:func:`skeleton`, for a transform that needs several limbs."""
    found = skeleton(who, value)
    if len(found.limbs) < 2:
        raise ValueError(
            f"{who}(skeleton={found.name!r}): the skeleton is one limb, {next(iter(found.limbs))!r}; name its limbs, "
            f"as in Skeleton.from_edges(…, limbs={{'trunk': [0, 1], 'left_arm': [2, 3], …}})"
        )
    return found


def joints(who: str, skeleton: Skeleton | None, x: Tensor) -> None:
    """Raise if ``x (N, C, T, V, M)`` has another number of joints than the skeleton of a transform."""
    if skeleton is not None and x.shape[3] != len(skeleton):
        elsewhere = [axis for axis, size in enumerate(x.shape) if axis and size == len(skeleton)]
        hint = ", or mend the order of the axes by skelaug.to_layout: "
        hint = f"{hint}axis {elsewhere[0]} has {len(skeleton)}" if elsewhere else ""
        raise ValueError(
            f"{who}: skeleton {skeleton.name!r} has {len(skeleton)} joints, x has {x.shape[3]} (axis 3 of "
            f"{tuple(x.shape)}); pass the skeleton of the data{hint}"
        )


def named_channels(transform: Any) -> tuple[tuple[int, ...] | None, tuple[tuple[int, ...], ...] | None]:
    """The ``coords`` and ``vectors`` of a transform, which need not have any."""
    return getattr(transform, "coords", None), getattr(transform, "vectors", None)


def data(transform: Any, x: Tensor) -> None:
    """What a transform checks of ``x (N, C, T, V, M)`` before it draws: :func:`joints` and :func:`scores`."""
    joints(type(transform).__name__, transform.skeleton, x)
    own = transform.skeleton if getattr(transform, "coords", ()) is None else None
    scores(getattr(transform, "unsaid", own), x)


def scores(skeleton: Skeleton | None, x: Tensor) -> None:
    """Warn, once a skeleton, where a third channel that nobody called a score is taken for a coordinate of an image."""
    if skeleton is not None and skeleton.planar and x.shape[1] == 3 and not torch.compiler.is_compiling():
        warn_of_scores(skeleton.name)


@functools.cache
def warn_of_scores(name: str) -> None:
    """The warning of :func:`scores`."""
    warnings.warn(
        f"skeleton {name!r} is one of images, and x has three channels: all three are taken for coordinates. Where "
        f"they are (x, y, score), say coords=2 to the transform, the preset or the adapter (--coords 2 on the command "
        f"line); where they are (x, y, z), say coords=3",
        stacklevel=2,
    )
