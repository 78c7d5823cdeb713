"""The work folder of a run that reads many files: what is done lies there in shards, and survives the run's death.

A shard holds the recordings of some units: ``00012.bin``, their coordinates (and, behind each, the poses by which twins
are found), and ``00012.json``, all else. Both are written under another name and then renamed, the JSON file last: it
is there when the shard is done, whole. Beside them, ``state.json`` says of which run they are.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

import skelaug
from skelaug.arrays import ArrayError
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.facts import Facts, Floats, facts_of
from skelaug_contrib.datasets.sources.source import Fault, Recording, Source, Unit

__all__ = ["Row", "Shard", "WorkFolder", "read_shard", "write_shard"]

_UNITS, _BYTES = 64, 1 << 23  # a shard is a task: so many files at most, or so many bytes of them


@dataclass(frozen=True, slots=True)
class Row:
    """All of a recording but its coordinates, which lie in a shard's file from ``offset`` on."""

    name: str
    shape: tuple[int, int, int, int]
    label: int
    subject: int | None
    view: int | None
    episode: int | None
    parts: Mapping[str, str]
    notes: tuple[str, ...]
    facts: Facts
    poses: tuple[int, int]
    where: str
    file: Path
    offset: int

    def read(self) -> Floats:
        """The coordinates ``(C, T, V, M)``."""
        return np.fromfile(self.file, "<f4", math.prod(self.shape), offset=self.offset).reshape(self.shape)

    def read_poses(self) -> Floats:
        """See :func:`~skelaug_contrib.datasets.facts.facts_of`."""
        start = self.offset + 4 * math.prod(self.shape)
        return np.fromfile(self.file, "<f4", math.prod(self.poses), offset=start).reshape(self.poses)


