"""A batch of any make: a tensor, or a tuple, list or dict that holds the skeletons among other entries."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from skelaug.batch import SkeletonBatch

__all__ = ["about", "is_skeletons", "like", "replaced"]


def is_skeletons(value: Any) -> bool:
    """Whether a value can be skeletons: a batch, or a floating-point tensor or array."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f")
    return isinstance(value, SkeletonBatch) or (isinstance(value, Tensor) and value.is_floating_point())


def about(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} {tuple(value.shape)}"
    return type(value).__name__


def like(original: Any, value: Any) -> Any:
    """``value`` as an array, if ``original`` is one."""
    return np.asarray(value) if isinstance(original, np.ndarray) and isinstance(value, Tensor) else value


def replaced(batch: Any, changed: Mapping[Any, Any]) -> Any:
    """A shallow copy of the batch with some entries changed."""
    if isinstance(batch, tuple):
        items = replaced(list(batch), changed)
        return type(batch)(*items) if hasattr(batch, "_fields") else tuple(items)
    new = copy.copy(batch)
    for key, value in changed.items():
        new[key] = value
    return new
