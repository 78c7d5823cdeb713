"""Clips that are the same recording: equal to the bit, or equal but for where they stand and where they were cut.

Two clips are near twins if the shorter one lies within the longer one, frame by frame, with the same people there, so
that after one shift of it as a whole no joint is further than a tolerance (1 mm) from its counterpart. The shorter one
must have 8 frames, or both equally many; frames without anybody at their ends do not count. A turn, a mirror, another
size or frame rate, or a clip that only overlaps another are not looked for.

No clip is compared with all others. The pose of every 8th frame goes into a k-d tree, the first 8 frames of every clip
look there: of a shorter clip that lies within a longer one, one of these frames must meet one of those. A pose is the
place of four joints seen from a fifth, which a shift does not change, and which differs by less than twice the
tolerance in twins. Who is found is then compared in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets.facts import STRIDE, Facts, Floats, sampled, trimmed

__all__ = ["TOLERANCE", "are_near", "exact_groups", "near_groups"]

#: In the units of the data: 1 mm.
TOLERANCE = 1e-3
_NEIGHBOURS = 16  # most poses that a frame may find: who has more twins is found through them

Ints = npt.NDArray[np.int64]


def exact_groups(facts: Sequence[Facts]) -> Ints:
    """For each clip the first one with the very same content, perhaps itself; int64 ``(S,)``.

    Clips in which nobody is there have nothing in common.
    """
    first: dict[str, int] = {}
    found = (first.setdefault(clip.digest, i) if clip.digest else i for i, clip in enumerate(facts))
    return np.fromiter(found, np.int64, len(facts))


def near_groups(
    exact: Ints,
    facts: Sequence[Facts],
    poses: Sequence[Floats],
    read: Callable[[int], Floats],
    tolerance: float = TOLERANCE,
) -> Ints:
    """For each clip the first one of its group, where twins and their twins are a group; int64 ``(S,)``.

    Args:
        exact: of :func:`exact_groups`; only the first of each is looked at.
        facts: of each clip.
        poses: of each clip, see :func:`~skelaug_contrib.datasets.facts.facts_of`.
        read: gives a clip's frames ``(C, T, V, M)``.
        tolerance: in the units of the data.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [
        (a, b)
        for a, b, shift in _candidates(exact, facts, poses, tolerance)
        if _meet(poses[a], poses[b], shift, tolerance)
        and are_near(trimmed(read(a)), trimmed(read(b)), shift, tolerance)
    ]
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    a, b = np.r_[a, np.arange(len(exact))], np.r_[b, exact]
    _, group = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(len(exact),) * 2), directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(first[group], np.int64)


def are_near(a: Floats, b: Floats, shift: int, tolerance: float = TOLERANCE) -> bool:
    """Whether frame t of ``a`` shows what frame ``t + shift`` of ``b`` does, all t; both ``(C, T, V, M)``, trimmed."""
    if a.shape[1] < STRIDE and a.shape[1] != b.shape[1]:
        return False
    b = b[:, shift : shift + a.shape[1]]
    m = max(a.shape[3], b.shape[3])
    a, b = (np.pad(clip, ((0, 0), (0, 0), (0, 0), (0, m - clip.shape[3]))) for clip in (a, b))
    there = (a != 0).any((0, 2), keepdims=True)
    if a.shape != b.shape or not np.array_equal(there, (b != 0).any((0, 2), keepdims=True)):
        return False
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return False
    there = np.broadcast_to(there, (1, *a.shape[1:]))[0] & ~np.isnan(a).any(0)
    apart = (a.astype(np.float64) - b)[:, there]  # (C, observed joints of who is there)
    if not apart.size:
        return False
    middle = (apart.max(1, keepdims=True) + apart.min(1, keepdims=True)) / 2
    return bool(np.sqrt(((apart - middle) ** 2).sum(0)).max(initial=0) < tolerance)


def _candidates(
    exact: Ints, facts: Sequence[Facts], poses: Sequence[Floats], tolerance: float
) -> list[tuple[int, int, int]]:
    """Pairs (shorter, longer) that share a pose, and the frame of the longer one at which the shorter one begins."""
    from scipy.spatial import KDTree

    clips = [i for i, first in enumerate(exact.tolist()) if i == first and len(poses[i])]
    if len(clips) < 2 or not poses[clips[0]].shape[1]:
        return []
    owner = np.repeat(clips, [len(poses[i]) for i in clips])
    frame = np.concatenate([sampled(facts[i].span) for i in clips])
    span = np.array([clip.span for clip in facts])
    pose = np.concatenate([poses[i] for i in clips])
    seen = np.isfinite(pose).all(1)
    kept = np.flatnonzero(seen & (frame % STRIDE == 0))
    kept = kept[_rank(pose[kept]) < _NEIGHBOURS]  # a pose that thousands share would be met thousands of times
    tree = KDTree(pose[kept])
    asks = np.flatnonzero(seen & (frame < STRIDE))
    found: set[tuple[int, int, int]] = set()
    for start in range(0, len(asks), 1 << 16):
        part = asks[start : start + (1 << 16)]
        _, index = tree.query(pose[part], _NEIGHBOURS, p=np.inf, distance_upper_bound=2 * tolerance)
        row, column = np.nonzero(index < len(kept))
        asking, met = part[row], kept[index[row, column]]
        shift = frame[met] - frame[asking]
        a, b = owner[asking], owner[met]
        fits = (a != b) & (shift >= 0) & (shift + span[a] <= span[b])
        found.update(zip(a[fits].tolist(), b[fits].tolist(), shift[fits].tolist(), strict=True))
    return sorted(found)


def _meet(a: Floats, b: Floats, shift: int, tolerance: float) -> bool:
    """Whether the poses of the shorter clip, ``a``, are alike those of the longer one, ``b``, where it begins there.

    This spares reading most clips that only begin alike.
    """
    if shift % STRIDE:
        return True
    a, b = (np.concatenate([pose[:1], pose[STRIDE:]]) for pose in (a, b))  # every STRIDE-th frame
    apart = np.abs(a - b[shift // STRIDE :][: len(a)])
    return bool((np.isnan(apart) | (apart < 2 * tolerance)).all())


def _rank(rows: Floats) -> Ints:
    """For each row, how many equal ones come before it."""
    order = np.lexsort(rows.T)
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(rows[order], axis=0) != 0).any(1)
    place, rank = np.arange(len(rows)), np.empty(len(rows), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(new, place, 0))
    return rank
