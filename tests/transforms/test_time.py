"""Transforms of time against scipy, numpy.interp, plain loops and the mathematics they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import generator, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.stats import kstest

from skelaug import SkeletonBatch
from skelaug import transforms as T
from skelaug.functional import time as ft

seeds = st.integers(0, 2**31)


def ramp(n: int = 4, t: int = 12, start: int = 0, length: int | None = None) -> SkeletonBatch:
    """Clips whose value is the number of the frame, from 1; absent outside ``start … start + length``."""
    length = t - start if length is None else length
    frame = torch.arange(t)
    inside = (frame >= start) & (frame < start + length)
    x = torch.where(inside, frame + 1.0, 0).view(1, 1, t, 1, 1).expand(n, 3, t, 2, 1).contiguous()
    return SkeletonBatch(x, inside.view(1, t, 1, 1).expand(n, t, 2, 1))


def shown(batch: SkeletonBatch) -> torch.Tensor:
    """The frame numbers that a ramp shows ``(N, T)``, -1 where absent."""
    return torch.where(batch.mask[:, :, 0, 0], batch.x[:, 0, :, 0, 0] - 1, -1)


spans = st.integers(1, 15).flatmap(
    lambda t: st.integers(0, t - 1).flatmap(lambda s: st.integers(1, t - s).map(lambda length: (t, s, length)))
)


# --- TemporalCrop ----------------------------------------------------------------------------------------------------


@given(spans, st.integers(1, 8), seeds)
def test_temporal_crop_is_a_window_of_the_reflected_clip(span: tuple[int, int, int], ratio: int, seed: int) -> None:
    t, start, length = span
    crop, x = T.TemporalCrop(ratio), ramp(6, t, start, length)
    out = shown(crop(x, generator=generator(seed)))
    valid = np.arange(start, start + length)
    pad = length // ratio
    padded = np.pad(valid, pad, mode="symmetric")
    windows = {tuple(padded[i : i + length]) for i in range(2 * pad + 1)}
    for row in out.int().tolist():
        assert row[:start] == [-1] * start and row[start + length :] == [-1] * (t - start - length)
        assert tuple(row[start : start + length]) in windows


def test_temporal_crop_shifts_are_all_equally_likely() -> None:
    frames = T.TemporalCrop(3).sample(ramp(3000, 12), generator=generator())["frames"]
    # Pad 4: nine windows. The first frame of each tells it apart: 3 2 1 0 0 1 2 3 4 with the second.
    _, counts = frames.unique(dim=0, return_counts=True)
    assert len(counts) == 9 and counts.min() > 250


# --- Blur ------------------------------------------------------------------------------------------------------------


@given(st.floats(0.1, 3), st.sampled_from([3, 7, 15]), st.integers(1, 30))
def test_blur_is_scipys_away_from_the_ends(sigma: float, size: int, t: int) -> None:
    x = make_x(1, t=t, m=1, dtype=torch.float64)
    y = T.Blur(sigma, size, p=1.0)(x)
    radius = size // 2
    # scipy pads with zeros; dividing by the blur of ones is our renormalisation at the ends.
    blur = lambda a: gaussian_filter1d(a, sigma, axis=2, mode="constant", radius=radius)  # noqa: E731
    expected = blur(x.numpy()) / blur(np.ones_like(x.numpy()))
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)


def test_the_released_blur_is_not_normalised() -> None:
    for sigma, gain in ((0.1, 1.0), (0.5, 1.27), (1.0, 2.51), (1.5, 3.76), (2.0, 5.01)):
        y = T.Blur(sigma, normalize=False, p=1.0)(torch.ones(1, 1, 40, 1, 1))
        assert y[0, 0, 20].item() == pytest.approx(gain, abs=0.006)
        assert y[0, 0, 0].item() < y[0, 0, 20].item() or sigma == 0.1


def test_blur_renormalises_over_the_present_frames() -> None:
    mask = torch.tensor([1, 1, 0, 0, 1, 0], dtype=torch.bool).view(1, 6, 1, 1)
    x = SkeletonBatch(torch.tensor([2.0, 4, 9, 9, 6, 9]).view(1, 1, 6, 1, 1), mask)
    y = T.Blur(1.0, 5, p=1.0)(x).x.flatten().double()
    w = [np.exp(-d * d / 2) for d in range(3)]
    expected = [(2 + 4 * w[1]) / (1 + w[1]), (4 + 2 * w[1]) / (1 + w[1]), 0, 0, 6, 0]
    assert y.tolist() == pytest.approx(expected, abs=1e-6)


def test_blur_draws_sigma_uniformly() -> None:
    kernel = T.Blur((0.5, 2.0), p=1.0).sample(make_x(800, t=1, m=1), generator=generator())["kernel"].double()
    sigma = (-1 / (2 * kernel[:, 6].log())).sqrt()
    assert kstest(sigma.numpy(), "uniform", (0.5, 1.5)).pvalue > 1e-3


# --- CropResize, SegmentSample ---------------------------------------------------------------------------------------


@given(spans, st.integers(1, 20), seeds)
def test_crop_resize_is_numpys_interpolation_of_a_part(span: tuple[int, int, int], length: int, seed: int) -> None:
    t, start, valid = span
    resize, x = T.CropResize((0.3, 1), length=length), ramp(3, t, start, valid)
    out, params = resize(x, generator=generator(seed), return_params=True)
    position = params["position"].double()
    assert (position >= start).all() and (position <= start + valid - 1).all()
    assert (position.diff(dim=1) >= 0).all()
    torch.testing.assert_close(position.diff(n=2, dim=1), torch.zeros_like(position[:, 2:]), atol=2e-5, rtol=0)
    if length > 1:
        share = (position[:, -1] - position[:, 0]) / max(valid - 1, 1)
        assert valid == 1 or ((share >= 0.3 - 1e-5) & (share <= 1 + 1e-5)).all()
    assert out.mask.all() and out.x.shape[2] == length
    for n in range(3):
        expected = np.interp(position[n].numpy(), np.arange(t), x.x[n, 0, :, 0, 0].double().numpy())
        np.testing.assert_allclose(out.x[n, 0, :, 0, 0].numpy(), expected, atol=1e-4)


@given(spans, st.integers(1, 20))
def test_frames_as_spans_of_time(span: tuple[int, int, int], length: int) -> None:
    """The middle of each of ``length`` equal spans; the numbers 1 … n stand in the middle of n of them."""
    t, start, valid = span
    out = T.CropResize((1, 1), length, align_corners=False)(ramp(2, t, start, valid))
    middle = (np.arange(length) + 0.5) * valid / length
    expected = start + np.interp(middle, np.arange(valid) + 0.5, np.arange(valid))
    assert out.mask.all()
    np.testing.assert_allclose(shown(out).numpy(), np.stack([expected] * 2), atol=1e-5)


def test_a_part_of_frames_as_spans_of_time() -> None:
    position = T.CropResize((0.5, 0.5), 64, align_corners=False).sample(ramp(500, 101), generator=generator())
    place = position["position"]
    assert (place.max(1).values - place.min(1).values - 50).abs().max() < 1, "half of the 101 frames"
    assert place.min() < 2 and place.max() > 98


@given(spans, st.integers(1, 20), seeds)
def test_segment_sample_takes_one_frame_of_each_segment(span: tuple[int, int, int], length: int, seed: int) -> None:
    t, start, valid = span
    frames = shown(T.SegmentSample(length)(ramp(5, t, start, valid), generator=generator(seed)))
    edges = np.arange(length + 1) * valid / length
    for row in frames.tolist():
        inside = np.array(row) - start
        assert (inside >= np.floor(edges[:-1])).all() and (inside <= np.ceil(edges[1:])).all()
        assert (np.diff(row) >= 0).all() and inside.min() >= 0 and inside.max() < valid


def test_segment_sample_of_a_part() -> None:
    frames = T.SegmentSample(8, scale=(0.5, 0.5)).sample(ramp(500, 64), generator=generator())["frames"]
    assert (frames.max(1).values - frames.min(1).values).max() <= 32
    assert frames.min() < 4 and frames.max() > 59


# --- DropFrame -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.floats(0, 1), st.sampled_from(["zero", "hold", "interpolate", "remove"]), seeds)
def test_drop_frame_drops_exactly_round_of_the_valid_frames(t: int, ratio: float, fill: str, seed: int) -> None:
    valid = max(1, t - 3)
    drop = T.DropFrame(ratio, fill=fill).sample(ramp(5, t, 0, valid), generator=generator(seed))["drop"]
    expected = round(ratio * valid) if fill == "zero" else min(round(ratio * valid), valid - 1)
    assert (drop.sum(1) == expected).all() and not drop[:, valid:].any()


def test_drop_frame_fills_by_hand() -> None:
    x = ramp(1, 7, 0, 6)
    drop = {"drop": torch.tensor([[1, 0, 1, 1, 0, 1, 0]], dtype=torch.bool)}

    def out(fill: str) -> tuple[list[float], list[bool]]:
        y = T.DropFrame(0.5, fill=fill).replay(x, drop)
        return y.x[0, 0, :, 0, 0].tolist(), y.mask[0, :, 0, 0].tolist()

    there = [True] * 6 + [False]
    assert out("zero") == ([0, 2, 0, 0, 5, 0, 0], there)
    assert out("hold") == ([2, 2, 2, 2, 5, 5, 0], there)
    values, mask = out("interpolate")
    assert values == pytest.approx([2, 2, 3, 4, 5, 5, 0]) and mask == there
    assert out("remove") == ([2, 5, 0, 0, 0, 0, 0], [True] * 2 + [False] * 5)


def test_drop_frame_ratio_is_drawn_per_sample() -> None:
    drop = T.DropFrame((0.2, 0.6)).sample(ramp(600, 100), generator=generator())["drop"].sum(1)
    assert drop.min() >= 20 and drop.max() <= 60 and drop.unique().numel() > 30


# --- Reverse, Speed, TimeWarp ----------------------------------------------------------------------------------------


@given(spans)
def test_reverse_turns_the_valid_frames_round(span: tuple[int, int, int]) -> None:
    t, start, length = span
    reverse, x = T.Reverse(p=1.0), ramp(1, t, start, length)
    once = reverse(x)
    assert shown(once)[0].tolist() == [-1] * start + [*range(start + length - 1, start - 1, -1)] + [-1] * (
        t - start - length
    )
    assert torch.equal(reverse(once).x, x.x) and torch.equal(reverse(once).mask, x.mask)


def test_reverse_moves_gaps_with_their_frames() -> None:
    batch = make_batch()
    out = T.Reverse(p=1.0)(batch)
    assert torch.equal(out.x[2], batch.x[2].flip(1)) and torch.equal(out.mask[2], batch.mask[2].flip(0))


@given(spans, seeds, st.sampled_from([(0.25, 1.0), (1.0, 3.0), (0.5, 2.0)]))
def test_speed_reads_at_its_pace_and_only_valid_frames(
    span: tuple[int, int, int], seed: int, factor: tuple[float, float]
) -> None:
    t, start, length = span
    out = shown(T.Speed(factor)(ramp(5, t, start, length), generator=generator(seed)))
    inside = out[:, start : start + length]
    assert (inside >= start - 1e-4).all() and (inside <= start + length - 1 + 1e-4).all()
    step = inside.diff(dim=1)
    running = inside[:, 1:] < start + length - 1 - 1e-3  # then the last frame is held
    assert (step >= -1e-4).all() and (step[running] >= factor[0] - 1e-3).all() and (step <= factor[1] + 1e-3).all()
    assert (out[:, :start] == -1).all() and (out[:, start + length :] == -1).all()


def test_speed_nearest_shows_real_frames_alone() -> None:
    x = make_x(6, t=20)
    y = T.Speed((0.4, 2.5), interpolation="nearest")(x, generator=generator())
    for n in range(6):
        assert all((x[n] == y[n, :, t, None]).flatten(2).all(2).all(0).any() for t in range(20))


@given(spans, seeds, st.floats(0, 3), st.integers(2, 7))
def test_time_warp_is_monotone_and_keeps_the_ends(
    span: tuple[int, int, int], seed: int, strength: float, knots: int
) -> None:
    t, start, length = span
    out = shown(T.TimeWarp(strength, knots)(ramp(5, t, start, length), generator=generator(seed)))
    inside = out[:, start : start + length]
    assert (inside.diff(dim=1) >= -1e-4).all()
    torch.testing.assert_close(inside[:, 0], torch.full((5,), float(start)), atol=1e-4, rtol=0)
    torch.testing.assert_close(inside[:, -1], torch.full((5,), start + length - 1.0), atol=1e-4, rtol=1e-5)
    if strength == 0:
        torch.testing.assert_close(
            inside, torch.arange(start, start + length).float().expand_as(inside), atol=1e-4, rtol=0
        )


def test_warp_against_numerical_integration() -> None:
    speed = torch.tensor([[1.0, 4, 0.5, 2]], dtype=torch.float64)
    along = torch.linspace(0, 1, 50, dtype=torch.float64)[None]
    fine = np.linspace(0, 1, 200_001)
    pace = np.interp(fine, np.linspace(0, 1, 4), speed[0].numpy())
    area = np.concatenate([[0], np.cumsum((pace[1:] + pace[:-1]) / 2 * np.diff(fine))])
    np.testing.assert_allclose(ft.warp(speed, along)[0].numpy(), np.interp(along[0], fine, area / area[-1]), atol=1e-6)


# --- presence and constructors ---------------------------------------------------------------------------------------


def test_an_interpolated_frame_is_present_if_both_neighbours_are() -> None:
    mask = torch.tensor([1, 1, 0, 1], dtype=torch.bool).view(1, 4, 1, 1)
    x = torch.tensor([1.0, 2, 0, 4]).view(1, 1, 4, 1, 1)
    position = torch.tensor([[0.5, 1.0, 1.5, 2.0, 2.5, 3.0]])
    moved = ft.lerp_seen(mask, position)
    y = ft.lerp_frames(x, position, moved)
    assert moved.flatten().tolist() == [True, True, False, False, False, True]
    assert y.flatten().tolist() == [1.5, 2, 0, 0, 0, 4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.TemporalCrop(0), r"TemporalCrop\(padding_ratio=0\): padding_ratio must be a whole number ≥ 1"),
        (lambda: T.TemporalCrop(2.5), r"TemporalCrop\(padding_ratio=2.5\)"),
        (lambda: T.Blur(0), r"Blur\(sigma=0\): sigma must be a number ≥ 0.001 or a \(low, high\) pair, got 0"),
        (lambda: T.Blur(kernel_size=4), "kernel_size must be odd, got 4"),
        (lambda: T.Blur(normalize=1), r"Blur\(normalize=1\): normalize must be one of True, False"),
        (lambda: T.CropResize((0, 1)), r"CropResize\(scale=\(0, 1\)\)"),
        (lambda: T.CropResize(length=0), r"CropResize\(length=0\)"),
        (lambda: T.CropResize(align_corners=1), r"align_corners must be one of True, False"),
        (lambda: T.DropFrame(2), r"DropFrame\(ratio=2\): ratio must be a number ≥ 0 and ≤ 1 or a"),
        (lambda: T.DropFrame(fill="mean"), "fill must be one of 'zero', 'hold', 'interpolate', 'remove'"),
        (lambda: T.Speed(2), r"Speed\(factor=2\): factor must be a \(low, high\) pair ≥ 0.001, got 2"),
        (lambda: T.Speed(interpolation="cubic"), "interpolation must be one of 'linear', 'nearest'"),
        (lambda: T.TimeWarp(-1), r"TimeWarp\(strength=-1\)"),
        (lambda: T.TimeWarp(knots=1), r"TimeWarp\(knots=1\)"),
        (lambda: T.SegmentSample(length=True), r"SegmentSample\(length=True\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_explained(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_any_kernel_is_applied_and_a_centre_alone_is_the_identity() -> None:
    x = torch.randn(4, 3, 10, 5, 2)
    centre, shift = torch.zeros(4, 5), torch.zeros(4, 5)
    centre[:, 2], shift[:, 0] = 1, 1
    assert torch.equal(ft.blur_frames(x, centre), x)
    assert ft.blur_frames(x[:0], centre[:0]).shape == (0, 3, 10, 5, 2)
    assert torch.equal(ft.blur_frames(x, 2 * centre, normalize=False), 2 * x)
    late = torch.cat([torch.zeros(4, 3, 2, 5, 2), x[:, :, :-2]], 2)
    assert torch.equal(ft.blur_frames(x, shift, normalize=False), late)
    some = torch.stack([centre[0], shift[0], 3 * centre[0], 0 * centre[0]])
    expected = torch.stack([x[0], late[1], 3 * x[2], 0 * x[3]])
    assert torch.equal(ft.blur_frames(x, some, normalize=False), expected)


def test_blur_kernels_are_those_of_kornia() -> None:
    from kornia.filters import get_gaussian_kernel1d

    sigma = torch.tensor([0.3, 1.0, 2.5])
    kernel = ft.blur_kernel(sigma, 15)
    torch.testing.assert_close(kernel / kernel.sum(1, keepdim=True), get_gaussian_kernel1d(15, sigma[:, None]))
