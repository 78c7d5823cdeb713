"""Changes of the adjacency, per sample."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["add_edges", "drop_edges", "share_changed"]


def _keep_total(new: Tensor, old: Tensor) -> Tensor:
    """Rescale ``new`` so that each graph ``(K, V, V)`` weighs what ``old`` does; one left empty stays ``old``."""
    wide = torch.promote_types(old.dtype, torch.float32)
    before, after = old.sum((-3, -2, -1), keepdim=True, dtype=wide), new.sum((-3, -2, -1), keepdim=True, dtype=wide)
    scaled = (new * (before / torch.where(after == 0, 1, after))).to(old.dtype)
    return torch.where(after == 0, old, scaled)


def drop_edges(graph: Tensor, drop: Tensor) -> Tensor:
    """Set the edges marked in ``drop`` to 0 and scale the rest so that the total weight is unchanged.

    Args:
        graph: ``(…, K, V, V)``.
        drop: bool of the same shape.
    """
    return _keep_total(torch.where(drop, 0, graph), graph)


def add_edges(graph: Tensor, add: Tensor) -> Tensor:
    """Set the zero entries marked in ``add`` to 1, then scale everything so that the total weight is unchanged.

    Args:
        graph: ``(…, K, V, V)``.
        add: bool of the same shape; entries that already carry an edge keep their weight.
    """
    return _keep_total(torch.where(add & (graph == 0), 1, graph), graph)


def share_changed(old: Tensor, new: Tensor) -> Tensor:
    """The share of the edges' weight that lies elsewhere in ``new``, per sample: 0 if equal, 1 if disjoint.

    Args:
        old: ``(N, K, V, V)`` or ``(N, L, K, V, V)``.
        new: ``(N, K, V, V)`` or ``(N, L, K, V, V)``.
    """
    if old.ndim < new.ndim:
        old = old[:, None]
    moved = (new - old).abs().flatten(1).sum(1)
    return moved / (new.abs().flatten(1).sum(1) + old.expand_as(new).abs().flatten(1).sum(1)).clamp(min=1e-12)
