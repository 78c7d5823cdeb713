"""The training step against the textbook's: ``python -m benchmarks.step``.

Textbook: the three views through the same encoder with every slot encoded, present or not, and the loss straight from
its definition. One- and two-person clips in a two-person tensor, contestants in turn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

import skelaug
from benchmarks.timing import race, ratio
from skelaug import SkeletonBatch
from skelaug_contrib import HiCLR
from skelaug_contrib.encoders import STGCN, people
from skelaug_contrib.losses import textbook_losses

WIDTHS = {"paper": None, "small": (16, 16, 32, 64)}


def model(widths: tuple[int, ...] | None, persons: str, queue: int) -> HiCLR:
    torch.manual_seed(0)
    skeleton = skelaug.skeletons["ntu25"]
    given = {} if widths is None else {"widths": widths, "strides": (2, 2, 2, 1)}
    encoder = STGCN(skeleton, persons=persons, **given)  # type: ignore[arg-type]
    return HiCLR(encoder, skelaug.policies.hiclr(skeleton, fill="token"), queue_size=queue)


def ours(hiclr: HiCLR, batch: SkeletonBatch) -> Callable[[], None]:
    assert batch.mask is not None
    slots = people(batch.mask)  # the loader's work

    def step() -> None:
        hiclr(batch, people=slots)["loss"].backward()

    return step


def textbook(hiclr: HiCLR, batch: SkeletonBatch) -> Callable[[], None]:
    def step() -> None:
        queries = [hiclr.query(view, None) for view in hiclr.policy.views(batch)]
        hiclr.key.update(hiclr.query)
        key = hiclr.key(hiclr.policy.key_view(batch), None)
        info, consistency = textbook_losses(queries, key, hiclr.queue.features, hiclr.temperature)
        (info + consistency.mean()).backward()
        hiclr.queue.update(key)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument("--encoder", choices=WIDTHS, default="paper")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--queue", type=int, default=32768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; ST-GCN of {options.encoder} widths, batch")
    print(f"{options.batch}, {options.frames} frames, 25 joints, 2 slots, queue {options.queue}; median (quartiles)\n")
    found = {}
    for persons in (1, 2):
        x = torch.randn(options.batch, 3, options.frames, 25, 2)
        x[..., persons:] = 0
        batch, widths = SkeletonBatch(x), WIDTHS[options.encoder]
        times = race(
            {
                "textbook": textbook(model(widths, "all", options.queue), batch),
                "ours": ours(model(widths, "present", options.queue), batch),
            },
            options.rounds,
        )
        found[f"{persons} present"] = ratio(times, "textbook", "ours")
        print(f"{persons} of 2 present: textbook {times['textbook']}, ours {times['ours']}: ", end="")
        print(f"{found[f'{persons} present']:.2f} times as fast")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
