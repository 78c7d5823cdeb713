"""What the evaluation commands share: their options, opening a run and its data, and the report."""

from __future__ import annotations

import contextlib
import json
import statistics
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import skelaug
from skelaug import files
from skelaug.commands import Refused, device, positive, whole
from skelaug.commands.table import aligned
from skelaug.transform import Transform
from skelaug_contrib.checkpoint import EncoderSpec, load_encoder
from skelaug_contrib.datasets import PreparedDataset, preparation, split
from skelaug_contrib.evaluate import Fit, Schedule, accuracy, class_accuracy, confusion, embed, finetune, linear_probe

__all__ = ["Report", "Task", "add", "open_task", "probe", "rate", "refusing", "train", "trained_by"]

_TESTS = ("validation", "test", "test_clean")
_AUGMENT = ("basic", "normal")
_SCHEDULE = ("epochs", "lr", "milestones", "train_batch")
_REFERENCE = "(The reference implementation chose epoch, checkpoint and fusion weights on the test set.)"


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
            "default": "xview",
            "help": "name of the split into training and test part, such as xview or xsub",
        },
        "--validation-subjects": {
            "type": whole,
            "default": 0,
            "help": "hold out so many whole subjects of the training part (all their cameras); every choice is made on "
            "them. Use the number that the run was pretrained with",
        },
        "--device": {"type": device, "default": "cpu", "help": "where to work, such as cpu or cuda"},
        "--batch": {"type": positive, "default": 256, "help": "clips encoded at a time"},
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
        "--lr": {"type": rate, "help": "learning rate after warm-up; the paper's if left out"},
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
        parser.add_argument(
            name, type=Path, help=f"folder of a run of skelaug pretrain{what}, or its encoder.safetensors alone"
        )
    for group in ("data", *groups):
        for name, option in _OPTIONS[group].items():
            parser.add_argument(name, **option)
    parser.epilog = (
        "Choices (epoch, fusion weights) are made on validation subjects, and without any no choice is made; the test "
        "part is used once, at the end. test_clean, where the data set has it, leaves out test clips that also occur "
        f"among the training clips. {_REFERENCE}"
    )


@dataclass(frozen=True)
class Task:
    """A pretrained encoder and the data it is evaluated on.

    Attributes:
        encoder: in eval mode.
        spec: what the encoder was trained on.
        dataset: the clips.
        parts: indices of ``train``, ``test`` and, where there are any, ``validation`` and ``test_clean``.
        prepare: what clips go through before the encoder.
        names: of the classes.
        device: where to work.
        batch: clips encoded at a time.
    """

    encoder: nn.Module
    spec: EncoderSpec
    dataset: PreparedDataset
    parts: dict[str, Any]
    prepare: Transform
    names: list[str]
    device: torch.device
    batch: int

    @property
    def tests(self) -> list[str]:
        """The parts that scores are reported for."""
        return [part for part in _TESTS if part in self.parts]

    @property
    def validation(self) -> Any:
        """Indices of the validation clips, or ``None``."""
        return self.parts.get("validation")

    def labels(self, part: str) -> Tensor:
        """int64, on the CPU."""
        return torch.as_tensor(self.dataset.label)[torch.as_tensor(self.parts[part])]

    def embed(self, part: str, encoder: nn.Module | None = None) -> Tensor:
        """Features of a part, or logits where ``encoder`` is a classifier; on the CPU."""
        model = self.encoder if encoder is None else encoder
        indices = self.parts[part]
        return embed(model, self.dataset, indices, self.prepare, batch=self.batch, device=self.device).cpu()


def open_task(run: Path, options: Mapping[str, Any]) -> Task:
    """Open an encoder and a data set that fit each other, by the options of the group ``data``.

    Raises:
        Refused: one of them cannot be read, they do not fit, or the split does not exist.
    """
    data, protocol = options["data"], options["protocol"]
    with refusing():
        encoder, spec = load_encoder(run)
        dataset = PreparedDataset.open(data)
        indices = split(dataset, protocol, validation_subjects=options["validation_subjects"] or None)
    ours, theirs = spec.skeleton, dataset.skeleton
    if (ours.joints, ours.parents) != (theirs.joints, theirs.parents):
        raise Refused(
            f"{run}: the encoder was trained on the skeleton {ours.name!r} ({len(ours)} joints), the clips of {data} "
            f"have {theirs.name!r} ({len(theirs)} joints); both must be the same"
        )
    if spec.coords != dataset.coords:
        raise Refused(
            f"{run}: the encoder was trained with coords={spec.coords}, the clips of {data} have "
            f"coords={dataset.coords} (None: all channels are coordinates); both must be the same"
        )
    parts = {name: part for name, part in indices.items() if len(part)}
    for needed in ("train", "test"):
        if needed not in parts:
            raise Refused(f"{data}: protocol {protocol!r} has no {needed} clips")
    names = [str(name) for name in dataset.class_names]
    placed = (spec.frames, spec.center, spec.stream, spec.align, spec.size, spec.coords)
    prepare = preparation(spec.skeleton, *placed)
    return Task(encoder.eval(), spec, dataset, parts, prepare, names, options["device"], options["batch"])


