"""Readers of the public data sets' own files, one module a format, behind one small interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from skelaug_contrib.datasets.sources.source import Fault, Recording, Source, Unit

__all__ = ["SOURCES", "Fault", "Recording", "Source", "Unit"]

#: By name, what makes the source of a folder (or file) of raw data.
SOURCES: Mapping[str, Callable[[Path], Source]] = {}
