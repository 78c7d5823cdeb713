"""What every data set has in common once it is read: units of work, recordings, and faults instead of crashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from skelaug.skeleton import Skeleton

__all__ = ["Fault", "Recording", "Source", "Unit"]


class Unit(NamedTuple):
    """A piece of work for one process: a file, or the clips ``start … stop`` of a file that holds many."""

    path: Path
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """One clip as it was recorded.

    Attributes:
        name: unique in its data set, such as the file's stem; one file's clips are told apart by their first frame.
        x: float32 ``(C, T, V, M)``, T ≥ 1 valid frames, metres where the source has them; a person who is absent in a
            frame is all 0 in it, and a joint with a value that is not finite was not observed.
        label: class index, from 0.
        subject: who acts, or None where the source does not say.
        view: which camera, or None.
        episode: which repetition, or None.
        parts: by protocol, such as ``"xsub"``, the part that the clip belongs to: ``"train"`` or ``"test"``.
        notes: what was left out or mended on the way, such as ``"body 2: 7 frames, too short"``.
    """

    name: str
    x: npt.NDArray[np.float32]
    label: int
    subject: int | None = None
    view: int | None = None
    episode: int | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A file, or a clip of it, that could not be used. It is counted and reported; the run goes on.

    Attributes:
        where: the file, and the clip in it where it holds several.
        reason: what is wrong, and what was expected.
        line: of a text file, from 1, where the trouble is.
    """

    where: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.where}{'' if self.line is None else f':{self.line}'}: {self.reason}"


class Source(Protocol):
    """A public data set on disk. Implementations are small frozen dataclasses: they travel to worker processes."""

    @property
    def skeleton(self) -> Skeleton:
        """What the joints are."""

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes, by label."""

    def units(self) -> Sequence[Unit]:
        """The pieces of work, in a fixed order.

        Raises:
            ArrayError: there is nothing of this data set; the message says what was looked for.
        """

    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        """What is in it. Whatever the bytes are, only recordings and faults come out; nothing is raised."""
