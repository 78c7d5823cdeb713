"""Maps on the coordinates: matrices, and where they come from.

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

__all__ = [
    "chain",
    "facing",
    "facing_released",
    "linear",
    "picture",
    "rotation_matrix",
    "shear_matrix",
    "shortest_turn",
    "turn",
]


def linear(x: Tensor, matrix: Tensor, *, overwrite: bool = False) -> Tensor:
    """Apply a matrix to every joint: ``y = A x``.

    Args:
        x: ``(N, C, *)``. What is 0 becomes +0.0.
        matrix: ``(N, C, C)`` or, diagonal, ``(N, C)``; cast to the dtype of ``x``.
        overwrite: ``x`` is scratch memory: no tensor outside the caller can alias it.
    """
    flat, a = x.flatten(2), matrix.to(x.dtype)[..., None]
    if matrix.ndim == 2:
        return (flat.mul_(a) if overwrite else flat * a).add_(0.0).view(x.shape)  # -0.0 + 0.0 is +0.0
    # Multiply and add, not matmul: exact where a trainer has allowed TF32 or bfloat16 matmuls.
    y = a[:, :, 0] * flat[:, 0:1]
    for j in range(1, x.shape[1]):
        y.addcmul_(a[:, :, j], flat[:, j : j + 1])
    return y.add_(0.0).view(x.shape)


def chain(second: Tensor, first: Tensor) -> Tensor:
    """The matrix that does ``first``, then ``second``; each ``(N, C, C)`` or, diagonal, ``(N, C)``."""
    if first.ndim == 2:
        return second * (first if second.ndim == 2 else first[:, None])
    return second[..., None] * first if second.ndim == 2 else linear(first, second)


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
    # Row-major, the off-diagonals lie in c - 1 runs of c between consecutive ones: 1 ccc 1 ccc 1.
    matrix = amounts.new_ones(n, c * c)
    matrix[:, 1:].view(n, c - 1, c + 1)[:, :, :c] = amounts.view(n, c - 1, c)
    return matrix.view(n, c, c)


def rotation_matrix(angles: Tensor) -> Tensor:
    """Right-handed rotation matrices.

    Args:
        angles: radians; ``(N, 3)`` about the fixed axes x, then y, then z (``R = Rz Ry Rx``), or ``(N, 1)`` in the
            plane.

    Returns:
        ``(N, 3, 3)`` or ``(N, 2, 2)``.
    """
    cosines, sines = angles.cos().unbind(1), angles.sin().unbind(1)
    if angles.shape[1] == 1:
        (c,), (s,) = cosines, sines
        return torch.stack([c, -s, s, c], 1).view(-1, 2, 2)
    (cx, cy, cz), (sx, sy, sz) = cosines, sines
    both, mixed = sy * sx, sy * cx
    rows = [cz * cy, cz * both - sz * cx, cz * mixed + sz * sx]
    rows += [sz * cy, sz * both + cz * cx, sz * mixed - cz * sx]
    rows += [-sy, cy * sx, cy * cx]
    return torch.stack(rows, 1).view(-1, 3, 3)


def facing(across: Tensor, up: int = 1) -> Tensor:
    """The turns about the vertical axis that bring a direction over the first of the two others.

    With y up that is +x: the direction's z becomes 0, its x positive.

    Args:
        across: ``(N, 3, *)``, of any length; 0 and vertical ones turn nothing. ``(N, 2, *)``: the turns in the plane
            that bring it onto +x.
        up: the vertical axis, 0, 1 or 2; which end of it is up makes no difference. Of no use in the plane.

    Returns:
        ``(N, d, d, *)``.
    """
    first, second = _level(across.shape[1], up)
    x, z = across[:, first], across[:, second]
    square = x.square() + z.square()
    turned = square > 0
    length = torch.where(turned, square, 1).sqrt()  # the root's slope at 0 would be infinite
    c, s = torch.where(turned, x / length, 1), torch.where(turned, z / length, 0)
    return _about(c, s, across.shape[1], up)


def facing_released(across: Tensor, up: int = 1) -> Tensor:
    """:func:`facing` as HiCLR's code computes it, for all frames ``(N, 3, T, M)`` at once.

    The cosine is ``x / (length + 1e-4)``, so that a body that faces the sensor is turned by a degree or so, and the
    sense of the turn is that of the clip's mean direction, so that a body that turns to the other side is turned away.
    """
    first, second = _level(across.shape[1], up)
    x, z = across[:, first], across[:, second]
    square = x.square() + z.square()
    turned = square > 0
    c = torch.where(turned, x / (torch.where(turned, square, 1).sqrt() + 1e-4), 0)
    sense = torch.where(z.sum(1, keepdim=True) >= 0, 1, -1)
    return _about(c, sense * (1 - c.square()).sqrt(), across.shape[1], up)


def picture(d: int, up: int) -> tuple[int, int]:
    """The level and the vertical axis of a picture of ``d`` coordinates: the first that is not vertical, and ``up``."""
    return (0, 1) if d == 2 else (_level(d, up)[0], up)


def _level(d: int, up: int) -> tuple[int, int]:
    """The two axes that are not vertical; in the plane, both."""
    first, second = (axis for axis in range(d) if d == 2 or axis != up)
    return first, second


def _about(c: Tensor, s: Tensor, d: int, up: int) -> Tensor:
    """Matrices about the vertical axis from their cosines and sines."""
    first, second = _level(d, up)
    rows = [[torch.ones_like(c) if i == j else torch.zeros_like(c) for j in range(d)] for i in range(d)]
    rows[first][first] = rows[second][second] = c
    rows[first][second], rows[second][first] = s, -s
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
    turned = square > 0
    goal = torch.zeros_like(direction)
    goal[:, axis] = 1
    u = torch.where(turned, direction / torch.where(turned, square, 1).sqrt(), goal)
    # Rodrigues: R = 1 + K + K² / (1 + cos), K the cross product with k = u × goal, whose length is the sine.
    k = torch.linalg.cross(u, goal, dim=1)
    cross = constant(_CROSS, u.device, u.dtype)  # (3, 3, 3): matrix of each axis
    shape = (1, 3, 3, 3, *(1,) * (u.ndim - 2))
    first = (k[:, :, None, None] * cross.view(shape)).sum(1)
    second = (first[:, :, :, None] * first[:, None]).sum(2)
    one = torch.eye(3, dtype=u.dtype, device=u.device).view(shape[:1] + shape[2:])
    cosine, sine_square = u[:, axis, None, None], k.square().sum(1)[:, None, None]
    opposite = (sine_square < 1e-12) & (cosine < 0)
    # Near the opposite 1 + cos is a small difference of large numbers; (1 - cos) / sin² is the same without one.
    behind = (1 - cosine) / torch.where(sine_square < 1e-12, 1, sine_square)
    factor = torch.where(cosine < 0, behind, 1 / torch.where(cosine < 0, 1, 1 + cosine))
    half = 2 * constant([i == (axis + 2) % 3 for i in range(3)], u.device, u.dtype) - 1
    return torch.where(opposite, one * half.view(1, 3, *shape[4:], 1), one + first + second * factor)


def turn(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply a matrix of its own to every frame and person.

    Args:
        x: ``(N, C, T, V, M)``. What is 0 becomes +0.0.
        matrix: ``(N, C, C, T or 1, M or 1)``.
    """
    a = [fj.over_joints(column[:, :, :, None], x.shape[3]) for column in matrix.to(x.dtype).unbind(2)]
    y = a[0] * x[:, 0:1]
    for j in range(1, x.shape[1]):
        y.addcmul_(a[j], x[:, j : j + 1])
    return y.add_(0.0)
