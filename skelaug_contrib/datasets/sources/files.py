"""What every reader does with files: find them, load them, and say what is wrong with them instead of raising."""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from skelaug.arrays import ArrayError
from skelaug.files import POINTER, is_pointer
from skelaug_contrib.datasets.sources.source import Fault, Recording, Unit

__all__ = [
    "MAX_BYTES",
    "MAX_FRAMES",
    "Broken",
    "every",
    "find",
    "folder_names",
    "guarded",
    "load",
    "name_of",
    "shown",
    "without_path",
]

MAX_BYTES = 1 << 26  # of one text file: several times the longest recording of any public set
MAX_FRAMES = 100_000  # of one recording: an hour at 30 frames a second

S = TypeVar("S")


class Broken(Exception):
    """Why a file, or a clip of it, cannot be used. It never leaves a reader: it becomes a Fault."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def shown(text: bytes | str, length: int = 24) -> str:
    """``text`` from a file of unknown nature, short and printable, for a message."""
    cut = text[:length]
    return ascii(cut.decode("latin1") if isinstance(cut, bytes) else cut) + ("…" if len(text) > len(cut) else "")


def without_path(error: ArrayError, path: Path) -> str:
    """What an error says of a file, for a Fault, which names the file itself."""
    return str(error).removeprefix(str(path)).removeprefix(": ")


def every(faults: Sequence[Fault]) -> str:
    """The first three, for a message about all of them."""
    return "; ".join(map(str, faults[:3])) + ("; …" if len(faults) > 3 else "")


def find(root: Path, name: re.Pattern[str], what: str, *, alone: bool = False) -> list[Path]:
    """Every file below ``root`` whose name matches, in the order of their paths; with ``alone``, or ``root`` itself.

    Links are followed, but no folder is entered twice, so that links in a circle do no harm. A folder that cannot be
    read is listed too: to load it fails, and that is reported.

    Raises:
        ArrayError: no such folder, or nothing in it matches; ``what`` says what was looked for.
    """
    root = Path(root)
    if alone and root.is_file() and name.fullmatch(root.name):
        return [root]
    if not root.is_dir():
        found_instead = "is a file; expected a folder" if root.is_file() else "no such folder; expected one"
        raise ArrayError(f"{root}: {found_instead} with {what}")
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, folders, names in os.walk(root, onerror=unreadable, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        found += [Path(folder, file) for file in names if name.fullmatch(file) and os.path.isfile(Path(folder, file))]
    if not found:
        raise ArrayError(f"{root}: nothing to read in it; expected {what}")
    return sorted(found)


def folder_names(paths: Iterable[Path]) -> tuple[str, ...]:
    """The names of the folders that hold the files, in alphabetical order: the classes, where folders are classes."""
    return tuple(sorted({path.parent.name for path in paths}))


def name_of(path: Path, root: Path) -> str:
    """A clip's name by its file: the path below ``root`` without its suffix, such as ``walk_01`` for walk/01.bvh."""
    root = Path(root)  # a reader is given a string, too
    return "_".join(path.relative_to(root if path != root else root.parent).with_suffix("").parts)


def load(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        Broken: it is empty, no plain file, a Git LFS pointer, or larger than ``limit`` bytes.
        OSError: it cannot be read.
    """
    with open(path, "rb", opener=_open) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Broken("is not a plain file")
        if status.st_size > limit:
            raise Broken(f"has {status.st_size} bytes; a recording has at most {limit}")
        data = file.read(status.st_size)
    if not data:
        raise Broken("is empty")
    if is_pointer(data):
        raise Broken(f"{path.name} {POINTER}")  # it may be read on behalf of another file
    return data


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # to open a pipe must not wait for its other end


def guarded(read: Callable[[S, Unit], Iterator[Recording | Fault]]) -> Callable[[S, Unit], Iterator[Recording | Fault]]:
    """The reader ``read``, which lets nothing out but recordings and faults."""

    @functools.wraps(read)
    def safe(self: S, unit: Unit) -> Iterator[Recording | Fault]:
        where = str(unit.path)
        try:
            yield from read(self, unit)
        except Broken as broken:
            yield Fault(where, broken.reason, broken.line)
        except ArrayError as error:
            yield Fault(where, without_path(error, unit.path))
        except OSError as error:
            yield Fault(where, f"cannot be read: {error.strerror or error}")
        except MemoryError:
            yield Fault(where, "needs more memory than there is")
        except Exception as error:  # what no reader foresaw must not end a run over 100 000 files
            yield Fault(where, f"unexpected {type(error).__name__}: {error}")

    return safe
