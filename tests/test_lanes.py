"""Gates and numbers of many lanes from one draw: what each gets, and that it depends on its own lane alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import generator
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, kstest

import skelaug
from skelaug.lanes import Asked, Number, layout, uniforms
from skelaug.random import Rng, keys

CPU = torch.device("cpu")
numbers = st.lists(
    st.tuples(st.integers(0, 4), st.floats(-2, 2, width=32), st.floats(-2, 2, width=32)), max_size=6
).map(tuple)
asked = st.tuples(st.sampled_from([0.0, 0.3, 1.0]), numbers)
several = st.lists(asked, min_size=1, max_size=5)


def lanes(way: str, n: int, wanted: list[Asked]) -> list[Rng]:
    source = {"generator": generator()} if way == "generator" else {"keys": keys(0, 0, range(n))}
    return Rng(n, CPU, **source).lanes(range(len(wanted)), wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["generator", "keys"])
@given(wanted=several)
def test_every_lane_gets_what_it_asked_for(way: str, wanted: list[Asked]) -> None:
    for rng, (p, ask) in zip(lanes(way, 7, wanted), wanted, strict=True):
        assert (rng.keep is None) == (p == 1)
        if rng.keep is not None:
            assert rng.keep.shape == (7,) and rng.keep.dtype == torch.bool
        if not ask:
            continue
        assert rng.numbers.shape == (7, len(ask)) and rng.numbers.dtype == torch.float32
        shares = {}
        for column, (which, low, high) in zip(rng.numbers.double().unbind(1), ask, strict=True):
            assert (column >= min(low, high) - 1e-6).all() and (column <= max(low, high) + 1e-6).all()
            if low == high:
                assert (column == low).all(), "a constant is exact"
            elif abs(high - low) > 0.1:  # numbers of one uniform move together
                share = (column - low) / (high - low)
                torch.testing.assert_close(shares.setdefault(which, share), share, atol=1e-4, rtol=0)


@pytest.mark.parametrize("way", ["generator", "keys"])
def test_numbers_are_uniform_and_independent(way: str) -> None:
    wanted: list[Asked] = [(0.3, uniforms(3)), (1, ()), (0.8, ((0, -2.0, 3.0), (0, 3.0, -2.0), (1, 5.0, 7.0)))]
    first, _, second = lanes(way, 4000, wanted)
    for column, low, high in zip(second.numbers.unbind(1), (-2, -2, 5), (3, 3, 7), strict=True):
        assert kstest(column.double().numpy(), "uniform", (low, high - low)).pvalue > 1e-3
    np.testing.assert_allclose(second.numbers[:, 0] + second.numbers[:, 1], 1, atol=1e-6)
    assert first.keep is not None and second.keep is not None
    for rng, p in ((first, 0.3), (second, 0.8)):
        assert binomtest(int(rng.keep.sum()), 4000, p).pvalue > 1e-3  # type: ignore[union-attr]
    later = torch.stack([first.uniform(), second.uniform(), second.uniform()], 1)
    everything = torch.cat([first.numbers, second.numbers[:, ::2], first.keep[:, None], second.keep[:, None], later], 1)
    assert np.abs(np.corrcoef(everything.double().T.numpy()) - np.eye(10)).max() < 0.06


@given(wanted=several, place=st.integers(0, 4))
def test_with_keys_a_lane_depends_on_itself_alone(wanted: list[Asked], place: int) -> None:
    place %= len(wanted)
    k = keys(1, 2, range(5))
    together = Rng(5, CPU, keys=k).lanes(range(len(wanted)), wanted)[place]
    alone = Rng(5, CPU, keys=k).fold(place).ready(wanted[place])
    if wanted[place][1]:
        torch.testing.assert_close(together.numbers, alone.numbers, atol=1e-6, rtol=0)
    assert (together.keep is None) == (alone.keep is None)
    assert together.keep is None or torch.equal(together.keep, alone.keep)
    assert torch.equal(together.uniform(3), alone.uniform(3)), "what is drawn later goes on alike"


def test_with_keys_the_probability_moves_no_numbers() -> None:
    k, ask = keys(0, 0, range(50)), uniforms(3, -1, 1)
    some, all_ = (Rng(50, CPU, keys=k).ready((p, ask)) for p in (0.5, 1.0))
    assert torch.equal(some.numbers, all_.numbers) and torch.equal(some.normal(2)[some.keep], all_.normal(2)[some.keep])
    fewer = Rng(50, CPU, keys=k).ready((0.2, ask))
    assert not (fewer.keep & ~some.keep).any(), "whoever is let through at 0.2 is at 0.5"  # type: ignore[operator]


def test_a_layout_is_made_once() -> None:
    ask: list[Asked] = [(0.5, uniforms(2)), (1, ((0, 1.0, 1.0),))]
    assert layout(ask) is layout(list(ask)) and layout(ask) is not layout(ask, 2)


def test_a_users_numbers_are_drawn_with_the_others() -> None:
    class Lift(skelaug.Transform):
        def numbers(self, batch: skelaug.SkeletonBatch) -> list[Number]:
            return [(0, 1.0, 2.0)]

        def draw(self, batch: skelaug.SkeletonBatch, rng: Rng) -> dict[str, torch.Tensor]:
            return {"height": rng.numbers[:, 0]}

        def op(self, batch: skelaug.SkeletonBatch, params: dict[str, torch.Tensor]) -> skelaug.SkeletonBatch:
            return batch.replace(x=batch.x + params["height"].view(-1, 1, 1, 1, 1))

    x = torch.zeros(200, 3, 4, 25, 1)
    out = skelaug.Compose([skelaug.transforms.Shear(0.5), Lift(), Lift(p=0.5)])(x, generator=generator())
    height = out[:, 0, 0, 0, 0]
    assert height.min() >= 1 and height.max() > 3 and 60 < int((height > 2).sum()) < 140
