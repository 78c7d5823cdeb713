"""Transforms of the coordinates against scipy, hand-worked numbers and the mathematics they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import SKELETON, generator, keys, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from skelaug import Skeleton, SkeletonBatch, skeletons
from skelaug import transforms as T
from skelaug.functional import space as fs
from skelaug.functional import values as fv

seeds = st.integers(0, 2**31)


def distances(x: torch.Tensor) -> torch.Tensor:
    """Between all joints of a frame and person: ``(N, T, M, V, V)``."""
    points = x.permute(0, 2, 4, 3, 1)
    return torch.cdist(points, points)


# --- Shear -----------------------------------------------------------------------------------------------------------


def test_shear_by_hand() -> None:
    matrix = fs.shear_matrix(torch.tensor([[1.0, 2, 3, 4, 5, 6]]))
    assert matrix.tolist() == [[[1, 1, 2], [3, 1, 4], [5, 6, 1]]]
    x = torch.tensor([1.0, 10, 100]).view(1, 3, 1, 1, 1)
    assert T.Shear().replay(x, {"matrix": matrix}).flatten().tolist() == [211, 413, 165]
    assert fs.shear_matrix(torch.tensor([[2.0, 3]])).tolist() == [[[1, 2], [3, 1]]]


@pytest.mark.parametrize(("amount", "low", "high"), [(0.5, -0.5, 0.5), ((0.1, 0.3), 0.1, 0.3)])
def test_shear_draws_six_uniform_numbers(amount: float, low: float, high: float) -> None:
    matrix = T.Shear(amount).sample(make_x(800, t=1, m=1), generator=generator())["matrix"]
    assert (matrix.diagonal(dim1=1, dim2=2) == 1).all()
    off = matrix[:, ~torch.eye(3, dtype=torch.bool)]
    assert np.abs(np.corrcoef(off.T) - np.eye(6)).max() < 0.15
    for column in off.T:
        assert kstest(column.numpy(), "uniform", (low, high - low)).pvalue > 1e-3


# --- Rotate ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-360, 360), min_size=3, max_size=3))
def test_rotation_matrices_are_scipys(degrees: list[float]) -> None:
    angles = torch.tensor([degrees], dtype=torch.float64).deg2rad()
    expected = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    np.testing.assert_allclose(fs.rotation_matrix(angles)[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("axis", "start", "end"), [("z", 0, 1), ("x", 1, 2), ("y", 2, 0)])
def test_positive_angles_are_right_handed(axis: str, start: int, end: int) -> None:
    x = torch.zeros(1, 3, 1, 1, 1)
    x[0, start] = 1
    y = T.Rotate((90, 90), axes=axis)(x)
    assert y.flatten().tolist() == pytest.approx([float(i == end) for i in range(3)], abs=1e-6)


def test_a_plane_turns_counter_clockwise() -> None:
    x = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1)
    assert T.Rotate((90, 90))(x).flatten().tolist() == pytest.approx([0, 1], abs=1e-6)
    with pytest.raises(ValueError, match="two coordinates rotate in their plane; use axes='z'"):
        T.Rotate(30, axes="x")(x)


@given(seeds, st.sampled_from(["xyz", "main", "x", "y", "z"]), st.floats(0, 180))
def test_rotation_is_an_isometry(seed: int, axes: str, degrees: float) -> None:
    rotate, x = T.Rotate(degrees, axes=axes), make_x(3, t=2, dtype=torch.float64)
    params = rotate.sample(x, generator=generator(seed))
    torch.testing.assert_close(distances(rotate.replay(x, params)), distances(x), rtol=1e-5, atol=1e-5)
    assert torch.linalg.det(params["matrix"]).tolist() == pytest.approx([1] * 3, abs=1e-5)


def test_rotation_angles_are_uniform() -> None:
    for axes in "xyz":
        matrix = T.Rotate(30, axes=axes).sample(make_x(800, t=1, m=1), generator=generator())["matrix"]
        found = Rotation.from_matrix(matrix.numpy()).as_rotvec(degrees=True)["xyz".index(axes) : 3 : 3]
        angle = Rotation.from_matrix(matrix.numpy()).as_rotvec(degrees=True)[:, "xyz".index(axes)]
        assert found.shape and kstest(angle, "uniform", (-30, 60)).pvalue > 1e-3


def test_main_axis_draws_one_large_and_two_small_angles() -> None:
    matrix = T.Rotate((10, 30), axes="main", minor=1).sample(make_x(900, t=1, m=1), generator=generator())["matrix"]
    euler = np.abs(Rotation.from_matrix(matrix.numpy()).as_euler("xyz", degrees=True))
    assert ((euler > 5).sum(1) == 1).all() and euler[euler < 5].max() <= 1.001
    assert np.bincount(euler.argmax(1)) == pytest.approx([300] * 3, abs=60)


# --- Scale, Translate, NegateAxis, AxisMask --------------------------------------------------------------------------


def test_scale_multiplies_by_one_factor_or_one_an_axis() -> None:
    x = make_x(600, t=2, m=1)
    whole = T.Scale((0.8, 1.2))(x, generator=generator()) / x
    assert torch.allclose(whole, whole[:, :1, :1, :1, :1].expand_as(whole), rtol=1e-5)
    assert kstest(whole[:, 0, 0, 0, 0].numpy(), "uniform", (0.8, 0.4)).pvalue > 1e-3
    axes = T.Scale((0.8, 1.2), per_axis=True)(x, generator=generator()) / x
    assert torch.allclose(axes, axes[:, :, :1, :1, :1].expand_as(axes), rtol=1e-5)
    assert not torch.allclose(axes[:, 0], axes[:, 1])


def test_translate_moves_the_present_by_one_offset() -> None:
    batch = make_batch(60)
    moved = T.Translate(0.3)(batch, generator=generator())
    step = (moved.x - batch.x)[batch.mask[:, None].expand_as(batch.x)]
    assert step.abs().max() <= 0.3 + 1e-6
    first = (moved.x - batch.x)[0, :, 0, 0, 0]
    torch.testing.assert_close(
        (moved.x - batch.x)[0, :, :, :, 0], first[:, None, None].expand(3, 12, 8), atol=1e-6, rtol=0
    )


def test_axis_mask_zeroes_exactly_one_axis() -> None:
    y = T.AxisMask(p=1.0)(make_x(600, t=2, m=1), generator=generator())
    gone = (y == 0).flatten(2).all(2)
    assert (gone.sum(1) == 1).all()
    assert gone.sum(0).tolist() == pytest.approx([200] * 3, abs=50)
    x = make_x()
    fixed = T.AxisMask("y", p=1.0)(x)
    assert fixed[:, 1].eq(0).all() and fixed[:, [0, 2]].equal(x[:, [0, 2]])


# --- Mirror, SwapSides, NegateAxis -----------------------------------------------------------------------------------


@given(seeds, st.sampled_from("xyz"), st.integers(1, 3))
def test_mirrors_and_swaps_twice_are_the_identity(seed: int, axis: str, persons: int) -> None:
    x = make_x(2, t=3, m=persons, seed=seed % 1000)
    for transform in (T.Mirror(SKELETON, axis, p=1.0), T.SwapSides(SKELETON, p=1.0), T.NegateAxis(axis, p=1.0)):
        assert torch.equal(transform(transform(x)), x) and not torch.equal(transform(x), x)


def test_mirror_is_negation_and_swap() -> None:
    batch = make_batch()
    mirrored = T.Mirror(SKELETON, p=1.0)(batch)
    both = T.SwapSides(SKELETON, p=1.0)(T.NegateAxis("x", p=1.0)(batch))
    assert torch.equal(mirrored.x, both.x) and torch.equal(mirrored.mask, both.mask)
    swapped = T.SwapSides(SKELETON, p=1.0)(batch)
    assert torch.equal(swapped.x, batch.x[:, :, :, [0, 1, 3, 2, 5, 4, 7, 6]])
    assert torch.equal(swapped.mask, batch.mask[:, :, [0, 1, 3, 2, 5, 4, 7, 6]])


def test_mirror_changes_handed_classes_of_mirrored_samples_alone() -> None:
    batch = make_batch(5)  # labels 0 … 4
    mirror = T.Mirror(SKELETON, label_map={1: 2, 2: 1}, p=0.5)
    out, params = mirror(batch, keys=keys(5, 3), return_params=True)
    expected = [{1: 2, 2: 1}.get(i, i) if on else i for i, on in enumerate(params["apply"].tolist())]
    assert out.label.tolist() == expected
    assert T.Mirror(SKELETON, label_map={1: 2, 2: 1}, p=1.0)(batch).label.tolist() == [0, 2, 1, 3, 4]
    with pytest.raises(ValueError, match="changes labels, but x has none"):
        mirror(make_x())


# --- RandomMove ------------------------------------------------------------------------------------------------------


def test_random_move_against_a_plain_loop() -> None:
    move, x = T.RandomMove(20, (0.8, 1.2), 0.3, nodes=3), make_x(2, t=11, m=1, dtype=torch.float64)
    params = move.sample(x, generator=generator())
    y = move.replay(x, params)
    cosine, sine = params["linear"].double().unbind(1)
    for n in range(2):
        for t in range(11):
            c, s = cosine[n, t], sine[n, t]
            plane = torch.tensor([[c, -s], [s, c]]) @ x[n, :2, t, :, 0] + params["shift"][n, :, t, None]
            torch.testing.assert_close(y[n, :2, t, :, 0], plane)
            assert torch.equal(y[n, 2], x[n, 2])


def test_random_move_is_exact_at_its_nodes_and_straight_between() -> None:
    params = T.RandomMove(0, (1, 1), 0.3, nodes=3).sample(make_x(500, t=21), generator=generator())
    shift = params["shift"]
    for half in (shift[:, :, :11], shift[:, :, 10:]):
        assert half.diff(n=2).abs().max() < 1e-6
    for node in (0, 10, 20):
        assert kstest(shift[:, 0, node].numpy(), "uniform", (-0.3, 0.6)).pvalue > 1e-3
    angle = T.RandomMove(20, (0.8, 1.2)).sample(make_x(500, t=21), generator=generator())["linear"]
    size, turn = angle.norm(dim=1)[:, 0], torch.atan2(angle[:, 1], angle[:, 0])[:, 0]
    assert kstest(size.numpy(), "uniform", (0.8, 0.4)).pvalue > 1e-3
    assert kstest(turn.rad2deg().numpy(), "uniform", (-20, 40)).pvalue > 1e-3


# --- Center, Normalize, SubtractJoint --------------------------------------------------------------------------------


def test_center_puts_the_joint_at_the_origin() -> None:
    batch = make_batch()
    out = T.Center(SKELETON, joint="neck")(batch)
    assert out.x[:, :, :, 1].abs().max() == 0
    torch.testing.assert_close(distances(out.x[:1, ..., :1]), distances(batch.x[:1, ..., :1]), atol=1e-5, rtol=1e-5)


def test_center_of_a_clip_keeps_paths() -> None:
    batch = make_batch()
    out = T.Center(SKELETON, per="clip")(batch)
    first = batch.x[3, :, 2, 0, 0]  # frames 0 and 1 are absent in sample 3
    torch.testing.assert_close(out.x[3, :, 2, :, 1], batch.x[3, :, 2, :, 1] - first[:, None])
    torch.testing.assert_close(
        out.x[0, :, :, :, 0].diff(dim=1), batch.x[0, :, :, :, 0].diff(dim=1), atol=1e-6, rtol=1e-5
    )


def test_normalize_makes_bodies_the_size_asked_for() -> None:
    x = make_x(dtype=torch.float64)
    sizes = fv.body_size(T.Normalize(1.7)(x))
    assert sizes.mean(1).tolist() == pytest.approx([1.7] * 5)
    # By hand: a bounding box of 3 by 4, the other person absent.
    box = torch.zeros(1, 2, 1, 3, 2)
    box[0, 0, 0, :, 0], box[0, 1, 0, :, 0] = torch.tensor([1.0, 4, 2]), torch.tensor([1.0, 1, 5])
    assert torch.allclose(T.Normalize()(box), box / 5)


def test_subtract_joint_moves_the_origin_there() -> None:
    subtract, x = T.SubtractJoint(p=1.0), make_x(400, t=2)
    out, params = subtract(x, generator=generator(), return_params=True)
    for n in range(400):
        joint = params["joint"][n]
        assert torch.equal(out[n], x[n] - x[n, :, :, joint, None])
    assert np.bincount(params["joint"]).min() > 25


# --- Align -----------------------------------------------------------------------------------------------------------

LEFT, RIGHT, LOWER, UPPER = (*SKELETON.shoulders, *SKELETON.spine)  # type: ignore[misc]


@pytest.mark.parametrize("m", [1, 2, 3])
def test_shoulders_lie_along_x_in_every_frame(m: int) -> None:
    x = make_x(m=m, dtype=torch.float64)
    y = T.Align(SKELETON)(x)
    across = y[:, :, :, RIGHT] - y[:, :, :, LEFT]
    assert (across[:, 0] > 0).all() and across[:, 2].abs().max() < 1e-12
    assert torch.equal(y[:, 1], x[:, 1]), "a turn about the vertical axis"
    torch.testing.assert_close(distances(y), distances(x))
    assert (torch.linalg.det(_turns(x, y)) > 0).all(), "no mirror"


def _turns(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The matrices that turned x to y, frame by frame, person by person."""
    a, b = (v.permute(0, 2, 4, 3, 1) for v in (x, y))
    return torch.linalg.lstsq(a, b).solution.mT


