"""Work on some samples only, where the host knows which.

On a CPU a gate costs nothing to read, so an operation that half of the samples need runs on half of the batch. On an
accelerator reading it would wait for the device, and inside a compiled graph it would break the graph: there the
operation runs on the whole batch, and the gate chooses.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["known", "put", "readable", "take"]


def readable(value: Tensor) -> bool:
    """Whether the host may look at values at no cost."""
    # A subclass (a fake tensor, say) has no values that could be read, nor has a tensor inside vmap.
    there = type(value) is Tensor and not torch._C._functorch.is_batchedtensor(value)
    return there and value.device.type == "cpu" and not torch.compiler.is_compiling()


def known(keep: Tensor) -> Tensor | None:
    """The indices of the rows that ``keep``, bool ``(N,)``, marks; ``None`` where the host cannot know them."""
    return keep.nonzero()[:, 0] if readable(keep) else None


def take(value: Tensor, rows: Tensor) -> Tensor:
    """The rows of ``value``; itself where they are all."""
    return value if rows.shape[0] == value.shape[0] else value.index_select(0, rows)


def put(value: Tensor, rows: Tensor, new: Tensor, *, own: bool = False) -> Tensor:
    """``value`` with ``new`` at the rows, the others bit-equal; ``own`` allows to overwrite ``value``."""
    if rows.shape[0] == value.shape[0]:
        return new
    return value.index_copy_(0, rows, new) if own else value.index_copy(0, rows, new)
