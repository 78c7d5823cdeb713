"""Many film strips on a sheet: the views of clips, and transforms one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type
from skelaug.plot import paper
from skelaug.plot.stills import FRAMES, moments, project, strip
from skelaug.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Cell", "gallery", "ladder"]


def ladder(
    rows: Sequence[tuple[str, SkeletonBatch, Sequence[SkeletonBatch]]],
    names: Sequence[str],
    skeleton: Skeleton | str,
    *,
    title: str,
    up: str | None = None,
    axes: Any = None,
) -> Figure:
    """The views of some clips, weak to strong: a row a clip, a column a view.

    Args:
        rows: for each clip its name, the clip (a batch of one) and its views.
        names: of the views.
        skeleton: of the data, or its name.
        title: what is seen.
        up: see :func:`strip`.
        axes: matplotlib axes to draw on, a row a clip and a column more than views, as ``plt.subplots(rows, columns,
            squeeze=False)`` gives them; those of a new figure if left out.

    Returns:
        The figure.

    Example:
        >>> import skelaug
        >>> clips = skelaug.sample_motion(["walk", "kick"], length=32)[:2]
        >>> policy = skelaug.policies.hiclr("humanoid15")
        >>> views = policy.views(clips)
        >>> rows = [(f"clip {i}", clips[i], [view[i] for view in views]) for i in range(2)]
        >>> figure = ladder(rows, list(policy.names), "humanoid15", title="Three views")
    """
    for name in _sequence("ladder", "names", names):
        of_type("plot.ladder", "names", name, str, "strings")
    for row in _sequence("ladder", "rows", rows):
        if not isinstance(row, tuple | list) or len(row) != 3 or len(_sequence("ladder", "rows", row[2])) != len(names):
            raise ValueError(f"plot.ladder(rows=…): each must be (name, clip, {len(names)} views), got {row!r}")
        skeleton = paper.check_drawing("plot.ladder", skeleton, up, rows=row[1])
    if axes is None:
        figure, grid = _grid(len(rows), len(names) + 1, 4.4, 1.4)
    else:
        figure, grid = _given(axes, len(rows), len(names) + 1)
    for cell, heading in zip(grid[0], ["as recorded", *names], strict=True):
        cell.set_title(heading, fontsize=12)
    for line, (name, clip, views) in zip(grid, rows, strict=True):
        strip(clip, skeleton, up=up, ax=line[0])
        line[0].text(-0.02, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center", fontsize=11)
        for cell, view in zip(line[1:], views, strict=True):
            strip(view, skeleton, before=clip, up=up, ax=cell)
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
        paper.check_drawing("plot.gallery", skeleton, up, cells=cell.before)
    figure, grid = _grid(math.ceil(len(cells) / columns), columns, 5.6, 1.75)
    flat = [axes for line in grid for axes in line]
    for axes, cell in zip(flat, cells, strict=False):
        axes.set_title(cell.title, fontsize=10, family="monospace")
        if cell.kind == "graph":
            _graphs(axes, cell.after, cell.before, skeleton, check.up("plot.gallery", up, skeleton))
        else:
            strip(cell.after, skeleton, before=cell.before, vectors=cell.kind, up=up, ax=axes)
    for axes in flat[len(cells) :]:
        axes.set_axis_off()
    return _finish("gallery", figure, title)


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    figure = paper.matplotlib("figure").Figure(figsize=(columns * width, rows * height + 0.9), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _given(axes: Any, rows: int, columns: int) -> tuple[Figure, Any]:
    """The figure of given axes, and they themselves."""
    grid = np.asarray(axes, dtype=object)
    if grid.shape != (rows, columns):
        raise ValueError(
            f"plot.ladder(axes=…): axes must be {rows} rows of {columns}, as plt.subplots({rows}, {columns}, "
            f"squeeze=False) gives them, got {grid.shape or type(axes).__name__}"
        )
    for cell in grid.flat:
        paper.axes_of("plot.ladder", cell, (0, 0))
    return grid[0, 0].figure, grid


def _finish(who: str, figure: Figure, title: str) -> Figure:
    figure.suptitle(of_type(f"plot.{who}", "title", title, str, "a string"), fontsize=14)
    return figure


def _sequence(who: str, name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple) and value:
        return value
    raise ValueError(f"plot.{who}({name}=…): {name} must be a list with at least one entry, got {value!r}")


def _graphs(axes: Axes, after: SkeletonBatch, before: SkeletonBatch, skeleton: Skeleton, up: str) -> None:
    """A figure a sample whose lines are the edges of its graph.

    Grey: kept; red: lost, dashed in one direction, dotted in both; green: new.
    """
    assert after.graph is not None
    points, seen = project(before, up)
    first = moments(seen, 1)[0]
    pose = points[first, 0] - points[first, 0].mean(0)
    body = float(np.ptp(pose, 0).max())
    bones = {frozenset(bone) for bone in skeleton.bones}
    joint_pairs = [(a, b) for a in range(len(skeleton)) for b in range(a)]
    for slot, graph in enumerate(after.graph[:FRAMES].cpu()):
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
