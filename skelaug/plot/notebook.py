"""Notebooks show a policy or a transform as moving skeletons.

A policy knows nothing of pictures, so IPython is told here, if it runs, how to show one.
"""

from __future__ import annotations

import sys

import torch

from skelaug.batch import SkeletonBatch
from skelaug.motion import sample_motion, synthetic_motion
from skelaug.plot.pages import skeleton_of, view
from skelaug.policy import GrowingPolicy
from skelaug.preview.axes import SEEN
from skelaug.skeleton import Skeleton, skeletons
from skelaug.transform import Transform

__all__ = ["motion_of", "picture", "register"]

_FRAMES = 48
_HEIGHT = 620  # of the frame, in pixels


def register() -> bool:
    """Tell IPython, if it runs, to show policies and transforms as pages; whether it runs."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return False
    html = shell.display_formatter.formatters["text/html"]
    for kind in (GrowingPolicy, Transform):
        html.for_type(kind, picture)
    return True


def picture(policy: GrowingPolicy | Transform) -> str | None:
    """A page of bundled clips and what a policy makes of them, for notebooks; ``None``: the text alone is shown.

    The clips are real for ``humanoid15`` and where no skeleton is named, else procedural motion of the skeleton.

    Example:
        >>> import skelaug
        >>> picture(skelaug.transforms.Shear(0.5))[:7]
        '<iframe'
    """
    try:
        bones = skeleton_of("plot", sample_motion(["walk"], length=8), policy, None) or skeletons["humanoid15"]
        clips, names = motion_of(bones)
        page = view(clips, policy, bones, names=names, seeds=(0,), title=type(policy).__name__, height=_HEIGHT)
    except (TypeError, ValueError):  # it wants more of its data, such as velocities; its text says what it is
        return None
    return page._repr_html_()


def motion_of(bones: Skeleton) -> tuple[SkeletonBatch, list[str]]:
    """Three clips of a skeleton, the same each time, with its axis up and in 2D if it is of images; their names."""
    if bones == skeletons["humanoid15"]:
        names = ["walk", "kick", "jump"]
        return SkeletonBatch.cat([sample_motion([name], length=_FRAMES)[:1] for name in names]), names
    names = ["wave", "squat", "kick"]
    made = synthetic_motion(bones, 3, _FRAMES, actions=names, generator=torch.Generator().manual_seed(0))
    assert made.label is not None
    x = torch.empty_like(made.x)
    for from_axis, (sign, axis) in enumerate(SEEN[bones.up]):
        x[:, axis] = sign * made.x[:, from_axis]
    batch = SkeletonBatch(x[:, :2] if bones.planar else x, made.mask)
    return batch, [names[i] for i in made.label.tolist()]
