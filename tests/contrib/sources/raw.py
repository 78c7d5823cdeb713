"""Files as the data sets' authors write them, from synthetic motion: the direction opposite to the readers'.

``TREES`` maps each source to a function that fills a folder and says which recordings must come out of it.
"""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from contrib.sources.raw_base import Expected, ctvm, motion, number, rows
from contrib.sources.raw_images import (
    csv_tree,
    kinetics_list_tree,
    kinetics_tree,
    openpose_tree,
    pyskl_scores_tree,
)

from skelaug_contrib.datasets.holes import marked
from skelaug_contrib.datasets.sources import SOURCES, Fault, Recording, Source, columns, keypoints
from skelaug_contrib.datasets.sources.arrays import _labels
from skelaug_contrib.datasets.sources.bvh import _classes, _skeleton
from skelaug_contrib.datasets.sources.pkummd import _layout
from skelaug_contrib.datasets.sources.pyskl import _annotations
from skelaug_contrib.datasets.sources.utkinect import _labels as _utkinect_labels

# --- NTU RGB+D --------------------------------------------------------------------------------------------------------


def ntu_text(bodies: dict[str, dict[int, np.ndarray]], frames: int, end: str = "\n") -> bytes:
    """A ``.skeleton`` file of bodies by name and frame, each (25, 3)."""
    lines = [str(frames)]
    for frame in range(frames):
        there = [(name, body[frame]) for name, body in bodies.items() if frame in body]
        lines.append(str(len(there)))
        for name, joints in there:
            lines += [f"{name} 0 1 1 1 1 0 0.02764709 0.05745083 2", str(len(joints))]
            lines += [
                " ".join([*map(number, joint), "277.419 191.8218 1036.233 519.1677 -0.2 0.05 0.97 -0.12 2"])
                for joint in joints
            ]
    return (end.join(lines) + end).encode()


def ntu_tree(folder: Path, frames: int = 13, sixty: bool = True) -> list[Expected]:
    names = ["S001C001P001R001A001", "S002C002P003R002A050"]
    names += [] if sixty else ["S018C003P045R002A120"]
    expected = []
    for i, name in enumerate(names):
        persons = 1 + (int(name[-3:]) == 50)
        clip = motion("ntu25", 1, frames, persons, seed=i)[0]
        bodies = {f"{72057594037931101 + 7 * m}": dict(enumerate(clip[..., m])) for m in range(persons)}
        (folder / f"{name}.skeleton").write_bytes(ntu_text(bodies, frames, "\r\n" if i else "\n"))
        setup, camera, performer, replication = (int(name[k : k + 3]) for k in (1, 5, 9, 13))
        parts = {"xsub": "train" if performer in (1, 45) else "test"}
        if sixty:
            parts["xview"] = "train" if camera > 1 else "test"
        else:
            parts["xset"] = "test" if setup % 2 else "train"
        label, episode = int(name[17:]) - 1, 10 * setup + replication
        expected.append(Expected(name, ctvm(clip, 2), label, performer, camera, episode, parts))
    return expected


# --- PKU-MMD ----------------------------------------------------------------------------------------------------------


def pkummd_tree(folder: Path, frames: int = 40, second: bool = False) -> list[Expected]:
    names = ["A01N05-L", "A02N07-R"] if second else ["0002-L", "0003-R"]
    for sub in ("PKU_Skeleton_Renew", "Train_Label_PKU_final", "Split"):
        (folder / sub).mkdir()
    expected = []
    for i, name in enumerate(names):
        clip = motion("ntu25", 1, frames, 2, seed=10 + i)[0]
        if i == 0:
            clip[..., 1] = 0
        table = clip.transpose(0, 3, 1, 2).reshape(frames, 150)
        (folder / f"PKU_Skeleton_Renew/{name}.txt").write_text(rows(table))
        (folder / f"Train_Label_PKU_final/{name}.txt").write_text("3,2,18,2\n51,20,40,1\n")
        subject = int(name[4:6]) if second else None
        for k, (label, start, stop) in enumerate([(2, 2, 18), (50, 20, 40)], 1):
            expected.append(
                Expected(
                    f"{name}_{start:05}_{stop:05}",
                    ctvm(by_motion(clip[start:stop])),
                    label,
                    subject,
                    1 + "LMR".index(name[-1]),
                    100 * int(name[1:3] if second else name[:4]) + k,
                    {"xsub": "test" if i else "train", "xview": "train" if i else "test"},
                )
            )
    v2 = "_v2" if second else ""
    for protocol, train, test in (("subject", *names), ("view", *reversed(names))):
        text = f"Training videos: \n{train}, \n\nValidataion videos: \n{test}, \n"
        (folder / f"Split/cross-{protocol}{v2}.txt").write_text(text)
    return expected


