"""Keypoints in images: who is kept, what was not found, which frames are missing, and what is said of broken files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contrib.sources import raw

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import Fault, Recording


def read(name: str, folder: Path, **options: Any) -> tuple[list[Recording], list[Fault]]:
    found = raw.read(raw.source(name, folder, **options))
    return [i for i in found if isinstance(i, Recording)], [i for i in found if isinstance(i, Fault)]


def person(value: float, score: float = 0.5, joints: int = 18) -> dict[str, Any]:
    return {"pose": [value] * (2 * joints), "score": [score] * joints}


def frame(number: int, *people: dict[str, Any]) -> dict[str, Any]:
    return {"frame_index": number, "skeleton": list(people)}


def kinetics(path: Path, *frames: dict[str, Any], **about: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"data": list(frames), "label": "wave", "label_index": 0} | about))


# --- Kinetics-skeleton ------------------------------------------------------------------------------------------------


def test_the_most_certain_people_are_kept_in_the_order_of_the_file(tmp_path: Path) -> None:
    crowd = [person(1, 0.9), person(2, 0.1), person(3, 0.8)]
    kinetics(tmp_path / "a.json", frame(1, *crowd), frame(2, person(4)))
    (clip,), _ = read("kinetics", tmp_path)
    assert clip.x.shape == (3, 2, 18, 2)
    assert clip.x[0, 0, 0].tolist() == [1, 3] and clip.x[0, 1, 0].tolist() == [4, 0]
    assert clip.notes == ("1 frames with more than 2 people, up to 3: the others are left out",)


def test_frames_that_are_not_listed_and_joints_that_were_not_found(tmp_path: Path) -> None:
    half = person(1)
    half["score"] = [0.0] * 9 + [0.5] * 9
    kinetics(tmp_path / "a.json", frame(3, half), frame(6, person(1)), frame(5))
    (clip,), _ = read("kinetics", tmp_path)
    assert clip.x.shape == (3, 4, 18, 1) and not clip.x[:, 1:3].any()
    assert np.isnan(clip.x[:, 0, :9]).all() and clip.x[:, 0, 9:].all()
    (flat,), _ = read("kinetics", tmp_path, scores=False)
    np.testing.assert_array_equal(flat.x, clip.x[:2])


def test_one_file_and_classes_from_all_files(tmp_path: Path) -> None:
    kinetics(tmp_path / "train" / "a.json", frame(1, person(1)), label="run", label_index=2)
    kinetics(tmp_path / "val" / "b.json", frame(1, person(1)))
    (tmp_path / "val" / "c.json").write_text("{")
    assert raw.source("kinetics", tmp_path).class_names == ("wave", "class_1", "run")
    found, faults = read("kinetics", tmp_path)
    assert [dict(clip.parts) for clip in found] == [{"given": "train"}, {"given": "test"}]
    assert len(faults) == 1 and faults[0].line == 1 and "is no JSON" in faults[0].reason
    (alone,), _ = read("kinetics", tmp_path / "train" / "a.json")
    assert alone.name == "a" and alone.label == 2


def test_a_broken_list_of_classes_is_an_error(tmp_path: Path) -> None:
    kinetics(tmp_path / "a.json", frame(1, person(1)))
    (tmp_path / "kinetics_train_label.json").write_text('{"a": {"label": "x", "label_index": -1}}')
    with pytest.raises(ArrayError, match=r"kinetics_train_label\.json: the classes cannot be read: its label_index is"):
        _ = raw.source("kinetics", tmp_path).class_names
    (tmp_path / "kinetics_train_label.json").write_text('{"b": {"label": "x", "label_index": 0}}')
    kinetics(tmp_path / "a.json", frame(1, person(1)), label_index=1)
    assert "label_index 1, but the files of labels have 1 classes" in read("kinetics", tmp_path)[1][0].reason


@pytest.mark.parametrize(
    ("frames", "about", "said"),
    [
        ([frame(1, person(1)), frame(1, person(1))], {}, "has frame '1', expected a number that no other has"),
        ([{"skeleton": []}], {}, "has frame 'None'"),
        ([frame(1, {"pose": [1.0] * 36})], {}, "frame 1: score must be a list of numbers"),
        ([frame(1, {"pose": [1.0] * 35, "score": [1.0] * 18})], {}, "has 35 numbers in pose and 18 in score"),
        ([frame(1, {"pose": ["x"] * 36, "score": [1.0] * 18})], {}, "pose must be a list of numbers"),
        ([frame(1, person(1, joints=17))], {}, "has 17 joints, skeleton 'openpose18' has 18; name another one"),
        ([frame(1, person(1)), frame(10**6, person(1))], {}, "more than any recording"),
        ([frame(1), frame(2)], {}, "nobody in any of its 2 frames"),
        ([], {}, "has no frames"),
        ([frame(1, person(1))], {"label_index": "x"}, "its label_index is"),
        ([frame(1, person(1))], {"data": {}}, "has no list 'data'"),
    ],
)
def test_kinetics_faults(frames: list[Any], about: dict[str, Any], said: str, tmp_path: Path) -> None:
    kinetics(tmp_path / "a.json", *frames, **about)
    found, faults = read("kinetics", tmp_path)
    assert not found and len(faults) == 1 and said in faults[0].reason


# --- OpenPose ---------------------------------------------------------------------------------------------------------


def openpose(path: Path, *values: float, joints: int = 25, key: str = "pose_keypoints_2d") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"people": [{key: [value, value, 0.5] * joints} for value in values]}))


def test_clips_of_one_folder_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for stem, frames in (("a", (0, 1)), ("b", (10, 12))):
        for t in frames:
            openpose(tmp_path / "wave" / f"{stem}_{t:012}_keypoints.json", 1.0 + t)
    openpose(tmp_path / "000000000003_keypoints.json", 7)
    found, _ = read("openpose", tmp_path)
    assert {clip.name: clip.x.shape[1] for clip in found} == {tmp_path.name: 1, "wave_a": 2, "wave_b": 3}
    b = next(clip for clip in found if clip.name == "wave_b")
    assert b.x[0, :, 0, 0].tolist() == [11, 0, 13]
    assert raw.source("openpose", tmp_path).class_names == tuple(sorted((tmp_path.name, "wave")))


def test_people_come_and_go(tmp_path: Path) -> None:
    for t, people in enumerate([(), (1, 2), (3,), ()]):
        openpose(tmp_path / f"c_{t:012}_keypoints.json", *people)
    (clip,), _ = read("openpose", tmp_path)
    assert clip.x.shape == (3, 4, 25, 2) and clip.x[0, :, 5].tolist() == [[0, 0], [1, 2], [3, 0], [0, 0]]


def test_the_names_of_old_versions_and_other_models(tmp_path: Path) -> None:
    openpose(tmp_path / "c_000000000000_keypoints.json", 1, joints=18, key="pose_keypoints")
    _, (fault,) = read("openpose", tmp_path)
    assert "has 18 joints, skeleton 'body25' has 25; name another one (--skeleton): openpose18" in fault.reason
    assert len(read("openpose", tmp_path, joints="openpose18")[0]) == 1


def test_a_broken_frame_is_named(tmp_path: Path) -> None:
    openpose(tmp_path / "c_000000000000_keypoints.json", 1)
    for text in ("{", '{"people": 3}', '{"people": [{"pose_keypoints_2d": [1, 2]}]}'):
        (tmp_path / "c_000000000001_keypoints.json").write_text(text)
        found, (fault,) = read("openpose", tmp_path)
        assert not found and fault.where.endswith("c_000000000001_keypoints.json")
