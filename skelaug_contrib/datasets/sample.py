"""A prepared data set to try every command on, made from the motion that ships with the package."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

import skelaug
from skelaug import SkeletonBatch, check
from skelaug.motion import clip_names
from skelaug.transforms import CropResize, GaussianNoise, RandomMove, Rotate, Scale, TimeWarp
from skelaug_contrib.datasets.convert import from_npz
from skelaug_contrib.datasets.format import PreparedDataset
from skelaug_contrib.demo import seen_from

__all__ = ["sample_set"]

_FRAMES = 48
#: Degrees about the vertical axis y, then about x, from which the cameras 1, 2 and 3 see a take.
_CAMERAS = ((45.0, 10.0), (0.0, 10.0), (-45.0, 20.0))
_SENSOR = 0.02  # metres, standard deviation of a joint's place


def sample_set(path: str | Path, subjects: int = 8, seed: int = 0, overwrite: bool = False) -> PreparedDataset:
    """Write a prepared data set of 15 actions, three cameras and some subjects: real motion, varied by skelaug itself.

    Each subject performs each of the 15 bundled clips once: a section of it, at a speed that changes on the way, by a
    body of the subject's size, from some place and heading. Each of the three cameras sees each take with sensor noise
    of its own. So the set has what public sets have: labels, subjects (protocol ``xsub``: odd ones train) and views
    (protocol ``xview``: cameras 1 and 2 train). Subjects differ less than people do: it is for trying commands, not
    for results.

    Args:
        path: the new folder.
        subjects: how many, at least 2; the set has 45 clips for each.
        seed: another one gives another set.
        overwrite: replace a prepared data set that is there.

    Returns:
        The data set, opened: x ``(45 · subjects, 3, 48, 15, 1)``, metres, y up, skeleton ``"humanoid15"``.

    Raises:
        ValueError: ``subjects`` or ``seed`` is out of range.
        FileExistsError: the folder exists, or holds what is no part of a prepared data set.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = sample_set(Path(folder) / "sample", subjects=2)
        >>> len(dataset), dataset.skeleton.name, *sorted(dataset.splits)
        (90, 'humanoid15', 'xsub', 'xview')
    """
    check.count("sample_set", "subjects", subjects, low=2)
    clips = skelaug.sample_motion(centre=False)
    actions = len(clips)
    who = torch.arange(1, subjects + 1).repeat_interleave(actions)
    label = torch.arange(actions).repeat(subjects)
    takes = SkeletonBatch.cat([clips] * subjects)

    def keys(what: int, ids: torch.Tensor) -> torch.Tensor:
        return skelaug.random.keys(check.count("sample_set", "seed", seed, low=0), what, ids)

    # Keys of the subjects: the same body in all of a subject's takes. Keys of the takes: all else.
    body = Scale((0.85, 1.15))(takes, keys=keys(0, who))
    performed = skelaug.Compose(
        [CropResize((0.6, 1.0), _FRAMES), TimeWarp(0.3), Rotate(30, axes="y"), RandomMove(10, (0.95, 1.05), 0.3)]
    )(body, keys=keys(1, torch.arange(len(takes))))

    seen, cameras = seen_from(performed, _CAMERAS), len(_CAMERAS)
    batch = GaussianNoise(_SENSOR)(seen, keys=keys(2, torch.arange(len(seen))))
    view = torch.arange(1, cameras + 1).repeat_interleave(len(takes))
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "sample.npz"
        np.savez(
            raw,
            x=batch.x.numpy(),
            label=label.repeat(cameras).numpy(),
            subject=who.repeat(cameras).numpy(),
            view=view.numpy(),
            class_names=np.array(clip_names()),
        )
        return from_npz(raw, path, "humanoid15", overwrite=overwrite)
