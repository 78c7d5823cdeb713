"""Maps on the coordinates: matrices, offsets, and where they come from.

Convention: coordinates are column vectors, ``y = A x``; frames of reference are right-handed; angles are in radians and
positive angles rotate counter-clockwise when seen against the axis (``e_x`` goes to ``e_y`` for +90° about z).
"""

from __future__ import annotations

import torch
from torch import Tensor

from skelaug.check import constant
from skelaug.functional import joints as fj

#: The matrices of e_x × …, e_y × …, e_z × ….
_CROSS = (((0, 0, 0), (0, 0, -1), (0, 1, 0)), ((0, 0, 1), (0, 0, 0), (-1, 0, 0)), ((0, -1, 0), (1, 0, 0), (0, 0, 0)))

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

__all__ = [
    "embed",
    "facing",
    "facing_released",
    "linear",
    "rotation_matrix",
    "shear_matrix",
    "shortest_turn",
    "translate",
    "turn",
]


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


def facing(across: Tensor) -> Tensor:
    """The turns about y, the vertical axis, that bring a direction over +x: its z becomes 0, its x positive.

    Args:
        across: ``(N, 3, *)``, of any length; 0 and vertical ones turn nothing. ``(N, 2, *)``: the turns in the plane
            that bring it onto +x.

    Returns:
        ``(N, d, d, *)``.
    """
    x, z = across[:, 0], across[:, -1]
    square = x.square() + z.square()
    there = square > 0
    length = torch.where(there, square, 1).sqrt()  # the root's slope at 0 would be infinite
    c, s = torch.where(there, x / length, 1), torch.where(there, z / length, 0)
    return _about_y(c, s, across.shape[1])


def facing_released(across: Tensor) -> Tensor:
    """:func:`facing` as HiCLR's code computes it, for all frames ``(N, 3, T, M)`` at once.

    The cosine is ``x / (length + 1e-4)``, so that a body that faces the sensor is turned by a degree or so, and the
    sense of the turn is that of the clip's mean direction, so that a body that turns to the other side is turned away.
    """
    x, z = across[:, 0], across[:, -1]
    square = x.square() + z.square()
    there = square > 0
    c = torch.where(there, x / (torch.where(there, square, 1).sqrt() + 1e-4), 0)
    sense = torch.where(z.sum(1, keepdim=True) >= 0, 1, -1)
    return _about_y(c, sense * (1 - c.square()).sqrt(), across.shape[1])


def _about_y(c: Tensor, s: Tensor, d: int) -> Tensor:
    if d == 2:
        return torch.stack([torch.stack([c, s], 1), torch.stack([-s, c], 1)], 1)
    none, one = torch.zeros_like(c), torch.ones_like(c)
    rows = [[c, none, s], [none, one, none], [-s, none, c]]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def shortest_turn(direction: Tensor, axis: int) -> Tensor:
    """The rotations by the smallest angle that bring directions onto an axis.

    Args:
        direction: ``(N, 3, *)``, of any length; 0 turns nothing, the opposite of the axis half a turn about the one
            before it.
        axis: 0, 1 or 2.

    Returns:
        ``(N, 3, 3, *)``.
    """
    square = direction.square().sum(1, keepdim=True)
    there = square > 0
    goal = torch.zeros_like(direction)
    goal[:, axis] = 1
    u = torch.where(there, direction / torch.where(there, square, 1).sqrt(), goal)
    # Rodrigues: R = 1 + K + K² / (1 + cos), K the cross product with u × goal.
    k = torch.linalg.cross(u, goal, dim=1)
    cross = constant(_CROSS, u.device, u.dtype)  # (3, 3, 3): matrix of each axis
    shape = (1, 3, 3, 3, *(1,) * (u.ndim - 2))
    first = (k[:, :, None, None] * cross.view(shape)).sum(1)
    second = (first[:, :, :, None] * first[:, None]).sum(2)
    one = torch.eye(3, dtype=u.dtype, device=u.device).view(shape[:1] + shape[2:])
    cosine = u[:, axis, None, None]
    opposite = cosine < 1e-5 - 1
    half = 2 * constant([i == (axis + 2) % 3 for i in range(3)], u.device, u.dtype) - 1
    return torch.where(
        opposite, one * half.view(1, 3, *shape[4:], 1), one + first + second / torch.where(opposite, 1, 1 + cosine)
    )


def turn(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply a matrix of its own to every frame and person.

    Args:
        x: ``(N, C, T, V, M)``.
        matrix: ``(N, C, C, T or 1, M or 1)``.
    """
    a = matrix.to(x.dtype)[:, :, :, :, None]
    y = a[:, :, 0] * x[:, 0:1]
    for j in range(1, x.shape[1]):
        y = torch.addcmul(y, a[:, :, j], x[:, j : j + 1])
    return y


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
