"""Pictures of skeletons: film strips of stick figures, views of a policy beside each other, transforms one by one.

Left limbs are blue, right limbs orange, the rest dark; the figure before the transform stands behind in light grey.
Needs the extra ``viz``, but for :func:`view`, which makes a page of moving figures and needs nothing.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type, wholes
from skelaug.functional import values as fv
from skelaug.members import leaves
from skelaug.policy import GrowingPolicy
from skelaug.preview import Page, Slider, make_scene
from skelaug.preview.axes import SEEN
from skelaug.skeleton import Skeleton, skeletons
from skelaug.transform import Transform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Cell", "gallery", "ladder", "save", "strip", "view"]

_COLOURS = {"left": "#1f77b4", "right": "#e8710a", "middle": "#333333"}
_BEFORE = "#c8c8c8"
_FRAMES = 6
_SHOWN = 6  # clips on a page
_YAW, _PITCH = math.radians(35), math.radians(12)


def strip(
    axes: Axes,
    clip: SkeletonBatch,
    skeleton: Skeleton | str,
    *,
    before: SkeletonBatch | None = None,
    vectors: str | None = None,
    frames: int = _FRAMES,
    up: str | None = None,
) -> None:
    """Draw one sample as a film strip: figures at moments evenly spread over the clip, time running to the right.

    Args:
        axes: matplotlib axes to draw on.
        clip: a batch of one sample, x ``(1, C, T, V, M)`` with C = 2 or 3 coordinates first.
        skeleton: of the data, or its name.
        before: the same sample before the transform, drawn behind in grey; it fixes the scale and where figures stand.
        vectors: for streams, ``"bone"`` draws the entries of ``clip`` as arrows from one point and ``"motion"`` as
            arrows (five times as long) from the joints of ``before``.
        frames: number of moments.
        up: the axis of the data that points up, such as ``"y"``, ``"z"`` or ``"-y"`` (image coordinates); ``None`` for
            the skeleton's. In 2D only ``"-y"`` makes a difference.
    """
    skeleton = _check_drawing("strip", skeleton, up, clip=clip, before=clip if before is None else before)
    up = check.up("plot.strip", up, skeleton)
    of_type("plot.strip", "axes", axes, _matplotlib("axes").Axes, "matplotlib axes")
    check.choice("plot.strip", "vectors", vectors, (None, "bone", "motion"))
    check.count("plot.strip", "frames", frames)
    anchor = clip if before is None else before
    points, seen = _project(clip, up)
    ground, ground_seen = _project(anchor, up)
    body = float(fv.body_size(anchor.x, anchor.mask).max()) or 1.0
    ours, theirs = _moments(seen, frames), _moments(ground_seen, frames)
    floor = ground[ground_seen]
    low, high = (float(floor[:, 1].min()), float(floor[:, 1].max())) if len(floor) else (0.0, body)
    if vectors is None and seen.any():  # room for what moved, within reason: one outlier must not shrink the rest
        low = min(low, max(float(points[seen][:, 1].min()), low - 0.4 * body))
        high = max(high, min(float(points[seen][:, 1].max()), high + 0.4 * body))
    for slot in range(frames):
        then = theirs[slot]
        middle = ground[then][ground_seen[then]]
        shift = np.array([slot * 0.95 * body - (middle[:, 0].mean() if len(middle) else 0), 0])
        if before is not None:
            _figure(axes, ground[then] + shift, ground_seen[then], skeleton, colour=_BEFORE)
        now = ours[slot]
        if vectors is None:
            _figure(axes, points[now] + shift, seen[now], skeleton)
        else:
            _arrows(axes, points[now], ground[then] + shift, seen[now], skeleton, vectors)
    margin = 0.55 * body
    axes.set_xlim(-margin, (frames - 1) * 0.95 * body + margin)
    axes.set_ylim(low - 0.1 * body, max(high, low + 0.6 * body) + 0.1 * body)
    axes.set_aspect("equal")
    axes.set_axis_off()


def ladder(
    rows: Sequence[tuple[str, SkeletonBatch, Sequence[SkeletonBatch]]],
    names: Sequence[str],
    skeleton: Skeleton | str,
    *,
    title: str,
    up: str | None = None,
) -> Figure:
    """The views of some clips, weak to strong: a row a clip, a column a view.

    Args:
        rows: for each clip its name, the clip (a batch of one) and its views.
        names: of the views.
        skeleton: of the data, or its name.
        title: what is seen.
        up: see :func:`strip`.
    """
    for name in _sequence("ladder", "names", names):
        of_type("plot.ladder", "names", name, str, "strings")
    for row in _sequence("ladder", "rows", rows):
        if not isinstance(row, tuple | list) or len(row) != 3 or len(_sequence("ladder", "rows", row[2])) != len(names):
            raise ValueError(f"plot.ladder(rows=…): each must be (name, clip, {len(names)} views), got {row!r}")
        skeleton = _check_drawing("ladder", skeleton, up, rows=row[1])
    figure, grid = _grid(len(rows), len(names) + 1, 4.4, 1.4)
    for axes, heading in zip(grid[0], ["as recorded", *names], strict=True):
        axes.set_title(heading, fontsize=12)
    for line, (name, clip, views) in zip(grid, rows, strict=True):
        strip(line[0], clip, skeleton, up=up)
        line[0].text(-0.02, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center", fontsize=11)
        for axes, view in zip(line[1:], views, strict=True):
            strip(axes, view, skeleton, before=clip, up=up)
    return _finish("ladder", figure, title)


@dataclass(frozen=True)
class Cell:
    """One transform in a :func:`gallery`.

    Attributes:
        title: what is written above.
        before: the clip, a batch of one.
        after: what became of it.
        kind: ``None`` for figures, ``"bone"`` or ``"motion"`` for streams, ``"graph"`` for the graphs of ``after``, a
            figure a sample.
    """

    title: str
    before: SkeletonBatch
    after: SkeletonBatch
    kind: str | None = None


def gallery(
    cells: Sequence[Cell], skeleton: Skeleton | str, *, title: str, columns: int = 3, up: str | None = None
) -> Figure:
    """Many transforms, each in a cell of its own.

    Args:
        cells: what to draw.
        skeleton: of the data, or its name.
        title: what is seen.
        columns: cells side by side.
        up: see :func:`strip`.
    """
    check.count("plot.gallery", "columns", columns)
    skeleton = check.skeleton("plot.gallery", skeleton)
    for cell in _sequence("gallery", "cells", cells):
        of_type("plot.gallery", "cells", cell, Cell, "a list of plot.Cell")
        check.choice("plot.Cell", "kind", cell.kind, (None, "bone", "motion", "graph"))
        _check_drawing("gallery", skeleton, up, cells=cell.before)
    figure, grid = _grid(math.ceil(len(cells) / columns), columns, 5.6, 1.75)
    flat = [axes for line in grid for axes in line]
    for axes, cell in zip(flat, cells, strict=False):
        axes.set_title(cell.title, fontsize=10, family="monospace")
        if cell.kind == "graph":
            _graphs(axes, cell.after, cell.before, skeleton, check.up("plot.gallery", up, skeleton))
        else:
            strip(axes, cell.after, skeleton, before=cell.before, vectors=cell.kind, up=up)
    for axes in flat[len(cells) :]:
        axes.set_axis_off()
    return _finish("gallery", figure, title)


def view(
    batch: SkeletonBatch,
    policy: GrowingPolicy | Transform | None = None,
    skeleton: Skeleton | str | None = None,
    *,
    samples: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    slider: str | bool = True,
    coords: int | Sequence[int] | None = None,
    up: str | None = None,
    fps: float = 30.0,
    frames: int = 128,
    title: str = "Views, weak to strong",
    height: int = 760,
) -> Page:
    """A page of moving skeletons: clips and their ordered views side by side, to be turned, played and compared.

    A notebook shows what is returned; ``.save("ladder.html")`` writes it as one file, which asks nobody for anything.
    All views are made here, by ``policy``; the page only draws. Drawn per sample: what ``policy.views`` draws with
    ``keys = skelaug.random.keys(seed, 0, samples)``.

    Args:
        batch: clips, x ``(N, C, T, V, M)`` with 2 or 3 coordinates.
        policy: makes the views; without one the clips alone are shown.
        skeleton: of the data, or its name. If it is left out: the policy's, else the only known one with so many
            joints, which the page names, else none: joints without bones.
        samples: which of the batch are shown; six, evenly spread, if left out.
        names: of these samples.
        seeds: of the draws, to choose from.
        slider: ``"Rotate.degrees=0:60"`` for five steps of that argument of the policy's first Rotate; True chooses a
            transform, False leaves it out.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        up: see :func:`strip`.
        fps: frames a second of the data.
        frames: at most so many of a clip are shown, evenly spread. Views are made from all.
        title: the headline.
        height: of the frame in a notebook, in pixels.

    Raises:
        TypeError: ``batch`` or ``policy`` is something else.
        ValueError: a sample that is not there, no coordinates that can be drawn, a wrong slider.

    Example:
        >>> from skelaug import policies, sample_motion
        >>> page = view(sample_motion(["walk", "kick"], length=32), policies.hiclr("humanoid15"))
        >>> page
        <skelaug preview, ... MB; .save('ladder.html') writes it>
    """
    who = "plot.view"
    of_type(who, "batch", batch, SkeletonBatch, "a SkeletonBatch")
    of_type(who, "policy", policy, (GrowingPolicy, Transform, type(None)), "a policy, a transform or None")
    of_type(who, "title", title, str, "a string")
    check.number(who, "fps", fps, low=0.1, high=10_000)
    for name, count in (("frames", frames), ("height", height)):
        check.count(who, name, count)
    channels = check.coordinates(who, list(coords) if isinstance(coords, Sequence) else coords)
    check.channels(who, channels, batch.x, allowed=(2, 3))
    bones = _bones(batch, policy, skeleton)
    _check_drawing("view", bones or "ntu25", up, **({"batch": batch} if bones else {}))
    if samples is None:
        samples = torch.linspace(0, len(batch) - 1, min(_SHOWN, len(batch))).long().tolist()
    chosen = [check.choice(who, "samples", int(i), range(len(batch))) for i in wholes(who, "samples", samples)]
    drawn = wholes(who, "seeds", seeds)
    if not chosen or not drawn:
        raise ValueError(f"{who}: give at least one sample and one seed")
    if names is not None and (isinstance(names, str) or len(names) != len(chosen)):
        raise ValueError(f"{who}(names={names!r}): give one name a sample, {len(chosen)}")
    dial = None if policy is None or slider is False else Slider.of(policy, None if slider is True else slider)
    source = f"{len(chosen)} of {len(batch)} clips" if len(chosen) < len(batch) else ""
    scene = make_scene(
        batch[chosen],
        policy,
        skeleton=bones,
        names=None if names is None else list(map(str, names)),
        ids=chosen,
        seeds=drawn,
        coords=channels,
        slider=dial,
        up=check.up(who, up, bones),
        fps=fps,
        frames=frames,
        title=title,
        source=source,
    )
    return Page(scene, height)


def _bones(
    batch: SkeletonBatch, policy: GrowingPolicy | Transform | None, given: Skeleton | str | None
) -> Skeleton | None:
    """The skeleton that was given, the policy's, or the only known one with so many joints."""
    if given is not None:
        return check.skeleton("plot.view", given)
    members = [] if policy is None else list(leaves(policy))
    told = [one.skeleton for one in (policy, *members) if one is not None and one.skeleton is not None]
    fitting = told or [known for known in skeletons.values() if len(known) == batch.x.shape[3]]
    return fitting[0] if told or len(fitting) == 1 else None


