"""What the adapters to PYSKL and mmaction2 share: policies by configuration, and scores that go where joints go."""

from __future__ import annotations

import functools
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skelaug import check
from skelaug.adapters import Policy, find_policy, find_skeleton, refuse_learnable
from skelaug.batch import SkeletonBatch
from skelaug.change import MAPS, Change, apply
from skelaug.gate import apply_where
from skelaug.members import leaves
from skelaug.policy import Compose, GrowingPolicy, OneOf, View, acts_on_graph
from skelaug.presence import Span, infer_presence
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform
from skelaug.workers import worker_generator

Array = npt.NDArray[Any]
Results = dict[str, Any]  # what a pipeline hands from step to step
_FOLLOWED = (*MAPS, "hide")  # the fields of a change that scores follow


@runtime_checkable
class TellsScores(Protocol):
    """A transform that says itself what happens to scores, because its params do not."""

    def score_change(self, params: Params) -> Change | None:
        """Maps and what is hidden; an empty change leaves scores alone, ``None`` has ``op`` run on them."""
        ...


class KeypointPolicy:
    """One view of a policy on coordinates ``(N, C, T, V, M)``; scores ``(N, S, T, V, M)`` go where the joints go.

    Args:
        who: the adapter, for messages.
        policy: see :class:`skelaug.compat.pyskl.SkelAug`.
        skeleton: of the data.
        view: of a growing policy.
        coords: number of leading channels that are coordinates.
    """

    def __init__(
        self,
        who: str,
        policy: Policy,
        skeleton: Skeleton | Mapping[str, Any] | str | None,
        view: int | str,
        coords: int | None,
    ) -> None:
        self.who = who
        self.skeleton = None if skeleton is None else find_skeleton(who, skeleton)
        self.coords = None if coords is None else check.count(who, "coords", coords, low=2)
        self.transform = _choose_view(who, find_policy(who, policy, self.skeleton), view)
        if acts_on_graph(self.transform):
            raise ValueError(
                f"{who}: the policy acts on the graph, and these pipelines have no place for a graph per sample; leave "
                f"out DropEdges and AddEdges"
            )
        members = list(leaves(self.transform))
        self.borrows = [type(m).__name__ for m in members if m.data_dependent and getattr(m, "style", self) is None]
        self.relabels = any(getattr(m, "label_map", None) is not None for m in members)
        self.removes = any(getattr(m, "fill", None) == "remove" for m in members)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The channels ``(N, C, T, V, M)`` that are coordinates, and the others."""
        channels, joints = x.shape[1], x.shape[3]
        if self.skeleton is not None and joints != len(self.skeleton):
            raise ValueError(
                f"{self.who}: skeleton {self.skeleton.name!r} has {len(self.skeleton)} joints, the keypoints have "
                f"{joints}; pass the skeleton of the data"
            )
        if self.coords is None and channels not in (2, 3):
            raise ValueError(
                f"{self.who}: the keypoints have {channels} channels; say how many of them are coordinates, as in "
                f"coords=3 for (x, y, z, score), and augment joints before GenSkeFeat makes more streams of them"
            )
        if self.coords is not None and self.coords > channels:
            raise ValueError(f"{self.who}(coords={self.coords}): the keypoints have only {channels} channels")
        coords = self.coords or channels
        return x[:, :coords], x[:, coords:]

    def __call__(
        self, batch: SkeletonBatch, scores: Tensor, generator: torch.Generator | None = None
    ) -> tuple[SkeletonBatch, Tensor]:
        """Augment the coordinates; move the scores along."""
        if not scores.shape[1]:
            out = self.transform(batch, generator=generator)
            return out, out.x[:, :0]
        out, params = self.transform(batch, generator=generator, return_params=True)
        return out, follow(self.transform, batch.replace(x=scores, label=None), params).x


def observed(x: Tensor, scores: Tensor) -> Tensor:
    """Bool ``(N, T, V, M)``: persons are absent where all their joints are 0, joints where they and their score are."""
    seen = infer_presence(x)
    if scores.shape[1]:
        seen = seen & (x.bool().any(1) | scores.bool().any(1))
    return seen.expand(-1, -1, x.shape[3], -1)


def follow(transform: Transform, scores: SkeletonBatch, params: Params) -> SkeletonBatch:
    """Move scores to where ``transform`` moved the joints by these params, and do nothing else to them.

    Frames, joints and persons change place; resampling in time interpolates; what is hidden (masked joints, dropped
    frames) or removed gets the score 0. Matrices, noise, blur and the like leave scores alone. This is read from the
    params, so it holds for a transform of yours too: a ``mask`` hides, ``frames`` and the like move. One whose params
    say neither, but which moves presence, has its op run on the scores, unless it is a :class:`TellsScores`.

    Args:
        transform: that was applied to the coordinates.
        scores: ``(N, S, T, V, M)``, with the presence that the coordinates had.
        params: that it drew.
    """
    keep = params.get("apply")
    if keep is None:
        return _follow(transform, scores, params)
    return apply_where(keep, functools.partial(_follow, transform), scores, params)


def _follow(transform: Transform, scores: SkeletonBatch, params: Params) -> SkeletonBatch:
    if isinstance(transform, OneOf):
        for i, (member, drawn) in enumerate(zip(transform, params["members"], strict=True)):
            scores = apply_where(params["choice"] == i, functools.partial(follow, member), scores, drawn)
        return scores
    if isinstance(transform, Compose | View):
        for member, drawn in zip(transform, params["members"], strict=True):
            scores = follow(member, scores, drawn)
        return scores
    change = _score_change(transform, params)
    return transform.op(scores, params) if change is None else apply(scores, change)


def _score_change(transform: Transform, params: Params) -> Change | None:
    """What happens to scores; ``None``: the same that ``op`` does to the coordinates."""
    if isinstance(transform, TellsScores):
        return transform.score_change(params)
    change = Change.of(params).only(*_FOLLOWED)
    silent = all(getattr(change, name) is None for name in _FOLLOWED)
    return None if silent and transform.moves_presence else change


class Step:
    """A step of a pipeline that sees one clip at a time; see :class:`skelaug.compat.pyskl.SkelAug`."""

    def __init__(
        self,
        policy: Policy,
        skeleton: Skeleton | Mapping[str, Any] | str | None = None,
        view: int | str = -1,
        coords: int | None = None,
    ) -> None:
        who = type(self).__name__
        self._view = KeypointPolicy(who, policy, skeleton, view, coords)
        refuse_learnable(who, self._view.transform, "nobody trains in a pipeline", "augment batches at the model")
        if self._view.borrows:
            raise ValueError(
                f"{who}: {', '.join(self._view.borrows)} borrows from the other samples of a batch, and a pipeline "
                f"sees one clip at a time; give it a style, or augment batches"
            )

    def __call__(self, results: Results) -> Results:
        """Augment ``results`` and return it."""
        view, who = self._view, self._view.who
        keypoint, score = _arrays(who, results)
        frames: int = keypoint.shape[1]
        total, clips = _whole(who, results, "total_frames", frames), _whole(who, results, "num_clips", 1)
        sampled = "frame_inds" in results
        if sampled and (view.removes or view.transform.length is not None or clips > 1):
            raise ValueError(
                f"{who}: frames have been sampled already, so that their number must not change any more nor several "
                f"clips follow one another; put {who} before UniformSampleFrames"
            )
        if not sampled and not 0 <= total <= frames:
            raise ValueError(f"{who}: total_frames is {total}, keypoint has {frames} frames, shape {keypoint.shape}")

        x, scores = view.split(_channels_first(keypoint))
        if score is not None:
            scores = torch.cat([scores, _channels_first(score[..., None]).to(scores.dtype)], 1)
        seen = observed(x, scores)
        if not sampled:
            seen = seen & (torch.arange(frames) < total)[:, None, None]  # past total_frames there is padding
        label = torch.tensor([_whole(who, results, "label")]) if view.relabels else None
        batch = SkeletonBatch(x, seen, label=label)
        with torch.no_grad():
            out, moved = view(batch, scores, worker_generator())

        length = out.x.shape[2]
        if not sampled:
            resized = view.transform.length is not None
            left = length if resized else total
            if view.removes and out.mask.any():
                left = int(Span(out.mask).stop) + (0 if resized else total - int(Span(seen).stop))
            if resized or total == frames:
                length = left  # frames that were removed are cut off; in a padded clip they become padding
            if "total_frames" in results:
                results["total_frames"] = left
        whole = torch.cat([out.x, moved], 1)[0, :, :length].permute(3, 1, 2, 0).numpy()
        if score is not None:
            results["keypoint_score"] = np.ascontiguousarray(whole[..., -1], dtype=score.dtype)
            whole = whole[..., :-1]
        results["keypoint"] = np.ascontiguousarray(whole, dtype=keypoint.dtype)
        if label is not None:
            assert out.label is not None
            results["label"] = type(results["label"])(out.label.item())
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self._view.transform!r}, coords={self._view.coords})"


def _arrays(who: str, results: Results) -> tuple[Array, Array | None]:
    """``keypoint`` and, if there is one, ``keypoint_score``, checked."""
    if not isinstance(results, MutableMapping):
        raise TypeError(f"{who}: results must be a dict with 'keypoint', got {type(results).__name__}")
    keypoint, score = results.get("keypoint"), results.get("keypoint_score")
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4:
        raise ValueError(
            f"{who}: results['keypoint'] must be an array (M, T, V, C) = person, frame, joint, channel; got "
            f"{_about(keypoint)}; put {who} before FormatGCNInput"
        )
    if score is not None and (not isinstance(score, np.ndarray) or score.shape != keypoint.shape[:3]):
        raise ValueError(
            f"{who}: results['keypoint_score'] must be an array (M, T, V) = {keypoint.shape[:3]} to fit keypoint, got "
            f"{_about(score)}"
        )
    for name, array in (("keypoint", keypoint), ("keypoint_score", score)):
        if array is not None and not np.issubdtype(array.dtype, np.floating):
            raise TypeError(
                f"{who}: results[{name!r}] must be floating point, got {array.dtype}; write .astype('float32')"
            )
    return keypoint, score


def _about(value: Any) -> str:
    return f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _channels_first(array: Array) -> Tensor:
    """A tensor ``(1, C, T, V, M)`` of its own from ``(M, T, V, C)``, at least float32: halves lose pixels in sums."""
    wide = np.float64 if array.dtype.itemsize > 4 else np.float32
    return torch.from_numpy(np.array(array.transpose(3, 1, 2, 0), dtype=wide, order="C"))[None]


def _whole(who: str, results: Results, name: str, default: Any = None) -> int:
    """The whole number ``results[name]``, which a tensor can hold."""
    value = results.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{who}: results[{name!r}] must be a whole number, got {value!r}")
    return int(value)


def _choose_view(who: str, policy: Transform | GrowingPolicy, view: int | str) -> Transform:
    """The view of a growing policy by index or name; a single transform is its own only view."""
    names = policy.names if isinstance(policy, GrowingPolicy) else ("",)
    by_index = isinstance(view, int) and not isinstance(view, bool) and -len(names) <= view < len(names)
    if not by_index and not (isinstance(view, str) and view in names):
        wanted = f"one of {', '.join(map(repr, names))} or " if isinstance(policy, GrowingPolicy) else ""
        raise ValueError(
            f"{who}(view={view!r}): view must be {wanted}an index of the policy's {len(names)} views, got {view!r}"
        )
    if not isinstance(policy, GrowingPolicy):
        return policy
    return policy[view if isinstance(view, int) else names.index(view)]
