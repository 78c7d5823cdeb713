"""The promises: what was measured, the bar, and whether it was met. Each comes from a race of its own."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from benchmarks import kornia_path, loader, pipeline, reference
from benchmarks.peers import Peer
from skelaug import Compose, GrowingPolicy, Skeleton, SkeletonBatch, policies, random
from skelaug import transforms as T
from skelaug.batch import infer_presence
from skelaug.commands.cost import launches, peak_bytes
from skelaug.commands.timing import Times, race, ratio
from skelaug.lanes import uniforms
from skelaug.random import Rng
from skelaug.transform import Transform
from skelaug_contrib.bench import Row, Setting
from skelaug_contrib.bench import loss as loss_bench
from skelaug_contrib.bench.augment import COMPILED, every_policy, every_transform, floor, with_compiled
from skelaug_contrib.bench.rows import META
from skelaug_contrib.bench.step import measure_step

Call = Callable[[], Any]

_FLOOR_CALL = 60e-6  # seconds that a call may take beside the data


@dataclass(frozen=True)
class Bar:
    """One promise.

    Attributes:
        what: is promised.
        measured: what was found.
        bound: where it must lie.
        at_least: above the bound, or below.
        unit: of both.
        detail: the times behind it; the floor, where the bar lies near it.
    """

    what: str
    measured: float
    bound: float
    at_least: bool = False
    unit: str = "×"
    detail: str = ""

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "met   " if self.met else "MISSED"
        return f"{verdict} {self.what:58} {self.measured:9.3g} {sign} {self.bound:g} {self.unit}   {self.detail}"


@dataclass
class Bench:
    """What all bars share: the setting, the patience, the peers; and the rows that their races leave behind."""

    setting: Setting
    rounds: int = 9
    full: bool = False
    peers: Sequence[Peer] = ()
    encoder: str = "paper"
    rows: list[Row] = field(default_factory=list)

    @property
    def skeleton(self) -> Skeleton:
        return self.setting.skeleton

    def race(
        self, section: str, contestants: Mapping[str, Call], *, rounds: int | None = None, **more: Any
    ) -> dict[str, Times]:
        """Race them and keep the rows."""
        times = race(contestants, max(2, rounds or self.rounds), self.setting.device)
        setting = self.setting.describe() | more
        self.rows += [Row.of(section, name, setting, each) for name, each in times.items()]
        return times


def linear(bench: Bench) -> Iterator[Bar]:
    """Any linear transform alone."""
    x = bench.setting.data()
    made = {name: t for name, t in every_transform(bench.skeleton).items() if t.linear and t.length is None}
    calls = {name: lambda t=t: t(x) for name, t in made.items()}  # type: ignore[misc]
    times = bench.race("linear transform", floor(x) | calls)
    clone, matmul = times["x.clone()"], times["matrix @ x.flatten(2)"]
    bound = 3 * clone.median + _FLOOR_CALL
    for name in made:
        detail = f"{times[name]}; clone {clone}, one product of matrices {matmul}"
        yield Bar(f"{name} alone", times[name].median * 1e3, round(bound * 1e3, 3), unit="ms", detail=detail)


def views(bench: Bench) -> Iterator[Bar]:
    """HiCLR's views against a clone, the clean loop, and the released code."""
    x, policy = bench.setting.data(), policies.hiclr(bench.skeleton)
    array, mirror, rng = x.float().cpu().numpy(), np.array(bench.skeleton.mirror), np.random.default_rng(0)

    def loop(*stages: int) -> Call:
        return lambda: [reference.loop(array, count, mirror, rng) for count in stages]

    ours: dict[str, Call] = {
        "basic": lambda: policy[0](x),
        "normal": lambda: policy[1](x),
        "the four of a step": lambda: (policy.views(x), policy.key_view(x)),
    }
    loops = {"basic": loop(1), "normal": loop(2), "the four of a step": loop(1, 1, 2, 3)}
    released = {peer.name: peer.calls(array) for peer in bench.peers if not peer.ours}
    bars = {"basic": (10, 20), "normal": (8, 14), "the four of a step": (0, 15)}
    titles = {"basic": "HiCLR basic view", "normal": "BA + NA view", "the four of a step": "four HiCLR views"}
    crop, shear = policy[0].sample(x)["members"]
    n, c, t, v, m = x.shape
    frames = (torch.arange(n * c, device=x.device).view(n, c, 1) * t + crop["frames"][:, None]).view(-1)

    def least() -> None:  # who is there, one gather of whole frames, one product of matrices
        infer_presence(x)
        torch.bmm(shear["matrix"].to(x.dtype), x.view(n * c * t, v * m).index_select(0, frames).view(n, c, -1))

    for name, (to_loop, to_peer) in bars.items():
        calls: dict[str, Call] = {f"skelaug {name}": ours[name], f"NumPy loop {name}": loops[name]}
        calls |= {f"{peer} {name}": peer_calls[name] for peer, peer_calls in released.items()}
        if name == "basic":
            calls |= {"x.clone()": x.clone, "gather and matmul": least}
        times = bench.race("race", calls)
        mine = f"skelaug {name}"
        if name == "basic":
            floor_ratio = ratio(times, "gather and matmul", "x.clone()")
            detail = f"{times[mine]}; its floor, presence, one gather and one matmul: {floor_ratio:.1f} × clone"
            yield Bar(f"{titles[name]} over clone", ratio(times, mine, "x.clone()"), 4, detail=detail)
        for other, bound in [(f"NumPy loop {name}", to_loop), *((f"{peer} {name}", to_peer) for peer in released)]:
            detail = f"{times[other]} against {times[mine]}"
            if bound:
                yield Bar(f"{titles[name]}: {other} over it", ratio(times, other, mine), bound, True, detail=detail)


