"""Skeletons on their way into a model: augmented where a DataLoader collates, in a batch of any make, or at the model.

The three differ in where the work is done: :class:`Collate` in the DataLoader's workers, :class:`Augment` on the
model's device, in training mode only, :class:`AugmentBatch` wherever it is called. All take the batch as it is:
indices and whatever else is in it pass untouched, and so do labels, unless ``label`` says where they are; layout, keys
and dtypes stay.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from skelaug import check
from skelaug.adapters import Key, Options, Policy, each, find_policy, find_skeleton, refuse_learnable
from skelaug.batch import SkeletonBatch
from skelaug.entries import about, is_skeletons, like, like_label, numbers, replaced
from skelaug.expect import of_type
from skelaug.labels import LabelAxis, check_axis
from skelaug.layout import to_layout
from skelaug.members import unsaid
from skelaug.missing import Missing, check_missing
from skelaug.ndarray import from_numpy
from skelaug.policy import GrowingPolicy, acts_on_graph
from skelaug.random import keys
from skelaug.skeleton import Skeleton

__all__ = ["Augment", "AugmentBatch", "Collate"]


class AugmentBatch(nn.Module):
    """Augment the skeletons inside a batch: a tensor, a tuple or list, or a dict. All else in it passes untouched.

    The batch that comes in is not changed; the one that goes out is of the same make. A GrowingPolicy puts the list of
    its views where the skeletons were, each in the layout of the skeletons; a policy that acts on the graph puts
    SkeletonBatches there.

    Drawn per sample: what the policy draws, from torch's default generator of the device of the skeletons, in a worker
    of a DataLoader from the worker's own (:func:`skelaug.workers.worker_generator`); with ``ids`` from keys of (seed,
    epoch, id), so that neither batch, order, worker nor rank matters.

    Args:
        policy: a transform or policy, the name of a preset, a mapping or the path of a YAML file, see
            :func:`skelaug.config.resolve`.
        skeleton: of the data, where the policy needs one and does not say which; a Skeleton or the name of one.
        layout: axes of the skeletons as :func:`skelaug.to_layout` writes them; without an N it is one sample.
        sizes: of flattened axes, such as ``{"M": 2, "C": 3}``.
        key: where in the batch the skeletons are: a position or a name; ``None``: they are the only floating-point
            array with as many axes as the layout, or the batch itself.
        mask: where a bool array is that tells what was observed, in the layout without its C; the augmented batch holds
            the mask that fits the augmented skeletons.
        length: where the number of valid frames of each sample is; after the policy it is the last frame in which
            anybody is there. Give neither, and a person is absent in a frame where all its joints are exactly 0.
        label: where the labels are that the policy moves: those of frames with their frames, and all by
            ``Mirror(label_map=…)``. The augmented batch holds them there; of a GrowingPolicy, a list, one a view.
        label_axis: what their axes are, where that is not clear, see :class:`~skelaug.SkeletonBatch`.
        ids: where each sample's index in the data set is; draws are then keyed, and :meth:`set_epoch` must be called
            before every epoch.
        seed: of the keys.
        missing: how the skeletons say that a joint was not observed, see :class:`~skelaug.SkeletonBatch`.
        coords: channels that are coordinates, a number of leading ones or indices, for all transforms in the policy
            that do not say so themselves: 2 for (x, y, score). None: all.

    Example:
        >>> import skelaug
        >>> augment = AugmentBatch("crossclr", "ntu25", layout="NTVC")
        >>> batch = {"keypoint": torch.randn(4, 50, 25, 3), "label": torch.arange(4)}
        >>> (view,) = augment(batch)["keypoint"]
        >>> view.shape
        torch.Size([4, 50, 25, 3])
    """

    def __init__(
        self,
        policy: Policy,
        skeleton: Skeleton | str | None = None,
        *,
        layout: str = "NCTVM",
        sizes: Mapping[str, int] | None = None,
        key: Key | None = None,
        mask: Key | None = None,
        length: Key | None = None,
        label: Key | None = None,
        label_axis: LabelAxis | None = None,
        ids: Key | None = None,
        seed: int = 0,
        coords: Any = None,
        missing: Missing = "nan",
    ) -> None:
        super().__init__()
        who = self._who
        self.policy = find_policy(who, policy, skeleton, coords)
        # The policy need not hold the skeleton; it is asked for here, too, whether x is rather (x, y, score).
        self._images = None if skeleton is None else unsaid(find_skeleton(who, skeleton), [self.policy])
        self.layout, self._axes = layout, _count_axes(who, layout)
        self._mask_layout = layout.replace("C", "").replace("()", "")
        sizes = of_type(who, "sizes", {} if sizes is None else sizes, Mapping, "a mapping such as {'M': 2, 'C': 3}")
        axes = tuple("NCTVM")
        self.sizes = {check.choice(who, "sizes", k, axes): check.count(who, "sizes", v) for k, v in sizes.items()}
        for name, place in {"key": key, "mask": mask, "length": length, "label": label, "ids": ids}.items():
            of_type(who, name, place, (int, str, type(None)), "a position in the batch or the name of an entry")
        if mask is not None and length is not None:
            raise ValueError(f"{who}(mask={mask!r}, length={length!r}): give one of them; a mask tells lengths too")
        self.key, self.mask, self.length, self.label, self.ids = key, mask, length, label, ids
        self.label_axis = check_axis(who, label_axis)
        if label is None and label_axis is not None:
            raise ValueError(f"{who}(label_axis={label_axis!r}): say where the labels are, too, as in label=1")
        self.seed, self.coords = _whole(who, "seed", seed), check.coordinates(who, coords)
        self.missing = check_missing(who, missing)
        # In memory that worker processes share: those that live on from epoch to epoch see what set_epoch says.
        self._epoch = torch.tensor(-1, device="cpu") if ids is not None else None

    @property
    def _who(self) -> str:
        return type(self).__name__

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, before the DataLoader is iterated. Needed with ``ids``; without them it does nothing.

        As with ``DistributedSampler.set_epoch``: an epoch that is not announced repeats the draws of the one before.

        Raises:
            TypeError: no whole number.
            ValueError: a negative one.
        """
        epoch = _whole(f"{self._who}.set_epoch", "epoch", epoch)
        if not 0 <= epoch < 1 << 63:
            raise ValueError(f"{self._who}.set_epoch(epoch={epoch}): epochs are counted from 0, got {epoch}")
        if self._epoch is not None:
            self._epoch.share_memory_().fill_(epoch)  # type: ignore[no-untyped-call]

    def forward(self, batch: Any) -> Any:
        """The augmented batch, of the same make as ``batch``."""
        where = None if is_skeletons(batch) else self._find(batch)
        skeletons = batch if where is None else self._entry(batch, where)
        draws = {} if self.ids is None else {"keys": self._keys(batch)}
        told_in = self.length if self.mask is None else self.mask  # where the batch tells who is observed, if it does
        told = None if told_in is None else self._entry(batch, told_in)
        named = None if self.label is None else self._entry(batch, self.label)
        label = None if self.label is None else self._numbers("label", named)
        if isinstance(skeletons, SkeletonBatch):
            views = self.policy(self._with_label(skeletons, label), **draws)
        else:
            x = to_layout(self._tensor(skeletons), self.layout, "NCTVM", contiguous=False, **self.sizes)
            check.scores(self._images, x)
            if label is not None:  # without an N the skeletons are one sample, and so is the label
                label = (label if "N" in self.layout else label[None]).to(x.device)
            views = self.policy(self._as_batch(x, told, label), **draws)
        changed: dict[Any, Any] = {where: each(views, lambda view: like(skeletons, self._back(skeletons, view)))}
        if told_in is not None:
            changed[told_in] = each(views, lambda view: like(told, self._tell(told, view)))
        if label is not None:
            one = "N" not in self.layout and not isinstance(skeletons, SkeletonBatch)
            changed[self.label] = each(views, lambda view: like_label(named, view.label[0] if one else view.label))
        return changed[where] if where is None else replaced(batch, changed)

    def _find(self, batch: Any) -> Any:
        """Where the skeletons are."""
        if self.key is not None:
            return self.key
        entries = self._entries(batch)
        alike = [k for k, v in entries if isinstance(v, SkeletonBatch) or (is_skeletons(v) and v.ndim == self._axes)]
        if len(alike) == 1:
            return alike[0]
        there = ", ".join(f"{k!r}: {about(v)}" for k, v in entries)
        raise ValueError(
            f"{self._who}: cannot tell which entry of the batch holds the skeletons, a floating-point array with the "
            f"{self._axes} axes of layout {self.layout!r}; name it, as in key=0 or key='keypoint'. The batch holds "
            f"{there or 'nothing'}"
        )

    def _entries(self, batch: Any) -> list[tuple[Any, Any]]:
        if isinstance(batch, Mapping):
            return list(batch.items())
        if isinstance(batch, list | tuple):
            return list(enumerate(batch))
        raise TypeError(
            f"{self._who}: a batch is a tensor, a SkeletonBatch, a tuple, a list or a dict of them, got {about(batch)}"
        )

    def _entry(self, batch: Any, key: Key) -> Any:
        entries = dict(self._entries(batch))
        if isinstance(key, int) and not isinstance(batch, Mapping) and key < 0:
            key += len(entries)
        if key not in entries:
            there = ", ".join(map(repr, entries)) or "none"
            raise ValueError(f"{self._who}: the batch has no entry {key!r}; it has {there}")
        return entries[key]

    def _tensor(self, skeletons: Any) -> Tensor:
        if isinstance(skeletons, np.ndarray):
            return from_numpy(f"{self._who}: the skeletons", skeletons)  # shares memory; the policy never writes to it
        if isinstance(skeletons, Tensor):
            return skeletons
        raise TypeError(f"{self._who}: the skeletons must be a tensor or an array, got {type(skeletons).__name__}")

    def _numbers(self, name: str, values: Any) -> Tensor:
        return numbers(self._who, name, getattr(self, name), values)

    def _as_batch(self, x: Tensor, told: Any, label: Tensor | None) -> Tensor | SkeletonBatch:
        """What the policy is called with: a batch, where it is told who is observed, has labels or needs a graph."""
        if self.length is not None:
            lengths = self._numbers("length", told).reshape(-1).to(x.device)
            return SkeletonBatch.from_lengths(x, lengths, label, self.label_axis, missing=self.missing)
        mask = None
        if self.mask is not None:
            sizes = {letter: size for letter, size in self.sizes.items() if letter != "C"}
            mask = to_layout(self._numbers("mask", told), self._mask_layout, "NTVM", contiguous=False, **sizes)
            mask = mask.to(x.device)
        elif label is None and self.missing == "nan" and not acts_on_graph(self.policy):
            return x
        return SkeletonBatch(x, mask, None, label, self.label_axis, missing=self.missing)

    def _with_label(self, skeletons: SkeletonBatch, label: Tensor | None) -> SkeletonBatch:
        """The user's own SkeletonBatch, and the labels that lie beside it."""
        if self.mask is not None or self.length is not None:
            raise ValueError(f"{self._who}: a SkeletonBatch has a mask of its own; leave out mask= and length=")
        if label is None:
            return skeletons
        if skeletons.label is not None:
            raise ValueError(f"{self._who}(label={self.label!r}): the SkeletonBatch has a label of its own")
        return skeletons.replace(label=label.to(skeletons.device), label_axis=self.label_axis)

    def _tell(self, told: Any, view: SkeletonBatch) -> Tensor:
        """The mask or the lengths of a view, in the form of those of the batch."""
        if self.mask is not None:
            return to_layout(view.mask, "NTVM", self._mask_layout, contiguous=True)
        told = self._numbers("length", told)
        frames = torch.arange(1, view.x.shape[2] + 1, device=view.device)
        return (view.presence.any(2) * frames).amax(1).to(told.dtype).reshape(told.shape)

    def _keys(self, batch: Any) -> Tensor:
        assert self.ids is not None
        assert self._epoch is not None
        epoch = int(self._epoch)
        if epoch < 0:
            raise ValueError(f"{self._who}(ids={self.ids!r}): call set_epoch(epoch) before each epoch")
        return keys(self.seed, epoch, self._numbers("ids", self._entry(batch, self.ids)).reshape(-1))

    def _back(self, skeletons: Any, view: Tensor | SkeletonBatch) -> Any:
        """A view in the layout of the skeletons; where they are a SkeletonBatch, and beside a graph, it stays one."""
        if isinstance(view, SkeletonBatch) and (isinstance(skeletons, SkeletonBatch) or acts_on_graph(self.policy)):
            return view if self.label is None else view.with_parts(label=None, label_axis=None)
        x = view.x if isinstance(view, SkeletonBatch) else view
        return to_layout(x, "NCTVM", self.layout, contiguous=True)

    def extra_repr(self) -> str:
        """What is not a submodule."""
        unset = ({"seed"} if self.ids is None else set()) | ({"missing"} if self.missing == "nan" else set())
        options = {name: getattr(self, name) for name in Options.__annotations__ if name not in unset}
        return ", ".join(f"{name}={value!r}" for name, value in options.items() if value not in (None, {}))


