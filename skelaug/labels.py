"""The labels of a batch: what their axes are, and what becomes of them where frames move or classes change hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from skelaug import check
from skelaug.functional import time as ft

__all__ = [
    "NONE",
    "LabelAxis",
    "cat",
    "check_axis",
    "check_label",
    "join_frames",
    "pad_frames",
    "relabel",
    "take_frames",
    "without",
]

LabelAxis = Literal["sample", "class", "frame"]
"""What the axes of a label are. N samples, K classes, T frames.

``"sample"``: ``(N,)``, a class index or another number a sample; ``(N, …)``, several. ``"class"``: ``(N, K)``, one-hot,
several-hot or a weight of each class. ``"frame"``: ``(N, T)``, a class index or another number a frame, -100 where a
frame has none.
"""

NONE = -100
"""The label of a frame that has none; torch's losses leave it out (``ignore_index``)."""

_AXES: tuple[LabelAxis, ...] = ("sample", "class", "frame")


def check_axis(who: str, axis: Any) -> LabelAxis | None:
    """``axis`` if it is None or a :data:`LabelAxis`.

    Raises:
        ValueError: it is something else.
    """
    found: LabelAxis | None = check.choice(who, "label_axis", axis, (None, *_AXES))
    return found


def check_label(who: str, label: Any, axis: Any, x: Tensor) -> LabelAxis | None:
    """What the axes of a label are, if it fits ``x (N, C, T, V, M)``; None without a label.

    Args:
        who: for the message of an error.
        label: a tensor, or None.
        axis: a :data:`LabelAxis`; ``None`` takes ``(N,)`` for one of samples, whole numbers ``(N, T)`` for one of
            frames, floating point ``(N, K)`` for one of classes, unless K is T.
        x: the coordinates.

    Raises:
        TypeError: it is no tensor.
        ValueError: it does not fit, or ``axis`` is None and it is none of the three.
    """
    axis = check_axis(who, axis)
    if label is None:
        return None
    if not isinstance(label, Tensor):
        raise TypeError(f"{who}(label=…): label must be a tensor (N,), got {type(label).__name__}")
    n, t, shape = x.shape[0], x.shape[2], tuple(label.shape)
    if shape[:1] != (n,):
        raise ValueError(f"{who}(label=…): label must have N={n} entries first, got shape {shape}")
    axis = _guess(label, t) if axis is None else axis
    match axis:
        case None:
            raise ValueError(
                f"{who}(label=…): a label of {label.dtype} {shape} beside x {tuple(x.shape)} may mean several things; "
                f"say label_axis='sample' (numbers of the sample), 'class' (N, K) (one-hot, or a weight of each class) "
                f"or 'frame' (N, T) (a class of each frame)"
            )
        case "class" if label.ndim != 2:
            raise ValueError(
                f"{who}(label=…, label_axis='class'): labels of classes must be (N, K), N={n}, got {shape}"
            )
        case "frame" if shape != (n, t):
            raise ValueError(
                f"{who}(label=…, label_axis='frame'): labels of frames must be (N, T) = {(n, t)} to fit x "
                f"{tuple(x.shape)}, got {shape}; with other frames give the label that belongs to them, too"
            )
        case "frame":
            _check_holds_none(who, label)
    found: LabelAxis = axis
    return found


def _guess(label: Tensor, frames: int) -> LabelAxis | None:
    if label.ndim == 1:
        return "sample"
    if label.ndim == 2 and label.is_floating_point() and label.shape[1] != frames:
        return "class"
    whole = not (label.is_floating_point() or label.is_complex() or label.dtype == torch.bool)
    return "frame" if label.ndim == 2 and whole and label.shape[1] == frames else None


def _check_holds_none(who: str, label: Tensor) -> None:
    if not label.is_floating_point() and (label.is_complex() or not label.dtype.is_signed):
        raise ValueError(
            f"{who}(label=…): the label of a frame that has none is {NONE}, which {label.dtype} cannot hold; write "
            f"label.long()"
        )


