"""Plain arrays in one .npz file as a source of clips, read part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import skelaug
from skelaug import check
from skelaug.arrays import ArrayError, SequenceFile, StoredArray, array_names
from skelaug.batch import SkeletonBatch
from skelaug.missing import Missing, check_missing
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets import holes
from skelaug_contrib.datasets.checks import Ints, Splits, check_parts, to_ints, to_strings
from skelaug_contrib.datasets.engine import prepare
from skelaug_contrib.datasets.format import PreparedDataset
from skelaug_contrib.datasets.sources.files import without_path
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit

__all__ = ["NpzSource", "from_npz"]

_PART = 1 << 25  # bytes of x that are in memory at a time (several times over)
_NUMBERS, _TEXTS = ("length", "label", "subject", "view", "episode"), ("name", "class_names", "joint_names")


@dataclass(frozen=True)
class NpzSource:
    """The clips of a ``.npz`` file; one unit, for a compressed array is read from its start."""

    array: SequenceFile = field(repr=False)
    skeleton: Skeleton
    class_names: tuple[str, ...]
    names: tuple[str, ...] = field(repr=False)
    columns: Mapping[str, Ints] = field(repr=False)
    splits: Splits
    missing: Missing
    progress: Callable[[int, int], object] | None = field(repr=False)

    def units(self) -> list[Unit]:
        """The file."""
        return [Unit(self.array.path)]

    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """Its clips."""
        step, done = max(1, _PART // (4 * math.prod(self.array.shape))), 0
        parts = {p: np.full(self.array.count, "", "U5") for p in self.splits}
        for protocol, part in ((p, part) for p in self.splits for part in ("train", "test")):
            parts[protocol][self.splits[protocol][part]] = part
        numbers: dict[str, Any] = {name: column.tolist() for name, column in self.columns.items()}
        length = numbers.pop("length", None)
        try:
            for batch in self.array.batches(step, self.missing):
                valid = _lengths(batch).tolist() if length is None else length[done:]
                x = holes.of_batch(batch)
                for n in range(len(batch)):
                    i = done + n
                    yield Recording(
                        self.names[i],
                        x[n, :, : valid[n]],
                        parts={p: str(column[i]) for p, column in parts.items() if column[i]},
                        **{name: column[i] for name, column in numbers.items()},
                    )
                done += len(batch)
                if self.progress is not None:
                    self.progress(done, self.array.count)
        except ArrayError as error:
            yield Fault(str(unit.path), without_path(error, unit.path))


def from_npz(
    path: str | Path,
    out: str | Path,
    skeleton: Skeleton | str | None = None,
    *,
    train_views: Sequence[int] | None = None,
    train_subjects: Sequence[int] | None = None,
    missing: Missing = "nan",
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> PreparedDataset:
    """Prepare the arrays of a ``.npz`` file.

    It holds ``x``, floating point ``(S, C, T, V, M)``, and ``label``, int ``(S,)`` from 0; where they are known also
    ``length``, ``subject``, ``view``, ``episode``, int ``(S,)``, ``name`` ``(S,)``, ``class_names`` and
    ``joint_names``. Without ``length``, a clip ends with the last frame in which anybody is not all 0. A joint with a
    coordinate that is not finite was not observed. Other arrays are not used.

    Protocols follow from what is there: ``xsub`` from ``subject``; ``xview`` from ``view``.

    Args:
        path: the file. It is never unpickled.
        out: the folder to write.
        skeleton: of the data, or its name; may be left out where ``joint_names`` are those of a known skeleton.
        train_views: views that train under ``xview``, the others test; 1 and 2 if left out.
        train_subjects: subjects that train under ``xsub``, the others test; those of odd number if left out.
        missing: how else ``x`` says that a joint was not observed, see :class:`~skelaug.SkeletonBatch`.
        overwrite: replace a prepared data set that is there.
        progress: called with the number of clips done and their total.
        **options: ``frames``, ``coords``, ``up``, ``drop_leaked`` and ``drop_short``, see
            :func:`~skelaug_contrib.datasets.engine.prepare`.

    Returns:
        The data set, opened.

    Raises:
        ArrayError: no such file, an array is missing or off; the message says which.
        OSError: the folder exists, or cannot be written.
    """
    path, missing = Path(path), check_missing("from_npz", missing)
    if path.suffix != ".npz":
        raise ArrayError(f"{path}: expected a .npz file of x, label and perhaps more; numpy.savez writes one")
    array = SequenceFile.open(path, member="x")
    held, count = set(array_names(path)), array.count
    found = {name: StoredArray.open(path, name).load() for name in (*_NUMBERS, "lengths", *_TEXTS) if name in held}
    if "label" not in found:
        raise ArrayError(f"{path}: has no array 'label', the class index of each clip; it holds x, {', '.join(found)}")
    found.setdefault("length", found.pop("lengths", np.ones(count, np.int64)))
    columns = {name: to_ints(path, name, found[name]) for name in _NUMBERS if name in found}
    texts = {name: to_strings(path, name, found[name].tolist()) for name in _TEXTS if name in found}
    given = None if skeleton is None else check.skeleton("from_npz", skeleton)
    bones = _skeleton(path, given, texts.get("joint_names"))
    names = texts.get("name", tuple(f"clip_{i}" for i in range(count)))
    class_names = texts.get("class_names", tuple(f"class_{i}" for i in range(columns["label"].max() + 1)))
    splits = _splits(path, columns, train_views, train_subjects)
    check_parts(path, (count, *array.shape), columns, names, class_names, bones, splits)
    if not {"length", "lengths"} & held:
        del columns["length"]  # to be found in x
    source = NpzSource(array, bones, class_names, names, columns, splits, missing, progress)
    return prepare(source, out, strict=True, overwrite=overwrite, **options)


def _lengths(batch: SkeletonBatch) -> Ints:
    """Frames up to the last in which anybody is there, at least 1."""
    seen = batch.presence.any(2).numpy()
    return np.where(seen.any(1), seen.shape[1] - seen[:, ::-1].argmax(1), 1).astype(np.int64)


def _skeleton(path: Path, given: Skeleton | None, names: tuple[str, ...] | None) -> Skeleton:
    if given is None:
        fitting = [known for known in skelaug.skeletons.values() if known.joints == names]
        if not fitting:
            raise ArrayError(
                f"{path}: no known skeleton has its joint_names; name one of {', '.join(skelaug.skeletons)}, or make "
                f"your own"
            )
        return fitting[0]
    if names is not None and names != given.joints and set(names) == set(given.joints):
        joint = next(i for i, (a, b) in enumerate(zip(names, given.joints, strict=True)) if a != b)
        raise ArrayError(
            f"{path}: its joints lie in another order than those of skeleton {given.name!r}: joint {joint} is "
            f"{names[joint]!r}, not {given.joints[joint]!r}"
        )
    return given


def _splits(
    path: Path,
    columns: dict[str, Ints],
    train_views: Sequence[int] | None,
    train_subjects: Sequence[int] | None,
) -> Splits:
    splits: Splits = {}
    rules: dict[str, tuple[str, Sequence[int] | None, Callable[[Ints], Any]]] = {
        "xview": ("view", train_views, lambda view: np.isin(view, (1, 2))),
        "xsub": ("subject", train_subjects, lambda subject: subject % 2 == 1),
    }
    for protocol, (name, chosen, usual) in rules.items():
        column = columns.get(name)
        if column is None and chosen is not None:
            raise ArrayError(f"{path}: has no array {name!r}, so none can be chosen to train under {protocol}")
        if column is None:
            continue
        train = usual(column) if chosen is None else np.isin(column, chosen)
        if 0 < train.sum() < len(train):
            splits[protocol] = {"train": np.flatnonzero(train), "test": np.flatnonzero(~train)}
        elif chosen is not None:
            there = ", ".join(map(str, np.unique(column)))
            raise ArrayError(
                f"{path}: {protocol} with {name} {', '.join(map(str, chosen))} to train leaves one side empty; there "
                f"are {there}"
            )
    return splits
