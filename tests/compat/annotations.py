"""Motion in the file format of PYSKL's and mmaction2's PoseDataset."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

import skelaug


def write(path: Path, annotations: list[dict[str, Any]]) -> str:
    """Write the annotations; every fourth clip is for validation."""
    names = [clip["frame_dir"] for clip in annotations]
    split = {"xsub_train": [n for i, n in enumerate(names) if i % 4], "xsub_val": names[::4]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return str(path)


def ntu(path: Path, recordings: Path | None = None) -> str:
    """24 clips of 25 joints, procedural motion; with recordings, two are real, of one body and of two."""
    skeleton, seed = skelaug.skeletons["ntu25"], torch.Generator().manual_seed(0)
    first, alone, *others = skelaug.to_layout(
        skelaug.synthetic_motion(skeleton, 24, 120, 2, generator=seed).x, "NCTVM", "NMTVC"
    ).numpy()
    clips = [first, alone[:1], *others]
    if recordings is not None:
        clips[1:3] = [_read_ntu(file) for file in sorted((recordings / "ntu_raw").glob("*.skeleton"))]
    assert [len(clip) for clip in clips[:3]] == [2, 1, 2]
    return write(path, [_annotation(f"clip{i}", i % 4, clip) for i, clip in enumerate(clips)])


def nw_ucla(path: Path, recordings: Path, per_class: int) -> str:
    """Real clips of each of ten classes: 20 joints, one person, of the lengths that they have."""
    with np.load(recordings / "nw_ucla.npz", allow_pickle=False) as data:
        x, label, length, name = (data[key] for key in ("x", "label", "length", "name"))
    rows = np.concatenate([np.flatnonzero((label == k) & (length > 5))[:per_class] for k in range(10)])
    clips = [(str(name[i]), int(label[i]), x[i, :, : length[i]].transpose(3, 1, 2, 0)) for i in np.sort(rows)]
    return write(path, [_annotation(*clip) for clip in clips])


def _annotation(name: str, label: int, keypoint: np.ndarray) -> dict[str, Any]:
    keypoint = np.ascontiguousarray(keypoint)
    return {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": keypoint.shape[1]}


def _read_ntu(path: Path) -> np.ndarray:
    """``(M, T, 25, 3)`` of an original NTU RGB+D recording, 0 where a body is not there."""
    words = iter(path.read_text().split())
    frames = int(next(words))
    bodies: dict[str, np.ndarray] = {}
    for t in range(frames):
        for _ in range(int(next(words))):
            body = next(words)
            for _ in range(9):  # what the tracker says of the body
                next(words)
            joints = [[float(next(words)) for _ in range(12)][:3] for _ in range(int(next(words)))]
            bodies.setdefault(body, np.zeros((frames, 25, 3), "float32"))[t] = joints
    return np.stack(list(bodies.values()))
