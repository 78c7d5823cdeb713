"""Scores of predictions, and the checks that all evaluations share."""

from __future__ import annotations

import torch
from torch import Tensor

from skelaug import check
from skelaug_contrib import arguments

__all__ = ["accuracy", "check_features", "check_labels", "class_accuracy", "confusion"]


def accuracy(predictions: Tensor, labels: Tensor) -> float:
    """The share of samples whose prediction is right, 0 … 1.

    Args:
        predictions: int64 ``(S,)``.
        labels: int64 ``(S,)``.

    Example:
        >>> accuracy(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2]))
        0.75
    """
    _check_pair("accuracy", predictions, labels)
    return float((predictions == labels.to(predictions.device)).double().mean())


def confusion(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count what is taken for what.

    Args:
        predictions: int64 ``(S,)``, in 0 … classes - 1.
        labels: int64 ``(S,)``, likewise.
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
    check.count("confusion", "classes", classes)
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
        confusion: int64 ``(classes, classes)``, see :func:`confusion`.

    Example:
        >>> class_accuracy(torch.tensor([[8, 2], [1, 0]]))
        0.4
    """
    arguments.tensor("class_accuracy", "confusion", confusion, "classes classes", "int64")
    if confusion.shape[0] != confusion.shape[1] or (confusion < 0).any():
        raise ValueError(
            f"class_accuracy(confusion=…): confusion must be square and hold counts ≥ 0, got shape "
            f"{tuple(confusion.shape)}"
        )
    total = confusion.sum(1)
    occurs = total > 0
    if not occurs.any():
        raise ValueError("class_accuracy(confusion=…): the matrix is all 0: no sample was counted")
    return float((confusion.diag()[occurs].double() / total[occurs]).mean())


def check_features(who: str, name: str, features: Tensor, like: Tensor | None = None) -> None:
    """Refuse features that are not finite ``(S, D)``; with ``like``, as wide as these and on the same device."""
    if like is None:
        arguments.tensor(who, name, features, "S D")
    else:
        arguments.tensor(who, name, features, "S D", like=like, D=like.shape[1])
    if features.is_meta or not features.isfinite().all():
        raise ValueError(f"{who}({name}=…): {name} hold NaN or infinity, or nothing: encoder or input are broken")


def check_labels(who: str, name: str, labels: Tensor, count: int, classes: int | None = None) -> int:
    """Refuse labels that are not ``count`` ≥ 1 class indices; return the number of classes."""
    arguments.tensor(who, name, labels, "S", "int64", S=count)
    if not count:
        raise ValueError(f"{who}({name}=…): {name} must be of at least one sample, there is none")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (classes is not None and high >= check.count(who, "classes", classes)):
        most = "" if classes is None else f" … {classes - 1}"
        raise ValueError(f"{who}({name}=…): {name} must be classes 0{most}, got {low} … {high}")
    return high + 1 if classes is None else classes


def _check_pair(who: str, predictions: Tensor, labels: Tensor) -> None:
    arguments.tensor(who, "predictions", predictions, "S", "int64")
    arguments.tensor(who, "labels", labels, "S", "int64", S=len(predictions))
    if not len(labels):
        raise ValueError(f"{who}(predictions=…): predictions must be of at least one sample, there is none")
