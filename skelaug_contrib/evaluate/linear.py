"""Linear classifiers: the paper's probe on frozen features, and ridge regression in closed form as a baseline."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from skelaug import check
from skelaug_contrib import arguments
from skelaug_contrib.evaluate.schedule import LINEAR, Fit, Schedule, fit
from skelaug_contrib.evaluate.scores import accuracy, check_features, check_labels

__all__ = ["linear_probe", "ridge"]


def linear_probe(
    features: Tensor,
    labels: Tensor,
    *,
    classes: int | None = None,
    validation: tuple[Tensor, Tensor] | None = None,
    schedule: Schedule = LINEAR["stgcn"],
    standardize: bool = False,
    seed: int = 0,
) -> Fit[nn.Linear]:
    """Train a linear classifier on the features of a frozen encoder.

    The encoder is frozen and nothing is augmented, so that the features are computed once, by
    :func:`~skelaug_contrib.evaluate.embed`. They are not normalised, as in the paper.

    Args:
        features: float ``(S, D)``, of the training samples.
        labels: int64 ``(S,)``.
        classes: how many there are; ``None`` counts those of ``labels``.
        validation: features ``(S', D)`` and labels ``(S',)`` on which the epoch is chosen; ``None`` takes the last.
        schedule: of the training; the default is the paper's for ST-GCN.
        standardize: train on features of mean 0 and variance 1 (over the training samples), then fold the change into
            the classifier. It finds the same kind of classifier, but the learning rate suits features of any scale:
            those of an encoder that was hardly trained, or of few samples, may not get anywhere without.
        seed: of the first weights and of the order of the samples.

    Returns:
        The classifier: ``fit.model(features)`` are logits ``(S, classes)``.

    Raises:
        ValueError: shapes or labels are off, a feature is not finite, or the training diverged.

    Source: linear evaluation of HiCLR (AAAI 2023), after MoCo (CVPR 2020): weights start as N(0, 0.01²), biases at 0.

    Example:
        >>> x = torch.eye(3).repeat(20, 1)
        >>> fit = linear_probe(x, torch.arange(60) % 3, schedule=LINEAR["stgcn"].lasting(5))
        >>> fit.model(torch.eye(3)).argmax(1).tolist(), fit.epoch
        ([0, 1, 2], 5)
    """
    check_features("linear_probe", "features", features)
    classes = check_labels("linear_probe", "labels", labels, len(features), classes)
    if validation is not None:
        if not isinstance(validation, list | tuple) or len(validation) != 2:
            raise TypeError(
                f"linear_probe(validation=…): validation must be features and labels, got {type(validation).__name__}"
            )
        check_features("linear_probe", "validation", validation[0], features)
        check_labels("linear_probe", "validation", validation[1], len(validation[0]), classes)
    arguments.instance("linear_probe", "schedule", schedule, Schedule, "a Schedule, such as LINEAR['stgcn']")
    check.count("linear_probe", "seed", seed, low=0)
    one = features.new_ones(features.shape[1], dtype=torch.float32)
    mean, scale = _spread(features) if standardize else (0 * one, one)
    x, y = (features.detach().float() - mean) * scale, labels.to(features.device)
    held = None if validation is None else (validation[0].float() - mean) * scale
    generator = torch.Generator().manual_seed(seed)
    # Without its own start, which would draw from the global generator.
    model: nn.Linear = nn.utils.skip_init(nn.Linear, x.shape[1], classes)  # type: ignore[no-untyped-call]
    nn.init.normal_(model.weight, std=0.01, generator=generator)
    nn.init.zeros_(model.bias)
    model.to(x.device)

    def losses(epoch: int) -> Iterator[Tensor]:
        order = torch.randperm(len(x), generator=generator).to(x.device)
        return (cross_entropy(model(x[rows]), y[rows]) for rows in torch.split(order, schedule.batch))

    @torch.no_grad()
    def score() -> float:
        assert held is not None and validation is not None
        return accuracy(model(held).argmax(1), validation[1])

    best = fit("linear_probe", model, schedule, losses, None if held is None else score)
    with torch.no_grad():
        model.weight.mul_(scale)
        model.bias.sub_(model.weight @ mean)
    return best


def _spread(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and one over the standard deviation of each feature ``(D,)``; 0 for one that does not vary."""
    mean, deviation = features.detach().float().mean(0), features.detach().float().std(0, correction=0)
    varies = deviation > 1e-6 * torch.maximum(deviation.max(), mean.abs())
    return mean, torch.where(varies, 1 / deviation, 0)


def ridge(train_x: Tensor, train_y: Tensor, x: Tensor, strength: float = 1.0) -> Tensor:
    """Ridge regression on one-against-all targets of ±1, with an intercept: a baseline that learns no representation.

    Minimises ||X W + b - Y||² + strength · ||W||² in closed form, in float64, through the smaller of the two normal
    equations. On raw coordinates it says how far a data set goes without learning: ``embed(Coordinates(), …)``.

    Args:
        train_x: float ``(S, D)``.
        train_y: int64 ``(S,)``.
        x: float ``(Q, D)``, what to classify.
        strength: of the penalty, > 0, in the squared units of ``train_x``.

    Returns:
        float64 ``(Q, classes)``: the scores; ``argmax(1)`` is the prediction.

    Raises:
        ValueError: shapes, labels or the strength are off, or a value is not finite.

    Example:
        >>> train = torch.tensor([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0], [3.0, 0.0]])
        >>> ridge(train, torch.tensor([0, 0, 1, 1]), torch.tensor([[0.0, 3.0], [2.0, 0.0]])).argmax(1).tolist()
        [0, 1]
    """
    check.number("ridge", "strength", strength, low=1e-12)
    check_features("ridge", "train_x", train_x)
    check_features("ridge", "x", x, train_x)
    classes = check_labels("ridge", "train_y", train_y, len(train_x))
    y = one_hot(train_y.to(train_x.device), classes).double() * 2 - 1
    mean, offset = train_x.double().mean(0), y.mean(0)
    a = train_x.double() - mean
    samples, width = a.shape
    penalty = strength * torch.eye(min(a.shape), dtype=a.dtype, device=a.device)
    if samples < width:
        weight: Tensor = a.T @ torch.linalg.solve(a @ a.T + penalty, y)
    else:
        weight = torch.linalg.solve(a.T @ a + penalty, a.T @ y)
    return (x.double() - mean) @ weight + offset
