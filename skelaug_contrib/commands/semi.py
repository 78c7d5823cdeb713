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
    evaluation.add_run(parser)
    evaluation.add_data(parser)
    parser.add_argument(
        "--share",
        type=_share,
        nargs="+",
        default=[0.01, 0.1],
        help="of the training clips of each class that keep their label; each is an evaluation of its own",
    )
    evaluation.add_seeds(parser)
    evaluation.add_schedule(parser)
    evaluation.add_training(parser)


def _share(text: str) -> float:
    value = evaluation.rate(text)
    if value > 1:
        raise ArgumentTypeError(f"must be a number in (0, 1], such as 0.01 for 1 %, got {text!r}")
    return value


def run(
    run: Path,
    data: Path,
    share: list[float],
    seeds: int,
    augment: str,
    workers: int,
    out: Path | None,
    **options: Any,
) -> None:
    """Draw the labelled clips and train on them, once a share and seed; report."""
    settings, where = evaluation.take_schedule(options)
    task = evaluation.open_task(run, data, **where)
    schedule = evaluation.schedule(SEMI, task.spec.encoder.name, settings)
    about = {"run": run, "data": data, **where, "share": share, "augment": augment, "schedule": schedule}
    report = evaluation.Report("semi", task, about)
    for part in share:
        for seed in range(seeds):
            chosen = labelled(task.dataset.label, task.parts["train"], part, seed)
            evaluation.train(task, report, chosen, schedule, seed, augment, workers, variant=f"{100 * part:g} %")
    report.finish(out)
