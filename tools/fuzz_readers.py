"""Damage files byte by byte and read them: only recordings and faults may come out of a reader.

    python tools/fuzz_readers.py --inputs 1000000
    python tools/fuzz_readers.py --inputs 20000 --real ../shared/data   # real recordings too

Each source has small files of its own (tests/contrib/sources/raw.py). Each of them is changed again and again, in 1–8
places: a byte set to any value or to one that means something in text, a bit turned, bytes inserted, deleted, doubled,
moved, or all after a place cut off. What comes out is counted. What may not come out, such as an exception, or a
recording that breaks its promises, or takes more than --seconds, is kept in --keep, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from contrib.sources import raw  # noqa: E402

from skelaug.arrays import ArrayError  # noqa: E402
from skelaug_contrib.datasets.sources import Fault, Unit  # noqa: E402

MEANING = b"0123456789 \n\t\r.-+eE,:[]{}\"'naifNI\x00\x80\xff"


def change(good: bytes, rng: random.Random) -> bytes:
    """A damaged copy."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind <= 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind <= 4 and at < len(data):
            data[at] = rng.choice(MEANING)
        elif kind == 5:
            data[at:at] = bytes(rng.choice(MEANING) for _ in range(rng.randrange(1, 9)))
        elif kind == 6:
            del data[at : at + rng.randrange(1, 65)]
        elif kind == 7:
            size = rng.randrange(1, 129)
            to = rng.randrange(len(data) + 1)
            data[to:to] = data[at : at + size]
        elif kind == 8 and rng.random() < 0.2:
            del data[at:]
    return bytes(data)


class Target:
    """A file of a tree, and what reads it."""

    def __init__(self, name: str, folder: Path, file: Path) -> None:
        self.name, self.folder, self.file = name, folder, file
        self.good = file.read_bytes()
        opened = raw.source(name, folder)
        units = [unit for unit in opened.units() if unit.path == file]
        # A list or a label file is read on behalf of the others.
        self.beside = not units
        self.units = units or list(opened.units())

    def read(self, data: bytes) -> Counter[str]:
        """Raises whatever may not come out."""
        self.file.write_bytes(data)
        opened = raw.source(self.name, self.folder)
        found: Counter[str] = Counter()
        units: list[Unit] = self.units
        if self.name.startswith(("aimclr", "ctrgcn")):  # their files are looked at to make the units
            try:
                units = list(opened.units())
            except ArrayError:
                return Counter({"explained": 1})
        try:
            for unit in units:
                for item in opened.read(unit):
                    found["faults" if isinstance(raw.check(opened, item), Fault) else "recordings"] += 1
        except ArrayError:
            found["explained"] += 1  # the skeleton of a folder without a readable file
        return found


def targets(folder: Path, real: Path | None, only: list[str]) -> list[Target]:
    found = []
    for name, (make, files) in raw.TINY.items():
        if only and name.split(",")[0] not in only:
            continue
        for i, file in enumerate(files):
            tree = folder / f"{name}_{i}".replace(", ", "_")
            tree.mkdir()
            make(tree)
            found.append(Target(name, tree, tree / file))
    if real is not None:
        for name, pattern in (("ntu60", "ntu_raw/*.skeleton"), ("nwucla", "nw_ucla_json/*.json")):
            for file in sorted(real.glob(pattern))[:4] if not only or name in only else []:
                tree = folder / f"real_{file.stem}"
                tree.mkdir()
                (tree / file.name).write_bytes(file.read_bytes())
                found.append(Target(name, tree, tree / file.name))
    return found


def fuzz(target: Target, inputs: int, seed: str, seconds: float, keep: Path, say: Callable[[str], None]) -> int:
    """The number of inputs that were not survived."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    failures = 0
    slowest = 0.0
    start = time.perf_counter()
    for i in range(inputs):
        data = change(target.good, rng)
        begun = time.process_time()  # whoever stops this job for a while is no failure
        try:
            found += target.read(data)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        else:
            took = time.process_time() - begun
            slowest = max(slowest, took)
            problem = f"took {took:.1f} s" if took > seconds else ""
        if problem:
            failures += 1
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{target.folder.name}_{i}_{target.file.name}").write_bytes(data)
            say(f"  {target.name} {target.file.name} input {i}: {problem[:300]}")
    say(
        f"{target.folder.name:20} {target.file.name:32} {inputs:8} inputs  {found['recordings']:8} recordings  "
        f"{found['faults']:8} faults  {failures} failures  slowest {1000 * slowest:.0f} ms  "
        f"{time.perf_counter() - start:.0f} s"
    )
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--inputs", type=int, default=20_000, help="damaged files in all, over all sources (20000)")
    add("--seed", default="0")
    add("--source", action="append", default=[], help="only this source; may be said several times")
    add("--real", type=Path, help="a folder with ntu_raw and nw_ucla_json: real recordings, to be damaged too")
    add("--seconds", type=float, default=10, help="an input that takes longer is a failure (10)")
    add("--keep", type=Path, default=Path("fuzz_failures"), help="where inputs that were not survived are kept")
    options = parser.parse_args()
    warnings.simplefilter("error")  # a reader that warns has not thought of something
    failures = 0
    folder = Path(tempfile.mkdtemp(prefix="fuzz_readers-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        chosen = targets(folder, options.real, options.source)
        share = -(-options.inputs // len(chosen))
        for target in chosen:
            failures += fuzz(target, share, f"{options.seed}/{target.folder.name}", options.seconds, options.keep, say)
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"{share * len(chosen)} inputs, {failures} not survived, peak memory {peak:.0f} MiB")
    return 1 if failures else 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
