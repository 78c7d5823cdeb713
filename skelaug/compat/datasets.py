"""Hugging Face datasets: a column of clips, augmented when its rows are read, ``dataset.with_transform(…)``.

Needs nothing of that package, whose transforms are callables over a batch of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug.batch import SkeletonBatch
from skelaug.layout import to_layout
from skelaug.feed import AugmentBatch, Policy, refuse_learnable
from skelaug.ndarray import from_numpy
from skelaug.policy import GrowingPolicy
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
    ) -> None:
        self.column = column
        self.layout = layout.replace("N", "")
        self.sizes = dict(sizes or {})
        self.augment = AugmentBatch(policy, skeleton)
        refuse_learnable(
            "AugmentColumn", self.augment, "nobody trains in a data set", "wrap the model in skelaug.Augment"
        )
        if self.augment.policy.on_graph:
            raise TypeError(
                "AugmentColumn(policy): the policy acts on the graph, which has no place in a row; augment the batch, "
                "by skelaug.Collate or skelaug.AugmentBatch"
            )

    def __call__(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """The rows with the column augmented; ``with_transform`` calls this."""
        if self.column not in rows:
            raise ValueError(f"AugmentColumn(column={self.column!r}): no such column; there are {', '.join(rows)}")
        clips = [self._clip(clip) for clip in rows[self.column]]
        if not clips:
            return dict(rows)
        ragged = len({clip.shape[1] for clip in clips}) > 1
        with torch.no_grad():
            made = self.augment(SkeletonBatch.from_list(clips) if ragged else torch.stack(clips))
        several = isinstance(made, list)
        views = [self._cut(view, clips) if ragged else self._leave(view) for view in (made if several else [made])]
        return {**rows, self.column: [list(row) for row in zip(*views, strict=True)] if several else views[0]}

    def _clip(self, clip: Any) -> Tensor:
        """``(C, T, V, M)`` of a clip."""
        if not isinstance(clip, Tensor):
            array = np.asarray(clip, None if isinstance(clip, np.ndarray) else np.float32)
            clip = from_numpy(f"AugmentColumn(column={self.column!r}): clips", array)
        return to_layout(clip, self.layout, "CTVM", contiguous=False, **self.sizes)

    def _leave(self, x: Tensor) -> Tensor:
        return to_layout(x, "NCTVM", f"N{self.layout}", contiguous=True)

    def _cut(self, view: SkeletonBatch, clips: list[Tensor]) -> list[Tensor]:
        """The clips of a padded batch, each in its own length if the policy left lengths alone."""
        policy = self.augment.policy
        length = (policy[-1] if isinstance(policy, GrowingPolicy) else policy).length
        ends = [clip.shape[1] if length is None else length for clip in clips]
        return [self._leave(x[None, :, :end])[0] for x, end in zip(view.x, ends, strict=True)]
