"""How fast a raw data set is read and prepared: ``python -m benchmarks.prepare TREE --source ntu60``.

``tools/ntu_tree.py`` makes trees to measure with. Three things are measured, each on its own with ``--only``:

- ``read``: files a second of the source's reader and of the whole engine on all cores; beside them the floor, which
  turns the same bytes into numbers and does nothing else, and, with ``--oracle file.py:function``, another reader of
  one file.
- ``whole``: the command end to end: files a second and the memory of its processes at their peak.
- ``killed``: the command killed when half of the shards are there and given again: the same bytes as without.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skelaug.commands.timing import race, ratio
from skelaug_contrib.datasets import prepare
from skelaug_contrib.datasets.sources import SOURCES, Fault, Source, Unit


def floor(units: Sequence[Unit]) -> int:
    """Text to float, the fastest way that NumPy has."""
    return sum(len(np.fromstring(unit.path.read_bytes(), sep=" ")) for unit in units)


def read(source: Source, units: Sequence[Unit]) -> int:
    """Recordings, in this process."""
    return sum(not isinstance(found, Fault) for unit in units for found in source.read(unit))


def measure_reading(
    source: Source, folder: Path, oracle: Callable[[Path], Any] | None, rounds: int, workers: int
) -> dict[str, Any]:
    """Files a second of everybody who reads the same files, in turns."""
    units = source.units()
    size = sum(unit.path.stat().st_size for unit in units)
    numbers = itertools.count()
    contestants: dict[str, Callable[[], Any]] = {
        "engine": lambda: prepare(source, folder / f"read{next(numbers)}", workers=workers),
        "reader": lambda: read(source, units),
        "floor": lambda: floor(units),
    }
    if oracle is not None:
        contestants["oracle"] = lambda: [oracle(unit.path) for unit in units]
    times = race(contestants, rounds)
    found: dict[str, Any] = {
        "files": len(units),
        "megabytes": size / 1e6,
        "workers": workers,
        "recordings": read(source, units),
    }
    for who, spent in times.items():
        found[who] = {"files_per_second": len(units) / spent.median, "megabytes_per_second": size / 1e6 / spent.median}
        if oracle is not None:
            found[who]["times_the_oracle"] = ratio(times, "oracle", who)
        print(f"{who:8} {len(units) / spent.median:8,.0f} files/s  {size / 1e6 / spent.median:7.1f} MB/s  {spent}")
    if oracle is not None:
        print(", ".join(f"{who} {found[who]['times_the_oracle']:.1f} ×" for who in times) + " the oracle")
    return found


def command(name: str, tree: Path, out: Path, workers: int) -> list[str]:
    return [sys.executable, "-m", "skelaug.cli", "prepare", name, str(tree), str(out), "--workers", str(workers)]


def family(pid: int) -> dict[int, int]:
    """Resident memory in bytes of a process and all that it started, by process."""
    found, parents = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    ours = {pid}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    for member in ours:
        try:
            found[member] = int(Path(f"/proc/{member}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def measure_whole(name: str, tree: Path, out: Path, workers: int) -> dict[str, Any]:
    """The command end to end, watched ten times a second."""
    start, peak, largest = time.perf_counter(), 0, 0
    process = subprocess.Popen(command(name, tree, out, workers), stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        used = family(process.pid)
        peak, largest = max(peak, sum(used.values())), max(largest, *used.values(), 0)
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    assert process.stdout is not None and process.returncode == 0, process.returncode
    said = process.stdout.read()
    report = json.loads((out / "report.json").read_text())
    written = sum(file.stat().st_size for file in out.iterdir())
    found = {
        "files": report["files"],
        "clips": report["clips"],
        "seconds": seconds,
        "files_per_second": report["files"] / seconds,
        "peak_megabytes_together": peak / 1e6,
        "peak_megabytes_of_one": largest / 1e6,
        "written_megabytes": written / 1e6,
        "workers": workers,
    }
    print(said.strip())
    print(
        f"whole: {found['files']} files in {seconds:.1f} s, {found['files_per_second']:,.0f} files/s; at most "
        f"{peak / 1e6:,.0f} MB in all processes, {largest / 1e6:,.0f} MB in one; {written / 1e6:,.0f} MB written"
    )
    return found


def content(folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.iterdir()):
        with file.open("rb") as stream:
            found[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def measure_killed(name: str, tree: Path, out: Path, other: Path, shards: int, workers: int) -> dict[str, Any]:
    """Killed in the middle and given again; ``other`` is what came out undisturbed."""
    partial = out.with_name(f"{out.name}.partial")
    process = subprocess.Popen(command(name, tree, out, workers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(partial.glob("[0-9]*.safetensors"))) < shards // 2:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it had ended before it could be killed; take more files"
    done = len(list(partial.glob("[0-9]*.safetensors")))
    assert not out.exists()
    start = time.perf_counter()
    subprocess.run(command(name, tree, out, workers), check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    same = content(out) == content(other)
    print(f"killed: with {done} of {shards} shards done; again {seconds:.1f} s; the same bytes: {same}")
    assert same
    return {"shards": shards, "shards_done_when_killed": done, "seconds_of_the_second_run": seconds, "same_bytes": same}


def _oracle(given: str | None) -> Callable[[Path], Any] | None:
    if given is None:
        return None
    path, _, name = given.rpartition(":")
    spec = importlib.util.spec_from_file_location("oracle", path)
    assert spec is not None and spec.loader is not None, f"--oracle {given}: give file.py:function"
    module = importlib.util.module_from_spec(spec)
    sys.modules["oracle"] = module
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--source", required=True, choices=list(SOURCES))
    parser.add_argument("--oracle", help="file.py:function, a reader of one file to compare with")
    parser.add_argument("--only", choices=("read", "whole", "killed"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write what was measured to this .json file")
    given = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=given.tree.resolve().parent) as place:
        folder, name = Path(place), given.source
        if given.only in (None, "read"):
            source = SOURCES[name](given.tree)
            results["read"] = measure_reading(source, folder, _oracle(given.oracle), given.rounds, given.workers)
            for made in folder.iterdir():
                shutil.rmtree(made)
        if given.only != "read":
            results["whole"] = measure_whole(name, given.tree, folder / "whole", given.workers)
        if given.only in (None, "killed"):
            from skelaug_contrib.datasets.shards import WorkFolder

            source = SOURCES[name](given.tree)
            shards = len(WorkFolder(folder / "counted", source, source.units(), discard=False).tasks)
            results["killed"] = measure_killed(
                name, given.tree, folder / "killed", folder / "whole", shards, given.workers
            )
    if given.out is not None:
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
