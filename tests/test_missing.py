"""Joints that are missing: a joint with a value that is not finite is one that was not observed, in every call."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from cases import CASES, V, generator, keys, make_mask, make_x
from promises import acts_on_graph, is_plus_zero, same_bits, x_of

import skelaug
from skelaug import Score, SkeletonBatch
from skelaug import transforms as T

N = 6
BAD = (math.nan, math.inf, -math.inf)


def with_missing(n: int = N, c: int = 3, t: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates in which some joints of some samples are not finite in one or all channels, and where they are."""
    x = make_x(n, c, t, seed=3)
    lost = torch.rand(n, t, V, x.shape[4], generator=generator(5)) < 0.1
    lost[0] = False  # a clean sample
    lost[1, 2] = True  # a frame without anybody
    lost[2, :, :, 1] = True  # a person who is never there
    bad = torch.tensor(BAD)[torch.randint(3, lost.shape, generator=generator(6))]
    channel = torch.randint(c, lost.shape, generator=generator(7))
    hit = lost[:, None] & (
        (torch.arange(c).view(1, c, 1, 1, 1) == channel[:, None]) | (lost[:, None] & (bad > 0)[:, None])
    )
    return torch.where(hit, bad[:, None], x), lost


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_joint_that_is_not_finite_is_one_that_was_not_observed(case: Any) -> None:
    """A tensor with NaN and inf gives what the batch gives whose mask leaves these joints out."""
    if acts_on_graph(case):
        return
    transform = case.make()
    x, lost = with_missing()
    masked = SkeletonBatch(torch.where(lost[:, None], 0.0, x), ~lost)
    with torch.no_grad():
        expected = transform(masked, keys=keys(N))
        plain, batch = transform(x, keys=keys(N)), transform(SkeletonBatch(x), keys=keys(N))
    assert same_bits(plain, expected.x)
    assert same_bits(batch.x, expected.x)
    assert torch.equal(batch.mask, expected.mask)
    assert plain.isfinite().all()
    assert is_plus_zero(plain, ~expected.mask)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_sample_with_a_missing_joint_harms_no_other(case: Any) -> None:
    if acts_on_graph(case) or case.on_others:
        return
    transform, clean = case.make(), make_x(N)
    hurt = clean.clone()
    hurt[2, 1, 4, 3, 0] = math.nan
    with torch.no_grad():
        expected, out = transform(clean, keys=keys(N)), transform(hurt, keys=keys(N))
    others = torch.arange(N) != 2
    assert same_bits(x_of(out)[others], x_of(expected)[others])
    assert x_of(out).isfinite().all()


@pytest.mark.parametrize("value", BAD)
def test_one_rotation_of_a_plain_tensor_returns_zero_there(value: float) -> None:
    x = make_x()
    x[1, 2, 3, 4, 0] = value
    y = T.Rotate(30)(x, keys=keys(len(x)))
    assert (y[1, :, 3, 4, 0] == 0).all()
    assert y.isfinite().all()


def test_an_input_with_missing_joints_is_not_changed() -> None:
    x, _ = with_missing()
    before = x.clone()
    T.Rotate(30)(x)
    SkeletonBatch(x, missing="zero")
    assert same_bits(x, before)


def test_gradients_of_missing_joints_are_zero_and_those_of_others_finite() -> None:
    x, lost = with_missing()
    x.requires_grad_()
    policy = skelaug.Compose([T.Rotate(30), T.Blur((0.5, 2)), T.SkeleAdaIN()])
    policy(x, keys=keys(N)).square().sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad.transpose(0, 1)[:, lost] == 0).all()
    assert (x.grad != 0).any()


def test_compiled_calls_leave_missing_joints_out_too() -> None:
    x, _ = with_missing()
    transform = T.Rotate(30)
    params = transform.sample(x, keys=keys(N))
    compiled = torch.compile(transform.replay, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x, params), transform.replay(x, params))


# --- what a batch knows ----------------------------------------------------------------------------------------------


