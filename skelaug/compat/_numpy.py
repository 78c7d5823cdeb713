"""Between the clip of a NumPy feeder, ``(C, T, V, M)``, and skelaug's batches; and draws on the host for one clip."""

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

from skelaug.batch import infer_presence
from skelaug.ndarray import from_numpy
from skelaug.workers import worker_generator

__all__ = [
    "Array",
    "bind",
    "chance",
    "coordinates",
    "enter",
    "frames_seen",
    "integer",
    "leave",
    "plain",
    "presence",
    "span",
    "uniform",
]

Array = NDArray[np.floating[Any]]


def enter(who: str, data: Any) -> Tensor:
    """The clip as a batch of one, ``(1, C, T, V, M)``: a copy, so that the caller's array is never written to.

    Raises:
        TypeError: not an array, or not of float16, float32 or float64.
        ValueError: not four axes, or an empty one.
    """
    if not isinstance(data, np.ndarray):
        hint = "; write x.numpy()" if isinstance(data, Tensor) else "; write numpy.asarray(x)"
        raise TypeError(f"{who}: the clip must be a NumPy array (C, T, V, M), got {type(data).__name__}{hint}")
    if data.ndim != 4 or 0 in data.shape:
        raise ValueError(
            f"{who}: the clip must be (C, T, V, M) = coordinate, frame, joint, person, at least one of each; "
            f"got shape {data.shape}"
        )
    return from_numpy(f"{who}: the clip", data, copy=True)[None]


def coordinates(who: str, x: Tensor) -> int:
    """The number of coordinates of a clip, if it is 2 or 3."""
    if x.shape[1] not in (2, 3):
        raise ValueError(f"{who}: the clip must have 2 or 3 coordinates, got shape {tuple(x.shape[1:])}, (C, T, V, M)")
    return x.shape[1]


def leave(x: Tensor) -> Array:
    """The clip of a batch of one, contiguous."""
    clip: Array = x[0].contiguous().numpy()
    return clip


def presence(x: Tensor, *, everybody: bool) -> Tensor:
    """Bool ``(1, T, 1, M)``: who is there; or everybody always, as peers have it that know no absence."""
    if everybody:
        return torch.ones(1, x.shape[2], 1, x.shape[4], dtype=torch.bool)
    return infer_presence(x)


def span(x: Tensor) -> tuple[int, int]:
    """First frame in which anybody is there, and the one after the last; ``(0, T)`` if nobody ever is."""
    seen = frames_seen(x)
    return (seen[0], seen[-1] + 1) if seen else (0, x.shape[2])


def frames_seen(x: Tensor) -> list[int]:
    """The frames in which anybody is there."""
    found: list[int] = np.flatnonzero(x.numpy().any((0, 1, 3, 4))).tolist()  # torch takes several times as long
    return found


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's number; everything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def uniform(low: float, high: float, count: int = 1) -> Tensor:
    """float64 ``(1, count)``, each entry U(low, high); in this type autocast leaves products of matrices alone."""
    return torch.empty(1, count, dtype=torch.float64).uniform_(low, high, generator=worker_generator())


def chance(p: float) -> bool:
    """True with probability ``p``."""
    return torch.rand((), generator=worker_generator()).item() < p


def integer(low: int, high: int) -> int:
    """One of ``low … high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=worker_generator()).item())


def bind(who: str, functions: Iterable[Callable[..., Any]], options: dict[str, Any]) -> SimpleNamespace:
    """A namespace of the functions, with those of the options fixed that each takes.

    Raises:
        TypeError: an option that none of them takes.
    """
    names = {f.__name__: (f, inspect.signature(f).parameters) for f in functions}
    known = {p.name for _, taken in names.values() for p in taken.values() if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            raise TypeError(f"{who}({option}=…): the options are {', '.join(sorted(known))}; got {option!r}")
    return SimpleNamespace(
        **{
            n: functools.partial(f, **{k: v for k, v in options.items() if k in taken})
            for n, (f, taken) in names.items()
        }
    )
