"""``replay`` checks whose params it is given and what they were drawn for; and what it promises of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from cases import CASES, SKELETON, Case, keys, make_batch, make_x
from promises import THOROUGH, attempt, bits, inputs, is_clear, many, refuses, same_bits, tried, x_of
from torch import Tensor
from torch.utils import _pytree as pytree

from skelaug import Compose, GrowingPolicy, OneOf, SkeletonBatch, Transform, policies
from skelaug import transforms as T

every = pytest.mark.parametrize("case", CASES, ids=repr)
#: Their params are positions in a clip of a certain length, or joints of a certain body, whatever their shapes.
KNOW_T = ("CropResize", "CropResize-image", "SegmentSample", "ctrgcn", "pyskl_strong", "skateformer")


def draw(transform: Transform, x: Tensor | SkeletonBatch) -> Any:
    return transform.sample(x, keys=keys(len(x)))


def shapes(params: Any) -> dict[str, tuple[Any, ...]]:
    """Dtype and shape, without N, of every leaf by its path; the gate's left out."""
    leaves = pytree.tree_flatten_with_path(params)[0]
    return {pytree.keystr(path): (leaf.dtype, *leaf.shape[1:]) for path, leaf in leaves if "apply" not in str(path)}


def names(transform: Transform) -> tuple[str, ...]:
    """What the error must say: the transform; of a whole, the whole or the member that is wrong."""
    return () if list(transform.children()) or type(transform).__name__ == "View" else (type(transform).__name__,)


def at(n: int = 4, c: int = 3, t: int = 10, m: int = 2, v: int = 8) -> SkeletonBatch:
    x = make_x(n, c, t, m)
    return SkeletonBatch(x if v == 8 else torch.cat([x, x[:, :, :, : v - 8] + 1], 3) if v > 8 else x[:, :, :, :v])


