"""Transforms of the joints and persons: masks, jitter, exchange."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import joints as fj
from skelaug.functional import values as fv
from skelaug.presence import Presence
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = [
    "JointJitter",
    "JointMask",
    "JointTimeMask",
    "LimbMask",
    "PersonDrop",
    "PersonSwap",
]

#: Up to so many of a set are drawn one by one, more by sorting.
_FEW = 8


@final
class JointMask(Transform):
    """Replace some joints in every frame: HiCLR's Random Mask. Masked joints are data, not absence.

    Drawn per sample and, for ``per="frame"``, per frame: which joints; all channels and persons alike. The params hold
    ``mask``, bool ``(N, T or 1, V)``, True where masked.

    Args:
        ratio: exactly int(V · ratio) distinct joints, at least 1 if ratio > 0; a pair draws the ratio per sample.
        per: ``"frame"`` draws anew in every frame, ``"sequence"`` masks the same joints throughout.
        fill: a number; ``"token"``, one learnable scalar that starts at 0 and trains through this branch; or
            ``"mean"``, the mean of the person's observed joints in the frame.
        p: probability per sample.
        coords: channels that are coordinates and get ``fill``; a masked joint's others become 0.

    Source: HiCLR (AAAI 2023), ratio 0.1 (whose code shares one mask over the batch).

    Example:
        >>> x = torch.ones(8, 3, 50, 25, 2)
        >>> y, params = JointMask(0.1)(x, return_params=True)
        >>> int(params["mask"].sum(-1).unique())
        2
    """

    on_stream = True
    linear = True
    shapes = "mask: bool N T V"

    def __init__(
        self,
        ratio: float | tuple[float, float] = 0.1,
        per: str = "frame",
        fill: float | str = 0.0,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.ratio = ratio
        self._range = check.span("JointMask", "ratio", ratio, low=0, high=1, single="fixed")
        self.per = check.choice("JointMask", "per", per, ("frame", "sequence"))
        if per == "sequence":
            self.shapes = "mask: bool N 1 V"
        self.fill, self.coords = check_fill("JointMask", fill), check.coordinates("JointMask", coords)
        self.token = nn.Parameter(torch.zeros((), dtype=torch.float32, device="cpu")) if fill == "token" else None
        self.linear = fill == 0

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        frames, joints = (batch.x.shape[2] if self.per == "frame" else 1), batch.x.shape[3]
        return {"mask": choose(rng, how_many(rng, self._range, joints), frames, joints)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return hide("JointMask", batch, params["mask"], self.fill, self.token, self.coords)


@final
class LimbMask(Transform):
    """Hide whole limbs for the whole clip; all persons alike. Masked joints are data, not absence.

    Drawn per sample: which of the skeleton's limbs (its parts but the trunk). The params hold ``mask``, bool ``(N, 1,
    V)``.

    Args:
        skeleton: whose limbs are meant.
        limbs: how many.
        fill: a number, ``"token"`` or ``"mean"``, as in :class:`JointMask`.
        p: probability per sample.
        coords: channels that are coordinates and get ``fill``; a masked joint's others become 0.

    Source: HYSP; ProtoGCN's part drop.

    Example:
        >>> from skelaug import skeletons
        >>> LimbMask(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    on_stream = True
    linear = True
    shapes = "mask: bool N 1 V"

    def __init__(
        self, skeleton: Skeleton | str, limbs: int = 1, fill: float | str = 0.0, p: float = 1.0, coords: Any = None
    ) -> None:
        super().__init__(p)
        skeleton = self.skeleton = check.limbed("LimbMask", skeleton)
        parts = [joints for name, joints in skeleton.limbs.items() if name != "trunk"] or list(skeleton.limbs.values())
        self.limbs = check.choice("LimbMask", "limbs", limbs, range(1, len(parts) + 1))
        self._table = [[joint in part for joint in range(len(skeleton))] for part in parts]
        self.fill, self.coords = check_fill("LimbMask", fill), check.coordinates("LimbMask", coords)
        self.token = nn.Parameter(torch.zeros((), dtype=torch.float32, device="cpu")) if fill == "token" else None
        self.linear = fill == 0

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        table = check.constant(self._table, batch.device)
        chosen = choose(rng, self.limbs, 1, len(self._table))  # (N, 1, limbs)
        return {"mask": (chosen[..., None] & table).any(2)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return hide("LimbMask", batch, params["mask"], self.fill, self.token, self.coords)


@final
class JointTimeMask(Transform):
    """Hide some joints during one stretch of time; all channels and persons alike. Masked joints are data, not absence.

    Drawn per sample: the joints, exactly int(V · joints) and at least 1, and the start of a stretch of round(valid
    frames · frames), at least 1. The params hold ``mask``, bool ``(N, T, V)``.

    Args:
        joints: share of the joints; a pair draws it per sample.
        frames: share of the valid frames; a pair draws it per sample.
        fill: a number, ``"token"`` or ``"mean"``, as in :class:`JointMask`.
        p: probability per sample.
        coords: channels that are coordinates and get ``fill``; a masked joint's others become 0.

    Source: after SkateFormer's drop_joint (5 … 15 of 25 joints in 16 … 32 of 64 frames, there scattered).

    Example:
        >>> JointTimeMask()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    on_stream = True
    linear = True
    shapes = "mask: bool N T V"

    def __init__(
        self,
        joints: float | tuple[float, float] = (0.2, 0.6),
        frames: float | tuple[float, float] = (0.25, 0.5),
        fill: float | str = 0.0,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.joints, self.frames = joints, frames
        self._joints = check.span("JointTimeMask", "joints", joints, low=0, high=1, single="fixed")
        self._frames = check.span("JointTimeMask", "frames", frames, low=0, high=1, single="fixed")
        self.fill, self.coords = check_fill("JointTimeMask", fill), check.coordinates("JointTimeMask", coords)
        self.token = nn.Parameter(torch.zeros((), dtype=torch.float32, device="cpu")) if fill == "token" else None
        self.linear = fill == 0

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        v = batch.x.shape[3]
        span = batch.observed.span
        share = rng.uniform(1, low=self._frames[0], high=self._frames[1])
        # At least one frame, so that the transform always acts, unless nobody is there.
        size = torch.minimum((share * span.length).round().long().clamp(min=1), span.length)
        first = span.start + (rng.uniform(1) * (span.length - size + 1)).long()
        first = torch.minimum(first, span.stop - size)
        during = (span.frame >= first) & (span.frame < first + size)
        return {"mask": during[..., None] & choose(rng, how_many(rng, self._joints, v), 1, v)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return hide("JointTimeMask", batch, params["mask"], self.fill, self.token, self.coords)


@final
class JointJitter(Transform):
    """Misplace some joints by an offset that stays for the whole clip, as a badly calibrated tracker does.

    Drawn per sample: which joints, exactly int(V · ratio), at least 1 if ratio > 0, for all persons; per sample, joint
    and person: the offset; per sample: its standard deviation, where a pair is given.

    Args:
        std: standard deviation of the offset as a share of the person's size (the diagonal of its bounding box,
            averaged over its frames); a number is fixed, a pair draws from U(low, high).
        ratio: share of the joints; a pair draws it per sample.
        p: probability per sample.
        coords: channels that are coordinates.

    Source: OpenGait's JointNoise, PYSKL's body-relative noise.

    Example:
        >>> JointJitter(0.02)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    shapes = "offset: N D 1 V M"

    def __init__(
        self,
        std: float | tuple[float, float] = 0.02,
        ratio: float | tuple[float, float] = 0.2,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.std, self.ratio, self.coords = std, ratio, check.coordinates("JointJitter", coords)
        self._std = check.span("JointJitter", "std", std, low=0, single="fixed")
        self._ratio = check.span("JointJitter", "ratio", ratio, low=0, high=1, single="fixed")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        coords = check.channels("JointJitter", self.coords, batch.x)
        v, m = batch.x.shape[3:]
        chosen = choose(rng, how_many(rng, self._ratio, v), 1, v)[:, :, None, :, None]
        std = rng.uniform(1, 1, 1, 1, low=self._std[0], high=self._std[1])
        return {"offset": rng.normal(len(coords), 1, v, m) * std * chosen}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("JointJitter", self.coords, batch.x)
        part = fv.pick(batch.x, coords)
        offset = params["offset"] * fv.body_size(part, batch.seen)[:, None, None, None]
        return batch.with_parts(x=fv.put(batch.x, fv.add(part, offset, batch.seen), coords))


@final
class PersonSwap(Transform):
    """Exchange the persons' slots: two change places, more get a random order.

    Drawn per sample: the order, for the whole clip. The params hold ``persons``, int64 ``(N, M)``: slot m gets person
    ``persons[m]``.

    Args:
        p: probability per sample.

    Source: SkateFormer.

    Example:
        >>> PersonSwap(p=1.0)(torch.tensor([1.0, 2.0]).view(1, 1, 1, 1, 2)).flatten()
        tensor([2., 1.])
    """

    moves_presence = True
    linear = True
    shapes = "persons: int<M N M"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        persons = batch.x.shape[4]
        if persons <= 2:
            return {"persons": torch.arange(persons - 1, -1, -1, device=batch.device).expand(len(batch), -1)}
        return {"persons": rng.permutation(persons)}


@final
class PersonDrop(Transform):
    """Let one of several people be absent from the whole clip; the last one always stays.

    Drawn per sample: which of the persons that are ever present, all equally likely. The params hold ``drop``, bool
    ``(N, M)``.

    Args:
        p: probability per sample.

    Source: SkateFormer, whose code always drops the first person.

    Example:
        >>> y = PersonDrop(p=1.0)(torch.ones(8, 3, 50, 25, 2))
        >>> int((y[:, 0, 0, 0] != 0).sum())
        8
    """

    moves_presence = True
    shapes = "drop: bool N M"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        there = batch.seen.flatten(1, 2).any(1)
        rank = torch.where(there, rng.uniform(there.shape[1]), 2).argsort(1).argsort(1)
        return {"drop": (rank == 0) & (there.sum(1, keepdim=True) > 1)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        stays = ~params["drop"][:, None, None]
        seen = Presence.of(batch.seen & stays)
        return batch.with_parts(x=fj.clear_absent(batch.x, stays), observed=seen)


def how_many(rng: Rng, ratio: tuple[float, float], total: int) -> Tensor | int:
    """int(total · ratio), at least 1 if the ratio is above 0; a tensor ``(N,)`` where the ratio is drawn per sample."""
    if ratio[0] == ratio[1]:
        # 0.29 · 100 is 28.999…: what was meant is 29.
        return max(int(total * ratio[0] + 1e-9), 1 if ratio[0] > 0 else 0)
    drawn = (total * rng.uniform(low=ratio[0], high=ratio[1]) + 1e-5).long()
    return drawn.clamp(min=1, max=total)


def choose(rng: Rng, count: Tensor | int, rows: int, size: int) -> Tensor:
    """Bool ``(N, rows, size)`` with exactly ``count`` True in each row, every such set equally likely."""
    if not isinstance(count, int) or count > _FEW:
        return rng.permutation(size, rows) < (count if isinstance(count, int) else count[:, None, None])
    # Floyd's algorithm (Bentley and Floyd, CACM 1987): one draw for each joint, instead of a sort of all.
    chosen = torch.zeros(rng.n, rows, size, dtype=torch.bool, device=rng.device)
    if not size:
        return chosen
    top = torch.arange(size - count, size, device=rng.device)
    drawn = torch.minimum((rng.uniform(rows, count) * (top + 1)).long(), top)
    for i in range(count):
        pick = drawn[..., i : i + 1]
        again = chosen.gather(-1, pick)
        chosen.scatter_(-1, torch.where(again, size - count + i, pick), True)
    return chosen


def check_fill(who: str, fill: float | str) -> float | str:
    """``fill`` if it is a number, ``"token"`` or ``"mean"``."""
    if isinstance(fill, str):
        check.choice(who, "fill", fill, ("token", "mean"))
        return fill
    return check.number(who, "fill", fill)


def hide(
    who: str,
    batch: SkeletonBatch,
    chosen: Tensor,
    fill: float | str,
    token: Tensor | None,
    coords: tuple[int, ...] | None,
) -> SkeletonBatch:
    """Fill the chosen joints of everybody who is present; channels that are no coordinates become 0."""
    x = batch.x
    if fill == 0:
        return batch.with_parts(x=fj.fill_joints(x, chosen, 0.0))
    channels = check.channels(who, coords, x)
    part = fv.pick(x, channels)
    value = token if token is not None else fill if isinstance(fill, float) else mean_joint(part, batch.mask)
    filled = fj.fill_joints(part, chosen, value, batch.seen)
    rest = x if len(channels) == x.shape[1] else fj.fill_joints(x, chosen, 0.0)
    return batch.with_parts(x=fv.put(rest, filled, channels))


def mean_joint(x: Tensor, mask: Tensor) -> Tensor:
    """The mean of each person's observed joints, ``(N, C, T, 1, M)``, at least float32."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return x.sum(3, keepdim=True) / mask[:, None].sum(3, keepdim=True).clamp(min=1)
