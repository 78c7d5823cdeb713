"""Measure skelaug against its bars and print a table of every transform: ``make bench``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before NumPy is loaded: idle threads of its BLAS spin, and would take the cores from torch in the race.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

import skelaug
from benchmarks import reference
from benchmarks.timing import race, ratio
from skelaug import Compose, Skeleton, skeletons
from skelaug import transforms as T
from skelaug.batch import infer_presence

SHAPE = (128, 3, 50, 25, 2)


@dataclass(frozen=True)
class Bar:
    """One promise: the ratio measured, and where it must lie."""

    name: str
    measured: float
    bound: float
    at_least: bool
    detail: str

    @property
    def held(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "ok" if self.held else "MISSED"
        return f"{verdict:6}  {self.name:64} {self.measured:7.2f}  ({sign} {self.bound:g})   {self.detail}"


def basic_view(x: torch.Tensor, rounds: int) -> list[Bar]:
    """Against a clone, and against its floor: who is there, one gather of whole frames, one product of matrices."""
    view = skelaug.policies.hiclr(skeletons["ntu25"])[0]
    crop, shear = view.sample(x)["members"]
    n, c, t, v, m = x.shape
    frames = (torch.arange(n * c).view(n, c, 1) * t + crop["frames"][:, None]).view(-1)
    rows = x.view(n * c * t, v * m)

    def floor() -> None:
        infer_presence(x)
        torch.bmm(shear["matrix"], rows.index_select(0, frames).view(n, c, -1))

    times = race({"view": lambda: view(x), "clone": x.clone, "floor": floor}, 5 * rounds)
    detail = f"{times['view']} against {times['clone']}"
    return [
        Bar("HiCLR basic view over x.clone()", ratio(times, "view", "clone"), 6, False, detail),
        Bar(
            "  its floor over x.clone() (presence, gather, bmm)",
            ratio(times, "floor", "clone"),
            6,
            False,
            f"{times['floor']}; the view costs {ratio(times, 'view', 'floor'):.2f} × the floor",
        ),
    ]


def normal_view(x: torch.Tensor, rounds: int) -> Bar:
    view, array = skelaug.policies.hiclr(skeletons["ntu25"])[1], x.numpy()
    mirror, rng = np.array(skeletons["ntu25"].mirror), np.random.default_rng(0)
    times = race({"view": lambda: view(x), "loop": lambda: reference.loop(array, 2, mirror, rng)}, rounds)
    detail = f"{times['loop']} against {times['view']}"
    return Bar("NumPy loop over HiCLR normal view (BA + NA)", ratio(times, "loop", "view"), 4, True, detail)


def linear_run(x: torch.Tensor, rounds: int) -> list[Bar]:
    """Two members with one map of frames or joints and a matrix; ten with eight more, applied in one pass."""
    ntu = skeletons["ntu25"]
    more = [T.Rotate(30), T.Scale((0.9, 1.1)), T.Rotate(5, axes="y"), T.Shear(0.1), T.NegateAxis("x"), T.AxisMask()]
    more.append(T.Rotate(10, axes="main"))
    bars = []
    for name, first in (("frames and matrices", T.Reverse()), ("frames, joints, matrices", T.SwapSides(ntu))):
        two = Compose([first, T.Shear(0.5)])
        ten = Compose([first, T.Shear(0.5), *more, T.TemporalCrop(6)])
        drawn_two, drawn_ten = two.sample(x), ten.sample(x)
        times = race({"ten": lambda: ten.replay(x, drawn_ten), "two": lambda: two.replay(x, drawn_two)}, 5 * rounds)  # noqa: B023
        whole = race({"ten": lambda: ten(x), "two": lambda: two(x)}, 5 * rounds)  # noqa: B023
        detail = f"{times['ten']} against {times['two']}; with drawing {ratio(whole, 'ten', 'two'):.2f}"
        bars.append(
            Bar(f"Compose of ten linear over one of two: {name}", ratio(times, "ten", "two"), 1.5, False, detail)
        )
    return bars


def import_time(rounds: int) -> Bar:
    def run(module: str) -> Any:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    times = race({"skelaug": run("skelaug"), "torch": run("torch")}, max(5, rounds // 3))
    extra = times["skelaug"].median - times["torch"].median
    detail = f"{times['skelaug']} against {times['torch']}"
    return Bar("seconds of import skelaug above import torch", extra, 0.35, False, detail)


def every_transform(skeleton: Skeleton) -> dict[str, T.Shear]:
    """Each transform, applied to every sample."""
    arguments: dict[str, Any] = {
        "Rotate": (30,), "Scale": ((0.9, 1.1),), "Translate": (0.2,), "Mirror": (skeleton,), "SwapSides": (skeleton,),
        "Center": (skeleton,), "LimbMask": (skeleton,), "Bone": (skeleton,), "BoneMotion": (skeleton,),
        "BoneLengthTransfer": (skeleton,), "DropEdges": (0.1, skeleton), "AddEdges": (0.05, skeleton),
    }  # fmt: skip
    made = {name: getattr(T, name)(*arguments.get(name, ())) for name in T.__all__}
    for transform in made.values():
        transform.p = 1.0
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no table of transforms")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    options = parser.parse_args()
    rounds = 5 if options.quick else 20

    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"batch {SHAPE}, float32; median of {rounds} rounds or more, contestants in turn (quartiles in brackets)\n")
    bars = [*basic_view(x, rounds), normal_view(x, rounds), *linear_run(x, rounds), import_time(rounds)]
    print(*bars, sep="\n")

    table: dict[str, float] = {}
    if not options.quick:
        print(f"\n{'transform':20} {'ms/batch':>9} {'samples/s':>12}")
        contestants = {name: (lambda t=t: t(x)) for name, t in every_transform(skeletons["ntu25"]).items()}
        for name, times in race(contestants, 7).items():
            table[name] = times.median
            print(f"{name:20} {times.median * 1e3:9.2f} {len(x) / times.median:12,.0f}")
    if options.json:
        found = {"bars": {bar.name: bar.measured for bar in bars}, "seconds": table, "torch": torch.__version__}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(options.strict and not all(bar.held for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
