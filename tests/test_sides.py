"""Left and right by the names of joints, in the spellings that files of motion have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skelaug
from skelaug.sides import Sides, find_sides, torn_pairs

SPELLINGS = {
    "word in front": ("LeftArm", "RightArm"),
    "word behind": ("HIP_LEFT", "HIP_RIGHT"),
    "word inside": ("mixamorig:LeftForeArm", "mixamorig:RightForeArm"),
    "word, small": ("left_knee", "right_knee"),
    "word, joined": ("leftknee", "rightknee"),
    "word at the end": ("mHandThumb1Left", "mHandThumb1Right"),
    "camel": ("lFoot", "rFoot"),
    "capital": ("LArm", "RArm"),
    "capital behind": ("LowerArmL", "LowerArmR"),
    "dot": ("foot.l", "foot.r"),
    "dot, capital": ("thigh.L", "thigh.R"),
    "underscore in front": ("l_hip", "r_hip"),
    "underscore behind": ("Leg_L", "Leg_R"),
    "inside": ("b_l_arm", "b_r_arm"),
    "spaces": ("Bip01 L UpperArm", "Bip01 R UpperArm"),
    "prefix": ("lfemur", "rfemur"),
    "prefix, capitals": ("LLEG", "RLEG"),
    "prefix of a word inside": ("b_lknee", "b_rknee"),
    "suffix": ("wristl", "wristr"),
    "with a number": ("LeftHandIndex1", "RightHandIndex1"),
    "marks at both ends": ("Left_Hand_L", "Right_Hand_R"),
    "mixed case": ("lHand", "RHand"),
    "a word that holds another side": ("upright_left", "upright_right"),
}


@pytest.mark.parametrize(("left", "right"), SPELLINGS.values(), ids=list(SPELLINGS))
def test_each_spelling_is_one_pair_whichever_comes_first(left: str, right: str) -> None:
    assert find_sides(["Hips", left, "Head", right]) == Sides(((1, 3),), ())
    assert find_sides([right, "Neck", left]) == Sides(((2, 0),), ())


def test_all_spellings_in_one_skeleton() -> None:
    names = [name for pair in SPELLINGS.values() for name in pair]
    left = range(0, len(names), 2)
    assert find_sides(names) == Sides(tuple((i, i + 1) for i in left), ())


def test_fingers_and_hands_in_different_spellings() -> None:
    names = ["hip", "lHand", "mHandThumb1Left", "rHand", "mHandThumb1Right"]
    found = find_sides(names)
    assert found == Sides(((1, 3), (2, 4)), ())
    assert torn_pairs(found, [0, 0, 1, 0, 3]) == ()


def test_a_finger_whose_hands_are_no_pair_is_torn_and_what_hangs_on_it_too() -> None:
    found = find_sides(["hip", "HandA", "ThumbLeft", "HandB", "ThumbRight", "TipLeft", "TipRight"])
    assert torn_pairs(found, [0, 0, 1, 0, 3, 2, 4]) == ((2, 4), (5, 6))


def test_pairs_on_one_joint_and_beyond_a_joint_that_one_side_alone_has_are_whole() -> None:
    found = find_sides(["hip", "LeftArm", "RightArm", "LeftArmRoll", "LeftHand", "RightHand"])
    assert found == Sides(((1, 2), (4, 5)), (3,))
    assert torn_pairs(found, [0, 0, 0, 1, 3, 2]) == ()
    assert torn_pairs(Sides(((0, 1),), ()), [0, 0]) == (), "the root"


@pytest.mark.parametrize("name", ["LeftToe", "Foot_L", "lHand", "HIPRIGHT", "b_r_arm"])
def test_a_side_without_its_counterpart_is_alone(name: str) -> None:
    assert find_sides(["Hips", name, "Head"]) == Sides((), (1,))


@pytest.mark.parametrize("name", ["Root", "LowerBack", "Spine_L5", "L3", "rib", "Leg", "Collar", "lumbar", "T8"])
def test_what_only_begins_or_ends_with_these_letters_is_no_side(name: str) -> None:
    assert find_sides(["Hips", name, "Head"]) == Sides((), ())


def test_names_that_differ_in_capitals_only_are_not_guessed() -> None:
    assert find_sides(["L_foot", "l_foot", "r_foot"]) == Sides((), (0, 1, 2))


def test_the_known_skeletons() -> None:
    for skeleton in skelaug.skeletons.values():
        found = find_sides(skeleton.joints)
        named = {pair for pair in skeleton.pairs if not skeleton.joints[pair[0]].startswith("face-")}  # by number there
        assert set(found.pairs) == named and not found.alone, skeleton.name


@given(st.lists(st.text("lrLReftigh_. 1aA", max_size=9), unique=True, max_size=12))
def test_whatever_the_names_a_joint_is_in_one_place_at_most(names: list[str]) -> None:
    found = find_sides(names)
    named = [*(joint for pair in found.pairs for joint in pair), *found.alone]
    assert len(named) == len(set(named)) and set(named) <= set(range(len(names)))
    turned = find_sides([*reversed(names)])
    assert {(len(names) - 1 - a, len(names) - 1 - b) for a, b in turned.pairs} == set(found.pairs)
