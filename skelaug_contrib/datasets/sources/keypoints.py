"""Keypoints in images, as JSON: Kinetics-skeleton has a file a clip, OpenPose a file a frame."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug.arrays import ArrayError
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, folder_names, guarded, load, name_of, shown
from skelaug_contrib.datasets.sources.folder import Named
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import parse_json

__all__ = ["KineticsSkeleton", "OpenPose"]

Floats = npt.NDArray[np.float64]

_PERSONS = 2
_MAX_CLASSES = 10_000
_CLIP = re.compile(r"(?!.*_label\.json$).+\.json", re.IGNORECASE)
_LABELS = re.compile(r".+_label\.json", re.IGNORECASE)
_FRAME = re.compile(r"(.*?)_?(\d{1,12})_keypoints\.json", re.IGNORECASE)


# --- Kinetics-skeleton ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KineticsSkeleton(Named):
    """Kinetics-skeleton, and files like its own: a folder of JSON files, one a clip, or one file.

    A file has ``data``, a list of frames with ``frame_index`` and ``skeleton``, which lists people with ``pose``
    (x, y of each joint) and ``score`` (one a joint); ``label``, the class's name, and ``label_index``, from 0. The
    names of all classes come from ``kinetics_train_label.json`` and its like; without such files every clip is read
    for them.

    A recording has C = x, y, score as in the file (y points down), M = the most people of a frame, at most 2. A joint
    with score 0 was not found, and counts as not observed. A frame that is not listed is one without anybody. Of more
    people in a frame, those with the highest scores are kept. Who is who from frame to frame the files do not say.
    Clips in a folder with "train" in its name train and those in one with "val" or "test" test, under the protocol
    ``given``.

    Args:
        root: the folder, or a file.
        joints: the skeleton of the joints, or the name of a known one.
        scores: keep the scores as the third channel.
    """

    joints: str | Skeleton = "openpose18"
    scores: bool = True

    @property
    def class_names(self) -> Sequence[str]:
        """By ``label_index``; ``class_7`` where no file says its name.

        Raises:
            ArrayError: there are no files, or a file of labels cannot be read.
        """
        return _kinetics_classes(self.root)

    def units(self) -> Sequence[Unit]:
        """One a file."""
        return [Unit(path) for path in _kinetics_files(self.root)]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        content = parse_json(load(unit.path))
        index, _ = _label(content)
        if index >= len(self.class_names):
            raise Broken(f"has label_index {index}, but the files of labels have {len(self.class_names)} classes")
        frames = content.get("data")
        if not isinstance(frames, list):
            raise Broken("has no list 'data' of frames")
        seen: dict[int, list[Floats]] = {}
        for frame in frames:
            number = frame.get("frame_index") if isinstance(frame, dict) else None
            people = frame.get("skeleton") if isinstance(frame, dict) else None
            if type(number) is not int or number in seen or not isinstance(people, list):
                raise Broken(f"has frame {shown(repr(number))}, expected a number that no other has, and a skeleton")
            where = f"frame {number}"
            seen[number] = [self._person(where, person) for person in people]
        people, notes = _assembled(seen, len(self.skeleton), self.scores)
        folder = unit.path.parent.name.lower()
        part = "train" if "train" in folder else "test" if "val" in folder or "test" in folder else None
        yield clip(
            str(unit.path),
            people,
            notes,
            name=name_of(unit.path, self.root),
            label=index,
            parts={} if part is None else {"given": part},
        )

    def _person(self, where: str, person: Any) -> Floats:
        pose, score = (person.get("pose"), person.get("score")) if isinstance(person, dict) else (None, None)
        xy, scores = _numbers(where, "pose", pose), _numbers(where, "score", score)
        self.check_joints(len(scores))
        if len(xy) != 2 * len(scores):
            raise Broken(f"{where}: has {len(xy)} numbers in pose and {len(scores)} in score, expected twice as many")
        return np.concatenate([xy.reshape(-1, 2), scores[:, None]], 1)


def _kinetics_files(root: Path) -> list[Path]:
    return find(root, _CLIP, "JSON files of clips, such as kinetics_train/---QUuC4vJs.json", alone=True)


def _label(content: Mapping[str, Any]) -> tuple[int, str]:
    index, name = content.get("label_index"), content.get("label")
    if type(index) is not int or not 0 <= index < _MAX_CLASSES:
        raise Broken(f"its label_index is {shown(repr(index))}, expected a whole number from 0")
    return index, name[:200] if isinstance(name, str) and name else f"class_{index}"


@functools.lru_cache(maxsize=4)
def _kinetics_classes(root: Path) -> tuple[str, ...]:
    names: dict[int, str] = {}
    try:
        lists = find(root, _LABELS, "files of labels")
    except ArrayError:
        lists = []
    for path in lists:
        try:
            for about in parse_json(load(path)).values():
                if isinstance(about, dict):
                    names.setdefault(*_label(about))
        except (Broken, OSError) as error:
            raise ArrayError(f"{path}: the classes cannot be read: {error}") from None
    for path in [] if names else _kinetics_files(root):
        try:
            names.setdefault(*_label(parse_json(load(path))))
        except (Broken, OSError):
            continue  # to read it says what is wrong
    return tuple(names.get(i, f"class_{i}") for i in range(max(names, default=0) + 1))


# --- OpenPose ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenPose(Named):
    """What OpenPose writes with ``--write_json``: files ``clip_000000000000_keypoints.json``, one a frame.

    The files of a folder that differ in their number alone are a clip; its folder's name is its class. A frame whose
    file is missing, or has no people, is one without anybody.

    A recording has C = x, y, score as in the files (pixels, usually; y points down), M = the most people of a frame,
    at most 2. A joint with score 0 was not found, and counts as not observed. Of more people in a frame, those with the
    highest scores are kept; they stay in the order of the file, which is no promise of who is who. There are no
    protocols.

    Args:
        root: the folder.
        joints: the skeleton of the joints, or the name of a known one: ``body25``, or ``openpose18`` for model COCO.
        scores: keep the scores as the third channel.
    """

    joints: str | Skeleton = "body25"
    scores: bool = True

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the folders that hold clips, in alphabetical order."""
        return _openpose_classes(self.root)

    def units(self) -> Sequence[Unit]:
        """The first file of each clip."""
        return [Unit(path) for path in _openpose_clips(self.root)]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        frames = _openpose_clips(self.root).get(unit.path, {0: unit.path})
        seen = {}
        for number, path in frames.items():
            try:
                seen[number] = self._people(parse_json(load(path)))
            except Broken as broken:
                yield Fault(str(path), broken.reason, broken.line)
                return
        people, notes = _assembled(seen, len(self.skeleton), self.scores)
        folder, stem = name_of(unit.path.parent / "x", self.root)[:-1], _stem(unit.path)
        yield clip(
            str(unit.path),
            people,
            notes,
            name=f"{folder}{stem}".strip("_") or unit.path.parent.name,
            label=self.class_names.index(unit.path.parent.name),
        )

    def _people(self, content: Mapping[str, Any]) -> list[Floats]:
        people = content.get("people")
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise Broken("has no list 'people'")
        found = []
        for person in people:
            points = _numbers(
                "people", "pose_keypoints_2d", person.get("pose_keypoints_2d", person.get("pose_keypoints"))
            )
            self.check_joints(len(points) // 3)
            if len(points) % 3:
                raise Broken(f"has {len(points)} numbers in pose_keypoints_2d, expected x, y, score of each joint")
            found.append(points.reshape(-1, 3))
        return found


def _stem(path: Path) -> str:
    match = _FRAME.fullmatch(path.name)
    return match[1] if match else path.stem


@functools.lru_cache(maxsize=4)
def _openpose_classes(root: Path) -> tuple[str, ...]:
    return folder_names(_openpose_clips(root))


@functools.lru_cache(maxsize=4)
def _openpose_clips(root: Path) -> dict[Path, dict[int, Path]]:
    """The files of each clip by frame, by the first of them."""
    clips: dict[tuple[Path, str], dict[int, Path]] = {}
    for path in find(root, _FRAME, "files of OpenPose, such as walk/clip_000000000000_keypoints.json"):
        if match := _FRAME.fullmatch(path.name):
            clips.setdefault((path.parent, match[1]), {})[int(match[2])] = path
    ordered = [dict(sorted(frames.items())) for _, frames in sorted(clips.items())]
    return {next(iter(frames.values())): frames for frames in ordered}


# --- both -------------------------------------------------------------------------------------------------------------


def _numbers(where: str, name: str, value: Any) -> Floats:
    try:
        array = np.array(value if isinstance(value, list) else None)
    except (ValueError, OverflowError):
        array = np.array(None)
    if array.dtype.kind not in "if" or array.ndim != 1:
        raise Broken(f"{where}: {name} must be a list of numbers")
    return array.astype(np.float64)


def _assembled(frames: Mapping[int, list[Floats]], joints: int, scores: bool) -> tuple[Floats, list[str]]:
    """``(T, M, V, 3)`` or, without scores, ``(T, M, V, 2)``, from people ``(V, 3)`` by frame; and notes."""
    if not frames:
        raise Broken("has no frames")
    first, last = min(frames), max(frames)
    if last - first >= MAX_FRAMES:
        raise Broken(f"has frames {first} … {last}, more than any recording: {MAX_FRAMES}")
    most = max(map(len, frames.values()))
    people = np.zeros((last - first + 1, min(max(most, 1), _PERSONS), joints, 3))
    for number, there in frames.items():
        kept = sorted(sorted(range(len(there)), key=lambda i: -there[i][:, 2].sum())[:_PERSONS])
        for slot, i in enumerate(kept):
            people[number - first, slot] = np.where(there[i][:, 2:] == 0, np.nan, there[i])
    crowded = sum(len(there) > _PERSONS for there in frames.values())
    notes = [f"{crowded} frames with more than {_PERSONS} people, up to {most}: the others are left out"] * bool(
        crowded
    )
    return people if scores else people[..., :2], notes
