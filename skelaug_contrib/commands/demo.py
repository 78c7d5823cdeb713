"""Make HiCLR's views of real motion capture, draw them, then pretrain a small encoder with them.

Prints what each view does and costs, and what the encoder has learned: a demonstration, not a benchmark.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path

import torch

from skelaug.commands import demo, whole
from skelaug_contrib.demo import demonstrate

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    demo.add_arguments(parser)
    parser.add_argument("--steps", type=whole, default=200, help="pretraining steps of an encoder; 0 leaves that out")


def run(out: Path, seed: int, batch: int, device: torch.device, steps: int) -> None:
    """Pictures and the table of views, then pretraining."""
    demo.run(out, seed, batch, device)
    if not steps:
        return
    print(
        "\nPretraining a small ST-GCN without labels, on sections of the clips seen by six cameras; then k-NN\n"
        "names the clip (one of 15) of sections seen by six other cameras. A demonstration, not a benchmark.\n"
    )
    start = time.monotonic()
    demonstrate(steps, seed, lambda line: print(line, flush=True))
    print(f"\n{time.monotonic() - start:.0f} s. For your own data: skelaug pretrain --help; results: docs/results.md")
