"""The work folder of a run that reads many files: what is done lies there in shards, and survives the run's death.

A shard holds the recordings of some units in ``000012.safetensors``: coordinates ``x0``, ``x1`` and so on, poses
``poses0`` and so on by which twins are found, and all else as JSON in ``about``. Where a shard would fill the memory,
its first recordings lie in ``000012-0.safetensors`` and so on, written before it. The shard is done when its own file
is there. Beside the shards, ``state.json`` says of which run they are.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from filelock import FileLock, Timeout

import skelaug
from skelaug.arrays import ArrayError
from skelaug.files import write
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets import holes
from skelaug_contrib.datasets.facts import Facts, Floats, facts_of
from skelaug_contrib.datasets.sources.source import Fault, Recording, Source, Unit

__all__ = ["Row", "WorkFolder", "read_shard", "write_shard"]

_UNITS, _BYTES = 64, 1 << 23  # a shard is a task: so many files at most, or so many bytes of them
_COPIED = ("name", "label", "subject", "view", "episode", "notes")
_IN_MEMORY = 1 << 25  # bytes of coordinates that are kept before they are written


@dataclass(frozen=True, slots=True)
class Row:
    """All of a recording but its coordinates, which are ``x<index>`` in ``file``."""

    name: str
    shape: Sequence[int]
    label: int
    subject: int | None
    view: int | None
    episode: int | None
    parts: Mapping[str, str]
    notes: Sequence[str]
    facts: Facts
    poses: Floats
    where: str
    file: Path
    index: int

    def read(self) -> Floats:
        """The coordinates ``(C, T, V, M)``."""
        with safetensors.safe_open(self.file, "numpy") as file:
            x: Floats = file.get_tensor(f"x{self.index}")
        return x


class WorkFolder:
    """The folder ``OUT.partial``, of one run at a time.

    Args:
        path: the folder.
        source: what is read.
        units: of it.
        coords: channels that are coordinates; None: all.
        discard: give up what another run has left there.

    Raises:
        ArrayError: it holds the unfinished run of other files or another source.
        OSError: another process is at work in it, or it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        units: Sequence[Unit],
        *,
        discard: bool,
        coords: tuple[int, ...] | None = None,
    ) -> None:
        self.path = path
        sizes, listing = _listing(units)
        self.tasks = _tasks(units, sizes)
        self._state = {
            "skelaug": skelaug.__version__,
            "source": repr(source),
            "skeleton": source.skeleton.to_dict(),
            "classes": list(source.class_names),
            "coords": coords,
            "units": len(units),
            "listing": listing,
        }
        self._discard = discard
        self._lock = FileLock(path / "lock", timeout=0)

    def __enter__(self) -> WorkFolder:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()  # the system lets go of it however this process ends
        except Timeout as error:
            raise OSError(errno.EAGAIN, f"{self.path}: another process is at work in it; wait for it to end") from error
        try:
            self._take_up()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _take_up(self) -> None:
        """Keep what an earlier run of the same files left; clear what another one left, if that may be given up."""
        file, state, earlier = self.path / "state.json", json.loads(json.dumps(self._state)), {}
        if file.exists():
            with suppress(ValueError):
                earlier = json.loads(file.read_text(encoding="utf-8"))
        if earlier != state:
            if file.exists() and not self._discard:
                other = ", ".join(name for name in state if earlier.get(name) != state[name])
                raise ArrayError(
                    f"{self.path}: holds an unfinished run of something else ({other} changed since); remove that "
                    f"folder, or overwrite, to begin anew"
                )
            for shard in self.path.glob("*.safetensors"):
                shard.unlink()
            write(file, json.dumps(state, indent=1).encode())
        for leftover in self.path.glob(".*.tmp"):
            shutil.rmtree(leftover)

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def remove(self) -> None:
        """All is done: nothing of it is needed any more."""
        shutil.rmtree(self.path)

    def name(self, task: int) -> Path:
        """A shard's file."""
        return self.path / f"{task:06d}.safetensors"

    def shards(self) -> Iterator[tuple[list[Row], list[Fault]]]:
        """All shards, in the order of the units, when all are done."""
        for task in range(len(self.tasks)):
            yield read_shard(self.name(task))


