"""What an object says of its construction: its arguments, its ``repr``, its plain form, a copy with other arguments."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor

from skelaug.batch import SkeletonBatch
from skelaug.skeleton import Skeleton, skeletons

__all__ = ["Described", "parameters", "plain", "text"]

WIDTH = 100
RESERVED = frozenset({"type", "preset", "view"})  # a mapping with one of these keys is a transform or policy


class Described:
    """Base of what keeps every argument of its constructor as an attribute of the same name."""

    def _argument(self, name: str) -> Any:
        """The value to construct an equal object with."""
        return getattr(self, name)

    def _text(self, width: float) -> str:
        """The constructor call, over several lines where it is longer than ``width``."""
        entries = []
        for name, value in self.arguments().items():
            parameter = parameters(type(self))[name]
            positional = parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
            entries.append(("" if positional else f"{name}=", value))
        return _bracketed(f"{type(self).__name__}(", ")", entries, width)

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, without those that equal their default."""
        values = {name: (self._argument(name), p.default) for name, p in parameters(type(self)).items()}
        return {name: value for name, (value, default) in values.items() if not _same(value, default)}

    def with_(self, **changes: Any) -> Self:
        """A copy with some arguments changed: ``t.with_(degrees=90)``.

        The constructor runs again, so that new arguments are checked. Members of a container and tensors that are not
        changed belong to both objects; a learnable token starts anew.

        Raises:
            TypeError: the constructor has no such argument.
        """
        named, kinds = parameters(type(self)), {p.kind for p in inspect.signature(type(self)).parameters.values()}
        unknown = ", ".join(f"{name}=…" for name in sorted(changes.keys() - named.keys()))
        if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
            kind, takes = type(self).__name__, ", ".join(named) or "none"
            raise TypeError(f"{kind}.with_({unknown}): no such argument; {kind} takes {takes}")
        return type(self)(**self.arguments() | changes)

    def __repr__(self) -> str:
        return self._text(WIDTH)


def parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    """The named parameters of a constructor, in order; ``*args`` and ``**kwargs`` have no name of their own."""
    _, *rest = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return {p.name: p for p in rest if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and not isinstance(value, Tensor) and value == default)


def text(value: Any, width: float = WIDTH) -> str:
    """Python code that gives an equal value, over several lines where it is longer than ``width``.

    The code may use the public names of skelaug, ``skelaug.transforms`` and ``torch``. A SkeletonBatch is only named.
    """
    match value:
        case Described():
            return value._text(width)
        case Tensor():
            return f"torch.tensor({text(value.tolist(), math.inf)}, dtype={value.dtype})"
        case list():
            return _bracketed("[", "]", [("", v) for v in value], width)
        case tuple() if type(value) is tuple:
            return _bracketed("(", ",)" if len(value) == 1 else ")", [("", v) for v in value], width)
        case dict():
            return _bracketed("{", "}", [(f"{k!r}: ", v) for k, v in value.items()], width)
        case float() if not math.isfinite(value):
            return f"float('{value}')"
    return repr(value)


def _bracketed(opening: str, closing: str, entries: list[tuple[str, Any]], width: float) -> str:
    """The entries, each behind its prefix, on one line if that fits into ``width``, else a line each."""
    line = opening + ", ".join(prefix + text(value, math.inf) for prefix, value in entries) + closing
    if len(line) <= width or not entries:
        return line
    lines = [prefix + text(value, width - len(prefix) - 5) + ",\n" for prefix, value in entries]
    inner = "".join("    " + line.replace("\n", "\n    ").removesuffix("    ") for line in lines)
    return f"{opening}\n{inner}{closing.removeprefix(',')}"


def plain(value: Any, where: str, of_described: Callable[[Any], dict[str, Any]]) -> Any:
    """An argument as numbers, names, lists and mappings, as YAML and JSON can hold them.

    Args:
        value: the argument.
        where: whose argument it is, for the message, such as ``"Center(skeleton=…)"``.
        of_described: makes the plain form of a transform or policy.

    Raises:
        TypeError: the value has no plain form, such as a batch, or a mapping that would be read as something else.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Skeleton():
            return {"skeleton": value.name if skeletons.holds(value) else value.to_dict()}
        case Described():
            return of_described(value)
        case Tensor():
            return {"tensor": value.tolist(), "dtype": str(value.dtype).removeprefix("torch.")}
        case list() | tuple():
            return [plain(v, where, of_described) for v in value]
        case Mapping() if not (RESERVED | {"skeleton", "tensor"}) & value.keys():
            return {k: plain(v, where, of_described) for k, v in value.items()}
    kind = "batch" if isinstance(value, SkeletonBatch) else type(value).__name__
    if isinstance(value, Mapping):
        kind = f"mapping with the keys {sorted(map(str, value))}"
    raise TypeError(f"to_dict: {where} holds a {kind}, which has no plain form")
