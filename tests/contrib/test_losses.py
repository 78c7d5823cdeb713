"""The streamed losses against the textbook, mathematics by hand, and what they promise about memory and devices."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from ghost import GhostMode
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from skelaug_contrib.losses import (
    DIRECTIONS,
    TARGETS,
    hiclr_loss,
    hierarchical_losses,
    info_nce,
    nearest,
    textbook_losses,
)

TEMPERATURES = [0.005, 0.01, 0.02, 0.07, 0.3, 1.0]


def unit(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def views(k: int, n: int = 6, d: int = 16, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Views of one thing: alike, the later the less."""
    base, noise = unit(n, d, seed=seed, dtype=dtype), unit(k, n, d, seed=seed + 1, dtype=dtype)
    return [normalize(base + 0.4 * i * noise[i], dim=1).requires_grad_() for i in range(k)]


def gradients(form: Any, queries: list[Tensor], *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Info, consistency, and the gradients ``(k, N, D)`` of a sum that gives each loss its own weight."""
    info, consistency = form(queries, *args, **kwargs)
    weights = torch.linspace(0.5, 1.5, len(consistency), dtype=info.dtype) / max(1, len(consistency))
    found = torch.autograd.grad(info + (weights * consistency).sum(), queries)
    return info.detach(), consistency.detach(), torch.stack(found)


def assert_close(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...], tolerance: float = 1e-5) -> None:
    """Equal to 1e-5 of the size of the numbers (the largest, but at least 1): what float32 can tell of exp(200)."""
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        if theirs.numel():
            assert torch.isfinite(ours).all()
            assert (ours - theirs).abs().max().item() <= tolerance * max(1.0, theirs.abs().max().item())


def assert_exact(queries: list[Tensor], key: Tensor, queue: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Streamed is the textbook in float64: nearly all digits in float64, 1e-5 in float32."""
    wide = [query.detach().double().requires_grad_() for query in queries], key.double(), queue.double()
    exact = gradients(textbook_losses, *wide, *args, **kwargs)
    assert_close(gradients(hierarchical_losses, *wide, *args, **kwargs), exact, 1e-11)
    streamed = gradients(hierarchical_losses, queries, key, queue, *args, **kwargs)
    assert all(each.dtype == torch.float32 for each in streamed)
    assert_close(streamed, exact)
    return streamed


def assert_equal(queries: list[Tensor], key: Tensor, queue: Tensor, *args: Any, **kwargs: Any) -> None:
    """Streamed is textbook in value and gradient, in float64 and in float32."""
    streamed = assert_exact(queries, key, queue, *args, **kwargs)
    assert_close(streamed, gradients(textbook_losses, queries, key, queue, *args, **kwargs))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize(("targets", "direction"), list(itertools.product(TARGETS, DIRECTIONS)))
def test_streamed_is_textbook(temperature: float, k: int, targets: str, direction: str) -> None:
    for length in (0, 1, 300):
        branches = views(k)
        key, queue = normalize(branches[0].detach() + 0.3 * unit(6, 16, seed=5), dim=1), unit(length, 16, seed=7)
        assert_equal(branches, key, queue, temperature, targets=targets, direction=direction)


@given(
    seed=st.integers(0, 1000),
    k=st.sampled_from([1, 2, 3, 5]),
    n=st.integers(1, 9),
    d=st.integers(2, 40),
    length=st.integers(0, 200),
    picks=st.none() | st.integers(0, 5),
    temperature=st.floats(0.005, 1),
    targets=st.sampled_from(TARGETS),
    direction=st.sampled_from(DIRECTIONS),
)
def test_streamed_is_textbook_anywhere(
    seed: int,
    k: int,
    n: int,
    d: int,
    length: int,
    picks: int | None,
    temperature: float,
    targets: str,
    direction: str,
) -> None:
    positives = None
    if picks is not None:
        generator = torch.Generator().manual_seed(seed)
        positives = torch.randint(max(length, 1), (n, picks if length else 0), generator=generator)
    branches, key, queue = views(k, n, d, seed), unit(n, d, seed=seed + 2), unit(length, d, seed=seed + 3)
    assert_equal(branches, key, queue, temperature, targets=targets, direction=direction, positives=positives)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_many_blocks_in_any_order(temperature: float, order: str) -> None:
    """The running maximum rises in each of 98 blocks, never after the first, or anyhow."""
    branches, key, queue = views(3, 3, 8), unit(3, 8, seed=5), unit(100_000, 8, seed=7)
    likeness = queue @ branches[0][0].detach()
    if order != "shuffled":
        queue = queue[likeness.argsort(descending=order == "falling")]
    assert_exact(branches, key, queue, temperature, direction="symmetric")  # float32 fails the textbook on such sums


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("length", [0, 5, 300])
def test_all_cosines_negative(temperature: float, length: int) -> None:
    """A maximum that started at 0 would underflow."""
    branches = [normalize(1 + 0.1 * v.detach().abs(), dim=1).requires_grad_() for v in views(3)]
    key, queue = -normalize(1 + 0.1 * unit(6, 16, seed=5).abs(), dim=1), -unit(length, 16, seed=7).abs()
    assert (branches[0] @ key.T).max() < -0.9
    found = gradients(hierarchical_losses, branches, key, queue, temperature)
    # Every logit is near -1 / τ, where float32 has steps of 2^-23 / τ or so: 2e-5 at .005.
    tolerance = max(1e-5, 2**-22 / temperature)
    assert_close(found, gradients(textbook_losses, branches, key, queue, temperature), tolerance)


def test_the_papers_size() -> None:
    assert_equal(views(3, 32, 128), unit(32, 128, seed=5), unit(8192, 128, seed=7), 0.07)


def test_a_case_worked_by_hand() -> None:
    """Logits of view 0: (1, 0), of view 1: (0, 1); so p is (s, 1 - s) and (1 - s, s), s = 1 / (1 + 1/e)."""
    first = torch.tensor([[1.0, 0.0]], requires_grad=True)
    second = torch.tensor([[0.0, 1.0]], requires_grad=True)
    key, queue, s = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 1 / (1 + math.exp(-1))
    for form in (hierarchical_losses, textbook_losses):
        info, consistency = form([first, second], key, queue, 1.0)
        assert info.item() == pytest.approx(-math.log(s), abs=1e-6)
        assert consistency.tolist() == pytest.approx([-s * math.log(1 - s) - (1 - s) * math.log(s)], abs=1e-6)
        of_info = torch.autograd.grad(info, first, retain_graph=True)[0]
        assert of_info.tolist()[0] == pytest.approx([s - 1, 1 - s], abs=1e-6)
        of_consistency = torch.autograd.grad(consistency.sum(), second)[0]
        assert of_consistency.tolist()[0] == pytest.approx([1 - 2 * s, 2 * s - 1], abs=1e-6)


def test_the_target_and_direction_are_what_they_say() -> None:
    """Cross-entropies written out with plain softmax, for three views."""
    branches, key, queue, t = views(3), unit(6, 16, seed=5), unit(40, 16, seed=7), 0.2
    logits = [torch.cat([(v * key).sum(1, keepdim=True), v @ queue.T], 1).detach() / t for v in branches]
    p = [torch.softmax(each, 1) for each in logits]

    def cross(target: int, learner: int) -> float:
        return -(p[target] * p[learner].log()).sum(1).mean().item()

    wanted = {
        ("previous", "asymmetric"): [cross(0, 1), cross(1, 2)],
        ("previous", "reversed"): [cross(1, 0), cross(2, 1)],
        ("first", "asymmetric"): [cross(0, 1), cross(0, 2)],
        ("first", "reversed"): [cross(1, 0), cross(2, 0)],
    }
    for targets in TARGETS:
        both = torch.tensor([wanted[targets, "asymmetric"], wanted[targets, "reversed"]]).sum(0)
        wanted[targets, "symmetric"] = both.tolist()
    for (targets, direction), values in wanted.items():
        for form in (hierarchical_losses, textbook_losses):
            _, consistency = form(branches, key, queue, t, targets=targets, direction=direction)
            assert consistency.tolist() == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("targets", TARGETS)
def test_who_learns(targets: str) -> None:
    branches, key, queue = views(3), unit(6, 16, seed=5), unit(40, 16, seed=7)

    def learners(loss: Tensor) -> list[bool]:
        found = torch.autograd.grad(loss, branches, retain_graph=True, allow_unused=True)
        return [g is not None and bool((g != 0).any()) for g in found]

    source = 0 if targets == "first" else 1  # what view 2 is paired with
    for direction, wanted in {"asymmetric": {2}, "reversed": {source}, "symmetric": {2, source}}.items():
        info, consistency = hierarchical_losses(branches, key, queue, targets=targets, direction=direction)
        assert learners(info) == [True, False, False]
        assert learners(consistency[1]) == [i in wanted for i in range(3)]


def test_gradients_reach_queries_only() -> None:
    branches = views(3)
    key, queue = unit(6, 16, seed=5).requires_grad_(), unit(40, 16, seed=7).requires_grad_()
    positives = nearest(branches, queue)
    for form in (hierarchical_losses, textbook_losses):
        info, consistency = form(branches, key, queue, direction="symmetric", positives=positives)
        (info + consistency.sum()).backward()
        assert key.grad is None and queue.grad is None
        assert all(v.grad is not None and (v.grad != 0).any() for v in branches)


@pytest.mark.parametrize("length", [0, 30])
def test_gradcheck(length: int) -> None:
    """Each loss in the views that learn by it; the others, being targets, are held."""
    branches, t = views(3, 3, 5, dtype=torch.float64), 0.3
    key, queue = unit(3, 5, seed=5, dtype=torch.float64), unit(length, 5, seed=7, dtype=torch.float64)
    positives = torch.randint(30, (3, 4), generator=torch.Generator().manual_seed(0)) if length else None

    def consistency(learner: int, at: int, **kwargs: Any) -> Any:
        def loss(query: Tensor) -> Tensor:
            held = [v.detach() for v in branches]
            held[learner] = query
            return hierarchical_losses(held, key, queue, t, **kwargs)[1][at]

        return loss

    check = torch.autograd.gradcheck
    assert check(lambda q: info_nce(q, key, queue, t, positives=positives), branches[0])
    assert check(consistency(1, 0), branches[1]) and check(consistency(2, 1), branches[2])
    assert check(consistency(2, 1, targets="first"), branches[2])
    assert check(consistency(1, 1, direction="reversed"), branches[1])
    assert check(consistency(0, 1, direction="reversed", targets="first"), branches[0])


def test_positives_are_a_set() -> None:
    query, key, queue, t = views(1)[0], unit(6, 16, seed=5), unit(40, 16, seed=7), 0.2
    positives = torch.randint(5, (6, 7), generator=torch.Generator().manual_seed(0))
    log_p = torch.log_softmax(torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T], 1) / t, 1)
    wanted = 0.0
    for row, picks in zip(log_p.tolist(), positives.tolist(), strict=True):
        chosen = {0} | {pick + 1 for pick in picks}
        wanted -= sum(row[i] for i in chosen) / len(chosen) / 6
    assert info_nce(query, key, queue, t, positives=positives).item() == pytest.approx(wanted, abs=1e-5)
    assert_equal([query], key, queue, t, positives=positives)
    shuffled = positives[:, torch.randperm(7, generator=torch.Generator().manual_seed(1))]
    assert info_nce(query, key, queue, t, positives=shuffled).item() == pytest.approx(wanted, abs=1e-5)
    none = info_nce(query, key, queue, t, positives=positives[:, :0])
    assert torch.equal(none, info_nce(query, key, queue, t))


