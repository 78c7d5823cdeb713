"""``about=``: what stays where it is, by hand, and in compositions member by member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import SKELETON, V, generator, keys, make_batch, make_x
from oracle import one_by_one
from promises import same_bits, x_of
from torch import Tensor

from skelaug import Compose, GrowingPolicy, OneOf, Skeleton, SkeletonBatch, Transform, config, skeletons
from skelaug import transforms as T

HAND = SKELETON.index("left_hand")
MAKES: dict[str, Callable[..., Transform]] = {
    "Rotate": lambda **given: T.Rotate(50, **given),
    "Scale": lambda **given: T.Scale((0.5, 2), per_axis=True, **given),
    "Shear": lambda **given: T.Shear(0.5, **given),
    "Mirror": lambda **given: T.Mirror(**{"skeleton": SKELETON, "p": 1.0} | given),
}
each = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES.keys())


def batch_with_gaps(dtype: torch.dtype = torch.float64, away: float = 4.0) -> SkeletonBatch:
    """Persons who are absent, in part or always, joints that are lost, and a hand that is never seen; all far away."""
    batch = make_batch(dtype=dtype)
    mask = batch.mask.clone()
    mask[2, :, HAND, 0] = False
    return SkeletonBatch(batch.x + away, mask)


def place(batch: SkeletonBatch, about: Any, n: int, m: int) -> Tensor:
    """What stays in place of person m of sample n, one number after another."""
    if isinstance(about, tuple):
        return torch.tensor(about, dtype=batch.x.dtype)
    seen = batch.mask[n, :, :, m]
    if about != "body" and seen[:, about].any():
        return batch.x[n, :, seen[:, about], about, m].mean(1)
    if not seen.any():
        return torch.zeros(3, dtype=batch.x.dtype)
    return batch.x[n, :, :, :, m][:, seen].mean(1)


@each
@pytest.mark.parametrize("about", ["body", HAND, 0, (1.0, -2.0, 0.5)])
def test_by_hand(make: Callable[..., Transform], about: Any) -> None:
    batch, transform = batch_with_gaps(), make(about=about)
    params = transform.sample(batch, keys=keys(5))
    out = transform.replay(batch, params)
    order = list(SKELETON.mirror) if isinstance(transform, T.Mirror) else list(range(V))
    assert torch.equal(out.mask, batch.mask[:, :, order])
    for n in range(5):
        matrix = params["matrix"][n].double()
        matrix = matrix if matrix.ndim == 2 else matrix.diag()
        for m in range(2):
            stays = place(batch, about, n, m)[:, None, None]
            x = batch.x[n, :, :, order, m]
            expected = torch.einsum("ij,jtv->itv", matrix, x - stays) + stays
            expected = torch.where(out.mask[n, :, :, m], expected, 0)
            torch.testing.assert_close(out.x[n, ..., m], expected, rtol=1e-6, atol=2e-6)


@each
def test_the_origin_is_the_default_and_costs_nothing(make: Callable[..., Transform]) -> None:
    transform = make()
    assert transform.about == "origin" and not transform.data_dependent
    assert "offset" not in transform.sample(make_x(), keys=keys(5))
    assert same_bits(transform(make_x(), keys=keys(5)), make(about=(0.0, 0.0, 0.0))(make_x(), keys=keys(5)))


@each
def test_what_reads_the_data_says_so(make: Callable[..., Transform]) -> None:
    declared = {about: make(about=about).data_dependent for about in ("origin", "body", 3, (1.0, 2.0, 3.0))}
    assert declared == {"origin": False, "body": True, 3: True, (1.0, 2.0, 3.0): False}
    assert Compose([make(about="body")]).data_dependent and not Compose([make(about=(1.0, 2.0, 3.0))]).data_dependent


@each
def test_a_name_is_its_index(make: Callable[..., Transform]) -> None:
    x = batch_with_gaps()
    named, numbered = make(about="left_hand", skeleton=SKELETON), make(about=HAND)
    assert same_bits(named(x, keys=keys(5)), numbered(x, keys=keys(5)))
    again = config.from_dict(config.to_dict(named))
    assert repr(again) == repr(named) and "about='left_hand'" in repr(named)
    assert T.Rotate(30, about="spine_mid", skeleton="ntu25")._pivot == 1


def test_the_centre_stays_and_so_does_who_is_never_observed() -> None:
    x = make_x(dtype=torch.float64) + 7
    x[1, ..., 1] = 0
    for name, make in MAKES.items():
        y = make(about="body")(x, keys=keys(5))
        torch.testing.assert_close(y.mean((2, 3)), x.mean((2, 3)), rtol=0, atol=1e-5, msg=name)
        assert not y[1, ..., 1].any() and not y[1, ..., 1].signbit().any()


def test_two_mirrors_in_a_body_are_none() -> None:
    mirror, batch = T.Mirror(SKELETON, p=1.0, about="body"), batch_with_gaps()
    torch.testing.assert_close(mirror(mirror(batch)).x, batch.x, rtol=0, atol=1e-5)


def test_what_is_gated_out_is_copied() -> None:
    for make in MAKES.values():
        batch, transform = batch_with_gaps(torch.float32), make(about="body", p=0.5)
        params = transform.sample(batch, keys=keys(5, 3))
        assert params["apply"].any() and not params["apply"].all()
        out = transform.replay(batch, params)
        assert torch.equal(out.x[~params["apply"]], batch.x[~params["apply"]])


def test_vectors_are_turned_and_not_shifted() -> None:
    ends = torch.cat([make_x(seed=1) + 3, make_x(seed=2)], 1)
    for make in MAKES.values():
        told = {"coords": 3, "vectors": (3, 4, 5)}
        far, near = make(about="body", **told)(ends, keys=keys(5)), make(**told)(ends, keys=keys(5))
        assert torch.equal(far[:, 3:], near[:, 3:]) and not torch.allclose(far[:, :3], near[:, :3])


def test_a_score_is_left_alone() -> None:
    scored = batch_with_gaps(torch.float32)
    for make in MAKES.values():
        transform = make(about="body", coords=2)
        out = transform(scored, keys=keys(5))
        order = list(SKELETON.mirror) if isinstance(transform, T.Mirror) else list(range(V))
        assert torch.equal(out.x[:, 2], scored.x[:, 2][:, :, order])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(dtype: torch.dtype) -> None:
    x = (make_x(t=300) + 100).to(dtype)
    y = T.Rotate(30, about="body")(x, keys=keys(5))
    expected = T.Rotate(30, about="body")(x.double(), keys=keys(5))
    assert y.dtype == dtype and (y.double() - expected).abs().max() < 200 * 4 * torch.finfo(dtype).eps


# --- compositions ----------------------------------------------------------------------------------------------------


def plans() -> dict[str, Transform]:
    """Compositions in which the place depends on what came before."""
    turn, grow = T.Rotate(60, about="body"), T.Scale((0.5, 2), about=HAND)
    lean, mirror = T.Shear(0.5, about="neck", skeleton=SKELETON), T.Mirror(SKELETON, about="body")
    maybe = T.Rotate(60, about=0, p=0.5)
    return {
        "linear": Compose([T.Translate(3.0), turn, T.Shear(0.5), grow, lean]),
        "maps": Compose([T.PersonSwap(), turn, T.TemporalCrop(2), mirror, T.Reverse(), grow, T.SwapSides(SKELETON)]),
        "gated": Compose([maybe, T.Translate(1.0, p=0.5), mirror, T.Blur((0.3, 2), 5, p=0.5)], p=0.6),
        "frames": Compose([turn, T.CropResize((0.5, 1.0), length=7), grow, T.SegmentSample(5), lean]),
        "nested": Compose([Compose([turn, T.Translate(2.0)], p=0.5), OneOf([grow, Compose([lean, maybe])]), mirror]),
        "hidden": Compose([T.JointMask(0.4), turn, T.PersonDrop(), grow, T.GaussianNoise(0.2), lean]),
    }


@pytest.mark.parametrize("name", plans())
def test_compositions_equal_their_members_one_by_one(name: str) -> None:
    transform, batch = plans()[name], batch_with_gaps()
    for seed in range(4):
        params = transform.sample(batch, keys=keys(5, seed))
        expected, _ = one_by_one(transform, batch, params)
        out = transform.replay(batch, params)
        assert torch.equal(out.mask, expected.mask)
        torch.testing.assert_close(out.x, expected.x, rtol=1e-5, atol=1e-5)
        assert same_bits(transform(batch, keys=keys(5, seed)), out), "forward is another replay"


def test_a_member_turns_about_what_comes_to_it() -> None:
    batch = batch_with_gaps()
    moved = T.Translate((5.0, 6.0))
    both = Compose([moved, T.Rotate(90, about="body")])
    params = both.sample(batch, keys=keys(5))
    before = moved.replay(batch, params["members"][0])
    out = both.replay(batch, params)
    for n, m in ((0, 0), (1, 1), (3, 0)):
        torch.testing.assert_close(place(out, "body", n, m), place(before, "body", n, m), rtol=0, atol=1e-5)


def test_one_pass_over_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    from skelaug import change

    applied: list[int] = []
    apply = change.apply
    transform, batch = Compose([T.Shear(0.5), T.Rotate(30, about="body"), T.Scale((0.5, 2), about=HAND)]), make_batch()
    params = transform.sample(batch)
    monkeypatch.setattr(change, "apply", lambda x, step: applied.append(1) or apply(x, step))
    transform.replay(batch, params)
    assert applied == [1]


@pytest.mark.parametrize("mode", ["independent", "nested"])
def test_views_of_a_policy(mode: str) -> None:
    policy = GrowingPolicy(
        basic=[T.Translate(2.0), T.Rotate(60, about="body")],
        normal=[T.Mirror(SKELETON, about=HAND), T.Scale((0.5, 2), about="body", p=0.5)],
        strong=[T.JointMask(0.3)],
        mode=mode,
    )
    batch = batch_with_gaps()
    params = policy.sample(batch, keys=keys(5))
    views = policy.views(batch, keys=keys(5))
    for i, (view, again) in enumerate(zip(views, policy.replay(batch, params), strict=True)):
        assert same_bits(view, again) and same_bits(view, policy[i](batch, keys=keys(5)))
        if mode == "independent":
            expected, _ = one_by_one(Compose(list(policy[i])), batch, params["views"][i])
            torch.testing.assert_close(view.x, expected.x, rtol=1e-5, atol=1e-5)
    rows = SkeletonBatch(batch.x[1:3], batch.mask[1:3])
    for view, part in zip(views, policy.views(rows, keys=keys(5)[1:3]), strict=True):
        torch.testing.assert_close(part.x, view.x[1:3], rtol=1e-6, atol=1e-6)
    assert same_bits(policy.key_view(batch, keys=keys(5)), policy.key_view(batch, keys=keys(5)))


def test_params_are_checked_and_slices_are_draws() -> None:
    transform, x = T.Rotate(60, about="body"), make_x()
    params = transform.sample(x, generator=generator(1))
    assert params["offset"].shape == (5, 3, 2) and params["offset"].dtype == torch.float32
    part = {name: value[1:3] for name, value in params.items()}
    torch.testing.assert_close(transform.replay(x[1:3], part), transform.replay(x, params)[1:3])
    with pytest.raises(ValueError, match="'offset'"):
        transform.replay(x[..., :1], params)
    with pytest.raises(ValueError, match="expected \\['matrix'\\]"):
        T.Rotate(60).replay(x, params)


def test_derivatives_take_the_place_for_a_constant() -> None:
    x = make_x(dtype=torch.float64).requires_grad_()
    transform = T.Scale((2, 2), about="body")
    transform(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 2.0))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"about": "left_hand"}, "name of a joint, say whose, as in skeleton='ntu25'"),
        ({"about": "left_hnd", "skeleton": SKELETON}, "no joint 'left_hnd'; its joints are hip, neck, left_hand"),
        ({"about": 8, "skeleton": SKELETON}, r"a joint \(0 … 7, or its name\), got 8"),
        ({"about": -1}, "'origin', 'body' .*, got -1"),
        ({"about": True}, "got True"),
        ({"about": None}, "got None"),
        ({"about": ()}, "a number for each coordinate"),
        ({"about": (1.0, float("nan"), 0.0)}, "a number for each coordinate"),
        ({"about": torch.zeros(3)}, "must be 'origin'"),
    ],
)
def test_wrong_places_are_refused(arguments: dict[str, Any], message: str) -> None:
    for make in (T.Rotate, T.Scale):
        with pytest.raises(ValueError, match=rf"{make.__name__}\(about=.*{message}"):
            make((0.5, 1), **arguments)


def test_what_does_not_fit_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Shear\(about=99\): x has only 8 joints"):
        T.Shear(0.5, about=99)(make_x())
    with pytest.raises(
        ValueError, match=r"Rotate\(about=\(1.0, 2.0\)\): a point of 2 numbers, but x has 3 coordinates"
    ):
        T.Rotate(30, about=(1, 2))(make_x())
    with pytest.raises(ValueError, match="a point of 2 numbers, but x has 3 coordinates"):
        Compose([T.Mirror(SKELETON, about=(1, 2), coords=3)])(make_x())
    with pytest.raises(ValueError, match="has 25 joints, x has 8"):
        T.Rotate(30, about="head", skeleton=skeletons["ntu25"])(make_x())


def test_a_joint_that_is_called_body() -> None:
    odd = Skeleton.from_edges([(0, 1)], joints=["head", "body"], name="odd")
    x = torch.rand(2, 3, 4, 2, 1)
    assert not torch.equal(
        x_of(T.Rotate(90, about="body", skeleton=odd)(x, keys=keys(2))), T.Rotate(90, about=1)(x, keys=keys(2))
    )
