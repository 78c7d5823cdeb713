"""Checks of arguments that need nothing else of the package: the type, whole numbers, joints."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

__all__ = ["entries", "joint", "joints", "of_type", "whole", "wholes"]


def of_type(who: str, name: str, value: Any, types: type | tuple[type, ...], wanted: str) -> Any:
    """``value`` if it is of one of the types; True and False are no whole numbers.

    Raises:
        TypeError: it is of another type; the message says that ``name`` of ``who`` must be ``wanted``.
    """
    if isinstance(value, types) and not isinstance(value, bool):
        return value
    raise TypeError(f"{who}({name}={value!r}): {name} must be {wanted}, got {type(value).__name__}")


def whole(value: Any) -> bool:
    """Whether ``value`` is a whole number of Python or NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def entries(who: str, name: str, value: Any) -> tuple[Any, ...]:
    """The entries of a sequence; a string is none."""
    try:
        if not isinstance(value, str | bytes | Mapping):
            return tuple(value)
    except TypeError:
        pass
    raise ValueError(f"{who}: {name} must be a sequence, got {value!r}")


def wholes(who: str, name: str, value: Any, count: int | None = None) -> tuple[int, ...]:
    """The whole numbers in ``value``, ``count`` of them if that is given."""
    numbers = entries(who, name, value)
    if count is not None and len(numbers) != count:
        raise ValueError(f"{who}: {name} must hold {count} joints, got {value!r}")
    wrong = [number for number in numbers if not whole(number)]
    if wrong:
        raise ValueError(f"{who}: {name} must hold whole numbers, got {wrong[0]!r}")
    return tuple(map(int, numbers))


def joints(who: str, name: str, value: Any, v: int, count: int | None = None) -> tuple[int, ...]:
    """The joints in ``value``, each below ``v``."""
    found = wholes(who, name, value, count)
    wrong = [number for number in found if not 0 <= number < v]
    if wrong:
        raise ValueError(f"{who}: {name} must hold joints 0 … {v - 1}, got {wrong[0]}")
    return found


def joint(who: str, name: str, value: Any, v: int) -> int:
    """``value`` if it is a joint below ``v``."""
    if not whole(value) or not 0 <= int(value) < v:
        raise ValueError(f"{who}: {name} must be a joint 0 … {v - 1}, got {value!r}")
    return int(value)
