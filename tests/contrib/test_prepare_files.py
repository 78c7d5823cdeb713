"""``skelaug prepare`` with files that do not say all about themselves: what the user adds, and what is said to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from contrib.sources import raw
from runs import tiny

import skelaug
from skelaug.arrays import ArrayError
from skelaug.cli import main
from skelaug_contrib.datasets import PreparedDataset, from_npz
from skelaug_contrib.train import pretrain

Capture = pytest.CaptureFixture[str]


def prepared(*arguments: object) -> PreparedDataset:
    """What ``skelaug prepare`` wrote; the third argument is the folder."""
    assert main(["prepare", *map(str, arguments), *([] if arguments[0] == "npz" else ["--workers", "0"])]) == 0
    return PreparedDataset.open(str(arguments[2]))


def refused(capsys: Capture, *arguments: object) -> str:
    """What it said."""
    capsys.readouterr()
    assert main(["prepare", *map(str, arguments), "--workers", "0"]) == 1
    assert not Path(str(arguments[2])).exists()
    return capsys.readouterr().err


# --- BVH --------------------------------------------------------------------------------------------------------------

BVH = """HIERARCHY
ROOT Hips
{
OFFSET 0 0 0
CHANNELS 3 Xposition Yposition Zposition
JOINT LeftFoot
{
OFFSET 0.1 -0.9 0
}
JOINT Head
{
OFFSET 0 0.8 0
}
}
MOTION
Frames: 2
Frame Time: 0.1
0 0.9 0
0 0.9 0
"""


def test_bvh_in_metres(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "1.bvh").write_text(BVH)
    small = prepared("bvh", tmp_path, tmp_path / "small")
    said = capsys.readouterr().out
    assert "1 of 1 clips have bodies of 1.7 cm, outside 0.5 … 3 m" in said and "--scale 1 " in said
    assert "left or right without a counterpart" in said and "LeftFoot" in said
    assert json.loads((small.path / "report.json").read_text())["findings"]["sizes"] == {"1": 0.017}
    large = prepared("bvh", tmp_path, tmp_path / "large", "--scale", "1")
    assert "size" not in (said := capsys.readouterr().out) and "--scale" not in said
    np.testing.assert_allclose(large.x[0, 1, 0, :, 0], [0.9, 0, 1.7], rtol=1e-6)


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "metre"])
def test_a_scale_is_a_number_above_0(scale: str, tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "bvh", str(tmp_path), str(tmp_path / "out"), f"--scale={scale}"])
    assert "must be a number above 0" in capsys.readouterr().err


def test_one_bvh_file(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "jump.bvh").write_text(BVH)
    assert prepared("bvh", tmp_path / "jump.bvh", tmp_path / "out", "--scale", "1").names == ("jump",)
    (tmp_path / "bad.bvh").write_text("junk")
    said = refused(capsys, "bvh", tmp_path / "bad.bvh", tmp_path / "bad")
    assert "bad.bvh: is no BVH: it has no line MOTION" in said
    assert "is a file; expected a folder" in refused(capsys, "ntu60", tmp_path / "jump.bvh", tmp_path / "bad")


# --- arrays and annotations -------------------------------------------------------------------------------------------


def test_pyskl_with_another_skeleton_and_scores(tmp_path: Path, capsys: Capture) -> None:
    raw.pyskl_scores_tree(tmp_path)
    assert "--skeleton): coco17" in refused(capsys, "pyskl", tmp_path, tmp_path / "out")
    data = prepared("pyskl", tmp_path / "anno.pkl", tmp_path / "out", "--skeleton", "coco17")
    assert data.x.shape == (2, 3, 5, 17, 2) and data.skeleton.name == "coco17" and list(data.splits) == ["split1"]
    assert "channels: x, y, score" in (said := capsys.readouterr().out) and "size:" not in said
    flat = prepared("pyskl", tmp_path, tmp_path / "flat", "--skeleton", "coco17", "--no-scores")
    assert flat.x.shape[1] == 2 and "keypoint_score is left out" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["prepare", "pyskl", str(tmp_path), str(tmp_path / "x"), "--skeleton", "coco"])
    assert "coco17" in capsys.readouterr().err


def test_arrays_by_the_names_of_st_gcn(tmp_path: Path, capsys: Capture) -> None:
    raw.stgcn_tree(tmp_path)
    data = prepared("aimclr", tmp_path, tmp_path / "out")
    assert len(data) == 3 and list(data.splits) == ["given"]
    for part in ("train", "val"):
        (tmp_path / f"{part}_data.npy").write_bytes((tmp_path / f"{part}_data_joint.npy").read_bytes())
    said = refused(capsys, "aimclr", tmp_path, tmp_path / "twice")
    assert "holds clips twice, as data.npy and data_joint.npy" in said
    bones = skelaug.Skeleton("own", skelaug.skeletons["ntu25"].joints, (0, *range(24)))
    (tmp_path / "own.json").write_text(json.dumps(bones.to_dict()))
    for file in tmp_path.glob("*_data.npy"):
        file.unlink()
    assert prepared("aimclr", tmp_path, tmp_path / "own", "--skeleton", tmp_path / "own.json").skeleton == bones


# --- keypoints and tables ---------------------------------------------------------------------------------------------


def test_keypoints_of_images(tmp_path: Path, capsys: Capture) -> None:
    for kind, make, skeleton in (
        ("kinetics", raw.kinetics_tree, "openpose18"),
        ("openpose", raw.openpose_tree, "body25"),
    ):
        (tmp_path / kind).mkdir()
        make(tmp_path / kind)
        data = prepared(kind, tmp_path / kind, tmp_path / f"{kind}_out")
        assert data.x.shape[1] == 3 and data.skeleton.name == skeleton and len(data) == 2
        assert "channels: x, y, score" in (said := capsys.readouterr().out) and "size:" not in said
        assert prepared(kind, tmp_path / kind, tmp_path / f"{kind}_xy", "--no-scores").x.shape[1] == 2


def test_a_table(tmp_path: Path, capsys: Capture) -> None:
    raw.csv_tree(tmp_path)
    data = prepared("csv", tmp_path, tmp_path / "out", "--skeleton", "mediapipe33", "--columns", "x{j},y{j}")
    assert data.x.shape == (2, 2, 4, 33, 1) and data.class_names == ("kick", "walk")
    wrong = ["--skeleton", "mediapipe33", "--columns", "{joint}_x"]
    assert "01.csv:1: has no column 'nose_x'" in refused(capsys, "csv", tmp_path, tmp_path / "x", *wrong)
    wrong[-1] = "x"
    assert "--columns x: names the same column for several" in refused(capsys, "csv", tmp_path, tmp_path / "x", *wrong)


# --- protocols --------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*has no pairs")
def test_a_set_without_protocols_can_be_pretrained(tmp_path: Path, capsys: Capture) -> None:
    for i in range(8):
        (tmp_path / f"{i}.bvh").write_text(BVH.replace("\n0 0.9 0\n", f"\n{i} 0.9 0\n"))
    data = prepared("bvh", tmp_path, tmp_path / "data", "--scale", "1")
    assert "all: train 8; no protocol has a test part" in capsys.readouterr().out
    with pytest.raises(ArrayError, match="has no protocol 'xsub'; its protocols: none, so 'all' alone can be named"):
        pretrain(tiny(data.path, max_steps=1), tmp_path / "run")
    assert pretrain(tiny(data.path, max_steps=2, data__protocol="all"), tmp_path / "run").is_file()


# --- what is done with them -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*has no pairs")
def test_views_of_a_prepared_folder(tmp_path: Path, capsys: Capture) -> None:
    for i in range(2):
        (tmp_path / f"{i}.bvh").write_text(BVH if i else BVH.replace("Frames: 2", "Frames: 3") + "0 0.9 0\n")
    data = prepared("bvh", tmp_path, tmp_path / "data", "--scale", "1")
    assert main(["views", str(data.path), "--out", str(tmp_path / "views")]) == 0
    assert "lengths from the file" in capsys.readouterr().out
    about = json.loads((tmp_path / "views" / "views.json").read_text())
    assert about["sequences"] == 2 and about["skeleton"] == json.loads(json.dumps(data.skeleton.to_dict()))
    view = np.load(tmp_path / "views" / f"0_{about['views'][0]}.npy")
    assert view.shape[0] == 2 and view.shape[3] == 3

    capsys.readouterr()
    assert main(["views", str(tmp_path), "--out", str(tmp_path / "x")]) == 1
    assert "a folder, but none that skelaug prepare wrote" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", data.x)
    assert main(["views", str(tmp_path / "x.npy"), "--out", str(tmp_path / "x")]) == 1
    assert "--skeleton is needed" in capsys.readouterr().err
    (data.path / "dataset.json").write_text("{}")
    assert main(["views", str(data.path), "--out", str(tmp_path / "x")]) == 1
    assert "has no skeleton" in capsys.readouterr().err


def test_views_of_a_prepared_folder_know_which_channels_are_coordinates(tmp_path: Path) -> None:
    x = skelaug.synthetic_motion("coco17", 4, 12, dims=2, generator=torch.Generator().manual_seed(0)).x
    x = torch.cat([x, torch.full_like(x[:, :1], 0.7)], 1).numpy()
    np.savez(tmp_path / "a.npz", x=x, label=np.arange(4))
    data = from_npz(tmp_path / "a.npz", tmp_path / "data", skelaug.skeletons["coco17"], coords=2)
    assert main(["views", str(data.path), "--out", str(tmp_path / "views")]) == 0  # and without a warning
    for file in (tmp_path / "views").glob("[0-9]_*.npy"):
        if not file.stem.endswith("_mask"):
            assert set(np.unique(np.load(file)[:, 2])) <= {np.float32(0), np.float32(0.7)}


# --- AMASS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("array", [[], ["--array", "poses"]])
def test_the_angles_of_amass_are_no_coordinates(array: list[str], tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "walk_poses.npz"
    np.savez(file, poses=np.zeros((9, 156)), trans=np.zeros((9, 3)), betas=np.zeros(16), mocap_framerate=120.0)
    assert main(["prepare", "npz", str(file), str(tmp_path / "out"), "--skeleton", "smpl24"]) == 1
    assert "'poses' are angles of joints, not coordinates" in capsys.readouterr().err
    assert main(["views", str(file), "--out", str(tmp_path / "out"), "--skeleton", "smpl24", *array]) == 1
    assert "'poses' are angles of joints, not coordinates" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
