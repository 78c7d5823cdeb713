"""What a call costs beside time: memory at its peak, and kernel launches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["launches", "peak_bytes"]


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """The most memory that a call holds at once, beside what was held before it; its results count.

    On a CPU, torch's profiler sees every allocation of torch's allocator; workspaces that a BLAS keeps are not among
    them. On CUDA, the caching allocator's own peak.
    """
    call()  # what is made once and kept is not the call's
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

    Args:
        call: works on tensors of ``device``.
        device: a CUDA device, or ``meta``.
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
    return counter.found


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, device_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device_type = device_type
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = pytree.tree_leaves(result)
        if any(isinstance(v, Tensor) and v.device.type == self.device_type for v in leaves) and _launches(func):
            self.found[func.overloadpacket.__name__] += 1
        return result


def _launches(func: Any) -> bool:
    name = func.overloadpacket.__name__
    if name in ("_unsafe_view", "lift_fresh", "detach", "resize_", "set_") or "empty" in name:
        return False
    views = [r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns]
    return not any(views)
