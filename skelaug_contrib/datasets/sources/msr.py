"""MSR Action3D: text, 20 lines a frame, in its two versions: world coordinates and those of the depth image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, find, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import table

__all__ = ["MSRAction3D"]

Floats = npt.NDArray[np.float64]

_JOINTS = 20
_WORLD = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_skeleton3D\.txt")
_SCREEN = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_skeleton\.txt")
# Ten of the 567 clips, in which the skeleton is missing or too wrong: the usual protocol uses the other 557.
_LEFT_OUT = frozenset(
    (
        *("a02_s03_e02", "a04_s03_e01", "a07_s04_e01", "a13_s09_e01", "a13_s09_e02", "a13_s09_e03", "a14_s03_e01"),
        *("a20_s07_e01", "a20_s07_e03", "a20_s10_e03"),
    )
)
_METRES = 1 / 250  # of a unit of the depth image's depth
_SLOPE = 3.501e-3  # metres a pixel, at a depth of 1 m, of Kinect's 320 × 240 depth image
_MIDDLE = (160, 120)
_OVERFLOW = 1e6


@dataclass(frozen=True)
class MSRAction3D(Folder):
    """MSR Action3D: a folder of ``a01_s01_e01_skeleton3D.txt`` or ``…_skeleton.txt`` = action, subject, episode.

    A line is x, y, z, confidence of a joint, 20 lines are a frame. The files ``…_skeleton3D.txt`` are in metres, y up,
    and are read if there are any. The files ``…_skeleton.txt`` hold column, row and depth of the depth image; they are
    brought to metres by the camera's own numbers, which gives the same to a centimetre. The confidence is not used.

    A recording has C = x, y, z, the 20 joints of ``msr20``, M = 1; a lost frame, all 0 in the file, is absent.
    Protocol ``xsub``: subjects of odd number train.

    Args:
        root: the folder.
        keep_all: read also the 10 clips that the usual protocol leaves out; they are faults otherwise.
    """

    keep_all: bool = False

    known = "msr20"
    classes = "msr_classes.txt"

    def units(self) -> Sequence[Unit]:
        """One a file."""
        try:
            files = find(self.root, _WORLD, "files such as a01_s01_e01_skeleton3D.txt")
        except ArrayError:
            files = find(self.root, _SCREEN, "files such as a01_s01_e01_skeleton3D.txt or a01_s01_e01_skeleton.txt")
        return [Unit(path) for path in files]

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        data = load(unit.path)
        match = _WORLD.fullmatch(unit.path.name) or _SCREEN.fullmatch(unit.path.name)
        action, subject, episode = map(int, match.groups()) if match else (0, 0, 0)
        if not 1 <= action <= 20:
            raise Broken(f"is named {shown(unit.path.name)}; actions are 01 … 20, as in a01_s01_e01_skeleton3D.txt")
        name = unit.path.name[:11]
        if name in _LEFT_OUT and not self.keep_all:
            raise Broken("is not among the 557 clips of the usual protocol; left out")
        rows = table(data, 4)
        frames, rest = divmod(len(rows), _JOINTS)
        if rest:
            raise Broken(f"ends early: {len(rows)} lines, expected {_JOINTS} for each frame")
        if frames > MAX_FRAMES:
            raise Broken(f"has {frames} frames; a recording has at most {MAX_FRAMES}")
        points = rows.reshape(-1, 1, _JOINTS, 4)[..., :3]
        if _SCREEN.fullmatch(unit.path.name):
            points = _to_metres(points)
        yield clip(
            str(unit.path),
            points,
            name=name,
            label=action - 1,
            subject=subject,
            episode=episode,
            parts={"xsub": "train" if subject % 2 else "test"},
        )


def _to_metres(points: Floats) -> Floats:
    """From column, row and depth; what lies far outside the picture is an overflow of the sensor's, and not finite."""
    points = np.where(np.abs(points) < _OVERFLOW, points, np.nan)
    column, row, depth = np.moveaxis(points, -1, 0)
    z = depth * _METRES
    return np.stack([(column - _MIDDLE[0]) * _SLOPE * z, (_MIDDLE[1] - row) * _SLOPE * z, z], -1)
