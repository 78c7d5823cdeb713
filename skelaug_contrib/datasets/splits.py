"""The parts of a protocol, with whole subjects of its training part held out for validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from skelaug.arrays import ArrayError
from skelaug.random import keys
from skelaug_contrib.datasets.checks import Ints
from skelaug_contrib.datasets.format import PreparedDataset

__all__ = ["ALL", "split"]

#: The protocol of a data set without protocols.
ALL = "all"


def split(
    dataset: PreparedDataset, protocol: str, *, validation_subjects: int | Sequence[int] | None = None
) -> dict[str, Ints]:
    """The clip indices of a protocol, with whole subjects of the training part held out for validation.

    A held-out subject's clips, of all cameras and episodes, leave the training part, and those are the validation
    part: under a cross-view protocol, its clips from the training views. The test part stays as it is.

    A data set without protocols has one that is called ``"all"``: every clip trains, and none tests.

    Args:
        dataset: opened.
        protocol: such as ``"xview"``.
        validation_subjects: how many, or which. A number n takes the first n of a fixed permutation of the training
            part's subjects (sorted by ``skelaug.random.keys(0, 0, subject)``): the same ones in every run, and those
            of n among those of n + 1. None or 0 holds nobody out.

    Returns:
        Sorted int64 indices by part: ``train``, ``test``, ``validation`` if there is one, and the protocol's other
        parts, such as ``test_clean``.

    Raises:
        ArrayError: no such protocol, no subjects in the data, a subject that the training part lacks, or nobody would
            be left to train on.
    """
    protocols = dataset.splits or {ALL: {"train": np.arange(len(dataset))}}
    if protocol not in protocols:
        known = ", ".join(dataset.splits) or f"none, so {ALL!r} alone can be named: every clip trains, none tests"
        raise ArrayError(f"{dataset.path}: has no protocol {protocol!r}; its protocols: {known}")
    parts = dict(protocols[protocol])
    if validation_subjects is None or (isinstance(validation_subjects, int) and validation_subjects == 0):
        return parts
    who = f"split(…, {protocol!r}, validation_subjects={validation_subjects!r})"
    if dataset.subject is None:
        raise ArrayError(f"{who}: {dataset.path} does not say who acts (no subject.npy), so nobody can be held out")
    train = parts["train"]
    there = np.unique(dataset.subject[train])
    held = _held_out(who, there, validation_subjects)
    out = np.isin(dataset.subject[train], held)
    return {"train": train[~out], "validation": train[out]} | {k: v for k, v in parts.items() if k != "train"}


def _held_out(who: str, there: Ints, wanted: int | Sequence[int]) -> Ints:
    listed = ", ".join(map(str, there))
    if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0:
        order: Ints = keys(0, 0, torch.from_numpy(there)).argsort().numpy()
        held = there[order[:wanted]]
    elif isinstance(wanted, list | tuple):
        lost = [subject for subject in wanted if subject not in there.tolist()]
        if lost:
            raise ArrayError(f"{who}: the training part has no subject {lost[0]!r}; its subjects: {listed}")
        held = np.unique(np.asarray(wanted, np.int64))
    else:
        raise ArrayError(f"{who}: validation_subjects must be a number of subjects ≥ 0 or a list of subjects")
    if not 0 < len(held) < len(there):
        raise ArrayError(
            f"{who}: the training part has {len(there)} subjects ({listed}); hold out at least 1 and at most "
            f"{len(there) - 1}"
        )
    return held
