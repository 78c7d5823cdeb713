"""Prepare a data set: write the folder of memory-mapped arrays that pretraining and evaluation read."""

from __future__ import annotations

import functools
import json
import math
import os
import re
import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skelaug.commands import MISSING, Refused, coords, find_skeleton, missing_joints, positive, whole
from skelaug.skeleton import AXES, Skeleton
from skelaug_contrib.datasets import PreparedDataset, WorkerDied, from_npz, prepare
from skelaug_contrib.datasets.findings import BODIES, lengths
from skelaug_contrib.datasets.sources import SOURCES
from skelaug_contrib.datasets.splits import ALL

__all__ = ["add_arguments", "describe", "run"]

_OWN = ("scale", "joints", "columns", "frame", "scores")  # arguments of sources
_XY = (0, 1)  # the channels that are coordinates, before a score
_SCALES = (1.0, 0.001, 0.01, 0.0254, 0.1, 0.3048)  # metre, millimetre, centimetre, inch, decimetre, foot


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line: what the data are comes first; arrays have arguments of their own."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="NAME", help="what the data are:")
    text = (
        "Arrays in one .npz file: x, float (S, C, T, V, M) = clip, coordinate, frame, joint, person, and label, int "
        "(S,) from 0; perhaps length, subject, view, episode, name, class_names, joint_names. subject gives the "
        "protocol xsub, view gives xview."
    )
    npz = kinds.add_parser(
        "npz", help="arrays in one .npz file", description=text, formatter_class=ArgumentDefaultsHelpFormatter
    )
    npz.add_argument("raw", type=Path, metavar="FILE", help="the .npz file; it is never unpickled")
    npz.add_argument(
        "--skeleton",
        help="name of a known skeleton, or a .json file as Skeleton.to_dict writes it; may be left out where the "
        "file's joint_names are those of a known one",
    )
    npz.add_argument("--train-views", type=_numbers, help="views that train under xview; 1,2 if left out")
    npz.add_argument(
        "--train-subjects",
        type=_numbers,
        help="subjects that train under xsub, such as 1,2,4; odd ones if left out",
    )
    npz.add_argument("--missing", type=missing_joints, default="nan", metavar="HOW", help=MISSING)
    _add_common(npz)
    for name, make in SOURCES.items():
        text = (make.__doc__ or name).splitlines()[0].replace("``", "")
        known = kinds.add_parser(name, help=text, description=text, formatter_class=ArgumentDefaultsHelpFormatter)
        known.add_argument("raw", type=Path, metavar="RAW_DIR", help="where its files are")
        _add_own(name, known)
        known.add_argument(
            "--workers",
            type=whole,
            default=os.cpu_count() or 1,
            help="processes that read; with 0 or 1 this one reads",
        )
        _add_common(known)


def _add_own(kind: str, parser: ArgumentParser) -> None:
    """What a kind of files does not say itself; the arguments are those of its source."""
    if kind == "bvh":
        parser.add_argument(
            "--scale",
            type=_scale,
            default=0.01,
            help="metres of one unit in the files: 0.01 for centimetres, 1 for metres, 0.0254 for inches",
        )
    usual = {"aimclr": "ntu25", "pyskl": "ntu25", "kinetics": "openpose18", "openpose": "body25"}
    what = "name of a known skeleton, or a .json file as Skeleton.to_dict writes it; that of the V joints"
    if kind in usual:
        parser.add_argument("--skeleton", dest="joints", type=_skeleton, default=usual[kind], help=what)
    if kind == "csv":
        parser.add_argument("--skeleton", dest="joints", type=_skeleton, required=True, help=what)
        named = (
            "how a joint's columns are named, a pattern a channel: {j} is its number from 0, {j1} from 1, {joint} its "
        )
        named += "name in the skeleton"
        parser.add_argument("--columns", default="x{j},y{j},z{j}", help=named)
        parser.add_argument("--frame-column", dest="frame", default="frame", help="the column of frame numbers, if any")
    if kind in ("pyskl", "kinetics", "openpose"):
        parser.add_argument(
            "--no-scores",
            dest="scores",
            action="store_false",
            help="leave out the scores of joints; else they are the last channel: x, y, score",
        )


def _add_common(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("out", type=Path, metavar="OUT_DIR", help="folder to write; it appears when all is done, or not at all")
    add("--frames", type=positive, help="resize every clip to this many frames; as recorded if left out")
    add(
        "--drop-leaked",
        action="store_true",
        help="leave test clips that have a twin in the training part out of the test part",
    )
    channels = (
        "number of leading channels that are coordinates, such as 2 for x, y, score; or channel numbers, as in 0,1"
    )
    add("--coords", type=coords, help=f"{channels}; all if left out. The others are kept")
    add(
        "--up",
        choices=AXES,
        help="the axis that points up, where the files do not say, such as z for motion capture; the skeleton's if "
        "left out. Kept with the data, which are not turned. Write --up=-y with the sign",
    )
    add("--drop-short", action="store_true", help="leave out clips of fewer than 4 frames")
    add(
        "--overwrite",
        action="store_true",
        help="replace a prepared data set that is there, and give up an unfinished run of something else",
    )
    parser.epilog = "A run that ended early goes on where it was when the same command is given again."


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ArgumentTypeError(f"must look like 1,2,5, got {text!r}")
    return [int(number) for number in text.split(",")]


def _skeleton(text: str) -> Skeleton:
    try:
        return find_skeleton(text)
    except Refused as error:
        raise ArgumentTypeError(str(error)) from None


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"must be a number above 0, such as 0.01, got {text!r}")
    return value


