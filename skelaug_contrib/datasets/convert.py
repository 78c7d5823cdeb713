"""From plain arrays in one .npz file to a prepared data set, read and written part by part."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import skelaug
from skelaug.arrays import ArrayError, SequenceFile
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.format import Floats, Ints, PreparedDataset, write

__all__ = ["from_npz"]

_PART = 1 << 25  # bytes of x that are in memory at a time (several times over)
_LEAK = "view3_identical_to_view2"  # NW-UCLA: test clips that are a copy of a training clip
_COLUMNS = ("length", "lengths", "label", "subject", "view", "episode", "name", "class_names", "joint_names", _LEAK)


def from_npz(
    path: str | Path,
    out: str | Path,
    skeleton: Skeleton | None = None,
    *,
    train_views: Sequence[int] | None = None,
    train_subjects: Sequence[int] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> PreparedDataset:
    """Prepare the arrays of a ``.npz`` file.

    It holds ``x``, floating point ``(S, C, T, V, M)``, and ``label``, int ``(S,)`` from 0; where they are known also
    ``length``, ``subject``, ``view``, ``episode``, int ``(S,)``, ``name`` ``(S,)``, ``class_names`` and
    ``joint_names``. Without ``length``, a clip ends with the last frame in which anybody is not all 0. A person whose
    coordinates are not finite in a frame is absent in it. Other arrays are not used.

    Protocols follow from what is there: ``xsub`` from ``subject``; ``xview`` from ``view``, with a part ``test_clean``
    if ``view3_identical_to_view2``, bool ``(S,)``, marks test clips that copy a training clip (NW-UCLA).

    Args:
        path: the file. It is never unpickled.
        out: the folder to write.
        skeleton: of the data; may be left out where ``joint_names`` are those of a known skeleton.
        train_views: views that train under ``xview``, the others test; 1 and 2 if left out.
        train_subjects: subjects that train under ``xsub``, the others test; those of odd number if left out.
        overwrite: replace a prepared data set that is there.
        progress: called with the number of clips done and their total.

    Returns:
        The data set, opened.

    Raises:
        ArrayError: no such file, an array is missing or off; the message says which.
        OSError: the folder exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ArrayError(f"{path}: expected a .npz file of x, label and perhaps more; numpy.savez writes one")
    if path.is_file() and not zipfile.is_zipfile(path):
        raise ArrayError(f"{path}: not a readable .npz file; copy it again")
    source = SequenceFile.open(path, member="x")
    found = _columns(path)
    if "label" not in found:
        raise ArrayError(f"{path}: has no array 'label', the class index of each clip; it holds x, {', '.join(found)}")
    count = source.count
    label = _ints(path, "label", found["label"], count)
    known: list[str] = [name for name in ("subject", "view", "episode") if name in found]
    columns = {name: _ints(path, name, found[name], count) for name in known}
    given = found.get("length", found.get("lengths"))
    return write(
        out,
        x=_parts(source, progress),
        length=_lengths(source) if given is None else _ints(path, "length", given, count),
        label=label,
        names=_strings(path, "name", found.get("name"), [f"clip_{i}" for i in range(count)]),
        class_names=_strings(
            path, "class_names", found.get("class_names"), [f"class_{i}" for i in range(label.max() + 1)]
        ),
        skeleton=_skeleton(path, skeleton, found.get("joint_names")),
        splits=_splits(path, columns, found.get(_LEAK), train_views, train_subjects),
        overwrite=overwrite,
        **columns,
    )


def _columns(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in _COLUMNS if name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ArrayError(f"{path}: an array cannot be read ({error})") from error


def _ints(path: Path, name: str, array: Any, count: int) -> Ints:
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise ArrayError(
            f"{path}[{name!r}]: must be whole numbers, one a clip, ({count},), got {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)  # type: ignore[no-any-return]


def _strings(path: Path, name: str, array: Any, default: list[str]) -> list[str]:
    if array is None:
        return default
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ArrayError(f"{path}[{name!r}]: must be a list of strings, got {array.dtype} {array.shape}")
    return list(map(str, array))


def _step(source: SequenceFile) -> int:
    return max(1, _PART // (4 * math.prod(source.shape)))


def _parts(source: SequenceFile, progress: Callable[[int, int], object] | None) -> Iterator[Floats]:
    done = 0
    for batch in source.batches(_step(source), nan_is_absent=True):
        mask = batch.mask
        assert mask is not None
        # Whole persons can be absent; a single joint can not, for it would be read as one at the origin.
        holes = (mask.any(2) & ~mask.all(2)).nonzero()
        if len(holes):
            n, t, m = holes[0].tolist()
            v = int((~mask[n, t, :, m]).nonzero()[0])
            raise ArrayError(
                f"{source.path}: clip {done + n} is not finite at joint {v}, frame {t}, person {m}; interpolate such "
                f"joints, or write the whole person as 0 in that frame"
            )
        yield batch.x.numpy()
        done += len(batch)
        if progress is not None:
            progress(done, source.count)


def _lengths(source: SequenceFile) -> Ints:
    """Frames up to the last in which anybody is there, at least 1."""
    found = []
    for batch in source.batches(_step(source), nan_is_absent=True):
        seen = batch.presence.any(2).numpy()
        found.append(np.where(seen.any(1), seen.shape[1] - seen[:, ::-1].argmax(1), 1))
    return np.concatenate(found).astype(np.int64)


def _skeleton(path: Path, given: Skeleton | None, joint_names: Any) -> Skeleton:
    names = None if joint_names is None else tuple(_strings(path, "joint_names", joint_names, []))
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
    leak: Any,
    train_views: Sequence[int] | None,
    train_subjects: Sequence[int] | None,
) -> dict[str, dict[str, Ints]]:
    splits: dict[str, dict[str, Ints]] = {}
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
    if leak is not None and "xview" in splits:
        if leak.dtype != np.bool_ or leak.shape != columns["view"].shape:
            raise ArrayError(f"{path}[{_LEAK!r}]: must be bool, one a clip, got {leak.dtype} {leak.shape}")
        train, test = splits["xview"]["train"], splits["xview"]["test"]
        # The mark is on the view-3 clips that view 2 has too: it tells of a leak where 2 trains and 3 tests.
        views = columns["view"]
        if 2 in views[train] and 3 not in views[train] and not leak[test].all():
            splits["xview"]["test_clean"] = test[~leak[test]]
    return splits
