"""PYSKL's annotations: names of splits, lists without splits, scores, and other skeletons than NTU's."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contrib.sources import raw

import skelaug
from skelaug_contrib.datasets.sources import Fault, Recording


def annotation(name: str, **more: Any) -> dict[str, Any]:
    points = np.random.default_rng(len(name)).uniform(1, 2, (1, 3, 17, 2)).astype(np.float16)
    return {"frame_dir": name, "label": 0, "keypoint": points, **more}


def read(folder: Path, content: Any, **options: Any) -> tuple[list[Recording], list[Fault]]:
    (folder / "mine.pkl").write_bytes(pickle.dumps(content))
    found = raw.read(raw.source("pyskl", folder, joints="coco17", **options))
    return [i for i in found if isinstance(i, Recording)], [i for i in found if isinstance(i, Fault)]


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ({"train": "a", "val": "b"}, {"a": {"given": "train"}, "b": {"given": "test"}}),
        ({"train": "a", "test": "b"}, {"a": {"given": "train"}, "b": {"given": "test"}}),
        ({"Train": "a", "Validation": "b"}, {"a": {"given": "train"}, "b": {"given": "test"}}),
        ({"train1": "a", "test1": "b", "train2": "b", "test2": "a"}, None),
        ({"xsub_train": "a", "xsub_val": "b"}, {"a": {"xsub": "train"}, "b": {"xsub": "test"}}),
        ({"train_cs": "a", "test_cs": "b"}, {"a": {"cs": "train"}, "b": {"cs": "test"}}),
        ({"sub_trainval": "a", "sub_test": "b"}, {"a": {"sub": "train"}, "b": {"sub": "test"}}),
    ],
)
def test_names_of_splits(split: dict[str, str], parts: dict[str, Any] | None, tmp_path: Path) -> None:
    if parts is None:
        parts = {"a": {"split1": "train", "split2": "test"}, "b": {"split1": "test", "split2": "train"}}
    content = {"split": {key: list(names) for key, names in split.items()}, "annotations": list(map(annotation, "ab"))}
    found, faults = read(tmp_path, content)
    assert {clip.name: dict(clip.parts) for clip in found} == parts and not faults
    assert not any(clip.notes for clip in found)


def test_where_there_are_val_and_test_each_has_its_protocol(tmp_path: Path) -> None:
    split = {"train": ["a"], "val": ["b"], "test": ["c"]}
    found, _ = read(tmp_path, {"split": split, "annotations": list(map(annotation, "abc"))})
    assert [dict(clip.parts) for clip in found] == [
        {"given": "train", "given_val": "train"},
        {"given_val": "test"},
        {"given": "test"},
    ]


def test_other_names_are_a_note(tmp_path: Path) -> None:
    found, _ = read(tmp_path, {"split": {"fold": ["a"]}, "annotations": [annotation("a")]})
    assert not found[0].parts and "split 'fold' is not used" in found[0].notes[0]


@pytest.mark.parametrize("wrap", [list, lambda a: {"annotations": a}, lambda a: {"split": None, "annotations": a}])
def test_annotations_without_splits(wrap: Any, tmp_path: Path) -> None:
    found, faults = read(tmp_path, wrap([annotation("a"), annotation("b")]))
    assert [clip.name for clip in found] == ["a", "b"] and not faults and not found[0].parts


@pytest.mark.parametrize("content", [[], {}, {"annotations": []}, {"split": [], "annotations": [1]}, 3, None])
def test_what_holds_no_annotations_is_a_fault(content: Any, tmp_path: Path) -> None:
    found, faults = read(tmp_path, content)
    assert not found and len(faults) == 1


def test_scores_are_the_last_channel(tmp_path: Path) -> None:
    scores = np.full((1, 3, 17), 0.5, np.float16)
    scores[0, 1, 4], scores[0, 2, 5] = 0, np.nan
    given = annotation("a", keypoint_score=scores)
    (clip,), _ = read(tmp_path, [given])
    assert clip.x.shape == (3, 3, 17, 2) and "2 joints were not observed" in clip.notes[0]
    found = np.nan_to_num(scores[0]) > 0
    np.testing.assert_array_equal(clip.x[2, found, 0], scores[0][found])
    np.testing.assert_array_equal(clip.x[:2, found, 0], given["keypoint"][0][found].T)
    assert np.isnan(clip.x[:, ~found, 0]).all(), "what was not found was not observed"


def test_scores_that_are_left_out_are_said_to_be(tmp_path: Path) -> None:
    given = annotation("a", keypoint_score=np.ones((1, 3, 17), np.float32))
    (clip,), _ = read(tmp_path, [given], scores=False)
    assert len(clip.x) == 2 and clip.notes == ("keypoint_score is left out",)
    given["keypoint"] = np.ones((1, 3, 17, 3), np.float32)
    (clip,), _ = read(tmp_path, [given])
    assert len(clip.x) == 3 and "three channels" in clip.notes[0]


def test_scores_of_another_shape_are_a_fault(tmp_path: Path) -> None:
    _, (fault,) = read(tmp_path, [annotation("a", keypoint_score=np.ones((1, 2, 17), np.float32))])
    assert "its keypoint_score must be a floating-point array (1, 3, 17)" in fault.reason


def test_a_skeleton_of_another_size_names_those_that_fit(tmp_path: Path) -> None:
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps([annotation("a")]))
    (fault,) = raw.read(raw.source("pyskl", tmp_path))
    assert isinstance(fault, Fault) and "(--skeleton): coco17, h36m17" in fault.reason
    own = skelaug.Skeleton("own", tuple(map(str, range(17))), (0, *range(16)))
    (clip,) = raw.read(raw.source("pyskl", tmp_path, joints=own))
    assert isinstance(clip, Recording)
