"""Transforms, skeletons and policies of other packages: registered as entry points, loaded when they are named.

A package registers what it has in its own ``pyproject.toml``:

.. code-block:: toml

    [project.entry-points."skelaug.transforms"]
    Wobble = "my_package:Wobble"  # a Transform; the name is the class's

    [project.entry-points."skelaug.skeletons"]
    horse17 = "my_package:horse"  # a Skeleton; the name is its name

    [project.entry-points."skelaug.policies"]
    gallop = "my_package:gallop"  # a function: the skeleton first, a Transform or GrowingPolicy back

Then ``skelaug.skeletons["horse17"]``, ``skelaug.transforms.Wobble``, ``skelaug.policies.gallop``, policies in YAML and
the command line know them. Installed packages are looked at only where a name is none of ours, and where names are
listed.

The modules that take names (``skelaug.skeleton``, ``skelaug.transforms``, ``skelaug.policies``) make one
:class:`Registry` each. This module imports none of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Kind", "PluginError", "Registry", "find", "names"]

Kind = Literal["transforms", "skeletons", "policies"]
"""What can be registered; the group of entry points is ``skelaug.<kind>``."""


class PluginError(RuntimeError):
    """Another package's plug-in cannot be used; the message names the package and the entry point."""


class Registry:
    """The names of one kind that other packages registered.

    Args:
        kind: the group of entry points is ``skelaug.<kind>``.
        ours: the names that skelaug itself uses for this kind; other packages cannot take them.
        wrong: called with the name and the object that was registered; returns what is wrong with it, or ``None``.
    """

    def __init__(self, kind: Kind, ours: Collection[str], wrong: Callable[[str, Any], str | None]) -> None:
        self.kind, self._ours, self.wrong = kind, ours, wrong
        _REGISTRIES[kind] = self

    def names(self) -> list[str]:
        """The names that other packages registered, sorted; nothing of theirs is imported.

        Raises:
            PluginError: two packages registered the same name, or one registered a name of ours.
        """
        registered = _registered(self.kind)
        for name, entries in registered.items():
            if name in self._ours:
                raise PluginError(
                    f"{_describe(entries[0])}: skelaug has a {name!r} of its own, so this one is never found; rename "
                    f"it, or uninstall the package"
                )
            _only(entries)
        return sorted(registered)

    def find(self, name: str) -> Any:
        """Load what another package registered under ``name``.

        Returns:
            The class, skeleton or function; ``None`` if nobody registered that name.

        Raises:
            PluginError: two packages registered the name, the package fails on import, or it registered the wrong
                thing.
        """
        entries = _registered(self.kind).get(name)
        return None if entries is None else _load(self, _only(entries))

    def attribute(self, name: str) -> Any:
        """``__getattr__`` of the module ``skelaug.<kind>``."""
        plugin = None if name.startswith("_") else self.find(name)
        if plugin is None:
            raise AttributeError(f"module 'skelaug.{self.kind}' has no attribute {name!r}", name=name)
        return plugin


_REGISTRIES: dict[str, Registry] = {}  # filled by the modules that make one


def names(kind: Kind) -> list[str]:
    """The names of a kind that other packages registered; see :meth:`Registry.names`.

    Example:
        >>> import skelaug
        >>> set(names("skeletons")) <= set(skelaug.skeletons)
        True
    """
    return _registry(kind).names()


def find(kind: Kind, name: str) -> Any:
    """Load what another package registered under a name; see :meth:`Registry.find`."""
    if not isinstance(name, str):
        raise TypeError(f"plugins.find({kind!r}, {name!r}): name must be a string")
    return _registry(kind).find(name)


def _registry(kind: str) -> Registry:
    registry = _REGISTRIES.get(kind) if isinstance(kind, str) else None
    if registry is None:
        raise ValueError(f"plugins: kind must be one of {', '.join(map(repr, _REGISTRIES))}, got {kind!r}")
    return registry


@functools.cache
def _registered(kind: Kind) -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points

    by_name: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=f"skelaug.{kind}"):
        by_name.setdefault(entry.name, []).append(entry)
    return by_name


def _only(entries: list[EntryPoint]) -> EntryPoint:
    """The entry point of a name, which must be one."""
    if len({entry.value for entry in entries}) > 1:
        both = " and ".join(map(_describe, entries))
        raise PluginError(f"{both} share a name; uninstall one of the packages, or rename one")
    return entries[0]


@functools.cache
def _load(registry: Registry, entry: EntryPoint) -> Any:
    try:
        plugin = entry.load()
    except Exception as error:  # whatever somebody else's package does when it is imported
        raise PluginError(f"{_describe(entry)}: cannot be loaded: {type(error).__name__}: {error}") from error
    wrong = registry.wrong(entry.name, plugin)
    if wrong:
        raise PluginError(f"{_describe(entry)}: {wrong}")
    return plugin


def _describe(entry: EntryPoint) -> str:
    package = "an unknown package" if entry.dist is None else f"package {entry.dist.name!r}"
    return f"entry point {entry.name} = {entry.value!r} in {entry.group} of {package}"
