"""What is particular to a format: its other versions, its own faults, and the real files of it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from contrib.sources import raw
from hypothesis import given
from hypothesis import strategies as st

import skelaug
from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import Fault, Recording
from skelaug_contrib.datasets.sources.files import Broken
from skelaug_contrib.datasets.sources.utdmhad import read_array


def items(name: str, folder: Path, **options: Any) -> tuple[list[Recording], list[str]]:
    found = raw.read(raw.source(name, folder, **options))
    return [item for item in found if isinstance(item, Recording)], [str(f) for f in found if isinstance(f, Fault)]


# --- real files -------------------------------------------------------------------------------------------------------


def test_real_nw_ucla_files_equal_the_arrays(recordings: Path) -> None:
    found, faults = items("nwucla", recordings / "nw_ucla_json")
    assert len(found) == 60 and faults == []
    with np.load(recordings / "nw_ucla.npz") as arrays:
        held = {name: arrays[name] for name in ("x", "length", "label", "subject", "view", "episode")}
        index = {name: i for i, name in enumerate(arrays["name"])}
        classes = tuple(arrays["class_names"])
    assert raw.source("nwucla", recordings / "nw_ucla_json").class_names == classes
    for item in found:
        i = index[item.name]
        assert item.x.shape[1] == held["length"][i]
        np.testing.assert_array_equal(item.x, held["x"][i, :, : held["length"][i]])
        for name in ("label", "subject", "view", "episode"):
            assert getattr(item, name) == held[name][i]


# --- MSR Action3D -----------------------------------------------------------------------------------------------------


def write_screen(path: Path, metres: np.ndarray) -> None:
    """(T, 20, 3) as whole columns, rows and depths of the depth image, as Kinect's own functions go."""
    x, y, z = np.moveaxis(metres.astype(float), -1, 0)
    column, row = 160 + x / z / 3.501e-3, 120 - y / z / 3.501e-3
    table = np.stack([column.round(), row.round(), (z * 250).round(), np.ones_like(x)], -1).reshape(-1, 4)
    path.write_text("\r\n".join(" ".join(f"{v:14.7e}" for v in line) for line in table) + "\r\n")


def test_the_screen_version_is_brought_to_metres(tmp_path: Path) -> None:
    clip = raw.motion("msr20", 1, 5)[0, ..., 0] + np.array([0, 0, 3], np.float32)
    write_screen(tmp_path / "a05_s02_e01_skeleton.txt", clip)
    (item,), faults = items("msr", tmp_path)
    assert faults == [] and item.label == 4 and item.parts == {"xsub": "test"}
    np.testing.assert_allclose(item.x, raw.ctvm(clip), atol=0.012)


def test_world_coordinates_are_preferred(tmp_path: Path) -> None:
    raw.msr_tree(tmp_path)
    write_screen(tmp_path / "a05_s02_e01_skeleton.txt", np.ones((2, 20, 3)))
    found, _ = items("msr", tmp_path)
    assert [item.name for item in found] == ["a01_s01_e01", "a20_s10_e02"]


def test_msr_leaves_out_what_the_protocol_leaves_out(tmp_path: Path) -> None:
    raw.msr_tree(tmp_path)
    good = (tmp_path / "a01_s01_e01_skeleton3D.txt").read_text()
    (tmp_path / "a07_s04_e01_skeleton3D.txt").write_text(good)
    (tmp_path / "a13_s09_e02_skeleton3D.txt").write_text("0 0 0 0\n" * 40)
    found, faults = items("msr", tmp_path)
    assert len(found) == 2 and all("left out" in fault for fault in faults) and len(faults) == 2
    found, faults = items("msr", tmp_path, keep_all=True)
    assert len(found) == 3 and len(faults) == 1 and "nobody in any of its 2 frames" in faults[0]


