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
    evaluation.add(parser, "out", "seeds", "schedule", "training")


def run(run: Path, seeds: int, out: Path | None, **options: Any) -> None:
    """Train once a seed, report."""
    task = evaluation.open_task(run, options)
    schedule = evaluation.trained_by(FINETUNE, task, options)
    report = evaluation.Report("finetune", task, {"run": run, **options, "schedule": schedule})
    for seed in range(seeds):
        evaluation.train(task, report, task.parts["train"], schedule, seed, options)
    report.finish(out)