def run(kind: str, raw: Path, out: Path, overwrite: bool, **options: Any) -> None:
    """Prepare data of one kind, and say what came out."""
    skeleton = options.pop("skeleton", None)
    own: dict[str, Any] = {}
    make: Callable[..., PreparedDataset]
    if kind == "npz":
        make = functools.partial(from_npz, raw, out, None if skeleton is None else find_skeleton(skeleton))
    elif raw.exists():
        own = {name: options.pop(name) for name in _OWN if options.get(name) is not None}
        source = SOURCES[kind](raw, **own)
        if options["coords"] is None and getattr(source, "scores", False) and source.skeleton.planar:
            options["coords"] = _XY
        make = functools.partial(prepare, source, out)
    else:
        raise Refused(f"{raw}: no such file or folder")
    with tqdm(unit=" clips" if kind == "npz" else " files", disable=None, file=sys.stderr) as bar:

        def progress(done: int, total: int, faults: int = 0) -> None:
            bar.total = total
            if not bar.n:
                bar.initial = done  # of an earlier run, which says nothing of this one's speed
            bar.update(done - bar.n)
            if faults:
                bar.set_postfix(faults=faults)

        try:
            dataset = make(overwrite=overwrite, progress=progress, **options)
        except WorkerDied as error:
            raise Refused(str(error)) from error
    print(describe(dataset))
    if dataset.coords == _XY and own.get("scores"):
        print("channels: x, y, score, of which x and y are coordinates (--no-scores leaves the score out)")
    lines = _report(dataset)
    print("\n".join([*lines, f"wrote {out}" + (" (report.json there names each)" if lines else "")]))
    if "scale" in own and (other := _better_scale(dataset, own["scale"])) is not None:
        again = f"--scale {other:g} --overwrite"
        print(f"the files do not say their unit; read at scale {own['scale']:g}. Perhaps it is {other:g}: {again}")


def describe(dataset: PreparedDataset) -> str:
    """Its counts and protocols, in lines of text."""
    _, c, t, v, m = dataset.x.shape
    coordinates = c if dataset.coords is None else len(dataset.coords)
    others = f" and {c - coordinates} other channels" if coordinates < c else ""
    counts = [
        f"{len(dataset)} clips",
        f"{coordinates} coordinates{others}",
        f"{t} frames",
        f"{v} joints",
        f"{m} persons",
    ]
    counts.append(f"{len(dataset.class_names)} classes")
    for name, column in (("subjects", dataset.subject), ("views", dataset.view)):
        if column is not None:
            counts.append(f"{len(np.unique(column))} {name}")
    skeleton = dataset.skeleton
    upright = "" if skeleton.up == "y" else f", {skeleton.up} up"
    lines = [f"{', '.join(counts)}; skeleton {skeleton.name}{upright}"]
    if dataset.missing:
        lines.append(f"{dataset.missing} joints were not observed, over all clips and frames")
    for protocol, parts in dataset.splits.items():
        lines.append(f"{protocol}: " + ", ".join(f"{part} {len(indices)}" for part, indices in parts.items()))
    if not dataset.splits:
        lines.append(f"{ALL}: train {len(dataset)}; no protocol has a test part")
    return "\n".join(lines)


def _report(dataset: PreparedDataset) -> list[str]:
    """What was left out and why, in lines of text."""
    report = json.loads((dataset.path / "report.json").read_text(encoding="utf-8"))
    lines = []
    for what, title in (("faults", "could not be used"), ("dropped", "dropped"), ("notes", "notes")):
        if report[what]["count"]:
            lines.append(f"{title}: {report[what]['count']}")
            lines += [f"  {count} × {reason}" for reason, count in list(report[what]["reasons"].items())[:5]]
    sizes = report["findings"]["sizes"]
    if sizes:
        lines.append(
            f"size: {len(sizes)} of {len(dataset)} clips have bodies of {lengths(list(sizes.values()))}, outside "
            f"{BODIES[0]:g} … {BODIES[1]:g} m"
        )
    for protocol, names in report["left_out_of_test"].items():
        lines.append(f"{protocol}: {len(names)} test clips with a twin that trains were left out of the test part")
    return lines


def _better_scale(dataset: PreparedDataset, scale: float) -> float | None:
    """The usual one at which the bodies that are too small or too large would be nearest to a person's size."""
    report = json.loads((dataset.path / "report.json").read_text(encoding="utf-8"))
    sizes = list(report["findings"]["sizes"].values())
    if not sizes:
        return None
    size = float(np.median(sizes))
    if BODIES[0] / 1.5 < size < BODIES[1] * 1.5:  # a child, or a body that reaches out: no other unit
        return None
    best = min(_SCALES, key=lambda s: abs(math.log(s / scale * size / math.sqrt(BODIES[0] * BODIES[1]))))
    return None if best == scale else best
