"""Arrays on disk, read part by part: memory stays bounded however long the file is, and no code in it is ever run."""

from __future__ import annotations

import math
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from skelaug import files
from skelaug.batch import SkeletonBatch
from skelaug.layout import to_layout
from skelaug.missing import Missing

__all__ = ["ArrayError", "SequenceFile", "StoredArray", "array_names", "refuse_pointer"]

_LENGTHS = ("length", "lengths")
_DEFLATE = 1032  # the most that deflate gains: who claims more bytes than that of each stored one holds no array

Array = npt.NDArray[Any]


class ArrayError(ValueError):
    """A file does not hold what it should; the message says what was found and how to mend it."""


@dataclass(frozen=True)
class StoredArray:
    """One array of a ``.npy`` or ``.npz`` file, opened by :meth:`open`: its header is read, its numbers are not.

    Attributes:
        path: the file.
        name: of the array inside a ``.npz``, ``None`` for a ``.npy``.
        shape: of the array.
        dtype: of its numbers, or of strings of a fixed length.
        start: where in the file its numbers begin; ``None`` where they are compressed.
    """

    path: Path
    name: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int | None

    @classmethod
    def open(cls, path: str | Path, name: str | None = None) -> StoredArray:
        """Read the header of an array; what it claims is compared with the bytes that are there.

        Args:
            path: a ``.npy`` or ``.npz`` file.
            name: of the array in a ``.npz``.

        Raises:
            ArrayError: it is no such file or has no such array, it holds Python objects, is in Fortran order, or ends
                early.
            OSError: the file cannot be read.
        """
        path = Path(path)
        where = _where(path, name)
        with _opened(path, name) as (file, size, start):
            shape, fortran, dtype = _header(file, where)
            if dtype.hasobject:
                raise ArrayError(
                    f"{where}: an object array (perhaps clips of unequal length); objects are not read, for that would "
                    f"run code of the file's. Save one float array, padded with zeros, and the lengths as 'length' in "
                    f"a .npz"
                )
            if fortran and len(shape) > 1:
                raise ArrayError(f"{where}: is in Fortran order; save numpy.ascontiguousarray(x)")
            claimed, held = math.prod(shape) * dtype.itemsize, size - file.tell()
            if min(shape, default=1) < 0 or claimed > held:
                raise ArrayError(f"{where}: ends early: its header promises {claimed} bytes, {held} are there")
            return cls(path, name, shape, dtype, None if start is None else start + file.tell())

    @property
    def where(self) -> str:
        """The file and the name, for messages."""
        return _where(self.path, self.name)

    def rows(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Array]:
        """Read along the first axis, ``size`` rows at a time. A compressed array is read from its beginning.

        Args:
            size: rows a part; the last part may have fewer.
            start: the first row.
            stop: the row behind the last one.

        Raises:
            ArrayError: the file is damaged.
        """
        count = self.shape[0] if stop is None else min(stop, self.shape[0])
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        with ExitStack() as stack:
            if start and self.start is not None:
                file: IO[bytes] = stack.enter_context(self.path.open("rb"))
                file.seek(self.start + start * row)
            else:
                file, _, _ = stack.enter_context(_opened(self.path, self.name))
                _header(file, self.where)
                for _ in range(start):
                    self._read(file, row)
            for first in range(start, count, size):
                part = min(size, count - first)
                yield np.frombuffer(self._read(file, part * row), self.dtype).reshape(part, *self.shape[1:])

    def load(self) -> Array:
        """All of it.

        Raises:
            ArrayError: the file is damaged.
        """
        with _opened(self.path, self.name) as (file, _, _):
            _header(file, self.where)
            data = self._read(file, math.prod(self.shape) * self.dtype.itemsize)
        return np.frombuffer(data, self.dtype).reshape(self.shape)

    def _read(self, file: IO[bytes], wanted: int) -> bytes:
        with _readable(f"{self.where}: damaged file"):
            data = file.read(wanted)
        if len(data) != wanted:
            raise ArrayError(f"{self.where}: ends early: {len(data)} of {wanted} bytes; copy it again")
        return data


