"""SkelAug as a step of PYSKL's pipelines: as a callable always, inside PYSKL itself where that can be imported."""

from __future__ import annotations

import copy
import runpy
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, V, make_mask, make_x
from compat import annotations
from hypothesis import given
from hypothesis import strategies as st

from skelaug import Compose, GrowingPolicy, OneOf, SkeletonBatch, config, policies
from skelaug import transforms as T
from skelaug.random import Rng
from skelaug.transform import Params, Transform

with warnings.catch_warnings():
    if find_spec("pyskl"):
        warnings.simplefilter("ignore")
        if not find_spec("torchvision"):  # mmcv 1.x imports it for its zoo of weights, which nothing here uses
            sys.modules["torchvision"] = types.ModuleType("torchvision")
    from skelaug.compat.pyskl import SkelAug

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "integrations" / "pyskl_pipeline.py"
IDENTITY = Compose([])


def clip(frames: int = 12, persons: int = 2, channels: int = 3, dtype: str = "float32", **more: Any) -> dict[str, Any]:
    """Results as a pipeline holds them: smooth motion, everybody present."""
    x = make_x(1, channels, frames, persons)[0].permute(3, 1, 2, 0).numpy().astype(dtype)
    return {"keypoint": x, "total_frames": frames, "label": 3, "frame_dir": "clip", **more}


