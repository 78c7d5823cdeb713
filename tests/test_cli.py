"""The commands: on good files they do the job, on bad ones they say what is wrong and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skelaug
from skelaug import SkeletonBatch, config, skeletons, synthetic_motion
from skelaug.cli import main

N, T = 11, 20


@pytest.fixture
def motion() -> SkeletonBatch:
    return synthetic_motion(
        skeletons["kinect20"], N, T, persons=2, gaps=True, generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture
def file(motion: SkeletonBatch, tmp_path: Path) -> Path:
    path = tmp_path / "motion.npy"
    np.save(path, motion.x.numpy())
    return path


def views(*arguments: object) -> int:
    return main(["views", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line in which the command says no."""
    out = Path(str(arguments[0])).parent / "out"
    capsys.readouterr()
    assert views(*arguments, "--out", out) == 1
    text = capsys.readouterr().err.strip()
    assert not out.exists() and not list(out.parent.glob(".out*")), "something was left behind"
    assert text.startswith("skelaug views: ") and "\n" not in text and "Traceback" not in text
    return text


def test_demo_draws_both_pictures_and_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path), "--batch", "8", "--steps", "0"]) == 0
    text = capsys.readouterr().out
    for word in ("view", "strength", "ms/batch", "samples/s", "basic", "+ SwapSides", "strong"):
        assert word in text
    from matplotlib.image import imread

    for name in ("ladder.png", "transforms.png"):
        picture = imread(tmp_path / name)
        assert picture.shape[0] > 400 and picture.std() > 0.05


def test_the_demo_shows_every_transform() -> None:
    from skelaug.commands import demo

    shown = {cell.title.split("(")[0] for cell in demo._cells(skelaug.sample_motion(length=48), seed=0)}
    assert shown == set(skelaug.transforms.__all__)


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_views_are_the_librarys_whatever_the_part(
    batch: int, file: Path, tmp_path: Path, motion: SkeletonBatch
) -> None:
    out = tmp_path / "out"
    assert views(file, "--skeleton", "kinect20", "--out", out, "--seed", 3, "--batch", batch) == 0
    policy = skelaug.policies.hiclr(skeletons["kinect20"])
    expected = policy.views(SkeletonBatch(motion.x), keys=skelaug.random.keys(3, 0, range(N)))
    for i, (name, view) in enumerate(zip(policy.names, expected, strict=True)):
        x, mask = (np.load(out / f"{i}_{name}{end}.npy") for end in ("", "_mask"))
        assert x.dtype == np.float32 and x.shape == (N, 3, T, 20, 2)
        np.testing.assert_allclose(x, view.x.numpy(), atol=1e-6)
        assert np.array_equal(mask, view.mask.numpy())
        assert (x.transpose(0, 2, 3, 4, 1)[~mask] == 0).all()
    about = json.loads((out / "views.json").read_text())
    assert about["views"] == list(policy.names) and about["seed"] == 3 and about["sequences"] == N
    assert repr(config.from_yaml(out / "policy.yaml")) == repr(policy)
    assert (out / "ladder.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("layout", "sizes"),
    [("NMTVC", None), ("N T (M V C)", "M=2,C=3"), ("NT(VCM)", "M=2,C=3"), ("NTVCM", None)],
)
def test_layouts(layout: str, sizes: str | None, motion: SkeletonBatch, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, skelaug.to_layout(motion.x, "NCTVM", layout, contiguous=True).numpy())
    more = ["--sizes", sizes] if sizes else []
    assert views(path, "--skeleton", "kinect20", "--layout", layout, "--out", tmp_path / "out", *more) == 0
    expected = skelaug.policies.hiclr(skeletons["kinect20"])[0](motion.x, keys=None)
    assert np.load(tmp_path / "out" / "0_basic.npy").shape == tuple(expected.shape)


