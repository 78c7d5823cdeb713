"""What an encoder was pretrained on, and how far, so that no evaluation tests on clips of the pretraining unawares."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets import PreparedDataset, split
from skelaug_contrib.ranges import Checked, Range

__all__ = ["Pretrained", "describe"]

_FromZero = Annotated[int, Range(0)]


@dataclass(frozen=True)
class Pretrained(Checked):
    """What an encoder was pretrained on, and how far; its exported file holds it.

    Args:
        protocol: whose training part it was.
        validation_subjects: how many whole subjects of that part were held out.
        step: steps that were done when the encoder was exported.
        total: steps of the whole run.
        data: the clips in a line, see :func:`describe`.

    Raises:
        ValueError: an argument is off.

    Example:
        >>> Pretrained("xsub", 0, step=40, total=100, data="…").finished
        False
    """

    protocol: str
    validation_subjects: _FromZero
    step: _FromZero
    total: _FromZero
    data: str

    @property
    def finished(self) -> bool:
        """Whether all steps were done."""
        return self.step >= self.total

    @classmethod
    def of_checkpoint(cls, state: Mapping[str, Any]) -> Pretrained:
        """From the state that a run saves, for a run whose encoder's file does not say.

        Raises:
            KeyError, TypeError, ValueError: the state is not that of a run.
        """
        config, about = state["config"], state["data"]
        together = config["batch"] * config["devices"] * config["nodes"]
        steps = config["epochs"] * (int(about.split()[0]) // together)
        total = min(steps, config["max_steps"] or steps)
        return cls(config["data"]["protocol"], config["data"]["validation_subjects"], state["step"], total, about)

    def clips(self, dataset: PreparedDataset) -> Any:
        """Indices of the clips that were pretrained on, int64 ``(S,)``; None if this is another data set."""
        try:
            train = split(dataset, self.protocol, validation_subjects=self.validation_subjects or None)["train"]
        except ArrayError:  # no such protocol, or not so many subjects
            return None
        return train if describe(dataset, train) == self.data else None


def describe(dataset: PreparedDataset, train: Any) -> str:
    """Training clips in a line in which others are noticed: a checksum of names, lengths, labels and split is in it.

    Of the clips themselves the first and the last are read.

    Args:
        dataset: the clips.
        train: int64 ``(S,)``, which of them are trained on.
    """
    parts = [dataset.length, dataset.label, train, dataset.x[train[0]], dataset.x[train[-1]]]
    seen = b"".join(np.ascontiguousarray(part).tobytes() for part in parts) + "\n".join(dataset.names).encode()
    clips = f"{len(train)} training clips of {len(dataset)}"
    if dataset.missing:
        clips += f", {dataset.missing} joints not observed"
    return f"{clips}, skeleton {dataset.skeleton.name}, checksum {zlib.crc32(seen):08x}"
