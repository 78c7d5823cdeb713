"""The parts of a batch: what is checked of coordinates, mask, graph and label, and who is observed in the first two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skelaug.missing import Missing, finite_joints, told_joints
from skelaug.presence import infer_presence

__all__ = ["check_mask", "check_rest", "check_x", "observed_in"]


def check_x(x: Any, who: str) -> Tensor:
    """Return ``x`` if it is a floating-point ``(N, C, T, V, M)`` tensor, else say what is wrong and how to mend it."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{who}: x must be a torch.Tensor (N, C, T, V, M), got {type(x).__name__}; torch.from_numpy(x) shares an "
            f"array"
        )
    if x.ndim != 5:
        raise ValueError(
            f"{who}: x must be (N, C, T, V, M) = sample, coordinate, frame, joint, person; got {x.ndim} dimensions, "
            f"shape {tuple(x.shape)}; skelaug.to_layout(x, 'CTVM', 'NCTVM') and its like convert"
        )
    if not x.is_floating_point():
        raise TypeError(f"{who}: x must be floating point, got {x.dtype}; write x.float()")
    return x


def check_mask(x: Tensor, mask: Any, who: str) -> Tensor:
    """``mask`` if it is bool ``(N, T, V, M)``; as ``(N, T, 1, M)`` where its strides say that joints share it."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{who}(mask=…): mask must be a bool tensor, got {got}; write mask.bool()")
    n, _, t, v, m = x.shape
    if mask.shape != (n, t, v, m):
        raise ValueError(
            f"{who}(mask=…): mask must be (N, T, V, M) = {(n, t, v, m)} to fit x {tuple(x.shape)}, got "
            f"{tuple(mask.shape)}"
        )
    return mask[:, :, :1] if v and mask.stride(2) == 0 else mask


def observed_in(x: Tensor, mask: Tensor | None, missing: Missing) -> tuple[Tensor, Tensor]:
    """``x``, 0 where it is not observed, and where it is: bool ``(N, T, V, M)``, or ``(N, T, 1, M)`` of whole persons.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: in either form; None finds who is there.
        missing: see :data:`skelaug.missing.Missing`.
    """
    if mask is not None:
        x = torch.where(mask[:, None], x, 0)
    finite, told = finite_joints(x), told_joints(x, missing)
    joints = finite if told is None else told if finite is None else finite & told
    if joints is not None:
        x = torch.where(joints[:, None], x, 0)
    seen = infer_presence(x) if mask is None else mask
    return x, seen if joints is None else seen & joints


def check_rest(batch: Any, who: str) -> None:
    """Whether graph and label of a SkeletonBatch fit its coordinates."""
    n, v = batch.x.shape[0], batch.x.shape[3]
    graph, label = batch.graph, batch.label
    if graph is not None:
        if not isinstance(graph, Tensor) or not graph.is_floating_point():
            got = graph.dtype if isinstance(graph, Tensor) else type(graph).__name__
            raise TypeError(f"{who}(graph=…): graph must be a floating-point tensor, got {got}")
        shape = tuple(graph.shape)
        if len(shape) not in (4, 5) or shape[0] != n or shape[-2:] != (v, v):
            raise ValueError(
                f"{who}(graph=…): graph must be (N, K, V, V) or (N, L, K, V, V) with N={n}, V={v}, got {shape}"
            )
    if label is not None:
        if not isinstance(label, Tensor):
            raise TypeError(f"{who}(label=…): label must be a tensor (N,), got {type(label).__name__}")
        if label.shape[:1] != (n,):
            raise ValueError(f"{who}(label=…): label must have N={n} entries first, got shape {tuple(label.shape)}")
