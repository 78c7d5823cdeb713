"""Joints that were not observed, as a prepared data set holds them: NaN in all their coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skelaug.batch import SkeletonBatch

__all__ = ["count", "marked", "of_batch"]

Floats = npt.NDArray[np.float32]


def marked(x: Floats) -> Floats:
    """Write what is missing in one way: a joint of which a value is not finite is NaN, a person without joints is 0.

    Args:
        x: float32 ``(…, C, T, V, M)``.

    Returns:
        ``x`` itself where all is finite.

    Example:
        >>> x = np.ones((3, 1, 2, 2), np.float32)
        >>> x[0, 0, 0, 0], x[1, 0, :, 1] = np.inf, np.nan
        >>> marked(x)[0, 0].tolist()
        [[nan, 0.0], [1.0, 0.0]]
    """
    finite = np.isfinite(x)
    if finite.all():
        return x
    joints = np.logical_and.reduce(finite, -4, keepdims=True)
    persons = np.logical_or.reduce(joints, -2, keepdims=True)
    return np.where(joints, x, np.where(persons, np.float32(np.nan), np.float32(0)))


def of_batch(batch: SkeletonBatch) -> Floats:
    """The coordinates of a batch on the CPU, NaN where a joint of somebody who is there was not observed."""
    hidden = ~batch.mask & batch.mask.any(2, keepdim=True)
    x: Floats = batch.x.masked_fill(hidden[:, None], float("nan")).numpy()
    return x


def count(x: Floats) -> int:
    """How many joints, over all frames and persons, are missing."""
    return int(np.isnan(x[..., 0, :, :, :]).sum())
