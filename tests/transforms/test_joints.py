"""Transforms of joints and persons: exact counts, whole limbs, hand-worked streams."""

from __future__ import annotations

import math

import pytest
import torch
from cases import SKELETON, generator, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from skelaug import SkeletonBatch
from skelaug import transforms as T
from skelaug.functional import joints as fj
from skelaug.functional import time as ft
from skelaug.functional import values as fv
from skelaug.random import Rng
from skelaug.transforms.joints import choose

seeds = st.integers(0, 2**31)


# --- masks -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.floats(0, 1), st.sampled_from(["frame", "sequence"]), seeds)
def test_joint_mask_hides_exactly_k_joints(v: int, ratio: float, per: str, seed: int) -> None:
    x = torch.ones(4, 3, 5, v, 2)
    y, params = T.JointMask(ratio, per=per)(x, generator=generator(seed), return_params=True)
    k = 0 if ratio == 0 else max(1, int(v * ratio + 1e-9))
    assert params["mask"].shape == (4, 5 if per == "frame" else 1, v)
    assert (params["mask"].sum(-1) == k).all()
    hidden = y == 0
    assert (hidden.sum(3) == k).all(), "all channels and persons alike"
    assert torch.equal(hidden, params["mask"][:, None, :, :, None].expand_as(x))


def test_joint_mask_counts_of_the_papers() -> None:
    for v, ratio, k in ((25, 0.1, 2), (25, 0.2, 5), (20, 0.15, 3), (100, 0.29, 29)):
        assert T.JointMask(ratio).sample(torch.ones(1, 1, 3, v, 1))["mask"].sum(-1).unique().tolist() == [k]


def test_joint_mask_chooses_all_joints_equally_and_anew_in_each_frame() -> None:
    mask = T.JointMask(0.25).sample(make_x(200, t=50), generator=generator())["mask"].float()
    assert mask.mean((0, 1)) == pytest.approx([0.25] * 8, abs=0.02)
    assert (mask[:, 1:] != mask[:, :-1]).any(2).float().mean() > 0.9
    ratios = T.JointMask((0.2, 0.7)).sample(make_x(600, t=2), generator=generator())["mask"].sum(-1)
    assert (ratios[:, 0] == ratios[:, 1]).all() and ratios.unique().tolist() == [1, 2, 3, 4, 5]


def test_masks_fill_what_they_say() -> None:
    batch = make_batch()
    hidden = torch.zeros(5, 12, 8, dtype=torch.bool)
    hidden[:, :, 2] = True
    for fill, expected in ((0.0, 0.0), (-2.5, -2.5)):
        out = T.JointMask(0.1, fill=fill).replay(batch, {"mask": hidden})
        assert (out.x[0, :, :, 2, 0] == expected).all() and torch.equal(out.mask, batch.mask)
        assert torch.equal(out.x[:, :, :, 3:], batch.x[:, :, :, 3:])
        assert (out.x[0, ..., 1] == 0).all(), "absent people stay 0"
    mean = T.JointMask(0.1, fill="mean").replay(batch, {"mask": hidden}).x
    torch.testing.assert_close(mean[0, :, :, 2, 0], batch.x[0, :, :, :, 0].mean(2))
    # Sample 2 lacks joint 2 in frame 0: there it is neither filled nor part of the mean.
    assert (mean[2, :, 0, 2] == 0).all()
    hidden[:, :, 3] = True
    mean = T.JointMask(0.1, fill="mean").replay(batch, {"mask": hidden}).x
    torch.testing.assert_close(mean[2, :, 0, 3, 0], batch.x[2, :, 0, [0, 1, 3, 4, 5, 6, 7], 0].mean(1))


def test_the_token_starts_at_0_and_learns() -> None:
    mask, x = T.JointMask(0.3, fill="token"), make_x()
    assert mask.token is not None and mask.token.shape == () and mask.token == 0
    y, params = mask(x, return_params=True)
    y.sum().backward()
    assert mask.token.grad == params["mask"].sum() * 3 * 2
    assert not any(leaf.requires_grad for leaf in params.values())
    with torch.no_grad():
        mask.token.fill_(0.5)
    assert (mask.replay(x, params)[params["mask"][:, None, :, :, None].expand_as(x)] == 0.5).all()


@given(st.integers(1, 4), seeds)
def test_limb_mask_hides_whole_limbs(limbs: int, seed: int) -> None:
    mask = T.LimbMask(SKELETON, limbs=limbs).sample(make_x(6), generator=generator(seed))["mask"]
    parts = [torch.tensor(joints) for name, joints in SKELETON.limbs.items() if name != "trunk"]
    for row in mask[:, 0]:
        whole = [bool(row[part].all()) for part in parts]
        assert sum(whole) == limbs and [bool(row[part].any()) for part in parts] == whole
        assert not row[list(SKELETON.limbs["trunk"])].any()


