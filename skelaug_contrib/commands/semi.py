"""Train a pretrained encoder and a linear classifier on few labels: 1 % and 10 % of each class, at least one clip."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import SEMI, labelled

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add(parser, "out", "seeds", "schedule", "training")
    parser.add_argument(
        "--share",
        type=_share,
        nargs="+",
        default=[0.01, 0.1],
        help="of the training clips of each class that keep their label; each is an evaluation of its own",
    )


def _share(text: str) -> float:
    value = evaluation.rate(text)
    if value > 1:
        raise ArgumentTypeError(f"must be a number in (0, 1], such as 0.01 for 1 %, got {text!r}")
    return value


def run(run: Path, share: list[float], seeds: int, out: Path | None, **options: Any) -> None:
    """Draw the labelled clips and train on them, once a share and seed; report."""
    task = evaluation.open_task(run, options)
    schedule = evaluation.trained_by(SEMI, task, options)
    report = evaluation.Report("semi", task, {"run": run, "share": share, **options, "schedule": schedule})
    for part in share:
        for seed in range(seeds):
            chosen = labelled(task.dataset.label, task.parts["train"], part, seed)
            evaluation.train(task, report, chosen, schedule, seed, options, variant=f"{100 * part:g} %")
    report.finish(out)
