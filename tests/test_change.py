"""Changes joined and applied at once are the changes applied one by one."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from cases import TRANSFORMS, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skelaug import Compose, SkeletonBatch, change, check
from skelaug.change import MAPS, Change
from skelaug.transform import Transform

LINEAR = [case for case in TRANSFORMS if case.make().linear]

members = st.lists(st.tuples(st.sampled_from(LINEAR), st.booleans()), min_size=1, max_size=8)


def build(chosen: list[tuple[object, bool]]) -> Compose:
    return Compose([case.make(p=0.5) if gate and case.gated else case.make() for case, gate in chosen])  # type: ignore[attr-defined]


def one_by_one(run: Compose, params: dict, x: SkeletonBatch) -> SkeletonBatch:
    for member, drawn in zip(run, params["members"], strict=True):
        x = member.replay(x, drawn)
    return x


def joined(first: Change, second: Change) -> Change:
    both = first.then(second)
    assert both is not None
    return both


def parts(both: Change) -> dict[str, Tensor]:
    values = {field.name: getattr(both, field.name) for field in dataclasses.fields(both)}
    return {name: value for name, value in values.items() if value is not None}


def test_the_table_has_the_linear_transforms_of_the_design() -> None:
    names = {case.name for case in LINEAR}
    assert {"Shear", "Rotate", "Scale", "Translate", "Mirror", "SwapSides", "AxisMask", "TemporalCrop"} <= names
    assert {"Reverse", "Speed", "Speed-nearest", "Blur", "CropResize", "SegmentSample", "TimeWarp"} <= names
    assert {"GaussianNoise", "JointMask", "JointTimeMask", "PersonSwap"} <= names
    assert "Blur-released" not in names, "weights that do not sum to one do not commute with offsets"
    assert {"JointMask-mean", "JointMask-token", "LimbMask", "GaussianNoise-relative"}.isdisjoint(names)


@given(members, st.integers(0, 2**31))
def test_fused_equals_one_by_one_on_present_data(chosen: list, seed: int) -> None:
    run = build(chosen)
    x = SkeletonBatch(make_x(dtype=torch.float64, seed=seed % 97))
    params = run.sample(x, generator=torch.Generator().manual_seed(seed))
    fused, slow = run.replay(x, params), one_by_one(run, params, x)
    assert fused.mask.all() and slow.mask.all()
    # Params are float32 and matrices multiply in float32.
    assert (fused.x - slow.x).abs().max() <= 1e-5 * slow.x.abs().max()


@given(members, st.integers(0, 2**31))
def test_fused_equals_one_by_one_with_gaps(chosen: list, seed: int) -> None:
    run, x = build(chosen), make_batch(dtype=torch.float64)
    params = run.sample(x, generator=torch.Generator().manual_seed(seed))
    fused, slow = run.replay(x, params), one_by_one(run, params, x)
    assert torch.equal(fused.mask, slow.mask)
    assert (fused.x[~fused.mask[:, None].expand_as(fused.x)] == 0).all()
    assert (fused.x - slow.x).abs().max() <= 1e-5 * max(1.0, float(slow.x.abs().max()))


def test_matrices_multiply_in_the_order_of_the_members() -> None:
    turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])  # e_x to e_y
    flat = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])  # y away
    assert joined(Change(matrix=turn), Change(matrix=flat)).matrix.tolist() == [[[0.0, -1.0], [0.0, 0.0]]]
    assert joined(Change(matrix=flat), Change(matrix=turn)).matrix.tolist() == [[[0.0, 0.0], [1.0, 0.0]]]


def test_diagonals_join_matrices_in_the_order_of_the_members() -> None:
    turn, flat = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]]), torch.tensor([[1.0, 0.0]])
    after, before = joined(Change(matrix=turn), Change(matrix=flat)), joined(Change(matrix=flat), Change(matrix=turn))
    assert after.matrix.tolist() == [[[0.0, -1.0], [0.0, 0.0]]]
    assert before.matrix.tolist() == [[[0.0, 0.0], [1.0, 0.0]]]
    assert joined(Change(matrix=flat), Change(matrix=3 * flat)).matrix.tolist() == [[3.0, 0.0]]
    assert joined(Change(offset=flat + 1), Change(matrix=3 * flat)).offset.tolist() == [[6.0, 0.0]]


def test_an_offset_is_moved_by_the_matrices_that_follow() -> None:
    turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    one, two = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    assert joined(Change(offset=one), Change(matrix=turn, offset=two)).offset.tolist() == [[0.0, 6.0]]
    assert joined(Change(matrix=turn), Change(offset=one)).offset.tolist() == [[1.0, 0.0]]


def test_an_offset_of_each_person_goes_where_the_persons_go() -> None:
    apart, swap = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[1, 0]])
    assert joined(Change(offset=apart), Change(persons=swap)).offset.tolist() == [[[2.0, 1.0]]]
    both = joined(Change(offset=apart), Change(offset=torch.tensor([[10.0]])))
    assert both.offset.tolist() == [[[11.0, 12.0]]]
    x = torch.tensor([100.0, 200.0]).view(1, 1, 1, 1, 2)
    moved = change.apply(SkeletonBatch(x), joined(Change(offset=apart), Change(persons=swap)))
    assert moved.x.flatten().tolist() == [202.0, 101.0]


def test_index_maps_compose_by_hand() -> None:
    first, second = torch.tensor([[2, 0, 1]]), torch.tensor([[1, 1, 0]])
    x = torch.tensor([10.0, 20.0, 30.0]).view(1, 1, 3, 1, 1)
    both = joined(Change(frames=first), Change(frames=second))
    assert both.frames.tolist() == [[0, 0, 2]]
    assert change.apply(SkeletonBatch(x), both).x.flatten().tolist() == [10.0, 10.0, 30.0]


def test_what_does_not_fit_into_one_pass() -> None:
    blur, crop = Change(kernel=torch.ones(1, 3)), Change(position=torch.zeros(1, 4))
    assert blur.then(blur) is None and blur.then(crop) is None
    assert blur.then(Change(frames=torch.zeros(1, 4, dtype=torch.int64))) is not None
    noise, hide = Change(noise=torch.zeros(1, 3, 4, 2, 1)), Change(hide=torch.ones(1, 1, 2, dtype=torch.bool))
    assert noise.then(blur) is None and hide.then(noise) is None and hide.then(crop) is None
    assert noise.then(hide) is not None and hide.then(hide) is not None
    turn = torch.eye(2)[None]
    assert Change(matrix=turn, coords=(0, 1)).then(Change(matrix=turn, coords=(1, 2))) is None
    swap = Change(joints=torch.tensor([[1, 0]]))
    for both in (Change(matrix=turn, coords=(0, 1)).then(swap), swap.then(Change(matrix=turn, coords=(0, 1)))):
        assert both is not None and both.coords == (0, 1)


def test_a_part_of_a_change() -> None:
    whole = Change(joints=torch.tensor([[1, 0]]), matrix=torch.eye(2)[None], hide=torch.ones(1, 1, 2, dtype=torch.bool))
    assert parts(whole.only(*MAPS)).keys() == {"joints"}
    assert parts(whole.only(*MAPS, "hide")).keys() == {"joints", "hide"}


def test_a_change_acts_on_its_coordinates_alone() -> None:
    x = make_batch()
    step = Change(
        matrix=torch.full((5, 2, 2), 2.0), offset=torch.ones(5, 2), noise=torch.ones(5, 2, 12, 8, 2), coords=(2, 0)
    )
    out = change.apply(x, step)
    assert torch.equal(out.x[:, 1], x.x[:, 1]) and not torch.equal(out.x[:, 0], x.x[:, 0])
    torch.testing.assert_close(out.x[:, 2], torch.where(x.mask, 2 * x.x[:, 0] + 2 * x.x[:, 2] + 2, 0))


@pytest.mark.parametrize("case", LINEAR, ids=repr)
def test_a_change_that_is_gated_out_copies_bit_for_bit(case: object) -> None:
    transform: Transform = case.make()  # type: ignore[attr-defined]
    if transform.length is not None:
        pytest.skip("changes the number of frames, so it has no gate")
    x = make_batch()
    x.x[0, 0, 0, 0, 0] = -0.0
    drawn = transform.sample(x, generator=torch.Generator().manual_seed(0))
    step = Change.of(drawn, *check.named_channels(transform))
    out = change.apply(x, step.gated(torch.zeros(5, dtype=torch.bool)))
    assert torch.equal(out.mask, x.mask)
    assert torch.equal(out.x.view(torch.int32), x.x.view(torch.int32))


def test_ten_members_are_one_pass_over_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    applied = []
    apply = change.apply
    monkeypatch.setattr(change, "apply", lambda batch, step: applied.append(sorted(parts(step))) or apply(batch, step))
    names = [
        "TemporalCrop",
        "Shear",
        "Rotate",
        "SwapSides",
        "Scale",
        "Translate",
        "Blur",
        "Reverse",
        "AxisMask",
        "Mirror",
        "GaussianNoise",
        "JointMask",
    ]
    make = {case.name: case.make for case in LINEAR}
    run, x = Compose([make[name]() for name in names]), make_x()
    params = run.sample(x)
    applied.clear()
    run.replay(x, params)
    assert applied == [["after", "frames", "hide", "joints", "kernel", "matrix", "noise", "offset"]]
