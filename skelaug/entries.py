"""A batch of any make: a tensor, or a tuple, list or dict that holds the skeletons among other entries."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug.batch import SkeletonBatch

__all__ = ["about", "is_skeletons", "like", "like_label", "numbers", "replaced"]


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


def like_label(original: Any, label: Tensor) -> Any:
    """``label`` in the form of the label that the batch held: on its device, an array, or numbers of Python."""
    if isinstance(original, Tensor):
        return label.to(original.device)
    if isinstance(original, np.ndarray | np.generic):
        return label.cpu().numpy().astype(original.dtype)[()]
    return label.tolist()


def numbers(who: str, name: str, place: Any, values: Any) -> Tensor:
    """What a batch holds beside the skeletons, as a tensor.

    Args:
        who: for the message of an error.
        name: the argument that says where it is: a ``"mask"`` holds True and False, a ``"label"`` any numbers, all
            others whole ones.
        place: where it is.
        values: what is there.

    Raises:
        TypeError: something else is.
    """
    wanted = {"mask": "True and False", "label": "numbers"}.get(name, "whole numbers")
    message = (
        f"{who}({name}={place!r}): that entry must be a tensor, an array or a list of {wanted}, got {about(values)}"
    )
    try:
        found = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(message) from error
    kind = found.dtype
    whole = not (kind.is_floating_point or kind.is_complex or kind == torch.bool)
    fits = {"mask": kind == torch.bool, "label": not kind.is_complex}.get(name, whole)
    if not fits or found.is_meta:  # a meta tensor has no numbers in it
        raise TypeError(message)
    return found


def replaced(batch: Any, changed: Mapping[Any, Any]) -> Any:
    """A shallow copy of the batch with some entries changed."""
    if isinstance(batch, tuple):
        items = replaced(list(batch), changed)
        return type(batch)(*items) if hasattr(batch, "_fields") else tuple(items)
    new = copy.copy(batch)
    for key, value in changed.items():
        new[key] = value
    return new
