"""Say to a whole policy which channels are coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, final

import torch

from skelaug import change, check, describe, transforms
from skelaug.batch import SkeletonBatch
from skelaug.change import Change
from skelaug.functional import values as fv
from skelaug.gate import apply_where
from skelaug.members import acts_on_graph, inherit
from skelaug.policy import GrowingPolicy, View
from skelaug.random import Rng
from skelaug.transform import Params, Transform

__all__ = ["OnCoordinates", "rebuilt", "with_coords"]

_FOLLOWED = (*change.MAPS, "hide")  # the fields of a change that scores follow

Policy = TypeVar("Policy", bound=Transform | GrowingPolicy)


def with_coords(policy: Policy, coords: Any, who: str = "with_coords", vectors: Any = None) -> Policy:
    """The policy, told which channels are coordinates: every transform in it that has not been told already.

    Ours take ``coords`` themselves, or act on all channels alike. A transform of yours that takes none acts on the
    coordinates alone, see :class:`OnCoordinates`.

    Args:
        policy: a transform or policy; learnable parameters belong to both it and the result.
        coords: a number of leading channels, or indices; None changes nothing.
        who: for the message of an error.
        vectors: groups of channels, beside ``coords``, that are turned with the body but not shifted, such as
            velocities or normals; for the transforms that take them.

    Raises:
        ValueError: ``coords`` or ``vectors`` is none of these.
        TypeError: a container of yours, which does not take its members as ``members``.

    Example:
        >>> from skelaug.policy import Compose
        >>> from skelaug.transforms import Rotate, TemporalCrop
        >>> with_coords(Compose([TemporalCrop(6), Rotate(30)]), 2)
        Compose([TemporalCrop(), Rotate(30, coords=(0, 1))])
    """
    named = check.coordinates(who, coords)
    groups = check.vectors(who, vectors, named)
    return policy if named is None else rebuilt(policy, lambda item: _told(item, named, groups))


def rebuilt(policy: Any, change: Callable[[Any], Any]) -> Any:
    """The policy with ``change(transform)`` in the place of every transform in it; containers are made anew.

    A container that takes ``coords`` itself, or no ``members``, is changed as a whole.
    """
    if isinstance(policy, GrowingPolicy):
        stages = {name: [rebuilt(member, change) for member in stage] for name, stage in policy.items()}
        return policy.with_(stages=stages, stream=None if policy.stream is None else rebuilt(policy.stream, change))
    if isinstance(policy, View):
        return policy.with_(policy=rebuilt(policy.policy, change))
    takes = describe.parameters(type(policy))
    if "members" in takes and "coords" not in takes:
        return policy.with_(members=[rebuilt(member, change) for member in policy])
    return change(policy)


def _told(item: Any, coords: tuple[int, ...], vectors: tuple[tuple[int, ...], ...] | None) -> Any:
    if isinstance(item, OnCoordinates):
        return item
    takes = describe.parameters(type(item))
    if "coords" in takes:
        if item.coords is not None:
            return item
        turned = {"vectors": vectors} if vectors is not None and "vectors" in takes else {}
        return _with(item, coords=coords, **turned)
    if isinstance(item, Iterable):
        raise TypeError(f"with_coords: {item!r} holds transforms but takes no members=; give them their coords")
    name = type(item).__name__
    ours = name in transforms.__all__ and getattr(transforms, name) is type(item)
    return item if ours or acts_on_graph(item) else OnCoordinates(item, coords)


def _with(item: Transform, **changes: Any) -> Transform:
    """The transform with other arguments and the very parameters that it has."""
    told = item.with_(**changes)
    told._parameters.update(item._parameters)
    return told.train(item.training)


@final
class OnCoordinates(Transform):
    """Have a transform act on the coordinates alone, for one that takes no ``coords``; the other channels follow.

    They follow its params: ``persons``, ``joints``, ``frames`` and ``position`` move them, a ``mask`` sets them to 0;
    where the params say none of this, they stay. A transform that moves presence must say it so, or take ``coords``.

    Drawn per sample: what the transform draws; the params are its own.

    Args:
        member: the transform.
        coords: channels that are coordinates.

    Raises:
        TypeError: ``member`` is no Transform, or a container, whose members are to be told one by one.
        ValueError: in a call, the member moves presence, and its params do not say how.

    Example:
        >>> xy_score = torch.rand(4, 3, 50, 17, 1)
        >>> y = OnCoordinates(transforms.Shear(0.5), 2)(xy_score)
        >>> bool((y[:, 2] == xy_score[:, 2]).all())
        True
    """

    def __init__(self, member: Transform, coords: Any) -> None:
        super().__init__()
        if not isinstance(member, Transform) or isinstance(member, Iterable):
            raise TypeError(f"OnCoordinates(member={member!r}): member must be a Transform that holds no others")
        self.member, self.coords = member, check.coordinates("OnCoordinates", coords)
        self.skeleton = member.skeleton
        inherit(self, [member])
        self.data_dependent = member.data_dependent

    def sample_batch(self, batch: SkeletonBatch, rng: Rng) -> Params:
        """What the member draws for the coordinates."""
        return self.member.sample_batch(self._part(batch), rng)

    def replay_batch(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        """The member on the coordinates; the other channels follow."""
        coords = check.channels("OnCoordinates", self.coords, batch.x)
        out = self.member.replay_batch(self._part(batch), params)
        others = tuple(c for c in range(batch.x.shape[1]) if c not in coords)
        if not others:
            return out
        moved = self._follow(batch.with_parts(x=fv.pick(batch.x, others), label=None), params)
        place = (*coords, *others)
        order = tuple(place.index(channel) for channel in range(len(place)))
        return out.with_parts(x=fv.pick(torch.cat([out.x, moved.x], 1), order))

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        """What the member checks."""
        self.member.check_params(self._part(batch), params)

    def _part(self, batch: SkeletonBatch) -> SkeletonBatch:
        return batch.with_parts(x=fv.pick(batch.x, check.channels("OnCoordinates", self.coords, batch.x)))

    def _follow(self, scores: SkeletonBatch, params: Params) -> SkeletonBatch:
        """The other channels, moved as the member moved the coordinates by these params."""
        silent = all(getattr(Change.of(params), name) is None for name in _FOLLOWED)
        if silent and self.member.moves_presence:
            raise ValueError(
                f"{self.member!r} moves presence, and its params do not say where entries go (persons, joints, frames, "
                f"position, mask): nothing tells what becomes of channels that are no coordinates. Let it take coords="
            )
        return apply_where(params["apply"], _follow, scores, params) if "apply" in params else _follow(scores, params)


def _follow(scores: SkeletonBatch, params: Params) -> SkeletonBatch:
    return change.apply(scores, Change.of(params).only(*_FOLLOWED))
