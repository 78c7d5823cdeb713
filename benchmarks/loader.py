"""The field's way, end to end: a Dataset that augments one sample at a time, and a DataLoader that joins them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from benchmarks import reference
from skelaug import Skeleton

BATCHES = 8  # that an epoch has: enough for two workers to get going


class OneByOne(Dataset[Any]):
    """The four views of a step, by :mod:`benchmarks.reference`, a sample at a time: basic twice, normal, strong."""

    def __init__(self, batch: NDArray[np.float32], skeleton: Skeleton) -> None:
        self.batch, self.mirror = batch, np.array(skeleton.mirror)
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return BATCHES * len(self.batch)

    def __getitem__(self, index: int) -> list[NDArray[np.float32]]:
        x = self.batch[index % len(self.batch)]
        drawn = [reference.draw(x.shape, stages, self.mirror, self.rng) for stages in (1, 1, 2, 3)]
        return [np.ascontiguousarray(reference.augment(x, steps)) for steps in drawn]


def epoch(batch: NDArray[np.float32], skeleton: Skeleton, workers: int) -> Callable[[], None]:
    """One pass over the data set; its workers stay, so that starting them is not timed."""
    batches = DataLoader(
        OneByOne(batch, skeleton), batch_size=len(batch), num_workers=workers, persistent_workers=workers > 0
    )

    def run() -> None:
        for _ in batches:
            pass

    return run