def test_the_three_names_agree() -> None:
    branches, key, queue = views(3), unit(6, 16, seed=5), unit(40, 16, seed=7)
    info, consistency = hierarchical_losses(branches, key, queue, 0.1, targets="first", direction="symmetric")
    assert torch.equal(info_nce(branches[0], key, queue, 0.1), hierarchical_losses(branches[:1], key, queue, 0.1)[0])
    total = hiclr_loss(branches, key, queue, 0.1, targets="first", direction="symmetric")
    assert torch.equal(total, info + consistency.mean())
    assert torch.equal(hiclr_loss(branches[:1], key, queue, 0.1), info_nce(branches[0], key, queue, 0.1))


@pytest.mark.parametrize("form", [hierarchical_losses, textbook_losses])
def test_float32_inside_autocast(form: Any) -> None:
    branches, key, queue = views(3, 8, 32), unit(8, 32, seed=5), unit(500, 32, seed=7)

    def run(inside: bool, dtype: torch.dtype, cast: torch.dtype) -> list[Tensor]:
        queries = [v.detach().to(dtype).to(cast).requires_grad_() for v in branches]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=inside):
            info, consistency = form(queries, key.to(dtype).to(cast), queue.to(dtype).to(cast), 0.02)
        assert info.dtype == consistency.dtype == torch.float32
        found = torch.autograd.grad(info + consistency.sum(), queries)
        assert all(each.dtype == cast for each in found)
        return [info, consistency, torch.stack(found).bfloat16()]

    for dtype, cast in ((torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16)):
        # bfloat16 inputs are as if their values had come in float32.
        for a, b in zip(run(False, dtype, torch.float32), run(True, dtype, cast), strict=True):
            assert torch.equal(a, b)


