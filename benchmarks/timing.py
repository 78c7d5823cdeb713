"""Side-by-side timing: contestants take turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Times:
    """Seconds of one contestant, a call each."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        quarter = statistics.quantiles(self.seconds, n=4)
        return f"{self.median * 1e3:.2f} ms ({quarter[0] * 1e3:.2f} – {quarter[2] * 1e3:.2f})"


def race(contestants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Time every contestant once a round, after a round to warm up."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            if turn:
                found[name].append(time.perf_counter() - start)
    return {name: Times(tuple(seconds)) for name, seconds in found.items()}


def ratio(times: Mapping[str, Times], slow: str, fast: str) -> float:
    """Median over the rounds of how often ``fast`` fits into ``slow``: pairs of neighbours, not of averages."""
    return statistics.median(a / b for a, b in zip(times[slow].seconds, times[fast].seconds, strict=True))
