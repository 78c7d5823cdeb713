"""Maps on the frames: index maps, interpolation and blur."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from skelaug import host
from skelaug.functional import joints as fj

__all__ = [
    "between_nodes",
    "blur_frames",
    "blur_kernel",
    "kept_neighbours",
    "lerp_frames",
    "lerp_seen",
    "mix_frames",
    "nearest_frame",
    "reflect",
    "take_frames",
    "warp",
]

_ON_A_FRAME = 2.0**-12  # a position so close to a frame shows that frame alone


def take_frames(x: Tensor, frames: Tensor, joints: Tensor | None = None) -> Tensor:
    """Output frame t of sample n is its input frame ``frames[n, t]``.

    Args:
        x: ``(N, C, T, V, M)``.
        frames: int64 ``(N, T')``; an index out of range becomes the nearest in range.
        joints: int64 ``(N, V)``; joint v of the result is then joint ``joints[n, v]``, too. It has no effect on a mask
            of whole persons (V = 1).

    Returns:
        ``(N, C, T', V, M)``.
    """
    n, c, t, v, m = x.shape
    if not t:  # of a clip without frames nobody is seen in any
        return x.new_zeros(n, c, frames.shape[1], v, m)
    if joints is not None and (v > 1 or joints.shape[1] == 1):
        entry = (joints.clamp(0, v - 1)[:, :, None] * m + torch.arange(m, device=x.device)).flatten(1)
        index = frames.clamp(0, t - 1)[:, :, None] * (v * m) + entry[:, None]
        flat = index.flatten(1)[:, None].expand(-1, c, -1)
        return x.reshape(n, c, t * v * m).gather(2, flat).view(n, c, frames.shape[1], joints.shape[1], m)
    # Whole rows of V·M numbers by index_select; gather would index each number.
    row = torch.arange(n * c, device=x.device).view(n, c, 1) * t + frames.clamp(0, t - 1)[:, None]
    return x.reshape(n * c * t, v * m).index_select(0, row.view(-1)).view(n, c, frames.shape[1], v, m)


def mix_frames(x: Tensor, frames: Tensor, weights: Tensor) -> Tensor:
    """Output frame t of sample n is the weighted sum of its input frames ``frames[n, t]``.

    Args:
        x: ``(N, C, T, V, M)``.
        frames: int64 ``(N or 1, T', K)`` in ``[0, T)``.
        weights: ``(N, T', K)``, in the dtype of ``x``.

    Returns:
        ``(N, C, T', V, M)``.
    """
    n, c, t, v, m = x.shape
    out, taps = weights.shape[1:]
    if not x.numel() or not out:
        return x.new_zeros(n, c, out, v, m)
    if host.differentiated(x) or host.differentiated(weights):
        # embedding_bag has no second and no forward derivative.
        whole = frames.expand(n, -1, -1)
        parts = (take_frames(x, whole[..., k]) * weights[:, None, :, k, None, None] for k in range(taps))
        return sum(parts, torch.zeros((), dtype=x.dtype, device=x.device))
    # 32 bits count more rows than memory holds, at half the traffic.
    row = torch.arange(0, n * c * t, t, dtype=torch.int32, device=x.device).view(-1, c, 1, 1) + frames.int()[:, None]
    spread = weights[:, None].expand(n, c, out, taps).reshape(-1, taps)
    # One pass over the rows of V·M numbers, in full precision whatever a trainer allows matmuls.
    table = x.reshape(-1, v * m)
    return embedding_bag(row.view(-1, taps), table, mode="sum", per_sample_weights=spread).view(n, c, out, v, m)


def _neighbours(position: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """The frames before and after each position and the weight of the second; on a frame, that frame twice."""
    position = position.clamp(0, max(frames - 1, 0))
    nearest = position.round()
    position = torch.where((position - nearest).abs() < _ON_A_FRAME, nearest, position)
    first = position.floor()
    weight = position - first
    return first.long(), (first + (weight > 0)).long(), weight


def lerp_frames(x: Tensor, position: Tensor, mask: Tensor | None = None) -> Tensor:
    """Linear interpolation between neighbouring frames.

    Args:
        x: ``(N, C, T, V, M)``.
        position: float ``(N, T')`` in ``[0, T - 1]``, in frames; one outside becomes the nearest inside.
        mask: what is present of the result, as :func:`lerp_seen` gives it; the rest becomes 0.

    Returns:
        ``(N, C, T', V, M)``.
    """
    first, second, weight = _neighbours(position, x.shape[2])
    # Sixteen bits are too few for the two products of a sum.
    wide = torch.promote_types(x.dtype, torch.float32)
    shares = torch.stack([1 - weight, weight], 2).to(wide)
    y = mix_frames(x.to(wide), torch.stack([first, second], 2), shares).to(x.dtype)
    return y if mask is None else fj.clear_absent(y, mask, overwrite=not host.differentiated(y))


def lerp_seen(mask: Tensor, position: Tensor) -> Tensor:
    """The mask ``(N, T', V or 1, M)`` of interpolated frames: present where both neighbours are.

    Where a position falls on a frame (to 2^-12 of a frame), that frame alone decides.
    """
    first, second, _ = _neighbours(position, mask.shape[1])
    return (take_frames(mask[:, None], first) & take_frames(mask[:, None], second))[:, 0]


def nearest_frame(position: Tensor) -> Tensor:
    """The frame nearest to each position ``(N, T')``, int64; of two equally near ones the earlier."""
    return (position - 0.5).ceil().long()


def blur_kernel(sigma: Tensor, size: int) -> Tensor:
    """Gaussian weights ``exp(-d² / 2σ²)`` of ``size`` (odd) neighbouring frames, 1 at the centre.

    Args:
        sigma: ``(N,)``, in frames.
        size: number of taps.

    Returns:
        ``(N, size)``; divide by the sum for a kernel of unit gain.
    """
    distance = torch.arange(-(size // 2), size // 2 + 1, device=sigma.device, dtype=sigma.dtype)
    return (distance / sigma[:, None]).square().mul(-0.5).exp()


def blur_frames(
    x: Tensor, kernel: Tensor, mask: Tensor | None = None, *, normalize: bool = True, overwrite: bool = False
) -> Tensor:
    """Weighted sum of neighbouring frames.

    Args:
        x: ``(N, C, T, V, M)``, 0 where absent.
        kernel: ``(N, K)``, K odd.
        mask: what is present; nothing is ever written where it is False.
        normalize: divide by the sum of the weights that fell on present frames inside the clip, so that neither clip
            ends nor gaps are pulled to the origin. False adds up with zeros outside, as the field's released code does.
        overwrite: ``x`` is scratch memory: no tensor outside the caller can alias it.
    """
    centre = torch.arange(kernel.shape[1], device=kernel.device) == kernel.shape[1] // 2
    blurred = host.rows((kernel != centre).any(1))  # weight 1 at the centre alone leaves a sample as it is
    if blurred is None or blurred.shape[0] == x.shape[0]:
        return _blur(x, kernel, mask, normalize)
    if not blurred.shape[0]:
        return x
    rows = None if mask is None else mask.index_select(0, blurred)
    part = _blur(x.index_select(0, blurred), kernel.index_select(0, blurred), rows, normalize)
    return (x if overwrite else x.clone()).index_copy_(0, blurred, part)


def _blur(x: Tensor, kernel: Tensor, mask: Tensor | None, normalize: bool) -> Tensor:
    # Sixteen-bit sums of many taps would lose the motion that a blur is to keep.
    wide = torch.promote_types(x.dtype, torch.float32)
    t, half = x.shape[2], kernel.shape[1] // 2
    frame = torch.arange(t, device=x.device)[:, None]
    near = frame + torch.arange(-half, half + 1, device=x.device)
    inside = (near >= 0) & (near < t)
    weights = kernel.to(wide)[:, None] * inside  # (N, T, K): what lies outside the clip has weight 0 …
    near = torch.where(inside, near, frame)[None]  # … and reads the frame itself: 0 times infinity would be NaN
    total = mix_frames(x.to(wide), near, weights)
    if normalize and mask is None:
        total = total / weights.sum(2)[:, None, :, None, None]
    elif normalize and mask is not None:
        # Where somebody is present the weights hold the centre's 1; elsewhere they may be next to nothing.
        share = mix_frames(mask[:, None].to(wide), near, weights)
        total = total.div_(fj.spread(torch.where(mask[:, None], share, 1), x.shape[3]))
    y = total.to(x.dtype)
    return y if mask is None else fj.clear_absent(y, mask, overwrite=not host.differentiated(y))


def reflect(index: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Reflect what lies up to a length outside a span into it, the end frames repeated: … 1 0 | 0 1 2 ….

    Args:
        index: int64 ``(N, T)``.
        start: first frame of each sample's span, int64 ``(N, 1)``.
        stop: the frame after its last.
    """
    index = torch.maximum(index, 2 * start - 1 - index)
    return torch.minimum(index, 2 * stop - 1 - index)


def kept_neighbours(kept: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest kept frame at or before each frame, and at or after it.

    Args:
        kept: bool ``(N, T)``.

    Returns:
        int64 ``(N, T)``, twice. Before the first kept frame both are the first, after the last both the last; without
        any, both are the frame itself.
    """
    t = kept.shape[1]
    frame = torch.arange(t, device=kept.device)
    before = torch.where(kept, frame, -1).cummax(1).values
    after = torch.where(kept, frame, t).flip(1).cummin(1).values.flip(1)
    none = (before < 0) & (after == t)
    first = torch.where(before < 0, after, before)
    second = torch.where(after == t, before, after)
    return torch.where(none, frame, first), torch.where(none, frame, second)


def between_nodes(nodes: Tensor, frames: int) -> Tensor:
    """Values ``(…, T)`` on the lines between nodes ``(…, K)``, K ≥ 2, spread evenly from first to last frame."""
    last = nodes.shape[-1] - 1
    place = torch.linspace(0, last, frames, dtype=nodes.dtype, device=nodes.device)
    first = place.long().clamp(max=last - 1)
    return torch.lerp(nodes[..., first], nodes[..., first + 1], place - first)


def warp(speed: Tensor, along: Tensor) -> Tensor:
    """Integrate a positive speed, linear between knots, into a smooth monotone map of ``[0, 1]`` onto itself.

    Args:
        speed: ``(N, K)`` at K ≥ 2 knots evenly spread over ``[0, 1]``.
        along: ``(N, T)`` in ``[0, 1]``.
    """
    last = speed.shape[1] - 1
    segment = (along * last).long().clamp(max=last - 1)
    part = along * last - segment
    areas = (speed[:, 1:] + speed[:, :-1]) / 2
    until = torch.nn.functional.pad(areas.cumsum(1), (1, 0))
    here, next_ = speed.gather(1, segment), speed.gather(1, segment + 1)
    done = until.gather(1, segment) + part * (here + (next_ - here) * part / 2)
    return (done / until[:, -1:]).clamp(0, 1)
