"""Which joints are missing: what is not a number, and how else a data set says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from skelaug.host import readable

__all__ = ["Missing", "Score", "check_missing", "finite_joints", "told_joints"]


@dataclass(frozen=True)
class Score:
    """A joint is missing where a channel of its own, such as a detector's confidence, is too low.

    Args:
        channel: the channel of ``x`` that holds it.
        below: the joint is missing where the channel is smaller than this, or not a number.

    Raises:
        TypeError: ``channel`` is no whole number, or ``below`` no number.
        ValueError: ``channel`` is negative, or ``below`` is not finite.

    Example:
        >>> import skelaug
        >>> x = torch.tensor([[0.5, 0.5], [0.2, 0.2], [0.9, 0.1]]).view(1, 3, 1, 2, 1)  # (x, y, score) of two joints
        >>> skelaug.SkeletonBatch(x, missing=Score(channel=2, below=0.3)).mask.flatten().tolist()
        [True, False]
    """

    channel: int = 2
    below: float = 0.3

    def __post_init__(self) -> None:
        if isinstance(self.channel, bool) or not isinstance(self.channel, int):
            raise TypeError(f"Score(channel={self.channel!r}): channel must be a whole number")
        if isinstance(self.below, bool) or not isinstance(self.below, int | float):
            raise TypeError(f"Score(below={self.below!r}): below must be a number")
        if self.channel < 0:
            raise ValueError(f"Score(channel={self.channel}): channels are counted from 0")
        if not abs(self.below) < float("inf"):
            raise ValueError(f"Score(below={self.below}): below must be a finite number")


Missing = Literal["nan", "zero"] | Score
"""How data say that a joint is missing; a coordinate that is not finite says so always.

``"nan"``: in no other way. ``"zero"``: all its channels are exactly 0. :class:`Score`: a channel is too low.
"""


def check_missing(who: str, missing: Any) -> Missing:
    """``missing``, or what a configuration writes for it: ``{"score": 2, "below": 0.3}``.

    Raises:
        TypeError: something else.
        ValueError: another word, or another entry in the mapping.
    """
    if isinstance(missing, Score):
        return missing
    if isinstance(missing, Mapping):
        if missing.keys() != {"score", "below"}:
            raise ValueError(f"{who}(missing={dict(missing)!r}): a mapping must hold score, a channel, and below")
        return Score(missing["score"], missing["below"])
    wanted = f"{who}(missing={missing!r}): missing must be 'nan', 'zero' or skelaug.Score(channel=2, below=0.3)"
    if not isinstance(missing, str):
        raise TypeError(f"{wanted}, got {type(missing).__name__}")
    match missing:
        case "nan" | "zero":
            return missing
    raise ValueError(wanted)


def finite_joints(x: Tensor) -> Tensor | None:
    """Which joints have finite values only: bool ``(N, T, V, M)``, or None where the host sees that all have.

    On an accelerator, and in a compiled call, to look would wait for the device: there the answer is always a tensor.

    Args:
        x: ``(N, C, T, V, M)``.
    """
    # A sum of finite values may overflow, so that only a finite sum is an answer.
    if readable(x) and (bool(x.detach().sum().isfinite()) or bool(x.detach().isfinite().all())):
        return None
    return (x.detach() * 0).sum(1) == 0  # NaN for what is not finite; fewer kernels than isfinite takes


def told_joints(x: Tensor, missing: Missing) -> Tensor | None:
    """Which joints are there by what ``missing`` says beside finite values; None where it says nothing.

    Args:
        x: ``(N, C, T, V, M)``.
        missing: see :data:`Missing`.

    Raises:
        ValueError: ``x`` has no such channel.
    """
    if missing == "nan":
        return None
    if isinstance(missing, Score):
        if missing.channel >= x.shape[1]:
            raise ValueError(f"missing={missing}: x has {x.shape[1]} channels, so the last one is {x.shape[1] - 1}")
        return x[:, missing.channel] >= missing.below
    return torch.any(x != 0, 1)
