"""Arrays that people already have, as ST-GCN, AimCLR and HiCLR, and CTR-GCN prepare them."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug.arrays import ArrayError, StoredArray
from skelaug_contrib.datasets.sources import ntu
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, guarded
from skelaug_contrib.datasets.sources.folder import Named
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.pickles import read_pickle
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit

__all__ = ["CTRGCN", "AimCLR", "Arrays", "about_name", "is_label", "one_file"]

Array = npt.NDArray[Any]

_CHUNK = 256  # clips a unit
_LIMIT = 1 << 26  # bytes of a clip: NTU's, padded to 300 frames, are 180 kB
_MAX_LABELS = 1 << 28  # bytes of all labels
_MAX_CLASSES = 10_000
_XYZ = 3
_CLIPS = re.compile(r"(train|val|test)_(position|data|data_joint|joint)\.npy")


def one_file(root: Path, name: str, what: str) -> Path:
    """``root`` itself if it is a file, or the one in it whose name matches.

    Raises:
        ArrayError: there is none, or there are several.
    """
    if root.is_file():
        return root
    files = find(root, re.compile(name), what)
    if len(files) > 1:
        raise ArrayError(f"{root}: several would do ({', '.join(f.name for f in files[:5])}); name one of them")
    return files[0]


@dataclass(frozen=True)
class Arrays(Named):
    """A reader of arrays."""

    @property
    def class_names(self) -> Sequence[str]:
        """NTU's where there are 60 or 120 classes, else numbered.

        Raises:
            ArrayError: the file that holds the labels cannot be read.
        """
        try:
            count = self._count_classes()
        except (Broken, OSError) as error:
            raise ArrayError(f"{self.root}: the classes cannot be counted: {error}") from None
        return ntu.class_names(count) if count in (60, 120) else tuple(f"class_{i}" for i in range(count))

    def _count_classes(self) -> int:
        raise NotImplementedError


def about_name(name: str) -> dict[str, int]:
    """Subject, view and episode, where the name is one of NTU's."""
    found = ntu.name_parts(name.removesuffix(".skeleton"))
    if found is None:
        return {}
    setup, camera, performer, replication, _ = found
    return {"subject": performer, "view": camera, "episode": 10 * setup + replication}


def _end(clip: Array) -> int:
    """Frames of ``(T, M, V, C)`` up to the last in which anybody is there, at least 1: the rest is padding."""
    seen = np.flatnonzero((clip != 0).any((1, 2, 3)))
    return int(seen[-1]) + 1 if len(seen) else 1


def _chunks(path: Path, first: int, count: int) -> list[Unit]:
    return [Unit(path, i, min(i + _CHUNK, first + count)) for i in range(first, first + count, _CHUNK)]


# --- ST-GCN, AimCLR, HiCLR, and others of their line ------------------------------------------------------------------


