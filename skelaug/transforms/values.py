"""Transforms of the values: noise, and the style of another sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.lanes import Number, uniforms
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

    op_presence = True
    gates_itself = True

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

    def numbers(self, batch: SkeletonBatch) -> Sequence[Number]:
        return () if self._range[0] == self._range[1] else uniforms(1, *self._range)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        coords = check.channels("GaussianNoise", self.coords, batch.x)
        low, high = self._range
        shape = (len(coords), *batch.x.shape[2:])
        if low == high:
            return {"noise": rng.normal(*shape, std=low)}
        return {"noise": rng.normal(*shape).mul_(rng.numbers.view(-1, 1, 1, 1, 1))}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x, noise = batch.x, params["noise"]
        coords = check.channels("GaussianNoise", self.coords, x)
        if self.relative:
            noise = noise * fv.body_size(fv.pick(x, coords), batch.mask)[:, None, None, None]
        mask = batch.mask
        if "apply" in params and mask is not None:
            mask = mask & params["apply"][:, None, None, None]
        y = fv.add_noise(x, fv.place(noise, coords, x.shape[1]), mask, own=batch._own)
        return batch.replace(x=y)._made_from(batch)


@final
class SkeleAdaIN(Transform):
    """Give each person the statistics of a style: ``y = σ_s (x - μ_c) / σ_c + μ_s`` per person and channel.

    Drawn per sample and person slot: the partner, another sample that has somebody in that slot (of the batch, or of
    ``style``). Its statistics go into the params, detached: ``mean`` and ``std`` ``(N, C, T or 1, 1, M)``, and
    ``paired``. Without a partner (a batch of one, all others absent) a person stays as it is; absent people stay
    absent and lend no style.

    Args:
        stats: ``"sequence"``: over all present frames and joints; ``"frame"``: over the joints of each frame (where
            the partner is absent, the frame stays as it is).
        style: a SkeletonBatch or Tensor ``(S, C, T, V, M)`` that lends the styles; ``None`` for the other samples of
            the batch.
        p: probability per sample.

    The variance is unbiased, plus 1e-5. With keys the partners depend on who is in the batch, but not on the order.

    Source: HiCLR (AAAI 2023), whose code never calls it and has no gate for absent people. SkateFormer's "Skeleton
    AdaIN" is :class:`BoneLengthTransfer`.

    Example:
        >>> SkeleAdaIN()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    draws_from = "data"
    op_presence = True

    def __init__(self, stats: str = "sequence", style: SkeletonBatch | Tensor | None = None, p: float = 1.0) -> None:
        super().__init__(p)
        self.stats = check.choice("SkeleAdaIN", "stats", stats, ("sequence", "frame"))
        self.style = as_style("SkeleAdaIN", style)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        per_frame = self.stats == "frame"
        partner, paired, style = find_partner("SkeleAdaIN", batch, self.style, rng)
        if per_frame and style.x.shape[2] != batch.x.shape[2]:
            raise ValueError(
                f"SkeleAdaIN(stats='frame'): style must have as many frames as x, {batch.x.shape[2]}, got "
                f"{style.x.shape[2]}"
            )
        mean, std = (borrow(v.float(), partner, 4) for v in fv.moments(style.x, style.mask, per_frame=per_frame))
        paired = paired[:, None, None]
        if per_frame:
            assert style.mask is not None
            paired = paired & borrow(style.mask.any(2, keepdim=True), partner, 3)
        return {"mean": mean, "std": std, "paired": paired}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        per_frame = self.stats == "frame"
        x = fv.adain(batch.x, params["mean"], params["std"], params["paired"], batch.mask, per_frame=per_frame)
        return batch.replace(x=x)


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

    draws_from = "data"
    op_presence = True
    _ancestors: Tensor

    def __init__(
        self, skeleton: Skeleton, style: SkeletonBatch | Tensor | None = None, p: float = 1.0, coords: Any = None
    ) -> None:
        super().__init__(p)
        self.skeleton = check.skeleton("BoneLengthTransfer", skeleton)
        self.style = as_style("BoneLengthTransfer", style)
        self.coords = check.coordinates("BoneLengthTransfer", coords)
        self.register_buffer("_ancestors", skeleton.ancestors(), persistent=False)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        coords = check.channels("BoneLengthTransfer", self.coords, batch.x)
        partner, paired, style = find_partner("BoneLengthTransfer", batch, self.style, rng)
        lengths = fv.bone_lengths(fv.pick(style.x, coords), self._parents(batch), style.mask)
        return {"lengths": borrow(lengths.float(), partner, 2), "paired": paired}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("BoneLengthTransfer", self.coords, batch.x)
        part, parents = fv.pick(batch.x, coords), self._parents(batch)
        own = fv.bone_lengths(part, parents, batch.mask)
        wanted = params["lengths"].to(own.dtype)
        known = (own > 0) & (wanted > 0) & params["paired"][:, None]
        ratio = torch.where(known, wanted / torch.where(known, own, 1), 1)
        ancestors = self._ancestors.to(batch.device, non_blocking=True)
        moved = fv.resize_bones(part, ratio, parents, ancestors, batch.mask)
        return batch.replace(x=fv.put(batch.x, moved, coords))

    def _parents(self, batch: SkeletonBatch) -> Tensor:
        assert self.skeleton is not None
        return check.constant(self.skeleton.parents, batch.device)


