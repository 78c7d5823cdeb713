"""Bodies at a moment, and at moments in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.plot import paper
from skelaug.plot.paper import BEFORE, CAMERA, COLOURS
from skelaug.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["FRAMES", "moments", "project", "skeleton", "strip"]

FRAMES = 6


def skeleton(
    x: SkeletonBatch | Tensor | NDArray[Any],
    skeleton: Skeleton | str | None = None,
    *,
    sample: int = 0,
    frame: int | None = None,
    coords: int | tuple[int, ...] | None = None,
    up: str | None = None,
    camera: tuple[float, float] = CAMERA,
    ground: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw everybody at one moment.

    Args:
        x: a SkeletonBatch, a tensor or an array ``(N, C, T, V, M)`` or one clip ``(C, T, V, M)``; C = 2 is drawn flat.
        skeleton: of the data, or its name. If it is left out: the only known one with so many joints.
        sample: which of the batch.
        frame: its number, from the end if negative; if left out, the middle one of those in which anybody is there.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        up: the axis of the data that points up, such as ``"y"``, ``"z"`` or ``"-y"`` (image coordinates); ``None`` for
            the skeleton's. In 2D only ``"-y"`` makes a difference.
        camera: degrees that it is turned to the side and looks down from above.
        ground: draw the ground; ``None``: where the skeleton has legs.
        ax: matplotlib axes to draw on; those of a new figure if left out.

    Returns:
        The axes.

    Raises:
        TypeError: ``x``, ``skeleton`` or ``ax`` is something else.
        ValueError: shapes do not fit the skeleton, several skeletons have so many joints, no such sample or frame, or
            nobody is there.

    Example:
        >>> import skelaug
        >>> axes = skelaug.plot.skeleton(skelaug.sample_motion(["kick"]), frame=30)
        >>> axes.figure.savefig("kick.png")  # doctest: +SKIP
    """
    who = "plot.skeleton"
    batch = paper.as_batch(who, "x", x)
    bones = paper.tell_bones(who, skeleton, batch)
    clip = paper.one_clip(who, "x", batch, sample, coords, bones)
    camera, up = paper.check_camera(who, camera), check.up(who, up, bones)
    check.choice(who, "ground", ground, (None, True, False))
    places, seen = paper.lifted(clip, up)
    now = paper.frame(who, frame, seen.any((1, 2)))
    axes = paper.axes_of(who, ax, (3.2, 3.6))

    body = float(fv.body_size(clip.x, clip.mask).max()) or 1.0
    points = paper.on_paper(places[now], camera)
    there = points[seen[now]]
    low, high = there.min(0), there.max(0)
    if paper.stands(bones) if ground is None else ground:
        floor = paper.floor_of(places[now], seen[now], camera, body)
        paper.ground_of(axes, floor)
        low[1] = min(low[1], floor[0]) if floor else low[1]
    paper.bodies(axes, points, seen[now], bones, width=2.8 if len(bones) < 60 else 1.6)
    paper.bare(axes, low, high, 0.08 * body)
    return axes


