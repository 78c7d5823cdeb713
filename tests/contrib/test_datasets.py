"""Prepared data sets: written and read back bit for bit, in batches of a fixed order, and never half done."""

from __future__ import annotations

import errno
import itertools
import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric.utilities.apply_func import move_data_to_device

import skelaug
from skelaug import Skeleton, SkeletonBatch, skeletons, synthetic_motion
from skelaug.arrays import ArrayError
from skelaug.transforms import CropResize
from skelaug_contrib.datasets import (
    Clips,
    EpochBatches,
    PreparedDataset,
    from_npz,
    loader,
    preparation,
    read,
    split,
    write,
)

S, T = 24, 20
NAMES = [f"clip {i}" for i in range(S)]
SUBJECT = np.arange(S) % 6 + 1
VIEW = np.arange(S) // 6 % 3 + 1
STICK = Skeleton.from_edges([(0, 1)], name="stick")


def parts() -> dict[str, Any]:
    """A small data set: two people, gaps, six subjects in front of three cameras."""
    motion = synthetic_motion(
        skeletons["kinect20"], S, T, persons=2, gaps=True, generator=torch.Generator().manual_seed(0)
    )
    seen = motion.presence.any(2).numpy()
    xview = {"train": np.flatnonzero(VIEW < 3), "test": np.flatnonzero(VIEW == 3)}
    return {
        "x": motion.x.numpy(),
        "length": T - seen[:, ::-1].argmax(1),
        "label": motion.label.numpy() % 3,
        "names": NAMES,
        "class_names": ["wave", "kick", "größer"],
        "skeleton": skeletons["kinect20"],
        "subject": SUBJECT,
        "view": VIEW,
        "splits": {
            "xview": xview | {"test_clean": xview["test"][1:]},
            "xsub": {"train": np.flatnonzero(SUBJECT % 2 == 1), "test": np.flatnonzero(SUBJECT % 2 == 0)},
        },
    }


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return parts()


@pytest.fixture
def dataset(made: dict[str, Any], tmp_path: Path) -> PreparedDataset:
    return write(tmp_path / "data", **made)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the format ------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(made: dict[str, Any], dataset: PreparedDataset) -> None:
    assert isinstance(dataset.x, np.memmap) and not dataset.x.flags.writeable
    assert dataset.x.tobytes() == made["x"].tobytes()
    for name in ("length", "label", "subject", "view"):
        column = getattr(dataset, name)
        assert column.dtype == np.int64 and column.tolist() == made[name].tolist()
    assert dataset.episode is None and not (dataset.path / "episode.npy").exists()
    assert dataset.names == tuple(NAMES) and dataset.class_names == ("wave", "kick", "größer")
    assert dataset.skeleton == skeletons["kinect20"] and len(dataset) == S
    assert {p: {k: v.tolist() for k, v in parts.items()} for p, parts in dataset.splits.items()} == {
        p: {k: v.tolist() for k, v in parts.items()} for p, parts in made["splits"].items()
    }
    assert left_in(dataset.path) == sorted(
        ["dataset.json", "label.npy", "length.npy", "subject.npy", "view.npy", "x.npy"]
    )
    assert left_in(dataset.path.parent) == ["data"]
    assert np.array_equal(np.load(dataset.path / "x.npy"), made["x"]), "a plain .npy file"


def test_joints_that_were_not_observed_are_nan_and_a_batch_knows_them(made: dict[str, Any], tmp_path: Path) -> None:
    x = made["x"].copy()
    x[3, 1, 0, 4, 0], x[4, :, 0, 2, 0] = np.nan, np.inf
    x[5, :, 0, :, 0] = np.nan  # a whole person, who is absent then
    dataset = write(tmp_path / "data", **(made | {"x": x}))
    wanted = made["x"].copy()
    wanted[3, :, 0, 4, 0], wanted[4, :, 0, 2, 0], wanted[5, :, 0, :, 0] = np.nan, np.nan, 0
    assert np.array_equal(dataset.x, wanted, equal_nan=True)
    assert dataset.missing == 2
    batch = read(dataset, [3, 4, 5]).batch
    assert not batch.mask[0, 0, 4, 0] and not batch.mask[1, 0, 2, 0] and not batch.presence[2, 0, 0]
    assert batch.x.isfinite().all()
    assert np.isnan(dataset.clip(3)[:, 0, 4, 0]).all()