def write_shard(
    file: Path, source: Source, units: Iterable[Unit], coords: tuple[int, ...] | None = None
) -> tuple[int, int]:
    """Read units and write their shard; facts are those of the coordinates, the channels ``coords`` (None: all).

    Returns:
        The number of recordings and of faults.

    Raises:
        OSError: the disk is full or cannot be written. What cannot be read is a fault, and no error.
    """
    rows: list[dict[str, Any]] = []
    faults: list[Fault] = []
    tensors: dict[str, Any] = {}
    parts = 0
    try:
        for unit in units:
            for found in _read(source, unit, coords):
                if isinstance(found, Fault):
                    faults.append(found)
                    continue
                if sum(tensor.nbytes for tensor in tensors.values()) > _IN_MEMORY:
                    part = file.with_stem(f"{file.stem}-{parts}")
                    write(part, safetensors.numpy.save(tensors))
                    for earlier in rows:
                        earlier["file"] = earlier["file"] or part.name
                    tensors, parts = {}, parts + 1
                x = holes.marked(found.x)
                facts, poses = facts_of(x if coords is None else x[list(coords)])
                index = len(tensors) // 2
                tensors[f"x{index}"] = np.ascontiguousarray(x, "<f4")
                tensors[f"poses{index}"] = np.ascontiguousarray(poses, "<f4")
                row: dict[str, Any] = {name: getattr(found, name) for name in _COPIED}
                row |= {"parts": dict(found.parts), "shape": found.x.shape, "facts": asdict(facts)}
                rows.append(row | {"where": str(unit.path), "file": "", "index": index})
        about = {"rows": rows, "faults": [[fault.where, fault.reason, fault.line] for fault in faults]}
        tensors["about"] = np.frombuffer(json.dumps(about, default=int).encode(), np.uint8)
        write(file, safetensors.numpy.save(tensors))
    except OSError as error:
        kept = "what is done is kept there: mend that, and give the same command again"
        raise OSError(error.errno, f"{file.parent} cannot be written: {error.strerror}; {kept}") from error
    return len(rows), len(faults)


def read_shard(file: Path) -> tuple[list[Row], list[Fault]]:
    """What :func:`write_shard` wrote, but the coordinates, which rows read by themselves.

    Raises:
        ArrayError: the file was damaged since.
    """
    try:
        with ExitStack() as stack:
            opened: dict[str, Any] = {}
            for part in (file, *file.parent.glob(f"{file.stem}-*{file.suffix}")):
                opened[part.name] = stack.enter_context(safetensors.safe_open(part, "numpy"))
            about = json.loads(opened[file.name].get_tensor("about").tobytes())
            rows = []
            for row in about["rows"]:
                name = row["file"] or file.name
                poses = opened[name].get_tensor(f"poses{row['index']}")
                rows.append(Row(**row | {"file": file.with_name(name), "poses": poses, "facts": Facts(**row["facts"])}))
        return rows, [Fault(*fault) for fault in about["faults"]]
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise ArrayError(f"{file}: cannot be read ({error}); remove the folder {file.parent} and begin anew") from error


def _read(source: Source, unit: Unit, coords: tuple[int, ...] | None) -> Iterator[Recording | Fault]:
    """What the source gives; a reader that breaks its promises costs a file, not the run."""
    try:
        for found in source.read(unit):
            wrong = (
                None if isinstance(found, Fault) else _wrong(found, source.skeleton, len(source.class_names), coords)
            )
            yield found if wrong is None else Fault(f"{unit.path} ({found.name})", wrong)  # type: ignore[union-attr]
    except Exception as error:
        yield Fault(str(unit.path), f"the reader failed: {type(error).__name__}: {error}")


def _wrong(recording: Recording, skeleton: Skeleton, classes: int, coords: tuple[int, ...] | None) -> str | None:
    x = recording.x
    if x.ndim != 4 or x.dtype != np.float32 or 0 in x.shape or x.shape[2] != len(skeleton):
        return f"must be float32 (C, T, {len(skeleton)}, M), at least a frame and a person, got {x.dtype} {x.shape}"
    if coords is not None and max(coords) >= x.shape[0]:
        return f"has {x.shape[0]} channels, coords={coords} need more"
    if not 0 <= recording.label < classes:
        return f"label must lie in 0 … {classes - 1}, got {recording.label}"
    return None


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
