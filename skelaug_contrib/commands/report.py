"""The report of the evaluation commands: on what was tested, what casts doubt on it, and the scores."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

import skelaug
from skelaug import files
from skelaug.commands.table import aligned
from skelaug_contrib.commands.task import PREPARATION, Task
from skelaug_contrib.evaluate import Schedule, accuracy, class_accuracy, confusion

__all__ = ["REFERENCE", "Report", "facts", "warn"]

#: Said at the end of every report.
REFERENCE = "(The reference implementation chose epoch, checkpoint and fusion weights on the test set.)"
_SCHEDULE = ("epochs", "lr", "milestones", "train_batch")

# The report has these in another form, or they change no score.
_LEFT_OUT = ("out", "seeds", "workers", "on", *PREPARATION, *_SCHEDULE)


def warn(command: str, tasks: Iterable[Task]) -> None:
    """Say what casts doubt on the scores, on stderr and before the work."""
    for warning in _doubts(tasks):
        print(f"skelaug {command}: warning: {warning}", file=sys.stderr)


def _doubts(tasks: Iterable[Task]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(warning for task in tasks for warning in task.warnings))


def facts(tasks: Mapping[str, Task]) -> str:
    """Protocol, validation subjects, preparation, pretraining and warnings in lines.

    ``tasks`` are by stream, or one without name.
    """
    first = next(iter(tasks.values()))
    lines = [("protocol", first.protocol), ("validation subjects", str(first.validation_subjects))]
    if first.seen is not None and first.pretrained is not None:
        split = (first.pretrained.protocol, first.pretrained.validation_subjects)
        for i, value in enumerate((first.protocol, first.validation_subjects)):
            of_run = "as pretrained" if value == split[i] else f"pretrained with {split[i]}"
            lines[i] = (lines[i][0], f"{lines[i][1]}, {of_run}")
    for name, task in tasks.items():
        stream = f", {name}" if name else ""
        lines += [(f"preparation{stream}", task.prepared), (f"pretrained{stream}", task.history)]
    lines += [("warning", warning) for warning in _doubts(tasks.values())]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines)


class Report:
    """Scores of a command by part and seed, as a table and as JSON; ``about`` holds further facts for the latter.

    Whatever casts doubt on the scores goes to stderr when the report is begun.

    Args:
        command: its name.
        tasks: what is judged, or several things by their streams, which share protocol and parts.
        about: options of the command.
    """

    def __init__(self, command: str, tasks: Task | Mapping[str, Task], about: Mapping[str, Any]) -> None:
        self.tasks = {"": tasks} if isinstance(tasks, Task) else dict(tasks)
        self.task = next(iter(self.tasks.values()))
        options = {name: value for name, value in about.items() if name not in _LEFT_OUT}
        split = {"protocol": self.task.protocol, "validation_subjects": self.task.validation_subjects}
        each = {
            name: {
                "encoder": task.encoder_name,
                "preparation": task.settings,
                "pretrained": None if task.pretrained is None else asdict(task.pretrained),
                "warnings": task.warnings,
            }
            for name, task in self.tasks.items()
        }
        told = each.get("", {"streams": each})
        self.about = {"command": command, **options, **split, **told, "skelaug": skelaug.__version__}
        self.scores: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.chosen: list[Any] = []
        warn(command, self.tasks.values())

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
        print(facts(self.tasks))
        print(f"\n{self._table()}")
        seeds = max(len(scores) for scores in self.scores.values())
        if seeds > 1:
            print(f"mean ± standard deviation over {seeds} seeds")
        if self.task.validation is not None:
            print("Every choice was made on the validation subjects; the test part was used once.", end=" ")
        else:
            print("There are no validation subjects, so nothing was chosen; the test part was used once.", end=" ")
        print(REFERENCE)
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
