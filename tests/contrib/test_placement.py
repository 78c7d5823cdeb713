"""Where bodies stand and which way they face: known places and turns are found, and the right settings are named."""

import math

import numpy as np
import pytest

import skelaug
from skelaug import Skeleton
from skelaug_contrib.commands.pretrain import header
from skelaug_contrib.config import DataConfig, PretrainConfig
from skelaug_contrib.datasets import placement, write
from skelaug_contrib.datasets.placement import spread, stance

SKELETON = skelaug.skeletons["kinect20"]
#: Of test clips: a body 2 m tall, shoulders along x, spine along y.
POSE = np.zeros((3, 20), np.float32)
POSE[:, SKELETON.shoulders[0]], POSE[:, SKELETON.shoulders[1]] = (-0.2, 0.4, 0.1), (0.2, 0.4, 0.1)
POSE[:, SKELETON.spine[0]], POSE[:, SKELETON.spine[1]] = (0.0, 0.001, 0.0), (0.0, 0.5, 0.0)
POSE[:, SKELETON.centre] = (0.001, 0.001, 0.001)
POSE[1, -1] = 2.0


def turned(degrees: float) -> np.ndarray:
    """About y, by the right-hand rule: the heading of the shoulders falls by as much."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def clip(pose: np.ndarray, frames: int = 6) -> np.ndarray:
    return np.repeat(pose[:, None, :, None], frames, 1).astype(np.float32)


def data(folder, clips, skeleton=SKELETON, **about):
    n = len(clips)
    splits = {"xview": {"train": range(n - 1), "test": [n - 1]}}
    return write(
        folder / "data",
        x=np.stack(clips),
        length=[clips[0].shape[1]] * n,
        label=[0] * n,
        names=[str(i) for i in range(n)],
        class_names=["stand"],
        skeleton=skeleton,
        splits=splits,
        **about,
    )


def test_a_place_and_a_turn_are_found() -> None:
    moved = clip(turned(30) @ POSE) * (clip(POSE) != 0) + np.float32([0, 0, 3])[:, None, None, None]
    found = stance(moved, SKELETON)
    assert found.distance == pytest.approx(3.0, abs=0.01)
    assert found.path == 0
    assert math.degrees(np.angle(found.heading)) == pytest.approx(-30, abs=0.5)
    assert abs(found.heading) == pytest.approx(1)


def test_who_walks_and_turns_does_so_within_the_clip() -> None:
    x = np.concatenate([clip(POSE, 1), clip(turned(90) @ POSE + np.float32([[4], [0], [0]]), 1)], 1)
    found = stance(x, SKELETON)
    assert found.path == pytest.approx(4, abs=0.01)
    assert abs(found.heading) == pytest.approx(math.cos(math.radians(45)), abs=1e-3)


def test_absent_people_and_joints_are_not_measured() -> None:
    assert stance(np.zeros((3, 4, 20, 1), np.float32), SKELETON) is None
    x = clip(POSE + 5)
    x[:, 2] = 0  # nobody there
    x[:, 3, SKELETON.shoulders[0]] = 0  # a shoulder lost
    alone = stance(x, SKELETON)
    whole = stance(clip(POSE + 5), SKELETON)
    assert (alone.distance, alone.path, alone.size) == (whole.distance, whole.path, whole.size)
    assert alone.heading == pytest.approx(whole.heading)
    x[:, :, SKELETON.shoulders[1]] = 0
    assert stance(x, SKELETON).heading is None
    second = np.concatenate([np.zeros_like(x), clip(POSE + 5)], 3)
    assert stance(second, SKELETON).distance == whole.distance


def test_two_dimensions_have_no_heading() -> None:
    found = stance(clip(POSE)[:2], SKELETON)
    assert found.heading is None
    assert found.upright is None


def test_spread_is_that_of_the_circle() -> None:
    assert spread(np.exp(1j * np.radians([179.0, -179.0]))) == pytest.approx(1.0, abs=0.01)
    assert spread(np.exp(1j * np.radians([0.0, 180.0]))) > 300
    assert spread(np.ones(3, complex)) == 0


def test_what_is_centred_and_turned_needs_nothing(tmp_path) -> None:
    where = placement(data(tmp_path, [clip(POSE)] * 3))
    assert where.wanted == {}
    assert where.advice() == []
    assert where.vertical == "y"


def test_far_and_turned_bodies_are_to_be_centred_and_turned(tmp_path) -> None:
    clips = [clip(turned(angle) @ POSE + np.float32([[0], [0], [3]])) for angle in (-60, 0, 60, 0)]
    where = placement(data(tmp_path, clips, view=[1, 1, 2, 2]))
    assert where.wanted == {"data.center": "frame", "data.align": "frame"}
    place, heading = where.lines()
    assert "stand 3.00 from the origin" in place
    assert "by camera: 1: 30° ± 31°, 2: -30° ± 31°" in heading
    assert where.advice({"data.center": "clip", "data.align": "frame"}) == []
    assert where.advice({"data.center": "none", "data.align": None})[0].startswith(
        "advice: take data.center: frame and data.align: frame;"
    )


def test_bodies_that_stand_along_another_axis_are_named_and_not_turned(tmp_path) -> None:
    lying = POSE[[0, 2, 1]]
    clips = [clip(turned(angle)[[0, 2, 1]][:, [0, 2, 1]] @ lying) for angle in (-60, 0, 60, 0)]
    where = placement(data(tmp_path, clips))
    assert where.vertical == "z"
    assert "data.align" not in where.wanted
    assert any("spines point along z" in line for line in where.lines())


def test_the_header_of_a_run_says_what_is_done(tmp_path) -> None:
    clips = [clip(turned(angle) @ POSE + np.float32([[0], [0], [3]])) for angle in (-60, 0, 60, 0)]
    dataset = data(tmp_path, clips)
    said = "\n".join(header(dataset, PretrainConfig(DataConfig(str(dataset.path)))))
    assert "data: 3 training clips (xview) of 4" in said
    assert "preparation: data.center: frame, data.align: frame\n" in said
    assert "advice" not in said
    plain = PretrainConfig(DataConfig(str(dataset.path), center="none", align=None))
    assert "advice: take data.center: frame and data.align: frame" in "\n".join(header(dataset, plain))


def test_a_skeleton_without_shoulders_is_not_turned_and_the_header_says_so(tmp_path) -> None:
    hand = Skeleton("hand", SKELETON.joints, SKELETON.parents)
    dataset = data(tmp_path, [clip(POSE + 3)] * 2, skeleton=hand)
    config = PretrainConfig(DataConfig(str(dataset.path)))
    assert config.resolved(hand).data.align is None
    assert config.resolved(SKELETON).data.align == "frame"
    said = "\n".join(header(dataset, config))
    assert "data.align: null, for the skeleton 'hand' names no shoulders" in said
    assert "heading" not in said
