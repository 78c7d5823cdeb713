"""Readers of the public data sets' own files, one module a format, behind one small interface.

``SOURCES[name](root)`` opens one; its class says what the folder holds and which options there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skelaug_contrib.datasets.sources.arrays import CTRGCN, AimCLR
from skelaug_contrib.datasets.sources.bvh import BVH
from skelaug_contrib.datasets.sources.columns import CSV
from skelaug_contrib.datasets.sources.keypoints import KineticsSkeleton, OpenPose
from skelaug_contrib.datasets.sources.msr import MSRAction3D
from skelaug_contrib.datasets.sources.ntu import NTU60, NTU120
from skelaug_contrib.datasets.sources.nwucla import NWUCLA
from skelaug_contrib.datasets.sources.pkummd import PKUMMD1, PKUMMD2
from skelaug_contrib.datasets.sources.pyskl import PYSKL
from skelaug_contrib.datasets.sources.source import Fault, Recording, Source, Unit
from skelaug_contrib.datasets.sources.utdmhad import UTDMHAD
from skelaug_contrib.datasets.sources.utkinect import UTKinect

__all__ = ["SOURCES", "Fault", "Recording", "Source", "Unit"]

SOURCES: Final[dict[str, Callable[..., Source]]] = {
    "ntu60": NTU60,
    "ntu120": NTU120,
    "pkummd1": PKUMMD1,
    "pkummd2": PKUMMD2,
    "nwucla": NWUCLA,
    "msr": MSRAction3D,
    "utkinect": UTKinect,
    "utdmhad": UTDMHAD,
    "bvh": BVH,
    "aimclr": AimCLR,
    "ctrgcn": CTRGCN,
    "pyskl": PYSKL,
    "kinetics": KineticsSkeleton,
    "openpose": OpenPose,
    "csv": CSV,
}
