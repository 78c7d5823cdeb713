"""Fusion of streams: a weighted sum of the logits of joint, bone and motion, the weights chosen on validation."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor

from skelaug import check
from skelaug_contrib import arguments
from skelaug_contrib.evaluate.scores import accuracy, check_features, check_labels

__all__ = ["choose_weights", "combine"]

_LEVELS = (0.0, 0.2, 0.4, 0.6)
_PAPER = ((0.5, 0.5, 0.5), (0.6, 0.6, 0.4))


def combine(logits: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted sum of the streams' logits.

    Args:
        logits: for each stream ``(S, classes)``.
        weights: one a stream.

    Returns:
        ``(S, classes)``.

    Raises:
        ValueError: the streams do not have one shape, or there is not one weight a stream.

    Example:
        >>> combine([torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])], (0.6, 0.4))
        tensor([[0.6000, 1.2000]])
    """
    _check_logits("combine", logits)
    if not isinstance(weights, list | tuple) or len(weights) != len(logits):
        raise ValueError(f"combine(weights={weights!r}): weights must be {len(logits)} numbers, one a stream")
    for weight in weights:
        check.number("combine", "weights", weight)
    return torch.stack([weight * stream for weight, stream in zip(weights, logits, strict=True)]).sum(0)


def choose_weights(logits: Sequence[Tensor], labels: Tensor) -> tuple[tuple[float, ...], float]:
    """Choose fusion weights by accuracy on validation samples.

    The grid holds 0, 0.2, 0.4 and 0.6 for every stream, and for three streams the paper's .5/.5/.5 and .6/.6/.4, which
    also win among equals; then the more even weights do.

    Args:
        logits: for each stream ``(S, classes)``, of the validation samples.
        labels: int64 ``(S,)``.

    Returns:
        The weights, one a stream, and their accuracy on these samples.

    Raises:
        ValueError: shapes or labels are off, or logits are not finite.

    Example:
        >>> good, noise = torch.eye(4) * 5, torch.eye(4).roll(1, 0) * 9
        >>> choose_weights([good, noise], torch.arange(4))
        ((0.4, 0.2), 1.0)
    """
    _check_logits("choose_weights", logits)
    for stream in logits:
        check_features("choose_weights", "logits", stream)
    check_labels("choose_weights", "labels", labels, len(logits[0]), logits[0].shape[1])
    scored = [(accuracy(combine(logits, weights).argmax(1), labels), weights) for weights in _grid(len(logits))]
    score, weights = max(scored, key=lambda pair: pair[0])  # the first of equal ones
    return weights, score


def _check_logits(who: str, logits: Sequence[Tensor]) -> None:
    """Refuse what is not a list of at least one floating-point tensor, all of one shape and device."""
    if not isinstance(logits, list | tuple) or not logits:
        raise ValueError(f"{who}(logits=…): logits must be a list of tensors (S, classes), of at least one stream")
    samples, classes = arguments.tensor(who, "logits", logits[0], "S classes").shape
    for stream in logits:
        arguments.tensor(who, "logits", stream, "S classes", like=logits[0], S=samples, classes=classes)


def _grid(streams: int) -> list[tuple[float, ...]]:
    """The weights to try, the preferred ones first."""
    every = [weights for weights in itertools.product(_LEVELS, repeat=streams) if any(weights)]
    # Only proportions matter, so of (.2, 0, 0), (.4, 0, 0) and (.6, 0, 0) the last comes first.
    every.sort(key=lambda weights: (round(statistics.pstdev(weights) / statistics.mean(weights), 9), -sum(weights)))
    return [*_PAPER, *every] if streams == 3 else every
