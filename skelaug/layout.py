"""Axes of arrays by letters."""

from __future__ import annotations

import functools
import itertools

from torch import Tensor

__all__ = ["to_layout"]


def _parse_layout(layout: str) -> list[str]:
    """``"NT(MVC)"`` -> ``["N", "T", "MVC"]``; more than one letter in an entry is a flattened axis."""
    axes: list[str] = []
    group: str | None = None
    for char in layout.replace(" ", ""):
        if char == "(" and group is None:
            group = ""
        elif char == ")" and group:
            axes.append(group)
            group = None
        elif char in "NCTVM" and group is not None:
            group += char
        elif char in "NCTVM":
            axes.append(char)
        else:
            raise ValueError(
                f"to_layout: cannot read {layout!r} at {char!r}; layouts look like 'NCTVM' or 'N T (M V C)'"
            )
    letters = "".join(axes)
    if group is not None or len(set(letters)) != len(letters) or not letters:
        raise ValueError(f"to_layout: {layout!r} must name each of N, C, T, V, M at most once and close its bracket")
    return axes


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
        ValueError: a layout cannot be read, does not fit ``x``, or sizes are missing or do not divide.

    Example:
        >>> to_layout(torch.zeros(8, 2, 50, 25, 3), "NMTVC", "NCTVM").shape
        torch.Size([8, 3, 50, 25, 2])
        >>> to_layout(torch.zeros(8, 50, 150), "N T (M V C)", "NCTVM", M=2, C=3).shape
        torch.Size([8, 3, 50, 25, 2])
    """
    axes, wanted = _parse_layout(source), _parse_layout(target)
    if x.ndim != len(axes):
        raise ValueError(f"to_layout: layout {source!r} has {len(axes)} axes, x has {x.ndim}: shape {tuple(x.shape)}")
    unknown = set(sizes) - set("NCTVM")
    if unknown:
        raise ValueError(f"to_layout: unknown size {sorted(unknown)}; sizes are named N, C, T, V, M")
    shape: list[int] = []
    for axis, size in zip(axes, x.shape, strict=True):
        shape += _split(axis, size, sizes, source)
    x = x.reshape(shape)
    letters = list(itertools.chain(*axes))
    final = list(itertools.chain(*wanted))
    for letter in [a for a in letters if a not in final]:
        dim = letters.index(letter)
        if x.shape[dim] != 1:
            raise ValueError(f"to_layout: {target!r} lacks {letter}, which has size {x.shape[dim]} in x, not 1")
        x = x.squeeze(dim)
        letters.remove(letter)
    for letter in [a for a in final if a not in letters]:
        x = x.unsqueeze(-1)
        letters.append(letter)
    x = x.permute([letters.index(a) for a in final])
    if any(len(axis) > 1 for axis in wanted):
        named = dict(zip(final, x.shape, strict=True))
        x = x.reshape([functools.reduce(lambda a, b: a * named[b], axis, 1) for axis in wanted])
    return x.contiguous() if contiguous else x


def _split(axis: str, size: int, sizes: dict[str, int], source: str) -> list[int]:
    """The sizes of the letters of one axis of length ``size``; at most one of them may be unknown."""
    if len(axis) == 1:
        if sizes.get(axis, size) != size:
            raise ValueError(f"to_layout: {axis}={sizes[axis]} was given, but x has {axis}={size}")
        return [size]
    missing = [a for a in axis if a not in sizes]
    known = functools.reduce(lambda a, b: a * sizes.get(b, 1), axis, 1)
    if len(missing) > 1:
        raise ValueError(
            f"to_layout: to split ({axis}) of {source!r}, name all but one of its sizes; missing {', '.join(missing)}"
        )
    if known <= 0 or size % known or (not missing and known != size):
        raise ValueError(
            f"to_layout: ({axis}) of {source!r} has {size} entries, not a multiple of the sizes given: {sizes}"
        )
    return [sizes[a] if a in sizes else size // known for a in axis]
