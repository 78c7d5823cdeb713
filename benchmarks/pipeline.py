"""Where a training step's time goes: waiting for the loader, making the views, the rest."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

import skelaug
from skelaug_contrib.bench.rows import Setting
from skelaug_contrib.bench.step import model
from skelaug_contrib.datasets import EpochBatches, loader, write
from skelaug_contrib.datasets.preprocess import preparation


@dataclass(frozen=True)
class Shares:
    """Seconds of a step, medians: the whole, waiting for the loader, preparing and augmenting; and workers used."""

    step: float
    stall: float
    augmentation: float
    workers: int


class _Clock:
    """Adds up what the functions that it wraps take."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, 0.0

    def now(self) -> float:
        if self.device.type != "cpu":
            torch.accelerator.synchronize()
        return time.perf_counter()

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += self.now() - start

        return call


def shares(setting: Setting, encoder: str, workers: int, steps: int, queue: int = 32768) -> Shares:
    """Train on a prepared data set of synthetic one-person clips, as ``skelaug pretrain`` does, and keep the time."""
    clips = setting.batch * (steps + 2)
    motion = skelaug.synthetic_motion(setting.skeleton, clips, setting.frames, 1)
    x = torch.nn.functional.pad(motion.x, (0, setting.persons - 1))
    with tempfile.TemporaryDirectory() as folder:
        assert motion.label is not None
        dataset = write(
            os.path.join(folder, "data"),
            x=x.numpy(),
            length=[setting.frames] * clips,
            label=motion.label.numpy(),
            names=[f"clip{i}" for i in range(clips)],
            class_names=list(skelaug.motion.ACTIONS),
            skeleton=setting.skeleton,
        )
        hiclr = model(setting.skeleton, encoder, "present", queue, setting.device)
        prepare = preparation(setting.skeleton, setting.frames)
        augmenting = _Clock(setting.device)
        hiclr.policy.views = augmenting.timed(hiclr.policy.views)  # type: ignore[method-assign]
        hiclr.policy.key_view = augmenting.timed(hiclr.policy.key_view)  # type: ignore[method-assign]
        optimizer = torch.optim.SGD(hiclr.parameters(), 0.01)
        found: list[tuple[float, float, float]] = []
        batches = iter(loader(dataset, EpochBatches(range(clips), setting.batch, 0), workers))
        for _ in range(steps + 2):
            augmenting.seconds, start = 0.0, augmenting.now()
            raw, ids, people = (part.to(setting.device, non_blocking=True) for part in next(batches))
            stall = augmenting.now() - start
            keys = skelaug.random.keys(0, 0, ids)
            losses = hiclr(augmenting.timed(prepare)(raw, keys=keys), people=people, keys=keys)
            optimizer.zero_grad()
            losses["loss"].backward()
            optimizer.step()
            found.append((augmenting.now() - start, stall, augmenting.seconds))
    # The first two still load libraries and fill the allocator, or wait for workers that start.
    step, stall, augmentation = (statistics.median(column) for column in zip(*found[2:], strict=True))
    return Shares(step, stall, augmentation, workers)
