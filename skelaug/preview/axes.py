"""Which axes of the data go to the right, upwards and towards the reader."""

import torch
from torch import Tensor

__all__ = ["SEEN", "lift"]

#: What of the data, as (sign, axis), goes to the right, upwards and towards the reader, by the axis that points up.
SEEN = {
    "y": ((1, 0), (1, 1), (1, 2)),
    "-y": ((1, 0), (-1, 1), (-1, 2)),
    "z": ((1, 0), (1, 2), (-1, 1)),
    "-z": ((1, 0), (-1, 2), (1, 1)),
    "x": ((-1, 1), (1, 0), (1, 2)),
    "-x": ((1, 1), (-1, 0), (1, 2)),
}


def lift(x: Tensor, up: str) -> Tensor:
    """Coordinates ``(C, …)`` with y up, right-handed; C is 2 or 3."""
    if len(x) == 2:
        return torch.stack([x[0], -x[1]]) if up == "-y" else x
    return torch.stack([sign * x[axis] for sign, axis in SEEN[up]])
