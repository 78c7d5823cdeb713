"""Skeletons: what the joints are, how they hang together, and which of them mirror each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from skelaug import expect, host, trees
from skelaug.edges import check_edges, spanning_tree
from skelaug.known import Known
from skelaug.limbs import find_limbs
from skelaug.sides import find_sides

__all__ = ["AXES", "Skeleton", "find_skeleton", "skeletons"]

#: What can point up.
AXES = ("x", "-x", "y", "-y", "z", "-z")


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
        up: the axis of its data that points up: ``"y"``, ``"-y"`` where y grows down as in images, ``"z"`` …
            The page of the skeletons says where that of each known one comes from.

    Raises:
        ValueError: the parents are no tree, a pair, role, limb or axis is off.

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
    up: str = "y"

    def __post_init__(self) -> None:
        who = f"Skeleton({self.name!r})"
        joints, pairs = (expect.entries(who, name, getattr(self, name)) for name in ("joints", "pairs"))
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"Skeleton(name={self.name!r}): name must be a string with at least one letter")
        if not joints or not all(isinstance(joint, str) for joint in joints) or len(set(joints)) != len(joints):
            raise ValueError(f"{who}: joints must be distinct names, at least one, got {self.joints}")
        if not isinstance(self.up, str) or self.up not in AXES:
            raise ValueError(f"{who}: up must be one of {', '.join(AXES)}, got {self.up!r}")
        v = len(joints)
        limbs = {} if self.limbs is None else self.limbs
        if not isinstance(limbs, Mapping) or not all(isinstance(limb, str) for limb in limbs):
            raise ValueError(f"{who}: limbs must be a mapping from names to joints, got {self.limbs!r}")
        limbs = {name: expect.joints(who, f"limbs[{name!r}]", part, v) for name, part in limbs.items()}
        checked: dict[str, Any] = {
            "joints": joints,
            "parents": expect.joints(who, "parents", self.parents, v),
            "pairs": tuple(expect.joints(who, "pairs", pair, v, 2) for pair in pairs),
            "centre": expect.joint(who, "centre", self.centre, v),
            "limbs": MappingProxyType(limbs or {"body": tuple(range(v))}),
        }
        for role in ("spine", "shoulders"):
            ends = getattr(self, role)
            checked[role] = None if ends is None else expect.joints(who, role, ends, v, 2)
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
        pairs: Iterable[tuple[int, int]] | None = None,
        root: int | None = None,
        centre: int | None = None,
        spine: tuple[int, int] | None = None,
        shoulders: tuple[int, int] | None = None,
        limbs: Mapping[str, Sequence[int]] | None = None,
        up: str = "y",
    ) -> Skeleton:
        """Anyone's skeleton, from the pairs of joints that a bone connects, in any order and direction.

        Published lists of edges often close circles. Then each joint keeps the shortest way to the root, of several the
        one by lower joint numbers, and a warning names the edges that are left out.

        Args:
            edges: pairs of joint numbers, from 0, that join all joints.
            num_joints: V; if left out, counted from the names or else from the edges.
            name: what it is called.
            joints: names of the joints; ``joint_0`` … if left out.
            pairs: (left, right) joints that a mirror exchanges; if left out, found in the names of the joints by
                :func:`skelaug.sides.find_sides`. ``()`` for none.
            root: where the tree hangs; the centre if left out.
            centre: the joint to centre on; the root, else joint 0, if left out.
            spine: (lower, upper) joint of the spine.
            shoulders: (left, right) shoulder.
            limbs: parts by name; if left out, found in the names of the joints by :func:`skelaug.limbs.find_limbs`;
                one part, ``"body"``, where names do not tell.
            up: the axis of the data that points up, such as ``"z"``.

        Raises:
            ValueError: the edges count from 1, or leave joints apart (as those of two hands do), or a role is off.

        Warns:
            UserWarning: edges close circles; it names those left out.

        Example:
            >>> hand = Skeleton.from_edges([(0, 1), (1, 2), (0, 3), (3, 4)], name="two_fingers")
            >>> hand.parents
            (0, 0, 1, 0, 3)
            >>> Skeleton.from_edges([(0, 1), (0, 2)], joints=["hip", "l_knee", "r_knee"]).pairs
            ((1, 2),)
        """
        who = f"Skeleton.from_edges(name={name!r})"
        ends = [expect.wholes(who, "edges", edge, 2) for edge in expect.entries(who, "edges", edges)]
        names = None if joints is None else expect.entries(who, "joints", joints)
        if num_joints is not None:
            (v,) = expect.wholes(who, "num_joints", (num_joints,))
        else:
            v = max(map(max, ends), default=0) + 1 if names is None else len(names)
        if v < 1:
            raise ValueError(f"{who}: num_joints must be at least 1, got {num_joints}")
        bones = check_edges(who, ends, v)
        root = expect.joint(who, "centre" if root is None else "root", root if root is not None else centre or 0, v)
        parents, left_out = spanning_tree(who, bones, v, root)
        skeleton = cls(
            name,
            tuple(f"joint_{j}" for j in range(v)) if names is None else names,
            parents,
            () if pairs is None else pairs,  # type: ignore[arg-type]
            root if centre is None else centre,
            spine,
            shoulders,
            limbs,  # type: ignore[arg-type]
            up=up,
        )
        if left_out:
            closing = f"{who}: edges {left_out} close circles and are left out; each joint keeps a shortest way to root"
            warnings.warn(f"{closing} {root}", stacklevel=2)
        if names is not None and pairs is None:
            skeleton = replace(skeleton, pairs=find_sides(skeleton.joints).pairs)
        if names is not None and limbs is None:
            skeleton = replace(skeleton, limbs=find_limbs(skeleton.joints, parents, skeleton.pairs))
        return skeleton

    def subset(self, joints: Sequence[int | str], name: str | None = None) -> Skeleton:
        """The skeleton of some of the joints, such as ntu25 without hand tips and thumbs.

        A joint hangs on its nearest ancestor that is kept. Of joints without one, that nearest to the root becomes the
        root, and the others hang on it. A pair, spine or shoulders of which one joint is dropped are dropped; the
        centre becomes the kept joint nearest to it. Data follow by :func:`skelaug.remap`.

        Args:
            joints: names or numbers, in the order that they get.
            name: what it is called; ``"<name>_subset"`` if left out.

        Raises:
            ValueError: no such joint, one that is named twice, or none at all.

        Example:
            >>> body = skeletons["smpl24"].subset(range(22))
            >>> body.parents == skeletons["smpl22"].parents
            True
        """
        who = f"Skeleton.subset(name={name!r})"
        given = expect.entries(who, "joints", joints)
        kept = [self.index(j) if isinstance(j, str) else expect.joint(who, "joints", j, len(self)) for j in given]
        if not kept or len(set(kept)) < len(kept):
            raise ValueError(f"{who}: joints must be distinct, at least one, got {given}")
        place = {old: new for new, old in enumerate(kept)}
        hops = self.hops()
        root = kept[int(hops[self.root, kept].argmin())]
        above = [next((a for a in self._path(j)[1:] if a in place and j != root), root) for j in kept]

        def both(ends: tuple[int, int] | None) -> Any:
            return None if ends is None or not place.keys() >= set(ends) else (place[ends[0]], place[ends[1]])

        limbs = {part: tuple(place[j] for j in held if j in place) for part, held in self.limbs.items()}
        return Skeleton(
            f"{self.name}_subset" if name is None else name,
            tuple(self.joints[j] for j in kept),
            tuple(place[a] for a in above),
            tuple(pair for pair in map(both, self.pairs) if pair),
            int(hops[self.centre, kept].argmin()),
            both(self.spine),
            both(self.shoulders),
            {part: held for part, held in limbs.items() if held},
            self.planar,
            self.up,
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
                f"limbs, planar, up; got {got}"
            )
        return cls(**data)


def _plain(value: Any) -> Any:
    """Lists for tuples and a dict for a mapping, as YAML and JSON have them."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    if not isinstance(plugin, Skeleton):
        return f"must be a skelaug.Skeleton, is {plugin!r}"
    return None if plugin.name == name else f"must be registered under the skeleton's name, {plugin.name!r}"


#: The known skeletons by name.
skeletons = Known(
    "skeletons",
    (Skeleton(**tree) for tree in trees.known()),
    _wrong_plugin,
    "skelaug.Skeleton.from_edges(…) makes your own",
)


def find_skeleton(given: Skeleton | str | Mapping[str, Any]) -> Skeleton:
    """The skeleton that is meant: one itself, the name of a known one, or its plain form.

    All that takes a skeleton asks here, mostly by ``skelaug.check.skeleton``.

    Raises:
        ValueError: no such skeleton, or the plain form is off.

    Example:
        >>> find_skeleton("coco17")
        skeletons['coco17']
    """
    match given:
        case Skeleton():
            return given
        case str() if given in skeletons:
            return skeletons[given]
        case Mapping() if given.keys() == {"skeleton"}:
            return find_skeleton(given["skeleton"])
        case Mapping():
            return Skeleton.from_dict(given)
    raise ValueError(skeletons.unknown(given))
