"""From a public data set's own files to a prepared one: in parallel, part by part, and safe to kill at any moment."""

from __future__ import annotations

import functools
import math
import os
import re
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

import skelaug
from skelaug import check
from skelaug.arrays import ArrayError
from skelaug.batch import SkeletonBatch
from skelaug.skeleton import Skeleton
from skelaug.transforms import CropResize
from skelaug_contrib.datasets import holes
from skelaug_contrib.datasets.checks import Ints, Splits
from skelaug_contrib.datasets.facts import Floats
from skelaug_contrib.datasets.findings import SHORT, Findings, find
from skelaug_contrib.datasets.format import PreparedDataset, output, write
from skelaug_contrib.datasets.shards import Row, WorkFolder, write_shard
from skelaug_contrib.datasets.sources.files import every
from skelaug_contrib.datasets.sources.source import Fault, Source, Unit
from skelaug_contrib.processes import end_with_parent

__all__ = ["WorkerDied", "prepare"]

_PART = 1 << 25  # bytes of x that are in memory at a time (several times over)


class WorkerDied(RuntimeError):
    """A worker process was killed, by the system if memory ran out; the run can be taken up again."""


def prepare(
    source: Source,
    out: str | Path,
    *,
    workers: int = 0,
    frames: int | None = None,
    coords: int | Sequence[int] | None = None,
    up: str | None = None,
    drop_leaked: bool = False,
    drop_short: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int, int], object] | None = None,
) -> PreparedDataset:
    """Read a data set's files and write it as a prepared data set.

    What is read goes into ``OUT.partial`` beside the result, shard by shard. A run that ended early, by ``kill -9`` or
    a full disk, goes on from there when it is called again, and ends with the same bytes as one that was left alone;
    so does one with another number of workers. The result appears when all of it is on the disk, or not at all.

    A file that cannot be used costs its clips, nothing else: it is named in ``report.json``, with line and reason. So
    are clips whose name was there before, and those that the options drop.

    The frames of the longest clip are T, the most people of a clip M; shorter clips and fewer people are padded with 0.
    Under every protocol whose test part has clips with a twin in the training part (see
    :mod:`~skelaug_contrib.datasets.twins`), ``test_clean`` is the others.

    Args:
        source: what to read.
        out: the folder to write.
        workers: processes that read; with 0 or 1 this one reads.
        frames: resize every clip to this many, by linear interpolation between its first and last frame in which
            anybody is there; as they were recorded if left out.
        coords: channels that are coordinates, a number of leading ones or indices; None: all. The others, such as a
            score, are kept as they are (interpolated where ``frames`` resizes), and whatever is found out about clips
            is found in the coordinates.
        up: the axis that points up, such as ``"z"``, where the files do not say; None: that of the source's skeleton.
            The data set's skeleton keeps it; coordinates stay as they are.
        drop_leaked: leave test clips that have a twin in the training part out of the test part; there is no
            ``test_clean`` then, and a clip that is in no part any more is left out of the data.
        drop_short: leave out clips of fewer than 4 frames.
        strict: what cannot be used is an error, not a line in the report.
        overwrite: replace a prepared data set that is there, and the unfinished run of something else.
        progress: called with the number of files done, their total, and the number of faults so far.

    Returns:
        The data set, opened.

    Raises:
        ArrayError: there is nothing to read, nothing of it can be used, ``OUT.partial`` is the run of something else,
            or, with ``strict``, something cannot be used.
        WorkerDied: a worker process was killed.
        OSError: the folder exists, cannot be written, or the disk is full.
    """
    out = Path(out).resolve()
    check.count("prepare", "workers", workers, low=0)
    if frames is not None:
        check.count("prepare", "frames", frames)
    channels, bones = check.coordinates("prepare", coords), source.skeleton
    bones = replace(bones, up=check.up("prepare", up, bones))
    output(out).check(overwrite)
    units = source.units()
    with WorkFolder(out.with_name(f"{out.name}.partial"), source, units, coords=channels, discard=overwrite) as folder:
        _read_all(folder, source, workers, channels, progress or (lambda done, total, faults: None))
        made = _Assembly(folder, source, bones, channels)
        if not made.rows or (strict and made.faults):
            folder.remove()  # the files must be mended, and are then others
            faults = f"; {len(made.faults)} faults: {every(made.faults)}" if made.faults else ""
            raise ArrayError(str(made.faults[0]) if strict else f"none of {made.files} files can be used{faults}")
        made.choose(drop_leaked=drop_leaked, drop_short=drop_short)
        try:
            made.write(out, frames=frames, overwrite=overwrite)
        except OSError as error:
            kept = f"what was read is kept in {folder.path}: mend that, and give the same command again"
            raise OSError(error.errno, f"{out} cannot be written: {error.strerror}; {kept}") from error
        folder.remove()
    return PreparedDataset.open(out)