@given(st.integers(1, 20), st.floats(0, 1), st.floats(0, 1), seeds)
def test_joint_time_mask_is_a_block_within_the_valid_frames(t: int, joints: float, frames: float, seed: int) -> None:
    valid = max(1, t - 4)
    x = torch.ones(5, 3, t, 8, 1)
    x[:, :, valid:] = 0
    mask = T.JointTimeMask(joints, frames).sample(x, generator=generator(seed))["mask"]
    assert not mask[:, valid:].any()
    k = 0 if joints == 0 else max(1, int(8 * joints + 1e-9))
    if k == 0:
        assert not mask.any()
        return
    for sample in mask:
        when, which = sample.any(1).nonzero().flatten(), sample.any(0)
        assert which.sum() == k and len(when) == max(1, round(frames * valid))
        assert (when.diff() == 1).all() and sample[when].eq(which).all()


# --- jitter ----------------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), seeds)
def test_joint_jitter_misplaces_exactly_k_joints_for_the_whole_clip(ratio: float, seed: int) -> None:
    x = make_x(dtype=torch.float64)
    step = T.JointJitter(0.1, ratio)(x, generator=generator(seed)) - x
    torch.testing.assert_close(step, step[:, :, :1].expand_as(step))
    k = 0 if ratio == 0 else max(1, int(8 * ratio + 1e-9))
    assert (step.abs().sum((1, 2)).gt(1e-9).sum(1) == k).all()


def test_joint_jitter_is_relative_to_the_body() -> None:
    x = make_x(700, t=3, m=1, dtype=torch.float64)
    size = fv.body_size(x)[:, None]
    offset = ((T.JointJitter(0.05, 1.0)(x, generator=generator()) - x)[:, :, 0, :, 0] / size).flatten()
    assert kstest(offset.numpy() / 0.05, "norm").pvalue > 1e-3


# --- persons ---------------------------------------------------------------------------------------------------------


def test_person_swap_exchanges_two() -> None:
    batch, swap = make_batch(), T.PersonSwap(p=1.0)
    out = swap(batch)
    assert torch.equal(out.x, batch.x.flip(-1)) and torch.equal(out.mask, batch.mask.flip(-1))
    twice = swap(out)
    assert torch.equal(twice.x, batch.x) and torch.equal(twice.mask, batch.mask)


def test_person_swap_orders_more_at_random() -> None:
    x = torch.arange(1.0, 4).view(1, 1, 1, 1, 3).expand(1200, 1, 1, 1, 3)
    orders, counts = T.PersonSwap(p=1.0)(x, generator=generator()).flatten(1).unique(dim=0, return_counts=True)
    assert len(orders) == 6 and counts.min() > 140


def test_person_drop_takes_one_of_those_present_and_never_the_last() -> None:
    x = torch.ones(3000, 3, 2, 4, 3)
    x[1000:2000, ..., 1] = 0  # persons 0 and 2 alone
    x[2000:, ..., :2] = 0  # person 2 alone
    dropped = (T.PersonDrop(p=1.0)(x, generator=generator()) != x)[:, 0, 0, 0]
    assert (dropped[:2000].sum(1) == 1).all() and not dropped[2000:].any() and not dropped[1000:2000, 1].any()
    assert dropped[:1000].float().mean(0) == pytest.approx([1 / 3] * 3, abs=0.05)
    assert dropped[1000:2000].float().mean(0) == pytest.approx([0.5, 0, 0.5], abs=0.05)


def test_a_dropped_person_is_marked_absent() -> None:
    out, params = T.PersonDrop(p=1.0)(SkeletonBatch(make_x()), return_params=True)
    assert torch.equal(out.mask.any(1).any(1), ~params["drop"])


# --- streams ---------------------------------------------------------------------------------------------------------


def test_bone_is_the_joint_minus_its_parent() -> None:
    x = make_x()
    bones = T.Bone(SKELETON)(x)
    for joint, parent in enumerate(SKELETON.parents):
        assert torch.equal(bones[:, :, :, joint], x[:, :, :, joint] - x[:, :, :, parent])
    assert (bones[:, :, :, SKELETON.root] == 0).all()
    # Bones add up to joints.
    summed = torch.einsum("jv,nctvm->nctjm", SKELETON.ancestors(), bones)
    torch.testing.assert_close(summed, x - x[:, :, :, SKELETON.root, None], atol=1e-5, rtol=1e-5)


