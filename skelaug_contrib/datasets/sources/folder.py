"""A data set that is a folder of files, or whose joints are named by the user: what their readers share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar

import skelaug
from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.sources.files import Broken, find
from skelaug_contrib.datasets.sources.source import Unit

__all__ = ["Folder", "Named", "asset"]


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


@dataclass(frozen=True)
class Named:
    """A reader of files that do not say what their V joints are: ``joints`` is a skeleton, or a known one's name."""

    root: Path
    joints: str | Skeleton = "ntu25"

    @property
    def skeleton(self) -> Skeleton:
        """The one that was named."""
        return self.joints if isinstance(self.joints, Skeleton) else skelaug.skeletons[self.joints]

    def check_joints(self, joints: int) -> None:
        """Raise :class:`Broken` where a file has another number of them."""
        bones = self.skeleton
        if joints != len(bones):
            fitting = [name for name, known in skelaug.skeletons.items() if len(known) == joints]
            which = f": {', '.join(fitting)}" if fitting else " as a .json file"
            raise Broken(
                f"has {joints} joints, skeleton {bones.name!r} has {len(bones)}; name another one (--skeleton){which}"
            )
