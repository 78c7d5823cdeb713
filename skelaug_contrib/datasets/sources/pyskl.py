"""Annotations as PYSKL and mmaction2 keep them: a pickle of clips, and lists of who trains and who tests."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.sources.arrays import Arrays, about_name, is_label, one_file
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, guarded, shown
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.pickles import read_pickle
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit

__all__ = ["PYSKL"]

_WORDS = {
    **dict.fromkeys(("trainval", "train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
_PART = re.compile(rf"(?<![a-z])({'|'.join(_WORDS)})(?![a-z])", re.IGNORECASE)

Array = npt.NDArray[Any]
Parts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class PYSKL(Arrays):
    """A file such as ``ntu60_3danno.pkl``: a dict of ``split`` and ``annotations``, or the list of annotations alone.

    An annotation has ``frame_dir``, the clip's name, ``label``, from 0, ``keypoint``, ``(M, T, V, C)``, and perhaps
    ``keypoint_score``, ``(M, T, V)``, which becomes the last channel: x, y, score. A joint whose score is 0 was not
    found, and counts as not observed.

    ``split`` maps names to lists of clips. Names that say ``train`` and ``val`` or ``test`` make a protocol, called by
    the rest of the name: ``xsub_train`` and ``xsub_val`` make ``xsub``, ``train1`` and ``test1`` make ``split1``,
    ``train`` and ``val`` make ``given``. Where there are both, ``test`` tests, and ``val`` under a protocol of its own,
    such as ``given_val``. Other names are not used, which is a note.

    A recording has M = 2: further people are left out. The whole file is one piece of work, and in memory, for a
    pickle has to be read from its beginning.

    Args:
        root: the file, or a folder with one.
        joints: the skeleton of the V joints, or the name of a known one.
        scores: keep the scores; without them a note says that they are left out.
    """

    scores: bool = True

    def _count_classes(self) -> int:
        path = self._file()
        if match := re.match(r"ntu(60|120)_", path.name):
            return int(match[1])
        labels: list[Any] = [a.get("label") for a in _annotations(path)[1] if isinstance(a, dict)]
        return 1 + max((int(label) for label in labels if is_label(label)), default=0)

    def _file(self) -> Path:
        return one_file(self.root, r".+\.pkl", "a file such as ntu60_3danno.pkl")

    def units(self) -> Sequence[Unit]:
        """The file."""
        return [Unit(self._file())]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clips."""
        parts, annotations, notes = _annotations(unit.path)
        seen: set[str] = set()
        for i, annotation in enumerate(annotations):
            where = f"{unit.path}, annotation {i}"
            try:
                yield self._recording(where, annotation, parts, seen, list(notes))
            except Broken as broken:
                yield Fault(where, broken.reason)

    def _recording(
        self, where: str, annotation: Any, parts: Parts, seen: set[str], notes: list[str]
    ) -> Recording | Fault:
        if not isinstance(annotation, dict):
            raise Broken(f"is a {type(annotation).__name__}, expected a dict of frame_dir, label and keypoint")
        name, points = annotation.get("frame_dir"), annotation.get("keypoint")
        label: Any = annotation.get("label")
        if not isinstance(name, str) or not 0 < len(name) <= 200 or name in seen:
            raise Broken(f"its frame_dir is {shown(repr(name))}, expected a name that no other has")
        if not is_label(label):
            raise Broken(f"its label is {shown(repr(label))}, expected a whole number from 0")
        if not isinstance(points, np.ndarray) or points.ndim != 4 or points.dtype.kind != "f" or 0 in points.shape:
            raise Broken("its keypoint must be a floating-point array (M, T, V, C)")
        self.check_joints(points.shape[2])
        if points.shape[1] > MAX_FRAMES or points.shape[3] > 4:
            raise Broken(f"its keypoint has shape {points.shape}, larger than any recording")
        points = self._with_scores(np.asarray(points), annotation.get("keypoint_score"), notes)
        persons, frames, joints, channels = points.shape
        if persons > 2:
            notes.append(f"{persons - 2} people left out: the file has {persons}")
        people = np.zeros((frames, 2, joints, channels), np.float32)
        people[:, : min(persons, 2)] = points[:2].transpose(1, 0, 2, 3)
        seen.add(name)
        return clip(where, people, notes, name=name, label=int(label), parts=parts.get(name, {}), **about_name(name))

    def _with_scores(self, points: Array, scores: Any, notes: list[str]) -> Array:
        if scores is None:
            return points
        if not isinstance(scores, np.ndarray) or scores.shape != points.shape[:3] or scores.dtype.kind != "f":
            raise Broken(f"its keypoint_score must be a floating-point array {points.shape[:3]}, as its keypoint is")
        if points.shape[3] != 2 or not self.scores:
            notes.append("keypoint_score is left out" + (": keypoint has three channels" * (points.shape[3] != 2)))
            return points
        scores = np.nan_to_num(np.asarray(scores), nan=0.0, posinf=0.0, neginf=0.0)[..., None]
        return np.where(scores == 0, np.nan, np.concatenate([points, scores], 3))


@functools.lru_cache(maxsize=1)
def _annotations(path: Path) -> tuple[Parts, list[Any], tuple[str, ...]]:
    """By clip, its part of each protocol; the annotations; and what every clip has to say."""
    content = read_pickle(path)
    if isinstance(content, list):
        content = {"annotations": content}
    split, annotations = (content.get(k) for k in ("split", "annotations")) if isinstance(content, dict) else (0, 0)
    if not isinstance(split, dict | None) or not isinstance(annotations, list):
        raise Broken("is no dict of 'split', a dict, and 'annotations', a list; nor a list of annotations")
    if not annotations:
        raise Broken("holds no annotations")
    named: dict[tuple[str, str], list[Any]] = {}  # by protocol and word
    unused = []
    for key, names in (split or {}).items():
        found = _PART.search(key) if isinstance(key, str) and len(key) <= 60 else None
        if not isinstance(names, list | tuple):
            raise Broken(f"has split {shown(repr(key))}, expected a list of clips")
        if found is None:
            unused.append(shown(str(key)))
            continue
        rest = (key[: found.start()] + key[found.end() :]).strip(" _-.")
        protocol = f"split{rest}" if rest.isdigit() else rest or "given"
        named.setdefault((protocol, _WORDS[found[1].lower()]), []).extend(names)
    parts: dict[str, dict[str, str]] = {}
    for (protocol, word), names in named.items():
        beside = word == "val" and (protocol, "test") in named
        mine = [f"{protocol}_val"] if beside else [protocol]
        if word == "train" and {(protocol, "val"), (protocol, "test")} <= named.keys():
            mine.append(f"{protocol}_val")
        for name in names:
            if isinstance(name, str):
                parts.setdefault(name, {}).update(dict.fromkeys(mine, "train" if word == "train" else "test"))
    said = f"split {', '.join(unused[:5])} is not used: a name says train, val or test" if unused else None
    return parts, annotations, (said,) if said else ()