def array_names(path: str | Path) -> list[str]:
    """Names of the arrays in a ``.npz`` file.

    Raises:
        ArrayError: it is no such file.
        OSError: it cannot be read.
    """
    refuse_pointer(Path(path))
    with _readable(f"{path}: not a readable .npz file", OSError), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _where(path: Path, name: str | None) -> str:
    return str(path) if name is None else f"{path}[{name!r}]"


def refuse_pointer(path: Path) -> None:
    """Raise :class:`ArrayError` where a file is only a pointer to one that Git LFS keeps."""
    if files.is_pointer(path):
        raise ArrayError(f"{path}: {files.POINTER}")


@contextmanager
def _readable(complaint: str, *others: type[Exception]) -> Iterator[None]:
    """Raise ArrayError for whatever the reader of a damaged file raises, except for ``others``."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (ArrayError, *others)):
            raise
        said = ascii(str(error)[:100])[1:-1]  # about unknown bytes: short and printable
        raise ArrayError(f"{complaint} ({type(error).__name__}: {said}); copy it again") from error


@contextmanager
def _opened(path: Path, name: str | None) -> Iterator[tuple[IO[bytes], int, int | None]]:
    """The bytes of an array file, their number, and where in ``path`` they begin; None where they are compressed."""
    refuse_pointer(path)
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        if name is None:
            yield raw, path.stat().st_size, 0
            return
        with _readable(f"{path}: not a readable .npz file", OSError):
            archive = stack.enter_context(zipfile.ZipFile(raw))
            if f"{name}.npy" not in archive.namelist():
                raise ArrayError(f"{path}: has no array {name!r}; it holds {', '.join(array_names(path)) or 'nothing'}")
            info = archive.getinfo(f"{name}.npy")
            raw.seek(info.header_offset + 26)  # the lengths of a name and of extras, behind 30 bytes
            start = info.header_offset + 30 + sum(struct.unpack("<HH", raw.read(4)))
            file = stack.enter_context(archive.open(info))
        if info.file_size > _DEFLATE * info.compress_size + 1024:
            raise ArrayError(f"{path}[{name!r}]: claims {info.file_size} bytes, which its contents cannot fill")
        yield file, info.file_size, start if info.compress_type == zipfile.ZIP_STORED else None


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran order, and type; ``file`` is left behind the header."""
    with _readable(f"{where}: not a readable NumPy file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Python 2 wrote it
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)