def scores_of(keypoint: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """A distinct score for every person, frame and joint."""
    shape = keypoint.shape[:3]
    return (np.arange(1, np.prod(shape) + 1).reshape(shape) / np.prod(shape)).astype(dtype)


def with_scores(results: dict[str, Any], where: str) -> dict[str, Any]:
    """Put scores into the key of their own, into the last channel, or into both."""
    scores = scores_of(results["keypoint"])
    out = dict(results)
    if where in ("channel", "both"):
        out["keypoint"] = np.concatenate([results["keypoint"], scores[..., None].astype("float32")], -1)
    if where in ("key", "both"):
        out["keypoint_score"] = scores
    return out


def read_scores(results: dict[str, Any], where: str, coords: int) -> np.ndarray:
    inside = results["keypoint"][..., coords] if where != "key" else None
    if where == "both":
        assert np.array_equal(inside, results["keypoint_score"])
    return results["keypoint_score"] if where == "key" else inside


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_keys_shapes_and_dtypes_stay_and_the_input_is_not_written_to(dtype: str) -> None:
    given_ = clip(dtype=dtype, keypoint_score=scores_of(clip()["keypoint"], dtype))
    before = copy.deepcopy(given_)
    arrays = given_["keypoint"], given_["keypoint_score"]
    for array in arrays:
        array.setflags(write=False)  # as an array in shared memory is
    out = SkelAug("hiclr", SKELETON)(given_)
    assert out is given_ and list(out) == list(before)
    for name in ("keypoint", "keypoint_score"):
        assert out[name].shape == before[name].shape and out[name].dtype == before[name].dtype
        assert out[name].flags["C_CONTIGUOUS"] and np.isfinite(out[name]).all()
    for array, name in zip(arrays, ("keypoint", "keypoint_score"), strict=True):
        assert np.array_equal(array, before[name])
    assert not np.array_equal(out["keypoint"], before["keypoint"])
    assert (out["total_frames"], out["label"], out["frame_dir"]) == (12, 3, "clip")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nothing_to_do_leaves_every_bit(dtype: str) -> None:
    given_ = clip(dtype=dtype, keypoint_score=scores_of(clip()["keypoint"], dtype))
    out = SkelAug(IDENTITY)(dict(given_))
    assert np.array_equal(out["keypoint"], given_["keypoint"])
    assert np.array_equal(out["keypoint_score"], given_["keypoint_score"])


def test_the_coordinates_are_those_of_the_policy() -> None:
    """An oracle without the adapter: the tensor, laid out by hand, through the same transform with the same seed."""
    given_, policy = clip(), policies.hiclr(SKELETON)
    x = torch.from_numpy(np.transpose(given_["keypoint"], (3, 1, 2, 0)).copy())[None]
    torch.manual_seed(5)
    expected = policy[1](x)[0]
    torch.manual_seed(5)
    out = SkelAug(policy, view=1)(given_)
    assert np.array_equal(np.transpose(out["keypoint"], (3, 1, 2, 0)), expected.numpy())


STILL = Compose(  # changes values, moves nothing
    [
        T.Shear(0.5),
        T.Rotate(60),
        T.Scale((0.5, 2)),
        T.Translate(1.0),
        T.GaussianNoise(0.5),
        T.JointJitter(0.3, 0.9),
        T.Blur((1, 2), p=1.0),
        T.Blur((1, 2), normalize=False, p=1.0),
        T.AxisMask(p=1.0),
        T.NegateAxis(p=1.0),
        T.RandomMove(20),
        T.Center(SKELETON),
        T.Normalize(),
        T.SubtractJoint(p=1.0),
        OneOf([T.Rotate(30), T.GaussianNoise(0.1)]),
    ]
)


@pytest.mark.parametrize("where", ["key", "channel", "both"])
@pytest.mark.parametrize("coords", [2, 3])
def test_what_moves_nothing_leaves_the_scores_alone(where: str, coords: int) -> None:
    given_ = with_scores(clip(channels=coords), where)
    out = SkelAug(STILL, coords=coords)(dict(given_))
    assert np.array_equal(read_scores(out, where, coords), scores_of(given_["keypoint"]))
    assert not np.isclose(out["keypoint"][..., :coords], given_["keypoint"][..., :coords]).all()


MOVES = {
    "TemporalCrop": T.TemporalCrop(3),
    "CropResize": T.CropResize((0.5, 1), length=9),
    "SegmentSample": T.SegmentSample(20),
    "DropFrame": T.DropFrame(0.3),
    "DropFrame-hold": T.DropFrame(0.4, fill="hold"),
    "DropFrame-interpolate": T.DropFrame(0.4, fill="interpolate"),
    "DropFrame-remove": T.DropFrame(0.4, fill="remove"),
    "Reverse": T.Reverse(p=0.5),
    "Speed": T.Speed((0.5, 2)),
    "Speed-nearest": T.Speed((0.5, 2), interpolation="nearest"),
    "TimeWarp": T.TimeWarp(p=0.7),
    "SwapSides": T.SwapSides(SKELETON, p=0.5),
    "Mirror": T.Mirror(SKELETON, p=0.5),
    "Mirror-labels": T.Mirror(SKELETON, label_map={3: 4, 4: 3}, p=0.5),
    "JointMask": T.JointMask(0.3),
    "JointMask-sequence": T.JointMask((0.2, 0.6), per="sequence", p=0.5),
    "LimbMask": T.LimbMask(SKELETON, p=0.5),
    "JointTimeMask": T.JointTimeMask(p=0.5),
    "PersonSwap": T.PersonSwap(p=0.5),
    "PersonDrop": T.PersonDrop(p=0.5),
}
MOVES["Compose"] = Compose(
    [MOVES["TemporalCrop"], MOVES["SwapSides"], MOVES["PersonSwap"], MOVES["Speed"], MOVES["JointMask"]]
)
MOVES["Compose-p"] = Compose([MOVES["Reverse"], Compose([MOVES["SwapSides"], MOVES["TimeWarp"]], p=0.5)], p=0.7)
MOVES["OneOf"] = OneOf([MOVES["Compose"], MOVES["PersonDrop"], MOVES["DropFrame-hold"]], weights=[2, 1, 1])


@pytest.mark.parametrize("name", MOVES)
@given(seed=st.integers(0, 2**31), gaps=st.booleans())
def test_scores_go_where_their_joints_go(name: str, seed: int, gaps: bool) -> None:
    """The last coordinate holds the score itself: whatever moves, drops or interpolates must keep the two equal."""
    given_ = clip()
    keypoint = given_["keypoint"] = np.concatenate([given_["keypoint"], scores_of(given_["keypoint"])[..., None]], -1)
    if gaps:
        row = 1 + seed % 3
        keypoint *= make_mask()[row].permute(2, 0, 1)[..., None].numpy()
    given_["keypoint_score"] = keypoint[..., 3].copy()
    torch.manual_seed(seed)
    out = SkelAug(MOVES[name], coords=4)(given_)
    assert out["keypoint"].shape[:3] == out["keypoint_score"].shape
    np.testing.assert_allclose(out["keypoint_score"], out["keypoint"][..., 3], rtol=0, atol=1e-6)


def test_scores_follow_among_transforms_that_change_values() -> None:
    """Doubling commutes with every move, so the last coordinate shows twice the score."""
    doubled = [T.Scale((2, 2)), *(MOVES[name] for name in ("TemporalCrop", "SwapSides", "CropResize", "PersonSwap"))]
    moved = 0
    for seed in range(20):
        given_ = clip()
        given_["keypoint"][..., 2] = given_["keypoint_score"] = scores_of(given_["keypoint"])
        torch.manual_seed(seed)
        out = SkelAug(Compose([*doubled, T.Blur((0.1, 0.1), p=1.0)]))(given_)
        np.testing.assert_allclose(2 * out["keypoint_score"], out["keypoint"][..., 2], atol=2e-6)
        moved += not np.isclose(out["keypoint_score"], scores_of(clip(9)["keypoint"])).all()
    assert moved == 20


def test_hidden_joints_have_score_zero_whatever_fills_them() -> None:
    given_ = clip(keypoint_score=scores_of(clip()["keypoint"]))
    out = SkelAug(T.JointMask(0.5, fill=7.0))(given_)
    hidden = (out["keypoint"] == 7).all(-1)
    assert hidden.any() and np.array_equal(out["keypoint_score"] == 0, hidden)


def as_a_view(transform: Transform) -> Transform:
    return GrowingPolicy(weak=[T.Shear(0.0)], strong=[transform])[-1]


class PlugInMask(Transform):
    """A user's own mask: its params say which joints are hidden, nothing is declared."""

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"mask": rng.uniform(batch.x.shape[2], batch.x.shape[3]) < 0.5}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return batch.replace(x=batch.x.masked_fill(params["mask"][:, None, ..., None], 7.0))


