"""HiCLR's augmentations the way feeders write them: NumPy, float32, one sample at a time.

An honest opponent and an oracle: every function is vectorised over frames, joints and persons, takes its parameters as
arguments, and follows the conventions of ``skelaug.policies.hiclr`` on clips in which everybody is present. ``draw``
makes the parameters with NumPy's generator.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]  # (C, T, V, M)


def take_frames(x: Array, frames: NDArray[np.int64]) -> Array:
    return x[:, frames]


def linear(x: Array, matrix: Array) -> Array:
    return np.tensordot(matrix, x, axes=1).astype(np.float32)


def scale(x: Array, factor: Array) -> Array:
    return x * factor[:, None, None, None]


def swap_sides(x: Array, mirror: NDArray[np.int64]) -> Array:
    return x[:, :, mirror]


def add_noise(x: Array, noise: Array) -> Array:
    return x + noise


def blur(x: Array, kernel: Array, *, normalize: bool = True) -> Array:
    """Weighted sum of neighbouring frames, divided by the weights that fell inside the clip."""
    frames, half = x.shape[1], len(kernel) // 2
    padded = np.pad(x, ((0, 0), (half, half), (0, 0), (0, 0)))
    total = np.zeros_like(x)
    for k, weight in enumerate(kernel):
        total += weight * padded[:, k : k + frames]
    if normalize:
        inside = np.convolve(np.ones(frames, np.float32), kernel, mode="full")[half : half + frames]
        total /= inside[:, None, None].astype(np.float32)
    return total


def mask_joints(x: Array, mask: NDArray[np.bool_]) -> Array:
    """``mask`` is ``(T, V)``, True where a joint becomes 0."""
    return np.where(mask[:, :, None], np.float32(0), x)


def crop_frames(frames: int, shift: int) -> NDArray[np.int64]:
    """The window, moved by ``shift``, of a clip that is reflected at its ends."""
    index = (np.arange(frames) + shift) % (2 * frames)
    return np.minimum(index, 2 * frames - 1 - index)


def shear_matrix(amounts: Array) -> Array:
    matrix = np.eye(3, dtype=np.float32)
    matrix[~np.eye(3, dtype=bool)] = amounts
    return matrix


def rotation_matrix(angles: Array) -> Array:
    """About x, then y, then z; right-handed."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]], np.float32)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]], np.float32)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]], np.float32)
    return about_z @ about_y @ about_x


def blur_kernel(sigma: float, size: int = 15) -> Array:
    distance = np.arange(size) - size // 2
    return np.exp(-(distance**2) / (2 * sigma**2)).astype(np.float32)


def draw(
    shape: tuple[int, ...], stages: int, mirror: NDArray[np.int64], rng: np.random.Generator
) -> list[tuple[str, Any]]:
    """Parameters of one sample's view, as steps for :func:`augment`."""
    _, frames, joints, _ = shape
    pad = frames // 6
    steps: list[tuple[str, Any]] = [
        ("frames", crop_frames(frames, int(rng.integers(-pad, pad + 1)))),
        ("matrix", shear_matrix(rng.uniform(-0.5, 0.5, 6).astype(np.float32))),
    ]
    if stages > 1:
        if rng.random() < 0.5:
            steps.append(("joints", mirror))
        angles = rng.uniform(-math.radians(1), math.radians(1), 3)
        angles[rng.integers(3)] = rng.uniform(-math.radians(30), math.radians(30))
        steps.append(("matrix", rotation_matrix(angles.astype(np.float32))))
        if rng.random() < 0.5:
            steps.append(("noise", 0.01 * rng.standard_normal(shape, dtype=np.float32)))
        if rng.random() < 0.5:
            steps.append(("kernel", blur_kernel(rng.uniform(0.1, 2))))
        if rng.random() < 0.5:
            steps.append(("scale", (np.arange(3) != rng.integers(3)).astype(np.float32)))
    if stages > 2:
        count = max(1, int(joints * 0.1))
        steps.append(("mask", rng.random((frames, joints)).argsort(1) < count))
    return steps


_APPLY = {
    "frames": take_frames,
    "matrix": linear,
    "scale": scale,
    "joints": swap_sides,
    "noise": add_noise,
    "kernel": blur,
    "mask": mask_joints,
}


def augment(x: Array, steps: list[tuple[str, Any]], *, normalize: bool = True) -> Array:
    """Apply drawn steps in order."""
    for name, value in steps:
        x = blur(x, value, normalize=normalize) if name == "kernel" else _APPLY[name](x, value)
    return x


def loop(batch: NDArray[np.float32], stages: int, mirror: NDArray[np.int64], rng: np.random.Generator) -> Any:
    """One view of a batch ``(N, C, T, V, M)``, sample by sample, as a feeder makes it."""
    return np.stack([augment(x, draw(x.shape, stages, mirror, rng)) for x in batch])
