"""skelaug_contrib: HiCLR, contrastive learning with growing augmentations, as a loss, a model and a trainer."""

from skelaug_contrib import datasets, encoders, losses
from skelaug_contrib.hiclr import HiCLR
from skelaug_contrib.momentum import MomentumEncoder
from skelaug_contrib.queue import FeatureQueue

__all__ = ["FeatureQueue", "HiCLR", "MomentumEncoder", "datasets", "encoders", "losses"]
