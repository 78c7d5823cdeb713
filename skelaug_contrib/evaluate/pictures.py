"""Pictures of an evaluation: features in two dimensions, and what is taken for what. Needs the extra ``viz``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from skelaug_contrib.evaluate.scores import check_features, check_labels, class_accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_confusion", "draw_projection", "project"]

_MARKERS = "os^Dv<>P"
_NUMBERED = 20  # classes up to which every cell of a confusion matrix shows its number


def project(features: Tensor) -> tuple[Tensor, Tensor]:
    """The two directions of largest variance (principal components), computed in float64.

    Args:
        features: float ``(S, D)``, S ≥ 2.

    Returns:
        float64 ``(S, 2)`` on the CPU, and the share of the variance along each ``(2,)``. The sign is fixed: the largest
        entry of each direction is positive. What has no second direction gets zeros.

    Raises:
        ValueError: fewer than two samples, or a feature is not finite.

    Example:
        >>> points, share = project(torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
        >>> points[:, 0].tolist(), share.tolist()
        ([-1.0, 1.0, 0.0], [1.0, 0.0])
    """
    check_features("project", "features", features)
    if len(features) < 2:
        raise ValueError(f"project(features=…): needs at least two samples, got {len(features)}")
    x = features.detach().cpu().double()
    x = x - x.mean(0)
    _, spread, directions = torch.linalg.svd(x, full_matrices=False)
    variance, two = spread.square(), directions[:2]
    two = two * two.gather(1, two.abs().argmax(1, keepdim=True)).sign()
    points, share = x.new_zeros(len(x), 2), x.new_zeros(2)
    points[:, : len(two)] = x @ two.T
    share[: len(two)] = variance[:2] / variance.sum().clamp(min=torch.finfo(x.dtype).tiny)
    return points, share


def draw_projection(features: Tensor, labels: Tensor, names: Sequence[str], *, title: str) -> Figure:
    """Every sample as a dot, coloured by its class.

    Args:
        features: float ``(S, D)``, see :func:`project`.
        labels: int64 ``(S,)``.
        names: of the classes.
        title: what is seen.
    """
    from matplotlib.figure import Figure

    classes = check_labels("draw_projection", "labels", labels, len(features), len(names))
    points, share = project(features)
    columns = -(-classes // 30)
    figure = Figure(figsize=(8.5 + 1.9 * columns, 7.5), layout="constrained")
    axes = figure.subplots()
    for label, colour in enumerate(_colours(classes)):
        own = points[labels.cpu() == label]
        if len(own):
            marker = _MARKERS[label % len(_MARKERS)] if classes > 10 else "o"
            axes.scatter(own[:, 0], own[:, 1], s=22, color=colour, marker=marker, alpha=0.75, lw=0, label=names[label])
    axes.set_xlabel(f"first principal component ({share[0]:.0%} of the variance)", fontsize=12)
    axes.set_ylabel(f"second principal component ({share[1]:.0%})", fontsize=12)
    figure.legend(loc="outside right upper", ncols=columns, fontsize=11, markerscale=1.6, frameon=False)
    figure.suptitle(title, fontsize=14)
    return figure


def draw_confusion(confusion: Tensor, names: Sequence[str], *, title: str) -> Figure:
    """A confusion matrix whose rows are shares of the true class, in percent.

    Args:
        confusion: int64 ``(classes, classes)``, see :func:`~skelaug_contrib.evaluate.confusion`.
        names: of the classes.
        title: what is seen; the mean accuracy of the classes that have clips is added.
    """
    from matplotlib.figure import Figure

    classes = len(names)
    if confusion.shape != (classes, classes):
        raise ValueError(
            f"draw_confusion(confusion=…): {classes} names need a ({classes}, {classes}) matrix, got "
            f"{tuple(confusion.shape)}"
        )
    share = (100 * confusion.double() / confusion.sum(1, keepdim=True).clamp(min=1)).numpy()
    cell, font = (0.62, 10) if classes <= _NUMBERED else (0.22, 7)
    figure = Figure(figsize=(4.5 + cell * classes, 3 + cell * classes), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    axes.set_xticks(range(classes), names, rotation=45 if classes <= _NUMBERED else 90, ha="right", fontsize=font)
    total = confusion.sum(1).tolist()
    rows = [name if count else f"{name} (no clips)" for name, count in zip(names, total, strict=True)]
    axes.set_yticks(range(classes), rows, fontsize=font)
    axes.set_xlabel("predicted", fontsize=12)
    axes.set_ylabel("true", fontsize=12)
    if classes <= _NUMBERED:
        for row in range(classes):
            for column in range(classes):
                value = share[row, column]
                if value >= 0.5:
                    colour = "white" if value > 55 else "#222222"
                    axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=10, color=colour)
    figure.suptitle(f"{title}\nmean accuracy per class {class_accuracy(confusion):.1%}", fontsize=14)
    return figure


def _colours(classes: int) -> list[Any]:
    """A colour a class, as different as so many can be."""
    from matplotlib import colormaps

    if classes <= 20:
        return list(colormaps["tab10" if classes <= 10 else "tab20"].colors[:classes])  # type: ignore[attr-defined]
    return [colormaps["turbo"]((i + 0.5) / classes) for i in range(classes)]
