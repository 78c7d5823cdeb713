"""What the evaluation commands share: their options, and how a classifier is trained."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import skelaug
from skelaug.commands import device, positive, whole
from skelaug_contrib.commands.report import REFERENCE, Report, facts, warn
from skelaug_contrib.commands.task import COORDINATES, Task, open_task, refusing
from skelaug_contrib.commands.threads import THREADS
from skelaug_contrib.datasets import preparation
from skelaug_contrib.evaluate import Fit, Schedule, finetune, linear_probe

__all__ = [
    "COORDINATES",
    "Report",
    "Task",
    "add",
    "defaults",
    "facts",
    "open_task",
    "probe",
    "rate",
    "refusing",
    "train",
    "trained_by",
    "warn",
]

_AUGMENT = ("basic", "normal")


def rate(text: str) -> float:
    """Type of an option: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"must be a number > 0, got {text!r}")
    return value


#: What the commands share on the command line, by group.
_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "data": {
        "data": {"type": Path, "help": "folder of a prepared data set, as skelaug prepare writes it"},
        "--protocol": {
            "help": "name of the split into training and test part, such as xview or xsub; that of the pretraining if "
            "left out. Without a run, or on other data than it was pretrained on, it must be named",
        },
        "--validation-subjects": {
            "type": whole,
            "help": "hold out so many whole subjects of the training part (all their cameras); every choice is made on "
            "them. As in the pretraining if left out; 0 without a run, or on other data",
        },
        "--insist": {
            "action": "store_true",
            "help": "evaluate even where test clips were pretrained on, without labels, which is refused otherwise",
        },
        "--device": {"type": device, "default": "cpu", "help": "where to work, such as cpu or cuda"},
        "--batch": {"type": positive, "default": 256, "help": "clips encoded at a time"},
        "--threads": {"type": positive, "help": THREADS},
    },
    "baseline": {
        "--on": {
            "choices": ("encoder", COORDINATES),
            "default": "encoder",
            "help": "coordinates: a baseline that learns no features, the coordinates of all joints and frames in a "
            "row; RUN is left out then",
        },
        "--frames": {
            "type": positive,
            "help": "with --on coordinates: every clip is resized to this many frames; 50 if left out",
        },
        "--center": {
            "choices": ("clip", "frame", "none"),
            "help": "with --on coordinates: what is put at the origin, the centre joint of the clip's first frame, of "
            "each frame, or nothing; frame if left out",
        },
        "--align": {
            "choices": ("frame", "clip", "spine", "released", "none"),
            "help": "with --on coordinates: turn bodies until their shoulders lie along x, as data.align of skelaug "
            "pretrain; if left out, frame where the skeleton names its shoulders, else none",
        },
    },
    "out": {"--out": {"type": Path, "help": "write the report as JSON to this file, too"}},
    "seeds": {
        "--seeds": {"type": positive, "default": 3, "help": "train so often; mean and standard deviation go out"}
    },
    "schedule": {
        "--epochs": {
            "type": positive,
            "help": "the paper's if left out; with another number warm-up and milestones move in proportion",
        },
        "--lr": {
            "type": rate,
            "help": "learning rate after warm-up; the paper's if left out",
        },
        "--milestones": {
            "type": whole,
            "nargs": "+",
            "help": "epochs at which the rate falls to a tenth; the paper's if left out",
        },
        "--train-batch": {"type": positive, "help": "clips a training step; the paper's if left out"},
    },
    "standardize": {
        "--standardize": {
            "action": "store_true",
            "help": "train the classifier on features of mean 0 and variance 1: not the paper's way, but better for "
            "few clips and for features that hardly vary",
        }
    },
    "training": {
        "--augment": {
            "choices": ("none", *_AUGMENT),
            "default": "none",
            "help": "HiCLR's basic, or basic and normal, augmentations on training clips; the paper has none",
        },
        "--workers": {"type": whole, "default": 0, "help": "processes that load clips"},
    },
}


def add(parser: ArgumentParser, *groups: str, runs: Sequence[str] = ("run",)) -> None:
    """Add the pretrained runs, the data and other groups of :data:`_OPTIONS`."""
    for name in runs:
        what = "" if name == "run" else f" of the {name} stream"
        text = f"folder of a run of skelaug pretrain{what}, or its encoder.safetensors alone"
        parser.add_argument(name, type=Path, help=text, nargs="?" if "baseline" in groups else None)
    for group in ("data", *groups):
        for name, option in _OPTIONS[group].items():
            parser.add_argument(name, **option)
    parser.epilog = (
        "Choices (epoch, fusion weights) are made on validation subjects, and without any no choice is made; the test "
        "part is used once, at the end. test_clean, where the data set has it, leaves out test clips that also occur "
        f"among the training clips. {REFERENCE}"
    )


def defaults(*groups: str) -> dict[str, Any]:
    """The options of these groups as they are where nobody gives them; those that must be given are left out."""
    parser = ArgumentParser()
    for group in groups:
        for name, option in _OPTIONS[group].items():
            if name.startswith("--"):
                parser.add_argument(name, **option)
    return vars(parser.parse_args([]))


def trained_by(paper: Mapping[str, Schedule], task: Task, options: Mapping[str, Any]) -> Schedule:
    """The paper's schedule for the task's encoder, changed by the options of the group ``schedule``."""
    chosen = paper[task.encoder_name]
    if options["epochs"] is not None:
        chosen = chosen.lasting(options["epochs"])
    named = {"lr": options["lr"], "milestones": options["milestones"], "batch": options["train_batch"]}
    return replace(chosen, **{name: value for name, value in named.items() if value is not None})


def probe(
    task: Task, features: Mapping[str, Tensor], schedule: Schedule, seed: int, options: Mapping[str, Any]
) -> Fit[nn.Linear]:
    """Train a linear classifier on features of the parts; the epoch is chosen on validation where there is any."""
    return linear_probe(
        features["train"],
        task.labels("train"),
        classes=len(task.names),
        validation=None if task.validation is None else (features["validation"], task.labels("validation")),
        schedule=schedule,
        standardize=options["standardize"],
        seed=seed,
    )


def train(
    task: Task,
    report: Report,
    clips: Any,
    schedule: Schedule,
    seed: int,
    options: Mapping[str, Any],
    variant: str = "",
) -> None:
    """Fine-tune on some clips, by the options of the group ``training``, and report the scores."""
    augment = options["augment"]
    prepare = None
    if augment != "none":
        views = skelaug.policies.hiclr(task.skeleton, stream=task.settings["stream"], coords=task.settings["coords"])
        joints = preparation(task.skeleton, **task.settings | {"stream": "joint"})
        prepare = skelaug.Compose([joints, views[_AUGMENT.index(augment)]])
    with refusing():
        fit = finetune(
            task.encoder,
            task.dataset,
            clips,
            task.prepare,
            classes=len(task.names),
            validation=task.validation,
            prepare_train=prepare,
            schedule=schedule,
            dropout=0.0 if task.encoder_name == "dsta" else None,  # as the paper
            seed=seed,
            device=task.device,
            workers=options["workers"],
        )
    if task.validation is not None:
        report.choose(**({"variant": variant} if variant else {}), seed=seed, epoch=fit.epoch)
    for part in task.tests:
        report.add(part, task.embed(part, fit.model).argmax(1), variant)
