"""What is known by name: ours, then what other packages registered."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from skelaug import plugins

__all__ = ["Known", "choices", "nearest"]


class Named(Protocol):
    """A thing with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Known(Mapping[str, T]):
    """Things by name: ours, then those that other packages registered (see :mod:`skelaug.plugins`).

    Args:
        kind: the group of entry points is ``skelaug.<kind>``; without its last letter, what one thing is called.
        ours: those of this package.
        wrong: called with the name and the object that was registered; returns what is wrong with it, or ``None``.
        own: how one makes one's own, for the message where a name is not known.
    """

    def __init__(self, kind: plugins.Kind, ours: Iterable[T], wrong: Any, own: str) -> None:
        self.ours: Mapping[str, T] = MappingProxyType({thing.name: thing for thing in ours})
        self._loaded = dict(self.ours)
        self._plugins = plugins.Registry(kind, self.ours, wrong)
        self._kind, self._own = kind, own

    def __getitem__(self, name: str) -> T:
        thing: T | None = self.get(name)
        if thing is None:
            raise KeyError(f"{self.unknown(name)}; {self._own}")
        return thing

    def get(self, name: object, default: Any = None) -> Any:
        """The thing of that name, or the default."""
        if not isinstance(name, str):
            return default
        if name not in self._loaded:
            plugin = self._plugins.find(name)
            if plugin is None:
                return default
            self._loaded[name] = plugin
        return self._loaded[name]

    def unknown(self, name: object) -> str:
        """What to say of a name that is none: the nearest ones, and all."""
        return f"no {self._kind[:-1]} {name!r}; {choices(name, self)}"

    def holds(self, thing: T) -> bool:
        """The thing is known by its name; nobody's package is loaded to find out."""
        return self._loaded.get(thing.name) == thing

    def __iter__(self) -> Iterator[str]:
        return iter([*self.ours, *self._plugins.names()])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self) -> str:
        return f"{self._kind}({', '.join(self)})"


def nearest(name: object, known: Iterable[str]) -> list[str]:
    """Those of the known names that are spelled alike, the nearest first; capital letters and signs do not count.

    Example:
        >>> nearest("hicrl", ["aimclr", "hiclr"])
        ['hiclr']
    """
    spelled = {_letters(each): each for each in known}
    return (
        [spelled[match] for match in difflib.get_close_matches(_letters(name), spelled)]
        if isinstance(name, str)
        else []
    )


def choices(name: object, known: Iterable[str]) -> str:
    """What to say after a name that is none: ``"nearest: …; known: …"``."""
    known = list(known)
    near = ", ".join(nearest(name, known))
    return f"{near and f'nearest: {near}; '}known: {', '.join(known)}"


def _letters(name: str) -> str:
    """A name without case and punctuation: NTU-25 is ntu25."""
    return "".join(filter(str.isalnum, name.casefold()))
