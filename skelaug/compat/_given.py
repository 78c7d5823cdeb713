"""Policies and skeletons as an adapter is given them; errors say which argument of which adapter they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skelaug import config
from skelaug.feed import Policy
from skelaug.policy import GrowingPolicy
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

__all__ = ["find_policy", "find_skeleton"]


def find_policy(who: str, policy: Policy, skeleton: Skeleton | None) -> Transform | GrowingPolicy:
    """See :func:`skelaug.config.resolve`."""
    try:
        return config.resolve(policy, skeleton)  # type: ignore[no-any-return]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{who}(policy={policy!r}): {error}") from error


def find_skeleton(who: str, skeleton: Skeleton | str | Mapping[str, Any]) -> Skeleton:
    """See :func:`skelaug.config.find_skeleton`."""
    try:
        return config.find_skeleton(skeleton)
    except ValueError as error:
        raise ValueError(f"{who}(skeleton={skeleton!r}): {error}") from error
