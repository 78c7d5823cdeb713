"""The skeletons by name against what their sources publish, written out here once more."""

from __future__ import annotations

import itertools

import pytest

from skelaug import skeletons

LEAVES = {"smpl22": 5, "mediapipe_hand21": 5, "shrec22": 5, "azure32": 11, "halpe26": 12 - 1, "ap10k17": 6}


def chain(*joints: int) -> set[frozenset[int]]:
    return {frozenset(pair) for pair in itertools.pairwise(joints)}


def edges(name: str) -> set[frozenset[int]]:
    return {frozenset(bone) for bone in skeletons[name].bones}


def test_smpl22_is_humanml3ds() -> None:
    chains = [[0, 2, 5, 8, 11], [0, 1, 4, 7, 10], [0, 3, 6, 9, 12, 15], [9, 14, 17, 19, 21], [9, 13, 16, 18, 20]]
    assert edges("smpl22") == set().union(*(chain(*joints) for joints in chains))
    small, whole = skeletons["smpl22"], skeletons["smpl24"]
    assert small.joints == whole.joints[:22] and small.parents == whole.parents[:22]
    assert [small.joints[j] for j in (1, 2, 20, 21)] == ["left_hip", "right_hip", "left_wrist", "right_wrist"]


def test_the_hand_of_mediapipe() -> None:
    hand = skeletons["mediapipe_hand21"]
    fingers = [(0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9, 10, 11, 12), (0, 13, 14, 15, 16), (0, 17, 18, 19, 20)]
    assert edges(hand.name) == set().union(*(chain(*finger) for finger in fingers))
    # HAND_CONNECTIONS: all but the edges between knuckles.
    palm = {frozenset(edge) for edge in [(0, 1), (0, 5), (9, 13), (13, 17), (5, 9), (0, 17)]}
    assert palm - edges(hand.name) == {frozenset(edge) for edge in [(9, 13), (13, 17), (5, 9)]}
    tips = [hand.joints[j] for j in (4, 8, 12, 16, 20)]
    assert tips == ["thumb_tip", "index_finger_tip", "middle_finger_tip", "ring_finger_tip", "pinky_tip"]
    assert hand.joints[:2] == ("wrist", "thumb_cmc") and hand.joints[17] == "pinky_mcp"


def test_the_hand_of_shrec() -> None:
    hand = skeletons["shrec22"]
    fingers = [chain(1, first, first + 1, first + 2, first + 3) for first in (2, 6, 10, 14, 18)]
    assert edges("shrec22") == chain(0, 1).union(*fingers)
    assert hand.joints[:6] == (
        "wrist", "palm", "thumb_base", "thumb_first_joint", "thumb_second_joint", "thumb_tip",
    )  # fmt: skip
    assert [hand.joints[j] for j in (6, 10, 14, 18)] == ["index_base", "middle_base", "ring_base", "pinky_base"]


def test_azure32_is_microsofts() -> None:
    # k4abt_joint_id_t, and the column "Parent joint" of the documentation.
    names = (
        "PELVIS SPINE_NAVEL SPINE_CHEST NECK CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT HAND_LEFT HANDTIP_LEFT "
        "THUMB_LEFT CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT HAND_RIGHT HANDTIP_RIGHT THUMB_RIGHT "
        "HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT HIP_RIGHT KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT HEAD NOSE EYE_LEFT "
        "EAR_LEFT EYE_RIGHT EAR_RIGHT"
    )
    parents = [0, 0, 1, 2, 2, 4, 5, 6, 7, 8, 7, 2, 11, 12, 13, 14, 15, 14, 0, 18, 19, 20, 0, 22, 23, 24, 3] + [26] * 5
    assert skeletons["azure32"].joints == tuple(names.lower().split())
    assert list(skeletons["azure32"].parents) == parents


def test_halpe26_is_halpes() -> None:
    halpe = skeletons["halpe26"]
    assert halpe.joints[:17] == skeletons["coco17"].joints
    assert halpe.joints[17:] == (
        "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel",
        "right_heel",
    )  # fmt: skip
    published = [(15, 13), (13, 11), (11, 19), (16, 14), (14, 12), (12, 19), (17, 18), (18, 19), (18, 5), (5, 7),
                 (7, 9), (18, 6), (6, 8), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (15, 20),
                 (15, 22), (15, 24), (16, 21), (16, 23), (16, 25)]  # fmt: skip
    mmpose = {frozenset(edge) for edge in published}
    assert mmpose - edges("halpe26") == {frozenset(edge) for edge in [(1, 2), (3, 5), (4, 6)]}
    assert edges("halpe26") - mmpose == {frozenset((0, 18))}, "the nose hangs on the neck"


def test_wholebody133_is_coco_wholebodys() -> None:
    body = skeletons["wholebody133"]
    assert body.joints[:17] == skeletons["coco17"].joints and body.parents[:17] == skeletons["coco17"].parents
    assert body.joints[17:20] == ("left_big_toe", "left_small_toe", "left_heel")
    assert body.joints[23:91] == tuple(f"face-{i}" for i in range(68))
    assert (body.joints[91], body.joints[95], body.joints[112], body.joints[132]) == (
        "left_hand_root", "left_thumb4", "right_hand_root", "right_pinky_finger4",
    )  # fmt: skip
    # MMPose's "swap", the joint that a flip puts in each one's place: feet and face.
    swap = [20, 21, 22, 17, 18, 19, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 49, 48,
            47, 46, 45, 44, 43, 42, 41, 40, 50, 51, 52, 53, 58, 57, 56, 55, 54, 68, 67, 66, 65, 70, 69, 62, 61,
            60, 59, 64, 63, 77, 76, 75, 74, 73, 72, 71, 82, 81, 80, 79, 78, 87, 86, 85, 84, 83, 90, 89, 88]  # fmt: skip
    assert list(body.mirror[17:91]) == swap
    assert body.mirror[91:] == (*range(112, 133), *range(91, 112))
    assert (39, 23) in body.pairs, "a face's first point is at the right ear"
    hands = [chain(root, *range(root + 4 * f + 1, root + 4 * f + 5)) for root in (91, 112) for f in range(5)]
    feet = {frozenset(edge) for edge in [(15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22)]}
    assert edges("wholebody133") >= feet.union(*hands)
    assert body.limbs["face"] == tuple(range(23, 91))
    # Each drawn line of a face (iBUG's 68 points) hangs together.
    for first, last in [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35), (36, 39), (42, 45), (48, 54), (60, 64)]:
        assert edges("wholebody133") >= chain(*range(23 + first, 24 + last)), (first, last)


def test_ap10k17_is_ap10ks() -> None:
    animal = skeletons["ap10k17"]
    names = (
        "left_eye right_eye nose neck root_of_tail left_shoulder left_elbow left_front_paw right_shoulder right_elbow "
        "right_front_paw left_hip left_knee left_back_paw right_hip right_knee right_back_paw"
    )
    assert " ".join(animal.joints) == names
    published = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10), (4, 11),
                 (11, 12), (12, 13), (4, 14), (14, 15), (15, 16)]  # fmt: skip
    assert {frozenset(edge) for edge in published} - edges("ap10k17") == {frozenset((0, 1))}
    assert animal.limbs["left_arm"] == (5, 6, 7) and animal.limbs["right_leg"] == (14, 15, 16)


@pytest.mark.parametrize("name", LEAVES)
def test_the_ends_of_the_tree(name: str) -> None:
    skeleton = skeletons[name]
    assert len(set(range(len(skeleton))) - set(skeleton.parents)) == LEAVES[name]
