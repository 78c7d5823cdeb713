"""AimCLR's tools: shapes and types, the original's distribution where it is asked for, and each quirk put right."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from compat.parity import Array, clip, makes, pvalue
from scipy.ndimage import convolve1d
from scipy.spatial.transform import Rotation

import skelaug
from skelaug.compat import aimclr

FUNCTIONS = [name for name in aimclr.__all__ if name != "with_options"]
NTU = skelaug.skeletons["ntu25"]
DRAWS = [pytest.param(1500, id="daily"), pytest.param(20_000, id="all", marks=pytest.mark.slow)]

# The signatures that the peers' feeders call.
SIGNATURES = {
    "shear": {"data_numpy": inspect.Parameter.empty, "r": 0.5},
    "temperal_crop": {"data_numpy": inspect.Parameter.empty, "temperal_padding_ratio": 6},
    "random_spatial_flip": {"seq": inspect.Parameter.empty, "p": 0.5},
    "random_time_flip": {"seq": inspect.Parameter.empty, "p": 0.5},
    "random_rotate": {"seq": inspect.Parameter.empty},
    "gaus_noise": {"data_numpy": inspect.Parameter.empty, "mean": 0, "std": 0.01, "p": 0.5},
    "gaus_filter": {"data_numpy": inspect.Parameter.empty},
    "axis_mask": {"data_numpy": inspect.Parameter.empty, "p": 0.5},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names_and_signatures_are_the_peers(name: str) -> None:
    parameters = inspect.signature(getattr(aimclr, name)).parameters.values()
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert positional == SIGNATURES[name]
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} <= {"coords", "faithful", "skeleton"}


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_in_and_out(name: str, faithful: bool) -> None:
    tool = getattr(aimclr, name)
    reference = None
    for x in makes(clip(start=2, stop=10)):
        before = x.copy()
        for seed in range(6):  # applied, and not
            torch.manual_seed(seed)
            y = tool(x, faithful=faithful)
            assert isinstance(y, np.ndarray) and y.shape == x.shape and y.flags.c_contiguous and y.flags.writeable
            assert y.dtype == x.dtype.newbyteorder("=") and np.isfinite(y).all()
            assert not np.shares_memory(x, y)
            np.testing.assert_array_equal(x, before)
        if reference is None:
            reference = y
        np.testing.assert_allclose(y, reference, rtol=2e-2 if x.dtype == np.float16 else 1e-5, atol=2e-2)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(3, 1, 20, 1), (2, 7, 13, 3), (3, 50, 17, 2)])
def test_any_number_of_joints_frames_and_people(name: str, shape: tuple[int, ...]) -> None:
    joints = shape[2]
    skeleton = skelaug.Skeleton.from_edges([(i, i + 1) for i in range(joints - 1)], name="chain", pairs=[(0, 1)])
    tools = aimclr.with_options(skeleton=skeleton)
    x = clip(*shape)
    assert getattr(tools, name)(x).shape == x.shape


# --- distributions ---------------------------------------------------------------------------------------------------


def their_shear(x: Array, rng: np.random.Generator) -> Array:
    matrix = np.where(np.eye(3, dtype=bool), 1, rng.uniform(-0.5, 0.5, (3, 3)))
    return np.einsum("ij,jtvm->itvm", matrix, x)


def their_crop(x: Array, rng: np.random.Generator) -> Array:
    t = x.shape[1]
    padded = np.pad(x, [(0, 0), (t // 6, t // 6), (0, 0), (0, 0)], mode="symmetric")
    begin = rng.integers(0, 2 * (t // 6) + 1)
    return padded[:, begin : begin + t]


def their_flip(x: Array, rng: np.random.Generator) -> Array:
    y = x.copy()
    if rng.random() < 0.5:
        # Left and right arm, leg, hand and thumb, counted from 1 as the data set does.
        for left, right in [
            (5, 9),
            (6, 10),
            (7, 11),
            (8, 12),
            (13, 17),
            (14, 18),
            (15, 19),
            (16, 20),
            (22, 24),
            (23, 25),
        ]:
            y[:, :, [left - 1, right - 1]] = x[:, :, [right - 1, left - 1]]
    return y


def their_time_flip(x: Array, rng: np.random.Generator) -> Array:
    return x[:, ::-1] if rng.random() < 0.5 else x


def their_rotation(x: Array, rng: np.random.Generator) -> Array:
    angles = rng.uniform(0, 1, 3)
    angles[rng.integers(3)] = rng.uniform(0, 30)
    return np.einsum("ij,jtvm->itvm", Rotation.from_euler("xyz", -angles, degrees=True).as_matrix(), x)


def their_noise(x: Array, rng: np.random.Generator) -> Array:
    return x + rng.normal(0, 0.01, x.shape) if rng.random() < 0.5 else x


def their_blur(x: Array, rng: np.random.Generator) -> Array:
    if rng.random() < 0.5:
        return x
    weights = np.exp(-(np.arange(-7, 8) ** 2) / (2 * rng.uniform(0.1, 2) ** 2))
    return convolve1d(x.astype(float), weights, axis=1, mode="constant")


def their_mask(x: Array, rng: np.random.Generator) -> Array:
    y = x.copy()
    if rng.random() < 0.5:
        y[rng.integers(3)] = 0
    return y


THEIRS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "shear": their_shear,
    "temperal_crop": their_crop,
    "random_spatial_flip": their_flip,
    "random_time_flip": their_time_flip,
    "random_rotate": their_rotation,
    "gaus_noise": their_noise,
    "gaus_filter": their_blur,
    "axis_mask": their_mask,
}


def small(name: str) -> Array:
    """A clip that is quick to work on and shows the quirk, if there is one: padding and an absent person."""
    return clip(v=25 if name == "random_spatial_flip" else 2, start=2, stop=9)


@pytest.mark.parametrize("draws", DRAWS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_faithful_is_the_originals_distribution(name: str, draws: int) -> None:
    x, tool = small(name), getattr(aimclr, name)
    assert pvalue(lambda: tool(x, faithful=True), lambda rng: THEIRS[name](x, rng), draws) > 1e-3


@pytest.mark.parametrize("name", ["temperal_crop", "random_time_flip", "random_rotate", "gaus_filter"])
def test_the_corrected_form_has_another_distribution(name: str) -> None:
    """So the test above has teeth."""
    x, tool = small(name), getattr(aimclr, name)
    assert pvalue(lambda: tool(x), lambda rng: THEIRS[name](x, rng), 1500) < 1e-6


@pytest.mark.parametrize("name", ["shear", "random_spatial_flip", "axis_mask"])
def test_the_corrected_form_is_the_originals_where_nothing_was_wrong(name: str) -> None:
    x, tool = small(name), getattr(aimclr, name)
    assert pvalue(lambda: tool(x), lambda rng: THEIRS[name](x, rng), 1500) > 1e-3


# --- each quirk ------------------------------------------------------------------------------------------------------


def many(tool: Callable[..., Array], x: Array, n: int = 60, **options: Any) -> Array:
    torch.manual_seed(0)
    return np.stack([tool(x, **options) for _ in range(n)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_padding_and_absent_people_stay_zero(name: str) -> None:
    y = many(getattr(aimclr, name), clip(start=3, stop=9))
    assert (y[..., 1] == 0).all() and (y[:, :, :3] == 0).all() and (y[:, :, 9:] == 0).all()
    assert (np.abs(y[:, :, 3:9, :, 0]).sum((1, 3)) > 0).all()  # and those who are there stay


@pytest.mark.parametrize("name", ["temperal_crop", "random_time_flip"])
def test_faithful_moves_the_padding(name: str) -> None:
    x = clip(t=24, v=2, stop=12)
    first = many(getattr(aimclr, name), x, faithful=True)[:, 0, 0, 0, 0]
    last = many(getattr(aimclr, name), x, faithful=True)[:, 0, 11, 0, 0]
    assert (first == 0).any() or (last == 0).any()


def test_crop_shows_a_window_of_the_reflected_clip() -> None:
    x = np.zeros((3, 14, 1, 1), np.float32)
    x[:, 1:13, 0, 0] = np.arange(1, 13)
    shown = {tuple(y[0, 1:13, 0, 0].astype(int)) for y in many(aimclr.temperal_crop, x, 300)}
    padded = np.pad(np.arange(1, 13), 2, mode="symmetric")
    assert shown == {tuple(padded[i : i + 12]) for i in range(5)}
    short = clip(t=5)
    np.testing.assert_array_equal(aimclr.temperal_crop(short), short)  # fewer frames than the ratio: no padding


def test_rotation_goes_both_ways_by_default() -> None:
    axes = np.eye(3, dtype=np.float32)[:, None, :, None]  # three joints: e_x, e_y, e_z

    def main_angles(faithful: bool) -> Array:
        matrices = many(aimclr.random_rotate, axes, 600, faithful=faithful)[:, :, 0, :, 0]
        euler = Rotation.from_matrix(matrices).as_euler("xyz", degrees=True)
        assert np.abs(euler).max() <= 30.001 and (np.sort(np.abs(euler))[:, :2] <= 1.001).all()
        return np.take_along_axis(euler, np.abs(euler).argmax(1)[:, None], 1)[:, 0]

    both = main_angles(faithful=False)
    assert both.min() < -27 and both.max() > 27 and abs(both.mean()) < 2.5
    one_sided = main_angles(faithful=True)
    assert one_sided.max() <= 1e-3 and one_sided.min() < -27  # clockwise: right-handed angles below 0


def test_noise_leaves_absent_people_alone_by_default() -> None:
    x = clip(start=3, stop=9)
    noise = many(aimclr.gaus_noise, x, std=0.1, p=1.0) - x
    assert noise[..., 3:9, :, 0].std() == pytest.approx(0.1, rel=0.02)
    everywhere = many(aimclr.gaus_noise, x, std=0.1, p=1.0, faithful=True) - x
    assert (everywhere[..., 1] != 0).mean() > 0.99 and (everywhere[:, :, :3] != 0).mean() > 0.99
    assert everywhere.std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("faithful", [False, True])
def test_noise_has_a_mean(faithful: bool) -> None:
    x = clip(start=3)
    noise = many(aimclr.gaus_noise, x, mean=5, std=0.1, p=1.0, faithful=faithful) - x
    assert noise[:, :, 3:, :, 0].mean() == pytest.approx(5, abs=0.01)
    assert noise[..., 1].mean() == pytest.approx(5 if faithful else 0, abs=0.01)


def test_blur_keeps_the_size_of_the_body_by_default() -> None:
    x = np.ones((3, 40, 2, 1), np.float32)
    assert np.abs(many(aimclr.gaus_filter, x) - 1).max() < 1e-5
    enlarged = many(aimclr.gaus_filter, x, 400, faithful=True)
    gain = enlarged[:, 0, 20, 0, 0]  # the sum of the weights
    assert gain.min() >= 1 - 1e-6 and 4.5 < gain.max() < 2 * np.sqrt(2 * np.pi)
    assert (gain == 1).mean() == pytest.approx(0.5, abs=0.1)
    strong = enlarged[gain > 3]
    assert (strong[:, 0, 0, 0, 0] < 0.75 * strong[:, 0, 20, 0, 0]).all()  # zeros beyond the ends


def test_blur_does_not_smear_people_into_gaps_by_default() -> None:
    x = clip(t=20)
    x[:, 8:11] = 0
    assert (many(aimclr.gaus_filter, x)[:, :, 8:11] == 0).all()
    assert (many(aimclr.gaus_filter, x, faithful=True)[:, :, 8:11, :, 0] != 0).any()


def test_flip_takes_another_skeleton() -> None:
    kinect = skelaug.skeletons["kinect20"]
    x = clip(v=20)
    for skeleton in (kinect, "kinect20"):
        y = aimclr.random_spatial_flip(x, 1.0, skeleton=skeleton)
        np.testing.assert_array_equal(y, x[:, :, list(kinect.mirror)])
        assert not np.array_equal(x, y)


def test_a_probability_of_zero_and_one() -> None:
    x = clip()
    for name in ("random_spatial_flip", "random_time_flip", "gaus_noise", "axis_mask"):
        np.testing.assert_array_equal(many(getattr(aimclr, name), x, 10, p=0), np.stack([x] * 10))
        assert all(not np.array_equal(y, x) for y in many(getattr(aimclr, name), x, 10, p=1))


def test_torchs_seed_repeats_and_no_other() -> None:
    import random

    x = clip()

    def view() -> Array:
        return aimclr.gaus_noise(aimclr.random_rotate(aimclr.shear(x)), p=1)

    torch.manual_seed(5)
    first = view()
    torch.manual_seed(5)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    state = random.getstate()
    np.testing.assert_array_equal(view(), first)
    assert random.getstate() == state  # other generators are not consumed
    assert not np.array_equal(view(), first)


def test_a_trainers_autocast_changes_nothing() -> None:
    x = clip()
    torch.manual_seed(0)
    plain = aimclr.random_rotate(aimclr.shear(x))
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(aimclr.random_rotate(aimclr.shear(x)), plain)


# --- options and errors ----------------------------------------------------------------------------------------------


def test_options_reach_the_functions_that_take_them() -> None:
    tools = aimclr.with_options(faithful=True, skeleton="kinect20")
    assert set(vars(tools)) == set(FUNCTIONS)
    x = clip(v=20, stop=6)
    assert (np.stack([tools.gaus_noise(x, p=1.0) for _ in range(3)])[..., 1] != 0).all()
    assert tools.random_spatial_flip(x, p=1.0).shape == x.shape
    with pytest.raises(
        TypeError, match=r"aimclr.with_options\(faithfull=…\): the options are coords, faithful, skeleton"
    ):
        aimclr.with_options(faithfull=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_clip_is_refused(name: str) -> None:
    tool = getattr(aimclr, name)
    with pytest.raises(TypeError, match=f"aimclr.{name}: the clip must be a NumPy array .* got Tensor; write x.numpy"):
        tool(torch.zeros(3, 5, 25, 2))
    with pytest.raises(TypeError, match=r"got list; write numpy\.asarray"):
        tool([[1.0]])
    with pytest.raises(ValueError, match=r"must be \(C, T, V, M\) .* got shape \(4, 3, 5, 25, 2\)"):
        tool(np.zeros((4, 3, 5, 25, 2), np.float32))
    with pytest.raises(ValueError, match=r"at least one of each; got shape \(3, 0, 25, 2\)"):
        tool(np.zeros((3, 0, 25, 2), np.float32))
    for dtype in (np.int64, np.longdouble, np.complex64):
        with pytest.raises(TypeError, match=f"float16, float32 or float64, got {np.dtype(dtype)}; write x.astype"):
            tool(np.zeros((3, 5, 25, 2), dtype))


def test_bad_arguments_are_refused() -> None:
    x = clip()
    with pytest.raises(ValueError, match=r"aimclr.shear\(r=-1\): r must be a number ≥ 0, got -1"):
        aimclr.shear(x, -1)
    with pytest.raises(ValueError, match=r"temperal_padding_ratio must be a whole number ≥ 1, got 0"):
        aimclr.temperal_crop(x, 0)
    for name in ("random_spatial_flip", "random_time_flip", "gaus_noise", "axis_mask"):
        with pytest.raises(ValueError, match=rf"aimclr.{name}\(p=1.5\): p must be a number ≥ 0 and ≤ 1, got 1.5"):
            getattr(aimclr, name)(x, p=1.5)
    with pytest.raises(ValueError, match=r"aimclr.gaus_noise\(std=-0.1\): std must be a number ≥ 0"):
        aimclr.gaus_noise(x, std=-0.1)
    with pytest.raises(ValueError, match=r"aimclr.gaus_noise\(mean=nan\): mean must be a number"):
        aimclr.gaus_noise(x, mean=float("nan"))
    with pytest.raises(ValueError, match=r"needs 2 or 3 coordinates, x has 4 .*coords=2"):
        aimclr.shear(clip(c=4))
    with pytest.raises(
        ValueError,
        match=r"aimclr.random_spatial_flip\(skeleton='ntu'\): no skeleton 'ntu'; nearest: ntu25; known: ntu25",
    ):
        aimclr.random_spatial_flip(x, skeleton="ntu")
    with pytest.raises(ValueError, match=r"aimclr.with_options\(skeleton=25\): no skeleton 25; known: ntu25"):
        aimclr.with_options(skeleton=25)
    for seed in range(4):  # whether or not it would have been applied
        torch.manual_seed(seed)
        with pytest.raises(ValueError, match=r"skeleton 'ntu25' has 25 joints, the clip has 20"):
            aimclr.random_spatial_flip(clip(v=20))


def test_numpys_scalars_are_numbers() -> None:
    x = clip()
    assert aimclr.shear(x, np.float32(0.3)).shape == x.shape
    assert aimclr.temperal_crop(x, np.int64(4)).shape == x.shape
    assert aimclr.axis_mask(x, np.float64(1)).shape == x.shape
