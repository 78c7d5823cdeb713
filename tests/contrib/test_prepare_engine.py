"""The engine behind ``skelaug prepare``: the same bytes however it is run, killed or hurt, and a report of the rest."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raw
from raw import CLASSES, SKELETON, Raw, motion, save, tree

import skelaug
from skelaug.arrays import ArrayError
from skelaug.cli import main
from skelaug_contrib.datasets import PreparedDataset, WorkerDied, engine, prepare, shards, sources
from skelaug_contrib.datasets.shards import WorkFolder
from skelaug_contrib.datasets.sources import Recording, Unit

FILES = 200  # four shards


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("raw") / "set", FILES)


@pytest.fixture(scope="module")
def whole(files: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """What an undisturbed run in one process gives."""
    return prepare(Raw(files), tmp_path_factory.mktemp("whole") / "out")


def content(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def report(dataset: PreparedDataset) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dataset.path / "report.json").read_text())
    return found


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what comes out --------------------------------------------------------------------------------------------------


def test_every_file_is_a_clip(files: Path, whole: PreparedDataset) -> None:
    paths = sorted(files.rglob("*.clip"))
    assert whole.names == tuple(path.stem for path in paths) and whole.class_names == CLASSES
    assert whole.x.shape == (FILES, 3, 11, 5, 2) and whole.skeleton == SKELETON
    for path, x, length in zip(paths, whole.x, whole.length, strict=True):
        lines = [list(map(float, line.split())) for line in path.read_text().splitlines()]
        wanted = np.zeros((3, 11, 5, 2), np.float32)
        for t, line in enumerate(lines):
            for place, value in enumerate(line):
                wanted[place % 3, t, place // 3 % 5, place // 15] = value
        assert np.array_equal(x, wanted) and length == len(lines)
    numbers = np.array([[int(part[1:]) for part in name.split("_")] for name in whole.names]).T
    for column, wanted in zip((whole.label, whole.subject, whole.episode, whole.view), numbers, strict=True):
        assert column is not None and column.tolist() == wanted.tolist()
    assert (numbers[3][whole.splits["xview"]["train"]] == 1).all()
    assert sorted(np.concatenate(list(whole.splits["xsub"].values()))) == list(range(FILES))
    assert left_in(whole.path.parent) == ["out"], "nothing is left of the work"
    told = report(whole)
    assert (told["files"], told["recordings"], told["clips"]) == (FILES,) * 3
    assert told["faults"]["count"] == told["dropped"]["count"] == 0


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_gives_the_same_bytes(
    workers: int, files: Path, whole: PreparedDataset, tmp_path: Path
) -> None:
    log, seen = tmp_path / "log", []
    source = Raw(files, log)
    dataset = prepare(source, tmp_path / "out", workers=workers, progress=lambda *given: seen.append(given))
    assert content(dataset.path) == content(whole.path)
    readers = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert len(readers) == FILES and os.getpid() not in readers and len(set(readers)) <= workers
    assert seen[0] == (0, FILES, 0) and seen[-1] == (FILES, FILES, 0)
    assert [done for done, _, _ in seen] == sorted({done for done, _, _ in seen})


@pytest.mark.parametrize("per_part", [1, 7])
def test_parts_change_nothing(
    per_part: int, files: Path, whole: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PART", per_part * whole.x[0].nbytes)
    assert content(prepare(Raw(files), tmp_path / "out").path) == content(whole.path)


def test_clips_can_be_resized(files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    dataset = prepare(Raw(files), tmp_path / "out", frames=16)
    assert dataset.x.shape[2] == 16 and (dataset.length == 16).all()
    for x, y, length in zip(whole.x, dataset.x, whole.length, strict=True):
        along, at = np.arange(length), np.linspace(0, length - 1, 16)
        wanted = np.apply_along_axis(lambda v, at=at, along=along: np.interp(at, along, v), 1, x[:, :length])
        np.testing.assert_allclose(y, wanted, atol=1e-5)


# --- killed, hurt, full ----------------------------------------------------------------------------------------------


def started(files: Path, out: Path, log: Path, workers: int, pause: float) -> subprocess.Popen[bytes]:
    root = Path(skelaug.__file__).parents[1]
    places = os.pathsep.join([str(root), str(root / "tests")])
    command = [sys.executable, raw.__file__, *map(str, (files, out, log, workers, pause))]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"})


def lines(log: Path) -> list[tuple[int, str]]:
    if not log.exists():
        return []
    return [(int(a), b) for a, b in (line.split() for line in log.read_text().splitlines())]


def until(true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_called_again_it_goes_on(workers: int, files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    out, log, partial = tmp_path / "out", tmp_path / "log", tmp_path / "out.partial"
    process = started(files, out, log, workers, 0.02)
    until(lambda: any(partial.glob("*.safetensors")) and len(list(partial.glob("[0-9]*.safetensors"))) >= 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists() and partial.exists()
    until(lambda: not any(_lives(pid) for pid, _ in lines(log)))  # its workers do not outlive it
    done = {int(file.stem) for file in partial.glob("[0-9]*.safetensors")}
    assert 0 < len(done) < 4
    log.unlink()
    dataset = prepare(Raw(files, log, 0.02), out, workers=2)
    assert content(dataset.path) == content(whole.path) and left_in(tmp_path) == ["log", "out"]
    paths = [path.name for path in sorted(files.rglob("*.clip"))]
    again = Counter(name for _, name in lines(log))
    assert again == Counter(name for i, name in enumerate(paths) if i // 64 not in done), "done shards are not read"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_killed_very_often(files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    moments = np.random.default_rng(0)
    kills = 0
    while not (tmp_path / "out").exists():
        # At first too short to end, then mostly long enough that it gets on; a start takes seconds.
        process = started(files, tmp_path / "out", tmp_path / "log", 2, 0.02)
        try:
            process.wait(moments.uniform(0.5, 7 if kills >= 2 else 2.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert kills >= 2 and content(tmp_path / "out") == content(whole.path)


def test_a_worker_that_is_killed_ends_the_run_which_can_go_on(tmp_path: Path, files: Path) -> None:
    root = tree(tmp_path / "set", 20)
    path = save(root / "part1", "a0_s1_e7_v1", motion(3, 6))
    path.write_text("die-once\n" + path.read_text())
    with pytest.raises(WorkerDied, match=r"was killed.*memory ran out.*part0.*kept in .*out\.partial.*fewer --workers"):
        prepare(Raw(root), tmp_path / "out", workers=2)
    assert not (tmp_path / "out").exists()
    assert len(prepare(Raw(root), tmp_path / "out", workers=2)) == 21
    assert left_in(tmp_path) == ["out", "set"]


def test_an_interrupt_keeps_what_is_done(files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, faults: int) -> None:
        if done:
            raise KeyboardInterrupt

    for workers in (0, 2):
        out = tmp_path / f"out{workers}"
        with pytest.raises(KeyboardInterrupt):
            prepare(Raw(files), out, workers=workers, progress=interrupt)
        assert not out.exists() and list(tmp_path.glob(f"out{workers}.partial/[0-9]*.safetensors"))
        assert content(prepare(Raw(files), out).path) == content(whole.path)


def test_a_full_disk_is_told_and_mended(files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    in_shard = r"out\.partial cannot be written: File too large; what is done is kept there"
    in_x = r"out cannot be written: File too large; what was read is kept in .*out\.partial"
    for limit, what in ((20_000, in_shard), (100_000, in_x)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError, match=what) as error:
                prepare(Raw(files), tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert error.value.errno == errno.EFBIG
        assert left_in(tmp_path) == ["out.partial"] and not list((tmp_path / "out.partial").glob(".*"))
    assert content(prepare(Raw(files), tmp_path / "out").path) == content(whole.path)


def test_where_nothing_can_be_written(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        prepare(Raw(files), tmp_path / "file" / "out")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(FileExistsError, match="exists; choose another folder"):
        prepare(Raw(files), out)
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.tex would be lost"):
        prepare(Raw(files), out, overwrite=True)
    assert left_in(tmp_path) == ["file", "out"]


def partly(files: Path, out: Path) -> None:
    """A run that ends after its first shard."""

    def stop(done: int, total: int, faults: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(Raw(files), out, progress=stop)


@pytest.mark.parametrize("change", ["added", "touched", "longer", "source"])
def test_files_that_changed_are_noticed(change: str, tmp_path: Path) -> None:
    root, out = tree(tmp_path / "set", 70), tmp_path / "out"
    partly(root, out)
    first = min(root.rglob("*.clip"))
    source = Raw(root)
    if change == "added":
        save(root / "part3", "a0_s0_e99_v1", motion(0, 5))
    elif change == "touched":
        os.utime(first, (0, 0))
    elif change == "longer":
        first.write_text(first.read_text() * 2)
    else:
        source = Raw(root, tmp_path / "log")
    with pytest.raises(ArrayError, match=r"out\.partial: holds an unfinished run of something else .* changed since"):
        prepare(source, out)
    log = tmp_path / "log"
    dataset = prepare(Raw(root, log), out, overwrite=True)
    assert len(dataset) == len(lines(log)) == (71 if change == "added" else 70), "all is read anew"


def test_options_may_change_between(files: Path, whole: PreparedDataset, tmp_path: Path) -> None:
    partly(files, tmp_path / "out")
    log = tmp_path / "log"
    assert prepare(Raw(files), tmp_path / "out", workers=1, frames=4).x.shape[2] == 4
    assert not log.exists()


def test_two_runs_do_not_meet(files: Path, tmp_path: Path) -> None:
    source = Raw(files)
    with (
        WorkFolder(tmp_path / "out.partial", source, source.units(), discard=False),
        pytest.raises(OSError, match="another process is at work in it"),
    ):
        prepare(source, tmp_path / "out")
    assert len(prepare(source, tmp_path / "out")) == FILES


def test_damaged_work_is_noticed(files: Path, tmp_path: Path) -> None:
    partly(files, tmp_path / "out")
    (tmp_path / "out.partial" / "000000.safetensors").write_text("{")
    with pytest.raises(ArrayError, match=r"000000\.safetensors: cannot be read .*begin anew"):
        prepare(Raw(files), tmp_path / "out")
    (tmp_path / "out.partial" / "state.json").write_text("{")
    with pytest.raises(ArrayError, match="holds an unfinished run of something else"):
        prepare(Raw(files), tmp_path / "out")
    assert len(prepare(Raw(files), tmp_path / "out", overwrite=True)) == FILES


# --- what cannot be used ---------------------------------------------------------------------------------------------


def test_bad_files_cost_themselves_and_are_told(tmp_path: Path) -> None:
    root = tree(tmp_path / "set", 12)
    text = {
        "a0_s0_e50_v1": "bad 1 2\n",
        "a0_s0_e51_v1": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\nbad 3\n",
        "a0_s0_e52_v1": "raise\n",
        "a7_s0_e53_v1": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n",
        "a0_s0_e54_v1": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 nan\n",
        "a0_s0_e55_v1": "1 2 3\n",
        "nonsense": "1 2 3\n",
    }
    for name, lines_ in text.items():
        (root / f"{name}.clip").write_text(lines_)
    save(root, "a0_s0_e0_v1", motion(77, 5))  # the name is in part0 too, and comes first here
    save(root, "a1_s1_e60_v9", motion(78, 5))
    (root / "a0_s0_e61_v1.clip").symlink_to(root / "nowhere")
    (root / "loop").symlink_to(root)
    dataset = prepare(Raw(root), tmp_path / "out")
    assert len(dataset) == 14
    told = report(dataset)
    assert told["files"] == 12 + 7 + 3 and told["faults"]["count"] == 8
    each = "\n".join(told["faults"]["each"])
    for name, line, reason in (
        ("a0_s0_e50_v1.clip", ":1", "'bad 1 2' is no frame, after 0 frames"),
        ("a0_s0_e51_v1.clip", ":2", "'bad 3' is no frame, after 1 frames"),
        ("a0_s0_e52_v1.clip", "", "the reader failed: RuntimeError: a bug of the reader"),
        ("a7_s0_e53_v1.clip (a7_s0_e53_v1)", "", "label must lie in 0 … 2, got 7"),
        ("a0_s0_e55_v1.clip", "", "the reader failed: ValueError"),
        ("nonsense.clip", "", "the reader failed: AttributeError"),
        ("part0/a0_s0_e0_v1.clip", "", f"its name, a0_s0_e0_v1, is that of {root}/a0_s0_e0_v1.clip too"),
        ("a0_s0_e61_v1.clip", "", "the reader failed: FileNotFoundError"),
    ):
        assert f"{name}{line}: {reason}" in each
    assert told["faults"]["reasons"]["'bad #' is no frame, after # frames"] == 1
    assert told["notes"] == {
        "count": 1,
        "reasons": {"person # left out: # frames": 1},
        "each": [["a1_s1_e60_v9", "person 1 left out: 3 frames"]],
    }


class Odd(Raw):
    """Gives what no source should."""

    def read(self, unit: Unit) -> Iterator[Any]:
        good = next(super().read(unit))
        assert isinstance(good, Recording)
        yield Recording("type", good.x.astype(np.float64), 0)
        yield Recording("rank", good.x[0], 0)
        yield Recording("joints", good.x[:, :, :4], 0)
        yield Recording("none", good.x[:, :0], 0)
        yield good
        yield Recording("plane", good.x[:2], 0)
        yield 5


def test_a_source_that_breaks_its_promises_costs_its_clips(tmp_path: Path) -> None:
    save(tmp_path / "set", "a0_s0_e0_v1", motion(0, 6))
    dataset = prepare(Odd(tmp_path / "set"), tmp_path / "out")
    assert dataset.names == ("a0_s0_e0_v1",) and dataset.splits == {}
    reasons = report(dataset)["faults"]["each"]
    assert (
        len(reasons) == 6 and "must be float32 (C, T, 5, M), at least a frame and a person, got float64" in reasons[0]
    )
    assert "the reader failed: AttributeError" in reasons[4] and "has 2 coordinates, 3 were expected" in reasons[5]


def test_nothing_to_read_and_nothing_to_use(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(ArrayError, match=r"set: has no \.clip files"):
        prepare(Raw(tmp_path / "set"), tmp_path / "out")
    (tmp_path / "set" / "a0_s0_e0_v1.clip").write_text("bad\n")
    with pytest.raises(ArrayError, match=r"none of 1 files can be used; 1 faults: .*clip:1: 'bad' is no frame"):
        prepare(Raw(tmp_path / "set"), tmp_path / "out")
    assert left_in(tmp_path) == ["set"]


# --- what is dropped -------------------------------------------------------------------------------------------------


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A test clip of xview that trains, one that is a cut of a training clip, moved, and one that is short."""
    root = tree(tmp_path / "set", 36)
    x = motion(100, 20)
    save(root, "a0_s1_e90_v1", x)
    save(root, "a0_s1_e90_v2", x)
    save(root, "a0_s1_e91_v2", x[5:15] + np.array([1, 2, 3]))
    save(root, "a0_s0_e92_v1", motion(101, 3))
    return root


