"""What type checkers know of a call: nn.Module says Any of every call, and pyright believes it before an assignment."""

from __future__ import annotations

from typing import Any, Literal, Protocol, Unpack, overload

from skelaug.batch import Data
from skelaug.random import Source

__all__ = ["CallTransform", "CallViews"]


class CallTransform(Protocol):
    """``t(x)`` gives what ``x`` is; with ``return_params=True``, the params beside it."""

    @overload
    def __call__(self, x: Data, *, return_params: Literal[False] = False, **source: Unpack[Source]) -> Data: ...
    @overload
    def __call__(
        self, x: Data, *, return_params: Literal[True], **source: Unpack[Source]
    ) -> tuple[Data, dict[str, Any]]: ...


class CallViews(Protocol):
    """``policy(x)`` gives a list of what ``x`` is."""

    def __call__(self, x: Data, **source: Unpack[Source]) -> list[Data]:
        """The views, weak to strong."""
