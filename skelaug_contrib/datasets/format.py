"""The format of a prepared data set: a folder of .npy arrays, memory-mapped, and one JSON file.

==================  =================================================================================================
x.npy               float32 ``(S, C, T, V, M)`` = clip, coordinate, frame, joint, person; 0 from a clip's length on
                    and where a person is absent; NaN in all coordinates of a joint that was not observed
length.npy          int64 ``(S,)``, valid frames of each clip, 1 … T
label.npy           int64 ``(S,)``, class index, from 0
subject.npy         int64 ``(S,)``, who acts; this and the next two only where they are known
view.npy            int64 ``(S,)``, which camera
episode.npy         int64 ``(S,)``, which repetition
frame_label.npy     int64 ``(S, T)``, class index of each frame, −100 where there is none; only where they are known
dataset.json        format, version, counts, skeleton, names of clips and classes, splits as lists of clip indices
report.json         what ``skelaug prepare`` left out and why, and what it found; only where it wrote the folder
==================  =================================================================================================

Version 1 knew neither joints that were not observed nor labels of frames, and is still read.

Nothing in it is ever unpickled: to open a folder from anywhere runs no code of its author.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug import check
from skelaug.arrays import ArrayError, refuse_pointer
from skelaug.files import Output
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets import holes
from skelaug_contrib.datasets.checks import (
    Ints,
    Splits,
    check_frame_label,
    check_parts,
    to_coords,
    to_ints,
    to_splits,
    to_strings,
)

__all__ = ["FORMAT", "VERSION", "PreparedDataset", "output", "write"]

FORMAT, VERSION = "skelaug prepared dataset", 2
_READABLE = (1, VERSION)
_REQUIRED, _OPTIONAL = ("length", "label"), ("subject", "view", "episode")
_ABOUT = ("counts", "skeleton", "names", "class_names", "splits")
_COUNTS = ("clips", "coordinates", "frames", "joints", "persons")
_FILES = re.compile(rf"(dataset|report)\.json|({'|'.join(('x', *_REQUIRED, *_OPTIONAL, 'frame_label'))})\.npy")
_PART = 1 << 25  # bytes that are written at a time

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class PreparedDataset:
    """A prepared data set, opened by :meth:`open`, written by :func:`write`. S clips; x stays on disk.

    A pickled data set is its path: worker processes map the same file anew.

    Attributes:
        path: its folder.
        x: float32 ``(S, C, T, V, M)``, memory-mapped; sequences as they were recorded, NaN where a joint was not
            observed. :class:`~skelaug.SkeletonBatch` reads it so.
        missing: how many joints were not observed, over all clips and frames.
        length, label: int64 ``(S,)``, as in the table above.
        subject, view, episode: likewise, or None where they are not known.
        names: of the clips.
        class_names: of the classes.
        skeleton: what the V joints are.
        splits: by protocol, such as ``"xview"``, the clip indices of ``"train"`` and ``"test"``, and perhaps of parts
            of the test such as ``"test_clean"``.
        frame_label: int64 ``(S, T)``, memory-mapped, or None where they are not known.
        coords: which of the C channels are coordinates, where not all are; None: all.

    Example:
        >>> import tempfile, skelaug
        >>> x = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], 4, 20).x.numpy()
        >>> columns = {"length": [20] * 4, "label": [0, 1, 0, 1], "subject": [1, 1, 2, 2]}
        >>> about = {"names": list("abcd"), "class_names": ["wave", "kick"], "skeleton": skelaug.skeletons["ntu25"]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(f"{folder}/four", x=x, splits={"xsub": {"train": [0, 1], "test": [2, 3]}}, **columns, **about)
        PreparedDataset('...four': 4 clips (3, 20, 25, 1), 2 classes; xsub)
    """

    path: Path
    x: np.memmap[Any, np.dtype[np.float32]]
    length: Ints
    label: Ints
    subject: Ints | None
    view: Ints | None
    episode: Ints | None
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    skeleton: Skeleton
    splits: Splits
    missing: int = 0
    frame_label: np.memmap[Any, np.dtype[np.int64]] | None = None
    coords: tuple[int, ...] | None = None

    @classmethod
    def open(cls, path: str | Path) -> PreparedDataset:
        """Open a folder and check it; of x only the header is read.

        Raises:
            ArrayError: no such folder, another kind of folder, another version, a missing or damaged file, parts that
                disagree, labels or splits out of range.
        """
        path = Path(path).resolve()
        about = _read_about(path)
        x = _load(path / "x.npy", mapped=True)
        columns = {name: _load(path / f"{name}.npy") for name in _REQUIRED}
        columns |= {name: _load(path / f"{name}.npy") for name in _OPTIONAL if (path / f"{name}.npy").exists()}
        if not isinstance(x, np.memmap) or x.dtype != np.float32 or x.ndim != 5 or not x.flags.c_contiguous:
            wanted = "must be float32 (S, C, T, V, M) in C order"
            raise ArrayError(f"{path / 'x.npy'}: {wanted}, got {x.dtype} {x.shape}; prepare the data anew")
        counts = dict(zip(_COUNTS, x.shape, strict=True))
        if about["counts"] != counts:
            raise ArrayError(f"{path}: dataset.json promises {about['counts']}, x.npy holds {counts}: files are mixed")
        try:
            skeleton = Skeleton.from_dict(about["skeleton"])
        except (ValueError, TypeError, AttributeError) as error:
            raise ArrayError(f"{path / 'dataset.json'}: no skeleton ({error})") from error
        names, class_names = (to_strings(path, name, about[name]) for name in ("names", "class_names"))
        splits = to_splits(path, about["splits"])
        check_parts(path, x.shape, columns, names, class_names, skeleton, splits)
        coords = to_coords(path, about.get("coords"), x.shape[1])
        columns = dict.fromkeys(_OPTIONAL) | columns
        frame_label = None
        if (path / "frame_label.npy").exists():
            frame_label = _load(path / "frame_label.npy", mapped=True)
            if frame_label.dtype != np.int64 or frame_label.shape != (len(x), x.shape[2]):
                got = f"{frame_label.dtype} {frame_label.shape}"
                raise ArrayError(f"{path}: frame_label must be int64 (S, T) = {(len(x), x.shape[2])}, got {got}")
        return cls(
            path=path,
            x=x,
            names=names,
            class_names=class_names,
            skeleton=skeleton,
            splits=splits,
            missing=_missing(path, about),
            frame_label=frame_label,
            coords=coords,
            **columns,
        )

    def __len__(self) -> int:
        return len(self.length)

    def clip(self, i: int) -> Floats:
        """Clip i, float32 ``(C, T, V, M)``, without what follows its length; NaN where a joint was not observed."""
        return np.asarray(self.x[i, :, : self.length[i]])

    def body(self, i: int) -> Floats:
        """Clip i as :meth:`clip`, its coordinates alone."""
        clip = self.clip(i)
        return clip if self.coords is None else clip[list(self.coords)]

    def __reduce__(self) -> Any:
        return PreparedDataset.open, (self.path,)

    def __repr__(self) -> str:
        protocols = ", ".join(self.splits) or "no protocols"
        return (
            f"PreparedDataset({str(self.path)!r}: {len(self)} clips {self.x.shape[1:]}, {len(self.class_names)} "
            f"classes; {protocols})"
        )


def output(path: Path) -> Output:
    """The folder as what ``skelaug prepare`` writes, which alone it may replace."""
    return Output(path, "a prepared data set", "dataset.json", _FILES)


def write(
    path: str | Path,
    *,
    x: Floats | Iterable[Floats],
    length: npt.ArrayLike,
    label: npt.ArrayLike,
    names: Sequence[str],
    class_names: Sequence[str],
    skeleton: Skeleton | str,
    subject: npt.ArrayLike | None = None,
    view: npt.ArrayLike | None = None,
    episode: npt.ArrayLike | None = None,
    splits: Mapping[str, Mapping[str, npt.ArrayLike]] | None = None,
    frame_label: npt.ArrayLike | None = None,
    coords: int | Sequence[int] | None = None,
    report: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    beside: Path | None = None,
) -> PreparedDataset:
    """Write a prepared data set; the folder appears whole or not at all.

    It grows beside its place, is brought to the disk (fsync) and renamed. After an error or an interrupt nothing is
    left; after ``kill -9`` or a power cut, at most a hidden folder that the next run ignores.

    Args:
        path: the new folder.
        x: float32 ``(S, C, T, V, M)``, or an iterable of such arrays with some clips each, in order: then one of them
            is in memory at a time. 0 from a clip's length on, and where a person is absent; a joint of which a value
            is not finite was not observed.
        length: ``(S,)`` valid frames, 1 … T.
        label: ``(S,)`` class index, from 0.
        names: S names of clips.
        class_names: names of the classes.
        skeleton: of the V joints, or its name.
        subject: ``(S,)`` who acts.
        view: ``(S,)`` which camera.
        episode: ``(S,)`` which repetition.
        splits: by protocol, the clip indices of ``train`` and ``test``, which share no clip, and perhaps of parts of
            the test, named ``test_…``.
        frame_label: ``(S, T)`` class index of each frame, −100 where it has none, as after a clip's length.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        report: plain data about how it was made, for ``report.json``.
        overwrite: replace a prepared data set that is there.
        beside: the folder on the same disk in which it is made; that of ``path`` if left out.

    Returns:
        The data set, opened.

    Raises:
        ArrayError: a part is off or parts disagree; the message says which.
        FileExistsError: the folder exists, or holds what is no part of a prepared data set.
        OSError: the disk is full, or the folder cannot be written.
    """
    path, skeleton = Path(path).resolve(), check.skeleton("write", skeleton)
    given = {"length": length, "label": label, "subject": subject, "view": view, "episode": episode}
    columns = {name: to_ints(path, name, column) for name, column in given.items() if column is not None}
    indices = to_splits(path, splits or {})
    parts = _parts(x)
    first = _check_part(path, next(parts, None), None)
    shape = (len(columns["label"]), *first.shape[1:])
    names, class_names = to_strings(path, "names", list(names)), to_strings(path, "class_names", list(class_names))
    check_parts(path, shape, columns, names, class_names, skeleton, indices)
    frames = None
    if frame_label is not None:
        frames = check_frame_label(path, frame_label, shape, columns["length"], len(class_names))
    about: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "counts": dict(zip(_COUNTS, shape, strict=True)),
        "skeleton": skeleton.to_dict(),
        "class_names": class_names,
        "splits": {name: {part: v.tolist() for part, v in parts.items()} for name, parts in indices.items()},
        "names": names,
    }
    channels = to_coords(path, coords, shape[1])
    if channels is not None:  # an older skelaug reads the folder, too
        about["coords"] = channels
    with output(path).written(overwrite, beside) as folder:
        size, free = math.prod(shape) * 4, shutil.disk_usage(folder).free
        if size > free:
            raise OSError(errno.ENOSPC, f"{path} needs {size / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
        for name, column in columns.items():
            np.save(folder / f"{name}.npy", column, allow_pickle=False)
        if frames is not None:
            np.save(folder / "frame_label.npy", frames, allow_pickle=False)
        if report is not None:
            (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        about["missing"] = _write_x(folder / "x.npy", path, shape, columns["length"], first, parts)
        (folder / "dataset.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    return PreparedDataset.open(path)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_about(path: Path) -> dict[str, Any]:
    file = path / "dataset.json"
    if not path.is_dir():
        what = "is a file" if path.exists() else "no such folder"
        raise ArrayError(f"{path}: {what}; a prepared data set is a folder, which skelaug prepare writes")
    if not file.is_file():
        raise ArrayError(f"{path}: not a prepared data set: it has no dataset.json; skelaug prepare writes one")
    refuse_pointer(file)
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArrayError(f"{file}: cannot be read ({error}); prepare the data anew") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ArrayError(f"{file}: does not describe a prepared data set: its format should be {FORMAT!r}")
    if about.get("version") not in _READABLE:
        version = f"format version {about.get('version')!r}, this skelaug reads {' and '.join(map(str, _READABLE))}"
        raise ArrayError(f"{file}: {version}; prepare the data anew, or use the skelaug that wrote it")
    missing = [key for key in _ABOUT if key not in about]
    if missing:
        raise ArrayError(f"{file}: lacks {', '.join(missing)}; prepare the data anew")
    return about


def _missing(path: Path, about: Mapping[str, Any]) -> int:
    found = about.get("missing", 0)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise ArrayError(f"{path / 'dataset.json'}: missing must be a whole number ≥ 0, got {found!r}")
    return found


def _load(file: Path, *, mapped: bool = False) -> Any:
    if not file.is_file():
        raise ArrayError(f"{file}: missing; the folder is not complete: prepare the data anew, or copy it again")
    refuse_pointer(file)
    try:
        if mapped:
            return np.lib.format.open_memmap(file, mode="r")
        with file.open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header reaches Python's tokenizer, which raises what it likes
        raise ArrayError(f"{file}: not a readable NumPy file ({error}); copy it again") from error


# --- writing ---------------------------------------------------------------------------------------------------------


def _parts(x: Floats | Iterable[Floats]) -> Iterator[Floats]:
    """``x`` in parts of bounded size, or as it comes."""
    if not isinstance(x, np.ndarray):
        yield from x
        return
    size = max(1, _PART // max(1, x[:1].nbytes))
    for start in range(0, len(x), size):
        yield x[start : start + size]


def _check_part(path: Path, part: Any, tail: tuple[int, ...] | None) -> Floats:
    if part is None:
        raise ArrayError(f"{path}: x is empty")
    if not isinstance(part, np.ndarray) or part.dtype != np.float32 or part.ndim != 5:
        got = f"{part.dtype} {part.shape}" if isinstance(part, np.ndarray) else type(part).__name__
        raise ArrayError(f"{path}: x must be float32 (S, C, T, V, M) or an iterable of such arrays, got {got}")
    if tail is not None and part.shape[1:] != tail:
        raise ArrayError(f"{path}: all parts of x must share (C, T, V, M) = {tail}, got {part.shape[1:]}")
    return part


def _write_x(
    file: Path, path: Path, shape: tuple[int, ...], length: Ints, first: Floats, rest: Iterator[Floats]
) -> int:
    """Write x part by part, and tell how many joints are missing in it."""
    done = missing = 0
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for part in itertools.chain([first], rest):
            _check_part(path, part, shape[1:])
            stop = done + len(part)
            if stop > shape[0]:
                raise ArrayError(f"{path}: x has more clips than label, which has {shape[0]}")
            part = holes.marked(part)
            _check_padding(path, part, length[done:stop], done)
            missing += holes.count(part)
            out.write(np.ascontiguousarray(part, "<f4").data)
            done = stop
    if done != shape[0]:
        raise ArrayError(f"{path}: x has {done} clips, label has {shape[0]}")
    return missing


def _check_padding(path: Path, part: Floats, length: Ints, start: int) -> None:
    frames = np.abs(part).max((1, 3, 4), initial=0)  # NaN, which is not 0 either, survives it
    wrong = np.flatnonzero(((frames != 0) & (np.arange(part.shape[2]) >= length[:, None])).any(1))
    if len(wrong):
        n = wrong[0]
        raise ArrayError(f"{path}: clip {start + n} of x is not 0 after its length, {length[n]} frames")
