"""Prepared data sets: the format on disk, its splits, a loader of whole batches, and what precedes a network."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from skelaug_contrib.datasets.findings import Findings, inspect
from skelaug_contrib.datasets.format import PreparedDataset, write
from skelaug_contrib.datasets.loader import Clips, EpochBatches, loader, read
from skelaug_contrib.datasets.placement import Placement, placement
from skelaug_contrib.datasets.preprocess import preparation
from skelaug_contrib.datasets.splits import split

__all__ = [
    "Clips",
    "EpochBatches",
    "Findings",
    "Placement",
    "PreparedDataset",
    "WorkerDied",
    "from_npz",
    "inspect",
    "loader",
    "placement",
    "preparation",
    "prepare",
    "read",
    "split",
    "write",
]

#: What prepares data needs the extra "train" (joblib, safetensors), and is imported when it is asked for.
_PREPARING = {"WorkerDied": "engine", "from_npz": "convert", "prepare": "engine"}

if TYPE_CHECKING:
    from skelaug_contrib.datasets.convert import from_npz
    from skelaug_contrib.datasets.engine import WorkerDied, prepare
else:

    def __getattr__(name: str) -> Any:
        if name not in _PREPARING:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        try:
            return getattr(importlib.import_module(f"{__name__}.{_PREPARING[name]}"), name)
        except ModuleNotFoundError as error:
            raise ImportError(f"{__name__}.{name} needs an extra: pip install 'skelaug[train]'") from error
