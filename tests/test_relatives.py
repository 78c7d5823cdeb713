"""Data of one skeleton on another: names, what is missing, and what stands in for it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch
from promises import tried

import skelaug
from skelaug import Skeleton, SkeletonBatch, remap, skeletons, synthetic_motion
from skelaug.relatives import joint_map

ROOT = Path(__file__).resolve().parents[1]
BODIES = [name for name, skeleton in skeletons.items() if skeleton.shoulders is not None]


def motion(name: str, n: int = 2, persons: int = 1, gaps: bool = False) -> SkeletonBatch:
    return synthetic_motion(name, n, 6, persons, gaps=gaps, generator=torch.Generator().manual_seed(1))


def test_joints_are_found_by_what_they_are() -> None:
    x = motion("ntu25").x
    coco = remap(x, "ntu25", "coco17")
    for there, here in [("left_shoulder", "shoulder_left"), ("right_ankle", "ankle_right"), ("left_hip", "hip_left")]:
        assert torch.equal(
            coco.x[:, :, :, skeletons["coco17"].index(there)], x[:, :, :, skeletons["ntu25"].index(here)]
        )
    missing = [skeletons["coco17"].index(j) for j in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
    assert not coco.mask[:, :, missing].any() and not coco.x[:, :, :, missing].any()
    assert coco.mask[:, :, 5:].all()
    pelvis = remap(x, "ntu25", "h36m17").x[:, :, :, 0]
    assert torch.equal(pelvis, x[:, :, :, 0]), "spine_base and pelvis are one"


def test_spellings_make_no_difference() -> None:
    joints = ["Hips", "Neck", "LShoulder", "RShoulder", "Elbow_L", "Elbow_R", "wristLeft", "wristRight", "Head Top"]
    own = Skeleton.from_edges([(0, 1), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (1, 8)], joints=joints)
    found = {name: next(iter(row)) for name, row in joint_map(own, "coco17", "unobserved").items() if row}
    assert found == {
        "left_shoulder": "LShoulder", "right_shoulder": "RShoulder", "left_elbow": "Elbow_L",
        "right_elbow": "Elbow_R", "left_wrist": "wristLeft", "right_wrist": "wristRight",
    }  # fmt: skip


@pytest.mark.parametrize("name", skeletons)
def test_a_skeleton_on_itself_is_the_same(name: str) -> None:
    batch = motion(name, 3, 2, gaps=True)
    for fill in ("unobserved", "nearest"):
        again = remap(batch, name, name, fill)
        assert torch.equal(again.x, batch.x) and torch.equal(again.mask, batch.mask)
        assert again.label is not None and torch.equal(again.label, batch.label)


@pytest.mark.parametrize("source", BODIES)
@pytest.mark.parametrize("target", BODIES)
def test_left_and_right_stay_sides(source: str, target: str) -> None:
    """Mirrored before is mirrored after, both ways of filling; what is there under one name is exact."""
    batch = motion(source)
    mirrored = batch.x[:, :, :, list(skeletons[source].mirror)]
    for fill in ("unobserved", "nearest"):
        made, other = remap(batch, source, target, fill), remap(mirrored, source, target, fill)
        back = list(skeletons[target].mirror)
        assert torch.allclose(made.x[:, :, :, back], other.x, atol=1e-6)
        assert torch.equal(made.mask[:, :, back], other.mask)
        assert bool(made.mask.all()) == (fill == "nearest") or all(joint_map(source, target, "unobserved").values())
        for joint, row in joint_map(source, target, fill).items():
            assert not row or sum(row.values()) == pytest.approx(1)
            if joint in skeletons[source].joints:
                assert row == {joint: 1.0}
        tried("remaps", 1)


def test_what_is_made_of_several_is_their_mean_and_seen_where_all_are() -> None:
    x = torch.randn(2, 3, 4, 17, 2)
    mask = torch.ones(2, 4, 17, 2, dtype=torch.bool)
    mask[0, 1, 11, 0] = False  # the left hip
    made = remap(SkeletonBatch(x, mask), "coco17", "ntu25", "nearest")
    pelvis = made.x[:, :, :, 0]
    wanted = (x[:, :, :, 11] + x[:, :, :, 12]) / 2
    assert torch.allclose(pelvis[1], wanted[1]) and torch.allclose(pelvis[0, :, 0], wanted[0, :, 0])
    assert not made.mask[0, 1, 0, 0] and not made.x[0, :, 1, 0, 0].any()
    assert made.mask[0, 1, 0, 1] and made.mask[1, :, 0].all()


def test_absent_people_stay_absent() -> None:
    batch = motion("ntu25", 4, 2, gaps=True)
    made = remap(batch, "ntu25", "azure32", "nearest")
    assert torch.equal(made.presence, batch.presence)
    assert remap(batch.x, "ntu25", "azure32", "nearest").seen.shape[2] == 1, "the thin mask of whole persons stays"
    assert not made.x.masked_select(~made.mask[:, None]).any()
    part = remap(batch, "ntu25", "azure32")
    assert torch.equal(part.presence, batch.presence)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_type_of_numbers_stays(dtype: torch.dtype) -> None:
    assert remap(motion("coco17").x.to(dtype), "coco17", "ntu25", "nearest").x.dtype == dtype


def test_a_joint_that_no_table_knows_is_copied_along_the_tree() -> None:
    own = Skeleton.from_edges([(0, 1), (1, 2), (2, 3)], joints=["pelvis", "antler", "tip", "neck"])
    assert joint_map("smpl24", own) == {
        "pelvis": {"pelvis": 1.0}, "antler": {"pelvis": 1.0}, "tip": {"neck": 1.0}, "neck": {"neck": 1.0},
    }  # fmt: skip


def test_what_cannot_be_mapped_is_refused() -> None:
    x = torch.randn(2, 3, 4, 25, 1)
    with pytest.raises(ValueError, match=r"remap: skeletons 'ntu25' and 'mediapipe_hand21' share no joint"):
        remap(x, "ntu25", "mediapipe_hand21", "nearest")
    with pytest.raises(ValueError, match=r"skeleton 'coco17' has 17 joints, x has 25"):
        remap(x, "coco17", "ntu25")
    with pytest.raises(ValueError, match=r"remap\(target='ntu24'\): no skeleton 'ntu24'; nearest: ntu25"):
        remap(x, "ntu25", "ntu24")
    with pytest.raises(ValueError, match=r"remap\(fill='close'\): fill must be one of 'unobserved', 'nearest'"):
        remap(x, "ntu25", "coco17", "close")
    with pytest.raises(TypeError, match=r"remap\(source=3\): source must be a Skeleton"):
        remap(x, 3, "ntu25")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="remap"):
        remap(None, "ntu25", "coco17")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"x has a graph of the joints of 'ntu25'.*x\.replace\(graph=None\)"):
        remap(SkeletonBatch(x, graph=torch.ones(2, 1, 25, 25)), "ntu25", "coco17")


def test_the_guide_shows_the_whole_table() -> None:
    """Every row of assets/relatives.toml stands in the guide, in its words, and no other."""
    tables = tomllib.loads((ROOT / "skelaug" / "assets" / "relatives.toml").read_text(encoding="utf-8"))
    guide = (ROOT / "docs" / "guide" / "skeletons.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (?!joint |name |-).*$", guide, re.MULTILINE))
    wanted = {f"| {part} | {', '.join(names.split())} |" for part, names in tables["same"].items()}
    wanted |= {
        f"| {part} | {'; '.join(' + '.join(recipe.split()) for recipe in recipes)} |"
        for part, recipes in tables["nearest"].items()
    }
    assert wanted <= rows
    known = rows - wanted
    assert {re.match(r"\| `(\w+)`", row)[1] for row in known} == set(skeletons)  # type: ignore[index]


def test_every_name_in_the_table_is_a_joint_of_some_skeleton() -> None:
    tables = tomllib.loads((ROOT / "skelaug" / "assets" / "relatives.toml").read_text(encoding="utf-8"))
    words = {word for names in tables["same"].values() for word in names.split()} | tables["same"].keys()
    words |= tables["nearest"].keys() | {w for rs in tables["nearest"].values() for r in rs for w in r.split()}
    joints = {"_".join(sorted(joint.split("_"))) for known in skeletons.values() for joint in known.joints}
    lost = {w for w in words if "_".join(sorted(w.replace("side_", "left_").split("_"))) not in joints}
    assert not lost, lost
    assert skelaug.remap is remap
