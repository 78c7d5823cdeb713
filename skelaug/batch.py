"""The data model: :class:`SkeletonBatch`, a batch of skeleton sequences and who is observed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils import _pytree as pytree
from torch.utils.data._utils.collate import default_collate_fn_map

from skelaug import labels
from skelaug.host import readable
from skelaug.labels import LabelAxis
from skelaug.missing import Missing, check_missing, finite_joints
from skelaug.parts import check_clips, check_graph, check_lengths, check_mask, check_x, observed_in
from skelaug.presence import Presence, infer_presence

__all__ = ["Data", "SkeletonBatch"]


class SkeletonBatch:
    """A batch of skeleton sequences, who is observed in it, and what belongs to it. Immutable by convention.

    Args:
        x: floating point ``(N, C, T, V, M)`` = sample, coordinate, frame, joint, person.
        mask: bool ``(N, T, V, M)``, True where observed. ``None`` infers it: a person is absent in a frame where all
            its joints are exactly 0.
        missing: how ``x`` says that a joint was not observed, beside the mask: ``"nan"``, by a value that is not
            finite; ``"zero"``, by that or by zeros in all its channels; :class:`~skelaug.Score`, by that or by a
            channel that is too low.
        graph: adjacency per sample, floating point ``(N, K, V, V)`` or, per layer, ``(N, L, K, V, V)``.
        label: of the sample, ``(N,)``; of its classes, ``(N, K)``; or of its frames, ``(N, T)``, -100 for none.
        label_axis: which of them the label is: ``"sample"``, ``"class"`` or ``"frame"``, see
            :data:`skelaug.labels.LabelAxis`. ``None`` takes ``(N,)`` for the first, whole numbers ``(N, T)`` for the
            last, floating point ``(N, K)`` for the second unless K is T, and asks otherwise.

    Unobserved entries of ``x`` are set to 0 once, here, so that NaN or 99.9 padding never spreads. A joint with a value
    that is not finite is not observed, whatever the mask says. On an accelerator a batch keeps its mask joint by joint,
    for to see whether all is finite would wait for the device; one that is made on the CPU and moved keeps it person by
    person where that says the same, which is less work.

    Raises:
        TypeError: ``x`` or ``graph`` is not a floating-point tensor, ``mask`` is not bool, ``label`` is no tensor,
            ``missing`` is something else.
        ValueError: a shape is off, ``x`` lacks the channel of a score, or a label may mean several things.

    Example:
        >>> batch = SkeletonBatch(torch.randn(4, 3, 50, 25, 2), label=torch.arange(200).view(4, 50))
        >>> len(batch), batch[:2].x.shape, batch.label_axis
        (4, torch.Size([2, 3, 50, 25, 2]), 'frame')
    """

    x: Tensor
    graph: Tensor | None
    label: Tensor | None
    label_axis: LabelAxis | None
    observed: Presence

    def __init__(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        graph: Tensor | None = None,
        label: Tensor | None = None,
        label_axis: LabelAxis | None = None,
        *,
        missing: Missing = "nan",
    ) -> None:
        check_x(x, "SkeletonBatch")
        missing = check_missing("SkeletonBatch", missing)
        self.x, seen = observed_in(x, None if mask is None else check_mask(x, mask, "SkeletonBatch"), missing)
        self.observed, self.graph, self.label = Presence.of(seen), graph, label
        check_graph(x, graph, "SkeletonBatch")
        self.label_axis = labels.check_label("SkeletonBatch", label, label_axis, x)

    @classmethod
    def of(cls, x: Tensor | SkeletonBatch, who: str = "SkeletonBatch.of") -> SkeletonBatch:
        """``x`` as a batch; who is present in a plain tensor is found when somebody first asks.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch, which is returned as it is.
            who: for the message of an error.
        """
        if isinstance(x, SkeletonBatch):
            return x
        check_x(x, who)
        finite = finite_joints(x)
        if finite is None:
            return cls.trusted(x, Presence(lambda: infer_presence(x)))
        clean = torch.where(finite[:, None], x, 0)
        return cls.trusted(clean, Presence(lambda: infer_presence(clean) & finite))

    @classmethod
    def trusted(
        cls,
        x: Tensor,
        observed: Presence,
        graph: Tensor | None = None,
        label: Tensor | None = None,
        label_axis: LabelAxis | None = None,
    ) -> SkeletonBatch:
        """Build without checks: ``x`` is 0 where it is not observed, and the shapes fit."""
        batch = object.__new__(cls)
        batch.x, batch.observed, batch.graph, batch.label, batch.label_axis = x, observed, graph, label, label_axis
        return batch

    @property
    def mask(self) -> Tensor:
        """Bool ``(N, T, V, M)``: True where observed."""
        return self.observed.seen.expand(self.x.shape[0], *self.x.shape[2:])

    @property
    def seen(self) -> Tensor:
        """The mask, as ``(N, T, 1, M)`` where it says the same of all joints of a person: less work."""
        return self.observed.seen

    @property
    def presence(self) -> Tensor:
        """Bool ``(N, T, M)``: the person has at least one observed joint in the frame."""
        return self.seen.any(2)

    @property
    def frame_label(self) -> Tensor | None:
        """The label ``(N, T)``, if it is one of frames: what goes with them when they move."""
        return self.label if self.label_axis == "frame" else None

    def replace(self, **changes: Any) -> SkeletonBatch:
        """A copy with some of ``x``, ``mask``, ``graph`` and ``label`` changed; ``x`` is set to 0 where not observed.

        ``label_axis`` belongs to ``label``; left out, a label of the old one's shape is of its kind.

        Raises:
            TypeError: no such part, or a part of the wrong type.
            ValueError: shapes do not fit; an ``x`` with another number of frames, joints or persons needs a ``mask``.
        """
        who = "SkeletonBatch.replace"
        unknown = sorted(changes.keys() - {"x", "mask", "graph", "label", "label_axis"})
        if unknown:
            raise TypeError(f"{who}({unknown[0]}=…): a batch has x, mask, graph, label and label_axis")
        x = check_x(changes.get("x", self.x), who)
        if "mask" not in changes and x.shape[:1] + x.shape[2:] != self.x.shape[:1] + self.x.shape[2:]:
            raise ValueError(
                f"{who}(x=…): x is {tuple(x.shape)}, the batch {tuple(self.x.shape)}: with other N, T, V or M give the "
                f"mask that belongs to x, too"
            )
        observed = self.observed
        if "x" in changes or "mask" in changes:
            mask = check_mask(x, changes["mask"], who) if "mask" in changes else self.seen
            x, seen = observed_in(x, mask, "nan")
            observed = Presence.of(seen)
        graph, label = changes.get("graph", self.graph), changes.get("label", self.label)
        check_graph(x, graph, who)
        alike = self.label is not None and isinstance(label, Tensor) and label.shape == self.label.shape
        axis = labels.check_label(who, label, changes.get("label_axis", self.label_axis if alike else None), x)
        return SkeletonBatch.trusted(x, observed, graph, label, axis)

    def with_parts(self, **changes: Any) -> SkeletonBatch:
        """:meth:`replace` without checks, for ops that keep the promises of :meth:`trusted`; ``observed`` is a part."""
        parts: dict[str, Any] = {"x": self.x, "observed": self.observed, "graph": self.graph, "label": self.label}
        parts["label_axis"] = self.label_axis
        return SkeletonBatch.trusted(**parts | changes)

    @classmethod
    def from_list(
        cls,
        clips: Sequence[Tensor],
        label: Tensor | Sequence[Tensor] | None = None,
        label_axis: LabelAxis | None = None,
        *,
        missing: Missing = "nan",
    ) -> SkeletonBatch:
        """Join clips ``(C, T_i, V, M_i)`` of unequal length, padded with absent frames and persons to the most.

        ``missing`` and ``label_axis`` are those of :class:`SkeletonBatch`. Labels of frames are ``(N, T)`` or a list of
        ``(T_i,)``; behind the end of a clip they are -100.
        """
        check_clips(clips, "SkeletonBatch.from_list(clips)")
        batch = cls.cat([cls(clip[None], missing=missing) for clip in clips])
        lengths = [clip.shape[1] for clip in clips]
        if isinstance(label, list | tuple):
            label, label_axis = labels.join_frames("SkeletonBatch.from_list", label, lengths), "frame"
        return cls(batch.x, batch.mask, None, label, label_axis)._ended(lengths)  # type: ignore[arg-type]

    @classmethod
    def from_lengths(
        cls,
        x: Tensor,
        lengths: Tensor,
        label: Tensor | None = None,
        label_axis: LabelAxis | None = None,
        *,
        missing: Missing = "nan",
    ) -> SkeletonBatch:
        """Take ``x (N, C, T, V, M)`` of which sample i is valid in its first ``lengths[i]`` frames, absent after.

        Within its length a person whose joints are all exactly 0 in a frame is absent in that frame. ``missing`` and
        ``label_axis`` are those of :class:`SkeletonBatch`; labels of frames after the length become -100.

        Raises:
            TypeError: lengths are not whole numbers.
            ValueError: not one length a sample, or, on a CPU, one outside 0 … T. (To look at lengths on another device
                would wait for it.)
        """
        who = "SkeletonBatch.from_lengths"
        check_x(x, who)
        counts = check_lengths(x, lengths, who).to(x.device)
        valid = torch.arange(x.shape[2], device=x.device) < counts[:, None]
        seen = infer_presence(x) & valid[:, :, None, None]
        mask = seen.expand(-1, -1, x.shape[3], -1)
        return cls(x, mask, None, label, label_axis, missing=missing)._ended(counts)

    def _ended(self, lengths: Tensor | list[int]) -> SkeletonBatch:
        """The batch with -100 for the labels of frames after ``lengths (N,)``, if it has labels of frames."""
        label = self.frame_label
        if label is None:
            return self
        frame = torch.arange(label.shape[1], device=label.device)
        ends = torch.as_tensor(lengths, device=label.device)
        return self.with_parts(label=labels.without(label, frame >= ends[:, None]))

    @classmethod
    def cat(cls, batches: Sequence[SkeletonBatch]) -> SkeletonBatch:
        """Join batches along N, padded with absent frames and persons to the most; a DataLoader's collate calls it.

        Labels of frames are padded with -100.
        """
        who = "SkeletonBatch.cat(batches)"
        if not isinstance(batches, list | tuple) or not all(isinstance(batch, SkeletonBatch) for batch in batches):
            raise TypeError(f"{who}: needs a list of SkeletonBatches, got {batches!r}")
        if not batches:
            raise ValueError(f"{who}: needs at least one batch, got none")
        for name in ("graph", "label"):
            if len({getattr(b, name) is None for b in batches}) > 1:
                raise ValueError(f"{who}: {name} must be set on all batches or on none")
        shapes = {(b.x.shape[1], b.x.shape[3]) for b in batches}
        if len(shapes) > 1:
            raise ValueError(f"{who}: all must share (C, V), got {sorted(shapes)}")
        graphs = {b.graph.shape[1:] for b in batches if b.graph is not None}
        if len(graphs) > 1:
            raise ValueError(f"{who}: all graphs must have one shape, got {sorted(map(tuple, graphs))}")
        frames, persons = (max(b.x.shape[axis] for b in batches) for axis in (2, 4))
        label = labels.cat(who, [(b.label, b.label_axis) for b in batches if b.label is not None], frames)

        def join(parts: list[Any], padded: bool = False) -> Any:
            if parts[0] is None:
                return None
            if padded:  # the last three axes are T, V, M
                parts = [pad(v, (0, persons - v.shape[-1], 0, 0, 0, frames - v.shape[-3])) for v in parts]
            return torch.cat(parts)

        thin = all(b.seen.shape[2] == 1 for b in batches)
        seen = join([b.seen if thin else b.mask for b in batches], padded=True)
        x, graph = join([b.x for b in batches], padded=True), join([b.graph for b in batches])
        return cls.trusted(x, Presence.of(seen), graph, label, batches[0].label_axis)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> SkeletonBatch:
        """``change`` done to every part; to who is observed when somebody asks."""
        graph, label = (None if v is None else change(v) for v in (self.graph, self.label))
        return SkeletonBatch.trusted(change(self.x), self.observed.moved(change), graph, label, self.label_axis)

    def merged(
        self, new: SkeletonBatch, choose: Callable[[Tensor, Tensor], Tensor], before: SkeletonBatch | None = None
    ) -> SkeletonBatch:
        """This batch with some samples from ``new``: every part that an op changed is chosen from the two.

        Args:
            new: what the op gave.
            choose: makes a part of the result from the old one and the new one.
            before: what the op was given, if not this batch; a part that it gave back as it was is not chosen from.
        """
        before = self if before is None else before

        def part(name: str) -> Any:
            old, given, changed = getattr(self, name), getattr(before, name), getattr(new, name)
            if changed is given:
                return old
            if old is None:
                raise ValueError(f"a transform with p < 1 made a {name} where there was none; give the batch a {name}")
            return choose(old, changed)

        def seen() -> Tensor:
            old, changed = self.seen, new.seen
            joints = max(old.shape[2], changed.shape[2])
            old, changed = (v.expand(-1, -1, joints, -1) for v in (old, changed))
            return choose(old, changed)

        observed = self.observed if new.observed is before.observed else Presence(seen)
        return SkeletonBatch.trusted(part("x"), observed, part("graph"), part("label"), self.label_axis)

    def like(self, x: Tensor | SkeletonBatch) -> Any:
        """This batch in the form in which ``x`` came: a SkeletonBatch, or its tensor alone.

        Raises:
            TypeError: ``x`` is a tensor, and some transform gave the batch a graph.
        """
        if isinstance(x, SkeletonBatch):
            return self if self is x else self.settled()
        if self.graph is not None:
            raise TypeError(
                "a transform acts on the graph, which a Tensor cannot carry: wrap it, as in skelaug.SkeletonBatch(x)"
            )
        return self.x

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, index: Any) -> SkeletonBatch:
        """Choose samples; the result is always a batch: ``batch[3]`` holds one sample."""
        if isinstance(index, slice):
            return self._settled(lambda v: v[index])
        if isinstance(index, Integral) and index is not True and index is not False:
            position = int(index)
            if not -len(self) <= position < len(self):
                raise IndexError(f"sample {position} of a SkeletonBatch with {len(self)} samples")
            return self[position % len(self) : position % len(self) + 1]
        try:
            chosen = index if isinstance(index, Tensor) else torch.as_tensor(index, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            chosen = torch.empty(0, 0, device="cpu")
        if isinstance(index, tuple) or chosen.ndim != 1 or chosen.is_floating_point() or chosen.is_complex():
            if not (isinstance(index, list) and not index):
                raise TypeError(
                    f"SkeletonBatch[{index!r}]: choose samples by a number, a slice, or whole numbers or bools (N,); "
                    f"frames, joints and persons are chosen on batch.x"
                )
            chosen = torch.empty(0, dtype=torch.int64, device="cpu")
        if chosen.dtype == torch.bool and chosen.shape[0] != len(self):
            raise IndexError(f"SkeletonBatch[…]: {chosen.shape[0]} bools for {len(self)} samples")
        if readable(chosen) and chosen.dtype != torch.bool and ((chosen < -len(self)) | (chosen >= len(self))).any():
            raise IndexError(f"SkeletonBatch[{chosen.tolist()}]: a batch of {len(self)} samples")
        return self._settled(lambda v: v[chosen.to(v.device)])

    def _settled(self, change: Callable[[Tensor], Tensor]) -> SkeletonBatch:
        """:meth:`mapped`, with presence looked at now."""
        return self.mapped(change).settled()

    def settled(self) -> SkeletonBatch:
        """The same batch, its presence looked at: what leaves a transform, and can be pickled."""
        return self.with_parts(observed=Presence.of(self.seen))

    def to(self, *args: Any, **kwargs: Any) -> SkeletonBatch:
        """Like ``Tensor.to`` for every part; a dtype changes ``x`` and ``graph`` only."""
        x = self.x.to(*args, **kwargs)
        graph = None if self.graph is None else self.graph.to(*args, **kwargs)
        rest = {k: v for k, v in kwargs.items() if k == "non_blocking"}
        label = None if self.label is None else self.label.to(x.device, **rest)
        return SkeletonBatch.trusted(x, Presence.of(self.seen.to(x.device, **rest)), graph, label, self.label_axis)

    def pin_memory(self) -> SkeletonBatch:
        """Every part in pinned memory (a DataLoader with ``pin_memory=True`` calls this)."""
        return self._settled(lambda v: v.contiguous().pin_memory())

    @property
    def device(self) -> torch.device:
        """The device of ``x``."""
        return self.x.device

    def __reduce__(self) -> Any:
        return _unpickle, (self.x, self.seen, self.graph, self.label, self.label_axis)

    def __repr__(self) -> str:
        parts = [f"x={tuple(self.x.shape)} {self.x.dtype} {self.x.device}", f"mask={tuple(self.mask.shape)}"]
        parts += [f"{name}={tuple(v.shape)}" for name in ("graph", "label") if (v := getattr(self, name)) is not None]
        parts += [f"label_axis={self.label_axis!r}"] if self.label_axis in ("class", "frame") else []
        return f"SkeletonBatch({', '.join(parts)})"


Data = TypeVar("Data", Tensor, SkeletonBatch)
"""A Tensor or a SkeletonBatch: what comes in goes out."""


def _unpickle(
    x: Tensor, seen: Tensor, graph: Tensor | None, label: Tensor | None, label_axis: LabelAxis | None = None
) -> SkeletonBatch:
    return SkeletonBatch.trusted(x, Presence.of(seen), graph, label, label_axis)


def _flatten(batch: SkeletonBatch) -> tuple[list[Tensor], tuple[Any, ...]]:
    """The parts that are set, as torch's pytrees want them: a missing one must not reach the mapped function."""
    parts = batch.x, batch.mask, batch.graph, batch.label
    return [part for part in parts if part is not None], (*(part is not None for part in parts), batch.label_axis)


def _unflatten(parts: Iterable[Any], told: tuple[Any, ...]) -> SkeletonBatch:
    values, (*is_set, label_axis) = iter(parts), told
    x, mask, graph, label = (next(values) if part else None for part in is_set)
    return SkeletonBatch.trusted(cast("Tensor", x), Presence.of(cast("Tensor", mask)), graph, label, label_axis)


pytree.register_pytree_node(
    SkeletonBatch,
    _flatten,
    _unflatten,
    serialized_type_name="skelaug.SkeletonBatch",
)
default_collate_fn_map[SkeletonBatch] = lambda batches, *, collate_fn_map=None: SkeletonBatch.cat(batches)
