"""Pickles that hold plain data, read without running what else they may hold."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from skelaug.files import POINTER, is_pointer
from skelaug_contrib.datasets.sources.files import Broken, shown

__all__ = ["read_pickle"]

ALLOWED = "only lists, tuples, dicts, strings, numbers, bytes and NumPy arrays are read"
_DTYPE = re.compile(r"[<>|=]?([biufc]\d{1,2}|b1|\?|[SU]\d{1,6})")


def read_pickle(path: Path) -> Any:
    """What a pickle holds: lists, tuples, dicts, strings, numbers, bytes, True, False, None, NumPy arrays and numbers.

    Nothing is imported and nothing is called but what makes these. A length that the file claims is compared with the
    bytes that are there before any memory is taken, so a small file stays small in memory.

    Raises:
        Broken: it is no pickle, is damaged, or holds something else; the message names what was refused.
        OSError: it cannot be read.
    """
    if is_pointer(path):
        raise Broken(POINTER)
    with path.open("rb") as file:
        try:
            return _Reader(_Bounded(file, path.stat().st_size), encoding="latin1").load()
        except (Broken, OSError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged one sets off
            raise Broken(f"is no pickle, or damaged: {type(error).__name__}: {shown(str(error))}") from None


class _Bounded:
    """A file that hands out no more than it has, and does not make room for more."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int = -1) -> bytes:
        if size > self.left:
            raise Broken(f"ends early: it claims {size} bytes more, {self.left} are there")
        data = self.file.read(size)
        self.left -= len(data)
        return data

    def readline(self) -> bytes:
        line = self.file.readline()
        self.left -= len(line)
        return line

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[:] = data
        return len(data)


class _Type:
    """A NumPy type as a pickle spells it: first a name, then its byte order."""

    def __init__(self, name: Any = None, *_: Any) -> None:
        if not isinstance(name, str) or not _DTYPE.fullmatch(name):
            raise Broken(f"pickle refused: NumPy type {shown(repr(name))}; {ALLOWED}")
        self.dtype = np.dtype(name)

    def set(self, state: Any) -> None:
        order, inner = (state[1], state[2:5]) if isinstance(state, tuple) and len(state) >= 5 else (None, None)
        if order not in ("<", ">", "|", "=") or any(part is not None for part in inner or [1]):
            raise Broken(f"pickle refused: a NumPy type with fields; {ALLOWED}")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """An array that is still empty; its numbers follow."""

    def set(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Type):
            raise Broken(f"pickle refused: an array without a plain type; {ALLOWED}")
        if isinstance(data, str):  # bytes, as Python 2 wrote them
            data = data.encode("latin1")
        if not isinstance(data, bytes):
            raise Broken(f"pickle refused: an array of Python objects; {ALLOWED}")
        form: Any = (shape, kind.dtype, bool(fortran), data)
        np.ndarray.__setstate__(self, form)  # compares their lengths


def _reconstruct(base: Any, shape: Any, _: Any) -> _Array:
    if base is not np.ndarray or shape != (0,):
        raise Broken(f"pickle refused: an array that is none; {ALLOWED}")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _frombuffer(data: Any, kind: Any, shape: Any, order: Any) -> Any:
    if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise Broken(f"pickle refused: an array without plain numbers; {ALLOWED}")
    return np.frombuffer(bytes(data), kind.dtype).reshape(shape, order=order)


def _scalar(kind: Any, data: Any) -> Any:
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(kind, _Type) or not isinstance(data, bytes) or len(data) != kind.dtype.itemsize:
        raise Broken(f"pickle refused: a number without plain bytes; {ALLOWED}")
    return np.frombuffer(data, kind.dtype)[0]


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Broken(f"pickle refused: text in {shown(repr(encoding))}; {ALLOWED}")
    return text.encode("latin1")


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    **{(module, "bytes"): lambda: b"" for module in ("builtins", "__builtin__")},
    **{(module, "_reconstruct"): _reconstruct for module in _MULTIARRAY},
    **{(module, "scalar"): _scalar for module in _MULTIARRAY},
    **{(module, "_frombuffer"): _frombuffer for module in _NUMERIC},
}
_REFUSED = (
    *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.BINPERSID, pickle.INST, pickle.OBJ, pickle.NEWOBJ),
    *(pickle.NEWOBJ_EX, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.NEXT_BUFFER),
    pickle.READONLY_BUFFER,
)


class _Reader(pickle._Unpickler):  # in Python, not in C: that one makes room for whatever a length claims
    stack: list[Any]
    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) not in _CALLS:
            raise Broken(f"pickle refused: it names {shown(f'{module}.{name}')}; {ALLOWED}")
        return _CALLS[module, name]

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        call = self.stack[-1]
        if not any(call is allowed for allowed in _CALLS.values()) or not isinstance(arguments, tuple):
            raise Broken(f"pickle refused: a call of something else than NumPy's; {ALLOWED}")
        self.stack[-1] = call(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, _Type | _Array):
            raise Broken(f"pickle refused: an object with a state; {ALLOWED}")
        target.set(state)

    def load_bytearray8(self) -> None:
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def refuse(self) -> None:
        raise Broken(f"pickle refused: an object, a set or a reference outside; {ALLOWED}")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    for _code in _REFUSED:
        dispatch[_code[0]] = refuse
