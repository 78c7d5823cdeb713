"""On real recordings, with the masks they really have: absence stays zero, and moves as the drawn maps say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import skelaug
from skelaug import SkeletonBatch, policies, skeletons
from skelaug import transforms as T
from skelaug.transform import Params, Transform


@pytest.fixture(params=[("nw_ucla", "kinect20"), ("msr_action3d", "msr20")], ids=lambda pair: pair[0])
def real(request: pytest.FixtureRequest, recordings: Path) -> tuple[SkeletonBatch, skelaug.Skeleton]:
    file, name = request.param
    with np.load(recordings / f"{file}.npz") as data:
        # Every sixth clip, the shortest and the longest, and those with lost frames among the first 200 frames.
        x, length = data["x"], data["length"]
        lost = np.flatnonzero((np.abs(x).sum((1, 3, 4)) == 0).sum(1) > x.shape[2] - length)
        chosen = np.unique(np.concatenate([np.arange(0, len(x), 6), [length.argmin(), length.argmax()], lost]))
        x, length = x[chosen, :, :200], np.minimum(length[chosen], 200)
    return SkeletonBatch.from_lengths(torch.from_numpy(x), torch.from_numpy(length)), skeletons[name]


def moved(mask: Tensor, params: Params) -> Tensor:
    """The mask where the drawn index maps say it must be, sample by sample."""
    out = mask.clone()
    for n in range(len(mask)):
        if "apply" in params and not params["apply"][n]:
            continue
        if "frames" in params:
            out[n] = out[n, params["frames"][n]]
        if "joints" in params:
            out[n] = out[n][:, params["joints"][n]]
    return out


def zero_where_absent(batch: SkeletonBatch) -> bool:
    return bool((batch.x[~batch.mask[:, None].expand_as(batch.x)] == 0).all())


def test_the_recordings_have_what_is_tested(real: tuple[SkeletonBatch, skelaug.Skeleton]) -> None:
    batch, skeleton = real
    present = batch.presence[..., 0]
    assert len(batch) > 90 and not present.all(1).all() and batch.x.shape[3] == len(skeleton)
    if skeleton.name == "msr20":
        inner = present.cummax(1).values & present.flip(1).cummax(1).values.flip(1) & ~present
        assert inner.any(), "MSR Action3D has frames lost in the middle"
        assert not present.any(1).all(), "and a clip that is lost as a whole"


def test_views_are_zero_where_absent_and_masks_move_by_the_drawn_maps(
    real: tuple[SkeletonBatch, skelaug.Skeleton],
) -> None:
    batch, skeleton = real
    policy = policies.hiclr(skeleton)
    keys = skelaug.random.keys(0, 0, range(len(batch)))
    params = policy.sample(batch, keys=keys)
    views = policy.replay(batch, params)
    for i, view in enumerate(views):
        assert zero_where_absent(view)
        expected = batch.mask
        for drawn in params["views"][i]["members"]:
            expected = moved(expected, drawn)
        assert torch.equal(view.mask, expected)
    shifts = params["views"][0]["members"][0]["frames"] - torch.arange(batch.x.shape[2])
    assert (shifts != 0).any(1).float().mean() > 0.5, "hardly a crop moved anything: the test shows nothing"


@pytest.mark.parametrize("name", policies.__all__)
def test_every_policy_leaves_absence_alone(name: str, real: tuple[SkeletonBatch, skelaug.Skeleton]) -> None:
    batch, skeleton = real
    policy = getattr(policies, name)(skeleton)
    views = [policy(batch)] if isinstance(policy, Transform) else [*policy.views(batch), policy.key_view(batch)]
    for view in views:
        assert zero_where_absent(view) and torch.isfinite(view.x).all()
        # Whoever was never there is not there now.
        assert not (view.presence.any(1) & ~batch.presence.any(1)).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda s: T.Reverse(p=1.0), lambda s: T.Speed((0.5, 2), interpolation="nearest"), lambda s: T.SegmentSample(40),
        lambda s: T.TemporalCrop(3), lambda s: T.Mirror(s), lambda s: T.SwapSides(s),
    ],
    ids=["Reverse", "Speed", "SegmentSample", "TemporalCrop", "Mirror", "SwapSides"],
)  # fmt: skip
def test_index_maps_move_presence_exactly(make: object, real: tuple[SkeletonBatch, skelaug.Skeleton]) -> None:
    batch, skeleton = real
    transform: Transform = make(skeleton)  # type: ignore[operator]
    out, params = transform(batch, generator=torch.Generator().manual_seed(0), return_params=True)
    if transform.length is None:
        expected = moved(batch.mask, params)
    else:
        expected = torch.stack([batch.mask[n, frames] for n, frames in enumerate(params["frames"])])
    assert torch.equal(out.mask, expected) and zero_where_absent(out)
