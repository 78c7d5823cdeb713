"""Where bodies stand and which way they face, and what to do about it before training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from skelaug import Skeleton
from skelaug_contrib.datasets.facts import Floats
from skelaug_contrib.datasets.format import PreparedDataset

__all__ = ["Placement", "Stance", "placement", "stance"]

_CLIPS = 1000  # so many clips, evenly spread over the data, tell enough
_FAR = 0.5  # body sizes from the origin, from which on centring is worth a word
_TURNED = 15.0  # degrees of spread, from which on turning is worth a word
_AXES = "xyz"

Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Stance:
    """Of one clip, by the first person in it.

    Attributes:
        distance: of the centre joint from the origin, the median over the frames, in the data's units.
        path: how far the centre joint gets from where it is first, in the data's units.
        size: of the body: the diagonal of its bounding box, the median over the frames.
        heading: the mean over the frames of exp(i · angle), where the angle is that of the way from the left to the
            right shoulder about the vertical axis: its length is 1 for somebody who never turns. None where the
            skeleton names no shoulders, in 2D, and where they are never seen.
        upright: how much of the spine's way goes along each axis, −1 … 1; None as for ``heading``.
    """

    distance: float
    path: float
    size: float
    heading: complex | None
    upright: tuple[float, ...] | None


def stance(x: Floats, skeleton: Skeleton) -> Stance | None:
    """Look at a clip ``(C, T, V, M)``; None where its first person's centre joint is never seen.

    Example:
        >>> import skelaug
        >>> skeleton = skelaug.skeletons["kinect20"]
        >>> x = skelaug.synthetic_motion(skeleton, 1, 20).x[0].numpy()
        >>> round(stance(x + np.float32([3, 0, 0])[:, None, None, None], skeleton).distance)
        3
    """
    seen = (x != 0).any(0) & np.isfinite(x).all(0)  # (T, V, M)
    persons = np.flatnonzero(seen[:, skeleton.centre].any(0))
    if not len(persons):
        return None
    person = persons[0]
    frames = seen[:, skeleton.centre, person]
    body, there = x[..., person][:, frames].astype(np.float64), seen[frames, :, person]
    centre = body[:, :, skeleton.centre]
    lowest, highest = np.where(there, body, np.inf).min(2), np.where(there, body, -np.inf).max(2)
    heading = upright = None
    if len(x) >= 3:
        across = _between(body, there, skeleton.shoulders)
        up = _between(body, there, skeleton.spine)
        if across is not None:
            first, second = (axis for axis in range(3) if _AXES[axis] != skeleton.up[-1])
            angles = np.arctan2(across[second], across[first])
            heading = complex(np.exp(1j * angles).mean())
        if up is not None:
            upright = tuple((up[:3] / np.linalg.norm(up[:3], axis=0).clip(1e-9)).mean(1).tolist())
    return Stance(
        distance=float(np.median(np.linalg.norm(centre, axis=0))),
        path=float(np.linalg.norm(centre - centre[:, :1], axis=0).max()),
        size=float(np.median(np.linalg.norm(highest - lowest, axis=0))),
        heading=heading,
        upright=upright,
    )


def _between(
    body: npt.NDArray[np.float64], there: npt.NDArray[np.bool_], ends: tuple[int, int] | None
) -> npt.NDArray[np.float64] | None:
    """The way from one joint to another ``(C, K)`` in the frames where both are seen; None where they never are."""
    if ends is None:
        return None
    both = there[:, ends[0]] & there[:, ends[1]]
    return body[:, both, ends[1]] - body[:, both, ends[0]] if both.any() else None


@dataclass(frozen=True, eq=False)
class Placement:
    """Of a data set.

    Attributes:
        distance: of bodies from the origin, the median over the clips, in the data's units.
        path: how far somebody gets within a clip, the median.
        size: of bodies, the median.
        headings: of each clip that has one, see :class:`Stance`.
        views: the camera of each of these clips; None where the data do not say.
        upright: how much of the spine's way goes along each axis, the mean; None where no clip says.
        up: the axis that points up, as the data say.
    """

    distance: float
    path: float
    size: float
    headings: Complex
    views: npt.NDArray[np.int64] | None
    upright: tuple[float, ...] | None
    up: str = "y"

    @property
    def vertical(self) -> str | None:
        """The axis along which spines point: ``"y"``, ``"-y"``, ``"z"`` …; None where they point nowhere clearly."""
        if self.upright is None:
            return None
        axis = int(np.argmax(np.abs(self.upright)))
        sign = "-" if self.upright[axis] < 0 else ""
        return sign + _AXES[axis] if abs(self.upright[axis]) > 0.7 else None

    @property
    def wanted(self) -> dict[str, str]:
        """The settings of a run that would help: ``data.center``, ``data.align``, both or none."""
        found = {}
        if self.distance > _FAR * self.size:
            found["data.center"] = "frame"
        if len(self.headings) and spread(self.headings) > _TURNED and self.vertical in (None, self.up):
            found["data.align"] = "frame"
        return found

    def lines(self) -> list[str]:
        """As text: where bodies stand, and which way they face."""
        sizes = f"{self.distance / max(self.size, 1e-9):.1f} times their size"
        said = [
            f"place: bodies stand {self.distance:.2f} from the origin, {sizes}, and get {self.path:.2f} away from "
            f"where they start (medians over clips, in the data's units)"
        ]
        if len(self.headings):
            within = np.median([spread(heading[None]) for heading in self.headings])
            cameras = "" if self.views is None else "; by camera: " + self._by_camera(self.views)
            said.append(
                f"heading: shoulders point in directions that spread by {_degrees(spread(self.headings))} over the "
                f"clips and by {_degrees(within)} within one{cameras}"
            )
        if self.vertical not in (None, self.up):
            said.append(
                f"upright: spines point along {self.vertical}, but the data say that {self.up} is up, and data.align "
                f"turns about it: prepare the data anew with --up={self.vertical}, or say data.align: null"
            )
        return said

    def advice(self, chosen: Mapping[str, str | None] = MappingProxyType({})) -> list[str]:
        """As text: the settings that would help and that are not among the chosen ones."""
        missing = {name: value for name, value in self.wanted.items() if chosen.get(name) in (None, "none")}
        if not missing:
            return []
        takes = {"data.center": "where somebody stands", "data.align": "which way somebody faces"}
        settings = " and ".join(f"{name}: {value}" for name, value in missing.items())
        matters = " and by ".join(takes[name] for name in missing)
        return [f"advice: take {settings}; then clips do not differ by {matters}"]

    def _by_camera(self, views: npt.NDArray[np.int64]) -> str:
        groups = [(view, self.headings[views == view]) for view in np.unique(views)]
        return ", ".join(
            f"{view}: {math.degrees(np.angle(group.mean())):.0f}° ± {_degrees(spread(group))}" for view, group in groups
        )


def spread(headings: Complex) -> float:
    """The circular standard deviation in degrees: 0 where all point one way, infinite where they point everywhere.

    Example:
        >>> round(spread(np.exp(1j * np.radians([-10.0, 10.0]))), 1)
        10.0
    """
    length = min(1.0, float(np.abs(headings.mean())))
    return math.degrees(math.sqrt(-2 * math.log(length))) if length > 0 else math.inf


def _degrees(value: float) -> str:
    return f"{value:.0f}°" if value < 100 else "more than 100°"


def placement(dataset: PreparedDataset, indices: npt.ArrayLike | None = None) -> Placement | None:
    """Look at up to 1000 clips of a prepared data set, evenly spread over it.

    Args:
        dataset: opened.
        indices: of the clips to look at, such as a training part; None for all.

    Returns:
        None where no clip shows anybody's centre joint.
    """
    rows = np.arange(len(dataset)) if indices is None else np.asarray(indices)
    rows = rows[np.linspace(0, len(rows) - 1, min(_CLIPS, len(rows))).round().astype(np.int64)]
    found = [(row, seen) for row in rows if (seen := stance(dataset.body(row), dataset.skeleton)) is not None]
    if not found:
        return None
    facing = [row for row, seen in found if seen.heading is not None]
    upright = [seen.upright for _, seen in found if seen.upright is not None]
    return Placement(
        distance=float(np.median([seen.distance for _, seen in found])),
        path=float(np.median([seen.path for _, seen in found])),
        size=float(np.median([seen.size for _, seen in found])),
        headings=np.array([seen.heading for _, seen in found if seen.heading is not None], np.complex128),
        views=None if dataset.view is None else dataset.view[facing],
        upright=tuple(np.mean(upright, 0).tolist()) if upright else None,
        up=dataset.skeleton.up,
    )
