"""The data model: :class:`SkeletonBatch`, presence (who is there in which frame) and layouts."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils import _pytree as pytree
from torch.utils.data._utils.collate import default_collate_fn_map

if TYPE_CHECKING:
    from skelaug.functional.time import Span

__all__ = ["SkeletonBatch", "infer_presence", "to_layout"]


def infer_presence(x: Tensor) -> Tensor:
    """Find who is there: a person is absent in a frame where all its joints are exactly 0, the field's padding.

    Args:
        x: ``(N, C, T, V, M)``.

    Returns:
        bool ``(N, T, 1, M)``: a mask that broadcasts over the joints.
    """
    n, c, t, v, m = x.shape
    # A byte per entry, folded over the few channels first: a quarter of the memory traffic of a reduction over x.
    # Bitwise, because logical_or converts its arguments.
    seen = functools.reduce(torch.bitwise_or, x.bool().unbind(1)) if c else x.new_zeros(n, t, v, m, dtype=torch.bool)
    word = {2: torch.int16, 4: torch.int32}.get(m)
    if word is None or v > 255 or not seen.is_contiguous():
        return seen.any(2, keepdim=True)
    # All persons of a joint as one word: its bytes count the joints of each, several times faster than any().
    return seen.view(word).view(n * t, v).sum(1, dtype=word).view(torch.uint8).bool().view(n, t, 1, m)


@dataclass(eq=False, repr=False)
class SkeletonBatch:
    """A batch of skeleton sequences, who is observed in it, and what belongs to it. Immutable by convention.

    Args:
        x: floating point ``(N, C, T, V, M)`` = sample, coordinate, frame, joint, person.
        mask: bool ``(N, T, V, M)``, True where observed. ``None`` infers it: a person is absent in a frame where all
            its joints are exactly 0.
        graph: adjacency per sample, ``(N, K, V, V)`` or, per layer, ``(N, L, K, V, V)``.
        label: ``(N,)``, one class index a sample.

    Unobserved entries of ``x`` are set to 0 once, here, so that NaN or 99.9 padding never spreads.

    Raises:
        TypeError: ``x`` is not a floating-point tensor or ``mask`` is not bool.
        ValueError: a shape is off.

    Example:
        >>> batch = SkeletonBatch(torch.randn(4, 3, 50, 25, 2))
        >>> len(batch), batch[:2].x.shape
        (4, torch.Size([2, 3, 50, 25, 2]))
    """

    x: Tensor
    mask: Tensor | None = None
    graph: Tensor | None = None
    label: Tensor | None = None
    _found: Span | None = field(default=None, init=False)  # of the mask, once it was asked for
    _own: bool = field(default=False, init=False)  # x was made on the way here: the next step may overwrite it

    def __post_init__(self) -> None:
        x = check_x(self.x, "SkeletonBatch")
        n, _, t, v, m = x.shape
        if self.mask is None:
            self.mask = infer_presence(x).expand(n, t, v, m)
            return self._check_rest()
        if not isinstance(self.mask, Tensor) or self.mask.dtype != torch.bool:
            got = self.mask.dtype if isinstance(self.mask, Tensor) else type(self.mask).__name__
            raise TypeError(f"SkeletonBatch(mask=…): mask must be a bool tensor, got {got}; write mask.bool()")
        if self.mask.shape != (n, t, v, m):
            raise ValueError(
                f"SkeletonBatch(mask=…): mask must be (N, T, V, M) = {(n, t, v, m)} to fit x {tuple(x.shape)}, "
                f"got {tuple(self.mask.shape)}"
            )
        self.x = torch.where(self.mask[:, None], x, 0)
        return self._check_rest()

    def _check_rest(self) -> None:
        n, v = self.x.shape[0], self.x.shape[3]
        if self.graph is not None:
            shape = tuple(self.graph.shape)
            if len(shape) not in (4, 5) or shape[0] != n or shape[-2:] != (v, v):
                raise ValueError(
                    f"SkeletonBatch(graph=…): graph must be (N, K, V, V) or (N, L, K, V, V) with N={n}, V={v}, got "
                    f"{shape}"
                )
        if self.label is not None and self.label.shape[:1] != (n,):
            raise ValueError(
                f"SkeletonBatch(label=…): label must have N={n} entries first, got shape {tuple(self.label.shape)}"
            )

    @classmethod
    def _trusted(cls, x: Tensor, mask: Tensor | None, graph: Tensor | None, label: Tensor | None) -> SkeletonBatch:
        """Build without checks or zeroing: for parts that already obey the invariants.

        Inside transforms ``mask`` may be ``None`` (no member asks for it) or ``(N, T, 1, M)`` (inferred from a plain
        tensor: whole persons).
        """
        new = object.__new__(cls)
        new.x, new.mask, new.graph, new.label = x, mask, graph, label
        new._found, new._own = None, False
        return new

    def replace(self, **changes: Any) -> SkeletonBatch:
        """A copy with some fields changed, unchecked: ``x`` must already be 0 where ``mask`` is False."""
        parts = {"x": self.x, "mask": self.mask, "graph": self.graph, "label": self.label} | changes
        return SkeletonBatch._trusted(**parts)

    @classmethod
    def from_list(cls, clips: Sequence[Tensor], label: Tensor | None = None) -> SkeletonBatch:
        """Join clips ``(C, T_i, V, M)`` of unequal length, padded with absent frames to the longest."""
        if not clips:
            raise ValueError("SkeletonBatch.from_list(clips): needs at least one clip (C, T, V, M), got none")
        batch = cls.cat([cls(clip[None]) for clip in clips])
        return cls(batch.x, batch.mask, label=label)

    @classmethod
    def from_lengths(cls, x: Tensor, lengths: Tensor, label: Tensor | None = None) -> SkeletonBatch:
        """Take ``x (N, C, T, V, M)`` of which sample i is valid in its first ``lengths[i]`` frames, absent after.

        Within its length a person whose joints are all exactly 0 in a frame is absent in that frame.
        """
        check_x(x, "SkeletonBatch.from_lengths")
        lengths = torch.as_tensor(lengths, device=x.device)
        if lengths.shape != (x.shape[0],):
            raise ValueError(
                f"SkeletonBatch.from_lengths(lengths=…): one length a sample, {x.shape[0]}, got {tuple(lengths.shape)}"
            )
        valid = torch.arange(x.shape[2], device=x.device) < lengths[:, None]
        mask = infer_presence(x) & valid[:, :, None, None]
        return cls(x, mask.expand(-1, -1, x.shape[3], -1), label=label)

    @classmethod
    def cat(cls, batches: Sequence[SkeletonBatch]) -> SkeletonBatch:
        """Join batches along N, shorter ones padded with absent frames; a DataLoader's collate calls this."""
        if not batches:
            raise ValueError("SkeletonBatch.cat(batches): needs at least one batch, got none")
        for name in ("graph", "label"):
            if len({getattr(b, name) is None for b in batches}) > 1:
                raise ValueError(f"SkeletonBatch.cat(batches): {name} must be set on all batches or on none")
        shapes = {(b.x.shape[1], *b.x.shape[3:]) for b in batches}
        if len(shapes) > 1:
            raise ValueError(f"SkeletonBatch.cat(batches): all must share (C, V, M), got {sorted(shapes)}")
        frames = max(b.x.shape[2] for b in batches)

        def join(name: str, frame_dim: int | None = None) -> Tensor | None:
            parts = [getattr(b, name) for b in batches]
            if parts[0] is None:
                return None
            if frame_dim is not None:
                tail = (0, 0) * (parts[0].ndim - frame_dim - 1)
                parts = [pad(v, (*tail, 0, frames - v.shape[frame_dim])) for v in parts]
            return torch.cat(parts)

        x = join("x", 2)
        assert x is not None
        return cls._trusted(x, join("mask", 1), join("graph"), join("label"))

    def _whole_persons(self) -> SkeletonBatch:
        """The same, with a mask that says one thing for all joints of a person as ``(N, T, 1, M)``, where strides tell.

        Such a mask is a fraction of the work; :meth:`_every_joint` undoes it.
        """
        mask = self.mask
        return self.replace(mask=mask[:, :, :1] if mask is not None and mask.stride(2) == 0 else mask)

    def _every_joint(self) -> SkeletonBatch:
        assert self.mask is not None
        return self.replace(mask=self.mask.expand(self.x.shape[0], *self.x.shape[2:]))

    def _made_from(self, before: SkeletonBatch) -> SkeletonBatch:
        """The same; the next step may overwrite an ``x`` that is new, or that was nobody else's before."""
        self._own = not self.x.requires_grad and (before._own or self.x is not before.x)
        return self

    @property
    def _span(self) -> Span:
        """The frames from the first to the last with anybody; found once for all draws from this batch."""
        if self._found is None:
            from skelaug.functional.time import Span

            assert self.mask is not None
            self._found = Span(self.mask)
        return self._found

    def _map(self, f: Callable[[Tensor], Tensor]) -> SkeletonBatch:
        return SkeletonBatch._trusted(*(None if v is None else f(v) for v in self._parts()))  # type: ignore[arg-type]

    def _parts(self) -> tuple[Tensor | None, ...]:
        return self.x, self.mask, self.graph, self.label

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> SkeletonBatch:
        """Choose samples; the result is always a batch: ``batch[3]`` holds one sample."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"sample {index} of a SkeletonBatch with {len(self)} samples")
            index = slice(index % len(self), index % len(self) + 1)
        return self._map(lambda v: v[index])

    def to(self, *args: Any, **kwargs: Any) -> SkeletonBatch:
        """Like ``Tensor.to`` for every part; a dtype changes ``x`` and ``graph`` only."""
        x = self.x.to(*args, **kwargs)
        graph = None if self.graph is None else self.graph.to(*args, **kwargs)
        rest = {k: v for k, v in kwargs.items() if k == "non_blocking"}
        mask, label = (None if v is None else v.to(x.device, **rest) for v in (self.mask, self.label))
        return SkeletonBatch._trusted(x, mask, graph, label)

    def pin_memory(self) -> SkeletonBatch:
        """Every part in pinned memory (a DataLoader with ``pin_memory=True`` calls this)."""
        return self._map(lambda v: v.contiguous().pin_memory())  # an expanded mask has nothing to be copied into

    @property
    def device(self) -> torch.device:
        """The device of ``x``."""
        return self.x.device

    @property
    def presence(self) -> Tensor:
        """Bool ``(N, T, M)``: the person has at least one observed joint in the frame."""
        assert self.mask is not None
        return self.mask.any(2)

    def __repr__(self) -> str:
        parts = [f"x={tuple(self.x.shape)} {self.x.dtype} {self.x.device}"]
        parts += [
            f"{k}={tuple(v.shape)}"
            for k, v in (("mask", self.mask), ("graph", self.graph), ("label", self.label))
            if v is not None
        ]
        return f"SkeletonBatch({', '.join(parts)})"


def check_x(x: Any, who: str) -> Tensor:
    """Return ``x`` if it is a floating-point ``(N, C, T, V, M)`` tensor, else say what is wrong and how to mend it."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{who}: x must be a torch.Tensor (N, C, T, V, M), got {type(x).__name__}; torch.from_numpy(x) shares an "
            f"array"
        )
    if x.ndim != 5:
        raise ValueError(
            f"{who}: x must be (N, C, T, V, M) = sample, coordinate, frame, joint, person; got {x.ndim} dimensions, "
            f"shape {tuple(x.shape)}; skelaug.to_layout(x, 'CTVM', 'NCTVM') and its like convert"
        )
    if not x.is_floating_point():
        raise TypeError(f"{who}: x must be floating point, got {x.dtype}; write x.float()")
    return x


