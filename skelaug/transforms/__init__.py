"""Every transform, found by the axis it acts on: space, time, joints, values, graph."""

from typing import TYPE_CHECKING, Any

from skelaug import plugins
from skelaug.transform import Transform
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


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    if not (isinstance(plugin, type) and issubclass(plugin, Transform)):
        return f"must be a subclass of skelaug.Transform, is {plugin!r}"
    return None if plugin.__name__ == name else f"must be registered under the name of its class, {plugin.__name__!r}"


# The names in skelaug.policy are also types of a configuration, so no other package may take them.
registry = plugins.Registry("transforms", {*__all__, "Compose", "OneOf", "GrowingPolicy", "View"}, _wrong_plugin)

if not TYPE_CHECKING:  # a type checker would take any name for a transform
    __getattr__ = registry.attribute
