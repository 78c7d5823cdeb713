"""The trees of the known skeletons, read from ``assets/skeletons.toml``, which explains its entries."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from skelaug.limbs import find_limbs
from skelaug.sides import find_sides

__all__ = ["known"]


def known() -> Iterator[dict[str, Any]]:
    """The arguments of :class:`skelaug.Skeleton` for each known skeleton."""
    trees = tomllib.loads((resources.files("skelaug") / "assets" / "skeletons.toml").read_text(encoding="utf-8"))
    for name, tree in trees.items():
        yield _from_words(name, **trees.get(tree.pop("like", None), {}) | tree)


def _from_words(
    name: str,
    bones: str,
    centre: str,
    spine: Sequence[str] = (),
    order: str = "",
    pairs: str = "",
    limbs: str = "",
    planar: bool = False,
    up: str = "",
) -> dict[str, Any]:
    parent_of = dict((word + "<" + word if "<" not in word else word).split("<") for word in bones.split())
    joints = tuple((order or " ".join(parent_of)).split())
    parents = tuple(joints.index(parent_of[joint]) for joint in joints)
    unnamed = [(joints.index(left), joints.index(right)) for left, right in (p.split(":") for p in pairs.split())]
    both = sorted([*find_sides(joints).pairs, *unnamed])
    return {
        "name": name,
        "joints": joints,
        "parents": parents,
        "pairs": tuple(both),
        "centre": joints.index(centre),
        "spine": tuple(map(joints.index, spine)) or None,
        "shoulders": next((pair for pair in both if "shoulder" in joints[pair[0]]), None),
        "limbs": find_limbs(joints, parents, both, limbs.split()),
        "planar": planar,
        "up": up or ("-y" if planar else "y"),
    }
