"""NumPy's arrays as tensors, whatever their memory looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["from_numpy"]


def from_numpy(who: str, array: NDArray[Any], *, copy: bool = False) -> Tensor:
    """The array as a tensor; one that torch cannot share (read-only, backward, of foreign bytes) is copied.

    Args:
        who: whose array it is, for the message.
        array: of float16, float32 or float64.
        copy: copy it in any case, so that the tensor may be written to.

    Raises:
        TypeError: another type.
    """
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(f"{who} must be float16, float32 or float64, got {array.dtype}; write x.astype(numpy.float32)")
    shared = array.flags.writeable and array.dtype.isnative and min(array.strides, default=0) >= 0
    if copy or not shared:
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(array)
