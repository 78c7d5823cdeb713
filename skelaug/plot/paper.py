"""What all pictures share: what is accepted, the camera, figures of matplotlib, colours, the ground, bodies."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type, whole
from skelaug.functional import values as fv
from skelaug.ndarray import from_numpy
from skelaug.preview.axes import lift
from skelaug.skeleton import Skeleton, skeletons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BEFORE",
    "CAMERA",
    "COLOURS",
    "as_batch",
    "axes_of",
    "bare",
    "bodies",
    "check_camera",
    "check_drawing",
    "figure_of",
    "find_bones",
    "floor_of",
    "frame",
    "ground_of",
    "lifted",
    "matplotlib",
    "on_paper",
    "one_clip",
    "save",
    "seed_of",
    "sides_of",
    "stands",
    "tell_bones",
]

COLOURS = {"left": "#1f77b4", "right": "#e8710a", "middle": "#333333"}
BEFORE = "#c8c8c8"
CAMERA = (35.0, 12.0)  # degrees to the side, and from above: no axis hides behind another


def matplotlib(name: str) -> Any:
    """A part of matplotlib that opens no window and has no global state."""
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError("skelaug.plot draws with matplotlib: pip install 'skelaug[viz]'") from None


def as_batch(who: str, name: str, value: Any) -> SkeletonBatch:
    """A batch from a batch, a tensor or an array ``(N, C, T, V, M)``, or one clip ``(C, T, V, M)``."""
    if isinstance(value, SkeletonBatch):
        return value
    if isinstance(value, np.ndarray):
        value = from_numpy(f"{who}({name}=…)", value)
    of_type(who, name, value, Tensor, "a SkeletonBatch, a tensor or a NumPy array")
    if value.ndim not in (4, 5):
        raise ValueError(
            f"{who}({name}=…): {name} must be (N, C, T, V, M), or one clip (C, T, V, M); it is {tuple(value.shape)}. "
            f"skelaug.to_layout brings other orders there: to_layout(x, 'TVC', 'NCTVM')"
        )
    return SkeletonBatch.of(value[None] if value.ndim == 4 else value, f"{who}({name}=…)")


def find_bones(joints: int) -> Skeleton | None:
    """The only known skeleton with so many joints, if there is just one."""
    fitting = [known for known in skeletons.values() if len(known) == joints]
    return fitting[0] if len(fitting) == 1 else None


def tell_bones(who: str, given: Skeleton | str | None, batch: SkeletonBatch) -> Skeleton:
    """The given skeleton, or the only known one with so many joints."""
    if given is not None:
        return check.skeleton(who, given)
    found = find_bones(batch.x.shape[3])
    if found is None:
        fitting = [name for name, known in skeletons.items() if len(known) == batch.x.shape[3]]
        raise ValueError(
            f"{who}(skeleton=None): say of which skeleton the {batch.x.shape[3]} joints are (axis 3 of "
            f"{tuple(batch.x.shape)}): {' or '.join(map(repr, fitting)) or 'Skeleton.from_edges(…) makes your own'}"
        )
    return found


def check_drawing(who: str, given: Any, up: Any, **clips: Any) -> Skeleton:
    """The skeleton; raise unless the clips are batches that can be drawn with it."""
    skeleton = check.skeleton(who, given)
    check.up(who, up)
    for name, clip in clips.items():
        of_type(who, name, clip, SkeletonBatch, "a SkeletonBatch")
        n, c, t, v, _ = clip.x.shape
        if n < 1 or c < 2 or t < 1 or v != len(skeleton):
            raise ValueError(
                f"{who}({name}=…): {name} must hold a sample with a frame or more, 2 coordinates or more and the "
                f"{len(skeleton)} joints of the skeleton; x is {tuple(clip.x.shape)}"
            )
    return skeleton


def one_clip(who: str, name: str, batch: SkeletonBatch, sample: Any, coords: Any, bones: Skeleton) -> SkeletonBatch:
    """One sample of a batch on the CPU, with its 2 or 3 coordinates alone."""
    check.joints(f"{who}({name}=…)", bones, batch.x)
    channels = check.coordinates(who, list(coords) if isinstance(coords, Sequence) else coords)
    if channels is None:
        check.scores(bones, batch.x)
    channels = check.channels(who, channels, batch.x, allowed=(2, 3))
    count = len(batch)
    if not batch.x.shape[2]:
        raise ValueError(f"{who}({name}=…): {name} has no frame: x is {tuple(batch.x.shape)}")
    sample = check.count(who, "sample", sample, low=-count)
    if sample >= count:
        raise ValueError(f"{who}(sample={sample}): {name} has {count} samples, 0 … {count - 1}")
    clip = batch[sample].to("cpu")
    return SkeletonBatch(fv.pick(clip.x.detach().float(), channels), clip.mask)


def frame(who: str, given: Any, there: Any) -> int:
    """The frame that is meant: ``given``, from the end if negative; the middle one of those with anybody if ``None``.

    Args:
        who: for the message.
        given: a number or ``None``.
        there: bool ``(T,)``, somebody is there.
    """
    with_anybody, total = np.flatnonzero(there), len(there)
    if not len(with_anybody):
        raise ValueError(f"{who}: nobody is there in any of the {total} frames")
    if given is None:
        return int(with_anybody[(len(with_anybody) - 1) // 2])
    number = check.count(who, "frame", given, low=-total)
    if number >= total:
        raise ValueError(f"{who}(frame={number}): the clip has {total} frames, 0 … {total - 1}")
    if not there[number]:
        first, last = with_anybody[[0, -1]]
        raise ValueError(f"{who}(frame={number}): nobody is there in this frame; the first with anybody is {first}, "
                         f"the last {last}")  # fmt: skip
    return number % total


def check_camera(who: str, camera: Any) -> tuple[float, float]:
    """Two angles in degrees."""
    if isinstance(camera, list | tuple) and len(camera) == 2:
        side, above = (check.number(who, "camera", angle, low=-360, high=360) for angle in camera)
        return side, above
    raise ValueError(f"{who}(camera={camera!r}): camera must be two angles in degrees, (to the side, from above)")


def seed_of(who: str, seed: Any) -> int:
    """The seed, a whole number."""
    if not whole(seed):
        raise ValueError(f"{who}(seed={seed!r}): seed must be a whole number, got {type(seed).__name__}")
    return int(seed)


def on_paper(places: Tensor, camera: tuple[float, float] = CAMERA) -> Any:
    """Points ``(…, 2)`` on the paper of places ``(…, D)`` with y up; D = 2 are there already."""
    if places.shape[-1] == 2:
        return places.numpy()
    yaw, pitch = map(math.radians, camera)
    right, high, depth = places.unbind(-1)
    across = right * math.cos(yaw) + depth * math.sin(yaw)
    along = -right * math.sin(yaw) + depth * math.cos(yaw)
    return torch.stack([across, high * math.cos(pitch) - along * math.sin(pitch)], -1).numpy()


def lifted(clip: SkeletonBatch, up: str) -> tuple[Tensor, Any]:
    """The first sample's places ``(T, M, V, D)`` with y up, and which of them are observed ``(T, M, V)``."""
    x = clip.x[0].detach().float().cpu()
    places = lift(x[:3] if len(x) > 3 else x, up).permute(1, 3, 2, 0)
    return places, clip.mask[0].transpose(1, 2).cpu().numpy()


