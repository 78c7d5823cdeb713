"""What a class declares of itself is true, on random data with gaps: containers rely on it without looking."""

from __future__ import annotations

import pytest
import torch
from cases import CASES, Case, keys, make_x
from promises import THOROUGH, many, same_bits, tried, whole_persons

from skelaug import SkeletonBatch
from skelaug.change import Change, apply

every = pytest.mark.parametrize("case", CASES, ids=repr)
N = 100 if THOROUGH else 20
SEEDS = range(4 if THOROUGH else 1)


def batches(seed: int) -> list[SkeletonBatch]:
    """Samples in which joints, persons and frames are absent, and samples in which only persons are."""
    batch = many(N, seed=seed)
    return [batch, SkeletonBatch(whole_persons(batch))]


@every
def test_presence_and_frames_stay_where_nothing_else_is_declared(case: Case) -> None:
    transform = case.make()
    for seed in SEEDS:
        for batch in batches(seed):
            with torch.no_grad():
                out = transform(batch, keys=keys(N, seed))
            assert out.x.shape[2] == (transform.length or batch.x.shape[2])
            if transform.length is not None:
                assert transform.moves_presence, "it changes T, so it moves presence"
            if not transform.moves_presence:
                assert torch.equal(out.mask, batch.mask), "it moves presence"
            tried("presence", N)


@every
def test_a_draw_reads_data_only_where_that_is_declared(case: Case) -> None:
    transform = case.make()
    if transform.data_dependent:
        return
    for seed in SEEDS:
        for batch in batches(seed):
            others = batch.replace(x=make_x(N, seed=seed + 1).flip(0) * 7 - 1)  # the same people, with other data
            drawn, again = (transform.sample(x, keys=keys(N, seed)) for x in (batch, others))
            assert same_bits(drawn, again), "its draw reads the data"
            tried("presence", N)


@pytest.mark.parametrize("case", [c for c in CASES if c.make().linear], ids=repr)
def test_the_params_of_a_linear_transform_are_a_change(case: Case) -> None:
    transform = case.make()
    for seed in SEEDS:
        for batch in batches(seed):
            params = transform.sample(batch, keys=keys(N, seed))
            with torch.no_grad():
                out = transform.replay(batch, params)
                changed = apply(batch, Change.of(params, getattr(transform, "coords", None)))
            assert torch.equal(out.mask, changed.mask)
            torch.testing.assert_close(out.x, changed.x, rtol=1e-6, atol=1e-6)
            tried("mathematics", N)
