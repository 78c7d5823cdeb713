"""A data set of small text files for the tests of the engine, and a source of it that can be made to go wrong.

A file ``a<label>_s<subject>_e<episode>_v<view>.clip`` holds a line a frame; a line of words makes the reader misbehave.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skelaug import Skeleton, skeletons
from skelaug.arrays import ArrayError
from skelaug_contrib.datasets import prepare
from skelaug_contrib.datasets.sources import Fault, Recording, Unit

SKELETON = Skeleton.from_edges([(0, 1), (1, 2), (1, 3), (0, 4)], name="five")
CLASSES = ("sit", "stand", "wave")
_NAME = re.compile(r"a(\d+)_s(\d+)_e(\d+)_v(\d+)")


@dataclass(frozen=True)
class Raw:
    """The source; ``log`` is a file that tells which process read what, ``pause`` the seconds that a file takes."""

    root: Path
    log: Path | None = None
    pause: float = 0.0

    @property
    def skeleton(self) -> Skeleton:
        return SKELETON

    @property
    def class_names(self) -> Sequence[str]:
        return CLASSES

    def units(self) -> list[Unit]:
        found = [Unit(path) for path in sorted(self.root.rglob("*.clip"))]
        if not found:
            raise ArrayError(f"{self.root}: has no .clip files")
        return found

    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        if self.log is not None:
            with self.log.open("a") as log:
                log.write(f"{os.getpid()} {unit.path.name}\n")
        time.sleep(self.pause)
        label, subject, episode, view = map(int, _NAME.fullmatch(unit.path.stem).groups())  # type: ignore[union-attr]
        frames = []
        for number, line in enumerate(unit.path.read_text().splitlines(), 1):
            match line.split():
                case ["raise"]:
                    raise RuntimeError("a bug of the reader")
                case ["die"]:
                    os.kill(os.getpid(), signal.SIGKILL)
                case ["die-once"] if not (unit.path.parent / "died").exists():
                    (unit.path.parent / "died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                case ["die-once"]:
                    pass
                case ["bad", *_]:
                    yield Fault(str(unit.path), f"{line!r} is no frame, after {len(frames)} frames", number)
                    return
                case numbers:
                    frames.append([float(value) for value in numbers])
        x = np.array(frames, np.float32).reshape(len(frames), -1, 5, 3).transpose(3, 0, 2, 1)
        notes = ("person 1 left out: 3 frames",) if view == 9 else ()
        train = {"xview": "train" if view == 1 else "test", "xsub": "train" if subject % 2 else "test"}
        yield Recording(unit.path.stem, x, label, subject, view, episode, train, notes)


class Long(Raw):
    """Every file is two people for 300 frames, made up: much data from short files."""

    @property
    def skeleton(self) -> Skeleton:
        return skeletons["ntu25"]

    def read(self, unit: Unit) -> Iterator[Recording | Fault]:
        seed = int.from_bytes(unit.path.name.encode())
        x = np.random.default_rng(seed).standard_normal((3, 300, 25, 2), np.float32)
        yield Recording(unit.path.name, x, 0)


def motion(seed: int, frames: int, persons: int = 1) -> np.ndarray:
    """Somebody who moves, ``(T, M, V, 3)``."""
    generator = np.random.default_rng(seed)
    body = generator.normal(size=(persons, 5, 3))
    return body + 0.02 * generator.normal(size=(frames, persons, 5, 3)).cumsum(0) + generator.normal(size=3)


def save(root: Path, name: str, x: np.ndarray) -> Path:
    """Write a file, and return its path."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"{name}.clip"
    path.write_text("".join(" ".join(f"{value:.6g}" for value in frame.ravel()) + "\n" for frame in x))
    return path


def tree(root: Path, files: int) -> Path:
    """So many good files of all classes, six subjects and two views, a few of them with two people."""
    for i in range(files):
        name = f"a{i % 3}_s{i // 3 % 6}_e{i // 36}_v{i // 18 % 2 + 1}"
        save(root / f"part{i % 4}", name, motion(i, 5 + i % 7, 2 if i % 10 == 3 else 1))
    return root


if __name__ == "__main__":  # a run that can be killed
    import sys

    root, out, log, workers, pause = sys.argv[1:]
    prepare(Raw(Path(root), Path(log), float(pause)), out, workers=int(workers))
