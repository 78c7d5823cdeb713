"""Random maps of the coordinates.

Convention, here and for every transform with ``coords``: coordinates are column vectors ``y = A x`` in a right-handed
frame; constructors take degrees; a positive angle rotates counter-clockwise seen against the axis. ``coords`` names the
channels that are coordinates: ``None`` for all, a number of leading channels, or indices. The other channels (a score,
say) are never touched. ``vectors``, beside ``coords``, names groups of as many channels (a velocity, a normal) that a
matrix turns as it turns the coordinates; nothing shifts them. ``Rotate(30, coords=3, vectors=(3, 4, 5))`` turns both.

``about``, of ``Rotate``, ``Scale``, ``Shear`` and ``Mirror``, is the point that stays where it is:

- ``"origin"``;
- a point, a number for each coordinate: ``about=(0.0, 1.0, 0.0)``;
- a joint, by number or, with ``skeleton=``, by name: each person's own, its mean over the frames where it is observed;
- ``"body"``: each person's centre over the clip, the mean of all its observed joints and frames.

All persons of a sample share the matrix; a joint and a centre are each person's own. Where a person's joint is never
observed, its centre stays in place; who is never observed at all stays absent. For a joint and ``"body"`` the draw
reads the data, and what it finds is constant for derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import space as fs
from skelaug.functional import time as ft
from skelaug.functional import values as fv
from skelaug.pivot import declare, params_about
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["RandomMove", "Rotate", "Scale", "Shear", "Translate"]

_AXES = "xyz"


@final
class Shear(Transform):
    """Shear in all directions: ``x' = S x``, S with ones on the diagonal and random entries elsewhere.

    Drawn per sample: 6 (2D: 2) independent off-diagonal entries, shared by all frames, joints and persons.

    Args:
        amount: a number a draws from U(-a, a); a pair from U(low, high). 1 and above can mirror a body.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        about: the point that stays where it is: ``"origin"``, a point, a joint, or ``"body"`` (each person's centre).
        skeleton: of the data; needed where ``about`` is the name of a joint.

    Source: Rao et al. 2021; HiCLR (AAAI 2023) uses 0.5.

    Example:
        >>> Shear(0.5)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "matrix: N D D"

    def __init__(
        self,
        amount: float | tuple[float, float] = 0.5,
        p: float = 1.0,
        coords: Any = None,
        vectors: Any = None,
        about: int | str | Sequence[float] = "origin",
        skeleton: Skeleton | str | None = None,
    ) -> None:
        super().__init__(p)
        self.amount, self.coords = amount, check.coordinates("Shear", coords)
        self.vectors = check.vectors("Shear", vectors, self.coords)
        self._amount = check.span("Shear", "amount", amount)
        self.skeleton = None if skeleton is None else check.skeleton("Shear", skeleton)
        self.about = about
        declare(self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        d = len(check.channels("Shear", self.coords, batch.x, (2, 3)))
        low, high = self._amount
        return params_about(self, fs.shear_matrix(rng.uniform(d * (d - 1), low=low, high=high)), batch)


@final
class Rotate(Transform):
    """Rotate about the origin, or about another point.

    Drawn per sample: the angles (and, for ``axes="main"``, the axis), shared by all frames, joints and persons.

    Args:
        degrees: a number d draws angles from U(-d, d), two-sided; a pair from U(low, high).
        axes: ``"xyz"`` draws an angle for each axis, applied about x, then y, then z; ``"x"``, ``"y"`` or ``"z"`` is
            one fixed axis; ``"main"`` picks one axis at random for ``degrees`` and gives the other two ``minor``. In
            2D there is one angle, and axes must be ``"xyz"``, ``"main"`` or ``"z"``.
        minor: for ``axes="main"``, the angles of the other two axes.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        about: the point that stays where it is: ``"origin"``, a point, a joint, or ``"body"`` (each person's centre).
        skeleton: of the data; needed where ``about`` is the name of a joint.

    Source: ``"main"`` is AimCLR's and HiCLR's, whose code draws U(0, 30) and U(0, 1) degrees in the left-handed sense:
    ``Rotate((-30, 0), "main", minor=(-1, 0))`` here.

    Example:
        >>> Rotate(30, axes="y")(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "matrix: N D D"

    def __init__(
        self,
        degrees: float | tuple[float, float],
        axes: str = "xyz",
        minor: float | tuple[float, float] = 1.0,
        p: float = 1.0,
        coords: Any = None,
        vectors: Any = None,
        about: int | str | Sequence[float] = "origin",
        skeleton: Skeleton | str | None = None,
    ) -> None:
        super().__init__(p)
        self.degrees, self.minor, self.coords = degrees, minor, check.coordinates("Rotate", coords)
        self.vectors = check.vectors("Rotate", vectors, self.coords)
        self.axes = check.choice("Rotate", "axes", axes, ("xyz", "main", *_AXES))
        self._degrees = check.span("Rotate", "degrees", degrees)
        self._minor = check.span("Rotate", "minor", minor)
        self.skeleton = None if skeleton is None else check.skeleton("Rotate", skeleton)
        self.about = about
        declare(self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return params_about(self, fs.rotation_matrix(self._angles(batch, rng)), batch)

    def _angles(self, batch: SkeletonBatch, rng: Rng) -> Tensor:
        """Radians about each axis ``(N, 3)`` or, in the plane, ``(N, 1)``."""
        low, high = map(math.radians, self._degrees)
        if len(check.channels("Rotate", self.coords, batch.x, (2, 3))) == 2:
            if self.axes in ("x", "y"):
                raise ValueError(f"Rotate(axes={self.axes!r}): two coordinates rotate in their plane; use axes='z'")
            return rng.uniform(1, low=low, high=high)
        if self.axes == "xyz":
            return rng.uniform(3, low=low, high=high)
        axes = torch.arange(3, device=batch.device)
        angle = rng.uniform(1, low=low, high=high)
        if self.axes != "main":
            return torch.where(axes == _AXES.index(self.axes), angle, 0)
        low, high = map(math.radians, self._minor)
        minor = rng.uniform(3, low=low, high=high)
        return torch.where(axes == rng.integers(3, 1), angle, minor)


@final
class Scale(Transform):
    """Multiply the coordinates by a random factor.

    Drawn per sample: one factor, or one for each axis; shared by all frames, joints and persons.

    Args:
        factor: a pair draws from U(low, high), both ≥ 0.
        per_axis: draw a factor for each axis.
        p: probability per sample.
        coords: channels that are coordinates.
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        about: the point that stays where it is: ``"origin"``, a point, a joint, or ``"body"`` (each person's centre).
        skeleton: of the data; needed where ``about`` is the name of a joint.

    Source: PYSKL's RandomScale (per axis, ±0.1 … 0.2).

    Example:
        >>> Scale((0.9, 1.1))(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(
        self,
        factor: tuple[float, float],
        per_axis: bool = False,
        p: float = 1.0,
        coords: Any = None,
        vectors: Any = None,
        about: int | str | Sequence[float] = "origin",
        skeleton: Skeleton | str | None = None,
    ) -> None:
        super().__init__(p)
        self.factor, self.coords = factor, check.coordinates("Scale", coords)
        self.vectors = check.vectors("Scale", vectors, self.coords)
        self._range = check.span("Scale", "factor", factor, low=0, single="none")
        self.per_axis = check.choice("Scale", "per_axis", per_axis, (True, False))
        self.skeleton = None if skeleton is None else check.skeleton("Scale", skeleton)
        self.about = about
        declare(self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        d = len(check.channels("Scale", self.coords, batch.x))
        low, high = self._range
        factor = rng.uniform(d if self.per_axis else 1, low=low, high=high)
        return params_about(self, factor.expand(-1, d), batch)


@final
class Translate(Transform):
    """Move everybody who is present by one random offset.

    Drawn per sample: an offset along each axis, shared by all frames, joints and persons.

    Args:
        distance: in the units of the data; a number d draws from U(-d, d), a pair from U(low, high).
        p: probability per sample.
        coords: channels that are coordinates.

    Example:
        >>> Translate(0.2)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "offset: N D"

    def __init__(self, distance: float | tuple[float, float], p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.distance, self.coords = distance, check.coordinates("Translate", coords)
        self._range = check.span("Translate", "distance", distance)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        d = len(check.channels("Translate", self.coords, batch.x))
        return {"offset": rng.uniform(d, low=self._range[0], high=self._range[1])}


@final
class RandomMove(Transform):
    """A moving camera: rotation, scale and shift in the picture's plane that change smoothly from frame to frame.

    The plane is that of the vertical axis and of the first of the two others: x-y where y points up, x-z where z does.

    Drawn per sample, at each of ``nodes`` moments evenly spread over the clip: angle, scale and shift; linear in
    between. Shared by all joints and persons.

    Args:
        degrees: angle in the plane, from the level axis towards up; a number d draws from U(-d, d), a pair from
            U(low, high).
        scale: a pair, U(low, high).
        shift: along the level axis and upwards, in the units of the data; a number d draws from U(-d, d), a pair from
            U(low, high).
        nodes: number of moments, at least 2.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        up: the axis of the data that points up, such as ``"y"``, ``"z"`` or ``"-y"``; ``None`` for the skeleton's, or
            ``"y"`` where that is left out too. In 2D only ``"-y"`` makes a difference.
        skeleton: of the data.

    Source: ST-GCN's ``random_move``, which draws from lists of these extremes; absent people stay absent here.

    Example:
        >>> RandomMove()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    shapes = "linear: N 2 T, shift: N 2 T"

    def __init__(
        self,
        degrees: float | tuple[float, float] = 10,
        scale: tuple[float, float] = (0.9, 1.1),
        shift: float | tuple[float, float] = 0.2,
        nodes: int = 2,
        p: float = 1.0,
        coords: Any = None,
        vectors: Any = None,
        up: str | None = None,
        skeleton: Skeleton | str | None = None,
    ) -> None:
        super().__init__(p)
        self.degrees, self.scale, self.shift = degrees, scale, shift
        self._degrees = check.span("RandomMove", "degrees", degrees)
        self._scale = check.span("RandomMove", "scale", scale, low=0, single="none")
        self._shift = check.span("RandomMove", "shift", shift)
        self.nodes = check.count("RandomMove", "nodes", nodes, low=2)
        self.coords = check.coordinates("RandomMove", coords)
        self.vectors = check.vectors("RandomMove", vectors, self.coords)
        self.skeleton = None if skeleton is None else check.skeleton("RandomMove", skeleton)
        self.up, self._up = up, check.up("RandomMove", up, self.skeleton)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        turn = tuple(math.radians(degrees) for degrees in self._degrees)
        nodes = [rng.uniform(1, self.nodes, low=a, high=b) for a, b in (turn, self._scale, self._shift, self._shift)]
        path = ft.between_nodes(torch.cat(nodes, 1), batch.x.shape[2])
        angle, scale, shift = path[:, :1], path[:, 1:2], path[:, 2:]
        return {"linear": torch.cat([scale * angle.cos(), scale * angle.sin()], 1), "shift": shift}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x = batch.x
        c, s = params["linear"].to(x.dtype)[..., None, None].unbind(1)
        shift = params["shift"][..., None, None]
        if self._up.startswith("-"):
            s, shift = -s, torch.stack([shift[:, 0], -shift[:, 1]], 1)
        for channels in check.groups("RandomMove", self.coords, self.vectors, x, (2, 3)):
            level, high = fs.picture(len(channels), _AXES.index(self._up[-1]))
            seen = (channels[level], channels[high])
            plane = fv.pick(x, seen)
            moved = torch.stack([c * plane[:, 0] - s * plane[:, 1], s * plane[:, 0] + c * plane[:, 1]], 1).add_(0.0)
            if channels not in (self.vectors or ()):
                moved = fv.add(moved, shift, batch.seen)
            x = fv.put(x, moved, seen)
        return batch.with_parts(x=x)
