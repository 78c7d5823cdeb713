"""Every transform, found by the axis it acts on: space, time, joints, values, graph."""

from typing import TYPE_CHECKING, Any

from skelaug import plugins
from skelaug.transforms.graph import AddEdges, DropEdges
from skelaug.transforms.joints import (
    Bone,
    BoneMotion,
    JointJitter,
    JointMask,
    JointTimeMask,
    LimbMask,
    Motion,
    PersonDrop,
    PersonSwap,
)
from skelaug.transforms.space import (
    Align,
    AxisMask,
    Center,
    Mirror,
    NegateAxis,
    Normalize,
    RandomMove,
    Rotate,
    Scale,
    Shear,
    SubtractJoint,
    SwapSides,
    Translate,
)
from skelaug.transforms.time import (
    Blur,
    CropResize,
    DropFrame,
    Reverse,
    SegmentSample,
    Speed,
    TemporalCrop,
    TimeWarp,
)
from skelaug.transforms.values import BoneLengthTransfer, GaussianNoise, SkeleAdaIN

__all__ = [
    "AddEdges",
    "Align",
    "AxisMask",
    "Blur",
    "Bone",
    "BoneLengthTransfer",
    "BoneMotion",
    "Center",
    "CropResize",
    "DropEdges",
    "DropFrame",
    "GaussianNoise",
    "JointJitter",
    "JointMask",
    "JointTimeMask",
    "LimbMask",
    "Mirror",
    "Motion",
    "NegateAxis",
    "Normalize",
    "PersonDrop",
    "PersonSwap",
    "RandomMove",
    "Reverse",
    "Rotate",
    "Scale",
    "SegmentSample",
    "Shear",
    "SkeleAdaIN",
    "Speed",
    "SubtractJoint",
    "SwapSides",
    "TemporalCrop",
    "TimeWarp",
    "Translate",
]

if not TYPE_CHECKING:  # a type checker would take any name for a transform

    def __getattr__(name: str) -> Any:
        """What other packages registered."""
        return plugins.attribute("transforms", name)