def others(bench: Bench) -> Iterator[Bar]:
    """Presets and kornia's paths against whoever does the same: rows without a bar of the issue, faster is the bar."""
    x = bench.setting.data()
    array = x.float().cpu().numpy()
    for peer in bench.peers:
        for name, make in peer.ours.items():
            ours = make(bench.skeleton)
            calls = {f"skelaug {name}": lambda ours=ours: ours(x), f"{peer.name} {name}": peer.calls(array)[name]}  # type: ignore[misc]
            times = bench.race("peer", calls)
            theirs, mine = times[f"{peer.name} {name}"], times[f"skelaug {name}"]
            faster = ratio(times, f"{peer.name} {name}", f"skelaug {name}")
            yield Bar(f"{name}: {peer.name} over it", faster, 1, True, detail=f"{theirs} against {mine}")
    for name, calls in kornia_path.pairs(x).items():
        times = bench.race("kornia", {f"{who} ({name})": call for who, call in calls.items()})
        mine, theirs = times
        detail = f"{times[theirs]} against {times[mine]}"
        yield Bar(f"{theirs} over skelaug", ratio(times, theirs, mine), 1, True, detail=detail)


def workers(bench: Bench) -> Iterator[Bar]:
    """The four views of an epoch of batches: in the loop's DataLoader with 0 and 2 workers, and in one call a batch."""
    x, policy = bench.setting.data(), policies.hiclr(bench.skeleton)
    array = x.float().cpu().numpy()

    def batched() -> None:
        for _ in range(loader.BATCHES):
            policy.views(x)
            policy.key_view(x)

    calls: dict[str, Call] = {"skelaug, in the training process": batched}
    for count in (0, 2):
        calls[f"NumPy loop in a DataLoader, {count} workers"] = loader.epoch(array, bench.skeleton, count)
    times = bench.race("epoch", calls, rounds=3, batches=loader.BATCHES)
    mine = "skelaug, in the training process"
    for other in list(calls)[1:]:
        detail = f"{times[other]} against {times[mine]} for {loader.BATCHES} batches"
        yield Bar(f"{other}, over skelaug", ratio(times, other, mine), 1, True, detail=detail)