def test_a_clean_part_is_found_from_content(leaky: Path, tmp_path: Path) -> None:
    dataset = prepare(Raw(leaky), tmp_path / "out")
    parts = dataset.splits["xview"]
    leaked = np.setdiff1d(parts["test"], parts["test_clean"])
    assert [dataset.names[i] for i in leaked] == ["a0_s1_e90_v2", "a0_s1_e91_v2"]
    assert set(dataset.splits["xsub"]) == {"train", "test"}
    found = report(dataset)["findings"]
    assert found["exact_twins"] == [["a0_s1_e90_v1", "a0_s1_e90_v2"]]
    assert found["near_twins"] == [["a0_s1_e90_v1", "a0_s1_e90_v2", "a0_s1_e91_v2"]]
    assert found["leaked"] == {"xview": ["a0_s1_e90_v2", "a0_s1_e91_v2"], "xsub": []}
    assert found["repeated_performances"] == {"xview": 19, "xsub": 0}, "episodes that both views saw"
    assert found["short"] == ["a0_s0_e92_v1"]


def test_what_leaks_can_be_dropped(leaky: Path, tmp_path: Path) -> None:
    dataset = prepare(Raw(leaky), tmp_path / "out", drop_leaked=True, drop_short=True)
    assert set(dataset.splits["xview"]) == {"train", "test"}
    assert "a0_s0_e92_v1" not in dataset.names
    tested = {dataset.names[i] for i in dataset.splits["xview"]["test"]}
    assert not tested & {"a0_s1_e90_v2", "a0_s1_e91_v2"} and len(tested) == 18
    assert {"a0_s1_e90_v2", "a0_s1_e91_v2"} <= {dataset.names[i] for i in dataset.splits["xsub"]["train"]}
    told = report(dataset)
    assert told["left_out_of_test"] == {"xview": ["a0_s1_e90_v2", "a0_s1_e91_v2"]}
    assert told["dropped"]["each"] == [f"{leaky}/a0_s0_e92_v1.clip (a0_s0_e92_v1): fewer than 4 frames"]
    assert told["clips"] == told["recordings"] - 1 and told["findings"]["leaked"] == {"xview": [], "xsub": []}


