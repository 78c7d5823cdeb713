"""Batches and policies inside what trainers use: Fabric, torch.compile, deep copies on another device."""

from __future__ import annotations

import copy

import pytest
import torch
import torch._dynamo.testing
from cases import SKELETON, generator, keys, make_batch, make_x
from torch import nn

import skelaug
from skelaug import GrowingPolicy, SkeletonBatch, policies
from skelaug import transforms as T


def test_fabric_moves_a_batch() -> None:
    fabric = pytest.importorskip("lightning_fabric", reason="needs the extra: pip install 'skelaug[train]'")
    batch = make_batch()
    moved = fabric.Fabric(accelerator="cpu", devices=1).to_device({"clip": batch})["clip"]
    assert isinstance(moved, SkeletonBatch)
    assert torch.equal(moved.x, batch.x) and torch.equal(moved.mask, batch.mask) and moved.graph is None


@pytest.mark.parametrize("mode", ["independent", "nested"])
@pytest.mark.parametrize("kind", ["tensor", "batch"])
def test_a_policys_replay_compiles_once(mode: str, kind: str) -> None:
    torch._dynamo.reset()
    hiclr = policies.hiclr(SKELETON, stream="bone")
    policy = GrowingPolicy(dict(hiclr.items()), mode=mode, stream=hiclr.stream)
    x = make_x() if kind == "tensor" else make_batch()
    count = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    replay = torch.compile(policy.replay, fullgraph=True, backend=count)
    for seed in range(3):
        params = policy.sample(x, generator=generator(seed))
        for view, expected in zip(replay(x, params), policy.replay(x, params), strict=True):
            a, b = (v if isinstance(v, torch.Tensor) else v.x for v in (view, expected))
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)
    assert count.frame_count == 1


def test_keyed_views_compile_with_their_draws() -> None:
    torch._dynamo.reset()
    policy, x = policies.hiclr(SKELETON), make_x()
    count = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    views = torch.compile(lambda x, keys: policy.views(x, keys=keys), fullgraph=True, backend=count)
    for epoch in range(3):
        drawn = skelaug.random.keys(0, epoch, range(len(x)))
        for view, expected in zip(views(x, drawn), policy.views(x, keys=drawn), strict=True):
            torch.testing.assert_close(view, expected, atol=1e-6, rtol=1e-6)
    assert count.frame_count == 1


def test_a_model_that_owns_its_policy_trains_the_token() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.policy = policies.hiclr(SKELETON, fill="token")
            self.encoder = nn.Linear(3 * 12 * 8 * 2, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return sum(self.encoder(view.flatten(1)).square().mean() for view in self.policy.views(x))  # type: ignore[return-value]

    model = Model()
    assert [name for name in model.state_dict() if "policy" in name] == ["policy.stages.2.members.0.token"]
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    model(make_x()).backward()
    optimiser.step()
    (token,) = model.policy.parameters()
    assert token != 0
    twin = copy.deepcopy(model)
    x = make_x()
    assert torch.equal(twin.policy.views(x, keys=keys(5))[2], model.policy.views(x, keys=keys(5))[2])
    other = Model()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.policy.views(x, keys=keys(5))[2], model.policy.views(x, keys=keys(5))[2])


def test_a_samples_views_do_not_depend_on_its_batch() -> None:
    """Shuffled, split over ranks, resumed: what counts is seed, epoch and id."""
    x, policy = make_x(12), policies.hiclr(SKELETON)
    ids = torch.randperm(12, generator=generator())
    whole = policy.views(x, keys=skelaug.random.keys(7, 2, range(12)))
    for rank in range(3):
        mine = ids[rank::3]
        views = policy.views(x[mine], keys=skelaug.random.keys(7, 2, mine))
        for a, b in zip(views, whole, strict=True):
            torch.testing.assert_close(a, b[mine], atol=1e-6, rtol=1e-6)
    other = policy.views(x, keys=skelaug.random.keys(7, 3, range(12)))
    assert not torch.isclose(other[0], whole[0]).flatten(1).all(1).any(), "a new epoch draws anew"


def test_users_own_transforms_join_the_others() -> None:
    class Lift(skelaug.Transform):
        def draw(self, batch: SkeletonBatch, rng: skelaug.random.Rng) -> dict[str, torch.Tensor]:
            return {"height": rng.uniform(1, 1, 1)}

        def op(self, batch: SkeletonBatch, params: dict[str, torch.Tensor]) -> SkeletonBatch:
            return batch.replace(x=batch.x + params["height"][:, None])

    x = make_x()
    run = skelaug.Compose([T.Shear(0.5), Lift(p=0.5), T.Rotate(30)])
    assert torch.equal(run(x, keys=keys(5)), run.replay(x, run.sample(x, keys=keys(5))))
