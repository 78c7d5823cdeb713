"""Pictures of a prepared data set: how long, who and what, how stable, and what it looks like. Needs ``viz``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skelaug import check, plot
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.checks import Ints
from skelaug_contrib.datasets.facts import Floats
from skelaug_contrib.datasets.findings import SHORT, Findings
from skelaug_contrib.datasets.format import PreparedDataset
from skelaug_contrib.datasets.loader import read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bone_spread", "draw"]

_SHEET, _COLUMNS = 24, 3  # clips in the contact sheet
_MEASURED = 500  # clips whose bones are measured
_NUMBERED = 400  # cells up to which a table shows its numbers


def draw(dataset: PreparedDataset, found: Findings, *, up: str | None = None) -> Iterator[tuple[str, Figure]]:
    """Names and figures: ``lengths``, ``classes``, ``bones``, ``clips``; ``up`` as in plot.strip."""
    yield "lengths", _lengths(dataset, found)
    yield "classes", _classes(dataset)
    yield "bones", _bones(dataset)
    yield "clips", _sheet(dataset, up)


def bone_spread(x: Floats, skeleton: Skeleton | str) -> Floats:
    """How much each bone's length changes within a clip: its standard deviation over its mean.

    A body does not change its bones: this is the noise of the sensor, or of who fitted the skeleton.

    Args:
        x: ``(C, T, V, M)``, the valid frames.
        skeleton: of the data.

    Returns:
        float64 ``(V - 1,)`` of the first person, in the order of ``skeleton.bones``; NaN where it cannot be told.

    Example:
        >>> import skelaug
        >>> clip = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], 1, 20).x[0].numpy()
        >>> bool(bone_spread(clip, skelaug.skeletons["ntu25"]).max() < 1e-4)
        True
    """
    child, parent = np.array(check.skeleton("bone_spread", skeleton).bones).T
    body = x[..., 0].astype(np.float64)
    body = body[:, (body != 0).any((0, 2))]
    length = np.linalg.norm(body[:, :, child] - body[:, :, parent], axis=0)
    if len(length) < 2:
        return np.full(len(child), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a joint that was never observed has no mean
        mean, deviation = np.nanmean(length, 0), np.nanstd(length, 0)
    return np.where(mean > 0, deviation / np.where(mean > 0, mean, 1), np.nan)


def _lengths(dataset: PreparedDataset, found: Findings) -> Figure:
    figure, axes = _figure(8, 4.5)
    axes.hist(dataset.length, bins=min(60, int(np.ptp(dataset.length)) + 1), color="#1f77b4")
    axes.axvline(float(np.median(dataset.length)), color="#e8710a", label=f"median {np.median(dataset.length):g}")
    axes.set_xlabel("frames", fontsize=12)
    axes.set_ylabel("clips", fontsize=12)
    axes.legend(fontsize=11)
    short = len(found.having("short"))
    figure.suptitle(f"Lengths of {len(dataset)} clips, {short} of fewer than {SHORT} frames", fontsize=14)
    return figure


def _classes(dataset: PreparedDataset) -> Figure:
    subject = np.zeros(len(dataset), np.int64) if dataset.subject is None else dataset.subject
    subjects, column = np.unique(subject, return_inverse=True)
    count = np.zeros((len(dataset.class_names), len(subjects)), np.int64)
    np.add.at(count, (dataset.label, column.reshape(-1)), 1)
    figure, axes = _figure(4 + 0.35 * len(subjects), 2 + 0.28 * len(count))
    image = axes.imshow(count, cmap="Blues", aspect="auto", vmin=0)
    axes.set_yticks(range(len(count)), dataset.class_names, fontsize=10)
    named = [""] if dataset.subject is None else [str(who) for who in subjects]
    axes.set_xticks(range(len(named)), named, fontsize=10, rotation=90 if len(named) > 20 else 0)
    axes.set_xlabel("all subjects" if dataset.subject is None else "subject", fontsize=12)
    if count.size <= _NUMBERED:
        for (row, place), number in np.ndenumerate(count):
            colour = "white" if number > count.max() / 2 else "#333333"
            axes.text(place, row, str(number), ha="center", va="center", fontsize=9, color=colour)
    figure.colorbar(image, ax=axes, label="clips")
    figure.suptitle("Clips by class and subject", fontsize=14)
    return figure


def _bones(dataset: PreparedDataset) -> Figure:
    chosen = _evenly(len(dataset), _MEASURED)
    spread = 100 * np.stack([bone_spread(dataset.body(i), dataset.skeleton) for i in chosen])
    names = [f"{dataset.skeleton.joints[a]} – {dataset.skeleton.joints[b]}" for a, b in dataset.skeleton.bones]
    figure, axes = _figure(9, 1.5 + 0.26 * len(names))
    shown = [column[np.isfinite(column)] for column in spread.T]
    axes.boxplot(shown, orientation="horizontal", showfliers=False, widths=0.6)
    axes.set_yticks(range(1, len(names) + 1), names, fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel("standard deviation of the length within a clip, % of its mean", fontsize=12)
    figure.suptitle(f"Bone lengths of {len(chosen)} clips (median, quartiles, range without outliers)", fontsize=14)
    return figure


def _sheet(dataset: PreparedDataset, up: str | None) -> Figure:
    # In the order of their classes, so that all classes come in turn.
    order = np.argsort(dataset.label, kind="stable")
    chosen = order[_evenly(len(dataset), _SHEET)]
    rows = math.ceil(len(chosen) / _COLUMNS)
    figure, grid = _figure(5 * _COLUMNS, 1.7 * rows + 0.8, rows, _COLUMNS)
    cells = list(np.ravel(grid))
    for axes, i in zip(cells, chosen, strict=False):
        batch = read(dataset, [i]).batch
        if dataset.coords is not None:
            batch = batch.replace(x=batch.x[:, list(dataset.coords)])
        axes.set_title(f"{dataset.names[i]}: {dataset.class_names[dataset.label[i]]}", fontsize=10)
        if batch.x.shape[1] < 2 or not torch.any(batch.presence):
            axes.text(0.5, 0.5, "nobody", ha="center", va="center", fontsize=11)
            axes.set_axis_off()
        else:
            plot.strip(batch, dataset.skeleton, up=up, ax=axes)
    for axes in cells[len(chosen) :]:
        axes.set_axis_off()
    figure.suptitle(f"{len(chosen)} of {len(dataset)} clips, a strip each", fontsize=14)
    return figure


def _evenly(count: int, most: int) -> Ints:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)
