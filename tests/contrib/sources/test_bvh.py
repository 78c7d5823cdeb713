"""BVH files: forward kinematics, the spellings of their authors, left and right, and what is said of broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contrib.sources import raw
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import Fault, Recording
from skelaug_contrib.datasets.sources.bvh import parse


def items(folder: Path, **options: Any) -> tuple[list[Recording], list[str]]:
    found = raw.read(raw.source("bvh", folder, **options))
    return [item for item in found if isinstance(item, Recording)], [str(f) for f in found if isinstance(f, Fault)]


def chain(orders: list[str], offsets: np.ndarray) -> str:
    text, close = "HIERARCHY\n", ""
    for i, (order, offset) in enumerate(zip(orders, offsets, strict=True)):
        position = "Xposition Yposition Zposition " if i == 0 else ""
        names = position + " ".join(f"{axis}rotation" for axis in order)
        text += (
            f"{'JOINT' if i else 'ROOT'} j{i}\n{{\nOFFSET {raw.rows([offset])}CHANNELS {len(names.split())} {names}\n"
        )
        close += "}\n"
    return text + "End Site\n{\nOFFSET 1 2 3\n}\n" + close


@given(st.lists(st.permutations("XYZ").map("".join), min_size=1, max_size=4), st.integers(0, 1000))
def test_bvh_positions_equal_scipys_rotations(orders: list[str], seed: int) -> None:
    generator = np.random.default_rng(seed)
    offsets = generator.normal(size=(len(orders), 3)).astype(np.float32)
    values = (generator.normal(size=(4, 3 + 3 * len(orders))) * 90).astype(np.float32)
    text = chain(orders, offsets) + f"MOTION\nFrames: 4\nFrame Time: 0.1\n{raw.rows(values)}"
    found = parse(text.encode()).positions()
    place, turn = values[:, :3].astype(float), Rotation.identity()
    for i, order in enumerate(orders):
        if i:
            place = place + turn.apply(offsets[i])
        np.testing.assert_allclose(found[:, i], place, atol=1e-5)
        turn = turn * Rotation.from_euler(order, values[:, 3 + 3 * i : 6 + 3 * i], degrees=True)


def test_bvh_skeleton(tmp_path: Path) -> None:
    raw.bvh_tree(tmp_path)
    opened = raw.source("bvh", tmp_path)
    assert opened.skeleton.joints == ("Hips", "LeftLeg", "RightLeg") and opened.skeleton.pairs == ((1, 2),)
    assert opened.class_names == ("kick", "walk")
    text = (tmp_path / "walk/01.bvh").read_text()
    (tmp_path / "walk/02.bvh").write_text(text.replace("LeftLeg", "Tail"))
    found, faults = items(tmp_path, scale=1.0)
    assert len(found) == 2 and "another skeleton" in faults[0]
    np.testing.assert_allclose(found[0].x, 100 * items(tmp_path)[0][0].x, rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("HIERARCHY", "", ":2: has 'ROOT', expected HIERARCHY"),
        ("MOTION", "", "it has no line MOTION"),
        ("Frames: 5", "Frames: 6", ":26: has 5 frames, but says 6"),
        ("Frames: 5", "Frames: many", ":26: has 'many' frames, expected 1"),
        ("Frame Time:", "Time:", ":27: is 'Time: 0.0333333', expected 'Frame Time: "),
        ("OFFSET 1 2 3", "OFFSET 1 2", ":5: 'CHANNELS' is not a number"),
        ("CHANNELS 6", "CHANNELS 60", ":5: has '60' channels"),
        ("Zrotation Yrotation Xrotation", "Zrotation Yrotation Wrotation", "has channel 'Wrotation'"),
        ("Zrotation Yrotation Xrotation", "Zrotation Zrotation Xrotation", "has channel 'Zrotation'"),
        ("RightLeg", "LeftLeg", "has joint 'LeftLeg' twice"),
        ("}}\nMOTION".replace("}}", "}"), "MOTION", "ends early: expected OFFSET, CHANNELS"),
        ("\nMOTION", "\nROOT Other\n{\n}\nMOTION", "has 'ROOT' after its root"),
        ("JOINT RightLeg", "BONE RightLeg", "has 'BONE', expected OFFSET"),
    ],
)
def test_bvh_faults_name_their_lines(old: str, new: str, expected: str, tmp_path: Path) -> None:
    raw.bvh_tree(tmp_path)
    file = tmp_path / "walk/01.bvh"
    file.write_text(file.read_text().replace(old, new, 1))
    _, faults = items(tmp_path)
    assert len(faults) == 1 and expected in faults[0], faults


def text(*names: str) -> str:
    """A file of those joints, below one root, all in a line."""
    joints = "".join(f"JOINT {name}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n}}\n" for name in names)
    return (
        f"HIERARCHY\nROOT Hips\n{{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n{joints}}}\n"
        f"MOTION\nFrames: 2\nFrame Time: 0.1\n1 2 3\n4 5 6\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MOTION\n", "MOTION\n\n \t\n"),
        ("Frames: 2\n", "Frames: 2\n\n\n"),
        ("0.1\n", "0.1\n\n"),
        ("\n", "\r\n"),
        ("MOTION", "  MOTION  "),
    ],
)
def test_blank_lines_change_nothing(old: str, new: str) -> None:
    plain, spaced = parse(text("a").encode()), parse(text("a").replace(old, new).encode())
    assert spaced.joints == plain.joints
    np.testing.assert_array_equal(spaced.values, plain.values)


def test_blank_lines_keep_the_numbers_of_lines() -> None:
    with pytest.raises(Exception, match="'x' is not a number") as caught:
        parse(text("a").replace("MOTION\n", "MOTION\n\n").replace("4 5 6", "4 5 x").encode())
    assert caught.value.line == 17  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="expected 'Frames: …'") as caught:
        parse(text("a").replace("MOTION\nFrames: 2", "MOTION\n\nPictures: 2").encode())
    assert caught.value.line == 14  # type: ignore[attr-defined]


def test_names_with_spaces_and_names_of_ends() -> None:
    made = text("Bip01 L Thigh", "Bip01  R Thigh {").replace("{\n{", "{")
    made = made.replace("CHANNELS 0\n}", "CHANNELS 0\nEnd Site Toe end\n{\nOFFSET 0 0 0\n}\n}")
    motion = parse(made.encode())
    assert motion.joints == ["Hips", "Bip01 L Thigh", "Bip01 R Thigh"] and motion.parents == [0, 0, 0]


def test_sides_that_do_not_match_are_notes(tmp_path: Path) -> None:
    (tmp_path / "1.bvh").write_text(text("lHand", "rHand", "LeftToe", "Foot_R"))
    (found,), _ = items(tmp_path)
    assert raw.source("bvh", tmp_path).skeleton.pairs == ((1, 2),)
    assert [note for note in found.notes if "without a counterpart" in note and note.endswith("LeftToe, Foot_R")]


def test_pairs_of_parents_that_are_none_are_left_out(tmp_path: Path) -> None:
    hands = text("HandA", "HandB")
    for side, hand in (("Left", "HandA"), ("Right", "HandB")):
        thumb = f"JOINT Thumb{side}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n}}\n"
        hands = hands.replace(
            f"{hand}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n", f"{hand}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n{thumb}"
        )
    (tmp_path / "1.bvh").write_text(hands)
    (found,), _ = items(tmp_path)
    assert raw.source("bvh", tmp_path).skeleton.pairs == ()
    assert [note for note in found.notes if "no pair" in note and note.endswith("ThumbLeft and ThumbRight")]


def test_one_file_is_enough(tmp_path: Path) -> None:
    raw.bvh_tree(tmp_path)
    (found,), faults = items(tmp_path / "walk" / "01.bvh")
    assert found.name == "01" and not faults
    assert raw.source("bvh", tmp_path / "walk" / "01.bvh").class_names == ("walk",)
    np.testing.assert_array_equal(found.x, items(tmp_path)[0][1].x)


def test_where_no_file_can_be_read_the_first_faults_are_shown(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.bvh").write_text(text("x").replace("OFFSET 0 0 0", "OFFSET 0 0"))
    with pytest.raises(ArrayError) as caught:
        _ = raw.source("bvh", tmp_path).skeleton
    said = str(caught.value)
    assert "none of its 4 BVH files can be read" in said and said.endswith("; …")
    assert all(f"{name}.bvh:5: 'CHANNELS' is not a number" in said for name in "abc")
    assert "a.bvh:5: 'CHANNELS' is not a number" in items(tmp_path)[1][0]


def test_one_file_may_be_named_by_a_string(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.bvh_tree(tmp_path)
    monkeypatch.chdir(tmp_path / "walk")
    for name in ("01.bvh", Path("01.bvh"), str(tmp_path / "walk" / "01.bvh")):
        (recording,), faults = items(name)  # type: ignore[arg-type]
        assert recording.name == "01" and not faults