# --- many samples: forward is replay of sample, a slice of params is a draw ------------------------------------------


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_forward_is_replay_of_sample_and_slices_are_draws(case: Case, dtype: torch.dtype) -> None:
    n = 420 if THOROUGH else 12
    transform, batch = case.make(), many(n, dtype=dtype)
    with torch.no_grad():
        out, params = transform(batch, keys=keys(n), return_params=True)
        assert same_bits(out, transform.replay(batch, params))
        assert same_bits(params, transform.sample(batch, keys=keys(n)))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
        part = order[: n // 3]
        again = transform.replay(batch[part], pytree.tree_map(lambda v: v[part], params))
    torch.testing.assert_close(again.x, out.x[part], rtol=1e-6, atol=1e-6)
    assert torch.equal(again.mask, out.mask[part])
    tried("replay", n)


@every
def test_params_survive_slicing_saving_and_loading(case: Case) -> None:
    transform = case.make()
    for x in [*inputs(case, make_x(4)), many(4)]:
        params = draw(transform, x)
        file = io.BytesIO()
        torch.save(params, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=True)
        with torch.no_grad():
            expected = transform.replay(x, params)
            assert same_bits(transform.replay(x, loaded), expected)
            for i in range(4):
                one = pytree.tree_map(lambda v, i=i: v[i : i + 1], loaded)
                alone = transform.replay(x[i : i + 1], one)
                torch.testing.assert_close(x_of(alone), x_of(expected)[i : i + 1], rtol=1e-6, atol=1e-6)
            joined = pytree.tree_map(lambda v: torch.cat([v, v[:2]]), params)
            double = SkeletonBatch.cat([x, x[:2]]) if isinstance(x, SkeletonBatch) else torch.cat([x, x[:2]])
            torch.testing.assert_close(
                x_of(transform.replay(double, joined))[4:], x_of(expected)[:2], rtol=1e-6, atol=1e-6
            )
        tried("replay", 10)


# --- whose params ----------------------------------------------------------------------------------------------------


@every
def test_params_of_other_keys_are_refused(case: Case) -> None:
    transform, batch = case.make(), make_batch()
    params, name = draw(transform, batch), type(transform).__name__
    wrongs: list[Any] = [None, [], 3, "params", {"no such": torch.zeros(5)}, params | {"no such": torch.zeros(5)}]
    wrongs += [{k: v for k, v in params.items() if k != left_out} for left_out in params if left_out != "apply"]
    wrongs += [params | {key: [1.0] * 5} for key in params] + [params | {key: None} for key in params]
    if params:
        wrongs.append({})
    for wrong in wrongs:
        with refuses(
            f"{name}.replay(x, {list(wrong) if isinstance(wrong, dict) else wrong})", *names(transform), "replay"
        ):
            transform.replay(batch, wrong)
    tried("errors", len(wrongs))


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    """What each case draws for one batch."""
    return {case.name: draw(case.make(), make_batch()) for case in CASES}


@every
def test_params_of_every_other_transform(case: Case, drawn: dict[str, Any]) -> None:
    """They are refused, or, where keys, shapes and dtypes are the same, they work."""
    transform, batch = case.make(), make_batch()
    words, own = names(transform), shapes(drawn[case.name])
    for other, params in drawn.items():
        with torch.no_grad():
            out, error = attempt(lambda params=params: transform.replay(batch, params))
        if shapes(params) == own:
            if error is not None:  # values that mean something else may be out of range, and that must be said
                assert is_clear(error, *words) is None, f"params of {other}: {is_clear(error, *words)}"
            else:
                assert out.x.shape[0] == 5 and out.mask.shape[1] == out.x.shape[2]
        else:
            assert error is not None, f"params of {other} are accepted without a word"
            assert is_clear(error, *words) is None, f"params of {other}: the error {is_clear(error, *words)}"
    tried("errors", len(drawn))


# --- drawn for another size ------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(("drawn_for", "given"), [(1, 5), (5, 1), (4, 5), (5, 4), (0, 3), (3, 0)])
def test_a_draw_for_another_number_of_samples_is_refused(case: Case, drawn_for: int, given: int) -> None:
    transform = case.make()
    params = draw(transform, at(drawn_for))
    if not params:
        return
    with refuses(f"{drawn_for} draws for {given} samples", *names(transform), str(drawn_for), str(given)):
        transform.replay(at(given), params)
    leaves, spec = pytree.tree_flatten(params)
    for i in range(len(leaves) if given == 4 else 0):  # one leaf alone is off
        mixed = pytree.tree_unflatten([v if j == i else v[:given] for j, v in enumerate(leaves)], spec)
        with refuses(f"leaf {i} has {drawn_for} rows for {given} samples", *names(transform)):
            transform.replay(at(given), mixed)
    tried("errors", 1 + len(leaves) * (given == 4))


@pytest.mark.parametrize("mode", ["independent", "nested"])
@pytest.mark.parametrize("stream", [None, T.Bone(SKELETON)], ids=repr)
def test_a_growing_policy_checks_too(mode: str, stream: Transform | None) -> None:
    stages = {"a": [T.TemporalCrop(3), T.Shear(0.5)], "b": [T.GaussianNoise(0.1)], "c": [T.JointMask(0.3)]}
    policy = GrowingPolicy(stages, mode=mode, stream=stream)
    params = policy.sample(at(5), keys=keys(5))
    first = pytree.tree_map(lambda v: v[:1], params)
    other = GrowingPolicy({**stages, "d": [T.JointMask(0.2)]}, mode=mode, stream=stream)
    turned = GrowingPolicy(stages, mode="nested" if mode == "independent" else "independent", stream=stream)
    tries: list[tuple[Any, Any]] = [
        (at(5), first),
        (at(1), params),
        (at(4), params),
        (at(5), {}),
        (at(5), None),
        (at(5), {"views": ()}),
        (at(5), {"nested": {}}),
        (at(5), other.sample(at(5), keys=keys(5))),
        (at(5), turned.sample(at(5), keys=keys(5))),
        (at(5, t=20), params),
        (at(5, t=6), params),
        (at(5, c=2), params),
        (at(5), params | {"more": torch.zeros(5)}),
    ]
    for x, wrong in tries:
        with refuses(f"GrowingPolicy.replay({x}, {shapes(wrong) if wrong else wrong})", "replay"):
            policy.replay(x, wrong)
    tried("errors", len(tries))
    for view, again in zip(policy.views(at(5), keys=keys(5)), policy.replay(at(5), params), strict=True):
        assert same_bits(view, again)


SIZES: list[tuple[str, int, int]] = [
    ("t", 10, 20),
    ("t", 20, 10),
    ("t", 1, 10),
    ("t", 10, 1),
    ("t", 10, 9),
    ("c", 3, 2),
    ("c", 2, 3),
    ("m", 2, 1),
    ("m", 1, 2),
    ("m", 2, 3),
    ("v", 8, 9),
    ("v", 9, 8),
    ("v", 1, 8),
]


@every
@pytest.mark.parametrize(("axis", "old", "new"), SIZES)
def test_a_draw_for_another_size(case: Case, axis: str, old: int, new: int) -> None:
    """Refused where the params depend on that size; a rotation works on another T."""
    transform = case.make()
    params, error = attempt(lambda: draw(transform, at(**{axis: old})))
    if error is not None:  # the skeleton's V, which has tests of its own
        assert axis == "v" and is_clear(error) is None, error
        return
    other, batch = at(**{axis: new}), at(**{axis: old})
    fresh, error = attempt(lambda: draw(transform, other))
    what = f"drawn for {axis.upper()} = {old}, replayed on {new}"
    if error is not None or shapes(fresh) != shapes(params):
        with refuses(what, *names(transform)):
            transform.replay(other, params)
    elif case.name == "SubtractJoint" and axis == "v":
        _, error = attempt(lambda: transform.replay(other, params))
        assert error is None or is_clear(error, "SubtractJoint") is None, error
    else:
        with torch.no_grad():
            out = transform.replay(other, params)
        assert out.x.shape[:2] == other.x.shape[:2] and torch.isfinite(out.x).all()
    with torch.no_grad():
        assert same_bits(transform.replay(batch, params), transform.replay(batch, params))
    tried("replay", 4)


@pytest.mark.parametrize("case", [c for c in CASES if c.name in KNOW_T], ids=repr)
def test_positions_in_a_clip_know_its_length(case: Case) -> None:
    transform = case.make()
    params = draw(transform, at(t=20))
    for frames in (10, 19, 21, 40):
        with refuses(f"positions in 20 frames, replayed on {frames}", *names(transform)):
            transform.replay(at(t=frames), params)


@pytest.mark.parametrize("make", [lambda: T.Rotate(30), lambda: T.Shear(0.5), lambda: T.Blur((0.3, 2), p=1.0)])
def test_a_rotation_works_on_another_length(make: Callable[[], Transform]) -> None:
    transform = make()
    params = draw(transform, at(t=10))
    assert transform.replay(at(t=20), params).x.shape[2] == 20


# --- hand-written indices --------------------------------------------------------------------------------------------

INDICES = ("frames", "joints", "persons", "joint", "position", "choice")


def written(params: Any, n: int = 5) -> Iterator[tuple[str, Any, Any]]:
    """Each entry of indices with one of them out of range in sample 1, and the same clamped: name, bad, clamped."""
    leaves, spec = pytree.tree_flatten_with_path(params)
    for place, (path, leaf) in enumerate(leaves):
        name = path[-1].key if hasattr(path[-1], "key") else ""
        if name not in INDICES or leaf.numel() == 0:
            continue
        size = {"frames": 12, "position": 12, "joints": 8, "joint": 8, "persons": 2, "choice": 3}[name]
        for value in (size, size + 1000, -1, -1000, 2**40 if leaf.dtype == torch.int64 else 1e9):
            bad = leaf.clone().contiguous()
            bad[1, ...] = value
            good = leaf.clone().contiguous()
            good[1, ...] = min(max(value, 0), size - 1)

            def with_leaf(new: Tensor, place: int = place) -> Any:
                return pytree.tree_unflatten([new if i == place else v for i, (_, v) in enumerate(leaves)], spec)

            yield name, with_leaf(bad), with_leaf(good)


def on(case: Case) -> Transform:
    return case.make(**({"p": 1.0} if case.gated else {}))


@every
def test_indices_out_of_range_are_refused(case: Case) -> None:
    transform, batch = on(case), make_batch()
    count = 0
    for name, bad, good in written(draw(transform, batch)):
        count += 1
        if name == "position":  # no index: it may be held inside the clip instead
            out, error = attempt(lambda bad=bad: transform.replay(batch, bad))
            if error is None:
                assert same_bits(out.x, transform.replay(batch, good).x)
                continue
        with refuses(f"{name} out of range", name):
            transform.replay(batch, bad)
    tried("errors", count)


@every
def test_compiled_indices_are_clamped_inside_their_own_sample(case: Case) -> None:
    """No value can be looked at there: the other samples stay bit-equal, and nothing is read from outside."""
    transform, batch = on(case), make_batch()
    params = draw(transform, batch)
    pairs = list(written(params))[: None if THOROUGH else 2]
    if not pairs:
        return
    torch._dynamo.reset()
    replay = torch.compile(transform.replay, fullgraph=True, backend="eager")
    others = torch.tensor([0, 2, 3, 4])
    with torch.no_grad():
        expected = replay(batch, params)
        for name, bad, good in pairs:
            out = replay(batch, bad)
            assert same_bits(out.x[others], expected.x[others]), f"{name}: another sample changed"
            assert same_bits(out.mask[others], expected.mask[others])
            if name != "choice":
                clamped = replay(batch, good)
                assert torch.equal(bits(out.x), bits(clamped.x)), f"{name}: not clamped inside the sample"
                assert torch.equal(out.mask, clamped.mask)
            tried("replay", 5)


def test_nan_in_positions_stays_in_its_sample() -> None:
    transform, batch = T.Speed(), make_batch()
    params = draw(transform, batch)
    position = params["position"].clone()
    position[1, 3] = torch.nan
    expected = transform.replay(batch, params)
    out, error = attempt(lambda: transform.replay(batch, params | {"position": position}))
    if error is not None:
        assert is_clear(error, "position", "Speed") is None, error
        return
    others = torch.tensor([0, 2, 3, 4])
    assert same_bits(out.x[others], expected.x[others]) and same_bits(out.mask[others], expected.mask[others])
    assert not out.x[~out.mask[:, None].expand_as(out.x)].any()


@pytest.mark.parametrize("container", [Compose, OneOf])
def test_containers_check_how_many_members_there_are(container: Any) -> None:
    transform = container([T.Shear(0.5), T.Translate(0.1)])
    params = draw(transform, make_batch())
    for members in ((), params["members"][:1], params["members"] * 2, params["members"][::-1], None, {}):
        with refuses(f"{container.__name__} with members {members}", "replay"):
            transform.replay(make_batch(), params | {"members": members})
    tried("errors", 6)


def test_a_view_takes_the_params_that_it_drew() -> None:
    policy = policies.hiclr(SKELETON)
    for i in range(3):
        params = draw(policy[i], make_batch())
        assert same_bits(policy[i].replay(make_batch(), params), policy[i](make_batch(), keys=keys(5)))
    with refuses("the params of view 0 for view 2", "replay"):
        policy[2].replay(make_batch(), draw(policy[0], make_batch()))