def test_backward_inside_autocast_too() -> None:
    branches, key, queue = views(3, 8, 32), unit(8, 32, seed=5), unit(500, 32, seed=7)
    plain = gradients(hierarchical_losses, branches, key, queue)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gradients(hierarchical_losses, branches, key, queue)
    assert all(torch.equal(a, b) for a, b in zip(plain, inside, strict=True))


def test_float64_stays_float64() -> None:
    branches = views(2, dtype=torch.float64)
    info, consistency = hierarchical_losses(branches, unit(6, 16, seed=5), unit(40, 16, seed=7))
    assert info.dtype == consistency.dtype == torch.float64


def test_the_queue_may_change_before_backward() -> None:
    branches, key, queue = views(3), unit(6, 16, seed=5), unit(40, 16, seed=7)
    kept = gradients(hierarchical_losses, branches, key, queue.clone())[2]
    info, consistency = hierarchical_losses(branches, key, queue)
    queue.zero_()
    found = torch.autograd.grad(info + (torch.tensor([0.25, 0.75]) * consistency).sum(), branches)
    assert torch.equal(torch.stack(found), kept)


def test_a_second_derivative_is_refused_not_wrong() -> None:
    branches, key, queue = views(1), unit(6, 16, seed=5), unit(40, 16, seed=7)
    with pytest.raises(NotImplementedError, match="no second derivative; use textbook_losses"):
        torch.autograd.grad(info_nce(branches[0], key, queue), branches, create_graph=True)


