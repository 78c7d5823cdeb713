"""Time and peak memory of HiCLR's loss, streamed against textbook: ``python -m benchmarks.loss``.

One step is forward and backward for three views, N = 128, D = 128, τ = 0.07, on two threads.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from benchmarks.timing import Times, race, ratio
from skelaug_contrib.losses import hierarchical_losses, textbook_losses

FORMS: dict[str, Callable[..., Any]] = {"streamed": hierarchical_losses, "textbook": textbook_losses}
LENGTHS = (32768, 262144, 1_000_000)
LONGEST_TEXTBOOK = 262144  # three views of a longer queue would need several gigabytes
BARS = {32768: 2.0, 262144: 5.0}


def steps(form: str, length: int, count: int = 1) -> Callable[[], None]:
    """So many training steps on a queue of that length."""
    generator = torch.Generator().manual_seed(0)
    views = [normalize(torch.randn(128, 128, generator=generator), dim=1).requires_grad_() for _ in range(3)]
    key = normalize(torch.randn(128, 128, generator=generator), dim=1)
    queue = torch.randn(length, 128, generator=generator)
    queue.div_(queue.norm(dim=1, keepdim=True))

    def run() -> None:
        for _ in range(count):
            info, consistency = FORMS[form](views, key, queue)
            (info + consistency.mean()).backward()

    return run


def take_turns(length: int, forms: list[str], rounds: int) -> dict[str, Times]:
    """Seconds a step. Short steps come five to a turn: the first still pays for pages that the other form freed."""
    count = 5 if length < 100_000 else 1
    times = race({form: steps(form, length, count) for form in forms}, rounds)
    return {form: Times(tuple(seconds / count for seconds in each.seconds)) for form, each in times.items()}


def resident() -> float:
    """The most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def peak_here(form: str, length: int) -> float:
    """MiB that a step needs beside its inputs. A short step first loads what any step needs of the libraries."""
    steps(form, 256)()
    run = steps(form, length)
    before = resident()
    run()
    return resident() - before


def peak(form: str, length: int) -> float:
    """:func:`peak_here` in a fresh process, whose memory no earlier step has raised."""
    command = [sys.executable, "-m", "benchmarks.loss", "--peak", form, str(length)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    parser.add_argument("--peak", nargs=2, metavar=("FORM", "K"), help="only print the peak memory of one step")
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.peak:
        print(peak_here(options.peak[0], int(options.peak[1])))
        return 0

    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        "forward + backward, 3 views, N = 128, D = 128, float32; medians, contestants in turn (quartiles in brackets)"
    )
    print("peak: resident memory beside the queue and the other inputs, each in a fresh process\n")
    # Before anything else: a process starts with the peak of the one that made it.
    forms = {length: [form for form in FORMS if form == "streamed" or length <= LONGEST_TEXTBOOK] for length in LENGTHS}
    peaks = {(form, length): peak(form, length) for length in LENGTHS for form in forms[length]}
    rows: list[dict[str, Any]] = []
    held = True
    for length in LENGTHS:
        times = take_turns(length, forms[length], 3 if options.quick else 9)
        for form in forms[length]:
            print(f"K = {length:9,}  {form}  {times[form]!s:36} peak {peaks[form, length]:9.1f} MiB")
            row = {"K": length, "form": form, "seconds": times[form].median, "peak_mib": peaks[form, length]}
            rows.append(row)
        if "textbook" in times:
            found = ratio(times, "textbook", "streamed")
            held &= found >= BARS[length]
            verdict = "ok" if found >= BARS[length] else "MISSED"
            print(f"K = {length:9,}  {verdict}: {found:.2f} times faster (≥ {BARS[length]:g})")
            rows[-2]["times_faster"] = found
    if options.json:
        options.json.write_text(
            json.dumps({"rows": rows, "torch": torch.__version__}, indent=2) + "\n", encoding="utf-8"
        )
    return int(options.strict and not held)


if __name__ == "__main__":
    sys.exit(main())
