"""Train a linear classifier on the frozen features of a pretrained encoder: the field's standard measure.

With --on coordinates DATA is judged without a run, by the coordinates themselves: what an encoder has to beat. They are
always standardized, and the learning rate is 0.003 unless --lr says another: at the paper's 3 they score 5 to 6 points
less on held-out subjects of NW-UCLA.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import LINEAR

__all__ = ["INTERMIXED", "add_arguments", "run"]

#: RUN may be left out, and options may stand between it and DATA.
INTERMIXED = True


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add(parser, "baseline", "out", "seeds", "schedule", "standardize")


def run(run: Path | None, seeds: int, out: Path | None, **options: Any) -> None:
    """Encode all parts once, train a classifier a seed, report."""
    task = evaluation.open_task(run, options)
    options["standardize"] = options["standardize"] or task.encoder_name == evaluation.COORDINATES
    schedule = evaluation.trained_by(LINEAR, task, options)
    report = evaluation.Report("linear", task, {"run": run, **options, "schedule": schedule})
    with evaluation.refusing():
        features = {part: task.embed(part) for part in ("train", *task.tests)}
        for seed in range(seeds):
            fit = evaluation.probe(task, features, schedule, seed, options)
            if task.validation is not None:
                report.choose(seed=seed, epoch=fit.epoch)
            for part in task.tests:
                report.add(part, fit.model(features[part]).argmax(1))
    report.finish(out)