@dataclass(frozen=True)
class AimCLR(Arrays):
    """Files ``train_position.npy``, ``val_position.npy`` with ``train_label.pkl``, ``val_label.pkl`` in one folder.

    ST-GCN's ``train_data.npy`` and 2s-AGCN's ``train_data_joint.npy`` are read too, each with ``train_label.pkl``. The
    array is ``(N, C, T, V, M)``; the pickle holds the clips' names and their labels, from 0. The folder's name is the
    protocol if it is ``xsub``, ``xview`` or ``xset``, else the protocol is called ``given``; ``train`` trains and
    ``val`` or ``test`` tests. All-zero frames at the end are padding. Subject, view and episode follow from names such
    as ``S001C001P001R001A001``.

    Args:
        root: the folder.
        joints: the skeleton of the V joints, or the name of a known one.
    """

    def _count_classes(self) -> int:
        return 1 + max(max(_labels(_label_file(path))[1]) for path in self._files())

    def _files(self) -> list[Path]:
        what = "files such as train_position.npy, train_data.npy or train_data_joint.npy, and train_label.pkl"
        files = find(self.root, _CLIPS, what)
        folders = sorted({path.parent for path in files})
        if len(folders) > 1:
            some = ", ".join(str(folder) for folder in folders[:4])
            raise ArrayError(f"{self.root}: holds arrays of several protocols ({some}); name one folder")
        kinds = sorted({_kind(path) for path in files})
        if len(kinds) > 1:
            raise ArrayError(f"{self.root}: holds clips twice, as {' and '.join(kinds)}; keep one kind in a folder")
        return files

    def units(self) -> Sequence[Unit]:
        """256 clips each."""
        units: list[Unit] = []
        for path in self._files():
            try:
                units += _chunks(path, 0, StoredArray.open(path).shape[0])
            except (ArrayError, OSError, IndexError):
                units.append(Unit(path))  # to read it says what is wrong
        return units

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clips."""
        array = StoredArray.open(unit.path)
        count, *one = array.shape if len(array.shape) == 5 and 0 not in array.shape else (0,)
        if not count or array.dtype.kind != "f":
            raise Broken(f"must be floating point (N, C, T, V, M), got {array.dtype} {array.shape}")
        if math.prod(one) * array.dtype.itemsize > _LIMIT or one[1] > MAX_FRAMES:
            raise Broken(f"has clips of shape {tuple(one)}, larger than any recording")
        self.check_joints(one[2])
        names, labels = _labels(_label_file(unit.path))
        if len(names) != count:
            raise Broken(f"has {count} clips, {_label_file(unit.path).name} has {len(names)}")
        protocol = unit.path.parent.name if unit.path.parent.name in ("xsub", "xview", "xset") else "given"
        part = "train" if unit.path.name.startswith("train") else "test"
        for i, row in enumerate(array.rows(1, unit.start, unit.stop), unit.start):
            people = row[0].transpose(1, 3, 2, 0)
            name = names[i].removesuffix(".skeleton")
            about: dict[str, Any] = {"name": name, "label": labels[i], "parts": {protocol: part}, **about_name(name)}
            yield clip(f"{unit.path}, clip {i}", people[: _end(people)], **about)


def _kind(path: Path) -> str:
    """Such as ``position.npy``."""
    return path.name.split("_", 1)[1]


def _label_file(path: Path) -> Path:
    return path.with_name(path.name.split("_")[0] + "_label.pkl")


@functools.lru_cache(maxsize=4)
def _labels(path: Path) -> tuple[list[str], list[int]]:
    """Names and labels of a label file."""
    try:
        content = read_pickle(path)
    except Broken as broken:
        raise Broken(f"{path.name}: {broken.reason}") from None
    names, labels = content[:2] if isinstance(content, tuple | list) and len(content) >= 2 else (None, None)
    if not isinstance(names, list) or not isinstance(labels, list | np.ndarray) or len(names) != len(labels):
        raise Broken(f"{path.name}: expected a list of names and one of as many labels")
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names):
        raise Broken(f"{path.name}: its names are not all strings")
    if not all(is_label(label) for label in labels):
        raise Broken(f"{path.name}: its labels are not all whole numbers from 0")
    return names, [int(label) for label in labels]


def is_label(label: Any) -> bool:
    """Whether it is a whole number that a label can be."""
    return isinstance(label, int | np.integer) and not isinstance(label, bool) and 0 <= int(label) < _MAX_CLASSES


# --- CTR-GCN, and others of its line ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CTRGCN(Arrays):
    """A file such as ``NTU60_CS.npz``: ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    ``x`` is ``(N, T, M V 3)``; ``y`` is one-hot ``(N, classes)``, or labels ``(N,)``. The name tells
    the protocol: CS or CSub is ``xsub``, CV is ``xview``, CSet is ``xset``, another one is ``given``. Clips have no
    names there, so they are called ``train_00000`` and so on, and nobody knows their subjects. All-zero frames at the
    end are padding.

    An array that ``numpy.savez`` wrote is read where it is needed; one of ``savez_compressed`` has to be read from its
    beginning, so that each of the two is one piece of work.

    Args:
        root: the file, or a folder with one.
        joints: name of the known skeleton that the V joints are.
    """

    def _count_classes(self) -> int:
        return max(_one_hot(self._file(), part)[1] for part in ("train", "test"))

    def _file(self) -> Path:
        return one_file(self.root, r".+\.npz", "a file such as NTU60_CS.npz")

    def units(self) -> Sequence[Unit]:
        """256 clips each, or all that train and all that test; the test clips are counted on from the others."""
        path = self._file()
        try:
            first = 0
            units: list[Unit] = []
            for part in ("train", "test"):
                array = StoredArray.open(path, f"x_{part}")
                count = array.shape[0]
                units += [Unit(path, first, first + count)] if array.start is None else _chunks(path, first, count)
                first += count
        except (ArrayError, OSError, IndexError):
            return [Unit(path)]
        return units

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clips."""
        path, first = unit.path, 0
        code = re.search(r"CSub|CSet|CS|CV", path.stem)
        protocol = {"CSub": "xsub", "CS": "xsub", "CV": "xview", "CSet": "xset"}[code[0]] if code else "given"
        for part in ("train", "test"):
            array = StoredArray.open(path, f"x_{part}")
            frames, people = _check_clips(array, len(self.skeleton))
            count = array.shape[0]
            start, stop = max(unit.start - first, 0), count if unit.stop is None else min(unit.stop - first, count)
            first += count
            if start >= stop:
                continue
            labels, _ = _one_hot(path, part)
            if len(labels) != count:
                raise Broken(f"has {count} clips in x_{part}, but {len(labels)} labels in y_{part}")
            for i, row in enumerate(array.rows(1, start, stop), start):
                where = f"{path}, clip {part}_{i:05}"
                if labels[i] < 0:
                    yield Fault(where, f"its row of y_{part} does not name one class")
                    continue
                points = row.reshape(frames, people, len(self.skeleton), _XYZ)
                about: dict[str, Any] = {"name": f"{part}_{i:05}", "label": int(labels[i]), "parts": {protocol: part}}
                yield clip(where, points[: _end(points)], **about)


