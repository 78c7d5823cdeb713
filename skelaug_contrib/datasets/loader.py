"""Batches from a prepared data set: one read a batch, in an order that a seed, an epoch and a step fix."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.presence import Presence
from skelaug.random import fold_in, keys
from skelaug_contrib.datasets.checks import Ints
from skelaug_contrib.datasets.format import PreparedDataset
from skelaug_contrib.encoders.persons import people
from skelaug_contrib.processes import end_with_parent

__all__ = ["Clips", "EpochBatches", "loader", "read"]

_ORDER = 0x0DE2  # lane of the order of samples, beside those of their augmentation


class Clips(NamedTuple):
    """A batch as the loader gives it. N clips, P people.

    Attributes:
        batch: the clips as they were recorded, all T frames, with labels of the clips or of their frames.
        ids: int64 ``(N,)``, their indices in the data set; keys are made from them.
        people: int64 ``(P,)``, the slots of the people who are there, see :mod:`skelaug_contrib.encoders.persons`.
    """

    batch: SkeletonBatch
    ids: Tensor
    people: Tensor


def read(dataset: PreparedDataset, ids: Sequence[int] | Ints, label_axis: str = "sample") -> Clips:
    """Read clips at once, in the given order.

    Args:
        dataset: to read from.
        ids: which clips.
        label_axis: ``"sample"``: the batch has the label of each clip, ``(N,)``; ``"frame"``: those of its frames,
            ``(N, T)``, -100 for none.

    T is always the data set's, never that of the batch's longest clip: shapes that change from batch to batch would
    compile again and again, and what a sample's keyed augmentation draws would depend on its neighbours.

    Raises:
        IndexError: there is no such clip.
        ValueError: the data set has no labels of frames.
    """
    labels = _labels("read", dataset, label_axis)
    index = np.asarray(ids, np.int64)
    if len(index) and not 0 <= index.min() <= index.max() < len(dataset):
        raise IndexError(f"clips must lie in 0 … {len(dataset) - 1}, got {index.min()} … {index.max()}")
    x = torch.from_numpy(np.asarray(dataset.x)[index])
    length, label = torch.from_numpy(dataset.length[index]), torch.from_numpy(labels[index])
    batch = SkeletonBatch.from_lengths(x, length, label, "frame" if label_axis == "frame" else "sample")
    mask = batch.mask.contiguous()  # expanded over the joints, it could not be pinned
    return Clips(batch.with_parts(observed=Presence.of(mask)), torch.from_numpy(index), people(mask))


def _labels(who: str, dataset: PreparedDataset, label_axis: str) -> npt.NDArray[np.int64]:
    """The labels of all clips, or of all their frames."""
    if check.choice(who, "label_axis", label_axis, ("sample", "frame")) == "sample":
        return dataset.label
    if dataset.frame_label is None:
        raise ValueError(
            f"{who}(label_axis='frame'): {dataset.path} has no labels of frames; write(…, frame_label=…) puts them "
            f"there"
        )
    return np.asarray(dataset.frame_label)


class EpochBatches(Sampler[list[int]]):
    """Batches of clip indices: every epoch another permutation, the same on every machine and at every resumption.

    Step s of an epoch takes the s-th run of ``batch_size * world`` clips of the epoch's permutation, and each process
    its own slice of it: two processes together see what one with the doubled batch sees, in that order.

    Iterating starts at the position that was set and does not move it, for worker processes run ahead of the training:
    call :meth:`set_position` before each epoch.

    Args:
        indices: clips to draw from, such as ``split(…)["train"]``.
        batch_size: clips a batch, in one process.
        seed: of the permutations.
        shuffle: False keeps the order of ``indices``.
        drop_last: leave out the clips that do not fill a last batch.
        rank: number of this process.
        world: number of processes.

    Raises:
        ValueError: an argument is off, or there is not one whole batch.

    Example:
        >>> batches = EpochBatches(range(10, 17), batch_size=3, seed=0, shuffle=False)
        >>> list(batches)
        [[10, 11, 12], [13, 14, 15]]
        >>> batches.set_position(epoch=0, step=1)
        >>> list(batches), len(batches)
        ([[13, 14, 15]], 2)
    """

    def __init__(
        self,
        indices: npt.ArrayLike,
        batch_size: int,
        seed: int,
        *,
        shuffle: bool = True,
        drop_last: bool = True,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__()
        self.indices = np.array(indices, np.int64)
        self.batch_size = check.count("EpochBatches", "batch_size", batch_size)
        self.seed = check.count("EpochBatches", "seed", seed, low=0)
        self.shuffle = check.choice("EpochBatches", "shuffle", shuffle, (True, False))
        self.drop_last = check.choice("EpochBatches", "drop_last", drop_last, (True, False))
        self.world = check.count("EpochBatches", "world", world)
        self.rank = check.choice("EpochBatches", "rank", rank, range(world))
        self._epoch = self._step = 0
        if not drop_last and world > 1:
            raise ValueError(
                f"EpochBatches(drop_last=False, world={world}): processes would get batches of unequal size, and wait "
                f"for each other in vain; drop_last=True"
            )
        if not len(self):
            raise ValueError(
                f"EpochBatches(batch_size={batch_size}, world={world}): {len(self.indices)} clips do not fill one "
                f"batch of {batch_size * world}; take a smaller one"
            )

    def set_position(self, epoch: int, step: int = 0) -> None:
        """Where the next iteration starts: at this step of this epoch.

        Raises:
            ValueError: the epoch has fewer steps.
        """
        self._epoch = check.count("set_position", "epoch", epoch, low=0)
        self._step = check.count("set_position", "step", step, low=0)
        if step > len(self):
            raise ValueError(f"set_position(step={step}): an epoch has {len(self)} steps; data or batch have changed")

    def __len__(self) -> int:
        """Steps of a whole epoch, wherever the position is."""
        together = self.batch_size * self.world
        return len(self.indices) // together if self.drop_last else -(-len(self.indices) // together)

    def __iter__(self) -> Iterator[list[int]]:
        order, together = self._order(), self.batch_size * self.world
        starts = range(self._step * together, len(self) * together, together)
        mine = self.rank * self.batch_size
        return (order[start + mine : start + mine + self.batch_size].tolist() for start in starts)

    def _order(self) -> Ints:
        if not self.shuffle:
            return self.indices
        # Keys are distinct, so sorting by them permutes; no generator whose state could get lost.
        places = keys(self.seed, self._epoch, torch.arange(len(self.indices)))
        order: Ints = fold_in(places, _ORDER).argsort().numpy()
        return self.indices[order]


def _begin(worker: int) -> None:
    """Ctrl-C may reach the workers too; the training process lets its step end first, and needs their clips for it."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    end_with_parent(worker)