def test_msr_faults_name_their_lines(tmp_path: Path) -> None:
    good = raw.rows(np.ones((40, 4)))
    for name, text, expected in (
        ("a01_s01_e01", good.replace("1 1 1 1\n", "1 1 1\n", 1), "skeleton3D.txt:1: has 3 numbers, expected 4"),
        ("a01_s01_e02", good + "1 1 1 1\n", "ends early: 41 lines, expected 20 for each frame"),
        ("a01_s01_e03", good.replace("1 1 1 1\n", "1 1 1 1\n\n1 y 1 1\n", 1), "skeleton3D.txt:3: 'y' is not a number"),
        ("a21_s01_e03", good, "actions are 01 … 20"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}_skeleton3D.txt").write_text(text)
        _, (fault,) = items("msr", folder)
        assert expected in fault


def test_lost_frames_stay_lost(tmp_path: Path) -> None:
    raw.msr_tree(tmp_path)
    found, _ = items("msr", tmp_path)
    assert not found[0].x[:, 1].any() and found[0].notes == ("nobody in frame 1",)


# --- UTKinect ---------------------------------------------------------------------------------------------------------


def test_utkinect_says_what_its_list_lacks(tmp_path: Path) -> None:
    raw.utkinect_tree(tmp_path)
    _, (fault,) = items("utkinect", tmp_path)
    assert "clip s10_e02_carry: line 6 of actionLabel.txt gives no frames" in fault
    labels = (tmp_path / "actionLabel.txt").read_text()
    for text, expected in (
        (labels.replace("s10_e02", "s10_e03"), "actionLabel.txt says nothing of s10_e02"),
        (labels.replace("102 110", "1 9", 1), "s01_e01_walk: has no frame from 1 to 9, as line 2"),
        (labels.replace("walk", "fly", 1), "joints_s01_e01.txt:2: actionLabel.txt has 'fly: 102 110'"),
        ("walk: 1 2\n" + labels, ":1: actionLabel.txt has 'walk: 1 2', expected a line such as"),
        (labels.replace("carry: 112 200", "walk: 3 4"), ":3: actionLabel.txt has walk a second time for s01_e01"),
    ):
        (tmp_path / "actionLabel.txt").write_text(text)
        _, faults = items("utkinect", tmp_path)
        assert any(expected in fault for fault in faults), (expected, faults)


def test_utkinect_notes_what_is_doubtful(tmp_path: Path) -> None:
    raw.utkinect_tree(tmp_path)
    labels = (tmp_path / "actionLabel.txt").read_text().replace("112 200", "108 200")
    (tmp_path / "actionLabel.txt").write_text(labels)
    found, _ = items("utkinect", tmp_path)
    assert found[0].notes == ("1 further poses of a picture left out", "shares frames with carry, by actionLabel.txt")


# --- UTD-MHAD ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.sampled_from(["f8", "f4", "i1", "u2", "i4", "u1", "i2"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_matlab_arrays_equal_scipys(shape: list[int], kind: str, compressed: bool, seed: int) -> None:
    import io

    array = (np.random.default_rng(seed).normal(size=shape) * 50).astype(kind)
    file = io.BytesIO()
    held = {"other": np.eye(2), "text": "words", "cells": {"a": 1}, "d_skel": array}
    scipy.io.savemat(file, held, do_compression=compressed)
    np.testing.assert_array_equal(read_array(file.getvalue(), "d_skel"), array.astype(float))
    np.testing.assert_array_equal(scipy.io.loadmat(file)["d_skel"], array)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"other": np.eye(2)}, "holds no array 'd_skel'"),
        ({"d_skel": "text"}, "no real array of numbers"),
        ({"d_skel": np.eye(2) * 1j}, "no real array of numbers"),
        ({"d_skel": {"a": 1}}, "no real array of numbers"),
        ({"d_skel": np.zeros((0, 3))}, "is empty"),
    ],
)
def test_other_matlab_contents_are_explained(held: dict[str, Any], reason: str, tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", held)
    with pytest.raises(Broken, match=reason):
        read_array((tmp_path / "a.mat").read_bytes(), "d_skel")


def test_other_matlab_versions_are_explained(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"d_skel": np.eye(3)}, format="4")
    with pytest.raises(Broken, match="version 5 to 7"):
        read_array((tmp_path / "a.mat").read_bytes(), "d_skel")
    with pytest.raises(Broken, match=r"version 7\.3"):
        read_array(b"MATLAB 7.3 MAT-file".ljust(600), "d_skel")


