"""BVH: a skeleton as a tree of offsets, and a motion as angles; a clip's joints follow by forward kinematics."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skelaug.arrays import ArrayError
from skelaug.sides import find_sides, torn_pairs
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.sources.files import (
    MAX_FRAMES,
    Broken,
    every,
    find,
    folder_names,
    guarded,
    load,
    name_of,
    shown,
)
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import check, table, to_count

__all__ = ["BVH", "Motion", "parse"]

Floats = npt.NDArray[np.float64]

_FILE = re.compile(r".+\.bvh", re.IGNORECASE)
_MAX_JOINTS = 512
_MAX_PLACES = 4_000_000  # frames times joints: an hour of a body with 37 joints
_CHANNELS = {f"{axis}{what}": (what, "XYZ".index(axis)) for axis in "XYZ" for what in ("position", "rotation")}
_HEADER = re.compile(rb"^[ \t]*MOTION[ \t\r]*(\n|\Z)", re.MULTILINE)


@dataclass
class Motion:
    """What a BVH file holds.

    Attributes:
        joints: their names, parents first.
        parents: of each; the root is its own.
        offsets: from the parent, in the file's unit.
        channels: of each joint, in the order of a frame's numbers: ``("position" or "rotation", axis)``.
        values: ``(T, all channels)``, positions in the file's unit, rotations in degrees.
    """

    joints: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[tuple[str, int]]] = field(default_factory=list)
    values: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def positions(self) -> Floats:
        """``(T, V, 3)``, in the file's unit.

        A joint's rotations are applied in the order of its channels, the first one outermost. Where a joint, such as
        the root, has a position, that takes the place of its offset.
        """
        from scipy.spatial.transform import Rotation

        frames = len(self.values)
        places = np.tile(np.asarray(self.offsets), (frames, 1, 1))
        turns: list[Floats] = []
        columns = iter(self.values.T)
        for joint, parent in enumerate(self.parents):
            turn = np.eye(3)
            for what, axis in self.channels[joint]:
                if what == "rotation":
                    turn = turn @ Rotation.from_euler("xyz"[axis], next(columns)[:, None], degrees=True).as_matrix()
                else:
                    places[:, joint, axis] = next(columns)
            if joint != parent:
                places[:, joint] = places[:, parent] + (turns[parent] @ places[:, joint, :, None])[..., 0]
                turn = turns[parent] @ turn
            turns.append(turn)
        return places


@dataclass(frozen=True)
class BVH:
    """A folder of BVH files, or one file; the folder that a file lies in is its class.

    The files must share one skeleton, the first file's; a file with another one is a fault. Ends of limbs ("End Site")
    are no joints. BVH has no unit: ``scale`` brings the numbers to metres.

    Left and right follow from the joints' names, see :func:`skelaug.sides.find_sides`. A name without a counterpart is
    a note of every recording; so are pairs that hang on joints which are no pair, and they are left out.

    A recording has C = x, y, z, M = 1. By custom y points up; where another axis does, ``skelaug prepare --up`` says
    so. BVH says neither who acts nor what trains, so there are no protocols.

    Args:
        root: the folder, or a file.
        scale: metres of one unit in the files; 0.01 for centimetres.
    """

    root: Path
    scale: float = 0.01

    @property
    def skeleton(self) -> Skeleton:
        """The first readable file's.

        Raises:
            ArrayError: no file can be read.
        """
        return _skeleton(self.root)[0]

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
        motion = parse(load(unit.path))
        try:
            skeleton, notes = _skeleton(self.root)
        except ArrayError as error:
            raise Broken(str(error)) from None
        if (tuple(motion.joints), tuple(motion.parents)) != (skeleton.joints, skeleton.parents):
            raise Broken("has another skeleton than the first file of the folder; keep one folder a skeleton")
        with np.errstate(all="ignore"):  # a number beyond all measure is not finite in the end, and found there
            points = self.scale * motion.positions()
        yield clip(
            str(unit.path),
            points[:, None],
            notes,
            name=name_of(unit.path, self.root),
            label=_classes(self.root).index(unit.path.parent.name),
        )


def _files(root: Path) -> list[Path]:
    return find(root, _FILE, "files of motion capture, such as walk/01.bvh", alone=True)


@functools.lru_cache(maxsize=4)
def _classes(root: Path) -> tuple[str, ...]:
    return folder_names(_files(root))


@functools.lru_cache(maxsize=4)
def _skeleton(root: Path) -> tuple[Skeleton, tuple[str, ...]]:
    """That of the first file that can be read, and what is to be said of its sides."""
    faults = []
    for path in _files(root):
        try:
            motion = parse(load(path))
        except Broken as broken:
            faults.append(Fault(str(path), broken.reason, broken.line))
        except OSError as error:
            faults.append(Fault(str(path), f"cannot be read: {error.strerror or error}"))
        else:
            pairs, notes = _pairs(motion)
            return Skeleton("bvh", tuple(motion.joints), tuple(motion.parents), pairs), notes
    raise ArrayError(f"{root}: none of its {len(faults)} BVH files can be read: {every(faults)}")


def _pairs(motion: Motion) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    """(left, right) by name, and notes of what looks like a pair and is none."""
    sides = find_sides(motion.joints)
    torn = torn_pairs(sides, motion.parents)
    notes = []
    if sides.alone:
        names = _some([motion.joints[i] for i in sides.alone])
        notes.append(f"left or right without a counterpart, so a mirror leaves them where they are: {names}")
    if torn:
        names = _some([f"{motion.joints[left]} and {motion.joints[right]}" for left, right in torn])
        notes.append(f"left and right, but of parents that are no pair, so a mirror does not exchange them: {names}")
    return tuple(pair for pair in sides.pairs if pair not in torn), tuple(notes)


def _some(names: Sequence[str]) -> str:
    return ", ".join(name[:60] for name in names[:8]) + (", …" if len(names) > 8 else "")


def parse(data: bytes) -> Motion:
    """What is in a BVH file.

    Raises:
        Broken: it is none; the message says in which line, and what was expected there.
    """
    header = _HEADER.search(data)
    if header is None:
        raise Broken("is no BVH: it has no line MOTION")
    motion = _hierarchy(data[: header.start()])
    frames, at = _field(data, header.end(), b"Frames:")
    first = data.count(b"\n", 0, at)  # the line of the frames' number
    count = to_count(frames.decode("latin1"))
    if count is None or not 1 <= count <= MAX_FRAMES:
        raise Broken(f"has {shown(frames)} frames, expected 1 … {MAX_FRAMES}", first)
    _, at = _field(data, at, b"Frame Time:")
    columns = sum(map(len, motion.channels))
    if not columns:
        raise Broken("its joints have no channels")
    motion.values = table(data[at:], columns, data.count(b"\n", 0, at) + 1)
    if len(motion.values) != count:
        raise Broken(f"has {len(motion.values)} frames, but says {count}", first)
    if count * len(motion.joints) > _MAX_PLACES:
        raise Broken(f"has {count} frames of {len(motion.joints)} joints, more than any recording", first)
    return motion


def _field(data: bytes, at: int, name: bytes) -> tuple[bytes, int]:
    """What stands behind ``name`` in the next line with something in it, and where the line after that begins."""
    while True:
        end = data.find(b"\n", at)
        text = data[at : end if end >= 0 else len(data)].strip()
        if text or end < 0:
            break
        at = end + 1
    if not text.lower().startswith(name.lower()):
        raise Broken(f"is {shown(text)}, expected '{name.decode()} …'", data.count(b"\n", 0, at) + 1)
    return text[len(name) :].strip(), end + 1 if end >= 0 else len(data)


def _hierarchy(data: bytes) -> Motion:
    """The tree, without a motion."""
    if len(data) > 1 << 20:
        raise Broken(f"has a tree of {len(data)} bytes before MOTION; expected at most {1 << 20}")
    words = [(word, line) for line, text in enumerate(data.split(b"\n"), 1) for word in text.split()][::-1]
    last = data.count(b"\n") + 1

    def take(expected: str) -> tuple[bytes, int]:
        if not words:
            raise Broken(f"ends early: expected {expected}", last)
        return words.pop()

    def take_name(expected: str) -> tuple[bytes, int]:
        """A name may hold spaces: it goes up to the brace, or to the end of its line."""
        first, line = take(expected)
        return b" ".join([first, *rest_of(line)]), line

    def rest_of(line: int) -> list[bytes]:
        rest = []
        while words and words[-1][1] == line and words[-1][0] != b"{":
            rest.append(words.pop()[0])
        return rest

    def must(word: bytes) -> None:
        got, line = take(word.decode())
        if got.upper() != word:
            raise Broken(f"has {shown(got)}, expected {word.decode()}", line)

    def numbers(count: int) -> list[float]:
        values = []
        for _ in range(count):
            got, line = take("a number")
            check([got.decode("latin1")], line)
            values.append(float(got))
        return values

    motion = Motion()
    must(b"HIERARCHY")
    must(b"ROOT")
    path: list[int | None] = []  # from the root to where we are; None is the end of a limb
    _joint(motion, take_name("the root's name"), 0)
    must(b"{")
    path.append(0)
    while path:
        here = path[-1]
        word, line = take("OFFSET, CHANNELS, JOINT, End Site or }")
        kind = word.upper()
        if kind == b"OFFSET":
            offset = numbers(3)
            if here is not None:
                motion.offsets[here] = offset
        elif kind == b"}":
            path.pop()
        elif kind == b"CHANNELS" and here is not None:
            count, _ = take("the number of channels")
            if not count.isdigit() or not int(count[:4]) <= 6:
                raise Broken(f"has {shown(count)} channels, expected 0 … 6", line)
            for _ in range(int(count)):
                name, line = take("a channel")
                channel = _CHANNELS.get(name.decode("latin1").capitalize())
                if channel is None or channel in motion.channels[here]:
                    raise Broken(f"has channel {shown(name)}; they are Xposition … Zrotation, each once", line)
                motion.channels[here].append(channel)
        elif kind == b"JOINT" and here is not None:
            path.append(_joint(motion, take_name("a joint's name"), here))
            must(b"{")
        elif kind == b"END" and here is not None:
            must(b"SITE")
            rest_of(line)  # some programs name the end
            must(b"{")
            path.append(None)
        else:
            raise Broken(f"has {shown(word)}, expected OFFSET, CHANNELS, JOINT, End Site or }}", line)
    if words:
        word, line = words.pop()
        raise Broken(f"has {shown(word)} after its root; expected MOTION", line)
    return motion


def _joint(motion: Motion, word: tuple[bytes, int], parent: int) -> int:
    name = word[0].decode("utf-8", "replace")
    if name in motion.joints or len(motion.joints) >= _MAX_JOINTS:
        raise Broken(f"has joint {shown(word[0])} twice, or more than {_MAX_JOINTS} joints", word[1])
    motion.joints.append(name)
    motion.parents.append(parent)
    motion.offsets.append([0.0, 0.0, 0.0])
    motion.channels.append([])
    return len(motion.joints) - 1
