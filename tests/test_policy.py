"""Compose, OneOf, GrowingPolicy, the presets and their plain form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cases import SKELETON, generator, keys, make_batch, make_x
from torch.utils import _pytree as pytree

import skelaug
from skelaug import Compose, GrowingPolicy, OneOf, SkeletonBatch, config, policies, sample_motion, skeletons
from skelaug import transforms as T

GROWING = ["aimclr", "crossclr", "hiclr", "hiclr_released"]


def small(**options: object) -> GrowingPolicy:
    return GrowingPolicy(
        basic=[T.TemporalCrop(3), T.Shear(0.5)],
        normal=[T.Rotate(30), T.GaussianNoise(0.1, p=0.5)],
        strong=[T.JointMask(0.3)],
        **options,  # type: ignore[arg-type]
    )


# --- Compose ---------------------------------------------------------------------------------------------------------


def test_equal_siblings_draw_differently() -> None:
    first, second = Compose([T.Shear(0.5), T.Shear(0.5)]).sample(make_x(), keys=keys(5))["members"]
    assert not torch.isclose(first["matrix"], second["matrix"])[:, 0, 1].any()


def test_changing_one_member_moves_no_others_keyed_draws() -> None:
    x = make_x()
    a = Compose([T.GaussianNoise(0.1), T.Shear(0.5), T.Rotate(30)]).sample(x, keys=keys(5))["members"]
    b = Compose([T.Reverse(), T.Shear(0.5), T.Rotate(30)]).sample(x, keys=keys(5))["members"]
    for i in (1, 2):
        assert torch.equal(a[i]["matrix"], b[i]["matrix"])


def test_p_of_a_member_moves_no_draws_of_its_own() -> None:
    x = make_x()
    always, sometimes = (T.Shear(0.5, p=p).sample(x, keys=keys(5)) for p in (1.0, 0.5))
    assert torch.equal(always["matrix"], sometimes["matrix"])


def test_order_matters_and_is_kept() -> None:
    x = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1, 1)
    turn = T.Rotate((90, 90), axes="z", p=1.0)
    flat = T.AxisMask("y", p=1.0)
    torch.testing.assert_close(Compose([turn, flat])(x), torch.zeros_like(x), atol=1e-6, rtol=0)
    torch.testing.assert_close(Compose([flat, turn])(x).flatten(), torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


def test_compose_refuses_what_cannot_work() -> None:
    with pytest.raises(TypeError, match=r"member 1 must be a skelaug Transform.*give an instance, not the class"):
        Compose([T.Reverse(), T.Reverse])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="change the number of frames allow p=1 only"):
        Compose([T.CropResize(length=8)], p=0.5)
    empty, x = Compose([]), make_x()
    assert torch.equal(empty(x), x)


def test_a_drawn_presence_reaches_later_members() -> None:
    x = SkeletonBatch(make_x(40, t=10))
    run = Compose([T.DropFrame(0.5, fill="remove"), T.TemporalCrop(1), T.Reverse(p=1.0)])
    out = run(x, generator=generator())
    assert out.mask.any(-1).any(-1).sum(1).eq(5).all(), "five frames stay present, whatever is done to them later"


# --- OneOf -----------------------------------------------------------------------------------------------------------


def test_a_whole_within_a_whole_may_move_presence() -> None:
    x = torch.randn(4, 3, 20, 25, 2)
    inner = Compose([T.Shear(0.5), T.GaussianNoise(0.1), T.CropResize((0.5, 1.0), length=7)])
    assert Compose([inner, T.JointTimeMask()])(x).shape == (4, 3, 7, 25, 2)
    assert Compose([OneOf([T.Reverse(), T.GaussianNoise(0.1)]), T.DropFrame(0.2)])(x).shape == x.shape


def test_one_of_takes_its_branches_by_weight() -> None:
    one = OneOf([T.Scale((2, 2)), T.Scale((3, 3)), T.Scale((5, 5))], weights=[1, 2, 7])
    out = one(torch.ones(4000, 1, 1, 1, 1), generator=generator())
    shares = [(out == factor).float().mean().item() for factor in (2, 3, 5)]
    assert shares == pytest.approx([0.1, 0.2, 0.7], abs=0.03)
    assert sum(shares) == pytest.approx(1)


def test_each_sample_of_one_of_is_its_branch() -> None:
    one, x = OneOf([T.Shear(0.5), T.GaussianNoise(0.1), T.TemporalCrop(3)]), make_batch()
    out, params = one(x, keys=keys(5), return_params=True)
    for i, choice in enumerate(params["choice"].tolist()):
        alone = list(one)[choice].replay(x, params["members"][choice])
        assert torch.equal(out.x[i], alone.x[i]) and torch.equal(out.mask[i], alone.mask[i])


def test_one_of_refuses_what_cannot_work() -> None:
    with pytest.raises(ValueError, match="at least one branch"):
        OneOf([])
    with pytest.raises(ValueError, match="one weight a branch, 1, got 2"):
        OneOf([T.Reverse()], weights=[1, 2])
    with pytest.raises(ValueError, match="at least one weight must be above 0"):
        OneOf([T.Reverse()], weights=[0])
    with pytest.raises(ValueError, match="must not change the number of frames"):
        OneOf([T.SegmentSample(4)])


# --- GrowingPolicy ---------------------------------------------------------------------------------------------------


def test_views_are_the_stages_up_to_each() -> None:
    policy, x = small(), make_batch()
    assert len(policy) == 3 and policy.names == ("basic", "normal", "strong")
    kinds = [[type(member).__name__ for member in policy[i]] for i in range(3)]
    assert kinds[0] == ["TemporalCrop", "Shear"]
    assert kinds[1] == [*kinds[0], "Rotate", "GaussianNoise"]
    assert kinds[2] == [*kinds[1], "JointMask"]
    views = policy.views(x, keys=keys(5))
    params = policy.sample(x, keys=keys(5))
    for view, again in zip(views, policy.replay(x, params), strict=True):
        assert torch.equal(view.x, again.x)


def test_a_mapping_and_keywords_say_the_same() -> None:
    a = GrowingPolicy({"weak": [T.Shear(0.5)], "strong": T.Reverse()})
    b = GrowingPolicy(weak=[T.Shear(0.5)], strong=[T.Reverse()])
    assert repr(a) == repr(b)


def test_independent_views_are_drawn_afresh() -> None:
    params = small().sample(make_x(), keys=keys(5))["views"]
    crops = [view["members"][1]["matrix"] for view in params]
    assert not torch.isclose(crops[0], crops[1])[:, 0, 1].any() and not torch.isclose(crops[1], crops[2])[:, 0, 1].any()


def test_nested_views_extend_each_other() -> None:
    policy, x = small(mode="nested"), make_batch()
    params = policy.sample(x, keys=keys(5))
    weak, normal, strong = policy.replay(x, params)
    drawn = params["nested"]["members"]
    step = T.GaussianNoise(0.1, p=0.5).replay(T.Rotate(30).replay(weak, drawn[2]), drawn[3])
    torch.testing.assert_close(normal.x, step.x, atol=1e-6, rtol=1e-6)
    masked = T.JointMask(0.3).replay(normal, drawn[4])
    assert torch.equal(strong.x, masked.x) and torch.equal(strong.mask, masked.mask)


def test_a_nested_view_is_not_overwritten_by_the_next() -> None:
    stages = {"one": [T.Shear(0.5)], "two": [T.GaussianNoise(0.1)], "three": [T.Scale((2, 3))]}
    policy, x = GrowingPolicy(stages, mode="nested"), make_batch()
    drawn = policy.sample(x, keys=keys(5))["nested"]["members"]
    expected = [T.Shear(0.5).replay(x, drawn[0])]
    expected.append(T.GaussianNoise(0.1).replay(expected[0], drawn[1]))
    for view, one in zip(policy.views(x, keys=keys(5)), expected, strict=False):
        assert torch.equal(view.x, one.x)


@pytest.mark.parametrize("mode", ["independent", "nested"])
@pytest.mark.parametrize("stream", [None, T.Bone(SKELETON)])
def test_a_slice_gives_the_first_views(mode: str, stream: T.Bone | None) -> None:
    policy, x = small(mode=mode, stream=stream), make_batch()
    whole, part = policy.views(x, keys=keys(5)), policy[:2].views(x, keys=keys(5))
    assert len(policy[:2]) == 2 and policy[:2].names == ("basic", "normal")
    for a, b in zip(whole, part, strict=False):
        assert torch.equal(a.x, b.x) and torch.equal(a.mask, b.mask)
    with pytest.raises(ValueError, match="slices start at 0"):
        policy[1:]
    with pytest.raises(IndexError):
        policy[3]


@pytest.mark.parametrize("mode", ["independent", "nested"])
def test_the_key_view_is_another_draw_of_the_first(mode: str) -> None:
    policy, x = small(mode=mode), make_x(64)
    first, key = policy.views(x, keys=keys(64))[0], policy.key_view(x, keys=keys(64))
    assert not (first == key).flatten(1).all(1).any(), "some sample got one draw twice"
    assert torch.equal(key, policy.key_view(x, keys=keys(64)))
    # The same distribution: neither masks nor noise, and shears as wide as the first view's.
    deviation = (key - x).std() / (first - x).std()
    assert 0.7 < deviation < 1.4


def test_the_stream_comes_after_coordinates_and_before_the_mask() -> None:
    joint, bone, x = small(), small(stream=T.Bone(SKELETON)), make_batch()
    assert [type(m).__name__ for m in bone[2]][-2:] == ["Bone", "JointMask"]
    seen, streamed = joint.views(x, keys=keys(5)), bone.views(x, keys=keys(5))
    for i in range(2):
        expected = T.Bone(SKELETON)(seen[i])
        torch.testing.assert_close(streamed[i].x, expected.x, atol=1e-6, rtol=1e-5)
        assert torch.equal(streamed[i].mask, expected.mask)
    masked = joint.sample(x, keys=keys(5))["views"][2]["members"][-1]["mask"]
    assert (streamed[2].x.abs().sum(1) * masked[..., None]).sum() == 0, (
        "masked bones are 0, not differences to masked joints"
    )


def test_a_transform_of_coordinates_behind_one_of_the_stream_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Shear\(.*acts on coordinates but comes after JointMask"):
        GrowingPolicy(a=[T.JointMask(0.1)], b=[T.Shear(0.5)], stream=T.Motion())


def test_stages_that_disagree_on_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'basic': None, 'strong': 8.*first stage"):
        GrowingPolicy(basic=[T.Shear(0.5)], strong=[T.CropResize(length=8)])
    views = GrowingPolicy(basic=[T.CropResize(length=8)], strong=[T.Shear(0.5)]).views(make_x())
    assert [view.shape[2] for view in views] == [8, 8]
    with pytest.raises(ValueError, match="at least one stage"):
        GrowingPolicy()
    with pytest.raises(ValueError, match="mode must be one of 'independent', 'nested'"):
        small(mode="other")


def test_a_stage_on_the_graph_needs_a_batch() -> None:
    policy, x = policies.hiclr(SKELETON, "edges"), make_x()
    batch = SkeletonBatch(x)
    views = [*policy.views(batch, keys=keys(5)), policy.key_view(batch, keys=keys(5))]
    assert all(isinstance(view, SkeletonBatch) and view.mask.shape == (5, 12, 8, 2) for view in views)
    assert views[0].graph is None and views[2].graph.shape == (5, 3, 8, 8)
    with pytest.raises(TypeError, match=r"which a Tensor cannot carry: wrap it, as in skelaug.SkeletonBatch\(x\)"):
        policy.views(x)
    assert isinstance(policy.key_view(x), torch.Tensor), "the first view does not act on the graph"


@pytest.mark.parametrize("mode", ["independent", "nested"])
@pytest.mark.parametrize("stream", [None, T.Bone(SKELETON)])
def test_a_view_is_the_view_of_the_policy(mode: str, stream: T.Bone | None) -> None:
    policy, x, k = small(mode=mode, stream=stream), make_batch(), keys(5)
    views = policy.views(x, keys=k)
    for i in (0, 1, 2, -1, -2, -3):
        out, params = policy[i](x, keys=k, return_params=True)
        assert torch.equal(out.x, views[i].x) and torch.equal(out.mask, views[i].mask)
        assert torch.equal(policy[i].replay(x, params).x, out.x)
    assert repr(policy[-1]) == f"{policy!r}[2]" and len(policy[0]) == len(list(policy[0]))
    for wrong in (3, -4):
        with pytest.raises(IndexError, match=f"view {wrong} of a GrowingPolicy with 3 views"):
            policy[wrong]


@pytest.mark.parametrize("seed", range(4))
def test_strength_grows_on_real_motion(seed: int) -> None:
    clips = sample_motion(length=16)
    batch = clips[torch.arange(512) % len(clips)]
    policy = policies.hiclr(skeletons["humanoid15"])
    strength = policy.strength(batch, keys=skelaug.random.keys(seed, 0, range(512)))
    assert strength.shape == (3,) and strength[0] > 0.05
    assert (strength[1:] >= 0.98 * strength[:-1]).all(), strength


def test_strength_by_hand() -> None:
    # A body 2 tall and 1 wide moved by 1 along x: 1 / sqrt(5) of its size; the absent frame does not count.
    x = torch.zeros(1, 2, 2, 3, 1)
    x[0, :, 0, :, 0] = torch.tensor([[1.0, 2, 2], [1, 1, 3]])
    policy = GrowingPolicy(a=[T.Translate((0, 0))], b=[T.Translate((1, 1), coords=1)])
    assert policy.strength(SkeletonBatch(x)).tolist() == pytest.approx([0, 5**-0.5])
    edges = GrowingPolicy(a=[T.Translate((0, 0))], b=[T.DropEdges(0.9, SKELETON)])
    still, changed = edges.strength(make_batch(), generator=generator()).tolist()
    assert still == 0 and 0 < changed < 1
    with pytest.raises(ValueError, match="changes the number of frames"):
        GrowingPolicy(a=[T.CropResize(length=4)]).strength(make_x())


# --- presets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", skeletons)
@pytest.mark.filterwarnings("ignore:SwapSides. skeleton '(mediapipe_hand21|shrec22)' has no pairs")  # one hand
def test_presets_take_every_skeleton(name: str) -> None:
    skeleton = skeletons[name]
    dims = 2 if skeleton.planar else 3
    batch = skelaug.synthetic_motion(skeleton, 4, 30, 2, gaps=True, dims=dims, generator=generator())
    for preset in policies.__all__:
        policy = getattr(policies, preset)(skeleton)
        views = policy.views(batch) if preset in GROWING else [policy(batch)]
        for view in views:
            assert torch.isfinite(view.x).all()
            assert (view.x[~view.mask[:, None].expand_as(view.x)] == 0).all()


@pytest.mark.parametrize("strong", ["mask", "edges", "adain", "all"])
@pytest.mark.parametrize("stream", ["joint", "bone", "motion", "bone_motion"])
def test_hiclrs_strong_augmentations_alone_and_together(strong: str, stream: str) -> None:
    policy, batch = policies.hiclr(SKELETON, strong, stream), make_batch()
    assert policy.names == ("basic", "normal", "strong")
    params = policy.sample(batch, keys=keys(5))
    view = policy.replay(batch, params)[2]
    members = dict(zip((type(m).__name__ for m in policy[2]), params["views"][2]["members"], strict=True))
    assert ("SkeleAdaIN" in members) == (strong in ("adain", "all"))
    assert (
        ("DropEdges" in members) == ("AddEdges" in members) == (view.graph is not None) == (strong in ("edges", "all"))
    )
    assert ("JointMask" in members) == (strong in ("mask", "all"))
    if "JointMask" in members:
        hidden = members["JointMask"]["mask"]
        assert hidden.sum(-1).eq(1).all()  # int(8 · 0.1) is 0: at least one
        assert (view.x * hidden[:, None, ..., None]).abs().sum() == 0


def test_hiclr_says_what_is_wrong() -> None:
    with pytest.raises(
        ValueError, match=r"hiclr\(strong='huge'\): strong must be one of 'mask', 'edges', 'adain', 'all'"
    ):
        policies.hiclr(SKELETON, "huge")
    with pytest.raises(ValueError, match="stream must be one of 'joint', 'bone'"):
        policies.hiclr(SKELETON, stream="bones")
    with pytest.raises(TypeError, match="skeleton must be a Skeleton"):
        policies.hiclr(25)  # type: ignore[arg-type]


def test_the_released_policy_keeps_the_quirks() -> None:
    policy = policies.hiclr_released(SKELETON)
    members = {
        type(m).__name__: (m, p)
        for m, p in zip(policy[2], policy.sample(make_x(200), keys=keys(200))["views"][2]["members"], strict=True)
    }
    matrix = members["Rotate"][1]["matrix"]
    # Left-handed, 0 … 30° about one axis, so never a positive angle: R_zy - R_yz and its like are ≤ 0.
    for a, b in ((2, 1), (0, 2), (1, 0)):
        assert (matrix[:, a, b] - matrix[:, b, a] <= 0.02).all()
    gain = members["Blur"][1]["kernel"].sum(1)
    assert not members["Blur"][0].normalize and gain.min() >= 1 and 4 < gain.max() < 5.1


def test_token_trains_through_its_branch() -> None:
    policy = policies.hiclr(SKELETON, fill="token")
    assert [tuple(p.shape) for p in policy.parameters()] == [()]
    weak, _, strong = policy.views(make_x())
    assert not weak.requires_grad
    strong.sum().backward()
    (token,) = policy.parameters()
    assert token.grad == 5 * 3 * 12 * 1 * 2  # samples, coordinates, frames, masked joints, persons


# --- plain form ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", policies.__all__)
def test_presets_survive_a_dict_and_yaml(name: str, tmp_path: Path) -> None:
    policy = getattr(policies, name)(skeletons["ntu25"])
    batch = skelaug.synthetic_motion(skeletons["ntu25"], 3, 20, generator=generator())
    path = tmp_path / "policy.yaml"
    config.to_yaml(policy, path)
    for again in (config.from_dict(config.to_dict(policy)), config.from_yaml(path)):
        assert repr(again) == repr(policy)
        for a, b in zip(
            pytree.tree_leaves(policy.sample(batch, keys=keys(3))),
            pytree.tree_leaves(again.sample(batch, keys=keys(3))),
            strict=True,
        ):
            assert torch.equal(a, b)


def test_a_policy_of_everything_survives() -> None:
    own = skelaug.Skeleton.from_edges([(0, 1), (1, 2)], name="own", pairs=[(0, 2)])
    policy = GrowingPolicy(
        {
            "a b": [
                OneOf([T.Shear((0.1, 0.2)), Compose([T.Mirror(own, label_map={1: 2, 2: 1})], p=0.3)], weights=[1, 2])
            ]
        },
        mode="nested",
        stream=T.Bone(own),
    )
    again = config.from_yaml(config.to_yaml(policy))
    assert repr(again) == repr(policy) and again.stream.skeleton == own
    graph = T.DropEdges(0.1, torch.eye(3)[None])
    assert torch.equal(config.from_dict(config.to_dict(graph)).graph, torch.eye(3)[None])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "Sheer"}, "unknown type 'Sheer'; nearest: Shear"),
        ({"amount": 1}, "a mapping with a 'type'"),
        ([1], "a mapping with a 'type'"),
        ({"type": "Shear", "amonut": 1}, "Shear does not take these arguments.*amonut"),
        ({"type": "Shear", "amount": -1}, "amount must be a number ≥ 0"),
    ],
)
def test_wrong_plain_forms_are_explained(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.from_dict(data)  # type: ignore[arg-type]


def test_what_has_no_plain_form_says_so() -> None:
    with pytest.raises(TypeError, match=r"SkeleAdaIN\(style=…\) holds a batch"):
        config.to_dict(T.SkeleAdaIN(style=make_x()))


def test_a_whole_with_edges_has_no_gate() -> None:
    with pytest.raises(ValueError, match=r"members that act on the graph allow p=1 only"):
        Compose([T.DropEdges(0.1, SKELETON)], p=0.5)