def by_motion(clip: np.ndarray) -> np.ndarray:
    if not len(clip):
        return clip
    return clip[..., np.argsort(-clip.reshape(-1, 3, clip.shape[-1]).var(0).sum(0), kind="stable")]


# --- single people ----------------------------------------------------------------------------------------------------


def nwucla_tree(folder: Path, frames: int = 5) -> list[Expected]:
    expected = []
    for i, (name, label) in enumerate([("a01_s01_e00_v01", 0), ("a12_s10_e03_v03", 9)]):
        clip = motion("kinect20", 1, frames + i, seed=20 + i)[0, ..., 0]
        content = {"file_name": name, "skeletons": clip.astype(float).tolist(), "label": label + 1}
        (folder / f"{name}.json").write_text(json.dumps(content))
        parts = {"xview": "test" if i else "train", "xsub": "test" if i else "train"}
        expected.append(Expected(name, ctvm(clip), label, int(name[5:7]), int(name[-1]), int(name[9:11]), parts))
    return expected


def msr_tree(folder: Path, frames: int = 4) -> list[Expected]:
    expected = []
    for i, name in enumerate(["a01_s01_e01", "a20_s10_e02"]):
        clip = motion("msr20", 1, frames, seed=30 + i)[0, ..., 0]
        clip[1] = 0  # a lost frame
        table = np.concatenate([clip, np.ones((frames, 20, 1))], -1).reshape(-1, 4)
        (folder / f"{name}_skeleton3D.txt").write_text(rows(table))
        part = {"xsub": "test" if i else "train"}
        expected.append(Expected(name, ctvm(clip), 19 * i, int(name[5:7]), None, int(name[-1]), part))
    return expected


def utkinect_tree(folder: Path, frames: int = 12) -> list[Expected]:
    expected = []
    lines = []
    for i, title in enumerate(["s01_e01", "s10_e02"]):
        clip = motion("kinect20", 1, frames, seed=40 + i)[0, ..., 0]
        pictures = 100 + 2 * np.arange(frames)
        pictures[4] = pictures[3]  # the same picture a second time: that pose is left out
        (folder / f"joints_{title}.txt").write_text(
            rows(np.concatenate([pictures[:, None], clip.reshape(frames, 60)], 1), "  ")
        )
        lines += [title, "walk: 102 110 ", "carry:  NaN NaN" if i else "carry: 112 200"]
        part = {"xsub": "test" if i else "train"}
        subject, episode = int(title[1:3]), int(title[-1])
        expected.append(Expected(f"{title}_walk", ctvm(clip[[1, 2, 3, 5]]), 0, subject, None, episode, part))
        if i == 0:
            expected.append(Expected(f"{title}_carry", ctvm(clip[6:]), 4, subject, None, episode, part))
    (folder / "actionLabel.txt").write_text("\n".join(lines) + "\n")
    return expected


def utdmhad_tree(folder: Path, frames: int = 6) -> list[Expected]:
    expected = []
    for i, name in enumerate(["a1_s1_t1", "a27_s8_t4"]):
        clip = motion("utd20", 1, frames, seed=50 + i)[0, ..., 0]
        array = clip.transpose(1, 2, 0).astype(float)
        scipy.io.savemat(folder / f"{name}_skeleton.mat", {"d_skel": array}, do_compression=bool(i))
        part = {"xsub": "test" if i else "train"}
        action, subject, trial = (int(word[1:]) for word in name.split("_"))
        expected.append(Expected(name, ctvm(clip), action - 1, subject, None, trial, part))
    return expected


BVH_HEAD = """HIERARCHY
ROOT Hips
{{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftLeg
  {{
    OFFSET 10 -40 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {{
      OFFSET 0 -40 5
    }}
  }}
  JOINT RightLeg
  {{
    OFFSET -10 -40 0
    CHANNELS 3 Xrotation Yrotation Zrotation
    End Site
    {{
      OFFSET 0 -40 5
    }}
  }}
}}
MOTION
Frames: {frames}
Frame Time: 0.0333333
"""


def bvh_tree(folder: Path, frames: int = 5) -> list[Expected]:
    """The root moves and turns; its children are rigid with it, for their own turns move no joint."""
    from scipy.spatial.transform import Rotation

    expected = []
    for i, action in enumerate(["kick", "walk"]):
        (folder / action).mkdir()
        values = np.random.default_rng(60 + i).normal(size=(frames, 12)) * 40
        (folder / action / "01.bvh").write_text(BVH_HEAD.format(frames=frames) + rows(values))
        values = np.array([[float(number(v)) for v in row] for row in values])
        turn = Rotation.from_euler("ZXY", values[:, 3:6], degrees=True)
        joints = [values[:, :3]] + [values[:, :3] + turn.apply([x, -40, 0]) for x in (10, -10)]
        x = (0.01 * np.stack(joints, 1)).transpose(2, 0, 1)[..., None].astype(np.float32)
        expected.append(Expected(f"{action}_01", x, i))
    return expected


