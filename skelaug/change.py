"""A change: what a transform does to each sample, as data that can be gated, joined and applied at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from skelaug import check, gate, host, labels
from skelaug.batch import SkeletonBatch
from skelaug.functional import joints as fj
from skelaug.functional import space as fs
from skelaug.functional import time as ft
from skelaug.functional import values as fv
from skelaug.presence import Presence

__all__ = ["Change", "apply"]

MAPS = ("persons", "joints", "frames", "position", "after")
"""What moves entries about, and with them who is present."""


@dataclass(frozen=True)
class Change:
    """What happens to each sample, as if field by field in this order; ``None`` is nothing, every tensor has N first.

    Matrices, joint maps and person maps act on other axes than maps of time, so they commute. Offsets commute with
    maps of time, because the weights of such a map sum to one over what is present.

    Attributes:
        keep: bool ``(N,)``: is any of the joined changes on? The others are copied bit for bit. ``None``: all are on.
        persons: int64 ``(N, M)``; slot m shows person ``persons[m]``.
        joints: int64 ``(N, V)``; joint v of the result is joint ``joints[v]``.
        frames: int64 ``(N, T')``; frame t of the result is frame ``frames[t]``.
        position: float ``(N, T')``; frame t of the result lies at ``position[t]`` between two frames.
        matrix: float ``(N, C, C)`` or, diagonal, ``(N, C)``; acts on coordinates as column vectors.
        kernel: float ``(N, K)``, weights of K neighbouring frames, renormalised over the present ones.
        after: int64 ``(N, T')``, like ``frames``, after ``position`` or ``kernel``; only joined changes have it.
        offset: float ``(N, C)`` or ``(N, C, M)``, added to the coordinates of what is present.
        noise: float ``(N, C, T, V, M)``, added to the coordinates of what is present.
        noisy: bool ``(N,)``: who gets the noise, where not all do.
        hide: bool ``(N, T or 1, V or 1)``: joints that become 0, as data, not as absence.
        coords: which channels are coordinates; ``None`` for all. The others follow the maps and ``hide`` alone.
        vectors: groups of channels that ``matrix`` acts on as it does on the coordinates, and nothing else.
    """

    keep: Tensor | None = None
    persons: Tensor | None = None
    joints: Tensor | None = None
    frames: Tensor | None = None
    position: Tensor | None = None
    matrix: Tensor | None = None
    kernel: Tensor | None = None
    after: Tensor | None = None
    offset: Tensor | None = None
    noise: Tensor | None = None
    noisy: Tensor | None = None
    hide: Tensor | None = None
    coords: tuple[int, ...] | None = None
    vectors: tuple[tuple[int, ...], ...] | None = None

    @classmethod
    def of(
        cls,
        params: dict[str, Any],
        coords: tuple[int, ...] | None = None,
        vectors: tuple[tuple[int, ...], ...] | None = None,
    ) -> Change:
        """The change that a linear transform's params describe; the params call ``hide`` ``mask``."""
        parts = {name: params[name] for name in _PARAMS if name in params}
        return cls(**parts, hide=params.get("mask"), coords=coords, vectors=vectors)

    def only(self, *names: str) -> Change:
        """The change with the named fields alone: ``only(*MAPS)`` for presence, ``only(*MAPS, "hide")`` for scores."""
        return Change(**{name: getattr(self, name) for name in names})

    @property
    def weighs_frames(self) -> bool:
        """A frame of the result is a weighted sum of frames."""
        return self.position is not None or self.kernel is not None

    @property
    def on_coordinates(self) -> bool:
        """Some field acts on the coordinate channels alone."""
        return any(part is not None for part in (self.matrix, self.kernel, self.offset, self.noise))

    def gated(self, keep: Tensor) -> Change:
        """The change for the samples that ``keep (N,)`` marks, the identity for the others; it must not change T."""
        columns = keep[:, None]
        parts: dict[str, Tensor] = {"keep": keep}
        for name in MAPS:
            if (index := getattr(self, name)) is not None:
                still = torch.arange(index.shape[1], device=index.device, dtype=index.dtype)
                parts[name] = torch.where(columns, index, still)
        if self.matrix is not None and self.matrix.ndim == 2:
            parts["matrix"] = torch.where(columns, self.matrix, 1)
        elif self.matrix is not None:
            eye = torch.eye(self.matrix.shape[-1], device=keep.device, dtype=self.matrix.dtype)
            parts["matrix"] = torch.where(columns[..., None], self.matrix, eye)
        if self.kernel is not None:
            centre = torch.arange(self.kernel.shape[1], device=keep.device) == self.kernel.shape[1] // 2
            parts["kernel"] = torch.where(columns, self.kernel, centre.to(self.kernel.dtype))
        if self.offset is not None:
            parts["offset"] = torch.where(columns.view(-1, *(1,) * (self.offset.ndim - 1)), self.offset, 0)
        if self.noise is not None:
            parts["noisy"] = keep if self.noisy is None else keep & self.noisy
        if self.hide is not None:
            parts["hide"] = self.hide & columns[..., None]
        return replace(self, **parts)  # type: ignore[arg-type]

    def then(self, second: Change) -> Change | None:
        """The change that does this one, then ``second``; ``None`` where the two do not fit into one pass."""
        if self.weighs_frames and second.weighs_frames:
            return None
        if self.on_coordinates and second.on_coordinates and self.coords != second.coords:
            return None
        if self.matrix is not None and second.matrix is not None and self.vectors != second.vectors:
            return None
        if (self.noise is not None or self.hide is not None) and not second.hides_only:
            return None
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        parts = {name: getattr(second, name) if value is None else value for name, value in mine.items()}

        def both(name: str) -> bool:
            return mine[name] is not None and getattr(second, name) is not None

        for name in ("persons", "joints"):
            if both(name):
                parts[name] = _compose(getattr(self, name), getattr(second, name))
        if second.frames is not None and self.weighs_frames:
            parts["frames"] = self.frames
            parts["after"] = second.frames if self.after is None else _compose(self.after, second.frames)
        elif both("frames"):
            parts["frames"] = _compose(self.frames, second.frames)  # type: ignore[arg-type]
        if both("matrix"):
            parts["matrix"] = fs.chain(second.matrix, self.matrix)  # type: ignore[arg-type]
        if self.offset is not None:
            parts["offset"] = _moved_offset(self.offset, second)
        if both("hide"):
            parts["hide"] = self.hide | second.hide  # type: ignore[operator]
        parts["keep"] = self.keep | second.keep if both("keep") else None  # type: ignore[operator]
        parts["coords"] = self.coords if self.on_coordinates else second.coords
        parts["vectors"] = self.vectors if self.matrix is not None else second.vectors
        return Change(**parts)

    @property
    def hides_only(self) -> bool:
        """Nothing is set but ``hide`` and who gets it."""
        return all(getattr(self, name) is None for name in _PARAMS)

    def moved(self, observed: Presence) -> Presence:
        """Who is present afterwards; found when somebody asks."""
        if all(getattr(self, name) is None for name in MAPS):
            return observed
        return observed.moved(self._move_seen)

    def move_label(self, label: Tensor) -> Tensor:
        """The labels of frames ``(N, T)``: each goes with its frame; a blur leaves frames where they are."""
        for frames in (self.frames, self.position, self.after):
            if frames is not None:
                label = labels.take_frames(label, frames)
        return label

    def _move_seen(self, seen: Tensor) -> Tensor:
        seen = self._take(seen[:, None])[:, 0]
        if self.position is not None:
            seen = ft.lerp_seen(seen, self.position)
        return seen if self.after is None else ft.take_frames(seen[:, None], self.after)[:, 0]

    def _take(self, x: Tensor) -> Tensor:
        """``x (N, C, T, V, M)`` with persons, joints and frames in their places."""
        if self.persons is not None:
            x = fj.take_persons(x, self.persons)
        if self.frames is not None:
            return ft.take_frames(x, self.frames, self.joints)
        return x if self.joints is None else fj.take_joints(x, self.joints)


_PARAMS = tuple(f.name for f in fields(Change) if f.name not in ("keep", "noisy", "hide", "coords", "vectors"))


def _compose(first: Tensor, second: Tensor) -> Tensor:
    """The index map that does ``first``, then ``second``."""
    return first.gather(1, second.clamp(0, max(first.shape[1] - 1, 0)))


def _moved_offset(offset: Tensor, second: Change) -> Tensor:
    """The offset of a change that ``second`` follows."""
    if offset.ndim == 3 and second.persons is not None:
        offset = offset.gather(2, second.persons[:, None].expand(-1, offset.shape[1], -1))
    if second.matrix is not None:
        wide = second.matrix.dtype
        if second.matrix.ndim == 2:
            offset = offset * second.matrix.view(*second.matrix.shape, *(1,) * (offset.ndim - 2))
        else:
            offset = fs.linear(offset[..., None].to(wide), second.matrix)[..., 0]
    if second.offset is None or offset.ndim == second.offset.ndim:
        return offset if second.offset is None else offset + second.offset
    offset, added = (v if v.ndim == 3 else v[..., None] for v in (offset, second.offset))
    return offset + added


def apply(batch: SkeletonBatch, change: Change) -> SkeletonBatch:
    """Apply a change. Presence and labels of frames move with the maps; what is absent stays +0.0."""
    observed = change.moved(batch.observed)
    coords = None if change.coords is None else check.channels("Change", change.coords, batch.x)
    turned = [coords] if coords is None else check.groups("Change", coords, change.vectors, batch.x)
    # Matrices and maps of time commute: multiply where there are fewer frames.
    maps = [index for index in (change.frames, change.position, change.after) if index is not None]
    grows = bool(maps) and maps[-1].shape[1] > batch.x.shape[2]
    x = batch.x
    if change.matrix is not None and grows:
        for channels in turned:
            x = _on(x, batch.x, channels, fs.linear, change.matrix)
    x = change._take(x)
    if change.weighs_frames:
        weighed = observed if change.after is None else replace(change, after=None).moved(batch.observed)
        if change.position is not None:
            x = ft.lerp_frames(x, change.position, weighed.seen)
        if change.kernel is not None:
            x = _on(x, batch.x, coords, ft.blur_frames, change.kernel, weighed.seen)
    if change.after is not None:
        x = ft.take_frames(x, change.after)
    if change.matrix is not None and not grows:
        for channels in turned:
            x = _on(x, batch.x, channels, fs.linear, change.matrix)
    if change.offset is not None:
        x = _on(x, batch.x, coords, fv.add_noise, _per_person(change.offset), observed.seen)
    if change.noise is not None:
        seen = observed.seen if change.noisy is None else observed.seen & change.noisy[:, None, None, None]
        x = _on(x, batch.x, coords, fv.add_noise, change.noise, seen)
    if change.hide is not None:
        x = fj.fill_joints(x, change.hide, 0.0, overwrite=_is_scratch(x, batch.x))
    if change.keep is not None and x is not batch.x:
        x = gate.restore(change.keep, x, batch.x)
    label = batch.label if batch.frame_label is None else change.move_label(batch.frame_label)
    return batch.with_parts(x=x, observed=observed, label=label)


def _on(
    x: Tensor, batch_x: Tensor, coords: tuple[int, ...] | None, function: Callable[..., Tensor], *args: Tensor
) -> Tensor:
    """``function`` of the coordinate channels of ``x``; the other channels are left as they are."""
    if coords is None or coords == tuple(range(x.shape[1])):
        return function(x, *args, overwrite=_is_scratch(x, batch_x))
    return fv.put(x, function(fv.pick(x, coords), *args), coords)


def _per_person(offset: Tensor) -> Tensor:
    """An offset ``(N, C)`` or ``(N, C, M)`` with all axes of a batch: ``(N, C, 1, 1, 1 or M)``."""
    return (offset if offset.ndim == 3 else offset[..., None])[:, :, None, None]


def _is_scratch(x: Tensor, batch_x: Tensor) -> bool:
    """Whether ``x`` may be overwritten: this call made it, and no derivative needs it."""
    return x is not batch_x and not host.differentiated(x)
