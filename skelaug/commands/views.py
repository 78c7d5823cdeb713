"""Make the views of your own sequences: a .npy file a view, the policy as YAML, a table and a picture."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import torch
from tqdm import tqdm

import skelaug
from skelaug import check, config
from skelaug.arrays import ArrayError, SequenceFile, StoredArray, refuse_pointer
from skelaug.batch import SkeletonBatch
from skelaug.commands import MISSING, Refused, coords, device, find_skeleton, missing_joints, positive
from skelaug.commands.table import format_table, measure, stages
from skelaug.files import Output
from skelaug.functional import values as fv
from skelaug.missing import Missing
from skelaug.policy import Compose, GrowingPolicy
from skelaug.skeleton import AXES, Skeleton, skeletons
from skelaug.transform import Transform
from skelaug.transforms import Center

__all__ = ["add_arguments", "run"]

_SAMPLED = 256  # sequences in the batch that the table is made from
_DRAWN = 5  # clips in the picture
_FILES = re.compile(r"views\.json|policy\.yaml|table\.txt|ladder\.png|\d+_.+\.npy")


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    add = parser.add_argument
    what = 'a .npy or .npz file of floating-point sequences; a .npz may hold lengths as "length"'
    add("input", type=Path, help=f"{what}; or a folder that skelaug prepare wrote")
    known = "name of a known skeleton, or a .json file as Skeleton.to_dict writes it"
    add("--skeleton", help=f"{known}; a prepared folder knows its own")
    add("--out", required=True, type=Path, help="folder to write to; it appears when all is done, or not at all")
    add("--policy", default="hiclr", help="a preset, ours or an installed package's, or a .yaml file of skelaug.config")
    add("--strong", help="the strong stage of hiclr: mask, edges, adain or all")
    add("--stream", help="what the views show: joint, bone, motion or bone_motion")
    channels = (
        "number of leading channels that are coordinates, such as 2 for x, y, score; or channel numbers, as in 0,1"
    )
    add("--coords", type=coords, help=f"{channels}; all if left out. The others are moved along, and no more")
    add("--seed", type=int, default=0, help="of the draws")
    axes = "N sample, C coordinate, T frame, V joint, M person; flattened ones in brackets, as in 'N T (M V C)'"
    add("--layout", default="NCTVM", help=f"axes of the array: {axes}")
    add("--array", help="name of the array in a .npz file; may be left out where only one can be meant")
    add("--center", action="store_true", help="first put the centre joint of each sequence's first frame at the origin")
    add("--sizes", type=_sizes, default={}, help="sizes of flattened axes: M=2,C=3")
    add("--missing", type=missing_joints, default="nan", metavar="HOW", help=MISSING)
    add("--batch", type=positive, default=256, help="sequences read at a time")
    add("--device", type=device, default="cpu", help="where to work, such as cpu or cuda")
    add(
        "--up",
        choices=AXES,
        help="the axis that points up in the picture, such as z or, with =, -y; the skeleton's if left out",
    )
    add("--overwrite", action="store_true", help="replace the folder if skelaug views wrote it")
    parser.epilog = (
        "A sequence's views depend on the seed and its number in the file alone, not on --batch (where they borrow "
        "from other sequences, as SkeleAdaIN does, the lenders are those of the part)."
    )


def _sizes(text: str) -> dict[str, int]:
    found = dict(re.findall(r"([NCTVM])=(\d+)", text))
    if ",".join(f"{letter}={size}" for letter, size in found.items()) != text.replace(" ", ""):
        raise ArgumentTypeError(f"must look like M=2,C=3, got {text!r}")
    return {letter: int(size) for letter, size in found.items()}


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
    overwrite: bool,
) -> None:
    """Read sequences part by part, make every view of each, write them."""
    prepared = input.is_dir()
    if skeleton is None and not prepared:
        raise Refused(
            f"--skeleton is needed: a file of numbers does not say what its joints are; {', '.join(skeletons)}"
        )
    source = _open_prepared(input) if prepared else SequenceFile.open(input, layout, array, sizes)
    told = _about_prepared(input) if prepared else None
    bones = told[0] if told and skeleton is None else find_skeleton(str(skeleton))
    if told and coords is None:
        coords = told[1]
    views = _policy(policy, bones, strong, stream, coords)
    channels = _check_shape(source, bones, coords)
    folder_of_views = Output(out, "a folder of skelaug views", "views.json", _FILES)
    folder_of_views.check(overwrite)
    c, t, v, m = source.shape
    lengths = "lengths from the file" if source.lengths is not None else "people absent where all joints are 0"
    others = f" and {c - len(channels)} other channels" if len(channels) < c else ""
    counts = f"{source.count} sequences, {len(channels)} coordinates{others}, {t} frames, {v} joints, {m} persons"
    print(f"{input}: {counts}; {lengths}")
    if coords is None and bones.planar and c == 3:
        check.warn_of_scores(bones.name)

    start = time.perf_counter()
    with folder_of_views.written(overwrite) as folder:
        prepare = Center(bones, per="clip", coords=channels) if center else Compose([])
        parts = (prepare(part.to(device)) for part in source.batches(batch, missing))
        first = _write(parts, views, folder, seed, source.count)
        seconds = time.perf_counter() - start
        about = {
            "source": str(input),
            "sequences": source.count,
            "views": [name for name, _ in stages(views)],
            "layout": "NCTVM",
            "coords": channels,
            "skeleton": bones.to_dict(),
            "seed": seed,
            "skelaug": skelaug.__version__,
        }
        (folder / "views.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        config.to_yaml(views, folder / "policy.yaml")
        keys = skelaug.random.keys(seed, 0, torch.arange(len(first))).to(first.device)
        table = format_table(measure(views, first, keys))
        (folder / "table.txt").write_text(table + "\n", encoding="utf-8")
        drawn = _draw(views, first, keys, bones, channels, folder, up)
    print(f"\n{table}\n(measured on {len(first)} sequences)\n")
    rate = f"{source.count / seconds:,.0f} sequences/s, reading, all views and writing together"
    print(f"{source.count} sequences in {seconds:.1f} s: {rate}")
    print(f"wrote {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
    if not drawn:
        print("(no picture: pip install 'skelaug[viz]')")


def _open_prepared(folder: Path) -> SequenceFile:
    """The sequences of a folder that ``skelaug prepare`` wrote, with their lengths."""
    if not (folder / "dataset.json").is_file():
        raise ArrayError(
            f"{folder}: a folder, but none that skelaug prepare wrote; give a .npy or .npz file, or such one"
        )
    lengths = StoredArray.open(folder / "length.npy").load()
    return replace(SequenceFile.open(folder / "x.npy"), lengths=lengths)


def _about_prepared(folder: Path) -> tuple[Skeleton, tuple[int, ...] | None]:
    """The skeleton of a folder that ``skelaug prepare`` wrote, and which of its channels are coordinates."""
    about = folder / "dataset.json"
    refuse_pointer(about)
    try:
        found = json.loads(about.read_text(encoding="utf-8"))
        return Skeleton.from_dict(found["skeleton"]), check.coordinates("views", found.get("coords"))
    except (ValueError, TypeError, KeyError) as error:
        raise ArrayError(f"{about}: has no skeleton ({error}); prepare the data anew") from error


def _policy(
    given: str, skeleton: Skeleton, strong: str | None, stream: str | None, coords: int | tuple[int, ...] | None
) -> GrowingPolicy | Transform:
    options = {name: value for name, value in (("strong", strong), ("stream", stream)) if value is not None}
    try:
        if Path(given).suffix not in (".yaml", ".yml"):
            return config.resolve({"preset": given, **options}, skeleton, coords)  # type: ignore[no-any-return]
        if options:
            raise Refused(f"--{next(iter(options))} is for presets; write it into {given} instead")
        return config.resolve(Path(given), skeleton, coords)  # type: ignore[no-any-return]
    except (ValueError, TypeError) as error:
        raise Refused(f"--policy {given}: {error}") from error


def _check_shape(source: SequenceFile, skeleton: Skeleton, coords: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The coordinate channels of a file whose joints are the skeleton's."""
    c, _, v, _ = source.shape
    if v != len(skeleton):
        fitting = [name for name, known in skelaug.skeletons.items() if len(known) == v]
        hint = f"; skeletons with {v} joints: {', '.join(fitting)}" if fitting else ""
        raise ArrayError(
            f"{source.path}: layout {source.layout!r} gives {v} joints, skeleton {skeleton.name!r} has "
            f"{len(skeleton)}{hint}"
        )
    channels = check.coordinates("views", coords) or tuple(range(c))
    if max(channels) >= c or len(channels) not in (2, 3):
        of = "" if coords is None else f" of {c} channels"
        gives = f"layout {source.layout!r} gives {len(channels)} coordinates{of}"
        raise ArrayError(f"{source.path}: {gives}, expected 2 or 3; check --layout and --coords")
    return channels


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


def _draw(
    policy: GrowingPolicy | Transform,
    first: SkeletonBatch,
    keys: torch.Tensor,
    skeleton: Skeleton,
    channels: tuple[int, ...],
    folder: Path,
    up: str | None,
) -> bool:
    if importlib.util.find_spec("matplotlib") is None:
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
