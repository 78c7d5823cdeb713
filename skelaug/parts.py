"""The parts of a batch: what is checked of coordinates, mask, lengths and graph, and who is observed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skelaug.host import readable
from skelaug.missing import Missing, finite_joints, told_joints
from skelaug.presence import infer_presence

__all__ = ["check_clips", "check_graph", "check_lengths", "check_mask", "check_x", "observed_in"]


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


def check_clips(clips: Any, who: str) -> None:
    """Raise unless ``clips`` is a list of tensors ``(C, T_i, V, M_i)``."""
    if not isinstance(clips, list | tuple):
        raise TypeError(f"{who}: needs a list of clips (C, T, V, M), got {type(clips).__name__}")
    if not clips:
        raise ValueError(f"{who}: needs at least one clip (C, T, V, M), got none")
    for i, clip in enumerate(clips):
        if not isinstance(clip, Tensor) or clip.ndim != 4:
            shape = tuple(clip.shape) if isinstance(clip, Tensor) else type(clip).__name__
            raise ValueError(f"{who}: clip {i} must be a tensor (C, T, V, M), got {shape}")


def check_lengths(x: Tensor, lengths: Any, who: str) -> Tensor:
    """``lengths`` as a tensor, if they are one whole number in 0 … T for each sample of ``x``."""
    try:
        counts = lengths if isinstance(lengths, Tensor) else torch.as_tensor(lengths, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{who}(lengths={lengths!r}): lengths must be whole numbers (N,): {error}") from error
    if counts.is_floating_point() or counts.is_complex() or counts.dtype == torch.bool:
        raise TypeError(f"{who}(lengths=…): lengths must be whole numbers, got {counts.dtype}; write .long()")
    if counts.shape != (x.shape[0],):
        raise ValueError(f"{who}(lengths=…): one length a sample, {x.shape[0]}, got {tuple(counts.shape)}")
    frames = x.shape[2]
    if readable(counts) and ((counts < 0) | (counts > frames)).any():
        raise ValueError(f"{who}(lengths=…): each length must lie in 0 … {frames}, got {counts.tolist()}")
    return counts


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


def check_graph(x: Tensor, graph: Any, who: str) -> None:
    """Raise unless ``graph`` is None or fits ``x (N, C, T, V, M)``."""
    n, v = x.shape[0], x.shape[3]
    if graph is not None:
        if not isinstance(graph, Tensor) or not graph.is_floating_point():
            got = graph.dtype if isinstance(graph, Tensor) else type(graph).__name__
            raise TypeError(f"{who}(graph=…): graph must be a floating-point tensor, got {got}")
        shape = tuple(graph.shape)
        if len(shape) not in (4, 5) or shape[0] != n or shape[-2:] != (v, v):
            raise ValueError(
                f"{who}(graph=…): graph must be (N, K, V, V) or (N, L, K, V, V) with N={n}, V={v}, got {shape}"
            )
