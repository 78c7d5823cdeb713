"""Measure this machine: every transform and policy, HiCLR's views, its loss and its training step.

Contestants take turns; medians with quartiles, and how many times as long as x.clone() each takes. Options that take
several values measure every combination.
"""

from __future__ import annotations

import itertools
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from json import dumps
from pathlib import Path
from typing import Any

import torch

from skelaug.commands import Refused, device, find_skeleton, positive
from skelaug_contrib.bench import Row, Setting, augment, markdown, to_json
from skelaug_contrib.bench.loss import measure_loss
from skelaug_contrib.bench.measure import machine
from skelaug_contrib.bench.step import WIDTHS, measure_step

__all__ = ["SECTIONS", "add_arguments", "add_settings", "rows", "run", "settings"]

SECTIONS = (*augment.SECTIONS, "loss", "step")
_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}


def add_settings(parser: ArgumentParser) -> None:
    """The batch, the device, the patience."""
    add = parser.add_argument
    add("--device", type=device, default="cpu", help="where to work, such as cpu or cuda")
    add("--batch", type=positive, nargs="+", default=[128], help="samples in a batch")
    add("--frames", type=positive, nargs="+", default=[50], help="frames of a sample")
    add("--skeleton", nargs="+", default=["ntu25"], help="names of known skeletons, or .json files: the joints")
    add("--persons", type=positive, nargs="+", default=[2], help="slots for people in a sample")
    add("--dtype", choices=_DTYPES, nargs="+", default=["float32"], help="of the batch")
    add("--threads", type=positive, nargs="+", default=[], help="of torch on the CPU; its own number if left out")
    add("--queue", type=positive, nargs="+", default=[32768], help="past keys that the loss compares with")
    add("--encoder", choices=WIDTHS, help="ST-GCN of the step; if left out, what a batch has the time for")
    add("--rounds", type=positive, default=9, help="turns of each contestant")
    add(
        "--compile",
        action="store_true",
        dest="compiled",
        help="also measure the presets that people train with compiled",
    )


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    add_settings(parser)
    parser.add_argument("--sections", choices=SECTIONS, nargs="+", default=list(SECTIONS), help="what to measure")
    parser.add_argument("--only", default="", help="only transforms, policies and views with this in their name")
    parser.add_argument("--json", type=Path, help="write the numbers there too")


def run(json: Path | None, sections: Sequence[str], only: str, **options: Any) -> None:
    """Measure and print a table a section."""
    chosen = Namespace(**options)
    about = machine(chosen.device)
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    measured: list[Row] = []
    for section in sections:
        new = list(rows(section, chosen, only))
        if new:
            print(f"\n{markdown(new)}", flush=True)
        measured += new
    if not measured:
        raise Refused(f"--only {only}: no transform, policy or view has that in its name")
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(dumps(to_json(measured, chosen.device), indent=1) + "\n", encoding="utf-8")
        print(f"\nwrote {json}")


def rows(section: str, options: Namespace, only: str = "") -> Iterator[Row]:
    """What a section measures under every combination of the options of :func:`add_settings`."""
    before = torch.get_num_threads()
    rounds = max(2, options.rounds)
    try:
        for threads in options.threads or [before]:
            torch.set_num_threads(threads)
            if section == "loss":
                yield from measure_loss(options.queue, options.device, rounds)
                continue
            for setting in settings(options)[:: len(options.dtype) if section == "step" else 1]:  # the step is float32
                print(f"measuring {section} {setting.describe()}", file=sys.stderr, flush=True)
                if section == "step":
                    encoder = options.encoder or ("small" if options.device.type == "cpu" else "paper")
                    yield from measure_step(setting, rounds, encoder, options.queue[0])
                else:
                    yield from augment.measure_section(section, setting, rounds, compiled=options.compiled, only=only)
    finally:
        torch.set_num_threads(before)


def settings(options: Namespace) -> list[Setting]:
    """Every combination, without threads."""
    product = itertools.product(options.batch, options.frames, options.skeleton, options.persons, options.dtype)
    return [
        Setting(batch, frames, find_skeleton(skeleton), persons, _DTYPES[dtype], options.device)
        for batch, frames, skeleton, persons, dtype in product
    ]
