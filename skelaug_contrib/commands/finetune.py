"""Train a pretrained encoder and a linear classifier together on the labels of all training clips."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import FINETUNE

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add_run(parser)
    evaluation.add_data(parser)
    evaluation.add_seeds(parser)
    evaluation.add_schedule(parser)
    evaluation.add_training(parser)


def run(run: Path, data: Path, seeds: int, augment: str, workers: int, out: Path | None, **options: Any) -> None:
    """Train once a seed, report."""
    settings, where = evaluation.take_schedule(options)
    task = evaluation.open_task(run, data, **where)
    schedule = evaluation.schedule(FINETUNE, task.spec.encoder.name, settings)
    about = {"run": run, "data": data, **where, "augment": augment, "schedule": schedule}
    report = evaluation.Report("finetune", task, about)
    for seed in range(seeds):
        evaluation.train(task, report, task.parts["train"], schedule, seed, augment, workers)
    report.finish(out)