class PlugInShift(Transform):
    """A user's own move of the frames, which is no linear transform."""

    moves_presence = True

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        frames = batch.x.shape[2]
        return {"frames": (torch.arange(frames) + rng.integers(frames, 1)) % frames}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        frames = params["frames"][:, :, None, None]
        mask = batch.mask.take_along_dim(frames, 1)
        return batch.replace(x=batch.x.take_along_dim(frames[:, None], 2), mask=mask)


class PlugInBlink(Transform):
    """A user's own way to lose frames: its params do not say that they hide, so it takes ``coords``."""

    def __init__(self, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.coords = coords

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"shut": rng.uniform(batch.x.shape[2]) < 0.5}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        shut, score = params["shut"][:, None, :, None, None], torch.arange(batch.x.shape[1]) >= len(self.coords)
        return batch.replace(x=torch.where(shut, torch.where(score, 0.0, 7.0).view(-1, 1, 1, 1), batch.x))


class PlugInStream(Transform):
    """A user's own stream, which moves presence and no score: each joint minus the next, absent where that is."""

    moves_presence = True

    def __init__(self, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.coords = coords

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        x, mask = batch.x - batch.x.roll(1, 3), batch.mask & batch.mask.roll(1, 2)
        x[:, len(self.coords) :] = batch.x[:, len(self.coords) :]
        return batch.replace(x=torch.where(mask[:, None], x, 0), mask=mask)


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: Compose([t]), lambda t: OneOf([t]), as_a_view])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_a_plug_in_that_takes_coords_decides_about_scores(wrap: Any, p: float) -> None:
    hidden = 0
    for seed in range(4):
        given_ = clip(keypoint_score=scores_of(clip()["keypoint"]))
        torch.manual_seed(seed)
        out = SkelAug(wrap(PlugInBlink(p)))(dict(given_))
        shut = (out["keypoint"] == 7).all(-1)
        hidden += shut.sum()
        assert np.array_equal(out["keypoint_score"], np.where(shut, 0, given_["keypoint_score"]))
        out = SkelAug(wrap(PlugInStream(p)))(dict(given_))
        assert np.array_equal(out["keypoint_score"], given_["keypoint_score"])
        assert p < 1 or not np.isclose(out["keypoint"], given_["keypoint"]).all()
    assert hidden > 0


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: Compose([t]), lambda t: OneOf([t]), as_a_view])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_scores_follow_a_plug_in(wrap: Any, p: float) -> None:
    hidden = 0
    for seed in range(4):
        given_ = clip(keypoint_score=scores_of(clip()["keypoint"]))
        torch.manual_seed(seed)
        out = SkelAug(wrap(PlugInMask(p)))(dict(given_))
        masked = (out["keypoint"] == 7).all(-1)
        hidden += masked.sum()
        assert np.array_equal(out["keypoint_score"], np.where(masked, 0, given_["keypoint_score"]))
        keypoint = given_["keypoint"].copy()
        keypoint[..., 2] = given_["keypoint_score"]
        out = SkelAug(wrap(PlugInShift(p)))(given_ | {"keypoint": keypoint})
        assert np.array_equal(out["keypoint_score"], out["keypoint"][..., 2])
    assert hidden > 0


