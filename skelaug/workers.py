"""Random draws inside the worker processes of a DataLoader."""

from __future__ import annotations

import functools
import os
from typing import Unpack

import torch
from torch import distributed
from torch.utils.data import get_worker_info

from skelaug.random import Rng, Source, fold_in, keys

__all__ = ["rng", "worker_generator"]

#: Environment variables by which launchers number processes: torchrun, Lightning and SLURM set some of them.
_RANKS = ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID")


def worker_generator() -> torch.Generator | None:
    """The CPU generator of this worker of a DataLoader, shared by all that draws in it; ``None`` in the main process.

    A worker process seeds it once, from the seed that the DataLoader gave the worker and from the process's rank, and
    then only draws from it. So its draws

    - differ over workers, ranks and epochs: without ``persistent_workers`` the DataLoader draws a new seed for each
      epoch; with it the same process, and so the same generator, goes on;
    - repeat for a seed: the DataLoader draws its seed in the main process, from its own ``generator`` or from torch's;
    - do not depend on what a data set or a ``worker_init_fn`` seeds.

    The rank is that of ``torch.distributed``'s process group and what ``RANK``, ``NODE_RANK``, ``LOCAL_RANK`` and
    ``SLURM_PROCID`` say. Ranks that have none of these need seeds of their own.

    Raises:
        ValueError: one of these variables is no whole number.
    """
    worker = get_worker_info()
    return None if worker is None else _generator(worker.seed)


def rng(n: int, device: torch.device, **source: Unpack[Source]) -> Rng:
    """Where the draws of a call come from: what the caller gave or, in a worker of a DataLoader, its own generator.

    Args:
        n: number of samples.
        device: of the data.
        **source: ``generator`` or ``keys``.
    """
    given = source.get("generator") is not None or source.get("keys") is not None
    if not given and not torch.compiler.is_compiling():
        source["generator"] = worker_generator()
    return Rng(n, device, **source)


@functools.lru_cache(maxsize=1)
def _generator(seed: int) -> torch.Generator:
    """The generator of a worker with this seed: the same object at every call."""
    key = keys(seed, 0, [0])
    for rank in _ranks():
        key = fold_in(key, rank)
    return torch.Generator().manual_seed(int(key))


def _ranks() -> list[int]:
    """All that tells this process from those of the other ranks; 0 for what is not set."""
    grouped = distributed.is_available() and distributed.is_initialized()
    ranks = [distributed.get_rank() if grouped else 0]
    for name in _RANKS:
        value = os.environ.get(name) or "0"
        if not value.isdecimal():
            raise ValueError(f"worker_generator: environment variable {name} must be a whole number ≥ 0, got {value!r}")
        ranks.append(int(value))
    return ranks
