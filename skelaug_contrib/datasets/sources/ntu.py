"""NTU RGB+D 60 and 120: ``.skeleton`` text, one file a clip, as Kinect v2 saw it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder, asset
from skelaug_contrib.datasets.sources.people import Track, choose, clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import check, lines_of, numbers, to_count

__all__ = ["NTU", "NTU60", "NTU120", "class_names", "missing", "name_parts", "parts", "read_bodies"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

JOINTS: Final = 25
_BODY, _JOINT = 10, 12  # numbers a line
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_XSUB60 = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
_XSUB120 = _XSUB60 | {
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94),
    *(95, 97, 98, 100, 103),
}
_SETUPS60, _CLASSES60 = 17, 60


@functools.cache
def class_names(count: int = 120) -> tuple[str, ...]:
    """The first 60, or all 120."""
    return tuple(asset("ntu_classes.txt").splitlines()[:count])


@functools.cache
def missing() -> frozenset[str]:
    """The 535 samples whose skeletons are missing or incomplete, by the authors' lists; 302 of them are in NTU 60."""
    names = []
    for line in asset("ntu_missing.txt").splitlines():
        setup, *samples = line.split()
        names += [f"S{int(setup):03}C00{s[0]}P{s[1:4]}R00{s[4]}A{s[5:]}" for s in samples]
    return frozenset(names)


