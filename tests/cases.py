"""The registry table: every transform and policy, with the settings under which the conformance suite runs it.

A new transform gets one line here, and with it every conformance test.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from foreign import Fence, Stretch, Wince
from torch import Tensor

import skelaug
from skelaug import Compose, OneOf, Skeleton, SkeletonBatch, policies
from skelaug import transforms as T
from skelaug.coordinates import with_coords

#: Small, so that the suite is quick, with every role: two arms, two legs, a trunk.
SKELETON = Skeleton.from_edges(
    [(0, 1), (1, 2), (1, 3), (0, 4), (0, 5), (4, 6), (5, 7)],
    name="test8",
    joints=["hip", "neck", "left_hand", "right_hand", "left_knee", "right_knee", "left_foot", "right_foot"],
    pairs=[(2, 3), (4, 5), (6, 7)],
    centre=0,
    root=0,
    spine=(0, 1),
    shoulders=(2, 3),
    limbs={"trunk": (0, 1), "left_arm": (2,), "right_arm": (3,), "left_leg": (4, 6), "right_leg": (5, 7)},
)
V = len(SKELETON)


@dataclass(frozen=True)
class Case:
    """One transform or policy view under test.

    Attributes:
        make: builds it; keyword arguments override the usual ones (``p``).
        gated: takes ``p``.
        random: two samples with equal data get different results.
        two_d: works on two coordinates too.
        on_others: with keys, a sample's result depends on the other samples' data (SkeleAdaIN), so a part of the batch
            differs.
        foreign: a user's own class, which has no plain form because nothing registers it.
    """

    name: str
    make: Callable[..., Any]
    gated: bool = True
    random: bool = True
    two_d: bool = True
    on_others: bool = False
    foreign: bool = False

    def __repr__(self) -> str:
        return self.name


def _of(cls: Any, *args: Any, **fixed: Any) -> Callable[..., Any]:
    return lambda **given: cls(*args, **{**fixed, **given})


def _compose(*parts: Callable[[], Any]) -> Callable[..., Any]:
    return lambda **given: Compose([part() for part in parts], **given)


S = SKELETON
TRANSFORMS = [
    # space
    Case("Shear", _of(T.Shear, 0.5)),
    Case("Rotate", _of(T.Rotate, 40)),
    Case("Rotate-main", _of(T.Rotate, 30, axes="main")),
    Case("Rotate-z", _of(T.Rotate, (10, 60), axes="z")),
    Case("Scale", _of(T.Scale, (0.8, 1.2))),
    Case("Scale-axis", _of(T.Scale, (0.8, 1.2), per_axis=True)),
    Case("Rotate-point", _of(T.Rotate, 40, coords=2, about=(0.7, -0.4))),
    Case("Rotate-joint", _of(T.Rotate, 40, about="left_hand", skeleton=S)),
    Case("Shear-body", _of(T.Shear, 0.5, about="body")),
    Case("Scale-body", _of(T.Scale, (0.8, 1.2), per_axis=True, about="body")),
    Case("Translate", _of(T.Translate, 0.3)),
    Case("Mirror", _of(T.Mirror, S, p=1.0), random=False),
    Case("Mirror-joint", _of(T.Mirror, S, p=1.0, about=2), random=False),
    Case("Mirror-body", _of(T.Mirror, S, "y", p=1.0, about="body"), random=False),
    Case("SwapSides", _of(T.SwapSides, S, p=1.0), random=False),
    Case("NegateAxis", _of(T.NegateAxis, "y", p=1.0), random=False),
    Case("AxisMask", _of(T.AxisMask, p=1.0)),
    Case("RandomMove", _of(T.RandomMove, 20, nodes=3)),
    Case("Center", _of(T.Center, S), random=False),
    Case("Center-clip", _of(T.Center, S, per="clip"), random=False),
    Case("Align", _of(T.Align, S), random=False),
    Case("Align-clip", _of(T.Align, S, per="clip"), random=False),
    Case("Align-spine", _of(T.Align, S, "spine"), random=False),
    Case("Align-spine-clip", _of(T.Align, S, "spine", "clip"), random=False),
    Case("Align-released", _of(T.Align, S, released=True), random=False),
    Case("Normalize", _of(T.Normalize), random=False),
    Case("SubtractJoint", _of(T.SubtractJoint, p=1.0)),
    # time
    Case("TemporalCrop", _of(T.TemporalCrop, 3)),
    Case("CropResize", _of(T.CropResize, length=7), gated=False),
    Case("CropResize-image", _of(T.CropResize, length=7, align_corners=False), gated=False),
    Case("DropFrame", _of(T.DropFrame, 0.3)),
    Case("DropFrame-hold", _of(T.DropFrame, (0.2, 0.5), fill="hold")),
    Case("DropFrame-interpolate", _of(T.DropFrame, 0.4, fill="interpolate")),
    Case("DropFrame-remove", _of(T.DropFrame, 0.3, fill="remove")),
    Case("FillGaps", _of(T.FillGaps), random=False),
    Case("FillGaps-hold", _of(T.FillGaps, 2, "hold"), random=False),
    Case("Reverse", _of(T.Reverse, p=1.0), random=False),
    Case("Speed", _of(T.Speed, (0.5, 2))),
    Case("Speed-nearest", _of(T.Speed, (0.5, 2), interpolation="nearest")),
    Case("TimeWarp", _of(T.TimeWarp)),
    Case("Blur", _of(T.Blur, (0.3, 2), kernel_size=7, p=1.0)),
    Case("Blur-released", _of(T.Blur, (0.3, 2), kernel_size=7, normalize=False, p=1.0)),
    Case("SegmentSample", _of(T.SegmentSample, 6), gated=False),
    # joints
    Case("JointMask", _of(T.JointMask, 0.3)),
    Case("JointMask-token", _of(T.JointMask, (0.2, 0.5), per="sequence", fill="token")),
    Case("JointMask-mean", _of(T.JointMask, 0.3, fill="mean")),
    Case("LimbMask", _of(T.LimbMask, S, fill=0.5)),
    Case("JointTimeMask", _of(T.JointTimeMask)),
    Case("JointJitter", _of(T.JointJitter, 0.1, 0.4)),
    Case("PersonSwap", _of(T.PersonSwap, p=1.0), random=False),
    Case("PersonDrop", _of(T.PersonDrop, p=1.0)),
    Case("Bone", _of(T.Bone, S), gated=False, random=False),
    Case("Motion", _of(T.Motion), gated=False, random=False),
    Case("BoneMotion", _of(T.BoneMotion, S), gated=False, random=False),
    # values
    Case("GaussianNoise", _of(T.GaussianNoise, 0.1)),
    Case("GaussianNoise-relative", _of(T.GaussianNoise, (0.01, 0.1), relative=True)),
    Case("SkeleAdaIN", _of(T.SkeleAdaIN), on_others=True),
    Case("SkeleAdaIN-frame", _of(T.SkeleAdaIN, stats="frame"), on_others=True),
    Case("BoneLengthTransfer", _of(T.BoneLengthTransfer, S), on_others=True),
    # graph
    Case("DropEdges", _of(T.DropEdges, 0.4, S)),
    Case("DropEdges-layers", _of(T.DropEdges, 0.4, S, layers=2, keep_self_loops=False)),
    Case("AddEdges", _of(T.AddEdges, 0.2, S)),
]

_LINEAR = [
    _of(T.TemporalCrop, 3),
    _of(T.Shear, 0.5),
    _of(T.SwapSides, S),
    _of(T.Rotate, 30),
    _of(T.Translate, 0.2, p=0.5),
    _of(T.Blur, (0.3, 2), 5),
    _of(T.Reverse),
]
POLICIES = [
    Case("Compose", _compose(_of(T.Shear, 0.5), _of(T.GaussianNoise, 0.1), _of(T.JointMask, 0.2))),
    Case("Compose-linear", _compose(*_LINEAR)),
    Case(
        "Compose-about",
        _compose(
            _of(T.Rotate, 30, about="body"),
            _of(T.Translate, 0.2),
            _of(T.Mirror, S, about=2),
            lambda: Compose([T.PersonSwap(), T.Scale((0.8, 1.2), about=1), T.Shear(0.3)], p=0.7),
            lambda: OneOf([T.Shear(0.5, about="body"), T.Rotate(20, about="neck", skeleton=S, p=0.5)]),
        ),
    ),
    Case("Compose-nested", _compose(_of(T.PersonDrop), _compose(*_LINEAR), _of(T.SkeleAdaIN)), on_others=True),
    Case("OneOf", lambda **k: OneOf([T.Shear(0.5), T.Translate(0.3), T.JointMask(0.5)], weights=[1, 1, 2], **k)),
    Case("hiclr-basic", lambda: policies.hiclr(S)[0], gated=False),
    Case("hiclr-normal", lambda: policies.hiclr(S)[1], gated=False),
    Case("hiclr-strong", lambda: policies.hiclr(S, fill="token")[2], gated=False),
    Case("hiclr-bone-all", lambda: policies.hiclr(S, "all", "bone")[2], gated=False, on_others=True),
    Case("hiclr-motion-edges", lambda: policies.hiclr(S, "edges", "motion")[2], gated=False),
    Case("hiclr_released", lambda: policies.hiclr_released(S, "bone_motion")[2], gated=False),
    Case("aimclr", lambda: policies.aimclr(S)[1], gated=False),
    Case("crossclr", lambda: policies.crossclr(S)[0], gated=False),
    Case("ctrgcn", lambda: policies.ctrgcn(S, length=8), gated=False),
    Case("pyskl_strong", lambda: policies.pyskl_strong(S, length=9), gated=False),
    Case("skateformer", lambda: policies.skateformer(S, length=8), gated=False, on_others=True),
]

#: As users write them, alone and before what reads the presence that they leave.
FOREIGN = [
    Case("Fence", _of(Fence), random=False, foreign=True),
    Case("Stretch", _of(Stretch), foreign=True),
    Case("Wince", _of(Wince), foreign=True),
    Case(
        "Compose-foreign",
        _compose(_of(Fence), _of(T.TemporalCrop, 3), _of(Stretch), _of(T.Shear, 0.5), _of(Wince, p=0.5)),
        foreign=True,
    ),
]


def _guests() -> list[Case]:
    """Another package's cases, such as ``SKELAUG_CASES=my_package.cases:CASES``: the suite runs over them too."""
    module, _, name = os.environ.get("SKELAUG_CASES", "").partition(":")
    return list(getattr(importlib.import_module(module), name)) if module else []