def take_frames(label: Tensor, frames: Tensor) -> Tensor:
    """The labels of the frames that are shown: frame t of the result of sample n has the label of ``frames[n, t]``.

    Args:
        label: ``(N, T)``.
        frames: int64 ``(N, T')``; an index out of range becomes the nearest in range. With floating point, a place
            between two frames: the nearer one's label, of two equally near the earlier one's.

    Returns:
        ``(N, T')``.

    Example:
        >>> take_frames(torch.tensor([[7, 8, 9]]), torch.tensor([[2, 0]])).tolist()
        [[9, 7]]
        >>> take_frames(torch.tensor([[7, 8, 9]]), torch.tensor([[0.5, 1.6]])).tolist()
        [[7, 9]]
    """
    last = label.shape[1] - 1
    if last < 0:  # a clip without frames has no labels either
        return label.new_full(frames.shape, NONE)
    index = ft.nearest_frame(frames) if frames.is_floating_point() else frames
    return label.gather(1, index.clamp(0, last))


def without(label: Tensor, frames: Tensor) -> Tensor:
    """The labels ``(N, T)``, -100 in ``frames``, bool ``(N, T)``: those that padding brought in."""
    return label.masked_fill(frames, NONE)


def pad_frames(label: Tensor, frames: int) -> Tensor:
    """The labels ``(N, T)`` with -100 after the last, so that there are so many frames."""
    return pad(label, (0, frames - label.shape[1]), value=NONE)


def cat(who: str, parts: Sequence[tuple[Tensor, LabelAxis | None]], frames: int) -> Tensor | None:
    """The labels of batches, joined along N; those of frames padded with -100 to so many frames. None of none.

    Raises:
        ValueError: they are of several kinds, or of several numbers of classes.
    """
    if not parts:
        return None
    axes = sorted({str(axis) for _, axis in parts})
    if len(axes) > 1:
        raise ValueError(f"{who}: label_axis must be the same on all batches, got {', '.join(map(repr, axes))}")
    if axes == ["frame"]:
        return torch.cat([pad_frames(label, frames) for label, _ in parts])
    shapes = sorted({tuple(label.shape[1:]) for label, _ in parts})
    if len(shapes) > 1:
        raise ValueError(f"{who}: all labels must have one shape after N, got {', '.join(map(str, shapes))}")
    return torch.cat([label for label, _ in parts])


def join_frames(who: str, labels: Sequence[Any], lengths: Sequence[int]) -> Tensor:
    """The labels ``(T_i,)`` of clips of unequal length as one tensor ``(N, T)``, padded with -100."""
    found = [tuple(v.shape) if isinstance(v, Tensor) else type(v).__name__ for v in labels]
    expected = [(length,) for length in lengths]
    if found != expected:
        kind = TypeError if not all(isinstance(v, Tensor) for v in labels) else ValueError
        raise kind(
            f"{who}(label=…): a list of labels must hold a tensor (T_i,) for each clip, {expected}, got {found}; "
            f"labels of samples or classes are one tensor"
        )
    for label in labels:
        _check_holds_none(who, label)
    return torch.cat([pad_frames(label[None], max(lengths)) for label in labels])


def relabel(who: str, label: Tensor, axis: LabelAxis | None, renamed: Mapping[int, int]) -> Tensor:
    """The label after classes changed hands: indices are renamed, the columns of ``(N, K)`` change places.

    Args:
        who: for the message of an error.
        label: of the axes that ``axis`` says.
        axis: see :data:`LabelAxis`.
        renamed: old class to new; a permutation of its keys.

    Raises:
        ValueError: there is no such column, or the type of the label holds no such number.
    """
    highest = max(renamed, default=0)
    if axis == "class":
        if highest >= label.shape[1]:
            raise ValueError(
                f"{who}(label_map=…): class {highest} has no column in labels (N, K) = {tuple(label.shape)}"
            )
        source = list(range(label.shape[1]))
        for old, new in renamed.items():
            source[new] = old
        return label.index_select(1, check.constant(source, label.device))
    if highest > _largest(label.dtype):
        raise ValueError(
            f"{who}(label_map=…): class {highest} does not fit into labels of {label.dtype}; write label.long()"
        )
    new_label = label
    for old, new in renamed.items():
        new_label = torch.where(label == old, new, new_label)
    return new_label.to(label.dtype)  # bool becomes whole numbers on the way


def _largest(dtype: torch.dtype) -> int:
    """The largest number up to which ``dtype`` holds every whole number."""
    if dtype == torch.bool:
        return 1
    return int(2 / torch.finfo(dtype).eps) if dtype.is_floating_point else torch.iinfo(dtype).max
