"""What the members of a policy ask for, laid out so that one draw of uniforms serves them all.

A member that drew its own few numbers would cost a dozen small operations; on an accelerator each is a launch.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skelaug.check import Table

__all__ = ["Asked", "Layout", "Number", "layout", "uniforms"]

Number = tuple[int, float, float]
"""A number of a draw: which of its uniforms it is made from, and its value where that is 0 and where it is 1.

Numbers that come from one uniform move together; one whose two values are equal is a constant.
"""

Asked = tuple[float, tuple[Number, ...]]
"""What is asked for in a lane: the probability of its gate, which it has only below 1, and the numbers."""


def uniforms(count: int, low: float = 0.0, high: float = 1.0, first: int = 0) -> tuple[Number, ...]:
    """``count`` independent numbers U(low, high), from the uniforms ``first`` and on."""
    return tuple((first + i, low, high) for i in range(count))


@dataclass(frozen=True)
class Layout:
    """Columns of uniforms for several lanes: first those of the gates, then those of each lane's numbers."""

    gates: tuple[int, ...]
    """Lanes that have a gate."""
    words: tuple[int, ...]
    """Words of each lane's numbers."""
    step: int
    """Columns a word; a gate takes a whole one."""
    total: int
    """All columns."""
    sizes: list[int]
    """Numbers of each lane."""
    _chances: float | Table
    _columns: slice | Table
    _ranges: tuple[float, float] | Table

    def gates_of(self, u: Tensor) -> Tensor:
        """Whether each of ``gates`` lets a sample through, bool ``(n, gates)``, from the columns ``u (n, total)``."""
        u = u[:, : self.step * len(self.gates) : self.step]
        return u < (self._chances.on(u) if isinstance(self._chances, Table) else self._chances)

    def numbers_of(self, u: Tensor) -> Tensor:
        """The numbers of all lanes, ``(n, sum of sizes)``, from the columns ``u (n, total)``."""
        if isinstance(self._columns, Table):
            u = u.index_select(1, self._columns.on(u))
        elif self._columns != slice(0, u.shape[1]):
            u = u[:, self._columns]
        if isinstance(self._ranges, Table):
            lows, widths = self._ranges.on(u).unbind()
            return torch.addcmul(lows, u, widths)
        low, high = self._ranges
        if (low, high) != (0, 1):
            u = u * (high - low)
        return u + low if low else u


def _lay_out(asked: tuple[Asked, ...], step: int) -> Layout:
    gates = tuple(lane for lane, (p, _) in enumerate(asked) if p < 1)
    chances = [asked[lane][0] for lane in gates]
    used = [1 + max([-1, *(which for which, *_ in numbers)]) for _, numbers in asked]
    words = tuple(-(-count // step) for count in used)
    starts = [step * word for word in itertools.accumulate(words, initial=len(gates))]
    columns = [start + which for start, (_, numbers) in zip(starts, asked, strict=False) for which, *_ in numbers]
    ranges = [(low, high) for _, numbers in asked for _, low, high in numbers]
    lows, widths = [low for low, _ in ranges], [high - low for low, high in ranges]
    first = columns[0] if columns else 0
    last = first + len(columns)
    return Layout(
        gates=gates,
        words=words,
        step=step,
        total=starts[-1],
        sizes=[len(numbers) for _, numbers in asked],
        # A number, a slice, a pair, where they do, are cheaper than tables.
        _chances=Table(chances, torch.float32) if len(set(chances)) > 1 else next(iter(chances), 1.0),
        _columns=slice(first, last) if columns == list(range(first, last)) else Table(columns, torch.int64),
        _ranges=Table([lows, widths], torch.float32) if len(set(ranges)) > 1 else next(iter(ranges), (0.0, 1.0)),
    )


_remembered = functools.lru_cache(maxsize=512)(_lay_out)


def layout(asked: Sequence[Asked], step: int = 1) -> Layout:
    """The layout for lanes that ask so; policies ask the same again and again."""
    made = _lay_out if torch.compiler.is_compiling() else _remembered
    return made(tuple(asked), step)
