"""Ranges of settings, written in their annotations and checked by one function."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal

from skelaug import check

__all__ = ["Checked", "Range"]


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value that a number may have: ``Annotated[float, Range(0, 1)]``.

    Of whole numbers only ``low`` is looked at.
    """

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Checked:
    """A frozen dataclass whose constructor holds every field to its annotation.

    Understood are bool, int, float and str, ``Annotated`` with a :class:`Range`, ``Literal``, ``X | None``, other
    unions of these, ``tuple[X, ...]`` (a list becomes a tuple, since YAML and JSON know only lists), and classes.

    Raises:
        ValueError: a field has another value than its annotation allows; the message names the setting.

    Example:
        >>> @dataclass(frozen=True)
        ... class CourseConfig(Checked):
        ...     epochs: typing.Annotated[int, Range(1)] = 10
        >>> CourseConfig(epochs=0)
        Traceback (most recent call last):
        ...
        ValueError: course(epochs=0): epochs must be a whole number ≥ 1, got 0
    """

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():  # type: ignore[arg-type]
            object.__setattr__(self, name, _check(_name(type(self)), name, getattr(self, name), hint))


def _name(config: type) -> str:
    """``"data"`` for DataConfig: what the settings are called in the configuration file."""
    stem = config.__name__.removesuffix("Config")
    return stem.lower() if stem != config.__name__ else stem


@functools.cache
def _hints(config: type) -> dict[str, Any]:
    hints = typing.get_type_hints(config, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(config)}


def _check(who: str, name: str, value: Any, hint: Any) -> Any:
    """``value`` as ``hint`` wants it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        literals = [each for each in arguments if typing.get_origin(each) is Literal]
        constants = [constant for each in literals for constant in typing.get_args(each)]
        constants += [None] if type(None) in arguments else []
        others = [each for each in arguments if each not in (*literals, type(None))]
        if others and value not in constants:
            return _check(who, name, value, others[0])
        return check.choice(who, name, value, constants)
    if origin is Literal:
        return check.choice(who, name, value, arguments)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{who}({name}={value!r}): {name} must be a list, got {value!r}")
        return tuple(_check(who, name, each, arguments[0]) for each in value)
    kind, allowed = arguments if origin is typing.Annotated else (hint, Range())
    if kind is int:
        return check.count(who, name, value, low=int(allowed.low))
    if kind is float:
        check.number(who, name, value, allowed.low, allowed.high)
    elif not isinstance(value, kind):
        raise ValueError(f"{who}({name}={value!r}): {name} must be of type {kind.__name__}, got {value!r}")
    return value
