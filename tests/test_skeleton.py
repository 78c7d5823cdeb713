"""Skeletons: what every known one must hold, ST-GCN's partitions, and errors for what is no skeleton."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from skelaug import Skeleton, SkeletonBatch, skeletons
from skelaug.functional import values as fv

every = pytest.mark.parametrize("skeleton", skeletons.values(), ids=lambda s: s.name)
SIZES = {
    "ntu25": 25, "kinect20": 20, "msr20": 20, "utd20": 20, "openpose18": 18, "body25": 25, "coco17": 17, "h36m17": 17,
    "mediapipe33": 33, "smpl24": 24, "humanoid15": 15, "smpl22": 22, "mediapipe_hand21": 21, "shrec22": 22,
    "azure32": 32, "halpe26": 26, "wholebody133": 133, "ap10k17": 17,
}  # fmt: skip


def test_the_registry() -> None:
    assert {name: len(skeleton) for name, skeleton in skeletons.items()} == SIZES
    assert all(skeletons[name].name == name for name in skeletons)
    with pytest.raises(KeyError, match=r"no skeleton 'ntu26'; nearest: ntu25; known: ntu25, kinect20.*from_edges"):
        skeletons["ntu26"]
    assert "ntu25" in skeletons and "ntu26" not in skeletons and skeletons.get("ntu26") is None


@every
def test_every_known_skeleton_is_whole(skeleton: Skeleton) -> None:
    v = len(skeleton)
    assert len(skeleton.bones) == v - 1 and skeleton.parents[skeleton.root] == skeleton.root
    mirror = skeleton.mirror
    assert [mirror[mirror[j]] for j in range(v)] == list(range(v))
    # A mirror maps bones to bones, left to right in the names, left limbs to right ones.
    edges = {frozenset(bone) for bone in skeleton.bones}
    assert {frozenset(mirror[j] for j in edge) for edge in edges} == edges
    named = [j for j in range(v) if not skeleton.joints[j].startswith("face-")]  # a face's points have numbers
    assert [skeleton.joints[mirror[j]] for j in named] == [
        skeleton.joints[j].replace("left", "tfel").replace("right", "left").replace("tfel", "right") for j in named
    ]
    assert all("left" in skeleton.joints[a] and "right" in skeleton.joints[b] for a, b in skeleton.pairs if a in named)
    assert sorted(j for joints in skeleton.limbs.values() for j in joints) == list(range(v))
    assert mirror[skeleton.centre] == skeleton.centre, "the centre lies on the midline"
    if skeleton.spine is not None:
        assert all(mirror[j] == j for j in skeleton.spine)
    if not skeleton.pairs:  # a hand
        assert skeleton.shoulders is None and set(skeleton.limbs) > {"thumb", "index", "middle", "ring", "pinky"}
        return
    assert set(skeleton.limbs) - {"face"} == {"trunk", "left_arm", "right_arm", "left_leg", "right_leg"}
    for part in ("arm", "leg"):
        assert {mirror[j] for j in skeleton.limbs[f"left_{part}"]} == set(skeleton.limbs[f"right_{part}"])
        assert len(skeleton.limbs[f"left_{part}"]) >= 3
    assert skeleton.shoulders is not None
    assert [skeleton.joints[j].replace("left", "right") for j in skeleton.shoulders] == [
        skeleton.joints[skeleton.shoulders[1]]
    ] * 2


def test_ntu25_is_the_fields() -> None:
    ntu = skeletons["ntu25"]
    # CTR-GCN's pairs (joint, parent), counted from 1.
    pairs = [(1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
             (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25),
             (25, 12)]  # fmt: skip
    assert set(ntu.bones) == {(a - 1, b - 1) for a, b in pairs}
    # HiCLR's flip.
    flip = "0 1 2 3 8 9 10 11 4 5 6 7 16 17 18 19 12 13 14 15 20 23 24 21 22"
    assert list(ntu.mirror) == [int(j) for j in flip.split()]
    assert (ntu.root, ntu.centre, ntu.spine, ntu.shoulders) == (20, 20, (0, 1), (4, 8))


def test_openpose_and_coco_are_st_gcns_and_pyskls() -> None:
    openpose = [(4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2), (5, 1), (2, 1),
                (0, 1), (15, 0), (14, 0), (17, 15), (16, 14)]  # fmt: skip
    coco = [(15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6), (5, 0), (6, 0),
            (1, 0), (3, 1), (2, 0), (4, 2)]  # fmt: skip
    assert set(skeletons["openpose18"].bones) == set(openpose)
    assert set(skeletons["coco17"].bones) == set(coco)


# --- what follows from the tree --------------------------------------------------------------------------------------


def trees(least: int = 1) -> st.SearchStrategy[Skeleton]:
    """Random trees, their joints in random order."""

    @st.composite
    def draw(draw: st.DrawFn) -> Skeleton:
        v = draw(st.integers(least, 12))
        order = draw(st.permutations(range(v)))
        edges = [(order[j], order[draw(st.integers(0, j - 1))]) for j in range(1, v)]
        return Skeleton.from_edges(edges, v, root=draw(st.integers(0, v - 1)), centre=draw(st.integers(0, v - 1)))

    return draw()


def st_gcn(skeleton: Skeleton, strategy: str) -> np.ndarray:
    """ST-GCN's definition, joint by joint."""
    v, hops = len(skeleton), skeleton.hops().numpy()
    normal = np.zeros((v, v))
    for i in range(v):
        near = [j for j in range(v) if hops[i, j] <= 1]
        for j in near:
            normal[j, i] = 1 / len(near)
    kinds = {"uniform": 1, "distance": 2, "spatial": 3}[strategy]
    found = np.zeros((kinds, v, v))
    for i in range(v):
        for j in range(v):
            if hops[i, j] > 1:
                continue
            to_centre = hops[j, skeleton.centre], hops[i, skeleton.centre]
            k = 0 if strategy == "uniform" or i == j else 1
            if strategy == "spatial" and i != j:
                k = 1 if to_centre[0] > to_centre[1] else 2
            found[k, j, i] = normal[j, i]
    return found


