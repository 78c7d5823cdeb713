"""k nearest neighbours: what features are worth before anything is trained on them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from skelaug import check
from skelaug_contrib.evaluate.scores import check_features, check_labels

__all__ = ["knn"]

_CHUNK = 1024  # rows of the similarity matrix at a time


@torch.no_grad()
def knn(
    train_features: Tensor, train_labels: Tensor, features: Tensor, k: int = 20, temperature: float = 0.1
) -> Tensor:
    """Classify by a weighted vote of the nearest training samples.

    Nearness is the cosine; a neighbour's vote weighs exp(cosine / temperature). The class with the largest sum wins,
    the lowest index of equal ones.

    Args:
        train_features: float ``(S, D)``, of any length.
        train_labels: int64 ``(S,)``.
        features: float ``(Q, D)``, what to classify, on the same device.
        k: how many vote; all do where there are fewer than ``k``.
        temperature: > 0; small values trust the nearest.

    Returns:
        int64 ``(Q,)``: the predicted classes.

    Raises:
        ValueError: shapes, labels or an argument are off, or a feature is not finite.

    Source: Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018, sec. 3.4.

    Example:
        >>> train = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
        >>> knn(train, torch.tensor([0, 1, 1]), torch.tensor([[5.0, 0.1], [0.0, 0.2]]), k=2).tolist()
        [0, 1]
    """
    check.count("knn", "k", k)
    check.number("knn", "temperature", temperature, low=1e-6)
    check_features("knn", "train_features", train_features)
    check_features("knn", "features", features, train_features)
    classes = check_labels("knn", "train_labels", train_labels, len(train_features))
    bank = normalize(train_features.float(), dim=1).T
    votes = one_hot(train_labels.to(bank.device), classes).float()
    predictions = []
    for part in torch.split(features, _CHUNK):
        cosine, neighbour = (normalize(part.float(), dim=1) @ bank).topk(min(k, bank.shape[1]))
        # Relative to the nearest, so that a small temperature does not overflow.
        weight = ((cosine - cosine[:, :1]) / temperature).exp()
        predictions.append((weight[:, :, None] * votes[neighbour]).sum(1).argmax(1))
    return torch.cat(predictions) if predictions else features.new_zeros(0, dtype=torch.int64)
