"""One argument of one transform, at five values: what the slider of the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skelaug.describe import parameters
from skelaug.expect import of_type
from skelaug.members import leaves
from skelaug.policy import GrowingPolicy
from skelaug.transform import Transform

__all__ = ["STEPS", "Slider"]

STEPS = 5
_DIALS = ("amount", "degrees", "distance", "std", "ratio")  # arguments of which a number says how strong it is
_FORM = re.compile(r"\s*(\w+)\.(\w+)\s*=\s*([-+.\deE]+)\s*:\s*([-+.\deE]+)\s*")


@dataclass(frozen=True)
class Slider:
    """One argument of one transform, at five values.

    Attributes:
        name: as in ``Rotate.degrees``.
        values: of the argument.
        transforms: the transform with each of them, applied always (``p=1``).
    """

    name: str
    values: tuple[float, ...]
    transforms: tuple[Transform, ...]

    @classmethod
    def of(cls, policy: GrowingPolicy | Transform, given: str | None = None) -> Slider | None:
        """The slider that is meant.

        Args:
            policy: whose transform it is.
            given: ``"Rotate.degrees=0:60"``: of the first Rotate in the policy, from 0 to 60. None: the first
                transform of which a number says how strong it is, from nothing to twice as much as in the policy.

        Raises:
            ValueError: the policy has no such transform, it no such argument, or the values do not fit.

        Example:
            >>> from skelaug.transforms import Rotate, Shear
            >>> Slider.of(Shear(0.5)).values
            (0.0, 0.25, 0.5, 0.75, 1.0)
            >>> Slider.of(Rotate(30, p=0.5), "Rotate.degrees=0:60").transforms[2]
            Rotate(30)
        """
        if given is None:
            return next(_found(policy), None)
        form = _FORM.fullmatch(of_type("Slider", "slider", given, str, "such as 'Rotate.degrees=0:60'"))
        if form is None:
            raise ValueError(f"slider {given!r}: write TRANSFORM.ARGUMENT=FROM:TO, as in Rotate.degrees=0:60")
        kind, argument, *ends = form.groups()
        members = list(_leaves(policy))
        member = next((leaf for leaf in members if type(leaf).__name__ == kind), None)
        if member is None:
            held = ", ".join(dict.fromkeys(type(leaf).__name__ for leaf in members))
            raise ValueError(f"slider {given!r}: the policy has no {kind}; it has {held}")
        if argument not in parameters(type(member)):
            raise ValueError(
                f"slider {given!r}: {kind} has no {argument}; it has {', '.join(parameters(type(member)))}"
            )
        try:
            low, high = map(float, ends)
            return _slider(member, argument, low, high)
        except (ValueError, TypeError) as error:
            raise ValueError(f"slider {given!r}: {error}") from error


def _leaves(policy: GrowingPolicy | Transform) -> Iterator[Transform]:
    return leaves(policy[-1] if isinstance(policy, GrowingPolicy) else policy)


def _found(policy: GrowingPolicy | Transform) -> Iterator[Slider]:
    """Sliders that can be made without being told."""
    for leaf in _leaves(policy):
        for argument in _DIALS:
            value = getattr(leaf, argument, None)
            if leaf.length is None and isinstance(value, int | float) and value > 0:
                top = min(2 * value, 1.0) if argument == "ratio" else 2 * value
                yield _slider(leaf, argument, 0.0, top)


def _slider(member: Transform, argument: str, low: float, high: float) -> Slider:
    values = tuple(round(low + (high - low) * i / (STEPS - 1), 6) for i in range(STEPS))
    always = {"p": 1.0} if "p" in parameters(type(member)) else {}
    made = tuple(_with(member, argument, value, always) for value in values)
    return Slider(f"{type(member).__name__}.{argument}", values, made)


def _with(member: Transform, argument: str, value: float, always: dict[str, Any]) -> Transform:
    """The member with one argument changed; where a pair is wanted (``Scale``), both ends are the value."""
    number = int(value) if value == int(value) else value
    for form in (number, value):
        try:
            return member.with_(**{argument: form}, **always)
        except (ValueError, TypeError):
            continue
    return member.with_(**{argument: (value, value)}, **always)