# --- arrays -----------------------------------------------------------------------------------------------------------

NTU_NAMES = ["S001C001P001R001A001", "S001C002P003R002A002", "S002C003P002R001A003"]


def array_clips(frames: int = 6) -> np.ndarray:
    """float32 (3, 3, T, 25, 2); all but the last are shorter, and the first two have one person."""
    clips = motion("ntu25", 3, frames, 2, seed=70).transpose(0, 3, 1, 2, 4).copy()
    clips[:2, ..., 1] = 0
    clips[0, :, 4:] = 0
    clips[1, :, 5:] = 0
    return clips


def array_recordings(names: Sequence[str], parts: Sequence[dict[str, str]], known: bool) -> list[Expected]:
    expected = []
    for clip, label, name, part, ntu, length in zip(
        array_clips(), itertools.count(), names, parts, NTU_NAMES, (4, 5, 6), strict=False
    ):
        setup, camera, performer, replication = (int(ntu[k : k + 3]) for k in (1, 5, 9, 13))
        about = (performer, camera, 10 * setup + replication) if known else (None, None, None)
        expected.append(Expected(name, clip[:, :length], label, *about, part))
    return expected


def aimclr_tree(folder: Path) -> list[Expected]:
    for part, chosen in (("train", [0, 1]), ("val", [2])):
        np.save(folder / f"{part}_position.npy", array_clips()[chosen])
        labels = ([f"{NTU_NAMES[i]}.skeleton" for i in chosen], chosen)
        (folder / f"{part}_label.pkl").write_bytes(pickle.dumps(labels))
    return array_recordings(NTU_NAMES, [{"given": "train"}] * 2 + [{"given": "test"}], known=True)


def ctrgcn_tree(folder: Path, compressed: bool = False) -> list[Expected]:
    flat = array_clips().transpose(0, 2, 4, 3, 1).reshape(3, 6, 150)
    one_hot = np.eye(60)[[0, 1, 2]]
    save = np.savez_compressed if compressed else np.savez
    save(folder / "NTU60_CV.npz", x_train=flat[:2], y_train=one_hot[:2], x_test=flat[2:], y_test=one_hot[2:])
    names = ["train_00000", "train_00001", "test_00000"]
    return array_recordings(names, [{"xview": "train"}] * 2 + [{"xview": "test"}], known=False)


def pyskl_tree(folder: Path) -> list[Expected]:
    annotations = [
        {
            "frame_dir": name,
            "label": label,
            "total_frames": length,
            "keypoint": clip[:, :length, :, : 1 + (label == 2)].transpose(3, 1, 2, 0).copy(),
        }
        for name, label, clip, length in zip(NTU_NAMES, range(3), array_clips(), (4, 5, 6), strict=True)
    ]
    split = {
        "xsub_train": [NTU_NAMES[0], NTU_NAMES[2]],
        "xsub_val": [NTU_NAMES[1]],
        "xview_train": NTU_NAMES[1:],
        "xview_val": NTU_NAMES[:1],
    }
    (folder / "ntu60_3danno.pkl").write_bytes(pickle.dumps({"split": split, "annotations": annotations}, 4))
    parts = [{p: "train" if name in split[f"{p}_train"] else "test" for p in ("xsub", "xview")} for name in NTU_NAMES]
    return array_recordings(NTU_NAMES, parts, known=True)


def stgcn_tree(folder: Path) -> list[Expected]:
    expected = aimclr_tree(folder)
    for part in ("train", "val"):
        (folder / f"{part}_position.npy").rename(folder / f"{part}_data_joint.npy")
    return expected


TREES: dict[str, Callable[[Path], list[Expected]]] = {
    "ntu60": ntu_tree,
    "ntu120": lambda folder: ntu_tree(folder, sixty=False),
    "pkummd1": pkummd_tree,
    "pkummd2": lambda folder: pkummd_tree(folder, second=True),
    "nwucla": nwucla_tree,
    "msr": msr_tree,
    "utkinect": utkinect_tree,
    "utdmhad": utdmhad_tree,
    "bvh": bvh_tree,
    "aimclr": aimclr_tree,
    "ctrgcn": ctrgcn_tree,
    "ctrgcn, compressed": lambda folder: ctrgcn_tree(folder, compressed=True),
    "aimclr, by the names of ST-GCN": stgcn_tree,
    "pyskl": pyskl_tree,
    "pyskl, scores": pyskl_scores_tree,
    "kinetics": kinetics_tree,
    "kinetics, with a list": kinetics_list_tree,
    "openpose": openpose_tree,
    "csv": csv_tree,
}

