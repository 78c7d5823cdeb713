"""The rows that ``python -m benchmarks run`` adds to those of ``skelaug bench``: each part is a race or a few."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import skelaug
from benchmarks import kornia_path, loader, reference
from benchmarks.peers import Peer
from skelaug import Compose, Skeleton, SkeletonBatch, policies, random
from skelaug import transforms as T
from skelaug.random import Rng
from skelaug.transform import Transform
from skelaug_contrib.bench import Row, Setting
from skelaug_contrib.bench.augment import every_policy
from skelaug_contrib.bench.measure import race
from skelaug_contrib.bench.step import model
from skelaug_contrib.datasets import EpochBatches, preparation, write
from skelaug_contrib.datasets import loader as clip_loader

Call = Callable[[], Any]

#: The name of the row on which the table "your epoch" of the report is built.
FOUR = "the four of a step"


@dataclass(frozen=True)
class Bench:
    """What all parts share: the batch, the number of rounds, the peers, the encoder of a training step."""

    setting: Setting
    rounds: int = 9
    full: bool = False
    peers: Sequence[Peer] = ()
    encoder: str = "paper"

    @property
    def skeleton(self) -> Skeleton:
        return self.setting.skeleton

    def race(self, section: str, contestants: Mapping[str, Call], rounds: int | None = None, **more: Any) -> list[Row]:
        """Race them; ``more`` joins the setting that the rows name."""
        times = race(contestants, max(2, rounds or self.rounds), self.setting.device)
        setting = self.setting.describe() | more
        return [Row.of(section, name, setting, seconds) for name, seconds in times.items()]


def views(bench: Bench) -> Iterator[list[Row]]:
    """HiCLR's views, the NumPy loop's, and the released code's."""
    x, policy = bench.setting.data(), policies.hiclr(bench.skeleton)
    array, mirror, rng = x.float().cpu().numpy(), np.array(bench.skeleton.mirror), np.random.default_rng(0)
    ours: dict[str, Call] = {
        "basic": lambda: policy[0](x),
        "normal": lambda: policy[1](x),
        FOUR: lambda: (policy.views(x), policy.key_view(x)),
    }
    stages = {"basic": (1,), "normal": (2,), FOUR: (1, 1, 2, 3)}
    theirs = {peer.name: peer.calls(array) for peer in bench.peers if not peer.ours}
    for name, counts in stages.items():
        calls: dict[str, Call] = {f"skelaug {name}": ours[name]}
        calls[f"NumPy loop {name}"] = lambda counts=counts: [reference.loop(array, s, mirror, rng) for s in counts]  # type: ignore[misc]
        calls |= {f"{peer} {name}": peer_calls[name] for peer, peer_calls in theirs.items()}
        yield bench.race("race", calls)


def others(bench: Bench) -> Iterator[list[Row]]:
    """Presets and single transforms beside a peer or kornia that does the same."""
    x = bench.setting.data()
    array = x.float().cpu().numpy()
    for peer in bench.peers:
        for name, build in peer.ours.items():
            ours = build(bench.skeleton)
            calls = {f"skelaug {name}": lambda ours=ours: ours(x), f"{peer.name} {name}": peer.calls(array)[name]}  # type: ignore[misc]
            yield bench.race("peer", calls)
    for name, calls in kornia_path.pairs(x).items():
        yield bench.race("kornia", {f"{who} ({name})": call for who, call in calls.items()})


def epoch(bench: Bench) -> Iterator[list[Row]]:
    """The four views of some batches: the loop's in a DataLoader with 0 and 2 workers, ours in one call a batch."""
    x, policy = bench.setting.data(), policies.hiclr(bench.skeleton)
    array = x.float().cpu().numpy()

    def batched() -> None:
        for _ in range(loader.BATCHES):
            policy.views(x)
            policy.key_view(x)

    calls: dict[str, Call] = {"skelaug, in the training process": batched}
    for count in (0, 2):
        calls[f"NumPy loop in a DataLoader, {count} workers"] = loader.epoch(array, bench.skeleton, count)
    yield bench.race("epoch", calls, rounds=3, batches=loader.BATCHES)


