"""Transforms of transforms: ``Compose``, one after another, and ``OneOf``, one of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import final

import torch

from skelaug import check, gate, host
from skelaug.batch import SkeletonBatch
from skelaug.members import (
    acts_on_graph,
    apply_in_order,
    check_count,
    check_in_order,
    check_members,
    draw_in_order,
    inherit,
)
from skelaug.params import check_names, check_rows
from skelaug.random import Rng
from skelaug.readonly import Members
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["Compose", "OneOf"]


@final
class Compose(Transform):
    """Apply transforms in order; neighbouring linear transforms are applied at once.

    Drawn per sample: every member's params, in its own substream (its position), so that equal members differ and
    changing one moves no other's keyed draws. The params hold ``members``, a tuple.

    Args:
        members: transforms, policies of one view included.
        p: probability per sample that the whole is applied.
        skeleton: of the data, whose number of joints is then checked.

    Raises:
        TypeError: a member is no Transform.
        ValueError: ``p < 1`` with a member that changes the number of frames or acts on the graph.

    Example:
        >>> from skelaug.transforms import Rotate, Shear
        >>> Compose([Shear(0.5), Rotate(30)])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, members: Iterable[Transform], p: float = 1.0, skeleton: Skeleton | None = None) -> None:
        super().__init__(p)
        self.members = Members(check_members("Compose", members))
        self.skeleton = None if skeleton is None else check.skeleton("Compose", skeleton)
        inherit(self, self)
        if self.p < 1 and acts_on_graph(self):
            raise ValueError(
                f"Compose(p={p}): members that act on the graph allow p=1 only; give them the p, got p={p}"
            )
        if self.p < 1 and self.length is not None:
            raise ValueError(f"Compose(p={p}): members that change the number of frames allow p=1 only, got p={p}")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"members": draw_in_order(enumerate(self), batch, rng)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return apply_in_order(zip(self, params["members"], strict=True), batch)

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check.joints("Compose", self.skeleton, batch.x)
        check_in_order("Compose", list(self), batch, params)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> Transform:
        return self.members[index]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]


@final
class OneOf(Transform):
    """Apply one of several transforms, chosen per sample.

    On a CPU a branch runs on the samples that chose it. Elsewhere, and where it is compiled, every branch runs on the
    whole batch and ``torch.where`` picks: no host sync, and the shapes stay fixed.

    Drawn per sample: the branch, and every branch's params in its own substream. The params hold ``choice``, int64
    ``(N,)``, and ``members``.

    Args:
        members: the branches; none may change the number of frames or act on the graph.
        weights: relative probability of each branch; ``None`` for equal ones.
        p: probability per sample that any is applied.

    Raises:
        TypeError: a branch is no Transform, or ``weights`` is no list.
        ValueError: no branch, one that changes the number of frames or acts on the graph, or weights that do not fit.

    Example:
        >>> from skelaug.transforms import Rotate, Shear
        >>> OneOf([Shear(0.5), Rotate(30)])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, members: Iterable[Transform], weights: Sequence[float] | None = None, p: float = 1.0) -> None:
        super().__init__(p)
        self.members = Members(check_members("OneOf", members))
        if not len(self.members):
            raise ValueError("OneOf([]): give at least one branch")
        inherit(self, self)
        if self.length is not None or acts_on_graph(self):
            raise ValueError("OneOf: a branch must not change the number of frames or act on the graph")
        if weights is not None and not isinstance(weights, list | tuple):
            raise TypeError(f"OneOf(weights={weights!r}): weights must be a list of numbers, one a branch")
        self.weights = None if weights is None else tuple(weights)
        if self.weights is not None:
            if len(self.weights) != len(self.members):
                raise ValueError(
                    f"OneOf(weights={weights!r}): needs one weight a branch, {len(self.members)}, got "
                    f"{len(self.weights)}"
                )
            for weight in self.weights:
                check.number("OneOf", "weights", weight, low=0)
            if sum(self.weights) <= 0:
                raise ValueError(f"OneOf(weights={weights!r}): at least one weight must be above 0")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        shares = self.weights or [1.0] * len(self.members)
        u = rng.uniform()
        choice = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
        bound = 0.0
        for share in shares[:-1]:
            bound += share / sum(shares)
            choice = choice + (u >= bound)
        substreams = rng.split(range(len(self.members)))
        params = (member.sample_batch(batch, stream) for member, stream in zip(self, substreams, strict=True))
        return {"choice": choice, "members": tuple(params)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        out = batch
        for i, member in enumerate(self):
            scratch = None if out.x is batch.x or host.differentiated(out.x) else out.x
            out = gate.apply_where(params["choice"] == i, member.replay_batch, out, params["members"][i], scratch)
        return out

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check_rows("OneOf.replay", batch, params)
        check_names("OneOf.replay", params, {"choice", "members"})
        check_count("OneOf", "members", params["members"], len(self.members))
        choice = params["choice"]
        if choice.shape != (len(batch),) or choice.dtype != torch.int64:
            raise ValueError(f"OneOf.replay: params['choice'] must be int64 ({len(batch)},), got {choice.dtype}")
        if host.readable(choice) and ((choice < 0) | (choice >= len(self.members))).any():
            raise ValueError(f"OneOf.replay: params['choice'] must lie in 0 … {len(self.members) - 1}, got {choice}")
        for member, drawn in zip(self, params["members"], strict=True):
            member.check_params(batch, drawn)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]
