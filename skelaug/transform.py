"""The one base class: a transform draws parameters per sample, then applies them as a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import torch
from torch import Tensor

from skelaug import calls, change, check, gate, host, workers
from skelaug.batch import Data, SkeletonBatch
from skelaug.compile import OwnReplay
from skelaug.params import Params, check_params
from skelaug.random import Rng, Source
from skelaug.readonly import ReadOnly
from skelaug.skeleton import Skeleton

__all__ = ["Params", "Transform"]


class Transform(OwnReplay, ReadOnly):
    """Abstract base of every transform; every subclass is final, and its arguments are read-only.

    A subclass gives two hooks: ``draw`` makes all random numbers, one row a sample; ``op`` applies them, deterministic,
    differentiable and without a host sync. A linear transform needs no ``op``, and ``Compose`` joins it with its
    neighbours. What a class declares, an instance may narrow in ``__init__``. A call stores nothing on ``self``.

    Args:
        p: probability per sample; a sample that is gated out stays bit-equal. Below 1, params hold ``apply (N,)``.
    """

    linear: bool = False  # the params are a Change
    data_dependent: bool = False  # draw reads the data, not only its shape and who is present
    moves_presence: bool = False  # op changes T, or who is present where
    on_stream: bool = False  # acts on what the encoder sees, after joints became bones or motion
    length: int | None = None  # T of the result, where the transform changes it
    skeleton: Skeleton | None = None  # whose joints the data must have
    shapes: str | None = None  # names, types and axes of the params, as skelaug.params reads them

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        self.p = check.probability(type(self).__name__, p)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        """Hook 1: every random number, as a dict of tensors with N first."""
        return {}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        """Hook 2: apply the params."""
        return change.apply(batch, change.Change.of(params, *check.named_channels(self)))

    def sample(self, x: Tensor | SkeletonBatch, **source: Unpack[Source]) -> Params:
        """Draw the parameters for a batch, without applying them: see :meth:`forward`."""
        batch = SkeletonBatch.of(x, type(self).__name__)
        return self.sample_batch(batch, workers.rng(len(batch), batch.device, **source))

    def replay(self, x: Data, params: Params) -> Data:
        """Apply drawn parameters, whole or sliced: pure, differentiable, compiles with ``fullgraph=True``."""
        batch = SkeletonBatch.of(x, type(self).__name__)
        self.check_params(batch, params)
        return self.replay_batch(batch, params).like(x)  # type: ignore[no-any-return]

    @overload
    def forward(self, x: Data, *, return_params: Literal[False] = False, **source: Unpack[Source]) -> Data: ...
    @overload
    def forward(self, x: Data, *, return_params: Literal[True], **source: Unpack[Source]) -> tuple[Data, Params]: ...
    def forward(self, x: Any, *, return_params: bool = False, **source: Unpack[Source]) -> Any:
        """Draw and apply, bit-equal to ``replay(x, sample(x))``; a Tensor or SkeletonBatch gives its like.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch.
            return_params: return ``(y, params)``: the mask of a masked pre-training, the matrix of a rotation.
            **source: ``generator`` or ``keys``, see :class:`skelaug.random.Source`.
        """
        batch = SkeletonBatch.of(x, type(self).__name__)
        params = self.sample_batch(batch, workers.rng(len(batch), batch.device, **source))
        y = self.replay_batch(batch, params).like(x)
        return (y, params) if return_params else y

    if TYPE_CHECKING:
        __call__: calls.CallTransform

    def sample_batch(self, batch: SkeletonBatch, rng: Rng) -> Params:
        """What a container calls: gate, then draw; off the tape, autocast off."""
        check.data(self, batch.x)
        with torch.no_grad(), host.without_autocast(batch.device):
            keep = rng.chance(self.p)
            params = self.draw(batch, rng)
        return params if self.p == 1 else {**params, "apply": keep}

    def replay_batch(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        """What a container calls: ``op`` for the samples that are not gated out, autocast off."""
        with host.without_autocast(batch.device):
            if "apply" not in params:
                return self.op(batch, params)
            return gate.apply_where(params["apply"], self.op, batch, params)

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        """What ``replay`` checks; containers ask their members."""
        check_params(self, batch, params)