# --- reading, in processes -------------------------------------------------------------------------------------------


def _read_all(
    folder: WorkFolder,
    source: Source,
    workers: int,
    coords: tuple[int, ...] | None,
    progress: Callable[[int, int, int], object],
) -> None:
    """See that every shard is there."""
    total = sum(map(len, folder.tasks))
    todo = [task for task in range(len(folder.tasks)) if not folder.name(task).exists()]
    done, faults = total - sum(len(folder.tasks[task]) for task in todo), 0
    progress(done, total, faults)
    call, caller = joblib.delayed(_work), os.getpid()
    calls = (call(caller, folder.name(task), source, folder.tasks[task], coords) for task in todo)
    # With one job joblib works in this process. A few calls wait at a time, not a hundred thousand.
    pool = joblib.Parallel(max(workers, 1), "loky", return_as="generator_unordered", batch_size=1, max_nbytes=None)
    try:
        # Where this loop ends early, closing ends the workers, and joblib warns of calls that were given up.
        with warnings.catch_warnings(), closing(pool(calls)) as results:
            warnings.filterwarnings("ignore", r"\d+ tasks ", UserWarning)
            for units, bad in results:
                done, faults = done + units, faults + bad
                progress(done, total, faults)
    except BrokenProcessPool as error:
        suspects = [str(folder.tasks[task][0].path) for task in todo if not folder.name(task).exists()]
        raise WorkerDied(
            f"a worker process was killed, by the system if memory ran out, while it read one of the files from "
            f"{' or '.join(suspects[:workers])} on; what is done is kept in {folder.path}: give the same command "
            f"again, with fewer --workers"
        ) from error


def _work(
    caller: int, file: Path, source: Source, units: Sequence[Unit], coords: tuple[int, ...] | None
) -> tuple[int, int]:
    """Write a shard, in a worker or in the process ``caller`` itself; the number of units and of faults."""
    if os.getpid() != caller:
        _begin()
    _, faults = write_shard(file, source, units, coords)
    return len(units), faults


