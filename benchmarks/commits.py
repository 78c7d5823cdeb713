"""Time two commits in turns and print how the medians compare.

Each is checked out into a folder of its own and runs in one process. They take turns, so that a noisy machine is noisy
for both. What is timed is this checkout's benchmarks/snippet.py, which uses the public interface alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.snippet import LOOP, NORMAL
from skelaug.commands import positive
from skelaug_contrib.bench.measure import machine

_HERE = Path(__file__).parent


class CommitError(Exception):
    """A commit cannot be checked out, or what is timed does not run in it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("base", metavar="BASE", help="the commit to compare with, in any form that git knows")
    add("head", metavar="HEAD", nargs="?", default="HEAD", help="the other one; what is not committed is not measured")
    add("--batch", type=positive, default=128)
    add("--frames", type=positive, default=50)
    add("--queue", type=positive, default=32768, help="past keys that the loss compares with")
    add("--threads", type=positive, nargs="+", default=[1, 2], help="of torch; each is a table of its own")
    add("--rounds", type=positive, default=9, help="turns of each commit at each call")
    add("--seconds", type=float, default=0.05, help="that a turn lasts at least")
    add("--only", default="", help="only calls with this in their name")


class Process:
    """A commit's process, which times a call when it is asked to."""

    def __init__(self, name: str, root: Path, settings: dict[str, Any]) -> None:
        self.name = name
        given = json.dumps({**settings, "root": str(root), "reference": str(_HERE / "reference.py")})
        # As text (-c), so that neither this checkout's folder nor its packages are on the import path.
        command = [sys.executable, "-c", (_HERE / "snippet.py").read_text(encoding="utf-8"), given]
        environment = os.environ | {"PYTHONPATH": str(root)}
        self._process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self._answer()
        self.names: list[str] = first["names"]
        self.left_out: dict[str, str] = first["left_out"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CommitError(f"{self.name}: the timed code ended with {self._process.wait()}; its error stands above")
        return json.loads(line)

    def time(self, name: str, threads: int, seconds: float) -> float:
        """Seconds a call, the median of a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"name": name, "threads": threads, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def main(options: argparse.Namespace) -> int:
    """Compare, print, and return the exit code: 2 where a commit cannot be measured."""
    settings = {"batch": options.batch, "frames": options.frames, "queue": options.queue}
    try:
        with contextlib.ExitStack() as stack:
            processes = []
            for role, commit in (("base", options.base), ("head", options.head)):
                root, name = stack.enter_context(_checked_out(commit))
                processes.append(Process(f"{role} {name}", root, settings))
                stack.callback(processes[-1].close)
            print(", ".join(f"{key} {value}" for key, value in machine().items() if key != "threads"))
            print(f"{' against '.join(process.name for process in processes)}; {settings}")
            _compare(processes, options)
    except CommitError as error:
        print(f"benchmarks commits: {error}", file=sys.stderr)
        return 2
    return 0


def _compare(processes: Sequence[Process], options: argparse.Namespace) -> None:
    base, head = processes
    names = [name for name in base.names if name in head.names and options.only in name]
    for process, other in ((base, head), (head, base)):
        for name, reason in process.left_out.items():
            print(f"{process.name}: {name} is left out: {reason}")
        for name in [name for name in process.names if name not in other.names and name not in other.left_out]:
            print(f"{name} is in {process.name} alone")
    for threads in options.threads:
        width = max(len(name) for name in (*names, "threads"))
        print(f"\n{f'threads {threads}':{width}}  base ms  head ms  head/base  quartiles of the rounds")
        medians: dict[str, list[float]] = {}
        for name in names:
            for process in processes:
                process.time(name, threads, 0)  # the first call loads and allocates
            turns: list[list[float]] = [[], []]
            for turn in range(max(2, options.rounds)):
                order = (0, 1) if turn % 2 == 0 else (1, 0)
                for i in order:
                    turns[i].append(processes[i].time(name, threads, options.seconds))
            medians[name] = [statistics.median(seconds) for seconds in turns]
            before, after = medians[name]
            low, _, high = statistics.quantiles([b / a for a, b in zip(*turns, strict=True)], method="inclusive")
            cells = f"{before * 1e3:7.3g}  {after * 1e3:7.3g}  {after / before:9.3f}  {low:.2f} – {high:.2f}"
            print(f"{name:{width}}  {cells}", flush=True)
        if {LOOP, NORMAL} <= medians.keys():
            times = " and ".join(f"{medians[LOOP][i] / medians[NORMAL][i]:.1f}" for i in range(2))
            print(f"the {LOOP} takes {times} times as long as that commit's own")


@contextlib.contextmanager
def _checked_out(commit: str) -> Iterator[tuple[Path, str]]:
    """A folder with the commit's files, and its short name; the folder goes again."""
    name = _git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="skelaug-commit-") as folder:
        root = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(root), name)
        try:
            yield root, name
        finally:
            _git("worktree", "remove", "--force", str(root))


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_HERE, capture_output=True, text=True)
    if done.returncode:
        raise CommitError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
