"""Joints that come and go: gaps are filled as a loop over joints would, and origins and turns are held."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from cases import SKELETON, V, generator, make_mask, make_x
from hypothesis import given
from hypothesis import strategies as st
from promises import same_bits

from skelaug import SkeletonBatch
from skelaug import transforms as T
from skelaug.functional import gaps


def by_loops(x: np.ndarray, mask: np.ndarray, limit: int | None, how: str) -> tuple[np.ndarray, np.ndarray]:
    """The definition, joint by joint, in float64."""
    x, out = x.astype(np.float64), mask.copy()
    for n, v, m in np.ndindex(x.shape[0], x.shape[3], x.shape[4]):
        seen = np.flatnonzero(mask[n, :, v, m])
        for before, after in itertools.pairwise(seen):
            gap = after - before - 1
            if gap and (limit is None or gap <= limit):
                for frame in range(before + 1, after):
                    share = (frame - before) / (after - before) if how == "linear" else 0.0
                    x[n, :, frame, v, m] = (1 - share) * x[n, :, before, v, m] + share * x[n, :, after, v, m]
                    out[n, frame, v, m] = True
    return x, out


@given(seed=st.integers(0, 1000), limit=st.none() | st.integers(1, 5), how=st.sampled_from(["linear", "hold"]))
def test_gaps_are_filled_as_by_loops(seed: int, limit: int | None, how: str) -> None:
    x = make_x(3, t=9, seed=seed)
    mask = torch.rand(3, 9, V, 2, generator=generator(seed)) < 0.6
    mask[0] &= torch.rand(9, 1, 2, generator=generator(seed)) < 0.6  # frames without somebody
    out = T.FillGaps(limit, how)(SkeletonBatch(x, mask))
    expected, there = by_loops(torch.where(mask[:, None], x, 0).numpy(), mask.numpy(), limit, how)
    assert np.array_equal(out.mask.numpy(), there)
    np.testing.assert_allclose(out.x.numpy(), np.where(there[:, None], expected, 0), atol=1e-6)


def test_what_was_observed_and_what_lies_outside_stays() -> None:
    x, mask = make_x(), make_mask()
    batch = SkeletonBatch(x, mask)
    out = T.FillGaps()(batch)
    assert same_bits(out.x[:, :, :][mask[:, None].expand_as(x)], batch.x[mask[:, None].expand_as(x)])
    seen = np.maximum.accumulate(mask.numpy(), 1) & np.maximum.accumulate(mask.numpy()[:, ::-1], 1)[:, ::-1]
    assert np.array_equal(out.mask.numpy(), seen)


def test_a_frame_without_anybody_is_filled_in_a_plain_tensor_too() -> None:
    x = torch.ones(1, 3, 5, V, 1)
    x[:, :, 2] = 0
    assert (T.FillGaps()(x) == 1).all()
    x[:, :, 3] = math.nan
    assert (T.FillGaps(limit=2)(x) == 1).all()
    assert (T.FillGaps(limit=1)(x)[:, :, 2:4] == 0).all()


def test_neighbours_of_nothing() -> None:
    before, after = gaps.neighbours(torch.zeros(2, 4, dtype=torch.bool))
    assert (before == -1).all()
    assert (after == 4).all()


@pytest.mark.parametrize("lost", [[4], [0, 1], [3, 4, 5], [11]])
def test_the_last_known_origin_is_kept_where_the_joint_is_lost(lost: list[int]) -> None:
    x = make_x(2) + 3.0
    x[:, :, :, SKELETON.centre] = torch.arange(12.0).view(1, 1, 12, 1) / 10 + 3
    hurt = x.clone()
    hurt[:, :, lost, SKELETON.centre] = math.nan
    whole, out = T.Center(SKELETON)(x), T.Center(SKELETON)(hurt)
    kept = [t for t in range(12) if t not in lost]
    assert same_bits(out[:, :, kept], whole[:, :, kept])
    for frame in lost:
        known = max([t for t in kept if t < frame], default=min(kept))
        origin = x[:, :, known, SKELETON.centre, None]
        others = [j for j in range(V) if j != SKELETON.centre]
        assert torch.allclose(out[:, :, frame, others], (x[:, :, frame] - origin)[:, :, others])
        assert (out[:, :, frame, SKELETON.centre] == 0).all()


def test_the_last_known_turn_is_kept_where_a_shoulder_is_lost() -> None:
    x = make_x(3)
    hurt = x.clone()
    left = SKELETON.shoulders[0]
    hurt[:, :, 5:7, left] = math.nan
    whole, out = T.Align(SKELETON)(x), T.Align(SKELETON)(hurt)
    kept = [t for t in range(12) if t not in (5, 6)]
    assert same_bits(out[:, :, kept], whole[:, :, kept])
    held = x.clone()
    held[:, :, 5:7, list(SKELETON.shoulders)] = x[:, :, 4:5, list(SKELETON.shoulders)]  # the same way across
    expected = T.Align(SKELETON)(held)
    others = [j for j in range(V) if j not in SKELETON.shoulders]
    assert torch.allclose(out[:, :, 5:7, others], expected[:, :, 5:7, others], atol=1e-6)


def test_somebody_whose_joint_is_never_seen_stays() -> None:
    x = make_x(2) + 3.0
    x[0, :, :, SKELETON.centre, 1] = math.nan
    out = T.Center(SKELETON)(x)
    others = [j for j in range(V) if j != SKELETON.centre]
    assert same_bits(out[0, :, :, others, 1], x[0, :, :, others, 1])
