"""The pictures of a film, one at a time: panels with one camera, drawn once and moved from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skelaug.plot import paper
from skelaug.plot.paper import BEFORE, COLOURS
from skelaug.preview import Scene
from skelaug.preview.scene import Clip, Track
from skelaug.preview.trace import ABSENT, FILLED, MASKED, NEW, SHOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Reel"]

_DPI = 100
_PANEL = 1.9  # inches high
_WIDEST, _HIGHEST = 14.0, 9.0  # inches of all panels together
_LEFT, _TOP, _BOTTOM, _TITLE = 0.32, 0.34, 0.42, 0.36
_NEW = "#2ca02c"


class Reel:
    """Draws a scene for its first seed.

    Args:
        scene: what is shown.
        camera: degrees.
        ghost: the recording stands behind each view.
        frames: of the film; clips that are shorter stand still at their end.

    Attributes:
        figure: matplotlib's, with the frame that was shown last.
    """

    def __init__(self, scene: Scene, camera: tuple[float, float], ghost: bool, frames: int) -> None:
        self._scene, self._frames = scene, frames
        stages = [_Stage(clip, camera) for clip in scene.clips]
        below, above = _common_ground(stages)
        size = np.array([max(stage.high[0] - stage.low[0] for stage in stages), below + above])
        size[0] = max(size[0], 0.6 * size[1])  # a column holds its heading
        grid = [[("", stage) for stage in stages]]
        if scene.names:
            grid = [[(name, stage) for name in ("as recorded", *scene.names)] for stage in stages]
        self.figure, places = _layout(scene, len(grid), len(grid[0]), size)
        self._panels = []
        for row, line in enumerate(grid):
            for column, (heading, stage) in enumerate(line):
                axes = self.figure.add_axes(places[row][column])
                view = stage.clip.views[0][column - 1] if scene.names and column else None
                self._panels.append(_Panel(axes, scene, stage, view, ghost, size, below))
                if not scene.names:
                    heading = stage.clip.name
                if not row:
                    axes.set_title(heading, fontsize=10, pad=4)
                if scene.names and not column:
                    axes.text(-0.02, 0.5, stage.clip.name, transform=axes.transAxes, rotation=90, ha="right",
                              va="center", fontsize=9)  # fmt: skip
        self._clock()

    def _clock(self) -> None:
        """The time line below all panels."""
        width, height = self.figure.get_size_inches()
        line = self.figure.add_axes((0.0, 0.0, 1.0, 0.8 * _BOTTOM / height))
        line.set_axis_off()
        line.set(xlim=(0, width), ylim=(0, 1))
        self._from, self._to = _LEFT, width - 1.0
        line.plot([self._from, self._to], [0.5, 0.5], color="#d5d5d5", linewidth=2, solid_capstyle="round")
        (self._gone,) = line.plot([], [], color="#777777", linewidth=2, solid_capstyle="round")
        (self._dot,) = line.plot([], [], "o", color="#333333", markersize=5)
        self._time = line.text(self._to + 0.15, 0.47, "", va="center", fontsize=9, family="monospace")

    def show(self, t: int) -> None:
        """Draw frame ``t``."""
        for panel in self._panels:
            panel.show(t)
        at = self._from + (self._to - self._from) * t / max(self._frames - 1, 1)
        self._gone.set_data([self._from, at], [0.5, 0.5])
        self._dot.set_data([at], [0.5])
        every = min(clip.every for clip in self._scene.clips)
        self._time.set_text(f"{t * every / self._scene.fps:5.2f} s")

    def picture(self, t: int) -> Any:
        """Frame ``t`` as uint8 ``(height, width, 3)``."""
        self.show(t)
        canvas = paper.matplotlib("backends.backend_agg").FigureCanvasAgg(self.figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _layout(
    scene: Scene, rows: int, columns: int, size: Any
) -> tuple[Figure, list[list[tuple[float, float, float, float]]]]:
    """A figure whose panels have the shape of what they show, and where they are."""
    height = min(_PANEL * (1.6 if rows == 1 else 1.0), _HIGHEST / rows)
    width = height * size[0] / size[1]
    shrink = min(1.0, _WIDEST / (width * columns))
    width, height = width * shrink, height * shrink
    title = _TITLE if scene.title else 0.0
    total = max(_LEFT + width * columns + 0.1, 2.8), _BOTTOM + height * rows + _TOP + title
    total = _even(total[0]), _even(total[1])
    figure = paper.matplotlib("figure").Figure(figsize=total, dpi=_DPI, facecolor="white")
    if title:
        figure.suptitle(scene.title, fontsize=12, y=1 - 0.06 / total[1], va="top")
    places = [
        [
            (
                (_LEFT + column * width) / total[0],
                (_BOTTOM + (rows - 1 - row) * height) / total[1],
                width / total[0],
                height / total[1],
            )
            for column in range(columns)
        ]
        for row in range(rows)
    ]
    return figure, places


def _even(inches: float) -> float:
    """As wide as an even number of pixels, as H.264 wants it."""
    return 2 * round(inches * _DPI / 2) / _DPI


def _common_ground(stages: list[_Stage]) -> tuple[float, float]:
    """How far all pictures reach below and above the level of their ground, and make all grounds as deep."""
    deepest = max((stage.floor[1] - stage.floor[0] for stage in stages if stage.floor), default=0.0)
    for stage in stages:
        if stage.floor:
            stage.floor = stage.floor[1] - deepest, stage.floor[1]
            stage.low[1] = min(stage.low[1], stage.floor[0])
    return max(stage.level - stage.low[1] for stage in stages), max(stage.high[1] - stage.level for stage in stages)


class _Stage:
    """A clip on its ground: what the camera follows, and the rectangle of the paper that all its panels show."""

    def __init__(self, clip: Clip, camera: tuple[float, float]) -> None:
        self.clip, self.camera = clip, camera
        places, seen = clip.original.places, (clip.original.state != ABSENT).numpy()
        self.path = _path(places.numpy(), seen, clip.body)
        points, body = self.points(clip.original), clip.body
        there = points[seen] if seen.any() else np.zeros((1, 2))
        low, high = there.min(0), there.max(0)
        for track in clip.views[0] if clip.views else ():
            moved, shown = self.points(track), (track.state != ABSENT).numpy()
            if shown.any():  # room for what moved, within reason: one outlier must not shrink the rest
                low = np.minimum(low, np.maximum(moved[shown].min(0), low - 0.25 * body))
                high = np.maximum(high, np.minimum(moved[shown].max(0), high + 0.25 * body))
        self.floor = paper.floor_of(_along(places, self.path), seen, camera, body)
        if self.floor:
            low[1] = min(low[1], self.floor[0])
        self.low, self.high = low - 0.08 * body, high + 0.08 * body
        self.level = self.floor[1] if self.floor else self.low[1]

    def points(self, track: Track) -> Any:
        """Points ``(T, M, V, 2)`` on the paper."""
        return paper.on_paper(_along(track.places, self.path), self.camera)


def _along(places: Any, path: Any) -> Any:
    return places - places.new_tensor(path[: len(places), None, None])


def _path(places: Any, seen: Any, body: float) -> Any:
    """What the camera follows ``(T, D)``: nothing, or the middle of everybody over the ground, smoothed."""
    frames = np.flatnonzero(seen.any((1, 2)))
    path = np.zeros((len(places), places.shape[-1]))
    if not len(frames):
        return path
    middle = np.stack([places[t][seen[t]].mean(0) for t in frames])
    level = [axis for axis in range(places.shape[-1]) if axis != 1]
    if np.ptp(middle[:, level], 0).max() < body:
        return path
    wide = min(15, len(frames))
    for axis in level:
        padded = np.pad(middle[:, axis], (wide // 2, wide - 1 - wide // 2), mode="edge")
        smooth = np.convolve(padded, np.ones(wide) / wide, mode="valid")
        path[:, axis] = np.interp(np.arange(len(places)), frames, smooth)
    return path


class _Panel:
    """One clip or view on its axes.

    Args:
        axes: to draw on.
        scene: for the skeleton and the kind of vectors.
        stage: of the clip.
        view: what is shown, or ``None`` for the clip itself.
        ghost: the clip stands behind a view.
        size: of the rectangle that every panel shows.
        below: how far it reaches below the ground.
    """

    def __init__(
        self, axes: Axes, scene: Scene, stage: _Stage, view: Track | None, ghost: bool, size: Any, below: float
    ) -> None:
        clip, bones = stage.clip, scene.skeleton
        track = clip.original if view is None else view
        self._points, self._state = stage.points(track), track.state.numpy()
        self._before, self._seen = stage.points(clip.original), clip.original.state.numpy() == SHOWN
        lost = {frozenset((a, b)) for a, b, how in track.edges if how != NEW}
        pairs = [] if bones is None else list(bones.bones)
        sides = ["middle"] * scene.joints if bones is None else paper.sides_of(bones)
        self._ghost_pairs = _pairs(pairs)
        self._vectors = scene.vectors is not None and view is not None
        if self._vectors:  # from where each begins in the recording to its tip
            parents = dict(pairs) if scene.vectors == "bone" else {}
            pairs = [(joint, parents.get(joint, joint)) for joint in range(scene.joints)]
        new = [] if self._vectors else [(a, b) for a, b, how in track.edges if how == NEW]
        self._pairs = _pairs([*pairs, *new])
        self._colours = np.array([*(COLOURS[sides[a]] for a, _ in pairs), *[_NEW] * len(new)], dtype=object)
        self._styles = ["--" if frozenset(pair) in lost else "-" for pair in [*pairs, *new]]
        lines_of = paper.matplotlib("collections").LineCollection
        thick = 2.0 if scene.joints < 60 else 1.2
        self._widths = np.array([thick] * len(pairs) + [0.8] * len(new))
        self._behind = lines_of([], colors=BEFORE, linewidths=0.7 * thick, capstyle="round", zorder=1)
        self._pale = lines_of([], linewidths=0.7 * thick, alpha=0.3, capstyle="round", zorder=1.5)
        self._lines = lines_of([], capstyle="round", zorder=2)
        for lines in (self._behind, self._pale, self._lines):
            axes.add_collection(lines, autolim=False)
        dot = {"linestyle": "none", "color": "#333333", "zorder": 3}
        (self._dots,) = axes.plot([], [], marker=".", markersize=1.3 * thick + (bones is None), **dot)  # type: ignore[arg-type]
        (self._rings,) = axes.plot([], [], marker="o", markersize=3.2, mfc="white", mew=0.7, **dot)  # type: ignore[arg-type]
        self._shows_ghost = ghost and view is not None
        corner = np.array([(stage.low[0] + stage.high[0] - size[0]) / 2, stage.level - below])
        paper.bare(axes, corner, corner + size, 0)
        if paper.stands(bones):
            paper.ground_of(axes, stage.floor)
        if not (self._state != ABSENT).any():
            axes.text(
                0.5, 0.5, "nobody", transform=axes.transAxes, ha="center", va="center", fontsize=10, color="#777777"
            )

    def show(self, t: int) -> None:
        """Draw frame ``t``, or the last one."""
        t = min(t, len(self._points) - 1)
        points, state, before, seen = self._points[t], self._state[t], self._before[t], self._seen[t]
        if self._shows_ghost:
            self._behind.set_segments(_segments(before, before, seen, seen, self._ghost_pairs)[0])
        there = (state == SHOWN) | (state == FILLED)
        start, started = (before, seen) if self._vectors else (points, there)
        segments, kept = _segments(points, start, there, started, self._pairs)
        self._lines.set_segments(segments)
        self._lines.set_color(self._of(self._colours, kept))
        self._lines.set_linewidth(self._of(self._widths, kept))
        self._lines.set_linestyle([self._styles[i] for i in kept[1]] or "-")
        known = state != ABSENT
        segments, kept = _segments(points, start, known, started if self._vectors else known, self._pairs, but=there)
        self._pale.set_segments(segments)
        self._pale.set_color(self._of(self._colours, kept))
        self._dots.set_data(*points[there].T)
        self._rings.set_data(*points[state == MASKED].T)

    @staticmethod
    def _of(values: Any, kept: Any) -> Any:
        return list(values[kept[1]])


def _pairs(pairs: list[tuple[int, int]]) -> Any:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _segments(ends: Any, starts: Any, there: Any, started: Any, pairs: Any, but: Any = None) -> tuple[Any, Any]:
    """Lines ``(K, 2, 2)`` whose two ends are there, without those wholly in ``but``; and (person, pair) of each."""
    one, other = pairs.T
    drawn = there[:, one] & started[:, other]
    if but is not None:
        drawn &= ~(but[:, one] & but[:, other])
    lines = np.stack([ends[:, one], starts[:, other]], 2)
    return lines[drawn], drawn.nonzero()
