"""Modules whose constructor arguments and members cannot be changed after construction; ``with_`` makes a changed copy.

A transform checks its arguments once, in its constructor, and derives other attributes from them there. An argument
that is set later would be unchecked, and the derived attributes would still belong to the old one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np
from torch import nn

from skelaug.describe import Described, parameters

__all__ = ["Members", "ReadOnly"]


def _checked_first(method: str, action: str) -> Any:
    """A method of ``torch.nn.Module`` that refuses its first argument, a name, if it is a constructor's argument."""
    unchecked = getattr(nn.Module, method)

    @functools.wraps(unchecked)
    def checked(self: ReadOnly, name: str, *args: Any, **kwargs: Any) -> None:
        self._refuse_argument(name, action)
        unchecked(self, name, *args, **kwargs)

    return checked


class ReadOnly(Described, nn.Module):
    """A module whose constructor arguments cannot be set, replaced or deleted after construction.

    Everything else that a module has can change: buffers, parameters, hooks, device, mode, compiled code. NumPy numbers
    among the arguments become Python numbers, and lists of numbers tuples, before the constructor sees them.
    """

    _fixed_names: frozenset[str] = frozenset()  # arguments of this class and of its bases, which it gives values to

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._fixed_names |= parameters(cls).keys()
        if "__init__" in vars(cls):
            cls.__init__ = _read_only_afterwards(cls.__init__)  # type: ignore[method-assign]

    def _argument(self, name: str) -> Any:
        value = super()._argument(name)
        return list(value) if isinstance(value, Members) else value

    def _refuse_argument(self, name: str, action: str) -> None:
        if not self.__dict__.get("_constructed") or name not in self._fixed_names:
            return
        advice = ""
        if name in parameters(type(self)):
            advice = f"; t.with_({name}=…) gives a changed copy, as in t.with_(degrees=90)"
        raise AttributeError(f"{type(self).__name__}.{name} cannot be {action} after construction{advice}", name=name)

    __setattr__ = _checked_first("__setattr__", "set")
    __delattr__ = _checked_first("__delattr__", "deleted")
    add_module = _checked_first("add_module", "replaced")
    register_buffer = _checked_first("register_buffer", "replaced")
    register_parameter = _checked_first("register_parameter", "replaced")

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        # load_state_dict(assign=True) sets the buffers and parameters that it loads.
        self.__dict__["_constructed"] = False
        try:
            super()._load_from_state_dict(*args, **kwargs)
        finally:
            self.__dict__["_constructed"] = True


def _read_only_afterwards(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that makes its arguments Python's own and, if it is the whole class's, read-only at its end."""

    @functools.wraps(init)
    def construct(self: ReadOnly, *args: Any, **kwargs: Any) -> None:
        init(self, *map(as_python, args), **{name: as_python(value) for name, value in kwargs.items()})
        if type(self).__init__ is construct:  # not that of a base class, which super().__init__() calls
            self.__dict__["_constructed"] = True

    return construct


def as_python(value: Any) -> Any:
    """``value`` with Python numbers for NumPy's, and a tuple for a list of numbers, which nobody can change."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim < 2):
        value = value.tolist()
    if type(value) is dict:
        converted = {key: as_python(part) for key, part in value.items()}
        return value if all(converted[key] is part for key, part in value.items()) else converted
    if type(value) in (list, tuple):
        value = type(value)(map(as_python, value))
        return tuple(value) if value and all(isinstance(part, int | float) for part in value) else value
    return value


class Members(nn.ModuleList):
    """The modules of a container, in order; none can be set, added or deleted after construction."""

    def __init__(self, modules: Iterable[nn.Module] = ()) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            nn.Module.add_module(self, str(index), module)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise AttributeError(
            "the members of a container cannot be changed after construction; t.with_(members=[…]) gives a changed "
            "copy, as in t.with_(degrees=90)"
        )

    __setitem__ = __delitem__ = __iadd__ = append = extend = insert = pop = add_module = register_module = _refuse

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Module) or name in self._modules:
            self._refuse()
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._modules:
            self._refuse()
        super().__delattr__(name)
