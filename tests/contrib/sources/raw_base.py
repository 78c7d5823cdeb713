"""What the functions that write files for the readers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

import skelaug


@dataclass
class Expected:
    """What a reader must make of a clip."""

    name: str
    x: np.ndarray
    label: int
    subject: int | None = None
    view: int | None = None
    episode: int | None = None
    parts: dict[str, str] = field(default_factory=dict)


def motion(skeleton: str, clips: int, frames: int, persons: int = 1, seed: int = 0) -> np.ndarray:
    """float32 (clips, T, V, 3, persons); who comes first moves most."""
    bones = skelaug.skeletons[skeleton]
    generator = torch.Generator().manual_seed(seed)
    x = skelaug.synthetic_motion(bones, clips, frames, persons, generator=generator).x.numpy()
    clip = np.ascontiguousarray(x.transpose(0, 2, 3, 1, 4))
    varied = clip.reshape(clips, -1, 3, persons).var(1).sum(1)
    for n, order in enumerate(np.argsort(-varied, 1)):
        clip[n] = clip[n][..., order]
    return clip


def ctvm(clip: np.ndarray, persons: int | None = None) -> np.ndarray:
    """(T, V, C) or (T, V, C, M) as (C, T, V, M), with absent people up to ``persons``."""
    clip = clip if clip.ndim == 4 else clip[..., None]
    x = clip.transpose(2, 0, 1, 3)
    missing = 0 if persons is None else persons - x.shape[-1]
    return np.pad(x, ((0, 0), (0, 0), (0, 0), (0, missing)))


def number(value: float) -> str:
    """So many digits that float32 comes back as it was."""
    return f"{float(value):.9g}"


def rows(table: Iterable[Sequence[float]], separator: str = " ") -> str:
    return "".join(separator.join(map(number, row)) + "\n" for row in table)