def test_one_turn_for_the_clip_is_by_its_first_person_and_frame() -> None:
    batch = make_batch(dtype=torch.float64)
    turns = {0: (0, 0), 1: (0, 0), 2: (1, 1), 3: (2, 0)}  # where both shoulders are first observed
    mask = batch.mask.clone()
    mask[2, 1, :, 0] = False  # in frame 0 a shoulder is lost
    batch = SkeletonBatch(batch.x, mask)
    y = T.Align(SKELETON, per="clip")(batch).x
    for n, (frame, person) in turns.items():
        ways = batch.x[n, :, frame, RIGHT, person] - batch.x[n, :, frame, LEFT, person]
        angle = math.atan2(float(ways[2]), float(ways[0]))
        turn = torch.from_numpy(Rotation.from_euler("y", angle).as_matrix())
        torch.testing.assert_close(y[n], torch.einsum("ij,jtvm->itvm", turn, batch.x[n]))
    assert (y[4] == 0).all()


def upright(frame: np.ndarray) -> np.ndarray:
    """The matrix of the spine's alignment, from ``(3, V)``: scipy's turn about the cross product, twice."""

    def onto(way: np.ndarray, goal: np.ndarray) -> np.ndarray:
        axis = np.cross(way, goal)
        angle = np.arctan2(np.linalg.norm(axis), way @ goal)
        return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()

    first = onto(frame[:, UPPER] - frame[:, LOWER], np.array([0.0, 0, 1]))
    turned = first @ frame
    return onto(turned[:, RIGHT] - turned[:, LEFT], np.array([1.0, 0, 0])) @ first


