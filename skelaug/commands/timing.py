"""Side-by-side timing: contestants take turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import os
import platform
import statistics
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import benchmark

import skelaug

__all__ = ["Times", "machine", "race", "ratio"]

_TURN = 4e-3  # seconds that a turn lasts at least, so that the clock and the first call's cold caches weigh little


@dataclass(frozen=True)
class Times:
    """Seconds that a call of one contestant takes, a number a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the rounds took longer."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the rounds took less than the first, a quarter more than the second; their distance: IQR."""
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high

    def __str__(self) -> str:
        low, high = self.quartiles
        return f"{self.median * 1e3:.2f} ms ({low * 1e3:.2f} – {high * 1e3:.2f})"


def race(
    contestants: Mapping[str, Callable[[], Any]], rounds: int, device: torch.device | None = None
) -> dict[str, Times]:
    """Time every contestant once a round with :class:`torch.utils.benchmark.Timer`.

    A turn is as many calls as fill some milliseconds, after two that are not counted. On an accelerator the clock waits
    until the device is done.

    Args:
        contestants: what to call, by name.
        rounds: at least 2.
        device: where the work is done; the CPU if left out.
    """
    on_cpu = device is None or device.type == "cpu"
    clock = timeit.default_timer if on_cpu else benchmark.timer
    timers, counts = {}, {}
    for name, call in contestants.items():
        call()  # the first call may compile, allocate, load
        start = clock()
        call()
        counts[name] = max(1, math.ceil(_TURN / max(clock() - start, 1e-7)))
        timers[name] = benchmark.Timer(
            "call()", globals={"call": call}, timer=clock, num_threads=torch.get_num_threads()
        )
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, timer in timers.items():
            found[name].append(timer.timeit(counts[name]).median)
    return {name: Times(tuple(seconds)) for name, seconds in found.items()}


def ratio(times: Mapping[str, Times], slow: str, fast: str) -> float:
    """Median over the rounds of how often ``fast`` fits into ``slow``: pairs of neighbours, not of averages."""
    return statistics.median(a / b for a, b in zip(times[slow].seconds, times[fast].seconds, strict=True))


def machine(device: torch.device | None = None) -> dict[str, Any]:
    """What a number depends on beside the code: versions, processor, threads, device, date."""
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "kornia": importlib.metadata.version("kornia"),
        "skelaug": skelaug.__version__,
        "device": str(device or "cpu"),
    }
    if device is not None and device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        found |= {"gpu": about.name, "gpu_gib": round(about.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    return found


def _processor() -> str:
    """The processor's name; Python's own ``platform.processor()`` says nothing on Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
