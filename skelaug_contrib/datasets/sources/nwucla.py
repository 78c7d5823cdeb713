"""Northwestern-UCLA Multiview Action 3D: one JSON file a clip, as in the ``all_sqe`` folder of the field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.text import parse_json

__all__ = ["NWUCLA"]

_LIMIT = 1 << 22  # bytes; the longest clip has 201 frames and less than 300 kB
_NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})")
_ACTIONS = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 8: 6, 9: 7, 11: 8, 12: 9}  # in the file's name: its label


@dataclass(frozen=True)
class NWUCLA(Folder):
    """NW-UCLA: a folder of files ``a01_s01_e00_v01.json`` = action, subject, episode, view.

    A recording has C = x, y, z in metres (y up), the 20 joints of ``kinect20``, M = 1. Protocols: ``xview``, the usual
    one, in which views 1 and 2 train and view 3 tests; ``xsub``, in which subjects of odd number train.

    Args:
        root: the folder.
    """

    files = re.compile(r"a\d+_s\d+_e\d+_v\d+\.json")
    example = "a01_s01_e00_v01.json"
    known = "kinect20"
    classes = "nwucla_classes.txt"

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        data = load(unit.path, _LIMIT)
        match = _NAME.fullmatch(unit.path.stem)
        action, subject, episode, view = map(int, match.groups()) if match else (0, 0, 0, 0)
        if action not in _ACTIONS or view not in (1, 2, 3):
            raise Broken(f"is named {shown(unit.path.name)}; actions are 1 … 6, 8, 9, 11, 12 and views 1, 2, 3")
        content = parse_json(data)
        label = content.get("label")
        if type(label) is not int or label - 1 != _ACTIONS[action]:
            raise Broken(f"has label {shown(repr(label))}; action {action} of its name is label {_ACTIONS[action] + 1}")
        yield clip(
            str(unit.path),
            _points(content.get("skeletons"))[:, None],
            name=unit.path.stem,
            label=label - 1,
            subject=subject,
            view=view,
            episode=episode,
            parts={"xview": "test" if view == 3 else "train", "xsub": "train" if subject % 2 else "test"},
        )


def _points(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``(T, 20, 3)`` from lists in lists."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # lists of unequal length
        raise Broken("its skeletons are not the same number of joints and coordinates in each frame") from None
    if array.dtype.kind not in "if" or array.shape[1:] != (20, 3) or not 1 <= len(array) <= MAX_FRAMES:
        got = f"{array.dtype.name} {array.shape}"
        raise Broken(f"its skeletons must be numbers (frames, 20, 3), got {got}")
    return array.astype(np.float64)
