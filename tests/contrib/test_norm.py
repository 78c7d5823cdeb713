"""Batch norm without absent people and over ranks, against torch's on the rows that count."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from skelaug import skeletons
from skelaug_contrib.encoders import DSTA, STGCN, sync_batch_norm
from skelaug_contrib.encoders.norm import BatchNorm

ROOT = Path(__file__).resolve().parents[2]

#: One process of several: runs each case on its share of the rows, and writes what it got.
WORKER = """
import sys
import torch
import torch.distributed as dist
from skelaug_contrib.encoders import sync_batch_norm

rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
results = []
for module, parts, weights in torch.load(f"{folder}/cases.pt", weights_only=False):
    module = sync_batch_norm(module)
    x = parts[rank].requires_grad_()
    out = module(x)
    (out * weights[rank]).sum().backward()
    results.append((out.detach(), x.grad, module.state_dict(), [p.grad for p in module.parameters()]))
torch.save(results, f"{folder}/rank{rank}.pt")
dist.destroy_process_group()
"""


def assert_close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def run(folder: Path, cases: list[tuple[nn.Module, list[Tensor], list[Tensor]]], world: int) -> list[Any]:
    torch.save(cases, folder / "cases.pt")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(rank), str(world), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        said = [worker.communicate(timeout=120)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * world, "\n".join(said)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(world)]


@pytest.mark.slow
def test_two_processes_equal_one_with_all_rows(tmp_path: Path) -> None:
    """Values, running statistics and gradients; counts differ, and one rank may have nothing at all."""
    torch.manual_seed(0)
    skeleton = skeletons["kinect20"]
    clips = torch.randn(5, 3, 6, 20, 2)
    clips[1, ..., 1] = clips[3] = 0  # ranks with 5 and 1 people
    modules: list[tuple[nn.Module, Tensor, int]] = [
        (nn.BatchNorm1d(4), 3 + torch.randn(7, 4), 2),
        (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)), torch.randn(7, 4), 5),
        (nn.BatchNorm2d(4, momentum=None, affine=False), 30 + torch.randn(5, 4, 3, 2), 5),
        (nn.BatchNorm2d(4).double(), torch.randn(5, 4, 3, 2, dtype=torch.float64), 1),
        (STGCN(skeleton, widths=(4, 8), strides=(1, 2), dropout=0), clips, 3),
        (STGCN(skeleton, widths=(4, 8), dropout=0), clips[:4], 3),
        (DSTA(skeleton, blocks=[(4, 8, 2, 2)], dropout=0), clips, 3),
    ]
    cases, expected = [], []
    for module, x, cut in modules:
        one, x = copy.deepcopy(module), x.clone().requires_grad_()
        out = one(x)
        weights = torch.randn_like(out)
        (out * weights).sum().backward()
        expected.append((out.detach(), x.grad, one.state_dict(), [p.grad for p in one.parameters()]))
        cases.append((module, [x.detach()[:cut], x.detach()[cut:]], [weights[:cut], weights[cut:]]))
    first, second = run(tmp_path, cases, 2)
    for whole, a, b in zip(expected, first, second, strict=True):
        tolerance = 1e-10 if whole[0].dtype == torch.float64 else 1e-4
        assert_close(torch.cat([a[0], b[0]]), whole[0], tolerance)
        assert_close(torch.cat([a[1], b[1]]), whole[1], tolerance)
        for name, value in whole[2].items():
            assert_close(a[2][name], value, tolerance)
            assert torch.equal(a[2][name], b[2][name]), "ranks must agree bit for bit"
        for total, one, other in zip(whole[3], a[3], b[3], strict=True):
            assert_close(one + other, total, tolerance)


@given(st.lists(st.booleans(), min_size=3, max_size=6), st.sampled_from([(), (4,), (2, 3)]), st.integers(0, 9))
def test_absent_rows_do_not_count(rows: list[bool], shape: tuple[int, ...], seed: int) -> None:
    gen = torch.Generator().manual_seed(seed)
    present = torch.tensor([True, True, *rows])
    x = (5 + 2 * torch.randn(len(present), 3, *shape, generator=gen, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(x.shape, generator=gen, dtype=torch.float64) * present.view(-1, *(1,) * (x.ndim - 1))
    norm = BatchNorm(3).double()
    other = copy.deepcopy(norm)
    out = norm(x, present)
    (grad,) = torch.autograd.grad((out * weight).sum(), x)
    expected = other(x[present])
    (expected_grad,) = torch.autograd.grad((expected * weight[present]).sum(), x)
    assert_close(out[present], expected, 1e-9)
    assert_close(grad, expected_grad, 1e-9)
    for name, value in norm.state_dict().items():
        assert_close(value, other.state_dict()[name], 1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
def test_is_torchs_batch_norm_where_all_are_present(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    theirs, ours, weighted = nn.BatchNorm2d(3, **options), BatchNorm(3, **options), BatchNorm(3, **options)
    for training in (True, True, True, False):
        x = 2 + torch.randn(4, 3, 5, 2)
        expected = theirs.train(training)(x)
        assert_close(ours.train(training)(x), expected)
        assert_close(weighted.train(training)(x, torch.ones(4, dtype=torch.bool)), expected)
    assert_close(ours.state_dict(), theirs.state_dict())
    assert_close(weighted.state_dict(), theirs.state_dict())


def test_few_values_are_normalised_by_the_running_statistics() -> None:
    """No variance can be had from none or one: neither an error nor NaN, and the statistics stay."""
    norm = BatchNorm(3)
    norm(torch.randn(8, 3))
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    one = torch.randn(1, 3)
    for x, present in ((one, None), (torch.randn(0, 3, 4), None), (one.expand(4, 3), torch.arange(4) == 2)):
        out = norm(x, present)
        assert_close(out, nn.functional.batch_norm(x, mean, var, norm.weight, norm.bias))
        assert torch.equal(norm.running_mean, mean) and torch.equal(norm.running_var, var)


def test_half_precision_is_computed_in_float32() -> None:
    x = (100 + torch.randn(64, 3)).bfloat16()
    present = torch.arange(64) < 60
    norm = BatchNorm(3)
    out = norm(x, present)
    assert out.dtype == torch.bfloat16
    assert_close(norm.running_mean, 0.1 * x[:60].float().mean(0), 1e-4)


def test_sync_batch_norm_keeps_what_is_outside() -> None:
    """The same parameter objects, names, mode and options: optimisers and checkpoints still fit."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.BatchNorm1d(4, eps=1e-3, momentum=0.3), nn.ReLU()))
    model[1].eval()
    theirs = copy.deepcopy(model)
    parameters, names = list(model.parameters()), list(model.state_dict())
    assert sync_batch_norm(model) is model
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert list(model.state_dict()) == names
    new = model[1][0]
    assert isinstance(new, BatchNorm) and new.over_ranks and not new.training
    assert (new.eps, new.momentum) == (1e-3, 0.3)
    x = torch.randn(6, 4)
    for mode in (False, True):
        assert_close(model.train(mode)(x), theirs.train(mode)(x))
    plain = copy.deepcopy(theirs)
    plain.load_state_dict(model.state_dict())
    model.load_state_dict(theirs.state_dict())
    assert_close(model.eval()(x), theirs.eval()(x))
    assert_close(plain.eval()(x), theirs(x))


def test_sync_batch_norm_of_a_norm_is_its_replacement() -> None:
    old = nn.BatchNorm3d(2, affine=False)
    new = sync_batch_norm(old)
    assert isinstance(new, BatchNorm) and new.weight is None
    assert new(torch.randn(2, 2, 3, 4, 5)).shape == (2, 2, 3, 4, 5)


def test_sync_batch_norm_reaches_every_norm_of_the_encoders() -> None:
    for encoder in (STGCN(skeletons["ntu25"]), DSTA(skeletons["ntu25"])):
        keys = list(encoder.state_dict())
        sync_batch_norm(encoder)
        norms = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        assert len(norms) > 20 and all(isinstance(m, BatchNorm) and m.over_ranks for m in norms)
        assert list(encoder.state_dict()) == keys
