"""The training step against the textbook's, on one- and two-person clips in a two-person tensor.

Textbook: the three views through the same encoder with every slot encoded, present or not, and the loss straight from
its definition. Both make the same views, move the key encoder and the queue on, and run backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from skelaug import Skeleton, SkeletonBatch, policies
from skelaug_contrib.bench.rows import Row, Setting, measure
from skelaug_contrib.encoders import STGCN, people
from skelaug_contrib.hiclr import HiCLR
from skelaug_contrib.losses import textbook_losses

__all__ = ["WIDTHS", "measure_step", "model", "ours", "textbook"]

#: Widths and strides of ST-GCN's blocks; the paper's are the encoder's own.
WIDTHS: dict[str, dict[str, Any]] = {"paper": {}, "small": {"widths": (16, 16, 32, 64), "strides": (2, 2, 2, 1)}}


def model(skeleton: Skeleton, encoder: str, persons: str, queue: int, device: torch.device) -> HiCLR:
    """HiCLR with an ST-GCN; the same weights each time."""
    torch.manual_seed(0)
    stgcn = STGCN(skeleton, persons=persons, **WIDTHS[encoder])
    return HiCLR(stgcn, policies.hiclr(skeleton, fill="token"), queue_size=queue).to(device)


def ours(hiclr: HiCLR, batch: SkeletonBatch) -> Callable[[], None]:
    """A step that encodes who is there."""
    assert batch.mask is not None
    slots = people(batch.mask.cpu()).to(batch.device)  # the loader's work

    def step() -> None:
        hiclr(batch, people=slots)["loss"].backward()
        hiclr.zero_grad()

    return step


def textbook(hiclr: HiCLR, batch: SkeletonBatch) -> Callable[[], None]:
    """A step that encodes every slot and takes the loss from its definition."""

    def step() -> None:
        queries = [hiclr.query(view, None) for view in hiclr.policy.views(batch)]
        hiclr.key.update(hiclr.query)
        key = hiclr.key(hiclr.policy.key_view(batch), None)
        info, consistency = textbook_losses(queries, key, hiclr.queue.features, hiclr.temperature)
        (info + consistency.mean()).backward()  # type: ignore[no-untyped-call]
        hiclr.queue.update(key)
        hiclr.zero_grad()

    return step


def measure_step(setting: Setting, rounds: int, encoder: str = "paper", queue: int = 32768) -> list[Row]:
    """Rows for 1 … ``setting.persons`` people who are there in each clip, and both forms; in float32."""
    setting, rows = replace(setting, dtype=torch.float32), []
    for there in range(1, setting.persons + 1):
        x = setting.data()
        x[..., there:] = 0
        batch = SkeletonBatch(x)
        described = setting.describe() | {"present": there, "encoder": encoder, "queue": queue}
        settings = {name: (setting.skeleton, encoder, name, queue, setting.device) for name in ("present", "all")}
        contestants = {
            "skelaug": ours(model(*settings["present"]), batch),
            "textbook": textbook(model(*settings["all"]), batch),
        }
        rows += measure("step", contestants, described, setting.device, rounds, memory=True)
    return rows
