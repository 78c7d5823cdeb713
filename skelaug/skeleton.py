"""Skeletons: what the joints are, how they hang together, and which of them mirror each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from skelaug import plugins

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

    def __post_init__(self) -> None:
        def freeze(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        freeze("joints", tuple(self.joints))
        freeze("parents", tuple(self.parents))
        freeze("pairs", tuple((left, right) for left, right in self.pairs))
        for role in ("spine", "shoulders"):
            if getattr(self, role) is not None:
                freeze(role, tuple(getattr(self, role)))
        limbs = self.limbs or {"body": tuple(range(len(self.joints)))}
        freeze("limbs", MappingProxyType({limb: tuple(joints) for limb, joints in limbs.items()}))
        self._check()

    def _check(self) -> None:
        who, v = f"Skeleton({self.name!r})", len(self.joints)
        if not v or len(set(self.joints)) != v:
            raise ValueError(f"{who}: joints must be distinct names, at least one, got {self.joints}")
        if len(self.parents) != v:
            raise ValueError(f"{who}: parents must have one entry a joint, {v}, got {len(self.parents)}")
        named = [("parents", self.parents), ("centre", (self.centre,)), ("pairs", sum(self.pairs, ()))]
        named += [(role, joints) for role in ("spine", "shoulders") if (joints := getattr(self, role)) is not None]
        named += [(f"limbs[{limb!r}]", joints) for limb, joints in self.limbs.items()]
        for where, joints in named:
            wrong = [j for j in joints if type(j) is not int or not 0 <= j < v]
            if wrong:
                raise ValueError(f"{who}: {where} must hold joints 0 … {v - 1}, got {wrong[0]!r}")
        roots = [j for j, parent in enumerate(self.parents) if parent == j]
        if len(roots) != 1:
            raise ValueError(f"{who}: exactly one joint, the root, must be its own parent; these are: {roots}")
        lost = [j for j in range(v) if self._path(j)[-1] != roots[0]]
        if lost:
            raise ValueError(f"{who}: the parents of joints {lost} run in a circle and never reach the root {roots[0]}")
        paired = sum(self.pairs, ())
        twice = sorted({j for j in paired if paired.count(j) > 1})
        if twice:
            raise ValueError(f"{who}: pairs must name a joint once; joints {twice} are in several pairs")
        parts = sorted(j for joints in self.limbs.values() for j in joints)
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
        edges = [(int(a), int(b)) for a, b in edges]
        highest = max((max(edge) for edge in edges), default=0)
        v = num_joints if num_joints is not None else len(joints) if joints is not None else highest + 1
        who = f"Skeleton.from_edges(name={name!r})"
        if min((min(edge) for edge in edges), default=0) < 0 or highest >= v:
            raise ValueError(f"{who}: edges must connect joints 0 … {v - 1}, got {sorted(map(tuple, edges))}")
        centre = centre if centre is not None else root if root is not None else 0
        root = centre if root is None else root
        neighbours: list[set[int]] = [set() for _ in range(v)]
        for a, b in edges:
            neighbours[a].add(b)
            neighbours[b].add(a)
        if not 0 <= root < v:
            raise ValueError(f"{who}: root must be a joint 0 … {v - 1}, got {root}")
        parents = {root: root}
        queue = [root]
        for joint in queue:
            for other in sorted(neighbours[joint] - parents.keys()):
                parents[other] = joint
                queue.append(other)
        unreached = sorted(set(range(v)) - parents.keys())
        if unreached:
            raise ValueError(f"{who}: edges must form one tree; no edge leads from root {root} to joints {unreached}")
        if len(edges) != v - 1:
            raise ValueError(
                f"{who}: a tree of {v} joints has {v - 1} edges, got {len(edges)}; leave out what closes a circle"
            )
        return cls(
            name,
            tuple(joints) if joints is not None else tuple(f"joint_{j}" for j in range(v)),
            tuple(parents[j] for j in range(v)),
            tuple(pairs),
            centre,
            spine,
            shoulders,
            {limb: tuple(part) for limb, part in (limbs or {}).items()},
        )

    def __len__(self) -> int:
        return len(self.joints)

    def __repr__(self) -> str:
        if skeletons.holds(self):
            return f"skeletons[{self.name!r}]"
        parts = [repr(self.name), repr(self.joints), repr(self.parents)]
        for optional in fields(self)[3:-1]:
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
        if joint in self.joints:
            return self.joints.index(joint)
        raise ValueError(f"skeleton {self.name!r} has no joint {joint!r}; its joints are {', '.join(self.joints)}")

    def ancestors(self) -> Tensor:
        """float32 ``(V, V)``: 1 at [j, a] if the bone that ends in a lies between the root and j."""
        matrix = torch.zeros(len(self), len(self))
        for joint in range(len(self)):
            matrix[joint, self._path(joint)] = 1
        return matrix

    def hops(self) -> Tensor:
        """int64 ``(V, V)``: the number of bones between two joints."""
        from scipy.sparse.csgraph import shortest_path

        distance = shortest_path(self.adjacency(self_loops=False).numpy(), unweighted=True)
        return torch.from_numpy(distance).long()

    def adjacency(self, *, self_loops: bool = True) -> Tensor:
        """float32 ``(V, V)``, symmetric: 1 where a bone connects two joints and, if asked, on the diagonal."""
        matrix = torch.eye(len(self)) if self_loops else torch.zeros(len(self), len(self))
        for a, b in self.bones:
            matrix[a, b] = matrix[b, a] = 1
        return matrix

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
        if strategy not in ("uniform", "distance", "spatial"):
            raise ValueError(f"partitions({strategy!r}): strategy must be 'uniform', 'distance' or 'spatial'")
        adjacency = self.adjacency()
        normal = adjacency / adjacency.sum(0, keepdim=True)
        if strategy == "uniform":
            return normal[None]
        itself = torch.eye(len(self))
        if strategy == "distance":
            return normal * torch.stack([itself, 1 - itself])
        from_centre = self.hops()[self.centre]
        outward = (from_centre[:, None] > from_centre[None, :]).float()
        return normal * torch.stack([itself, outward, 1 - itself - outward])

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads, for YAML or JSON."""
        return {
            "name": self.name,
            "joints": list(self.joints),
            "parents": list(self.parents),
            "pairs": [list(pair) for pair in self.pairs],
            "centre": self.centre,
            "spine": None if self.spine is None else list(self.spine),
            "shoulders": None if self.shoulders is None else list(self.shoulders),
            "limbs": {limb: list(joints) for limb, joints in self.limbs.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Skeleton:
        """The skeleton that :meth:`to_dict` described; ``name``, ``joints`` and ``parents`` are needed."""
        known = cls.__dataclass_fields__.keys()
        if not isinstance(data, Mapping) or not {"name", "joints", "parents"} <= data.keys() <= known:
            got = sorted(data) if isinstance(data, Mapping) else type(data).__name__
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
        found = self.get(name)
        if found is None:
            raise KeyError(
                f"no skeleton {name!r}; known: {', '.join(self)}; skelaug.Skeleton.from_edges(…) makes your own"
            )
        return found  # type: ignore[no-any-return]

    def get(self, name: str, default: Any = None) -> Any:
        """The skeleton of that name, or the default."""
        if name not in self._loaded:
            found = self._plugins.find(name)
            if found is None:
                return default
            self._loaded[name] = found
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


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    if not isinstance(plugin, Skeleton):
        return f"must be a skelaug.Skeleton, is {plugin!r}"
    return None if plugin.name == name else f"must be registered under the skeleton's name, {plugin.name!r}"


_LEG = ("hip", "knee", "ankle", "foot", "heel", "toe")
_ARM = ("collar", "shoulder", "elbow", "wrist", "hand", "thumb", "index", "pinky")


def _named(name: str, tree: str, *, centre: str, spine: tuple[str, str] | None, order: str | None = None) -> Skeleton:
    """A skeleton from ``"child<parent"`` words; pairs, shoulders and limbs follow from left and right in the names.

    Args:
        name: of the skeleton.
        tree: one word a joint, in the order of the joints unless ``order`` gives another; the root stands alone.
        centre: a joint.
        spine: lower and upper joint.
        order: the joints in the order of the data.
    """
    parent_of = dict((word + "<" + word if "<" not in word else word).split("<") for word in tree.split())
    joints = list(parent_of) if order is None else order.split()

    def limb(joint: str) -> str:
        side = next((s for s in ("left", "right") if s in joint), None)
        part = "leg" if any(w in joint for w in _LEG) else "arm" if any(w in joint for w in _ARM) else None
        return f"{side}_{part}" if side and part else "trunk"

    return Skeleton(
        name,
        tuple(joints),
        tuple(joints.index(parent_of[joint]) for joint in joints),
        tuple((j, joints.index(joint.replace("left", "right"))) for j, joint in enumerate(joints) if "left" in joint),
        joints.index(centre),
        None if spine is None else (joints.index(spine[0]), joints.index(spine[1])),
        next(
            (a, b)
            for a, left in enumerate(joints)
            for b, right in enumerate(joints)
            if "left" in left and "shoulder" in left and right == left.replace("left", "right")
        ),
        {
            part: tuple(j for j, joint in enumerate(joints) if limb(joint) == part)
            for part in ("trunk", "left_arm", "right_arm", "left_leg", "right_leg")
        },
    )


_KINECT = """
    hip_center<spine spine<shoulder_center shoulder_center head<shoulder_center
    shoulder_left<shoulder_center elbow_left<shoulder_left wrist_left<elbow_left hand_left<wrist_left
    shoulder_right<shoulder_center elbow_right<shoulder_right wrist_right<elbow_right hand_right<wrist_right
    hip_left<hip_center knee_left<hip_left ankle_left<knee_left foot_left<ankle_left
    hip_right<hip_center knee_right<hip_right ankle_right<knee_right foot_right<ankle_right"""

#: The known skeletons by name. The trees are those of the field's code: ST-GCN's and CTR-GCN's for the Kinects and
#: OpenPose, PYSKL's for COCO, the body models' own elsewhere. MediaPipe has no trunk: as in COCO's tree, the shoulders
#: hang on the nose.
skeletons = _Skeletons(
    [
        _named(
            "ntu25",
            """
            spine_base<spine_mid spine_mid<spine_shoulder neck<spine_shoulder head<neck
            shoulder_left<spine_shoulder elbow_left<shoulder_left wrist_left<elbow_left hand_left<wrist_left
            shoulder_right<spine_shoulder elbow_right<shoulder_right wrist_right<elbow_right hand_right<wrist_right
            hip_left<spine_base knee_left<hip_left ankle_left<knee_left foot_left<ankle_left
            hip_right<spine_base knee_right<hip_right ankle_right<knee_right foot_right<ankle_right
            spine_shoulder hand_tip_left<thumb_left thumb_left<hand_left hand_tip_right<thumb_right
            thumb_right<hand_right""",
            centre="spine_shoulder",
            spine=("spine_base", "spine_mid"),
        ),
        _named("kinect20", _KINECT, centre="shoulder_center", spine=("hip_center", "spine")),
        _named(
            "msr20",
            _KINECT,
            centre="shoulder_center",
            spine=("hip_center", "spine"),
            order="""
            shoulder_left shoulder_right shoulder_center spine hip_left hip_right hip_center elbow_left elbow_right
            wrist_left wrist_right hand_left hand_right knee_left knee_right ankle_left ankle_right foot_left
            foot_right head""",
        ),
        _named(
            "utd20",
            _KINECT,
            centre="shoulder_center",
            spine=("hip_center", "spine"),
            order="""
            head shoulder_center spine hip_center shoulder_left elbow_left wrist_left hand_left shoulder_right
            elbow_right wrist_right hand_right hip_left knee_left ankle_left foot_left hip_right knee_right ankle_right
            foot_right""",
        ),
        _named(
            "openpose18",
            """
            nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck
            left_elbow<left_shoulder left_wrist<left_elbow right_hip<right_shoulder right_knee<right_hip
            right_ankle<right_knee left_hip<left_shoulder left_knee<left_hip left_ankle<left_knee right_eye<nose
            left_eye<nose right_ear<right_eye left_ear<left_eye""",
            centre="neck",
            spine=None,
        ),
        _named(
            "body25",
            """
            nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck
            left_elbow<left_shoulder left_wrist<left_elbow mid_hip<neck right_hip<mid_hip right_knee<right_hip
            right_ankle<right_knee left_hip<mid_hip left_knee<left_hip left_ankle<left_knee right_eye<nose left_eye<nose
            right_ear<right_eye left_ear<left_eye left_big_toe<left_ankle left_small_toe<left_big_toe
            left_heel<left_ankle right_big_toe<right_ankle right_small_toe<right_big_toe right_heel<right_ankle""",
            centre="neck",
            spine=("mid_hip", "neck"),
        ),
        _named(
            "coco17",
            """
            nose left_eye<nose right_eye<nose left_ear<left_eye right_ear<right_eye left_shoulder<nose
            right_shoulder<nose left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow
            right_wrist<right_elbow left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip
            right_knee<right_hip left_ankle<left_knee right_ankle<right_knee""",
            centre="nose",
            spine=None,
        ),
        _named(
            "h36m17",
            """
            pelvis right_hip<pelvis right_knee<right_hip right_ankle<right_knee left_hip<pelvis left_knee<left_hip
            left_ankle<left_knee spine<pelvis thorax<spine nose<thorax head<nose left_shoulder<thorax
            left_elbow<left_shoulder left_wrist<left_elbow right_shoulder<thorax right_elbow<right_shoulder
            right_wrist<right_elbow""",
            centre="pelvis",
            spine=("pelvis", "spine"),
        ),
        _named(
            "mediapipe33",
            """
            nose left_eye_inner<nose left_eye<left_eye_inner left_eye_outer<left_eye right_eye_inner<nose
            right_eye<right_eye_inner right_eye_outer<right_eye left_ear<left_eye_outer right_ear<right_eye_outer
            mouth_left<nose mouth_right<nose left_shoulder<nose right_shoulder<nose left_elbow<left_shoulder
            right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow left_pinky<left_wrist
            right_pinky<right_wrist left_index<left_wrist right_index<right_wrist left_thumb<left_wrist
            right_thumb<right_wrist left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip
            right_knee<right_hip left_ankle<left_knee right_ankle<right_knee left_heel<left_ankle right_heel<right_ankle
            left_foot_index<left_ankle right_foot_index<right_ankle""",
            centre="nose",
            spine=None,
        ),
        _named(
            "smpl24",
            """
            pelvis left_hip<pelvis right_hip<pelvis spine1<pelvis left_knee<left_hip right_knee<right_hip spine2<spine1
            left_ankle<left_knee right_ankle<right_knee spine3<spine2 left_foot<left_ankle right_foot<right_ankle
            neck<spine3 left_collar<spine3 right_collar<spine3 head<neck left_shoulder<left_collar
            right_shoulder<right_collar left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow
            right_wrist<right_elbow left_hand<left_wrist right_hand<right_wrist""",
            centre="pelvis",
            spine=("pelvis", "spine1"),
        ),
        _named(
            "humanoid15",
            """
            root chest<root neck<chest right_hip<root right_knee<right_hip right_ankle<right_knee right_shoulder<chest
            right_elbow<right_shoulder right_wrist<right_elbow left_hip<root left_knee<left_hip left_ankle<left_knee
            left_shoulder<chest left_elbow<left_shoulder left_wrist<left_elbow""",
            centre="root",
            spine=("root", "chest"),
        ),
    ]
)
