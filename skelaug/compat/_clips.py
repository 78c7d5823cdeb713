"""The clip of a NumPy feeder, ``(C, T, V, M)``, as a batch of one and back; and random numbers on the host for it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelaug import check
from skelaug.ndarray import from_numpy
from skelaug.presence import infer_presence
from skelaug.workers import worker_generator

Array = NDArray[np.floating[Any]]


def read(who: str, data: Any, faithful: Any) -> Tensor:
    """The clip as a batch of one, ``(1, C, T, V, M)``: a copy, so that the caller's array is never written to.

    Args:
        who: the function, for messages.
        data: the clip.
        faithful: the function's option, which must be a bool.

    Raises:
        TypeError: not an array, or not of float16, float32 or float64.
        ValueError: not four axes, or an empty one.
    """
    flag(who, "faithful", faithful)
    if not isinstance(data, np.ndarray):
        hint = "; write x.numpy()" if isinstance(data, Tensor) else "; write numpy.asarray(x)"
        raise TypeError(f"{who}: the clip must be a NumPy array (C, T, V, M), got {type(data).__name__}{hint}")
    if data.ndim != 4 or 0 in data.shape:
        raise ValueError(
            f"{who}: the clip must be (C, T, V, M) = coordinate, frame, joint, person, at least one of each; "
            f"got shape {data.shape}"
        )
    return from_numpy(f"{who}: the clip", data, copy=True)[None]


def coordinates(who: str, coords: Any, x: Tensor, allowed: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The channels of a clip that are coordinates: ``coords`` says which, None all.

    Raises:
        ValueError: there are no such channels, or another number of them than is allowed.
    """
    named = check.coordinates(who, coords)
    named = tuple(range(x.shape[1])) if named is None else named  # a clip's axes are C, T, V, M: no guess at them
    return check.channels(who, named, x, allowed)


def array(x: Tensor) -> Array:
    """The clip of a batch of one, contiguous."""
    clip: Array = x[0].contiguous().numpy()
    return clip


def presence(x: Tensor, *, everybody: bool) -> Tensor:
    """Bool ``(1, T, 1, M)``: who is there; or everybody always, as peers have it that know no absence."""
    if everybody:
        return x.new_ones(1, x.shape[2], 1, x.shape[4], dtype=torch.bool)
    return infer_presence(x)


def span(x: Tensor) -> tuple[int, int]:
    """First frame in which anybody is there, and the one after the last; ``(0, T)`` if nobody ever is."""
    occupied = frames_with_anybody(x)
    return (occupied[0], occupied[-1] + 1) if occupied else (0, x.shape[2])


def frames_with_anybody(x: Tensor) -> list[int]:
    """The numbers of the frames in which anybody is there, in order."""
    numbers: list[int] = np.flatnonzero(x.numpy().any((0, 1, 3, 4))).tolist()  # torch takes several times as long
    return numbers


def frames(who: str, name: str, value: Any) -> int:
    """``value`` if it is a number of frames: a whole number of at least 1 that an array could have."""
    number = check.count(who, name, value)
    if number >= 1 << 31:
        raise ValueError(f"{who}({name}={number}): {name} must be a whole number below 2^31, got {number}")
    return number


def flag(who: str, name: str, value: Any) -> bool:
    """``value`` if it is True or False."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"{who}({name}={value!r}): {name} must be True or False, got {value!r}")


def uniform(low: float, high: float, count: int = 1) -> Tensor:
    """float64 ``(1, count)``, each entry U(low, high); in this type autocast leaves products of matrices alone."""
    return torch.empty(1, count, dtype=torch.float64, device="cpu").uniform_(low, high, generator=worker_generator())


def normal(shape: Iterable[int]) -> Tensor:
    """float32 of this shape, each entry N(0, 1)."""
    return torch.randn(tuple(shape), generator=worker_generator(), dtype=torch.float32, device="cpu")


def integers(low: int, high: int, count: int) -> Tensor:
    """int64 ``(count,)``, each entry one of ``low … high``, both included."""
    return torch.randint(low, high + 1, (count,), generator=worker_generator(), device="cpu")


def integer(low: int, high: int) -> int:
    """One of ``low … high``, both included."""
    return int(integers(low, high, 1))


def chance(p: float) -> bool:
    """True with probability ``p``."""
    return uniform(0, 1).item() < p


def fix_options(who: str, functions: Iterable[Callable[..., Any]], options: dict[str, Any]) -> SimpleNamespace:
    """A namespace of the functions, with those of the options fixed that each takes.

    Raises:
        TypeError: an option that none of them takes.
    """
    parameters = {f: inspect.signature(f).parameters for f in functions}
    known = {p.name for taken in parameters.values() for p in taken.values() if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            raise TypeError(f"{who}({option}=…): the options are {', '.join(sorted(known))}; got {option!r}")
    if "faithful" in options:
        flag(who, "faithful", options["faithful"])
    fixed = {f: {k: v for k, v in options.items() if k in taken} for f, taken in parameters.items()}
    return SimpleNamespace(**{f.__name__: functools.partial(f, **some) for f, some in fixed.items()})
