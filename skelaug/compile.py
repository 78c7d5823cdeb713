"""What helps ``torch.compile``."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

__all__ = ["OwnReplay"]


class OwnReplay:
    """Base of classes that each have a code object of their own for ``replay``.

    torch.compile counts recompilations by code object: of one that all transforms share, a few would use up the limit.
    """

    replay: Callable[..., Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        shared = cls.replay
        code = shared.__code__.replace(co_qualname=f"{cls.__qualname__}.replay")
        own = types.FunctionType(code, shared.__globals__, "replay", shared.__defaults__)
        own.__doc__, own.__annotations__, own.__module__ = shared.__doc__, shared.__annotations__, shared.__module__
        own.__qualname__ = code.co_qualname
        cls.replay = own