def test_labels_of_frames_are_read_back(made: dict[str, Any], tmp_path: Path) -> None:
    labels = np.full((S, T), -100)
    for row, length in zip(labels, made["length"], strict=True):
        row[:length] = np.arange(length) % 3
    dataset = write(tmp_path / "data", **(made | {"frame_label": labels}))
    assert np.array_equal(dataset.frame_label, labels)
    without = write(tmp_path / "other", **made)
    assert without.frame_label is None
    ids = [5, 0, 17, 5]
    batch = read(dataset, ids, label_axis="frame").batch
    assert batch.label_axis == "frame" and batch.label.dtype == torch.int64 and np.array_equal(batch.label, labels[ids])
    assert read(dataset, ids).batch.label.tolist() == made["label"][ids].tolist()
    first = next(iter(loader(dataset, EpochBatches(range(8), 8, 0, shuffle=False), label_axis="frame")))
    assert np.array_equal(first.batch.label, labels[:8])
    prepared = CropResize((1, 1), length=T)(first.batch)  # every clip is stretched to all frames
    assert prepared.label.shape == (8, T) and (prepared.label >= 0).all()
    for wrong, match in (("frame", "has no labels of frames; write"), ("class", "label_axis must be one of 'sample'")):
        with pytest.raises(ValueError, match=match):
            read(without, ids, label_axis=wrong)
        with pytest.raises(ValueError, match=match):
            loader(without, EpochBatches(range(8), 8, 0), label_axis=wrong)


def test_a_folder_of_version_1_still_opens(dataset: PreparedDataset) -> None:
    file = dataset.path / "dataset.json"
    content = json.loads(file.read_text())
    del content["missing"]
    file.write_text(json.dumps(content | {"version": 1}))
    old = PreparedDataset.open(dataset.path)
    assert (old.missing, old.frame_label) == (0, None)
    assert np.array_equal(old.x, dataset.x)


def test_a_pickled_data_set_is_its_path(dataset: PreparedDataset) -> None:
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 500
    again = pickle.loads(pickled)
    assert isinstance(again.x, np.memmap) and np.array_equal(again.x, dataset.x) and again.names == dataset.names


@given(data=st.data())
def test_round_trip_of_any_shape_in_any_parts(data: st.DataObject) -> None:
    s, c, t, m = (data.draw(st.integers(1, high)) for high in (7, 4, 6, 3))
    bits = data.draw(st.integers(0, 2**32 - 1))
    x = np.random.default_rng(bits).integers(0, 2**32, (s, c, t, 2, m), np.uint32).view(np.float32)
    x[~np.isfinite(x)] = -0.0  # every other bit pattern must survive, subnormal numbers included
    length = np.array(data.draw(st.lists(st.integers(1, t), min_size=s, max_size=s)))
    for clip, valid in zip(x, length, strict=True):
        clip[:, valid:] = 0
    cuts = sorted(data.draw(st.sets(st.integers(1, s))) | {s})
    chunks = (x[a:b] for a, b in zip([0, *cuts], cuts, strict=False))
    label = np.zeros(s, np.int32)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write(
            Path(folder, "data"),
            x=itertools.chain([x[:0]] if bits % 2 else [], chunks),
            length=length,
            label=label,
            names=[str(i) for i in range(s)],
            class_names=["only"],
            skeleton=STICK,
        )
        assert dataset.x.tobytes() == x.tobytes()
        assert dataset.length.tolist() == length.tolist() and dataset.splits == {} and dataset.subject is None


def save_several(file: Path) -> None:
    np.savez(file.with_suffix(".npz"), a=np.zeros(3), b=np.zeros(3))
    file.with_suffix(".npz").rename(file)


def rewrite(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))

    return damage


def about(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        change(data)
        (folder / "dataset.json").write_text(json.dumps(data), encoding="utf-8")

    return damage


def cut(name: str, by: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-by])

    return damage


