"""Checks of arguments that are tensors or modules: the message says what was given, what was expected and where."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["instance", "tensor"]

_T = TypeVar("_T")
_DTYPES = {"int64": torch.int64, "bool": torch.bool}


def instance(who: str, name: str, value: Any, kind: type[_T], wanted: str) -> _T:
    """``value`` if it is a ``kind``; else a TypeError that says what is ``wanted``."""
    if isinstance(value, kind):
        return value
    raise TypeError(f"{who}({name}=…): {name} must be {wanted}, got {_describe(value)}")


def tensor(
    who: str, name: str, value: Any, axes: str, kind: str = "floating-point", like: Tensor | None = None, **sizes: int
) -> Tensor:
    """``value`` if it is a tensor of that kind and shape; no value of it is looked at.

    Args:
        who: the function or class, for the message.
        name: the argument.
        value: what was given.
        axes: a letter each, such as ``"N D"``.
        kind: floating-point, int64 or bool.
        like: a tensor on whose device it must be.
        **sizes: of axes that are fixed, such as ``D=128``.

    Raises:
        TypeError: it is no tensor.
        ValueError: it is one of another kind, shape or device.

    Example:
        >>> tensor("knn", "features", torch.zeros(4, 3), "S D", D=8)
        Traceback (most recent call last):
        ...
        ValueError: knn(features=…): features must be a floating-point tensor (S, 8), got float32 (4, 3) on cpu
    """
    wanted = [sizes.get(axis, axis) for axis in axes.split()]
    shape = f"({', '.join(map(str, wanted))}{',' if len(wanted) == 1 else ''})"
    message = f"{who}({name}=…): {name} must be a{'n' if kind == 'int64' else ''} {kind} tensor {shape}"
    if like is not None:
        message += f" on {like.device}"
    message += f", got {_describe(value)}"
    if not isinstance(value, Tensor):
        raise TypeError(message)
    fits = value.ndim == len(wanted) and all(
        isinstance(want, str) or size == want for size, want in zip(value.shape, wanted, strict=True)
    )
    right = value.is_floating_point() if kind == "floating-point" else value.dtype == _DTYPES[kind]
    if not (fits and right and (like is None or value.device == like.device)):
        raise ValueError(message)
    return value


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} on {value.device}"
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
