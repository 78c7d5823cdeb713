"""Channels that are no coordinates: with ``coords=2`` on (x, y, score), in every transform, policy and adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, SKELETON, Case, V, generator, keys, make_batch, make_x
from foreign import Wince
from torch import Tensor, nn

import skelaug
from skelaug import (
    Compose,
    GrowingPolicy,
    OnCoordinates,
    OneOf,
    Skeleton,
    SkeletonBatch,
    check,
    config,
    policies,
    skeletons,
)
from skelaug import transforms as T
from skelaug.compat import aimclr, ctrgcn
from skelaug.compat.datasets import AugmentColumn
from skelaug.compat.pyskl import SkelAug
from skelaug.coordinates import with_coords
from skelaug.members import leaves

every = pytest.mark.parametrize("case", CASES, ids=repr)


def scored(score: Tensor | None = None, gaps: bool = True) -> SkeletonBatch:
    """(x, y, score) of five samples, with all that can be absent."""
    batch = make_batch(c=2) if gaps else SkeletonBatch(make_x(c=2))
    if score is None:
        score = torch.rand(5, 1, *batch.x.shape[2:], generator=generator(7)).clamp(min=0.01)
    return batch.replace(x=torch.cat([batch.x, score], 1))


@every
@pytest.mark.parametrize("gaps", [True, False])
def test_scores_reach_no_coordinate_and_stay_scores(case: Case, gaps: bool) -> None:
    transform, batch = with_coords(case.make(), 2), scored(gaps=gaps)
    halved = batch.replace(x=batch.x * torch.tensor([1, 1, 0.5]).view(3, 1, 1, 1))
    alone = batch.replace(x=batch.x[:, :2])
    for seed in range(3):
        out, half, only = (transform(x, keys=keys(5, seed)) for x in (batch, halved, alone))
        assert torch.equal(out.x[:, :2], half.x[:, :2]), "a score reached a coordinate"
        assert torch.equal(out.x[:, :2], only.x), "with a score beside them coordinates change otherwise"
        assert torch.equal(out.mask, half.mask) and torch.equal(out.mask, only.mask)
        assert torch.equal(out.x[:, 2], 2 * half.x[:, 2]), "a coordinate reached a score"
        assert (out.x[:, 2] >= 0).all() and (out.x[:, 2] <= 1).all()
        assert (out.x[:, 2][~out.mask] == 0).all()
    plain = batch.x
    out, half = (x_of(transform(takes(transform, x), keys=keys(5))) for x in (plain, halved.x))
    assert torch.equal(out[:, :2], half[:, :2]) and torch.equal(out[:, 2], 2 * half[:, 2])


def takes(transform: skelaug.Transform, x: Tensor) -> Tensor | SkeletonBatch:
    return SkeletonBatch(x) if skelaug.policy.acts_on_graph(transform) else x


def x_of(out: Tensor | SkeletonBatch) -> Tensor:
    return out if isinstance(out, Tensor) else out.x


def test_the_table_of_scores_by_hand() -> None:
    """Gathered by maps, interpolated with frames, kept by matrices, noise and blur, 0 where hidden, lower of two."""
    batch = scored(gaps=False)
    score, mirror = batch.x[:, 2], torch.tensor(SKELETON.mirror)

    def of(transform: skelaug.Transform, params: dict[str, Tensor] | None = None) -> Tensor:
        transform = with_coords(transform, 2)
        out = transform(batch, keys=keys(5)) if params is None else transform.replay(batch, params)
        return out.x[:, 2]

    for still in (T.Shear(), T.Rotate(30), T.Scale((2, 3)), T.Translate(1.0), T.AxisMask(p=1.0), T.GaussianNoise(0.3)):
        assert torch.equal(of(still), score)
    for still in (T.JointJitter(), T.Blur(p=1.0), T.Blur(normalize=False, p=1.0), T.SkeleAdaIN(), T.RandomMove()):
        assert torch.equal(of(still), score)
    for still in (T.Center(SKELETON), T.Align(SKELETON), T.Normalize(), T.BoneLengthTransfer(SKELETON)):
        assert torch.equal(of(still), score)
    one_pass = Compose([T.Rotate(30), T.Blur(p=1.0), T.Translate(1.0), T.GaussianNoise(0.1)])
    assert torch.equal(of(one_pass), score)
    assert torch.equal(of(T.SwapSides(SKELETON, p=1.0)), score[:, :, mirror])
    assert torch.equal(of(T.Mirror(SKELETON, p=1.0)), score[:, :, mirror])
    assert torch.equal(of(T.Reverse(p=1.0)), score.flip(1))
    assert torch.equal(of(T.PersonSwap(p=1.0)), score.flip(3))
    between = of(T.CropResize(length=4), T.CropResize(length=4).sample(batch) | {"position": torch.full((5, 4), 2.25)})
    torch.testing.assert_close(between[:, 0], 0.75 * score[:, 2] + 0.25 * score[:, 3])
    hidden = torch.zeros(5, 12, V, dtype=torch.bool)
    hidden[:, 3, 2] = True
    for fill in (0.0, 7.0, "mean", "token"):
        assert torch.equal(of(T.JointMask(fill=fill), {"mask": hidden}), score.masked_fill(hidden[..., None], 0))
    ends = torch.minimum(score, score[:, :, list(SKELETON.parents)])
    assert torch.equal(of(T.Bone(SKELETON)), ends)
    assert torch.equal(of(T.Motion())[:, :-1], torch.minimum(score[:, 1:], score[:, :-1]))
    assert (of(T.Motion())[:, -1] == 0).all()
    assert torch.equal(of(T.BoneMotion(SKELETON))[:, :-1], torch.minimum(ends[:, 1:], ends[:, :-1]))


def test_a_bone_and_a_motion_beside_absence_have_no_score() -> None:
    batch = scored()
    for stream in (T.Bone(SKELETON, coords=2), T.Motion(coords=2), T.BoneMotion(SKELETON, coords=2)):
        out = stream(batch)
        nothing = ~out.mask | ((out.x[:, :2] == 0).all(1) & (out.x[:, 2] != 0))
        assert (out.x[:, 2][~out.mask] == 0).all()
        assert nothing[..., [v for v in range(V) if v != SKELETON.root], :].logical_and(out.mask[:, :, 1:]).sum() == 0


# --- where coords can be said ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", policies.__all__)
def test_every_preset_takes_coords_in_python_and_in_yaml(preset: str) -> None:
    batch = scored()
    halved = batch.replace(x=batch.x * torch.tensor([1, 1, 0.5]).view(3, 1, 1, 1))
    made = [
        getattr(policies, preset)(SKELETON, coords=2),
        config.resolve(preset, SKELETON, 2),
        config.from_dict({"preset": preset, "skeleton": SKELETON.to_dict(), "coords": 2}),
        config.from_dict({"preset": preset, "skeleton": SKELETON.to_dict(), "coords": [0, 1]}),
    ]
    assert len({repr(policy) for policy in made}) == 1
    again = config.from_yaml(config.to_yaml(made[0]))
    assert repr(again) == repr(made[0])
    for view, half in zip(as_list(made[0](batch, keys=keys(5))), as_list(again(halved, keys=keys(5))), strict=True):
        assert torch.equal(view.x[:, :2], half.x[:, :2]) and torch.equal(view.x[:, 2], 2 * half.x[:, 2])
    for wrong in (0, "2", [0, 0], 1.5):
        with pytest.raises(ValueError, match=rf"{preset}\(coords=.*coords must be None"):
            getattr(policies, preset)(SKELETON, coords=wrong)


def as_list(out: Any) -> list[SkeletonBatch]:
    return out if isinstance(out, list) else [out]


def column(x: Tensor) -> Tensor:
    augment = AugmentColumn("aimclr", SKELETON, column="pose", layout="CTVM", coords=2)
    return torch.stack([views[-1] for views in augment({"pose": list(x)})["pose"]])


ADAPTERS: dict[str, Any] = {
    "AugmentBatch": lambda x: skelaug.AugmentBatch("aimclr", SKELETON, coords=2)((x, torch.arange(5)))[0][-1],
    "Collate": lambda x: skelaug.Collate("aimclr", SKELETON, coords=2)([(v, 0) for v in x])[0][-1],
    "Augment": lambda x: skelaug.Augment(nn.Identity(), policies.aimclr(SKELETON)[-1], coords=2)(x),
    "AugmentColumn": column,
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_takes_coords(name: str) -> None:
    x = scored(gaps=False).x
    halved = x * torch.tensor([1, 1, 0.5]).view(3, 1, 1, 1)
    torch.manual_seed(3)
    out = ADAPTERS[name](x)
    torch.manual_seed(3)
    half = ADAPTERS[name](halved)
    assert torch.equal(out[:, :2], half[:, :2]) and not torch.equal(out[:, :2], x[:, :2])
    assert torch.equal(out[:, 2], 2 * half[:, 2]) and (out[:, 2] >= 0).all() and (out[:, 2] <= 1).all()


TOOLS = [
    (aimclr, name) for name in ("shear", "random_rotate", "gaus_noise", "gaus_filter", "axis_mask", "temperal_crop")
] + [(ctrgcn, name) for name in ("random_rot", "random_move", "random_shift")]


@pytest.mark.parametrize(("module", "name"), TOOLS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("faithful", [False, True])
def test_the_drop_ins_take_coords(module: Any, name: str, faithful: bool) -> None:
    tool = getattr(module.with_options(coords=2, faithful=faithful), name)
    clip = scored(gaps=False).x[0].numpy()
    halved = clip * np.float32([1, 1, 0.5])[:, None, None, None]
    for seed in range(4):  # half of the time nothing happens
        torch.manual_seed(seed)
        out = np.asarray(tool(clip))
        torch.manual_seed(seed)
        half = np.asarray(tool(halved))
        assert np.array_equal(out[:2], half[:2]) and np.array_equal(out[2], 2 * half[2])
        assert np.isin(out[2], np.append(clip[2], np.float32(0))).all(), "a score is moved, and no more"


def test_what_members_say_themselves_stays() -> None:
    token = T.JointMask(fill="token")
    policy = Compose([T.Shear(coords=(2, 0)), T.TemporalCrop(), token, OneOf([T.Rotate(9), Wince(0.1)])])
    told = with_coords(policy, 2)
    assert repr(told) == repr(
        Compose([T.Shear(coords=(2, 0)), T.TemporalCrop(), T.JointMask(fill="token", coords=2),
                 OneOf([T.Rotate(9, coords=2), OnCoordinates(Wince(0.1), 2)])])
    )  # fmt: skip
    assert told[2].token is token.token, "a learnable parameter is shared"
    assert with_coords(policy, None) is policy and repr(with_coords(told, 3)) == repr(told)
    view = policies.hiclr(SKELETON)[1]
    assert repr(with_coords(view, 2)) == repr(policies.hiclr(SKELETON, coords=2)[1])
    with pytest.raises(TypeError, match="holds no others"):
        OnCoordinates(policy, 2)  # type: ignore[arg-type]


def test_a_transform_whose_params_do_not_say_where_entries_go_is_asked_for_coords() -> None:
    class Drops(skelaug.Transform):
        moves_presence = True

        def op(self, batch: SkeletonBatch, params: Any) -> SkeletonBatch:
            return batch.replace(x=batch.x.flip(2), mask=batch.mask.flip(1))

    with pytest.raises(ValueError, match=r"moves presence, and its params do not say where entries go.*coords="):
        with_coords(Drops(), 2)(scored())


def test_strength_does_not_measure_scores() -> None:
    batch = scored()
    strong = policies.hiclr(SKELETON, coords=2).strength(batch, keys=keys(5))
    alone = policies.hiclr(SKELETON).strength(batch.replace(x=batch.x[:, :2]), keys=keys(5))
    assert torch.equal(strong, alone)


# --- a skeleton of images, and three channels ------------------------------------------------------------------------


@pytest.fixture
def _unwarned() -> Iterator[None]:
    check.warn_of_scores.cache_clear()
    yield
    check.warn_of_scores.cache_clear()


@pytest.mark.usefixtures("_unwarned")
@pytest.mark.parametrize("preset", policies.__all__)
def test_three_channels_of_a_skeleton_of_images_warn_once(preset: str) -> None:
    x = torch.rand(2, 3, 12, 17, 1)
    with pytest.warns(UserWarning, match=r"'coco17' is one of images.*taken for coordinates.*coords=2.*coords=3"):
        getattr(policies, preset)(skeletons["coco17"])(x)
    getattr(policies, preset)(skeletons["coco17"])(x)  # warnings are errors: it comes once
    check.warn_of_scores.cache_clear()
    for coords in (2, 3):
        getattr(policies, preset)(skeletons["coco17"], coords=coords)(x)
    getattr(policies, preset)(skeletons["coco17"])(x[:, :2])
    getattr(policies, preset)(skeletons["h36m17"])(x)


@pytest.mark.usefixtures("_unwarned")
def test_single_transforms_and_adapters_warn_too() -> None:
    x = torch.rand(2, 3, 12, 18, 1)
    T.SwapSides(skeletons["openpose18"])(x)  # moves scores with their joints: no matter what they are
    calls = [
        lambda: T.Center(skeletons["openpose18"])(x),
        lambda: Compose([T.Shear(), T.SwapSides(skeletons["openpose18"])])(x),
        lambda: skelaug.AugmentBatch(T.Shear(), "openpose18")(x),
        lambda: SkelAug(T.Shear(), "openpose18")({"keypoint": x.permute(0, 4, 2, 3, 1)[0].numpy()}),
    ]
    for call in calls:
        check.warn_of_scores.cache_clear()
        with pytest.warns(UserWarning, match="'openpose18' is one of images"):
            call()


def test_the_skeletons_of_images_say_so() -> None:
    assert [name for name in ("openpose18", "body25", "coco17", "ntu25", "h36m17") if skeletons[name].planar] == [
        "openpose18",
        "body25",
        "coco17",
    ]
    assert Skeleton.from_dict(skeletons["coco17"].to_dict()).planar


# --- vectors ---------------------------------------------------------------------------------------------------------


def test_vectors_turn_with_the_body_and_are_not_shifted() -> None:
    place, way = make_x(seed=1), make_x(seed=2)
    ends = torch.cat([place, way], 1)
    matrices = [T.Shear(0.5), T.Rotate(40), T.Scale((0.5, 2), per_axis=True), T.Mirror(SKELETON, p=1.0)]
    matrices += [T.NegateAxis("y", p=1.0), T.AxisMask(p=1.0), T.RandomMove(30), T.Align(SKELETON), T.Normalize()]
    for transform in matrices:
        both = transform.with_(coords=3, vectors=(3, 4, 5))
        out = both(ends, keys=keys(5))
        tip = transform.with_(coords=3)
        params = tip.sample(place, keys=keys(5))
        assert torch.equal(out[:, :3], tip.replay(place, params))
        if isinstance(transform, T.Align | T.Normalize):
            continue  # they read the body: by hand below
        torch.testing.assert_close(out[:, 3:], tip.replay(place + way, params) - tip.replay(place, params))
        assert config.from_dict(config.to_dict(both)).vectors == ((3, 4, 5),) and repr(both).count("vectors") == 1
    turned = T.Align(SKELETON, coords=3, vectors=(3, 4, 5))(torch.cat([place, place], 1))
    torch.testing.assert_close(turned[:, 3:], turned[:, :3])
    moved = Compose([T.Rotate(40, coords=3, vectors=(3, 4, 5)), T.Translate(1.0, coords=3)])(ends, keys=keys(5))
    alone = Compose([T.Rotate(40, coords=3), T.Translate((0, 0), coords=3)])
    torch.testing.assert_close(moved[:, 3:], alone(torch.cat([way, place], 1), keys=keys(5))[:, :3])


@pytest.mark.parametrize("name", policies.__all__)
def test_presets_take_vectors(name: str) -> None:
    policy = getattr(policies, name)(SKELETON, coords=3, vectors=(3, 4, 5))
    members = list(leaves(policy[-1] if isinstance(policy, GrowingPolicy) else policy))
    turned = [member for member in members if hasattr(member, "vectors")]
    assert turned and all(member.vectors == ((3, 4, 5),) for member in turned)
    assert all(member.coords == (0, 1, 2) for member in members if hasattr(member, "coords"))
    plain = {"preset": name, "skeleton": config.to_dict(T.SwapSides(SKELETON))["skeleton"]}
    told = config.from_dict(plain | {"coords": 3, "vectors": [[3, 4, 5]]})
    assert repr(told) == repr(policy) == repr(config.resolve(plain, coords=3, vectors=(3, 4, 5)))
    assert repr(config.from_dict(config.to_dict(policy))) == repr(policy)
    with pytest.raises(ValueError, match=rf"{name}.*say which channels are coordinates"):
        getattr(policies, name)(SKELETON, vectors=(3, 4, 5))


def test_a_preset_turns_vectors_with_the_body() -> None:
    place, way = make_x(seed=1), make_x(seed=2)
    both = policies.crossclr(SKELETON, coords=3, vectors=(3, 4, 5))
    (out,) = both.views(torch.cat([place, way], 1), keys=keys(5))
    for part, x in ((out[:, :3], place), (out[:, 3:], way)):
        assert torch.equal(part, policies.crossclr(SKELETON).views(x, keys=keys(5))[0])


def test_wrong_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"quaternion is not turned by a matrix.*rotation matrix as three vectors"):
        T.Rotate(30, coords=3, vectors=(3, 4, 5, 6))
    with pytest.raises(ValueError, match="say which channels are coordinates"):
        T.Rotate(30, vectors=(3, 4, 5))
    for wrong in ((3, 4), [(3, 4, 5), (5, 6, 7)], (2, 3, 4), [], "345", [(3, 4, -1)]):
        with pytest.raises(ValueError, match="each vector must be 3 channels"):
            T.Shear(0.5, coords=3, vectors=wrong)
    with pytest.raises(ValueError, match="x has only 4 channels"):
        T.Shear(0.5, coords=3, vectors=(3, 4, 5))(torch.rand(2, 4, 3, V, 1))


# --- what looked like it worked --------------------------------------------------------------------------------------


def test_axes_in_another_order_are_noticed() -> None:
    two_persons = make_x().permute(0, 4, 2, 3, 1)  # (N, M, T, V, C)
    for transform in (T.Shear(), T.Rotate(30), T.GaussianNoise(0.1), policies.crossclr(SKELETON)[0]):
        with pytest.raises(ValueError, match=r"to_layout\(x, 'NMTVC', 'NCTVM'\).*coords=2"):
            transform(two_persons)
    assert T.Shear(coords=2)(two_persons).shape == two_persons.shape, "three persons in 2D"
    swapped = make_x().transpose(2, 3)
    with pytest.raises(ValueError, match=r"skelaug.to_layout: axis 2 has 8"):
        T.Center(SKELETON)(swapped)
    for preset in policies.__all__:
        with pytest.raises(ValueError, match=r"has 8 joints, x has 12.*to_layout: axis 2 has 8"):
            getattr(policies, preset)(SKELETON)(swapped)
    with pytest.raises(TypeError, match="ids must be integers"):
        skelaug.random.keys(0, 0, [1.5])
    with pytest.raises(ValueError, match="each length must lie in 0 … 12"):
        SkeletonBatch.from_lengths(make_x(), torch.tensor([1, 2, 3, 4, 13]))


@every
def test_equal_keys_are_the_same_on_the_whole_batch(case: Case) -> None:
    if case.on_others:
        return
    transform = case.make()
    same = keys(1).expand(4)
    x = takes(transform, make_x(1).expand(4, -1, -1, -1, -1))
    out = transform(x, keys=same)
    parts = [x_of(out)] + ([out.graph] if isinstance(out, SkeletonBatch) and out.graph is not None else [])
    for part in parts:
        assert all(torch.equal(part[0], other) for other in part[1:])


def test_the_same_id_twice_is_the_same_draw_and_a_repetition_of_its_own_is_not() -> None:
    x, shear = make_x(1).expand(4, -1, -1, -1, -1), T.Shear()
    once = shear(x, keys=skelaug.random.keys(0, 0, [5, 5, 5 + 100, 6]))
    assert torch.equal(once[0], once[1]) and not torch.equal(once[0], once[2]) and not torch.equal(once[2], once[3])


def test_augment_takes_ids() -> None:
    model = skelaug.Augment(nn.Identity(), T.Shear(), key=0, ids=1, seed=4)
    batch = (make_x(), torch.arange(5))
    with pytest.raises(ValueError, match="call set_epoch"):
        model(batch)
    model.set_epoch(2)
    out = model(batch)[0]
    assert torch.equal(out, T.Shear()(make_x(), keys=skelaug.random.keys(4, 2, torch.arange(5))))
    assert torch.equal(model.eval()(batch)[0], make_x())