def trained_by(paper: Mapping[str, Schedule], task: Task, options: Mapping[str, Any]) -> Schedule:
    """The paper's schedule for the task's encoder, changed by the options of the group ``schedule``."""
    chosen = paper[task.spec.encoder.name]
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
    spec, augment = task.spec, options["augment"]
    prepare = None
    if augment != "none":
        views = skelaug.policies.hiclr(spec.skeleton, stream=spec.stream, coords=spec.coords)
        joints = preparation(spec.skeleton, spec.frames, spec.center, "joint", spec.align, spec.size, spec.coords)
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
            dropout=0.0 if spec.encoder.name == "dsta" else None,  # as the paper
            seed=seed,
            device=task.device,
            workers=options["workers"],
        )
    if task.validation is not None:
        report.choose(**({"variant": variant} if variant else {}), seed=seed, epoch=fit.epoch)
    for part in task.tests:
        report.add(part, task.embed(part, fit.model).argmax(1), variant)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """What the library says about bad input is all that the user needs to see."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(str(error.args[0] if error.args else error)) from error


class Report:
    """Scores of a command by part and seed, as a table and as JSON; ``about`` holds further facts for the latter."""

    def __init__(self, command: str, task: Task, about: Mapping[str, Any]) -> None:
        self.task = task
        left_out = ("out", "seeds", "workers", *_SCHEDULE)
        facts = {name: value for name, value in about.items() if name not in left_out}
        self.about = {"command": command, **facts, "skelaug": skelaug.__version__}
        self.scores: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.chosen: list[Any] = []

    def add(self, part: str, predictions: Tensor, variant: str = "") -> None:
        """Score predictions ``(S,)`` of a part; calls for the same part and variant are seeds."""
        labels = self.task.labels(part)
        table = confusion(predictions.cpu(), labels, len(self.task.names))
        score = accuracy(predictions.cpu(), labels), class_accuracy(table)
        self.scores.setdefault((variant, part), []).append(score)

    def choose(self, **choice: Any) -> None:
        """Note what a seed chose on validation."""
        self.chosen.append(choice)

    def finish(self, out: Path | None) -> None:
        """Print the table and, with ``out``, write the JSON file."""
        print(self._table())
        seeds = max(len(scores) for scores in self.scores.values())
        if seeds > 1:
            print(f"mean ± standard deviation over {seeds} seeds")
        if self.task.validation is not None:
            print("Every choice was made on the validation subjects; the test part was used once.", end=" ")
        else:
            print("There are no validation subjects, so nothing was chosen; the test part was used once.", end=" ")
        print(_REFERENCE)
        if out is not None:
            files.write(out, (json.dumps(self._dict(), indent=2, default=_plain) + "\n").encode())
            print(f"wrote {out}")

    def _table(self) -> str:
        variants = any(variant for variant, _ in self.scores)
        head = [*(["variant"] if variants else []), "split", "clips", "accuracy %", "per class %"]
        rows = []
        for (variant, part), scores in self.scores.items():
            values = [_spread([100 * score[i] for score in scores]) for i in range(2)]
            rows.append([*([variant] if variants else []), part, str(len(self.task.parts[part])), *values])
        return aligned(head, rows, words=len(head) - 3)

    def _dict(self) -> dict[str, Any]:
        results = []
        for (variant, part), scores in self.scores.items():
            own = {"variant": variant} if variant else {}
            columns = zip(("accuracy", "class_accuracy"), zip(*scores, strict=True), strict=True)
            numbers = {name: _summary(values) for name, values in columns}
            results.append({**own, "split": part, "clips": len(self.task.parts[part]), **numbers})
        return {**self.about, "chosen_on_validation": self.chosen, "results": results}


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


def _summary(values: Sequence[float]) -> dict[str, Any]:
    std = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.mean(values), "std": std, "each": list(values)}


def _plain(value: Any) -> Any:
    """What JSON has no form for: a schedule; a path or a device."""
    return asdict(value) if isinstance(value, Schedule) else str(value)
