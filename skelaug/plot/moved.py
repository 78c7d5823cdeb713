"""What a transform did to every joint at one moment."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skelaug import check, random
from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.plot import paper
from skelaug.plot.paper import BEFORE, CAMERA
from skelaug.preview.axes import lift
from skelaug.preview.compared import compare
from skelaug.preview.trace import ABSENT, FILLED, GONE, MASKED, SHOWN, Traced, stream_of, trace
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["difference"]

_MAP = "YlOrRd"  # light for little, dark for much: read without hues too
_AFTER = "#6b6b6b"
_LEAST = 0.1  # body sizes; the colours end there or later


def difference(
    before: SkeletonBatch | Tensor | NDArray[Any],
    after: SkeletonBatch | Tensor | NDArray[Any] | Transform,
    skeleton: Skeleton | str | None = None,
    *,
    sample: int = 0,
    frame: int | None = None,
    seed: int = 0,
    arrows: bool = True,
    coords: int | tuple[int, ...] | None = None,
    up: str | None = None,
    camera: tuple[float, float] = CAMERA,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw what became of every joint at one moment: joints coloured by how far they moved, the recording in grey.

    A ring with a cross is a masked joint, where it would have been; a hollow ring a joint (or a person) that was
    dropped, where it was; a square one of a frame that was filled from its neighbours. A transform tells all this
    itself. Of two batches it is found in the data: a joint that is observed no longer was dropped, and one that is at
    exactly 0, where it was not before, is masked; other fills of a mask look like joints that moved.

    Args:
        before: the recording: a SkeletonBatch, a tensor or an array ``(N, C, T, V, M)`` or one clip ``(C, T, V, M)``.
        after: the same after something was done to it; or what is to be done, a transform or a view, ``policy[-1]``.
        skeleton: of the data, or its name. If it is left out: the transform's, else the only known one with so many
            joints.
        sample: which of the batch.
        frame: its number, from the end if negative; if left out, that in which joints moved most.
        seed: of a transform's draw: ``keys = skelaug.random.keys(seed, 0, [sample])``.
        arrows: from where each joint was to where it is.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        up: see :func:`skelaug.plot.skeleton`.
        camera: degrees that it is turned to the side and looks down from above.
        colorbar: say beside the picture what the colours mean.
        ax: matplotlib axes to draw on; those of a new figure if left out.

    Returns:
        The axes.

    Raises:
        TypeError: ``before``, ``after`` or ``ax`` is something else; a policy, of which a view is to be chosen.
        ValueError: the two differ in shape, the transform makes a stream or another number of frames, nobody is there.

    Example:
        >>> import skelaug
        >>> clip = skelaug.sample_motion(["kick"])
        >>> axes = skelaug.plot.difference(clip, skelaug.policies.hiclr("humanoid15")[-1], seed=3)
    """
    who = "plot.difference"
    batch = paper.as_batch(who, "before", before)
    if not isinstance(after, Transform):
        if hasattr(after, "views"):
            raise TypeError(f"{who}(after=…): a policy makes several views; choose one, as in after=policy[-1]")
        after = paper.as_batch(who, "after", after)
    told = after.skeleton if isinstance(after, Transform) and skeleton is None else skeleton
    bones = paper.tell_bones(who, told, batch)
    for name, value in (("arrows", arrows), ("colorbar", colorbar)):
        check.choice(who, name, value, (True, False))
    camera, up = paper.check_camera(who, camera), check.up(who, up, bones)
    seed = paper.seed_of(who, seed)
    clip = paper.one_clip(who, "before", batch, sample, coords, bones)
    if isinstance(after, Transform):
        told_of = _trace(who, batch, after, int(sample) % len(batch), seed, coords)
    else:
        if after.x.shape != batch.x.shape:
            raise ValueError(
                f"{who}: before is {tuple(batch.x.shape)} and after {tuple(after.x.shape)}; joints are compared one by "
                f"one, frame by frame, so both must have one shape"
            )
        told_of = compare(clip, paper.one_clip(who, "after", after, sample, coords, bones), _all(clip))
    return _draw(who, clip, told_of, bones, frame, arrows, up, camera, colorbar, ax)


def _all(clip: SkeletonBatch) -> tuple[int, ...]:
    return tuple(range(clip.x.shape[1]))


def _trace(who: str, batch: SkeletonBatch, after: Transform, sample: int, seed: int, coords: Any) -> Traced:
    """What a transform did to one sample of a batch."""
    if stream_of(after) is not None:
        raise ValueError(f"{who}(after=…): {after!r} makes a stream of vectors; plot.animate draws it")
    channels = check.coordinates(who, coords)
    one = batch[sample].to("cpu").with_parts(label=None)
    keys = random.keys(seed, 0, torch.tensor([sample]))
    told = trace(after, one, keys, check.channels(who, channels, one.x, allowed=(2, 3)))
    if told.moved is None:
        raise ValueError(
            f"{who}(after=…): {after!r} makes {told.x.shape[2]} frames of {one.x.shape[2]}; joints are compared frame "
            f"by frame. plot.animate draws both"
        )
    return told


