"""Make the views of your own sequences: a .npy file a view, the policy as YAML, a table and a picture."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import torch
from tqdm import tqdm

import skelaug
from skelaug import config
from skelaug.batch import SkeletonBatch
from skelaug.commands import Refused, device, positive, source
from skelaug.commands.source import Source, find_policy
from skelaug.commands.table import format_table, measure, stages
from skelaug.files import Output
from skelaug.functional import values as fv
from skelaug.missing import Missing
from skelaug.policy import GrowingPolicy
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

__all__ = ["add_arguments", "run"]

_SAMPLED = 256  # sequences in the batch that the table is made from
_DRAWN = 5  # clips in the picture
_FILMED = 3  # clips in the film
_FILES = re.compile(r"views\.json|policy\.yaml|table\.txt|ladder\.(png|gif)|\d+_.+\.npy")


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    add = parser.add_argument
    source.add_arguments(parser)
    add("--out", required=True, type=Path, help="folder to write to; it appears when all is done, or not at all")
    add("--batch", type=positive, default=256, help="sequences read at a time")
    add("--device", type=device, default="cpu", help="where to work, such as cpu or cuda")
    add("--overwrite", action="store_true", help="replace the folder if skelaug views wrote it")
    add("--gif", action="store_true", help="write ladder.gif, too: three of the sequences and their views, moving")
    parser.epilog = (
        "A sequence's views depend on the seed and its number in the file alone, not on --batch (where they borrow "
        "from other sequences, as SkeleAdaIN does, the lenders are those of the part; in the film, those shown)."
    )


def run(
    input: Path,
    skeleton: str | None,
    out: Path,
    policy: str,
    strong: str | None,
    stream: str | None,
    coords: int | tuple[int, ...] | None,
    seed: int,
    layout: str,
    array: str | None,
    sizes: dict[str, int],
    missing: Missing,
    center: bool,
    batch: int,
    device: torch.device,
    up: str | None,
    gif: bool,
    overwrite: bool,
) -> None:
    """Read sequences part by part, make every view of each, write them."""
    if gif and not _can_draw():
        raise Refused("--gif draws, which needs matplotlib: pip install 'skelaug[viz]'")
    data = Source.open(input, skeleton, coords, layout, array, sizes, missing, center)
    views = find_policy(policy, data.skeleton, strong, stream, data.coords)
    folder_of_views = Output(out, "a folder of skelaug views", "views.json", _FILES)
    folder_of_views.check(overwrite)
    print(f"{input}: {data.describe()}")
    data.warn()

    start = time.perf_counter()
    with folder_of_views.written(overwrite) as folder:
        parts = (data.prepare(part.to(device)) for part in data.file.batches(batch, missing))
        first = _write(parts, views, folder, seed, data.file.count)
        seconds = time.perf_counter() - start
        about = {
            "source": str(input),
            "sequences": data.file.count,
            "views": [name for name, _ in stages(views)],
            "layout": "NCTVM",
            "coords": data.channels,
            "skeleton": data.skeleton.to_dict(),
            "seed": seed,
            "skelaug": skelaug.__version__,
        }
        (folder / "views.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        config.to_yaml(views, folder / "policy.yaml")
        keys = skelaug.random.keys(seed, 0, torch.arange(len(first))).to(first.device)
        table = format_table(measure(views, first, keys))
        (folder / "table.txt").write_text(table + "\n", encoding="utf-8")
        drawn = _draw(views, first, keys, data.skeleton, data.channels, folder, up)
        if gif:
            _film(views, first, data, seed, folder, up)
    print(f"\n{table}\n(measured on {len(first)} sequences)\n")
    rate = f"{data.file.count / seconds:,.0f} sequences/s, reading, all views and writing together"
    print(f"{data.file.count} sequences in {seconds:.1f} s: {rate}")
    print(f"wrote {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
    if not drawn:
        print("(no picture: pip install 'skelaug[viz]')")


def _write(
    parts: Iterable[SkeletonBatch], policy: GrowingPolicy | Transform, folder: Path, seed: int, total: int
) -> SkeletonBatch:
    """Write every view to a file of its own, part by part; return the beginning of the data, for the table."""
    files: dict[str, IO[bytes]] = {}
    head: list[SkeletonBatch] = []
    done = 0
    with ExitStack() as stack, tqdm(total=total, unit=" sequences", disable=None, file=sys.stderr) as progress:
        for part in parts:
            if done < _SAMPLED:
                head.append(part[: _SAMPLED - done])
            keys = skelaug.random.keys(seed, 0, torch.arange(done, done + len(part))).to(part.device)
            with torch.no_grad():
                made = _views(policy, part, keys)
            for i, ((name, _), view) in enumerate(zip(stages(policy), made, strict=True)):
                for suffix, tensor in {"": view.x, "_mask": view.mask, "_graph": view.graph}.items():
                    if tensor is not None:
                        file_name = f"{i}_{name}{suffix}.npy"
                        if file_name not in files:
                            files[file_name] = stack.enter_context(_create(folder / file_name, tensor, total))
                        files[file_name].write(tensor.cpu().numpy().tobytes())
            done += len(part)
            progress.update(len(part))
    return SkeletonBatch.cat(head)


def _views(policy: GrowingPolicy | Transform, batch: SkeletonBatch, keys: torch.Tensor) -> list[SkeletonBatch]:
    if isinstance(policy, GrowingPolicy):
        return policy.views(batch, keys=keys)
    return [policy(batch, keys=keys)]


def _create(path: Path, tensor: torch.Tensor, total: int) -> IO[bytes]:
    """A .npy file for ``total`` rows like those of ``tensor``, open behind its header."""
    shape = (total, *tensor.shape[1:])
    needed, free = math.prod(shape) * tensor.element_size(), shutil.disk_usage(path.parent).free
    if needed > free:
        raise Refused(f"{path.name} needs {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
    file = path.open("wb")
    descr = np.lib.format.dtype_to_descr(tensor[:0].cpu().numpy().dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _film(
    policy: GrowingPolicy | Transform, first: SkeletonBatch, data: Source, seed: int, folder: Path, up: str | None
) -> None:
    """Draw some sequences and their views moving; the draws are those of the files."""
    from skelaug import plot

    chosen = torch.linspace(0, len(first) - 1, min(_FILMED, len(first))).long().tolist()
    plot.animate(
        first,
        policy,
        data.skeleton,
        samples=chosen,
        names=[f"#{i}" for i in chosen],
        seed=seed,
        coords=data.channels,
        up=up,
        path=folder / "ladder.gif",
    )


def _draw(
    policy: GrowingPolicy | Transform,
    first: SkeletonBatch,
    keys: torch.Tensor,
    skeleton: Skeleton,
    channels: tuple[int, ...],
    folder: Path,
    up: str | None,
) -> bool:
    if not _can_draw():
        return False
    from skelaug import plot

    chosen = torch.linspace(0, len(first) - 1, min(_DRAWN, len(first))).long()

    def shown(batch: SkeletonBatch) -> SkeletonBatch:
        part = batch[chosen].to("cpu")
        return part.with_parts(x=fv.pick(part.x, channels))

    clips, made = shown(first), [shown(view) for view in _views(policy, first, keys)]
    rows = [(f"#{int(i)}", clips[j], [view[j] for view in made]) for j, i in enumerate(chosen)]
    title = "Views, weak to strong (grey: as recorded, blue: left, orange: right)"
    figure = plot.ladder(rows, [name for name, _ in stages(policy)], skeleton, title=title, up=up)
    plot.save(figure, folder / "ladder.png")
    return True