def save(figure: Figure, path: str | Path) -> None:
    """Write a picture and forget the figure."""
    of_type("plot.save", "figure", figure, _matplotlib("figure").Figure, "a matplotlib figure")
    if not isinstance(path, str | Path) or not Path(path).suffix:
        raise ValueError(f"plot.save(path={path!r}): path must name a file, such as 'out/ladder.png'")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})
    figure.clear()


def _matplotlib(name: str) -> Any:
    return importlib.import_module(f"matplotlib.{name}")  # a part that opens no window and has no global state


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    figure = _matplotlib("figure").Figure(figsize=(columns * width, rows * height + 0.9), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _finish(who: str, figure: Figure, title: str) -> Figure:
    figure.suptitle(of_type(f"plot.{who}", "title", title, str, "a string"), fontsize=14)
    return figure


def _sequence(who: str, name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple) and value:
        return value
    raise ValueError(f"plot.{who}({name}=…): {name} must be a list with at least one entry, got {value!r}")


def _check_drawing(who: str, given: Any, up: Any, **clips: Any) -> Skeleton:
    """The skeleton; raise unless the clips are batches that can be drawn with it."""
    skeleton = check.skeleton(f"plot.{who}", given)
    check.up(f"plot.{who}", up)
    for name, clip in clips.items():
        of_type(f"plot.{who}", name, clip, SkeletonBatch, "a SkeletonBatch")
        n, c, t, v, _ = clip.x.shape
        if n < 1 or c < 2 or t < 1 or v != len(skeleton):
            raise ValueError(
                f"plot.{who}({name}=…): {name} must hold a sample with a frame or more, 2 coordinates or more and the "
                f"{len(skeleton)} joints of the skeleton; x is {tuple(clip.x.shape)}"
            )
    return skeleton


def _project(clip: SkeletonBatch, up: str) -> tuple[Any, Any]:
    """Points ``(T, M, V, 2)`` on the paper and which of them are observed ``(T, M, V)``."""
    x = clip.x[0].detach().float().cpu()
    if x.shape[0] == 2:
        flat = torch.stack([x[0], -x[1] if up == "-y" else x[1]], -1)
    else:
        right, high, depth = (sign * x[axis] for sign, axis in SEEN[up])
        # Seen from a little to the side and from above, so that no axis hides behind another.
        across = right * math.cos(_YAW) + depth * math.sin(_YAW)
        along = -right * math.sin(_YAW) + depth * math.cos(_YAW)
        flat = torch.stack([across, high * math.cos(_PITCH) - along * math.sin(_PITCH)], -1)
    return flat.transpose(1, 2).numpy(), clip.mask[0].transpose(1, 2).cpu().numpy()


def _moments(seen: Any, frames: int) -> list[int]:
    """Frames evenly spread over those in which anybody is there."""
    there = np.flatnonzero(seen.any((1, 2)))
    there = there if len(there) else np.arange(len(seen))
    return [int(there[i]) for i in np.linspace(0, len(there) - 1, frames).round().astype(int)]


def _figure(axes: Axes, points: Any, seen: Any, skeleton: Skeleton, *, colour: str | None = None) -> None:
    """One moment: the bones of everybody ``(M, V, 2)``."""
    sides = _sides(skeleton)
    behind = colour is not None
    lines, colours, widths = [], [], []
    for slot, (person, there) in enumerate(zip(points, seen, strict=True)):
        for joint, parent in skeleton.bones:
            if there[joint] and there[parent]:
                lines.append((person[joint], person[parent]))
                colours.append(colour or _COLOURS[sides[joint]])
                widths.append(1.2 if behind else 0.9 if slot else 2.0)
    lines_of = _matplotlib("collections").LineCollection
    axes.add_collection(lines_of(lines, colors=colours, linewidths=widths, zorder=1 if behind else 2))
    if not behind:
        for person, there in zip(points, seen, strict=True):
            axes.plot(*person[there].T, ".", color="#333333", markersize=2.5, zorder=3)


def _arrows(axes: Axes, vectors: Any, joints: Any, seen: Any, skeleton: Skeleton, kind: str) -> None:
    sides = _sides(skeleton)
    for person, start, there in zip(vectors, joints, seen, strict=True):
        for joint in np.flatnonzero(there):
            origin = start[skeleton.root] if kind == "bone" else start[joint]
            tip = origin + person[joint] * (1 if kind == "bone" else 5)
            axes.plot(*zip(origin, tip, strict=True), color=_COLOURS[sides[joint]], linewidth=1.6, zorder=3)


def _graphs(axes: Axes, after: SkeletonBatch, before: SkeletonBatch, skeleton: Skeleton, up: str) -> None:
    """A figure a sample whose lines are the edges of its graph.

    Grey: kept; red: lost, dashed in one direction, dotted in both; green: new.
    """
    assert after.graph is not None
    points, seen = _project(before, up)
    first = _moments(seen, 1)[0]
    pose = points[first, 0] - points[first, 0].mean(0)
    body = float(np.ptp(pose, 0).max())
    bones = {frozenset(bone) for bone in skeleton.bones}
    joint_pairs = [(a, b) for a in range(len(skeleton)) for b in range(a)]
    for slot, graph in enumerate(after.graph[:_FRAMES].cpu()):
        weight = graph.flatten(0, -3).sum(0)
        for a, b in joint_pairs:
            bone, ways = frozenset((a, b)) in bones, int(weight[a, b] > 0) + int(weight[b, a] > 0)
            if bone or ways:
                line = "-" if ways == 2 or not bone else "--" if ways else ":"
                colour = "#2ca02c" if not bone else "#888888" if ways == 2 else "#d62728"
                ends = pose[[a, b]] + [slot * 0.95 * body, 0]
                axes.plot(*ends.T, line, color=colour, linewidth=1.4)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _sides(skeleton: Skeleton) -> list[str]:
    sides = ["middle"] * len(skeleton)
    for left, right in skeleton.pairs:
        sides[left], sides[right] = "left", "right"
    return sides
