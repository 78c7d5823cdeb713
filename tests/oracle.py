"""Compositions by the plainest means: one member after another, each by its own public ``replay``.

Nothing here uses ``skelaug/members.py``, ``compose.py`` and ``policy.py`` but the names of their classes. A
:class:`Recorder` between members notes what its draw is shown; :func:`one_by_one` says what that should have been.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, final

import torch
from promises import same_bits
from torch import Tensor

from skelaug import Compose, OneOf, SkeletonBatch, Transform

_numbers = itertools.count()
#: What each recorder's draw was shown last, by the recorder's number.
SHOWN: dict[int, Seen] = {}


@dataclass
class Seen:
    """A batch as a recorder was shown it, or should have been; ``on (N,)`` marks the samples for which that counts."""

    x: Tensor
    mask: Tensor
    on: Tensor


@final
class Recorder(Transform):
    """Changes nothing, and notes in :data:`SHOWN`, under its ``number``, what its draw is shown.

    Args:
        reads_data: it says that its draw reads the data, and so must be shown them; else only who is present.
    """

    shapes = ""  # else replay would draw to see what the params look like

    def __init__(self, reads_data: bool) -> None:
        super().__init__()
        self.reads_data, self.number = reads_data, next(_numbers)
        self.data_dependent = reads_data

    def draw(self, batch: SkeletonBatch, rng: Any) -> dict[str, Any]:
        SHOWN[self.number] = Seen(batch.x.clone(), batch.mask.clone(), torch.ones(len(batch), dtype=torch.bool))
        return {}

    def op(self, batch: SkeletonBatch, params: dict[str, Any]) -> SkeletonBatch:
        return batch


@dataclass
class Walk:
    """What one member after another gives.

    Attributes:
        noise: draws for a little noise on the data after every member: what it changes much is ill-conditioned (the
            direction between two joints in one place), so that rounding may decide it too.
        fixed: members whose draws have no chance in them; their params must be what ``sample`` gives on their own,
            unless they read the data, which rounding may decide.
        wrong: those for which they are not, in words.
    """

    noise: torch.Generator | None = None
    fixed: frozenset[type] = frozenset()
    seen: dict[int, Seen] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def step(self, transform: Transform, batch: SkeletonBatch, params: Any, on: Tensor) -> SkeletonBatch:
        """Apply one transform, member by member if it is a Compose or OneOf.

        Args:
            transform: what is applied.
            batch: who comes in.
            params: of the transform.
            on: bool ``(N,)``, the samples that get here; the others' results are not used.
        """
        if isinstance(transform, Recorder):
            self.seen[transform.number] = Seen(batch.x, batch.mask, on)
            return batch
        if not isinstance(transform, Compose | OneOf):
            self._compare(transform, batch, params, on)
            out = transform.replay(batch, params)
            if self.noise is None:
                return out
            noise = torch.randn(out.x.shape, generator=self.noise, dtype=out.x.dtype)
            return out.replace(x=out.x * (1 + 1e-6 * noise))
        gate = params["apply"] if "apply" in params else torch.ones(len(batch), dtype=torch.bool)
        if isinstance(transform, Compose):
            out = batch
            for member, drawn in zip(transform, params["members"], strict=True):
                out = self.step(member, out, drawn, on & gate)
            return choose(gate, out, batch)
        out = batch
        for i, (member, drawn) in enumerate(zip(transform, params["members"], strict=True)):
            chosen = gate & (params["choice"] == i)
            out = choose(chosen, self.step(member, batch, drawn, on & chosen), out)
        return out

    def _compare(self, transform: Transform, batch: SkeletonBatch, params: Any, on: Tensor) -> None:
        if type(transform) in self.fixed and not transform.data_dependent and self.noise is None:
            alone = transform.sample(batch, keys=torch.zeros(len(batch), dtype=torch.int64))
            for name in alone.keys() & params.keys() - {"apply"}:
                if not same_bits(alone[name][on], params[name][on]):
                    self.wrong.append(f"{transform!r} drew {name} for another presence")


def one_by_one(
    transform: Transform, batch: SkeletonBatch, params: Any, *, noise: torch.Generator | None = None, fixed: Any = ()
) -> tuple[SkeletonBatch, Walk]:
    """The result of drawn params applied member by member, and what was seen on the way."""
    walk = Walk(noise, frozenset(fixed))
    return walk.step(transform, batch, params, torch.ones(len(batch), dtype=torch.bool)), walk


def choose(keep: Tensor, new: SkeletonBatch, old: SkeletonBatch) -> SkeletonBatch:
    """``new`` for the samples that ``keep (N,)`` marks, else ``old``, by joining samples one at a time."""
    if bool(keep.all()):
        return new
    parts = [(new if yes else old)[i] for i, yes in enumerate(keep.tolist())]
    return SkeletonBatch.cat(parts)
