"""Build ``skelaug/assets/sample_motion.npz`` from the motion clips that ship with pybullet.

Where the input comes from: the wheel of pybullet 3.2.7 on PyPI (zlib licence). It carries the reference motions of
DeepMimic (MIT licence, see NOTICE) as ``pybullet_data/data/motions/humanoid3d_*.txt`` and the body they are made for as
``pybullet_data/humanoid/humanoid.urdf``. Nothing needs to be installed but numpy and scipy:

    pip download pybullet==3.2.7 --no-deps --only-binary=:all: -d out/pybullet
    unzip out/pybullet/pybullet-3.2.7-*.whl 'pybullet_data/*' -d out/pybullet
    python tools/sample_motion/build.py out/pybullet

A frame has 44 numbers: its duration in seconds, the root's position (x, y, z) in metres, and rotations of the links in
the order of the URDF, each relative to its parent: a unit quaternion (w, x, y, z) for root, chest, neck, hips, ankles
and shoulders, an angle about z for knees and elbows. The body faces +x, up is +y, its right is +z.

The rotations, not the positions, are interpolated to 30 frames a second, so that bones keep their length. The same
input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

FPS = 30
UNIT = 1e-4  # positions are stored as whole tenths of a millimetre
URDF_SCALE = 0.25  # the URDF is four times life size; DeepMimic's environment in pybullet loads it with this scale
CLIPS = (
    "walk",
    "run",
    "jump",
    "crawl",
    "roll",
    "cartwheel",
    "backflip",
    "kick",
    "spinkick",
    "punch",
    "spin",
    "dance_a",
    "dance_b",
    "getup_facedown",
    "getup_faceup",
)
#: Clips that are upright from start to end, for the checks. (spin is a butterfly spin: the head dips below the hips.)
UPRIGHT = ("walk", "run", "jump", "kick", "spinkick", "punch", "dance_a", "dance_b")
TARGET = Path(__file__).resolve().parents[2] / "skelaug" / "assets" / "sample_motion.npz"

Array = NDArray[np.float64]


def read_body(urdf: Path) -> tuple[list[str], list[int], Array, list[int]]:
    """Joint names, parents (the root is its own), offsets from the parent in metres, numbers per joint in a frame."""
    names, parents, offsets, sizes = ["root"], [0], [np.zeros(3)], [4]
    width = {"spherical": 4, "revolute": 1, "fixed": 0}
    text = urdf.read_text(encoding="latin-1")
    text = text[: text.rindex(">") + 1]  # a stray NUL follows the last tag
    for joint in ET.fromstring(text).iter("joint"):
        if (name := joint.attrib["name"]) == "root":
            continue  # it welds the root link to a massless base, at no offset
        axis = joint.find("axis")
        if axis is not None and [float(a) for a in axis.attrib["xyz"].split()] != [0, 0, 1]:
            raise SystemExit(f"{urdf}: {name} turns about {axis.attrib['xyz']}, expected z: is this pybullet 3.2.7?")
        origin = joint.find("origin")
        assert origin is not None
        names.append(name)
        parents.append(names.index(joint.find("parent").attrib["link"]))  # type: ignore[union-attr]
        offsets.append(np.array([float(a) for a in origin.attrib["xyz"].split()]) * URDF_SCALE)
        sizes.append(width[joint.attrib["type"]])
    return names, parents, np.stack(offsets), sizes


def read_clip(path: Path, sizes: list[int]) -> tuple[Array, list[Rotation | None]]:
    """Root position ``(T, 3)`` and each joint's rotation relative to its parent (None: fixed), at ``FPS``."""
    frames = np.array(json.loads(path.read_text())["Frames"])
    if frames.shape[1] != 4 + sum(sizes):
        wanted = 4 + sum(sizes)
        raise SystemExit(f"{path}: {frames.shape[1]} numbers a frame, expected {wanted}: is this pybullet 3.2.7?")
    start = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])])  # a frame's first number is how long it lasts
    at = np.arange(int(start[-1] * FPS + 0.05) + 1) / FPS
    at = np.minimum(at, start[-1])  # "30 frames a second" is 0.033332 s in some clips

    root = np.stack([np.interp(at, start, frames[:, 1 + axis]) for axis in range(3)], 1)
    rotations: list[Rotation | None] = []
    column = 4
    for size in sizes:
        part = frames[:, column : column + size]
        column += size
        if size == 4:
            rotations.append(Slerp(start, Rotation.from_quat(part[:, [1, 2, 3, 0]]))(at))  # scipy's order is x, y, z, w
        elif size == 1:
            rotations.append(Rotation.from_rotvec(np.interp(at, start, part[:, 0])[:, None] * [0.0, 0.0, 1.0]))
        else:
            rotations.append(None)
    return root, rotations


