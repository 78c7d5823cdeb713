"""Transforms of the values: noise, and the style of another sample."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.parts import check_x
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["BoneLengthTransfer", "GaussianNoise", "SkeleAdaIN"]


@final
class GaussianNoise(Transform):
    """Add independent Gaussian noise to every coordinate of what is present.

    Drawn per sample, coordinate, frame, joint and person: the noise; per sample: its standard deviation, where a pair
    is given.

    Args:
        std: standard deviation, in the units of the data; a number is fixed, a pair draws from U(low, high).
        relative: ``std`` is a share of the person's size (the diagonal of its bounding box, averaged over its frames).
        p: probability per sample.
        coords: channels that get noise.

    Source: AimCLR; HiCLR (0.01, half of the samples). Body-relative noise: PYSKL.

    Example:
        >>> GaussianNoise(0.01)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "noise: N D T V M"

    def __init__(
        self,
        std: float | tuple[float, float] = 0.01,
        relative: bool = False,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.std, self.coords = std, check.coordinates("GaussianNoise", coords)
        self._range = check.span("GaussianNoise", "std", std, low=0, single="fixed")
        self.relative = check.choice("GaussianNoise", "relative", relative, (True, False))
        self.linear = not relative

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        coords = check.channels("GaussianNoise", self.coords, batch.x)
        low, high = self._range
        shape = (len(coords), *batch.x.shape[2:])
        if low == high:
            return {"noise": rng.normal(*shape, std=low)}
        return {"noise": rng.normal(*shape).mul_(rng.uniform(1, 1, 1, 1, low=low, high=high))}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        if not self.relative:
            return super().op(batch, params)
        coords = check.channels("GaussianNoise", self.coords, batch.x)
        part = fv.pick(batch.x, coords)
        noise = params["noise"] * fv.body_size(part, batch.seen)[:, None, None, None]
        return batch.with_parts(x=fv.put(batch.x, fv.add_noise(part, noise, batch.seen), coords))


@final
class SkeleAdaIN(Transform):
    """Give each person the statistics of a style: ``y = σ_s (x - μ_c) / σ_c + μ_s`` per person and coordinate.

    Drawn per sample and person slot: the partner, another sample that has somebody in that slot (of the batch, or of
    ``style``). Its statistics go into the params, detached: ``mean`` and ``std`` ``(N, D, T or 1, 1, M)``, and
    ``paired``. Without a partner (a batch of one, all others absent) a person stays as it is; absent people stay
    absent and lend no style.

    Args:
        stats: ``"sequence"``: over all present frames and joints; ``"frame"``: over the joints of each frame (where
            the partner is absent, the frame stays as it is).
        style: a SkeletonBatch or Tensor ``(S, C, T, V, M)`` that lends the styles; ``None`` for the other samples of
            the batch.
        p: probability per sample.
        coords: channels that are coordinates.

    The variance is unbiased, plus 1e-5. With keys the partners depend on who is in the batch, but not on the order.

    Source: HiCLR (AAAI 2023), whose code never calls it and has no gate for absent people. SkateFormer's "Skeleton
    AdaIN" is :class:`BoneLengthTransfer`.

    Example:
        >>> SkeleAdaIN()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    data_dependent = True
    shapes = "mean: N D 1 1 M, std: N D 1 1 M, paired: bool N 1 1 M"

    def __init__(
        self,
        stats: str = "sequence",
        style: SkeletonBatch | Tensor | None = None,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.stats = check.choice("SkeleAdaIN", "stats", stats, ("sequence", "frame"))
        if stats == "frame":
            self.shapes = "mean: N D T 1 M, std: N D T 1 M, paired: bool N T 1 M"
        self.style = as_style("SkeleAdaIN", style)
        self.coords = check.coordinates("SkeleAdaIN", coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        per_frame = self.stats == "frame"
        coords = check.channels("SkeleAdaIN", self.coords, batch.x)
        partner, paired, style = find_partner("SkeleAdaIN", batch, coords, self.style, rng)
        if per_frame and style.x.shape[2] != batch.x.shape[2]:
            raise ValueError(
                f"SkeleAdaIN(stats='frame'): style must have as many frames as x, {batch.x.shape[2]}, got "
                f"{style.x.shape[2]}"
            )
        lent = fv.moments(fv.pick(style.x, coords), style.seen, per_frame=per_frame)
        mean, std = (borrow(v.float(), partner, 4) for v in lent)
        paired = paired[:, None, None]
        if per_frame:
            paired = paired & borrow(style.seen.any(2, keepdim=True), partner, 3)
        paired = paired & (mean.isfinite() & std.isfinite()).all(1)  # a style of infinite numbers is none
        return {"mean": mean, "std": std, "paired": paired}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        per_frame = self.stats == "frame"
        coords = check.channels("SkeleAdaIN", self.coords, batch.x)
        part, style = fv.pick(batch.x, coords), (params["mean"], params["std"], params["paired"])
        styled = fv.adain(part, *style, batch.seen, per_frame=per_frame)
        return batch.with_parts(x=fv.put(batch.x, styled, coords))


@final
class BoneLengthTransfer(Transform):
    """Give each person the bone lengths of another: directions are kept, lengths change along the tree, the root stays.

    Drawn per sample and person slot: the partner, another sample that has somebody in that slot (of the batch, or of
    ``style``). The params hold its mean bone ``lengths`` ``(N, V, M)`` and ``paired``. Without a partner a person
    stays as it is.

    Args:
        skeleton: whose tree is meant.
        style: a SkeletonBatch or Tensor ``(S, C, T', V, M)`` that lends the lengths; ``None`` for the other samples of
            the batch.
        p: probability per sample.
        coords: channels that are coordinates.

    A bone that either side never shows keeps its length.

    Source: SkateFormer's "Skeleton AdaIN", for any skeleton.

    Example:
        >>> from skelaug import skeletons
        >>> BoneLengthTransfer(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    data_dependent = True
    shapes = "lengths: N V M, paired: bool N M"

    def __init__(
        self, skeleton: Skeleton | str, style: SkeletonBatch | Tensor | None = None, p: float = 1.0, coords: Any = None
    ) -> None:
        super().__init__(p)
        skeleton = self.skeleton = check.skeleton("BoneLengthTransfer", skeleton)
        self.style = as_style("BoneLengthTransfer", style)
        self.coords = check.coordinates("BoneLengthTransfer", coords)
        self._parents = skeleton.parents

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        coords = check.channels("BoneLengthTransfer", self.coords, batch.x)
        partner, paired, style = find_partner("BoneLengthTransfer", batch, coords, self.style, rng)
        lengths = fv.bone_lengths(fv.pick(style.x, coords), self._parents, style.seen)
        return {"lengths": borrow(lengths.float(), partner, 2), "paired": paired}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("BoneLengthTransfer", self.coords, batch.x)
        part = fv.pick(batch.x, coords)
        own = fv.bone_lengths(part, self._parents, batch.seen)
        wanted = params["lengths"].to(own.dtype)
        ratio = wanted / torch.where(own > 0, own, 1)
        ratio = torch.where((own > 0) & (wanted > 0) & params["paired"][:, None] & ratio.isfinite(), ratio, 1)
        moved = fv.resize_bones(part, ratio, self._parents, batch.seen)
        return batch.with_parts(x=fv.put(batch.x, moved, coords))


def as_style(who: str, style: SkeletonBatch | Tensor | None) -> SkeletonBatch | None:
    """The batch that lends styles."""
    if style is None or isinstance(style, SkeletonBatch):
        return style
    if not isinstance(style, Tensor):
        raise TypeError(f"{who}(style=…): style must be a Tensor, a SkeletonBatch or None, got {type(style).__name__}")
    return SkeletonBatch(check_x(style, f"{who}(style=…)"))


def find_partner(
    who: str, batch: SkeletonBatch, coords: tuple[int, ...], style: SkeletonBatch | None, rng: Rng
) -> tuple[Tensor, Tensor, SkeletonBatch]:
    """A random lender for each sample and person slot.

    Returns:
        Its index ``(N, M)`` and whether there is one, bool ``(N, M)``; and the batch that is indexed.
    """
    there = batch.seen.flatten(1, 2).any(1)
    score = rng.uniform(2, batch.x.shape[4])
    if style is None:
        high, low = (score * 2**24).long().unbind(1)
        partner, paired = next_in_order(high * 2**24 + low, fv.digest(fv.pick(batch.x, coords)), there)
        return partner, paired, batch
    score = score[:, 0]
    style = style.to(batch.device)
    if style.x.shape[1] != batch.x.shape[1] or style.x.shape[3:] != batch.x.shape[3:]:
        raise ValueError(
            f"{who}(style=…): style {tuple(style.x.shape)} must have the channels, joints and persons of x "
            f"{tuple(batch.x.shape)}"
        )
    lends = style.seen.flatten(1, 2).any(1)  # (S, M)
    total = lends.sum(0)
    order = (~lends).to(torch.uint8).argsort(stable=True, dim=0)
    place = torch.minimum((score * total).long(), (total - 1).clamp(min=0))
    return order.gather(0, place), there & (total > 0), style


def next_in_order(score: Tensor, digest: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """In the order of their random scores everybody who is there borrows from the next, the last from the first.

    Nobody borrows from itself, and every other one is equally likely. Equal scores, as of one key twice, are ordered by
    the data; who has the same score and data shares a lender. So nothing depends on the order within the batch.

    Args:
        score: int64 ``(N, M)``, each sample's own draw.
        digest: int64 ``(N, M)``, a number that equal data have in common.
        there: bool ``(N, M)``.

    Returns:
        The lender of each sample and person slot, int64 ``(N, M)``, and whether there is one, bool ``(N, M)``.
    """
    n = score.shape[0]
    order = digest.argsort(stable=True, dim=0)
    order = order.gather(0, score.gather(0, order).argsort(stable=True, dim=0))
    order = order.gather(0, (~there).to(torch.uint8).gather(0, order).argsort(stable=True, dim=0))
    score, digest = score.gather(0, order), digest.gather(0, order)
    place = torch.arange(n, device=score.device)[:, None]
    differs = (score != score.roll(1, 0)) | (digest != digest.roll(1, 0)) | (place == 0)
    # Where each one's own group of equals begins, and where the next group does; after the last comes the first.
    own = torch.where(differs, place, 0).cummax(0).values if n else place.expand_as(score)
    starts = torch.where(differs, place, n)
    following = starts.flip(0).cummin(0).values.flip(0).roll(-1, 0) if n else starts
    following = torch.where((place == n - 1) | (following >= there.sum(0)), 0, following)
    rank = order.argsort(0)
    lender = order.gather(0, following.gather(0, rank))
    return lender, there & (following != own).gather(0, rank)


def borrow(value: Tensor, partner: Tensor, person_dim: int) -> Tensor:
    """Row ``partner[n, m]`` of ``value (S, …, M)`` for each sample n and person m; M is its ``person_dim``."""
    shape = (partner.shape[0], *(1,) * (person_dim - 1), partner.shape[1])
    return value.gather(0, partner.view(shape).expand(partner.shape[0], *value.shape[1:]))
