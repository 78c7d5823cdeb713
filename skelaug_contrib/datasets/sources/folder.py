"""A data set that is a folder of files: what its readers share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar

import skelaug
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.sources.files import find
from skelaug_contrib.datasets.sources.source import Unit

__all__ = ["Folder", "asset"]


def asset(name: str) -> str:
    """The text of a file that comes with the readers."""
    return resources.files(__package__).joinpath("assets", name).read_text("utf-8")


@dataclass(frozen=True)
class Folder:
    """A folder with a file a piece of work, however deep; a reader of such a set says the rest."""

    root: Path
    files: ClassVar[re.Pattern[str]]  # of their names
    example: ClassVar[str]  # of their names, for messages
    known: ClassVar[str]  # the skeleton's name in skelaug.skeletons
    classes: ClassVar[str]  # the asset with the classes' names, a line each

    @property
    def skeleton(self) -> Skeleton:
        """What the joints are."""
        return skelaug.skeletons[self.known]

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes, by label."""
        return tuple(asset(self.classes).splitlines())

    def units(self) -> Sequence[Unit]:
        """One a file."""
        return [Unit(path) for path in find(self.root, self.files, f"files such as {self.example}")]
