"""PKU-MMD, phases I and II: long recordings, 150 numbers a line, and lists of what is done when."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder
from skelaug_contrib.datasets.sources.ntu import JOINTS
from skelaug_contrib.datasets.sources.people import Track, choose, clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import table

__all__ = ["PKUMMD", "PKUMMD1", "PKUMMD2"]

_PERSONS = 2
_SPLITS = {"xsub": re.compile(r"cross[-_]subject.*\.txt", re.I), "xview": re.compile(r"cross[-_]view.*\.txt", re.I)}
_TESTS = re.compile(r"^.*(valid|test).*:", re.I | re.M)
_CLASSES = 51


@dataclass(frozen=True)
class PKUMMD(Folder):
    """PKU-MMD as its authors give it out: skeleton files, label files of the same names, and lists.

    A label file lies in a folder whose name has "label", a skeleton file in another one. A line of a skeleton file is
    a frame: x, y, z of 25 joints of two people, 0 where there is none. A line of a label file is ``action, first frame,
    last frame, confidence``; each makes a clip of the frames from the first (counted from 0) up to the last, without
    it. The lists ``cross-subject.txt`` and ``cross-view.txt`` give the protocols ``xsub`` and ``xview``: the recordings
    that train, then those that test; without a list there is no such protocol.

    A recording has C = x, y, z in metres (y up), the joints of ``ntu25`` and M = 2; people are told apart as in
    :func:`people.choose`, clip by clip. ``view`` is 1, 2, 3 for L, M, R.  ``episode`` tells performances apart, so that
    the three cameras' clips of one share it. Its name is that of the recording with the clip's first and last frame.

    Args:
        root: the folder.
    """

    known = "ntu25"
    classes = "pkummd_classes.txt"  # the 51 of both phases; phase II has some of them only
    names: ClassVar[str]  # of recordings, as a pattern

    def units(self) -> Sequence[Unit]:
        """One a recording, with all its clips."""
        recordings = [unit for unit in super().units() if not _is_label(self.root, unit.path)]
        if not recordings:
            raise ArrayError(f"{self.root}: only label files in it; expected skeleton files in a folder of their own")
        return recordings

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clips of a recording, in the order of its label file."""
        match = re.fullmatch(self.names, unit.path.stem)
        data = load(unit.path)
        if match is None:
            raise Broken(f"is named {shown(unit.path.name)}; expected a name such as {self.example}")
        first, subject, view = match.groups()
        labels, parts = _layout(self.root, self.names)
        if unit.path.stem not in labels:
            raise Broken("has no label file; expected one of the same name in a folder whose name has 'label'")
        rows = table(data, _PERSONS * JOINTS * 3)
        if len(rows) > MAX_FRAMES:
            raise Broken(f"has {len(rows)} frames; a recording has at most {MAX_FRAMES}")
        points = rows.reshape(-1, _PERSONS, JOINTS, 3)
        seen = set()
        for index, (number, (action, start, stop, _)) in enumerate(_intervals(labels[unit.path.stem]), 1):
            name = f"{unit.path.stem}_{start:05}_{stop:05}"
            where = f"{unit.path}, clip {name}"
            end = min(stop, len(points))
            if not 1 <= action <= _CLASSES:
                yield Fault(where, f"has action {action}, expected 1 … {_CLASSES}", number)
            elif start >= end:
                yield Fault(where, f"has no frames: the recording has {len(points)}", number)
            elif name in seen:
                yield Fault(where, "is there twice", number)
            else:
                seen.add(name)
                notes = [] if end == stop else [f"ends {stop - end} frames after its recording, cut"]
                people, more = _people(points[start:end])
                yield clip(
                    where,
                    people,
                    [*notes, *more],
                    name=name,
                    label=action - 1,
                    subject=int(subject) if subject else None,
                    view=1 + "LMR".index(view),
                    episode=100 * int(first) + index,
                    parts=parts.get(unit.path.stem, {}),
                )


class PKUMMD1(PKUMMD):
    """Phase I: recordings such as ``0002-L``; who acts is not in their names."""

    names = r"(\d{4})()-([LMR])"
    files = re.compile(names + r"\.txt")
    example = "0002-L.txt"


class PKUMMD2(PKUMMD):
    """Phase II: recordings such as ``A01N05-L``, in which N is the subject."""

    names = r"A(\d{2})N(\d{2})-([LMR])"
    files = re.compile(names + r"\.txt")
    example = "A01N01-L.txt"


def _people(points: np.ndarray) -> tuple[np.ndarray, list[str]]:
    frames = np.arange(len(points))
    there = [points[:, person].any((1, 2)) for person in range(_PERSONS)]
    tracks = [Track(str(m + 1), frames[seen], points[seen, m]) for m, seen in enumerate(there) if seen.any()]
    return choose(tracks, len(points), JOINTS)


def _is_label(root: Path, path: Path) -> bool:
    return any("label" in part.lower() for part in path.relative_to(root).parts[:-1])


def _intervals(path: Path) -> list[tuple[int, tuple[int, ...]]]:
    """Line, and action, first frame, last frame, confidence, of each line of a label file."""
    found = []
    for number, raw in enumerate(load(path, 1 << 20).split(b"\n"), 1):
        text = raw.strip()
        if not text:
            continue
        numbers = [part.strip() for part in text.split(b",")]
        if len(numbers) != 4 or not all(part.isdigit() and len(part) < 8 for part in numbers):
            raise Broken(f"{path.name} of the labels has {shown(text)}, expected action,start,end,confidence", number)
        found.append((number, tuple(int(part) for part in numbers)))
    return found


@functools.lru_cache(maxsize=4)
def _layout(root: Path, names: str) -> tuple[dict[str, Path], dict[str, dict[str, str]]]:
    """Label files by recording, and by recording its part of each protocol.

    Raises:
        Broken: there are two lists of one protocol.
    """
    labels = {
        path.stem: path for path in find(root, re.compile(names + r"\.txt"), "label files") if _is_label(root, path)
    }
    parts: dict[str, dict[str, str]] = {}
    for protocol, pattern in _SPLITS.items():
        try:
            files = find(root, pattern, "a list")
        except ArrayError:
            continue
        lists = [text for file in files if re.search(rf"\b{names}\b", text := load(file, 1 << 24).decode("latin1"))]
        if len(lists) > 1:
            raise Broken(f"there are several lists of {protocol}: {', '.join(str(file) for file in files)}; keep one")
        for text in lists:
            tests = _TESTS.search(text)
            if tests is None:
                raise Broken(f"the list of {protocol} has no line such as 'Validation videos:' before those that test")
            for match in re.finditer(rf"\b{names}\b", text):
                side = "train" if match.start() < tests.start() else "test"
                parts.setdefault(match[0], {})[protocol] = side
    return labels, parts