def compose(bench: Bench) -> Iterator[list[Row]]:
    """Two linear transforms, and ten: with one map of frames, one map of joints, or both."""
    x, skeleton = bench.setting.data(), bench.skeleton
    more = [T.Rotate(30), T.Scale((0.9, 1.1)), T.Rotate(5, axes="y"), T.Shear(0.1), T.NegateAxis("x"), T.AxisMask()]
    more.append(T.Rotate(10, axes="main"))
    ends: dict[str, tuple[Transform, Transform]] = {
        "frames": (T.Reverse(), T.TemporalCrop(6)),
        "joints": (T.SwapSides(skeleton), T.Mirror(skeleton)),
        "joints, ten with frames": (T.SwapSides(skeleton), T.TemporalCrop(6)),
    }
    for name, (first, last) in ends.items():
        calls: dict[str, Call] = {}
        for count, members in {"two": [first, T.Shear(0.5)], "ten": [first, T.Shear(0.5), *more, last]}.items():
            policy = Compose(members)
            params = policy.sample(x)
            calls[f"{count} linear, {name}"] = lambda policy=policy: policy(x)  # type: ignore[misc]
            calls[f"{count} linear, {name}, replay alone"] = lambda policy=policy, params=params: policy.replay(  # type: ignore[misc]
                x, params
            )
        yield bench.race("compose", calls)


def presence(bench: Bench) -> Iterator[list[Row]]:
    """Every policy of a plain tensor, in which it must find who is there, and of a batch that brings its mask."""
    x = bench.setting.data()
    batch = SkeletonBatch(x)
    for name, policy in every_policy(bench.skeleton).items():
        calls: dict[str, Call] = {
            f"{name} of a tensor": lambda policy=policy: policy(x),  # type: ignore[misc]
            f"{name} of a batch with a mask": lambda policy=policy: policy(batch),  # type: ignore[misc]
        }
        yield bench.race("presence", calls)


def draws(bench: Bench) -> Iterator[list[Row]]:
    """Normals and permutations: keyed, from the default generator, and torch's own."""
    x = bench.setting.data()
    n, device = len(x), x.device
    keys = random.keys(0, 0, torch.arange(n)).to(device)
    yield bench.race(
        "draw",
        {
            "keyed normals": lambda: Rng(n, device, keys=keys).normal(*x.shape[1:]),
            "normals, default generator": lambda: Rng(n, device).normal(*x.shape[1:]),
            "torch.randn": lambda: torch.randn(x.shape, device=device),
            "keyed order of 25 joints": lambda: Rng(n, device, keys=keys).permutation(25),
        },
    )


def scaling(bench: Bench) -> Iterator[list[Row]]:
    """Doubling N, T, V or M: HiCLR's basic view, and a run of eight linear transforms with a map of joints."""
    lengths = {"batch": [128, 256, 512], "frames": [50, 100, 200], "skeleton": [1, 2, 4], "persons": [2, 4, 8]}
    if bench.full:
        lengths["batch"] += [1024, 2048, 4096]
    for axis, sizes in lengths.items():
        # All sizes in one race: what else the machine does must not fall on one of them alone.
        calls: dict[tuple[str, int], Call] = {}
        settings: dict[int, Setting] = {}
        for size in sizes:
            value: Any = repeated(bench.skeleton, size) if axis == "skeleton" else size
            settings[size] = setting = replace(bench.setting, **{axis: value})
            x = setting.data()
            basic, run = policies.hiclr(setting.skeleton)[0], Compose(_linear(setting.skeleton))
            calls["HiCLR basic view", size] = lambda basic=basic, x=x: basic(x)  # type: ignore[misc]
            calls["eight linear", size] = lambda run=run, x=x: run(x)  # type: ignore[misc]
            calls["x.clone()", size] = x.clone
        times = race({f"{name}@{size}": call for (name, size), call in calls.items()}, bench.rounds, x.device)
        yield [Row.of(f"over {axis}", name, settings[size].describe(), times[f"{name}@{size}"]) for name, size in calls]


def _linear(skeleton: Skeleton) -> list[Transform]:
    """Eight linear transforms."""
    crop, shear, swap, rotate = T.TemporalCrop(6), T.Shear(0.5), T.SwapSides(skeleton), T.Rotate(30)
    return [crop, shear, swap, rotate, T.Scale((0.9, 1.1)), T.Reverse(), T.NegateAxis("x"), T.AxisMask()]


def repeated(skeleton: Skeleton, copies: int) -> Skeleton:
    """So many of the same body, hanging from the first one's root: more joints with all that they need."""
    v, root = len(skeleton), next(j for j, parent in enumerate(skeleton.parents) if parent == j)
    edges = [(j + c * v, p + c * v) for c in range(copies) for j, p in enumerate(skeleton.parents) if j != p]
    return Skeleton.from_edges(
        edges + [(root, root + c * v) for c in range(1, copies)],
        name=f"{skeleton.name} × {copies}",
        root=root,
        centre=skeleton.centre,
        pairs=[(a + c * v, b + c * v) for c in range(copies) for a, b in skeleton.pairs],
        spine=skeleton.spine,
        shoulders=skeleton.shoulders,
    )


