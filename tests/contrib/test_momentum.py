"""The momentum twin: what moves, what stays, and by how much."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ghost import GhostMode
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from skelaug_contrib.momentum import MomentumEncoder


def encoder(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def test_starts_as_an_exact_copy_of_its_own() -> None:
    query = encoder()
    query(torch.randn(16, 4))  # so that the batch-norm statistics are no longer the initial ones
    key = MomentumEncoder(query)
    ours, theirs = key.encoder.state_dict(), query.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]) and value.data_ptr() != theirs[name].data_ptr()
    x = torch.randn(5, 4)
    assert torch.equal(key.eval()(x), query.eval()(x))


def test_averages_by_hand() -> None:
    query = nn.Linear(1, 1)
    key = MomentumEncoder(query, momentum=0.9)
    with torch.no_grad():
        key.encoder.weight.fill_(1.0), key.encoder.bias.fill_(0.0)
        query.weight.fill_(3.0), query.bias.fill_(-1.0)
    key.update(query)
    assert key.encoder.weight.item() == pytest.approx(1.2) and key.encoder.bias.item() == pytest.approx(-0.1)
    key.update(query)  # 0.9 · 1.2 + 0.1 · 3
    assert key.encoder.weight.item() == pytest.approx(1.38) and key.encoder.bias.item() == pytest.approx(-0.19)
    assert query.weight.item() == 3 and query.bias.item() == -1


@given(momentum=st.floats(0, 1), steps=st.integers(0, 6))
def test_closed_form(momentum: float, steps: int) -> None:
    """Towards a fixed query, the distance shrinks by m each step."""
    start, query = encoder(0), encoder(1)
    key = MomentumEncoder(start, momentum)
    for _ in range(steps):
        key.update(query)
    for ours, first, goal in zip(key.encoder.parameters(), start.parameters(), query.parameters(), strict=True):
        torch.testing.assert_close(ours, goal + momentum**steps * (first - goal), rtol=1e-5, atol=1e-6)


def test_buffers_are_untouched_by_update() -> None:
    query, key = encoder(0), MomentumEncoder(encoder(1))
    for _ in range(3):
        query(torch.randn(16, 4))
    before = {name: value.clone() for name, value in key.encoder.named_buffers()}
    key.update(query)
    assert before and all(torch.equal(value, before[name]) for name, value in key.encoder.named_buffers())


def test_batch_norm_keeps_its_own_statistics() -> None:
    query = encoder()
    key, alone = MomentumEncoder(query), encoder()
    x, y = torch.randn(16, 4), 3 + torch.randn(16, 4)
    for batch in (query, key, alone):
        batch.train()
    query(x), key(y), alone(y)
    ours, theirs = key.encoder[1].running_mean, query[1].running_mean
    assert torch.equal(ours, alone[1].running_mean) and not torch.equal(ours, theirs)
    key.eval()
    frozen = ours.clone()
    key(x)
    assert torch.equal(ours, frozen)


def test_training_mode_follows_the_parent() -> None:
    parent = nn.ModuleDict({"key": MomentumEncoder(encoder())})
    assert not any(module.training for module in parent.eval().modules())
    assert all(module.training for module in parent.train().modules())


def test_no_gradient_reaches_it() -> None:
    query = encoder()
    key = MomentumEncoder(query)
    assert all(p.requires_grad for p in query.parameters())
    assert key(torch.randn(3, 4, requires_grad=True)).requires_grad is False
    query(torch.randn(3, 4)).sum().backward()
    key.update(query)
    assert not any(p.requires_grad or p.grad is not None for p in key.parameters())
    key.requires_grad_(True)
    assert key(torch.randn(3, 4)).requires_grad is False


def test_passes_every_argument_on() -> None:
    class Weighted(nn.Module):
        def forward(self, x: Tensor, *, weight: float) -> Tensor:
            return x * weight

    key = MomentumEncoder(Weighted())
    assert torch.equal(key(torch.ones(2), weight=3.0), torch.full((2,), 3.0))
    key.update(Weighted())  # no parameters: nothing to do


def test_runs_on_a_device_without_host_sync() -> None:
    query = encoder()
    key = MomentumEncoder(query)
    with GhostMode(allow_non_fake_inputs=True):
        for module in (*query.modules(), *key.modules()):
            for name, value in module._parameters.items():
                made: Any = torch.nn.Parameter(torch.zeros(value.shape, device="ghost"))
                module._parameters[name] = made
            for name, value in module._buffers.items():
                module._buffers[name] = torch.ones(value.shape, device="ghost", dtype=value.dtype)
        key.update(query)
        assert key(torch.randn(6, 4, device="ghost")).device.type == "ghost"


def test_bad_input_is_explained() -> None:
    for momentum in (-0.1, 1.1, "0.9", True):
        with pytest.raises(ValueError, match="momentum must be a number ≥ 0 and ≤ 1"):
            MomentumEncoder(encoder(), momentum)  # type: ignore[arg-type]
    key = MomentumEncoder(nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"parameter 'weight' is \(2, 4\) here and \(3, 4\) in the encoder"):
        key.update(nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"parameter 'bias' is \(2,\) here and missing in the encoder"):
        key.update(nn.Linear(4, 2, bias=False))
    assert "momentum=0.999" in repr(key)
