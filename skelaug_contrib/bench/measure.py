"""The measuring: calls timed in turns, their memory at its peak, their kernel launches, and the machine they ran on."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import os
import platform
import statistics
import timeit
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils import _pytree as pytree
from torch.utils import benchmark
from torch.utils._python_dispatch import TorchDispatchMode

import skelaug

__all__ = ["META", "launches", "machine", "peak_bytes", "race", "ratio"]

#: Where launches are counted if there is no GPU.
META = torch.device("meta")

_TURN = 4e-3  # seconds that a turn lasts at least, so that the clock and the first call's cold caches weigh little


def race(
    contestants: Mapping[str, Callable[[], Any]], rounds: int, device: torch.device | None = None
) -> dict[str, list[float]]:
    """Seconds a call of every contestant, a number a round, by :class:`torch.utils.benchmark.Timer`.

    In a round everybody has one turn, so that a noisy machine is noisy for all of them. A turn is as many calls as fill
    some milliseconds; two calls before the first round are not counted. On an accelerator the clock waits until it is
    done.

    Args:
        contestants: what to call, by name.
        rounds: at least 2.
        device: where the work is done; the CPU if left out.
    """
    clock = timeit.default_timer if device is None or device.type == "cpu" else benchmark.timer
    timers, counts = {}, {}
    for name, call in contestants.items():
        setting = {"call": call}
        timers[name] = benchmark.Timer("call()", globals=setting, timer=clock, num_threads=torch.get_num_threads())
        call()  # the first call may compile, allocate, load
        counts[name] = max(1, math.ceil(_TURN / max(timers[name].timeit(1).median, 1e-7)))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, timer in timers.items():
            seconds[name].append(timer.timeit(counts[name]).median)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """How often ``fast`` fits into ``slow``: the median of the rounds' ratios, not the ratio of the medians."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def machine(device: torch.device | None = None) -> dict[str, Any]:
    """What a number depends on beside the code: versions, processor, threads, device, date."""
    about: dict[str, Any] = {
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
        gpu = torch.cuda.get_device_properties(device)
        about |= {"gpu": gpu.name, "gpu_gib": round(gpu.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    return about


def _processor() -> str:
    """The processor's name; Python's own ``platform.processor()`` says nothing on Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """The most memory that a call holds at once, beside what was held before it; its results count.

    On a CPU, torch's profiler sees every allocation of torch's allocator; workspaces that a BLAS keeps are not among
    them. On CUDA, the caching allocator's own peak.
    """
    call()  # what the first call builds and keeps does not count
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != "cpu":
        raise ValueError(f"peak_bytes(device={device}): memory can be measured on cpu and cuda")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = call()
    del result
    kineto = profiler.profiler.kineto_results
    events = sorted((e for e in kineto.events() if e.name() == "[memory]"), key=lambda e: e.start_ns())
    live = peak = 0
    for event in events:
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def launches(call: Callable[[], Any], device: torch.device) -> Counter[str]:
    """How many kernels a call launches on an accelerator, by name.

    On CUDA, torch's profiler counts what was launched: kernels, copies, fills. Without a GPU, let the call work on
    tensors of the device ``meta``: nothing is computed there, but every operation is dispatched as on an accelerator
    (the paths that a CPU takes because it can look at its data are not taken). Counted is every operation whose result
    lies on the device, less those that only make a view of a tensor, or room for one. A few count as one although they
    launch several kernels (a sort does), so the number is a lower bound.
    """
    if device.type == "cuda":
        call()
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            call()
            torch.cuda.synchronize(device)
        on_device = (e for e in profiler.events() or [] if "CUDA" in str(e.device_type) and not e.is_user_annotation)
        return Counter(e.name for e in on_device)
    counter = _Counter(device.type)
    with counter:
        call()
    return counter.launched


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, device_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device_type = device_type
        self.launched: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = pytree.tree_leaves(result)
        if any(isinstance(v, Tensor) and v.device.type == self.device_type for v in leaves) and _launches(func):
            self.launched[func.overloadpacket.__name__] += 1
        return result


def _launches(func: Any) -> bool:
    name = func.overloadpacket.__name__
    if name in ("_unsafe_view", "lift_fresh", "detach", "resize_", "set_") or "empty" in name:
        return False
    return not any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
