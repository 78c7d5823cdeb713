"""Write a file or a folder so that it appears whole or not at all, and never delete what somebody else wrote."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["POINTER", "Output", "is_pointer", "write", "written"]

#: What is to be said of a file that is one.
POINTER = "is a Git LFS pointer, not the file itself; run 'git lfs pull' in its repository"
_POINTER = b"version https://git-lfs.github.com/spec/"


def is_pointer(file: Path | bytes) -> bool:
    r"""Whether a file, or the beginning of one, is what Git leaves in the place of a file that LFS keeps.

    A file that cannot be read is none.

    Example:
        >>> is_pointer(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
        True
    """
    if isinstance(file, bytes):
        return file.startswith(_POINTER)
    try:
        with file.open("rb") as opened:
            return opened.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a file: after a crash at any moment, or on a full disk, it is the old one or the new one, whole.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is still there.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder) / "a.txt", b"hello")
        ...     print(*(file.name for file in Path(folder).iterdir()))
        a.txt
    """
    with written(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A path of the same name in a hidden folder beside ``path``: the file written there becomes ``path`` at the end.

    After an error nothing of it is left. After ``kill -9`` a hidden folder ``.NAME-….tmp`` stays.
    """
    with _scratch(path, path.parent) as scratch:
        temporary = scratch / path.name
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)


@dataclass(frozen=True)
class Output:
    """A folder that a command writes, and how to tell that the command wrote it.

    Attributes:
        path: the folder.
        what: is in it, for messages, such as ``"a prepared data set"``.
        mark: name of a file that is in every such folder.
        names: pattern of the names of all files that can be in it.
    """

    path: Path
    what: str
    mark: str
    names: re.Pattern[str]

    def check(self, overwrite: bool) -> None:
        """Whether the folder may be written.

        Raises:
            FileExistsError: it exists and ``overwrite`` is off, or it holds what the command did not write.
        """
        if not os.path.lexists(self.path):
            return
        if not overwrite:
            raise FileExistsError(
                f"{self.path} exists; choose another folder, or overwrite it (--overwrite, overwrite=True)"
            )
        names = {file.name for file in self.path.iterdir()} if self.path.is_dir() else {self.path.name}
        foreign = sorted(name for name in names if not self.names.fullmatch(name))
        wrong = f"only {self.what}: {foreign[0]} would be lost" if foreign else f"{self.what}: it has no {self.mark}"
        if foreign or (names and self.mark not in names):
            raise FileExistsError(f"{self.path} is not {wrong}; choose another folder, or remove this one yourself")

    @contextmanager
    def written(self, overwrite: bool, beside: Path | None = None) -> Iterator[Path]:
        """A new folder that takes the place of ``path`` at the end, whole and on the disk.

        After an error nothing of it is left and the old folder is still there. After ``kill -9`` a hidden folder
        ``.NAME-….tmp`` stays.

        Args:
            overwrite: replace a folder that the same command wrote.
            beside: an existing folder on the same disk in which the new one grows; that of ``path`` if left out.

        Raises:
            FileExistsError: see :meth:`check`.
        """
        self.check(overwrite)
        with _scratch(self.path, beside or self.path.parent) as scratch:
            new, old = scratch / "new", scratch / "old"
            new.mkdir()
            yield new
            for file in (*new.iterdir(), new):
                _sync(file)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.check(overwrite)  # somebody may have written there meanwhile
            try:
                if os.path.lexists(self.path):
                    os.replace(self.path, old)
                os.replace(new, self.path)
            except BaseException:
                if old.exists() and not self.path.exists():
                    os.replace(old, self.path)
                raise
            _sync(self.path.parent)


@contextmanager
def _scratch(path: Path, parent: Path) -> Iterator[Path]:
    """A hidden folder in ``parent``, named after ``path``; it is deleted at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=".tmp", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    """Bring a file, or the list of files in a folder, to the disk."""
    if path.is_dir() and os.name != "posix":  # Windows opens no folders
        return
    number = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)
