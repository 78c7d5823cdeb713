"""A map of time that changes nothing loses no present frame to rounding, whatever the length and wherever the gaps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import generator, keys, make_x
from promises import THOROUGH, tried
from torch import Tensor

from skelaug import Compose, SkeletonBatch, Transform
from skelaug import transforms as T

IDENTITIES: dict[str, Any] = {
    "CropResize": lambda t: T.CropResize((1, 1), length=t),
    "CropResize-image": lambda t: T.CropResize((1, 1), length=t, align_corners=False),
    "TimeWarp": lambda t: T.TimeWarp(strength=0),
    "TimeWarp-2": lambda t: T.TimeWarp(strength=0, knots=2),
    "Speed": lambda t: T.Speed((1, 1)),
    "Speed-nearest": lambda t: T.Speed((1, 1), interpolation="nearest"),
    "SegmentSample": lambda t: T.SegmentSample(t),
    "Compose": lambda t: Compose([T.TimeWarp(strength=0), T.Shear((0, 0)), T.Speed((1, 1))]),
}
CHANGE_LENGTH = ("CropResize", "CropResize-image", "SegmentSample")


def gaps(frames: int) -> Tensor:
    """Presence ``(n, frames)``: each single frame lost, each pair of neighbours, and lost ones at random."""
    one = ~torch.eye(frames, dtype=torch.bool)
    two = one & one.roll(1, 1)
    few = torch.rand(frames if not THOROUGH else 3 * frames, frames, generator=generator(frames)) > 0.3
    return torch.cat([torch.ones(1, frames, dtype=torch.bool), one, two, few])


@pytest.mark.parametrize("name", IDENTITIES)
def test_every_present_frame_stays(name: str) -> None:
    for frames in range(1, 65):
        there = gaps(frames)
        if name in CHANGE_LENGTH:  # the valid span becomes the whole clip: it must be the whole clip before
            there[:, 0] = there[:, -1] = True
        n = len(there)
        mask = there[:, :, None, None].expand(n, frames, 8, 1)
        batch = SkeletonBatch(make_x(n, 2, frames, 1, dtype=torch.float64), mask)
        transform: Transform = IDENTITIES[name](frames)
        out = transform(batch, keys=keys(n, frames))
        lost = (mask & ~out.mask)[:, :, 0, 0]
        assert not lost.any(), f"{frames} frames: {there[lost.any(1)][0].int().tolist()} loses {lost[lost.any(1)][0]}"
        assert torch.equal(out.mask, mask), f"{frames} frames: somebody appeared"
        torch.testing.assert_close(out.x, batch.x, rtol=1e-4, atol=1e-4)
        tried("mathematics", n)


def test_the_example_of_the_issue() -> None:
    mask = torch.ones(1, 4, 8, 2, dtype=torch.bool)
    mask[:, 1] = False
    batch = SkeletonBatch(make_x(1, t=4), mask)
    out = T.CropResize((1, 1), length=4)(batch)
    assert torch.equal(out.mask, mask)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_whole_multiple_of_the_length_keeps_the_frames_that_it_falls_on(factor: int) -> None:
    """From n + 1 to factor · n + 1 frames, each factor-th is an old one: present if that one was."""
    for steps in range(1, 33):
        frames = steps + 1
        there = gaps(frames)
        there[:, 0] = there[:, -1] = True
        n = len(there)
        mask = there[:, :, None, None].expand(n, frames, 8, 1)
        batch = SkeletonBatch(make_x(n, 2, frames, 1, dtype=torch.float64), mask)
        out = T.CropResize((1, 1), length=factor * steps + 1)(batch, keys=keys(n))
        assert torch.equal(out.mask[:, ::factor], mask), frames
        torch.testing.assert_close(out.x[:, :, ::factor], batch.x, rtol=1e-3, atol=1e-3)
        between = out.mask[:, :, 0, 0].clone()
        between[:, ::factor] = False
        both = (there[:, :-1] & there[:, 1:]).repeat_interleave(factor, 1)
        assert not (between[:, :-1] & ~both).any(), "a frame beside a gap is present"
        tried("mathematics", n)
