"""The augmentation: the floor below it, every transform, every policy, HiCLR's views; eager and compiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from skelaug import GrowingPolicy, Skeleton, SkeletonBatch, policies, random
from skelaug import transforms as T
from skelaug.policy import acts_on_graph
from skelaug.transform import Transform
from skelaug_contrib.bench.measure import META
from skelaug_contrib.bench.rows import Row, Setting, measure

__all__ = ["COMPILED", "SECTIONS", "every_policy", "every_transform", "floor", "measure_section", "with_compiled"]

Call = Callable[[], Any]

#: The presets worth compiling: those that people train with. crossclr is the first view of hiclr.
COMPILED = ("hiclr", "aimclr", "ctrgcn", "pyskl_strong", "skateformer")

SECTIONS = ("floor", "transform", "policy", "view")


def floor(x: Tensor) -> dict[str, Call]:
    """What no augmentation can go below: to move the bytes, to draw a normal each, to multiply by a matrix each."""
    matrix = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).repeat(len(x), 1, 1)
    return {
        "x.clone()": x.clone,
        "torch.randn_like(x)": lambda: torch.randn_like(x),
        "matrix @ x.flatten(2)": lambda: matrix @ x.flatten(2),
    }


def every_transform(skeleton: Skeleton) -> dict[str, Transform]:
    """Each transform with usual settings, applied to every sample."""
    arguments: dict[str, Any] = {
        "Rotate": (30,), "Scale": ((0.9, 1.1),), "Translate": (0.2,), "Mirror": (skeleton,), "SwapSides": (skeleton,),
        "Center": (skeleton,), "LimbMask": (skeleton,), "Bone": (skeleton,), "BoneMotion": (skeleton,),
        "BoneLengthTransfer": (skeleton,), "DropEdges": (0.1, skeleton), "AddEdges": (0.05, skeleton),
        "Align": (skeleton,),
    }  # fmt: skip
    transforms = {}
    for name in T.__all__:
        build = getattr(T, name)
        always = {"p": 1.0} if "p" in inspect.signature(build).parameters else {}
        transforms[name] = build(*arguments.get(name, ()), **always)
    return transforms


def every_policy(skeleton: Skeleton) -> dict[str, GrowingPolicy | Transform]:
    """Each preset; a growing one makes all its views."""
    return {name: getattr(policies, name)(skeleton) for name in policies.__all__}


def _views(skeleton: Skeleton, x: Tensor) -> dict[str, Call]:
    policy = policies.hiclr(skeleton)
    keys = random.keys(0, 0, torch.arange(len(x))).to(x.device)

    def four(**how: Any) -> Any:
        return policy.views(x, **how), policy.key_view(x, **how)

    calls: dict[str, Call] = {name: lambda i=i: policy[i](x) for i, name in enumerate(policy.names)}  # type: ignore[misc]
    return {**calls, "the four of a step": four, "the four, keyed": lambda: four(keys=keys)}


def _applied(members: Mapping[str, GrowingPolicy | Transform], x: Tensor) -> dict[str, Call]:
    batch = SkeletonBatch(x)  # for those of the graph
    return {name: lambda t=t: t(batch if acts_on_graph(t) else x) for name, t in members.items()}  # type: ignore[misc]


def calls(section: str, skeleton: Skeleton, x: Tensor) -> dict[str, Call]:
    """What a section times on ``x``, by name."""
    match section:
        case "floor":
            return floor(x)
        case "transform":
            return _applied(every_transform(skeleton), x)
        case "policy":
            return _applied(every_policy(skeleton), x)
    return _views(skeleton, x)


def with_compiled(policy: GrowingPolicy | Transform, x: Tensor) -> Call:
    """Draw eagerly, which is tiny, and replay compiled by inductor."""
    # On a CPU inductor would gather anew for everybody who reads what was gathered: up to ten times as slow.
    options: dict[str, Any] = {"realize_opcount_threshold": 1} if x.is_cpu else {}
    replay: Any = torch.compile(policy.replay, fullgraph=True, options=options)
    return lambda: replay(x, policy.sample(x))


def measure_section(
    section: str, setting: Setting, rounds: int, *, compiled: bool = False, only: str = ""
) -> list[Row]:
    """The rows of one section: of what has ``only`` in its name; with ``compiled``, some are raced compiled too."""
    x = setting.data()
    usable = {name: call for name, call in calls(section, setting.skeleton, x).items() if only in name}
    if not usable:
        return []
    described = setting.describe() | {"mode": "eager"}
    on_meta = calls(section, setting.skeleton, setting.data(META))
    rows = measure(
        section, usable, described, setting.device, rounds, clone=x.clone, on_meta=on_meta, memory=section != "floor"
    )
    if not compiled or section not in ("policy", "transform"):
        return rows
    members = every_policy(setting.skeleton) if section == "policy" else every_transform(setting.skeleton)
    chosen = {n: members[n] for n in usable if n in COMPILED or (section == "transform" and only)}
    torch.compiler.reset()
    contestants = {name: with_compiled(policy, x) for name, policy in chosen.items()}
    if contestants:
        described = setting.describe() | {"mode": "compiled"}
        rows += measure(section, contestants, described, setting.device, rounds, clone=x.clone, memory=True)
    return rows
