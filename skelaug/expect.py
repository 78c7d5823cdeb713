"""The check that an argument is of the right type."""

from __future__ import annotations

from typing import Any

__all__ = ["of_type"]


def of_type(who: str, name: str, value: Any, types: type | tuple[type, ...], wanted: str) -> Any:
    """``value`` if it is of one of the types; True and False are no whole numbers.

    Raises:
        TypeError: it is of another type; the message says that ``name`` of ``who`` must be ``wanted``.
    """
    if isinstance(value, types) and not isinstance(value, bool):
        return value
    raise TypeError(f"{who}({name}={value!r}): {name} must be {wanted}, got {type(value).__name__}")