@functools.cache
def _begin() -> None:
    """First thing in a worker."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops its workers
    end_with_parent()


# --- one data set of it ----------------------------------------------------------------------------------------------


class _Assembly:
    """The recordings of all shards, those that are left out, and the data set of the rest."""

    def __init__(self, folder: WorkFolder, source: Source, skeleton: Skeleton, coords: tuple[int, ...] | None) -> None:
        self.folder, self.source, self.skeleton, self.coords = folder, source, skeleton, coords
        self.rows: list[Row] = []
        self.faults: list[Fault] = []
        self.dropped: list[Fault] = []
        self.untested: dict[str, list[str]] = {}
        self.files = sum(map(len, folder.tasks))
        first: dict[str, str] = {}
        for rows, faults in folder.shards():
            self.faults += faults
            for row in rows:
                other, channels = first.setdefault(row.name, row.where), (self.rows or [row])[0].shape[0]
                if other != row.where:
                    self.faults.append(Fault(row.where, f"its name, {row.name}, is that of {other} too"))
                elif row.shape[0] != channels:
                    self.faults.append(Fault(row.where, f"has {row.shape[0]} coordinates, {channels} were expected"))
                else:
                    self.rows.append(row)
        self.recordings = len(self.rows)
        if self.rows and coords is None and skeleton.planar and self.rows[0].shape[0] == 3:
            check.warn_of_scores(skeleton.name)

    def choose(self, *, drop_leaked: bool, drop_short: bool) -> None:
        """Drop what is to be dropped, and find what leaks."""
        if drop_short:
            self._keep([None if row.facts.frames >= SHORT else f"fewer than {SHORT} frames" for row in self.rows])
        self.findings, self.splits = self._find()
        if drop_leaked and any(map(len, self.findings.leaked.values())):
            self._drop_leaked()
            self.findings, self.splits = self._find()
        for protocol, indices in self.findings.leaked.items():
            clean = np.setdiff1d(self.splits[protocol]["test"], indices)
            if len(indices) and len(clean):
                self.splits[protocol]["test_clean"] = clean

    def _drop_leaked(self) -> None:
        reasons: list[str | None] = [None] * len(self.rows)
        for protocol, indices in self.findings.leaked.items():
            if len(indices) == len(self.splits[protocol]["test"]):
                raise ArrayError(f"{protocol}: every test clip has a twin that trains; without them nothing is left")
            if len(indices):
                self.untested[protocol] = [self.rows[i].name for i in indices]
            for i in indices:
                parts = {name: part for name, part in self.rows[i].parts.items() if name != protocol}
                self.rows[i] = replace(self.rows[i], parts=parts)
                reasons[i] = None if parts else f"a twin of it trains under {protocol}"
        self._keep(reasons)

    def write(self, out: Path, *, frames: int | None, overwrite: bool) -> None:
        """Write the data set."""
        columns = {name: self._column(name) for name in ("subject", "view", "episode")}
        length = np.array([row.shape[1] for row in self.rows]) if frames is None else np.full(len(self.rows), frames)
        write(
            out,
            x=self._parts(frames),
            length=length,
            label=np.array([row.label for row in self.rows]),
            names=[row.name for row in self.rows],
            class_names=list(self.source.class_names),
            skeleton=self.skeleton,
            splits=self.splits,
            coords=self.coords,
            report=self._report(),
            overwrite=overwrite,
            beside=self.folder.path,
            **columns,
        )

    def _keep(self, reasons: Sequence[str | None]) -> None:
        """Those that no reason speaks against."""
        pairs = list(zip(self.rows, reasons, strict=True))
        self.dropped += [Fault(f"{row.where} ({row.name})", reason) for row, reason in pairs if reason is not None]
        self.rows = [row for row, reason in pairs if reason is None]
        if not self.rows:
            raise ArrayError(f"all {len(self.dropped)} clips would be dropped, such as {self.dropped[0]}")

    def _find(self) -> tuple[Findings, Splits]:
        names = [row.name for row in self.rows]
        facts, poses = [row.facts for row in self.rows], [row.poses for row in self.rows]
        splits = _splits(self.rows)
        who = [self._column(name) for name in ("label", "subject", "episode")]
        performance = None if any(column is None for column in who) else np.stack([c for c in who if c is not None], 1)
        return find(names, facts, poses, self._body, splits, performance, self.skeleton), splits

    def _body(self, i: int) -> Floats:
        """The coordinates of a clip."""
        x = self.rows[i].read()
        return x if self.coords is None else x[list(self.coords)]

    def _column(self, name: str) -> Ints | None:
        """Numbers that every clip has."""
        values = [getattr(row, name) for row in self.rows]
        return None if None in values else np.array(values, np.int64)

    def _parts(self, frames: int | None) -> Iterator[Floats]:
        """x, some clips at a time."""
        c, _, v, _ = self.rows[0].shape
        longest, persons = max(row.shape[1] for row in self.rows), max(row.shape[3] for row in self.rows)
        step = max(1, _PART // (4 * math.prod((c, longest, v, persons))))
        for start in range(0, len(self.rows), step):
            rows = self.rows[start : start + step]
            x = np.zeros((len(rows), c, longest, v, persons), np.float32)
            for clip, row in zip(x, rows, strict=True):
                clip[:, : row.shape[1], :, : row.shape[3]] = row.read()
            yield x if frames is None else _resized(x, frames)

    def _report(self) -> dict[str, Any]:
        notes = [[row.name, note] for row in self.rows for note in row.notes]
        return {
            "source": type(self.source).__name__,
            "skelaug": skelaug.__version__,
            "files": self.files,
            "recordings": self.recordings,
            "clips": len(self.rows),
            "faults": _counted([fault.reason for fault in self.faults], list(map(str, self.faults))),
            "dropped": _counted([fault.reason for fault in self.dropped], list(map(str, self.dropped))),
            "left_out_of_test": self.untested,
            "notes": _counted([note for _, note in notes], notes),
            "findings": self.findings.to_dict(),
        }


def _splits(rows: Sequence[Row]) -> Splits:
    """Protocols that have both sides."""
    splits: dict[str, dict[str, list[int]]] = {}
    for i, row in enumerate(rows):
        for protocol, part in row.parts.items():
            splits.setdefault(protocol, {}).setdefault(part, []).append(i)
    return {
        protocol: {part: np.array(parts[part], np.int64) for part in ("train", "test")}
        for protocol, parts in splits.items()
        if {"train", "test"} <= parts.keys()
    }


def _resized(x: Floats, frames: int) -> Floats:
    ids = torch.arange(len(x))
    resize = CropResize((1.0, 1.0), length=frames)
    return holes.of_batch(resize(SkeletonBatch(torch.from_numpy(x)), keys=skelaug.random.keys(0, 0, ids)))


def _counted(reasons: Sequence[str], each: Sequence[Any]) -> dict[str, Any]:
    """The number of them, how often each reason was given whatever its numbers (most frequent first), and each."""
    counts = Counter(re.sub(r"\d+(\.\d+)?", "#", reason) for reason in reasons)
    frequent = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return {"count": len(each), "reasons": frequent, "each": each}
