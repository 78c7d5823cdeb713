"""Draws in a DataLoader's workers differ over workers, ranks and epochs, and repeat for a seed, whoever else seeds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, distributed
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.data import DataLoader, Dataset

from skelaug import Collate
from skelaug import transforms as T
from skelaug.workers import worker_generator

# More workers than this machine has cores: no matter here.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

EPOCHS = 3


class SeedsPerItem(Dataset[Any]):
    """The same clip in every sample; reading it seeds torch, as data sets with a fixed choice of frames do."""

    def __init__(self, draw_in_the_data_set: bool = False) -> None:
        self.draw = draw_in_the_data_set

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        torch.manual_seed(0)
        clip = torch.ones(3, 2, 4, 1)
        return T.Shear(0.5)(clip[None])[0] if self.draw else clip


def seed_alike(worker: int) -> None:
    """A ``worker_init_fn`` that seeds every worker, epoch and rank alike."""
    torch.manual_seed(0)


def epochs(seed: int, *, count: int = EPOCHS, in_the_data_set: bool = False, **options: Any) -> Tensor:
    """All clips of all epochs, in order: ``(count · 8, 3, T, V, M)``."""
    torch.manual_seed(seed)
    loader = DataLoader(
        SeedsPerItem(in_the_data_set),
        batch_size=4,
        num_workers=2,
        collate_fn=None if in_the_data_set else Collate(T.Shear(0.5)),
        **{"multiprocessing_context": "fork"} | options,
    )
    return torch.cat([batch.clone() for _ in range(count) for batch in loader])


def distinct(clips: Tensor) -> int:
    return len(clips.flatten(1).unique(dim=0))


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("in_the_data_set", [False, True])
@pytest.mark.parametrize("init", [None, seed_alike])
def test_no_draw_comes_twice_where_the_data_set_seeds_torch(persistent: bool, in_the_data_set: bool, init: Any) -> None:
    options = {"in_the_data_set": in_the_data_set, "persistent_workers": persistent, "worker_init_fn": init}
    first = epochs(0, **options)
    assert distinct(first) == len(first) == EPOCHS * 8
    assert torch.equal(first, epochs(0, **options))
    assert distinct(torch.cat([first, epochs(1, **options)])) == 2 * len(first)


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True])
def test_no_draw_comes_twice_in_workers_that_are_spawned(persistent: bool) -> None:
    first = epochs(0, persistent_workers=persistent, multiprocessing_context="spawn")
    assert distinct(first) == EPOCHS * 8
    assert torch.equal(first, epochs(0, persistent_workers=persistent))


@pytest.mark.parametrize("name", ["RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_ranks_differ_by_what_their_launcher_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(variable, raising=False)
    alone = epochs(0, count=1)
    drawn = []
    for rank in ("0", "1", "2"):
        monkeypatch.setenv(name, rank)
        drawn.append(epochs(0, count=1))
    assert torch.equal(alone, drawn[0])
    assert distinct(torch.cat(drawn)) == 3 * len(alone)


def test_ranks_of_a_process_group_differ() -> None:
    """As after ``torch.multiprocessing.spawn``, which sets no variable."""
    drawn = []
    for rank in (0, 1):
        # A real group of two ranks, over a backend that needs no second process.
        distributed.init_process_group("fake", store=FakeStore(), rank=rank, world_size=2)
        try:
            drawn.append(epochs(0, count=1))
        finally:
            distributed.destroy_process_group()
    assert distinct(torch.cat(drawn)) == 2 * 8


def test_a_rank_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(ValueError, match=r"worker_generator: .*RANK must be a whole number ≥ 0, got 'first'"):
        epochs(0, count=1)


def test_there_is_none_in_the_main_process() -> None:
    assert worker_generator() is None
