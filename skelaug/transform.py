"""The one base class: a transform draws parameters per sample, then applies them as a pure function."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from skelaug import linear, rows
from skelaug.batch import SkeletonBatch, check_x, infer_presence
from skelaug.lanes import Asked, Number
from skelaug.random import Rng
from skelaug.skeleton import Skeleton

__all__ = ["Params", "Transform"]

# glibc gives freed memory back to the system at once, and takes it anew page by page, until a process has freed a large
# block; a trainer soon has, a script that only augments has not, and is several times slower. Pages are never touched.
torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)

Params = dict[str, Any]  # a pytree of tensors, each with N first


class Transform(nn.Module):
    """Abstract base of every transform; every subclass is final.

    A subclass gives two hooks: ``draw`` makes all random numbers, one row a sample, and ``op`` applies them,
    deterministic and differentiable and without a host sync. A third, ``numbers``, says which uniform numbers ``draw``
    wants, so that a policy can draw those of all its members at once. A linear transform's draw gives a factor (see
    :mod:`skelaug.linear`), which needs no ``op`` and which ``Compose`` joins with its neighbours.

    Gating by ``p``, presence, autocast and checks are handled here. Nothing is ever stored on ``self`` by a call.

    Args:
        p: probability, per sample, that the transform is applied. Where it is not, the sample is bit-equal to its
            input. Below 1, the params hold ``apply``, bool ``(N,)``.
    """

    linear: bool = False
    """``draw`` gives a factor."""
    draws_from: Literal["shape", "span", "presence", "data"] = "shape"
    """What ``draw`` reads of the batch; of presence, ``"span"`` is the first and the last frame with anybody in it."""
    op_presence: bool = False
    """``op`` needs to know who is present."""
    moves_presence: bool = False
    """``op`` changes T or who is present where."""
    keeps_span: bool = False
    """But the first and the last frame with anybody in it stay as they are."""
    length: int | None = None
    """T of the output, where the transform changes it."""
    gates_itself: bool = False
    """``op`` leaves samples alone whose ``params["apply"]`` is False, at less cost than a choice afterwards."""
    on_stream: bool = False
    """Acts on the stream that the encoder sees, after the change from joints to bones or motion."""
    on_graph: bool = False
    """Acts on the graph: the result is always a SkeletonBatch."""
    skeleton: Skeleton | None = None

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}(p={p!r}): p must be a probability, 0 ≤ p ≤ 1, got {p!r}")
        self.p = float(p)

    def numbers(self, batch: SkeletonBatch) -> Sequence[Number]:
        """Which uniform numbers ``draw`` will find in ``rng.numbers``: a policy draws those of all members at once.

        They may depend on the channels, joints and persons of the batch, but not on its frames.
        """
        return ()

    def asks(self, batch: SkeletonBatch) -> Asked:
        """What to make a lane ready with."""
        return self.p, tuple(self.numbers(batch))

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        """Hook 1: every random number, as a dict of tensors with N first."""
        return {}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        """Hook 2: apply the params."""
        return linear.apply(batch, linear.of(params))

    def sample(
        self, x: Tensor | SkeletonBatch, *, generator: torch.Generator | None = None, keys: Tensor | None = None
    ) -> Params:
        """Draw the parameters for a batch, without applying them.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch.
            generator: draw from it instead of the global generator of the device of ``x``.
            keys: int64 ``(N,)`` from :func:`skelaug.random.keys`: counter-based draws, one key a sample.

        Returns:
            A dict of tensors with N first; slice every leaf to replay a part of the batch.
        """
        batch = self.enter(x, presence=self.draws_from != "shape")
        return self.sample_exact(batch, Rng(len(batch), batch.device, generator=generator, keys=keys))

    @overload
    def replay(self, x: Tensor, params: Params) -> Tensor: ...
    @overload
    def replay(self, x: SkeletonBatch, params: Params) -> SkeletonBatch: ...
    def replay(self, x: Tensor | SkeletonBatch, params: Params) -> Tensor | SkeletonBatch:
        """Apply drawn parameters: pure, differentiable, compiles with ``fullgraph=True``."""
        batch = self.enter(x, presence=self.op_presence)
        for count in _row_counts(params):
            if count != len(batch):
                raise ValueError(
                    f"{type(self).__name__}.replay: params are for {count} samples, x has {len(batch)}; slice or "
                    f"expand every leaf of params along its first axis"
                )
        return self.leave(x, self.replay_exact(batch, params))

    @overload
    def forward(
        self,
        x: Tensor,
        *,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        return_params: Literal[False] = False,
    ) -> Tensor: ...
    @overload
    def forward(
        self,
        x: SkeletonBatch,
        *,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        return_params: Literal[False] = False,
    ) -> SkeletonBatch: ...
    @overload
    def forward(
        self,
        x: Tensor | SkeletonBatch,
        *,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        return_params: Literal[True],
    ) -> tuple[Any, Params]: ...
    def forward(
        self,
        x: Tensor | SkeletonBatch,
        *,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        return_params: bool = False,
    ) -> Any:
        """Draw and apply, bit-equal to ``replay(x, sample(x))``; a Tensor or SkeletonBatch gives its like.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch.
            generator: see :meth:`sample`.
            keys: see :meth:`sample`.
            return_params: return ``(y, params)``: the mask of a masked pre-training, the matrix of a rotation.
        """
        batch = self.enter(x, presence=self.op_presence or self.draws_from != "shape")
        params = self.sample_exact(batch, Rng(len(batch), batch.device, generator=generator, keys=keys))
        y = self.leave(x, self.replay_exact(self.settle(x, batch), params))
        return (y, params) if return_params else y

    def enter(self, x: Tensor | SkeletonBatch, *, presence: bool) -> SkeletonBatch:
        """A batch of ``x``; presence of a plain tensor is inferred here, once, at the outermost call, if asked for."""
        if isinstance(x, SkeletonBatch):
            return x._whole_persons()
        check_x(x, type(self).__name__)
        return SkeletonBatch._trusted(x, infer_presence(x) if presence else None, None, None)

    def settle(self, x: Tensor | SkeletonBatch, batch: SkeletonBatch) -> SkeletonBatch:
        """The batch for ``op``, after the draws: a presence that was inferred for them alone need not be carried on."""
        carried = isinstance(x, SkeletonBatch) or self.op_presence or self.on_graph
        return batch if carried else batch.replace(mask=None)

    def leave(self, x: Tensor | SkeletonBatch, batch: SkeletonBatch) -> Tensor | SkeletonBatch:
        """The result in the form in which ``x`` came; a graph needs a SkeletonBatch to travel in."""
        return batch._every_joint() if isinstance(x, SkeletonBatch) or self.on_graph else batch.x

    def _sample(self, batch: SkeletonBatch, rng: Rng) -> Params:
        self.check_joints(batch)
        if not rng.is_ready:
            rng = rng.ready(self.asks(batch))
        params = self.draw(batch, rng)
        return params if rng.keep is None else params | {"apply": rng.keep}

    def _replay(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        self.check_joints(batch)
        if "apply" not in params or self.on_graph:  # a graph comes into being in op, which gates it
            return self.op(batch, params)
        return apply_where(params["apply"], self.op, batch, params, gated=self.gates_itself)

    def sample_exact(self, batch: SkeletonBatch, rng: Rng) -> Params:
        """Draw with autocast off, and nothing on the tape."""
        with torch.no_grad(), without_autocast(batch.device):
            return self._sample(batch, rng)

    def replay_exact(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        """Replay with autocast off: a float32 batch stays float32 inside a trainer."""
        with without_autocast(batch.device):
            return self._replay(batch, params)

    def check_joints(self, batch: SkeletonBatch) -> None:
        """Raise if the data has another number of joints than the transform's skeleton."""
        if self.skeleton is not None and batch.x.shape[3] != len(self.skeleton):
            raise ValueError(
                f"{type(self).__name__}: skeleton {self.skeleton.name!r} has {len(self.skeleton)} joints, x has "
                f"{batch.x.shape[3]} (axis 3 of {tuple(batch.x.shape)}); pass the skeleton of the data"
            )

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments as given, without those that equal their default."""
        found = {}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name == "self":
                continue
            value = self._argument(name)
            if parameter.default is inspect.Parameter.empty or not _same(value, parameter.default):
                found[name] = value
        return found

    def _argument(self, name: str) -> Any:
        return getattr(self, name)

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self).__init__).parameters
        parts = [
            repr(value) if parameters[name].default is inspect.Parameter.empty else f"{name}={value!r}"
            for name, value in self.arguments().items()
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


def _row_counts(params: Any) -> Iterator[int]:
    """N of every tensor in params; a pytree's own walk takes as long as applying a matrix."""
    if isinstance(params, Tensor):
        yield params.shape[0]
    else:
        for part in params.values() if isinstance(params, dict) else params:
            yield from _row_counts(part)


