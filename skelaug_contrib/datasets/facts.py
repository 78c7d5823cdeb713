"""What is true of one clip: who is there, what stands still, what jumps, and fingerprints of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["STRIDE", "Facts", "facts_of", "sampled", "trimmed"]

Floats = npt.NDArray[np.float32]

#: Every so many frames a clip leaves a pose to be found by; its first so many frames look for them.
STRIDE = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one clip.

    Attributes:
        digest: of all coordinates of all frames: equal for clips that are equal to the bit; "" where nobody is there.
        frames: its length.
        span: of them, from the first to the last in which anybody is there.
        lost: frames in which nobody is there.
        frozen: frames in which everybody's every joint is exactly where it was in the frame before.
        jump: the longest way of a joint from a frame to the next, in the units of the data (metres).
        size: of a body, in the same units: the longest side of the box around it, the median over frames and persons;
            0 where nobody is there or there are no three coordinates.
        persons: for each slot up to the last person who is there at all, the frames in which they are.
    """

    digest: str
    frames: int
    span: int
    lost: int
    frozen: int
    jump: float
    size: float
    persons: Sequence[int]


def facts_of(x: Floats) -> tuple[Facts, Floats]:
    """Look at a clip.

    Args:
        x: float32 ``(C, T, V, M)``, all of it valid; who is absent in a frame is 0 in it, NaN is a joint that was not
            observed.

    Returns:
        The facts; and poses float32 ``(K, D)`` to find near twins by, of the frames that :func:`sampled` names, NaN
        where the first person is absent (see :mod:`skelaug_contrib.datasets.twins`).

    Example:
        >>> x = np.ones((3, 5, 2, 2), np.float32)
        >>> x[0, 1:] = 2.5
        >>> x[:, 2:, :, 1] = 0
        >>> facts, _ = facts_of(x)
        >>> facts.frames, facts.lost, facts.frozen, facts.jump, facts.persons
        (5, 0, 2, 1.5, (5, 2))
    """
    there = (x != 0).any((0, 2))  # (T, M)
    somebody = there.any(1)
    persons = there.sum(0)
    slots = int(np.flatnonzero(persons)[-1]) + 1 if somebody.any() else 0
    frozen, jump = 0, 0.0
    if len(somebody) > 1 and slots:
        # One frame more or less changes nothing of what follows, so all is seen at once: (C, T - 1, V, M).
        step = np.diff(x, axis=1)
        missing: npt.NDArray[np.bool_] = np.asarray(np.isnan(x).any(0))  # (T, V, M)
        if missing.any():
            step = np.where(missing[1:] | missing[:-1], np.float32(0), step)  # nobody knows how far such a joint moved
        both = there[1:] & there[:-1]
        way = (step.astype(np.float64) ** 2).sum(0).max(1)  # (T - 1, M)
        jump = float(np.sqrt(way[both].max(initial=0)))
        still = ~step.any((0, 2, 3)) & somebody[1:] & somebody[:-1]
        frozen = int(still.sum())
    moments = np.flatnonzero(somebody)
    found = Facts(
        digest=_digest(x[..., :slots]),
        frames=x.shape[1],
        span=int(moments[-1] - moments[0]) + 1 if slots else 0,
        lost=int((~somebody).sum()),
        frozen=frozen,
        jump=jump,
        size=_size(x, there),
        persons=tuple(persons[:slots].tolist()),
    )
    return found, _poses(x, moments, there)


def trimmed(x: Floats) -> Floats:
    """A clip from the first to the last frame in which anybody is there; a view, empty where nobody ever is."""
    there = np.flatnonzero((x != 0).any((0, 2, 3)))
    return x[:, there[0] : there[-1] + 1] if len(there) else x[:, :0]


def sampled(frames: int) -> npt.NDArray[np.int64]:
    """The frames whose poses are kept, of a trimmed clip of that many.

    Example:
        >>> sampled(20).tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 16]
    """
    return np.union1d(np.arange(min(STRIDE, frames)), np.arange(0, frames, STRIDE))


def _digest(x: Floats) -> str:
    if not x.size:
        return ""
    content = hashlib.blake2b(repr(x.shape).encode(), digest_size=16)
    content.update(np.ascontiguousarray(x + np.float32(0)).data)  # -0 is 0
    return content.hexdigest()


def _size(x: Floats, there: npt.NDArray[np.bool_]) -> float:
    """How large bodies are; joints at exactly 0 are none."""
    if len(x) != 3 or not there.any():
        return 0.0
    bodies = x.transpose(1, 3, 0, 2)[there].astype(np.float64)  # (B, C, V)
    seen = bodies.any(1, keepdims=True)
    box = np.where(seen, bodies, -np.inf).max(2) - np.where(seen, bodies, np.inf).min(2)
    return float(np.median(box.max(1)))


def _poses(x: Floats, moments: npt.NDArray[np.int64], there: npt.NDArray[np.bool_]) -> Floats:
    """Where some joints of the first person are, seen from another one."""
    v = x.shape[2]
    joints = sorted({v // 4, v // 2, 3 * v // 4, v - 1} - {0})
    if not len(moments) or not joints:
        return np.empty((0, len(joints) * x.shape[0]), np.float32)
    frames = moments[0] + sampled(int(moments[-1] - moments[0]) + 1)
    seen = x[..., 0][:, frames]  # (C, K, V)
    poses = (seen[:, :, joints] - seen[:, :, :1]).transpose(1, 2, 0).reshape(len(frames), -1)
    poses[~there[frames, 0]] = np.nan
    return poses