def compose(bench: Bench) -> Iterator[Bar]:
    """Two members, a map and a matrix; ten with eight more of their kind, or with a map of frames too, in one pass."""
    x, skeleton = bench.setting.data(), bench.skeleton
    more = [T.Rotate(30), T.Scale((0.9, 1.1)), T.Rotate(5, axes="y"), T.Shear(0.1), T.NegateAxis("x"), T.AxisMask()]
    more.append(T.Rotate(10, axes="main"))
    pairs: dict[str, tuple[Transform, Transform]] = {
        "frames": (T.Reverse(), T.TemporalCrop(6)),
        "joints": (T.SwapSides(skeleton), T.Mirror(skeleton)),
        "joints, ten with frames": (T.SwapSides(skeleton), T.TemporalCrop(6)),
    }
    for name, (first, last) in pairs.items():
        two = Compose([first, T.Shear(0.5)])
        ten = Compose([first, T.Shear(0.5), *more, last])
        drawn_two, drawn_ten = two.sample(x), ten.sample(x)
        calls: dict[str, Call] = {
            f"ten linear, {name}": lambda ten=ten: ten(x),  # type: ignore[misc]
            f"two linear, {name}": lambda two=two: two(x),  # type: ignore[misc]
            f"ten linear, {name}, drawn": lambda ten=ten, drawn=drawn_ten: ten.replay(x, drawn),  # type: ignore[misc]
            f"two linear, {name}, drawn": lambda two=two, drawn=drawn_two: two.replay(x, drawn),  # type: ignore[misc]
        }
        times = bench.race("compose", calls)
        for what in (f"linear, {name}", f"linear, {name}, drawn"):
            detail = f"{times[f'ten {what}']} against {times[f'two {what}']}"
            yield Bar(f"ten over two {what}", ratio(times, f"ten {what}", f"two {what}"), 1.3, detail=detail)


def presence(bench: Bench) -> Iterator[Bar]:
    """Inferring who is there in a plain tensor; carrying a mask of joints along in a SkeletonBatch."""
    x = bench.setting.data()
    batch = SkeletonBatch(x)
    shares: dict[str, dict[str, float]] = {"inferred": {}, "carried": {}}
    for name, policy in every_policy(bench.skeleton).items():
        calls: dict[str, Call] = {
            f"{name} of a tensor": lambda p=policy: p(x),  # type: ignore[misc]
            f"{name} of a batch with a mask": lambda p=policy: p(batch),  # type: ignore[misc]
            f"{name}: infer_presence": lambda: infer_presence(x),
        }
        plain, full, alone = bench.race("presence", calls).values()
        shares["inferred"][name] = 100 * alone.median / plain.median
        shares["carried"][name] = 100 * max(0.0, 1 - plain.median / full.median)
    for form, found in shares.items():
        worst = max(found, key=lambda name: found[name])
        detail = f"worst: {worst}; " + ", ".join(f"{name} {share:.0f}" for name, share in found.items())
        yield Bar(f"presence, {form}, of any policy's time", found[worst], 15, unit="%", detail=detail)


def draws(bench: Bench) -> Iterator[Bar]:
    """Keyed draws: normals against torch's, and parameters."""
    x = bench.setting.data()
    n, device = len(x), x.device
    keys = random.keys(0, 0, torch.arange(n)).to(device)
    calls: dict[str, Call] = {
        "keyed normals": lambda: Rng(n, device, keys=keys).normal(*x.shape[1:]),
        "torch.randn": lambda: torch.randn(x.shape, device=device),
        "normals, default generator": lambda: Rng(n, device).normal(*x.shape[1:]),
    }
    times = bench.race("draw", calls)
    detail = f"{times['keyed normals']} against {times['torch.randn']}"
    yield Bar("keyed normals over torch.randn", ratio(times, "keyed normals", "torch.randn"), 1.5, detail=detail)
    parameters: dict[str, Call] = {
        "gate": lambda: Rng(n, device, keys=keys).ready((0.5, ())).keep,
        "six of a shear": lambda: Rng(n, device, keys=keys).ready((1, uniforms(6, -0.5, 0.5))).numbers,
        "shift of a crop": lambda: Rng(n, device, keys=keys).ready((1, uniforms(1))).numbers,
        "order of 25 joints": lambda: Rng(n, device, keys=keys).fold(3).permutation(25),
    }
    for name, each in bench.race("draw", parameters).items():
        yield Bar(f"keyed parameters: {name}", each.median * 1e3, 0.15, unit="ms a draw", detail=str(each))