@pytest.mark.parametrize("per", ["frame", "clip"])
@given(seeds)
def test_spine_and_shoulders_against_scipy(per: str, seed: int) -> None:
    x = make_x(3, m=2, seed=seed, dtype=torch.float64)
    y = T.Align(SKELETON, "spine", per)(x).numpy()
    for n in range(3):
        for t in range(12):
            for m in range(2):
                own = x[n, :, t, :, m] if per == "frame" else x[n, :, 0, :, 0]
                np.testing.assert_allclose(y[n, :, t, :, m], upright(own.numpy()) @ x[n, :, t, :, m].numpy(), atol=1e-8)


def test_a_spine_upside_down_and_shoulders_the_wrong_way_round_are_turned() -> None:
    x = torch.zeros(1, 3, 1, len(SKELETON), 1, dtype=torch.float64)
    x[0, 2, 0, UPPER], x[0, 0, 0, RIGHT], x[0, 0, 0, LEFT] = -1, -1, 1
    y = T.Align(SKELETON, "spine")(x)[0, :, 0, :, 0]
    assert y[:, UPPER].tolist() == [0, 0, 1]
    assert y[:, RIGHT].tolist() == [1, 0, 0] and y[:, LEFT].tolist() == [-1, 0, 0]
    y = T.Align(SKELETON)(x)[0, :, 0, :, 0]
    assert y[:, RIGHT].tolist() == [1, 0, 0] and y[:, UPPER].tolist() == [0, 0, 1]


