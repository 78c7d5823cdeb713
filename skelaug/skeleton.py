"""Skeletons: what the joints are, how they hang together, and which of them mirror each other."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug import host, plugins

__all__ = ["Skeleton", "skeletons"]


@dataclass(frozen=True, repr=False)
class Skeleton:
    """A tree of joints with roles. Immutable, hashable, picklable; checked when it is made.

    Args:
        name: what it is called, in messages and configurations.
        joints: the V joint names, in the order of the data.
        parents: parent of each joint; the root is its own parent.
        pairs: (left, right) joints that a mirror exchanges.
        centre: the joint to centre on, and from which ST-GCN's spatial partitions measure distance.
        spine: (lower, upper) joint of the spine, if it has joints.
        shoulders: (left, right) shoulder, if there are any.
        limbs: parts by name, which together hold every joint once.
        planar: it is of images: data of it are (x, y) or (x, y, score), seldom (x, y, z).

    Raises:
        ValueError: the parents are no tree, a pair, role or limb is off.

    Example:
        >>> ntu = skeletons["ntu25"]
        >>> len(ntu), ntu.joints[ntu.centre], ntu.index("hand_left")
        (25, 'spine_shoulder', 7)
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    centre: int = 0
    spine: tuple[int, int] | None = None
    shoulders: tuple[int, int] | None = None
    limbs: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    planar: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        who, joints = f"Skeleton({self.name!r})", _entries(f"Skeleton({self.name!r})", "joints", self.joints)
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"Skeleton(name={self.name!r}): name must be a string with at least one letter")
        if not joints or not all(isinstance(joint, str) for joint in joints) or len(set(joints)) != len(joints):
            raise ValueError(f"{who}: joints must be distinct names, at least one, got {self.joints}")
        v = len(joints)
        limbs = {} if self.limbs is None else self.limbs
        if not isinstance(limbs, Mapping) or not all(isinstance(limb, str) for limb in limbs):
            raise ValueError(f"{who}: limbs must be a mapping from names to joints, got {self.limbs!r}")
        limbs = {name: _joints(who, f"limbs[{name!r}]", part, v) for name, part in limbs.items()}
        checked: dict[str, Any] = {
            "joints": joints,
            "parents": _joints(who, "parents", self.parents, v),
            "pairs": tuple(_joints(who, "pairs", pair, v, 2) for pair in _entries(who, "pairs", self.pairs)),
            "centre": _joint(who, "centre", self.centre, v),
            "limbs": MappingProxyType(limbs or {"body": tuple(range(v))}),
        }
        for role in ("spine", "shoulders"):
            ends = getattr(self, role)
            checked[role] = None if ends is None else _joints(who, role, ends, v, 2)
            if ends is not None and len(set(checked[role])) < 2:
                raise ValueError(f"{who}: {role} must hold two different joints, got {ends}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

        if len(self.parents) != v:
            raise ValueError(f"{who}: parents must have one entry a joint, {v}, got {len(self.parents)}")
        roots = [j for j, parent in enumerate(self.parents) if parent == j]
        if len(roots) != 1:
            raise ValueError(f"{who}: parents: exactly one joint, the root, must be its own parent; these are: {roots}")
        lost = [j for j in range(v) if self._path(j)[-1] != roots[0]]
        if lost:
            raise ValueError(f"{who}: the parents of joints {lost} run in a circle and never reach the root {roots[0]}")
        paired = sum(self.pairs, ())
        twice = sorted({j for j in paired if paired.count(j) > 1})
        if twice:
            raise ValueError(f"{who}: pairs must name a joint once; joints {twice} are in several pairs")
        parts = sorted(sum(self.limbs.values(), ()))
        if parts != list(range(v)):
            raise ValueError(f"{who}: limbs must hold every joint exactly once: {v} joints, limbs hold {parts}")

    def _path(self, joint: int) -> list[int]:
        """The joint, its parent, … up to the root (or once around a circle)."""
        path = [joint]
        while self.parents[path[-1]] != path[-1] and len(path) <= len(self.parents):
            path.append(self.parents[path[-1]])
        return path

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple[int, int]],
        num_joints: int | None = None,
        *,
        name: str = "custom",
        joints: Sequence[str] | None = None,
        pairs: Iterable[tuple[int, int]] = (),
        root: int | None = None,
        centre: int | None = None,
        spine: tuple[int, int] | None = None,
        shoulders: tuple[int, int] | None = None,
        limbs: Mapping[str, Sequence[int]] | None = None,
    ) -> Skeleton:
        """Anyone's skeleton, from the pairs of joints that a bone connects, in any order.

        Args:
            edges: V - 1 pairs of joint numbers that form a tree.
            num_joints: V; counted from the edges if it is left out.
            name: what it is called.
            joints: names of the joints; ``joint_0`` … if left out.
            pairs: (left, right) joints that a mirror exchanges.
            root: where the tree hangs; the centre if left out.
            centre: the joint to centre on; the root, else joint 0, if left out.
            spine: (lower, upper) joint of the spine.
            shoulders: (left, right) shoulder.
            limbs: parts by name; one part, ``"body"``, if left out.

        Raises:
            ValueError: the edges are no tree, or a role is off.

        Example:
            >>> hand = Skeleton.from_edges([(0, 1), (1, 2), (0, 3), (3, 4)], name="two_fingers")
            >>> hand.parents
            (0, 0, 1, 0, 3)
        """
        who = f"Skeleton.from_edges(name={name!r})"
        bones = [_whole(who, "edges", edge, 2) for edge in _entries(who, "edges", edges)]
        names = None if joints is None else _entries(who, "joints", joints)
        highest = max(map(max, bones), default=0)
        if num_joints is not None:
            (v,) = _whole(who, "num_joints", (num_joints,))
        else:
            v = highest + 1 if names is None else len(names)
        if v < 1:
            raise ValueError(f"{who}: num_joints must be at least 1, got {num_joints}")
        if min(map(min, bones), default=0) < 0 or highest >= v:
            raise ValueError(f"{who}: edges must connect joints 0 … {v - 1}, got {sorted(bones)}")
        root = _joint(who, "centre" if root is None else "root", root if root is not None else centre or 0, v)
        centre = root if centre is None else centre
        from scipy.sparse.csgraph import breadth_first_order  # here, because it takes long to import

        connections = np.zeros((v, v))
        connections[tuple(np.array(bones, dtype=int).reshape(-1, 2).T)] = 1
        reached, parents = breadth_first_order(connections, root, directed=False)
        unreached = sorted(set(range(v)) - set(reached.tolist()))
        if unreached:
            raise ValueError(f"{who}: edges must form one tree; no edge leads from root {root} to joints {unreached}")
        parents[root] = root
        if len(bones) != v - 1:
            raise ValueError(
                f"{who}: a tree of {v} joints has {v - 1} edges, got {len(bones)}; leave out what closes a circle"
            )
        return cls(
            name,
            tuple(f"joint_{j}" for j in range(v)) if names is None else names,
            tuple(parents.tolist()),
            pairs,  # type: ignore[arg-type]
            centre,
            spine,
            shoulders,
            limbs,  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        return len(self.joints)

    def __repr__(self) -> str:
        if skeletons.holds(self):
            return f"skeletons[{self.name!r}]"
        parts = [repr(self.name), repr(self.joints), repr(self.parents)]
        for optional in (part for part in fields(self)[3:] if part.name != "limbs"):
            value = getattr(self, optional.name)
            parts += [] if value == optional.default else [f"{optional.name}={value!r}"]
        if self.limbs != {"body": tuple(range(len(self)))}:  # what the constructor makes of no limbs
            parts.append(f"limbs={dict(self.limbs)!r}")
        return f"Skeleton({', '.join(parts)})"

    def __reduce__(self) -> Any:  # a mappingproxy cannot be pickled
        return Skeleton.from_dict, (self.to_dict(),)

    @property
    def root(self) -> int:
        """The joint that is its own parent."""
        return next(j for j, parent in enumerate(self.parents) if parent == j)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """The V - 1 bones as (joint, parent)."""
        return tuple((j, parent) for j, parent in enumerate(self.parents) if j != parent)

    @property
    def mirror(self) -> tuple[int, ...]:
        """The joint that takes each joint's place in a mirror: an involution, itself on the midline."""
        order = list(range(len(self)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def index(self, joint: str) -> int:
        """The number of a joint by name; a ValueError lists the names."""
        if isinstance(joint, str) and joint in self.joints:
            return self.joints.index(joint)
        raise ValueError(f"skeleton {self.name!r} has no joint {joint!r}; its joints are {', '.join(self.joints)}")

    @host.plain_defaults()
    def ancestors(self) -> Tensor:
        """float32 ``(V, V)``: 1 at [j, a] if the bone that ends in a lies between the root and j."""
        matrix = torch.zeros(len(self), len(self), dtype=torch.float32)
        for joint in range(len(self)):
            matrix[joint, self._path(joint)] = 1
        return matrix

    @host.plain_defaults()
    def hops(self) -> Tensor:
        """int64 ``(V, V)``: the number of bones between two joints."""
        ancestors = self.ancestors()
        depth = ancestors.sum(1)
        return (depth[:, None] + depth - 2 * ancestors @ ancestors.T).long()

    @host.plain_defaults()
    def adjacency(self, *, self_loops: bool = True) -> Tensor:
        """float32 ``(V, V)``, symmetric: 1 where a bone connects two joints and, if asked, on the diagonal."""
        matrix = torch.eye(len(self), dtype=torch.float32) * self_loops
        for a, b in self.bones:
            matrix[a, b] = matrix[b, a] = 1
        return matrix

    @host.plain_defaults()
    def partitions(self, strategy: str = "spatial") -> Tensor:
        """ST-GCN's partitions of the normalised adjacency (Yan et al., AAAI 2018).

        Entry [k, j, i] weighs joint j in what joint i receives; the columns of the sum over k add up to 1.

        Args:
            strategy: ``"uniform"``: one subset; ``"distance"``: the joint itself, its neighbours; ``"spatial"``:
                itself, the neighbours further from the centre, those closer to it.

        Returns:
            float32 ``(K, V, V)`` with K = 1, 2 or 3.

        Example:
            >>> skeletons["ntu25"].partitions().sum((0, 1)).allclose(torch.ones(25))
            True
        """
        if not isinstance(strategy, str) or strategy not in ("uniform", "distance", "spatial"):
            raise ValueError(f"partitions({strategy!r}): strategy must be 'uniform', 'distance' or 'spatial'")
        adjacency = self.adjacency()
        normal = adjacency / adjacency.sum(0, keepdim=True)
        if strategy == "uniform":
            return normal[None]
        itself = torch.eye(len(self), dtype=torch.float32)
        if strategy == "distance":
            return normal * torch.stack([itself, 1 - itself])
        from_centre = self.hops()[self.centre]
        outward = (from_centre[:, None] > from_centre[None, :]).float()
        return normal * torch.stack([itself, outward, 1 - itself - outward])

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads, for YAML or JSON."""
        return {part.name: _plain(getattr(self, part.name)) for part in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Skeleton:
        """The skeleton that :meth:`to_dict` described; ``name``, ``joints`` and ``parents`` are needed."""
        known = cls.__dataclass_fields__.keys()
        if not isinstance(data, Mapping) or not {"name", "joints", "parents"} <= data.keys() <= known:
            got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(
                f"Skeleton.from_dict: expected name, joints, parents and perhaps pairs, centre, spine, shoulders, "
                f"limbs; got {got}"
            )
        return cls(**data)


class _Skeletons(Mapping[str, Skeleton]):
    """The known skeletons by name: ours, then those that other packages registered (see :mod:`skelaug.plugins`)."""

    def __init__(self, ours: Iterable[Skeleton]) -> None:
        self.ours: Mapping[str, Skeleton] = MappingProxyType({skeleton.name: skeleton for skeleton in ours})
        self._loaded = dict(self.ours)
        self._plugins = plugins.Registry("skeletons", self.ours, _wrong_plugin)

    def __getitem__(self, name: str) -> Skeleton:
        skeleton: Skeleton | None = self.get(name)
        if skeleton is None:
            raise KeyError(
                f"no skeleton {name!r}; known: {', '.join(self)}; skelaug.Skeleton.from_edges(…) makes your own"
            )
        return skeleton

    def get(self, name: object, default: Any = None) -> Any:
        """The skeleton of that name, or the default."""
        if not isinstance(name, str):
            return default
        if name not in self._loaded:
            plugin = self._plugins.find(name)
            if plugin is None:
                return default
            self._loaded[name] = plugin
        return self._loaded[name]

    def holds(self, skeleton: Skeleton) -> bool:
        """The skeleton is known by its name; nobody's package is loaded to find out."""
        return self._loaded.get(skeleton.name) == skeleton

    def __iter__(self) -> Iterator[str]:
        return iter([*self.ours, *self._plugins.names()])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self) -> str:
        return f"skeletons({', '.join(self)})"


def _entries(who: str, name: str, value: Any) -> tuple[Any, ...]:
    """The entries of a sequence; a string is none."""
    try:
        if not isinstance(value, str | bytes | Mapping):
            return tuple(value)
    except TypeError:
        pass
    raise ValueError(f"{who}: {name} must be a sequence, got {value!r}")


def _whole(who: str, name: str, value: Any, count: int | None = None) -> tuple[int, ...]:
    """The whole numbers in ``value``, ``count`` of them if that is given."""
    numbers = _entries(who, name, value)
    if count is not None and len(numbers) != count:
        raise ValueError(f"{who}: {name} must hold {count} joints, got {value!r}")
    wrong = [number for number in numbers if isinstance(number, bool) or not isinstance(number, Integral)]
    if wrong:
        raise ValueError(f"{who}: {name} must hold whole numbers, got {wrong[0]!r}")
    return tuple(map(int, numbers))


def _joints(who: str, name: str, value: Any, v: int, count: int | None = None) -> tuple[int, ...]:
    """The joints in ``value``, each below ``v``."""
    joints = _whole(who, name, value, count)
    wrong = [joint for joint in joints if not 0 <= joint < v]
    if wrong:
        raise ValueError(f"{who}: {name} must hold joints 0 … {v - 1}, got {wrong[0]}")
    return joints


def _joint(who: str, name: str, value: Any, v: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < v:
        raise ValueError(f"{who}: {name} must be a joint 0 … {v - 1}, got {value!r}")
    return int(value)


def _plain(value: Any) -> Any:
    """Lists for tuples and a dict for a mapping, as YAML and JSON have them."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    if not isinstance(plugin, Skeleton):
        return f"must be a skelaug.Skeleton, is {plugin!r}"
    return None if plugin.name == name else f"must be registered under the skeleton's name, {plugin.name!r}"


_LEG = ("hip", "knee", "ankle", "foot", "heel", "toe")
_ARM = ("collar", "shoulder", "elbow", "wrist", "hand", "thumb", "index", "pinky")


def _from_words(
    name: str, bones: str, centre: str, spine: Sequence[str] = (), order: str = "", planar: bool = False
) -> Skeleton:
    """The skeleton of a tree in words, as ``assets/skeletons.toml`` explains them."""
    parent_of = dict((word + "<" + word if "<" not in word else word).split("<") for word in bones.split())
    joints = tuple((order or " ".join(parent_of)).split())
    limbs: dict[str, list[int]] = {part: [] for part in ("trunk", "left_arm", "right_arm", "left_leg", "right_leg")}
    for j, joint in enumerate(joints):
        side = next((s for s in ("left", "right") if s in joint), None)
        part = "leg" if any(w in joint for w in _LEG) else "arm" if any(w in joint for w in _ARM) else None
        limbs[f"{side}_{part}" if side and part else "trunk"].append(j)
    pairs = [(j, joints.index(joint.replace("left", "right"))) for j, joint in enumerate(joints) if "left" in joint]
    return Skeleton(
        name,
        joints,
        tuple(joints.index(parent_of[joint]) for joint in joints),
        tuple(pairs),
        joints.index(centre),
        tuple(map(joints.index, spine)) or None,  # type: ignore[arg-type]
        next(pair for pair in pairs if "shoulder" in joints[pair[0]]),
        limbs,  # type: ignore[arg-type]
        planar,
    )


def _ours() -> Iterator[Skeleton]:
    trees = tomllib.loads((resources.files("skelaug") / "assets" / "skeletons.toml").read_text(encoding="utf-8"))
    for name, tree in trees.items():
        yield _from_words(name, **trees.get(tree.pop("like", None), {}) | tree)


#: The known skeletons by name.
skeletons = _Skeletons(_ours())
