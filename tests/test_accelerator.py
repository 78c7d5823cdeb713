"""Ready for a GPU without one: no host sync, few launches, compiled and exported whole."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
import torch
from cases import SKELETON, generator, keys, make_batch, make_x
from ghost import GhostMode, to_ghost
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import skelaug
from skelaug import GrowingPolicy, Skeleton, SkeletonBatch, host, policies, skeletons
from skelaug.policy import acts_on_graph
from skelaug_contrib.bench.augment import COMPILED, SECTIONS, calls, every_policy, every_transform
from skelaug_contrib.bench.loss import step as loss_step
from skelaug_contrib.bench.measure import META, launches
from skelaug_contrib.datasets.preprocess import preparation
from skelaug_contrib.losses import textbook_losses
from skelaug_contrib.queue import FeatureQueue

NTU = skeletons["ntu25"]

#: Launches of one call on a batch of NTU-25, at most: draws and replay, with the device's generator. Lower them when
#: they fall.
LAUNCHES = {
    ("floor", "x.clone()"): 1,
    ("transform", "Shear"): 15,
    ("transform", "Rotate"): 35,
    ("transform", "SwapSides"): 13,
    ("transform", "TemporalCrop"): 50,
    ("transform", "GaussianNoise"): 20,
    ("transform", "Blur"): 53,
    ("transform", "AxisMask"): 14,
    ("transform", "JointMask"): 34,
    ("transform", "SkeleAdaIN"): 112,
    ("view", "basic"): 61,
    ("view", "normal"): 173,
    ("view", "strong"): 190,
    ("view", "the four of a step"): 423,
    ("view", "the four, keyed"): 655,
    ("policy", "hiclr"): 364,
    ("policy", "aimclr"): 189,
    ("policy", "ctrgcn"): 122,
    ("policy", "pyskl_strong"): 86,
    ("policy", "skateformer"): 417,
    ("loss", "streamed"): 153,
    ("loss", "textbook"): 72,
}


def tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor)]


# --- no host sync ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["independent", "nested"])
@pytest.mark.parametrize("stream", ["joint", "bone", "motion"])
def test_all_views_of_a_policy_stay_on_the_device(mode: str, stream: str) -> None:
    hiclr = policies.hiclr(SKELETON, "all", stream, fill="token")
    whole = GrowingPolicy(dict(hiclr.items()), mode=mode, stream=hiclr.stream)
    with GhostMode(allow_non_fake_inputs=True):
        to_ghost(whole)
        x = torch.randn(4, 3, 12, len(SKELETON), 2, device="ghost", requires_grad=True)
        mask = torch.ones(4, 12, len(SKELETON), 2, device="ghost", dtype=torch.bool)
        k = skelaug.random.keys(0, 0, torch.arange(4, device="ghost"))
        for plain in (False, True):  # the last view acts on the graph, which needs a batch
            policy = whole[:2] if plain else whole
            for draw in ({}, {"keys": k}):
                given = x if plain else SkeletonBatch(x, mask)
                views = [*policy.views(given, **draw), policy.key_view(given, **draw)]
                assert all(v.device.type == "ghost" for v in tensors(views))
                sum((view if plain else view.x).square().sum() for view in views).backward()
                policy.replay(given, policy.sample(given, **draw))


def test_preparation_stays_on_the_device() -> None:
    prepare = preparation(SKELETON, 8)
    with GhostMode(allow_non_fake_inputs=True):
        x = torch.randn(4, 3, 12, len(SKELETON), 2, device="ghost")
        assert prepare(x, keys=torch.arange(4, device="ghost")).device.type == "ghost"


def test_the_textbook_loss_and_a_chain_of_queue_and_loss_stay_on_the_device() -> None:
    queue = FeatureQueue(32, 8)
    with GhostMode(allow_non_fake_inputs=True):
        to_ghost(queue)
        views = [torch.randn(4, 8, device="ghost", requires_grad=True) for _ in range(3)]
        key = torch.randn(4, 8, device="ghost")
        info, consistency = textbook_losses(views, key, queue.features)
        (info + consistency.mean()).backward()
        queue.update(key)
        assert all(view.grad is not None and view.grad.device.type == "ghost" for view in views)


def test_what_the_benchmark_times_needs_no_host() -> None:
    made = every_transform(NTU) | every_policy(NTU)
    with GhostMode(allow_non_fake_inputs=True):
        x = torch.randn(4, 3, 50, 25, 2, device="ghost")
        for name, transform in made.items():
            to_ghost(transform)
            given = SkeletonBatch(x) if acts_on_graph(transform) else x
            assert all(v.device.type == "ghost" for v in tensors(transform(given))), name
        for section in ("floor", "view"):
            for name, call in calls(section, NTU, x).items():
                assert all(v.device.type == "ghost" for v in tensors(call())), name


# --- launches --------------------------------------------------------------------------------------------------------


def test_launches_are_counted_as_they_are() -> None:
    x = torch.empty(4, 6, device="meta")
    assert launches(lambda: x.view(6, 4).T[1:].unsqueeze(0).detach(), META).total() == 0
    assert launches(lambda: torch.empty(3, device="meta").new_empty(2), META).total() == 0
    assert launches(lambda: torch.ones(3).to("cpu") + 1, META).total() == 0, "the host's work is none of the device's"
    assert launches(lambda: torch.ones(3).to("meta"), META) == {"_to_copy": 1}
    assert launches(lambda: x.clone().add_(1), META) == {"clone": 1, "add_": 1}
    assert launches(lambda: torch.where(x > 0, x, 0.0).sum(), META).total() >= 3
    leaf = torch.empty(4, device="meta", requires_grad=True)
    forward = launches(lambda: (leaf * 2).sum(), META).total()
    assert launches(lambda: (leaf * 2).sum().backward(), META).total() > forward, "backward launches too"


def test_the_count_is_that_of_the_profiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, made to go an accelerator's ways, torch's profiler sees about as many operations that do work."""
    monkeypatch.setattr(host, "readable", lambda value: False)
    policy, n = policies.hiclr(NTU), 4
    params = policy.sample(torch.randn(n, 3, 50, 25, 2), keys=keys(n))
    x, on_meta = torch.randn(n, 3, 50, 25, 2), torch.empty(n, 3, 50, 25, 2, device="meta")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        policy.replay(x, params)
    idle = re.compile(
        r"aten::(empty\w*|as_strided_?|\w*view\w*|\w*reshape\w*|resize_|resolve_\w+|lift_fresh|detach_?|alias|to|expand\w*|select|"
        r"slice|unsqueeze|squeeze|permute|unbind|\w*transpose|t|result_type|promote_types|flatten)$"
    )

    def works(event: torch.autograd.profiler_util.FunctionEvent) -> bool:
        return event.name.startswith("aten::") and not idle.match(event.name)

    def helps(event: torch.autograd.profiler_util.FunctionEvent) -> bool:
        return any(works(child) or helps(child) for child in event.cpu_children)

    work = [event.name for event in profiler.events() if works(event) and not helps(event)]
    meta_params = pytree.tree_map(lambda v: v.to("meta"), params)
    counted = launches(lambda: policy.replay(on_meta, meta_params), META).total()
    assert counted == pytest.approx(len(work), rel=0.25)


