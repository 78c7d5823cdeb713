"""Transforms that say where bodies stand, which way they face and how large they are: the origin, turns, the scale."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import space as fs
from skelaug.functional import values as fv
from skelaug.functional.gaps import last_known
from skelaug.params import drawn_for
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["Align", "Center", "Normalize", "SubtractJoint"]

_AXES = "xyz"


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

    Where a person's joint is not observed in a frame, its last known place counts, before the first known one that. A
    person whose joint is never observed stays where it is.

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
            origin = where_first_seen(origin, seen_joint(batch, self._joint))
        elif batch.seen.shape[2] > 1:  # a mask of whole persons hides no joint of somebody who is there
            origin = last_known(origin[:, :, :, 0], seen_joint(batch, self._joint))[:, :, :, None]
        return batch.with_parts(x=fv.put(x, fv.add(fv.pick(x, coords), -origin, batch.seen), coords))


@final
class Align(Transform):
    """Turn bodies about the origin until they face the same way. Nothing is drawn.

    Args:
        skeleton: of the data; its roles ``shoulders`` and, for ``by="spine"``, ``spine`` say what is turned.
        by: ``"shoulders"``: about the vertical axis, until the way from the left to the right shoulder, seen from
            above, goes along +x (+y where x is vertical). ``"spine"``: until the spine, upwards, goes along +z,
            whichever axis is vertical, and then until the way from the left to the right shoulder goes along +x, each
            by the smallest angle; the spine is tilted again by as much as the two were from perpendicular. In 2D, in
            the plane: the shoulders along +x, or the spine along +y (along -y where ``up`` is ``"-y"``).
        per: ``"frame"``: each person by its own joints, frame by frame (HiCLR's preparation). ``"clip"``: the first
            person in the first frame where the joints are observed decides for all frames and persons, so that turns
            and what people do to each other stay.
        released: the turn of HiCLR's code, which is a degree or so off and, where a body turns from one side to the
            other, turns it away; for shoulders per frame, in 3D.
        p: probability per sample.
        coords: channels that are coordinates (2 or 3 of them).
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        up: the axis of the data that points up, such as ``"y"``, ``"z"`` or ``"-y"``; ``None`` for the skeleton's.

    Where a person's joints are not observed in a frame, it is turned as in the last frame in which they were, before
    the first such frame as in that. A person whose joints are never observed, or lie in one place, is not turned.
    Center first: the turn is about the origin.

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
        vectors: Any = None,
        up: str | None = None,
    ) -> None:
        super().__init__(p)
        skeleton = self.skeleton = check.skeleton("Align", skeleton)
        self.up, self._up = up, check.up("Align", up, skeleton)
        self.by = check.choice("Align", "by", by, ("shoulders", "spine"))
        self.per = check.choice("Align", "per", per, ("frame", "clip"))
        self.released = check.choice("Align", "released", released, (True, False))
        self.coords = check.coordinates("Align", coords)
        self.vectors = check.vectors("Align", vectors, self.coords)
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
        x, turned = batch.x, check.groups("Align", self.coords, self.vectors, batch.x, (2, 3))
        matrix = self._matrix(fv.pick(x, turned[0]), batch)
        for channels in turned:
            x = fv.put(x, fs.turn(fv.pick(x, channels), matrix), channels)
        return batch.with_parts(x=x)

    def _matrix(self, part: Tensor, batch: SkeletonBatch) -> Tensor:
        """``(N, d, d, T or 1, M or 1)``."""
        assert self.skeleton is not None and self.skeleton.shoulders is not None
        across, up = self._ways(part, batch)
        if self.by == "shoulders":
            return (fs.facing_released if self.released else fs.facing)(across, _AXES.index(self._up[-1]))
        if part.shape[1] == 2:  # +y is a quarter turn before +x
            goal = -up if self._up == "-y" else up
            return fs.facing(torch.stack([goal[:, 1], -goal[:, 0]], 1))
        upright = fs.shortest_turn(up, 2)
        rest = fs.shortest_turn((upright * across[:, None]).sum(2), 0)
        return (rest[:, :, :, None] * upright[:, None]).sum(2)

    def _ways(self, part: Tensor, batch: SkeletonBatch) -> tuple[Tensor, Tensor]:
        """From left to right shoulder and up the spine, ``(N, d, T or 1, M or 1)``, at least float32."""
        assert self.skeleton is not None and self.skeleton.shoulders is not None
        ends = (self.skeleton.shoulders, self.skeleton.shoulders if self.by == "shoulders" else self.skeleton.spine)
        joints = [joint for pair in ends if pair is not None for joint in pair]
        seen = torch.stack([seen_joint(batch, joint) for joint in joints], 2).all(2)  # (N, T, M)
        place = torch.stack([part[:, :, :, joint] for joint in joints], 3)
        wide = torch.promote_types(part.dtype, torch.float32)
        place = torch.where(seen[:, None, :, None], place.to(wide), 0)
        if self.per == "clip":
            place = where_first_seen(place, seen)
        elif batch.seen.shape[2] > 1:
            ways = (place[:, :, :, 1] - place[:, :, :, 0], place[:, :, :, 3] - place[:, :, :, 2])
            return last_known(ways[0], seen), last_known(ways[1], seen)
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
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.

    Example:
        >>> Normalize()(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    shapes = ""

    def __init__(self, size: float = 1.0, p: float = 1.0, coords: Any = None, vectors: Any = None) -> None:
        super().__init__(p)
        self.size = check.number("Normalize", "size", size, low=1e-6)
        self.coords = check.coordinates("Normalize", coords)
        self.vectors = check.vectors("Normalize", vectors, self.coords)

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x, scaled = batch.x, check.groups("Normalize", self.coords, self.vectors, batch.x)
        size = fv.body_size(fv.pick(x, scaled[0]), batch.seen)
        mean = size.sum(1) / (size > 0).sum(1).clamp(min=1)
        factor = torch.where(mean > 0, self.size / torch.where(mean > 0, mean, 1), 1)
        for channels in scaled:
            x = fv.put(x, fv.pick(x, channels) * factor.to(x.dtype).view(-1, 1, 1, 1, 1), channels)
        return batch.with_parts(x=x)


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


def seen_joint(batch: SkeletonBatch, joint: int) -> Tensor:
    """Whether a joint is observed, ``(N, T, M)``."""
    return batch.seen[:, :, min(joint, batch.seen.shape[2] - 1)]


def where_first_seen(place: Tensor, seen: Tensor) -> Tensor:
    """Of the first frame in which ``seen (N, T, M)``, the first person's places: ``(N, d, 1, V, 1)``.

    Args:
        place: ``(N, d, T, V, M)``.
        seen: who counts; a sample in which nobody does gives the first entries, which are 0.
    """
    n, d, t, v, m = place.shape
    if not t * m:
        return place.new_zeros(n, d, 1, v, 1)
    first = seen.flatten(1).to(torch.uint8).argmax(1)  # persons fastest
    flat = place.transpose(3, 4).reshape(n, d, t * m, v)
    return flat.gather(2, first.view(n, 1, 1, 1).expand(n, d, 1, v))[..., None]
