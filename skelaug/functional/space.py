"""Maps on the coordinates: matrices, offsets, and where they come from.

Convention: coordinates are column vectors, ``y = A x``; frames of reference are right-handed; angles are in radians and
positive angles rotate counter-clockwise when seen against the axis (``e_x`` goes to ``e_y`` for +90° about z).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from skelaug.check import Table, constant
from skelaug.functional import joints as fj
from skelaug.functional import values as fv

#: The matrices of e_x × …, e_y × …, e_z × ….
_CROSS = (((0, 0, 0), (0, 0, -1), (0, 1, 0)), ((0, 0, 1), (0, 0, 0), (-1, 0, 0)), ((0, -1, 0), (1, 0, 0), (0, 0, 0)))

#: Symbols, each the sine of ± one of the angles x, y, z plus a phase: sign, angle and phase in right angles.
SYMBOLS = {
    "0": (0, 0, 0), "cx": (1, 0, 1), "sx": (1, 0, 0), "-sx": (-1, 0, 0),
    "1": (0, 0, 1), "cy": (1, 1, 1), "sy": (1, 1, 0), "-sy": (-1, 1, 0),
    "cz": (1, 2, 1), "sz": (1, 2, 0), "-sz": (-1, 2, 0),
}  # fmt: skip
#: The entries of Rz Ry Rx, row by row, as a · b · c + d · e, by the place of their symbols.
_ENTRIES = """
    cz cz cz sz sz sz -sy cy cy
    cy sy sy cy sy sy 1   sx cx
    1  sx cx 1  sx cx 1   1  1
    0 -sz sz 0  cz cz 0   0  0
    0  cx sx 0  cx -sx 0  0  0
"""
_EULER = Table([list(SYMBOLS).index(symbol) for symbol in _ENTRIES.split()], torch.int64)
_ANGLE = Table([angle for _, angle, _ in SYMBOLS.values()], torch.int64)
_SIGN = Table([sign for sign, _, _ in SYMBOLS.values()], torch.float64)
_PHASE = Table([phase * math.pi / 2 for _, _, phase in SYMBOLS.values()], torch.float64)
#: The matrices of rotations about one axis, row by row; of the plane, about z.
ABOUT = {
    "x": ["1", "0", "0", "0", "cx", "-sx", "0", "sx", "cx"],
    "y": ["cy", "0", "sy", "0", "1", "0", "-sy", "0", "cy"],
    "z": ["cz", "-sz", "0", "sz", "cz", "0", "0", "0", "1"],
    "plane": ["cz", "-sz", "sz", "cz"],
}

__all__ = [
    "ABOUT",
    "SYMBOLS",
    "chain",
    "embed",
    "euler_matrix",
    "facing",
    "facing_released",
    "linear",
    "rotation_matrix",
    "scale",
    "shear_matrix",
    "shortest_turn",
    "symbol_axes",
    "translate",
    "turn",
]


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply a matrix to every joint: ``y = A x``.

    Args:
        x: ``(N, C, *)``.
        matrix: ``(N, C, C)``; cast to the dtype of ``x``.
    """
    # Multiply and add rather than matmul: as fast for so few channels, and exact where a trainer has allowed
    # TF32 or bfloat16 matmuls: a rotation stays a rotation, and the identity leaves every bit alone.
    flat, a = x.flatten(2), matrix.to(x.dtype)[..., None]
    y = a[:, :, 0] * flat[:, 0:1]
    for j in range(1, x.shape[1]):
        y.addcmul_(a[:, :, j], flat[:, j : j + 1])
    return y.view(x.shape)


def scale(x: Tensor, factor: Tensor, *, own: bool = False) -> Tensor:
    """Multiply the coordinates of every joint by ``factor (N, C)``; ``own`` allows to overwrite ``x``."""
    factor = factor.to(x.dtype)[..., None]
    flat = x.flatten(2)
    return (flat.mul_(factor) if own else flat * factor).view(x.shape)


def translate(x: Tensor, offset: Tensor, mask: Tensor | None = None, *, own: bool = False) -> Tensor:
    """Add ``offset (N, C)`` to every joint that is present; ``own`` allows to overwrite ``x``."""
    return fj.add(x, offset.to(x.dtype)[:, :, None, None, None], mask, own=own)


def chain(second: Tensor, first: Tensor) -> Tensor:
    """The matrices ``(N, C, C)`` that do ``first``, then ``second``; ``first`` may have any number of columns."""
    if second.is_cpu:
        return torch.bmm(second, first)
    return linear(first, second)  # in full precision, see there


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
    if angles.shape[1] == 1:
        c, s = angles.cos(), angles.sin()
        return torch.cat([c, -s, s, c], 1).view(-1, 2, 2)
    sign, phase = (table.on(angles, angles.dtype) for table in (_SIGN, _PHASE))
    angle = angles.index_select(1, symbol_axes(angles))
    return euler_matrix(torch.addcmul(phase, angle, sign).sin_())


def symbol_axes(like: Tensor) -> Tensor:
    """The axis of each of :data:`SYMBOLS`, int64 ``(11,)``, where ``like`` lies."""
    return _ANGLE.on(like)


def euler_matrix(symbols: Tensor) -> Tensor:
    """``Rz Ry Rx``, ``(N, 3, 3)``, from the values ``(N, 11)`` of :data:`SYMBOLS`."""
    # Few operations on all entries at once: for a batch of small matrices each operation costs the same.
    a, b, c, d, e = symbols.index_select(1, _EULER.on(symbols)).chunk(5, 1)
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
    a = [fj.spell_out(column[:, :, :, None], x.shape[3]) for column in matrix.to(x.dtype).unbind(2)]
    y = a[0] * x[:, 0:1]
    for j in range(1, x.shape[1]):
        y = torch.addcmul(y, a[j], x[:, j : j + 1])
    return y


def embed(value: Tensor, coords: tuple[int, ...] | None, channels: int, rest: float = 0.0) -> Tensor:
    """Let a matrix ``(N, d, d)`` act on the channels ``coords`` of ``channels``; the others keep their value.

    ``None`` is all channels. A vector ``(N, d)`` becomes ``(N, channels)`` with ``rest`` for the others.
    """
    if coords is None or coords == tuple(range(channels)):
        return value
    whole = value.new_full((len(value), channels), rest) if value.ndim == 2 else _eye(value, channels)
    if value.ndim == 3:  # its columns first
        value = fv.put(value.new_zeros(len(value), channels, len(coords)), value.mT, coords).mT
    return fv.put(whole, value, coords)


def _eye(like: Tensor, size: int) -> Tensor:
    return torch.eye(size, device=like.device, dtype=like.dtype).expand(len(like), -1, -1)
