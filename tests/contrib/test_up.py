"""A prepared set knows which axis of it points up, and what reads it turns and draws by that."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contrib.sources import raw

import skelaug
from skelaug import Skeleton, SkeletonBatch
from skelaug.cli import main
from skelaug_contrib.commands.pretrain import header
from skelaug_contrib.config import DataConfig, PretrainConfig
from skelaug_contrib.datasets import PreparedDataset, placement, preparation, write
from skelaug_contrib.evaluate import Coordinates

SKELETON = skelaug.skeletons["kinect20"]
UPRIGHT = dataclasses.replace(SKELETON, up="z")


def clips(up: str) -> np.ndarray:
    """Bodies that face everywhere, far from the origin: (S, 3, T, V, 1)."""
    x = skelaug.synthetic_motion(SKELETON, 6, 10, generator=torch.Generator().manual_seed(0)).x[..., :1]
    angle = torch.stack([torch.zeros(6), torch.linspace(-3, 3, 6), torch.zeros(6)], 1)
    x = skelaug.functional.space.linear(x, skelaug.functional.space.rotation_matrix(angle)).numpy() + np.float32(4)
    return x if up == "y" else np.stack([x[:, 0], -x[:, 2], x[:, 1]], 1)


def data(path: Path, up: str, skeleton: Skeleton) -> PreparedDataset:
    names = [str(i) for i in range(6)]
    splits = {"xview": {"train": range(5), "test": [5]}}
    about: dict[str, Any] = {"length": [10] * 6, "label": [0] * 6, "names": names, "class_names": ["a"]}
    return write(path, x=clips(up), skeleton=skeleton, splits=splits, **about)


def saved(folder: Path, up: str = "z", **more: Any) -> Path:
    np.savez(folder / "a.npz", x=clips(up), label=np.zeros(6, np.int64), view=np.array([1, 1, 1, 2, 3, 3]), **more)
    return folder / "a.npz"


def test_a_set_keeps_it(tmp_path: Path) -> None:
    dataset = data(tmp_path / "z", "z", UPRIGHT)
    assert dataset.skeleton == UPRIGHT and PreparedDataset.open(dataset.path).skeleton.up == "z"
    assert json.loads((dataset.path / "dataset.json").read_text())["skeleton"]["up"] == "z"


def test_a_set_of_before_opens_as_before(tmp_path: Path) -> None:
    dataset = data(tmp_path / "old", "y", SKELETON)
    file = dataset.path / "dataset.json"
    about = json.loads(file.read_text())
    del about["skeleton"]["up"]
    file.write_text(json.dumps(about))
    assert PreparedDataset.open(dataset.path).skeleton == SKELETON and SKELETON.up == "y"
    about["skeleton"]["up"] = "w"
    file.write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"no skeleton .*up must be one of x, -x, y"):
        PreparedDataset.open(dataset.path)


@pytest.mark.parametrize(("given", "up"), [((), "y"), (("--up", "z"), "z"), (("--up=-y",), "-y")])
def test_arrays_are_told(given: tuple[str, ...], up: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "npz", str(saved(tmp_path)), str(tmp_path / "out"), "--skeleton", "kinect20", *given]
    assert main(arguments) == 0
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.skeleton == dataclasses.replace(SKELETON, up=up)
    assert dataset.x.tobytes() == clips("z").tobytes(), "nothing is turned"
    said = capsys.readouterr().out.splitlines()[0]
    assert said.endswith("skeleton kinect20" + ("" if up == "y" else f", {up} up"))


@pytest.mark.parametrize(("given", "up"), [((), "y"), (("--up", "z"), "z")])
def test_bvh_is_y_up_unless_it_is_said(given: tuple[str, ...], up: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    raw.bvh_tree(tmp_path / "raw")
    assert main(["prepare", "bvh", str(tmp_path / "raw"), str(tmp_path / "out"), *given]) == 0
    assert PreparedDataset.open(tmp_path / "out").skeleton.up == up


def test_no_axis_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "npz", str(saved(tmp_path)), str(tmp_path / "out"), "--up", "w"])
    assert "--up: 'w' is none of" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_bodies_are_turned_about_what_is_vertical(tmp_path: Path) -> None:
    z, y = data(tmp_path / "z", "z", UPRIGHT), data(tmp_path / "y", "y", SKELETON)
    for align in ("frame", "clip", "released"):
        made = [
            preparation(d.skeleton, None, center="frame", align=align)(SkeletonBatch(torch.tensor(d.x))).x
            for d in (z, y)
        ]
        expected = torch.stack([made[1][:, 0], -made[1][:, 2], made[1][:, 1]], 1)
        torch.testing.assert_close(made[0], expected, rtol=0, atol=1e-5)
    left, right = SKELETON.shoulders
    features = Coordinates(UPRIGHT)(torch.tensor(z.x)).view(z.x.shape)
    across = features[:, :, 0, right, 0] - features[:, :, 0, left, 0]
    assert (across[:, 0] > 0).all() and across[:, 1].abs().max() < 1e-5


def test_coordinates_in_the_plane_are_turned_in_it() -> None:
    x = torch.tensor(clips("y"))[:, :2]
    left, right = SKELETON.shoulders
    features = Coordinates(SKELETON)(x).view(x.shape)
    across = features[:, :, 0, right, 0] - features[:, :, 0, left, 0]
    assert (across[:, 0] > 0).all() and across[:, 1].abs().max() < 1e-5


def test_headings_are_measured_about_what_is_vertical(tmp_path: Path) -> None:
    z, y = (placement(data(tmp_path / up, up, skeleton)) for up, skeleton in (("z", UPRIGHT), ("y", SKELETON)))
    assert (z.vertical, z.up, y.vertical, y.up) == ("z", "z", "y", "y")
    np.testing.assert_allclose(z.headings, y.headings.conj(), atol=1e-6)
    assert z.wanted == y.wanted == {"data.center": "frame", "data.align": "frame"}
    assert not any("spines point" in line for line in z.lines())


def test_a_set_that_says_the_wrong_axis_is_told(tmp_path: Path) -> None:
    dataset = data(tmp_path / "wrong", "z", SKELETON)
    where = placement(dataset)
    assert "data.align" not in where.wanted
    said = "\n".join(header(dataset, PretrainConfig(DataConfig(str(dataset.path)))))
    assert "spines point along z, but the data say that y is up" in said and "anew with --up=z" in said


def test_pictures_are_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from skelaug import plot
    from skelaug.plot import sheets

    seen = []
    strip = plot.strip
    for module in (plot, sheets):
        monkeypatch.setattr(module, "strip", lambda *a, **k: seen.append((a[1].up, k.get("up"))) or strip(*a, **k))
    dataset = data(tmp_path / "z", "z", UPRIGHT)
    assert main(["inspect", str(dataset.path), "--out", str(tmp_path / "found")]) == 0
    assert main(["views", str(dataset.path), "--out", str(tmp_path / "views")]) == 0
    assert set(seen) == {("z", None)}
    seen.clear()
    assert main(["inspect", str(dataset.path), "--out", str(tmp_path / "found"), "--up=-y"]) == 0
    assert set(seen) == {("z", "-y")}
    assert math.isfinite(dataset.x.max())
