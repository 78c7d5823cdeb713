"""The modes of torch: what the host may look at without waiting for a device, derivatives, autocast."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["differentiated", "plain_defaults", "readable", "rows", "without_autocast"]


def readable(value: Tensor) -> bool:
    """Whether the host may look at values at no cost."""
    # A subclass (a fake tensor, say) has no values that could be read, nor has a tensor inside vmap.
    if type(value) is not Tensor or value.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(value)


def rows(keep: Tensor) -> Tensor | None:
    """The indices of the samples that ``keep``, bool ``(N,)``, marks; ``None`` where the host cannot know them."""
    return keep.nonzero()[:, 0] if readable(keep) else None


def differentiated(value: Tensor) -> bool:
    """Whether derivatives of any order or direction are asked for: by autograd, forward mode or torch.func."""
    if torch.is_grad_enabled() and value.requires_grad:
        return True
    if torch.compiler.is_compiling():
        return False
    tangent = forward_ad.unpack_dual(value).tangent  # type: ignore[no-untyped-call]
    return tangent is not None or torch._C._functorch.is_functorch_wrapped_tensor(value)


def without_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """A context in which autocast is off on ``device``, which need not know autocast at all."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


@contextlib.contextmanager
def plain_defaults() -> Iterator[None]:
    """A context, or a decorator, in which new tensors are float32 on the CPU, whatever torch's defaults are outside."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