@given(trees(), st.sampled_from(["uniform", "distance", "spatial"]))
def test_partitions_are_st_gcns(skeleton: Skeleton, strategy: str) -> None:
    found = skeleton.partitions(strategy)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), st_gcn(skeleton, strategy), atol=1e-7)
    torch.testing.assert_close(found.sum((0, 1)), torch.ones(len(skeleton)))


@given(trees())
def test_hops_adjacency_and_ancestors(skeleton: Skeleton) -> None:
    v = len(skeleton)
    adjacency = skeleton.adjacency(self_loops=False)
    assert torch.equal(adjacency, adjacency.T) and adjacency.sum() == 2 * (v - 1)
    assert torch.equal(skeleton.adjacency(), adjacency + torch.eye(v))
    hops, power = skeleton.hops(), torch.eye(v)
    for distance in range(v):
        assert torch.equal(power > 0, hops <= distance)
        power = power @ skeleton.adjacency()
    ancestors = skeleton.ancestors()
    for joint in range(v):
        path, at = {joint}, joint
        while at != skeleton.root:
            at = skeleton.parents[at]
            path.add(at)
        assert set(ancestors[joint].nonzero().flatten().tolist()) == path


# --- making one ------------------------------------------------------------------------------------------------------


@given(trees())
def test_a_skeleton_survives_every_copy(skeleton: Skeleton) -> None:
    for twin in (
        pickle.loads(pickle.dumps(skeleton)),
        copy.deepcopy(skeleton),
        Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))),
    ):
        assert twin == skeleton and hash(twin) == hash(skeleton) and twin.limbs == skeleton.limbs