def test_a_view_is_judged_without_the_stages_after_it() -> None:
    policy = GrowingPolicy(weak=[T.Shear(0.5)], strong=[T.SkeleAdaIN(), T.JointMask(0.2, fill="token")])
    assert SkelAug(policy, view="weak")(clip())["keypoint"].shape == clip()["keypoint"].shape
    with pytest.raises(ValueError, match="learnable"):
        SkelAug(policy, view="strong")


@pytest.mark.parametrize(
    ("policy", "frames"),
    [
        (T.TemporalCrop(3), 12),
        (T.CropResize((0.5, 1), length=9), 9),
        (T.SegmentSample(30), 30),
        (T.DropFrame(0.25), 12),
        (T.DropFrame(0.25, fill="remove"), 9),
        (Compose([T.DropFrame(0.25, fill="remove"), T.SegmentSample(10)]), 10),
        (Compose([T.SegmentSample(20), T.DropFrame(0.25, fill="remove")]), 15),
    ],
    ids=str,
)
def test_total_frames_counts_the_frames(policy: Any, frames: int) -> None:
    out = SkelAug(policy)(clip(keypoint_score=scores_of(clip()["keypoint"])))
    assert out["total_frames"] == frames and type(out["total_frames"]) is int
    assert out["keypoint"].shape[1] == out["keypoint_score"].shape[1] == frames
    assert (out["keypoint"] != 0).any((2, 3)).all() or isinstance(policy, T.DropFrame)
    without = clip()
    del without["total_frames"]
    assert "total_frames" not in SkelAug(policy)(without)


def test_frames_past_total_frames_are_padding() -> None:
    given_ = clip(20)
    given_["keypoint"][:, 15:] = 99.9
    given_["total_frames"] = 15
    out = SkelAug(Compose([T.Reverse(p=1.0), T.Translate((1, 2))]))(copy.deepcopy(given_))
    assert out["total_frames"] == 15 and out["keypoint"].shape[1] == 20
    assert (out["keypoint"][:, 15:] == 0).all()
    shift = out["keypoint"][:, :15] - given_["keypoint"][:, 14::-1]
    assert np.ptp(shift, axis=(0, 1, 2)).max() < 1e-5 and (shift > 0.9).all()
    out = SkelAug(T.DropFrame(0.2, fill="remove"))(copy.deepcopy(given_))
    assert out["total_frames"] == 12 and out["keypoint"].shape[1] == 20 and (out["keypoint"][:, 12:] == 0).all()
    empty = clip(12)
    empty["keypoint"][:, 10:] = 0  # nobody, but no padding: these frames count
    out = SkelAug(T.DropFrame(0.2, fill="remove"))(empty)
    assert out["total_frames"] == out["keypoint"].shape[1] == 10 and (out["keypoint"][:, 8:] == 0).all()
    out = SkelAug(T.CropResize((1, 1), length=8))(copy.deepcopy(given_))
    assert out["total_frames"] == 8 and np.allclose(out["keypoint"][:, -1], given_["keypoint"][:, 14])


@pytest.mark.parametrize("coords", [2, 3])
def test_absent_people_and_lost_joints_stay_zero(coords: int) -> None:
    given_ = clip(channels=coords)
    given_["keypoint"][1] = 0
    given_["keypoint"][0, 4:6] = 0
    given_["keypoint"][0, 0, 2] = 0  # lost: neither coordinates nor score
    given_["keypoint"][0, 0, 3] = 0  # at the origin: it has a score
    score = scores_of(given_["keypoint"])
    score[1] = score[0, 4:6] = score[0, 0, 2] = 0
    out = SkelAug(Compose([T.Translate((1, 2)), T.GaussianNoise(0.1)]))({**given_, "keypoint_score": score})
    assert (out["keypoint"][1] == 0).all() and (out["keypoint"][0, 4:6] == 0).all()
    assert (out["keypoint"][0, 0, 2] == 0).all() and (out["keypoint"][0, 0, 3] != 0).all()
    assert np.array_equal(out["keypoint_score"], score)
    scored = SkelAug(IDENTITY)({**given_, "keypoint_score": np.ones_like(score)})["keypoint_score"]
    assert (scored[1] == 0).all() and (scored[0, 4:6] == 0).all() and (scored[0, :4] == 1).all()
    bare = SkelAug(T.Translate((1, 2)))(
        dict(given_)
    )  # without scores a joint at the origin cannot be told from a lost one
    assert (bare["keypoint"][1] == 0).all() and (bare["keypoint"][0, 0, 2:4] != 0).all()


