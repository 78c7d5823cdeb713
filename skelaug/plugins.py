"""Transforms, skeletons and policies of other packages: registered as entry points, loaded when they are named.

A package registers what it has in its own ``pyproject.toml``::

    [project.entry-points."skelaug.transforms"]
    Wobble = "my_package:Wobble"  # a Transform; the name is the class's

    [project.entry-points."skelaug.skeletons"]
    horse17 = "my_package:horse"  # a Skeleton; the name is its name

    [project.entry-points."skelaug.policies"]
    gallop = "my_package:gallop"  # a function: the skeleton first, a Transform or GrowingPolicy back

Then ``skelaug.skeletons["horse17"]``, ``skelaug.transforms.Wobble``, ``skelaug.policies.gallop``, policies in YAML and
the command line know them. Installed packages are looked at only where a name is none of ours, and where names are
listed.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Kind", "PluginError", "find", "names"]

Kind = Literal["transforms", "skeletons", "policies"]
"""What can be registered; the group of entry points is ``skelaug.<kind>``."""


class PluginError(RuntimeError):
    """Another package's plug-in cannot be used; the message names the package and the entry point."""


def names(kind: Kind) -> list[str]:
    """The names that other packages registered, in order; nothing of theirs is imported.

    Raises:
        PluginError: two packages registered the same name, or one registered a name of ours.

    Example:
        >>> import skelaug
        >>> set(names("skeletons")) <= set(skelaug.skeletons)
        True
    """
    registered = _registered(kind)
    ours = _ours(kind)
    for name, entries in registered.items():
        if name in ours:
            raise PluginError(
                f"{_say(entries[0])}: skelaug has a {name!r} of its own, so this one is never found; rename it, or "
                f"uninstall the package"
            )
        _only(entries)
    return sorted(registered)


def find(kind: Kind, name: str) -> Any:
    """Load what another package registered under a name that is none of ours.

    Returns:
        The class, skeleton or function; ``None`` if nobody registered that name.

    Raises:
        PluginError: two packages registered the name, the package fails on import, or it registered the wrong thing.
    """
    entries = _registered(kind).get(name)
    return None if entries is None else _load(kind, _only(entries))


def attribute(kind: Kind, name: str) -> Any:
    """``__getattr__`` of the modules ``skelaug.transforms`` and ``skelaug.policies``."""
    found = None if name.startswith("_") else find(kind, name)
    if found is None:
        raise AttributeError(f"module 'skelaug.{kind}' has no attribute {name!r}", name=name)
    return found


@functools.cache
def _registered(kind: Kind) -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=f"skelaug.{kind}"):
        found.setdefault(entry.name, []).append(entry)
    return found


def _ours(kind: Kind) -> set[str]:
    import skelaug
    from skelaug import config

    match kind:
        case "transforms":
            return set(config.TYPES)
        case "skeletons":
            return set(skelaug.skeletons.ours)
        case "policies":
            return set(skelaug.policies.__all__)


def _only(entries: list[EntryPoint]) -> EntryPoint:
    """The entry point of a name, which must be one."""
    if len({entry.value for entry in entries}) > 1:
        said = " and ".join(_say(entry) for entry in entries)
        raise PluginError(f"{said} share a name; uninstall one of the packages, or rename one")
    return entries[0]


@functools.cache
def _load(kind: Kind, entry: EntryPoint) -> Any:
    try:
        found = entry.load()
    except Exception as error:  # whatever somebody else's package does when it is imported
        raise PluginError(f"{_say(entry)}: cannot be loaded: {type(error).__name__}: {error}") from error
    wrong = _wrong(kind, entry.name, found)
    if wrong:
        raise PluginError(f"{_say(entry)}: {wrong}")
    return found


def _wrong(kind: Kind, name: str, found: Any) -> str | None:
    """What is wrong with a thing registered under a name."""
    from skelaug.skeleton import Skeleton
    from skelaug.transform import Transform

    match kind:
        case "transforms" if not (isinstance(found, type) and issubclass(found, Transform)):
            return f"must be a subclass of skelaug.Transform, is {found!r}"
        case "transforms" if found.__name__ != name:
            return f"must be registered under the name of its class, {found.__name__!r}"
        case "skeletons" if not isinstance(found, Skeleton):
            return f"must be a skelaug.Skeleton, is {found!r}"
        case "skeletons" if found.name != name:
            return f"must be registered under the skeleton's name, {found.name!r}"
        case "policies" if not callable(found):
            return f"must be a function that takes the skeleton and returns a policy, is {found!r}"
    return None


def _say(entry: EntryPoint) -> str:
    package = "an unknown package" if entry.dist is None else f"package {entry.dist.name!r}"
    return f"entry point {entry.name} = {entry.value!r} in {entry.group} of {package}"
