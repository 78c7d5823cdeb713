"""Classify by the nearest training clips in the features of a pretrained encoder: nothing is trained.

With --on coordinates DATA is judged without a run, by the coordinates themselves: what an encoder has to beat.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from skelaug.commands import positive
from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import knn

__all__ = ["INTERMIXED", "add_arguments", "run"]

#: RUN may be left out, and options may stand between it and DATA.
INTERMIXED = True


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add(parser, "baseline", "out")
    parser.add_argument("--k", type=positive, default=20, help="how many neighbours vote")
    parser.add_argument(
        "--temperature", type=evaluation.rate, default=0.1, help="a vote weighs exp(cosine / temperature)"
    )


def run(run: Path | None, k: int, temperature: float, out: Path | None, **options: Any) -> None:
    """Encode both parts, let the neighbours vote, report."""
    task = evaluation.open_task(run, options)
    report = evaluation.Report("knn", task, {"run": run, "k": k, "temperature": temperature, **options})
    with evaluation.refusing():
        train, labels = task.embed("train"), task.labels("train")
        for part in task.tests:
            report.add(part, knn(train, labels, task.embed(part), k, temperature))
    report.finish(out)
