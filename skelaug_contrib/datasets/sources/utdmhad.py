"""UTD-MHAD: MATLAB files, one a clip, that hold one array ``d_skel``."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.sources.files import MAX_FRAMES, Broken, guarded, load, shown
from skelaug_contrib.datasets.sources.folder import Folder
from skelaug_contrib.datasets.sources.people import clip
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit

__all__ = ["UTDMHAD", "read_array"]

_JOINTS = 20
_LIMIT = 1 << 26  # bytes of an array; the longest clip has 125 frames, which are 60 kB
_NAME = re.compile(r"a(\d{1,2})_s(\d{1,2})_t(\d{1,2})_skeleton\.mat")


@dataclass(frozen=True)
class UTDMHAD(Folder):
    """UTD-MHAD: a folder of files ``a1_s1_t1_skeleton.mat`` = action, subject, trial, with ``d_skel`` (20, 3, T).

    A recording has C = x, y, z in metres, the 20 joints of ``utd20``, M = 1. Protocol ``xsub``: subjects of odd number
    train.

    Args:
        root: the folder.
    """

    files = _NAME
    example = "a1_s1_t1_skeleton.mat"
    known = "utd20"
    classes = "utdmhad_classes.txt"

    @guarded
    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """The clip."""
        data = load(unit.path, _LIMIT)
        match = _NAME.fullmatch(unit.path.name)
        action, subject, trial = map(int, match.groups()) if match else (0, 0, 0)
        if not 1 <= action <= 27:
            raise Broken(f"is named {shown(unit.path.name)}; actions are 1 … 27, as in a1_s1_t1_skeleton.mat")
        array = read_array(data, "d_skel")
        if array.ndim == 2:  # MATLAB drops a last axis of one frame
            array = array[:, :, None]
        if array.ndim != 3 or array.shape[:2] != (_JOINTS, 3) or not 1 <= array.shape[2] <= MAX_FRAMES:
            raise Broken(f"its d_skel must be (20, 3, frames), got {array.shape}")
        yield clip(
            str(unit.path),
            array.transpose(2, 0, 1)[:, None],
            name=unit.path.stem.removesuffix("_skeleton"),
            label=action - 1,
            subject=subject,
            episode=trial,
            parts={"xsub": "train" if subject % 2 else "test"},
        )


# --- MATLAB's level-5 format. scipy.io.loadmat reads it too, but a damaged file makes it crash the process. Here every
# --- length is compared with the bytes that are there. ---------------------------------------------------------------

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC_CLASSES = range(6, 16)  # double, single and the integers


def read_array(data: bytes, name: str) -> npt.NDArray[np.float64]:
    """The real, numeric, full array ``name`` of a MATLAB file of level 5 (versions 5 to 7), as float64.

    Raises:
        Broken: it is no such file, or holds no such array.
    """
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data[:10] == b"MATLAB 7.3":
        raise Broken("is a MATLAB file of version 7.3; save it as version 7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise Broken("is no MATLAB file of version 5 to 7")
    for kind, content in _elements(data[128:], order):
        if kind == _COMPRESSED:
            inner = _expand(content)
            kind, content = next(_elements(inner, order), (0, b""))
        if kind == _MATRIX and (found := _matrix(content, order, name)) is not None:
            return found
    raise Broken(f"holds no array {name!r}")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each element; small ones keep both in 8 bytes, the others are filled up to 8 bytes."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise Broken("is damaged: a small element is not small")
            at += 8
        else:
            start = at + 8
            at = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > len(data):
            raise Broken(f"ends early: an element claims {size} bytes, {len(data) - start} are there")
        yield kind, data[start : start + size]


def _expand(content: bytes) -> bytes:
    machine = zlib.decompressobj()
    try:
        data = machine.decompress(content, _LIMIT)
    except zlib.error as error:
        raise Broken(f"is damaged: {error}") from None
    if machine.unconsumed_tail:
        raise Broken(f"expands to more than {_LIMIT} bytes")
    return data


def _matrix(content: bytes, order: str, name: str) -> npt.NDArray[np.float64] | None:
    """The array, or None if it has another name."""
    parts: Any = list(_elements(content, order))
    if len(parts) < 4 or parts[2][1].rstrip(b"\x00") != name.encode():
        return None
    (_, flags), (_, dims), _, (kind, numbers) = parts[:4]
    shape = tuple(np.frombuffer(dims[: len(dims) // 4 * 4], order + "i4").tolist())
    if len(flags) < 4 or np.frombuffer(flags[:4], order + "u4")[0] & 0x8FF not in _NUMERIC_CLASSES:
        raise Broken(f"its {name} is no real array of numbers")
    if kind not in _NUMBERS or not shape or min(shape) < 1:
        raise Broken(f"its {name} is empty or no array of numbers")
    dtype = np.dtype(order + _NUMBERS[kind])
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise Broken(f"its {name} claims shape {shape}, but holds {len(numbers) // dtype.itemsize} numbers")
    return np.frombuffer(numbers, dtype).astype(np.float64).reshape(shape, order="F")