def test_utdmhad_shapes(tmp_path: Path) -> None:
    for shape, good in (((20, 3, 2), True), ((20, 3), True), ((3, 20, 2), False), ((20, 4, 2), False), ((20,), False)):
        scipy.io.savemat(tmp_path / "a1_s1_t1_skeleton.mat", {"d_skel": np.ones(shape)})
        found, faults = items("utdmhad", tmp_path)
        assert len(found) == good and all("must be (20, 3, frames)" in fault for fault in faults)


# --- PKU-MMD ----------------------------------------------------------------------------------------------------------


def test_pkummd_says_what_its_label_files_lack(tmp_path: Path) -> None:
    raw.pkummd_tree(tmp_path)
    labels = tmp_path / "Train_Label_PKU_final/0002-L.txt"
    labels.write_text("3,2,18,2\n52,3,9,1\n4,40,50,1\n5,30,60,1\n3,2,18,1\n6,9,9,2\n")
    found, faults = items("pkummd1", tmp_path)
    first = [item for item in found if item.name.startswith("0002-L")]
    assert [item.name for item in first] == ["0002-L_00002_00018", "0002-L_00030_00060"]
    assert first[1].x.shape[1] == 10 and first[1].notes[0] == "ends 20 frames after its recording, cut"
    for expected in (":2: has action 52", ":3: has no frames", ":5: is there twice", ":6: has no frames"):
        assert any(expected in fault for fault in faults), faults
    labels.write_text("3,2,18,2\n3,2,x,1\n")
    _, faults = items("pkummd1", tmp_path)
    assert faults == [
        f"{tmp_path}/PKU_Skeleton_Renew/0002-L.txt:2: 0002-L.txt of the labels has '3,2,x,1', expected "
        f"action,start,end,confidence"
    ]
    labels.unlink()
    _, faults = items("pkummd1", tmp_path)
    assert "has no label file" in faults[0]


def test_pkummd_without_lists_has_no_protocols(tmp_path: Path) -> None:
    raw.pkummd_tree(tmp_path)
    (tmp_path / "Split/cross-view.txt").unlink()
    found, _ = items("pkummd1", tmp_path)
    assert {tuple(item.parts) for item in found} == {("xsub",)}
    (tmp_path / "Split/cross-subject.txt").write_text("0002-L, 0003-R")
    _, faults = items("pkummd1", tmp_path)
    assert all("has no line such as 'Validation videos:'" in fault for fault in faults) and len(faults) == 2
    (tmp_path / "Split/cross-subject.txt").write_text("Training:\n0002-L\nTest:\n0003-R\n")
    (tmp_path / "Split/cross_subject_2.txt").write_text("Training:\n0003-R\nTest:\n0002-L\n")
    _, faults = items("pkummd1", tmp_path)
    assert all("there are several lists of xsub" in fault for fault in faults)