def strip(
    clip: SkeletonBatch | Tensor | NDArray[Any],
    skeleton: Skeleton | str | None = None,
    *,
    before: SkeletonBatch | Tensor | NDArray[Any] | None = None,
    vectors: str | None = None,
    frames: int = FRAMES,
    up: str | None = None,
    ground: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw one sample as a film strip: figures at moments evenly spread over the clip, time running to the right.

    Args:
        clip: a batch of one sample, x ``(1, C, T, V, M)`` with C = 2 or 3 coordinates first; a tensor or an array too.
        skeleton: of the data, or its name. If it is left out: the only known one with so many joints.
        before: the same sample before the transform, drawn behind in grey; it fixes the scale and where figures stand.
        vectors: for streams, ``"bone"`` draws the entries of ``clip`` as arrows from one point and ``"motion"`` as
            arrows (five times as long) from the joints of ``before``.
        frames: number of moments.
        up: see :func:`skeleton`.
        ground: draw the ground.
        ax: matplotlib axes to draw on; those of a new figure if left out.

    Returns:
        The axes.

    Example:
        >>> import skelaug
        >>> clip = skelaug.sample_motion(["cartwheel"])
        >>> axes = strip(skelaug.transforms.Shear(0.5)(clip), "humanoid15", before=clip, ground=True)
    """
    who = "plot.strip"
    clip = paper.as_batch(who, "clip", clip)
    anchor = clip if before is None else paper.as_batch(who, "before", before)
    bones = paper.check_drawing(who, paper.tell_bones(who, skeleton, clip), up, clip=clip, before=anchor)
    up = check.up(who, up, bones)
    check.choice(who, "vectors", vectors, (None, "bone", "motion"))
    check.choice(who, "ground", ground, (True, False))
    check.count(who, "frames", frames)
    axes = paper.axes_of(who, ax, (1.1 * frames + 0.5, 2.2))

    points, seen = project(clip, up)
    standing, standing_seen = project(anchor, up)
    body = float(fv.body_size(anchor.x, anchor.mask).max()) or 1.0
    ours, theirs = moments(seen, frames), moments(standing_seen, frames)
    floor = standing[standing_seen]
    low, high = (float(floor[:, 1].min()), float(floor[:, 1].max())) if len(floor) else (0.0, body)
    if vectors is None and seen.any():  # room for what moved, within reason: one outlier must not shrink the rest
        low = min(low, max(float(points[seen][:, 1].min()), low - 0.4 * body))
        high = max(high, min(float(points[seen][:, 1].max()), high + 0.4 * body))
    if ground:
        places, there = paper.lifted(anchor, up)
        level = paper.floor_of(places[theirs], there[theirs], CAMERA, body)
        paper.ground_of(axes, level)
        low = min(low, level[0]) if level else low
    for slot in range(frames):
        then = theirs[slot]
        middle = standing[then][standing_seen[then]]
        shift = np.array([slot * 0.95 * body - (middle[:, 0].mean() if len(middle) else 0), 0])
        if before is not None:
            paper.bodies(axes, standing[then] + shift, standing_seen[then], bones, colour=BEFORE)
        now = ours[slot]
        if vectors is None:
            paper.bodies(axes, points[now] + shift, seen[now], bones)
        else:
            _arrows(axes, points[now], standing[then] + shift, seen[now], bones, vectors)
    margin = 0.55 * body
    axes.set_xlim(-margin, (frames - 1) * 0.95 * body + margin)
    axes.set_ylim(low - 0.1 * body, max(high, low + 0.6 * body) + 0.1 * body)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return axes


def project(clip: SkeletonBatch, up: str) -> tuple[Any, Any]:
    """Points ``(T, M, V, 2)`` on the paper and which of them are observed ``(T, M, V)``."""
    places, seen = paper.lifted(clip, up)
    return paper.on_paper(places), seen


def moments(seen: Any, frames: int) -> list[int]:
    """Frames evenly spread over those in which anybody is there."""
    there = np.flatnonzero(seen.any((1, 2)))
    there = there if len(there) else np.arange(len(seen))
    return [int(there[i]) for i in np.linspace(0, len(there) - 1, frames).round().astype(int)]


def _arrows(axes: Axes, vectors: Any, joints: Any, seen: Any, skeleton: Skeleton, kind: str) -> None:
    sides = paper.sides_of(skeleton)
    for person, start, there in zip(vectors, joints, seen, strict=True):
        for joint in np.flatnonzero(there):
            origin = start[skeleton.root] if kind == "bone" else start[joint]
            tip = origin + person[joint] * (1 if kind == "bone" else 5)
            axes.plot(*zip(origin, tip, strict=True), color=COLOURS[sides[joint]], linewidth=1.6, zorder=3)
