"""Transforms of the coordinates.

Convention: coordinates are column vectors ``y = A x`` in a right-handed frame; constructors take degrees; a positive
angle rotates counter-clockwise seen against the axis. ``coords`` names the channels that are coordinates: ``None`` for
all, a number of leading channels, or indices. The other channels (a score, say) are never touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import space as fs
from skelaug.functional import values as fv
from skelaug.params import drawn_for
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = [
    "Align",
    "AxisMask",
    "Center",
    "Mirror",
    "NegateAxis",
    "Normalize",
    "RandomMove",
    "Rotate",
    "Scale",
    "Shear",
    "SubtractJoint",
    "SwapSides",
    "Translate",
]

_AXES = "xyz"


@final
class Shear(Transform):
    """Shear in all directions: ``x' = S x``, S with ones on the diagonal and random entries elsewhere.

    Drawn per sample: 6 (2D: 2) independent off-diagonal entries, shared by all frames, joints and persons.

    Args:
        amount: a number a draws from U(-a, a); a pair from U(low, high). 1 and above can mirror a body.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).

    Source: Rao et al. 2021; HiCLR (AAAI 2023) uses 0.5.

    Example:
        >>> Shear(0.5)(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "matrix: N D D"

    def __init__(self, amount: float | tuple[float, float] = 0.5, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.amount, self.coords = amount, check.coordinates("Shear", coords)
        self._amount = check.span("Shear", "amount", amount)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        d = len(check.channels("Shear", self.coords, batch.x, (2, 3)))
        low, high = self._amount
        return {"matrix": fs.shear_matrix(rng.uniform(d * (d - 1), low=low, high=high))}


@final
class Rotate(Transform):
    """Rotate about the origin.

    Drawn per sample: the angles (and, for ``axes="main"``, the axis), shared by all frames, joints and persons.

    Args:
        degrees: a number d draws angles from U(-d, d), two-sided; a pair from U(low, high).
        axes: ``"xyz"`` draws an angle for each axis, applied about x, then y, then z; ``"x"``, ``"y"`` or ``"z"`` is
            one fixed axis; ``"main"`` picks one axis at random for ``degrees`` and gives the other two ``minor``. In
            2D there is one angle, and axes must be ``"xyz"``, ``"main"`` or ``"z"``.
        minor: for ``axes="main"``, the angles of the other two axes.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).

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
    ) -> None:
        super().__init__(p)
        self.degrees, self.minor, self.coords = degrees, minor, check.coordinates("Rotate", coords)
        self.axes = check.choice("Rotate", "axes", axes, ("xyz", "main", *_AXES))
        self._degrees = check.span("Rotate", "degrees", degrees)
        self._minor = check.span("Rotate", "minor", minor)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        low, high = map(math.radians, self._degrees)
        if len(check.channels("Rotate", self.coords, batch.x, (2, 3))) == 2:
            if self.axes in ("x", "y"):
                raise ValueError(f"Rotate(axes={self.axes!r}): two coordinates rotate in their plane; use axes='z'")
            return {"matrix": fs.rotation_matrix(rng.uniform(1, low=low, high=high))}
        if self.axes == "xyz":
            return {"matrix": fs.rotation_matrix(rng.uniform(3, low=low, high=high))}
        axes = torch.arange(3, device=batch.device)
        angle = rng.uniform(1, low=low, high=high)
        if self.axes != "main":
            return {"matrix": fs.rotation_matrix(torch.where(axes == _AXES.index(self.axes), angle, 0))}
        low, high = map(math.radians, self._minor)
        minor = rng.uniform(3, low=low, high=high)
        return {"matrix": fs.rotation_matrix(torch.where(axes == rng.integers(3, 1), angle, minor))}


@final
class Scale(Transform):
    """Multiply the coordinates by a random factor.

    Drawn per sample: one factor, or one for each axis; shared by all frames, joints and persons.

    Args:
        factor: a pair draws from U(low, high), both ≥ 0.
        per_axis: draw a factor for each axis.
        p: probability per sample.
        coords: channels that are coordinates.

    Source: PYSKL's RandomScale (per axis, ±0.1 … 0.2).

    Example:
        >>> Scale((0.9, 1.1))(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(self, factor: tuple[float, float], per_axis: bool = False, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.factor, self.coords = factor, check.coordinates("Scale", coords)
        self._range = check.span("Scale", "factor", factor, low=0, single="none")
        self.per_axis = check.choice("Scale", "per_axis", per_axis, (True, False))

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        d = len(check.channels("Scale", self.coords, batch.x))
        low, high = self._range
        factor = rng.uniform(d if self.per_axis else 1, low=low, high=high)
        return {"matrix": factor.expand(-1, d)}


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
class Mirror(Transform):
    """The true mirror image: negate one axis and exchange left and right joints.

    Drawn per sample: whether it is applied, for all frames and persons. Twice is the identity.

    Args:
        skeleton: whose mirror pairs are exchanged.
        axis: the axis across the body, ``"x"``, ``"y"`` or ``"z"``; the mirror is the plane through the origin.
        label_map: classes that change hands, such as ``{3: 4, 4: 3}`` for "wave left" and "wave right"; needs a
            SkeletonBatch with labels.
        p: probability per sample.
        coords: channels that are coordinates.

    Raises:
        ValueError: ``label_map`` is given, but the data has no labels.

    Source: PYSKL's Flip (2D, with the label map); here in 3D too.

    Example:
        >>> from skelaug import skeletons
        >>> mirror, x = Mirror(skeletons["ntu25"], p=1.0), torch.randn(8, 3, 50, 25, 2)
        >>> bool((mirror(mirror(x)) == x).all())
        True
    """

    moves_presence = True
    shapes = "matrix: N D, joints: int<V N V"

    def __init__(
        self,
        skeleton: Skeleton | str,
        axis: str = "x",
        label_map: Mapping[int, int] | None = None,
        p: float = 0.5,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        self.skeleton = check.sided("Mirror", skeleton, "negates the axis alone")
        self.axis = check.choice("Mirror", "axis", axis, tuple(_AXES))
        self.coords = check.coordinates("Mirror", coords)
        self.label_map = None if label_map is None else check_label_map(label_map)
        self.linear = label_map is None  # a change holds no labels

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        sign = factors("Mirror", self.axis, -1.0, self.coords, batch)
        return {"matrix": sign, "joints": mirrored(self.skeleton, len(batch), batch.device)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        out = super().op(batch, params)
        if self.label_map is None:
            return out
        if batch.label is None:
            raise ValueError("Mirror(label_map=…) changes labels, but x has none: pass SkeletonBatch(x, label=…)")
        label = batch.label
        for old, new in self.label_map.items():
            label = torch.where(batch.label == old, new, label)
        return out.with_parts(label=label)


@final
class NegateAxis(Transform):
    """Negate one coordinate; joints keep their names (:class:`Mirror` exchanges left and right too).

    Drawn per sample: whether it is applied, for all frames, joints and persons.

    Args:
        axis: ``"x"``, ``"y"`` or ``"z"``.
        p: probability per sample.
        coords: channels that are coordinates.

    Example:
        >>> NegateAxis("x", p=1.0)(torch.ones(1, 3, 1, 1, 1)).flatten()
        tensor([-1.,  1.,  1.])
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(self, axis: str = "x", p: float = 0.5, coords: Any = None) -> None:
        super().__init__(p)
        self.axis = check.choice("NegateAxis", "axis", axis, tuple(_AXES))
        self.coords = check.coordinates("NegateAxis", coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"matrix": factors("NegateAxis", self.axis, -1.0, self.coords, batch)}


@final
class SwapSides(Transform):
    """Exchange left and right joints by relabelling alone; coordinates are not negated (:class:`Mirror` does both).

    Drawn per sample: whether it is applied, for all frames and persons.

    Args:
        skeleton: whose mirror pairs are exchanged.
        p: probability per sample.

    Source: the "spatial flip" of AimCLR and HiCLR.

    Example:
        >>> from skelaug import skeletons
        >>> SwapSides(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    linear = True
    moves_presence = True
    shapes = "joints: int<V N V"

    def __init__(self, skeleton: Skeleton | str, p: float = 0.5) -> None:
        super().__init__(p)
        self.skeleton = check.sided("SwapSides", skeleton, "changes nothing")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"joints": mirrored(self.skeleton, len(batch), batch.device)}


@final
class AxisMask(Transform):
    """Set one coordinate to 0: the body is seen projected on a plane.

    Drawn per sample: which axis, for all frames, joints and persons.

    Args:
        axis: ``"x"``, ``"y"`` or ``"z"`` (the first, second, third coordinate); ``None`` draws one.
        p: probability per sample.
        coords: channels that are coordinates.

    Source: AimCLR; HiCLR.

    Example:
        >>> y = AxisMask("z", p=1.0)(torch.randn(8, 3, 50, 25, 2))
        >>> float(y[:, 2].abs().max())
        0.0
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(self, axis: str | None = None, p: float = 0.5, coords: Any = None) -> None:
        super().__init__(p)
        self.axis = check.choice("AxisMask", "axis", axis, (None, *_AXES))
        self.coords = check.coordinates("AxisMask", coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        if self.axis is not None:
            return {"matrix": factors("AxisMask", self.axis, 0.0, self.coords, batch)}
        d = len(check.channels("AxisMask", self.coords, batch.x))
        return {"matrix": (torch.arange(d, device=batch.device) != rng.integers(d, 1)).float()}


@final
class RandomMove(Transform):
    """A moving camera: rotation, scale and shift in the x-y plane that change smoothly from frame to frame.

    Drawn per sample, at each of ``nodes`` moments evenly spread over the clip: angle, scale and shift; linear in
    between. Shared by all joints and persons.

    Args:
        degrees: angle about z; a number d draws from U(-d, d), a pair from U(low, high).
        scale: a pair, U(low, high).
        shift: along x and along y, in the units of the data; a number d draws from U(-d, d), a pair from U(low, high).
        nodes: number of moments, at least 2.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).

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
    ) -> None:
        super().__init__(p)
        self.degrees, self.scale, self.shift = degrees, scale, shift
        self._degrees = check.span("RandomMove", "degrees", degrees)
        self._scale = check.span("RandomMove", "scale", scale, low=0, single="none")
        self._shift = check.span("RandomMove", "shift", shift)
        self.nodes = check.count("RandomMove", "nodes", nodes, low=2)
        self.coords = check.coordinates("RandomMove", coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        turn = tuple(math.radians(degrees) for degrees in self._degrees)
        nodes = [rng.uniform(1, self.nodes, low=a, high=b) for a, b in (turn, self._scale, self._shift, self._shift)]
        place = torch.linspace(0, self.nodes - 1, batch.x.shape[2], dtype=torch.float32, device=batch.device)
        first = place.long().clamp(max=self.nodes - 2)
        node = torch.cat(nodes, 1)
        path = torch.lerp(node[..., first], node[..., first + 1], place - first)
        angle, scale, shift = path[:, :1], path[:, 1:2], path[:, 2:]
        return {"linear": torch.cat([scale * angle.cos(), scale * angle.sin()], 1), "shift": shift}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x = batch.x
        coords = check.channels("RandomMove", self.coords, x, (2, 3))
        c, s = params["linear"].to(x.dtype)[..., None, None].unbind(1)
        plane = fv.pick(x, coords[:2])
        moved = torch.stack([c * plane[:, 0] - s * plane[:, 1], s * plane[:, 0] + c * plane[:, 1]], 1)
        moved = fv.add(moved.add_(0.0), params["shift"][..., None, None], batch.seen)
        return batch.with_parts(x=fv.put(x, moved, coords[:2]))


@final
class Center(Transform):
    """Move the origin to a joint. Nothing is drawn.

    Args:
        skeleton: of the data.
        per: ``"frame"``: each person's own joint, frame by frame (HiCLR's preparation). ``"clip"``: the first person's
            joint in the first frame where it is observed, for all frames and persons, so that paths and distances stay.
        joint: index or name; ``None`` for the skeleton's centre.
        p: probability per sample.
        coords: channels that are coordinates.

    A person whose joint is not observed in a frame stays where it is in that frame.

    Example:
        >>> from skelaug import skeletons
        >>> float(Center(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2))[:, :, :, 20].abs().max())
        0.0
    """

    shapes = ""

    def __init__(
        self,
        skeleton: Skeleton | str,
        per: str = "frame",
        joint: int | str | None = None,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        skeleton = self.skeleton = check.skeleton("Center", skeleton)
        self.per = check.choice("Center", "per", per, ("frame", "clip"))
        self.joint, self.coords = joint, check.coordinates("Center", coords)
        if isinstance(joint, str) and joint not in skeleton.joints:
            raise ValueError(
                f"Center(joint={joint!r}): skeleton {skeleton.name!r} has no joint {joint!r}; its joints are "
                f"{', '.join(skeleton.joints)}"
            )
        self._joint = skeleton.centre if joint is None else skeleton.index(joint) if isinstance(joint, str) else joint
        check.choice("Center", "joint", self._joint, range(len(skeleton)))

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x = batch.x
        coords = check.channels("Center", self.coords, x)
        origin = fv.pick(x, coords)[:, :, :, self._joint, None]  # (N, d, T, 1, M), 0 where it is not observed
        if self.per == "clip":
            n, d, t, _, m = origin.shape
            if not t * m:
                return batch
            seen = batch.seen[:, :, min(self._joint, batch.seen.shape[2] - 1)].flatten(1)  # (N, T·M), persons fastest
            first = seen.to(torch.uint8).argmax(1)
            origin = origin.reshape(n, d, t * m).gather(2, first.view(n, 1, 1).expand(n, d, 1))[..., None, None]
        return batch.with_parts(x=fv.put(x, fv.add(fv.pick(x, coords), -origin, batch.seen), coords))


@final
class Align(Transform):
    """Turn bodies about the origin until they face the same way. Nothing is drawn.

    Args:
        skeleton: of the data; its roles ``shoulders`` and, for ``by="spine"``, ``spine`` say what is turned.
        by: ``"shoulders"``: about y, the vertical axis, until the way from the left to the right shoulder, seen from
            above, goes along +x. ``"spine"``: until the spine, upwards, goes along +z, and then until the way from the
            left to the right shoulder goes along +x, each by the smallest angle; the spine is tilted again by as much
            as the two were from perpendicular. In 2D, in the plane: the shoulders along +x, or the spine along +y.
        per: ``"frame"``: each person by its own joints, frame by frame (HiCLR's preparation). ``"clip"``: the first
            person in the first frame where the joints are observed decides for all frames and persons, so that turns
            and what people do to each other stay.
        released: the turn of HiCLR's code, which is a degree or so off and, where a body turns from one side to the
            other, turns it away; for shoulders per frame, in 3D.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).

    A person whose joints are not observed in a frame, or lie in one place, is not turned in that frame. Center first:
    the turn is about the origin.

    Raises:
        ValueError: the skeleton lacks a role, or ``released`` is asked for with something else.

    Source: HiCLR's preparation of NTU RGB+D (shoulders, per frame); PYSKL's ``PreNormalize3D`` (spine, per clip), which
    knows 25 joints and two people, and takes the person who is there longest for the first.

    Example:
        >>> from skelaug import skeletons
        >>> y = Align(skeletons["ntu25"])(torch.randn(8, 3, 50, 25, 2))
        >>> across = y[:, :, :, 8] - y[:, :, :, 4]
        >>> bool((across[:, 0] > 0).all()), bool(across[:, 2].abs().max() < 1e-5)
        (True, True)
    """

    shapes = ""

    def __init__(
        self,
        skeleton: Skeleton | str,
        by: str = "shoulders",
        per: str = "frame",
        released: bool = False,
        p: float = 1.0,
        coords: Any = None,
    ) -> None:
        super().__init__(p)
        skeleton = self.skeleton = check.skeleton("Align", skeleton)
        self.by = check.choice("Align", "by", by, ("shoulders", "spine"))
        self.per = check.choice("Align", "per", per, ("frame", "clip"))
        self.released = check.choice("Align", "released", released, (True, False))
        self.coords = check.coordinates("Align", coords)
        for role in dict.fromkeys(("shoulders", by)):
            if getattr(skeleton, role) is None:
                raise ValueError(
                    f"Align(by={by!r}): skeleton {skeleton.name!r} does not say what its {role} are; give the joints "
                    f"as Skeleton.from_edges(…, {role}=…)"
                )
        if released and (by, per) != ("shoulders", "frame"):
            raise ValueError(
                f"Align(by={by!r}, per={per!r}, released=True): the released code turns shoulders, per frame; leave "
                f"out released, or the others"
            )

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("Align", self.coords, batch.x, (2, 3))
        part = fv.pick(batch.x, coords)
        return batch.with_parts(x=fv.put(batch.x, fs.turn(part, self._matrix(part, batch)), coords))

    def _matrix(self, part: Tensor, batch: SkeletonBatch) -> Tensor:
        """``(N, d, d, T or 1, M or 1)``."""
        assert self.skeleton is not None and self.skeleton.shoulders is not None
        across, up = self._ways(part, batch)
        if self.by == "shoulders":
            return fs.facing_released(across) if self.released else fs.facing(across)
        if part.shape[1] == 2:  # +y is a quarter turn before +x
            return fs.facing(torch.stack([up[:, 1], -up[:, 0]], 1))
        upright = fs.shortest_turn(up, 2)
        rest = fs.shortest_turn((upright * across[:, None]).sum(2), 0)
        return (rest[:, :, :, None] * upright[:, None]).sum(2)

    def _ways(self, part: Tensor, batch: SkeletonBatch) -> tuple[Tensor, Tensor]:
        """From left to right shoulder and up the spine, ``(N, d, T or 1, M or 1)``, at least float32."""
        assert self.skeleton is not None and self.skeleton.shoulders is not None
        ends = (self.skeleton.shoulders, self.skeleton.shoulders if self.by == "shoulders" else self.skeleton.spine)
        joints = [joint for pair in ends if pair is not None for joint in pair]
        each = [batch.seen[:, :, min(joint, batch.seen.shape[2] - 1)] for joint in joints]
        seen = torch.stack(each, 2).all(2)  # (N, T, M)
        place = torch.stack([part[:, :, :, joint] for joint in joints], 3)
        wide = torch.promote_types(part.dtype, torch.float32)
        place = torch.where(seen[:, None, :, None], place.to(wide), 0)
        if self.per == "clip":
            n, d, t, v, m = place.shape
            if not t * m:
                place = place.new_zeros(n, d, 1, v, 1)
                return place[:, :, :, 1] - place[:, :, :, 0], place[:, :, :, -1] - place[:, :, :, -2]
            first = seen.flatten(1).to(torch.uint8).argmax(1)  # persons fastest
            index = first.view(n, 1, 1, 1).expand(n, d, 1, v)
            flat = place.transpose(3, 4).reshape(n, d, t * m, v)
            place = flat.gather(2, index)[..., None]
        return place[:, :, :, 1] - place[:, :, :, 0], place[:, :, :, 3] - place[:, :, :, 2]


@final
class Normalize(Transform):
    """Scale each sample so that the size of its bodies is ``size``. Nothing is drawn.

    The size of a body is the diagonal of its bounding box, averaged over its frames; of a sample, the mean over the
    persons it has.

    Args:
        size: wanted.
        p: probability per sample.
        coords: channels that are coordinates.

    Example:
        >>> Normalize()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    shapes = ""

    def __init__(self, size: float = 1.0, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.size = check.number("Normalize", "size", size, low=1e-6)
        self.coords = check.coordinates("Normalize", coords)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        coords = check.channels("Normalize", self.coords, batch.x)
        part = fv.pick(batch.x, coords)
        size = fv.body_size(part, batch.seen)
        mean = size.sum(1) / (size > 0).sum(1).clamp(min=1)
        factor = torch.where(mean > 0, self.size / torch.where(mean > 0, mean, 1), 1)
        return batch.with_parts(x=fv.put(batch.x, part * factor.to(part.dtype).view(-1, 1, 1, 1, 1), coords))


@final
class SubtractJoint(Transform):
    """Make a random joint the origin: subtract it from all joints, in every frame, person by person.

    Drawn per sample: the joint. A person whose joint is not observed in a frame stays where it is in that frame.

    Args:
        p: probability per sample.
        coords: channels that are coordinates.

    Source: SkateFormer.

    Example:
        >>> SubtractJoint()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    shapes = "joint: int<V N, drawn_for: N 0 V"

    def __init__(self, p: float = 0.5, coords: Any = None) -> None:
        super().__init__(p)
        self.coords = check.coordinates("SubtractJoint", coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        n, _, _, v, _ = batch.x.shape
        return {"joint": rng.integers(v), "drawn_for": drawn_for(n, v, batch.device)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x = batch.x
        if not x.shape[3]:
            return batch
        coords = check.channels("SubtractJoint", self.coords, x)
        part = fv.pick(x, coords)
        n, d, t, v, m = part.shape
        index = params["joint"].clamp(0, v - 1).view(n, 1, 1, 1, 1).expand(n, d, t, 1, m)
        return batch.with_parts(x=fv.put(x, fv.add(part, -part.gather(3, index), batch.seen), coords))


def check_label_map(label_map: Any) -> dict[int, int]:
    """``label_map`` as whole numbers, old class to new."""
    pairs = label_map.items() if isinstance(label_map, Mapping) else [(label_map, None)]
    if not all(type(value) is int and value >= 0 for pair in pairs for value in pair):
        raise ValueError(
            f"Mirror(label_map={label_map!r}): label_map must map class numbers to class numbers, as in "
            f"{{3: 4, 4: 3}}, got {label_map!r}"
        )
    return dict(pairs)


def factors(who: str, axis: str, factor: float, coords: tuple[int, ...] | None, batch: SkeletonBatch) -> Tensor:
    """A diagonal matrix ``(N, d)``: ``factor`` at the named axis, 1 at the others."""
    d = len(check.channels(who, coords, batch.x))
    at = _AXES.index(axis)
    if at >= d:
        raise ValueError(f"{who}(axis={axis!r}): x has only {d} coordinates; use one of {', '.join(_AXES[:d])}")
    diagonal = [factor if i == at else 1.0 for i in range(d)]
    return check.constant(diagonal, batch.device).expand(len(batch), -1)


def mirrored(skeleton: Skeleton | None, n: int, device: torch.device) -> Tensor:
    """The joint map that exchanges left and right, ``(n, V)``."""
    assert skeleton is not None
    return check.constant(skeleton.mirror, device).expand(n, -1)
