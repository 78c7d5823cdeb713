"""Transforms of single axes and of the sides of the body: mirrored, negated, exchanged, masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from skelaug import check, labels
from skelaug.batch import SkeletonBatch
from skelaug.pivot import declare, params_about
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["AxisMask", "Mirror", "NegateAxis", "SwapSides"]

_AXES = "xyz"


@final
class Mirror(Transform):
    """The true mirror image: negate one axis and exchange left and right joints.

    Drawn per sample: whether it is applied, for all frames and persons. Twice is the identity.

    Args:
        skeleton: whose mirror pairs are exchanged.
        axis: the axis across the body, ``"x"``, ``"y"`` or ``"z"``; the mirror is the plane through ``about``.
        label_map: classes that change hands, such as ``{3: 4, 4: 3}`` for "wave left" and "wave right"; needs a
            SkeletonBatch with labels. Indices are renamed, of a sample or of its frames; the columns of ``(N, K)``
            change places.
        p: probability per sample.
        coords: channels that are coordinates.
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.
        about: a point of the mirror: ``"origin"``, a point, a joint by number or name, or ``"body"`` (each person's
            centre over the clip), see :mod:`skelaug.transforms.space`. In pixels of an image, ``(width / 2, 0)``.

    Raises:
        ValueError: ``label_map`` would make one class of two; or it is given, but the data has no labels, or none
            that could hold its classes.

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
        vectors: Any = None,
        about: int | str | Sequence[float] = "origin",
    ) -> None:
        super().__init__(p)
        self.skeleton = check.sided("Mirror", skeleton, "negates the axis alone")
        self.axis = check.choice("Mirror", "axis", axis, tuple(_AXES))
        self.coords = check.coordinates("Mirror", coords)
        self.vectors = check.vectors("Mirror", vectors, self.coords)
        self.label_map = None if label_map is None else check_label_map(label_map)
        self.linear = label_map is None  # a change holds no labels
        self.about = about
        declare(self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        sign = factors("Mirror", self.axis, -1.0, self.coords, batch)
        return {**params_about(self, sign, batch), "joints": mirrored(self.skeleton, len(batch), batch.device)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        out = super().op(batch, params)
        if self.label_map is None:
            return out
        if batch.label is None:
            raise ValueError(
                "Mirror(label_map=…) changes labels, but x has none: pass SkeletonBatch(x, label=…), or say label= to "
                "the adapter"
            )
        return out.with_parts(label=labels.relabel("Mirror", batch.label, batch.label_axis, self.label_map))


@final
class NegateAxis(Transform):
    """Negate one coordinate; joints keep their names (:class:`Mirror` exchanges left and right too).

    Drawn per sample: whether it is applied, for all frames, joints and persons.

    Args:
        axis: ``"x"``, ``"y"`` or ``"z"``.
        p: probability per sample.
        coords: channels that are coordinates.
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.

    Example:
        >>> NegateAxis("x", p=1.0)(torch.ones(1, 3, 1, 1, 1)).flatten()
        tensor([-1.,  1.,  1.])
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(self, axis: str = "x", p: float = 0.5, coords: Any = None, vectors: Any = None) -> None:
        super().__init__(p)
        self.axis = check.choice("NegateAxis", "axis", axis, tuple(_AXES))
        self.coords = check.coordinates("NegateAxis", coords)
        self.vectors = check.vectors("NegateAxis", vectors, self.coords)

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
        vectors: groups of channels that are turned with the body but not shifted, such as velocities or normals.

    Source: AimCLR; HiCLR.

    Example:
        >>> y = AxisMask("z", p=1.0)(torch.randn(8, 3, 50, 25, 2))
        >>> float(y[:, 2].abs().max())
        0.0
    """

    linear = True
    shapes = "matrix: N D"

    def __init__(self, axis: str | None = None, p: float = 0.5, coords: Any = None, vectors: Any = None) -> None:
        super().__init__(p)
        self.axis = check.choice("AxisMask", "axis", axis, (None, *_AXES))
        self.coords = check.coordinates("AxisMask", coords)
        self.vectors = check.vectors("AxisMask", vectors, self.coords)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        if self.axis is not None:
            return {"matrix": factors("AxisMask", self.axis, 0.0, self.coords, batch)}
        d = len(check.channels("AxisMask", self.coords, batch.x))
        return {"matrix": (torch.arange(d, device=batch.device) != rng.integers(d, 1)).float()}


def check_label_map(label_map: Any) -> dict[int, int]:
    """``label_map`` as whole numbers, old class to new: a permutation of its keys."""
    pairs = label_map.items() if isinstance(label_map, Mapping) else [(label_map, None)]
    if not all(type(value) is int and value >= 0 for pair in pairs for value in pair):
        raise ValueError(
            f"Mirror(label_map={label_map!r}): label_map must map class numbers to class numbers, as in "
            f"{{3: 4, 4: 3}}, got {label_map!r}"
        )
    renamed = dict(pairs)
    if sorted(renamed) != sorted(renamed.values()):
        merged = sorted({c for c in renamed.values() if c not in renamed or [*renamed.values()].count(c) > 1})
        raise ValueError(
            f"Mirror(label_map={label_map!r}): label_map merges classes, for two or more become "
            f"{', '.join(map(str, merged))}; say of each where it goes, as in {{3: 4, 4: 3}}"
        )
    return renamed


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
