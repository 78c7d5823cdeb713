"""Nobody, nothing and one of each: N, T, M and V of 0 and 1."""

from __future__ import annotations

import itertools

import pytest
import torch
from cases import CASES, SKELETON, Case, keys, make_x
from promises import THOROUGH, acts_on_graph, attempt, is_clear, is_plus_zero, tried, x_of
from torch import Tensor

from skelaug import Compose, OneOf, Skeleton, SkeletonBatch, Transform, policies
from skelaug import transforms as T

every = pytest.mark.parametrize("case", CASES, ids=repr)
ALL = [(n, t, m) for n, t, m in itertools.product((0, 1, 3), (0, 1, 4), (0, 1, 2)) if 0 in (n, t, m) or 1 in (n, t, m)]
GATES = (0.0, 0.5) if THOROUGH else (0.5,)
#: One axis at a time, and all of them.
SIZES = ALL if THOROUGH else [(0, 4, 2), (1, 4, 2), (3, 0, 2), (3, 1, 2), (3, 4, 0), (3, 4, 1), (0, 0, 0), (1, 1, 1)]


def takes_any_joints(transform: Transform) -> bool:
    """No member holds a skeleton or a graph."""
    parts = [m for m in transform.modules() if isinstance(m, Transform)]
    return all(part.skeleton is None and getattr(part, "graph", None) is None for part in parts)


def batches(x: Tensor) -> list[SkeletonBatch]:
    """Everybody, nobody, and every other frame."""
    n, _, t, v, m = x.shape
    odd = (torch.arange(t) % 2 == 1)[None, :, None, None].expand(n, t, v, m)
    return [SkeletonBatch(x), SkeletonBatch(torch.zeros_like(x)), SkeletonBatch(x, odd)]


def check(transform: Transform, x: Tensor | SkeletonBatch) -> None:
    n, c, t, v, m = x_of(x).shape
    with torch.no_grad():
        for draws in ({}, {"keys": keys(n)}) if THOROUGH else ({"keys": keys(n)},):
            out, params = transform(x, return_params=True, **draws)
            again = transform.replay(x, params)
            assert x_of(out).shape == x_of(again).shape == (n, c, transform.length or t, v, m)
            assert torch.isfinite(x_of(out)).all()
            if isinstance(out, SkeletonBatch):
                assert out.mask.shape == (n, *out.x.shape[2:]) and is_plus_zero(out.x, ~out.mask)


@every
def test_small_n_t_m(case: Case) -> None:
    wrong = {}
    for n, t, m in SIZES:
        x = make_x(n, 3, t, m)
        for data in batches(x) if acts_on_graph(case) else [x, torch.zeros_like(x), *batches(x)]:
            for transform in [case.make(), *([case.make(p=p) for p in GATES] if case.gated else [])]:
                _, error = attempt(lambda transform=transform, data=data: check(transform, data))
                if error is not None:
                    wrong[n, t, m, type(data).__name__] = f"{type(error).__name__}: {str(error)[:80]}"
                tried("presence", 1)
    assert not wrong, wrong


@every
def test_one_joint_and_none(case: Case) -> None:
    """One joint must work; none must work or be refused in clear words."""
    transform = case.make()
    if not takes_any_joints(transform):
        return
    wrong = {}
    for v, n, t, m in itertools.product((0, 1), (0, 1, 3) if THOROUGH else (3,), (1, 4), (0, 1, 2)):
        x = make_x(n, 3, t, m)[:, :, :, :v].contiguous()
        for data in [x, *batches(x)]:
            _, error = attempt(lambda data=data: check(transform, data))
            if error is not None and (v or is_clear(error)):
                wrong[v, n, t, m, type(data).__name__] = f"{type(error).__name__}: {str(error)[:80]}"
            tried("presence", 1)
    assert not wrong, wrong


@pytest.mark.parametrize("fill", [0.0, 0.5, "mean", "token"])
@pytest.mark.parametrize("per", ["frame", "sequence"])
def test_a_joint_mask_on_one_joint_and_two_persons_with_nobody_drawn(fill: float | str, per: str) -> None:
    x = torch.randn(3, 3, 4, 1, 2)
    for transform in (
        T.JointMask(0.3, per, fill, p=0.0),
        T.JointTimeMask(fill=fill, p=0.0),
        Compose([T.Shear(0.5), T.JointMask(0.3, per, fill, p=0.0), T.JointMask(0.5, per, fill)]),
        OneOf([T.JointMask(0.3, per, fill), T.JointTimeMask(fill=fill)], weights=[0, 1]),
    ):
        for data in (x, SkeletonBatch(x), SkeletonBatch(x, torch.rand(3, 4, 1, 2) > 0.5)):
            check(transform, data)


def test_one_joint_has_a_skeleton_too() -> None:
    one = Skeleton("one", ("hip",), (0,))
    x = torch.randn(3, 3, 4, 1, 2)
    members = [T.Bone(one), T.BoneMotion(one), T.BoneLengthTransfer(one), T.Center(one)]
    with pytest.warns(UserWarning, match="no pairs"):
        members += [T.Mirror(one), T.SwapSides(one)]
    for transform in [*members, T.DropEdges(0.5, one), T.AddEdges(0.5, one)]:
        for data in batches(x):
            check(transform, data)


@pytest.mark.parametrize("mode", ["mask", "edges", "adain", "all"])
@pytest.mark.parametrize("stream", ["joint", "bone", "motion", "bone_motion"])
def test_growing_policies(mode: str, stream: str) -> None:
    policy = policies.hiclr(SKELETON, mode, stream)
    for n, t, m in SIZES:
        x = SkeletonBatch(make_x(n, 3, t, m))
        for views in (policy.views(x), policy.views(x, keys=keys(n)), [policy.key_view(x)]):
            for view in views:
                assert view.x.shape == x.x.shape and torch.isfinite(view.x).all()
        assert torch.isfinite(policy.strength(x)).all()


def test_batches_of_nothing() -> None:
    """The batch's own methods, for every size."""
    for n, t, m in SIZES:
        x = make_x(n, 3, t, m)
        batch = SkeletonBatch(x, label=torch.arange(n))
        assert batch.presence.shape == (n, t, m) and len(batch) == n
        assert SkeletonBatch.cat([batch, batch]).x.shape[0] == 2 * n
        assert SkeletonBatch.cat([batch, SkeletonBatch(make_x(2, 3, 6, m), label=torch.arange(2))]).x.shape[2] == 6
        assert batch[: n // 2].x.shape[0] == n // 2 and batch[torch.zeros(n, dtype=torch.bool)].x.shape[0] == 0
        assert SkeletonBatch.from_lengths(x, torch.full((n,), t)).x.shape == x.shape
        if n:
            assert SkeletonBatch.from_list(list(x)).x.shape == x.shape