def _check_clips(array: StoredArray, joints: int) -> tuple[int, int]:
    """Frames and people of clips ``(N, T, M V 3)``."""
    each, shape = joints * _XYZ, array.shape
    if len(shape) != 3 or 0 in shape or array.dtype.kind != "f" or shape[2] % each or shape[2] > 10 * each:
        raise Broken(f"has {array.name} {array.dtype} {shape}, expected floating point (N, T, {each} a person)")
    if shape[1] > MAX_FRAMES or shape[1] * shape[2] * array.dtype.itemsize > _LIMIT:
        raise Broken(f"has clips of shape {shape[1:]} in {array.name}, larger than any recording")
    return shape[1], shape[2] // each


def _one_hot(path: Path, part: str) -> tuple[npt.NDArray[np.int64], int]:
    """Labels, -1 where a row does not name one class, and the number of classes."""
    array = StoredArray.open(path, f"y_{part}")
    if math.prod(array.shape) * array.dtype.itemsize > _MAX_LABELS or 0 in array.shape:
        raise Broken(f"has {array.name} of shape {array.shape}, which labels cannot have")
    y = array.load()
    if y.ndim == 1 and y.dtype.kind in "iu":
        labels = np.where((y >= 0) & (y < _MAX_CLASSES), y, -1).astype(np.int64)
        return labels, int(labels.max()) + 1 if labels.max() >= 0 else 1
    if y.ndim != 2 or y.shape[1] > _MAX_CLASSES:
        raise Broken(f"has y_{part} {y.dtype} {y.shape}, expected one-hot rows (N, classes) or labels (N,)")
    good = ((y == 0) | (y == 1)).all(1) & ((y == 1).sum(1) == 1)
    return np.where(good, (y == 1).argmax(1), -1).astype(np.int64), y.shape[1]
