"""Numbers in text files, read by NumPy; where something is no number, a plain loop finds its line. JSON objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.sources.files import Broken, shown

__all__ = ["lines_of", "numbers", "parse_json", "table", "to_count", "to_float"]

Floats = npt.NDArray[np.float64]


def to_float(word: str) -> float:
    """The number that ``word`` spells, NaN and infinity among them.

    Raises:
        ValueError: it spells none.
    """
    if "_" in word:  # float() would pass over it
        raise ValueError
    return float(word)


def to_count(word: str) -> int | None:
    """The whole number from 0 to 10^9 - 1 that ``word`` spells, or None."""
    word = word.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


def lines_of(data: bytes) -> list[str]:
    """The lines of a text file; what is no ASCII stays one character a byte."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b" ").decode("latin1").split("\n")


def numbers(lines: Sequence[str], columns: Sequence[int]) -> Floats | None:
    """Some of the numbers of each line, rounded as :class:`float` rounds them.

    Args:
        lines: of text, none of them empty.
        columns: which numbers of each, from 0.

    Returns:
        float64 ``(lines, columns)``, or None where a line has fewer or a word is no number.
    """
    if not lines:
        return np.empty((0, len(columns)))
    try:
        values: Floats = np.loadtxt(lines, usecols=columns, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape == (len(lines), len(columns)) else None


def table(data: bytes, columns: int, first_line: int = 1) -> Floats:
    r"""A text of lines of as many numbers each; empty lines are passed over.

    Args:
        data: the text.
        columns: numbers a line.
        first_line: the number of the text's first line in its file, for messages.

    Returns:
        float64 ``(lines, columns)``.

    Raises:
        Broken: a line has another count, or something in it is no number.

    Example:
        >>> table(b"1.5 -2\n3e2 nan\n", 2).tolist()
        [[1.5, -2.0], [300.0, nan]]
    """
    lines = lines_of(data)
    filled = [line for line in lines if line.strip()]
    values = numbers(filled, range(columns)) if all(len(line.split()) == columns for line in filled) else None
    if values is not None:
        return values
    for number, line in enumerate(lines, first_line):
        words = line.split()
        if len(words) not in (0, columns):
            raise Broken(f"has {len(words)} numbers, expected {columns}", number)
        check(words, number)
    raise Broken(f"is no table of {columns} numbers a line")


def check(words: Sequence[str], line: int) -> None:
    """Raise :class:`Broken` for the first word that is no number."""
    for word in words:
        try:
            to_float(word)
        except ValueError:
            raise Broken(f"{shown(word)} is not a number", line) from None


def parse_json(data: bytes) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        Broken: it is no JSON, or holds something else.
    """
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        raise Broken(f"is no JSON: {error.msg}", error.lineno) from None
    except UnicodeDecodeError:
        raise Broken("is no JSON: it is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists without end
        raise Broken(f"is no JSON that can be read: {error}") from None
    if not isinstance(content, dict):
        raise Broken("is JSON, but no object")
    return content
