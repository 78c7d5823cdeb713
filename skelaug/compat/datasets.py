"""Hugging Face datasets: a column of clips, augmented when its rows are read, ``dataset.with_transform(…)``.

Needs nothing of that package, whose transforms are callables over a batch of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug.adapters import Policy, each, refuse_learnable
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type
from skelaug.feed import AugmentBatch
from skelaug.layout import to_layout
from skelaug.ndarray import from_numpy
from skelaug.policy import GrowingPolicy, acts_on_graph
from skelaug.skeleton import Skeleton

__all__ = ["AugmentColumn"]


class AugmentColumn:
    """Augment a column of a batch of rows; the other columns pass untouched.

    Clips come as nested lists (what ``with_transform`` hands over) or arrays and leave as float tensors: float32 from
    lists, else of the arrays' type. Clips of one length become one tensor; of several, a list of tensors, each as long
    as it was, unless the policy sets the number of frames. With a GrowingPolicy a row holds the list of its views.

    Rows that are read together are a batch: SkeleAdaIN's partner is among them. Draws come from torch's default
    generator, in a DataLoader's worker from one of the worker's own; see :class:`skelaug.Collate`.

    Args:
        policy: see :class:`skelaug.AugmentBatch`; one that acts on the graph does not fit into rows.
        skeleton: see :class:`skelaug.AugmentBatch`.
        column: name of the column.
        layout: axes of a clip, such as ``"TVC"`` for one person.
        sizes: see :class:`skelaug.AugmentBatch`.
        coords: see :class:`skelaug.AugmentBatch`.

    Raises:
        TypeError: the policy acts on the graph.
        ValueError: the policy has parameters, which nobody would train.

    Example:
        >>> augment = AugmentColumn("crossclr", "coco17", column="keypoint", layout="TVC")
        >>> rows = {"keypoint": torch.randn(2, 30, 17, 2).tolist(), "label": [3, 4]}
        >>> first, second = augment(rows)["keypoint"]
        >>> len(first), first[0].shape
        (1, torch.Size([30, 17, 2]))
    """

    def __init__(
        self,
        policy: Policy,
        skeleton: Skeleton | str | None = None,
        *,
        column: str = "keypoint",
        layout: str = "CTVM",
        sizes: Mapping[str, int] | None = None,
        coords: Any = None,
    ) -> None:
        self.column = of_type("AugmentColumn", "column", column, str, "the name of a column")
        # Rows are clips without an N, which comes first in the batch.
        of_type("AugmentColumn", "layout", layout, str, "a string such as 'CTVM'")
        self.layout = layout.replace("N", "")
        self.augment = AugmentBatch(policy, skeleton, layout=f"N{self.layout}", sizes=sizes, coords=coords)
        mend = "wrap the model in skelaug.Augment"
        refuse_learnable("AugmentColumn", self.augment.policy, "nobody trains in a data set", mend)
        if acts_on_graph(self.augment.policy):
            raise TypeError(
                "AugmentColumn(policy): the policy acts on the graph, which has no place in a row; augment the batch, "
                "by skelaug.Collate or skelaug.AugmentBatch"
            )

    def __call__(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """The rows with the column augmented; ``with_transform`` calls this."""
        if not isinstance(rows, Mapping):
            raise TypeError(f"AugmentColumn: a batch of rows is a dict of columns, got {type(rows).__name__}")
        if self.column not in rows:
            raise ValueError(f"AugmentColumn(column={self.column!r}): no such column; there are {', '.join(rows)}")
        if not isinstance(rows[self.column], Iterable):
            raise TypeError(f"AugmentColumn(column={self.column!r}): the column must be a list of clips")
        clips = [self._clip(clip) for clip in rows[self.column]]
        if not clips:
            return dict(rows)
        with torch.no_grad():
            if len({clip.shape for clip in clips}) == 1:
                views = self.augment(torch.stack(clips))
            else:
                sizes = self.augment.sizes
                clips = [to_layout(clip, self.layout, "CTVM", contiguous=False, **sizes) for clip in clips]
                lengths = [clip.shape[1] for clip in clips]
                views = each(self.augment(SkeletonBatch.from_list(clips)), lambda view: self._cut(view, lengths))
        several = isinstance(self.augment.policy, GrowingPolicy)
        return {**rows, self.column: [list(row) for row in zip(*views, strict=True)] if several else views}

    def _clip(self, clip: Any) -> Tensor:
        """A clip as a tensor, in the layout of the rows."""
        if isinstance(clip, Tensor):
            return clip
        who = f"AugmentColumn(column={self.column!r}): clips"
        try:
            array = np.asarray(clip, None if isinstance(clip, np.ndarray) else np.float32)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{who} must be arrays or nested lists of numbers {self.layout}: {error}") from error
        return from_numpy(who, array)

    def _cut(self, view: SkeletonBatch, lengths: list[int]) -> list[Tensor]:
        """The clips of a padded batch, each in its own length if the policy left lengths alone."""
        policy = self.augment.policy
        length = (policy[-1] if isinstance(policy, GrowingPolicy) else policy).length
        ends = lengths if length is None else [length] * len(lengths)
        clips = zip(view.x, ends, strict=True)
        return [to_layout(x[:, :end], "CTVM", self.layout, contiguous=True) for x, end in clips]