#: Small trees of one kind each, for damage: a function that writes one, and the files in it that are damaged.
TINY: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "ntu60": (
        lambda folder: ntu_tree(folder, frames=2),
        ["S001C001P001R001A001.skeleton", "S002C002P003R002A050.skeleton"],
    ),
    "ntu120": (lambda folder: ntu_tree(folder, frames=2, sixty=False), ["S018C003P045R002A120.skeleton"]),
    "pkummd1": (
        lambda folder: pkummd_tree(folder, frames=3),
        ["PKU_Skeleton_Renew/0003-R.txt", "Train_Label_PKU_final/0003-R.txt", "Split/cross-view.txt"],
    ),
    "pkummd2": (lambda folder: pkummd_tree(folder, frames=3, second=True), ["PKU_Skeleton_Renew/A02N07-R.txt"]),
    "nwucla": (lambda folder: nwucla_tree(folder, frames=2), ["a01_s01_e00_v01.json"]),
    "msr": (lambda folder: msr_tree(folder, frames=2), ["a01_s01_e01_skeleton3D.txt"]),
    "utkinect": (lambda folder: utkinect_tree(folder, frames=8), ["joints_s01_e01.txt", "actionLabel.txt"]),
    "utdmhad": (
        lambda folder: utdmhad_tree(folder, frames=1),
        ["a1_s1_t1_skeleton.mat", "a27_s8_t4_skeleton.mat"],
    ),
    "bvh": (lambda folder: bvh_tree(folder, frames=2), ["kick/01.bvh", "walk/01.bvh"]),
    "aimclr": (aimclr_tree, ["train_position.npy", "train_label.pkl"]),
    "ctrgcn": (ctrgcn_tree, ["NTU60_CV.npz"]),
    "ctrgcn, compressed": (lambda folder: ctrgcn_tree(folder, compressed=True), ["NTU60_CV.npz"]),
    "aimclr, by the names of ST-GCN": (stgcn_tree, ["val_data_joint.npy"]),
    "pyskl": (pyskl_tree, ["ntu60_3danno.pkl"]),
    "pyskl, scores": (pyskl_scores_tree, ["anno.pkl"]),
    "kinetics": (lambda folder: kinetics_tree(folder, frames=2), ["kinetics_val/def.json"]),
    "kinetics, with a list": (kinetics_list_tree, ["kinetics_train/abc.json", "kinetics_train_label.json"]),
    "openpose": (lambda folder: openpose_tree(folder, frames=2), ["walk/clip_000000000000_keypoints.json"]),
    "csv": (lambda folder: csv_tree(folder, frames=2), ["kick/01.csv"]),
}


CACHES: tuple[Any, ...] = (
    *(_annotations, _labels, _classes, _skeleton, _layout, _utkinect_labels),
    *(columns._classes, keypoints._kinetics_classes, keypoints._openpose_clips),
)

#: What a user has to say of a tree.
OPTIONS: dict[str, dict[str, Any]] = {"pyskl, scores": {"joints": "coco17"}, "csv": {"joints": "mediapipe33"}}


def source(name: str, folder: Path, **options: Any) -> Source:
    """A source, which has forgotten what it knew of the folder."""
    for cache in CACHES:
        cache.cache_clear()
    options = OPTIONS.get(name, {}) | options
    return SOURCES[name.split(",")[0]](folder, **options)


def read(opened: Source) -> list[Recording | Fault]:
    """All that is in it, each item checked."""
    return [check(opened, item) for unit in opened.units() for item in opened.read(unit)]


def check(opened: Source, item: Recording | Fault) -> Recording | Fault:
    """What every reader promises of everything that it lets out."""
    if isinstance(item, Fault):
        assert item.where and item.reason, item
        assert not item.reason.startswith("unexpected"), str(item)
        assert "memory" not in item.reason, str(item)
        assert item.line is None or item.line >= 1, item
        assert len(str(item)) < 2000 and str(item).isprintable(), str(item)
        return item
    assert isinstance(item, Recording)
    assert item.x.dtype == np.float32 and item.x.ndim == 4 and item.x.flags.c_contiguous
    assert item.x.shape[1] >= 1 and item.x.shape[2] == len(opened.skeleton)
    assert marked(item.x) is item.x or np.array_equal(marked(item.x), item.x, equal_nan=True), "missing in another way"
    assert np.nan_to_num(item.x).any()
    assert type(item.label) is int and item.label >= 0
    assert item.name and isinstance(item.name, str)
    for value in (item.subject, item.view, item.episode):
        assert value is None or type(value) is int
    assert set(item.parts.values()) <= {"train", "test"}
    assert all(isinstance(note, str) for note in item.notes)
    return item
