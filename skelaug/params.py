"""What ``replay`` checks of the params it is given: that they are this transform's, and fit the batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from skelaug import check, host
from skelaug.batch import SkeletonBatch

if TYPE_CHECKING:
    from skelaug.transform import Transform

__all__ = ["check_params", "drawn_for"]

_TYPES = {"int": torch.int64, "bool": torch.bool}


def drawn_for(n: int, size: int, device: torch.device) -> Tensor:
    """A leaf ``(n, 0, size)`` of params whose other shapes do not tell the size for which they were drawn: no data."""
    return torch.empty(n, 0, size, dtype=torch.float32, device=device)


def check_params(transform: Transform, batch: SkeletonBatch, params: Any) -> None:
    """Raise a ValueError unless ``params`` are ones that ``transform`` could have drawn for ``batch``.

    ``transform.shapes`` says of every entry its name, type and axes, as in ``"frames: int<T N T, matrix: N D D"``: int64
    below T, of shape (N, T). The types are ``int``, ``bool`` and, unsaid, floating point. Axes are N, C, D
    (coordinates), T, L (frames of the result), V, M, a number, ``*`` for any, ``T|1`` for either, or ``G``, all axes of
    the graph. ``""`` says that there are no params, ``None`` says nothing: then only N is checked.
    """
    who = f"{type(transform).__name__}.replay"
    if not isinstance(params, dict):
        raise TypeError(f"{who}: params must be the dict that sample(x) gave, got {type(params).__name__}")
    for name, leaf in _leaves(params):
        if not isinstance(leaf, Tensor) or leaf.ndim == 0:
            raise TypeError(f"{who}: params[{name!r}] must be a tensor with N first, got {leaf!r}")
        if leaf.shape[0] != len(batch):
            raise ValueError(
                f"{who}: params are for {leaf.shape[0]} samples, x has {len(batch)}; slice or expand every leaf of "
                f"params along its first axis"
            )
    if transform.shapes is None:
        return
    shapes = dict(entry.split(": ") for entry in transform.shapes.split(", ") if entry)
    if "apply" in params:
        shapes["apply"] = "bool N"
    if params.keys() != shapes.keys():
        raise ValueError(
            f"{who}: params hold {sorted(params) or 'nothing'}, expected {sorted(shapes) or 'nothing'}; give what "
            f"{type(transform).__name__}.sample(x) drew"
        )
    for name, form in shapes.items():
        _check_entry(who, transform, batch, name, params[name], form)


def _check_entry(who: str, transform: Transform, batch: SkeletonBatch, name: str, value: Any, form: str) -> None:
    n, c, t, v, m = batch.x.shape
    sizes = {"N": n, "C": c, "T": t, "L": transform.length or t, "V": v, "M": m}
    kind, *axes = form.split() if form.startswith(("int", "bool")) else ["float", *form.split()]
    kind, _, bound = kind.partition("<")
    if axes[-1:] == ["G"]:
        axes = list(map(str, transform.base_graph(batch).shape))  # type: ignore[operator]
    if "D" in axes:
        sizes["D"] = len(check.channels(type(transform).__name__, getattr(transform, "coords", None), batch.x))
    expected = [
        [None] if axis == "*" else [sizes[part] if part in sizes else int(part) for part in axis.split("|")]
        for axis in axes
    ]
    fits = isinstance(value, Tensor) and value.ndim == len(expected)
    fits = fits and all(None in options or size in options for size, options in zip(value.shape, expected, strict=True))
    fits = fits and (value.dtype == _TYPES[kind] if kind in _TYPES else value.is_floating_point())
    if not fits:
        got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        sizes_wanted = ", ".join("any" if None in options else " or ".join(map(str, options)) for options in expected)
        raise ValueError(
            f"{who}: params[{name!r}] must be {kind} ({', '.join(axes)}) = ({sizes_wanted}) to fit x "
            f"{tuple(batch.x.shape)}, got {got}; draw for this x with sample(x)"
        )
    if bound and value.numel() and host.readable(value):
        low, high = value.min(), value.max()
        if low < 0 or high >= sizes[bound]:
            raise ValueError(
                f"{who}: params[{name!r}] must lie in 0 … {sizes[bound] - 1} to fit x {tuple(batch.x.shape)}, got "
                f"{int(low)} … {int(high)}"
            )


def _leaves(params: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of every leaf; a pytree's own walk takes as long as applying a matrix."""
    if isinstance(params, dict):
        for key, part in params.items():
            yield from _leaves(part, f"{name}.{key}" if name else str(key))
    elif isinstance(params, tuple | list):
        yield from itertools.chain.from_iterable(_leaves(part, name) for part in params)
    else:
        yield name, params
