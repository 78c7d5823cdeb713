"""Checks of the parts of a prepared data set, when it is read and when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug import check
from skelaug.arrays import ArrayError
from skelaug.skeleton import Skeleton

__all__ = ["check_frame_label", "check_parts", "to_coords", "to_ints", "to_splits", "to_strings"]

Ints = npt.NDArray[np.int64]
Splits = dict[str, dict[str, Ints]]

_NO_LABEL = -100  # of a frame; what torch's losses ignore


def to_strings(path: Path, name: str, value: Any) -> tuple[str, ...]:
    """``value`` as plain strings."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ArrayError(f"{path}: {name} must be a list of strings")
    return tuple(map(str, value))  # a NumPy string is a str, but no plain one


def to_ints(path: Path, name: str, value: Any) -> Ints:
    """``value`` as int64 ``(n,)``; numbers that are not whole are refused, not cut."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        array = np.empty((), object)
    if array.shape == (0,):
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ArrayError(f"{path}: {name} must be a list of whole numbers, got {array.dtype} {array.shape}")
    return array.astype(np.int64)


def to_coords(path: Path, coords: Any, channels: int) -> tuple[int, ...] | None:
    """Which of so many channels are coordinates, where not all are."""
    try:
        found = check.coordinates("prepare", coords)
    except ValueError as error:
        raise ArrayError(f"{path}: {error}") from error
    if found is not None and max(found) >= channels:
        raise ArrayError(f"{path}: coords={coords!r}, but x has only {channels} channels")
    return None if found == tuple(range(channels)) else found


def to_splits(path: Path, value: Any) -> Splits:
    """Splits as sorted indices, by protocol and part."""
    if not isinstance(value, Mapping) or not all(isinstance(parts, Mapping) for parts in value.values()):
        raise ArrayError(f"{path}: splits must map protocols to parts to lists of clip indices")
    return {
        protocol: {part: np.sort(to_ints(path, f"splits[{protocol!r}][{part!r}]", v)) for part, v in parts.items()}
        for protocol, parts in value.items()
    }


def check_parts(
    path: Path,
    shape: tuple[int, ...],
    columns: Mapping[str, Ints],
    names: tuple[str, ...],
    class_names: tuple[str, ...],
    skeleton: Skeleton,
    splits: Splits,
) -> None:
    """Whether the parts fit together."""
    clips, _, frames, joints, _ = shape
    if 0 in shape:
        raise ArrayError(f"{path}: x is empty: shape {shape}")
    for name, column in columns.items():
        if column.shape != (clips,) or column.dtype != np.int64:
            got = f"{column.dtype} {column.shape}"
            raise ArrayError(f"{path}: {name} must be int64 with one entry a clip, ({clips},), got {got}")
    if len(names) != clips:
        raise ArrayError(f"{path}: names must have one entry a clip, {clips}, got {len(names)}")
    if joints != len(skeleton):
        raise ArrayError(f"{path}: x has {joints} joints, skeleton {skeleton.name!r} has {len(skeleton)}")
    _check_range(path, "length", columns["length"], 1, frames)
    if not class_names:
        raise ArrayError(f"{path}: class_names must have at least one entry")
    _check_range(path, "label", columns["label"], 0, len(class_names) - 1)
    for protocol, parts in splits.items():
        _check_split(f"{path}: splits[{protocol!r}]", parts, clips)


def check_frame_label(path: Path, given: npt.ArrayLike, shape: tuple[int, ...], length: Ints, classes: int) -> Ints:
    """Labels of frames as int64 ``(S, T)``."""
    found = np.asarray(given)
    if found.shape != (shape[0], shape[2]) or found.dtype.kind not in "iu":
        wanted = f"whole numbers (S, T) = {(shape[0], shape[2])}"
        raise ArrayError(f"{path}: frame_label must be {wanted}, got {found.dtype} {found.shape}")
    found = found.astype(np.int64)
    wrong = (found != _NO_LABEL) & ((found < 0) | (found >= classes))
    late = (found != _NO_LABEL) & (np.arange(shape[2]) >= length[:, None])
    for where, what in (
        (wrong, f"must be a class 0 … {classes - 1}, or {_NO_LABEL} for none"),
        (late, f"must be {_NO_LABEL} after a clip's length"),
    ):
        if where.any():
            clip, frame = (int(i) for i in np.argwhere(where)[0])
            raise ArrayError(f"{path}: frame_label {what}, got {found[clip, frame]} for clip {clip}, frame {frame}")
    return found


def _check_range(path: Path, name: str, column: Ints, low: int, high: int) -> None:
    wrong = np.flatnonzero((column < low) | (column > high))
    if len(wrong):
        raise ArrayError(f"{path}: {name} must lie in {low} … {high}, got {column[wrong[0]]} for clip {wrong[0]}")


def _check_split(where: str, parts: Mapping[str, Ints], clips: int) -> None:
    unknown = [part for part in parts if part not in ("train", "test") and not part.startswith("test_")]
    if unknown or not {"train", "test"} <= parts.keys():
        raise ArrayError(f"{where}: must have train, test and perhaps test_…, got {', '.join(parts) or 'nothing'}")
    for part, indices in parts.items():
        if not len(indices):
            raise ArrayError(f"{where}: {part} is empty")
        if indices[0] < 0 or indices[-1] >= clips:
            wrong = indices[0] if indices[0] < 0 else indices[-1]
            raise ArrayError(f"{where}: {part} must hold clips 0 … {clips - 1}, got {wrong}")
        twice = indices[:-1][np.diff(indices) == 0]
        if len(twice):
            raise ArrayError(f"{where}: {part} holds clip {twice[0]} twice")
        if part.startswith("test_") and len(extra := np.setdiff1d(indices, parts["test"])):
            raise ArrayError(f"{where}: {part} must be a part of test, which lacks clip {extra[0]}")
    shared = np.intersect1d(parts["train"], parts["test"])
    if len(shared):
        raise ArrayError(f"{where}: train and test share {len(shared)} clips, such as {shared[0]}")
