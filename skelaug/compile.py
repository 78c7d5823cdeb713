"""What helps ``torch.compile``."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

__all__ = ["own_code"]


def own_code(function: Callable[..., Any], owner: type) -> Callable[..., Any]:
    """A copy of a method for one class: torch.compile counts recompilations by code object, so each needs its own.

    Args:
        function: the method that ``owner`` inherits.
        owner: the class.
    """
    code = function.__code__.replace(co_qualname=f"{owner.__qualname__}.{function.__name__}")
    copy = types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    copy.__doc__, copy.__kwdefaults__, copy.__annotations__ = (
        function.__doc__,
        function.__kwdefaults__,
        function.__annotations__,
    )
    copy.__qualname__, copy.__module__ = code.co_qualname, function.__module__
    return copy
