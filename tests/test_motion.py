"""The bundled clips are what they claim to be, and procedural motion holds for any skeleton."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
import torch
from cases import SKELETON
from torch import Tensor

from skelaug import Skeleton, SkeletonBatch, sample_motion, skeletons, synthetic_motion
from skelaug.motion import ACTIONS, clip_names
from skelaug.presence import infer_presence

ASSET = resources.files("skelaug") / "assets" / "sample_motion.npz"
UPRIGHT = ("walk", "run", "jump", "kick", "spinkick", "punch", "dance_a", "dance_b")
#: A joint's number in the bundled clips.
_SIDE = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_NAMES = ["root", "chest", "neck", *(f"{side}_{part}" for side in ("right", "left") for part in _SIDE)]
J = {name: i for i, name in enumerate(_NAMES)}
PARENTS = [0, 0, 1, 0, 3, 4, 1, 6, 7, 0, 9, 10, 1, 12, 13]


def bone_lengths(x: Tensor, parents: list[int] | tuple[int, ...]) -> Tensor:
    """``(N, T, V, M)``."""
    return (x - x[:, :, :, list(parents)]).norm(dim=1)


# --- the bundled clips ----------------------------------------------------------------------------------------------


def test_clips_file_is_small_and_says_what_it_holds():
    with resources.as_file(ASSET) as path:
        assert path.stat().st_size < 400_000
        with np.load(path, allow_pickle=False) as archive:
            assert archive["joints"].tolist() == list(J)
            assert archive["parents"].tolist() == PARENTS
            assert archive["lengths"].sum() == len(archive["positions"])
            assert tuple(archive["names"].tolist()) == clip_names()
            assert archive["fps"] == 30


def test_clips_have_a_registered_skeleton():
    skeleton = skeletons["humanoid15"]
    assert tuple(skeleton.joints) == tuple(J)
    assert tuple(skeleton.parents) == tuple(PARENTS)


def test_clips_all():
    batch = sample_motion()
    assert len(set(clip_names())) == len(clip_names()) == 15
    assert batch.x.shape == (15, 3, 133, 15, 1)
    assert batch.x.dtype == torch.float32
    assert batch.label is not None
    assert batch.label.tolist() == list(range(15))
    assert batch.mask is not None
    lengths = batch.mask[:, :, 0, 0].sum(1)
    assert (lengths >= 25).all()
    assert lengths.max() == 133
    assert torch.equal(batch.mask, (torch.arange(133) < lengths[:, None])[..., None, None].expand_as(batch.mask))
    assert (batch.x[~batch.mask[:, None].expand_as(batch.x)] == 0).all()
    # The field's rule finds the same people in the bare tensor.
    assert torch.equal(infer_presence(batch.x).expand_as(batch.mask), batch.mask)


def test_clips_bones_keep_their_length():
    batch = sample_motion()
    bones = bone_lengths(batch.x, PARENTS)
    for sample, mask in zip(bones, batch.mask, strict=True):
        seen = sample[mask[:, 0, 0], 1:, 0]
        assert (seen.amax(0) - seen.amin(0)).max() < 1e-3
        assert seen.min() > 0.05
        assert seen.max() < 0.6
        # Both sides are built alike.
        torch.testing.assert_close(seen[:, 2:8].mean(0), seen[:, 8:].mean(0), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", clip_names())
def test_clips_are_people(name):
    x = sample_motion([name], centre=False)
    p = x.x[0, :, x.mask[0, :, 0, 0], :, 0].permute(1, 2, 0)  # (T, V, 3)
    assert -0.1 < p[..., 1].min() < 0.1, "the ground is at y = 0"
    # Backflip stretches 12 m/s between two source frames; nothing teleports.
    assert (p.diff(dim=0).norm(dim=-1) * 30).max() < 15
    if name not in UPRIGHT:
        return
    feet = p[:, [J["left_ankle"], J["right_ankle"]], 1].amin(1)
    assert (p[:, J["neck"], 1] - feet > 0.7).all()
    # A knee bends forward, and left × up is forward: so left is on the left.
    forward = torch.linalg.cross(p[:, J["left_hip"]] - p[:, J["right_hip"]], p[:, J["chest"]] - p[:, J["root"]])
    for side in ("left", "right"):
        bend = p[:, J[f"{side}_knee"]] - (p[:, J[f"{side}_hip"]] + p[:, J[f"{side}_ankle"]]) / 2
        assert ((bend * forward).sum(-1) > 0).float().mean() > 0.9
    if name in ("walk", "run", "jump"):
        assert p[-1, 0, 0] - p[0, 0, 0] > 1, "forward is +x"


def test_clips_centre():
    centred, raw = sample_motion(), sample_motion(centre=False)
    assert (centred.x[:, :, 0, J["root"]] == 0).all()
    assert (raw.x[:, 1, 0, J["root"], 0] > 0.05).all()
    torch.testing.assert_close(centred.x, torch.where(raw.mask[:, None], raw.x - raw.x[:, :, :1, :1], 0))


def test_clips_windows():
    batch = sample_motion(length=16)
    lengths = batch.mask[:, :, 0, 0].sum(1)
    assert batch.x.shape[1:] == (3, 16, 15, 1)
    assert ((lengths >= 8) & (lengths <= 16)).all()
    assert (batch.x[:, :, 0, J["root"]] == 0).all()
    whole, parts = sample_motion(["run"], centre=False), sample_motion(["run"], length=16, centre=False)  # 25 frames
    assert parts.mask[:, :, 0, 0].sum(1).tolist() == [16, 9]
    torch.testing.assert_close(parts.x[1:, :, :9], whole.x[:, :, 16:])
    assert len(sample_motion(["run"], length=20)) == 1  # 5 of 20 are too few
    assert sample_motion(["run"], length=50).mask.sum() == 25 * 15


def test_clips_in_any_order_keep_their_label():
    batch = sample_motion(["jump", "walk"])
    assert batch.label.tolist() == [clip_names().index("jump"), clip_names().index("walk")]
    assert batch.x.shape[2] == 54


def test_clips_cannot_be_changed_from_outside():
    before = sample_motion(centre=False, length=10).x.clone()
    for name in clip_names():
        sample_motion([name], centre=False).x.fill_(7)
    assert torch.equal(sample_motion(centre=False, length=10).x, before)


def test_clips_errors():
    with pytest.raises(ValueError, match=r"walk.*getup_faceup"):
        sample_motion(["moonwalk"])
    with pytest.raises(TypeError, match=r"\['walk'\]"):
        sample_motion("walk")
    with pytest.raises(ValueError, match="at least one clip"):
        sample_motion([])
    with pytest.raises(ValueError, match="length"):
        sample_motion(length=0)
    with pytest.raises(ValueError, match="at most 266"):
        sample_motion(length=267)


# --- procedural motion ----------------------------------------------------------------------------------------------

# Without limbs by name: what moves is found from the tree.
BARE = Skeleton.from_edges(
    [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (1, 6), (6, 7), (0, 8), (8, 9), (0, 10), (10, 11)], name="bare"
)
CHAIN = Skeleton.from_edges([(0, 1), (1, 2), (2, 3)], name="chain")
STAR = Skeleton.from_edges([(0, i) for i in range(1, 7)], name="star")
SKELETONS = {"test8": SKELETON, "bare": BARE, "chain": CHAIN, "star": STAR}


def all_skeletons() -> list[tuple[str, Skeleton]]:
    return [*((name, skeletons[name]) for name in skeletons), *SKELETONS.items()]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "skeleton"), all_skeletons(), ids=lambda v: v if isinstance(v, str) else "")
def test_synthetic_bones_keep_their_length(name, skeleton):
    batch = synthetic_motion(skeleton, 16, 20, 2, generator=generator())
    assert batch.x.shape == (16, 3, 20, len(skeleton), 2)
    assert batch.x.dtype == torch.float32
    assert batch.mask.all()
    assert batch.x.isfinite().all()
    bones = bone_lengths(batch.x, skeleton.parents)
    assert (bones.amax(1) - bones.amin(1)).max() < 1e-5
    own = [joint for joint, parent in enumerate(skeleton.parents) if joint != parent]
    assert (bones[:, :, own] > 0.02).all()
    assert batch.x.abs().max() < 4, "a person's size, near the origin"
    if name not in ("chain", "star", "mediapipe_hand21"):  # those have no trunk or no arms to move
        assert (batch.x.std(2).sum(1) > 0).any(1).all(), "everybody moves"


def test_synthetic_person_stands_upright():
    skeleton = skeletons["ntu25"]
    x = synthetic_motion(skeleton, 8, 10, actions=["turn"], generator=generator()).x[..., 0]
    head, foot = skeleton.limbs["trunk"], skeleton.limbs["left_leg"]
    assert (x[:, 1, :, list(head)].amax(-1) - x[:, 1, :, list(foot)].amin(-1) > 1.2).all()
    x = synthetic_motion(skeleton, 8, 10, actions=["wave"], generator=generator()).x[..., 0]
    left, right = skeleton.limbs["left_leg"][-1], skeleton.limbs["right_leg"][-1]
    assert (x[:, 2, :, right] > x[:, 2, :, left]).all(), "the right is at +z"


def test_synthetic_gaps():
    batch = synthetic_motion(skeletons["ntu25"], 64, 40, 3, gaps=True, generator=generator())
    present = batch.mask[:, :, 0]  # (N, T, M)
    assert torch.equal(batch.mask, present[:, :, None].expand_as(batch.mask)), "people are lost whole"
    assert (batch.x[~batch.mask[:, None].expand_as(batch.x)] == 0).all()
    assert torch.equal(infer_presence(batch.x).expand_as(batch.mask), batch.mask)
    assert present.any(1)[:, 0].all(), "the first person is there"
    assert not present.any(1).all(), "somebody is missing"
    ends_early = ~present.any(2)[:, -1]
    assert ends_early.any()
    assert not ends_early.all()
    inner = present.long().diff(dim=1)
    assert (inner == 1).any(), "somebody comes back after a gap"
    for frames in (1, 2, 3):
        assert synthetic_motion(CHAIN, 32, frames, gaps=True).mask.any((1, 2, 3)).all()


def test_synthetic_is_the_generators():
    make = [synthetic_motion(SKELETON, 6, 12, 2, gaps=True, generator=generator(seed)) for seed in (3, 3, 4)]
    for field in ("x", "mask", "label"):
        assert torch.equal(getattr(make[0], field), getattr(make[1], field))
    assert not torch.equal(make[0].x, make[2].x)
    state = torch.get_rng_state()
    synthetic_motion(SKELETON, 2, 4, generator=generator())
    assert torch.equal(state, torch.get_rng_state()), "a generator leaves torch's own alone"


def features(batch: SkeletonBatch) -> Tensor:
    """The mean pose of the first person and how much each joint moves, standardised."""
    x = batch.x[..., 0]
    f = torch.cat([x.mean(2), x.std(2)], 1).flatten(1)
    return (f - f.mean(0)) / (f.std(0) + 1e-6)


@pytest.mark.parametrize(
    ("name", "least"), [("ntu25", 0.9), ("coco17", 0.9), ("test8", 0.9), ("bare", 0.9), ("chain", 0.4)]
)
def test_synthetic_labels_can_be_learnt(name, least):
    skeleton = SKELETONS.get(name) or skeletons[name]
    batch = synthetic_motion(skeleton, 320, 40, generator=generator())
    assert batch.label.bincount().tolist() == [40] * len(ACTIONS)
    f, train, test = features(batch), slice(160), slice(160, None)
    centres = torch.stack([f[train][batch.label[train] == k].mean(0) for k in range(len(ACTIONS))])
    accuracy = (torch.cdist(f[test], centres).argmin(1) == batch.label[test]).float().mean()
    assert accuracy > least  # chance is 1 / 8


def test_synthetic_actions_and_dims():
    batch = synthetic_motion(SKELETON, 9, 5, dims=2, actions=["kick", "wave", "bow"], generator=generator())
    assert batch.x.shape == (9, 2, 5, 8, 1)
    assert batch.label.bincount().tolist() == [3, 3, 3]


def test_synthetic_errors():
    with pytest.raises(TypeError, match="Skeleton"):
        synthetic_motion(25, 2, 4)
    with pytest.raises(ValueError, match=r"wave.*clap"):
        synthetic_motion(SKELETON, 2, 4, actions=["sleep"])
    with pytest.raises(TypeError, match=r"\['wave'\]"):
        synthetic_motion(SKELETON, 2, 4, actions="wave")
    with pytest.raises(ValueError, match="at least one action"):
        synthetic_motion(SKELETON, 2, 4, actions=[])
    with pytest.raises(ValueError, match="dims"):
        synthetic_motion(SKELETON, 2, 4, dims=4)
    for name in ("n", "frames", "persons"):
        with pytest.raises(ValueError, match=name):
            synthetic_motion(SKELETON, **{"n": 2, "frames": 4, "persons": 1, name: 0})
