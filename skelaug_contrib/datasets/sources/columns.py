"""Tables with a row a frame, as MediaPipe's and Kinect's users write them: CSV, with the columns named once."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, folder_names, guarded, load, name_of, shown
from skelaug_contrib.datasets.sources.folder import Named
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import to_float

__all__ = ["CSV"]

Floats = npt.NDArray[np.float64]

_FILE = re.compile(r".+\.(csv|tsv)", re.IGNORECASE)
_MAX_CELLS = 1 << 25  # of a table: an hour of a body with 33 joints in four channels has half of that
_MAX_CHANNELS = 8


@dataclass(frozen=True)
class CSV(Named):
    """A folder of CSV files, one a clip, or one file; the folder that a file lies in is its class.

    The first line names the columns, and every other one is a frame. ``columns`` says once, for all joints, how the
    columns of a joint are named, one pattern a channel: ``{j}`` is the joint's number from 0, ``{j1}`` that from 1,
    ``{joint}`` its name in the skeleton. So ``x{j},y{j},z{j}`` means x0, y0, z0, x1 …, and ``{joint}_X,{joint}_Y``
    means nose_X, nose_Y, left_eye_X …. Capital letters, spaces, dots and underscores make no difference where a name
    is found no other way. Cells are separated by commas, semicolons or tabs.

    Where there is a column ``frame``, its whole numbers say which frame a row is; frames that no row has are without
    anybody. A joint with an empty cell was not observed in that frame.

    A recording has one channel a pattern, in their order, M = 1. There are no protocols.

    Args:
        root: the folder, or a file.
        joints: the skeleton of the joints, or the name of a known one.
        columns: patterns of the names of a joint's columns, with commas between them.
        frame: name of the column of frame numbers; rows are frames, in order, where no column is called so.

    Raises:
        ArrayError: ``columns`` cannot be used: a brace is unknown, or two joints have the same column.
    """

    columns: str = "x{j},y{j},z{j}"
    frame: str = "frame"

    def __post_init__(self) -> None:
        wanted = [name for joint in self._wanted() for name in joint]
        if len(set(wanted)) < len(wanted):
            raise ArrayError(
                f"--columns {self.columns}: names the same column for several joints; each pattern must hold {{j}}, "
                f"{{j1}} or {{joint}}"
            )

    def _wanted(self) -> list[list[str]]:
        """By joint, the names of its columns."""
        patterns = self.columns.split(",")
        try:
            names = [
                [pattern.strip().format(j=j, j1=j + 1, joint=joint) for pattern in patterns]
                for j, joint in enumerate(self.skeleton.joints)
            ]
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise ArrayError(
                f"--columns {self.columns}: cannot be understood ({error}); expected such as x{{j}},y{{j}},z{{j}} or "
                f"{{joint}}_x,{{joint}}_y"
            ) from None
        if len(patterns) > _MAX_CHANNELS:
            raise ArrayError(f"--columns {self.columns}: has {len(patterns)} patterns, expected 1 … {_MAX_CHANNELS}")
        return names

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the folders that hold files, in alphabetical order."""
        return _classes(self.root)

    def units(self) -> Sequence[Unit]:
        """One a file."""
        return [Unit(path) for path in _files(self.root)]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        header, rows, lines = _table(load(unit.path))
        place = _Places(header)
        chosen = [place.of(name) for joint in self._wanted() for name in joint]
        moments = list(range(len(rows)))
        if (column := place.find(self.frame)) is not None:
            moments = _moments([row[column] for row in rows], lines)
        first, last = min(moments), max(moments)
        if last - first >= MAX_FRAMES:
            raise Broken(f"has frames {first} … {last}, more than any recording: {MAX_FRAMES}")
        channels = len(self.columns.split(","))
        if (last - first + 1) * len(chosen) > _MAX_CELLS:
            raise Broken(f"has {last - first + 1} frames of {len(chosen)} columns, more than any recording")
        people = np.zeros((last - first + 1, 1, len(self.skeleton), channels))
        for moment, row, line in zip(moments, rows, lines, strict=True):
            people[moment - first, 0] = _cells(row, chosen, line).reshape(-1, channels)
        label = _classes(self.root).index(unit.path.parent.name)
        yield clip(str(unit.path), people, name=name_of(unit.path, self.root), label=label)


def _files(root: Path) -> list[Path]:
    return find(root, _FILE, "CSV files, such as walk/01.csv", alone=True)


@functools.lru_cache(maxsize=4)
def _classes(root: Path) -> tuple[str, ...]:
    return folder_names(_files(root))


class _Places:
    """Where in a row a column stands."""

    def __init__(self, header: Sequence[str]) -> None:
        self.header = header
        self.exact = {name: i for i, name in reversed(list(enumerate(header)))}
        self.plain: dict[str, list[int]] = {}
        for i, name in enumerate(header):
            self.plain.setdefault(_plain(name), []).append(i)

    def find(self, name: str) -> int | None:
        """None where there is no such column."""
        near = self.plain.get(_plain(name), [])
        return self.exact.get(name, near[0] if len(near) == 1 else None)

    def of(self, name: str) -> int:
        """The place of a column that must be there."""
        place = self.find(name)
        if place is None:
            some, more = ", ".join(self.header[:8]), ", …" if len(self.header) > 8 else ""
            raise Broken(
                f"has no column {name!r} (say how they are named with --columns); it has {shown(some, 120)}{more}", 1
            )
        return place


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _table(data: bytes) -> tuple[list[str], list[list[str]], list[int]]:
    """The header; rows with something in them; and the line of each."""
    text = data.decode("utf-8-sig", "replace").replace("\0", "�")
    head = text[: text.find("\n")] if "\n" in text else text
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows, lines = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise Broken(f"has {len(row)} cells, the first line has {len(header)}", reader.line_num)
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise Broken(f"is no CSV: {error}", max(reader.line_num, 1)) from None
    if not rows:
        raise Broken("has no rows below the names of its columns")
    return header, rows, lines


def _moments(cells: Sequence[str], lines: Sequence[int]) -> list[int]:
    """The frame of each row."""
    moments: list[int] = []
    seen: set[int] = set()
    for cell, line in zip(cells, lines, strict=True):
        try:
            value = to_float(cell)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e9 or value != int(value) or int(value) in seen:
            raise Broken(f"has frame {shown(cell)}, expected a whole number that no other row has", line)
        seen.add(int(value))
        moments.append(int(value))
    return moments


def _cells(row: Sequence[str], chosen: Sequence[int], line: int) -> Floats:
    values: list[Any] = []
    for place in chosen:
        try:
            values.append(to_float(row[place]) if row[place].strip() else np.nan)
        except ValueError:
            raise Broken(f"{shown(row[place])} is not a number", line) from None
    return np.array(values, np.float64)
