"""Channels that are no coordinates: with ``coords=2`` on (x, y, score), in every transform, policy and adapter."""

from __future__ import annotations

import pytest
import torch
from cases import CASES, Case, generator, keys, make_batch, make_x
from torch import Tensor

import skelaug
from skelaug import SkeletonBatch
from skelaug.coordinates import with_coords

every = pytest.mark.parametrize("case", CASES, ids=repr)


def scored(score: Tensor | None = None, gaps: bool = True) -> SkeletonBatch:
    """(x, y, score) of five samples, with all that can be absent."""
    batch = make_batch(c=2) if gaps else SkeletonBatch(make_x(c=2))
    if score is None:
        score = torch.rand(5, 1, *batch.x.shape[2:], generator=generator(7)).clamp(min=0.01)
    return batch.replace(x=torch.cat([batch.x, score], 1))


@every
@pytest.mark.parametrize("gaps", [True, False])
def test_scores_reach_no_coordinate_and_stay_scores(case: Case, gaps: bool) -> None:
    transform, batch = with_coords(case.make(), 2), scored(gaps=gaps)
    halved = batch.replace(x=batch.x * torch.tensor([1, 1, 0.5]).view(3, 1, 1, 1))
    alone = batch.replace(x=batch.x[:, :2])
    for seed in range(3):
        out, half, only = (transform(x, keys=keys(5, seed)) for x in (batch, halved, alone))
        assert torch.equal(out.x[:, :2], half.x[:, :2]), "a score reached a coordinate"
        assert torch.equal(out.x[:, :2], only.x), "with a score beside them coordinates change otherwise"
        assert torch.equal(out.mask, half.mask) and torch.equal(out.mask, only.mask)
        assert torch.equal(out.x[:, 2], 2 * half.x[:, 2]), "a coordinate reached a score"
        assert (out.x[:, 2] >= 0).all() and (out.x[:, 2] <= 1).all()
        assert (out.x[:, 2][~out.mask] == 0).all()
    plain = batch.x
    out, half = (x_of(transform(takes(transform, x), keys=keys(5))) for x in (plain, halved.x))
    assert torch.equal(out[:, :2], half[:, :2]) and torch.equal(out[:, 2], 2 * half[:, 2])


def takes(transform: skelaug.Transform, x: Tensor) -> Tensor | SkeletonBatch:
    return SkeletonBatch(x) if skelaug.policy.acts_on_graph(transform) else x


def x_of(out: Tensor | SkeletonBatch) -> Tensor:
    return out if isinstance(out, Tensor) else out.x