def test_the_phases_do_not_mix(tmp_path: Path) -> None:
    raw.pkummd_tree(tmp_path)
    with pytest.raises(ArrayError, match="A01N01-L"):
        raw.source("pkummd2", tmp_path).units()


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_aimclr_protocols_are_folders(tmp_path: Path) -> None:
    for protocol in ("xsub", "xview"):
        (tmp_path / protocol).mkdir()
        raw.aimclr_tree(tmp_path / protocol)
    with pytest.raises(ArrayError, match="several protocols"):
        raw.source("aimclr", tmp_path).units()
    found, _ = items("aimclr", tmp_path / "xview")
    assert [item.parts for item in found] == [{"xview": "train"}] * 2 + [{"xview": "test"}]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((["a", "b"], [0]), "a list of names and one of as many labels"),
        ((["a"], [0]), "has 2 clips, train_label.pkl has 1"),
        ((["a", 3], [0, 1]), "names are not all strings"),
        ((["a", "b"], [0, -1]), "labels are not all whole numbers"),
        ((["a", "b"], [0, 10**9]), "labels are not all whole numbers"),
        ({"a": 1}, "a list of names and one of as many labels"),
        (({1, 2}, [0, 1]), "pickle refused"),
    ],
)
def test_aimclr_labels_are_checked(labels: Any, expected: str, tmp_path: Path) -> None:
    raw.aimclr_tree(tmp_path)
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps(labels))
    _, faults = items("aimclr", tmp_path)
    assert len(faults) == 1 and expected in faults[0], faults


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 3, 6, 25), np.float32), "must be floating point (N, C, T, V, M)"),
        (np.zeros((2, 3, 6, 25, 2), np.int64), "must be floating point (N, C, T, V, M)"),
        (np.zeros((2, 3, 6, 20, 2), np.float32), "has 20 joints, skeleton 'ntu25' has 25"),
        (np.zeros((2, 3, 6, 25, 2), np.float32), "nobody in any of its 1 frames"),
        (np.array([object()]), "objects are not read"),
    ],
)
def test_aimclr_arrays_are_checked(array: np.ndarray, expected: str, tmp_path: Path) -> None:
    raw.aimclr_tree(tmp_path)
    np.save(tmp_path / "train_position.npy", array)
    _, faults = items("aimclr", tmp_path)
    assert faults and all(expected in fault for fault in faults), faults


def test_ctrgcn_labels(tmp_path: Path) -> None:
    flat = np.ones((4, 6, 150), np.float32)
    rows = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0.5, 0.5]])
    np.savez(tmp_path / "mine.npz", x_train=flat, y_train=rows, x_test=flat[:2], y_test=np.array([4, -1]))
    found, faults = items("ctrgcn", tmp_path)
    assert [(item.name, item.label, dict(item.parts)) for item in found] == [
        ("train_00000", 0, {"given": "train"}),
        ("test_00000", 4, {"given": "test"}),
    ]
    assert len(faults) == 4 and all("does not name one class" in fault for fault in faults)
    assert raw.source("ctrgcn", tmp_path).class_names == tuple(f"class_{i}" for i in range(5))
    assert len(items("ctrgcn", tmp_path / "mine.npz")[0]) == 2
    np.savez(tmp_path / "other.npz", x=flat)
    with pytest.raises(ArrayError, match="name one of them"):
        raw.source("ctrgcn", tmp_path).units()
    assert "has no array 'x_train'" in items("ctrgcn", tmp_path / "other.npz")[1][0]


def test_pyskl_annotations_are_checked_one_by_one(tmp_path: Path) -> None:
    points = np.ones((3, 4, 25, 3), np.float32)
    annotations: list[Any] = [
        {"frame_dir": "a", "label": 1, "keypoint": points},
        {"frame_dir": "a", "label": 1, "keypoint": points},
        {"frame_dir": "b", "label": -1, "keypoint": points},
        {"frame_dir": "c", "label": 1, "keypoint": points[0]},
        {"frame_dir": "d", "label": 1, "keypoint": points[:, :, :17]},
        {"frame_dir": "e", "label": 1, "keypoint": points * np.nan},
        "f",
        {"frame_dir": "g", "label": np.int64(2), "keypoint": points[:1].astype(np.float16)},
    ]
    content = {"split": {"xsub_train": ["a"], "xsub_val": ["g"]}, "annotations": annotations}
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(content))
    found, faults = items("pyskl", tmp_path)
    assert [(item.name, item.label, dict(item.parts)) for item in found] == [
        ("a", 1, {"xsub": "train"}),
        ("g", 2, {"xsub": "test"}),
    ]
    assert found[0].notes == ("1 people left out: the file has 3",)
    assert [fault.split(": ")[0].split()[-1] for fault in faults] == list("123456")
    assert raw.source("pyskl", tmp_path).class_names == ("class_0", "class_1", "class_2")


def test_known_skeletons() -> None:
    for name, joints in (("nwucla", "kinect20"), ("msr", "msr20"), ("utdmhad", "utd20"), ("ntu60", "ntu25")):
        assert raw.source(name, Path("/nowhere")).skeleton == skelaug.skeletons[joints]