def test_a_bone_needs_both_its_ends() -> None:
    batch = make_batch()  # sample 2 lacks joint 2 in frame 0
    out = T.Bone(SKELETON)(batch)
    assert not out.mask[2, 0, 2].any() and out.mask[2, 0, 3].all()
    mask = batch.mask.clone()
    mask[0, 3, 1, 0] = False  # the neck, parent of both hands
    out = T.Bone(SKELETON)(SkeletonBatch(batch.x, mask))
    assert out.mask[0, 3, :, 0].tolist() == [True, False, False, False, True, True, True, True]


def test_motion_is_the_next_frame_minus_this_one() -> None:
    x = make_x()
    motion = T.Motion()(x)
    assert torch.equal(motion[:, :, :-1], x[:, :, 1:] - x[:, :, :-1]) and (motion[:, :, -1] == 0).all()
    gap = SkeletonBatch(
        torch.tensor([1.0, 2, 9, 4, 8]).view(1, 1, 5, 1, 1),
        torch.tensor([1, 1, 0, 1, 1], dtype=torch.bool).view(1, 5, 1, 1),
    )
    assert T.Motion()(gap).x.flatten().tolist() == [1, 0, 0, 4, 0], "nobody leaps to or from absence"


def test_bone_motion_is_the_motion_of_the_bones() -> None:
    batch = make_batch()
    both, chained = T.BoneMotion(SKELETON)(batch), T.Motion()(T.Bone(SKELETON)(batch))
    assert torch.equal(both.x, chained.x) and torch.equal(both.mask, chained.mask)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.JointMask(1.2), r"JointMask\(ratio=1.2\): ratio must be a number ≥ 0 and ≤ 1 or a"),
        (lambda: T.JointMask(per="clip"), r"JointMask\(per='clip'\): per must be one of 'frame', 'sequence'"),
        (lambda: T.JointMask(fill="zero"), "fill must be one of 'token', 'mean'"),
        (lambda: T.JointMask(fill=None), r"JointMask\(fill=None\): fill must be a number"),
        (lambda: T.LimbMask(SKELETON, limbs=5), r"LimbMask\(limbs=5\): limbs must be one of 1, 2, 3, 4"),
        (lambda: T.LimbMask(25), r"LimbMask\(skeleton=25\): skeleton must be a Skeleton"),
        (lambda: T.JointTimeMask(frames=-0.1), r"JointTimeMask\(frames=-0.1\)"),
        (lambda: T.JointJitter(-1), r"JointJitter\(std=-1\): std must be a number ≥ 0"),
        (lambda: T.Bone(None), r"Bone\(skeleton=None\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_explained(make: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()  # type: ignore[operator]


def test_permuted_memory_is_permuted_rightly() -> None:
    # Joints and persons lie in other places of memory, in orders that could be viewed flat.
    joints = torch.stack([torch.randperm(7) for _ in range(3)])
    frames = torch.randint(0, 5, (3, 6))
    memory = torch.randn(3, 2, 5, 7, 3)
    for x in (
        memory.permute(0, 4, 2, 3, 1),
        memory.permute(0, 4, 2, 3, 1)[:, :1],
        torch.randn(3, 2, 5, 7, 4)[..., ::2],
    ):
        assert torch.equal(fj.take_joints(x, joints), torch.stack([x[n][:, :, joints[n]] for n in range(3)]))
        both = torch.stack([x[n][:, frames[n]][:, :, joints[n]] for n in range(3)])
        assert torch.equal(fj.take_joints(ft.take_frames(x, frames), joints), both)


@pytest.mark.parametrize(("count", "size"), [(1, 5), (2, 5), (3, 5), (5, 5), (0, 5), (9, 12)])
def test_every_set_of_joints_is_equally_likely(count: int, size: int) -> None:
    rows = 40_000
    chosen = choose(Rng(1, torch.device("cpu"), generator=generator()), count, rows, size)[0]
    assert (chosen.sum(1) == count).all()
    sets = (chosen * 2 ** torch.arange(size)).sum(1)
    found, times = sets.unique(return_counts=True)
    assert len(found) == math.comb(size, count)
    if len(found) > 1:
        assert chisquare(times.numpy()).pvalue > 1e-3


def test_a_mask_may_lie_in_memory_as_it_likes() -> None:
    x, chosen = torch.randn(6, 3, 10, 25, 2), torch.rand(6, 25, 10).lt(0.3).transpose(1, 2)
    expected = torch.where(chosen[:, None, ..., None], 0, x)
    assert torch.equal(fj.fill_joints(x, chosen, 0.0), expected)
    assert torch.equal(fj.fill_joints(x, chosen, 2.0), torch.where(chosen[:, None, ..., None], 2, x))
