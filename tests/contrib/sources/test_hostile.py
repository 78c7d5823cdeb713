"""Whatever the bytes are: recordings or faults come out, nothing is raised, and little memory is taken."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contrib.sources import raw
from hypothesis import given, settings
from hypothesis import strategies as st

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import Fault, Recording, Unit
from skelaug_contrib.datasets.sources.files import Broken, find, load

#: Each file of each source that can be damaged, alone in its test.
TARGETS = [(name, file) for name, (_, files) in raw.TINY.items() for file in files]
WHOLE_FOLDERS = ("aimclr", "ctrgcn", "ctrgcn, compressed", "pyskl", "bvh")
EXAMPLES = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 15


@contextmanager
def memory(megabytes: float) -> Iterator[None]:
    """Fails if more is taken."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 2**20, f"{peak / 2**20:.0f} MiB"


@pytest.fixture(params=TARGETS, ids=[": ".join(target) for target in TARGETS])
def target(request: Any, tmp_path: Path) -> tuple[str, Path, Path]:
    """A tree, and the file in it that a test damages."""
    name, file = request.param
    raw.TINY[name][0](tmp_path)
    return name, tmp_path, tmp_path / file


def read_damaged(name: str, folder: Path, file: Path, data: bytes) -> list[Recording | Fault]:
    file.write_bytes(data)
    opened = raw.source(name, folder)
    try:
        return raw.read(opened)
    except ArrayError:  # there is nothing of the set in it any more
        return []


def test_junk_is_a_fault(target: tuple[str, Path, Path]) -> None:
    name, folder, file = target
    good = file.read_bytes()
    generator = np.random.default_rng(0)
    junk = {
        "empty": b"",
        "zeros": bytes(3000),
        "noise": generator.integers(0, 256, 3000, np.uint8).tobytes(),
        "newlines": b"\n" * 3000,
        "digits": b"9" * 3000,
        "brackets": b"[" * 100_000,
        "wide": good.decode("latin1").encode("utf-16"),
        "twice": good + good,
        "nan": good.replace(b"0.", b"nan "),
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
    }
    for kind, data in junk.items():
        with memory(64):
            found = read_damaged(name, folder, file, data)
        where = [item.where for item in found if isinstance(item, Fault)]
        if kind in ("zeros", "noise", "brackets", "html") and "Split" not in str(file):
            assert any(str(folder) in place for place in where), (kind, found)


def test_every_truncation_is_survived(target: tuple[str, Path, Path]) -> None:
    name, folder, file = target
    good = file.read_bytes()
    whole = {item.name: item for item in raw.read(raw.source(name, folder)) if isinstance(item, Recording)}
    for cut in np.unique(np.linspace(0, len(good) - 1, 40).astype(int)):
        for item in read_damaged(name, folder, file, good[:cut]):
            # Text may lose its last line, or the last digits of its last number, and still be well formed.
            if isinstance(item, Recording) and item.name in whole and item.x.shape == whole[item.name].x.shape:
                np.testing.assert_allclose(item.x, whole[item.name].x, atol=100)


EDITS = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.integers(0, 255), st.sampled_from("sidc")), min_size=1, max_size=8
)


def edited(data: bytes, edits: list[tuple[int, int, str]]) -> bytes:
    """Bytes set, inserted, deleted, or all after one cut off."""
    changed = bytearray(data)
    for position, value, kind in edits:
        at = position % (len(changed) + 1)
        if kind == "s" and at < len(changed):
            changed[at] = value
        elif kind == "i":
            changed[at:at] = bytes([value])
        elif kind == "d":
            del changed[at : at + value % 8]
        elif kind == "c" and value < 64:
            del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize(("name", "file"), TARGETS, ids=[": ".join(target) for target in TARGETS])
def test_fuzzed_files(name: str, file: str, tmp_path: Path) -> None:
    raw.TINY[name][0](tmp_path)
    good = (tmp_path / file).read_bytes()

    @settings(max_examples=EXAMPLES)
    @given(st.one_of(st.binary(max_size=400), EDITS.map(lambda edits: edited(good, edits))))
    def survives(data: bytes) -> None:
        read_damaged(name, tmp_path, tmp_path / file, data)

    survives()


# --- folders ----------------------------------------------------------------------------------------------------------