@dataclass(frozen=True)
class Shard:
    """What came of some units."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class WorkFolder:
    """The folder ``OUT.partial``, of one run at a time.

    Args:
        path: the folder.
        source: what is read.
        units: of it.
        discard: give up what another run has left there.

    Raises:
        ArrayError: it holds the unfinished run of other files or another source.
        OSError: another process is at work in it, or it cannot be written.
    """

    def __init__(self, path: Path, source: Source, units: Sequence[Unit], *, discard: bool) -> None:
        self.path = path
        sizes, listing = _listing(units)
        self.tasks = _tasks(units, sizes)
        self._state = {
            "skelaug": skelaug.__version__,
            "source": repr(source),
            "skeleton": source.skeleton.to_dict(),
            "classes": list(source.class_names),
            "units": len(units),
            "listing": listing,
        }
        self._discard = discard
        self._lock: IO[str] | None = None

    def __enter__(self) -> WorkFolder:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / "lock").open("w")
        _lock(self._lock, self.path)
        state = json.loads(json.dumps(self._state))
        found = self._found()
        if found != state:
            if found is not None and not self._discard:
                other = ", ".join(name for name in state if found.get(name) != state[name])
                self._lock.close()
                raise ArrayError(
                    f"{self.path}: holds an unfinished run of something else ({other} changed since); remove that "
                    f"folder, or overwrite, to begin anew"
                )
            self._clear()
            with _replacing(self.path / "state.json") as file:
                file.write(json.dumps(state, indent=1).encode())
        for leftover in self.path.glob(".*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def remove(self) -> None:
        """All is done: nothing of it is needed any more."""
        shutil.rmtree(self.path)

    def name(self, task: int) -> Path:
        """A shard's file, without its ending."""
        return self.path / f"{task:06d}"

    def is_done(self, task: int) -> bool:
        """Whether the shard is there, whole."""
        return self.name(task).with_suffix(".json").exists()

    def shards(self) -> Iterator[Shard]:
        """All shards, in the order of the units, when all are done."""
        for task in range(len(self.tasks)):
            yield read_shard(self.name(task))

    def _found(self) -> Any:
        try:
            return json.loads((self.path / "state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}

    def _clear(self) -> None:
        for file in self.path.iterdir():
            if file.name != "lock":
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def write_shard(name: Path, source: Source, units: Iterable[Unit]) -> tuple[int, int]:
    """Read units and write their shard.

    Returns:
        The number of recordings and of faults.

    Raises:
        OSError: the disk is full or cannot be written. What cannot be read is a fault, and no error.
    """
    rows: list[dict[str, Any]] = []
    faults: list[Fault] = []
    try:
        with _replacing(name.with_suffix(".bin")) as file:
            for unit in units:
                for found in _read(source, unit):
                    if isinstance(found, Fault):
                        faults.append(found)
                        continue
                    x = np.ascontiguousarray(found.x, "<f4")
                    facts, poses = facts_of(x)
                    rows.append(_plain(found, unit, facts, poses, file.tell()))
                    file.write(x.data)
                    file.write(np.ascontiguousarray(poses, "<f4").data)
        about = {"rows": rows, "faults": [[fault.where, fault.reason, fault.line] for fault in faults]}
        with _replacing(name.with_suffix(".json")) as file:
            file.write(json.dumps(about).encode())
    except OSError as error:
        raise OSError(
            error.errno,
            f"{name.parent} cannot be written: {error.strerror}; what is done is kept there: mend that, "
            f"and give the same command again",
        ) from error
    return len(rows), len(faults)


def read_shard(name: Path) -> Shard:
    """What :func:`write_shard` wrote, but the coordinates, which rows read by themselves.

    Raises:
        ArrayError: the file was damaged since.
    """
    file = name.with_suffix(".json")
    try:
        about = json.loads(file.read_bytes())
        data = name.with_suffix(".bin")
        rows = [_row(row, data) for row in about["rows"]]
        return Shard(rows, [Fault(*fault) for fault in about["faults"]])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArrayError(f"{file}: cannot be read ({error}); remove the folder {name.parent} and begin anew") from error


def _read(source: Source, unit: Unit) -> Iterator[Recording | Fault]:
    """What the source gives; a reader that breaks its promises costs a file, not the run."""
    try:
        for found in source.read(unit):
            wrong = None if isinstance(found, Fault) else _wrong(found, source.skeleton, len(source.class_names))
            yield found if wrong is None else Fault(f"{unit.path} ({found.name})", wrong)  # type: ignore[union-attr]
    except Exception as error:
        yield Fault(str(unit.path), f"the reader failed: {type(error).__name__}: {error}")


def _wrong(recording: Recording, skeleton: Skeleton, classes: int) -> str | None:
    x = recording.x
    if x.ndim != 4 or x.dtype != np.float32 or 0 in x.shape or x.shape[2] != len(skeleton):
        return f"must be float32 (C, T, {len(skeleton)}, M), at least a frame and a person, got {x.dtype} {x.shape}"
    if not np.isfinite(x).all():
        return "a coordinate is not finite"
    if not 0 <= recording.label < classes:
        return f"label must lie in 0 … {classes - 1}, got {recording.label}"
    return None


def _plain(found: Recording, unit: Unit, facts: Facts, poses: Floats, offset: int) -> dict[str, Any]:
    def whole(value: int | None) -> int | None:
        return None if value is None else int(value)

    return {
        "name": found.name,
        "shape": found.x.shape,
        "label": int(found.label),
        "subject": whole(found.subject),
        "view": whole(found.view),
        "episode": whole(found.episode),
        "parts": dict(found.parts),
        "notes": list(found.notes),
        "facts": facts.to_dict(),
        "poses": poses.shape,
        "where": str(unit.path),
        "offset": offset,
    }


def _row(plain: dict[str, Any], file: Path) -> Row:
    given = plain | {
        "shape": tuple(plain["shape"]),
        "notes": tuple(plain["notes"]),
        "facts": Facts.from_dict(plain["facts"]),
        "poses": tuple(plain["poses"]),
    }
    return Row(**given, file=file)


def _tasks(units: Sequence[Unit], sizes: Sequence[int]) -> list[list[Unit]]:
    """Units in runs that are worth a task each: a function of the listing alone, so that a resumed run has the same."""
    tasks: list[list[Unit]] = []
    room = 0
    for unit, size in zip(units, sizes, strict=True):
        if not tasks or len(tasks[-1]) >= _UNITS or size > room:
            tasks.append([])
            room = _BYTES
        tasks[-1].append(unit)
        room -= size
    return tasks


def _listing(units: Sequence[Unit]) -> tuple[list[int], str]:
    """The size of each unit, and a fingerprint of them all: their files' names, sizes and times."""
    shared: dict[Path, int] = {}
    for unit in units:
        shared[unit.path] = shared.get(unit.path, 0) + 1
    sizes, content = [], hashlib.blake2b(digest_size=16)
    for unit in units:
        try:
            stat = unit.path.stat()
            size, time = stat.st_size, stat.st_mtime_ns
        except OSError:
            size, time = 0, 0
        content.update(json.dumps([str(unit.path), unit.start, unit.stop, size, time]).encode())
        sizes.append(size // shared[unit.path])
    return sizes, content.hexdigest()


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there whole, on the disk, or not at all."""
    # Its own name in every process: one that outlives a killed run for a moment must not write into ours.
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _lock(file: IO[str], folder: Path) -> None:
    """Keep other processes out; the system lets go of it however this one ends."""
    with suppress(ImportError):  # Windows has no such locks
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise OSError(error.errno, f"{folder}: another process is at work in it; wait for it to end") from error
