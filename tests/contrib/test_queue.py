"""The ring buffer against a plain list, in one process and in two."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ghost import GhostMode
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skelaug_contrib import distributed
from skelaug_contrib.queue import FeatureQueue


def keys(first: int, n: int, dim: int = 3) -> Tensor:
    """Rows that tell themselves apart: row i is filled with first + i."""
    return torch.arange(first, first + n, dtype=torch.float32)[:, None].expand(-1, dim)


def stored(queue: FeatureQueue) -> list[float]:
    return queue.features[:, 0].tolist()


@given(size=st.integers(1, 12), batches=st.lists(st.integers(0, 30), max_size=12))
def test_holds_the_last_keys_whatever_the_batches(size: int, batches: list[int]) -> None:
    queue = FeatureQueue(size, 3)
    history = [*range(-size, 0)]  # from the oldest
    queue.features.copy_(keys(-size, size))
    for n in batches:
        start = history[-1] + 1
        queue.update(keys(start, n))
        history += range(start, start + n)
        assert sorted(stored(queue)) == history[-size:]
        assert stored(queue)[queue.cursor.item() :] + stored(queue)[: queue.cursor.item()] == history[-size:]


def test_a_wrap_by_hand() -> None:
    queue = FeatureQueue(5, 3)
    queue.update(keys(0, 3))
    queue.update(keys(3, 4))
    assert stored(queue) == [5, 6, 2, 3, 4] and queue.cursor.item() == 2
    queue.update(keys(7, 5))
    assert stored(queue) == [10, 11, 7, 8, 9] and queue.cursor.item() == 2


def test_more_keys_than_rows_keep_the_last() -> None:
    queue = FeatureQueue(4, 3)
    queue.update(keys(0, 11))
    assert sorted(stored(queue)) == [7, 8, 9, 10]


def test_an_empty_queue_stays_empty() -> None:
    queue = FeatureQueue(0, 3)
    queue.update(keys(0, 5))
    assert queue.features.shape == (0, 3)
    queue.load_state_dict(FeatureQueue(0, 3).state_dict())


def test_starts_as_random_unit_rows_of_its_seed() -> None:
    state = torch.get_rng_state()
    queue = FeatureQueue(500, 16, seed=3)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was touched"
    torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(500))
    assert queue.features.mean(0).abs().max() < 0.06  # 5 sigma of 1 / sqrt(16 · 500)
    assert torch.equal(queue.features, FeatureQueue(500, 16, seed=3).features)
    assert not torch.equal(queue.features, FeatureQueue(500, 16, seed=4).features)


def test_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    queue, again = FeatureQueue(5, 3), FeatureQueue(5, 3, seed=1)
    queue.update(keys(0, 7))
    torch.save(queue.state_dict(), tmp_path / "queue.pt")
    again.load_state_dict(torch.load(tmp_path / "queue.pt", weights_only=True))
    for each in (queue, again):
        each.update(keys(7, 4))
    assert torch.equal(queue.features, again.features) and torch.equal(queue.cursor, again.cursor)
    with pytest.raises(RuntimeError, match="size mismatch"):
        FeatureQueue(6, 3).load_state_dict(queue.state_dict())


def test_takes_keys_of_any_type_and_keeps_no_graph() -> None:
    queue = FeatureQueue(4, 3)
    queue.update(keys(1, 2).bfloat16())
    queue.update(keys(3, 2).clone().requires_grad_() * 1)
    assert stored(queue) == [1, 2, 3, 4]
    assert queue.features.dtype == torch.float32 and not queue.features.requires_grad
    assert not list(queue.parameters())


def test_runs_on_a_device_without_host_sync() -> None:
    queue = FeatureQueue(8, 3)
    with GhostMode(allow_non_fake_inputs=True):
        queue._buffers["features"] = torch.zeros(8, 3, device="ghost")
        queue._buffers["cursor"] = torch.zeros((), device="ghost", dtype=torch.int64)
        for n in (0, 3, 7, 20):
            queue.update(torch.randn(n, 3, device="ghost"))
        assert queue.features.device.type == "ghost" and queue.cursor.dtype == torch.int64


def test_bad_input_is_explained() -> None:
    with pytest.raises(ValueError, match="size must be a whole number ≥ 0, got -1"):
        FeatureQueue(-1, 3)
    with pytest.raises(ValueError, match="dim must be a whole number ≥ 1, got 0"):
        FeatureQueue(4, 0)
    for wrong in (torch.zeros(2, 4), torch.zeros(3), [1.0]):
        with pytest.raises((ValueError, TypeError), match=r"keys must be a floating-point tensor \(n, 3\) on cpu, got"):
            FeatureQueue(4, 3).update(wrong)  # type: ignore[arg-type]
    assert repr(FeatureQueue(4, 3)) == "FeatureQueue(size=4, dim=3)"


def test_one_process_gathers_itself() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    assert (distributed.world(), distributed.rank()) == (1, 0)
    assert torch.equal(distributed.gather(x), x) and not distributed.gather(x).requires_grad


TWO = """
import sys, torch, torch.distributed as dist
from skelaug_contrib import distributed
from skelaug_contrib.queue import FeatureQueue
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
assert (distributed.world(), distributed.rank()) == (2, rank)
queue = FeatureQueue(5, 1)
for step in range(3):
    strided = torch.tensor([[10 * step + 4 * rank, 9], [10 * step + 4 * rank + 1, 9]], dtype=torch.float32)[:, :1]
    queue.update(strided.requires_grad_())
print(queue.features[:, 0].tolist(), queue.cursor.item())
dist.destroy_process_group()
"""


def test_two_processes_hold_the_same_queue_in_rank_order(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", TWO]
    root, environment = Path(__file__).resolve().parents[2], os.environ | {"OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meet")], cwd=root, env=environment, stdout=subprocess.PIPE
        )
        for rank in range(2)
    ]
    printed = [process.communicate(timeout=120)[0].decode().strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    # 0 1 4 5, then 10 11 14 15, then 20 21 24 25, into five rows.
    assert printed == ["[24.0, 25.0, 15.0, 20.0, 21.0] 2"] * 2


def test_a_key_that_is_not_finite_is_never_stored() -> None:
    queue = FeatureQueue(4, 2)
    before = queue.features.clone()
    keys = torch.tensor([[1.0, 0.0], [math.nan, 0.0], [0.0, math.inf]])
    queue.update(keys)
    assert torch.equal(queue.features, torch.stack([keys[0], *before[1:]]))
    assert int(queue.cursor) == 3