def test_a_clip_that_is_in_no_part_any_more_is_left_out(leaky: Path, tmp_path: Path) -> None:
    dataset = prepare(OneProtocol(leaky), tmp_path / "out", drop_leaked=True)
    assert "a0_s1_e90_v2" not in dataset.names and list(dataset.splits) == ["xview"]
    each = report(dataset)["dropped"]["each"]
    assert each[0] == f"{leaky}/a0_s1_e90_v2.clip (a0_s1_e90_v2): a twin of it trains under xview"


class OneProtocol(Raw):
    """Cross-view only."""

    def read(self, unit: Unit) -> Iterator[Any]:
        for found in super().read(unit):
            assert isinstance(found, Recording)
            yield Recording(found.name, found.x, found.label, parts={"xview": found.parts["xview"]})


def test_dropping_everything_is_refused(tmp_path: Path) -> None:
    for view in (1, 2):
        save(tmp_path / "set", f"a0_s0_e0_v{view}", motion(0, 3))
    with pytest.raises(ArrayError, match="xview: every test clip has a twin that trains; without them nothing is left"):
        prepare(Raw(tmp_path / "set"), tmp_path / "out", drop_leaked=True)
    with pytest.raises(ArrayError, match=r"all 2 clips would be dropped, such as .*: fewer than 4 frames"):
        prepare(Raw(tmp_path / "set"), tmp_path / "out", drop_short=True)
    dataset = prepare(Raw(tmp_path / "set"), tmp_path / "out")
    assert set(dataset.splits["xview"]) == {"train", "test"}, "what was read is still there"


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skelaug_contrib.commands.prepare.SOURCES", {**sources.SOURCES, "clips": Raw})


