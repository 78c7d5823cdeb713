"""Maps on the coordinates: matrices, offsets, and where they come from.

Convention: coordinates are column vectors, ``y = A x``; frames of reference are right-handed; angles are in radians and
positive angles rotate counter-clockwise when seen against the axis (``e_x`` goes to ``e_y`` for +90° about z).
"""

from __future__ import annotations

import torch
from torch import Tensor

from skelaug.check import constant
from skelaug.functional import joints as fj

#: The entries of Rz Ry Rx, row by row, as a · b · c + d · e, and the symbols by their place.
_SYMBOLS = ["0", "1", "cx", "cy", "cz", "sx", "sy", "sz", "-sx", "-sy", "-sz"]
_ENTRIES = """
    cz cz cz sz sz sz -sy cy cy
    cy sy sy cy sy sy 1   sx cx
    1  sx cx 1  sx cx 1   1  1
    0 -sz sz 0  cz cz 0   0  0
    0  cx sx 0  cx -sx 0  0  0
"""
_EULER = tuple(map(_SYMBOLS.index, _ENTRIES.split()))

__all__ = ["embed", "linear", "rotation_matrix", "shear_matrix", "translate"]


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply a matrix to every joint: ``y = A x``.

    Args:
        x: ``(N, C, T, V, M)``.
        matrix: ``(N, C, C)``; cast to the dtype of ``x``.
    """
    # Multiply and add rather than matmul: as fast for so few channels, and exact where a trainer has allowed
    # TF32 or bfloat16 matmuls: a rotation stays a rotation, and the identity leaves every bit alone.
    flat, a = x.flatten(2), matrix.to(x.dtype)[..., None]
    y = a[:, :, 0] * flat[:, 0:1]
    for j in range(1, x.shape[1]):
        y.addcmul_(a[:, :, j], flat[:, j : j + 1])
    return y.view(x.shape)


def translate(x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
    """Add ``offset (N, C)`` to every joint that is present."""
    shift = offset.to(x.dtype)[:, :, None, None, None]
    return x + shift if mask is None else torch.addcmul(x, shift, fj.weights(mask, x))


def shear_matrix(amounts: Tensor) -> Tensor:
    """Shear matrices: ones on the diagonal, the rest as given, row by row.

    Args:
        amounts: ``(N, C * (C - 1))``: for C = 3 the entries xy, xz, yx, yz, zx, zy, where ``xy`` adds that share of y
            to x.

    Returns:
        ``(N, C, C)``.
    """
    n, count = amounts.shape
    c = round((count + 0.25) ** 0.5 + 0.5)
    # Row-major, the off-diagonals sit in c - 1 runs of c between consecutive ones: 1 ccc 1 ccc 1.
    body = torch.cat([torch.ones_like(amounts[:, : c - 1, None]), amounts.view(n, c - 1, c)], 2)
    return torch.cat([body.flatten(1), torch.ones_like(amounts[:, :1])], 1).view(n, c, c)


def rotation_matrix(angles: Tensor) -> Tensor:
    """Right-handed rotation matrices.

    Args:
        angles: radians; ``(N, 3)`` about the fixed axes x, then y, then z (``R = Rz Ry Rx``), or ``(N, 1)`` in the
            plane.

    Returns:
        ``(N, 3, 3)`` or ``(N, 2, 2)``.
    """
    c, s = angles.cos(), angles.sin()
    if angles.shape[1] == 1:
        return torch.cat([c, -s, s, c], 1).view(-1, 2, 2)
    # Few operations on all entries at once: for a batch of small matrices each operation costs the same.
    symbols = torch.cat([torch.zeros_like(c[:, :1]), torch.ones_like(c[:, :1]), c, s, -s], 1)
    a, b, c, d, e = symbols.index_select(1, constant(_EULER, angles.device)).view(-1, 5, 9).unbind(1)
    return torch.addcmul(a * b * c, d, e).view(-1, 3, 3)


def embed(value: Tensor, coords: tuple[int, ...], channels: int) -> Tensor:
    """Let a matrix ``(N, d, d)`` act on the channels ``coords`` of ``channels``; the others keep their value.

    A vector ``(N, d)`` becomes ``(N, channels)`` with zeros for the others.
    """
    if coords == tuple(range(channels)):
        return value
    place = torch.eye(channels, device=value.device, dtype=value.dtype)[list(coords)]  # (d, channels)
    if value.ndim == 2:
        return value @ place
    rest = torch.eye(channels, device=value.device, dtype=value.dtype) - place.T @ place
    return place.T @ value @ place + rest
