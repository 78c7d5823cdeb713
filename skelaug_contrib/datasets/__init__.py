"""Prepared data sets: the format on disk, its splits, a loader of whole batches, and what precedes a network."""

from __future__ import annotations

from skelaug_contrib.datasets.convert import from_npz
from skelaug_contrib.datasets.engine import WorkerDied, prepare
from skelaug_contrib.datasets.findings import Findings, inspect
from skelaug_contrib.datasets.format import PreparedDataset, write
from skelaug_contrib.datasets.loader import Clips, EpochBatches, loader, read
from skelaug_contrib.datasets.preprocess import preparation
from skelaug_contrib.datasets.splits import split

__all__ = [
    "Clips",
    "EpochBatches",
    "Findings",
    "PreparedDataset",
    "WorkerDied",
    "from_npz",
    "inspect",
    "loader",
    "preparation",
    "prepare",
    "read",
    "split",
    "write",
]
