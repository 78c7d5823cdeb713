"""Train the whole encoder on labels: all of them (fine-tuning) or few (semi-supervised learning)."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import skelaug
from skelaug import SkeletonBatch, check
from skelaug.transform import Transform
from skelaug.transforms import PersonDrop, PersonSwap
from skelaug_contrib import arguments
from skelaug_contrib.datasets import EpochBatches, PreparedDataset, loader
from skelaug_contrib.evaluate.features import check_clips, embed, whole_numbers
from skelaug_contrib.evaluate.schedule import FINETUNE, Fit, Schedule, fit
from skelaug_contrib.evaluate.scores import accuracy, check_labels

__all__ = ["Classifier", "finetune", "labelled"]


class Classifier(nn.Module):
    """An encoder and a linear layer; gives logits ``(N, classes)``.

    Args:
        encoder: ``encoder(batch, people) -> (N, width)``.
        width: of the encoder's features; ``None`` asks ``encoder.width``.
        classes: how many there are.

    Example:
        >>> from skelaug_contrib.evaluate import Coordinates
        >>> Classifier(Coordinates(), classes=4, width=75)(torch.randn(2, 3, 1, 25, 1)).shape
        torch.Size([2, 4])
    """

    def __init__(self, encoder: nn.Module, classes: int, width: int | None = None) -> None:
        super().__init__()
        self.encoder = arguments.instance("Classifier", "encoder", encoder, nn.Module, "a torch.nn.Module")
        wide = getattr(encoder, "width", None) if width is None else width
        self.head = nn.Linear(check.count("Classifier", "width", wide), check.count("Classifier", "classes", classes))

    def forward(self, batch: Tensor | SkeletonBatch, people: Tensor | None = None) -> Tensor:
        """Logits ``(N, classes)``."""
        return self.head(self.encoder(batch, people))  # type: ignore[no-any-return]


def finetune(
    encoder: nn.Module,
    dataset: PreparedDataset,
    train: Any,
    prepare: Transform,
    *,
    classes: int,
    validation: Any = None,
    prepare_train: Transform | None = None,
    schedule: Schedule = FINETUNE["stgcn"],
    dropout: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Fit[Classifier]:
    """Train a copy of an encoder, with a fresh linear layer on top, on labelled clips.

    Args:
        encoder: pretrained or not; it is left as it is.
        dataset: the clips and their labels.
        train: int ``(S,)``, indices of the training clips.
        prepare: centres, resizes and so on, see :func:`skelaug_contrib.datasets.preparation`.
        classes: how many there are.
        validation: indices of the clips on which the epoch is chosen; ``None`` or none takes the last epoch. Never give
            the test set.
        prepare_train: what training clips go through instead of ``prepare``: the same with augmentation. ``None``
            augments nothing, as the paper.
        schedule: of the training; the default is the paper's for ST-GCN.
        dropout: probability in all dropout layers; ``None`` keeps the encoder's. The paper takes 0 with DSTA.
        seed: of the linear layer, dropout, augmentation and the order of the clips. The global generator is left as
            it was.
        device: where to work.
        workers: of the data loader.

    Returns:
        The classifier, in eval mode; ``embed(fit.model, dataset, indices, prepare)`` are its logits.

    Raises:
        TypeError: an argument is of another type.
        ValueError: indices or labels are off, or the training diverged.

    Source: fine-tuning of HiCLR (AAAI 2023), the schedule of its released code.
    """
    check_clips("finetune", dataset, train, prepare, encoder=encoder)
    check.count("finetune", "seed", seed, low=0)
    arguments.instance("finetune", "schedule", schedule, Schedule, "a Schedule, such as FINETUNE['stgcn']")
    if dropout is not None:
        check.number("finetune", "dropout", dropout, low=0, high=1)
    labels = torch.as_tensor(np.asarray(dataset.label))
    check_labels("finetune", "train", labels[torch.as_tensor(train)], len(train), classes)
    ready = prepare if prepare_train is None else prepare_train
    slots_move = any(isinstance(module, PersonDrop | PersonSwap) for module in ready.modules())
    where = torch.device(device)
    with torch.random.fork_rng(devices=[] if where.type == "cpu" else [where], device_type=where.type):
        torch.manual_seed(seed)
        model = Classifier(copy.deepcopy(encoder).requires_grad_(True), classes).to(where)
        for module in model.modules():
            if dropout is not None and isinstance(module, nn.Dropout):
                module.p = dropout
        # A last, smaller batch would give poor batch statistics; it is dropped where there is a full one.
        sampler = EpochBatches(train, schedule.batch, seed, drop_last=len(train) >= schedule.batch)
        batches = loader(dataset, sampler, workers)
        progress = tqdm(total=schedule.epochs, desc=f"seed {seed}", unit=" epochs", disable=None, file=sys.stderr)

        def losses(epoch: int) -> Iterator[Tensor]:
            sampler.set_position(epoch, 0)
            model.train()
            for clips in batches:
                batch = ready(clips.batch.to(where), keys=skelaug.random.keys(seed, epoch, clips.ids.to(where)))
                yield cross_entropy(model(batch, None if slots_move else clips.people.to(where)), batch.label)
            progress.update()

        def score() -> float:
            logits = embed(model, dataset, validation, prepare, device=where)
            return accuracy(logits.argmax(1).cpu(), labels[torch.as_tensor(validation)])

        held_out = validation is not None and len(validation)
        with progress:
            return fit("finetune", model, schedule, losses, score if held_out else None)


def labelled(labels: Any, indices: Any, share: float, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Choose the labelled part of a training set: round(share · n) clips of each class of n, at least one.

    Args:
        labels: int ``(S,)``, of the whole data set.
        indices: int ``(n,)``, the training clips.
        share: of each class, in (0, 1]: 0.01 and 0.1 in the paper.
        seed: of the choice.

    Returns:
        int64, the chosen indices in ascending order.

    Raises:
        ValueError: the share is off or there is no clip.

    Source: HiCLR (AAAI 2023), semi-supervised evaluation.

    Example:
        >>> labels = torch.tensor([0] * 100 + [1] * 30)
        >>> chosen = labelled(labels, torch.arange(130), share=0.1)
        >>> len(chosen), int((labels[chosen] == 1).sum())
        (13, 3)
    """
    check.number("labelled", "share", share, low=1e-9, high=1)
    check.count("labelled", "seed", seed, low=0)
    every = torch.from_numpy(whole_numbers("labelled", "labels", labels))
    clips = torch.from_numpy(whole_numbers("labelled", "indices", indices, len(every)))
    classes = every[clips]
    check_labels("labelled", "labels", classes, len(clips))
    shuffled = torch.randperm(len(clips), generator=torch.Generator().manual_seed(seed))
    chosen = []
    for label in torch.unique(classes):
        own = shuffled[classes[shuffled] == label]
        chosen.append(own[: max(1, round(share * len(own)))])
    return np.sort(clips[torch.cat(chosen)].numpy())
