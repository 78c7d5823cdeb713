"""NTU RGB+D: the fast reader equals the slow ones, and bodies become people by the stated rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contrib.sources import raw
from contrib.sources.oracle_ntu import read_lines, read_people
from hypothesis import given
from hypothesis import strategies as st

from skelaug_contrib.datasets.sources import Fault, Recording
from skelaug_contrib.datasets.sources.files import Broken
from skelaug_contrib.datasets.sources.ntu import (
    NTU60,
    NTU120,
    class_names,
    missing,
    name_parts,
    parts,
    read_bodies,
)

NAME = "S001C001P001R001A001"


def read(folder: Path, data: bytes, name: str = NAME) -> Recording | Fault:
    (folder / f"{name}.skeleton").write_bytes(data)
    opened = NTU60(folder)
    (unit,) = opened.units()
    (item,) = opened.read(unit)
    return raw.check(opened, item)


def body(frames: int = 30, seed: int = 0, at: tuple[float, float, float] = (0, 0, 3), scale: float = 1) -> np.ndarray:
    """(T, 25, 3)"""
    clip = raw.motion("ntu25", 1, frames, seed=seed)[0, ..., 0]
    return ((clip - clip.mean((0, 1))) * scale + np.array(at)).astype(np.float32)


def text(*bodies: tuple[str, int, np.ndarray], frames: int = 30) -> bytes:
    """Bodies by name, first frame and joints; a name may come several times."""
    seen: dict[str, dict[int, np.ndarray]] = {}
    for name, start, points in bodies:
        seen.setdefault(name, {}).update(enumerate(points, start))
    return raw.ntu_text(seen, frames)


def recording(folder: Path, data: bytes) -> Recording:
    item = read(folder, data)
    assert isinstance(item, Recording), item
    return item


def person(x: np.ndarray, m: int) -> np.ndarray:
    """(T, 25, 3)"""
    return x[..., m].transpose(1, 2, 0)


# --- the format -------------------------------------------------------------------------------------------------------


def test_real_recordings_equal_the_line_by_line_reader(recordings: Path) -> None:
    opened = NTU60(recordings / "ntu_raw")
    people = {"S001C001P001R001A001": 1, "S001C003P008R002A058": 2}
    found = raw.read(opened)
    assert people.keys() <= {item.name for item in found if isinstance(item, Recording)}
    for item, unit in zip(found, opened.units(), strict=True):
        assert isinstance(item, Recording) and item.notes == ()
        np.testing.assert_array_equal(item.x, read_people(unit.path))
        assert item.x.any((0, 1, 2)).sum() == people.get(item.name, 1)


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 10_000), st.sampled_from(["\n", "\r\n"]))
def test_what_was_written_is_read(frames: int, bodies: int, seed: int, end: str) -> None:
    generator = np.random.default_rng(seed)
    seen = {
        f"{72057594037930000 + m}": {
            t: (generator.normal(size=(25, 3)) * 10.0 ** generator.integers(-8, 3)).astype(np.float32)
            for t in range(frames)
            if generator.random() < 0.7
        }
        for m in range(bodies)
    }
    data = raw.ntu_text(seen, frames, end)
    count, tracks, notes = read_bodies(data)
    assert count == frames and notes == []
    for track in tracks:
        np.testing.assert_array_equal(track.points.astype(np.float32), np.stack(list(seen[track.name].values())))
        assert track.frames.tolist() == list(seen[track.name])


def test_the_oracle_reads_what_was_written(tmp_path: Path) -> None:
    seen = {"7": dict(enumerate(body(3))), "9": {1: body(1, 5)[0]}}
    (tmp_path / "a").write_bytes(raw.ntu_text(seen, 4))
    frames, found = read_lines(tmp_path / "a")
    assert frames == 4 and list(found) == ["7", "9"] and list(found["9"]) == [1]
    np.testing.assert_array_equal(found["7"][2], seen["7"][2])


@pytest.mark.parametrize("change", ["tabs", "spaces", "blank end", "no end"])
def test_other_white_space_is_forgiven(change: str) -> None:
    data = text(("7", 0, body(3)), frames=3)
    changed = {
        "tabs": data.replace(b" ", b"\t"),
        "spaces": data.replace(b" ", b"  "),
        "blank end": data + b"\n \r\n\n",
        "no end": data.rstrip(b"\n"),
    }[change]
    _, (track,), _ = read_bodies(changed)
    np.testing.assert_array_equal(track.points.astype(np.float32), body(3))


def lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def join(changed: list[bytes]) -> bytes:
    return b"\n".join(changed)


DAMAGE = [
    (lambda d: d[:700], 11, "has 3 numbers|has . numbers|ends early"),
    (lambda d: join(lines(d)[:40]), 41, "ends early: expected joint 9 of body 1 in frame 2 of 3"),
    (lambda d: d.replace(b"\n25\n", b"\n24\n", 1), 4, "says 24 joints, expected 25"),
    (lambda d: b"1000000000\n" + d.split(b"\n", 1)[1], 1, "expected the number of frames"),
    (lambda d: b"99999\n" + d.split(b"\n", 1)[1], 86, "ends early: expected the number of bodies in frame 4 of 99999"),
    (lambda d: b"100000000\n" + d.split(b"\n", 1)[1], 1, "declares 100000000 frames"),
    (lambda d: b"2\n" + d.split(b"\n", 1)[1], 58, "goes on after its 2 frames"),
    (lambda d: join([*lines(d)[:1], b"999999999", *lines(d)[2:]]), 30, "expected 10 about body 2 in frame 1 of 3"),
    (lambda d: join([*lines(d)[:9], b"1 2 3", *lines(d)[10:]]), 10, "has 3 numbers, expected 12 for joint 6"),
    (lambda d: join([*lines(d)[:9], b"1 x" + b" 3" * 10, *lines(d)[10:]]), 10, "'x' is not a number"),
    (lambda d: join([*lines(d)[:2], b"name" + lines(d)[2], *lines(d)[3:]]), 3, "has 10 numbers, expected 10"),
    (lambda d: b"\xff\xfe" + d.decode().encode("utf-16-le"), 1, "expected the number of frames"),
    (lambda d: bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)), 1, "expected the number of frames"),
    (lambda d: b"\x00" * 5000, 1, "expected the number of frames"),
]


@pytest.mark.parametrize("case", range(len(DAMAGE)))
def test_damage_is_a_fault_with_its_line(case: int, tmp_path: Path) -> None:
    damage, line, reason = DAMAGE[case]
    item = read(tmp_path, damage(text(("72057594037931101", 0, body(3)), frames=3)))
    assert isinstance(item, Fault)
    assert item.line == line
    with pytest.raises(Broken, match=reason):
        raise Broken(item.reason)
    assert str(item).startswith(f"{tmp_path / NAME}.skeleton:{line}: ")


def test_empty_files_and_files_without_bodies_are_faults(tmp_path: Path) -> None:
    assert "is empty" in str(read(tmp_path, b""))
    assert "nobody in any of its 3 frames" in str(read(tmp_path, b"3\n0\n0\n0\n"))
    assert "nobody in any of its 0 frames" in str(read(tmp_path, b"0\n"))


def test_joints_that_are_not_finite(tmp_path: Path) -> None:
    data = text(("7", 0, body(20)), frames=20)
    changed = lines(data)
    for line, word in ((5, b"NaN"), (5 + 28, b"inf"), (5 + 2 * 28, b"1e39")):  # frames 0, 1, 2; float32 ends at 3.4e38
        changed[line] = word + b" " + changed[line].split(b" ", 1)[1]
    item = recording(tmp_path, join(changed))
    assert not item.x[:, :3].any() and item.x[:, 3:].any((0, 2, 3)).all()
    np.testing.assert_array_equal(person(item.x, 0)[3:], body(20)[3:])
    assert item.notes == (
        "body 7: a joint is not finite in 3 of the frames 0 … 2, absent there",
        "nobody in 3 of the frames 0 … 2",
    )


# --- names, protocols, lists ------------------------------------------------------------------------------------------


def test_names() -> None:
    assert name_parts("S018C003P046R002A120") == (18, 3, 46, 2, 120)
    for name in ("S018C003P046R002A121", "S000C001P001R001A001", "S001C001P001R001", "x", "S001C001P001R001A001b"):
        assert name_parts(name) is None
    assert class_names(60) == class_names()[:60] and len(set(class_names())) == 120
    assert class_names()[0] == "drink water" and class_names()[119] == "finger-guessing game"


def test_protocols() -> None:
    train60 = [p for p in range(1, 41) if parts((1, 1, p, 1, 1), True)["xsub"] == "train"]
    assert train60 == [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
    assert [parts((1, c, 1, 1, 1), True)["xview"] for c in (1, 2, 3)] == ["test", "train", "train"]
    train120 = [p for p in range(1, 107) if parts((1, 1, p, 1, 1), False)["xsub"] == "train"]
    said = """1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38 45 46 47 49 50 52 53 54 55 56 57 58 59 70 74 78 80
              81 82 83 84 85 86 89 91 92 93 94 95 97 98 100 103"""
    assert train120 == list(map(int, said.split())) and len(train120) == 53
    assert [parts((s, 1, 1, 1, 1), False)["xset"] for s in (1, 2, 31, 32)] == ["test", "train", "test", "train"]


def test_the_missing_samples() -> None:
    assert len(missing()) == 535
    assert sum(int(name[1:4]) <= 17 for name in missing()) == 302
    assert all(name_parts(name) is not None for name in missing())
    assert {"S001C002P005R002A008", "S017C003P020R001A059", "S019C001P046R001A075"} <= missing()


def test_a_missing_sample_is_left_out_unless_it_is_wanted(tmp_path: Path) -> None:
    name = "S001C002P005R002A008"
    data = text(("7", 0, body()))
    item = read(tmp_path, data, name)
    assert isinstance(item, Fault) and "left out" in item.reason
    opened = NTU60(tmp_path, keep_missing=True)
    (kept,) = opened.read(opened.units()[0])
    assert isinstance(kept, Recording) and kept.label == 7


def test_60_passes_over_what_is_120s_and_names_what_is_nobodys(tmp_path: Path) -> None:
    data = text(("7", 0, body()))
    for name in ("S017C001P001R001A060", "S018C001P001R001A061", "S001C001P001R001A061", "holiday"):
        (tmp_path / f"{name}.skeleton").write_bytes(data)
    (tmp_path / "notes.txt").write_text("no")
    sixty, both = raw.read(NTU60(tmp_path)), raw.read(NTU120(tmp_path))
    assert [isinstance(item, Recording) for item in sixty] == [True, False]
    assert "is named 'holiday.skeleton'" in str(sixty[1])
    assert sum(isinstance(item, Recording) for item in both) == 3


# --- from bodies to people --------------------------------------------------------------------------------------------


def test_who_moves_most_is_first_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    calm, lively = body(seed=1, scale=1), body(seed=2, at=(1.5, 0, 3), scale=1.3)
    for bodies in ((("1", 0, calm), ("2", 0, lively)), (("2", 0, lively), ("1", 0, calm))):
        item = recording(tmp_path, text(*bodies))
        np.testing.assert_array_equal(person(item.x, 0), lively)
        np.testing.assert_array_equal(person(item.x, 1), calm)
        assert item.notes == ()


def test_a_third_body_is_left_out(tmp_path: Path) -> None:
    bodies = [(str(m), 0, body(seed=m, at=(1.5 * m, 0, 3), scale=1 + 0.2 * m)) for m in range(3)]
    item = recording(tmp_path, text(*bodies))
    np.testing.assert_array_equal(person(item.x, 0), bodies[2][2])
    np.testing.assert_array_equal(person(item.x, 1), bodies[1][2])
    assert item.notes == ("body 0: moves least of 3 in 30 of the frames 0 … 29, left out",)


def test_a_short_body_is_noise_but_the_last_one_stays(tmp_path: Path) -> None:
    main, short = body(30), body(11, seed=1, at=(2, 0, 3))
    item = recording(tmp_path, text(("1", 0, main), ("2", 5, short)))
    assert not item.x[..., 1].any() and item.notes == ("body 2: 11 frames, too short",)
    long = body(12, seed=1, at=(2, 0, 3))
    assert recording(tmp_path, text(("1", 0, main), ("2", 5, long))).x[..., 1].any()
    alone = recording(tmp_path, text(("2", 5, short)))
    np.testing.assert_array_equal(person(alone.x, 0)[5:16], short)
    assert alone.notes == ("nobody in 19 of the frames 0 … 29",)


def wide(frames: int, seed: int, share: float) -> np.ndarray:
    """Lies on its side in a share of its frames."""
    points = body(frames, seed, at=(2, 0, 3))
    lies = np.arange(frames) < round(share * frames)
    points[lies] = points[lies][..., [1, 0, 2]]
    return points


def test_a_wide_body_is_noise_but_the_last_one_stays(tmp_path: Path) -> None:
    main = body(30)
    item = recording(tmp_path, text(("1", 0, main), ("2", 0, wide(30, 1, 0.8))))
    np.testing.assert_array_equal(person(item.x, 0), main)
    assert not item.x[..., 1].any() and "body 2: wider than a body in 80% of its frames" in item.notes[0]
    assert recording(tmp_path, text(("1", 0, main), ("2", 0, wide(30, 1, 0.6)))).x[..., 1].any()
    assert recording(tmp_path, text(("2", 0, wide(30, 1, 1.0)))).x[..., 0].any()


def test_a_person_whom_the_sensor_renames_stays_one_person(tmp_path: Path) -> None:
    main = body(30)
    item = recording(tmp_path, text(("1", 0, main[:14]), ("9", 16, main[16:])))
    assert not item.x[..., 1].any()
    np.testing.assert_array_equal(person(item.x, 0)[16:], main[16:])
    np.testing.assert_array_equal(person(item.x, 0)[:14], main[:14])
    assert item.notes == ("body 9: continues body 1 from frame 16", "nobody in 2 of the frames 14 … 15")


def test_bodies_that_are_never_there_together_are_one_person(tmp_path: Path) -> None:
    first, later = body(12), body(13, seed=1, at=(2, 0, 3))  # too far away to be a continuation
    item = recording(tmp_path, text(("1", 0, first), ("2", 17, later)))
    assert not item.x[..., 1].any() and item.x[:, :12, :, 0].any() and item.x[:, 17:, :, 0].any()
    assert any("taken for person 1" in note for note in item.notes)


@pytest.mark.parametrize("exchanges", [[15], [7, 20], [3, 4, 5]])
def test_exchanged_bodies_are_changed_back(exchanges: list[int], tmp_path: Path) -> None:
    a, b = body(seed=1, scale=1.6), body(seed=2, at=(1.5, 0, 3))
    swapped = np.zeros(30, bool)
    for frame in exchanges:
        swapped[frame:] ^= True
    one, two = np.where(swapped[:, None, None], b, a), np.where(swapped[:, None, None], a, b)
    item = recording(tmp_path, text(("1", 0, one), ("2", 0, two)))
    np.testing.assert_array_equal(person(item.x, 0), a)
    np.testing.assert_array_equal(person(item.x, 1), b)
    assert "exchanged in" in item.notes[0]


def test_an_exchange_lasts_when_one_of_them_leaves(tmp_path: Path) -> None:
    a, b = body(seed=1, scale=1.6), body(seed=2, at=(1.5, 0, 3))
    # From frame 10 each has the other's name; from frame 20 only a is there, under b's.
    data = text(("1", 0, a[:10]), ("2", 0, b[:10]), ("2", 10, a[10:]), ("1", 10, b[10:20]))
    item = recording(tmp_path, data)
    np.testing.assert_array_equal(person(item.x, 0), a)
    np.testing.assert_array_equal(person(item.x, 1)[:20], b[:20])
    assert not item.x[:, 20:, :, 1].any()


def test_people_who_cross_quickly_are_no_exchange(tmp_path: Path) -> None:
    way = np.linspace(-1, 1, 30)[:, None, None] * np.array([1, 0, 0])
    a, b = (body(seed=1, scale=1.2) + way).astype(np.float32), (body(seed=2, at=(0, 0, 3.4)) - way).astype(np.float32)
    item = recording(tmp_path, text(("1", 0, a), ("2", 0, b)))
    assert item.notes == ()
    assert {item.x[..., m].tobytes() for m in (0, 1)} == {raw.ctvm(p).tobytes() for p in (a, b)}


def test_a_body_twice_in_a_frame_is_there_once(tmp_path: Path) -> None:
    main = body(15)
    changed = lines(text(("1", 0, main), frames=15))
    frame = changed[2:29]
    item = recording(tmp_path, join([changed[0], b"2", *frame, *frame, *changed[29:]]))
    np.testing.assert_array_equal(person(item.x, 0), main)
    assert item.notes == ("body 1: twice in a frame, the second left out",)


def test_numbers_beyond_all_measure(tmp_path: Path) -> None:
    a, b = body(seed=1, scale=1.6).astype(float), body(seed=2, at=(1.5, 0, 3))
    a[4, 3, 1] = 1e300
    data = text(("1", 0, a), ("2", 0, b))
    assert b"1e+300" in data
    item = recording(tmp_path, data)
    assert not item.x[:, 4, :, 0].any() and item.x[:, 4, :, 1].any()
    assert item.notes == ("body 1: a joint is not finite in frame 4, absent there",)
