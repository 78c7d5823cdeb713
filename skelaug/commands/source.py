"""What commands that make views are told about sequences and policies, and how they read them."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import skelaug
from skelaug import check, config
from skelaug.arrays import ArrayError, SequenceFile, StoredArray, refuse_pointer
from skelaug.commands import MISSING, Refused, coords, find_skeleton, missing_joints
from skelaug.missing import Missing
from skelaug.policy import Compose, GrowingPolicy
from skelaug.skeleton import AXES, Skeleton, skeletons
from skelaug.transform import Transform
from skelaug.transforms import Center

__all__ = ["Source", "add_arguments", "find_policy"]


def add_arguments(parser: ArgumentParser, **input: Any) -> None:
    """What can be said of the sequences and of the policy; ``input`` is said of the first argument."""
    add = parser.add_argument
    what = 'a .npy or .npz file of floating-point sequences; a .npz may hold lengths as "length"'
    ending = input.pop("help", "")
    add("input", type=Path, help=f"{what}; or a folder that skelaug prepare wrote{ending}", **input)
    known = "name of a known skeleton, or a .json file as Skeleton.to_dict writes it"
    add("--skeleton", help=f"{known}; a prepared folder knows its own")
    add("--policy", default="hiclr", help="a preset, ours or an installed package's, or a .yaml file of skelaug.config")
    add("--strong", help="the strong stage of hiclr: mask, edges, adain or all")
    add("--stream", help="what the views show: joint, bone, motion or bone_motion")
    channels = (
        "number of leading channels that are coordinates, such as 2 for x, y, score; or channel numbers, as in 0,1"
    )
    add("--coords", type=coords, help=f"{channels}; all if left out. The others are moved along, and no more")
    add("--seed", type=int, default=0, help="of the draws")
    axes = "N sample, C coordinate, T frame, V joint, M person; flattened ones in brackets, as in 'N T (M V C)'"
    add("--layout", default="NCTVM", help=f"axes of the array: {axes}")
    add("--array", help="name of the array in a .npz file; may be left out where only one can be meant")
    add("--center", action="store_true", help="first put the centre joint of each sequence's first frame at the origin")
    add("--sizes", type=_sizes, default={}, help="sizes of flattened axes: M=2,C=3")
    add("--missing", type=missing_joints, default="nan", metavar="HOW", help=MISSING)
    add(
        "--up",
        choices=AXES,
        help="the axis that points up in the picture, such as z or, with =, -y; the skeleton's if left out",
    )


def _sizes(text: str) -> dict[str, int]:
    found = dict(re.findall(r"([NCTVM])=(\d+)", text))
    if ",".join(f"{letter}={size}" for letter, size in found.items()) != text.replace(" ", ""):
        raise ArgumentTypeError(f"must look like M=2,C=3, got {text!r}")
    return {letter: int(size) for letter, size in found.items()}


@dataclass(frozen=True)
class Source:
    """Sequences as the options describe them, checked; nothing but headers was read.

    Attributes:
        file: the array.
        skeleton: of the data.
        coords: what was said of coordinates, for the policy.
        channels: the channels that are coordinates.
        prepare: what is done to sequences before views are made of them.
        missing: how the data say that a joint was not observed.
        names: of the sequences, where a prepared folder knows them.
    """

    file: SequenceFile
    skeleton: Skeleton
    coords: int | tuple[int, ...] | None
    channels: tuple[int, ...]
    prepare: Transform
    missing: Missing
    names: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        input: Path,
        skeleton: str | None,
        coords: int | tuple[int, ...] | None,
        layout: str,
        array: str | None,
        sizes: dict[str, int],
        missing: Missing,
        center: bool,
    ) -> Source:
        """Look at the file or prepared folder and check what was said of it.

        Raises:
            ArrayError: it cannot be read as said.
            Refused: nothing tells the skeleton.
        """
        prepared = input.is_dir()
        if skeleton is None and not prepared:
            raise Refused(
                f"--skeleton is needed: a file of numbers does not say what its joints are; {', '.join(skeletons)}"
            )
        file = _open_prepared(input) if prepared else SequenceFile.open(input, layout, array, sizes)
        told, names = _about_prepared(input) if prepared else (None, ())
        bones = told[0] if told and skeleton is None else find_skeleton(str(skeleton))
        if told and coords is None:
            coords = told[1]
        channels = _check_shape(file, bones, coords)
        prepare = Center(bones, per="clip", coords=channels) if center else Compose([])
        return cls(file, bones, coords, channels, prepare, missing, names)

    def describe(self) -> str:
        """What was found, in a line."""
        c, t, v, m = self.file.shape
        lengths = "lengths from the file" if self.file.lengths is not None else "people absent where all joints are 0"
        others = f" and {c - len(self.channels)} other channels" if len(self.channels) < c else ""
        counts = f"{self.file.count} sequences, {len(self.channels)} coordinates{others}, {t} frames, {v} joints"
        return f"{counts}, {m} persons; {lengths}"

    def warn(self) -> None:
        """Warn where a third channel that nobody called a score is taken for a coordinate of an image."""
        if self.coords is None and self.skeleton.planar and self.file.shape[0] == 3:
            check.warn_of_scores(self.skeleton.name)


def _open_prepared(folder: Path) -> SequenceFile:
    """The sequences of a folder that ``skelaug prepare`` wrote, with their lengths."""
    if not (folder / "dataset.json").is_file():
        raise ArrayError(
            f"{folder}: a folder, but none that skelaug prepare wrote; give a .npy or .npz file, or such one"
        )
    lengths = StoredArray.open(folder / "length.npy").load()
    return replace(SequenceFile.open(folder / "x.npy"), lengths=lengths)


def _about_prepared(folder: Path) -> tuple[tuple[Skeleton, tuple[int, ...] | None], tuple[str, ...]]:
    """The skeleton of a folder that ``skelaug prepare`` wrote, its coordinate channels, and the names of its clips."""
    about = folder / "dataset.json"
    refuse_pointer(about)
    try:
        found = json.loads(about.read_text(encoding="utf-8"))
        told = Skeleton.from_dict(found["skeleton"]), check.coordinates("views", found.get("coords"))
        return told, tuple(map(str, found.get("names", ())))
    except (ValueError, TypeError, KeyError) as error:
        raise ArrayError(f"{about}: has no skeleton ({error}); prepare the data anew") from error


def find_policy(
    given: str, skeleton: Skeleton, strong: str | None, stream: str | None, coords: int | tuple[int, ...] | None
) -> GrowingPolicy | Transform:
    """What ``--policy``, ``--strong`` and ``--stream`` name."""
    options = {name: value for name, value in (("strong", strong), ("stream", stream)) if value is not None}
    try:
        if Path(given).suffix not in (".yaml", ".yml"):
            return config.resolve({"preset": given, **options}, skeleton, coords)  # type: ignore[no-any-return]
        if options:
            raise Refused(f"--{next(iter(options))} is for presets; write it into {given} instead")
        return config.resolve(Path(given), skeleton, coords)  # type: ignore[no-any-return]
    except (ValueError, TypeError) as error:
        raise Refused(f"--policy {given}: {error}") from error


def _check_shape(source: SequenceFile, skeleton: Skeleton, coords: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The coordinate channels of a file whose joints are the skeleton's."""
    c, _, v, _ = source.shape
    if v != len(skeleton):
        fitting = [name for name, known in skelaug.skeletons.items() if len(known) == v]
        hint = f"; skeletons with {v} joints: {', '.join(fitting)}" if fitting else ""
        raise ArrayError(
            f"{source.path}: layout {source.layout!r} gives {v} joints, skeleton {skeleton.name!r} has "
            f"{len(skeleton)}{hint}"
        )
    channels = check.coordinates("views", coords) or tuple(range(c))
    if max(channels) >= c or len(channels) not in (2, 3):
        of = "" if coords is None else f" of {c} channels"
        gives = f"layout {source.layout!r} gives {len(channels)} coordinates{of}"
        raise ArrayError(f"{source.path}: {gives}, expected 2 or 3; check --layout and --coords")
    return channels
