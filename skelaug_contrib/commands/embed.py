"""Write the features of a pretrained encoder and a picture of them; with --probe also a confusion matrix."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np

from skelaug import plot
from skelaug.commands import Refused
from skelaug.files import written
from skelaug_contrib.commands import evaluation
from skelaug_contrib.evaluate import LINEAR, confusion, pictures

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    evaluation.add(parser, "standardize")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/embed"),
        help="folder for features.npz, projection.png and, with --probe, confusion.png",
    )
    parser.add_argument(
        "--split", default="test", choices=("train", "validation", "test", "test_clean"), help="whose features"
    )
    parser.add_argument("--probe", action="store_true", help="train a linear classifier and draw its confusion matrix")
    parser.add_argument("--seed", type=int, default=0, help="of the classifier")


def run(run: Path, split: str, probe: bool, seed: int, out: Path, **options: Any) -> None:
    """Encode the clips of a part, write the features, draw them."""
    task = evaluation.open_task(run, options | {"split": split})
    if split not in task.parts:
        raise Refused(f"--split {split}: there is none; protocol {task.protocol!r} has {', '.join(task.parts)}")
    evaluation.warn("embed", [task])
    labels, indices = task.labels(split), np.asarray(task.parts[split])
    with evaluation.refusing():
        features = task.embed(split)
        arrays = {"features": features.numpy(), "label": labels.numpy(), "index": indices}
        arrays["class_names"] = np.array(task.names)
        figures = {
            "projection": pictures.draw_projection(
                features, labels, task.names, title=f"{len(labels)} {split} clips in the features of {run.name}"
            )
        }
        if probe:
            inputs: dict[str, Any] = {part: task.embed(part) for part in ("train", "validation") if part in task.parts}
            fit = evaluation.probe(task, inputs, LINEAR[task.encoder_name], seed, options)
            arrays["prediction"] = fit.model(features).argmax(1).numpy()
            matrix = confusion(fit.model(features).argmax(1), labels, len(task.names))
            right = int(matrix.diag().sum())
            title = f"Linear probe on {run.name}, {split}: {right} of {len(labels)} right ({right / len(labels):.1%})"
            figures["confusion"] = pictures.draw_confusion(matrix, task.names, title=title)
    with written(out / "features.npz") as path:
        np.savez(path, **arrays)  # type: ignore[arg-type]
    print(evaluation.facts({"": task}))
    print(f"{len(features)} {split} clips, {features.shape[1]} features each")
    print(f"wrote {out / 'features.npz'}: {', '.join(arrays)}")
    for name, figure in figures.items():
        with written(out / f"{name}.png") as path:
            plot.save(figure, path)
        print(f"wrote {out / name}.png")
