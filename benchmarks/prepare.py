"""How fast a raw data set is read and prepared: ``python -m benchmarks.prepare TREE --source ntu60``.

``tools/ntu_tree.py`` makes trees to measure with. Raced are: the source's reader in one process; the whole engine on
all cores; the floor, which turns the same bytes into numbers and does nothing else; with ``--oracle file.py:function``
another reader of one file; and the command ``skelaug prepare``, of whose processes the largest is named too.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skelaug_contrib.bench.measure import machine, race
from skelaug_contrib.datasets import prepare
from skelaug_contrib.datasets.sources import SOURCES, Fault, Source, Unit


def floor(units: Sequence[Unit]) -> int:
    """Text to float, the fastest way that NumPy has."""
    return sum(len(np.fromstring(unit.path.read_bytes(), sep=" ")) for unit in units)


def read(source: Source, units: Sequence[Unit]) -> int:
    """Recordings, in this process."""
    return sum(not isinstance(recording, Fault) for unit in units for recording in source.read(unit))


def measure(name: str, tree: Path, folder: Path, oracle: Callable[[Path], Any] | None, **how: int) -> dict[str, Any]:
    """Files and megabytes a second of everybody who reads the same files, in turns."""
    source, workers = SOURCES[name](tree), how["workers"]
    units = source.units()
    megabytes = sum(unit.path.stat().st_size for unit in units) / 1e6
    numbers = itertools.count()
    command = [sys.executable, "-m", "skelaug.cli", "prepare", name, str(tree)]

    def whole() -> None:
        out = str(folder / f"command{next(numbers)}")
        subprocess.run([*command, out, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)

    contestants: dict[str, Callable[[], Any]] = {
        "command": whole,
        "engine": lambda: prepare(source, folder / f"engine{next(numbers)}", workers=workers),
        "reader": lambda: read(source, units),
        "floor": lambda: floor(units),
    }
    if oracle is not None:
        contestants["oracle"] = lambda: [oracle(unit.path) for unit in units]
    results: dict[str, Any] = {"machine": machine(), "files": len(units), "megabytes": megabytes, **how}
    for who, seconds in race(contestants, how["rounds"]).items():
        median = statistics.median(seconds)
        results[who] = {"files_per_second": len(units) / median, "megabytes_per_second": megabytes / median}
        print(f"{who:8} {len(units) / median:8,.0f} files/s  {megabytes / median:7.1f} MB/s  {median:.2f} s")
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # bytes on a Mac, kibibytes elsewhere
    results["largest_process_megabytes"] = kib / 1e6 if sys.platform == "darwin" else kib * 1024 / 1e6
    print(f"the largest process took {results['largest_process_megabytes']:,.0f} MB at its peak")
    return results


def _oracle(asked: str | None) -> Callable[[Path], Any] | None:
    if asked is None:
        return None
    path, _, name = asked.rpartition(":")
    spec = importlib.util.spec_from_file_location("oracle", path)
    assert spec is not None and spec.loader is not None, f"--oracle {asked}: give file.py:function"
    module = importlib.util.module_from_spec(spec)
    sys.modules["oracle"] = module
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--source", required=True, choices=list(SOURCES))
    parser.add_argument("--oracle", help="file.py:function, a reader of one file to compare with")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write what was measured to this .json file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.tree.resolve().parent) as folder:
        how = {"workers": options.workers, "rounds": options.rounds}
        results = measure(options.source, options.tree, Path(folder), _oracle(options.oracle), **how)
    if options.out is not None:
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
