"""skelaug: batched, per-sample random, replayable augmentation of human skeletons, from weak to strong."""

from skelaug import config, functional, plot, policies, random, transforms
from skelaug.batch import SkeletonBatch
from skelaug.coordinates import OnCoordinates
from skelaug.feed import Augment, AugmentBatch, Collate
from skelaug.layout import to_layout
from skelaug.missing import Score
from skelaug.motion import sample_motion, synthetic_motion
from skelaug.policy import Compose, GrowingPolicy, OneOf
from skelaug.relatives import remap
from skelaug.skeleton import Skeleton, skeletons
from skelaug.transform import Transform

__version__ = "0.1.0"
__all__ = [
    "Augment",
    "AugmentBatch",
    "Collate",
    "Compose",
    "GrowingPolicy",
    "OnCoordinates",
    "OneOf",
    "Score",
    "Skeleton",
    "SkeletonBatch",
    "Transform",
    "config",
    "functional",
    "plot",
    "policies",
    "random",
    "remap",
    "sample_motion",
    "skeletons",
    "synthetic_motion",
    "to_layout",
    "transforms",
]


def __dir__() -> list[str]:
    """The public names, which is what Tab shows."""
    return sorted([*__all__, "__version__"])