def without_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """A context in which autocast is off on ``device``, which need not know autocast at all."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and not isinstance(value, Tensor) and value == default)


def apply_where(
    keep: Tensor,
    op: Callable[[SkeletonBatch, Params], SkeletonBatch],
    batch: SkeletonBatch,
    params: Params,
    *,
    gated: bool = False,
) -> SkeletonBatch:
    """``op`` for the samples that ``keep (N,)`` marks; the others stay, bit for bit.

    Args:
        keep: bool ``(N,)``.
        op: what to do; each sample's result must depend on that sample alone.
        batch: the samples.
        params: of ``op``, with N first.
        gated: ``op`` leaves the others alone by itself.
    """
    if gated:
        return op(batch, params)
    chosen = rows.known(keep)
    if chosen is None:
        return select(keep, op(batch.replace(), params), batch)
    part = batch._map(lambda v: rows.take(v, chosen))._made_from(batch)
    new = op(part, pytree.tree_map(lambda v: rows.take(v, chosen), params))

    def merge(whole: Tensor | None, before: Tensor | None, after: Tensor | None) -> Tensor | None:
        if whole is None or after is None or (after is before and not (part._own and after is part.x)):
            return whole
        return rows.put(whole, chosen, after, own=batch._own and whole is batch.x)

    out = SkeletonBatch._trusted(*map(merge, batch._parts(), part._parts(), new._parts()))  # type: ignore[arg-type]
    return out._made_from(batch)


def select(keep: Tensor, new: SkeletonBatch, old: SkeletonBatch) -> SkeletonBatch:
    """``new`` where ``keep (N,)``, else ``old``, bit for bit."""

    def choose(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        if a is None or b is None or a is b:
            return a
        return torch.where(keep.view(-1, *(1,) * (a.ndim - 1)), a, b)

    parts = (choose(a, b) for a, b in zip(new._parts(), old._parts(), strict=True))
    return SkeletonBatch._trusted(*parts)  # type: ignore[arg-type]
