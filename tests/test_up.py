"""``up=``: what turns and draws bodies knows which axis is vertical; skeletons say it."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest
import torch
from cases import SKELETON, generator, keys, make_batch, make_x
from torch import Tensor

import skelaug
from skelaug import Skeleton, SkeletonBatch, config, plot, skeletons
from skelaug import transforms as T
from skelaug.preview.axes import SEEN
from skelaug.skeleton import AXES

figure = pytest.importorskip("matplotlib.figure")

#: What takes data with y up to data with another axis up, and keeps the first level axis, by hand.
TURNS = {
    "y": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "-y": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "z": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "-z": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "x": [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
    "-x": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
}
every = pytest.mark.parametrize("up", AXES)


def turned(x: Tensor, up: str) -> Tensor:
    return torch.einsum("ij,njtvm->nitvm", torch.tensor(TURNS[up], dtype=x.dtype), x)


def upright(skeleton: Skeleton, up: str) -> Skeleton:
    return dataclasses.replace(skeleton, up=up)


def test_the_turns_are_rotations_and_put_up_where_it_belongs() -> None:
    for up, rows in TURNS.items():
        matrix = torch.tensor(rows, dtype=torch.float64)
        assert torch.linalg.det(matrix) == 1
        goal = torch.zeros(3, dtype=torch.float64)
        goal["xyz".index(up[-1])] = -1 if up.startswith("-") else 1
        assert torch.equal(matrix[:, 1], goal)


# --- Align -----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("options", [{}, {"per": "clip"}, {"by": "shoulders", "released": True}], ids=str)
def test_shoulders_are_turned_about_what_is_vertical(options: dict[str, Any], up: str) -> None:
    x, goal = make_x(dtype=torch.float64), T.Align(SKELETON, **options)
    expected = turned(goal(x), up)
    by_argument = T.Align(SKELETON, **options, up=up)(turned(x, up))
    by_skeleton = T.Align(upright(SKELETON, up), **options)(turned(x, up))
    assert torch.equal(by_argument, by_skeleton)
    torch.testing.assert_close(by_argument, expected, rtol=0, atol=1e-9)
    left, right = SKELETON.shoulders
    across = (by_argument[:, :, :, right] - by_argument[:, :, :, left]).movedim(1, 0)
    level = [axis for axis in range(3) if axis != "xyz".index(up[-1])]
    if options == {}:
        assert (across[level[0]] > 0).all() and across[level[1]].abs().max() < 1e-9
    vertical = "xyz".index(up[-1])
    assert torch.equal(by_argument[:, vertical], turned(x, up)[:, vertical]), "the height stays"


def test_z_up_data_were_left_unturned() -> None:
    x = turned(make_x(dtype=torch.float64), "z")
    left, right = skeletons["h36m17"].shoulders
    body = x.new_zeros(5, 3, 12, 17, 2)
    body[:, :, :, :8] = x
    y = T.Align("h36m17")(body + 0.1 * torch.randn(body.shape, dtype=body.dtype, generator=generator(0)))
    across = y[:, :, :, right] - y[:, :, :, left]
    assert (across[:, 0] > 0).all() and across[:, 1].abs().max() < 1e-9


@every
def test_the_spine_goes_where_pyskl_has_it(up: str) -> None:
    x = make_x(dtype=torch.float64)
    assert torch.equal(T.Align(SKELETON, "spine", up=up)(x), T.Align(SKELETON, "spine")(x))


def test_in_the_plane_spines_point_up() -> None:
    x = make_x(c=2, dtype=torch.float64)
    low, high = SKELETON.spine
    for up, sign in (("y", 1), ("-y", -1), ("z", 1)):
        y = T.Align(SKELETON, "spine", up=up)(x)
        spine = y[:, :, :, high] - y[:, :, :, low]
        assert (sign * spine[:, 1] > 0).all() and spine[:, 0].abs().max() < 1e-9
        assert torch.equal(T.Align(SKELETON, up=up)(x), T.Align(SKELETON)(x)), "shoulders lie along +x"


# --- RandomMove ------------------------------------------------------------------------------------------------------


@every
def test_a_camera_moves_in_its_picture(up: str) -> None:
    batch = make_batch(dtype=torch.float64)
    other = batch.replace(x=turned(batch.x, up))
    move = T.RandomMove((10, 60), shift=(0.5, 1), nodes=3)
    expected = move(batch, keys=keys(5))
    for known in (move.with_(up=up), move.with_(skeleton=upright(SKELETON, up))):
        out = known(other, keys=keys(5))
        torch.testing.assert_close(out.x, turned(expected.x, up))
        depth = {"x": 2, "y": 2, "z": 1}[up[-1]]
        assert torch.equal(out.x[:, depth], other.x[:, depth]), "what is far stays far"


def test_a_camera_in_the_plane_turns_upwards() -> None:
    x, move = make_x(c=2), T.RandomMove((10, 60), shift=(0.5, 1))
    flipped = x * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1, 1)
    out = move.with_(up="-y")(flipped, keys=keys(5))
    torch.testing.assert_close(out * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1, 1), move(x, keys=keys(5)))


def test_vectors_of_a_camera_turn_in_its_picture() -> None:
    x = torch.cat([make_x(seed=1), make_x(seed=2)], 1)
    move = T.RandomMove((10, 60), up="z", coords=3, vectors=(3, 4, 5))
    params = move.sample(x, keys=keys(5))
    tip = T.RandomMove((10, 60), up="z")
    expected = tip.replay(x[:, :3] + x[:, 3:], params) - tip.replay(x[:, :3].clone(), params)
    torch.testing.assert_close(move.replay(x, params)[:, 3:], expected)


# --- plots -----------------------------------------------------------------------------------------------------------


def segments(axes: Any) -> Any:
    return [segment for lines in axes.collections for segment in lines.get_segments()]


def strip(x: Tensor, skeleton: Skeleton, **options: Any) -> Tensor:
    axes = figure.Figure().subplots()
    assert plot.strip(SkeletonBatch(x), skeleton, ax=axes, **options) is axes
    return torch.tensor([[list(end) for end in segment] for segment in segments(axes)])


@every
def test_a_body_is_drawn_upright(up: str) -> None:
    skeleton = skeletons["humanoid15"]
    x = skelaug.sample_motion().x[:1]
    plain = strip(x, skeleton)
    drawn = strip(turned(x, up), skeleton, up=up)
    assert torch.equal(drawn, strip(turned(x, up), upright(skeleton, up)))
    trunk = [i for i, (joint, _) in enumerate(skeleton.bones) if skeleton.joints[joint] == "neck"]
    for bones in (plain, drawn):
        first = bones[trunk[0]]
        assert first[0, 1] > first[1, 1] + 0.1, "the neck is above the chest"
    if up in ("y", "-y", "z", "-z"):
        torch.testing.assert_close(drawn, plain, rtol=0, atol=1e-5)


def test_nothing_is_drawn_in_a_mirror() -> None:
    for seen in SEEN.values():
        matrix = torch.zeros(3, 3)
        for row, (sign, axis) in enumerate(seen):
            matrix[row, axis] = sign
        assert torch.linalg.det(matrix) == 1


def test_images_are_drawn_upright_by_default() -> None:
    x = make_x(1, c=2, m=1)
    coco = torch.rand(1, 2, 3, 17, 1) + 0.1
    down = coco * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1, 1)
    torch.testing.assert_close(strip(coco, skeletons["coco17"]), strip(down, skeletons["coco17"], up="y"))
    assert len(strip(x, SKELETON))


# --- skeletons -------------------------------------------------------------------------------------------------------


def test_known_skeletons_know_theirs() -> None:
    ups = {name: skeleton.up for name, skeleton in skeletons.items()}
    assert {name for name, up in ups.items() if up == "z"} == {"h36m17"}
    assert {name for name, up in ups.items() if up == "-y"} == {
        *(name for name, skeleton in skeletons.items() if skeleton.planar),
        "mediapipe33",
        "mediapipe_hand21",
        "azure32",
    }
    assert [ups[name] for name in ("ntu25", "kinect20", "msr20", "utd20", "smpl24", "smpl22", "humanoid15")] == [
        "y"
    ] * 7


def test_it_is_kept() -> None:
    z = upright(skeletons["ntu25"], "z")
    assert z != skeletons["ntu25"] and pickle.loads(pickle.dumps(z)) == z
    assert Skeleton.from_dict(z.to_dict()) == z and "up='z'" in repr(z)
    assert eval(repr(z), {"Skeleton": Skeleton, "skeletons": skeletons}) == z
    align = T.Align(z)
    again = config.from_dict(config.to_dict(align))
    assert again.skeleton == z and again._up == "z" and again.up is None
    assert z.subset(range(20)).up == "z" and skeletons["coco17"].subset(range(5)).planar
    assert Skeleton.from_edges([(0, 1)], up="-z").up == "-z"
    old = skeletons["ntu25"].to_dict()
    del old["up"]
    assert Skeleton.from_dict(old) == skeletons["ntu25"]


@pytest.mark.parametrize("wrong", ["up", "Y", "", 1, None, ["y"]])
def test_no_axis(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"up must be one of x, -x, y, -y, z, -z"):
        upright(SKELETON, wrong)
    if wrong is not None:
        for call in (lambda: T.Align(SKELETON, up=wrong), lambda: T.RandomMove(up=wrong)):
            with pytest.raises(ValueError, match=r"\(up=.*up must be one of 'x', '-x'"):
                call()