def test_in_the_plane() -> None:
    x = make_x(c=2, dtype=torch.float64)
    y = T.Align(SKELETON)(x)
    across = y[:, :, :, RIGHT] - y[:, :, :, LEFT]
    assert (across[:, 0] > 0).all() and across[:, 1].abs().max() < 1e-12
    y = T.Align(SKELETON, "spine")(x)
    spine = y[:, :, :, UPPER] - y[:, :, :, LOWER]
    assert (spine[:, 1] > 0).all() and spine[:, 0].abs().max() < 1e-12
    torch.testing.assert_close(distances(y), distances(x))


def test_who_has_no_shoulders_is_not_turned() -> None:
    batch = make_batch()
    mask = batch.mask.clone()
    mask[0, :, LEFT, 0] = False
    batch = SkeletonBatch(batch.x, mask)
    out = T.Align(SKELETON)(batch)
    assert torch.equal(out.x[0, ..., 0], batch.x[0, ..., 0]), "a shoulder that is never observed"
    assert not torch.equal(out.x[1], batch.x[1])
    still = torch.ones(1, 3, 2, len(SKELETON), 1)
    assert torch.equal(T.Align(SKELETON)(still), still), "shoulders in one place"


# --- coordinates and constructors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [T.Shear(0.5, coords=2), T.Rotate(30, coords=2), T.Scale((0.5, 2), coords=2), T.Translate(1, coords=(0, 1)),
     T.Mirror(SKELETON, p=1.0, coords=2), T.NegateAxis("y", p=1.0, coords=2), T.AxisMask(p=1.0, coords=2),
     T.RandomMove(coords=2), T.Center(SKELETON, coords=2), T.Normalize(coords=2), T.SubtractJoint(p=1.0, coords=2),
     T.Align(SKELETON, coords=2), T.Align(SKELETON, "spine", "clip", coords=2)],
    ids=lambda t: type(t).__name__,
)  # fmt: skip
def test_a_score_channel_is_left_alone(transform: T.Shear) -> None:
    x = make_x()
    score = x[:, 2, :, [0, 1, 3, 2, 5, 4, 7, 6]] if isinstance(transform, T.Mirror) else x[:, 2]
    y = transform(x)
    assert torch.equal(y[:, 2], score) and not torch.equal(y[:, :2], x[:, :2])
    # The same as without the channel, whatever place the score has.
    params = transform.sample(x, keys=keys(5))
    front = type(transform)(**transform.arguments() | {"coords": (1, 2)})
    swapped = front.replay(x[:, [2, 0, 1]], front.sample(x[:, [2, 0, 1]], keys=keys(5)))
    torch.testing.assert_close(swapped[:, [1, 2, 0]], transform.replay(x, params))


