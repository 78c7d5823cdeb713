"""What the page shows: clips, their views for some seeds, the steps of a slider, the strength, the policy as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skelaug import config, random
from skelaug.batch import SkeletonBatch
from skelaug.functional import values as fv
from skelaug.policy import Compose, GrowingPolicy
from skelaug.preview.axes import lift
from skelaug.preview.compared import compare
from skelaug.preview.slider import Slider
from skelaug.preview.trace import ABSENT, SHOWN, Traced, stream_of, trace
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform
from skelaug.transforms import Bone

__all__ = ["Clip", "Scene", "Track", "make_scene"]

_MOTION = 5.0  # motion is drawn so many times as long as it is, for it is small from frame to frame


@dataclass(frozen=True)
class Track:
    """One moving picture: a clip, or a view of it. T are the frames shown, D is 3, or 2 for skeletons of images.

    Attributes:
        places: float32 ``(T, M, V, D)``, y up.
        state: uint8 ``(T, M, V)``, see :mod:`skelaug.preview.trace`.
        moved: float32 ``(T, M, V)`` in body sizes, NaN where there is nothing to compare; or ``None``.
        edges: that changed, as (joint, joint, how).
        strength: mean of ``moved`` over all frames of the view, those left out included.
    """

    places: Tensor
    state: Tensor
    moved: Tensor | None = None
    edges: Sequence[tuple[int, int, int]] = ()
    strength: float | None = None


@dataclass(frozen=True)
class Clip:
    """A clip, its views and the steps of the slider.

    Attributes:
        name: what it is called.
        original: as recorded.
        views: ``[seed][view]``.
        steps: of the slider, for the first seed.
        every: one frame in so many is shown.
        body: size of the person, in the units of the data.
        front: the horizontal direction (x, z) that the person faces.
        floor: height of the lowest joint.
    """

    name: str
    original: Track
    views: list[list[Track]]
    steps: list[Track]
    every: int
    body: float
    front: tuple[float, float]
    floor: float


@dataclass(frozen=True)
class Scene:
    """All that the page shows."""

    title: str
    source: str
    skeleton: Skeleton | None
    joints: int
    flat: bool
    fps: float
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    adds: tuple[str, ...]
    vectors: str | None
    strength: list[list[float]]
    slider: Slider | None
    clips: list[Clip]
    python: str
    yaml: str


def make_scene(
    batch: SkeletonBatch,
    policy: GrowingPolicy | Transform | None = None,
    *,
    skeleton: Skeleton | None,
    made: Mapping[str, SkeletonBatch] | None = None,
    names: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    coords: tuple[int, ...] | None = None,
    slider: Slider | None = None,
    up: str = "y",
    fps: float = 30.0,
    frames: int = 128,
    title: str = "Views, weak to strong",
    source: str = "",
) -> Scene:
    """Make the views of some clips and put together what is shown.

    Args:
        batch: the clips to show, each of them.
        policy: makes the views; None shows the clips alone.
        skeleton: of the data; None draws joints without bones.
        made: views of the clips that somebody made before, by name, instead of a policy.
        names: of the clips.
        ids: of the clips, from which keys are made: ``skelaug.random.keys(seed, 0, ids)``.
        seeds: of the draws, to choose from.
        coords: which channels are coordinates, 2 or 3; None: all.
        slider: see :class:`Slider`.
        up: the axis that points up, such as ``"y"``, ``"z"`` or ``"-y"`` (images).
        fps: frames a second of the data.
        frames: at most so many of a clip are shown, evenly spread; views are made from all.
        title: the headline.
        source: where the clips come from, for the page.
    """
    channels = coords or tuple(range(batch.x.shape[1]))
    ids = range(len(batch)) if ids is None else ids
    names = [f"clip {i}" for i in ids] if names is None else names
    batch = batch.to("cpu").replace(x=batch.x.to("cpu").float(), label=None)
    stream = None if policy is None else stream_of(policy)
    vectors = None if stream is None else "bone" if isinstance(stream, Bone) else "motion"
    points, seen = fv.pick(batch.x, channels), batch.mask
    stages = [] if policy is None else _stages(policy)
    labels = [(name, adds) for name, adds, _ in stages] + [(name, "") for name in made or {}]
    keys = [random.keys(seed, 0, torch.as_tensor(list(ids))) for seed in seeds]
    given = [compare(batch, view, channels) for view in (made or {}).values()]
    traced = [[trace(view, batch, k, channels) for _, _, view in stages] + given for k in keys]
    steps = [trace(step, batch, keys[0], channels) for step in (slider.transforms if slider else ())]

    strength = [_compared(given)] * len(seeds)
    if policy is not None:
        strength = [_strength(policy, batch, k, views) for k, views in zip(keys, traced, strict=True)]
    clips = []
    for i, name in enumerate(names):
        all_views = [view for views in traced for view in views] + steps
        every, shown = _shown_frames(seen[i], [view.state[i] for view in all_views], frames)
        anchor = points[i]
        body = float(fv.body_size(points[i : i + 1], seen[i : i + 1]).max()) or 1.0
        track = _Tracks(i, anchor, shown, seen.shape[1], up, vectors, skeleton)
        original = Track(track.pick(lift(anchor, up)), track.pick(torch.where(seen[i], SHOWN, ABSENT).to(torch.uint8)))
        clips.append(
            Clip(
                name,
                original,
                [[track.of(view) for view in views] for views in traced],
                [_Tracks(i, anchor, shown, seen.shape[1], up, None, skeleton).of(step) for step in steps],
                every,
                body,
                _front(original, skeleton),
                _floor(original),
            )
        )
    return Scene(
        title=title,
        source=source,
        skeleton=skeleton,
        joints=batch.x.shape[3],
        flat=len(channels) == 2,
        fps=fps,
        seeds=tuple(seeds),
        names=tuple(name for name, _ in labels),
        adds=tuple(adds for _, adds in labels),
        vectors=vectors,
        strength=strength,
        slider=slider,
        clips=clips,
        python="" if policy is None else repr(policy),
        yaml="" if policy is None else _yaml(policy),
    )


def _stages(policy: GrowingPolicy | Transform) -> list[tuple[str, str, Transform]]:
    """The views of a policy: the name of each, what it adds, and the transform that makes it."""
    if isinstance(policy, GrowingPolicy):
        made = zip(policy.items(), policy, strict=True)
        return [(name, _listed(stage), view) for (name, stage), view in made]
    return [("augmented", _listed(policy if isinstance(policy, Compose) else [policy]), policy)]


def _listed(members: object) -> str:
    return ", ".join(type(member).__name__ for member in members)  # type: ignore[attr-defined]


def _strength(
    policy: GrowingPolicy | Transform, batch: SkeletonBatch, keys: Tensor, views: Sequence[Traced]
) -> list[float]:
    """The strength of each view over all clips; empty where the number of frames changes."""
    if isinstance(policy, GrowingPolicy) and policy[-1].length is None:
        return policy.strength(batch, keys=keys).tolist()
    return [float(view.moved.nanmean()) for view in views if view.moved is not None]


def _compared(views: Sequence[Traced]) -> list[float]:
    """The strength of views that were made before; empty where one of them cannot be compared."""
    strength = [math.nan if view.moved is None else float(view.moved.nanmean()) for view in views]
    return strength if all(map(math.isfinite, strength)) else []


def _yaml(policy: GrowingPolicy | Transform) -> str:
    try:
        return config.to_yaml(policy)
    except ImportError as error:  # the extra "cli" is not there
        return f"# {error}\n"
    except (TypeError, ValueError) as error:  # a transform that nobody registered
        return "".join(f"# {line}\n" for line in str(error).splitlines())


def _shown_frames(seen: Tensor, states: Sequence[Tensor], most: int) -> tuple[int, Tensor]:
    """One frame in how many is shown, and which: up to the last one in which anybody is there, in any view."""
    total = len(seen)
    there = [seen.flatten(1).any(1), *((s != ABSENT).flatten(1).any(1) for s in states if len(s) == total)]
    found = torch.stack(there).any(0).nonzero()
    last = int(found[-1]) + 1 if len(found) else 1
    every = math.ceil(last / most)
    return every, torch.arange(0, last, every)


@dataclass(frozen=True)
class _Tracks:
    """Makes the tracks of one clip: its frames, its axes, and for streams where vectors begin."""

    index: int
    anchor: Tensor  # (C, T, V, M)
    shown: Tensor
    total: int
    up: str
    vectors: str | None
    skeleton: Skeleton | None

    def pick(self, part: Tensor) -> Tensor:
        """``(…, T, V, M)`` as ``(T', M, V, …)``."""
        frames = self.shown
        if part.shape[-3] != self.total:  # a view of another length has its own frames, as many as are shown
            frames = torch.linspace(0, part.shape[-3] - 1, len(frames)).round().long()
        part = part.index_select(-3, frames).movedim((-3, -1, -2), (0, 1, 2))
        return part.contiguous()

    def of(self, view: Traced) -> Track:
        x = view.x[self.index]
        if self.vectors is not None and x.shape[1:] == self.anchor.shape[1:]:
            start, factor = self.anchor, _MOTION
            if self.vectors == "bone":
                parents = list(range(x.shape[2])) if self.skeleton is None else list(self.skeleton.parents)
                start, factor = self.anchor[:, :, parents], 1.0
            x = torch.where(view.state[self.index] == ABSENT, 0, start + factor * x)
        moved = None if view.moved is None else view.moved[self.index]
        strength = None if moved is None or moved.isnan().all() else float(moved.nanmean())
        state = self.pick(view.state[self.index])
        return Track(
            self.pick(lift(x, self.up)),
            state,
            None if moved is None else self.pick(moved),
            view.edges[self.index],
            strength,
        )


def _front(original: Track, skeleton: Skeleton | None) -> tuple[float, float]:
    """Where the first person faces over the clip: up × (from left to right)."""
    if skeleton is not None and skeleton.pairs and original.places.shape[-1] == 3:
        left, right = torch.tensor(skeleton.pairs).T
        both = (original.state[..., left] == SHOWN) & (original.state[..., right] == SHOWN)
        across = torch.where(both[..., None], original.places[..., right, :] - original.places[..., left, :], 0)
        x, _, z = across[:, 0].sum((0, 1)).tolist()
        size = math.hypot(x, z)
        if size > 0:
            return z / size, -x / size
    return 0.0, 1.0


def _floor(original: Track) -> float:
    heights = original.places[..., 1][original.state == SHOWN]
    return float(heights.quantile(0.005)) if 0 < len(heights) < 2**24 else 0.0
