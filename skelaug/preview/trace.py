"""What a transform or a view of a policy did to each joint of each frame, found by replaying it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skelaug.batch import SkeletonBatch
from skelaug.coordinates import with_coords
from skelaug.functional import values as fv
from skelaug.members import ActsOnGraph, leaves
from skelaug.policy import GrowingPolicy
from skelaug.transform import Transform
from skelaug.transforms import Bone, BoneMotion, Motion

__all__ = ["ABSENT", "FILLED", "GONE", "LOST", "MASKED", "NEW", "ONE_WAY", "SHOWN", "Traced", "stream_of", "trace"]

ABSENT, SHOWN, MASKED, GONE, FILLED = range(5)
"""What became of a joint in a frame: not observed; there; masked or its frame dropped, which the data say by ``fill``;
there but taken away, as somebody whom PersonDrop drops; a dropped frame that was filled from its neighbours."""

ONE_WAY, LOST, NEW = range(3)
"""What became of an edge: lost in one direction, lost in both, new."""


@dataclass(frozen=True)
class Traced:
    """A view of a batch, told joint by joint. C are the coordinates alone; T is that of the view.

    Attributes:
        x: float32 ``(N, C, T, V, M)``; what is MASKED or GONE lies where it would have been.
        state: uint8 ``(N, T, V, M)``: ABSENT, SHOWN, MASKED, GONE or FILLED.
        moved: float32 ``(N, T, V, M)``, how far the joint is from where it was recorded, in body sizes, the fill of a
            masked joint included; NaN where one of the two is absent. ``None`` where the view has another T.
        edges: for each sample the edges that changed, as (joint, joint, ONE_WAY, LOST or NEW).
    """

    x: Tensor
    state: Tensor
    moved: Tensor | None
    edges: list[list[tuple[int, int, int]]]


def stream_of(policy: GrowingPolicy | Transform) -> Transform | None:
    """The transform in a policy that turns joints into bones or motion, if there is one."""
    if isinstance(policy, GrowingPolicy):
        return policy.stream or next(filter(None, map(stream_of, policy)), None)
    return next((leaf for leaf in leaves(policy) if isinstance(leaf, Bone | BoneMotion | Motion)), None)


@torch.no_grad()
def trace(view: Transform, batch: SkeletonBatch, keys: Tensor, coords: tuple[int, ...]) -> Traced:
    """Do a view and find out what it did.

    A channel beside the coordinates carries the time of each frame. Masks set it to 0, maps of frames move it, and
    nothing else touches it; so it tells what was hidden or filled from other frames, whatever came after. The same
    params without any mask tell where the hidden joints would have been.

    Args:
        view: a transform, or ``policy[i]``.
        batch: the clips.
        keys: ``(N,)``, see :func:`skelaug.random.keys`.
        coords: which channels are coordinates.
    """
    told, frames = with_coords(view, coords), batch.x.shape[2]
    # Convex, so that a frame on the line between its neighbours differs from what it was.
    clock = (1 + torch.arange(frames, dtype=torch.float32, device=batch.device) / frames) ** 2
    extra = torch.where(batch.mask[:, None], clock[:, None, None], 0)
    marked = batch.with_parts(x=torch.cat([batch.x.float(), extra], 1))
    params = told.sample(marked, keys=keys)
    real, bare = told.replay(marked, params), told.replay(marked, _without_masks(params))

    time, bare_time = real.x[:, -1], bare.x[:, -1]
    finite = fv.pick(real.x, coords).isfinite().all(1)
    there, hidden = real.mask & finite, (time == 0) & (bare_time != 0)
    filled = (time - bare_time).abs() > 0.5 / frames**2
    state = torch.where(there, SHOWN, ABSENT)
    state = torch.where(there & filled, FILLED, state)
    state = torch.where(there & hidden, MASKED, state)
    state = torch.where(~real.mask & bare.mask, GONE, state)
    elsewhere = (state == MASKED) | (state == GONE)
    x = torch.where(elsewhere[:, None], fv.pick(bare.x, coords), fv.pick(real.x, coords))
    return Traced(
        torch.where((state == ABSENT)[:, None], 0, x),
        state.to(torch.uint8),
        _moved(view, batch, real, coords),
        _edges(view, batch, real),
    )


def _without_masks(params: Any) -> Any:
    """The params with nothing hidden and nothing dropped."""
    if isinstance(params, dict):
        return {
            name: torch.zeros_like(value)
            if name in ("mask", "drop") and isinstance(value, Tensor) and value.dtype == torch.bool
            else _without_masks(value)
            for name, value in params.items()
        }
    return tuple(map(_without_masks, params)) if isinstance(params, tuple | list) else params


def _moved(view: Transform, batch: SkeletonBatch, real: SkeletonBatch, coords: tuple[int, ...]) -> Tensor | None:
    if real.x.shape[2:] != batch.x.shape[2:]:
        return None
    stream = stream_of(view)
    still = batch if stream is None else with_coords(stream, coords)(batch)
    size = fv.body_size(fv.pick(batch.x, coords), batch.seen)[:, None, None]
    far = (fv.pick(real.x, coords) - fv.pick(still.x.float(), coords)).norm(dim=1) / size.clamp(min=1e-12)
    return torch.where(real.mask & still.mask & far.isfinite(), far, torch.nan)


def _edges(view: Transform, batch: SkeletonBatch, real: SkeletonBatch) -> list[list[tuple[int, int, int]]]:
    base = next((leaf.base_graph(batch) for leaf in leaves(view) if isinstance(leaf, ActsOnGraph)), None)
    if base is None or real.graph is None:
        return [[] for _ in range(len(batch))]
    # Layers and partitions together: is there any weight from one joint to the other?
    old, new = (
        (graph.flatten(1, -3).sum(1) > 0).tolist() for graph in (base.expand(len(batch), *base.shape[1:]), real.graph)
    )
    return [_changes(*pair) for pair in zip(old, new, strict=True)]


def _changes(old: list[list[bool]], new: list[list[bool]]) -> list[tuple[int, int, int]]:
    changes = []
    for a in range(len(old)):
        for b in range(a):
            before, after = old[a][b] + old[b][a], new[a][b] + new[b][a]
            if after < before:
                changes.append((a, b, ONE_WAY if after else LOST))
            elif after > before:
                changes.append((a, b, NEW))
    return changes
