"""Working on some rows gives what working on all of them gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import CASES, Case, generator, keys, make_batch, make_x
from ghost import GhostMode
from test_conformance import assert_near, assert_same, gated, takes
from torch.utils import _pytree as pytree

import skelaug
from skelaug import host
from skelaug import transforms as T
from skelaug.random import Rng
from skelaug.transform import Transform
from skelaug.transforms import GaussianNoise


def assert_rows_change_nothing(transform: Transform, x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = transform.sample(x, keys=keys(5))
    chosen = transform.replay(x, params)
    with monkeypatch.context() as patch:
        patch.setattr(host, "rows", lambda keep: None)
        assert_near(transform.replay(x, params), chosen, 1e-6)


def test_a_step_overwrites_only_what_nobody_else_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Noise leaves data of its own behind, which the gated scale may overwrite, but not where the gate still needs it.
    noise, scale = GaussianNoise(0.1), T.Scale((2, 3), p=0.5)
    x = make_batch()
    for members in ([noise, scale, T.JointMask(0.1)], [noise, skelaug.Compose([noise, scale], p=0.5)]):
        assert_rows_change_nothing(skelaug.Compose(members), x, monkeypatch)


@gated
def test_the_chosen_rows_get_what_a_whole_batch_gets(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    transform = case.make(p=0.5)
    for x in (takes(transform, make_x()), make_batch()):
        assert_rows_change_nothing(transform, x, monkeypatch)


def test_policies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    one_of = [case for case in CASES if "OneOf" in repr(case) or "skateformer" in repr(case)]
    assert one_of
    for case in one_of:
        assert_rows_change_nothing(case.make(), make_batch(), monkeypatch)


def test_noise_is_drawn_for_those_that_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, k = torch.randn(64, 3, 10, 7, 2), skelaug.random.keys(0, 0, range(64))
    params = GaussianNoise(1.0, p=0.5).sample(x, keys=k)
    keep = params["apply"]
    assert 10 < keep.sum() < 54
    assert not params["noise"][~keep].any() and params["noise"][keep].flatten(1).std(1).min() > 0.8
    monkeypatch.setattr(host, "rows", lambda keep: None)
    assert_same(GaussianNoise(1.0, p=0.5).sample(x, keys=k)["noise"][keep], params["noise"][keep])


def test_a_generator_moves_on_by_as_much_whoever_is_chosen() -> None:
    after = []
    for p in (0.999999, 0.0, 0.5):
        generator = torch.Generator().manual_seed(0)
        rng = Rng(8, torch.device("cpu"), generator=generator)
        rng.chance(p)
        rng.normal(3, 4)
        after.append(torch.rand(1, generator=generator).item())
    assert len(set(after)) == 1


@pytest.mark.parametrize("draw", [GaussianNoise(1.0), T.JointJitter(0.3)], ids=repr)
def test_an_outer_gate_does_not_reach_the_draws_within(draw: Transform, monkeypatch: pytest.MonkeyPatch) -> None:
    # A kept sample's style partner may be a sample that is gated out: it must look the same on every device.
    x, inner = make_batch(), [draw, T.SkeleAdaIN()]
    on_host = skelaug.Compose(inner, p=0.5).sample(x, generator=generator())
    monkeypatch.setattr(host, "rows", lambda keep: None)
    on_device = skelaug.Compose(inner, p=0.5).sample(x, generator=generator())
    for a, b in zip(pytree.tree_leaves(on_host), pytree.tree_leaves(on_device), strict=True):
        assert torch.equal(a, b)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # addcmul_ inside vmap: works, slowly
def test_vmap_over_replay_of_a_gated_transform() -> None:
    x, rotate = make_x(), T.Rotate(30, p=0.5)
    params = rotate.sample(x, generator=generator())
    single = torch.func.vmap(lambda a, p: rotate.replay(a[None], {k: v[None] for k, v in p.items()})[0])(x, params)
    assert torch.equal(single, rotate.replay(x, params))


def test_only_a_host_knows_its_rows() -> None:
    assert host.rows(torch.tensor([True, False, True])).tolist() == [0, 2]
    with GhostMode():
        assert host.rows(torch.ones(3, dtype=torch.bool, device="ghost")) is None

    @torch.compile(fullgraph=True, backend="eager")
    def compiled(keep: torch.Tensor) -> torch.Tensor:
        return keep * 1 if host.rows(keep) is None else keep * 0

    assert compiled(torch.ones(3, dtype=torch.bool)).tolist() == [1, 1, 1]
