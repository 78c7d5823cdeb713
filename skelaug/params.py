"""What ``replay`` checks of the params it is given: that they are this transform's, and fit the batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from skelaug import check, host
from skelaug.batch import SkeletonBatch
from skelaug.random import Rng

if TYPE_CHECKING:
    from skelaug.transform import Transform

__all__ = ["Params", "check_names", "check_params", "check_rows", "drawn_for"]

Params = dict[str, Any]
"""A pytree of tensors, each with N first."""

_TYPES = {"int": torch.int64, "bool": torch.bool}


def drawn_for(n: int, size: int, device: torch.device) -> Tensor:
    """A leaf ``(n, 0, size)`` of params whose other shapes do not tell the size for which they were drawn: no data."""
    return torch.empty(n, 0, size, dtype=torch.float32, device=device)


def check_rows(who: str, batch: SkeletonBatch, params: Any) -> None:
    """Raise unless ``params`` is a dict of tensors that have the batch's N first."""
    if not isinstance(params, dict):
        raise TypeError(f"{who}: params must be the dict that sample(x) gave, got {type(params).__name__}")
    n = batch.x.shape[0]
    for name, leaf in _leaves(params):
        if not isinstance(leaf, Tensor) or leaf.ndim == 0:
            raise TypeError(f"{who}: params[{name!r}] must be a tensor with N first, got {leaf!r}")
        if leaf.shape[0] != n:
            raise ValueError(
                f"{who}: params are for {leaf.shape[0]} samples, x has {n}; slice or expand every leaf of params along "
                f"its first axis"
            )


def check_params(transform: Transform, batch: SkeletonBatch, params: Any) -> None:
    """Raise a ValueError unless ``params`` are ones that ``transform`` could have drawn for ``batch``.

    ``transform.shapes`` says of every entry its name, type and axes, as in ``"frames: int<T N T, matrix: N D D"``:
    int64 below T, of shape (N, T). The types are ``int``, ``bool`` and ``float``, the last of which may be left out.
    Axes are N, C, D (coordinates), T, L (frames of the result), V, M, a number, ``*`` for any, or ``G``, all axes of
    the graph. ``""`` says that there are no params. ``None`` says nothing: then one sample is drawn to see what they
    look like.
    """
    who = f"{type(transform).__name__}.replay"
    check.joints(type(transform).__name__, transform.skeleton, batch.x)
    check_rows(who, batch, params)
    if transform.shapes is None:
        _check_against_a_draw(who, transform, batch, params)
        return
    shapes = dict(entry.split(": ") for entry in transform.shapes.split(", ") if entry)
    if "apply" in params:
        shapes["apply"] = "bool N"
    check_names(who, params, shapes)
    for name, form in shapes.items():
        _check_entry(who, transform, batch, name, params[name], form, params.get("apply"))


def check_names(who: str, params: Any, names: Iterable[str]) -> None:
    """Raise a ValueError unless ``params`` is a dict that holds these names; ``apply`` may be there or not."""
    if not isinstance(params, dict) or params.keys() - {"apply"} != set(names) - {"apply"}:
        entries = sorted(params) if isinstance(params, dict) else type(params).__name__
        raise ValueError(
            f"{who}: params hold {entries or 'nothing'}, expected {sorted(names) or 'nothing'}; give what sample(x) "
            f"drew"
        )


def _check_against_a_draw(who: str, transform: Transform, batch: SkeletonBatch, params: dict[str, Any]) -> None:
    """Compare with what the transform draws for the first sample; the global generator is left alone."""
    if not len(batch) or torch.compiler.is_compiling():
        return
    one = batch.mapped(lambda v: v[:1])
    drawn = transform.sample_batch(
        one, Rng(1, batch.device, keys=torch.zeros(1, dtype=torch.int64, device=batch.device))
    )
    if "apply" in params:
        drawn["apply"] = params["apply"][:1]
    check_names(who, params, drawn)
    for (name, given), (_, expected) in zip(
        _leaves(params), _leaves({key: drawn[key] for key in params}), strict=False
    ):
        if given.shape[1:] != expected.shape[1:] or given.dtype != expected.dtype:
            raise ValueError(
                f"{who}: params[{name!r}] is {given.dtype} {tuple(given.shape)}, expected {expected.dtype} "
                f"{(len(batch), *expected.shape[1:])} to fit x {tuple(batch.x.shape)}; draw for this x with sample(x)"
            )


def _check_entry(
    who: str, transform: Transform, batch: SkeletonBatch, name: str, value: Any, form: str, apply: Tensor | None
) -> None:
    n, c, t, v, m = batch.x.shape
    sizes = {"N": n, "C": c, "T": t, "L": transform.length or t, "V": v, "M": m}
    kind, *axes = form.split() if form.startswith(("int", "bool", "float")) else ["float", *form.split()]
    kind, _, bound = kind.partition("<")
    if axes[-1:] == ["G"]:
        axes = list(map(str, transform.base_graph(batch).shape))  # type: ignore[operator]
    if "D" in axes:
        sizes["D"] = len(check.channels(type(transform).__name__, check.named_channels(transform)[0], batch.x))
    expected = [None if axis == "*" else sizes[axis] if axis in sizes else int(axis) for axis in axes]
    fits = isinstance(value, Tensor) and value.ndim == len(expected)
    fits = fits and all(size is None or size == got for size, got in zip(expected, value.shape, strict=True))
    fits = fits and (value.dtype == _TYPES[kind] if kind in _TYPES else value.is_floating_point())
    if not fits:
        got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise ValueError(
            f"{who}: params[{name!r}] must be {kind} ({', '.join(axes)}) = ({wanted}) to fit x "
            f"{tuple(batch.x.shape)}, got {got}; draw for this x with sample(x)"
        )
    if not bound or not host.readable(value):
        return
    # Positions of a sample that is gated out are not used; an index out of range is a mistake all the same.
    used = value if apply is None or not value.is_floating_point() else value[apply]
    if sizes[bound] and not ((used >= 0) & (used <= sizes[bound] - 1)).all():
        raise ValueError(
            f"{who}: params[{name!r}] must lie in 0 … {sizes[bound] - 1} to fit x {tuple(batch.x.shape)}, got "
            f"{used.min().item():g} … {used.max().item():g}"
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
