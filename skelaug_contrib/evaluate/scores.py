"""Scores of predictions, and the checks that all evaluations share."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["accuracy", "check_features", "check_labels", "class_accuracy", "confusion"]


def accuracy(predictions: Tensor, labels: Tensor) -> float:
    """The share of samples whose prediction is right, 0 … 1.

    Args:
        predictions: int ``(S,)``.
        labels: int ``(S,)``.

    Example:
        >>> accuracy(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2]))
        0.75
    """
    _check_pair("accuracy", predictions, labels)
    return float((predictions == labels.to(predictions.device)).double().mean())


def confusion(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count what is taken for what.

    Args:
        predictions: int ``(S,)``, in 0 … classes - 1.
        labels: int ``(S,)``, likewise.
        classes: how many there are.

    Returns:
        int64 ``(classes, classes)`` on the CPU: row = true class, column = predicted class.

    Raises:
        ValueError: a class index is not in 0 … classes - 1.

    Example:
        >>> confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    _check_pair("confusion", predictions, labels)
    both = torch.stack([labels.cpu(), predictions.cpu()]).long()
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(
            f"confusion(classes={classes}): labels and predictions must lie in 0 … {classes - 1}, got "
            f"{int(both.min())} … {int(both.max())}"
        )
    return torch.bincount(both[0] * classes + both[1], minlength=classes**2).view(classes, classes)


def class_accuracy(confusion: Tensor) -> float:
    """Mean over the classes that occur of the share of each that is right: rare classes count like common ones.

    Args:
        confusion: ``(classes, classes)``, see :func:`confusion`.

    Example:
        >>> class_accuracy(torch.tensor([[8, 2], [1, 0]]))
        0.4
    """
    total = confusion.sum(1)
    occurs = total > 0
    if not occurs.any():
        raise ValueError("class_accuracy(confusion=…): the matrix is all 0: no sample was counted")
    return float((confusion.diag()[occurs].double() / total[occurs]).mean())


def check_features(who: str, name: str, features: Tensor, width: int | None = None) -> None:
    """Refuse features that are not finite ``(S, width)``."""
    if features.ndim != 2 or not features.is_floating_point() or (width is not None and features.shape[1] != width):
        wanted = "(S, D)" if width is None else f"(S, {width}), as wide as the training features"
        raise ValueError(
            f"{who}({name}=…): {name} must be floating point {wanted}, got {features.dtype} {tuple(features.shape)}"
        )
    if not features.isfinite().all():
        raise ValueError(f"{who}({name}=…): {name} hold NaN or infinity; the encoder or its input is broken")


def check_labels(who: str, name: str, labels: Tensor, count: int, classes: int | None = None) -> int:
    """Refuse labels that are not ``count`` ≥ 1 class indices; return the number of classes."""
    if labels.shape != (count,) or labels.dtype != torch.int64:
        raise ValueError(
            f"{who}({name}=…): {name} must be int64 ({count},), one a sample, got {labels.dtype} {tuple(labels.shape)}"
        )
    if not count:
        raise ValueError(f"{who}({name}=…): there is no sample; at least one is needed")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (classes is not None and high >= classes):
        most = "" if classes is None else f" … {classes - 1}"
        raise ValueError(f"{who}({name}=…): {name} must be classes 0{most}, got {low} … {high}")
    return high + 1 if classes is None else classes


def _check_pair(who: str, predictions: Tensor, labels: Tensor) -> None:
    if predictions.ndim != 1 or predictions.shape != labels.shape or not len(labels):
        raise ValueError(
            f"{who}: predictions and labels must be (S,) with S ≥ 1 both, got {tuple(predictions.shape)} and "
            f"{tuple(labels.shape)}"
        )