def _flatten(batch: SkeletonBatch) -> tuple[list[Tensor], tuple[bool, ...]]:
    """The parts that are set, as torch's pytrees want them: a missing one must not reach the mapped function."""
    parts = batch._parts()
    return [part for part in parts if part is not None], tuple(part is not None for part in parts)


def _unflatten(parts: Iterable[Any], there: tuple[bool, ...]) -> SkeletonBatch:
    given = iter(parts)
    x, mask, graph, label = (next(given) if part else None for part in there)
    return SkeletonBatch._trusted(cast("Tensor", x), mask, graph, label)


pytree.register_pytree_node(
    SkeletonBatch,
    _flatten,
    _unflatten,
    serialized_type_name="skelaug.SkeletonBatch",
)
default_collate_fn_map[SkeletonBatch] = lambda batches, *, collate_fn_map=None: SkeletonBatch.cat(batches)


def _parse_layout(layout: str) -> list[str]:
    """``"NT(MVC)"`` -> ``["N", "T", "MVC"]``; more than one letter in an entry is a flattened axis."""
    axes: list[str] = []
    group: str | None = None
    for char in layout.replace(" ", ""):
        if char == "(" and group is None:
            group = ""
        elif char == ")" and group:
            axes.append(group)
            group = None
        elif char in "NCTVM" and group is not None:
            group += char
        elif char in "NCTVM":
            axes.append(char)
        else:
            raise ValueError(
                f"to_layout: cannot read {layout!r} at {char!r}; layouts look like 'NCTVM' or 'N T (M V C)'"
            )
    letters = "".join(axes)
    if group is not None or len(set(letters)) != len(letters) or not letters:
        raise ValueError(f"to_layout: {layout!r} must name each of N, C, T, V, M at most once and close its bracket")
    return axes


