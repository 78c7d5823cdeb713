"""What all adapters share: which policy is meant, what it holds, and its views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from skelaug import check, config
from skelaug.labels import LabelAxis
from skelaug.members import leaves
from skelaug.missing import Missing
from skelaug.policy import GrowingPolicy
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

__all__ = ["Key", "Options", "Policy", "each", "find_policy", "find_skeleton", "refuse_learnable"]

Policy = Transform | GrowingPolicy | str | Path | Mapping[str, Any]
Key = int | str


class Options(TypedDict, total=False):
    """The arguments of :class:`skelaug.AugmentBatch` after the policy and the skeleton, for what passes them on."""

    layout: str
    sizes: Mapping[str, int] | None
    key: Key | None
    mask: Key | None
    length: Key | None
    label: Key | None
    label_axis: LabelAxis | None
    ids: Key | None
    seed: int
    coords: Any
    missing: Missing


def find_policy(
    who: str, policy: Policy, skeleton: Skeleton | Mapping[str, Any] | str | None, coords: Any = None
) -> Any:
    """See :func:`skelaug.config.resolve`; errors name the adapter."""
    coords = check.coordinates(who, coords)
    try:
        return config.resolve(policy, skeleton, coords)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{who}(policy={policy!r}): {error}") from error


def find_skeleton(who: str, skeleton: Skeleton | Mapping[str, Any] | str) -> Skeleton:
    """See :func:`skelaug.config.find_skeleton`; errors name the adapter."""
    try:
        return config.find_skeleton(skeleton)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}(skeleton={skeleton!r}): {error}") from error


def refuse_learnable(who: str, policy: Transform | GrowingPolicy, why: str, instead: str) -> None:
    """Raise ValueError if the policy has a parameter, which ``who`` could not train and would leave at 0."""
    if any(True for leaf in leaves(policy) for _ in leaf.parameters()):
        raise ValueError(
            f"{who}(policy): the policy holds a learnable parameter (fill='token'), which {why}; give fill a number, "
            f"or {instead}"
        )


def each(views: Any, change: Callable[[Any], Any]) -> Any:
    """The changed view; of a growing policy's list of views, the list of the changed ones."""
    return [change(view) for view in views] if isinstance(views, list) else change(views)
