"""Presence: who is observed in which frame. It is found when somebody first asks, and moves with frames and joints."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Presence", "Span", "anybody", "infer_presence"]


def infer_presence(x: Tensor) -> Tensor:
    """Find who is there: a person is absent in a frame where all its joints are exactly 0, the field's padding.

    Args:
        x: ``(N, C, T, V, M)``.

    Returns:
        bool ``(N, T, 1, M)``: a mask that broadcasts over the joints.
    """
    n, c, t, v, m = x.shape
    if c == 0 or v == 0:
        return x.new_zeros(n, t, 1, m, dtype=torch.bool)
    # One byte an entry, folded over the few channels, then over the joints by halves: a reduction of an inner axis is
    # slow. Of an odd number of joints the middle one is in both halves.
    seen = functools.reduce(torch.bitwise_or, x.bool().unbind(1))
    while seen.shape[2] > 1:
        half = (seen.shape[2] + 1) // 2
        seen = seen[:, :, :half] | seen[:, :, -half:]
    return seen


def anybody(seen: Tensor) -> Tensor:
    """In which frames anybody is there: bool ``(N, T)`` from a mask ``(N, T, V or 1, M)``."""
    return seen.flatten(2).any(2)


class Span:
    """The frames from the first to the last in which anybody is present.

    Args:
        seen: mask ``(N, T, V or 1, M)``.

    Attributes:
        start: its first frame, int64 ``(N, 1)``; 0 for a sample with nobody.
        stop: the frame after its last; 0 for a sample with nobody.
        length: stop - start.
        frame: the numbers of all frames, int64 ``(T,)``.
        inside: which frames lie in the span, bool ``(N, T)``.
    """

    def __init__(self, seen: Tensor) -> None:
        frames = seen.shape[1]
        self.frame = torch.arange(frames, device=seen.device)
        # Of the frames with anybody, the largest number counted from the front, and counted from the back.
        counted = anybody(seen)[:, None] * torch.stack([self.frame + 1, frames - self.frame])
        largest = counted.amax(2, keepdim=True) if frames else counted.new_zeros(seen.shape[0], 2, 1)
        self.stop, from_back = largest.unbind(1)
        self.start = (frames - from_back) % max(frames, 1)
        self.length = self.stop - self.start
        self.inside = (self.frame >= self.start) & (self.frame < self.stop)


class Presence:
    """Who is observed.

    Args:
        find: gives bool ``(N, T, V, M)`` or, where it is said of whole persons, ``(N, T, 1, M)``. It is called when
            somebody first asks, and never again.
    """

    def __init__(self, find: Callable[[], Tensor]) -> None:
        self._find: Callable[[], Tensor] | None = find
        self._seen: Tensor | None = None
        self._span: Span | None = None

    @classmethod
    def of(cls, seen: Tensor) -> Presence:
        """A presence that is known already."""
        presence = cls(lambda: seen)
        presence._find, presence._seen = None, seen
        return presence

    # Kept by hand: torch.compile cannot trace the lock of functools.cached_property.

    @property
    def seen(self) -> Tensor:
        """Bool ``(N, T, V or 1, M)``."""
        if self._seen is None:
            assert self._find is not None
            self._seen, self._find = self._find(), None
        return self._seen

    @property
    def span(self) -> Span:
        """The frames from the first to the last with anybody."""
        if self._span is None:
            self._span = Span(self.seen)
        return self._span

    def moved(self, move: Callable[[Tensor], Tensor]) -> Presence:
        """The presence after ``move``, which is applied when somebody asks."""
        return Presence(lambda: move(self.seen))
