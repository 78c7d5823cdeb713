"""Layouts: axes by letters, there and back, bit-equal."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skelaug import to_layout

SIZES = {"N": 2, "C": 3, "T": 5, "V": 7, "M": 4}


@given(st.permutations("NCTVM"), st.permutations("NCTVM"))
def test_every_order_and_back_is_bit_exact(source: list[str], target: list[str]) -> None:
    a, b = "".join(source), "".join(target)
    x = torch.randn([SIZES[axis] for axis in a])
    y = to_layout(x, a, b)
    assert list(y.shape) == [SIZES[axis] for axis in b]
    assert y.data_ptr() == x.data_ptr(), "a permutation copies nothing"
    assert torch.equal(to_layout(y, b, a), x)
    assert torch.equal(y, x.permute([a.index(axis) for axis in b]))


@given(st.lists(st.sampled_from("NCTVM"), unique=True, min_size=2, max_size=5), st.data())
def test_flattened_axes_and_back_are_bit_exact(letters: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(letters) - 1))
    flat = " ".join(letters[:cut]) + " (" + " ".join(letters[cut:]) + ")"
    plain = "".join(data.draw(st.permutations(letters)))
    x = torch.randn([SIZES[axis] for axis in plain])
    sizes = {axis: SIZES[axis] for axis in letters[cut + 1 :]}
    assert torch.equal(to_layout(to_layout(x, plain, flat), flat, plain, **sizes), x)


@pytest.mark.parametrize(
    ("layout", "sizes"),
    [("CTVM", {}), ("MTVC", {}), ("NMTVC", {}), ("TVC", {}), ("N T (V C)", {"C": 3}), ("N T (C V)", {"C": 3}),
     ("N T (M V C)", {"M": 2, "C": 3}), ("N T (V C M)", {"M": 2, "C": 3})],
)  # fmt: skip
def test_the_fields_layouts(layout: str, sizes: dict[str, int]) -> None:
    x = torch.randn(1 if "N" not in layout else 4, 3, 6, 5, 2 if "M" in layout else 1)
    there = to_layout(x, "NCTVM", layout)
    assert torch.equal(to_layout(there, layout, "NCTVM", **sizes), x)


def test_flat_orders_by_hand() -> None:
    x = torch.zeros(1, 3, 1, 25, 2)
    for c, v, m in itertools.product(range(3), range(25), range(2)):
        x[0, c, 0, v, m] = 100 * m + 10 * c + v / 100
    ctr, contrast = to_layout(x, "NCTVM", "N T (M V C)")[0, 0], to_layout(x, "NCTVM", "N T (V C M)")[0, 0]
    assert ctr[75 + 4 * 3 + 2] == x[0, 2, 0, 4, 1] and contrast[4 * 6 + 2 * 2 + 1] == x[0, 2, 0, 4, 1]
    assert to_layout(x, "NCTVM", "MVNTC", contiguous=True).is_contiguous()


@pytest.mark.parametrize(
    ("source", "target", "sizes", "message"),
    [
        ("NCTV", "NCTVM", {}, "'NCTV' has 4 axes, x has 5"),
        ("NCTVX", "NCTVM", {}, "cannot read 'NCTVX' at 'X'"),
        ("NCTVV", "NCTVM", {}, "must name each of N, C, T, V, M at most once"),
        ("NCT(VM", "NCTVM", {}, "close its bracket"),
        ("NCTVM", "NCTV", {}, "lacks M, which has size 4 in x, not 1"),
        ("N C T V M", "NCTVM", {"M": 3}, "M=3 was given, but x has M=4"),
        ("NCTV(M)", "NCTVM", {"Q": 3}, "unknown size"),
    ],
)
def test_wrong_layouts_are_explained(source: str, target: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_layout(torch.zeros(list(SIZES.values())), source, target, **sizes)


def test_wrong_sizes_are_explained() -> None:
    x = torch.zeros(2, 5, 150)
    with pytest.raises(ValueError, match="name all but one of its sizes; missing M, V, C"):
        to_layout(x, "N T (M V C)", "NCTVM")
    with pytest.raises(ValueError, match=r"\(MVC\) of 'N T \(M V C\)' has 150 entries, not a multiple of"):
        to_layout(x, "N T (M V C)", "NCTVM", M=2, C=4)


@pytest.mark.parametrize(
    ("given_", "sizes", "kind", "message"),
    [
        ((torch.zeros(2, 3), "NT", "TN"), {"M": 2}, ValueError, "M=2 was given, but 'NT' has no M"),
        ((torch.zeros(2, 3), "N(T)", "TN"), {"T": 0}, ValueError, "T must be a whole number ≥ 1, got 0"),
        ((torch.zeros(2, 3), "N(T)", "TN"), {"T": 2.0}, ValueError, "T must be a whole number ≥ 1, got 2.0"),
        ((torch.zeros(2, 3), "N(T)", "TN"), {"T": "3"}, ValueError, "T must be a whole number ≥ 1, got '3'"),
        ((np.zeros((2, 3)), "NT", "TN"), {}, TypeError, "x must be a torch.Tensor, got ndarray; torch.from_numpy"),
        ((None, "NT", "TN"), {}, TypeError, "x must be a torch.Tensor, got NoneType"),
        ((torch.zeros(2, 3), None, "TN"), {}, TypeError, "a layout must be a string such as 'NCTVM', got None"),
        ((torch.zeros(2, 3), "NT", 3), {}, TypeError, "a layout must be a string such as 'NCTVM', got 3"),
        ((torch.zeros(2, 3), "", "TN"), {}, ValueError, "'' must name each of"),
        ((torch.zeros(2, 3), "NT", "T()N"), {}, ValueError, "close its bracket"),
        ((torch.zeros(2, 3), "NT", "T)N"), {}, ValueError, "close its bracket"),
        ((torch.zeros(2, 3), "NT", "((TN))"), {}, ValueError, "close its bracket"),
        ((torch.zeros(2, 3), "NT", "TN1"), {}, ValueError, "cannot read 'TN1' at '1'"),
    ],
)
def test_what_is_no_layout(given_: Any, sizes: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        to_layout(*given_, **sizes)


def test_empty_arrays_and_axes_of_one() -> None:
    assert to_layout(torch.zeros(0, 3, 12), "N T (M V C)", "NCTVM", M=2, C=3).shape == (0, 3, 3, 2, 2)
    assert to_layout(torch.zeros(2, 3, 0), "N T (M V C)", "NCTVM", M=2, C=3).shape == (2, 3, 3, 0, 2)
    x = torch.rand(2, 1, 3)
    assert to_layout(x, "NCT", "M T (V N)").equal(x[:, 0].T[None]) and to_layout(x, "NCT", "NT").equal(x[:, 0])
    assert to_layout(x, "N(C)T", "NCT", C=np.int64(1)).equal(x)