class Collate:
    """Collate samples and augment the batch: ``DataLoader(dataset, …, collate_fn=skelaug.Collate(policy))``.

    Samples are what the data set gives, such as a feeder's ``(data, label, index)`` or dicts, of arrays or tensors.
    They are collated in the default way, and the skeletons among them augmented. Shapes, keys and dtypes of the batch
    are those without it (where the policy keeps the number of frames); with a GrowingPolicy, the list of its views
    stands in place of the skeletons: ``for (weak, normal, strong), label, index in loader``.

    It runs where the DataLoader collates: in its workers, if there are any, each of which has a generator of its own:
    draws differ over workers, ranks and epochs, and repeat after ``torch.manual_seed``, whatever a data set or a
    ``worker_init_fn`` seeds. With ``ids`` they are keyed by (seed, epoch, id): the same for any number of workers and
    ranks, and after a resumption.

    The arguments are those of :class:`AugmentBatch`, and ``collate``, which makes the batch from the list of samples.
    Nothing in the policy may be learnable; ``layout`` names the axes of a sample or of the batch: ``"CTVM"`` and
    ``"NCTVM"`` say the same.

    Raises:
        ValueError: the policy has parameters: they would be trained in a worker, which is another process.

    Example:
        >>> import numpy as np, skelaug
        >>> from torch.utils.data import DataLoader
        >>> feeder = [(np.ones((3, 50, 25, 2), np.float32), i % 4, i) for i in range(8)]
        >>> collate = Collate(skelaug.transforms.Shear(0.5))
        >>> data, label, index = next(iter(DataLoader(feeder, batch_size=4, collate_fn=collate)))
        >>> data.shape, index
        (torch.Size([4, 3, 50, 25, 2]), tensor([0, 1, 2, 3]))
    """

    def __init__(
        self,
        policy: Policy,
        skeleton: Skeleton | str | None = None,
        *,
        collate: Callable[[list[Any]], Any] = default_collate,
        **options: Unpack[Options],
    ) -> None:
        layout = options.get("layout", "NCTVM")
        _count_axes("Collate", layout)
        of_type("Collate", "collate", collate, Callable, "a function of the list of samples")  # type: ignore[arg-type]
        options["layout"] = layout if "N" in layout else f"N{layout}"
        self.augment = AugmentBatch(policy, skeleton, **options)
        self.collate = collate
        mend = "wrap the model in skelaug.Augment"
        refuse_learnable("Collate", self.augment.policy, "a DataLoader cannot train", mend)

    def __call__(self, samples: list[Any]) -> Any:
        """The augmented batch of a list of samples."""
        if not isinstance(samples, list | tuple) or not samples:
            raise TypeError(f"Collate: give a list of samples, one at least, got {about(samples)}")
        try:
            batch = self.collate(samples)
        except (KeyError, RuntimeError, TypeError) as error:
            if self.collate is not default_collate:
                raise
            raise ValueError(
                f"Collate: the samples do not stack: {error}; pad them to one number of frames, or let a sample hold "
                f"skelaug.SkeletonBatch.from_list([clip]), which is padded here"
            ) from error
        with torch.no_grad():
            return self.augment(batch)

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`AugmentBatch.set_epoch`."""
        self.augment.set_epoch(epoch)

    def __repr__(self) -> str:
        return f"Collate({self.augment!r})"


class Augment(nn.Module):
    """A model that augments its input in training mode, on the input's device; in ``eval()`` it is the model alone.

    Further arguments go to the model untouched. The model's own weights are in ``augment.model.state_dict()``; the
    wrapper's are the same under ``model.``.

    Args:
        model: called with the augmented input; the other arguments are those of :class:`AugmentBatch`.
        policy: of one view.
        skeleton: see :class:`AugmentBatch`.
        **options: those of :class:`AugmentBatch`. ``key`` and the other places are for models that take a tuple or a
            dict. With ``ids``, call :meth:`set_epoch` before every epoch.

    Raises:
        TypeError: the policy has several views, or the model is no module.

    Example:
        >>> import skelaug
        >>> model = Augment(nn.Flatten(), skelaug.transforms.Shear(0.5))
        >>> x = torch.randn(4, 3, 50, 25, 2)
        >>> bool((model.train()(x) == x.flatten(1)).all()), bool((model.eval()(x) == x.flatten(1)).all())
        (False, True)
    """

    def __init__(
        self,
        model: nn.Module,
        policy: Policy,
        skeleton: Skeleton | str | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        of_type("Augment", "model", model, nn.Module, "a torch.nn.Module")
        self.augment = AugmentBatch(policy, skeleton, **options)
        if isinstance(self.augment.policy, GrowingPolicy):
            raise TypeError(
                f"Augment(model, policy): a model takes one view, this policy makes {len(self.augment.policy)}; give "
                f"one of them, such as policy[-1]"
            )
        self.model = model

    def forward(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """What the model makes of ``x``, augmented if in training mode."""
        return self.model(self.augment(x) if self.training else x, *args, **kwargs)

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`AugmentBatch.set_epoch`."""
        self.augment.set_epoch(epoch)


def _count_axes(who: str, layout: Any) -> int:
    """The number of axes of a layout, a bracket being one.

    Raises:
        TypeError: no string.
        ValueError: a string that :func:`skelaug.to_layout` cannot read.
    """
    of_type(who, "layout", layout, str, "a string such as 'NCTVM' or 'N T (M V C)'")
    try:
        return to_layout(torch.zeros(1, 1, 1, 1, 1, device="cpu"), "NCTVM", layout).ndim
    except ValueError as error:
        raise ValueError(f"{who}(layout={layout!r}): {error}") from error


def _whole(who: str, name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise TypeError(f"{who}({name}={value!r}): {name} must be a whole number, got {value!r}") from error
