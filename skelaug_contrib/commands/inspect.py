"""Inspect a prepared data set: who is missing, what jumps, where bodies stand, what leaks from test to train."""

from __future__ import annotations

import importlib.util
import json
import sys
from argparse import ArgumentParser
from pathlib import Path

from tqdm import tqdm

from skelaug.commands import Refused
from skelaug.files import written
from skelaug.skeleton import AXES
from skelaug_contrib.commands.prepare import describe
from skelaug_contrib.datasets import PreparedDataset, inspect, placement

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    add = parser.add_argument
    add("data", type=Path, metavar="PREPARED", help="folder of a prepared data set")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="write findings.json, which names every clip, and pictures: lengths, classes × subjects, bone lengths, "
        "a contact sheet",
    )
    add("--up", choices=AXES, help="the axis that points up in the contact sheet; the data's if left out")


def run(data: Path, out: Path | None, up: str | None) -> None:
    """Look at every clip, and say what is found."""
    if out is not None and importlib.util.find_spec("matplotlib") is None:
        raise Refused("--out draws pictures, which needs matplotlib: pip install 'skelaug[viz]'")
    dataset = PreparedDataset.open(data)
    with tqdm(total=len(dataset), unit=" clips", disable=None, file=sys.stderr) as bar:
        found = inspect(dataset, lambda done, total: bar.update(done - bar.n))
    print(describe(dataset))
    print("\n".join(found.lines(dataset.splits)))
    where = placement(dataset)
    if where is not None:
        print("\n".join([*where.lines(), *where.advice()]))
    if out is None:
        return
    from skelaug import plot
    from skelaug_contrib.datasets import pictures

    with written(out / "findings.json") as path:
        path.write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    for name, figure in pictures.draw(dataset, found, up=up):
        with written(out / f"{name}.png") as path:
            plot.save(figure, path)
    print(f"wrote {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
