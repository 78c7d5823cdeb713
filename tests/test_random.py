"""Draws: distributions, independence of lanes and samples, and golden values that guard against silent changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import generator
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

import skelaug
from skelaug import skeletons, synthetic_motion
from skelaug.random import Rng, _words, fold_in, keys

CPU = torch.device("cpu")
WAYS = ["global", "generator", "keys"]
whole = st.integers(-(2**63), 2**63 - 1)


def rng(way: str, n: int, seed: int = 0) -> Rng:
    if way == "global":
        torch.manual_seed(seed)
        return Rng(n, CPU)
    if way == "generator":
        return Rng(n, CPU, generator=generator(seed))
    return Rng(n, CPU, keys=keys(seed, 0, range(n)))


@pytest.mark.parametrize("way", WAYS)
def test_distributions(way: str) -> None:
    source = rng(way, 200)
    u, z = source.uniform(150, low=-2, high=3), source.normal(151)
    assert u.dtype == z.dtype == torch.float32 and u.shape == (200, 150) and z.shape == (200, 151)
    assert kstest(u.flatten().double().numpy(), "uniform", (-2, 5)).pvalue > 1e-3
    assert kstest(z.flatten().double().numpy(), "norm").pvalue > 1e-3
    assert u.min() >= -2 and u.max() <= 3 and torch.isfinite(z).all()
    counts = source.integers(7, 100).flatten().bincount()
    assert len(counts) == 7 and chisquare(counts.numpy()).pvalue > 1e-3
    order = source.permutation(4, 60)
    assert (order.sort(-1).values == torch.arange(4)).all()
    _, counts = order.flatten(0, 1).unique(dim=0, return_counts=True)
    assert len(counts) == 24 and chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_samples_draws_and_calls_are_independent(way: str) -> None:
    source = rng(way, 400)
    first, second = source.uniform(100), source.uniform(100)
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.02
    assert abs(np.corrcoef(first[:-1].flatten(), first[1:].flatten())[0, 1]) < 0.02
    assert abs(np.corrcoef(first[:, :-1].flatten(), first[:, 1:].flatten())[0, 1]) < 0.02


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("default", [torch.float64, torch.float16, "meta"], ids=str)
def test_draws_do_not_depend_on_the_default_dtype_or_device(way: str, default: torch.dtype | str) -> None:
    def draws() -> list[torch.Tensor]:
        source = rng(way, 5)
        kept, *parts = source.chance(0.5), *source.split([0, 1])
        numbers = [part.uniform(20, low=-1) for part in parts] + [part.uniform(3, 2) for part in parts]
        return [kept, *numbers, source.normal(3), source.integers(9, 4), source.permutation(6)]

    expected = draws()
    if isinstance(default, str):
        with torch.device(default):
            inside = draws()
    else:
        torch.set_default_dtype(default)
        try:
            inside = draws()
        finally:
            torch.set_default_dtype(torch.float32)
    for a, b in zip(inside, expected, strict=True):
        assert a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)


def test_box_mullers_pairs_are_independent() -> None:
    z = rng("keys", 400).normal(200)
    a, b = z[:, :100].flatten(), z[:, 100:].flatten()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02 and abs(np.corrcoef(a**2, b**2)[0, 1]) < 0.02


@given(whole, st.integers(0, 2**31), st.lists(st.integers(0, 2**40), min_size=2, max_size=50, unique=True))
def test_keys_are_distinct_over_ids_epochs_and_seeds(seed: int, epoch: int, ids: list[int]) -> None:
    k = keys(seed, epoch, ids)
    assert k.dtype == torch.int64 and k.unique().numel() == len(ids)
    others = torch.cat([k, keys(seed + 1, epoch, ids), keys(seed, epoch + 1, ids), keys(epoch, seed, ids)])
    assert others.unique().numel() >= (3 if seed == epoch else 4) * len(ids)


@given(whole, st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_lanes_are_distinct(key: int, a: int, b: int) -> None:
    k = torch.tensor([key])
    assert (fold_in(k, a) == fold_in(k, b)).item() == (a == b)
    assert fold_in(fold_in(k, 1), 2) != fold_in(fold_in(k, 2), 1)


def test_lanes_are_independent() -> None:
    k = keys(0, 0, range(2000))
    draws = [Rng(2000, CPU, keys=fold_in(k, lane)).uniform(20).flatten() for lane in (-1, 0, 1, 2)]
    draws += [Rng(2000, CPU, keys=k).uniform(20).flatten()]
    assert np.abs(np.corrcoef(torch.stack(draws)) - np.eye(5)).max() < 0.03


def test_neighbouring_ids_draw_independently() -> None:
    u = Rng(5000, CPU, keys=keys(0, 0, range(5000))).uniform(1)[:, 0]
    assert kstest(u.numpy(), "uniform").pvalue > 1e-3
    assert max(abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) for lag in (1, 2, 64)) < 0.05


@given(st.lists(st.integers(0, 99), min_size=1, max_size=20))
def test_a_keyed_draw_belongs_to_its_sample(chosen: list[int]) -> None:
    k = keys(3, 4, range(100))
    everything = Rng(100, CPU, keys=k).normal(7)
    assert torch.equal(Rng(len(chosen), CPU, keys=k[chosen]).normal(7), everything[chosen])


def test_keys_take_what_a_loader_gives() -> None:
    expected = keys(1, 2, torch.tensor([5, 6]))
    for ids in ([5, 6], range(5, 7), torch.tensor([5, 6], dtype=torch.int32)):
        assert torch.equal(keys(1, 2, ids), expected)
    assert keys(0, 0, []).shape == (0,)
    with pytest.raises(TypeError, match=r"ids must be integers \(N,\), got torch.float32"):
        keys(0, 0, torch.ones(3))
    with pytest.raises(TypeError):
        keys(0.5, 0, [1])  # type: ignore[arg-type]


def test_wrong_keys_are_explained() -> None:
    for wrong in (torch.zeros(3), torch.zeros(4, dtype=torch.int64), [1, 2, 3]):
        with pytest.raises(ValueError, match=r"keys must be an int64 tensor \(3,\), one a sample"):
            Rng(3, CPU, keys=wrong)  # type: ignore[arg-type]


# Golden values: if one of these changes, every seed gives other augmentations. That is a minor version, and the
# changelog says so under "Changed draws".


def test_a_float_below_one_never_rounds_up_to_the_count() -> None:
    below = torch.tensor(1.0).nextafter(torch.tensor(0.0))
    counts = torch.arange(1, 1 << 20)
    assert ((below * counts).long() == counts - 1).all()


def test_golden_splitmix64() -> None:
    # SplitMix64's published first outputs for the state 1234567.
    state = torch.tensor([1234567])
    words = [int(w) % 2**64 for w in _words(state, 1, 3)[0]]
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_keyed_uniforms_by_plain_python() -> None:
    def mix(z: int) -> int:
        z &= 2**64 - 1
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return z ^ (z >> 31)

    k = keys(5, 6, range(3))
    expected = [[mix(key + (i + 1) * 0x9E3779B97F4A7C15) for i in range(8)] for key in k.tolist()]
    halves = [[w >> 40 for w in row] + [(w >> 8) & 0xFFFFFF for w in row] for row in expected]
    drawn = Rng(3, CPU, keys=k).uniform(16)
    assert (drawn.double() * 2**24).long().tolist() == halves


def test_golden_draws() -> None:
    k = keys(0, 0, [0, 1])
    assert k.tolist() == GOLDEN_KEYS
    assert fold_in(k, 1).tolist() == GOLDEN_FOLDED
    assert Rng(2, CPU, keys=k).uniform(3).flatten().tolist() == pytest.approx(GOLDEN_UNIFORM, abs=1e-7)
    assert Rng(2, CPU, keys=k).normal(3).flatten().tolist() == pytest.approx(GOLDEN_NORMAL, abs=1e-5)
    assert Rng(2, CPU, keys=k).integers(10, 4).flatten().tolist() == GOLDEN_INTEGERS


def golden_views(**given: object) -> list[float]:
    skeleton = skeletons["ntu25"]
    x = synthetic_motion(skeleton, 2, 30, generator=generator()).x
    views = skelaug.policies.hiclr(skeleton).views(x, **given)  # type: ignore[arg-type]
    return [float(view[n, c, 10, 7, 0]) for view in views for n in range(2) for c in range(3)]


def test_golden_views() -> None:
    assert golden_views(keys=keys(0, 0, [0, 1])) == pytest.approx(GOLDEN_KEYED_VIEWS, abs=1e-5)
    assert golden_views(generator=generator(0)) == pytest.approx(GOLDEN_GENERATOR_VIEWS, abs=1e-5)


GOLDEN_KEYS = [-6253303799363608365, -287080572761539684]
GOLDEN_FOLDED = [4834498066766924299, -8254498482759355138]
GOLDEN_UNIFORM = [0.16255808, 0.934466, 0.68678623, 0.57694614, 0.43945646, 0.83952659]
GOLDEN_NORMAL = [-0.419552, -0.533237, -0.90152, 1.139255, 0.061873, -0.520005]
GOLDEN_INTEGERS = [1, 9, 6, 3, 5, 4, 8, 5]
GOLDEN_KEYED_VIEWS = [
    0.089041,
    -0.324836,
    -0.279844,
    -0.081756,
    -0.191164,
    -0.420485,
    0.0,
    -0.206569,
    -0.17487,
    0.0,
    -0.083574,
    -0.166606,
    0.159246,
    0.0,
    0.353889,
    -0.016231,
    -0.321964,
    0.191903,
]
GOLDEN_GENERATOR_VIEWS = [
    -0.027709,
    -0.304699,
    -0.194072,
    -0.113962,
    -0.360248,
    -0.372892,
    -0.267775,
    0.0,
    -0.077496,
    -0.043479,
    0.0,
    -0.16957,
    0.026109,
    -0.315582,
    0.0,
    0.04015,
    0.0,
    -0.216394,
]
