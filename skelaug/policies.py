"""Named policies: what papers train with, built for any skeleton. Each says what it reproduces and what it changes.

Contrastive methods give a :class:`~skelaug.policy.GrowingPolicy`, whose ``views`` are ordered weak to strong; recipes
of supervised training give one transform, a :class:`~skelaug.policy.Compose`. In all of them every draw is per sample
and absent people stay absent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch import Tensor

from skelaug import check, plugins
from skelaug.coordinates import with_coords
from skelaug.policy import Compose, GrowingPolicy, OneOf
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform
from skelaug.transforms import (
    AddEdges,
    AxisMask,
    Blur,
    Bone,
    BoneLengthTransfer,
    BoneMotion,
    CropResize,
    DropEdges,
    GaussianNoise,
    JointMask,
    JointTimeMask,
    Motion,
    PersonSwap,
    Rotate,
    Scale,
    SegmentSample,
    Shear,
    SkeleAdaIN,
    SwapSides,
    TemporalCrop,
)

__all__ = ["aimclr", "crossclr", "ctrgcn", "hiclr", "hiclr_released", "pyskl_strong", "skateformer"]


def hiclr(
    skeleton: Skeleton | str,
    strong: str = "mask",
    stream: str = "joint",
    *,
    ratio: float = 0.1,
    fill: float | str = 0.0,
    graph: Skeleton | Tensor | None = None,
    layers: int = 1,
    coords: Any = None,
    vectors: Any = None,
) -> GrowingPolicy:
    """HiCLR's growing augmentations: basic, normal, strong.

    Reproduces the sets and the order of Zhang, Lin, Liu (AAAI 2023): basic = temporal crop, shear; normal = swapped
    sides, rotation about a random main axis, noise, blur, axis mask; strong = Random Mask, Drop/Add Edges, SkeleAdaIN.

    Changes, deliberately: every draw is per sample (the code shares a mask over the batch); angles are two-sided, ±30°
    and ±1° (the code: 0 … 30° and 0 … 1°, in the left-handed sense); the blur is normalised (the code's enlarges the
    body up to 5 ×); absent people stay absent; all three strong augmentations run (the code calls Random Mask alone).
    :func:`hiclr_released` keeps the code's ways.

    Args:
        skeleton: of the data, or its name.
        strong: ``"mask"``, ``"edges"``, ``"adain"``, or ``"all"`` for one strong stage that holds the three. With
            edges, all views are SkeletonBatches.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``; Random Mask acts on the stream.
        ratio: share of joints that Random Mask hides (0.2 for the Transformer's joint stream).
        fill: of Random Mask: a number, or ``"token"`` for the paper's learnable scalar.
        graph: that Drop/Add Edges start from, ``(K, V, V)``, such as an encoder's own; ``None``: the skeleton's.
        layers: aggregation layers of the encoder; above 1, each gets edges of its own.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.

    Example:
        >>> import torch, skelaug
        >>> policy = hiclr(skelaug.skeletons["ntu25"])
        >>> weak, normal, strong = policy.views(torch.randn(8, 3, 50, 25, 2))
        >>> policy.names
        ('basic', 'normal', 'strong')
    """
    skeleton = check.skeleton("hiclr", skeleton)
    check.choice("hiclr", "strong", strong, ("mask", "edges", "adain", "all"))
    edges = skeleton if graph is None else graph
    stages: dict[str, list[Transform]] = {
        "adain": [SkeleAdaIN()],
        "edges": [DropEdges(0.1, edges, layers), AddEdges(0.05, edges, layers)],
        "mask": [JointMask(ratio, fill=fill)],
    }
    policy = GrowingPolicy(
        basic=[TemporalCrop(6), Shear(0.5)],
        normal=[
            SwapSides(skeleton, p=0.5),
            Rotate(30, axes="main", minor=1),
            GaussianNoise(0.01, p=0.5),
            Blur((0.1, 2), p=0.5),
            AxisMask(p=0.5),
        ],
        strong=[member for name, stage in stages.items() if strong in (name, "all") for member in stage],
        stream=_stream("hiclr", skeleton, stream),
    )
    return with_coords(policy, coords, "hiclr", vectors)


def hiclr_released(
    skeleton: Skeleton | str,
    stream: str = "joint",
    *,
    ratio: float = 0.1,
    fill: float | str = 0.0,
    coords: Any = None,
    vectors: Any = None,
) -> GrowingPolicy:
    """What HiCLR's released code does, quirks included: for reproducing its numbers.

    Reproduces: one-sided, left-handed rotation by 0 … 30° and 0 … 1°; a blur whose weights do not sum to one; Random
    Mask as the only strong augmentation.

    Changes: the mask is drawn per sample (the code: one for the batch), and neither noise nor mask writes into absent
    people.

    Args:
        skeleton: of the data, or its name.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``.
        ratio: share of joints that Random Mask hides.
        fill: of Random Mask: a number, or ``"token"`` for the learnable scalar.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.
    """
    skeleton = check.skeleton("hiclr_released", skeleton)
    policy = GrowingPolicy(
        basic=[TemporalCrop(6), Shear(0.5)],
        normal=_released_normal(skeleton),
        strong=[JointMask(ratio, fill=fill)],
        stream=_stream("hiclr_released", skeleton, stream),
    )
    return with_coords(policy, coords, "hiclr_released", vectors)


def aimclr(
    skeleton: Skeleton | str, stream: str = "joint", *, coords: Any = None, vectors: Any = None
) -> GrowingPolicy:
    """AimCLR (AAAI 2022): normal augmentations, then extreme ones.

    Reproduces the two input branches: normal = temporal crop, shear; extreme adds swapped sides, rotation, noise, blur
    and axis mask, with the release's one-sided rotation and its blur that enlarges.

    Changes: noise stays off absent people. The feature-level drop (EADM) belongs to the model and is not here.

    Args:
        skeleton: of the data, or its name.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.
    """
    skeleton = check.skeleton("aimclr", skeleton)
    policy = GrowingPolicy(
        normal=[TemporalCrop(6), Shear(0.5)],
        extreme=_released_normal(skeleton),
        stream=_stream("aimclr", skeleton, stream),
    )
    return with_coords(policy, coords, "aimclr", vectors)


def crossclr(
    skeleton: Skeleton | str, stream: str = "joint", *, coords: Any = None, vectors: Any = None
) -> GrowingPolicy:
    """CrosSCLR and SkeletonCLR (CVPR 2021): one stage, temporal crop and shear; ``key_view`` draws the key.

    Args:
        skeleton: of the data, or its name.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.
    """
    skeleton = check.skeleton("crossclr", skeleton)
    policy = GrowingPolicy(
        basic=[TemporalCrop(6), Shear(0.5)], stream=_stream("crossclr", skeleton, stream), skeleton=skeleton
    )
    return with_coords(policy, coords, "crossclr", vectors)


def ctrgcn(skeleton: Skeleton | str, length: int = 64, *, coords: Any = None, vectors: Any = None) -> Compose:
    """CTR-GCN's training recipe (ICCV 2021), also InfoGCN's and BlockGCN's: crop and resize, small rotation.

    Changes: clips shorter than 64 frames are cropped like all others (the code keeps them whole); ends are kept in the
    resize; the rotation is right-handed (about the same axes in the same order by symmetric angles, so the distribution
    is the code's).

    Args:
        skeleton: of the data, or its name; any.
        length: frames of the output.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.

    Example:
        >>> import torch, skelaug
        >>> ctrgcn(skelaug.skeletons["ntu25"])(torch.randn(8, 3, 300, 25, 2)).shape
        torch.Size([8, 3, 64, 25, 2])
    """
    skeleton = check.skeleton("ctrgcn", skeleton)
    policy = Compose([CropResize((0.5, 1.0), length=length), Rotate(math.degrees(0.3))], skeleton=skeleton)
    return with_coords(policy, coords, "ctrgcn", vectors)


def pyskl_strong(skeleton: Skeleton | str, length: int = 100, *, coords: Any = None, vectors: Any = None) -> Compose:
    """PYSKL's ``strong_aug`` recipe for 3D: uniform sampling, scale per axis ±0.1, rotation ±0.3 rad about each axis.

    Changes: rotation is right-handed; a score channel is not scaled, if ``coords`` says which channels are coordinates.
    Normalisation (PreNormalize3D) is preparation, not here.

    Args:
        skeleton: of the data, or its name; any.
        length: frames of the output.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.
    """
    skeleton = check.skeleton("pyskl_strong", skeleton)
    policy = Compose(
        [SegmentSample(length), Scale((0.9, 1.1), per_axis=True), Rotate(math.degrees(0.3))], skeleton=skeleton
    )
    return with_coords(policy, coords, "pyskl_strong", vectors)


def skateformer(skeleton: Skeleton | str, length: int = 64, *, coords: Any = None, vectors: Any = None) -> Compose:
    """SkateFormer's default recipe (ECCV 2024).

    Uniform sampling of a crop, then with probability 0.5 a chain of augmentations, with 0.2 the bone lengths of another
    sample.

    Reproduces its ``aug_method: a123489``: person swap, shear, rotation about one axis, scale per axis, swapped sides,
    axis mask, joint drop, each half of the time.

    Changes: the bone lengths come from any other sample of the batch (the code: same class) and are means over the
    clip; the dropped frames are one stretch (the code: scattered); clips shorter than 64 frames are cropped like all
    others.

    Args:
        skeleton: of the data, or its name.
        length: frames of the output.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        vectors: groups of further channels that are turned with the body but not shifted, such as velocities.
    """
    skeleton = check.skeleton("skateformer", skeleton)
    chain = Compose(
        [
            PersonSwap(p=0.5),
            Shear(0.5, p=0.5),
            Rotate(30, axes="main", minor=0, p=0.5),
            Scale((0.8, 1.2), per_axis=True, p=0.5),
            SwapSides(skeleton, p=0.5),
            AxisMask(p=0.5),
            JointTimeMask((0.2, 0.6), (0.25, 0.5), p=0.5),
        ]
    )
    branches = OneOf([chain, BoneLengthTransfer(skeleton), Compose([])], weights=[0.5, 0.2, 0.3])
    policy = Compose([SegmentSample(length, scale=(0.5, 1.0)), branches], skeleton=skeleton)
    return with_coords(policy, coords, "skateformer", vectors)


def _released_normal(skeleton: Skeleton) -> list[Transform]:
    """AimCLR's extreme branch and HiCLR's normal one, as released."""
    return [
        SwapSides(skeleton, p=0.5),
        Rotate((-30, 0), axes="main", minor=(-1, 0)),
        GaussianNoise(0.01, p=0.5),
        Blur((0.1, 2), normalize=False, p=0.5),
        AxisMask(p=0.5),
    ]


def _stream(who: str, skeleton: Skeleton, stream: str) -> Transform | None:
    check.choice(who, "stream", stream, ("joint", "bone", "motion", "bone_motion"))
    match stream:
        case "bone":
            return Bone(skeleton)
        case "motion":
            return Motion()
        case "bone_motion":
            return BoneMotion(skeleton)
    return None


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    return (
        None if callable(plugin) else f"must be a function that takes the skeleton and returns a policy, is {plugin!r}"
    )


registry = plugins.Registry("policies", __all__, _wrong_plugin)

if not TYPE_CHECKING:  # a type checker would take any name for a policy
    __getattr__ = registry.attribute
