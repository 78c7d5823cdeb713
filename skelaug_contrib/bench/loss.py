"""HiCLR's loss, streamed over the queue and from the textbook: forward and backward of three views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import normalize

from skelaug_contrib.bench.measure import META
from skelaug_contrib.bench.rows import Row, measure
from skelaug_contrib.losses import hierarchical_losses, textbook_losses

__all__ = ["FORMS", "LONGEST_TEXTBOOK", "measure_loss", "step"]

FORMS: dict[str, Callable[..., Any]] = {"streamed": hierarchical_losses, "textbook": textbook_losses}
LONGEST_TEXTBOOK = 262144  # three views of a longer queue would need several gigabytes


def step(form: str, length: int, device: torch.device, batch: int = 128, dim: int = 128) -> Callable[[], None]:
    """One training step's loss on a queue of that length."""
    generator = torch.Generator().manual_seed(0)

    def unit(rows: int) -> torch.Tensor:
        return normalize(torch.randn(rows, dim, generator=generator), dim=1).to(device)

    views, key, queue = [unit(batch).requires_grad_() for _ in range(3)], unit(batch), unit(length)

    def run() -> None:
        info, consistency = FORMS[form](views, key, queue)
        (info + consistency.mean()).backward()
        for view in views:
            view.grad = None

    return run


def measure_loss(
    lengths: Sequence[int], device: torch.device, rounds: int, batch: int = 128, dim: int = 128
) -> list[Row]:
    """Rows for each length of the queue and both forms, as far as the textbook's goes."""
    rows = []
    for length in lengths:
        forms = [form for form in FORMS if form == "streamed" or length <= LONGEST_TEXTBOOK]
        setting = {
            "views": 3, "batch": batch, "dim": dim, "queue": length, "dtype": "float32", "device": str(device),
            "threads": torch.get_num_threads(),
        }  # fmt: skip
        contestants = {form: step(form, length, device, batch, dim) for form in forms}
        on_meta = {form: step(form, length, META, batch, dim) for form in forms}
        rows += measure("loss", contestants, setting, device, rounds, on_meta=on_meta, memory=True)
    return rows
