"""``skelaug prepare npz`` and the reading of arrays: good files become data sets, bad ones one line of explanation."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skelaug import skeletons
from skelaug.arrays import ArrayError
from skelaug.cli import main
from skelaug.commands import Refused
from skelaug_contrib.commands import prepare
from skelaug_contrib.datasets import PreparedDataset, convert, from_npz, read

S, T = 12, 9


def arrays() -> dict[str, Any]:
    """Everything that is understood; two people, the second in every third clip; clip 3 (view 3) copies 5 (view 1)."""
    generator = np.random.default_rng(0)
    length = generator.integers(3, T, S)
    length[4] = T
    x = generator.normal(0, 0.3, (S, 3, T, 20, 2)).astype(np.float32)
    x[np.arange(S) % 3 != 0, ..., 1] = 0
    for clip, valid in zip(x, length, strict=True):
        clip[:, valid:] = 0
    x[3], length[3] = x[5], length[5]
    view = np.arange(S) % 4
    return {
        "x": x,
        "length": length,
        "label": np.arange(S) % 3,
        "subject": np.arange(S) // 3 + 1,
        "view": view,
        "episode": np.arange(S) // 6,
        "name": np.array([f"a{i}" for i in range(S)]),
        "class_names": np.array(["sit", "stand", "wave"]),
        "joint_names": np.array(skeletons["kinect20"].joints),
        "something_else": np.zeros(3),
    }


@pytest.fixture
def source(tmp_path: Path) -> dict[str, Any]:
    np.savez(tmp_path / "source.npz", **arrays())
    return arrays()


def command(*arguments: object) -> None:
    """Parse and run, as ``skelaug prepare`` does."""
    parser = argparse.ArgumentParser(prog="skelaug prepare")
    prepare.add_arguments(parser)
    prepare.run(**vars(parser.parse_args(list(map(str, arguments)))))


def save(path: Path, **changes: Any) -> Path:
    """The arrays with some changed, or left out where the change is None."""
    np.savez(path, **{name: value for name, value in (arrays() | changes).items() if value is not None})
    return path


def test_arrays_become_a_data_set(source: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("npz", tmp_path / "source.npz", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "12 clips, 3 coordinates, 9 frames, 20 joints, 2 persons, 3 classes, 4 subjects, 4 views; skeleton kinect20",
        "xview: train 6, test 6, test_clean 5",
        "xsub: train 6, test 6",
        f"wrote {tmp_path / 'out'}",
    ]
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.x.tobytes() == source["x"].tobytes()
    for name in ("length", "label", "subject", "view", "episode"):
        assert getattr(dataset, name).tolist() == source[name].tolist()
    assert dataset.names == tuple(source["name"]) and dataset.class_names == ("sit", "stand", "wave")
    xview = dataset.splits["xview"]
    assert set(source["view"][xview["train"]]) == {1, 2} and set(source["view"][xview["test"]]) == {0, 3}
    assert np.setdiff1d(xview["test"], xview["test_clean"]).tolist() == [3]
    assert set(source["subject"][dataset.splits["xsub"]["train"]]) == {1, 3}


@pytest.mark.parametrize(
    ("views", "clean"),
    [("1,2", 5), ("0,3", 5), ("1,3", None), ("0,2", None)],
    ids=["view 3 tests", "view 1 tests", "both train", "both test"],
)
def test_a_twin_on_the_other_side_makes_a_clean_part(views: str, clean: int | None, tmp_path: Path) -> None:
    command("npz", save(tmp_path / "a.npz"), tmp_path / "out", "--train-views", views)
    parts = PreparedDataset.open(tmp_path / "out").splits["xview"]
    assert {part: len(indices) for part, indices in parts.items() if part == "test_clean"} == (
        {} if clean is None else {"test_clean": clean}
    )


def test_where_nothing_is_clean_there_is_no_clean_part(tmp_path: Path) -> None:
    x = np.broadcast_to(arrays()["x"][4], arrays()["x"].shape)
    dataset = from_npz(save(tmp_path / "a.npz", x=x, length=None), tmp_path / "out")
    assert set(dataset.splits["xview"]) == {"train", "test"}


def test_the_command_line_runs_it(source: dict[str, Any], tmp_path: Path) -> None:
    arguments = ["prepare", "npz", str(tmp_path / "source.npz"), str(tmp_path / "out")]
    assert main(arguments) == 0
    assert len(PreparedDataset.open(tmp_path / "out")) == S
    assert main(arguments) == 1
    assert main([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize("per_part", [1, 5, 100])
def test_parts_change_nothing(
    per_part: int, source: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_PART", per_part * source["x"][0].nbytes)
    seen = []
    dataset = from_npz(
        tmp_path / "source.npz", tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert dataset.x.tobytes() == source["x"].tobytes()
    assert seen == [(min(done, S), S) for done in range(per_part, S + per_part, per_part)]


def test_the_least_that_is_needed(tmp_path: Path) -> None:
    x = arrays()["x"]
    x[7] = 0  # lost as a whole
    np.savez(tmp_path / "bare.npz", x=x, label=np.arange(S) % 2)
    dataset = from_npz(tmp_path / "bare.npz", tmp_path / "out", skeletons["kinect20"])
    assert dataset.length.tolist() == [1 if i == 7 else valid for i, valid in enumerate(arrays()["length"])]
    assert dataset.names[3] == "clip_3" and dataset.class_names == ("class_0", "class_1")
    assert dataset.subject is dataset.view is dataset.episode is None and dataset.splits == {}


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_floats_are_read(dtype: str, tmp_path: Path) -> None:
    x = arrays()["x"].astype(dtype)
    dataset = from_npz(save(tmp_path / "a.npz", x=x), tmp_path / "out")
    assert dataset.x.dtype == np.float32 and np.array_equal(dataset.x, x.astype(np.float32))


def test_persons_that_are_not_finite_are_absent(tmp_path: Path) -> None:
    x = arrays()["x"]
    x[0, :, 1, :, 1] = np.nan  # a person in a frame
    x[1, :, arrays()["length"][1] :] = np.inf  # padding
    dataset = from_npz(save(tmp_path / "a.npz", x=x), tmp_path / "out")
    wanted = arrays()["x"]
    wanted[0, :, 1, :, 1] = 0
    assert np.array_equal(dataset.x, wanted)


def test_joints_that_are_not_finite_were_not_observed(tmp_path: Path) -> None:
    x = arrays()["x"]
    x[7, 1, 2, 4, 0], x[8, 0, 1, 3:5, 0] = np.nan, np.inf
    dataset = from_npz(save(tmp_path / "a.npz", x=x), tmp_path / "out")
    wanted = arrays()["x"]
    wanted[7, :, 2, 4, 0], wanted[8, :, 1, 3:5, 0] = np.nan, np.nan
    assert np.array_equal(dataset.x, wanted, equal_nan=True)
    assert dataset.missing == 3
    clips = read(dataset, [7, 8])
    assert (~clips.batch.mask & clips.batch.presence[:, :, None]).sum() == 3
    assert clips.batch.x.isfinite().all()
    twice = 2 * int(arrays()["length"][7]) - 1  # a frame between every two
    resized = from_npz(save(tmp_path / "b.npz", x=x), tmp_path / "resized", frames=twice)
    assert np.isnan(resized.x[7, :, 4, 4, 0]).all()
    assert np.isfinite(resized.x[7, :, 4, 5, 0]).all()


def test_zeros_can_mean_not_observed(tmp_path: Path) -> None:
    x = arrays()["x"]
    x[7, :, 2, 4, 0] = 0
    dataset = from_npz(save(tmp_path / "a.npz", x=x), tmp_path / "out", missing="zero")
    assert np.isnan(dataset.x[7, :, 2, 4, 0]).all()
    assert dataset.missing == 1
    assert from_npz(save(tmp_path / "b.npz", x=x), tmp_path / "as it is").missing == 0


def test_values_after_the_length_are_padding(tmp_path: Path) -> None:
    """Some files repeat a clip until T is full."""
    x = arrays()["x"]
    x[1, :, arrays()["length"][1] :] = 5
    dataset = from_npz(save(tmp_path / "a.npz", x=x), tmp_path / "out")
    assert np.array_equal(dataset.x, arrays()["x"])


def test_who_trains_can_be_said(source: dict[str, Any], tmp_path: Path) -> None:
    command(
        "npz", tmp_path / "source.npz", tmp_path / "out", "--train-views", "0,3", "--train-subjects", "4",
        "--skeleton", "kinect20",
    )  # fmt: skip
    dataset = PreparedDataset.open(tmp_path / "out")
    assert set(source["view"][dataset.splits["xview"]["train"]]) == {0, 3}
    assert set(source["subject"][dataset.splits["xsub"]["train"]]) == {4}


def test_one_view_makes_no_protocol(tmp_path: Path) -> None:
    dataset = from_npz(save(tmp_path / "a.npz", view=np.ones(S, np.int64)), tmp_path / "out")
    assert list(dataset.splits) == ["xsub"]


def test_a_skeleton_of_ones_own(source: dict[str, Any], tmp_path: Path) -> None:
    about = skeletons["kinect20"].to_dict() | {"name": "mine", "joints": [f"j{i}" for i in range(20)]}
    (tmp_path / "mine.json").write_text(json.dumps(about))
    command("npz", tmp_path / "source.npz", tmp_path / "out", "--skeleton", tmp_path / "mine.json")
    assert PreparedDataset.open(tmp_path / "out").skeleton.name == "mine"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no x": ({"x": None}, "has no array 'x'; it holds length, label"),
    "no label": ({"label": None}, "has no array 'label', the class index of each clip"),
    "x of whole numbers": ({"x": np.ones((S, 3, T, 20, 1), int)}, "must be floating point, got int64"),
    "x of another rank": ({"x": np.ones((S, 3, T, 20))}, "has 5 axes, x has 4"),
    "empty": ({"x": np.ones((0, 3, T, 20, 1))}, "the array is empty"),
    "other joints": ({"x": np.ones((S, 3, T, 17, 1))}, "x has 17 joints, skeleton 'kinect20' has 20"),
    "float labels": ({"label": np.arange(S) / 2}, "label must be a list of whole numbers, got float64"),
    "labels from 1": ({"label": np.arange(S) % 3 + 1}, "label must lie in 0 … 2, got 3 for clip 2"),
    "negative labels": ({"label": np.arange(S) - 1}, "label must lie in 0 … 2, got -1 for clip 0"),
    "fewer lengths": ({"length": np.ones(3, int)}, r"length must be int64 with one entry a clip, \(12,\)"),
    "long lengths": ({"length": np.full(S, T + 1)}, "length must lie in 1 … 9, got 10"),
    "fewer subjects": ({"subject": np.ones(3, int)}, "subject must be int64 with one entry a clip"),
    "fewer names": ({"name": np.array(["a"])}, "names must have one entry a clip, 12, got 1"),
    "numbers as names": ({"class_names": np.arange(3)}, "class_names must be a list of strings"),
    "objects": ({"label": np.array([0, None] * 6, object)}, r"\['label'\]: an object array .* objects are not read"),
    "unknown joints": ({"joint_names": None}, "no known skeleton has its joint_names; name one of ntu25"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays_are_explained_and_leave_nothing(name: str, tmp_path: Path) -> None:
    change, message = BAD[name]
    with pytest.raises(ArrayError) as error:
        command("npz", save(tmp_path / "bad.npz", **change), tmp_path / "out")
    text = str(error.value)
    assert re.search(message, text), text
    assert "\n" not in text and sorted(path.name for path in tmp_path.iterdir()) == ["bad.npz"]


def test_joints_in_another_order_are_noticed(source: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArrayError, match="joint 0 is 'hip_center', not 'shoulder_left'"):
        command("npz", tmp_path / "source.npz", tmp_path / "out", "--skeleton", "msr20")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--skeleton", "ntu26"), "--skeleton ntu26: no skeleton 'ntu26'; nearest: ntu25"),
        (("--skeleton", "ntu25"), "x has 20 joints, skeleton 'ntu25' has 25"),
        (("--train-views", "7"), "xview with view 7 to train leaves one side empty; there are 0, 1, 2, 3"),
        (("--train-subjects", "1,2,3,4"), "leaves one side empty"),
    ],
)
def test_wrong_choices_are_explained(
    arguments: tuple[str, ...], message: str, source: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises((ArrayError, Refused), match=re.escape(message)):
        command("npz", tmp_path / "source.npz", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_choosing_from_what_is_not_there_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", view=None)
    with pytest.raises(ArrayError, match="has no array 'view', so none can be chosen to train under xview"):
        command("npz", tmp_path / "a.npz", tmp_path / "out", "--train-views", "1")


def test_damaged_and_missing_files_are_explained(source: dict[str, Any], tmp_path: Path) -> None:
    def say(name: str, content: bytes | None = None) -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ArrayError) as error:
            command("npz", tmp_path / name, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return str(error.value)

    whole = (tmp_path / "source.npz").read_bytes()
    assert "no such file" in say("none.npz")
    assert "expected a .npz file" in say("x.npy", b"")
    assert "not a readable .npz file" in say("text.npz", b"hello")
    assert "not a readable .npz file" in say("short.npz", whole[:-1000])
    # A flipped bit in the middle of x, which the checksum of the archive shows only at its end.
    middle = len(whole) // 3
    assert "damaged file" in say("flipped.npz", whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])


def test_a_folder_that_exists_is_kept(source: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    command("npz", tmp_path / "source.npz", out)
    changed = save(tmp_path / "b.npz", class_names=np.array(["x", "y", "z"]))
    with pytest.raises(FileExistsError, match="--overwrite"):
        command("npz", changed, out)
    assert PreparedDataset.open(out).class_names[0] == "sit"
    command("npz", changed, out, "--overwrite")
    assert PreparedDataset.open(out).class_names[0] == "x"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not only a prepared data set"):
        command("npz", changed, tmp_path / "home", "--overwrite")
    assert (tmp_path / "home" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "NAME"),
        (["parquet", "a", "b"], "invalid choice: 'parquet'"),
        (["npz", "a"], "OUT_DIR"),
        (["npz", "a", "b", "--train-views", "1;2"], "must look like 1,2,5"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(*arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err
