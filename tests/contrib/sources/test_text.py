"""Numbers from text: exactly what float() makes of them, and the line of whatever is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelaug_contrib.datasets.sources.files import Broken
from skelaug_contrib.datasets.sources.text import table, to_count, to_float

SPELLED = st.one_of(
    st.floats(width=32).map(repr),
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map(lambda v: f"{v:.7g}"),
    st.floats(-1e6, 1e6).map(lambda v: f"{v:.6f}"),
    st.floats().map(lambda v: f"{v:e}"),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"-?[0-9]{0,12}\.[0-9]{1,18}", fullmatch=True),
    st.sampled_from(["nan", "NaN", "inf", "-inf", "Infinity", "+1.5", "-0", "-0.0", "5.", ".5", "-.5", "1e400", "007"]),
)


@given(st.lists(st.lists(SPELLED, min_size=3, max_size=3), min_size=1, max_size=20), st.sampled_from([" ", "  ", "\t"]))
def test_a_table_is_what_float_makes_of_it(words: list[list[str]], gap: str) -> None:
    text = "\n".join(gap.join(row) for row in words)
    expected = np.array([[float(word) for word in row] for row in words])
    found = table(text.encode(), 3)
    np.testing.assert_array_equal(found, expected)
    assert (np.signbit(found) == np.signbit(expected))[~np.isnan(expected)].all()


def test_a_long_table() -> None:
    values = np.random.default_rng(0).normal(size=(70_000, 2)).astype(np.float32)
    text = "\n".join(f"{a:.9g} {b:.9g}" for a, b in values.astype(float))
    np.testing.assert_array_equal(table(text.encode(), 2).astype(np.float32), values)


@pytest.mark.parametrize(
    "token",
    ["x", "-", ".", "1.2.3", "--1", "1-2", "1e", "1_0", "0x10", "1,5", "1/2", "1:5", "²", "e5", "1\x005"],
)
def test_what_is_no_number_is_named_with_its_line(token: str) -> None:
    with pytest.raises(Broken, match=r"is not a number|has 3 numbers") as caught:
        table(f"1 2\n\n3 {token}\n4 5\n".encode(), 2)
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("text", "line", "count"), [("1 2\n3\n", 2, 1), ("1 2 3\n", 1, 3), ("\n\n1 2\n\n1 2 3", 5, 3), ("1 2\n3", 2, 1)]
)
def test_a_line_of_another_length_is_named(text: str, line: int, count: int) -> None:
    with pytest.raises(Broken, match=rf"has {count} numbers, expected 2") as caught:
        table(text.encode(), 2)
    assert caught.value.line == line
    with pytest.raises(Broken) as caught:
        table(text.encode(), 2, first_line=10)
    assert caught.value.line == line + 9


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n \t\n"])
def test_nothing_is_an_empty_table(text: bytes) -> None:
    assert table(text, 4).shape == (0, 4)


def test_words() -> None:
    assert math.isnan(to_float("NaN")) and to_float("-1e3") == -1000
    for word in ("1_0", "", "x"):
        with pytest.raises(ValueError):  # noqa: PT011 - float()'s own has another text
            to_float(word)
    assert [to_count(word) for word in ("12\r", " 0 ", "-1", "+1", "1.0", "", "1" * 10, "x", "²")] == [
        *(12, 0),
        *(None,) * 7,
    ]
