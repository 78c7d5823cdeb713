"""Fuse three runs, one each for joints, bones and motion: a weighted sum of the logits of their linear classifiers."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from torch import Tensor

from skelaug.commands import Refused
from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import LINEAR, choose_weights, combine, linear_probe

__all__ = ["add_arguments", "run"]

_STREAMS = ("joint", "bone", "motion")


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    for stream in _STREAMS:
        evaluation.add_run(parser, stream)
    evaluation.add_data(parser)
    parser.add_argument(
        "--weights",
        type=evaluation.rate,
        nargs=3,
        metavar=("JOINT", "BONE", "MOTION"),
        help="fixed weights, such as 0.6 0.6 0.4; otherwise they are chosen on the validation subjects",
    )
    evaluation.add_seeds(parser)
    evaluation.add_schedule(parser)
    evaluation.add_standardize(parser)


def run(
    joint: Path,
    bone: Path,
    motion: Path,
    data: Path,
    weights: list[float] | None,
    seeds: int,
    standardize: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Train a classifier a stream and seed, choose weights on validation, report each stream and their fusion."""
    settings, where = evaluation.take_schedule(options)
    if weights is None and not where["validation_subjects"]:
        raise Refused(
            "the weights are chosen on validation subjects: say --validation-subjects 1 (or more), or fix them with "
            "--weights 0.5 0.5 0.5"
        )
    runs = dict(zip(_STREAMS, (joint, bone, motion), strict=True))
    tasks = {stream: evaluation.open_task(path, data, **where) for stream, path in runs.items()}
    for stream, task in tasks.items():
        if task.spec.stream != stream:
            raise Refused(f"{runs[stream]}: was pretrained on the stream {task.spec.stream!r}, expected {stream!r}")
    schedules = {
        stream: evaluation.schedule(LINEAR, task.spec.encoder.name, settings) for stream, task in tasks.items()
    }
    first = tasks["joint"]
    about = {
        **runs,
        "data": data,
        **where,
        "weights": weights,
        "standardize": standardize,
        "schedule": schedules["joint"],
    }
    report = evaluation.Report("fuse", first, about)
    with evaluation.refusing():
        parts = ("train", *first.tests)
        features = {stream: {part: task.embed(part) for part in parts} for stream, task in tasks.items()}
        for seed in range(seeds):
            logits: dict[str, list[Tensor]] = {part: [] for part in first.tests}
            epochs = {}
            for stream, of in features.items():
                fit = linear_probe(
                    of["train"],
                    first.labels("train"),
                    classes=len(first.names),
                    validation=(of["validation"], first.labels("validation")) if "validation" in of else None,
                    schedule=schedules[stream],
                    standardize=standardize,
                    seed=seed,
                )
                epochs[stream] = fit.epoch
                for part, found in logits.items():
                    found.append(fit.model(of[part]).detach())
                    report.add(part, found[-1].argmax(1), stream)
            chosen = tuple(weights) if weights else choose_weights(logits["validation"], first.labels("validation"))[0]
            if first.validation is not None:
                report.choose(seed=seed, epochs=epochs, **({} if weights else {"weights": chosen}))
            for part, found in logits.items():
                report.add(part, combine(found, chosen).argmax(1), "fused")
    report.finish(out)
