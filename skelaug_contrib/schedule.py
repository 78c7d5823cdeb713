"""How a learning rate falls in steps: a function of the position alone, so that no state can be lost."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

__all__ = ["step_rate"]


def step_rate(lr: float, at: int, warmup: int = 0, milestones: Iterable[int] = (), gamma: float = 0.1) -> float:
    """The learning rate at a position of the training.

    Args:
        lr: learning rate after warm-up.
        at: the position, counted from 0, in steps or in epochs.
        warmup: so long, in the same unit, the rate rises linearly: it is lr·(at + 1) / warmup.
        milestones: positions from which on the rate is multiplied by gamma.
        gamma: see milestones.

    Example:
        >>> print(*(round(step_rate(0.1, at, warmup=5, milestones=(30, 55)), 4) for at in (0, 4, 5, 30, 69)))
        0.02 0.1 0.1 0.01 0.001
    """
    if at < warmup:
        return lr * (at + 1) / warmup
    return float(lr * gamma ** bisect.bisect_right(sorted(milestones), at))
