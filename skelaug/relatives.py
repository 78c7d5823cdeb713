"""Data of one skeleton on another: joints found by name, and what stands in for those that are not there."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.presence import Presence
from skelaug.skeleton import Skeleton

__all__ = ["joint_map", "remap"]

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SIDES = ("left", "right", "l", "r")


def remap(
    x: Tensor | SkeletonBatch, source: Skeleton | str, target: Skeleton | str, fill: str = "unobserved"
) -> SkeletonBatch:
    """Data of one skeleton as data of another, joint by joint, by name.

    A name says the same wherever its side stands and however it is spelled: ``shoulder_left`` is ``LShoulder``. Some
    joints have several names, such as ``pelvis``, ``spine_base`` and ``mid_hip``; the guide to skeletons lists them.
    Coordinates stay as they are: two sensors' joints of one name may lie a few centimetres apart, and units, axes (the
    source's ``up``, not the target's) and the order of magnitude are the source's.

    Args:
        x: ``(N, C, T, V, M)`` of the source's V joints, or a SkeletonBatch of them.
        source: skeleton of the data, or its name.
        target: skeleton that is wanted, or its name.
        fill: what becomes of a joint that the source lacks. ``"unobserved"``: 0 and not observed. ``"nearest"``: a copy
            of its nearest relative, or the mean of several, by the table in the guide to skeletons; where that has
            nothing, a copy of the nearest joint in the target's tree. It is observed where all that it is made of are.

    Returns:
        x ``(N, C, T, V', M)`` with the mask that belongs to it; labels stay.

    Raises:
        TypeError: x is no data, or a skeleton is none.
        ValueError: x has other joints than the source, or a graph, or the two skeletons share no joint.

    Example:
        >>> batch = remap(torch.randn(8, 3, 50, 25, 2), "ntu25", "coco17")
        >>> batch.x.shape, int(batch.mask[0, 0, :, 0].sum())  # ntu25 has no nose, eyes and ears
        (torch.Size([8, 3, 50, 17, 2]), 12)
        >>> bool(remap(torch.randn(8, 3, 50, 25, 2), "ntu25", "coco17", fill="nearest").mask.all())
        True
    """
    batch = SkeletonBatch.of(x, "remap")
    source, target = check.skeleton("remap", source, "source"), check.skeleton("remap", target, "target")
    check.choice("remap", "fill", fill, ("unobserved", "nearest"))
    check.joints("remap", source, batch.x)
    if batch.graph is not None:
        raise ValueError(
            f"remap(x): x has a graph of the joints of {source.name!r}, which says nothing of {target.name!r}; take it "
            f"off, x.replace(graph=None)"
        )
    rows = _rows(source, target, fill)
    most = max(map(len, rows))
    padded = [[*row.items(), *[(0, 0.0)] * (most - len(row))] for row in rows]
    index = check.constant([[joint for joint, _ in row] for row in padded], batch.device)  # (V', K)
    share = check.constant([[weight for _, weight in row] for row in padded], batch.device)
    wide = share.to(batch.x.dtype)[..., None]
    moved = (batch.x[:, :, :, index] * wide).sum(4)
    if batch.seen.shape[2] == 1 and all(rows):  # whole persons are there or not, as before
        return batch.with_parts(x=moved).settled()
    seen = (batch.mask[:, :, index] | (share == 0)[..., None]).all(3) & (share > 0).any(1)[:, None]
    return batch.with_parts(x=torch.where(seen[:, None], moved, 0), observed=Presence.of(seen))


def joint_map(source: Skeleton | str, target: Skeleton | str, fill: str = "nearest") -> dict[str, dict[str, float]]:
    """What :func:`remap` makes each of the target's joints of: the source's joints and their shares; empty for none.

    Example:
        >>> joints = joint_map("coco17", "ntu25")
        >>> joints["wrist_left"], joints["spine_base"], joints["hand_tip_left"]
        ({'left_wrist': 1.0}, {'left_hip': 0.5, 'right_hip': 0.5}, {'left_wrist': 1.0})
    """
    source, target = check.skeleton("joint_map", source, "source"), check.skeleton("joint_map", target, "target")
    check.choice("joint_map", "fill", fill, ("unobserved", "nearest"))
    rows = _rows(source, target, fill)
    return {
        name: {source.joints[joint]: weight for joint, weight in row.items()}
        for name, row in zip(target.joints, rows, strict=True)
    }


Row = dict[int, float]  # joints of the source and their shares


@functools.lru_cache(maxsize=64)
def _rows(source: Skeleton, target: Skeleton, fill: str) -> tuple[Row, ...]:
    """What each of the target's joints is made of."""
    _, nearest = _tables()
    theirs = {part: joint for joint, part in reversed([*enumerate(_parts(source))])}

    def find(part: str, asked: frozenset[str] = frozenset()) -> Row:
        if part in theirs:
            return {theirs[part]: 1.0}
        if fill == "nearest" and part not in asked:
            for recipe in nearest.get(part, ()):
                made = [find(other, asked | {part}) for other in recipe]
                if all(made):
                    return _mean(made)
        return {}

    exact = {name: {joint: 1.0} for joint, name in enumerate(source.joints)}
    rows = [exact.get(name) or find(part) for name, part in zip(target.joints, _parts(target), strict=True)]
    if not any(rows):
        raise ValueError(
            f"remap: skeletons {source.name!r} and {target.name!r} share no joint: {', '.join(source.joints[:5])} … "
            f"and {', '.join(target.joints[:5])} …; name the joints alike"
        )
    if fill == "nearest":
        # Along the tree, and towards the root where two are as near.
        hops, depth = target.hops(), target.hops()[target.root]
        order = (hops * 2 * len(target) + depth).tolist()
        filled = [joint for joint, row in enumerate(rows) if row]
        rows = [row or rows[min(filled, key=order[joint].__getitem__)] for joint, row in enumerate(rows)]
    return tuple(rows)


def _mean(rows: list[Row]) -> Row:
    joints = dict.fromkeys(joint for row in rows for joint in row)
    return {joint: sum(row.get(joint, 0.0) for row in rows) / len(rows) for joint in joints}


def _parts(skeleton: Skeleton) -> list[str]:
    """What part of the body each joint is, whatever its name: side first, one spelling."""
    same, _ = _tables()
    side = {joint: s for pair in skeleton.pairs for joint, s in zip(pair, ("left_", "right_"), strict=True)}
    plain = [_plain(name, joint in side) for joint, name in enumerate(skeleton.joints)]
    sided = [side.get(joint, "") + name for joint, name in enumerate(plain)]
    return [same.get(part, part) for part in sided]


def _plain(name: str, sided: bool) -> str:
    """A joint's name in small letters, words apart, without its side."""
    words = [word.lower() for word in _WORD.findall(name)]
    return "_".join(word for word in words if not sided or word not in _SIDES)


@functools.cache
def _tables() -> tuple[dict[str, str], dict[str, list[list[str]]]]:
    """Of ``assets/relatives.toml``: the one name of each part, and what stands in for it."""
    text = (resources.files("skelaug") / "assets" / "relatives.toml").read_text(encoding="utf-8")
    same: dict[str, str] = {}
    nearest: dict[str, list[list[str]]] = {}
    for side in ("left_", "right_"):
        table = tomllib.loads(text.replace("side_", side))
        same |= {_plain(name, False): part for part, names in table["same"].items() for name in names.split()}
        for part, recipes in table["nearest"].items():
            nearest[_plain(part, False)] = [[_plain(name, False) for name in recipe.split()] for recipe in recipes]
    return same, nearest