class _Reader(Dataset[Clips]):
    """What a worker process runs: it holds the data set, which labels are wanted, and no other state."""

    def __init__(self, dataset: PreparedDataset, label_axis: str) -> None:
        _labels("loader", dataset, label_axis)
        self.dataset, self.label_axis = dataset, label_axis

    def __getitem__(self, ids: Any) -> Clips:
        return read(self.dataset, ids, self.label_axis)


def loader(
    dataset: PreparedDataset, sampler: EpochBatches, workers: int = 0, label_axis: str = "sample"
) -> DataLoader[Clips]:
    """A DataLoader of :class:`Clips`, one read a batch; a sampler's batch comes out as a batch.

    Nothing in it is random: the order is the sampler's, augmentation happens later, on the device. So any number of
    workers gives the same batches, and iterating leaves torch's generators alone.

    Args:
        dataset: to read from.
        sampler: which clips, in which order.
        workers: processes that read ahead; 0 reads in this one, which the page cache usually makes fast enough.
        label_axis: which labels the batches have, see :func:`read`.

    Raises:
        ValueError: the data set has no labels of frames.
    """
    return DataLoader(
        _Reader(dataset, label_axis),
        batch_size=None,
        sampler=sampler,
        num_workers=check.count("loader", "workers", workers, low=0),
        persistent_workers=workers > 0,
        worker_init_fn=_begin,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # a DataLoader draws a seed for its workers, else from the global generator
    )