# Arrays want one folder, and BVH takes its name for the class.
@pytest.mark.parametrize("target", [t for t in TARGETS if t[0] not in WHOLE_FOLDERS], indirect=True, ids=": ".join)
def test_links_in_a_circle_and_junk_beside_the_files(target: tuple[str, Path, Path]) -> None:
    name, folder, _ = target
    before = [unit.path.relative_to(folder) for unit in raw.source(name, folder).units()]
    (folder / "self").symlink_to(folder)
    (folder / "loop_a").symlink_to(folder / "loop_b")
    (folder / "loop_b").symlink_to(folder / "loop_a")
    (folder / "deep").mkdir()
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "gone.skeleton").symlink_to(folder / "nowhere")
    (folder / "a_folder.skeleton").mkdir()
    (folder / "picture.png").write_bytes(bytes(100))
    (folder / "Thumbs.db").write_bytes(b"junk")
    assert [unit.path.relative_to(folder) for unit in raw.source(name, folder).units()] == before
    raw.read(raw.source(name, folder))


def test_a_folder_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.ntu_tree(tmp_path)
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = raw.read(raw.source("ntu60", tmp_path))
    assert len(found) == 3 and isinstance(found[-1], Fault)
    assert found[-1].where == str(tmp_path / "closed")


OPENED = [t for t in TARGETS if not re.search("label|split", t[1], re.IGNORECASE)]  # the others are no units


@pytest.mark.parametrize("target", OPENED, indirect=True, ids=": ".join)
def test_files_that_cannot_be_opened_are_faults(target: tuple[str, Path, Path]) -> None:
    name, folder, file = target
    opened = raw.source(name, folder)
    units = [unit for unit in opened.units() if unit.path == file]
    file.unlink()
    (item,) = opened.read(units[0])
    assert isinstance(raw.check(opened, item), Fault) and "No such file" in str(item)
    file.mkdir()
    (item,) = opened.read(units[0])
    assert isinstance(raw.check(opened, item), Fault)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "S001C001P001R001A001.skeleton")
    with pytest.raises(ArrayError):
        raw.source("ntu60", tmp_path).units()  # it is no file
    opened = raw.source("ntu60", tmp_path)
    (item,) = opened.read(Unit(tmp_path / "S001C001P001R001A001.skeleton"))
    assert isinstance(item, Fault) and "plain file" in item.reason


def test_a_file_beyond_the_limit_is_not_loaded(tmp_path: Path) -> None:
    with (tmp_path / "S001C001P001R001A001.skeleton").open("wb") as file:
        file.truncate(1 << 40)  # takes no room on disk
    opened = raw.source("ntu60", tmp_path)
    with memory(8):
        (item,) = opened.read(opened.units()[0])
    assert isinstance(item, Fault) and "bytes; a recording has at most" in item.reason


def test_load_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert load(tmp_path / "a", 10) == b"x" * 10
    with pytest.raises(Broken, match="has 10 bytes"):
        load(tmp_path / "a", 9)
    with pytest.raises(ArrayError, match="a: is a file; expected a folder with something"):
        find(tmp_path / "a", re.compile("a"), "something")
    assert find(tmp_path / "a", re.compile("a"), "something", alone=True) == [tmp_path / "a"]
    with pytest.raises(ArrayError, match="no such folder"):
        find(tmp_path / "b", re.compile("x"), "something")


# --- what headers claim -----------------------------------------------------------------------------------------------