def test_a_clip_without_anybody_stays_as_it_is() -> None:
    out = SkelAug(policies.hiclr(SKELETON))(clip() | {"keypoint": np.zeros((2, 12, V, 3), "float32")})
    assert not out["keypoint"].any() and out["total_frames"] == 12
    out = SkelAug(T.DropFrame(0.5, fill="remove"))(clip() | {"keypoint": np.zeros((2, 12, V, 3), "float32")})
    assert out["keypoint"].shape[1] == out["total_frames"] == 12


def test_one_seed_one_augmentation() -> None:
    step = SkelAug("hiclr", SKELETON)

    def run(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return step(clip())["keypoint"]

    first = run(1)
    assert np.array_equal(first, run(1)) and not np.array_equal(first, run(2))
    assert not np.array_equal(first, step(clip())["keypoint"]), "the stream goes on"


def test_every_way_to_name_a_policy_gives_the_same(tmp_path: Path) -> None:
    policy = policies.hiclr(SKELETON)
    config.to_yaml(policy, tmp_path / "policy.yaml")
    ways = [
        SkelAug(policy),
        SkelAug("hiclr", SKELETON),
        SkelAug("hiclr", SKELETON.to_dict(), view="strong"),
        SkelAug(config.to_dict(policy), view=2),
        SkelAug(tmp_path / "policy.yaml"),
        SkelAug(str(tmp_path / "policy.yaml"), SKELETON),
        SkelAug(policy[2]),
    ]
    results = []
    for step in ways:
        torch.manual_seed(3)
        results.append(step(clip())["keypoint"])
    assert all(np.array_equal(results[0], other) for other in results)
    torch.manual_seed(3)
    assert not np.array_equal(results[0], SkelAug(policy, view="basic")(clip())["keypoint"])
    assert repr(policy[0]) in repr(SkelAug(policy, view=0))


def test_a_mirror_changes_the_label() -> None:
    step = SkelAug(T.Mirror(SKELETON, label_map={3: 4, 4: 3}, p=1.0))
    assert step(clip())["label"] == 4
    out = step(clip() | {"label": np.int64(3)})["label"]
    assert out == 4 and type(out) is np.int64
    with pytest.raises(ValueError, match="whole number, got None"):
        step({"keypoint": clip()["keypoint"]})


def test_after_the_sampling_the_number_of_frames_is_settled() -> None:
    sampled = clip() | {"frame_inds": np.arange(12), "num_clips": 1, "total_frames": 300}
    out = SkelAug("hiclr", SKELETON)(dict(sampled))
    assert out["total_frames"] == 300 and out["keypoint"].shape == sampled["keypoint"].shape
    for policy, more in (
        (T.CropResize(length=9), {}),
        (T.DropFrame(fill="remove"), {}),
        (T.Shear(), {"num_clips": 2}),
    ):
        with pytest.raises(ValueError, match="before UniformSampleFrames"):
            SkelAug(policy)(sampled | more)


_GRAPH = policies.hiclr(SKELETON, "edges")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"policy": "hiclr"}, ValueError, r"SkelAug\(policy='hiclr'\): preset 'hiclr' needs the skeleton"),
        (
            {"policy": "hicrl", "skeleton": "ntu25"},
            ValueError,
            r"no preset 'hicrl'; nearest: hiclr; known: .*aimclr.* or give an existing .yaml",
        ),
        ({"policy": "none.yaml"}, ValueError, r"SkelAug\(policy='none.yaml'\): none.yaml: no such file"),
        ({"policy": {"type": "Shera"}}, ValueError, "unknown type 'Shera'"),
        ({"policy": 3}, TypeError, r"SkelAug\(policy=3\): .*expected a transform or policy.*got int"),
        (
            {"policy": "hiclr", "skeleton": "ntu"},
            ValueError,
            r"SkelAug\(skeleton='ntu'\): no skeleton 'ntu'; nearest: ntu25; known: ntu25",
        ),
        ({"policy": "hiclr", "skeleton": 25}, ValueError, r"SkelAug\(skeleton=25\): no skeleton 25; known: ntu25"),
        ({"policy": "hiclr", "skeleton": "ntu25", "view": "weak"}, ValueError, "one of 'basic', 'normal', 'strong' or"),
        ({"policy": "hiclr", "skeleton": "ntu25", "view": 3}, ValueError, "index of the policy's 3 views, got 3"),
        ({"policy": T.Shear(), "view": "basic"}, ValueError, "index of the policy's 1 views"),
        ({"policy": T.Shear(), "view": True}, ValueError, "got True"),
        ({"policy": T.Shear(), "coords": 1}, ValueError, "coords must be a whole number ≥ 2, got 1"),
        ({"policy": _GRAPH}, ValueError, "acts on the graph"),
        ({"policy": T.JointMask(fill="token")}, ValueError, "learnable parameter .* give fill a number"),
        ({"policy": "skateformer", "skeleton": "ntu25"}, ValueError, "BoneLengthTransfer borrows from the other"),
        ({"policy": "hiclr", "skeleton": SKELETON, "view": 0}, None, ""),
        ({"policy": T.SkeleAdaIN(style=make_x())}, None, ""),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], error: Any, match: str) -> None:
    if error is None:
        assert SkelAug(**arguments)(clip())["keypoint"].shape == (2, 12, V, 3)
        return
    with pytest.raises(error, match=match):
        SkelAug(**arguments)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"keypoint": None}, ValueError, "must be an array .*got NoneType"),
        ({"keypoint": np.zeros((1, 2, 12, V, 3))}, ValueError, "put SkelAug before FormatGCNInput"),
        ({"keypoint": np.zeros((2, 12, V, 3), int)}, TypeError, "floating point, got int64"),
        ({"keypoint": np.zeros((2, 12, V, 6))}, ValueError, "6 channels; say how many .*before GenSkeFeat"),
        ({"keypoint": np.zeros((2, 12, 9, 3))}, ValueError, "'test8' has 8 joints, the keypoints have 9"),
        ({"keypoint_score": np.zeros((2, 12, 9))}, ValueError, r"\(M, T, V\) = \(2, 12, 8\).*got shape \(2, 12, 9\)"),
        ({"keypoint_score": [1]}, ValueError, "got list"),
        ({"keypoint_score": np.zeros((2, 12, V), int)}, TypeError, "keypoint_score.*floating point"),
        ({"total_frames": 13}, ValueError, "total_frames is 13, keypoint has 12"),
    ],
    ids=str,
)
def test_wrong_results_are_named(changes: dict[str, Any], error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        SkelAug("hiclr", SKELETON)(clip() | changes)


def test_more_coordinates_than_channels() -> None:
    with pytest.raises(ValueError, match=r"coords=3\).*only 2 channels"):
        SkelAug(T.Shear(), coords=3)(clip(channels=2))


class Clips(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """The same clip over and over, so that only the draws differ."""

    def __init__(self) -> None:
        self.steps = [SkelAug(T.Translate(1.0)), SkelAug(T.Translate(1.0))]

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> np.ndarray:
        ones = {"keypoint": np.ones((1, 2, V, 3), "float32")}
        first, second = (step(dict(ones))["keypoint"][0, 0, 0] for step in self.steps)
        return np.concatenate([first, second])


def seed_as_openmmlab_does(worker: int) -> None:
    """What mmengine's worker_init_fn does to torch: the same seed in every epoch."""
    torch.manual_seed(worker + 7)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("init", [None, seed_as_openmmlab_does])
def test_workers_and_epochs_differ_and_a_seed_repeats_them(init: Any, persistent: bool) -> None:
    def run(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        loader = torch.utils.data.DataLoader(
            Clips(), num_workers=2, worker_init_fn=init, persistent_workers=persistent, multiprocessing_context="fork"
        )
        return np.concatenate([batch.numpy() for _ in range(2) for batch in loader])

    first = run(0)
    assert len(np.unique(first.reshape(-1, 3).round(5), axis=0)) == 2 * 8 * 2, "epochs, clips and steps all differ"
    assert np.array_equal(first, run(0)) and not np.isclose(first, run(1)).any()


def test_ranks_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        torch.manual_seed(0)
        loader = torch.utils.data.DataLoader(Clips(), num_workers=1, multiprocessing_context="fork")
        drawn.append(np.concatenate([batch.numpy() for batch in loader]))
    assert not np.isclose(*drawn).any()


def test_a_broken_pyskl_is_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    import skelaug.compat.pyskl as module

    broken = types.ModuleType("pyskl")
    broken.__path__ = []
    monkeypatch.setitem(sys.modules, "pyskl", broken)
    monkeypatch.delitem(sys.modules, "pyskl.datasets.builder", raising=False)
    monkeypatch.delitem(sys.modules, "pyskl.datasets", raising=False)
    with pytest.warns(UserWarning, match="pyskl is there but cannot be imported"):
        runpy.run_path(str(module.__file__))


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [
        "before (2, 120, 25, 3) float32",
        "after  (2, 120, 25, 3) float32 total_frames 120",
    ]


# --- inside PYSKL -----------------------------------------------------------------------------------------------------

inside = [
    pytest.mark.skipif(not find_spec("pyskl"), reason="needs PYSKL: python tools/interop.py --pyskl FOLDER"),
    pytest.mark.filterwarnings("ignore"),  # what others warn of is not ours to mend
]


def read_example(*, skelaug: bool = True) -> list[dict[str, Any]]:
    """The pipeline as PYSKL reads it; without skelaug, as its owner had it."""
    import mmcv

    steps = mmcv.Config.fromfile(str(EXAMPLE)).train_pipeline
    return [dict(step) for step in steps if skelaug or step["type"] != "SkelAug"]


def first_batch(ann_file: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    """What PYSKL's DataLoader gives first."""
    from pyskl.datasets import build_dataloader, build_dataset

    data = build_dataset({"type": "PoseDataset", "ann_file": ann_file, "pipeline": pipeline, "split": "xsub_train"})
    np.random.seed(0)  # noqa: NPY002  UniformSample draws from it
    torch.manual_seed(0)
    return next(iter(build_dataloader(data, 8, 0, shuffle=False)))


class TestInsidePyskl:
    pytestmark = inside

    def test_it_is_known_by_name(self) -> None:
        from pyskl.datasets import PIPELINES

        assert PIPELINES.get("SkelAug") is SkelAug

    @pytest.mark.parametrize("feats", [["j"], ["j", "b", "jm", "bm"]], ids=",".join)
    @pytest.mark.parametrize("motion", ["procedural", "recorded"])
    def test_a_batch_is_as_without(
        self, feats: list[str], motion: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        recordings = request.getfixturevalue("recordings") if motion == "recorded" else None
        file = annotations.ntu(tmp_path / "ntu.pkl", recordings)
        batches = []
        for skelaug in (False, True):
            pipeline = read_example(skelaug=skelaug)
            for step in pipeline:
                step.update({"feats": feats} if step["type"] == "GenSkeFeat" else {})
            batches.append(first_batch(file, pipeline))
        before, after = batches
        assert list(before) == list(after) and torch.equal(before["label"], after["label"])
        assert before["keypoint"].shape == after["keypoint"].shape == (8, 1, 2, 100, 25, 3 * len(feats))
        assert before["keypoint"].dtype == after["keypoint"].dtype == torch.float32
        assert not torch.isclose(before["keypoint"], after["keypoint"]).flatten(1).all(1).any()
        alone = ~before["keypoint"][:, 0, 1].flatten(1).any(1)
        assert alone.sum() == 1 and not after["keypoint"][alone, 0, 1].any()

    def test_two_dimensional_poses_keep_their_scores(self) -> None:
        """PYSKL's PreNormalize2D makes (x, y, score) of coordinates and scores."""
        from pyskl.datasets.pipelines import Compose as Pipeline

        policy = {"type": "Compose", "members": [{"type": "Rotate", "degrees": 20}, {"type": "Reverse", "p": 1.0}]}
        rng = np.random.default_rng(0)
        given_ = {
            "keypoint": (rng.random((1, 40, 17, 2)) * 500).astype("float16"),
            "keypoint_score": (rng.random((1, 40, 17)) * 0.9 + 0.1).astype("float16"),
            "total_frames": 40,
            "img_shape": (500, 500),
        }
        before, after = (
            Pipeline(
                [{"type": "PreNormalize2D"}, *steps, {"type": "GenSkeFeat", "dataset": "coco"}, {"type": "PoseDecode"}]
            )(copy.deepcopy(given_))["keypoint"]
            for steps in ([], [{"type": "SkelAug", "policy": policy, "skeleton": "coco17", "coords": 2}])
        )
        assert before.shape == after.shape == (1, 40, 17, 3) and before.dtype == after.dtype
        assert np.array_equal(after[..., 2], before[:, ::-1, :, 2])
        length = np.linalg.norm(before[:, ::-1, :, :2], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(after[..., :2], axis=-1), length, rtol=1e-4)
        assert not np.isclose(after[..., :2], before[:, ::-1, :, :2]).all()


# --- a mirror of pixels ----------------------------------------------------------------------------------------------


def pixels(height: int = 240, width: int = 321, **more: Any) -> dict[str, Any]:
    """A clip in an image; the last person is absent in the first frame, and one joint was not observed."""
    results = clip(channels=2, img_shape=(height, width), **more)
    kp = results["keypoint"]
    kp += 1 - kp.min()
    kp *= np.float32(min(height, width) * 0.8) / kp.max()
    kp[-1, 0], kp[0, 3, 2] = 0, 0
    results["keypoint_score"] = scores_of(kp)
    results["keypoint_score"][-1, 0] = results["keypoint_score"][0, 3, 2] = 0
    return results


def flipped(keypoint: np.ndarray, width: int) -> np.ndarray:
    """PYSKL's Flip, from its description: ``x -> width - x`` where x is not 0, then left and right change places."""
    out = keypoint.copy()
    out[..., 0] = np.where(out[..., 0] != 0, width - out[..., 0], 0)
    return out[:, :, list(SKELETON.mirror)]


MIRROR = T.Mirror(SKELETON, p=1.0)


@pytest.mark.parametrize("wrap", ["alone", "Compose", "OneOf", "policy", "nested policy"])
def test_a_mirror_of_pixels_is_one_of_the_image(wrap: str) -> None:
    policy: Any = {
        "alone": lambda: MIRROR,
        "Compose": lambda: Compose([T.Reverse(p=0.0), Compose([MIRROR])]),
        "OneOf": lambda: OneOf([MIRROR]),
        "policy": lambda: GrowingPolicy(weak=[T.Reverse(p=0.0)], strong=[MIRROR]),
        "nested policy": lambda: GrowingPolicy(weak=[MIRROR], strong=[T.Reverse(p=0.0)], mode="nested"),
    }[wrap]()
    step = SkelAug(policy, SKELETON)
    for width in (321, 500, 321):
        results = pixels(width=width)
        before = copy.deepcopy(results)
        out = step(results)
        np.testing.assert_array_equal(out["keypoint"], flipped(before["keypoint"], width))
        np.testing.assert_array_equal(out["keypoint_score"], before["keypoint_score"][:, :, list(SKELETON.mirror)])
        assert out["img_shape"] == (240, width)


def test_a_score_in_the_last_channel_is_no_pixel() -> None:
    results = pixels()
    before = results["keypoint"].copy()
    results["keypoint"] = np.concatenate([before, results.pop("keypoint_score")[..., None]], -1)
    out = SkelAug(MIRROR, coords=2)(results)
    np.testing.assert_array_equal(out["keypoint"][..., :2], flipped(before, 321))


def test_an_upright_mirror_takes_the_height() -> None:
    results = pixels()
    before = results["keypoint"].copy()
    out = SkelAug(MIRROR.with_(axis="y"))(results)
    there = before[..., 1] != 0
    expected = np.where(there, 240 - before[..., 1], 0)[:, :, list(SKELETON.mirror)]
    np.testing.assert_array_equal(out["keypoint"][..., 1], expected)


def test_what_is_no_pixel_is_mirrored_at_the_origin() -> None:
    centred = pixels()
    centred["keypoint"] = centred["keypoint"] / 160 - 1
    centred["keypoint"][pixels()["keypoint"] == 0] = 0
    in_space = clip(img_shape=(240, 321))
    in_space["keypoint"] *= 100
    unknown = pixels()
    del unknown["img_shape"]
    for results in (centred, in_space, unknown):
        before = results["keypoint"].copy()
        out = SkelAug(MIRROR)(results)["keypoint"]
        expected = before[:, :, list(SKELETON.mirror)]
        expected[..., 0] *= -1
        np.testing.assert_array_equal(out, expected)


def test_a_mirror_that_says_where_it_stands_stands_there() -> None:
    results = pixels()
    before = results["keypoint"].copy()
    out = SkelAug(MIRROR.with_(about=(100.0, 0.0)))(results)["keypoint"]
    np.testing.assert_allclose(out, flipped(before, 200), rtol=1e-6)


@pytest.mark.parametrize("wrong", [(240,), "240x321", 240, (240, 0), (240.5, 321.0), (None, None)])
def test_a_wrong_size_of_the_image_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"results\['img_shape'\] must be the image's \(height, width\), got"):
        SkelAug(MIRROR)(pixels() | {"img_shape": wrong})
    SkelAug(T.Shear(0.5))(pixels() | {"img_shape": wrong})  # nobody reads it
