"""From a batch to its people and back: only who is there is encoded, counted in batch norm, and pooled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skelaug import Skeleton, SkeletonBatch, check, host
from skelaug_contrib import arguments

__all__ = ["PersonEncoder", "people"]


def people(mask: Tensor) -> Tensor:
    """The slots of the people who are there: for a loader, on the CPU, where counting them waits for no device.

    Args:
        mask: bool ``(N, T, V, M)``, see :class:`skelaug.SkeletonBatch`.

    Returns:
        int64 ``(P,)``, ascending: n · M + m of every person m of sample n who is observed in any frame.

    Example:
        >>> mask = torch.zeros(2, 5, 25, 2, dtype=torch.bool)
        >>> mask[0, :, :, 1] = mask[1, 3, 7, 0] = True
        >>> people(mask)
        tensor([1, 2])
    """
    return _anywhere(arguments.tensor("people", "mask", mask, "N T V M", "bool")).nonzero()[:, 0]


def _anywhere(mask: Tensor) -> Tensor:
    """Bool ``(N · M,)``: the person is observed in some frame."""
    return mask.any(2).any(1).flatten()


class PersonEncoder(nn.Module, ABC):
    """An encoder of single people, made into one of samples: features are averaged over a sample's people.

    Args:
        skeleton: of the data.
        channels: coordinates a joint.
        graph: base graph ``(K, V, V)``, [k, j, i] weighing joint j in what joint i receives.
        layers: number of layers that pass features along a graph.
        width: D, the size of a feature.
        persons: ``"present"``: encode who is there, average over them, zeros where nobody is. ``"all"``: as the
            reference code does, encode all M slots, absent ones as sequences of zeros, and average over M.

    Attributes:
        graph: the base graph: what :class:`skelaug.transforms.DropEdges` and ``AddEdges`` start from.
    """

    graph: Tensor

    def __init__(self, skeleton: Skeleton, channels: int, graph: Tensor, layers: int, width: int, persons: str) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.channels = channels
        self.layers = layers
        self.width = width
        self.persons = check.choice(type(self).__name__, "persons", persons, ("present", "all"))
        self.register_buffer("graph", graph, persistent=False)

    @abstractmethod
    def encode(self, x: Tensor, graphs: list[Tensor], present: Tensor | None) -> Tensor:
        """Encode people.

        Args:
            x: ``(P, C, T, V)``, a view of any memory order.
            graphs: one a layer, ``(K, V, V)`` or, per person, ``(P, K, V, V)``.
            present: bool ``(P,)`` where some of them are nobody, to be left out of all statistics.

        Returns:
            ``(P, D)``.
        """

    def forward(self, x: Tensor | SkeletonBatch, people: Tensor | None = None) -> Tensor:
        """Features ``(N, D)`` of a batch.

        Args:
            x: ``(N, C, T, V, M)``, where a person whose joints are all 0 is absent, or a SkeletonBatch. A graph of
                the batch, ``(N, K, V, V)`` or ``(N, layers, K, V, V)``, replaces the base graph in training mode.
            people: int64 ``(P,)``, the slots n · M + m to encode, each once, as :func:`people` finds them. On a CPU it
                may be left out. On an accelerator, where counting people would wait for the device, leaving it out
                encodes every slot and ignores the absent ones: the same result for more work. People who are listed
                but absent (augmentation cropped them away) count for nothing in the average; on an accelerator they
                still pass through batch norm, as sequences of zeros.

        Raises:
            TypeError: ``x`` or ``people`` is of the wrong type.
            ValueError: a shape or a device does not fit the encoder, or a slot is not in the batch.
        """
        who = type(self).__name__
        wanted = "a SkeletonBatch or a tensor (N, C, T, V, M)"
        arguments.instance(who, "x", x, SkeletonBatch | Tensor, wanted)  # type: ignore[arg-type]
        if isinstance(x, Tensor):
            arguments.tensor(who, "x", x, "N C T V M")
        batch = x if isinstance(x, SkeletonBatch) else SkeletonBatch(x)
        self._check(batch, people)
        slots = _Slots.of(batch, people, self.persons)
        features = self.encode(slots.pack(batch.x), self._graphs(batch, slots), slots.present)
        return slots.pool(features)

    def _graphs(self, batch: SkeletonBatch, slots: _Slots) -> list[Tensor]:
        if batch.graph is None or not self.training:
            return [self.graph] * self.layers
        graph = slots.spread(batch.graph.to(self.graph.dtype))
        return [graph] * self.layers if graph.ndim == 4 else list(graph.unbind(1))

    def _check(self, batch: SkeletonBatch, people: Tensor | None) -> None:
        who, v = type(self).__name__, len(self.skeleton)
        if batch.x.device != self.graph.device:
            raise ValueError(
                f"{who}(x=…): x is on {batch.x.device}, the encoder on {self.graph.device}; move one of them"
            )
        shape = tuple(batch.x.shape)
        if shape[1] != self.channels or shape[3] != v or shape[2] < 1:
            raise ValueError(
                f"{who}(x=…): made for {self.channels} channels and the {v} joints of {self.skeleton!r}, needs "
                f"(N, {self.channels}, T, {v}, M) with T ≥ 1, got {shape}"
            )
        if self.training and batch.graph is not None:
            got, k = tuple(batch.graph.shape[1:-2]), self.graph.shape[0]
            if got not in ((k,), (self.layers, k)):
                raise ValueError(
                    f"{who}(x=…): the batch's graph must be (N, {k}, {v}, {v}) or (N, {self.layers}, {k}, {v}, {v}), "
                    f"got {tuple(batch.graph.shape)}; DropEdges and AddEdges take graph=encoder.graph, "
                    f"layers=encoder.layers"
                )
        if people is not None:
            without_values = isinstance(people, Tensor) and people.is_meta
            arguments.tensor(who, "people", people, "P", "int64", like=batch.x if without_values else None)


@dataclass(frozen=True)
class _Slots:
    """The N · M places of a batch, and which of them are encoded.

    Args:
        n: samples.
        m: persons a sample.
        rows: int64 ``(P,)``, the places that are encoded; ``None`` for all.
        counts: bool ``(P,)``, of those, whether it enters the average; ``None`` for all.
        present: bool ``(P,)``, whether it enters the statistics of batch norm; ``None`` for all.
        over_all: average over M, whoever is there.
    """

    n: int
    m: int
    rows: Tensor | None = None
    counts: Tensor | None = None
    present: Tensor | None = None
    over_all: bool = False

    @classmethod
    def of(cls, batch: SkeletonBatch, people: Tensor | None, persons: str) -> _Slots:
        n, m = batch.x.shape[0], batch.x.shape[4]
        if persons == "all":
            return cls(n, m, over_all=True)
        assert batch.mask is not None
        there = _anywhere(batch.mask)
        if host.readable(there):
            return cls(n, m, host.rows(there if people is None else there & _marked(people, n * m)))
        if people is None:
            return cls(n, m, None, there, there)
        rows = people.to(there.device, non_blocking=True)
        return cls(n, m, rows, there.index_select(0, rows))

    def pack(self, x: Tensor) -> Tensor:
        """``(N, C, T, V, M)`` to ``(P, C, T, V)``."""
        slots = x.movedim(4, 1).reshape(self.n * self.m, *x.shape[1:4])
        return slots if self.rows is None or len(self.rows) == len(slots) else slots.index_select(0, self.rows)

    def spread(self, graph: Tensor) -> Tensor:
        """From one graph a sample to one a person: ``(N, …)`` to ``(P, …)``."""
        if self.rows is None:
            return graph.repeat_interleave(self.m, 0)
        return graph.index_select(0, self.rows // self.m)

    def pool(self, features: Tensor) -> Tensor:
        """``(P, D)`` to ``(N, D)``: the mean over a sample's people, zeros where there are none."""
        if self.over_all:
            return features.view(self.n, self.m, features.shape[1]).mean(1)
        counts = features.new_ones(len(features)) if self.counts is None else self.counts.to(features.dtype)
        if self.counts is not None:
            features = torch.where(self.counts[:, None], features, 0)
        if self.rows is not None:  # into its place, not onto a sum: the same bits on every device and run
            features = features.new_zeros(self.n * self.m, features.shape[1]).index_copy(0, self.rows, features)
            counts = counts.new_zeros(self.n * self.m).index_copy(0, self.rows, counts)
        shape = (self.n, self.m)
        total = counts.view(shape).sum(1, keepdim=True).clamp(min=1)
        return features.view(*shape, features.shape[1]).sum(1) / total


def _marked(places: Tensor, size: int) -> Tensor:
    """Bool ``(size,)``: True at the places; the host reads them."""
    places = places.cpu()
    wrong = places[(places < 0) | (places >= size)]
    if len(wrong):
        raise ValueError(f"people: slots must be 0 … {size - 1} (N · M = {size}), got {int(wrong[0])}")
    return torch.zeros(size, dtype=torch.bool).index_fill(0, places, True)