@functools.cache
def claims() -> dict[str, tuple[str, str, bytes]]:
    """Source, file and content: small files that claim to be large."""

    def npy(shape: str, descr: str = "<f4") -> bytes:
        header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(1000)

    def npz(**members: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(f"{name}.npy", content)
        return out.getvalue()

    def mat(element: bytes) -> bytes:
        return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + element

    header = b"".join(
        (
            struct.pack("<IIII", 6, 8, 6, 0),
            struct.pack("<IIiiii", 5, 12, 20, 3, 10**8, 0),
            struct.pack("<II", 1, 6) + b"d_skel\0\0",
        )
    )
    zeros = zlib.compress(bytes(1 << 28), 1)
    return {
        "npy": ("aimclr", "train_position.npy", npy("(1000000000, 3, 300, 25, 2)")),
        "npy, overflow": ("aimclr", "train_position.npy", npy(f"({2**62}, {2**62}, 300, 25, 2)")),
        "npy, objects": ("aimclr", "train_position.npy", npy("(2, 3, 6, 25, 2)", "|O")),
        "npy, negative": ("aimclr", "train_position.npy", npy("(-2, 3, 6, 25, 2)")),
        "npz": ("ctrgcn", "NTU60_CV.npz", npz(x_train=npy("(1, 1000000000, 150)"), y_train=npy("(9, 60)"))),
        "npz, labels": ("ctrgcn", "NTU60_CV.npz", npz(x_train=npy("(1, 1, 150)"), y_train=npy("(1000000000, 60)"))),
        "mat, element": ("utdmhad", "a1_s1_t1_skeleton.mat", mat(struct.pack("<II", 14, 2**32 - 1) + header)),
        "mat, numbers": (
            "utdmhad",
            "a1_s1_t1_skeleton.mat",
            mat(struct.pack("<II", 14, 1000) + header + struct.pack("<II", 9, 2**31) + bytes(940)),
        ),
        "mat, bomb": ("utdmhad", "a1_s1_t1_skeleton.mat", mat(struct.pack("<II", 15, len(zeros)) + zeros)),
        "pickle": ("pyskl", "ntu60_3danno.pkl", b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + b"x."),
        "pickle, memo": ("pyskl", "ntu60_3danno.pkl", b"]r\xff\xff\xff\x7f."),
        "pickle, frame": ("pyskl", "ntu60_3danno.pkl", b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"]."),
        "pickle, bytearray": ("pyskl", "ntu60_3danno.pkl", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."),
        "bvh": ("bvh", "walk/01.bvh", raw.BVH_HEAD.format(frames=10**9).encode() + b"1 " * 12 + b"\n"),
        "bvh, channels": (
            "bvh",
            "walk/01.bvh",
            raw.BVH_HEAD.format(frames=1).replace("CHANNELS 6", "CHANNELS 999999999").encode(),
        ),
        "bvh, depth": ("bvh", "walk/01.bvh", b"HIERARCHY ROOT a { " + b"JOINT b { " * 9000 + b"\nMOTION\n"),
        "bvh, joints without channels": (
            "bvh",
            "walk/01.bvh",
            b"HIERARCHY ROOT a { CHANNELS 1 Xposition "
            + b" ".join(b"JOINT j%d { }" % i for i in range(500))
            + b" }\nMOTION\nFrames: 90000\nFrame Time: 1\n"
            + b"1\n" * 90000,
        ),
        "json": ("nwucla", "a01_s01_e00_v01.json", b'{"label": 1, "skeletons": ' + b"[" * 10**6),
        "json, number": (
            "nwucla",
            "a01_s01_e00_v01.json",
            b'{"label": 1, "skeletons": [[[' + b"9" * 10**6 + b"]]]}",
        ),
        "ntu, frames": ("ntu60", "S001C001P001R001A001.skeleton", b"999999999\n" + b"0\n" * 1000),
        "ntu, bodies": ("ntu60", "S001C001P001R001A001.skeleton", b"1\n999999999\n"),
        "labels": ("pkummd1", "Train_Label_PKU_final/0003-R.txt", b"3,0,9999999,2\n"),
        "labels, far": ("utkinect", "actionLabel.txt", b"s01_e01\nwalk: 0 9999999999\n"),
    }


@pytest.mark.parametrize("case", list(claims()))
def test_what_a_header_claims_is_not_believed(case: str, tmp_path: Path) -> None:
    name, file, data = claims()[case]
    raw.TINY[name][0](tmp_path)
    with memory(160 if "bomb" in case else 64):  # the bomb is stopped at 64 MiB, which are copied once
        found = read_damaged(name, tmp_path, tmp_path / file, data)
    if not case.startswith("labels"):
        assert any(isinstance(item, Fault) for item in found), found


def test_json_that_is_not_ours(tmp_path: Path) -> None:
    raw.nwucla_tree(tmp_path)
    file = tmp_path / "a01_s01_e00_v01.json"
    points = np.zeros((3, 20, 3)).tolist()
    for content in (
        *([], 3, None, "x", {}, {"label": 1}, {"label": 2, "skeletons": points}, {"label": True, "skeletons": points}),
        *(
            {"label": 1, "skeletons": bad}
            for bad in (3, [], [[]], points[0], [points], [[["x"] * 3] * 20], [[1, 2], [3]])
        ),
        *({"label": 1, "skeletons": bad} for bad in ([[[None] * 3] * 20], [[[True] * 3] * 20], [[[10**400] * 3] * 20])),
    ):
        found = read_damaged("nwucla", tmp_path, file, json.dumps(content).encode())
        assert isinstance(found[0], Fault), content
    for text in (b'{"label": 1, "skeletons": [[[NaN, 1, 2]]]}', b"\xef\xbb\xbf{}", b"{'label': 1}", b"\xff{}"):
        assert isinstance(read_damaged("nwucla", tmp_path, file, text)[0], Fault)
