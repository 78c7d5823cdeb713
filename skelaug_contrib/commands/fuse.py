"""Fuse three runs, one each for joints, bones and motion: a weighted sum of the logits of their linear classifiers."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from torch import Tensor

from skelaug.commands import Refused
from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import LINEAR, choose_weights, combine

__all__ = ["add_arguments", "run"]

_STREAMS = ("joint", "bone", "motion")


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add(parser, "out", "seeds", "schedule", "standardize", runs=_STREAMS)
    parser.add_argument(
        "--weights",
        type=evaluation.rate,
        nargs=3,
        metavar=("JOINT", "BONE", "MOTION"),
        help="fixed weights, such as 0.6 0.6 0.4; otherwise they are chosen on the validation subjects",
    )


def run(weights: list[float] | None, seeds: int, out: Path | None, **options: Any) -> None:
    """Train a classifier a stream and seed, choose weights on validation, report each stream and their fusion."""
    tasks = {stream: evaluation.open_task(options[stream], options) for stream in _STREAMS}
    for stream, task in tasks.items():
        found = task.settings["stream"]
        if found != stream:
            raise Refused(f"{options[stream]}: was pretrained on the stream {found!r}, expected {stream!r}")
    _check_alike({options[stream]: task for stream, task in tasks.items()})
    first = tasks["joint"]
    if weights is None and first.validation is None:
        raise Refused(
            "the weights are chosen on validation subjects: say --validation-subjects 1 (or more), or fix them with "
            "--weights 0.5 0.5 0.5"
        )
    schedules = {stream: evaluation.trained_by(LINEAR, task, options) for stream, task in tasks.items()}
    report = evaluation.Report("fuse", tasks, {**options, "weights": weights, "schedule": schedules["joint"]})
    with evaluation.refusing():
        parts = ("train", *first.tests)
        features = {stream: {part: task.embed(part) for part in parts} for stream, task in tasks.items()}
        for seed in range(seeds):
            logits: dict[str, list[Tensor]] = {part: [] for part in first.tests}
            epochs = {}
            for stream, of in features.items():
                fit = evaluation.probe(first, of, schedules[stream], seed, options)
                epochs[stream] = fit.epoch
                for part, streams in logits.items():
                    streams.append(fit.model(of[part]).detach())
                    report.add(part, streams[-1].argmax(1), stream)
            chosen = tuple(weights) if weights else choose_weights(logits["validation"], first.labels("validation"))[0]
            if first.validation is not None:
                report.choose(seed=seed, epochs=epochs, **({} if weights else {"weights": chosen}))
            for part, streams in logits.items():
                report.add(part, combine(streams, chosen).argmax(1), "fused")
    report.finish(out)


def _check_alike(tasks: dict[Path, evaluation.Task]) -> None:
    """Streams are fused whose encoders saw the same clips: else one of them knows test or validation clips."""
    known = {run: task.pretrained for run, task in tasks.items() if task.pretrained is not None}
    alike = {(told.protocol, told.validation_subjects) for told in known.values()}
    if len(alike) > 1:
        told = "; ".join(f"{run}: {t.protocol}, {t.validation_subjects}" for run, t in known.items())
        raise Refused(
            f"the runs were pretrained with different protocols or numbers of validation subjects ({told}); pretrain "
            f"the three streams alike"
        )
