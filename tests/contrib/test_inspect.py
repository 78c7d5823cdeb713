"""What is found in a data set: against plain loops, planted faults, and what is known of the real recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skelaug import skeletons, synthetic_motion
from skelaug.cli import main
from skelaug_contrib.datasets import Findings, from_npz, inspect, placement, write
from skelaug_contrib.datasets.facts import STRIDE, facts_of, sampled, trimmed
from skelaug_contrib.datasets.pictures import bone_spread
from skelaug_contrib.datasets.twins import TOLERANCE, exact_groups, near_groups

NTU = skeletons["ntu25"]


def clips(n: int, frames: int = 40, persons: int = 1, seed: int = 0) -> list[Any]:
    """Procedural motion, a float32 ``(C, T, V, M)`` a clip."""
    made = synthetic_motion(NTU, n, frames, persons, generator=torch.Generator().manual_seed(seed))
    return [np.array(x) for x in made.x.numpy()]


# --- the size of bodies ---------------------------------------------------------------------------------------------


def test_the_size_is_the_longest_side_of_a_body_whoever_is_absent() -> None:
    x = np.zeros((3, 4, 5, 2), np.float32)
    x[1, :3, 1:, 0] = [1, 2.5, 2, 2]  # joint 0, at exactly 0, is none
    x[0, 1, 1:, 1] = [1, 5.5, 2, 2]
    assert facts_of(x)[0].size == 1.5
    assert facts_of(x[:2])[0].size == 0 and facts_of(np.zeros_like(x))[0].size == 0


@pytest.mark.parametrize(("scale", "said"), [(1, ""), (0.01, "cm, outside 0.5 … 3 m"), (100, "outside 0.5 … 3 m")])
def test_bodies_of_another_unit_are_found(scale: float, said: str, tmp_path: Path) -> None:
    x = np.stack(clips(3)) * np.float32(scale)
    about = {"length": [40] * 3, "label": [0] * 3, "names": list("abc"), "class_names": ["walk"]}
    found = inspect(write(tmp_path / "x", x=x, skeleton=NTU, **about))
    lines = [line for line in found.lines({}) if line.startswith("size: ")]
    assert len(lines) == bool(said) and all(said in line and "3 clips" in line for line in lines)
    assert found.having("size").tolist() == ([0, 1, 2] if said else [])
    assert len(found.to_dict()["sizes"]) == len(found.having("size"))


def test_what_is_seen_in_images_has_no_metres(tmp_path: Path) -> None:
    bones = skeletons["openpose18"]
    x = synthetic_motion(bones, 2, 20).x.numpy() * np.float32(100)
    about = {"length": [20] * 2, "label": [0] * 2, "names": list("ab"), "class_names": ["walk"]}
    assert inspect(write(tmp_path / "x", x=x, skeleton=bones, **about)).having("size").tolist() == []


# --- facts -----------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**31), frames=st.integers(1, 12), persons=st.integers(1, 3))
def test_facts_against_plain_loops(seed: int, frames: int, persons: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(3, frames, 4, persons)).astype(np.float32)
    x[:, generator.random(frames) < 0.3] = 0
    x[..., generator.random(persons) < 0.3] = 0
    for t in range(1, frames):
        if generator.random() < 0.3:
            x[:, t] = x[:, t - 1]
    facts, _ = facts_of(x)
    there = [[bool(x[:, t, :, m].any()) for m in range(persons)] for t in range(frames)]
    seen = [sum(row[m] for row in there) for m in range(persons)]
    while seen and seen[-1] == 0:
        seen.pop()
    ways = [
        np.linalg.norm(x[:, t, v, m].astype(float) - x[:, t - 1, v, m])
        for t in range(1, frames)
        for m in range(persons)
        for v in range(4)
        if there[t][m] and there[t - 1][m]
    ]
    assert facts.frames == frames and list(facts.persons) == seen
    somebody = [t for t in range(frames) if any(there[t])]
    assert facts.span == (somebody[-1] - somebody[0] + 1 if somebody else 0)
    assert facts.lost == sum(not any(row) for row in there)
    assert facts.frozen == sum(bool(any(there[t])) and np.array_equal(x[:, t], x[:, t - 1]) for t in range(1, frames))
    assert facts.jump == pytest.approx(max(ways, default=0), rel=1e-6)
    assert (facts.digest == "") == (not seen)


def test_the_digest_is_of_the_content() -> None:
    x = clips(1, persons=2)[0]
    same = facts_of(x)[0].digest
    assert facts_of(np.asfortranarray(x))[0].digest == same
    assert facts_of(np.concatenate([x, np.zeros_like(x)], 3))[0].digest == same, "slots for people who never come"
    signed = x.copy()
    signed[0, 3, 2] = -0.0
    x[0, 3, 2] = 0.0
    assert facts_of(signed)[0].digest == facts_of(x)[0].digest != same
    for other in (x[:, 1:], x[..., ::-1], x + np.float32(1e-6)):
        assert facts_of(np.ascontiguousarray(other))[0].digest != facts_of(x)[0].digest


def test_poses_are_those_of_the_sampled_frames() -> None:
    x = clips(1, 30)[0]
    x[:, :3], x[:, 28:] = 0, 0
    _, poses = facts_of(x)
    frames = 3 + sampled(25)
    assert frames.tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11, 19, 27] and len(poses) == len(frames)
    for pose, t in zip(poses, frames, strict=True):
        wanted = np.concatenate([x[:, t, joint, 0] - x[:, t, 0, 0] for joint in (6, 12, 18, 24)])
        assert np.array_equal(pose, wanted)
    assert trimmed(x).shape[1] == 25 and np.array_equal(trimmed(x)[:, 0], x[:, 3])


# --- twins -----------------------------------------------------------------------------------------------------------


def groups(made: list[Any]) -> Any:
    facts, poses = zip(*map(facts_of, made), strict=True)
    return near_groups(exact_groups(facts), facts, poses, lambda i: made[i])


def by_comparing_all(made: list[Any]) -> Any:
    """The definition, pair by pair, shift by shift."""
    first = np.arange(len(made))
    for i, one in enumerate(map(trimmed, made)):
        for j, other in enumerate(map(trimmed, made)):
            a, b = (one, other) if one.shape[1] <= other.shape[1] else (other, one)
            n, m = a.shape[1], b.shape[1]
            if i == j or not n or (n < STRIDE and n != m) or a.shape[3] != b.shape[3]:
                continue
            for shift in range(m - n + 1):
                apart = a.astype(float) - b[:, shift : shift + n]
                who = (a != 0).any((0, 2))
                if not np.array_equal(who, (b[:, shift : shift + n] != 0).any((0, 2))):
                    continue
                apart = np.stack([apart[..., v, :][:, who] for v in range(a.shape[2])], -1).reshape(3, -1)
                apart -= (apart.max(1, keepdims=True) + apart.min(1, keepdims=True)) / 2
                if np.linalg.norm(apart, axis=0).max() < TOLERANCE:
                    first[first == max(first[i], first[j])] = min(first[i], first[j])
    return first


@given(seed=st.integers(0, 2**31), data=st.data())
def test_near_twins_against_comparing_all(seed: int, data: st.DataObject) -> None:
    generator = np.random.default_rng(seed)
    made = clips(6, 30, persons=2, seed=seed % 1000)
    for _ in range(8):
        source = made[data.draw(st.integers(0, len(made) - 1))]
        start = data.draw(st.integers(0, max(0, source.shape[1] - 1)))
        stop = data.draw(st.integers(start + 1, source.shape[1]))
        noise = data.draw(st.sampled_from([0, 3e-4, 2e-3]))
        x = source[:, start:stop] + generator.normal(size=(3, 1, 1, 1)) * data.draw(st.booleans())
        x = x + noise * generator.uniform(-1, 1, x.shape)
        if data.draw(st.booleans()):
            x = np.concatenate([np.zeros_like(x[:, :2]), x], 1)  # begins with frames without anybody
        made.append(x.astype(np.float32))
    made.append(np.zeros((3, 9, 25, 2), np.float32))
    order = generator.permutation(len(made))
    made = [made[i] for i in order]
    assert groups(made).tolist() == by_comparing_all(made).tolist()


def test_every_kind_of_twin_is_found() -> None:
    made = clips(5)
    x = made[2]
    for y in (x.copy(), x + np.float32(3), x[:, 13:29], x[:, :8], x[:, 32:], x + np.float32(5e-4) * np.sign(x)):
        made.append(y)
    assert groups(made)[5:].tolist() == [2] * 6
    assert groups(made)[:5].tolist() == list(range(5))
    others = [x[:, 13:20], x[..., ::-1, :], x[:, ::-1], 1.1 * x, x[:, ::2], x + np.float32(0.003) * np.sign(x)]
    found = groups([*clips(5), *(np.ascontiguousarray(y, np.float32) for y in others)])
    assert found.tolist() == list(range(11)), "too short, other joints, backwards, larger, faster, 3 mm"


def test_who_is_absent_must_be_absent_in_both() -> None:
    one = clips(1, persons=2)[0]
    other = one.copy()
    other[:, 20:25, :, 1] = 0
    assert groups([one, other]).tolist() == [0, 1]
    assert groups([other, other + np.float32(0.0004) * (other != 0)]).tolist() == [0, 0]
    assert groups([one[..., :1], one]).tolist() == [0, 1]


def test_a_pose_that_all_share_costs_no_time() -> None:
    """Thousands of clips that begin with the very same still pose: compared with a few each, not with all."""
    still = np.repeat(clips(1)[0][:, :1], 12, 1)
    made = []
    for i in range(3000):
        x = still.copy()
        x[0, 9:, 5] += 0.01 * (i + 1)  # and then differ
        made.append(x)
    assert groups(made).tolist() == list(range(3000))
    assert groups([still] * 500 + made[:100])[:501].tolist() == [0] * 500 + [500]


# --- findings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Twenty clips, some with what is to be found."""
    made = clips(20, 30, persons=2)
    length = np.full(20, 30)
    for x in made:
        x[..., 1] = 0
    made[1][:, :, :, 0] = 0  # nobody
    made[2][:, 5:9] = 0  # lost frames
    made[3][:, 11] = made[3][:, 10]  # frozen
    made[4][1, 7:, 3, 0] += 1.25  # a jump
    made[5][..., 1] = made[6][..., 0] + 1
    made[5][:, 10:15, :, 1] = 0  # somebody who leaves and comes back
    made[7][:, 3:], length[7] = 0, 3  # short
    made[18] = made[8].copy()  # a leak
    made[19] = made[9] + np.float32(2) * (made[9] != 0)  # a moved one
    names = [f"clip{i}" for i in range(20)]
    write(
        tmp_path / "data",
        x=np.stack(made),
        length=length,
        label=[i % 4 for i in range(20)],
        subject=[i % 3 for i in range(20)],
        episode=[i // 12 for i in range(20)],
        names=names,
        class_names=["a", "b", "c", "d"],
        skeleton=NTU,
        splits={"odd": {"train": range(12), "test": range(12, 20)}},
    )
    return tmp_path / "data"


def open_and_inspect(path: Path) -> tuple[Any, Findings]:
    from skelaug_contrib.datasets import PreparedDataset

    dataset = PreparedDataset.open(path)
    return dataset, inspect(dataset)


def test_what_was_planted_is_found(planted: Path) -> None:
    dataset, found = open_and_inspect(planted)
    told = found.to_dict()
    assert told == {
        "clips": 20,
        "frames": {"min": 3, "median": 30.0, "max": 30},
        "short": ["clip7"],
        "empty": ["clip1"],
        "lost_frames": {"clip2": 4},
        "frozen_frames": {"clip3": 1},
        "jumps": {"clip4": pytest.approx(1.25, abs=0.15)},
        "sizes": {},
        "absent_at_times": ["clip5"],
        "exact_twins": [["clip8", "clip18"]],
        "near_twins": [["clip8", "clip18"], ["clip9", "clip19"]],
        "leaked": {"odd": ["clip18", "clip19"]},
        "repeated_performances": {"odd": 0},
    }
    assert json.loads(json.dumps(told)) == told
    text = found.lines(dataset.splits)
    assert text[0] == "frames: 3 … 30, median 30"
    for line in (
        "short: 1 clip of fewer than 4 frames: clip7",
        "empty: 1 clip in which nobody is ever there: clip1",
        "lost: 1 clip with frames without anybody, 34 frames in all: clip2",
        "twins: 1 clip equal to an earlier one to the bit; 1 more are within 1 mm of one",
        "odd: 2 of 8 test clips have a twin that trains: clip18, clip19",
    ):
        assert line in text, text


def test_the_same_performance_on_both_sides(tmp_path: Path) -> None:
    about: dict[str, Any] = {"length": [30] * 8, "label": [0, 1] * 4, "names": list("abcdefgh")}
    about |= {"class_names": ["a", "b"], "skeleton": NTU, "x": np.stack(clips(8, 30))}
    splits = {"xview": {"train": [0, 1, 2, 3], "test": [4, 5, 6, 7]}}
    who = {"subject": [1, 1, 2, 2, 1, 1, 3, 2], "episode": [0, 0, 0, 0, 0, 1, 0, 0]}
    write(tmp_path / "a", splits=splits, **about, **who)
    _, found = open_and_inspect(tmp_path / "a")
    assert found.repeated["xview"].tolist() == [4, 7]
    write(tmp_path / "b", splits=splits, **about, subject=who["subject"])
    assert open_and_inspect(tmp_path / "b")[1].repeated["xview"].tolist() == [], "not known without the episode"


def test_progress_is_told_clip_by_clip(planted: Path) -> None:
    whole = open_and_inspect(planted)[1].to_dict()
    seen = []
    from skelaug_contrib.datasets import PreparedDataset

    assert inspect(PreparedDataset.open(planted), lambda *given: seen.append(given)).to_dict() == whole
    assert seen == [(i + 1, 20) for i in range(20)]


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_and_draws(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    assert main(["inspect", str(planted)]) == 0
    dataset, found = open_and_inspect(planted)
    text = capsys.readouterr().out.splitlines()
    assert text[0].startswith("20 clips, 3 coordinates") and text[1] == "odd: train 12, test 8"
    where = placement(dataset)
    assert where is not None
    assert text[2:] == [*found.lines(dataset.splits), *where.lines(), *where.advice()]
    assert main(["inspect", str(planted), "--out", str(tmp_path / "seen")]) == 0
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == [
        "bones.png", "classes.png", "clips.png", "findings.json", "lengths.png",
    ]  # fmt: skip
    assert json.loads((tmp_path / "seen" / "findings.json").read_text()) == found.to_dict()
    for path in (tmp_path / "seen").glob("*.png"):
        image = imread(path)
        assert min(image.shape[:2]) > 200 and image[..., :3].std() > 0.02, path.name
    assert main(["inspect", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_a_data_set_of_next_to_nothing_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    about: dict[str, Any] = {"length": [1], "label": [0], "names": ["one"], "class_names": ["a"], "skeleton": NTU}
    write(tmp_path / "data", x=np.zeros((1, 3, 1, 25, 1), np.float32), **about)
    assert main(["inspect", str(tmp_path / "data"), "--out", str(tmp_path / "seen")]) == 0
    assert len(list((tmp_path / "seen").iterdir())) == 5


def test_bone_spread_by_hand() -> None:
    x = np.zeros((3, 4, 25, 1), np.float32)
    x[0] = np.arange(25)[None, :, None] + 1
    x[1, :, 3, 0] = [0, 3, 0, 3]  # the head moves away from its parent, the neck, at distance 1
    length = np.hypot(1, [0, 3, 0, 3])
    found = bone_spread(x, NTU)
    assert found[[child for child, _ in NTU.bones].index(3)] == pytest.approx(length.std() / length.mean(), rel=1e-6)
    assert np.count_nonzero(found > 1e-9) == 1, "no other bone ends in the head"
    assert np.isnan(bone_spread(np.zeros_like(x), NTU)).all()


# --- real recordings -------------------------------------------------------------------------------------------------


def test_the_leak_of_nw_ucla_is_found_from_content_alone(recordings: Path, tmp_path: Path) -> None:
    dataset = from_npz(recordings / "nw_ucla.npz", tmp_path / "out")
    found = inspect(dataset)
    with np.load(recordings / "nw_ucla.npz", allow_pickle=False) as arrays:
        marked = set(arrays["name"][arrays["view3_identical_to_view2"]])
    assert {dataset.names[i] for i in found.leaked["xview"]} == marked and len(marked) == 95
    parts = dataset.splits["xview"]
    assert {dataset.names[i] for i in np.setdiff1d(parts["test"], parts["test_clean"])} == marked
    assert len(parts["test_clean"]) == 369 and not len(found.leaked["xsub"])
    told = found.to_dict()
    assert all(len(group) == 2 for group in told["exact_twins"]) and len(told["exact_twins"]) == 95
    # And four clips of subject 1 that lie within another one, three of them within a clip of the opposite action.
    within = [group for group in told["near_twins"] if group not in told["exact_twins"]]
    assert within == [
        ["a08_s01_e03_v01", "a09_s01_e03_v02"],
        ["a08_s01_e04_v01", "a09_s01_e04_v02"],
        ["a08_s01_e04_v02", "a09_s01_e03_v01"],
        ["a09_s01_e00_v01", "a09_s01_e00_v02"],
    ]
    assert told["short"] == ["a02_s09_e04_v02", "a02_s09_e04_v03"] and len(told["jumps"]) == 60


def test_msr_action3d_is_what_it_is(recordings: Path, tmp_path: Path) -> None:
    told = inspect(from_npz(recordings / "msr_action3d.npz", tmp_path / "out")).to_dict()
    with np.load(recordings / "msr_action3d.npz", allow_pickle=False) as arrays:
        standard = dict(zip(arrays["name"].tolist(), arrays["in_cvpr12_557"].tolist(), strict=True))
    assert told["empty"] == ["a13_s09_e02"] and len(told["lost_frames"]) == 19
    assert sum(standard[name] for name in told["lost_frames"]) == 13 and not standard["a13_s09_e02"]
    assert told["exact_twins"] == []
    assert told["near_twins"] == [["a13_s09_e03", "a14_s09_e01", "a14_s09_e02", "a14_s09_e03"]]


def test_utkinect_has_nothing_to_tell(recordings: Path, tmp_path: Path) -> None:
    told = inspect(from_npz(recordings / "utkinect.npz", tmp_path / "out")).to_dict()
    kinds = ("short", "empty", "lost_frames", "frozen_frames", "absent_at_times", "exact_twins", "near_twins")
    assert all(not told[kind] for kind in kinds) and not told["jumps"]
