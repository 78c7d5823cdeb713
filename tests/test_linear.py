"""A run of linear transforms applied at once is the run applied one by one."""

from __future__ import annotations

import pytest
import torch
from cases import TRANSFORMS, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st

from skelaug import Compose, SkeletonBatch, linear
from skelaug.transform import Transform

LINEAR = [case for case in TRANSFORMS if case.make().linear]

members = st.lists(st.tuples(st.sampled_from(LINEAR), st.booleans()), min_size=1, max_size=8)


def build(chosen: list[tuple[object, bool]]) -> Compose:
    return Compose([case.make(p=0.5) if gate and case.gated else case.make() for case, gate in chosen])  # type: ignore[attr-defined]


def one_by_one(run: Compose, params: dict, x: SkeletonBatch) -> SkeletonBatch:
    for member, drawn in zip(run, params["members"], strict=True):
        x = member.replay(x, drawn)
    return x


def test_the_table_has_the_linear_transforms_of_the_design() -> None:
    names = {case.name for case in LINEAR}
    assert {"Shear", "Rotate", "Scale", "Translate", "Mirror", "SwapSides", "AxisMask", "TemporalCrop"} <= names
    assert {"Reverse", "Speed", "Speed-nearest", "Blur", "CropResize", "SegmentSample", "TimeWarp"} <= names
    assert "Blur-released" not in names, "weights that do not sum to one do not commute with offsets"


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
    both = linear.compose({"matrix": turn}, {"matrix": flat})
    assert both["matrix"].tolist() == [[[0.0, -1.0], [0.0, 0.0]]]
    assert linear.compose({"matrix": flat}, {"matrix": turn})["matrix"].tolist() == [[[0.0, 0.0], [1.0, 0.0]]]


def test_scales_fold_into_matrices_in_the_order_of_the_members() -> None:
    turn, flat = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]]), torch.tensor([[1.0, 0.0]])
    after, before = linear.compose({"matrix": turn}, {"scale": flat}), linear.compose({"scale": flat}, {"matrix": turn})
    assert after.keys() == before.keys() == {"matrix"}
    assert after["matrix"].tolist() == [[[0.0, -1.0], [0.0, 0.0]]]
    assert before["matrix"].tolist() == [[[0.0, 0.0], [1.0, 0.0]]]
    assert linear.compose({"scale": flat}, {"scale": 3 * flat})["scale"].tolist() == [[3.0, 0.0]]
    assert linear.compose({"offset": flat + 1}, {"scale": 3 * flat})["offset"].tolist() == [[6.0, 0.0]]


def test_an_offset_is_moved_by_the_matrices_that_follow() -> None:
    turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    one, two = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    assert linear.compose({"offset": one}, {"matrix": turn, "offset": two})["offset"].tolist() == [[0.0, 6.0]]
    assert linear.compose({"matrix": turn}, {"offset": one})["offset"].tolist() == [[1.0, 0.0]]


def test_index_maps_compose_by_hand() -> None:
    first, second = torch.tensor([[2, 0, 1]]), torch.tensor([[1, 1, 0]])
    x = torch.tensor([10.0, 20.0, 30.0]).view(1, 1, 3, 1, 1)
    both = linear.compose({"frames": first}, {"frames": second})
    assert both["frames"].tolist() == [[0, 0, 2]]
    assert linear.apply(SkeletonBatch(x), both).x.flatten().tolist() == [10.0, 10.0, 30.0]


def test_a_second_weight_map_starts_a_new_run() -> None:
    blur, crop = {"kernel": torch.ones(1, 3)}, {"position": torch.zeros(1, 4)}
    assert not linear.joinable(blur, blur) and not linear.joinable(blur, crop)
    assert linear.joinable(blur, {"frames": torch.zeros(1, 4, dtype=torch.int64)})
    assert linear.joinable({}, blur)


@pytest.mark.parametrize("case", LINEAR, ids=repr)
def test_a_gated_out_factor_is_the_identity(case: object) -> None:
    transform: Transform = case.make()  # type: ignore[attr-defined]
    if transform.length is not None:
        pytest.skip("changes the number of frames, so it has no gate")
    x = make_batch()
    factor = linear.of(transform.sample(x, generator=torch.Generator().manual_seed(0)))
    out = linear.apply(x, linear.gate(factor, torch.zeros(5, dtype=torch.bool)))
    assert torch.equal(out.mask, x.mask)
    torch.testing.assert_close(out.x, x.x, rtol=1e-6, atol=1e-7)


def test_ten_members_are_one_pass_over_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    applied = []
    apply = linear.apply
    monkeypatch.setattr(linear, "apply", lambda batch, factor: applied.append(sorted(factor)) or apply(batch, factor))
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
    ]
    make = {case.name: case.make for case in LINEAR}
    run, x = Compose([make[name]() for name in names]), make_x()
    params = run.sample(x)
    applied.clear()
    run.replay(x, params)
    assert applied == [["after", "frames", "joints", "kernel", "matrix", "offset"]]