class Largest(TorchDispatchMode):
    """The size of the largest tensor that an operation makes, views of the queue apart."""

    def __init__(self, queue: Tensor) -> None:
        super().__init__()
        self.queue, self.numel = queue, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.untyped_storage().data_ptr() != self.queue.untyped_storage().data_ptr():
            self.numel = max(self.numel, out.numel())
        return out


def test_memory_does_not_grow_with_the_queue() -> None:
    branches, key = views(3, 64, 16), unit(64, 16, seed=5)
    largest, saved = [], []
    for length in (10_000, 100_000):
        queue, kept = unit(length, 16, seed=7), {}

        def pack(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with Largest(queue) as seen, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            info, consistency = hierarchical_losses(branches, key, queue)
        largest.append(seen.numel)
        saved.append(sum(kept.values()))
        (info + consistency.sum()).backward()
    assert largest[0] == largest[1] <= 1 << 19
    assert saved[0] == saved[1] < 20 * 64 * 3 * 16 * 4


@pytest.mark.parametrize("positives", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_runs_on_a_device_without_host_sync(positives: bool, dtype: torch.dtype) -> None:
    with GhostMode():
        branches = [torch.randn(4, 8, device="ghost", dtype=dtype, requires_grad=True) for _ in range(3)]
        key, queue = torch.randn(4, 8, device="ghost", dtype=dtype), torch.randn(300, 8, device="ghost")
        found = nearest(branches, queue)
        assert found.shape == (4, 3) and found.device.type == "ghost"
        for targets, direction in itertools.product(TARGETS, DIRECTIONS):
            loss = hiclr_loss(
                branches, key, queue, targets=targets, direction=direction, positives=found if positives else None
            )
            assert loss.device.type == "ghost" and loss.dtype == torch.float32
            loss.backward()
        assert all(v.grad is not None and v.grad.device.type == "ghost" for v in branches)


@pytest.mark.parametrize("length", [1, 200, 10_000])
def test_nearest_is_the_argmax(length: int) -> None:
    branches, queue = views(3, 3, 5), unit(length, 5, seed=7)
    found = nearest(branches, queue)
    assert found.shape == (3, 3) and found.dtype == torch.int64 and not found.requires_grad
    best = torch.stack([(v @ queue.T).max(1).values for v in branches], 1)
    picked = torch.stack([(v * queue[found[:, i]]).sum(1) for i, v in enumerate(branches)], 1)
    torch.testing.assert_close(picked, best, rtol=0, atol=1e-6)


def test_nearest_of_equals_is_the_first_and_of_none_is_nothing() -> None:
    query = unit(2, 8)
    assert nearest([query], query[[1, 0, 0, 1, 0]]).tolist() == [[1], [0]]
    copies = query[:1].expand(10_000, -1)  # several blocks of equal rows
    assert nearest([query[:1]], copies).tolist() == [[0]]
    none = nearest([query, query], unit(0, 8))
    assert none.shape == (2, 0) and none.dtype == torch.int64
    info_nce(query, query, unit(0, 8), positives=none)


@pytest.mark.parametrize("form", [hierarchical_losses, textbook_losses, hiclr_loss])
def test_bad_input_is_explained(form: Any) -> None:
    branches, key, queue = views(2), unit(6, 16, seed=5), unit(40, 16, seed=7)
    bad: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        (([], key, queue), {}, "queries is empty"),
        ((branches[0], key, queue), {}, r"queries must be a list of one \(N, D\) tensor a view"),
        (
            ([branches[0], branches[1][:3]], key, queue),
            {},
            r"queries\[1\] must be .* \(6, 16\) .* got float32 \(3, 16\)",
        ),
        ((branches, key[:5], queue), {}, r"key must be .* \(6, 16\) on cpu, got float32 \(5, 16\)"),
        ((branches, key, queue[:, :8]), {}, r"queue must be .* \(K, 16\) on cpu, got float32 \(40, 8\)"),
        ((branches, key.long(), queue), {}, "key must be a floating-point tensor"),
        ((branches, key, None), {}, r"queue must be .* \(K, 16\) on cpu, got None"),
        ((branches, key.to("meta"), queue), {}, "key must be .* on cpu, got .* on meta"),
        (([v[:0] for v in branches], key[:0], queue), {}, "batch is empty"),
        ((branches, key, queue, 0), {}, "temperature must be a number ≥ 0.0001, got 0"),
        ((branches, key, queue, math.nan), {}, "temperature must be a number"),
        ((branches, key, queue), {"targets": "last"}, "targets must be one of 'previous', 'first', got 'last'"),
        ((branches, key, queue), {"direction": "back"}, "direction must be one of 'asymmetric'"),
        ((branches, key, queue), {"positives": torch.full((6, 1), 40)}, "0 ≤ index < 40, got 40"),
        ((branches, key, queue), {"positives": torch.full((6, 1), -1)}, "0 ≤ index < 40, got -1"),
        ((branches, key, queue), {"positives": torch.zeros(5, 1, dtype=torch.int64)}, r"int64 tensor \(6, P\)"),
        ((branches, key, queue), {"positives": torch.zeros(6, 1)}, r"int64 tensor \(6, P\)"),
    ]
    for args, kwargs, message in bad:
        with pytest.raises((ValueError, TypeError), match=f"{form.__name__}.*{message}"):
            form(*args, **kwargs)