def put(*path: Any, value: Any) -> Callable[[Path], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return about(change)


def put_at(index: int, value: int) -> Callable[[Any], Any]:
    def change(column: Any) -> Any:
        column[index] = value
        return column

    return change


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing there": (shutil.rmtree, "no such folder; a prepared data set is a folder, which skelaug prepare"),
    "another folder": (lambda f: (f / "dataset.json").unlink(), "not a prepared data set: it has no dataset.json"),
    "no x": (lambda f: (f / "x.npy").unlink(), "x.npy: missing; the folder is not complete"),
    "no label": (lambda f: (f / "label.npy").unlink(), "label.npy: missing"),
    "short x": (cut("x.npy", 1000), "x.npy: not a readable NumPy file"),
    "short label": (cut("label.npy", 8), "label.npy: not a readable NumPy file"),
    "empty file": (lambda f: (f / "length.npy").write_bytes(b""), "length.npy: not a readable NumPy file"),
    "several arrays": (lambda f: save_several(f / "label.npy"), "label.npy: not a readable NumPy file"),
    "another type": (rewrite("x", lambda x: x.astype(np.float64)), r"must be float32 \(S, C, T, V, M\).*got float64"),
    "another byte order": (rewrite("x", lambda x: x.astype(">f4")), r"must be float32.*got >f4"),
    "another rank": (rewrite("x", lambda x: x[..., 0]), r"must be float32.*got float32 \(24, 3, 20, 20\)"),
    "Fortran order": (rewrite("x", np.asfortranarray), "in C order"),
    "fewer clips": (rewrite("x", lambda x: x[:-1]), "promises {'clips': 24.*x.npy holds {'clips': 23.*mixed"),
    "fewer labels": (rewrite("label", lambda v: v[:-1]), r"label must be int64 .* a clip, \(24,\).*\(23,\)"),
    "float subjects": (rewrite("subject", lambda v: v * 1.0), "subject must be int64.*got float64"),
    "a label too high": (rewrite("label", put_at(5, 3)), r"label must lie in 0 … 2, got 3 for clip 5"),
    "a label below 0": (rewrite("label", put_at(2, -1)), r"label must lie in 0 … 2, got -1 for clip 2"),
    "a length too high": (rewrite("length", put_at(0, T + 1)), r"length must lie in 1 … 20, got 21 for clip 0"),
    "no frames": (rewrite("length", put_at(1, 0)), r"length must lie in 1 … 20, got 0 for clip 1"),
    "no JSON": (lambda f: (f / "dataset.json").write_text("{"), r"dataset.json: cannot be read"),
    "deep JSON": (lambda f: (f / "dataset.json").write_text("[" * 100_000), r"dataset.json: cannot be read"),
    "no text": (lambda f: (f / "dataset.json").write_bytes(b"\xff\xfe\x00"), r"dataset.json: cannot be read"),
    "a JSON list": (lambda f: (f / "dataset.json").write_text("[]"), "does not describe a prepared data set"),
    "another format": (put("format", value="views"), "does not describe a prepared data set"),
    "a newer version": (put("version", value=3), "format version 3, this skelaug reads 1 and 2"),
    "no splits": (about(lambda d: d.pop("splits")), "dataset.json: lacks splits"),
    "a broken skeleton": (put("skeleton", "parents", value=[0] * 3), "no skeleton .*one entry a joint"),
    "an odd skeleton": (put("skeleton", "limbs", value=5), "no skeleton"),
    "another skeleton": (put("skeleton", value=STICK.to_dict()), "x has 20 joints, skeleton 'stick' has 2"),
    "fewer names": (put("names", value=NAMES[1:]), "names must have one entry a clip, 24, got 23"),
    "odd names": (put("names", value=[1] * S), "names must be a list of strings"),
    "no classes": (put("class_names", value=[]), "class_names must have at least one entry"),
    "splits in a list": (put("splits", value=[1]), "splits must map protocols to parts"),
    "half a split": (put("splits", "xsub", value={"train": [1]}), r"\['xsub'\]: must have train, test .* got train"),
    "an unknown part": (put("splits", "xsub", "tset", value=[1]), r"must have train, test and perhaps test_…, got"),
    "an index too high": (put("splits", "xsub", "test", value=[1, S]), r"test must hold clips 0 … 23, got 24"),
    "an index below 0": (put("splits", "xsub", "test", value=[-1, 3]), r"test must hold clips 0 … 23, got -1"),
    "an index twice": (put("splits", "xsub", "test", value=[1, 3, 1]), "test holds clip 1 twice"),
    "half an index": (put("splits", "xsub", "test", value=[1.5]), "must be a list of whole numbers, got float64"),
    "a huge index": (put("splits", "xsub", "test", value=[10**30]), "must be a list of whole numbers"),
    "ragged indices": (put("splits", "xsub", "test", value=[1, [2]]), "must be a list of whole numbers"),
    "an empty part": (put("splits", "xsub", "test", value=[]), "test is empty"),
    "an overlap": (put("splits", "xsub", "test", value=[0, 1]), "train and test share 1 clips, such as 0"),
    "no part of the test": (put("splits", "xview", "test_clean", value=[0]), "must be a part of test, .* lacks clip 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_bad_folder_is_explained(name: str, dataset: PreparedDataset) -> None:
    damage, message = DAMAGES[name]
    damage(dataset.path)
    with pytest.raises(ArrayError) as error:
        PreparedDataset.open(dataset.path)
    text = str(error.value)
    assert re.search(message, text), text
    assert text.startswith(str(dataset.path)) and "\n" not in text


@given(data=st.data())
@settings(max_examples=60)
def test_random_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        arguments: dict[str, Any] = {"length": [2, 2], "label": [0, 1], "names": ["a", "b"], "class_names": ["a", "b"]}
        splits = {"xsub": {"train": [0], "test": [1]}}
        x = np.ones((2, 3, 2, 2, 1), np.float32)
        path = write(Path(folder, "data"), x=x, skeleton=STICK, splits=splits, **arguments).path
        file = path / data.draw(st.sampled_from(["x.npy", "label.npy", "length.npy", "dataset.json"]))
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
        try:
            dataset = PreparedDataset.open(path)
        except ArrayError:
            return
        assert dataset.x.shape == (2, 3, 2, 2, 1) and set(dataset.label) <= set(range(len(dataset.class_names)))


class _Payload:
    def __reduce__(self) -> Any:
        return exec, ("import pathlib; pathlib.Path('executed').touch()",)


@pytest.mark.parametrize("file", ["x", "label"])
def test_nothing_is_unpickled(
    file: str, dataset: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.array([_Payload()] * S, object)
    np.save(dataset.path / f"{file}.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "evil.npz", **{"x": np.ones((S, 3, T, 20, 1), np.float32), "label": evil, file: evil})
    with pytest.raises(ArrayError, match=r"cannot be loaded|memory-mapped"):
        PreparedDataset.open(dataset.path)
    with pytest.raises(ArrayError, match=r"object array|cannot be read"):
        from_npz(tmp_path / "evil.npz", tmp_path / "out", skeletons["kinect20"])
    assert not (tmp_path / "executed").exists() and not (tmp_path / "out").exists()
    (dataset.path / f"{file}.npy").write_bytes(pickle.dumps(_Payload()))
    with pytest.raises(ArrayError, match="not a readable NumPy file"):
        PreparedDataset.open(dataset.path)
    assert not (tmp_path / "executed").exists()


# --- writing ---------------------------------------------------------------------------------------------------------


def bad_values(made: dict[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    x = made["x"]
    late = x.copy()
    short = int(np.flatnonzero(made["length"] < T)[0])
    late[short, 0, -1, 3, 1] = 1
    return {
        "double": ({"x": x.astype(np.float64)}, r"x must be float32 \(S, C, T, V, M\).*got float64"),
        "a tensor": ({"x": [torch.from_numpy(x)]}, r"x must be float32.*got Tensor"),
        "rank": ({"x": x[0]}, r"x must be float32.*got float32 \(3, 20, 20, 2\)"),
        "nothing": ({"x": []}, "x is empty"),
        "unequal parts": ({"x": [x[:4], x[4:, :, :10]]}, r"all parts of x must share .* got \(3, 10, 20, 2\)"),
        "too few": ({"x": [x[:4]]}, "x has 4 clips, label has 24"),
        "too many": ({"x": [x, x]}, "x has more clips than label, which has 24"),
        "frame labels": (
            {"frame_label": np.zeros((24, 3), int)},
            r"frame_label must be whole numbers \(S, T\) = \(24, 20\)",
        ),
        "frame classes": ({"frame_label": np.full((24, T), 7)}, "frame_label must be a class 0 … 2, or -100"),
        "padding": ({"x": late}, f"clip {short} of x is not 0 after its length"),
        "labels": ({"label": made["label"] + 1}, "label must lie in 0 … 2, got 3"),
        "half labels": ({"label": made["label"] / 2}, "label must be a list of whole numbers, got float64"),
        "subjects": ({"subject": SUBJECT[:5]}, "subject must be int64 with one entry a clip"),
        "names": ({"names": NAMES[:3]}, "names must have one entry a clip"),
        "splits": ({"splits": {"a": {"train": [0, 1], "test": [1]}}}, "share 1 clips, such as 1"),
    }


@pytest.mark.parametrize("name", list(bad_values(parts())))
def test_bad_parts_are_explained_and_leave_nothing(name: str, made: dict[str, Any], tmp_path: Path) -> None:
    change, message = bad_values(made)[name]
    with pytest.raises(ArrayError, match=message):
        write(tmp_path / "data", **(made | change))
    assert left_in(tmp_path) == []


class Stop(BaseException):
    """Neither an Exception nor expected."""


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("where", ["x", "fsync", "rename"])
def test_an_interrupted_write_leaves_nothing(
    where: str, overwrite: bool, made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "data"
    if overwrite:
        write(out, **made)

    def interrupted() -> Iterator[Any]:
        yield made["x"][:10]
        assert any(tmp_path.glob(".data-*/new/x.npy")), "it writes beside the folder"
        raise Stop

    def stop(*arguments: Any) -> None:
        raise Stop

    arguments = made | {"x": interrupted() if where == "x" else made["x"], "class_names": ["new", "new", "new"]}
    if where == "fsync":
        monkeypatch.setattr("os.fsync", stop)
    elif where == "rename":
        rename, calls = os.replace, []

        def second_fails(a: Any, b: Any) -> None:
            calls.append(a)
            if len(calls) == (2 if overwrite else 1):
                raise Stop
            rename(a, b)

        monkeypatch.setattr("os.replace", second_fails)
    with pytest.raises(Stop):
        write(out, **arguments, overwrite=overwrite)
    monkeypatch.undo()
    assert left_in(tmp_path) == (["data"] if overwrite else [])
    if overwrite:
        assert PreparedDataset.open(out).class_names == tuple(made["class_names"]), "the old one is still there"


def test_a_full_disk_leaves_nothing(made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Files may not grow beyond 100 kB: the system refuses in the middle of x.npy, as a full disk does.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError) as error:  # noqa: PT011
            write(tmp_path / "data", **made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.errno == errno.EFBIG and left_in(tmp_path) == []

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match=r"needs 0\.0 GB, the disk has 0\.0 GB left") as error:
        write(tmp_path / "data", **made)
    assert error.value.errno == errno.ENOSPC and left_in(tmp_path) == []


_KILLED = """
import sys, time, numpy as np
from skelaug import Skeleton
from skelaug_contrib.datasets import write

def parts():
    yield np.ones((1, 3, 4, 2, 1), np.float32)
    print("writing", flush=True)
    time.sleep(60)

write(sys.argv[1], x=parts(), length=[4, 4], label=[0, 0], names=["a", "b"], class_names=["a"],
      skeleton=Skeleton.from_edges([(0, 1)]))
"""


def test_a_killed_write_leaves_no_folder(made: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "data"
    root = Path(skelaug.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(out)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert all(name.startswith(".data-") for name in left_in(tmp_path))
    assert len(write(out, **made)) == S


def test_what_exists_is_kept(made: dict[str, Any], dataset: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="exists; choose another folder"):
        write(dataset.path, **made)
    again = write(dataset.path, **(made | {"class_names": ["a", "b", "c"]}), overwrite=True)
    assert again.class_names == ("a", "b", "c") and left_in(tmp_path) == ["data"]
    assert np.array_equal(dataset.x, made["x"]), "who has the old one open goes on reading it"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"not only a prepared data set: thesis\.tex would be lost"):
        write(precious, **made, overwrite=True)
    assert left_in(precious) == ["thesis.tex"]
    with pytest.raises(FileExistsError, match=r"thesis\.tex would be lost"):
        write(precious / "thesis.tex", **made, overwrite=True)
    (dataset.path / "dataset.json").write_text("{")
    assert len(write(dataset.path, **made, overwrite=True)) == S, "a damaged one can be replaced"


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Half a gigabyte of x goes through a process that grows by less than a third of that."""
    x = np.zeros((9000, 3, 250, 20, 1), np.float32)
    x[:, :, :200] = 1
    np.savez_compressed(tmp_path / "big.npz", x=x, label=np.zeros(len(x), np.int64))
    code = (
        "import resource, sys, torch; torch.set_num_threads(1); from skelaug import skeletons;"
        "from skelaug_contrib.datasets import from_npz;"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = used(); d = from_npz(sys.argv[1], sys.argv[2], skeletons['kinect20']); print(used() - before, len(d))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big.npz"), str(tmp_path / "out")],
        capture_output=True, text=True, check=True, cwd=Path(skelaug.__file__).parents[1],
    )  # fmt: skip
    grown, clips = map(int, done.stdout.split())
    assert clips == len(x) and grown * 1024 < x.nbytes / 3
    dataset = PreparedDataset.open(tmp_path / "out")
    assert (dataset.length == 200).all() and np.array_equal(dataset.x[::500], x[::500, :, :200])


# --- splits ----------------------------------------------------------------------------------------------------------


def test_held_out_subjects_leave_the_training_part_whole(dataset: PreparedDataset) -> None:
    assert dataset.subject is not None and dataset.view is not None
    plain = split(dataset, "xview")
    assert set(plain) == {"train", "test", "test_clean"}
    held: list[set[int]] = []
    for n in range(1, 6):
        parts = split(dataset, "xview", validation_subjects=n)
        train, validation = (set(dataset.subject[parts[part]]) for part in ("train", "validation"))
        assert len(validation) == n and not train & validation
        assert sorted([*parts["train"], *parts["validation"]]) == plain["train"].tolist()
        assert set(dataset.view[parts["validation"]]) == {1, 2}, "all training views, no test view"
        assert np.array_equal(parts["test"], plain["test"])
        assert np.array_equal(parts["test_clean"], plain["test_clean"])
        held.append(validation)
    assert all(fewer < more for fewer, more in itertools.pairwise(held)), "those of n are among those of n + 1"
    chosen = split(dataset, "xview", validation_subjects=sorted(held[2]))
    assert np.array_equal(chosen["validation"], split(dataset, "xview", validation_subjects=3)["validation"])
    within = split(dataset, "xsub", validation_subjects=2)
    assert set(dataset.subject[within["validation"]]) < {1, 3, 5}, "only subjects of the training part"
    assert set(split(dataset, "xview", validation_subjects=0)) == set(plain)


def test_the_same_subjects_are_held_out_everywhere(dataset: PreparedDataset) -> None:
    """Results on validation can be compared between releases only while this holds."""
    assert dataset.subject is not None
    found = [split(dataset, "xview", validation_subjects=n)["validation"] for n in (1, 2, 3)]
    assert [sorted(set(dataset.subject[indices].tolist())) for indices in found] == GOLDEN_SUBJECTS


GOLDEN_SUBJECTS = [[2], [1, 2], [1, 2, 3]]


def test_without_protocols_all_clips_train(tmp_path: Path) -> None:
    x = np.ones((3, 3, 4, len(STICK), 1), np.float32)
    about = {"length": [4] * 3, "label": [0, 1, 0], "names": list("abc"), "class_names": ["sit", "stand"]}
    data = write(tmp_path / "data", x=x, skeleton=STICK, **about)
    parts = split(data, "all")
    assert parts.keys() == {"train"} and parts["train"].tolist() == [0, 1, 2] and parts["train"].dtype == np.int64
    with pytest.raises(ArrayError, match=r"has no protocol 'xview'; its protocols: none, so 'all' alone can be named"):
        split(data, "xview")
    splits = {"halves": {"train": [0], "test": [1]}}
    with pytest.raises(ArrayError, match="has no protocol 'all'; its protocols: halves"):
        split(write(tmp_path / "halves", x=x, skeleton=STICK, splits=splits, **about), "all")


def test_impossible_splits_are_explained(made: dict[str, Any], dataset: PreparedDataset, tmp_path: Path) -> None:
    def refuse(message: str, given: Any = None, protocol: str = "xsub", data: PreparedDataset = dataset) -> None:
        with pytest.raises(ArrayError, match=message):
            split(data, protocol, validation_subjects=given)

    refuse("no protocol 'xset'; its protocols: xview, xsub", protocol="xset")
    refuse(r"has 3 subjects \(1, 3, 5\); hold out at least 1 and at most 2", 3)
    refuse("at most 2", 99)
    refuse("at most 2", [1, 3, 5])
    refuse("at least 1", [])
    refuse("has no subject 2; its subjects: 1, 3, 5", [1, 2])
    refuse("must be a number of subjects", -1)
    refuse("must be a number of subjects", 1.5)
    refuse("must be a number of subjects", True)
    refuse("must be a number of subjects", "12")
    refuse("has no subject 'one'", [1, "one"])
    nameless = write(tmp_path / "nameless", **(made | {"subject": None}))
    refuse("does not say who acts", 1, data=nameless)
    assert set(split(nameless, "xsub")) == {"train", "test"}


# --- order -----------------------------------------------------------------------------------------------------------


@given(
    n=st.integers(1, 60),
    batch=st.integers(1, 16),
    world=st.integers(1, 3),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 1000),
    drop=st.booleans(),
    data=st.data(),
)
def test_every_epoch_is_a_permutation_and_ranks_share_it(
    n: int, batch: int, world: int, seed: int, epoch: int, drop: bool, data: st.DataObject
) -> None:
    together = batch * world
    indices = np.arange(n) * 7 + 3
    if drop and n < together:
        with pytest.raises(ValueError, match="do not fill one"):
            EpochBatches(indices, batch, seed, world=world)
        return
    one = EpochBatches(indices, together, seed, drop_last=drop)
    one.set_position(epoch)
    batches = list(one)
    seen = [i for ids in batches for i in ids]
    assert len(batches) == len(one) == (n // together if drop else -(-n // together))
    assert len(seen) == len(set(seen)) == (n // together * together if drop else n)
    assert set(seen) <= set(indices.tolist())
    assert all(len(ids) == together for ids in batches[: len(batches) if drop else -1])
    assert list(one) == batches, "iterating does not move the position"

    if drop:
        ranks = [EpochBatches(indices, batch, seed, rank=rank, world=world) for rank in range(world)]
        for sampler in ranks:
            sampler.set_position(epoch)
        assert [list(itertools.chain(*ids)) for ids in zip(*ranks, strict=True)] == batches

    step = data.draw(st.integers(0, len(batches)))
    resumed = EpochBatches(indices, together, seed, drop_last=drop)
    resumed.set_position(epoch, step)
    assert list(resumed) == batches[step:] and len(resumed) == len(batches)


def test_epochs_and_seeds_differ() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochBatches(range(100), 100, seed)
        sampler.set_position(epoch)
        return next(iter(sampler))

    orders = [order(seed, epoch) for seed in range(5) for epoch in range(20)]
    assert len({tuple(found) for found in orders}) == 100
    # A place sees every clip about equally often: the mean of a uniform number on 0 … 99 within five deviations.
    assert np.abs(np.mean(orders, 0) - 49.5).max() < 5 * 28.9 / 10
    torch.manual_seed(0)
    state = torch.get_rng_state()
    order(0, 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_position_set_while_iterating_is_for_the_next_iteration() -> None:
    sampler = EpochBatches(range(40), 4, 0)
    first = list(sampler)
    running = iter(sampler)
    sampler.set_position(1, 3)
    assert list(running) == first
    assert len(list(sampler)) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number ≥ 1"),
        ({"seed": -1}, "seed must be a whole number ≥ 0"),
        ({"rank": 2, "world": 2}, "rank must be one of 0, 1, got 2"),
        ({"drop_last": False, "world": 2}, "batches of unequal size"),
        ({"batch_size": 6, "world": 2}, r"10 clips do not fill one batch of 12"),
        ({"indices": [], "drop_last": False}, "0 clips do not fill one batch"),
    ],
)
def test_bad_orders_are_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpochBatches(**({"indices": range(10), "batch_size": 2, "seed": 0} | arguments))


def test_a_position_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="an epoch has 5 steps"):
        EpochBatches(range(10), 2, 0).set_position(0, 6)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_what_is_on_disk(made: dict[str, Any], dataset: PreparedDataset) -> None:
    ids = [5, 0, 17, 5]
    batch, index, people = read(dataset, ids)
    assert index.dtype == torch.int64 and index.tolist() == ids
    assert np.array_equal(batch.x.numpy(), made["x"][ids]) and batch.x.dtype == torch.float32
    assert batch.label is not None and batch.label.dtype == torch.int64
    assert batch.label.tolist() == made["label"][ids].tolist()
    seen = (made["x"][ids] != 0).any((1, 3))  # (N, T, M)
    assert batch.mask is not None
    assert np.array_equal(batch.mask.numpy(), np.broadcast_to(seen[:, :, None], batch.mask.shape))
    m = seen.shape[2]
    wanted = [n * m + i for n in range(len(ids)) for i in range(m) if seen[n, :, i].any()]
    assert people.dtype == torch.int64 and people.tolist() == wanted and 0 < len(wanted) < len(ids) * m
    assert batch.x.is_contiguous() and batch.mask.is_contiguous(), "else they cannot be pinned"
    batch.x.fill_(7)
    assert (dataset.x != 7).all(), "a batch is the caller's own"
    with pytest.raises(IndexError, match="clips must lie in 0 … 23, got -1 … 3"):
        read(dataset, [3, -1])
    with pytest.raises(IndexError, match="got 24 … 24"):
        read(dataset, [S])


def test_padding_is_absent_whatever_the_file_holds(made: dict[str, Any], dataset: PreparedDataset) -> None:
    rewrite("x", lambda x: np.full_like(x, 3))(dataset.path)
    batch = read(PreparedDataset.open(dataset.path), range(S)).batch
    padding = np.arange(T) >= made["length"][:, None]
    assert padding.any()
    assert np.array_equal(batch.presence[..., 0].numpy(), ~padding)
    assert np.array_equal(batch.x[:, 0, :, 0, 0].numpy(), np.where(padding, 0, 3))


def tensors(clips: Clips) -> list[torch.Tensor]:
    return [clips.batch.x, clips.batch.mask, clips.batch.label, clips.ids, clips.people]


# From Python 3.12 on, forking a process that has threads is a warning.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_change_nothing(dataset: PreparedDataset) -> None:
    sampler = EpochBatches(range(S), 5, 3, drop_last=False)
    alone, helped = loader(dataset, sampler), loader(dataset, sampler, workers=2)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    for epoch, step in ((0, 0), (1, 0), (1, 2)):
        sampler.set_position(epoch, step)
        pairs = list(zip(alone, helped, strict=True))
        assert [clips.ids.tolist() for clips, _ in pairs] == list(sampler) and len(pairs) == 5 - step
        for one, two in pairs:
            assert isinstance(one.batch, SkeletonBatch) and isinstance(two.batch, SkeletonBatch)
            assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))
    assert torch.equal(torch.get_rng_state(), state), "a DataLoader must not draw from the global generator"
    assert len(alone) == 5


def test_fabric_moves_every_part(dataset: PreparedDataset) -> None:
    clips = move_data_to_device(read(dataset, [1, 2]), torch.device("meta"))
    assert type(clips).__name__ == "Clips"
    assert all(part.device.type == "meta" for part in tensors(clips))


# --- preparation -----------------------------------------------------------------------------------------------------


def resized(clip: Any, frames: int) -> Any:
    """``(C, T, V)`` to ``frames`` frames, one coordinate at a time."""
    at = np.linspace(0, clip.shape[1] - 1, frames)
    return np.apply_along_axis(lambda values: np.interp(at, np.arange(len(values)), values), 1, clip)


@pytest.mark.parametrize("frames", [1, 7, 20, 33])
@pytest.mark.parametrize("stream", ["joint", "bone", "motion", "bone_motion"])
def test_preparation_by_hand(frames: int, stream: str) -> None:
    skeleton = skeletons["kinect20"]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 3, 20, 20, 2, generator=generator) + 4
    length = torch.tensor([20, 1, 2, 13, 7])
    x[..., 1] = 0
    batch = SkeletonBatch.from_lengths(x, length)
    out = preparation(skeleton, frames, stream=stream)(batch)
    parents = list(skeleton.parents)
    for n, valid in enumerate(length.tolist()):
        clip = x[n, :, :valid, :, 0].double().numpy()
        clip = clip - clip[:, :1, skeleton.centre : skeleton.centre + 1]
        middle = (clip[:, [(valid - 1) // 2]] + clip[:, [valid // 2]]) / 2
        clip = resized(clip, frames) if frames > 1 else middle
        if "bone" in stream:
            clip = clip - clip[:, :, parents]
        if "motion" in stream:
            clip = np.concatenate([np.diff(clip, axis=1), np.zeros_like(clip[:, :1])], 1)
        np.testing.assert_allclose(out.x[n, ..., 0].numpy(), clip, atol=2e-5)
    assert out.x.shape == (5, 3, frames, 20, 2)
    assert (out.x[..., 1] == 0).all() and out.mask is not None
    assert not out.mask[..., 1].any() and out.mask[..., 0].all()


def test_centres_and_frames_that_are_left() -> None:
    skeleton = skeletons["ntu25"]
    x = synthetic_motion(skeleton, 6, 30, persons=2, gaps=True, generator=torch.Generator().manual_seed(0))
    c = skeleton.centre
    assert torch.equal(preparation(skeleton, None, "none")(x).x, x.x)
    first = preparation(skeleton, None, "clip")(x)
    assert first.x.shape == x.x.shape and torch.equal(first.mask, x.mask)
    for n in range(6):
        frame, person = x.presence[n].nonzero()[0]  # in the first frame with anybody, the first person there
        assert (first.x[n, :, frame, c, person] == 0).all()
        moved = (x.x - first.x)[n][:, x.mask[n]]
        assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-5), "paths and distances stay"
    each = preparation(skeleton, None, "frame")(x)
    assert (each.x[:, :, :, c] == 0).all()
    for out in (first, each):
        assert (out.x[~out.mask[:, None].expand_as(out.x)] == 0).all()


def test_preparation_is_fixed_and_can_leave_the_generator_alone(dataset: PreparedDataset) -> None:
    prepare = preparation(dataset.skeleton, 16)
    batch = read(dataset, range(S)).batch
    torch.manual_seed(0)
    first = prepare(batch)
    state = torch.get_rng_state()
    second = prepare(batch, keys=skelaug.random.keys(0, 0, range(S)))
    assert torch.equal(first.x, second.x) and torch.equal(first.mask, second.mask)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.x[3:4], prepare(batch[3:4]).x), "a clip's result does not depend on the batch"
    assert any(isinstance(member, CropResize) for member in prepare)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"center": "middle"}, "center must be one of 'clip', 'frame', 'none'"),
        ({"stream": "bones"}, "stream must be one of 'joint'"),
        ({"frames": 0}, "frames must be a whole number ≥ 1"),
    ],
)
def test_bad_preparations_are_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preparation(**({"skeleton": skeletons["ntu25"], "frames": 50} | arguments))


# --- real recordings -------------------------------------------------------------------------------------------------


@pytest.fixture
def real(recordings: Path, tmp_path: Path) -> Callable[[str], tuple[PreparedDataset, dict[str, Any]]]:
    def prepare(name: str) -> tuple[PreparedDataset, dict[str, Any]]:
        dataset = from_npz(recordings / f"{name}.npz", tmp_path / name)
        with np.load(recordings / f"{name}.npz", allow_pickle=False) as arrays:
            source = {key: arrays[key] for key in arrays.files}
        assert dataset.x.tobytes() == source["x"].tobytes(), "bit for bit"
        for key in ("length", "label", "subject", "view", "episode"):
            column = getattr(dataset, key)
            assert (column is None) == (key not in source)
            assert column is None or np.array_equal(column, source[key])
        assert dataset.names == tuple(source["name"]) and dataset.skeleton.joints == tuple(source["joint_names"])
        return dataset, source

    return prepare


def test_nw_ucla(real: Any) -> None:
    dataset, source = real("nw_ucla")
    assert len(dataset) == 1484 and dataset.class_names == tuple(source["class_names"])
    parts = split(dataset, "xview")
    assert [len(parts[part]) for part in ("train", "test", "test_clean")] == [1020, 464, 369]
    leaked = np.setdiff1d(parts["test"], parts["test_clean"])
    assert len(leaked) == 95
    # The leak itself, found anew: a leaked clip is a training clip, bit for bit, and no clean one is.
    known = {dataset.x[i].tobytes() for i in parts["train"]}
    assert all(dataset.x[i].tobytes() in known for i in leaked)
    assert {dataset.label[i] for i in leaked} == {1, 2}, "pick up with two hands, drop trash"
    assert not any(dataset.x[i].tobytes() in known for i in parts["test_clean"])
    assert dataset.subject is not None
    xsub = split(dataset, "xsub")
    assert set(dataset.subject[xsub["train"]]) == {1, 3, 5, 7, 9} and len(xsub["train"]) + len(xsub["test"]) == 1484
    held = split(dataset, "xview", validation_subjects=2)
    assert len(held["validation"]) + len(held["train"]) == 1020 and len(held["validation"]) > 100
    clips = read(dataset, parts["test"])
    assert torch.isfinite(preparation(dataset.skeleton, 50)(clips.batch).x).all()


def test_msr_action3d(real: Any) -> None:
    dataset, source = real("msr_action3d")
    assert len(dataset) == 567 and dataset.class_names[-1] == "class_19" and dataset.skeleton == skeletons["msr20"]
    parts = split(dataset, "xsub")
    assert dataset.subject is not None and list(dataset.splits) == ["xsub"]
    assert set(dataset.subject[parts["train"]]) == {1, 3, 5, 7, 9} and len(parts["train"]) + len(parts["test"]) == 567
    lost = int(np.flatnonzero((source["x"] == 0).all((1, 2, 3, 4)))[0])
    clips = read(dataset, [lost - 1, lost, lost + 1])
    assert clips.people.tolist() == [0, 2], "nobody is in the lost clip"
    ready = preparation(dataset.skeleton, 50)(clips.batch)
    assert torch.isfinite(ready.x).all() and (ready.x[1] == 0).all()


def test_utkinect(real: Any) -> None:
    dataset, _ = real("utkinect")
    assert len(dataset) == 199 and len(dataset.class_names) == 10 and dataset.x.shape[2] == 110
