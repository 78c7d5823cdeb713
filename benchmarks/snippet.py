"""What :mod:`benchmarks.commits` runs in each commit's own process; it knows that commit's public interface alone.

It writes the names of its calls as JSON, then reads requests, a line each, and answers each with a line: the seconds
that one call took, the median of a turn.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize
from torch.utils import benchmark

import skelaug
from skelaug import policies, random
from skelaug import transforms as T
from skelaug_contrib.losses import hierarchical_losses

# Once a process has freed a large block, glibc keeps freed memory instead of giving it back to the system page by page.
# A trainer soon has; so both commits are timed in that state, of which neither pages nor numbers remain.
torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)

LOOP, NORMAL = "NumPy loop, basic + normal view", "basic + normal view"


def build(settings: dict[str, Any]) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """The calls by name, and why a preset is not among them."""
    skeleton = skelaug.skeletons["ntu25"]
    n, frames = settings["batch"], settings["frames"]
    x = torch.randn(n, 3, frames, len(skeleton), 2, generator=torch.Generator().manual_seed(0))
    keys = random.keys(0, 0, torch.arange(n))
    hiclr = policies.hiclr(skeleton)
    ten = skelaug.Compose([
        T.Reverse(), T.Shear(0.5), T.Rotate(30), T.Scale((0.9, 1.1)), T.Rotate(5, axes="y"), T.Shear(0.1),
        T.NegateAxis("x"), T.AxisMask(), T.Rotate(10, axes="main"), T.TemporalCrop(6),
    ])  # fmt: skip

    def unit(rows: int) -> torch.Tensor:
        return normalize(torch.randn(rows, 128, generator=torch.Generator().manual_seed(rows)), dim=1)

    queries, key, queue = [unit(n).requires_grad_() for _ in range(3)], unit(n), unit(settings["queue"])

    def loss() -> None:
        info, consistency = hierarchical_losses(queries, key, queue)
        (info + consistency.mean()).backward()

    spec: Any = importlib.util.spec_from_file_location("reference", settings["reference"])
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    array, mirror, rng = x.numpy(), np.array(skeleton.mirror), np.random.default_rng(0)

    calls: dict[str, Callable[[], Any]] = {
        "HiCLR's four views": lambda: (hiclr.views(x), hiclr.key_view(x)),
        "HiCLR's four views, keyed": lambda: (hiclr.views(x, keys=keys), hiclr.key_view(x, keys=keys)),
        "ten linear transforms": lambda: ten(x),
        f"loss, queue {settings['queue']}": loss,
        NORMAL: lambda: hiclr[1](x),
        LOOP: lambda: reference.loop(array, 2, mirror, rng),
    }
    left_out = {}
    for name in policies.__all__:
        try:
            call = _preset(getattr(policies, name)(skeleton), x)
            call()
        except (TypeError, ValueError) as error:
            left_out[f"preset {name}"] = str(error)
        else:
            calls[f"preset {name}"] = call
    return calls, left_out


def _preset(policy: Any, x: torch.Tensor) -> Callable[[], Any]:
    """The policy on a plain tensor; on a batch, where it acts on the graph and so asks for one."""
    try:
        policy(x)
    except (TypeError, ValueError):
        batch = skelaug.SkeletonBatch(x)
        return lambda: policy(batch)
    return lambda: policy(x)


def main(settings: dict[str, Any]) -> None:
    for package in ("skelaug", "skelaug_contrib"):
        path = Path(str(importlib.import_module(package).__file__)).resolve()
        if not path.is_relative_to(Path(settings["root"]).resolve()):
            sys.exit(f"{package} comes from {path}, not from the commit's own folder {settings['root']}")
    calls, left_out = build(settings)
    print(json.dumps({"names": list(calls), "left_out": left_out}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        call = calls[request["name"]]
        timer = benchmark.Timer("call()", globals={"call": call}, num_threads=request["threads"])
        print(json.dumps(timer.blocked_autorange(min_run_time=request["seconds"]).median), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
