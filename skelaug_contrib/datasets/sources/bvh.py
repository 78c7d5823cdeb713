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
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, guarded, load, shown
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import check, table, to_count

__all__ = ["BVH", "Motion", "parse"]

Floats = npt.NDArray[np.float64]

_FILE = re.compile(r".+\.bvh", re.IGNORECASE)
_MAX_JOINTS = 512
_MAX_PLACES = 4_000_000  # frames times joints: an hour of a body with 37 joints
_CHANNELS = {f"{axis}{what}": (what, "XYZ".index(axis)) for axis in "XYZ" for what in ("position", "rotation")}
_HEADER = re.compile(rb"^[ \t]*MOTION[ \t\r]*$", re.MULTILINE)


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
    """A folder of BVH files; the folder that a file lies in is its class.

    The files must share one skeleton, the first file's; a file with another one is a fault. Ends of limbs ("End Site")
    are no joints. BVH has no unit: ``scale`` brings the numbers to metres.

    A recording has C = x, y, z (y up, where the file follows the custom), M = 1. BVH says neither who acts nor what
    trains, so there are no protocols.

    Args:
        root: the folder.
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
        return _skeleton(self.root)

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the folders that hold files, in alphabetical order."""
        return _classes(self.root)

    def units(self) -> Sequence[Unit]:
        """One a file."""
        return [Unit(path) for path in find(self.root, _FILE, "files of motion capture, such as walk/01.bvh")]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        motion = parse(load(unit.path))
        try:
            skeleton = self.skeleton
        except ArrayError as error:
            raise Broken(str(error)) from None
        if (tuple(motion.joints), tuple(motion.parents)) != (skeleton.joints, skeleton.parents):
            raise Broken("has another skeleton than the first file of the folder; keep one folder a skeleton")
        with np.errstate(all="ignore"):  # a number beyond all measure is not finite in the end, and found there
            points = self.scale * motion.positions()
        yield clip(
            str(unit.path),
            points[:, None],
            name="_".join(unit.path.relative_to(self.root).with_suffix("").parts),
            label=_classes(self.root).index(unit.path.parent.name),
        )


@functools.lru_cache(maxsize=4)
def _classes(root: Path) -> tuple[str, ...]:
    return tuple(sorted({path.parent.name for path in find(root, _FILE, "BVH files")}))


@functools.lru_cache(maxsize=4)
def _skeleton(root: Path) -> Skeleton:
    for path in find(root, _FILE, "BVH files"):
        try:
            motion = parse(load(path))
        except (Broken, OSError):
            continue
        return Skeleton(name="bvh", joints=tuple(motion.joints), parents=tuple(motion.parents), pairs=_pairs(motion))
    raise ArrayError(f"{root}: none of its BVH files can be read")


def _pairs(motion: Motion) -> tuple[tuple[int, int], ...]:
    """(left, right) by name: LeftArm and RightArm, L_Arm and R_Arm, LArm and RArm."""
    number = {name: i for i, name in enumerate(motion.joints)}
    pairs = []
    for name, i in number.items():
        others = {re.sub("left", "right", name), re.sub("Left", "Right", name), re.sub("^L(?=[A-Z_])", "R", name)}
        right = next((number[other] for other in sorted(others) if other != name and other in number), None)
        if right is not None:
            pairs.append((i, right))
    return tuple(pairs)


def parse(data: bytes) -> Motion:
    """What is in a BVH file.

    Raises:
        Broken: it is none; the message says in which line, and what was expected there.
    """
    header = _HEADER.search(data)
    if header is None:
        raise Broken("is no BVH: it has no line MOTION")
    motion = _hierarchy(data[: header.start()])
    first = data.count(b"\n", 0, header.end()) + 2
    lines = data[header.end() :].split(b"\n", 3)
    frames = _field(lines, 1, b"Frames:", first)
    count = to_count(frames.decode("latin1"))
    if count is None or not 1 <= count <= MAX_FRAMES:
        raise Broken(f"has {shown(frames)} frames, expected 1 … {MAX_FRAMES}", first)
    _field(lines, 2, b"Frame Time:", first + 1)
    columns = sum(map(len, motion.channels))
    if not columns:
        raise Broken("its joints have no channels")
    motion.values = table(lines[3] if len(lines) > 3 else b"", columns, first + 2)
    if len(motion.values) != count:
        raise Broken(f"has {len(motion.values)} frames, but says {count}", first)
    if count * len(motion.joints) > _MAX_PLACES:
        raise Broken(f"has {count} frames of {len(motion.joints)} joints, more than any recording", first)
    return motion


def _field(lines: list[bytes], index: int, name: bytes, line: int) -> bytes:
    text = lines[index].strip() if index < len(lines) else b""
    if not text.lower().startswith(name.lower()):
        raise Broken(f"is {shown(text)}, expected '{name.decode()} …'", line)
    return text[len(name) :].strip()


def _hierarchy(data: bytes) -> Motion:
    """The tree, without a motion."""
    if len(data) > 1 << 20:
        raise Broken(f"has a tree of {len(data)} bytes before MOTION; expected at most {1 << 20}")
    words = iter([(word, line) for line, text in enumerate(data.split(b"\n"), 1) for word in text.split()])
    last = data.count(b"\n") + 1

    def take(expected: str) -> tuple[bytes, int]:
        word = next(words, None)
        if word is None:
            raise Broken(f"ends early: expected {expected}", last)
        return word

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
    _joint(motion, take("the root's name"), 0)
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
            path.append(_joint(motion, take("a joint's name"), here))
            must(b"{")
        elif kind == b"END" and here is not None:
            must(b"SITE")
            must(b"{")
            path.append(None)
        else:
            raise Broken(f"has {shown(word)}, expected OFFSET, CHANNELS, JOINT, End Site or }}", line)
    rest = next(words, None)
    if rest is not None:
        raise Broken(f"has {shown(rest[0])} after its root; expected MOTION", rest[1])
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
