"""Write a prepared data set to try the commands on: real motion of 15 actions, three cameras, some subjects.

It is made from the motion that ships with the package: no download. It is for trying commands, not for results.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from skelaug.commands import positive, whole
from skelaug.errors import Refused
from skelaug_contrib.commands.prepare import describe
from skelaug_contrib.datasets.sample import sample_set

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder to write")
    parser.add_argument("--subjects", type=positive, default=8, help="how many; each has 45 clips")
    parser.add_argument("--seed", type=whole, default=0, help="another one gives another set")
    parser.add_argument("--overwrite", action="store_true", help="replace a prepared data set that is there")


def run(out: Path, subjects: int, seed: int, overwrite: bool) -> None:
    """Write it, and say what it is and what to do next."""
    try:
        dataset = sample_set(out, subjects, seed, overwrite)
    except ValueError as error:
        raise Refused(str(error)) from error
    print(f"{describe(dataset)}\nwrote {out}")
    print(f"next: skelaug inspect {out}; skelaug pretrain {out} RUN --config small.yaml --data.protocol xsub")
