"""What the promise tests share: counts of the cases tried, comparison of bits, and what a clear error is."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from cases import Case, make_mask, make_x
from torch import Tensor
from torch.utils import _pytree as pytree

import skelaug
from skelaug import SkeletonBatch

#: ``make test-all``: many examples.
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
#: How many cases the whole suite has to try for each promise in ``make test-all``.
WANTED = {"presence": 59_000, "replay": 118_000, "mathematics": 112_000, "errors": 6_700}
#: Cases tried in this process, by promise; ``conftest.py`` sums them over the workers and prints them.
COUNTS: Counter[str] = Counter()

_PACKAGE = str(Path(skelaug.__file__).parent)
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def tried(promise: str, n: int) -> None:
    """Note that ``n`` cases of a promise were tried."""
    COUNTS[promise] += n


def bits(x: Tensor) -> Tensor:
    """The bits as integers: 0.0 and -0.0 differ, and NaN is equal to itself."""
    if not x.is_floating_point():
        return x
    # contiguous() keeps the odd strides of an axis of size 1 or 0, and view() refuses them.
    return x.clone(memory_format=torch.contiguous_format).view(_INTEGERS[x.element_size()])


def same_bits(a: Any, b: Any) -> bool:
    """Every tensor of two results (tensors, batches, params) has the same dtype, shape and bits."""
    left, right = pytree.tree_leaves(a), pytree.tree_leaves(b)
    return len(left) == len(right) and all(
        x.dtype == y.dtype and x.shape == y.shape and torch.equal(bits(x), bits(y))
        for x, y in zip(left, right, strict=True)
    )


def is_plus_zero(x: Tensor, where: Tensor) -> bool:
    """All entries of ``x (N, C, T, V, M)`` that ``where (N, T, V, M)`` marks are +0.0."""
    return not bool((bits(x) * where[:, None]).any())


def acts_on_graph(case: Case) -> bool:
    """The case takes a SkeletonBatch only."""
    return case.name.startswith(("DropEdges", "AddEdges")) or case.name in ("hiclr-bone-all", "hiclr-motion-edges")


def inputs(case: Case, x: Tensor) -> list[Tensor | SkeletonBatch]:
    """The plain tensor, where the case takes one, and the batch."""
    return [SkeletonBatch(x)] if acts_on_graph(case) else [x, SkeletonBatch(x)]


def x_of(out: Tensor | SkeletonBatch) -> Tensor:
    """The coordinates of a result."""
    return out if isinstance(out, Tensor) else out.x


def many(
    n: int, c: int = 3, t: int = 12, m: int = 2, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> SkeletonBatch:
    """A batch with everything that happens to presence, otherwise in every sample.

    Masks of :func:`cases.make_mask` first; then lost frames, lost persons, lost joints and whole samples at random.
    """
    g = torch.Generator().manual_seed(seed)
    x = make_x(n, c, t, m, seed=seed, dtype=dtype)
    v = x.shape[3]
    mask = torch.rand(n, t, 1, 1, generator=g) > 0.15
    mask = mask & (torch.rand(n, t, 1, m, generator=g) > 0.1) & (torch.rand(n, 1, 1, m, generator=g) > 0.15)
    mask = mask & ((torch.rand(n, t, v, m, generator=g) > 0.1) | (torch.rand(n, 1, 1, 1, generator=g) > 0.5))
    mask = mask | (torch.rand(n, 1, 1, 1, generator=g) > 0.8)
    mask[: min(n, 5)] = make_mask(min(n, 5), t, m)
    return SkeletonBatch(torch.where(mask[:, None], x, torch.nan), mask)


def whole_persons(batch: SkeletonBatch) -> Tensor:
    """A plain tensor in which whole persons are absent in some frames: all zeros there, and nowhere else."""
    x = make_x(*batch.x.shape[:3], batch.x.shape[4], dtype=batch.x.dtype)
    return torch.where(batch.mask.any(2, keepdim=True)[:, None], x, 0)


def is_clear(error: BaseException, *words: str) -> str | None:
    """``None`` if the error is the package's own and says every word; else what is wrong with it."""
    if not isinstance(error, ValueError | TypeError | IndexError):
        return f"is a {type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not frames[-1].filename.startswith(_PACKAGE):
        return f"comes from {frames[-1].filename if frames else 'nowhere'}: {type(error).__name__}: {error}"
    if "raise" not in (frames[-1].line or "raise"):
        return f"is torch's or Python's own, in {frames[-1].line!r}: {type(error).__name__}: {error}"
    missing = [word for word in words if word.lower() not in str(error).lower()]
    return f"does not say {missing}: {error}" if missing else None


@contextmanager
def refuses(what: str, *words: str) -> Iterator[None]:
    """The block must raise a ValueError or TypeError of the package's own that says every word."""
    try:
        yield
    except Exception as error:
        wrong = "is an IndexError" if isinstance(error, IndexError) else is_clear(error, *words)
        assert wrong is None, f"{what}: the error {wrong}"
    else:
        raise AssertionError(f"{what}: accepted without a word")


def attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The result of a call, or its error."""
    try:
        return call(), None
    except Exception as error:
        return None, error
