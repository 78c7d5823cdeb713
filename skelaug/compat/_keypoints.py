"""What the adapters to PYSKL and mmaction2 share: policies by configuration, and scores beside the coordinates."""

from __future__ import annotations

import functools
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skelaug import check
from skelaug.adapters import Policy, find_policy, find_skeleton, refuse_learnable
from skelaug.batch import SkeletonBatch
from skelaug.coordinates import rebuilt, with_coords
from skelaug.members import leaves
from skelaug.policy import GrowingPolicy, acts_on_graph
from skelaug.presence import Span, infer_presence
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform
from skelaug.transforms import Mirror

Array = npt.NDArray[Any]
_PIXELS = 10.0  # a coordinate beyond this is one of pixels: PreNormalize2D brings those of an image to -1 … 1
Results = dict[str, Any]  # what a pipeline hands from step to step


class KeypointPolicy:
    """One view of a policy, on channels of which the first are coordinates and the others scores.

    Args:
        who: the adapter, for messages.
        policy: see :class:`skelaug.compat.pyskl.SkelAug`.
        skeleton: of the data.
        view: of a growing policy.
        coords: number of leading channels that are coordinates; None: all of them, 2 or 3.
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
        self._told = {c: with_coords(self.transform, c, who) for c in ((2, 3) if coords is None else (self.coords,))}
        self.transform = self._told.get(self.coords, self.transform)
        if acts_on_graph(self.transform):
            raise ValueError(
                f"{who}: the policy acts on the graph, and these pipelines have no place for a graph per sample; leave "
                f"out DropEdges and AddEdges"
            )
        members = list(leaves(self.transform))
        self.borrows = [type(m).__name__ for m in members if m.data_dependent and getattr(m, "style", self) is None]
        self.relabels = any(getattr(m, "label_map", None) is not None for m in members)
        self.mirrors = any(isinstance(m, Mirror) and m.about == "origin" for m in members)
        self.removes = any(getattr(m, "fill", None) == "remove" for m in members)

    def count_coords(self, x: Tensor) -> int:
        """How many channels of ``x (N, C, T, V, M)`` are coordinates."""
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
        if self.coords is None:
            check.scores(self.skeleton, x)
        return self.coords or channels

    def __call__(self, batch: SkeletonBatch, coords: int, middle: tuple[float, float] | None = None) -> SkeletonBatch:
        """Augment a batch of which so many channels are coordinates; where it is one of an image, ``middle`` is its."""
        transform = self._told[coords]
        out: SkeletonBatch = (transform if middle is None else _mirrored_in(transform, middle))(batch)
        return out


@functools.lru_cache(maxsize=64)
def _mirrored_in(transform: Transform, middle: tuple[float, float]) -> Transform:
    """The transform with the mirrors through the origin in the middle of an image."""

    def moved(item: Any) -> Any:
        return item.with_(about=middle) if isinstance(item, Mirror) and item.about == "origin" else item

    return rebuilt(transform, moved)  # type: ignore[no-any-return]


def observed(x: Tensor, coords: int) -> Tensor:
    """Bool ``(N, T, V, M)``: a person is absent where all its joints are 0, a joint where its score, the last, is 0."""
    seen = infer_presence(x[:, :coords])
    if coords < x.shape[1]:
        seen = seen & x[:, -1].bool()
    return seen.expand(-1, -1, x.shape[3], -1)


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

        x = _channels_first(keypoint)
        coords = view.count_coords(x)
        if score is not None:
            x = torch.cat([x, _channels_first(score[..., None]).to(x.dtype)], 1)
        seen = observed(x, coords)
        if not sampled:
            seen = seen & (torch.arange(frames) < total)[:, None, None]  # past total_frames there is padding
        label = torch.tensor([_whole(who, results, "label")]) if view.relabels else None
        batch = SkeletonBatch(x, seen, label=label)
        with torch.no_grad():
            out = view(batch, coords, _middle(who, results, batch.x[:, :coords]) if view.mirrors else None)

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
        whole = out.x[0, :, :length].permute(3, 1, 2, 0).numpy()
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


def _middle(who: str, results: Results, x: Tensor) -> tuple[float, float] | None:
    """The middle of the image, in pixels, where these are coordinates of pixels and the image's size is known."""
    shape = results.get("img_shape")
    if x.shape[1] != 2 or shape is None or not x.numel() or x.abs().max() <= _PIXELS:
        return None
    sizes = tuple(shape)[:2] if isinstance(shape, tuple | list | np.ndarray) else ()
    if len(sizes) < 2 or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise ValueError(f"{who}: results['img_shape'] must be the image's (height, width), got {shape!r}")
    return int(sizes[1]) / 2, int(sizes[0]) / 2


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