def floor_of(places: Tensor, seen: Any, camera: tuple[float, float], body: float) -> tuple[float, float] | None:
    """From where to where on the paper the ground reaches, at the height of the lowest joints; nobody has none.

    In 3D it is the plane under all that was seen, from front to back; in 2D a line.
    """
    there = places[torch.as_tensor(seen)]
    if not len(there):
        return None
    heights = there[:, 1].double().numpy()
    height = float(np.quantile(heights, 0.005)) if len(heights) > 400 else float(heights.min())
    if there.shape[-1] == 2:
        return height, height
    yaw, pitch = map(math.radians, camera)
    along = (-there[:, 0] * math.sin(yaw) + there[:, 2] * math.cos(yaw)).numpy()
    near, far = float(along.max()) + 0.12 * body, float(along.min()) - 0.12 * body
    level = height * math.cos(pitch)
    return level - near * math.sin(pitch), level - far * math.sin(pitch)


def stands(skeleton: Skeleton | None) -> bool:
    """Whether it has legs, and so a ground."""
    return skeleton is not None and any("leg" in limb for limb in skeleton.limbs)


def ground_of(axes: Axes, floor: tuple[float, float] | None) -> None:
    """Draw the ground: a light band in 3D with its back edge, a line in 2D."""
    if floor is not None:
        low, high = floor
        if high > low:
            axes.axhspan(low, high, color="#f1f1f1", linewidth=0, zorder=0)
        axes.axhline(high if high > low else low, color="#b8b8b8", linewidth=0.8, zorder=0.5)