def test_a_skeleton_is_frozen() -> None:
    ntu = skeletons["ntu25"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        ntu.centre = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        ntu.limbs["trunk"] = ()  # type: ignore[index]
    assert repr(ntu) == "skeletons['ntu25']"
    changed = dataclasses.replace(ntu, centre=1)
    assert changed != ntu and eval(repr(changed)) == changed
    assert repr(Skeleton("own", ("a", "b"), (0, 0))) == "Skeleton('own', ('a', 'b'), (0, 0))"


def test_from_edges_fills_in_the_rest() -> None:
    hand = Skeleton.from_edges([(3, 0), (1, 0), (2, 1)], name="hand", pairs=[(1, 3)], limbs={"a": [0, 1, 2], "b": [3]})
    assert hand.parents == (0, 0, 1, 0) and hand.joints == ("joint_0", "joint_1", "joint_2", "joint_3")
    assert hand.mirror == (0, 3, 2, 1) and hand.limbs["a"] == (0, 1, 2)
    assert Skeleton.from_edges([(0, 1), (1, 2)], root=2).parents == (1, 2, 2)
    assert Skeleton.from_edges([(0, 1), (1, 2)], centre=1).root == 1
    assert Skeleton.from_edges([], 1).limbs == {"body": (0,)}
    assert hand.index("joint_2") == 2
    with pytest.raises(ValueError, match="'hand' has no joint 'thumb'; its joints are joint_0, joint_1"):
        hand.index("thumb")


# What people publish: closed at the palm; counted from 1; two hands.
MEDIAPIPE = [(0, 1), (0, 5), (9, 13), (13, 17), (5, 9), (0, 17), (1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (7, 8),
             (9, 10),
             (10, 11), (11, 12), (13, 14), (14, 15), (15, 16), (17, 18), (18, 19), (19, 20)]  # fmt: skip
COCO = [(16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
        (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)]  # fmt: skip


def test_edges_that_close_circles_are_left_out_and_named() -> None:
    with pytest.warns(UserWarning, match=r"'hand'\): edges \[\(9, 13\)\] close circles and are left out"):
        hand = Skeleton.from_edges(MEDIAPIPE, name="hand")
    assert hand.parents[9] == 5 and hand.parents[13] == 17 and len(hand.bones) == 20
    from_zero = [(a - 1, b - 1) for a, b in COCO]
    with pytest.warns(UserWarning, match=r"edges \[\(1, 2\), \(5, 6\), \(11, 12\)\] close circles"):
        body = Skeleton.from_edges(from_zero, joints=skeletons["coco17"].joints, root=0)
    # In COCO's own list shoulders hang on ears.
    assert body.parents[5] == 3 and body.parents[11] == 5 and body.mirror == skeletons["coco17"].mirror
    with pytest.raises(ValueError, match="seem to count joints from 1"):
        Skeleton.from_edges(COCO)
    with pytest.warns(UserWarning, match=r"edges \[\(2, 2\)\] close circles"):
        assert Skeleton.from_edges([(2, 2), (0, 1), (1, 2)], root=2).parents == (1, 2, 2)


@given(trees(2), st.data())
def test_what_closes_circles_is_left_out_in_any_order(skeleton: Skeleton, data: st.DataObject) -> None:
    joint = st.integers(0, len(skeleton) - 1)
    more = data.draw(st.lists(st.tuples(joint, joint), max_size=6))
    edges = data.draw(st.permutations([*skeleton.bones, *more]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = Skeleton.from_edges(edges, root=skeleton.root)
        turned = Skeleton.from_edges([(b, a) for a, b in reversed(edges)], root=skeleton.root)
    assert found.parents == turned.parents
    wanted, bones = {frozenset(edge) for edge in edges}, {frozenset(bone) for bone in found.bones}
    assert bones <= wanted and bool(caught) == (bones < wanted)
    v = range(len(found))
    graph = csr_array(np.array([[frozenset((a, b)) in wanted for a in v] for b in v], dtype=float))
    shortest = shortest_path(graph, unweighted=True, directed=False)[found.root]
    assert found.hops()[found.root].tolist() == shortest.tolist()


def test_edges_that_are_there_twice_count_once() -> None:
    assert Skeleton.from_edges([(0, 1), (1, 0), (1, 2), (1, 2)]).parents == (0, 0, 1)


def test_two_hands_are_joined_as_the_message_says() -> None:
    one = list(skeletons["mediapipe_hand21"].bones)
    both = one + [(a + 21, b + 21) for a, b in one]
    with pytest.raises(ValueError, match=r"from root 0 to joints 21 … 41\. .* as in edges \+ \[\(0, 21\)\]"):
        Skeleton.from_edges(both)
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in skeletons["mediapipe_hand21"].joints]
    hands = Skeleton.from_edges([*both, (0, 21)], joints=names)
    assert hands.parents[21] == 0 and hands.mirror == (*range(21, 42), *range(21))
    assert hands.limbs == {"left_arm": tuple(range(21)), "right_arm": tuple(range(21, 42))}


def test_pairs_and_limbs_come_from_names() -> None:
    names = [
        "Hips",
        "LeftUpLeg",
        "LeftFoot",
        "RightUpLeg",
        "RightFoot",
        "Spine",
        "LeftArm",
        "LeftTip",
        "RightArm",
        "x_r",
    ]
    edges = [(0, 1), (1, 2), (0, 3), (3, 4), (0, 5), (5, 6), (6, 7), (5, 8), (8, 9)]
    found = Skeleton.from_edges(edges, joints=names)
    assert found.pairs == ((1, 3), (2, 4), (6, 8))
    # What has no counterpart is of the trunk.
    assert found.limbs == {
        "trunk": (0, 5, 7, 9), "left_arm": (6,), "right_arm": (8,), "left_leg": (1, 2), "right_leg": (3, 4),
    }  # fmt: skip
    assert eval(repr(found)) == found
    assert Skeleton.from_edges(edges, joints=names, pairs=()).pairs == ()
    own = Skeleton.from_edges(edges, joints=names, pairs=[(1, 3)], limbs={"all": range(10)})
    assert own.pairs == ((1, 3),) and own.limbs == {"all": tuple(range(10))}
    # Sides without arms and legs; no sides; no names.
    assert Skeleton.from_edges([(0, 1), (0, 2)], joints=["m", "a_l", "a_r"]).limbs == {
        "trunk": (0,), "left": (1,), "right": (2,),
    }  # fmt: skip
    assert Skeleton.from_edges([(0, 1)], joints=["hip", "knee"]).limbs == {"body": (0, 1)}
    assert Skeleton.from_edges([(0, 1), (0, 2)], pairs=[(1, 2)]).limbs == {"body": (0, 1, 2)}


@every
def test_a_known_skeleton_comes_back_from_its_bones_and_names(skeleton: Skeleton) -> None:
    named = all(not joint.startswith("face-") for joint in skeleton.joints)
    found = Skeleton.from_edges(
        reversed(skeleton.bones), name=skeleton.name, joints=skeleton.joints, root=skeleton.root,
        centre=skeleton.centre, spine=skeleton.spine, shoulders=skeleton.shoulders,
        pairs=None if named else skeleton.pairs, up=skeleton.up,
    )  # fmt: skip
    assert found == dataclasses.replace(skeleton, limbs=found.limbs)
    if skeleton.pairs and named:
        assert found.limbs == skeleton.limbs


# --- some of the joints ----------------------------------------------------------------------------------------------


def test_a_subset_keeps_the_tree() -> None:
    ntu = skeletons["ntu25"]
    small = ntu.subset([j for j in range(25) if "hand" not in ntu.joints[j] and "thumb" not in ntu.joints[j]], "ntu19")
    names = set(small.joints)
    assert (small.name, len(small), len(small.pairs), set(small.limbs)) == ("ntu19", 19, 7, set(ntu.limbs))
    named = [(ntu.joints[a], ntu.joints[b]) for a, b in ntu.bones]
    assert {(small.joints[a], small.joints[b]) for a, b in small.bones} == {bone for bone in named if {*bone} <= names}
    assert small.joints[small.centre] == "spine_shoulder"
    assert ntu.subset(range(25), "ntu25") == ntu
    turned = ntu.subset(["head", "spine_base", "hip_left", "hip_right", "foot_left"])
    assert turned.name == "ntu25_subset"
    assert [turned.joints[p] for p in turned.parents] == ["head", "head", "spine_base", "spine_base", "hip_left"]
    assert turned.pairs == ((2, 3),) and turned.spine is None and turned.shoulders is None
    assert turned.limbs == {"trunk": (1, 0), "left_leg": (2, 4), "right_leg": (3,)}


@given(trees(2), st.data())
def test_any_subset_is_a_skeleton(skeleton: Skeleton, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.integers(0, len(skeleton) - 1), min_size=1, unique=True))
    small = skeleton.subset(kept)
    ancestors, above = skeleton.ancestors().bool(), small.ancestors().bool()
    for new, old in enumerate(kept):
        # What was kept of the joints between the root and a joint still lies there.
        between = {other for other, joint in enumerate(kept) if ancestors[old, joint]}
        assert new == small.root or between <= set(above[new].nonzero().flatten().tolist())


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        ([], "distinct, at least one"),
        ([1, 1], "distinct"),
        (["neck", 2], "distinct"),
        ([25], "joints must be a joint 0 … 24, got 25"),
        (["nose"], "has no joint 'nose'"),
        ("neck", "joints must be a sequence"),
        ([True], "must be a joint"),
        (3, "joints must be a sequence"),
    ],
)
def test_a_subset_of_what_is_not_there(joints: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        skeletons["ntu25"].subset(joints)


# --- wrong ones ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "more", "message"),
    [
        ([(0, 1), (2, 3)], {}, r"no edge leads from root 0 to joints 2 … 3. Join each part .* edges \+ \[\(0, 2\)\]"),
        ([(0, 1)], {"num_joints": 3}, r"no edge leads from root 0 to joints 2. Join"),
        (
            [(0, 1)],
            {"num_joints": 9, "root": 1},
            r"joints 2, 3, 4, 5, …\. .* \[\(1, 2\), \(1, 3\), \(1, 4\), \(1, 5\), …\]",
        ),
        ([(0, 1), (2, 4)], {}, r"to joints \[2, 4\], 3\. .* edges \+ \[\(0, 2\), \(0, 3\)\]"),
        ([(1, 2), (2, 3)], {}, r"seem to count joints from 1: .* take 1 off: .* the first \(0, 1\)"),
        ([(1, 2), (2, 3)], {"num_joints": 3}, "seem to count joints from 1"),
        ([(1, 2), (2, 3)], {"num_joints": 4, "root": 2}, "seem to count joints from 1"),
        ([(1, 2), (2, 3)], {"joints": ["a", "b", "c"]}, "seem to count joints from 1"),
        ([(1, 2), (2, 5)], {"num_joints": 3}, "edges must connect joints 0 … 2"),
        ([(0, 5)], {"num_joints": 3}, "edges must connect joints 0 … 2"),
        ([(0, -1)], {}, "edges must connect joints"),
        ([(0, 1)], {"root": 2}, "root must be a joint 0 … 1, got 2"),
        ([(0, 1)], {"pairs": [(0, 1), (1, 0)]}, r"joints \[0, 1\] are in several pairs"),
        ([(0, 1)], {"pairs": [(0, 0)]}, r"joints \[0\] are in several pairs"),
        ([(0, 1)], {"pairs": [(0, 7)]}, "pairs must hold joints 0 … 1, got 7"),
        ([(0, 1)], {"centre": 3, "root": 0}, "centre must be a joint 0 … 1, got 3"),
        ([(0, 1)], {"joints": ["a", "a"]}, "joints must be distinct names"),
        ([(0, 1)], {"limbs": {"a": [0]}}, "limbs must hold every joint exactly once"),
        ([(0, 1)], {"limbs": {"a": [0, 1], "b": [1]}}, "limbs must hold every joint exactly once"),
        ([(0, 1)], {"spine": (0, 2)}, "spine must hold joints 0 … 1, got 2"),
    ],
)
def test_what_is_no_skeleton_is_refused(edges: list[tuple[int, int]], more: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Skeleton.from_edges(edges, **more)


def test_wrong_parents_are_refused() -> None:
    with pytest.raises(ValueError, match=r"parents of joints \[1, 2\] run in a circle"):
        Skeleton("x", ("a", "b", "c"), (0, 2, 1))
    with pytest.raises(ValueError, match=r"exactly one joint, the root, must be its own parent; these are: \[0, 1\]"):
        Skeleton("x", ("a", "b"), (0, 1))
    with pytest.raises(ValueError, match="one entry a joint, 2, got 1"):
        Skeleton("x", ("a", "b"), (0,))
    with pytest.raises(ValueError, match=r"expected name, joints, parents.*got \['name'\]"):
        Skeleton.from_dict({"name": "x"})
    with pytest.raises(ValueError, match="strategy must be 'uniform', 'distance' or 'spatial'"):
        skeletons["ntu25"].partitions("max")


# --- on real recordings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"), [("nw_ucla", "kinect20"), ("msr_action3d", "msr20"), ("utkinect", "kinect20")]
)
def test_joint_orders_of_real_recordings(file: str, name: str, recordings: Path) -> None:
    skeleton = skeletons[name]
    with np.load(recordings / f"{file}.npz") as data:
        assert tuple(data["joint_names"]) == skeleton.joints
        step = max(1, len(data["x"]) // 60)
        x, lengths = torch.from_numpy(data["x"][::step].copy()), torch.from_numpy(data["length"][::step].copy())
    batch = SkeletonBatch.from_lengths(x, lengths)

    def bones(parents: tuple[int, ...]) -> tuple[float, float]:
        """Median over bones and clips of std over mean of their length, and the sum of all lengths."""
        length = (batch.x - batch.x[:, :, :, list(parents)]).norm(dim=1)[..., 0]  # (N, T, V)
        mask = batch.mask[:, :, :, 0]
        mean = fv.bone_lengths(batch.x, parents, batch.mask)[..., 0]
        deviation = (((length - mean[:, None]) ** 2 * mask).sum(1) / mask.sum(1).clamp(min=1)).sqrt()
        return float((deviation / mean.clamp(min=1e-6))[mean > 0].median()), float(mean.sum(1).median())

    spread, total = bones(skeleton.parents)
    assert spread < 0.12 and 3 < total < 8, (spread, total)
    # On a wrong order of joints the same tree has "bones" between joints that lie far apart.
    wrong = bones(skeletons["msr20" if name == "kinect20" else "kinect20"].parents)[1]
    assert wrong > 1.5 * total, (wrong, total)
