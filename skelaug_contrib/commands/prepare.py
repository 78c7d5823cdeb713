"""Prepare a data set: write the folder of memory-mapped arrays that pretraining and evaluation read."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skelaug.commands import Refused, find_skeleton
from skelaug_contrib.datasets import PreparedDataset, from_npz

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line: the kind of source comes first, and each kind has its own arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND", help="where the data come from:")
    text = (
        "Arrays in one .npz file: x, float (S, C, T, V, M) = clip, coordinate, frame, joint, person, and label, int "
        "(S,) from 0; perhaps length, subject, view, episode, name, class_names, joint_names. subject gives the "
        "protocol xsub, view gives xview."
    )
    npz = kinds.add_parser(
        "npz", help="arrays in one .npz file", description=text, formatter_class=ArgumentDefaultsHelpFormatter
    )
    add = npz.add_argument
    add("file", type=Path, metavar="FILE", help="the .npz file; it is never unpickled")
    add("out", type=Path, metavar="OUT_DIR", help="folder to write; it appears when all is done, or not at all")
    add(
        "--skeleton",
        help="name of a known skeleton, or a .json file as Skeleton.to_dict writes it; may be left out where the "
        "file's joint_names are those of a known one",
    )
    add("--train-views", type=_numbers, help="views that train under xview; 1,2 if left out")
    add("--train-subjects", type=_numbers, help="subjects that train under xsub, such as 1,2,4; odd ones if left out")
    add("--overwrite", action="store_true", help="replace a prepared data set that is there")


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ArgumentTypeError(f"must look like 1,2,5, got {text!r}")
    return [int(number) for number in text.split(",")]


def run(kind: str, **options: Any) -> None:
    """Prepare data of one kind, and say what came out."""
    {"npz": _npz}[kind](**options)


def _npz(
    file: Path,
    out: Path,
    skeleton: str | None,
    train_views: list[int] | None,
    train_subjects: list[int] | None,
    overwrite: bool,
) -> None:
    bones = None if skeleton is None else find_skeleton(skeleton)
    if out.exists() and not overwrite:
        raise Refused(f"{out} exists; choose another folder, or say --overwrite")
    with tqdm(unit=" clips", disable=None, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        dataset = from_npz(
            file,
            out,
            bones,
            train_views=train_views,
            train_subjects=train_subjects,
            overwrite=overwrite,
            progress=progress,
        )
    print(_describe(dataset))
    print(f"wrote {out}")


def _describe(dataset: PreparedDataset) -> str:
    _, c, t, v, m = dataset.x.shape
    counts = [f"{len(dataset)} clips", f"{c} coordinates", f"{t} frames", f"{v} joints", f"{m} persons"]
    counts.append(f"{len(dataset.class_names)} classes")
    for name, column in (("subjects", dataset.subject), ("views", dataset.view)):
        if column is not None:
            counts.append(f"{len(np.unique(column))} {name}")
    lines = [f"{', '.join(counts)}; skeleton {dataset.skeleton.name}"]
    for protocol, parts in dataset.splits.items():
        lines.append(f"{protocol}: " + ", ".join(f"{part} {len(indices)}" for part, indices in parts.items()))
    return "\n".join(lines)