def positions_of(root: Array, rotations: list[Rotation | None], parents: list[int], offsets: Array) -> Array:
    """Forward kinematics: positions ``(T, V, 3)`` in metres."""
    first = rotations[0]
    assert first is not None
    world, positions = [first], [root]
    for joint in range(1, len(parents)):
        parent, local = parents[joint], rotations[joint]
        positions.append(positions[parent] + world[parent].apply(offsets[joint]))
        world.append(world[parent] if local is None else world[parent] * local)
    return np.stack(positions, 1)


def check(name: str, p: Array, names: list[str], parents: list[int], offsets: Array) -> str:
    """One line of measurements of the clip; stops at what cannot be right."""
    j = {joint: i for i, joint in enumerate(names)}
    bones = np.linalg.norm(p[:, 1:] - p[:, parents[1:]], axis=-1)
    error = np.abs(bones - np.linalg.norm(offsets[1:], axis=-1)).max()
    feet = p[:, [j["right_ankle"], j["left_ankle"]], 1]
    tall = (p[:, j["neck"], 1] - feet.min(1)).min()  # above the lower foot: a kick may go higher than the head
    # A knee bends forward, and left × up is forward: so the side to which knees bend tells left from right.
    forward = np.cross(p[:, j["left_hip"]] - p[:, j["right_hip"]], p[:, j["chest"]] - p[:, j["root"]])
    bend = [p[:, j[f"{s}_knee"]] - (p[:, j[f"{s}_hip"]] + p[:, j[f"{s}_ankle"]]) / 2 for s in ("left", "right")]
    ahead = np.mean([np.sum(b * forward, 1) > 0 for b in bend])
    travel = float((p[-1, 0] - p[0, 0])[[0, 2]] @ forward.mean(0)[[0, 2]] / np.linalg.norm(forward.mean(0)[[0, 2]]))
    assert error < 5e-4, f"{name}: bone lengths are off by {error} m"
    assert name not in UPRIGHT or tall > 0.3, f"{name}: the neck is not above the lower foot ({tall} m)"
    assert name not in UPRIGHT or ahead > 0.9, f"{name}: knees bend backward: are the sides mixed up?"
    return (
        f"{name:15s} {len(p):4d} frames {len(p) / FPS:5.2f} s  bone length: std {bones.std(0).max() * 1e3:.3f} mm, "
        f"error {error * 1e3:.3f} mm  lowest joint {p[..., 1].min():+.3f} m  neck above foot {tall:+.2f} m  "
        f"knees ahead {ahead:4.0%}  travel forward {travel:+.2f} m"
    )


def main() -> None:
    """Build the file and print the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="folder of the unpacked wheel, the one that holds pybullet_data/")
    parser.add_argument("--target", type=Path, default=TARGET, help="file to write (default: %(default)s)")
    args = parser.parse_args()
    data = args.wheel / "pybullet_data"
    if not data.is_dir():
        parser.error(f"{args.wheel} holds no pybullet_data/: give the folder into which the wheel was unpacked")

    names, parents, offsets, sizes = read_body(data / "humanoid" / "humanoid.urdf")
    clips = []
    for clip in CLIPS:
        root, rotations = read_clip(data / "data" / "motions" / f"humanoid3d_{clip}.txt", sizes)
        steps = np.rint(positions_of(root, rotations, parents, offsets) / UNIT)
        assert np.abs(steps).max() < 2**15, f"{clip} leaves the range of int16, ±3.27 m"
        clips.append(steps.astype(np.int16))
        print(check(clip, clips[-1].astype(np.float64) * UNIT, names, parents, offsets))

    args.target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        args.target,
        names=np.array(CLIPS),
        lengths=np.array([len(c) for c in clips], dtype=np.int64),
        positions=np.concatenate(clips),  # (sum of lengths, V, 3), in units of 0.1 mm
        unit=np.float64(UNIT),
        fps=np.int64(FPS),
        joints=np.array(names),
        parents=np.array(parents, dtype=np.int64),
    )
    size = args.target.stat().st_size / 1000
    print(f"{args.target}: {size:.0f} kB, {sum(map(len, clips))} frames, joints {', '.join(names)}")


if __name__ == "__main__":
    main()
