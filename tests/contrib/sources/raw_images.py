"""Files of keypoints in images, and tables, as their programs write them; see raw.py."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from contrib.sources.raw_base import Expected, ctvm, motion, number


def pyskl_scores_tree(folder: Path) -> list[Expected]:
    """Two dimensions with scores, in the words of other sets: train1 and test1."""
    clips = motion("coco17", 2, 5, seed=80)[..., :2, 0] * 100
    scores = np.linspace(0.1, 1, 2 * 5 * 17, dtype=np.float32).reshape(2, 5, 17)
    scores[0, 2, 3] = 0
    annotations = [
        {"frame_dir": name, "label": i, "keypoint": clips[None, i], "keypoint_score": scores[None, i]}
        for i, name in enumerate("ab")
    ]
    content = {"split": {"train1": ["a"], "test1": ["b"]}, "annotations": annotations}
    (folder / "anno.pkl").write_bytes(pickle.dumps(content, 4))
    x = np.concatenate([clips, scores[..., None]], -1)
    x[0, 2, 3] = 0
    return [Expected(n, ctvm(x[i], 2), i, parts={"split1": p}) for i, n, p in ((0, "a", "train"), (1, "b", "test"))]


# --- keypoints and tables ---------------------------------------------------------------------------------------------


def scored(skeleton: str, frames: int, seed: int, persons: int = 1) -> np.ndarray:
    """(T, V, 3, persons) of x, y, score, in three digits; joint 1 is not found in frame 1."""
    clip = motion(skeleton, 1, frames, persons, seed=seed)[0].copy()
    clip[:, :, 2] = np.random.default_rng(seed).uniform(0.1, 1, clip[:, :, 2].shape)
    clip = np.round(clip.astype(float), 3)
    clip[1, 1] = 0
    return clip


def kinetics_tree(folder: Path, frames: int = 5) -> list[Expected]:
    expected = []
    for i, (part, name) in enumerate([("train", "abc"), ("val", "def")]):
        (folder / f"kinetics_{part}").mkdir()
        clip = scored("openpose18", frames, 90 + i, 2)
        clip[0, :, :, 1] = 0
        listed = []
        for t, frame in enumerate(clip, 1):
            people = [person for person in frame.transpose(2, 0, 1) if person.any()]
            skeleton = [{"pose": p[:, :2].reshape(-1).tolist(), "score": p[:, 2].tolist()} for p in people]
            listed.append({"frame_index": t, "skeleton": skeleton})
        content = {"data": listed, "label": f"class {i}", "label_index": i}
        (folder / f"kinetics_{part}" / f"{name}.json").write_text(json.dumps(content))
        parts = {"given": "test" if i else "train"}
        x = np.ascontiguousarray(clip.transpose(2, 0, 1, 3), np.float32)
        expected.append(Expected(f"kinetics_{part}_{name}", x, i, parts=parts))
    return expected


def kinetics_list_tree(folder: Path) -> list[Expected]:
    """With a list of the classes."""
    expected = kinetics_tree(folder, 2)
    labels = {n: {"has_skeleton": True, "label": f"class {i}", "label_index": i} for i, n in enumerate(["abc", "def"])}
    (folder / "kinetics_train_label.json").write_text(json.dumps(labels))
    return expected


def openpose_tree(folder: Path, frames: int = 4) -> list[Expected]:
    expected = []
    for i, action in enumerate(["kick", "walk"]):
        (folder / action).mkdir()
        clip = scored("body25", frames, 100 + i)[..., 0]
        for t, points in enumerate(clip):
            if i and t == 2:
                clip[t] = 0  # its file is missing
                continue
            content = {
                "version": 1.3,
                "people": [{"person_id": [-1], "pose_keypoints_2d": points.reshape(-1).tolist()}],
            }
            (folder / action / f"clip_{t:012}_keypoints.json").write_text(json.dumps(content))
        expected.append(Expected(f"{action}_clip", ctvm(clip).astype(np.float32), i))
    return expected


def csv_tree(folder: Path, frames: int = 4) -> list[Expected]:
    """Numbered columns, in any order; the second file lacks a frame."""
    expected = []
    names = [f"{axis}{j}" for axis in "zyx" for j in range(33)]
    for i, action in enumerate(["kick", "walk"]):
        (folder / action).mkdir()
        clip = motion("mediapipe33", 1, frames, seed=110 + i)[0, ..., 0]
        lines = [",".join(["frame", *names])]
        for t, points in enumerate(clip):
            if i and t == 2:
                clip[t] = 0
                continue
            lines.append(",".join([str(7 + t), *map(number, points[:, ::-1].T.reshape(-1))]))
        (folder / action / "01.csv").write_text("\n".join(lines) + "\n")
        expected.append(Expected(f"{action}_01", ctvm(clip), i))
    return expected
