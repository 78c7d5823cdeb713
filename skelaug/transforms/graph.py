"""Transforms of the graph along which an encoder passes features: of a SkeletonBatch, which carries the graph."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.functional import graph as fg
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["AddEdges", "DropEdges"]


@final
class DropEdges(Transform):
    """Drop random edges of the adjacency; the rest is scaled so that the total weight of each graph is kept.

    Drawn per sample and layer: a rate r ~ U(0, ``max_ratio``), then for each entry of the ``(K, V, V)`` adjacency
    whether it is dropped, with probability r. A graph that would lose everything stays as it is.

    Args:
        max_ratio: largest rate, in [0, 1].
        graph: a Skeleton or the name of one (its spatial partitions) or an adjacency ``(K, V, V)``, used where the
            batch has no graph of its own.
        layers: above 1, one graph for each of so many aggregation layers: ``(N, L, K, V, V)``.
        keep_self_loops: never drop the diagonal.
        p: probability per sample.

    Raises:
        TypeError: the input is a Tensor; wrap it in a SkeletonBatch.
        ValueError: neither ``graph=`` nor a batch with a graph.

    Source: HiCLR (AAAI 2023), "Drop/Add Edges", rate 0.1 (never called by its code).

    Example:
        >>> from skelaug import skeletons
        >>> batch = DropEdges(0.1, skeletons["ntu25"])(SkeletonBatch(torch.randn(8, 3, 50, 25, 2)))
        >>> batch.graph.shape
        torch.Size([8, 3, 25, 25])
    """

    shapes = "drop: bool G"
    _adjacency: Tensor | None

    def __init__(
        self,
        max_ratio: float = 0.1,
        graph: Skeleton | Tensor | str | None = None,
        layers: int = 1,
        keep_self_loops: bool = True,
        p: float = 1.0,
    ) -> None:
        super().__init__(p)
        self.max_ratio = check.number("DropEdges", "max_ratio", max_ratio, low=0, high=1)
        self.graph = check.skeleton("DropEdges", graph, "graph") if isinstance(graph, str) else graph
        self.register_buffer("_adjacency", adjacency("DropEdges", self.graph), persistent=False)
        self.layers = check.count("DropEdges", "layers", layers)
        self.keep_self_loops = check.choice("DropEdges", "keep_self_loops", keep_self_loops, (True, False))

    def base_graph(self, batch: SkeletonBatch) -> Tensor:
        """The graph that the transform starts from."""
        return base_graph("DropEdges", batch, self._adjacency, self.layers)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        graph = self.base_graph(batch)
        drop = edge_draws(rng, graph, self.max_ratio)
        if self.keep_self_loops:
            drop = drop & ~torch.eye(graph.shape[-1], dtype=torch.bool, device=drop.device)
        return {"drop": drop}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return batch.with_parts(graph=fg.drop_edges(self.base_graph(batch), params["drop"]))

    def replay_batch(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        # The graph comes first, so that a sample that is gated out keeps it.
        return super().replay_batch(batch.with_parts(graph=self.base_graph(batch)), params)


@final
class AddEdges(Transform):
    """Add random edges: zero entries become 1, then all is scaled so that the total weight of each graph is kept.

    Drawn per sample and layer: a rate r ~ U(0, ``max_ratio``), then for each entry of the ``(K, V, V)`` adjacency
    whether it becomes an edge (if it is none), with probability r.

    Args:
        max_ratio: largest rate, in [0, 1].
        graph: a Skeleton or the name of one (its spatial partitions) or an adjacency ``(K, V, V)``, used where the
            batch has no graph of its own.
        layers: above 1, one graph for each of so many aggregation layers: ``(N, L, K, V, V)``.
        p: probability per sample.

    Raises:
        TypeError: the input is a Tensor; wrap it in a SkeletonBatch.
        ValueError: neither ``graph=`` nor a batch with a graph.

    A graph without zero entries, such as DSTA's of ones, has no room for another edge and stays as it is.

    Source: HiCLR (AAAI 2023), "Drop/Add Edges", rate 0.05 (commented out in its code).

    Example:
        >>> from skelaug import skeletons
        >>> batch = AddEdges(0.05, skeletons["ntu25"])(SkeletonBatch(torch.randn(8, 3, 50, 25, 2)))
        >>> batch.graph.shape
        torch.Size([8, 3, 25, 25])
    """

    shapes = "add: bool G"
    _adjacency: Tensor | None

    def __init__(
        self, max_ratio: float = 0.05, graph: Skeleton | Tensor | str | None = None, layers: int = 1, p: float = 1.0
    ) -> None:
        super().__init__(p)
        self.max_ratio = check.number("AddEdges", "max_ratio", max_ratio, low=0, high=1)
        self.graph = check.skeleton("AddEdges", graph, "graph") if isinstance(graph, str) else graph
        self.register_buffer("_adjacency", adjacency("AddEdges", self.graph), persistent=False)
        self.layers = check.count("AddEdges", "layers", layers)

    def base_graph(self, batch: SkeletonBatch) -> Tensor:
        """The graph that the transform starts from."""
        return base_graph("AddEdges", batch, self._adjacency, self.layers)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"add": edge_draws(rng, self.base_graph(batch), self.max_ratio)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return batch.with_parts(graph=fg.add_edges(self.base_graph(batch), params["add"]))

    def replay_batch(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        # The graph comes first, so that a sample that is gated out keeps it.
        return super().replay_batch(batch.with_parts(graph=self.base_graph(batch)), params)


def adjacency(who: str, graph: Skeleton | Tensor | None) -> Tensor | None:
    """The adjacency ``(K, V, V)`` of what was given as a graph."""
    if isinstance(graph, Skeleton):
        return graph.partitions("spatial")
    if graph is None:
        return None
    if not isinstance(graph, Tensor) or not graph.is_floating_point():
        raise TypeError(f"{who}(graph=…): graph must be a Skeleton or a floating-point Tensor (K, V, V), got {graph!r}")
    if graph.ndim != 3 or graph.shape[1] != graph.shape[2]:
        raise ValueError(f"{who}(graph=…): an adjacency must be (K, V, V), got {tuple(graph.shape)}")
    return graph


def base_graph(who: str, batch: SkeletonBatch, own: Tensor | None, layers: int) -> Tensor:
    """The batch's graph, else the transform's own: ``(N, K, V, V)`` or, with layers, ``(N, L, K, V, V)``."""
    graph = batch.graph
    if graph is None:
        if own is None:
            raise ValueError(
                f"{who}: no graph to act on: pass {who}(graph=…), a Skeleton or an adjacency (K, V, V), or a "
                f"SkeletonBatch "
                f"whose graph is set"
            )
        if own.shape[-1] != batch.x.shape[3]:
            raise ValueError(f"{who}(graph=…): the graph has {own.shape[-1]} joints, x has {batch.x.shape[3]}")
        graph = own.to(batch.device, non_blocking=True).expand(len(batch), *own.shape)
    if layers > 1 and graph.ndim == 4:
        graph = graph[:, None].expand(-1, layers, -1, -1, -1)
    if layers > 1 and graph.shape[1] != layers:
        raise ValueError(f"{who}(layers={layers}): the batch's graph has {graph.shape[1]} layers: {tuple(graph.shape)}")
    return graph


def edge_draws(rng: Rng, graph: Tensor, max_ratio: float) -> Tensor:
    """bool, shaped like ``graph``: each entry True with a probability drawn per sample and layer."""
    rate = rng.uniform(*graph.shape[1:-3], 1, 1, 1) * max_ratio
    return rng.uniform(*graph.shape[1:]) < rate