def to_layout(x: Tensor, source: str, target: str, *, contiguous: bool = False, **sizes: int) -> Tensor:
    """Change the order of axes by letters: N sample, C coordinate, T frame, V joint, M person.

    A letter that only the target has becomes an axis of size 1; one that only the source has must be of size 1.
    Brackets flatten axes, the last letter running fastest: ``"N T (M V C)"`` is CTR-GCN's files, ``"N T (V C M)"``
    skeleton-contrast's.

    Args:
        x: the tensor; a permuted view of it is returned wherever the target can be expressed as one.
        source: its layout, e.g. ``"NMTVC"``.
        target: the layout wanted, e.g. ``"NCTVM"``.
        contiguous: copy into memory order of the target.
        **sizes: sizes of bracketed axes of the source, e.g. ``M=2, C=3``; at most one of a bracket may be left out.

    Returns:
        The tensor in the target layout, bit-equal values.

    Raises:
        ValueError: a layout cannot be read, does not fit ``x``, or sizes are missing or do not divide.

    Example:
        >>> to_layout(torch.zeros(8, 2, 50, 25, 3), "NMTVC", "NCTVM").shape
        torch.Size([8, 3, 50, 25, 2])
        >>> to_layout(torch.zeros(8, 50, 150), "N T (M V C)", "NCTVM", M=2, C=3).shape
        torch.Size([8, 3, 50, 25, 2])
    """
    axes, wanted = _parse_layout(source), _parse_layout(target)
    if x.ndim != len(axes):
        raise ValueError(f"to_layout: layout {source!r} has {len(axes)} axes, x has {x.ndim}: shape {tuple(x.shape)}")
    unknown = set(sizes) - set("NCTVM")
    if unknown:
        raise ValueError(f"to_layout: unknown size {sorted(unknown)}; sizes are named N, C, T, V, M")
    shape: list[int] = []
    for axis, size in zip(axes, x.shape, strict=True):
        shape += _split(axis, size, sizes, source)
    x = x.reshape(shape)
    letters = list(itertools.chain(*axes))
    final = list(itertools.chain(*wanted))
    for letter in [a for a in letters if a not in final]:
        dim = letters.index(letter)
        if x.shape[dim] != 1:
            raise ValueError(f"to_layout: {target!r} lacks {letter}, which has size {x.shape[dim]} in x, not 1")
        x = x.squeeze(dim)
        letters.remove(letter)
    for letter in [a for a in final if a not in letters]:
        x = x.unsqueeze(-1)
        letters.append(letter)
    x = x.permute([letters.index(a) for a in final])
    if any(len(axis) > 1 for axis in wanted):
        named = dict(zip(final, x.shape, strict=True))
        x = x.reshape([functools.reduce(lambda a, b: a * named[b], axis, 1) for axis in wanted])
    return x.contiguous() if contiguous else x


def _split(axis: str, size: int, sizes: dict[str, int], source: str) -> list[int]:
    """The sizes of the letters of one axis of length ``size``; at most one of them may be unknown."""
    if len(axis) == 1:
        if sizes.get(axis, size) != size:
            raise ValueError(f"to_layout: {axis}={sizes[axis]} was given, but x has {axis}={size}")
        return [size]
    missing = [a for a in axis if a not in sizes]
    known = functools.reduce(lambda a, b: a * sizes.get(b, 1), axis, 1)
    if len(missing) > 1:
        raise ValueError(
            f"to_layout: to split ({axis}) of {source!r}, name all but one of its sizes; missing {', '.join(missing)}"
        )
    if known <= 0 or size % known or (not missing and known != size):
        raise ValueError(
            f"to_layout: ({axis}) of {source!r} has {size} entries, not a multiple of the sizes given: {sizes}"
        )
    return [sizes[a] if a in sizes else size // known for a in axis]
