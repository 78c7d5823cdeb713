"""Pickles of plain data come back; whatever else they hold is refused by name, and never run."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelaug_contrib.datasets.sources.files import Broken
from skelaug_contrib.datasets.sources.pickles import read_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def same(a: Any, b: Any) -> bool:
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, np.ndarray):
        # NumPy itself may bring the bytes of a pickled array into the machine's order.
        return (
            isinstance(a, np.ndarray)
            and a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=")
            and np.array_equal(a, b)
        )
    return type(a) is type(b) and (a == b or a != a)


PLAIN = {
    "annotations": [
        {
            "frame_dir": "S001C001P001R001A001",
            "keypoint": np.arange(12, dtype=np.float16).reshape(1, 2, 2, 3),
            "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "other order": np.arange(3, dtype=">i4"),
            "empty": np.zeros((0, 3)),
            "one": np.array(5.0),
            "strings": np.array(["a", "bcd"]),
            "bytes": np.array([b"a", b"bcd"]),
            "bools": np.array([True, False]),
            "scalars": (np.float32(2.5), np.int64(7), np.bool_(True)),
        }
    ],
    "plain": (1, -(10**30), 2.5, float("nan"), True, None, "žluť", b"\xff", b"", "", [], {}, ()),
    3: list(range(2000)),
}
PLAIN["again"] = PLAIN["annotations"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_come_back(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pickle.dumps(PLAIN, protocol))
    assert same(read_pickle(tmp_path / "a"), PLAIN)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary())
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(TREES, st.sampled_from(list(PROTOCOLS)), st.booleans())
def test_any_plain_data_come_back(value: Any, protocol: int, optimised: bool) -> None:
    data = pickle.dumps(value, protocol)
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"skelaug-pickle-{os.getpid()}"
    path.write_bytes(pickletools.optimize(data) if optimised else data)
    try:
        assert same(read_pickle(path), value)
    finally:
        path.unlink()


class Runs:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("/tmp/skelaug-must-not-exist",))


class WithState:
    def __init__(self) -> None:
        self.a = 1


REFUSED = [
    Runs(),
    WithState(),
    {1, 2},
    frozenset([1]),
    collections.OrderedDict(a=1),
    1j,
    range(3),
    slice(1),
    len,
    np.array([object(), None]),
    np.zeros(2, [("a", "f4")]),
    np.ma.array([1]),
    np.datetime64("2020"),
    np.random.default_rng(0),
    Path("x"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_the_rest_is_refused_by_name(index: int, protocol: int, tmp_path: Path) -> None:
    value = REFUSED[index]
    try:
        data = pickle.dumps({"a": [value]}, protocol)
    except TypeError:
        pytest.skip("cannot be pickled so")
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(Broken, match=r"pickle refused: .*only lists, tuples, dicts"):
        read_pickle(tmp_path / "a")
    assert not Path("/tmp/skelaug-must-not-exist").exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cos\nsystem\n(S'ls'\ntR.", r"names 'os\.system'"),
        (b"cbuiltins\neval\n(S'1'\ntR.", r"names 'builtins\.eval'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", r"names 'os\.system'"),
        (b"(ios\nsystem\n.", "an object, a set or a reference outside"),
        (b"\x80\x02\x82\x01.", "an object, a set or a reference outside"),
        (b"P1\n.", "an object, a set or a reference outside"),
        (b"cnumpy\nndarray\n(I5\ntR.", "a call of something else than NumPy's"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "NumPy type"),
        (b"cnumpy\ndtype\n(S'f4,f4'\nI0\nI1\ntR.", "NumPy type"),
        (b"c_codecs\nencode\n(Vx\nVzip\ntR.", "text in"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000\ntS'b'\ntR.", "an array that is none"),
        (b"", "it claims 1 bytes more, 0 are there"),
        (b".", "is no pickle, or damaged"),
        (b"not a pickle", "is no pickle, or damaged"),
        (b"I" + b"9" * 9999 + b"\n.", "is no pickle, or damaged"),
    ],
)
def test_written_by_hand(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(Broken, match=reason):
        read_pickle(tmp_path / "a")


def test_an_array_that_is_shorter_than_it_says(tmp_path: Path) -> None:
    data = pickle.dumps(np.arange(100.0), 2)
    (tmp_path / "a").write_bytes(data.replace(b"Kd\x85", b"Ke\x85"))
    with pytest.raises(Broken, match="damaged"):
        read_pickle(tmp_path / "a")