def axes_of(who: str, ax: Any, size: tuple[float, float]) -> Axes:
    """The given axes, which must be flat, or new ones of a new figure."""
    if ax is None:
        axes: Axes = figure_of(size).subplots()
        return axes
    of_type(who, "ax", ax, matplotlib("axes").Axes, "matplotlib axes, as plt.subplots() gives them")
    if ax.name == "3d":
        raise ValueError(f"{who}(ax=…): ax must be flat axes, not projection='3d': skelaug.plot projects 3D itself")
    return ax  # type: ignore[no-any-return]


def figure_of(size: tuple[float, float]) -> Figure:
    """A figure of pyplot where pyplot is in use, so that it is shown; else one without a window."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    make = matplotlib("figure").Figure if pyplot is None else pyplot.figure
    figure: Figure = make(figsize=size, layout="constrained")
    return figure


def sides_of(skeleton: Skeleton) -> list[str]:
    """``"left"``, ``"right"`` or ``"middle"`` for each joint."""
    sides = ["middle"] * len(skeleton)
    for left, right in skeleton.pairs:
        sides[left], sides[right] = "left", "right"
    return sides


def bodies(
    axes: Axes, points: Any, seen: Any, skeleton: Skeleton, *, colour: str | None = None, width: float = 2.0
) -> None:
    """One moment: the bones and joints of everybody ``(M, V, 2)``; in one colour they stand behind, without joints."""
    sides = sides_of(skeleton)
    behind = colour is not None
    lines, colours, widths = [], [], []
    for slot, (person, there) in enumerate(zip(points, seen, strict=True)):
        for joint, parent in skeleton.bones:
            if there[joint] and there[parent]:
                lines.append((person[joint], person[parent]))
                colours.append(colour or COLOURS[sides[joint]])
                widths.append(width * (0.6 if behind else 0.45 if slot else 1.0))
    lines_of = matplotlib("collections").LineCollection
    axes.add_collection(lines_of(lines, colors=colours, linewidths=widths, zorder=1 if behind else 2), autolim=False)
    if not behind:
        for person, there in zip(points, seen, strict=True):
            axes.plot(*person[there].T, ".", color="#333333", markersize=1.25 * width, zorder=3)


def bare(axes: Axes, low: Any, high: Any, margin: float) -> None:
    """Fit axes to a rectangle with a margin; both axes in one scale, without ticks."""
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.set_axis_off()


def save(figure: Figure, path: str | Path) -> None:
    """Write a picture and forget the figure.

    Args:
        figure: what :func:`ladder` or :func:`gallery` returned, or ``axes.figure``.
        path: the file, such as ``"ladder.png"``; its end says the format (.png, .svg, .pdf). Folders are made.

    Example:
        >>> from skelaug import sample_motion
        >>> from skelaug import plot
        >>> axes = plot.skeleton(sample_motion(["kick"]))
        >>> save(axes.figure, "out/kick.png")  # doctest: +SKIP
    """
    of_type("plot.save", "figure", figure, matplotlib("figure").Figure, "a matplotlib figure")
    if not isinstance(path, str | Path) or not Path(path).suffix:
        raise ValueError(f"plot.save(path={path!r}): path must name a file, such as 'out/ladder.png'")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Software": None} if path.suffix.lower() == ".png" else None
    figure.savefig(path, dpi=110, facecolor="white", metadata=metadata)
    figure.clear()
