"""Work on some samples only, where the host knows which.

On a CPU a gate costs nothing to read, so an operation that half of the samples need runs on half of the batch. On an
accelerator reading it would wait for the device, and inside a compiled graph it would break the graph: there the
operation runs on the whole batch, and the gate chooses.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["known", "put", "take"]


def known(keep: Tensor) -> Tensor | None:
    """The indices of the rows that ``keep``, bool ``(N,)``, marks; ``None`` where the host cannot know them."""
    # A subclass (a fake tensor, say) has no values that could be read, nor has a tensor inside vmap.
    readable = type(keep) is Tensor and not torch._C._functorch.is_batchedtensor(keep)
    if keep.device.type != "cpu" or not readable or torch.compiler.is_compiling():
        return None
    return keep.nonzero()[:, 0]


def take(value: Tensor, rows: Tensor) -> Tensor:
    """The rows of ``value``; itself where they are all."""
    return value if rows.shape[0] == value.shape[0] else value.index_select(0, rows)


def put(value: Tensor, rows: Tensor, new: Tensor, *, own: bool = False) -> Tensor:
    """``value`` with ``new`` at the rows, the others bit-equal; ``own`` allows to overwrite ``value``."""
    if rows.shape[0] == value.shape[0]:
        return new
    return value.index_copy_(0, rows, new) if own else value.index_copy(0, rows, new)
