"""Bits: absent entries are +0.0 whatever the present ones hold, and who is gated out is copied bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import CASES, TRANSFORMS, Case, generator, keys, make_x
from promises import THOROUGH, acts_on_graph, bits, is_plus_zero, many, same_bits, tried, whole_persons, x_of
from torch.utils import _pytree as pytree

from skelaug import Compose, OneOf, SkeletonBatch
from skelaug import transforms as T

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
every = pytest.mark.parametrize("case", CASES, ids=repr)
N = 100 if THOROUGH else 10
SEEDS = 3 if THOROUGH else 1

#: They look at several persons of a sample, or move them: what is in one may reach the other.
BETWEEN_PERSONS = {"Normalize", "Center-clip", "Align-clip", "Align-spine-clip", "PersonSwap", "PersonDrop"}


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_absent_entries_are_plus_zero(case: Case, dtype: torch.dtype) -> None:
    """Also behind a mirror, whose factors are negative, and for plain tensors."""
    behind = [T.NegateAxis("x", p=1.0), case.make(), T.NegateAxis("y", p=1.0)]
    for seed in range(SEEDS):
        batch = many(N, seed=seed, dtype=dtype)
        for transform in (case.make(), Compose(behind)):
            with torch.no_grad():
                out = transform(batch, keys=keys(N, seed))
                assert is_plus_zero(out.x, ~out.mask), "an absent entry of a batch is not +0.0"
                if acts_on_graph(case):
                    continue
                x = whole_persons(batch)
                plain = transform(x, keys=keys(N, seed))
                mask = transform(SkeletonBatch(x), keys=keys(N, seed)).mask
                assert is_plus_zero(plain, ~mask), "an absent entry of a plain tensor is not +0.0"
        tried("presence", 4 * N)


@every
def test_a_members_draw_gives_no_minus_zero_in_one_of(case: Case) -> None:
    if acts_on_graph(case) or case.make().length is not None:
        return
    transform = OneOf([T.NegateAxis("x", p=0.5), case.make(), Compose([case.make(), T.NegateAxis("z", p=1.0)], p=0.5)])
    batch = many(N)
    with torch.no_grad():
        out = transform(batch, keys=keys(N))
    assert is_plus_zero(out.x, ~out.mask)
    tried("presence", N)


# --- inf in one present entry ----------------------------------------------------------------------------------------


def with_inf(batch: SkeletonBatch, value: float) -> SkeletonBatch:
    """The batch with one entry of person 0 of sample 3 that is not finite."""
    assert batch.mask[3, 4, 1, 0]
    x = batch.x.clone()
    x[3, 0, 4, 1, 0] = value
    return SkeletonBatch(x, batch.mask)


def full_sample(n: int, dtype: torch.dtype) -> SkeletonBatch:
    """Gaps everywhere, but sample 3 is whole."""
    batch = many(n, dtype=dtype)
    mask = batch.mask.clone()
    mask[3] = True
    mask[3, -2:] = False
    x = torch.where(mask[:, None], make_x(n, dtype=dtype), 0)
    return SkeletonBatch(x, mask)


@every
@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", DTYPES if THOROUGH else DTYPES[2:3], ids=str)
def test_inf_in_one_entry_harms_nobody_else(case: Case, value: float, dtype: torch.dtype) -> None:
    transform, clean = case.make(), full_sample(8, dtype)
    hurt = with_inf(clean, value)
    others = torch.arange(8) != 3
    with torch.no_grad():
        params = transform.sample(clean, keys=keys(8))
        fresh = transform(hurt, keys=keys(8))
        assert is_plus_zero(fresh.x, ~fresh.mask), "absent entries are not +0.0"
        assert torch.isfinite(fresh.x[others]).all(), "inf reached another sample"
        expected, out = transform.replay(clean, params), transform.replay(hurt, params)
    assert same_bits(out.x[others], expected.x[others]) and same_bits(out.mask[others], expected.mask[others])
    if not case.on_others:
        clean_again = transform(clean, keys=keys(8))
        assert same_bits(fresh.x[others].detach(), clean_again.x[others].detach())
    other_person = fresh.x[3, ..., 1]
    if case in TRANSFORMS and case.name not in BETWEEN_PERSONS:
        assert torch.isfinite(other_person).all(), "inf reached the other person"
        assert same_bits(out.x[3, ..., 1], expected.x[3, ..., 1]), "the other person was harmed"
    tried("presence", 8)


@every
def test_inf_in_a_plain_tensor_harms_nobody_else(case: Case) -> None:
    if acts_on_graph(case):
        return
    transform = case.make()
    x = whole_persons(full_sample(8, torch.float32))
    hurt = x.clone()
    hurt[3, 0, 4, 1, 0] = float("inf")
    others = torch.arange(8) != 3
    with torch.no_grad():
        params = transform.sample(x, keys=keys(8))
        expected, out = transform.replay(x, params), transform.replay(hurt, params)
        mask = transform.replay(SkeletonBatch(x), params).mask
    assert same_bits(out[others], expected[others])
    absent = ~mask
    absent[3] = False
    assert is_plus_zero(out, absent)
    assert is_plus_zero(out[3:4], ~mask[3:4].any(2, keepdim=True).expand_as(mask[3:4])), "an absent person is not +0.0"
    tried("presence", 8)


# --- who is gated out ------------------------------------------------------------------------------------------------


def with_minus_zeros(n: int, dtype: torch.dtype) -> SkeletonBatch:
    """Present entries hold -0.0 here and there."""
    batch = many(n, dtype=dtype)
    some = torch.rand(batch.x.shape, generator=generator(7)) < 0.2
    x = torch.where(some & batch.mask[:, None], torch.tensor(-0.0, dtype=dtype), batch.x)
    out = batch.replace(x=x)
    assert (bits(out.x) < 0).any()
    return out


def gates(params: Any) -> torch.Tensor:
    """bool ``(N,)``: some member of a flat Compose is on."""
    return torch.stack([drawn["apply"] for drawn in params["members"]]).any(0)


@pytest.mark.parametrize("case", [c for c in CASES if c.gated], ids=repr)
@pytest.mark.parametrize("dtype", DTYPES if THOROUGH else DTYPES[2:3], ids=str)
def test_gated_out_samples_are_copied_bit_for_bit(case: Case, dtype: torch.dtype) -> None:
    transform, batch = case.make(p=0.5), with_minus_zeros(N, dtype)
    for x in [batch] if acts_on_graph(case) else [batch, batch.x]:
        with torch.no_grad():
            out, params = transform(x, keys=keys(N), return_params=True)
        off = ~params["apply"]
        assert same_bits(x_of(out)[off], batch.x[off])
        if isinstance(out, SkeletonBatch):
            assert same_bits(out.mask[off], batch.mask[off])
        tried("presence", int(off.sum()))


FUSED = {
    "matrices": lambda: [T.Shear(0.5, p=0.3), T.Rotate(30, p=0.3), T.Scale((0.5, 2), p=0.3)],
    "offsets": lambda: [T.Translate(1.0, p=0.3), T.NegateAxis("y", p=0.3)],
    "time": lambda: [T.TemporalCrop(3, p=0.3), T.Blur((0.3, 2), p=0.3), T.Reverse(p=0.3)],
    "interpolation": lambda: [T.Speed(p=0.3), T.TemporalCrop(3, p=0.3), T.Shear(0.5, p=0.3)],
    "noise": lambda: [T.Shear(0.5, p=0.3), T.GaussianNoise(0.1, p=0.3), T.JointMask(0.3, p=0.3)],
    "all": lambda: [
        T.TemporalCrop(3, p=0.2),
        T.Shear(0.5, p=0.2),
        T.Translate(1.0, p=0.2),
        T.PersonSwap(p=0.2),
        T.Blur((0.3, 2), p=0.2),
        T.GaussianNoise(0.1, p=0.2),
    ],
}


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_sample_with_no_member_on_is_copied_bit_for_bit(kind: str, dtype: torch.dtype) -> None:
    transform, n = Compose(FUSED[kind]()), 4 * N
    batch = with_minus_zeros(n, dtype)
    for x in (batch, batch.x):
        out, params = transform(x, keys=keys(n), return_params=True)
        off = ~gates(params)
        assert 0 < off.sum() < n
        assert same_bits(x_of(out)[off], batch.x[off])
        tried("presence", int(off.sum()))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_missing_joint_is_zero_where_no_member_is_on_and_the_rest_is_copied(value: float) -> None:
    x = make_x(40)
    x[:, 0, 3, 2] = value
    clean = torch.where(x.isfinite().all(1, keepdim=True), x, 0)
    for kind, members in FUSED.items():
        out, params = Compose(members())(x, keys=keys(40), return_params=True)
        assert same_bits(out[~gates(params)], clean[~gates(params)]), kind


@every
def test_params_of_a_gated_out_sample_do_not_matter(case: Case) -> None:
    """Whatever is drawn for a sample that is gated out, NaN included, it is copied."""
    if not case.gated:
        return
    transform, batch = case.make(p=0.5), with_minus_zeros(N, torch.float32)
    with torch.no_grad():
        params = transform.sample(batch, keys=keys(N))
        off = ~params["apply"]

        def spoil(v: torch.Tensor) -> torch.Tensor:
            if not v.is_floating_point():
                return v
            return torch.where(off.view(-1, *(1,) * (v.ndim - 1)), torch.nan, v)

        out = transform.replay(batch, pytree.tree_map(spoil, params))
    assert same_bits(out.x[off], batch.x[off]) and same_bits(out.mask[off], batch.mask[off])
    assert torch.isfinite(out.x).all()
    tried("replay", N)