def scored(case: Case) -> Case:
    """The case on (x, y, score): two of the three channels are coordinates."""
    return replace(case, name=f"{case.name}-score", make=lambda **given: with_coords(case.make(**given), 2))


CASES = TRANSFORMS + POLICIES + FOREIGN + _guests()
SCORED = [scored(case) for case in CASES]


def make_x(
    n: int = 5, c: int = 3, t: int = 12, m: int = 2, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Smooth nonsense of a plausible size, nowhere 0: everybody present."""
    g = torch.Generator().manual_seed(seed)
    drift = torch.randn(n, c, t, 1, m, generator=g).cumsum(2) * 0.1
    pose = torch.randn(n, c, 1, V, m, generator=g) * 0.5
    return (pose + drift + 0.05 * torch.randn(n, c, t, V, m, generator=g)).to(dtype)


def make_mask(n: int = 5, t: int = 12, m: int = 2) -> Tensor:
    """A mask with everything that happens: a missing person, padding, gaps, lost joints, an empty sample."""
    mask = torch.ones(n, t, V, m, dtype=torch.bool)
    if m > 1 and n > 0:
        mask[0, :, :, 1] = False  # one person only
    if n > 1:
        mask[1, t // 2 :] = False  # a short clip
    if n > 2:
        mask[2, t // 3 : t // 3 + 2] = False  # a gap in time
        mask[2, 0, 2] = False  # a lost joint
    if n > 3:
        mask[3, :2] = False  # a late start
        mask[3, -1, :, m - 1] = False
    if n > 4:
        mask[4] = False  # nobody
    return mask


def make_batch(
    n: int = 5, c: int = 3, t: int = 12, m: int = 2, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> SkeletonBatch:
    """A batch with gaps whose masked entries arrive as NaN, and with labels."""
    mask = make_mask(n, t, m)
    x = torch.where(mask[:, None], make_x(n, c, t, m, seed=seed, dtype=dtype), torch.nan)
    return SkeletonBatch(x, mask, label=torch.arange(n))


#: A label of every kind for the batches of five samples and twelve frames.
LABELS: dict[str, Tensor] = {
    "sample": torch.arange(5),
    "class": torch.softmax(torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), 1),
    "frame": torch.arange(60).view(5, 12),  # every frame has a number of its own
}


def labelled(kind: str) -> SkeletonBatch:
    """:func:`make_batch` with a label of this kind."""
    return make_batch().replace(label=LABELS[kind])


def generator(seed: int = 0) -> torch.Generator:
    """A fresh CPU generator."""
    return torch.Generator().manual_seed(seed)


def keys(n: int, seed: int = 0) -> Tensor:
    """Keys of samples 0 … n - 1."""
    return skelaug.random.keys(seed, 0, torch.arange(n))