def _draw(
    who: str,
    clip: SkeletonBatch,
    told: Traced,
    bones: Skeleton,
    frame: int | None,
    arrows: bool,
    up: str,
    camera: tuple[float, float],
    colorbar: bool,
    ax: Axes | None,
) -> Axes:
    assert told.moved is not None
    old, seen = paper.lifted(clip, up)
    new = lift(told.x[0], up).permute(1, 3, 2, 0)
    state, moved = (part[0].transpose(1, 2).numpy() for part in (told.state, told.moved))
    far = np.where(np.isfinite(moved) & ((state == SHOWN) | (state == FILLED)), moved, 0)
    there = (seen | (state != ABSENT)).any((1, 2))
    if frame is None and there.any():  # where most happened
        happened = far.sum((1, 2)) + 1e-3 * ((state == MASKED) | (state == GONE)).sum((1, 2))
        frame = int(np.where(there, happened, -1).argmax())
    now = paper.frame(who, frame, there)
    axes = paper.axes_of(who, ax, (4.2 if colorbar else 3.4, 4.0))

    points, before, was, state = (
        paper.on_paper(new[now], camera), paper.on_paper(old[now], camera), seen[now], state[now]
    )  # fmt: skip
    body = float(fv.body_size(clip.x, clip.mask).max()) or 1.0
    everything = np.concatenate([points[state != ABSENT], before[was]])
    low, high = everything.min(0), everything.max(0)
    if paper.stands(bones):
        floor = paper.floor_of(old[now], was, camera, body)
        paper.ground_of(axes, floor)
        low[1] = min(low[1], floor[0]) if floor else low[1]
    present = (state == SHOWN) | (state == FILLED)
    size = 1.0 if len(bones) < 60 else 0.5
    paper.bodies(axes, before, was, bones, colour=BEFORE, width=3.0 * size)
    _limbs(axes, points, present, bones, 2.2 * size)
    if arrows:
        _arrows(axes, before, points, present & was, body)
    _joints(axes, points, state, far[now], float(far.max()), size, colorbar)
    paper.bare(axes, low, high, 0.1 * body)
    return axes


def _limbs(axes: Axes, points: Any, present: Any, bones: Skeleton, width: float) -> None:
    lines = [
        (person[a], person[b])
        for person, there in zip(points, present, strict=True)
        for a, b in bones.bones
        if there[a] and there[b]
    ]
    lines_of = paper.matplotlib("collections").LineCollection
    axes.add_collection(lines_of(lines, colors=_AFTER, linewidths=width, capstyle="round", zorder=2), autolim=False)


def _arrows(axes: Axes, start: Any, end: Any, both: Any, body: float) -> None:
    """Arrows from the recording to the view, but for those too short to be seen."""
    far = both & (np.linalg.norm(end - start, axis=-1) > 0.03 * body)
    if far.any():
        way = end[far] - start[far]
        axes.quiver(
            *start[far].T, *way.T, angles="xy", scale_units="xy", scale=1, color="#8a8a8a", width=0.005, headwidth=6,
            headlength=7, headaxislength=6, zorder=2.5,
        )  # fmt: skip


def _joints(axes: Axes, points: Any, state: Any, far: Any, most: float, size: float, colorbar: bool) -> None:
    """Joints by colour, and the marks of those that are not simply there, with a legend of the marks."""
    scale = paper.matplotlib("colors").Normalize(0, max(most, _LEAST))
    dots = None
    for kind, marker in ((SHOWN, "o"), (FILLED, "s")):
        found = state == kind
        if found.any() or kind == SHOWN:
            drawn = axes.scatter(
                points[found][:, 0],
                points[found][:, 1],
                c=far[found],
                cmap=_MAP,
                norm=scale,
                s=34 * size,
                marker=marker,
                edgecolors="#333333",
                linewidths=0.7,
                zorder=4,
                label="frame filled" if kind == FILLED else None,
            )
            dots = dots or drawn
    for kind, marker, width, label in ((MASKED, r"$\otimes$", 9, "masked"), (GONE, "o", 6, "dropped")):
        if (state == kind).any():
            where = points[state == kind].T
            look: dict[str, Any] = {"linestyle": "none", "zorder": 4.5}
            axes.plot(*where, marker="o", color="white", markersize=width, **look)
            look |= {"markerfacecolor": "white" if kind == GONE else "#333333", "markeredgecolor": "#333333"}
            axes.plot(*where, marker=marker, markersize=width, markeredgewidth=0.7, label=label, **look)
    handles, labels = axes.get_legend_handles_labels()
    shown = [(h, w) for h, w in zip(handles, labels, strict=True) if not w.startswith("_")]
    if shown:
        axes.legend(
            *map(list, itertools.zip_longest(*shown)), loc="upper center", bbox_to_anchor=(0.5, 0.0), frameon=False,
            ncols=3, fontsize=9,
        )  # fmt: skip
    if colorbar and dots is not None:
        axes.figure.colorbar(dots, ax=axes, shrink=0.7, pad=0.02, label="moved, in body sizes")
