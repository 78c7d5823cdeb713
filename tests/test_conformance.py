"""One suite over every transform and policy of the table in ``cases.py``."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import torch._dynamo.testing
from cases import (
    CASES,
    LABELS,
    POLICIES,
    SCORED,
    TRANSFORMS,
    Case,
    V,
    generator,
    keys,
    labelled,
    make_batch,
    make_mask,
    make_x,
)
from ghost import GhostMode
from torch import Tensor
from torch.utils import _pytree as pytree

import skelaug
from skelaug import SkeletonBatch, Transform, config
from skelaug.policy import acts_on_graph

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
TOLERANCE = {torch.float16: 2e-2, torch.bfloat16: 1.5e-1, torch.float32: 1e-5, torch.float64: 1e-6}

every = pytest.mark.parametrize("case", CASES + SCORED, ids=repr)
gated = pytest.mark.parametrize("case", [c for c in CASES + SCORED if c.gated], ids=repr)


def parts(out: Tensor | SkeletonBatch) -> list[Tensor]:
    """The tensors of a result."""
    return [out] if isinstance(out, Tensor) else [v for v in (out.x, out.mask, out.graph, out.label) if v is not None]


def takes(transform: Transform, x: Tensor) -> Any:
    """``x`` as the transform takes it: those of the graph need a batch."""
    return SkeletonBatch(x) if acts_on_graph(transform) else x


def assert_same(a: Any, b: Any) -> None:
    """Bit-equal results."""
    for left, right in zip(parts(a), parts(b), strict=True):
        assert left.dtype == right.dtype and torch.equal(left, right)


def assert_near(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    """Equal up to rounding; masks exactly."""
    for left, right in zip(parts(a), parts(b), strict=True):
        if left.dtype == torch.bool:
            assert torch.equal(left, right)
        else:
            torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance, check_dtype=False)


def x_of(out: Tensor | SkeletonBatch) -> Tensor:
    return out if isinstance(out, Tensor) else out.x


def rows(params: Any, index: slice) -> Any:
    return pytree.tree_map(lambda v: v[index], params)


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_keeps_shape_dtype_device_and_input(case: Case, dtype: torch.dtype) -> None:
    transform, x, batch = case.make(), make_x(dtype=dtype), make_batch(dtype=dtype)
    before, seen, mask = x.clone(), batch.x.clone(), batch.mask.clone()
    out, out_batch = transform(takes(transform, x), generator=generator()), transform(batch, generator=generator())
    assert isinstance(out, SkeletonBatch) == acts_on_graph(transform)
    assert isinstance(out_batch, SkeletonBatch)
    for result in (x_of(out), out_batch.x):
        n, c, t, v, m = x.shape
        assert result.shape == (n, c, transform.length or t, v, m)
        assert result.dtype == dtype and result.device == x.device
        assert torch.isfinite(result).all()
    assert out_batch.mask.shape == (5, *out_batch.x.shape[2:])
    assert torch.equal(x, before) and torch.equal(batch.x, seen) and torch.equal(batch.mask, mask)
    assert torch.equal(out_batch.label, batch.label)


@every
def test_one_seed_is_one_augmentation_in_every_dtype(case: Case) -> None:
    transform = case.make()
    wide = transform(make_batch(dtype=torch.float64), keys=keys(5))
    for dtype in DTYPES[:3]:
        narrow = transform(make_batch(dtype=dtype), keys=keys(5))
        assert torch.equal(narrow.mask, wide.mask)
        scale = wide.x.abs().max()
        assert (narrow.x.double() - wide.x).abs().max() <= TOLERANCE[dtype] * scale


@every
def test_forward_is_replay_of_sample(case: Case) -> None:
    transform = case.make()
    for x in (takes(transform, make_x()), make_batch()):
        params = transform.sample(x, generator=generator())
        out, again = transform(x, generator=generator(), return_params=True)
        assert_same(out, transform.replay(x, params))
        assert_same(out, transform.replay(x, params))
        for a, b in zip(pytree.tree_leaves(params), pytree.tree_leaves(again), strict=True):
            assert torch.equal(a, b)
            assert a.shape[0] == 5 and a.dtype in (torch.float32, torch.int64, torch.bool)
            assert not a.requires_grad


@every
def test_a_batch_is_each_sample_alone(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    params = transform.sample(batch, generator=generator())
    whole = transform.replay(batch, params)
    for i in range(5):
        assert_near(whole[i], transform.replay(batch[i], rows(params, slice(i, i + 1))), 1e-6)


@every
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(case: Case, kind: str) -> None:
    transform, batch, label = case.make(), labelled(kind), LABELS[kind]
    params = transform.sample(batch, keys=keys(5))
    out = transform(batch, keys=keys(5))
    assert_same(out, transform.replay(batch, params))
    plain = transform(make_batch(), keys=keys(5))
    assert torch.equal(out.x, plain.x) and torch.equal(out.mask, plain.mask), "a label changed what was drawn"
    assert out.label_axis == kind and out.label.dtype == label.dtype and torch.equal(batch.label, label)
    assert torch.equal(out.label, label) if kind != "frame" else out.label.shape == (5, out.x.shape[2])
    for i in range(5):
        assert torch.equal(transform.replay(batch[i], rows(params, slice(i, i + 1))).label[0], out.label[i])
    if kind == "frame":
        own = (out.label == -100) | (out.label // 12 == torch.arange(5)[:, None])
        assert own.all(), "a frame has the label of another sample"
    if case.gated:
        half, drawn = case.make(p=0.5)(batch, generator=generator(), return_params=True)
        assert torch.equal(half.label[~drawn["apply"]], label[~drawn["apply"]])


@gated
def test_gated_out_samples_are_bit_equal(case: Case) -> None:
    transform, batch = case.make(p=0.5), make_batch()
    for seed in range(3):
        out, params = transform(batch, generator=generator(seed), return_params=True)
        kept = ~params["apply"]
        assert torch.equal(out.x[kept], batch.x[kept]) and torch.equal(out.mask[kept], batch.mask[kept])
        applied = case.make(p=1.0).replay(batch, {k: v for k, v in params.items() if k != "apply"})
        assert torch.equal(out.x[~kept], applied.x[~kept])


@gated
def test_p_0_is_the_identity(case: Case) -> None:
    transform = case.make(p=0.0)
    x, batch = make_x(), make_batch()
    assert torch.equal(x_of(transform(takes(transform, x))), x)
    out = transform(batch)
    assert torch.equal(out.x, batch.x) and torch.equal(out.mask, batch.mask)


@gated
def test_p_is_the_share_of_samples(case: Case) -> None:
    apply = case.make(p=0.3).sample(make_x(600, t=6, m=1), keys=keys(600))["apply"]
    assert 0.2 < apply.float().mean() < 0.4  # 5 sigma


@every
def test_absent_people_stay_zero_and_absent(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    for seed in range(5):
        out = transform(batch, generator=generator(seed))
        assert (out.x[~out.mask[:, None].expand_as(out.x)] == 0).all()
        never = ~batch.mask.any(1).any(1)  # (N, M): people who are in no frame
        assert never.sum() >= 3
        swapped = ~out.mask.any(1).any(1)
        assert (swapped.sum(1) >= never.sum(1)).all(), "somebody appeared"
    plain = torch.where(make_mask()[:, None], make_x(), 0)
    plain[0, ..., 1] = 0
    out = x_of(transform(takes(transform, plain), generator=generator()))
    assert (out[4] == 0).all(), "an empty sample must stay empty in a plain tensor too"
    assert (out[0] == 0).all(-2).all(0).any(-1).all(), "one of the two persons is absent in every frame"


@every
def test_same_generator_or_keys_same_result(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    state = torch.get_rng_state()
    assert_same(transform(batch, generator=generator(3)), transform(batch, generator=generator(3)))
    assert_same(transform(batch, keys=keys(5)), transform(batch, keys=keys(5)))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was touched"
    torch.manual_seed(1)
    first = transform(batch)
    torch.manual_seed(1)
    assert_same(first, transform(batch))


@every
def test_keys_bind_a_draw_to_its_sample(case: Case) -> None:
    transform, batch, k = case.make(), make_batch(), keys(5)
    whole, order = transform(batch, keys=k), torch.tensor([3, 0, 4, 2, 1])
    assert_near(transform(batch[order], keys=k[order]), whole[order], 1e-6)
    if not case.on_others:
        assert_near(transform(batch[1:3], keys=k[1:3]), whole[1:3], 1e-6)


@pytest.mark.parametrize("case", [c for c in CASES + SCORED if c.random], ids=repr)
def test_every_sample_has_its_own_draw(case: Case) -> None:
    transform, n = case.make(), 24
    x = make_x(1).expand(n, -1, -1, -1, -1)
    if case.on_others:  # equal samples have equal statistics: let them differ in size
        x = x * torch.linspace(1, 2, n).view(n, 1, 1, 1, 1)
    x = takes(transform, x)
    for given in ({"generator": generator()}, {"keys": keys(n)}, {}):
        params = transform.sample(x, **given)
        drawn = torch.cat([v.reshape(n, -1).double() for v in pytree.tree_leaves(params)], 1)
        assert drawn.unique(dim=0).shape[0] > 1, "all samples share a draw"
        out = transform.replay(x, params)
        seen = out.graph if isinstance(out, SkeletonBatch) and out.graph is not None else x_of(out)
        assert seen.flatten(1).detach().unique(dim=0).shape[0] > 1


@every
def test_equal_keys_are_one_draw_for_the_whole_batch(case: Case) -> None:
    x = make_x(1).expand(4, -1, -1, -1, -1).contiguous()
    out = x_of(case.make()(takes(case.make(), x), keys=skelaug.random.keys(3, 1, [7]).expand(4)))
    assert torch.equal(out, out[:1].expand_as(out))


@every
def test_gradients_are_right(case: Case) -> None:
    transform = case.make()
    batch = make_batch(3, 3, 6, 2, dtype=torch.float64)
    params = transform.sample(batch, generator=generator())

    def run(x: Tensor) -> Tensor:
        return transform.replay(batch.replace(x=x * batch.mask[:, None]), params).x

    torch.autograd.gradcheck(run, (batch.x.clone().requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("case", CASES + [pytest.param(c, marks=pytest.mark.slow) for c in SCORED], ids=repr)
def test_replay_compiles_once(case: Case) -> None:
    torch._dynamo.reset()
    transform = case.make()
    x = takes(transform, make_x())
    count = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    replay = torch.compile(transform.replay, fullgraph=True, backend=count)
    for seed in range(3):
        params = transform.sample(x, generator=generator(seed))
        assert_near(replay(x, params), transform.replay(x, params), 1e-6)
    assert count.frame_count == 1
    batch = make_batch()
    params = transform.sample(batch, generator=generator())
    assert_near(
        torch.compile(transform.replay, fullgraph=True, backend="aot_eager")(batch, params),
        transform.replay(batch, params),
        1e-6,
    )


@every
def test_runs_on_a_device_without_host_sync(case: Case) -> None:
    transform = case.make()

    def both(make_input: Any) -> None:
        x = make_input()
        out = transform(x)
        result = x_of(out)
        assert result.device.type == "ghost"
        if result.requires_grad:
            result.square().sum().backward()

    with GhostMode(allow_non_fake_inputs=True):
        for module in transform.modules():  # .to("ghost") cannot swap real storage for fake
            for name, value in module._parameters.items():
                module._parameters[name] = torch.nn.Parameter(torch.zeros(value.shape, device="ghost"))
            for name, value in module._buffers.items():
                module._buffers[name] = torch.ones(value.shape, device="ghost")
        if not acts_on_graph(transform):
            both(lambda: torch.randn(4, 3, 12, V, 2, device="ghost", requires_grad=True))
        both(
            lambda: SkeletonBatch(
                torch.randn(4, 3, 12, V, 2, device="ghost", requires_grad=True),
                torch.ones(4, 12, V, 2, device="ghost", dtype=torch.bool),
            )
        )
        ghost_keys = skelaug.random.keys(0, 0, torch.arange(4, device="ghost"))
        transform(takes(transform, torch.randn(4, 3, 12, V, 2, device="ghost")), keys=ghost_keys)


@every
def test_autocast_changes_nothing(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    plain = transform(batch, generator=generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(transform(batch, generator=generator()), plain)


@every
@pytest.mark.parametrize("shape", [(0, 3, 12, V, 2), (3, 3, 1, V, 2), (3, 3, 12, V, 1), (2, 3, 2, V, 3)], ids=str)
def test_edge_shapes(case: Case, shape: tuple[int, ...]) -> None:
    transform = case.make()
    n, c, t, _, m = shape
    for plain in (make_x(n, c, t, m), make_batch(n, c, t, m), torch.zeros(shape)):
        x = takes(transform, plain) if isinstance(plain, Tensor) else plain
        for given in ({}, {"keys": keys(n)}):
            out = x_of(transform(x, **given))
            assert out.shape == (n, c, transform.length or t, V, m) and torch.isfinite(out).all()


@every
def test_two_coordinates(case: Case) -> None:
    transform, batch = case.make(), make_batch(c=2)
    out = transform(batch)
    assert out.x.shape[1] == 2 and torch.isfinite(out.x).all()


@every
def test_non_contiguous_input(case: Case) -> None:
    transform, x = case.make(), make_x()
    strided = x.permute(0, 4, 2, 3, 1).contiguous().permute(0, 4, 2, 3, 1)
    assert not strided.is_contiguous()
    strided, x = takes(transform, strided), takes(transform, x)
    assert_near(transform(strided, generator=generator()), transform(x, generator=generator()), 1e-6)


@every
def test_tensor_and_full_batch_agree(case: Case) -> None:
    transform, x = case.make(), make_x()
    out = transform(SkeletonBatch(x), generator=generator())
    if not acts_on_graph(transform):
        assert_near(transform(x, generator=generator()), out.x, 1e-6)


@every
def test_stateless_and_copyable(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    before = {k: v for module in transform.modules() for k, v in module.__dict__.items() if k != "_parameters"}
    names = [sorted(module.__dict__) for module in transform.modules()]
    first = transform(batch, keys=keys(5))
    assert names == [sorted(module.__dict__) for module in transform.modules()], "a call stored something"
    after = {k: v for module in transform.modules() for k, v in module.__dict__.items() if k != "_parameters"}
    assert all(after[k] is v for k, v in before.items())
    for twin in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert_same(twin(batch, keys=keys(5)), first)
    assert all(name.endswith("token") for name in transform.state_dict())


@pytest.mark.parametrize("case", [c for c in CASES + SCORED if not c.foreign], ids=repr)
def test_plain_form_and_repr_rebuild_it(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    expected = transform(batch, keys=keys(5))
    again = config.from_dict(config.to_dict(transform))
    assert repr(again) == repr(transform)
    assert_same(again(batch, keys=keys(5)), expected)
    assert_same(config.from_yaml(config.to_yaml(transform))(batch, keys=keys(5)), expected)


@pytest.mark.parametrize("case", TRANSFORMS, ids=repr)
def test_wrong_input_is_explained(case: Case) -> None:
    transform = case.make()
    with pytest.raises(ValueError, match=r"\(N, C, T, V, M\).*to_layout"):
        transform(torch.randn(3, 12, V, 2))
    with pytest.raises(TypeError, match=r"floating point"):
        transform(torch.ones(2, 3, 12, V, 2, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"from_numpy"):
        transform([1.0])
    with pytest.raises(ValueError, match="keys must be an int64 tensor"):
        transform(make_x(), keys=keys(4))
    with pytest.raises(ValueError, match="not both"):
        transform(make_x(), keys=keys(5), generator=generator())
    params = transform.sample(takes(transform, make_x(4)))
    if params:
        with pytest.raises(ValueError, match="params are for 4 samples, x has 5"):
            transform.replay(takes(transform, make_x(5)), params)
    if acts_on_graph(transform):
        with pytest.raises(TypeError, match=r"wrap it, as in skelaug.SkeletonBatch"):
            transform(make_x())
    if transform.skeleton is not None:
        with pytest.raises(ValueError, match="'test8' has 8 joints, x has 9"):
            transform(torch.randn(2, 3, 12, 9, 2))
    if case.gated:
        for p in (-0.1, 1.5, "1", True):
            with pytest.raises(ValueError, match="p must be a probability"):
                case.make(p=p)


def test_the_table_is_complete() -> None:
    listed = {type(case.make()).__name__ for case in TRANSFORMS}
    assert listed == set(skelaug.transforms.__all__)
    named = {case.name.split("-")[0] for case in POLICIES}
    assert set(skelaug.policies.__all__) <= named
