"""UTKinect-Action3D: long text files, a frame a line, and one list of what is done in which frames."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder, asset
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import table

__all__ = ["UTKinect"]

_JOINTS = 20
_FILE = re.compile(r"joints_(s(\d{2})_e(\d{2}))\.txt")
_LABELS = re.compile(r"actionLabel\.txt")
_TITLE = re.compile(r"s\d+_e\d+")
_ENTRY = re.compile(r"(\w+):\s+(\w+)\s+(\w+)")


@dataclass(frozen=True)
class UTKinect(Folder):
    """UTKinect-Action3D: a folder with ``actionLabel.txt`` and files ``joints_s01_e01.txt`` = subject, episode.

    A line is the number of a picture and x, y, z of 20 joints. An action's lines are those whose picture lies between
    its first and last, both included; of several lines of one picture, the first is kept. A recording has C = x, y, z
    in metres (y up), the joints of ``kinect20``, M = 1. Its name ends with the action, which each file has once.
    Protocol ``xsub``: subjects of odd number train.

    Args:
        root: the folder.
    """

    known = "kinect20"
    classes = "utkinect_classes.txt"

    def units(self) -> Sequence[Unit]:
        """One a file, with all its clips."""
        find(self.root, _LABELS, "a file actionLabel.txt, and files such as joints_s01_e01.txt")
        return [Unit(path) for path in find(self.root, _FILE, "files such as joints_s01_e01.txt")]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clips, in the order of the list."""
        data = load(unit.path)
        match = _FILE.fullmatch(unit.path.name)
        if match is None:
            raise Broken(f"is named {shown(unit.path.name)}; expected a name such as joints_s01_e01.txt")
        title, subject, episode = match[1], int(match[2]), int(match[3])
        entries = _labels(self.root).get(title)
        if entries is None:
            raise Broken(f"actionLabel.txt says nothing of {title}")
        rows = table(data, 1 + 3 * _JOINTS)
        if len(rows) > MAX_FRAMES:
            raise Broken(f"has {len(rows)} frames; a recording has at most {MAX_FRAMES}")
        again = np.zeros(len(rows), bool)
        again[1:] = rows[1:, 0] == rows[:-1, 0]
        for line, action, span in entries:
            name = f"{title}_{action}"
            where = f"{unit.path}, clip {name}"
            if span is None:
                yield Fault(where, f"line {line} of actionLabel.txt gives no frames for it")
                continue
            inside = (rows[:, 0] >= span[0]) & (rows[:, 0] <= span[1])
            if not inside.any():
                yield Fault(where, f"has no frame from {span[0]} to {span[1]}, as line {line} of actionLabel.txt says")
                continue
            repeated = int((inside & again).sum())
            notes = [f"{repeated} further poses of a picture left out"] if repeated else []
            points = rows[inside & ~again, 1:].reshape(-1, 1, _JOINTS, 3)
            for _, other, more in entries:
                if more is not None and other != action and min(span[1], more[1]) > max(span[0], more[0]):
                    notes.append(f"shares frames with {other}, by actionLabel.txt")
            yield clip(
                where,
                points,
                notes,
                name=name,
                label=self.class_names.index(action),
                subject=subject,
                episode=episode,
                parts={"xsub": "train" if subject % 2 else "test"},
            )


Entries = tuple[tuple[int, str, tuple[int, int] | None], ...]  # line, action, first and last picture


@functools.lru_cache(maxsize=4)
def _labels(root: Path) -> dict[str, Entries]:
    """What ``actionLabel.txt`` says, by file: its lines are ``s01_e01``, then ``walk: 252 390`` and so on.

    Raises:
        Broken: a line is neither.
    """
    try:
        file = find(root, _LABELS, "a file actionLabel.txt")[0]
    except ArrayError as error:
        raise Broken(str(error)) from None
    found: dict[str, list[tuple[int, str, tuple[int, int] | None]]] = {}
    title, classes = None, asset(UTKinect.classes).split()
    for number, raw in enumerate(load(file, 1 << 20).decode("latin1").split("\n"), 1):
        text = raw.strip()
        if not text:
            continue
        if _TITLE.fullmatch(text):
            title = text
            found.setdefault(title, [])
            continue
        entry = _ENTRY.fullmatch(text)
        if title is None or entry is None or entry[1] not in classes or len(entry[2] + entry[3]) > 20:
            raise Broken(f"actionLabel.txt has {shown(text)}, expected a line such as 'walk: 252 390'", number)
        first, last = entry[2], entry[3]
        whole = re.fullmatch(r"[0-9]+", first) and re.fullmatch(r"[0-9]+", last)
        if any(entry[1] == action for _, action, _ in found[title]):
            raise Broken(f"actionLabel.txt has {entry[1]} a second time for {title}", number)
        found[title].append((number, entry[1], (int(first), int(last)) if whole else None))
    return {title: tuple(entries) for title, entries in found.items()}