def test_a_person_whose_joint_is_lost_keeps_the_last_known_origin() -> None:
    batch = make_batch()
    mask = batch.mask.clone()
    mask[0, 5, 0, 0] = False
    batch = SkeletonBatch(batch.x, mask)
    out = T.Center(SKELETON)(batch)
    expected = batch.x[0, :, 5, :, 0] - batch.x[0, :, 4, 0, None, 0]
    assert torch.equal(out.x[0, :, 5, 1:, 0], expected[:, 1:]) and (out.x[0, :, 5, 0, 0] == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.Shear(-1), r"Shear\(amount=-1\): amount must be a number ≥ 0 or a \(low, high\) pair, got -1"),
        (lambda: T.Shear((1, 0)), r"Shear\(amount=\(1, 0\)\)"),
        (lambda: T.Shear("a"), r"Shear\(amount='a'\)"),
        (lambda: T.Shear(math.nan), r"Shear\(amount=nan\)"),
        (lambda: T.Shear(coords=0), r"Shear\(coords=0\): coords must be None"),
        (lambda: T.Shear(coords=(0, 0)), "distinct channel indices"),
        (lambda: T.Rotate(30, axes="w"), r"Rotate\(axes='w'\): axes must be one of 'xyz', 'main', 'x', 'y', 'z'"),
        (lambda: T.Rotate(None), r"Rotate\(degrees=None\)"),
        (lambda: T.Scale(2), r"Scale\(factor=2\): factor must be a \(low, high\) pair ≥ 0, got 2"),
        (lambda: T.Scale((-1, 1)), r"Scale\(factor=\(-1, 1\)\)"),
        (lambda: T.Mirror(25), "skeleton must be a Skeleton or the name of one, such as 'ntu25'"),
        (lambda: T.Mirror(SKELETON, axis="w"), r"Mirror\(axis='w'\)"),
        (lambda: T.RandomMove(nodes=1), r"RandomMove\(nodes=1\): nodes must be a whole number ≥ 2, got 1"),
        (lambda: T.Center(SKELETON, joint="nose"), "has no joint 'nose'; its joints are hip, neck"),
        (lambda: T.Center(SKELETON, joint=8), r"Center\(joint=8\)"),
        (lambda: T.Normalize(0), r"Normalize\(size=0\)"),
        (lambda: T.Align(SKELETON, "hips"), r"Align\(by='hips'\): by must be one of 'shoulders', 'spine'"),
        (lambda: T.Align(SKELETON, per="person"), r"Align\(per='person'\): per must be one of 'frame', 'clip'"),
        (lambda: T.Align(skeletons["coco17"], "spine"), "skeleton 'coco17' does not say what its spine are"),
        (lambda: T.Align(Skeleton.from_edges([(0, 1)])), "'custom' does not say what its shoulders are"),
        (lambda: T.Align(SKELETON, per="clip", released=True), "the released code turns shoulders, per frame"),
    ],
)
def test_wrong_arguments_are_explained(make: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()  # type: ignore[operator]


def test_too_few_channels_are_explained() -> None:
    with pytest.raises(ValueError, match=r"needs 2 or 3 coordinates, x has 4 .*coords=2\) for \(x, y, score\)"):
        T.Shear()(make_x(c=4))
    with pytest.raises(ValueError, match="x has only 3 channels"):
        T.Shear(coords=(1, 3))(make_x())
    with pytest.raises(ValueError, match="x has only 2 coordinates; use one of x, y"):
        T.NegateAxis("z", p=1.0)(make_x(c=2))


def test_rotations_are_those_of_kornia() -> None:
    from kornia.geometry.conversions import axis_angle_to_rotation_matrix

    angles = torch.randn(50, 3, generator=generator(), dtype=torch.float64)
    about = [
        axis_angle_to_rotation_matrix(angles[:, i : i + 1] * torch.eye(3, dtype=torch.float64)[i]) for i in range(3)
    ]
    torch.testing.assert_close(fs.rotation_matrix(angles), about[2] @ about[1] @ about[0], atol=1e-12, rtol=0)
