"""Readers of the public data sets' own files, one module a format, behind one small interface."""

from __future__ import annotations

from skelaug_contrib.datasets.sources.source import Fault, Recording, Source, Unit

__all__ = ["Fault", "Recording", "Source", "Unit"]