@dataclass(frozen=True)
class SequenceFile:
    """The sequences of a ``.npy`` or ``.npz`` file, opened by :meth:`open` and read by :meth:`batches`.

    Attributes:
        path: the file.
        member: the array's name inside a ``.npz``, ``None`` for a ``.npy``.
        layout: its axes, such as ``"NCTVM"``, as :func:`skelaug.to_layout` writes them; they begin with N or have none.
        sizes: of flattened axes, such as M = 2.
        shape: of one sample as ``(C, T, V, M)``.
        count: number of samples.
        lengths: valid frames of each sample, where the file tells.
    """

    path: Path
    member: str | None
    layout: str
    sizes: dict[str, int]
    shape: tuple[int, int, int, int]
    count: int
    lengths: Any = None

    @classmethod
    def open(
        cls, path: str | Path, layout: str = "NCTVM", member: str | None = None, sizes: dict[str, int] | None = None
    ) -> SequenceFile:
        """Look at a file's header and check it; nothing else is read.

        Args:
            path: a ``.npy`` or ``.npz`` file. Object arrays are refused: to read them would run code that the file
                holds.
            layout: axes of the array.
            member: name of the array in a ``.npz``; may be left out where only one can be meant.
            sizes: sizes of flattened axes.

        Raises:
            ArrayError: no such file, another format, a wrong type or shape, an empty array.
        """
        path, sizes = Path(path), sizes or {}
        if not path.is_file():
            raise ArrayError(f"{path}: no such file")
        lengths = None
        if path.suffix == ".npz":
            member, lengths = _choose(path, member)
        elif path.suffix != ".npy":
            raise ArrayError(f"{path}: expected a .npy or .npz file; numpy.save writes one")
        elif member is not None:
            raise ArrayError(f"{path}: a .npy file holds one array without a name; leave out the name {member!r}")
        array = StoredArray.open(path, member)
        where, shape, dtype = array.where, array.shape, array.dtype
        if dtype.kind != "f" or dtype.itemsize > 8:
            hint = "; save it with x.astype('float32')" if dtype.kind in "iub" else ""
            raise ArrayError(f"{where}: coordinates must be floating point, got {dtype}{hint}")
        if 0 in shape:
            raise ArrayError(f"{where}: the array is empty: shape {shape}")
        bare = layout.replace(" ", "")
        if "N" in bare and not bare.startswith("N"):
            raise ArrayError(f"{where}: layout {layout!r} must begin with N, so that samples can be read one by one")
        if "N" not in bare:
            shape, layout = (1, *shape), "N" + layout
        try:
            # An array without memory, of the same shape: to_layout's own checks apply.
            probe = to_layout(torch.empty((1, *shape[1:]), device="meta"), layout, "NCTVM", contiguous=False, **sizes)
        except ValueError as error:
            raise ArrayError(f"{where}: {error}; say how the axes lie with --layout") from error
        if lengths is not None and (lengths.shape != shape[:1] or lengths.dtype.kind not in "iu"):
            lengths = None
        _, c, t, v, m = probe.shape
        return cls(path, member, layout, sizes, (c, t, v, m), shape[0], lengths)

    def batches(self, size: int, missing: Missing = "nan") -> Iterator[SkeletonBatch]:
        """Read ``size`` samples at a time, float32, with the true mask where the file tells lengths.

        Args:
            size: samples a batch.
            missing: how the file says that a joint was not observed, see :class:`~skelaug.SkeletonBatch`.

        Raises:
            ArrayError: the file ends early.
        """
        array, start = StoredArray.open(self.path, self.member), 0
        for part in [array.load()[None]] if self._bare(array) else array.rows(size):
            yield self._batch(self._canonical(part), start, start + len(part), missing)
            start += len(part)

    def read(self, rows: Sequence[int], missing: Missing = "nan") -> SkeletonBatch:
        """Read some samples, as :meth:`batches` gives them.

        Args:
            rows: which ones, in any order.
            missing: see :meth:`batches`.

        Raises:
            ArrayError: the file ends early.
            IndexError: there is no such sample.
        """
        wrong = [row for row in rows if not 0 <= row < self.count]
        if wrong:
            raise IndexError(f"{self.path}: has no sequence {wrong[0]}; it holds {self.count}, from 0")
        array, samples = StoredArray.open(self.path, self.member), []
        for row in rows:
            part = array.load()[None] if self._bare(array) else next(array.rows(1, row, row + 1))
            samples.append(self._batch(self._canonical(part), row, row + 1, missing))
        return SkeletonBatch.cat(samples)

    def _bare(self, array: StoredArray) -> bool:
        """Whether the array is one sample without an axis N."""
        return len(array.shape) < len(re.findall(r"\([^)]*\)|[A-Z]", self.layout))

    def _canonical(self, part: Any) -> torch.Tensor:
        x = torch.from_numpy(part.astype(np.float32))
        return to_layout(x, self.layout, "NCTVM", contiguous=True, **self.sizes)

    def _batch(self, x: torch.Tensor, start: int, stop: int, missing: Missing) -> SkeletonBatch:
        if self.lengths is None:
            return SkeletonBatch(x, missing=missing)
        lengths = torch.from_numpy(self.lengths[start:stop].astype(np.int64))
        return SkeletonBatch.from_lengths(x, lengths, missing=missing)


def _choose(path: Path, member: str | None) -> tuple[str, Any]:
    """The array of a ``.npz`` that is meant, and its lengths if it has some."""
    names = array_names(path)
    if "poses" in names and {"trans", "betas"} & set(names) and (member == "poses" or {"x", member}.isdisjoint(names)):
        raise ArrayError(
            f"{path}: looks like a file of AMASS: its 'poses' are angles of joints, not coordinates, and cannot be "
            f"augmented as such. Let a body model (such as the package smplx) give the joints' positions, and save "
            f"those as x (N, C, T, V, M)"
        )
    lengths = next((StoredArray.open(path, name).load() for name in _LENGTHS if name in names), None)
    if member is None:
        found = ["x"] if "x" in names else [name for name in names if name not in _LENGTHS]
        if len(found) != 1:
            raise ArrayError(f"{path}: holds {', '.join(names) or 'nothing'}; name the array to read with --array")
        member = found[0]
    return member, lengths