def test_one_sample_without_n_and_lengths_of_an_npz(motion: SkeletonBatch, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", motion.x[0].numpy())
    assert views(tmp_path / "one.npy", "--skeleton", "kinect20", "--layout", "CTVM", "--out", tmp_path / "one") == 0
    assert np.load(tmp_path / "one" / "0_basic.npy").shape == (1, 3, T, 20, 2)

    length = np.arange(N) + 5
    x = np.random.default_rng(0).normal(size=motion.x.shape)  # float64, present everywhere
    np.savez_compressed(tmp_path / "many.npz", x=x, length=length, label=np.arange(N))
    assert views(tmp_path / "many.npz", "--skeleton", "kinect20", "--batch", 4, "--out", tmp_path / "many") == 0
    mask = np.load(tmp_path / "many" / "0_basic_mask.npy")
    assert np.array_equal(mask.any((2, 3)).sum(1), length)


def test_other_policies(file: Path, tmp_path: Path) -> None:
    def run(name: str, *more: str) -> set[str]:
        assert views(file, "--skeleton", "kinect20", "--out", tmp_path / name, "--policy", name, *more) == 0
        return {path.name for path in (tmp_path / name).glob("*.npy")}

    assert run("ctrgcn") == {"0_augmented.npy", "0_augmented_mask.npy"}
    assert "2_strong_graph.npy" in run("hiclr", "--strong", "all", "--stream", "bone")
    recipe = tmp_path / "mine.yaml"
    config.to_yaml(skelaug.Compose([skelaug.transforms.Shear(0.2)]), recipe)
    own = tmp_path / "mine.json"
    own.write_text(json.dumps(skeletons["kinect20"].to_dict()))
    assert views(file, "--skeleton", own, "--policy", recipe, "--center", "--out", tmp_path / "mine") == 0
    assert (tmp_path / "mine" / "0_augmented.npy").exists()


def test_a_folder_that_exists_is_kept(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("keep me")
    assert views(file, "--skeleton", "kinect20", "--out", out) == 1
    assert "--overwrite" in capsys.readouterr().err
    for name, what in (("precious.txt", "precious.txt would be lost"), ("0_cats.npy", "has no views.json")):
        (out / "precious.txt").rename(out / name)
        assert views(file, "--skeleton", "kinect20", "--out", out, "--overwrite") == 1
        message = capsys.readouterr().err
        assert what in message and "choose another folder, or remove this one yourself" in message
        assert (out / name).read_text() == "keep me" and not list(tmp_path.glob(".out*"))
    (out / "0_cats.npy").unlink()
    assert views(file, "--skeleton", "kinect20", "--out", out, "--overwrite") == 0, "an empty folder may be used"
    (out / "table.txt").write_text("old")
    assert views(file, "--skeleton", "kinect20", "--out", out, "--overwrite") == 0, "its own folder is replaced"
    assert (out / "table.txt").read_text() != "old" and not list(tmp_path.glob(".out*"))


def bad_files(x: Any) -> dict[str, tuple[Any, str]]:
    objects = np.empty(2, object)
    objects[:] = [x[0], None]
    return {
        "wrong rank": (x[0], "has 5 axes, x has 4.*--layout"),
        "wrong joints": (x[:, :, :, :17], "17 joints.*'kinect20' has 20; skeletons with 17 joints: coco17, h36m17"),
        "wrong axes": (x.transpose(0, 2, 1, 3, 4), "20 coordinates, expected 2 or 3; check --layout and --coords"),
        "integers": ((x * 1000).astype(np.int32), r"floating point, got int32; save it with x.astype\('float32'\)"),
        "empty": (x[:0], r"empty: shape \(0, 3, 20, 20, 2\)"),
        "fortran": (np.asfortranarray(x), "Fortran order; save numpy.ascontiguousarray"),
        "objects": (objects, "object array.*not read.*'length'"),
        "complex": (x.astype(np.complex64), "floating point, got complex64"),
    }


@pytest.mark.parametrize(
    "name",
    ["wrong rank", "wrong joints", "wrong axes", "integers", "empty", "fortran", "objects", "complex"],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_bad_arrays_are_explained(
    name: str, suffix: str, motion: SkeletonBatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array, message = bad_files(motion.x.numpy())[name]
    path = tmp_path / f"bad.{suffix}"
    if suffix == "npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, x=array)
    text = refused(capsys, path, "--skeleton", "kinect20", "--batch", 3)
    assert re.search(message, text), text


def test_what_is_not_finite_was_not_observed(tmp_path: Path) -> None:
    x = np.ones((2, 3, 8, 20, 1), np.float32)
    x[1, 0, :, 4] = np.inf
    np.save(tmp_path / "x.npy", x)
    arguments = ("--skeleton", "kinect20", "--out", tmp_path / "out")
    assert views(tmp_path / "x.npy", *arguments) == 0
    mask = np.load(tmp_path / "out" / "0_basic_mask.npy")
    assert mask[0].all() and not mask[1, :, 4].any() and mask[1].sum() == 8 * 19


def test_zeros_and_scores_can_mean_not_observed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.ones((2, 3, 8, 20, 1), np.float32)
    x[1, :, :, 4], x[0, 2, 3, 5] = 0, 0.2
    np.save(tmp_path / "x.npy", x)
    for how, hidden in (("nan", 0), ("zero", 8), ("score:2:0.3", 9)):
        out = tmp_path / how.replace(":", "_")
        assert views(tmp_path / "x.npy", "--skeleton", "kinect20", "--missing", how, "--out", out) == 0
        assert (~np.load(out / "0_basic_mask.npy")).sum() == hidden
    for wrong in ("never", "score", "score:x:1"):
        with pytest.raises(SystemExit):
            views(tmp_path / "x.npy", "--skeleton", "kinect20", "--missing", wrong, "--out", tmp_path / "out")
        assert "must be nan, zero or score:CHANNEL:BELOW" in capsys.readouterr().err


def test_damaged_and_missing_files_are_explained(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(path: Path, *more: str) -> str:
        return refused(capsys, path, "--skeleton", "kinect20", *more)

    assert "no such file" in say(tmp_path / "none.npy")
    short = tmp_path / "short.npy"
    short.write_bytes(file.read_bytes()[:-1000])
    assert "ends early" in say(short)
    text = tmp_path / "text.npy"
    text.write_text("hello")
    assert "not a readable NumPy file" in say(text)
    broken = tmp_path / "broken.npz"
    broken.write_text("hello")
    assert "not a readable .npz file" in say(broken)
    np.savez(tmp_path / "two.npz", a=np.ones(3), b=np.ones(3))
    assert "holds a, b; name the array to read with --array" in say(tmp_path / "two.npz")
    assert "has no array 'c'; it holds a, b" in say(tmp_path / "two.npz", "--array", "c")
    (tmp_path / "x.csv").write_text("1,2")
    assert "expected a .npy or .npz file" in say(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--skeleton", "ntu26"], "--skeleton ntu26: no skeleton 'ntu26'; nearest: ntu25"),
        (["--skeleton", "kinect20", "--policy", "best"], "--policy best: no preset 'best'; known: aimclr"),
        (["--skeleton", "kinect20", "--strong", "huge"], "strong must be one of 'mask'"),
        (["--skeleton", "kinect20", "--policy", "ctrgcn", "--strong", "all"], "unexpected keyword argument 'strong'"),
        (["--skeleton", "kinect20", "--layout", "NCTVQ"], "cannot read 'NCTVQ' at 'Q'"),
        (["--skeleton", "kinect20", "--layout", "CNTVM"], "must begin with N"),
        (["--skeleton", "kinect20", "--array", "x"], "holds one array without a name"),
    ],
)
def test_wrong_choices_are_explained(
    arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, file, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["views", "x.npy"], "required: --out"),
        (["views", "x.npy", "--skeleton", "ntu25", "--out", "o", "--batch", "0"], "whole number ≥ 1"),
        (["views", "x.npy", "--skeleton", "ntu25", "--out", "o", "--sizes", "Q=2"], "must look like M=2,C=3"),
        (["demo", "--device", "toaster"], "cannot use the device 'toaster'"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_help_version_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "views" in capsys.readouterr().out
    assert main([]) == 2
    assert main(["--version"]) == 0
    assert skelaug.__version__ in capsys.readouterr().out
    assert main(["veiws"]) == 2
    assert "no command 'veiws'; did you mean views?; commands: demo, views" in capsys.readouterr().err


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.strip() == "skelaug demo needs matplotlib: pip install 'skelaug[viz]'"
    assert main(["views"]) == 1
    assert "pip install 'skelaug[cli]'" in capsys.readouterr().err


def test_importing_skelaug_leaves_the_heavy_libraries_alone() -> None:
    code = (
        "import sys, skelaug; from skelaug import cli; skelaug.policies.hiclr(skelaug.skeletons['ntu25']);"
        "print([m for m in ('kornia', 'scipy', 'matplotlib', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_warning_is_the_commands_own_line(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 3, 8, 18, 1), np.float32))
    command = [sys.executable, "-m", "skelaug.cli", "views", "x.npy", "--skeleton", "openpose18", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    (line,) = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    assert line.startswith("skelaug views: warning: skeleton 'openpose18' is one of images")
    assert "--coords 2" in line
