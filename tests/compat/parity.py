"""What the tests of the feeders' drop-ins share: clips with gaps, arrays of every make, and a test of distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy.stats import kstest

Array = np.ndarray[Any, np.dtype[Any]]


def clip(c: int = 3, t: int = 12, v: int = 25, m: int = 2, *, start: int = 0, stop: int | None = None) -> Array:
    """float32 ``(C, T, V, M)``, nowhere 0 in frames ``start … stop`` of the first person, 0 elsewhere."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, (c, t, v, m)).astype(np.float32)
    x[:, :start], x[:, t if stop is None else stop :], x[..., 1:] = 0, 0, 0
    return x


def makes(x: Array) -> Iterator[Array]:
    """The same clip as arrays come: plain, read-only, in other orders of memory and bytes, of other types."""
    yield x
    locked = x.copy()
    locked.flags.writeable = False
    yield locked
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, 1)[:, ::-2][:, ::-1]
    yield x.astype(x.dtype.newbyteorder())
    yield x.astype(np.float64)
    yield x.astype(np.float16)


def pvalue(ours: Callable[[], Any], theirs: Callable[[np.random.Generator], Array], draws: int) -> float:
    """Kolmogorov and Smirnov's p that two samplers of arrays of one shape agree, on a random projection."""
    torch.manual_seed(1)
    rng = np.random.default_rng(2)
    weights = np.random.default_rng(3).normal(size=theirs(rng).shape)
    # float32 against float64: rounding must not make two equal outcomes two.
    mine = [round(float((np.asarray(ours()) * weights).sum()), 3) for _ in range(draws)]
    others = [round(float((theirs(rng) * weights).sum()), 3) for _ in range(draws)]
    return float(kstest(mine, others).pvalue)