@pytest.mark.usefixtures("known")
def test_the_command(leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (leaky / "a0_s0_e99_v1.clip").write_text("bad 1\n")
    out = tmp_path / "out"
    arguments = ["prepare", "clips", str(leaky), str(out), "--workers", "1", "--drop-leaked", "--drop-short"]
    assert main([*arguments, "--frames", "8"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("size: ")] == [  # these bodies are noise
        "39 clips, 3 coordinates, 8 frames, 5 joints, 2 persons, 3 classes, 6 subjects, 2 views; skeleton five",
        "xview: train 19, test 18",
        "xsub: train 21, test 18",
        "could not be used: 1",
        "  1 × 'bad #' is no frame, after # frames",
        "dropped: 1",
        "  1 × fewer than # frames",
        "xview: 2 test clips with a twin that trains were left out of the test part",
        f"wrote {out} (report.json there names each)",
    ]
    assert main(arguments) == 1
    assert "out exists; choose another folder, or overwrite it (--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert PreparedDataset.open(out).x.shape[2] == 20


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("where", "more", "message"),
    [
        ("nowhere", [], "nowhere: no such file or folder"),
        ("empty", [], "has no .clip files"),
        ("deadly", ["--workers", "2"], "a worker process was killed"),
    ],
)
def test_what_goes_wrong_is_one_line(
    where: str, more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "a0_s0_e0_v1.clip").write_text("die\n")
    assert main(["prepare", "clips", str(tmp_path / where), str(tmp_path / "out"), *more]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("skelaug prepare: ") and message in error and "\n" not in error
    assert not (tmp_path / "out").exists()


# --- shards ----------------------------------------------------------------------------------------------------------


def test_a_shard_is_written_part_by_part(
    files: Path, whole: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_IN_MEMORY", 5000)  # bytes: some ten clips
    partly(files, tmp_path / "out")
    assert len(list((tmp_path / "out.partial").glob("000000-*.safetensors"))) > 3
    (tmp_path / "out.partial" / "000000.safetensors").unlink()
    assert content(prepare(Raw(files), tmp_path / "out").path) == content(whole.path)


def test_tasks_are_bounded_in_files_and_bytes(tmp_path: Path) -> None:
    units = [Unit(tmp_path / str(i)) for i in range(150)]
    sizes = [1000] * 150
    assert [len(task) for task in shards._tasks(units, sizes)] == [64, 64, 22]
    sizes = [1 << 22] * 3 + [1 << 30] + [1] * 146
    assert [len(task) for task in shards._tasks(units, sizes)] == [2, 1, 1, 64, 64, 18]
    assert list(itertools.chain(*shards._tasks(units, sizes))) == units


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Half a gigabyte of x goes through processes of which none grows by more than a third of that."""
    (tmp_path / "set").mkdir()
    for i in range(3000):
        (tmp_path / "set" / f"{i}.clip").touch()
    code = (
        "import resource, sys; from pathlib import Path; import raw; from skelaug_contrib.datasets import prepare;"
        "import scipy.spatial, scipy.sparse.csgraph;"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = used();"
        "d = prepare(raw.Long(Path(sys.argv[1])), sys.argv[2], workers=int(sys.argv[3]));"
        "print(used() - before, d.x.nbytes)"
    )
    folder = Path(skelaug.__file__).parents[1]
    for workers in "20":  # with workers, the main process; without, one that does it all
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "set"), str(tmp_path / f"out{workers}"), workers],
            capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": f"{folder}:{folder / 'tests'}"},
        )  # fmt: skip
        grown, size = map(int, done.stdout.split())
        assert size == 3000 * 3 * 300 * 50 * 4 and grown * 1024 < size / 3, (workers, grown)