def test_launches_stay_below_their_ceilings() -> None:
    x = torch.empty(128, 3, 50, 25, 2, device="meta")
    found = {
        (section, name): launches(call, META).total()
        for section in SECTIONS
        for name, call in calls(section, NTU, x).items()
        if (section, name) in LAUNCHES
    }
    found |= {("loss", form): launches(loss_step(form, 32768, META), META).total() for form in ("streamed", "textbook")}
    assert found.keys() == LAUNCHES.keys()
    over = {name: (count, LAUNCHES[name]) for name, count in found.items() if count > LAUNCHES[name]}
    assert not over, f"launches and their ceilings: {over}"


# --- export and compile ----------------------------------------------------------------------------------------------


class Replay(nn.Module):
    """A policy's pure half, as torch.export wants it."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, x: Tensor, params: Any) -> Any:
        return self.policy.replay(x, params)  # type: ignore[operator]


@pytest.mark.parametrize("name", policies.__all__)
def test_replay_can_be_exported(name: str) -> None:
    policy, x = getattr(policies, name)(SKELETON), make_x()
    exported = torch.export.export(Replay(policy), (x, policy.sample(x, generator=generator()))).module()
    for seed in (1, 2):  # new draws go through the same program
        params = policy.sample(x, generator=generator(seed))
        for a, b in zip(tensors(exported(x, params)), tensors(policy.replay(x, params)), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["hiclr", "hiclr_released", "aimclr", "crossclr"])
def test_an_exported_replay_takes_any_batch(name: str) -> None:
    policy, x = getattr(policies, name)(SKELETON), make_x(4)
    params = policy.sample(x, generator=generator())
    rows_ = {0: torch.export.Dim("samples", min=2, max=4096)}
    shapes = (rows_, pytree.tree_map(lambda _: rows_, params))
    exported = torch.export.export(Replay(policy), (x, params), dynamic_shapes=shapes).module()
    for n in (2, 9):
        x, params = make_x(n), policy.sample(make_x(n), generator=generator(n))
        for a, b in zip(tensors(exported(x, params)), tensors(policy.replay(x, params)), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # inductor's import trips torch's own
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler, g++, on a CPU")
@pytest.mark.parametrize("kind", ["tensor", "batch"])
@pytest.mark.parametrize("name", COMPILED)
def test_inductor_gives_the_same_in_fewer_launches(name: str, kind: str) -> None:
    from torch._inductor.utils import run_and_get_code

    torch.compiler.reset()
    policy = every_policy(SKELETON)[name]
    x: Any = make_x() if kind == "tensor" else make_batch()
    params = policy.sample(x, generator=generator())
    replay = torch.compile(policy.replay, fullgraph=True)
    _, programs = run_and_get_code(replay, x, params)
    assert len(programs) == 1
    for seed in (1, 2):
        params = policy.sample(x, generator=generator(seed))
        for a, b in zip(tensors(replay(x, params)), tensors(policy.replay(x, params)), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    body = programs[0].split("def call(")[-1]
    compiled = len(re.findall(r"^\s*(?:cpp_fused\w*|extern_kernels\.\w+)\(", body, re.MULTILINE))
    meta_x, meta_params = pytree.tree_map(lambda v: v.to("meta"), (x, params))
    eager = launches(lambda: policy.replay(meta_x, meta_params), META).total()
    assert 0 < compiled < eager


def test_the_benchmarks_larger_bodies_are_skeletons() -> None:
    """For the cost over V: they have all that transforms ask for."""
    from benchmarks.rows import repeated

    for copies in (1, 2, 3):
        large = repeated(NTU, copies)
        assert isinstance(large, Skeleton) and len(large) == 25 * copies
        x = torch.randn(2, 3, 10, len(large), 2)
        for policy in every_policy(large).values():
            assert all(v.isfinite().all() for v in tensors(policy(x)))