def as_style(who: str, style: SkeletonBatch | Tensor | None) -> SkeletonBatch | None:
    """The batch that lends styles."""
    if style is None or isinstance(style, SkeletonBatch):
        return style
    if not isinstance(style, Tensor):
        raise TypeError(f"{who}(style=…): style must be a Tensor, a SkeletonBatch or None, got {type(style).__name__}")
    return SkeletonBatch(style)


def find_partner(
    who: str, batch: SkeletonBatch, style: SkeletonBatch | None, rng: Rng
) -> tuple[Tensor, Tensor, SkeletonBatch]:
    """A random lender for each sample and person slot.

    Returns:
        Its index ``(N, M)`` and whether there is one, bool ``(N, M)``; and the batch that is indexed.
    """
    assert batch.mask is not None
    n, persons = len(batch), batch.x.shape[4]
    there = batch.mask.flatten(1, 2).any(1)
    score = rng.uniform(persons)
    if style is None:
        # In a random order of those present (the others last) everybody borrows from the next: never from itself, every
        # other one equally likely, and O(N log N). The order comes from each sample's own draw, so not from its place.
        order = torch.where(there, score, 2).argsort(0)
        rank, total = order.argsort(0), there.sum(0)
        partner = order.gather(0, (rank + 1) % total.clamp(min=1)) if n else order
        return partner, there & (total > 1), batch
    style = style.to(batch.device)
    if style.x.shape[1] != batch.x.shape[1] or style.x.shape[3:] != batch.x.shape[3:]:
        raise ValueError(
            f"{who}(style=…): style {tuple(style.x.shape)} must have the channels, joints and persons of x "
            f"{tuple(batch.x.shape)}"
        )
    assert style.mask is not None
    lends = style.mask.flatten(1, 2).any(1)  # (S, M)
    total = lends.sum(0)
    order = (~lends).to(torch.uint8).argsort(stable=True, dim=0)
    place = torch.minimum((score * total).long(), (total - 1).clamp(min=0))
    return order.gather(0, place), there & (total > 0), style


def borrow(value: Tensor, partner: Tensor, person_dim: int) -> Tensor:
    """Row ``partner[n, m]`` of ``value (S, …, M)`` for each sample n and person m; M is its ``person_dim``."""
    shape = (partner.shape[0], *(1,) * (person_dim - 1), partner.shape[1])
    return value.gather(0, partner.view(shape).expand(partner.shape[0], *value.shape[1:]))