def test_clean_data_on_the_cpu_keep_the_mask_of_whole_persons() -> None:
    x = make_x()
    assert SkeletonBatch(x).seen.shape[2] == 1
    assert SkeletonBatch.of(x).seen.shape[2] == 1
    large = torch.full((2, 3, 4, 5, 1), 3e38)  # its sum overflows
    assert SkeletonBatch(large).seen.shape[2] == 1
    padded = torch.where(make_mask()[:, None], x, math.nan)
    whole = make_mask().any(2, keepdim=True).expand(-1, -1, V, -1)
    assert SkeletonBatch(torch.where(whole[:, None], x, padded), whole).seen.shape[2] == 1


def test_no_mask_makes_a_joint_observed_that_is_not_finite() -> None:
    x, lost = with_missing()
    all_there = torch.ones_like(lost)
    batch = SkeletonBatch(x, all_there)
    assert torch.equal(batch.mask, ~lost)
    assert torch.equal(SkeletonBatch(make_x()).replace(x=x, mask=all_there).mask, ~lost)
    assert (SkeletonBatch(make_x(N)).replace(x=x).x == batch.x).all()


def test_zeros_are_missing_joints_where_the_data_say_so() -> None:
    x = make_x()
    x[0, :, 2, 3, 0] = 0
    x[1, :, 2, 3, 0] = 0
    x[1, 1, 2, 3, 0] = 0.5  # one coordinate is not 0
    assert SkeletonBatch(x).mask.all()
    zero = SkeletonBatch(x, missing="zero")
    assert not zero.mask[0, 2, 3, 0]
    assert zero.mask.sum() == zero.mask.numel() - 1


def test_a_low_score_is_a_missing_joint() -> None:
    x = make_x()
    x[:, 2] = 0.9
    x[0, 2, 1, 4, 0], x[0, 2, 1, 5, 0], x[0, 2, 1, 6, 0] = 0.29, 0.3, math.nan
    batch = SkeletonBatch(x, missing=Score(channel=2, below=0.3))
    assert batch.mask[0, 1, :, 0].tolist() == [True, True, True, True, False, True, False, True]
    assert (batch.x[0, :, 1, 4, 0] == 0).all()
    same = SkeletonBatch(x, missing={"score": 2, "below": 0.3})  # as a configuration writes it
    assert same_bits(same, batch)


def test_every_way_to_make_a_batch_knows_missing_joints() -> None:
    x = make_x(2)
    x[0, :, 2, 3, 0] = 0
    expected = SkeletonBatch(x, missing="zero").mask
    assert torch.equal(SkeletonBatch.from_list(list(x), missing="zero").mask, expected)
    assert torch.equal(SkeletonBatch.from_lengths(x, torch.tensor([12, 12]), missing="zero").mask, expected)
    x[0, 0, 2, 3, 0] = math.nan
    assert torch.equal(SkeletonBatch.from_list(list(x)).mask, expected)
    assert torch.equal(SkeletonBatch.from_lengths(x, torch.tensor([12, 12])).mask, expected)


