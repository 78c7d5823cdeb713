"""How many threads a command computes with: one on each physical core that it may use, not one on each logical one."""

from __future__ import annotations

import os

import torch
from joblib import cpu_count

__all__ = ["THREADS", "use_threads"]

THREADS = (
    "threads of each process on a CPU; physical cores that the process may use if left out (limits of containers and "
    "OMP_NUM_THREADS count)"
)


def use_threads(threads: int | None, processes: int = 1) -> None:
    """Set how many threads torch computes with; more than there are cores make a training step several times slower.

    Args:
        threads: as given by the user; None keeps OMP_NUM_THREADS, else takes the physical cores.
        processes: on this machine, which share the cores.
    """
    if threads is None:
        if "OMP_NUM_THREADS" in os.environ:
            return
        threads = max(1, cpu_count(only_physical_cores=True) // processes)
    torch.set_num_threads(threads)
