"""Transforms of time, inside the span of frames in which the sample has anybody: padding stays padding."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from skelaug import check, labels
from skelaug.batch import SkeletonBatch
from skelaug.functional import joints as fj
from skelaug.functional import time as ft
from skelaug.functional import values as fv
from skelaug.params import drawn_for
from skelaug.presence import Presence, anybody
from skelaug.random import Rng
from skelaug.transform import Params, Transform

__all__ = [
    "Blur",
    "CropResize",
    "DropFrame",
    "Reverse",
    "SegmentSample",
    "Speed",
    "TemporalCrop",
    "TimeWarp",
]


@final
class TemporalCrop(Transform):
    """Reflect-pad the clip at both ends (the edge frame repeated), then cut a random window of the old length.

    Drawn per sample: the shift of the window, a whole number U{-n … n}, where the padding n is the sample's valid
    frames // ``padding_ratio`` (T // ``padding_ratio`` on a full clip; a clip shorter than the ratio is not padded).
    Shared by all joints and persons.

    Args:
        padding_ratio: the clip's length over the padding of one end.
        p: probability per sample.

    Source: CrosSCLR, AimCLR, HiCLR (``temperal_crop``, ratio 6).

    Example:
        >>> TemporalCrop(6)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    moves_presence = True
    shapes = "frames: int<T N T"

    def __init__(self, padding_ratio: int = 6, p: float = 1.0) -> None:
        super().__init__(p)
        self.padding_ratio = check.count("TemporalCrop", "padding_ratio", padding_ratio)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        span = batch.observed.span
        padding = span.length // self.padding_ratio
        shift = (rng.uniform(1) * (2 * padding + 1)).long() - padding  # a float below 1 never rounds up
        return {"frames": torch.where(span.inside, ft.reflect(span.frame + shift, span.start, span.stop), span.frame)}