def memory(bench: Bench) -> Iterator[Bar]:
    """The peak of every policy beyond its params and outputs."""
    x = bench.setting.data()
    if bench.setting.device.type not in ("cpu", "cuda"):
        return
    for name, policy in every_policy(bench.skeleton).items():

        def call(policy: GrowingPolicy | Transform = policy) -> Any:
            params = policy.sample(x)
            return params, policy.replay(x, params)

        peak, lasting = peak_bytes(call, bench.setting.device), _bytes(call(), x)
        detail = f"peak {peak / 2**20:.1f} MiB, of which params and outputs {lasting / 2**20:.1f}"
        yield Bar(
            f"{name}: peak beyond params and outputs", (peak - lasting) / x.nbytes, 2, unit="batches", detail=detail
        )


def _bytes(values: Any, x: Tensor) -> int:
    """Bytes of all storages, each once, without that of ``x``."""
    leaves = [v for v in pytree.tree_leaves(values) if isinstance(v, Tensor)]
    storages = {v.untyped_storage().data_ptr(): v.untyped_storage().nbytes() for v in leaves}
    storages.pop(x.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def scaling(bench: Bench) -> Iterator[Bar]:
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
            basic, run = policies.hiclr(setting.skeleton)[0], _run(setting.skeleton)
            calls["HiCLR basic view", size] = lambda basic=basic, x=x: basic(x)  # type: ignore[misc]
            calls["eight linear", size] = lambda run=run, x=x: run(x)  # type: ignore[misc]
            calls["x.clone()", size] = x.clone
        times = race(
            {f"{name}@{size}": call for (name, size), call in calls.items()}, bench.rounds, bench.setting.device
        )
        for name, size in calls:
            described = settings[size].describe()
            bench.rows.append(Row.of(f"over {axis}", name, described, times[f"{name}@{size}"]))
        steps = {
            name: [ratio(times, f"{name}@{b}", f"{name}@{a}") for a, b in itertools.pairwise(sizes)]
            for name in dict.fromkeys(name for name, _ in calls)
        }
        clone = ", ".join(f"{step:.2f}" for step in steps.pop("x.clone()"))
        for name, found in steps.items():
            detail = f"{', '.join(f'{step:.2f}' for step in found)} for {sizes}; x.clone(): {clone}"
            yield Bar(f"{name}, doubling {axis} costs", max(found), 2.2, detail=detail)


def _run(skeleton: Skeleton) -> Compose:
    members = [T.TemporalCrop(6), T.Shear(0.5), T.SwapSides(skeleton), T.Rotate(30), T.Scale((0.9, 1.1)), T.Reverse()]
    return Compose([*members, T.NegateAxis("x"), T.AxisMask()])


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


def throughput(bench: Bench) -> Iterator[Bar]:
    """Rows for the plots: the four views over the batch, and the cost of one transform more. No bars."""
    policy = policies.hiclr(bench.skeleton)
    mirror, rng = np.array(bench.skeleton.mirror), np.random.default_rng(0)
    for size in [8, 32, 128, 512] + ([2048] if bench.full else []):
        setting = replace(bench.setting, batch=size)
        x = setting.data()
        array = x.float().cpu().numpy()
        calls: dict[str, Call] = {
            "skelaug": lambda x=x: (policy.views(x), policy.key_view(x)),  # type: ignore[misc]
            "NumPy loop": lambda a=array: [reference.loop(a, s, mirror, rng) for s in (1, 1, 2, 3)],  # type: ignore[misc]
        }
        times = race(calls, max(2, bench.rounds // 2), setting.device)
        bench.rows += [Row.of("throughput", name, setting.describe(), each) for name, each in times.items()]
    x = bench.setting.data()
    mixed = [
        T.Shear(0.5), T.GaussianNoise(0.01, p=0.5), T.JointMask(0.1), T.Blur((0.1, 2), p=0.5),
        T.LimbMask(bench.skeleton), T.DropFrame(0.1), T.JointJitter(0.1, 0.4), T.PersonDrop(p=0.5),
    ]  # fmt: skip
    for kind, members in (("linear", list(_run(bench.skeleton))), ("of all kinds", mixed)):
        runs = {str(count): Compose(members[:count]) for count in range(1, len(members) + 1)}
        times = race({count: lambda r=r: r(x) for count, r in runs.items()}, bench.rounds, bench.setting.device)  # type: ignore[misc]
        for count, each in times.items():
            described = bench.setting.describe() | {"transforms": int(count)}
            bench.rows.append(Row.of("members", kind, described, each))
    yield from ()


def compiled(bench: Bench) -> Iterator[Bar]:
    """The presets that people train with, replayed by inductor: draws are eager in both."""
    x, made = bench.setting.data(), every_policy(bench.skeleton)
    for name in COMPILED:
        torch.compiler.reset()
        policy = made[name]
        calls: dict[str, Call] = {f"{name}": lambda p=policy: p(x), f"{name}, compiled": with_compiled(policy, x)}  # type: ignore[misc]
        times = bench.race("compiled", calls)
        detail = f"{times[name]} against {times[f'{name}, compiled']}"
        yield Bar(f"{name}: eager over compiled", ratio(times, name, f"{name}, compiled"), 1, True, detail=detail)
    torch.compiler.reset()


def loss(bench: Bench) -> Iterator[Bar]:
    """The streamed loss against the textbook's, and its growth with the queue."""
    lengths = [32768, 262144, 1_000_000] if bench.full else [32768, 131072]
    rows = loss_bench.measure_loss(lengths, bench.setting.device, 3 if bench.full else max(2, bench.rounds // 2))
    bench.rows += rows
    found = {(row.setting["queue"], row.name): row for row in rows}
    for length, bound in ((32768, 2.5), (262144, 7)):
        if (length, "textbook") in found:
            ours, theirs = found[length, "streamed"], found[length, "textbook"]
            detail = f"{theirs.median * 1e3:.0f} against {ours.median * 1e3:.0f} ms"
            if theirs.peak_mib is not None and ours.peak_mib is not None:
                detail += f", {theirs.peak_mib:.0f} against {ours.peak_mib:.1f} MiB"
            yield Bar(
                f"loss, queue {length}: textbook over it", theirs.median / ours.median, bound, True, detail=detail
            )
    device, ends = bench.setting.device, (lengths[0], lengths[-1])
    calls: dict[str, Call] = {str(length): loss_bench.step("streamed", length, device) for length in ends}
    times = race(calls, 3 if bench.full else bench.rounds, device)
    growth = ratio(times, str(ends[1]), str(ends[0])) / (ends[1] / ends[0])
    detail = f"{times[str(ends[0])]} at {ends[0]}, {times[str(ends[1])]} at {ends[1]}"
    yield Bar("loss: time a row of the queue, longest over shortest", growth, 1.15, detail=detail)
    first, last = (found[length, "streamed"] for length in ends)
    if first.peak_mib is not None and last.peak_mib is not None:
        detail = f"{first.peak_mib:.2f} MiB at {ends[0]}, {last.peak_mib:.2f} at {ends[1]}"
        yield Bar(
            "loss: extra memory, longest queue over shortest", last.peak_mib / first.peak_mib, 1.05, detail=detail
        )


def step(bench: Bench) -> Iterator[Bar]:
    """The training step against one that encodes empty slots."""
    small = replace(bench.setting, batch=min(bench.setting.batch, 32), persons=2)
    rows = measure_step(small, 5 if bench.full else 3, bench.encoder)
    bench.rows += rows
    for ours, theirs in zip(rows[::2], rows[1::2], strict=True):
        present = ours.setting["present"]
        bound, more = (2, "") if present == 1 else (0.97, "; a tie within 3 % counts as met")
        detail = f"{theirs.median * 1e3:.0f} against {ours.median * 1e3:.0f} ms, batch {small.batch}{more}"
        yield Bar(
            f"training step, {present} of 2 there: textbook over it",
            theirs.median / ours.median,
            bound,
            True,
            detail=detail,
        )


def feeding(bench: Bench) -> Iterator[Bar]:
    """What a training step waits for its loader, and what its augmentation takes."""
    small = replace(bench.setting, batch=min(bench.setting.batch, 32), persons=2)
    for count in (0, 2):
        found = pipeline.shares(small, bench.encoder, count, 8 if bench.full else 4)
        share = 100 * (found.stall + found.augmentation) / found.step
        detail = (
            f"step {found.step * 1e3:.0f} ms: loader stall {found.stall * 1e3:.2f}, preparation and four views "
            f"{found.augmentation * 1e3:.1f} ms; batch {small.batch}, {bench.encoder} encoder"
        )
        yield Bar(f"input pipeline of a step, {count} workers", share, 5, unit="%", detail=detail)
        stall = 100 * found.stall / found.step
        yield Bar(f"  of it the loader's stall, {count} workers", stall, 1, unit="%", detail=detail)


def start(bench: Bench) -> Iterator[Bar]:
    """How long importing takes, and help."""

    def run(*arguments: str) -> Call:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    calls = {"import torch": run("-c", "import torch"), "skelaug --help": run("-m", "skelaug.cli", "--help")}
    times = race(calls, max(3, bench.rounds // 2))
    # In one process: the difference of two, each of which loads torch from the disk, would be all noise.
    code = "import time, torch; t = time.perf_counter(); import skelaug; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    extra = Times(
        tuple(
            float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            for _ in times["import torch"].seconds
        )
    )
    times["import skelaug, after torch"] = extra
    bench.rows += [Row.of("start", name, {}, each) for name, each in times.items()]
    yield Bar("import skelaug above import torch", extra.median, 0.35, unit="s", detail=f"{extra}")
    detail = f"{times['skelaug --help']} against {times['import torch']}"
    yield Bar("skelaug --help over import torch", ratio(times, "skelaug --help", "import torch"), 1.5, detail=detail)


def kernels(bench: Bench) -> Iterator[Bar]:
    """Kernel launches of the four views: on CUDA by the profiler, else as dispatched on the device ``meta``."""
    device = bench.setting.device if bench.setting.device.type == "cuda" else META
    x, policy = bench.setting.data(device), policies.hiclr(bench.skeleton)
    keys = torch.zeros(len(x), dtype=torch.int64, device=device)
    for how, given in (("generator", {}), ("keys", {"keys": keys})):
        found = launches(lambda given=given: (policy.views(x, **given), policy.key_view(x, **given)), device)  # type: ignore[misc]
        drawn = launches(lambda given=given: policy.sample(x, **given), device).total()  # type: ignore[misc]
        most = ", ".join(f"{name} {count}" for name, count in found.most_common(8))
        detail = f"of the three views' {drawn} are draws; on {device}; most: {most}"
        yield Bar(f"four HiCLR views, {how}: launches", found.total(), 60, unit="launches", detail=detail)


#: By the name under which ``--only`` knows them, in the order of the report.
BARS: dict[str, Callable[[Bench], Iterator[Bar]]] = {
    "linear": linear,
    "views": views,
    "others": others,
    "workers": workers,
    "compose": compose,
    "presence": presence,
    "draws": draws,
    "memory": memory,
    "scaling": scaling,
    "throughput": throughput,
    "compiled": compiled,
    "loss": loss,
    "step": step,
    "feeding": feeding,
    "start": start,
    "kernels": kernels,
}