def test_clips_with_fewer_persons_are_padded_with_absent_ones() -> None:
    one, two = make_x(1, t=5, m=1)[0], make_x(1, t=7, m=2)[0]
    batch = SkeletonBatch.from_list([one, two])
    assert batch.x.shape == (2, 3, 7, V, 2)
    assert same_bits(batch.x[0, :, :5, :, :1], one)
    assert batch.presence[0].tolist() == [[True, False]] * 5 + [[False, False]] * 2
    assert batch.presence[1].all()
    again = SkeletonBatch.cat([SkeletonBatch(one[None]), SkeletonBatch(two[None])])
    assert same_bits(again, batch)


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ("none", ValueError, "missing must be 'nan', 'zero' or skelaug.Score"),
        (None, TypeError, "got NoneType"),
        (0.3, TypeError, "got float"),
        ({"score": 2}, ValueError, "a mapping must hold score, a channel, and below"),
        ({"score": 2.5, "below": 0.3}, TypeError, "channel must be a whole number"),
        ({"score": 7, "below": 0.3}, ValueError, "x has 3 channels, so the last one is 2"),
    ],
)
def test_other_ways_to_be_missing_are_refused(missing: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SkeletonBatch(make_x(), missing=missing)


# --- on the way into a model -----------------------------------------------------------------------------------------


def coded(how: str) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """(x, y, score) with joints that are missing in this way, where they are, and what ``missing`` says."""
    x, lost = make_x(N), torch.rand(N, 12, V, 2, generator=generator(5)) < 0.1
    x[:, 2] = 0.9
    if how == "score":
        x[:, 2] = torch.where(lost, 0.1, x[:, 2])
        return x, lost, Score(channel=2, below=0.3)
    return torch.where(lost[:, None], 0.0 if how == "zero" else math.nan, x), lost, how


@pytest.mark.parametrize("how", ["nan", "zero", "score"])
@pytest.mark.parametrize("beside", ["nothing", "length", "mask"])
def test_adapters_know_missing_joints(how: str, beside: str) -> None:
    x, lost, missing = coded(how)
    batch: dict[str, Any] = {"keypoint": x}
    if beside == "length":
        batch["length"] = torch.full((N,), 12)
    if beside == "mask":
        batch["mask"] = torch.ones(N, 12, V, 2, dtype=torch.bool)
    places = {beside: beside} if beside != "nothing" else {}
    augment = skelaug.AugmentBatch(T.Rotate(30, axes="z", coords=2), key="keypoint", missing=missing, **places)
    torch.manual_seed(0)
    out = augment(batch)["keypoint"]
    assert (out.transpose(0, 1)[:, lost] == 0).all()
    assert (out.transpose(0, 1)[:, ~lost] != 0).all()
    collate = skelaug.Collate(T.Rotate(30, axes="z", coords=2), key=0, missing=missing)
    (collated,) = collate([(clip,) for clip in x])
    assert (collated.transpose(0, 1)[:, lost] == 0).all()
    model = skelaug.Augment(torch.nn.Identity(), T.Rotate(30, axes="z", coords=2), missing=missing)
    assert (model(x).transpose(0, 1)[:, lost] == 0).all()


def test_an_adapter_refuses_other_ways() -> None:
    with pytest.raises(ValueError, match=r"AugmentBatch.*missing must be 'nan', 'zero'"):
        skelaug.AugmentBatch(T.Rotate(30), missing="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_step_of_a_pipeline_leaves_joints_without_a_score_out(value: float) -> None:
    from skelaug.compat.pyskl import SkelAug

    keypoint = make_x(1, c=2)[0].permute(3, 1, 2, 0).numpy().copy()  # (M, T, V, 2)
    score = torch.full(keypoint.shape[:3], 0.9).numpy()
    score[1, 3, 5] = 0
    keypoint[0, 2, 4, 1] = value or keypoint[0, 2, 4, 1]
    results = {"keypoint": keypoint.copy(), "keypoint_score": score.copy(), "total_frames": 12, "label": 0}
    out = SkelAug(T.Translate(0.3), coords=2)(results)
    assert (out["keypoint"][1, 3, 5] == 0).all()
    assert (out["keypoint"][1, 3, 4] != keypoint[1, 3, 4]).any()
    if math.isnan(value):
        assert (out["keypoint"][0, 2, 4] == 0).all()
        assert out["keypoint_score"][0, 2, 4] == 0
    assert (out["keypoint_score"][0, 5] == score[0, 5]).all()


def test_a_video_without_a_detection_goes_through_a_step() -> None:
    import numpy as np

    from skelaug.compat.pyskl import SkelAug

    results = {"keypoint": np.zeros((0, 12, 17, 2), np.float32), "total_frames": 12, "label": 0}
    for policy in ("crossclr", "pyskl_strong"):
        out = SkelAug(policy, "coco17", coords=2)(dict(results))
        assert out["keypoint"].shape[0] == 0
