"""The pictures of a transform: a still, a small one for the gallery, and one that moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import skelaug
from skelaug import plot
from skelaug.batch import SkeletonBatch
from skelaug.transform import Transform

_FRAMES, _SECONDS = 24, 0.08
_SKELETON = skelaug.skeletons["humanoid15"]
Example = tuple[Transform, SkeletonBatch, str | None]


def draw(examples: list[Example], folder: Path, name: str) -> None:
    """Write ``name.png``, ``name-small.png`` and, but for graphs, ``name.gif``; keep those newer than the code."""
    still = folder / f"{name}.png"
    code = [*Path(skelaug.__file__).parent.rglob("*.py"), Path(__file__)]
    if still.exists() and still.stat().st_mtime > max(path.stat().st_mtime for path in code):
        return
    cells = [_cell(*example) for example in examples]
    recorded = plot.Cell("as recorded", cells[0].before, cells[0].before)
    rows = cells if cells[0].kind == "graph" else [recorded, *cells]
    _save(plot.gallery(rows, _SKELETON, title="", columns=1), folder / f"{name}-title.png").replace(still)
    small = _panels(1, width=3.2, height=1.5)
    if cells[0].kind == "graph":
        crop = Image.open(still).convert("RGB")
        crop.resize((340, round(340 * crop.height / crop.width))).save(folder / f"{name}-small.png")
    else:
        plot.strip(cells[0].after, _SKELETON, before=cells[0].before, vectors=cells[0].kind, frames=3, ax=small.axes[0])
        _save(small, folder / f"{name}-small.png")
        _film(cells[0], folder / f"{name}.gif")


def _cell(transform: Transform, before: SkeletonBatch, kind: str | None) -> plot.Cell:
    samples = 6 if kind == "graph" else 1
    keys = skelaug.random.keys(0, 0, torch.arange(samples))
    after = transform(before[torch.zeros(samples, dtype=torch.int64)], keys=keys)
    return plot.Cell(_call(transform), before, after, kind)


def _call(transform: Transform) -> str:
    """The constructor call, without skeletons and batches."""
    given = {
        name: value
        for name, value in transform.arguments().items()
        if not isinstance(value, skelaug.Skeleton | SkeletonBatch)
    }
    return f"{type(transform).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def code(transform: Transform) -> str:
    """Lines that make the transform and call it, to be pasted as they stand."""
    given = []
    for name, value in transform.arguments().items():
        if isinstance(value, SkeletonBatch):
            continue  # other samples lend what this one is given
        written = f'"{value.name}"' if isinstance(value, skelaug.Skeleton) else repr(value)
        given.append(f"{name}={written}")
    call = f"skelaug.transforms.{type(transform).__name__}({', '.join(given)})"
    motion = "clips = skelaug.sample_motion(length=48)  # recorded motion that ships; yours: (N, C, T, V, M)"
    return f"import skelaug\n\n{motion}\nt = {call}\ny = t(clips)\n"


def _film(cell: plot.Cell, path: Path) -> None:
    """Two figures that move: as recorded, and after the transform."""
    shown = [("as recorded", cell.before, None), (type_of(cell), cell.after, cell.kind)]
    film(shown, cell.before, path)


def film(shown: list[tuple[str, SkeletonBatch, str | None]], before: SkeletonBatch, path: Path) -> None:
    """Write a picture that moves.

    Args:
        shown: side by side: title, clip, and the kind of a stream.
        before: the clip as recorded, which stands behind in grey.
        path: of the GIF.
    """
    whole = _panels(1, width=2, height=2)
    plot.strip(before, _SKELETON, frames=1, ax=whole.axes[0])
    low, high = whole.axes[0].get_ylim()
    middle, half = (low + high) / 2, 0.75 * (high - low)
    figure = _panels(len(shown), width=2.2, height=2.2)
    for column, (title, _, _) in enumerate(shown):
        figure.text((column + 0.5) / len(shown), 0.93, title, ha="center", fontsize=9)
    canvas, pictures = FigureCanvasAgg(figure), []
    for moment in torch.linspace(0, 1, _FRAMES).tolist():
        for axes, (_, clip, vectors) in zip(figure.axes, shown, strict=True):
            for artist in [*axes.collections, *axes.lines]:
                artist.remove()
            plot.strip(_at(clip, moment), _SKELETON, before=_at(before, moment), vectors=vectors, frames=1, ax=axes)
            axes.set_xlim(-half, half)
            axes.set_ylim(middle - half, middle + half)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        pictures.append(picture.quantize(24, dither=Image.Dither.NONE))
    first, *rest = pictures
    first.save(path, save_all=True, append_images=rest, duration=round(1000 * _SECONDS), loop=0, optimize=True)


def type_of(cell: plot.Cell) -> str:
    """The name of the transform."""
    return cell.title.partition("(")[0]


def _at(clip: SkeletonBatch, moment: float) -> SkeletonBatch:
    """The frame at a moment from 0 to 1, as a clip of one frame."""
    frame = round(moment * (clip.x.shape[2] - 1))
    return SkeletonBatch(clip.x[:, :, frame : frame + 1], clip.mask[:, frame : frame + 1])


def _panels(columns: int, width: float, height: float) -> Figure:
    figure = Figure(figsize=(columns * width, height), dpi=80, facecolor="white")
    for column in range(columns):  # a layout that adapts itself would take most of the time
        axes = figure.add_axes((column / columns, 0, 1 / columns, 0.9 if columns > 1 else 1))
        axes.set_axis_off()
    return figure


def _save(figure: Any, path: Path) -> Path:
    plot.save(figure, path)
    return path
