"""How fast NTU RGB+D's files are read: beside a plain line-by-line reader, and beside the floor of text to float.

    python -m benchmarks.readers                    # 500 full-length files, made from procedural motion
    python -m benchmarks.readers --files 100 --processes 1
    python -m benchmarks.readers --real FOLDER      # recordings of one's own

The line-by-line reader is tests/contrib/sources/oracle_ntu.py. The floor is numpy.fromstring on the same bytes: all
their numbers as float64, with no thought for what they mean. The fast reader stays below it, since it turns only those
numbers to floats that it needs, many at a time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from contrib.sources.oracle_ntu import read_people
from contrib.sources.raw import motion, ntu_text

from skelaug_contrib.datasets.sources import Recording, Unit
from skelaug_contrib.datasets.sources.ntu import NTU120


def make(folder: Path, files: int, frames: int) -> None:
    """Files of ``frames`` frames, every third with two people; ten different ones, copied."""
    kinds = []
    for i in range(min(files, 10)):
        clip = motion("ntu25", 1, frames, 1 + (i % 3 == 0), seed=i)[0]
        bodies = {f"{72057594037931101 + m}": dict(enumerate(clip[..., m])) for m in range(clip.shape[-1])}
        kinds.append(ntu_text(bodies, frames, "\r\n"))
    for i in range(files):
        (folder / f"S001C001P001R{1 + i // 120:03}A{1 + i % 120:03}.skeleton").write_bytes(kinds[i % len(kinds)])


def floor(path: Path) -> int:
    return len(np.fromstring(path.read_bytes(), sep=" "))


def lines(path: Path) -> int:
    return read_people(path).size


def fast(source: NTU120, path: Path) -> int:
    (item,) = source.read(Unit(path))
    assert isinstance(item, Recording), str(item)
    return item.x.size


def seconds(work: Callable[[Path], int], paths: list[Path], processes: int, repeats: int) -> float:
    """The best of ``repeats``."""
    if processes == 1:
        return min(_timed(lambda: list(map(work, paths))) for _ in range(repeats))
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(work, paths[: 2 * processes]))  # imports and warm caches are not what is measured
        return min(_timed(lambda: list(pool.map(work, paths, chunksize=8))) for _ in range(repeats))


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--frames", type=int, default=100, help="a file; NTU's have 20 to 300, most about 100")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--real", type=Path, help="a folder of .skeleton files, read instead")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="readers-")) if options.real is None else options.real
    try:
        if options.real is None:
            make(folder, options.files, options.frames)
        paths = [unit.path for unit in NTU120(folder).units()]
        size = sum(path.stat().st_size for path in paths) / 1e6
        print(f"{len(paths)} files, {size:.0f} MB, best of {options.repeats}")
        for processes in options.processes:
            base = None
            for name, work in (
                ("line by line", lines),
                ("text to float", floor),
                ("skelaug", partial(fast, NTU120(folder))),
            ):
                took = seconds(work, paths, processes, options.repeats)
                base = base or took
                print(
                    f"{processes} processes  {name:14} {len(paths) / took:8.0f} files/s  "
                    f"{size / took:6.0f} MB/s  {base / took:5.1f} times"
                )
    finally:
        if options.real is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
