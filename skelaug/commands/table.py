"""The table that ``demo`` and ``views`` print: what each view does, how far it goes and what it costs."""

from __future__ import annotations

import timeit
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils import benchmark

from skelaug.batch import SkeletonBatch
from skelaug.policy import Compose, GrowingPolicy
from skelaug.transform import Transform

__all__ = ["aligned", "format_table", "measure", "stages"]

_SECONDS = 0.1  # that each view is called for


def stages(policy: GrowingPolicy | Transform) -> list[tuple[str, list[Transform]]]:
    """The views of a policy by name, each with the transforms it adds; a single transform is one view."""
    if isinstance(policy, GrowingPolicy):
        return [(name, list(stage)) for name, stage in policy.items()]
    return [("augmented", list(policy) if isinstance(policy, Compose) else [policy])]


def measure(policy: GrowingPolicy | Transform, batch: SkeletonBatch, keys: Tensor) -> list[list[str]]:
    """A row a view: name, transforms, strength, milliseconds a batch, samples a second."""
    rows: list[list[str]] = []
    with torch.no_grad():
        strength = []
        if isinstance(policy, GrowingPolicy) and policy[-1].length is None:
            strength = policy.strength(batch, keys=keys).tolist()
        for i, (name, added) in enumerate(stages(policy)):
            view: Transform = policy[i] if isinstance(policy, GrowingPolicy) else policy
            call = {"view": view, "batch": batch}
            clock = timeit.default_timer if batch.device.type == "cpu" else benchmark.timer  # which waits for a GPU
            timer = benchmark.Timer("view(batch)", globals=call, timer=clock, num_threads=torch.get_num_threads())
            seconds = timer.blocked_autorange(min_run_time=_SECONDS).median
            label = ("+ " if i else "") + ", ".join(type(member).__name__ for member in added)
            rows.append([name, label, f"{strength[i]:.3f}" if strength else "–"])
            rows[-1] += [f"{seconds * 1e3:.1f}", f"{len(batch) / seconds:,.0f}"]
    return rows


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows of :func:`measure` under their headings."""
    return aligned(["view", "transforms", "strength", "ms/batch", "samples/s"], rows, words=2)


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """A table in text: the first ``words`` columns stand left, the others, which are numbers, right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = zip(range(len(cells)), cells, widths, strict=True)
        return "  ".join(cell.ljust(width) if i < words else cell.rjust(width) for i, cell, width in padded)

    return "\n".join([line(head), line(["─" * width for width in widths]), *map(line, rows)])
