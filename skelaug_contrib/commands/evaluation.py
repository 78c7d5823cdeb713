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
from skelaug.transform import Transform
from skelaug_contrib.checkpoint import EncoderSpec, load_encoder
from skelaug_contrib.datasets import PreparedDataset, preparation, split
from skelaug_contrib.evaluate import Schedule, accuracy, class_accuracy, confusion, embed, finetune

__all__ = [
    "Report",
    "Task",
    "add_data",
    "add_run",
    "add_schedule",
    "add_seeds",
    "add_standardize",
    "add_training",
    "open_task",
    "rate",
    "refusing",
    "schedule",
    "take_schedule",
    "train",
]

_TESTS = ("validation", "test", "test_clean")
_AUGMENT = ("basic", "normal")
_REFERENCE = "(The reference implementation chose epoch, checkpoint and fusion weights on the test set.)"


def add_run(parser: ArgumentParser, name: str = "run") -> None:
    """The pretrained encoder."""
    what = "" if name == "run" else f" of the {name} stream"
    parser.add_argument(
        name, type=Path, help=f"folder of a run of skelaug pretrain{what}, or its encoder.safetensors alone"
    )


def add_data(parser: ArgumentParser, out: str = "write the report as JSON to this file, too") -> None:
    """The data, the split, the device and where to write."""
    add = parser.add_argument
    add("data", type=Path, help="folder of a prepared data set, as skelaug prepare writes it")
    add("--protocol", default="xview", help="name of the split into training and test part, such as xview or xsub")
    add(
        "--validation-subjects",
        type=whole,
        default=0,
        help="hold out so many whole subjects of the training part (all their cameras); every choice is made on them. "
        "Use the number that the run was pretrained with",
    )
    add("--device", type=device, default="cpu", help="where to work, such as cpu or cuda")
    add("--batch", type=positive, default=256, help="clips encoded at a time")
    add("--out", type=Path, help=out)
    parser.epilog = (
        "Choices (epoch, fusion weights) are made on validation subjects, and without any no choice is made; the test "
        "part is used once, at the end. test_clean, where the data set has it, leaves out test clips that also occur "
        f"among the training clips. {_REFERENCE}"
    )


def add_seeds(parser: ArgumentParser) -> None:
    """Over how many seeds."""
    parser.add_argument("--seeds", type=positive, default=3, help="train so often; mean and standard deviation go out")


def add_schedule(parser: ArgumentParser) -> None:
    """The training; what is left out is the paper's."""
    add = parser.add_argument
    add(
        "--epochs",
        type=positive,
        help="the paper's if left out; with another number warm-up and milestones move in proportion",
    )
    add("--lr", type=rate, help="learning rate after warm-up; the paper's if left out")
    add(
        "--milestones",
        type=whole,
        nargs="+",
        help="epochs at which the rate falls to a tenth; the paper's if left out",
    )
    add("--train-batch", type=positive, help="clips a training step; the paper's if left out")


def add_standardize(parser: ArgumentParser) -> None:
    """How the linear classifier sees features."""
    parser.add_argument(
        "--standardize",
        action="store_true",
        help="train the classifier on features of mean 0 and variance 1: not the paper's way, but better for few clips "
        "and for features that hardly vary",
    )


def add_training(parser: ArgumentParser) -> None:
    """Augmentation and loading, where the encoder is trained."""
    add = parser.add_argument
    add(
        "--augment",
        choices=("none", *_AUGMENT),
        default="none",
        help="HiCLR's basic, or basic and normal, augmentations on training clips; the paper has none",
    )
    add("--workers", type=whole, default=0, help="processes that load clips")


def take_schedule(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of :func:`add_schedule`, and the others."""
    mine = {name: options[name] for name in ("epochs", "lr", "milestones", "train_batch")}
    return mine, {name: value for name, value in options.items() if name not in mine}


def rate(text: str) -> float:
    """Type of an option: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"must be a number > 0, got {text!r}")
    return value


