"""Train a linear classifier on the frozen features of a pretrained encoder: the field's standard measure."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import LINEAR, linear_probe

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add_run(parser)
    evaluation.add_data(parser)
    evaluation.add_seeds(parser)
    evaluation.add_schedule(parser)
    evaluation.add_standardize(parser)


def run(run: Path, data: Path, seeds: int, standardize: bool, out: Path | None, **options: Any) -> None:
    """Encode all parts once, train a classifier a seed, report."""
    settings, where = evaluation.take_schedule(options)
    task = evaluation.open_task(run, data, **where)
    schedule = evaluation.schedule(LINEAR, task.spec.encoder.name, settings)
    report = evaluation.Report(
        "linear", task, {"run": run, "data": data, **where, "standardize": standardize, "schedule": schedule}
    )
    with evaluation.refusing():
        features = {part: task.embed(part) for part in ("train", *task.tests)}
        validation = None if task.validation is None else (features["validation"], task.labels("validation"))
        for seed in range(seeds):
            fit = linear_probe(
                features["train"],
                task.labels("train"),
                classes=len(task.names),
                validation=validation,
                schedule=schedule,
                standardize=standardize,
                seed=seed,
            )
            if validation is not None:
                report.choose(seed=seed, epoch=fit.epoch)
            for part in task.tests:
                report.add(part, fit.model(features[part]).argmax(1))
    report.finish(out)
