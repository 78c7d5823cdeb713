"""The page of moving skeletons, from a batch and a policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type, wholes
from skelaug.members import leaves
from skelaug.plot import paper
from skelaug.policy import GrowingPolicy
from skelaug.preview import Page, Slider, make_scene
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["chosen_of", "names_of", "skeleton_of", "view"]

_SHOWN = 6  # clips on a page


def view(
    batch: SkeletonBatch | Tensor | NDArray[Any],
    policy: GrowingPolicy | Transform | None = None,
    skeleton: Skeleton | str | None = None,
    *,
    samples: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    slider: str | bool = True,
    coords: int | Sequence[int] | None = None,
    up: str | None = None,
    fps: float = 30.0,
    frames: int = 128,
    title: str = "Views, weak to strong",
    height: int = 760,
) -> Page:
    """A page of moving skeletons: clips and their ordered views side by side, to be turned, played and compared.

    A notebook shows what is returned; ``.save("ladder.html")`` writes it as one file, which asks nobody for anything.
    All views are made here, by ``policy``; the page only draws. Drawn per sample: what ``policy.views`` draws with
    ``keys = skelaug.random.keys(seed, 0, samples)``.

    Args:
        batch: clips, x ``(N, C, T, V, M)`` with 2 or 3 coordinates; a tensor or an array too.
        policy: makes the views; without one the clips alone are shown.
        skeleton: of the data, or its name. If it is left out: the policy's, else the only known one with so many
            joints, which the page names, else none: joints without bones.
        samples: which of the batch are shown; six, evenly spread, if left out.
        names: of these samples.
        seeds: of the draws, to choose from.
        slider: ``"Rotate.degrees=0:60"`` for five steps of that argument of the policy's first Rotate; True chooses a
            transform, False leaves it out.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        up: see :func:`strip`.
        fps: frames a second of the data.
        frames: at most so many of a clip are shown, evenly spread. Views are made from all.
        title: the headline.
        height: of the frame in a notebook, in pixels.

    Raises:
        TypeError: ``batch`` or ``policy`` is something else.
        ValueError: a sample that is not there, no coordinates that can be drawn, a wrong slider.

    Example:
        >>> from skelaug import policies, sample_motion
        >>> page = view(sample_motion(["walk", "kick"], length=32), policies.hiclr("humanoid15"))
        >>> page
        <skelaug preview, ... MB; .save('ladder.html') writes it>
    """
    who = "plot.view"
    batch = paper.as_batch(who, "batch", batch)
    of_type(who, "policy", policy, (GrowingPolicy, Transform, type(None)), "a policy, a transform or None")
    of_type(who, "title", title, str, "a string")
    check.number(who, "fps", fps, low=0.1, high=10_000)
    for name, count in (("frames", frames), ("height", height)):
        check.count(who, name, count)
    channels = check.coordinates(who, list(coords) if isinstance(coords, Sequence) else coords)
    check.channels(who, channels, batch.x, allowed=(2, 3))
    bones = skeleton_of(who, batch, policy, skeleton)
    paper.check_drawing(who, bones or "ntu25", up, **({"batch": batch} if bones else {}))
    chosen = chosen_of(who, batch, samples, _SHOWN)
    drawn = wholes(who, "seeds", seeds)
    if not drawn:
        raise ValueError(f"{who}: give at least one seed")
    dial = None if policy is None or slider is False else Slider.of(policy, None if slider is True else slider)
    source = f"{len(chosen)} of {len(batch)} clips" if len(chosen) < len(batch) else ""
    scene = make_scene(
        batch[chosen],
        policy,
        skeleton=bones,
        names=names_of(who, names, len(chosen)),
        ids=chosen,
        seeds=drawn,
        coords=channels,
        slider=dial,
        up=check.up(who, up, bones),
        fps=fps,
        frames=frames,
        title=title,
        source=source,
    )
    return Page(scene, height)


def chosen_of(who: str, batch: SkeletonBatch, samples: Sequence[int] | None, most: int) -> list[int]:
    """The numbers of the samples that are shown: those given, or at most so many, evenly spread."""
    if samples is None:
        samples = torch.linspace(0, len(batch) - 1, min(most, len(batch))).long().tolist()
    chosen = [check.choice(who, "samples", int(i), range(len(batch))) for i in wholes(who, "samples", samples)]
    if not chosen:
        raise ValueError(f"{who}(samples={samples!r}): samples must hold at least one")
    return chosen


def names_of(who: str, names: Sequence[str] | None, count: int) -> list[str] | None:
    """The names of the samples, one each."""
    if names is None:
        return None
    if not isinstance(names, Sequence) or isinstance(names, str | bytes) or len(names) != count:
        raise ValueError(f"{who}(names={names!r}): give names, one name a sample, {count}")
    for name in names:
        of_type(who, "names", name, (str, int), "strings")
    return list(map(str, names))


def skeleton_of(who: str, batch: SkeletonBatch, policy: Any, given: Skeleton | str | None) -> Skeleton | None:
    """The skeleton that was given, the policy's, or the only known one with so many joints."""
    if given is not None:
        return check.skeleton(who, given)
    members = list(leaves(policy)) if isinstance(policy, GrowingPolicy | Transform) else []
    told = [one.skeleton for one in (policy, *members) if getattr(one, "skeleton", None) is not None]
    return told[0] if told else paper.find_bones(batch.x.shape[3])
