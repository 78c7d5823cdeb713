"""Rows from all processes, in rank order; one process needs no set-up."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from skelaug_contrib import arguments

__all__ = ["gather", "rank", "world"]


def world() -> int:
    """The number of processes: 1 where torch.distributed is not initialised.

    Example:
        >>> world(), rank()
        (1, 0)
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather(x: Tensor) -> Tensor:
    """The rows of all processes in rank order, the same on each of them, without gradient.

    Args:
        x: ``(n, …)``, of the same shape and type in every process.

    Returns:
        ``(world · n, …)``; ``x`` itself in a single process.

    Example:
        >>> gather(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    x = arguments.instance("gather", "x", x, Tensor, "a tensor (n, …)").detach()
    if world() == 1:
        return x
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)