@final
class Blur(Transform):
    """Gaussian blur along time.

    Drawn per sample: sigma, for all joints and persons.

    Args:
        sigma: width in frames; a number is fixed, a pair draws from U(low, high).
        kernel_size: number of taps, odd.
        normalize: divide by the weights that fell on present frames, so that the size of the body, clip ends and gaps
            are kept. False is the released code of AimCLR and HiCLR: zeros outside the clip and weights
            ``exp(-d²/2σ²)`` that sum to 1 … 5, so a random enlargement with smoothing.
        p: probability per sample.
        coords: channels that are coordinates; the others are not blurred.

    Source: AimCLR; HiCLR (15 taps, sigma U(0.1, 2)).

    Example:
        >>> Blur((0.1, 2), p=1.0)(torch.ones(8, 3, 50, 25, 2)).sub(1).abs().max() < 1e-6
        tensor(True)
    """

    shapes = "kernel: N *"

    def __init__(
        self,
        sigma: float | tuple[float, float] = (0.1, 2.0),
        kernel_size: int = 15,
        normalize: bool = True,
        p: float = 0.5,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.sigma, self.coords = sigma, check.coordinates("Blur", coords)
        self._range = check.span("Blur", "sigma", sigma, low=1e-3, single="fixed")
        self.kernel_size = check.count("Blur", "kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"Blur(kernel_size={kernel_size}): kernel_size must be odd, got {kernel_size}")
        self.normalize = check.choice("Blur", "normalize", normalize, (True, False))
        self.linear = normalize  # weights that do not sum to one do not commute with offsets

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        sigma = rng.uniform(low=self._range[0], high=self._range[1])
        return {"kernel": ft.blur_kernel(sigma, self.kernel_size)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("Blur", self.coords, batch.x)
        blurred = ft.blur_frames(fv.pick(batch.x, coords), params["kernel"], batch.seen, normalize=self.normalize)
        return batch.with_parts(x=fv.put(batch.x, blurred, coords))


@final
class CropResize(Transform):
    """Cut a random part of the valid frames and resize it to ``length`` frames by linear interpolation.

    Drawn per sample: the share of the valid frames that is kept and where it starts; both real numbers, shared by all
    joints and persons.

    Args:
        scale: a pair, the share of the clip kept, U(low, high) in (0, 1].
        length: frames of the output, whatever the input has.
        align_corners: True: the first and the last frame of the part are those of the result, the others evenly spread
            between them. False: a frame is a span of time, and its middle is what is asked for: result frame i lies at
            ``(i + 1/2) · n / length - 1/2`` of the part's n, and not before its first or after its last frame. That is
            how images are resized (OpenCV's ``INTER_LINEAR``), and with them HiCLR's clips.

    An interpolated frame is present if both its neighbours are. Changes T, so there is no ``p``.

    Source: CTR-GCN's ``valid_crop_resize``, skeleton-contrast.

    Example:
        >>> CropResize((0.5, 1), length=64)(torch.randn(8, 3, 300, 25, 2)).shape
        torch.Size([8, 3, 64, 25, 2])
    """

    linear = True
    moves_presence = True
    shapes = "position: float<T N L, drawn_for: N 0 T"

    def __init__(self, scale: tuple[float, float] = (0.5, 1.0), length: int = 64, align_corners: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.align_corners = check.choice("CropResize", "align_corners", align_corners, (True, False))
        self._range = check.span("CropResize", "scale", scale, low=1e-3, high=1, single="none")
        self.length = check.count("CropResize", "length", length)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        assert self.length is not None
        span = batch.observed.span
        last = (span.length - 1).clamp(min=0)
        kept = last * rng.uniform(1, low=self._range[0], high=self._range[1])
        first = span.start + (last - kept) * rng.uniform(1)
        if not self.align_corners:
            middle = torch.arange(self.length, dtype=torch.float32, device=batch.device) + 0.5
            place = torch.minimum((middle * ((kept + 1) / self.length) - 0.5).clamp(min=0), kept)
        elif self.length > 1:
            place = kept * torch.linspace(0, 1, self.length, dtype=torch.float32, device=batch.device)
        else:
            place = kept * 0.5
        # Rounding past the last valid frame would interpolate with padding.
        position = torch.minimum(first + place, (span.start + last).float())
        return {"position": position, "drawn_for": drawn_for(len(batch), batch.x.shape[2], batch.device)}


@final
class DropFrame(Transform):
    """Drop random frames, the same for all joints and persons.

    Drawn per sample: which frames, exactly round(ratio · valid frames) of those in which anybody is present (all but
    ``"zero"`` keep at least one).

    Args:
        ratio: share of the valid frames; a pair draws it per sample.
        fill: ``"zero"``: dropped frames become 0, as data, not as absence. ``"hold"``: they show the last frame kept
            (at the start, the next one). ``"interpolate"``: they lie on the line between the kept neighbours.
            ``"remove"``: the rest closes up, and as many frames at the end are absent. T stays.
        p: probability per sample.

    Nobody is written into a frame in which they were absent; a person absent in a frame that ``"hold"`` or
    ``"interpolate"`` reads becomes absent. Labels of frames follow ``"hold"`` and ``"remove"``, which leaves -100 at
    the end; with ``"zero"`` and ``"interpolate"`` every frame stays in its place, and so does its label.

    Example:
        >>> y = DropFrame(0.2)(torch.ones(8, 3, 50, 25, 2))
        >>> (y[:, 0, :, 0, 0] == 0).sum(1)
        tensor([10, 10, 10, 10, 10, 10, 10, 10])
    """

    shapes = "drop: bool N T"

    def __init__(self, ratio: float | tuple[float, float] = 0.1, fill: str = "zero", p: float = 1.0) -> None:
        super().__init__(p)
        self.ratio = ratio
        self._range = check.span("DropFrame", "ratio", ratio, low=0, high=1, single="fixed")
        self.fill = check.choice("DropFrame", "fill", fill, ("zero", "hold", "interpolate", "remove"))
        self.moves_presence = fill != "zero"

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        frames = batch.x.shape[2]
        valid = anybody(batch.seen)
        total = valid.sum(1)
        low, high = self._range
        if low == high:  # by table, so that round() is Python's, exact whatever the device's floats do
            count = check.constant([round(low * t) for t in range(frames + 1)], batch.device)[total]
        else:
            count = (rng.uniform(low=low, high=high) * total).round().long()
        if self.fill != "zero":
            count = torch.minimum(count, (total - 1).clamp(min=0))
        # Frames without anybody come last in the random order, so they are never among the first `count`.
        rank = torch.where(valid, rng.uniform(frames), 2).argsort(1).argsort(1)
        return {"drop": rank < count[:, None]}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        drop, seen = params["drop"], batch.seen
        if self.fill == "zero":
            return batch.with_parts(x=batch.x.masked_fill(drop[:, None, :, None, None], 0))
        frame = torch.arange(drop.shape[1], device=drop.device)
        if self.fill == "remove":
            frames = drop.to(torch.uint8).argsort(stable=True, dim=1)
            stays = frame < (~drop).sum(1, keepdim=True)
            seen = ft.take_frames(seen[:, None], frames)[:, 0] & stays[:, :, None, None]
            x = fj.clear_absent(ft.take_frames(batch.x, frames), seen)
            out = batch.with_parts(x=x, observed=Presence.of(seen))
            if batch.frame_label is None:
                return out
            return out.with_parts(label=labels.without(labels.take_frames(batch.frame_label, frames), ~stays))
        before, after = ft.kept_neighbours(~drop & anybody(seen))
        # Kept frames, and frames without anybody, show themselves.
        before, after = torch.where(drop, before, frame), torch.where(drop, after, frame)
        if self.fill == "hold":
            after = before
        weight = (frame - before).to(batch.x.dtype) / (after - before).clamp(min=1)
        seen_before, seen_after = (ft.take_frames(seen[:, None], index)[:, 0] for index in (before, after))
        seen = seen & seen_before & seen_after
        x = torch.lerp(ft.take_frames(batch.x, before), ft.take_frames(batch.x, after), weight[:, None, :, None, None])
        out = batch.with_parts(x=fj.clear_absent(x, seen), observed=Presence.of(seen))
        if self.fill != "hold" or batch.frame_label is None:
            return out  # what lies on the line between two frames is where its own frame was
        return out.with_parts(label=labels.take_frames(batch.frame_label, before))


@final
class Reverse(Transform):
    """Play the valid frames backwards; padding stays where it is.

    Drawn per sample: whether it is applied.

    Args:
        p: probability per sample.

    Source: SkateFormer; AimCLR's time flip.

    Example:
        >>> Reverse(p=1.0)(torch.arange(1.0, 4).view(1, 1, 3, 1, 1)).flatten()
        tensor([3., 2., 1.])
    """

    linear = True
    moves_presence = True
    shapes = "frames: int<T N T"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        span = batch.observed.span
        image = span.start + (span.stop - 1) - span.frame
        return {"frames": torch.where(span.inside, image, span.frame)}


@final
class Speed(Transform):
    """Play faster or slower; T stays.

    Drawn per sample: the factor, and for slow motion which part is shown. Faster than 1, the last valid frame is held
    at the end.

    Args:
        factor: a pair, U(low, high), > 0; 2 is twice as fast.
        interpolation: ``"linear"`` or ``"nearest"`` (real frames only).
        p: probability per sample.

    Example:
        >>> Speed((2, 2))(torch.arange(1.0, 6).view(1, 1, 5, 1, 1)).flatten()
        tensor([1., 3., 5., 5., 5.])
    """

    linear = True
    moves_presence = True
    shapes = "position: float<T N T"

    def __init__(
        self, factor: tuple[float, float] = (0.8, 1.25), interpolation: str = "linear", p: float = 1.0
    ) -> None:
        super().__init__(p)
        self.factor = factor
        self._range = check.span("Speed", "factor", factor, low=1e-3, single="none")
        self.interpolation = check.choice("Speed", "interpolation", interpolation, ("linear", "nearest"))
        if interpolation == "nearest":
            self.shapes = "frames: int<T N T"

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        span = batch.observed.span
        start, last = span.start, span.length - 1
        factor = rng.uniform(1, low=self._range[0], high=self._range[1])
        spare = (1 - factor).clamp(min=0) * last.clamp(min=0)
        position = torch.minimum(spare * rng.uniform(1) + (span.frame - start) * factor, last.float()) + start
        return time_map(position, batch, nearest=self.interpolation == "nearest")


@final
class TimeWarp(Transform):
    """Change the pace smoothly within the clip: parts run faster, others slower; order, first and last frame stay.

    Drawn per sample: the speed at ``knots`` moments evenly spread over the valid frames, exp of N(0, strength²),
    linear in between. The warp is its integral, so it is smooth and strictly monotone.

    Args:
        strength: standard deviation of the logarithm of the speed.
        knots: number of moments, at least 2.
        p: probability per sample.

    Source: after tsaug's TimeWarp, per sample and within the valid frames.

    Example:
        >>> TimeWarp()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    moves_presence = True
    shapes = "position: float<T N T"

    def __init__(self, strength: float = 0.5, knots: int = 5, p: float = 1.0) -> None:
        super().__init__(p)
        self.strength = check.number("TimeWarp", "strength", strength, low=0, high=3)
        self.knots = check.count("TimeWarp", "knots", knots, low=2)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        span = batch.observed.span
        last = (span.length - 1).clamp(min=0)
        along = ((span.frame - span.start).float() / last.clamp(min=1)).clamp(0, 1)
        position = span.start + last * ft.warp((rng.normal(self.knots) * self.strength).exp(), along)
        return time_map(position, batch)


@final
class SegmentSample(Transform):
    """Divide the valid frames, or a part of them, into ``length`` equal segments; take a random frame of each.

    Drawn per sample: the share of the valid frames that is kept and where it starts; per sample and segment: the
    frame, for all joints and persons. A part shorter than ``length`` repeats frames.

    Args:
        length: frames of the output.
        scale: a pair, the share of the clip kept, U(low, high) in (0, 1].

    Changes T, so there is no ``p``.

    Source: PYSKL's UniformSampleFrames (one clip).

    Example:
        >>> SegmentSample(100)(torch.randn(8, 3, 300, 25, 2)).shape
        torch.Size([8, 3, 100, 25, 2])
    """

    linear = True
    moves_presence = True
    shapes = "frames: int<T N L, drawn_for: N 0 T"

    def __init__(self, length: int = 64, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__()
        self.length = check.count("SegmentSample", "length", length)
        self.scale = scale
        self._range = check.span("SegmentSample", "scale", scale, low=1e-3, high=1, single="none")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        assert self.length is not None
        span = batch.observed.span
        kept = span.length * rng.uniform(1, low=self._range[0], high=self._range[1])
        first = (span.length - kept) * rng.uniform(1)
        segment = torch.arange(self.length, device=batch.device)
        inside = (first + (segment + rng.uniform(self.length)) * kept / self.length).long()
        frames = span.start + torch.minimum(inside, (span.length - 1).clamp(min=0))
        return {"frames": frames, "drawn_for": drawn_for(len(batch), batch.x.shape[2], batch.device)}


def time_map(position: Tensor, batch: SkeletonBatch, *, nearest: bool = False) -> Params:
    """Params of a time map that leaves the frames outside the valid span alone and reads only from inside it."""
    span = batch.observed.span
    bounded = torch.minimum(torch.maximum(position, span.start.float()), (span.stop - 1).float())
    moved = torch.where(span.inside, bounded, span.frame.float())
    return {"frames": moved.round().long()} if nearest else {"position": moved}