def schedule(paper: Mapping[str, Schedule], encoder: str, options: Mapping[str, Any]) -> Schedule:
    """The paper's schedule for an encoder, changed by the options of :func:`add_schedule`."""
    chosen = paper[encoder]
    if options["epochs"] is not None:
        chosen = chosen.lasting(options["epochs"])
    named = {"lr": options["lr"], "milestones": options["milestones"], "batch": options["train_batch"]}
    changes = {name: value for name, value in named.items() if value is not None}
    return replace(
        chosen, **changes | ({"milestones": tuple(changes["milestones"])} if "milestones" in changes else {})
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


def open_task(run: Path, data: Path, protocol: str, validation_subjects: int, device: torch.device, batch: int) -> Task:
    """Open an encoder and a data set that fit each other.

    Raises:
        Refused: one of them cannot be read, they do not fit, or the split does not exist.
    """
    with refusing():
        encoder, spec = load_encoder(run)
        dataset = PreparedDataset.open(data)
        found = split(dataset, protocol, validation_subjects=validation_subjects or None)
    ours, theirs = spec.skeleton, dataset.skeleton
    if (ours.joints, ours.parents) != (theirs.joints, theirs.parents):
        raise Refused(
            f"{run}: the encoder was trained on the skeleton {ours.name!r} ({len(ours)} joints), the clips of {data} "
            f"have {theirs.name!r} ({len(theirs)} joints); both must be the same"
        )
    parts = {name: indices for name, indices in found.items() if len(indices)}
    for needed in ("train", "test"):
        if needed not in parts:
            raise Refused(f"{data}: protocol {protocol!r} has no {needed} clips")
    names = [str(name) for name in dataset.class_names]
    prepare = preparation(spec.skeleton, spec.frames, spec.center, spec.stream, spec.align, spec.size)
    return Task(encoder.eval(), spec, dataset, parts, prepare, names, device, batch)


def train(
    task: Task,
    report: Report,
    clips: Any,
    schedule: Schedule,
    seed: int,
    augment: str,
    workers: int,
    variant: str = "",
) -> None:
    """Fine-tune on some clips and report the scores."""
    spec = task.spec
    prepare = None
    if augment != "none":
        views = skelaug.policies.hiclr(spec.skeleton, stream=spec.stream)
        joints = preparation(spec.skeleton, spec.frames, spec.center, "joint", spec.align, spec.size)
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
            workers=workers,
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
    """Scores by part and seed, as a table and as JSON.

    Args:
        command: which command it is.
        task: what is evaluated.
        about: further facts, for the JSON file: the run, the settings.
    """

    def __init__(self, command: str, task: Task, about: Mapping[str, Any]) -> None:
        self.task = task
        self.about = {"command": command, **_jsonable(about), "skelaug": skelaug.__version__}
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
        seeds = max(len(found) for found in self.scores.values())
        if seeds > 1:
            print(f"mean ± standard deviation over {seeds} seeds")
        if self.task.validation is not None:
            print("Every choice was made on the validation subjects; the test part was used once.", end=" ")
        else:
            print("There are no validation subjects, so nothing was chosen; the test part was used once.", end=" ")
        print(_REFERENCE)
        if out is not None:
            files.write(out, (json.dumps(self._dict(), indent=2) + "\n").encode())
            print(f"wrote {out}")

    def _table(self) -> str:
        variants = any(variant for variant, _ in self.scores)
        head = [*(["variant"] if variants else []), "split", "clips", "accuracy %", "per class %"]
        rows = []
        for (variant, part), found in self.scores.items():
            values = [_spread([100 * score[i] for score in found]) for i in range(2)]
            rows.append([*([variant] if variants else []), part, str(len(self.task.parts[part])), *values])
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = [head, ["─" * width for width in widths], *rows]
        text = len(head) - 3  # columns of words stand left, numbers right
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i < text else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )

    def _dict(self) -> dict[str, Any]:
        results = []
        for (variant, part), found in self.scores.items():
            own = {"variant": variant} if variant else {}
            columns = zip(("accuracy", "class_accuracy"), zip(*found, strict=True), strict=True)
            numbers = {name: _summary(values) for name, values in columns}
            results.append({**own, "split": part, "clips": len(self.task.parts[part]), **numbers})
        return {**self.about, "chosen_on_validation": self.chosen, "results": results}


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


def _summary(values: Sequence[float]) -> dict[str, Any]:
    std = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.mean(values), "std": std, "each": list(values)}


def _jsonable(about: Mapping[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Schedule):
            return asdict(value)
        return str(value) if isinstance(value, Path | torch.device) else value

    return {name: plain(value) for name, value in about.items()}
