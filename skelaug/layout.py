"""The order of an array's axes, by letters: N sample, C coordinate, T frame, V joint, M person."""

from __future__ import annotations

import math
import re

from einops import rearrange
from torch import Tensor

from skelaug import check

__all__ = ["to_layout"]


def to_layout(x: Tensor, source: str, target: str, *, contiguous: bool = False, **sizes: int) -> Tensor:
    """Change the order of axes by letters: N sample, C coordinate, T frame, V joint, M person.

    A letter that only the target has becomes an axis of size 1; one that only the source has must be of size 1.
    Brackets flatten axes, the last letter running fastest: ``"N T (M V C)"`` is CTR-GCN's files, ``"N T (V C M)"``
    skeleton-contrast's.

    Args:
        x: the tensor; a permuted view of it is returned wherever the target can be expressed as one.
        source: its layout, e.g. ``"NMTVC"``.
        target: the layout wanted, e.g. ``"NCTVM"``.
        contiguous: copy into memory order of the target.
        **sizes: sizes of bracketed axes of the source, e.g. ``M=2, C=3``; at most one of a bracket may be left out.

    Returns:
        The tensor in the target layout, bit-equal values.

    Raises:
        TypeError: ``x`` is no tensor, a layout is no string, or a size is no whole number.
        ValueError: a layout cannot be read, does not fit ``x``, or sizes are missing or do not divide.

    Example:
        >>> import torch
        >>> to_layout(torch.zeros(8, 2, 50, 25, 3), "NMTVC", "NCTVM").shape
        torch.Size([8, 3, 50, 25, 2])
        >>> to_layout(torch.zeros(8, 50, 150), "N T (M V C)", "NCTVM", M=2, C=3).shape
        torch.Size([8, 3, 50, 25, 2])
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"to_layout: x must be a torch.Tensor, got {type(x).__name__}; torch.from_numpy(x) shares an array"
        )
    check.choice("to_layout", "contiguous", contiguous, (False, True))
    axes, wanted = _read(source), _read(target)
    if x.ndim != len(axes):
        raise ValueError(f"to_layout: layout {source!r} has {len(axes)} axes, x has {x.ndim}: shape {tuple(x.shape)}")
    size_of = _sizes(axes, tuple(x.shape), sizes, source)
    for letter in size_of:
        if letter not in "".join(wanted) and size_of[letter] != 1:
            raise ValueError(f"to_layout: {target!r} lacks {letter}, which has size {size_of[letter]} in x, not 1")
    common = {letter: size for letter, size in size_of.items() if letter in "".join(wanted)}
    y = rearrange(x, f"{_einops(axes, common)} -> {_einops(wanted, common)}", **common)
    return y.contiguous() if contiguous else y


def _read(layout: str) -> list[str]:
    """``"NT(MVC)"`` -> ``["N", "T", "MVC"]``; several letters in an entry are a flattened axis."""
    if not isinstance(layout, str):
        raise TypeError(f"to_layout: a layout must be a string such as 'NCTVM', got {layout!r}")
    text = layout.replace(" ", "")
    strange = re.search(r"[^NCTVM()]", text)
    if strange:
        raise ValueError(
            f"to_layout: cannot read {layout!r} at {strange[0]!r}; layouts look like 'NCTVM' or 'N T (M V C)'"
        )
    axes = [axis.strip("()") for axis in re.findall(r"\([NCTVM]+\)|.", text)]  # a bracket that is not closed gives ""
    letters = "".join(axes)
    if not letters or "" in axes or len(set(letters)) != len(letters):
        raise ValueError(f"to_layout: {layout!r} must name each of N, C, T, V, M at most once and close its bracket")
    return axes


def _sizes(axes: list[str], shape: tuple[int, ...], sizes: dict[str, int], source: str) -> dict[str, int]:
    """The size of every letter of the source; at most one of a bracket may be missing from ``sizes``."""
    for letter, size in sizes.items():
        if len(letter) != 1 or letter not in "NCTVM":
            raise ValueError(f"to_layout: unknown size {letter!r}; sizes are named N, C, T, V, M")
        sizes[letter] = check.count("to_layout", letter, size)
        if letter not in "".join(axes) and size != 1:
            raise ValueError(f"to_layout: {letter}={size} was given, but {source!r} has no {letter}")
    size_of = dict(sizes)
    for axis, length in zip(axes, shape, strict=True):
        missing = [letter for letter in axis if letter not in sizes]
        stated = math.prod(sizes[letter] for letter in axis if letter in sizes)
        if len(missing) > 1:
            names = ", ".join(missing)
            raise ValueError(
                f"to_layout: to split ({axis}) of {source!r}, name all but one of its sizes; missing {names}"
            )
        if len(axis) == 1 and not missing and stated != length:
            raise ValueError(f"to_layout: {axis}={stated} was given, but x has {axis}={length}")
        if length % stated or (not missing and stated != length):
            holds = f"({axis}) of {source!r} has {length} entries"
            raise ValueError(f"to_layout: {holds}, not a multiple of the sizes given: {sizes}")
        size_of |= dict.fromkeys(missing, length // stated)
    return {letter: size_of[letter] for letter in "".join(axes)}


def _einops(axes: list[str], common: dict[str, int]) -> str:
    """A layout as einops writes it; a letter that the other layout lacks is an axis of size 1."""
    return " ".join(f"({' '.join(letter if letter in common else '1' for letter in axis)})" for axis in axes)
