"""Numbers in text, many at a time: the digits of thousands of numbers are read by the same few array operations."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.sources.files import Broken, shown

__all__ = ["Text", "to_count", "to_float"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

_SPACE, _NEWLINE, _POINT, _MINUS = 32, 10, 46, 45
_PAD = 16  # bytes before the text, so that there are always two words before the end of a number
_EXACT = 15  # digits: such a number and its power of ten are exact in float64, so their quotient rounds as float() does
_BLOCK = 1 << 16  # numbers at a time
_TEN = 10.0 ** np.arange(_EXACT + 1)


def _word(byte: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([byte]) * 8, "little"))


# By number of digits: which bytes of a word hold them (the last ones), and "0" in the others.
_KEEP = np.array([0 if n == 0 else (2**64 - 1) ^ (2 ** (8 * (8 - n)) - 1) for n in range(9)], np.uint64)
_FILL = ~_KEEP & _word(0x30)


def _digits(words: Words, count: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The whole number that the last ``count`` of 8 characters spell, and whether they are digits.

    Eight digits become four pairs, two fours, one eight: three multiplications, whatever the digits.
    """
    words = (words & _KEEP[count]) | _FILL[count]
    high = _word(0xF0)
    fine = ((words & high) | (((words + _word(0x06)) & high) >> np.uint64(4))) == _word(0x33)
    words = ((words & _word(0x0F)) * np.uint64(2561)) >> np.uint64(8)
    words = ((words & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    words = ((words & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    return words.astype(np.float64), fine


def to_float(token: bytes) -> float:
    """The number that ``token`` spells, NaN and infinity among them.

    Raises:
        ValueError: it spells none.
    """
    if len(token) > 64 or b"_" in token:
        raise ValueError
    return float(token)


def to_count(token: bytes) -> int | None:
    """The whole number from 0 to 10^9 - 1 that ``token`` spells, or None."""
    token = token.strip()
    return int(token) if token.isdigit() and len(token) < 10 else None


class Text:
    r"""The bytes of a text file, and the numbers in it.

    Example:
        >>> Text(b"1.5 -2\n3e2 nan\n").table(2).tolist()
        [[1.5, -2.0], [300.0, nan]]
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        padded = bytes(_PAD) + data + bytes(8)
        self.bytes = np.frombuffer(padded, np.uint8)[_PAD : _PAD + len(data)]
        # The word that begins at any byte; little endian, so that the first character is the lowest byte.
        self._words: Words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))

    @functools.cached_property
    def _points(self) -> Ints:
        return np.append(np.flatnonzero(self.bytes == _POINT), len(self.data))

    def _point(self, first: Ints, ends: Ints) -> Ints:
        """Where each number has its point, or its end: most have one digit before it."""
        point = first + 1
        others = np.flatnonzero((point >= ends) | (self.bytes[np.minimum(point, len(self.data) - 1)] != _POINT))
        point[others] = np.minimum(self._points[np.searchsorted(self._points, first[others])], ends[others])
        return point

    def floats(self, starts: Ints, ends: Ints) -> Floats:
        """The numbers at ``starts … ends``, rounded as :class:`float` rounds them.

        Args:
            starts: where each number begins, in bytes, ascending.
            ends: where each ends, greater than its start.

        Raises:
            Broken: one is no number; the message has its text and its line.
        """
        parts = [slice(i, i + _BLOCK) for i in range(0, len(starts), _BLOCK)]
        values = [self._block(starts[part], ends[part]) for part in parts]
        return np.concatenate(values) if values else np.empty(0)

    def _block(self, starts: Ints, ends: Ints) -> Floats:
        negative = self.bytes[starts] == _MINUS
        first = starts + negative
        point = self._point(first, ends)
        whole = point - first
        after = np.maximum(ends - point - 1, 0)
        simple = (whole + after <= _EXACT) & (whole + after > 0) & (whole <= 8)
        whole[~simple] = after[~simple] = 0
        low = np.minimum(after, 8)
        number, fine = _digits(self._words[point + (_PAD - 8)], whole)
        long = np.flatnonzero(after > 8)
        if len(long):
            count = after[long] - 8
            digits, good = _digits(self._words[ends[long] + (_PAD - 16)], count)
            number[long] = number[long] * _TEN[count] + digits
            fine[long] &= good
        digits, good = _digits(self._words[ends + (_PAD - 8)], low)
        number = number * _TEN[low] + digits
        fine &= good
        values: Floats = number / _TEN[after]
        np.negative(values, out=values, where=negative)
        # The others, such as 1e-05, are few, or the file is a strange one.
        for i in np.flatnonzero(~(fine & simple)):
            token = self.data[starts[i] : ends[i]]
            try:
                values[i] = to_float(token)
            except ValueError:
                raise Broken(f"{shown(token)} is not a number", self.line(int(starts[i]))) from None
        return values

    def line(self, position: int) -> int:
        """The line, from 1, of the byte at ``position``."""
        return self.data.count(b"\n", 0, position) + 1

    def table(self, columns: int, what: str = "numbers", first_line: int = 1, separators: bytes = b"") -> Floats:
        """The text as a table: lines of as many numbers each; empty lines are passed over.

        Args:
            columns: numbers a line.
            what: they are, for messages.
            first_line: the number of the text's first line in its file, for messages.
            separators: characters that part numbers, besides white space.

        Returns:
            float64 ``(lines, columns)``.

        Raises:
            Broken: a line has another count, or something in it is no number.
        """
        gap = self.bytes <= _SPACE
        for character in separators:
            gap |= self.bytes == character
        edges = np.flatnonzero(np.diff(gap, prepend=True, append=True))
        starts, ends = edges[::2], edges[1::2]
        newlines = np.flatnonzero(self.bytes == _NEWLINE)
        counts = np.diff(np.searchsorted(starts, newlines), prepend=0, append=0)
        counts[-1] = len(starts) - counts[:-1].sum()
        wrong = np.flatnonzero((counts != columns) & (counts != 0))
        if len(wrong):
            line = int(wrong[0])
            raise Broken(f"has {counts[line]} {what}, expected {columns}", first_line + line)
        try:
            return self.floats(starts, ends).reshape(-1, columns)
        except Broken as broken:
            raise Broken(broken.reason, (broken.line or 1) + first_line - 1) from None