def throughput(bench: Bench) -> Iterator[list[Row]]:
    """For the plots: the four views over the batch, and the cost of one transform more."""
    policy = policies.hiclr(bench.skeleton)
    mirror, rng = np.array(bench.skeleton.mirror), np.random.default_rng(0)
    for size in [8, 32, 128, 512] + ([2048] if bench.full else []):
        at_size = replace(bench, setting=replace(bench.setting, batch=size), rounds=bench.rounds // 2)
        x = at_size.setting.data()
        array = x.float().cpu().numpy()
        calls: dict[str, Call] = {
            "skelaug": lambda x=x: (policy.views(x), policy.key_view(x)),  # type: ignore[misc]
            "NumPy loop": lambda a=array: [reference.loop(a, s, mirror, rng) for s in (1, 1, 2, 3)],  # type: ignore[misc]
        }
        yield at_size.race("throughput", calls)
    x = bench.setting.data()
    mixed = [
        T.Shear(0.5), T.GaussianNoise(0.01, p=0.5), T.JointMask(0.1), T.Blur((0.1, 2), p=0.5),
        T.LimbMask(bench.skeleton), T.DropFrame(0.1), T.JointJitter(0.1, 0.4), T.PersonDrop(p=0.5),
    ]  # fmt: skip
    for kind, members in (("linear", _linear(bench.skeleton)), ("of all kinds", mixed)):
        runs = {count: Compose(members[:count]) for count in range(1, len(members) + 1)}
        times = race({str(count): lambda run=run: run(x) for count, run in runs.items()}, bench.rounds, x.device)  # type: ignore[misc]
        described = bench.setting.describe()
        yield [Row.of("members", kind, described | {"transforms": n}, times[str(n)]) for n in runs]


def feeding(bench: Bench) -> Iterator[list[Row]]:
    """A training step: its augmentation alone, on clips in memory, and on clips from the loader."""
    setting = replace(bench.setting, batch=min(bench.setting.batch, 32), persons=2)
    clips = 8 * setting.batch
    motion = skelaug.synthetic_motion(setting.skeleton, clips, setting.frames, 1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write(
            Path(folder) / "data",
            x=torch.nn.functional.pad(motion.x, (0, setting.persons - 1)).numpy(),
            length=[setting.frames] * clips,
            label=[0] * clips,
            names=[f"clip{i}" for i in range(clips)],
            class_names=["moving"],
            skeleton=setting.skeleton,
        )
        hiclr = model(setting.skeleton, bench.encoder, "present", 32768, setting.device)
        prepare = preparation(setting.skeleton, setting.frames)

        def endless(workers: int) -> Iterator[Any]:
            batches = clip_loader(dataset, EpochBatches(range(clips), setting.batch, 0), workers)
            while True:
                yield from batches

        def step(source: Iterator[Any], *, views_alone: bool = False) -> None:
            raw, ids, people = (part.to(setting.device, non_blocking=True) for part in next(source))
            keys = random.keys(0, 0, ids)
            batch = prepare(raw, keys=keys)
            if views_alone:
                hiclr.policy.views(batch, keys=keys)
                hiclr.policy.key_view(batch, keys=keys)
            else:
                hiclr(batch, people=people, keys=keys)["loss"].backward()
                hiclr.zero_grad()

        def in_memory() -> Iterator[Any]:
            batch = next(endless(0))
            while True:
                yield batch

        sources = {"clips in memory": in_memory()}
        sources |= {f"loader, {workers} workers": endless(workers) for workers in (0, 2)}
        calls: dict[str, Call] = {f"step, {name}": lambda s=source: step(s) for name, source in sources.items()}  # type: ignore[misc]
        calls["preparation and four views, clips in memory"] = lambda: step(in_memory_views, views_alone=True)
        in_memory_views = in_memory()
        yield replace(bench, setting=setting).race("feeding", calls, rounds=5, encoder=bench.encoder)


def start(bench: Bench) -> Iterator[list[Row]]:
    """How long importing takes, and help."""

    def run(*arguments: str) -> Call:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    calls = {
        "import torch": run("-c", "import torch"),
        "import skelaug": run("-c", "import skelaug"),
        "skelaug --help": run("-m", "skelaug.cli", "--help"),
    }
    yield bench.race("start", calls, rounds=max(3, bench.rounds // 2))


#: By the name under which ``--only`` knows them, in the order of the report.
PARTS: dict[str, Callable[[Bench], Iterator[list[Row]]]] = {
    "views": views,
    "others": others,
    "epoch": epoch,
    "compose": compose,
    "presence": presence,
    "draws": draws,
    "scaling": scaling,
    "throughput": throughput,
    "feeding": feeding,
    "start": start,
}
