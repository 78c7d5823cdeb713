"""Maps on the frames: index maps, interpolation, blur, and the span in which a sample is present."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from skelaug import rows
from skelaug.functional import joints as fj

__all__ = [
    "Span",
    "anybody",
    "blur_frames",
    "blur_kernel",
    "kept_neighbours",
    "lerp_frames",
    "mix_frames",
    "reflect",
    "take_frames",
    "take_mask",
    "warp",
]


def take_frames(x: Tensor, frames: Tensor, joints: Tensor | None = None) -> Tensor:
    """Output frame t of sample n is its input frame ``frames[n, t]``.

    Args:
        x: ``(N, C, T, V, M)``.
        frames: int64 ``(N, T')`` in ``[0, T)``.
        joints: int64 ``(N, V)``; output joint v is then input joint ``joints[n, v]`` too.

    Returns:
        ``(N, C, T', V, M)``.
    """
    n, c, t, v, m = x.shape
    if joints is not None:
        if not fj.pairs_up(x):
            return fj.take_joints(take_frames(x, frames), joints)
        index = (frames[:, :, None] * v + joints[:, None]).flatten(1)[:, None].expand(-1, c, -1)
        pairs = torch.view_as_complex(x.contiguous().view(n, c, t * v, m))
        return torch.view_as_real(pairs.gather(2, index)).view(n, c, frames.shape[1], v, m)
    # Whole rows of V·M numbers by index_select: an order of magnitude faster than gather, which indexes each number.
    index = torch.arange(n * c, device=x.device).view(n, c, 1) * t + frames[:, None]
    return x.reshape(n * c * t, v * m).index_select(0, index.view(-1)).view(n, c, frames.shape[1], v, m)


def take_mask(mask: Tensor | None, frames: Tensor, joints: Tensor | None = None) -> Tensor | None:
    """:func:`take_frames` for a mask ``(N, T, V, M)``."""
    return None if mask is None else take_frames(mask[:, None], frames, joints)[:, 0]


def mix_frames(x: Tensor, frames: Tensor, weights: Tensor, samples: Tensor | None = None) -> Tensor:
    """Output frame t of sample n is the weighted sum of its input frames ``frames[n, t]``.

    Args:
        x: ``(N, C, T, V, M)``.
        frames: int64 ``(N or 1, T', K)`` in ``[0, T)``.
        weights: ``(N, T', K)``, in the dtype of ``x``.
        samples: int64, those that are wanted; the others are left out, also of ``weights``.

    Returns:
        ``(N, C, T', V, M)``.
    """
    c, t, v, m = x.shape[1:]
    n, out, taps = weights.shape
    if not x.numel() or not out:
        return x.new_zeros(n, c, out, v, m)
    # 32 bits count more rows than memory holds, at half the traffic.
    row = torch.arange(0, x.shape[0] * c * t, t, dtype=torch.int32, device=x.device).view(-1, c, 1, 1)
    index = (row if samples is None else rows.take(row, samples)) + frames.int()[:, None]
    spread = weights[:, None].expand(n, c, out, taps).reshape(-1, taps)
    # One pass over the rows of V·M numbers, in full precision whatever a trainer allows matmuls.
    table = x.reshape(-1, v * m)
    return embedding_bag(index.view(-1, taps), table, mode="sum", per_sample_weights=spread).view(n, c, out, v, m)


def lerp_frames(x: Tensor, position: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Linear interpolation between neighbouring frames.

    Args:
        x: ``(N, C, T, V, M)``.
        position: float ``(N, T')`` in ``[0, T - 1]``, in frames.
        mask: what is present. An interpolated entry is present if both its neighbours are (one, where the position
            falls on it); else it is 0.

    Returns:
        The frames ``(N, C, T', V, M)`` and their mask.
    """
    low = position.floor()
    weight = position - low
    first = low.long()
    second = (first + 1).clamp_(max=x.shape[2] - 1)
    # Sixteen bits are too few for the two products of a sum.
    wide = torch.promote_types(x.dtype, torch.float32)
    shares = torch.stack([1 - weight, weight], 2).to(wide)
    y = mix_frames(x.to(wide), torch.stack([first, second], 2), shares).to(x.dtype)
    if mask is None:
        return y, None
    both = take_frames(mask[:, None], second) | (weight == 0)[:, None, :, None, None]
    moved = take_frames(mask[:, None], first) & both
    return y.mul_(fj.weights(moved[:, 0], y)), moved[:, 0]


def blur_kernel(sigma: Tensor, size: int) -> Tensor:
    """Gaussian weights ``exp(-d² / 2σ²)`` of ``size`` (odd) neighbouring frames, 1 at the centre.

    Args:
        sigma: ``(N,)``, in frames.
        size: number of taps.

    Returns:
        ``(N, size)``; divide by the sum for a kernel of unit gain.
    """
    distance = torch.arange(-(size // 2), size // 2 + 1, device=sigma.device)
    return (distance / sigma[:, None]).square().mul(-0.5).exp()


def blur_frames(
    x: Tensor, kernel: Tensor, mask: Tensor | None = None, *, normalize: bool = True, own: bool = False
) -> Tensor:
    """Weighted sum of neighbouring frames.

    Args:
        x: ``(N, C, T, V, M)``, 0 where absent.
        kernel: ``(N, K)``, K odd.
        mask: what is present; nothing is ever written where it is False.
        normalize: divide by the sum of the weights that fell on present frames inside the clip, so that neither clip
            ends nor gaps are pulled to the origin. False adds up with zeros outside, as the field's released code does.
        own: ``x`` is nobody else's and may be overwritten.
    """
    blurred = _blurred(kernel)
    if blurred is None:
        return _blur(x, kernel, mask, normalize)
    if blurred.shape[0] == 0:
        return x
    seen = None if mask is None else rows.take(mask, blurred)
    return rows.put(x, blurred, _blur(x, rows.take(kernel, blurred), seen, normalize, blurred), own=own)


def _blur(x: Tensor, kernel: Tensor, mask: Tensor | None, normalize: bool, samples: Tensor | None = None) -> Tensor:
    """:func:`blur_frames` for the samples given; of the others ``kernel`` and ``mask`` have no rows."""
    # Sixteen-bit sums of many taps would lose the motion that a blur is to keep.
    wide = torch.promote_types(x.dtype, torch.float32)
    t, half = x.shape[2], kernel.shape[1] // 2
    near = torch.arange(t, device=x.device)[:, None] + torch.arange(-half, half + 1, device=x.device)
    inside = (near >= 0) & (near < t)
    weights = kernel.to(wide)[:, None] * inside  # (N, T, K): what lies outside the clip counts as 0
    near = near.clamp_(0, max(t - 1, 0))[None]
    total = mix_frames(x.to(wide), near, weights, samples)
    if not normalize:
        return (total if mask is None else total.mul_(fj.weights(mask, total))).to(x.dtype)
    if mask is None:
        return total.div_(weights.sum(2)[:, None, :, None, None]).to(x.dtype)
    # Where something is present the weights hold the centre's 1; elsewhere they may be next to nothing.
    seen = mask[:, None]
    share = seen / torch.where(seen, mix_frames(seen.to(wide), near, weights), 1)
    return total.mul_(fj.spell_out(share, x.shape[3])).to(x.dtype)


def _blurred(kernel: Tensor) -> Tensor | None:
    """Who is blurred at all, where the host may look: 1 at the centre and 0 elsewhere leaves a sample as it is."""
    if not rows.readable(kernel):
        return None
    still = torch.arange(kernel.shape[1], device=kernel.device) == kernel.shape[1] // 2
    return rows.known((kernel != still).any(1))


def anybody(mask: Tensor) -> Tensor:
    """In which frames anybody is there: bool ``(N, T)`` from a mask ``(N, T, V or 1, M)``."""
    people = mask.flatten(2)
    if people.shape[2] == 2 and people.is_contiguous():  # two bytes as one word: four times as fast
        return people.view(torch.int16)[..., 0] != 0
    return people.any(2)


class Span:
    """The frames from the first to the last in which anybody is present.

    Args:
        mask: ``(N, T, V, M)`` or ``(N, T, 1, M)``.

    Attributes:
        start: its first frame, int64 ``(N, 1)``; 0 for a sample with nobody.
        stop: the frame after its last; 0 for a sample with nobody.
        length: stop - start.
    """

    def __init__(self, mask: Tensor) -> None:
        self._frames = t = mask.shape[1]
        frame = torch.arange(1, t + 1, device=mask.device)
        # Of the frames that are seen, the largest number counted from the front, and from the back.
        counted = anybody(mask)[:, None] * torch.stack([frame, frame.flip(0)])
        largest = counted.amax(2, keepdim=True) if t else counted.new_zeros(mask.shape[0], 2, 1)
        self.stop, rest = largest.unbind(1)
        self.start = (t - rest) % max(t, 1)
        self.length = self.stop - self.start

        self._frame: Tensor | None = None
        self._inside: Tensor | None = None
        self._images: tuple[Tensor, Tensor] | None = None

    # What several draws from a batch ask for is found once; not by functools, whose lock torch.compile cannot trace.

    @property
    def frame(self) -> Tensor:
        """The numbers of all frames, int64 ``(T,)``."""
        if self._frame is None:
            self._frame = torch.arange(self._frames, device=self.start.device)
        return self._frame

    @property
    def inside(self) -> Tensor:
        """Which frames lie in the span, bool ``(N, T)``."""
        if self._inside is None:
            self._inside = (self.frame >= self.start) & (self.frame < self.stop)
        return self._inside

    @property
    def images(self) -> tuple[Tensor, Tensor]:
        """What the numbers of a frame and of its mirror image at the start and at the end sum up to, ``(N, 1)``."""
        if self._images is None:
            first = 2 * self.start - 1
            self._images = first, torch.add(first, self.length, alpha=2)
        return self._images


def reflect(index: Tensor, first: Tensor | int, last: Tensor | int) -> Tensor:
    """Reflect what lies up to a length outside a span into it, the end frames repeated: … 1 0 | 0 1 2 ….

    Args:
        index: int64 ``(N, T)``.
        first: 2 · start - 1, of each sample ``(N, 1)``.
        last: 2 · stop - 1.
    """
    index = torch.maximum(index, first - index)
    return torch.minimum(index, last - index)


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
