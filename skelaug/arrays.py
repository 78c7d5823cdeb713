"""Arrays of sequences on disk, read part by part: memory stays bounded however long the file is."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from skelaug.batch import SkeletonBatch
from skelaug.layout import to_layout

__all__ = ["ArrayError", "SequenceFile"]

_LENGTHS = ("length", "lengths")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)


class ArrayError(ValueError):
    """A file does not hold what it should; the message says what was found and how to mend it."""


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
            raise ArrayError(
                f"{path}: a .npy file holds one array without a name, but the array {member!r} was asked for"
            )
        where = str(path) if member is None else f"{path}[{member!r}]"
        with _stream(path, member) as (shape, dtype, _):
            pass
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

    def batches(self, size: int, *, nan_is_absent: bool = False) -> Iterator[SkeletonBatch]:
        """Read ``size`` samples at a time, float32, with the true mask where the file tells lengths.

        Args:
            size: samples a batch.
            nan_is_absent: joints with a coordinate that is not finite are not observed; else they are an error.

        Raises:
            ArrayError: a coordinate is not finite, or the file ends early.
        """
        with _stream(self.path, self.member) as (shape, dtype, file):
            one = shape if len(shape) == self._axes() - 1 else shape[1:]
            for start in range(0, self.count, size):
                stop = min(start + size, self.count)
                part = _read(file, self.path, (stop - start, *one), dtype)
                x = to_layout(
                    torch.from_numpy(part.astype(np.float32)), self.layout, "NCTVM", contiguous=True, **self.sizes
                )
                yield self._batch(x, start, stop, nan_is_absent)

    def _axes(self) -> int:
        depth, axes = 0, 0
        for char in self.layout.replace(" ", ""):
            depth += (char == "(") - (char == ")")
            axes += depth == 0
        return axes

    def _batch(self, x: torch.Tensor, start: int, stop: int, nan_is_absent: bool) -> SkeletonBatch:
        finite = x.isfinite()
        if not finite.all():
            if not nan_is_absent:
                n, c, t, v, m = (int(i) for i in (~finite).nonzero()[0])
                raise ArrayError(
                    f"{self.path}: sample {start + n} has {x[n, c, t, v, m]} at coordinate {c}, frame {t}, joint "
                    f"{v}, person "
                    f"{m}; if that means 'not observed', say so with --nan-is-absent"
                )
            x = torch.where(finite, x, 0)
        batch = SkeletonBatch(x)
        if self.lengths is not None:
            batch = SkeletonBatch.from_lengths(x, torch.from_numpy(self.lengths[start:stop].astype(np.int64)))
        if nan_is_absent:
            assert batch.mask is not None
            batch = SkeletonBatch(x, batch.mask & finite.all(1))
        return batch


def _choose(path: Path, member: str | None) -> tuple[str, Any]:
    """The array of a ``.npz`` that is meant, and its lengths if it has some."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            lengths = next((archive[name] for name in _LENGTHS if name in names), None)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArrayError(f"{path}: not a readable .npz file ({error})") from error
    if member is None:
        found = ["x"] if "x" in names else [name for name in names if name not in _LENGTHS]
        if len(found) != 1:
            raise ArrayError(f"{path}: holds {', '.join(names) or 'nothing'}; name the array to read with --array")
        member = found[0]
    if member not in names:
        raise ArrayError(f"{path}: has no array {member!r}; it holds {', '.join(names)}")
    return member, lengths


@contextmanager
def _stream(path: Path, member: str | None) -> Iterator[tuple[tuple[int, ...], Any, IO[bytes]]]:
    """An open array file behind its header: shape, type, and the bytes that follow, in C order."""
    where = str(path) if member is None else f"{path}[{member!r}]"
    with ExitStack() as stack:
        try:
            file: IO[bytes]
            if member is None:
                file = stack.enter_context(path.open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(path))
                file = stack.enter_context(archive.open(f"{member}.npy"))
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except (ValueError, *_DAMAGE) as error:
            raise ArrayError(f"{where}: not a readable NumPy file ({error})") from error
        if dtype.hasobject:
            raise ArrayError(
                f"{where}: an object array (perhaps clips of unequal length); it is not read, for that would run "
                f"code from "
                f"the file. Save one float array, padded with zeros, and the lengths as 'length' in a .npz"
            )
        if fortran and len(shape) > 1:
            raise ArrayError(f"{where}: is in Fortran order; save numpy.ascontiguousarray(x)")
        yield shape, dtype, file


def _read(file: IO[bytes], path: Path, shape: tuple[int, ...], dtype: Any) -> Any:
    wanted = math.prod(shape) * dtype.itemsize
    try:
        data = file.read(wanted)
    except _DAMAGE as error:
        raise ArrayError(f"{path}: damaged file ({error}); copy it again") from error
    if len(data) != wanted:
        raise ArrayError(f"{path}: ends early: {len(data)} of {wanted} bytes that its header promises; copy it again")
    return np.frombuffer(data, dtype).reshape(shape)