def name_parts(name: str) -> tuple[int, int, int, int, int] | None:
    """Set-up, camera, performer, replication and action of ``SsssCcccPpppRrrrAaaa``, or None."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    s, c, p, r, a = map(int, match.groups())
    return (s, c, p, r, a) if min(s, c, p, r, a) > 0 and a <= 120 else None


def parts(name: tuple[int, int, int, int, int], sixty: bool) -> dict[str, str]:
    """The part that a clip belongs to, by protocol."""
    setup, camera, performer, _, _ = name
    train = (
        {"xsub": performer in _XSUB60, "xview": camera in (2, 3)}
        if sixty
        else {"xsub": performer in _XSUB120, "xset": setup % 2 == 0}
    )
    return {protocol: "train" if is_train else "test" for protocol, is_train in train.items()}


@dataclass(frozen=True)
class NTU(Folder):
    """NTU RGB+D as its authors give it out: a folder, however deep, of files ``SsssCcccPpppRrrrAaaa.skeleton``.

    A recording has C = x, y, z in metres as the camera saw them (y up), every frame that was recorded, the 25 joints of
    ``ntu25`` and M = 2 people, as :func:`people.choose` finds them; a second one who is not there is 0. ``subject`` is
    the performer, ``view`` the camera, and ``episode`` is ten times the set-up plus the replication, so that the three
    cameras' recordings of one performance share it.

    As NTU60, set-ups above 17 and actions above 60 are passed over: the folder may hold all of NTU 120.

    Args:
        root: the folder.
        keep_missing: read also the samples that the authors' list names as missing or incomplete. They are faults
            otherwise, as everybody leaves them out.
    """

    keep_missing: bool = False
    files = re.compile(r".*\.skeleton")
    example = "S001C001P001R001A001.skeleton"
    known = "ntu25"
    sixty: ClassVar[bool]

    @property
    def class_names(self) -> Sequence[str]:
        """By label: action 1 is label 0."""
        return class_names(_CLASSES60 if self.sixty else 120)

    def units(self) -> Sequence[Unit]:
        """One a file."""
        names = [(unit, name_parts(unit.path.stem)) for unit in super().units()]
        return [
            unit
            for unit, name in names
            if name is None or not self.sixty or (name[0] <= _SETUPS60 and name[4] <= _CLASSES60)
        ]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        path = unit.path
        name = name_parts(path.stem)
        if name is None and path.suffix == ".skeleton":
            raise Broken(f"is named {shown(path.name)}; expected a name such as S001C001P001R001A001.skeleton")
        data = load(path)
        if name is None:
            raise Broken("is no .skeleton file")
        if path.stem in missing() and not self.keep_missing:
            raise Broken("its skeletons are missing or incomplete, by the authors' list; left out")
        frames, tracks, notes = read_bodies(data)
        if not tracks:
            raise Broken(f"nobody in any of its {frames} frames")
        people, more = choose(tracks, frames, JOINTS)
        setup, camera, performer, replication, action = name
        yield clip(
            str(path),
            people,
            [*notes, *more],
            name=path.stem,
            label=action - 1,
            subject=performer,
            view=camera,
            episode=10 * setup + replication,
            parts=parts(name, self.sixty),
        )


class NTU60(NTU):
    """NTU RGB+D 60; protocols ``xsub`` and ``xview`` (cameras 2 and 3 train)."""

    sixty = True


class NTU120(NTU):
    """NTU RGB+D 120; protocols ``xsub`` and ``xset`` (even set-ups train)."""

    sixty = False


# The format: a line with the number of frames; for each frame one with the number of bodies; for each body one of 10
# numbers, of which the first is its name, one with the number of joints, and one of 12 a joint: x, y, z and more.


def read_bodies(data: bytes) -> tuple[int, list[Track], list[str]]:
    """The bodies in a ``.skeleton`` file.

    Returns:
        The number of frames, a track a body, and what was left out.

    Raises:
        Broken: it is no such file; the message says in which line, and what was expected there.
    """
    frames, names, seen, points = _poses(data)
    notes: list[str] = []
    tracks = []
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(np.fromiter((other == name for other in names), bool, len(names)))
        at, first = np.unique(seen[rows], return_index=True)
        if len(at) != len(rows):
            notes.append(f"body {name}: twice in a frame, the second left out")
        tracks.append(Track(name, at, points[rows[first]]))
    return frames, tracks, notes


def _poses(data: bytes) -> tuple[int, list[str], Ints, Floats]:
    """The number of frames; and of each body in each frame, in the file's order, its name, the frame and its joints.

    The joints are float64 ``(poses, 25, 3)``. The lines between them say where they are; their numbers are read at
    once in the end.
    """
    lines = lines_of(data)
    while lines and not lines[-1].strip():
        lines.pop()
    line = 0

    def take(expected: str) -> str:
        nonlocal line
        line += 1
        if line > len(lines):
            raise Broken(f"ends early: expected {expected}", line)
        return lines[line - 1].strip()

    def number(expected: str) -> int:
        text = take(expected)
        value = to_count(text)
        if value is None:
            raise Broken(f"is {shown(text)}, expected {expected}", line)
        return value

    names: list[str] = []
    seen: list[int] = []
    firsts: list[int] = []  # where in ``lines`` each body's joints begin
    frames = number("the number of frames")
    if frames > MAX_FRAMES:
        raise Broken(f"declares {frames} frames; a recording has at most {MAX_FRAMES}", 1)
    for frame in range(frames):
        of = f"frame {frame + 1} of {frames}"
        for body in range(number(f"the number of bodies in {of}")):
            who = f"body {body + 1} in {of}"
            about = take(f"{_BODY} numbers about {who}").split()
            if len(about) != _BODY or not (about[0].isascii() and about[0].isdigit()):
                raise Broken(f"has {len(about)} numbers, expected {_BODY} about {who}, the first its name", line)
            joints = number(f"the number of joints of {who}")
            if joints != JOINTS:
                raise Broken(f"says {joints} joints, expected {JOINTS}", line)
            names.append(about[0])
            seen.append(frame)
            firsts.append(line)
            line += JOINTS
            if line > len(lines):
                _check_joints(lines, firsts)
                raise Broken(f"ends early: expected joint {len(lines) - firsts[-1] + 1} of {who}", len(lines) + 1)
    if line < len(lines):
        raise Broken(f"goes on after its {frames} frames", line + 1)
    return frames, names, np.array(seen, np.int64), _joints(lines, firsts).reshape(-1, JOINTS, 3)


def _joints(lines: list[str], firsts: list[int]) -> Floats:
    """The first three numbers of each joint's line; ``firsts`` are the first joints of the bodies in ``lines``."""
    texts = [text for first in firsts for text in lines[first : first + JOINTS]]
    # Twelve numbers a line: the twelfth can be read in each, and there are eleven gaps a line in all.
    points = numbers(texts, (0, 1, 2, _JOINT - 1))
    if points is None or "".join(texts).count(" ") != len(texts) * (_JOINT - 1):
        _check_joints(lines, firsts)
        points = numbers(texts, (0, 1, 2))
        if points is None:
            raise Broken("has a joint whose place cannot be read")
    return points[:, :3]


def _check_joints(lines: list[str], firsts: list[int]) -> None:
    """Find the line of a joint that has not twelve numbers, or whose first three are none."""
    for first in firsts:
        for line, text in enumerate(lines[first : first + JOINTS], first + 1):
            words = text.split()
            if len(words) != _JOINT:
                raise Broken(f"has {len(words)} numbers, expected {_JOINT} for joint {line - first} of a body", line)
            check(words[:3], line)
