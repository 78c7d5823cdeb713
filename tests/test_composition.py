"""A composition does what its members do one after another, and each member's draw sees what its op will see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, SKELETON, Case, generator, keys, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from oracle import SHOWN, Recorder, one_by_one
from promises import THOROUGH, acts_on_graph, attempt, inputs, is_clear, many, same_bits, tried, whole_persons
from torch import Tensor

from skelaug import Compose, OneOf, SkeletonBatch, Transform
from skelaug import transforms as T

seeds = st.integers(0, 2**31)
#: Transforms without chance in their draw: what they draw follows from the batch alone.
FIXED = (T.Reverse, T.PersonSwap, T.Mirror, T.SwapSides, T.NegateAxis)
#: Each holds a graph for one layer; graphs of other shapes have a test of their own.
MEMBERS = [case for case in CASES if case.name != "DropEdges-layers"]


# --- random compositions of the whole table --------------------------------------------------------------------------

Plan = Any  # an index of MEMBERS and whether it is gated, or (kind, plans, gated, which recorders)
leaf = st.tuples(st.integers(0, len(MEMBERS) - 1), st.booleans())
recorders = st.lists(st.sampled_from(["none", "presence", "data"]), min_size=5, max_size=5)
plans = st.recursive(
    leaf,
    lambda inner: st.tuples(
        st.sampled_from([Compose, Compose, OneOf]), st.lists(inner, min_size=1, max_size=4), st.booleans(), recorders
    ),
    max_leaves=6,
)
whole = st.tuples(st.just(Compose), st.lists(plans, min_size=2, max_size=4), st.booleans(), recorders)


def build(plan: Plan) -> tuple[Transform, bool]:
    """The transform that a plan describes, and whether it may stand in a OneOf or have p < 1."""
    if isinstance(plan[0], int):
        case, gated = MEMBERS[plan[0]], plan[1]
        transform = case.make(**({"p": 0.5} if gated and case.gated else {}))
        return transform, transform.length is None and not acts_on_graph(case)
    kind, inner, gated, notes = plan
    built = [build(one) for one in inner]
    free = all(may for _, may in built)
    if kind is OneOf and not free:
        kind = Compose
    members: list[Transform] = []
    for i, (member, _) in enumerate(built):
        if notes[i] != "none":
            members.append(Recorder(notes[i] == "data"))
        members.append(member)
    if notes[4] != "none":
        members.append(Recorder(notes[4] == "data"))
    return kind(members, p=0.5 if gated and free else 1.0), free


def far(a: Tensor, b: Tensor, tolerance: float) -> Tensor:
    """bool ``(N,)``: samples that differ by more than ``tolerance`` of their largest value."""
    size = torch.maximum(a.abs(), b.abs()).flatten(1).amax(1).clamp(min=1)
    return (a - b).abs().flatten(1).amax(1) > tolerance * size


@given(whole, seeds)
def test_random_compositions(plan: Plan, seed: int) -> None:
    transform, _ = build(plan)
    n = 24 if THOROUGH else 8
    batch = many(n, seed=seed, dtype=torch.float64)
    before = batch.replace(x=batch.x.clone(), mask=batch.mask.clone())
    with torch.no_grad():
        params = transform.sample(batch, keys=keys(n, seed))
        assert same_bits(batch, before), "sampling changed the batch"
        expected, walk = one_by_one(transform, batch, params, fixed=FIXED)
        shaken, other = one_by_one(transform, batch, params, noise=generator(seed))
        assert same_bits(batch, before), "replaying a member changed the batch"
        out = transform.replay(batch, params)
        assert same_bits(batch, before), "replaying changed the batch"
    assert not walk.wrong, walk.wrong
    for number, wanted in walk.seen.items():
        note = SHOWN[number]
        steady = wanted.on & (other.seen[number].mask == wanted.mask).flatten(1).all(1)
        assert note.mask.shape == wanted.mask.shape, "a draw was shown another number of frames"
        assert torch.equal(note.mask[steady], wanted.mask[steady]), "a draw was shown another presence"
        if getattr(_recorder(transform, number), "reads_data", False):
            steady = steady & ~far(wanted.x, other.seen[number].x, 1e-3)
            assert not far(note.x, wanted.x, 1e-4)[steady].any(), "a draw was shown other data"
    steady = ~far(expected.x, shaken.x, 1e-3) & (shaken.mask == expected.mask).flatten(1).all(1)
    assert torch.equal(out.mask[steady], expected.mask[steady])
    assert not far(out.x, expected.x, 1e-4)[steady].any()
    assert not out.x[~out.mask[:, None].expand_as(out.x)].any()
    tried("presence", n * (1 + len(walk.seen)))
    tried("mathematics", n * (1 + len(walk.seen)))


def _recorder(transform: Transform, number: int) -> Recorder | None:
    return next((m for m in transform.modules() if isinstance(m, Recorder) and m.number == number), None)


@pytest.mark.parametrize("case", MEMBERS, ids=repr)
def test_before_and_after_every_member(case: Case) -> None:
    """Each transform of the table between a crop before and a crop behind: all presence that they meet is right."""
    n = 120 if THOROUGH else 8
    for seed in range(8 if THOROUGH else 1):
        notes = [Recorder(False) for _ in range(3)]
        transform = Compose([T.TemporalCrop(2), notes[0], case.make(), notes[1], T.Reverse(p=1.0), notes[2]])
        batch = many(n, seed=seed)
        with torch.no_grad():
            params = transform.sample(batch, keys=keys(n, seed))
            expected, walk = one_by_one(transform, batch, params, fixed=FIXED)
            out = transform.replay(batch, params)
        assert not walk.wrong, walk.wrong
        for number, wanted in walk.seen.items():
            assert torch.equal(SHOWN[number].mask, wanted.mask)
        assert torch.equal(out.mask, expected.mask)
        tried("presence", 4 * n)


@pytest.mark.parametrize("case", [c for c in MEMBERS if not acts_on_graph(c)], ids=repr)
def test_a_plain_tensor_is_a_batch_whose_presence_was_inferred(case: Case) -> None:
    """Presence is inferred once, from the data that come in, and not again between members."""
    n = 100 if THOROUGH else 8
    transform = Compose([T.Reverse(p=1.0), T.Translate(1.0), case.make(), T.PersonDrop(p=0.5), T.TemporalCrop(3)])
    for seed in range(4 if THOROUGH else 1):
        x = whole_persons(many(n, seed=seed))
        with torch.no_grad():
            plain = transform(x, keys=keys(n, seed))
            batch = transform(SkeletonBatch(x), keys=keys(n, seed))
        torch.testing.assert_close(plain, batch.x, rtol=1e-5, atol=1e-5)
        assert not plain[~batch.mask[:, None].expand_as(plain)].any()
        tried("presence", n)


# --- a draw changes no batch that it reads ---------------------------------------------------------------------------

NESTS: dict[str, Callable[[Transform], Transform]] = {
    "alone": lambda t: t,
    "Compose": lambda t: Compose([t]),
    "after": lambda t: Compose([T.Scale((1, 1)), t, T.SkeleAdaIN()]),
    "nested": lambda t: Compose([T.Scale((2, 3)), Compose([T.JointMask(1.0), t, T.SkeleAdaIN()]), T.SkeleAdaIN()]),
    "OneOf": lambda t: Compose([T.Scale((1, 1)), OneOf([t, T.SkeleAdaIN(), T.JointMask(1.0)]), T.SkeleAdaIN()]),
    "deep": lambda t: OneOf([Compose([T.Shear(0.5), Compose([t, T.GaussianNoise(1.0), T.SkeleAdaIN()], p=0.5)])]),
}


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_sampling_changes_no_batch(case: Case) -> None:
    inner = case.make()
    free = not acts_on_graph(case) and inner.length is None
    for name, nest in NESTS.items():
        if name in ("OneOf", "deep") and not free:
            continue
        transform = nest(inner)
        for x in (
            [*inputs(case, make_x(3)), make_batch()] if THOROUGH or name in ("alone", "nested") else [make_batch()]
        ):
            before = x.clone() if isinstance(x, Tensor) else x.replace(x=x.x.clone(), mask=x.mask.clone())
            params = transform.sample(x, keys=keys(len(x)))
            assert same_bits(x, before), name
            with torch.no_grad():
                transform.replay(x, params)
            assert same_bits(x, before), name
            tried("presence", len(x))


# --- the examples --------------------------------------------------------------------------------------------


def test_a_gated_out_whole_with_adain_leaves_the_outer_batch_alone() -> None:
    x = make_x(8)
    transform = Compose([T.Scale((1, 1)), Compose([T.JointMask(1.0), T.SkeleAdaIN()], p=0.0), T.SkeleAdaIN()])
    y, params = transform(x, keys=keys(8), return_params=True)
    alone = Compose([T.Scale((1, 1)), T.Scale((1, 1)), T.SkeleAdaIN()])(x, keys=keys(8))
    torch.testing.assert_close(y, alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(y, T.SkeleAdaIN().replay(x, params["members"][2]), rtol=1e-5, atol=1e-5)
    assert y.abs().mean() > 0.1


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("lost", [0, 3])
def test_reverse_before_another_time_map_with_one_lost_frame(lost: int, nested: bool) -> None:
    """A crop may begin with the lost frame; then the last member has a shorter span to reverse."""
    reverse, crop, again = T.Reverse(p=1.0), T.TemporalCrop(1), T.Reverse(p=1.0)
    transform = Compose([Compose([reverse, crop]), again] if nested else [reverse, crop, again])
    mask = torch.ones(40, 8, 8, 2, dtype=torch.bool)
    mask[:, lost] = False
    batch = SkeletonBatch(make_x(40, t=8), mask)
    params = transform.sample(batch, keys=keys(40))
    expected, _ = one_by_one(transform, batch, params)
    out = transform.replay(batch, params)
    members = params["members"]
    first, second, last = (*members[0]["members"], members[1]) if nested else members
    cropped = crop.replay(reverse.replay(batch, first), second)
    assert torch.equal(again.sample(cropped)["frames"], last["frames"]), "drawn for another presence"
    assert torch.equal(out.mask, expected.mask) and torch.allclose(out.x, expected.x)


@pytest.mark.parametrize("stream", [T.Bone(SKELETON), T.BoneMotion(SKELETON)], ids=repr)
def test_person_drop_after_bones_under_joint_masks(stream: Transform) -> None:
    """Person 1 shows joints, but no bone: after Bone it is nobody, and the other one may not be dropped."""
    mask = torch.ones(64, 12, 8, 2, dtype=torch.bool)
    mask[..., 1] = False
    mask[:, :, 3, 1] = True  # a hand without its parent
    batch = SkeletonBatch(make_x(64), mask)
    transform = Compose([stream, T.PersonDrop(p=1.0)])
    out, params = transform(batch, keys=keys(64), return_params=True)
    there = stream.replay(batch, {}).mask.flatten(1, 2).any(1)
    assert (there.sum(1) == 1).all(), "the test needs a person that Bone takes away"
    assert not params["members"][1]["drop"].any(), "the last person was dropped"
    assert out.mask.flatten(1).any(1).all()


@pytest.mark.parametrize("stats", ["sequence", "frame"])
def test_a_draw_that_reads_data_after_a_presence_that_reads_data(stats: str) -> None:
    """SkeleAdaIN behind the foreign transform that reads a coordinate to decide who is there."""
    from foreign import Fence

    transform = Compose(
        [T.Translate(0.5), Compose([Fence(), T.Reverse(p=1.0)]), T.TemporalCrop(3), T.SkeleAdaIN(stats)]
    )
    batch = make_batch()
    params = transform.sample(batch, keys=keys(5))
    expected, walk = one_by_one(transform, batch, params, fixed=FIXED)
    out = transform.replay(batch, params)
    assert not walk.wrong, walk.wrong
    assert torch.equal(out.mask, expected.mask)
    torch.testing.assert_close(out.x, expected.x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("second", [1, 2, 3])
@pytest.mark.parametrize("kinds", [(T.DropEdges, T.AddEdges), (T.AddEdges, T.DropEdges)])
def test_graphs_of_other_layers_never_mix_samples(kinds: tuple[Any, Any], first: int, second: int) -> None:
    """Edges for other layers in one Compose: refused in clear words, or applied one after another."""
    batch = make_batch(2)  # as many samples as layers
    members = [kinds[0](0.4, SKELETON, layers=first, p=1.0), kinds[1](0.4, SKELETON, layers=second, p=1.0)]
    drawn, error = attempt(lambda: Compose(members)(batch, keys=keys(2), return_params=True))
    if error is not None:
        assert is_clear(error, "layers", "Edges") is None, error
        return
    (out, params), transform = drawn, Compose(members)
    expected = members[1].replay(members[0].replay(batch, params["members"][0]), params["members"][1])
    assert out.graph.shape == expected.graph.shape
    assert same_bits(out.graph, expected.graph)
    alone = [transform.replay(batch[i], _slice(params, i)) for i in range(2)]
    for i in range(2):
        assert same_bits(alone[i].graph, out.graph[i : i + 1]), "the samples share edges"


def test_graphs_of_another_number_of_partitions() -> None:
    one = torch.eye(8)[None] + torch.ones(1, 8, 8) / 8
    out, error = attempt(
        lambda: Compose([T.DropEdges(0.4, one), T.AddEdges(0.2, SKELETON)])(make_batch(), keys=keys(5))
    )
    if error is not None:
        assert is_clear(error, "graph") is None, error
    else:  # the batch's own graph goes before the transform's
        assert out.graph.shape == (5, 1, 8, 8)


def test_add_edges_says_that_a_graph_of_ones_has_no_room() -> None:
    ones = torch.ones(3, 8, 8)
    out = T.AddEdges(0.5, ones)(make_batch(), keys=keys(5))
    assert torch.equal(out.graph, ones.expand(5, 3, 8, 8))
    assert T.AddEdges.__doc__ is not None and "has no room for another edge and stays as it is" in T.AddEdges.__doc__
    both = Compose([T.DropEdges(0.5, ones), T.AddEdges(0.5, ones)])(make_batch(), keys=keys(5))
    assert not torch.equal(both.graph, ones.expand(5, 3, 8, 8)), "what was dropped is room"


def _slice(params: Any, i: int) -> Any:
    return torch.utils._pytree.tree_map(lambda v: v[i : i + 1], params)
