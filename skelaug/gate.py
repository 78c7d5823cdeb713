"""Gates: do something to some samples only, and leave the others as they are, bit for bit.

On a CPU a gate costs nothing to read, so what half of the samples need runs on half of the batch. On an accelerator
reading it would wait for the device, and inside a compiled graph it would break the graph: there the operation runs on
the whole batch, and the gate chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from skelaug import host
from skelaug.batch import SkeletonBatch

__all__ = ["apply_where", "restore"]


def apply_where(
    keep: Tensor,
    op: Callable[[SkeletonBatch, Any], SkeletonBatch],
    batch: SkeletonBatch,
    params: Any,
    scratch: Tensor | None = None,
) -> SkeletonBatch:
    """``op`` for the samples that ``keep (N,)`` marks; the others stay, bit for bit.

    Args:
        keep: bool ``(N,)``.
        op: what to do; each sample's result must depend on that sample alone.
        batch: the samples.
        params: of ``op``, tensors with N first.
        scratch: the batch's ``x``, if no tensor outside the caller can alias it: then it is overwritten.
    """
    chosen = host.rows(keep)
    if chosen is None:
        new = op(batch, params)
        return batch.merged(new, lambda old, changed: torch.where(_over(keep, changed), changed, old))
    if chosen.shape[0] == len(batch):
        return op(batch, params)
    if chosen.shape[0] == 0:
        return batch
    part = batch.mapped(lambda v: v.index_select(0, chosen))
    new = op(part, pytree.tree_map(lambda v: v.index_select(0, chosen), params))

    def put(old: Tensor, changed: Tensor) -> Tensor:
        return (old if old is scratch else old.clone()).index_copy_(0, chosen, changed)  # index_copy copies twice

    return batch.merged(new, put, part)


def restore(keep: Tensor, x: Tensor, old: Tensor) -> Tensor:
    """``x (N, …)`` where ``keep (N,)``, else ``old``, bit for bit. Overwrites ``x``, which nobody else may hold."""
    others = host.rows(~keep)
    if others is None:
        return torch.where(_over(keep, x), x, old)
    return x.index_copy_(0, others, old.index_select(0, others)) if others.shape[0] else x


def _over(keep: Tensor, value: Tensor) -> Tensor:
    """``keep (N,)`` with as many axes as ``value``."""
    return keep.view(-1, *(1,) * (value.ndim - 1))
