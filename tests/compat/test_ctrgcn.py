"""CTR-GCN's tools: shapes and types, the original's distribution where it is asked for, and each quirk put right."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from compat.parity import Array, clip, makes, pvalue
from scipy.spatial.transform import Rotation

from skelaug.compat import ctrgcn

EMPTY = inspect.Parameter.empty
DRAWS = [pytest.param(1500, id="daily"), pytest.param(20_000, id="all", marks=pytest.mark.slow)]

# The signatures that the peers' feeders call.
SIGNATURES = {
    "valid_crop_resize": {"data_numpy": EMPTY, "valid_frame_num": EMPTY, "p_interval": EMPTY, "window": EMPTY},
    "random_rot": {"data_numpy": EMPTY, "theta": 0.3},
    "random_move": {
        "data_numpy": EMPTY,
        "angle_candidate": (-10, -5, 0, 5, 10),
        "scale_candidate": (0.9, 1, 1.1),
        "transform_candidate": (-0.2, -0.1, 0, 0.1, 0.2),
        "move_time_candidate": (1,),
    },
    "random_shift": {"data_numpy": EMPTY},
    "random_choose": {"data_numpy": EMPTY, "size": EMPTY, "auto_pad": True},
    "auto_pading": {"data_numpy": EMPTY, "size": EMPTY, "random_pad": False},
}
# What each gets beside a clip of twelve frames.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "valid_crop_resize": (8, [0.5, 1], 9),
    "random_rot": (),
    "random_move": (),
    "random_shift": (),
    "random_choose": (9,),
    "auto_pading": (15, True),
}
FRAMES = {"valid_crop_resize": 9, "random_choose": 9, "auto_pading": 15}


def test_names_and_signatures_are_the_peers() -> None:
    assert {*SIGNATURES, "with_options"} == set(ctrgcn.__all__)
    for name, signature in SIGNATURES.items():
        parameters = inspect.signature(getattr(ctrgcn, name)).parameters.values()
        positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
        assert positional == signature and list(positional) == list(signature)
        assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {"coords"} == {"faithful"}


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize("name", SIGNATURES)
def test_arrays_in_and_out(name: str, faithful: bool) -> None:
    tool = getattr(ctrgcn, name)
    reference = None
    for x in makes(clip(start=2, stop=10)):
        before = x.copy()
        torch.manual_seed(0)
        y = tool(x, *ARGUMENTS[name], faithful=faithful)
        np.testing.assert_array_equal(x, before)
        if name == "random_rot":  # the original's type, for callers that go on with a Tensor's methods
            assert isinstance(y, torch.Tensor) and y.is_contiguous()
            y = y.numpy()
        assert isinstance(y, np.ndarray) and y.flags.c_contiguous and y.flags.writeable and not np.shares_memory(x, y)
        assert y.shape == (3, FRAMES.get(name, 12), 25, 2) and np.isfinite(y).all()
        assert y.dtype == (np.float32 if name == "valid_crop_resize" else x.dtype.newbyteorder("="))
        if reference is None:
            reference = y
        np.testing.assert_allclose(y, reference, rtol=1e-2 if x.dtype == np.float16 else 1e-5, atol=5e-3)


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("shape", [(3, 12, 20, 1), (2, 12, 13, 3)])
def test_any_number_of_joints_coordinates_and_people(name: str, shape: tuple[int, ...]) -> None:
    c, t, v, m = shape
    assert getattr(ctrgcn, name)(clip(*shape), *ARGUMENTS[name]).shape == (c, FRAMES.get(name, t), v, m)


def test_a_clip_that_fits_is_copied() -> None:
    x = clip()
    for y in (ctrgcn.auto_pading(x, 12), ctrgcn.auto_pading(x, 5), ctrgcn.random_choose(x, 12)):
        np.testing.assert_array_equal(y, x)
        assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(ctrgcn.random_choose(x, 20, auto_pad=False), x)


# --- distributions ---------------------------------------------------------------------------------------------------


def their_resize(x: Array, window: int) -> Array:
    """Linear interpolation at the centres of ``window`` equal parts, the end frames held."""
    at = (np.arange(window) + 0.5) * x.shape[1] / window - 0.5
    return np.apply_along_axis(lambda row: np.interp(at, np.arange(x.shape[1]), row), 1, x)


def their_crop(x: Array, valid: int, p: list[float], window: int, rng: np.random.Generator) -> Array:
    if len(p) == 1:
        cut = int((1 - p[0]) * valid / 2)
        return their_resize(x[:, cut : valid - cut], window)
    kept = min(max(int(valid * rng.uniform(*p)), 64), valid)
    first = rng.integers(0, valid - kept + 1)
    return their_resize(x[:, first : first + kept], window)


def their_rot(x: Array, theta: float, rng: np.random.Generator) -> Array:
    rotation = Rotation.from_euler("xyz", -rng.uniform(-theta, theta, 3)).as_matrix()
    return np.einsum("ij,jtvm->itvm", rotation, x)


def their_move(x: Array, moves: list[int], rng: np.random.Generator) -> Array:
    y, t = x.astype(float), x.shape[1]
    n = int(rng.choice(moves))
    nodes = [
        np.radians(rng.choice([-10, -5, 0, 5, 10], n + 1)),
        rng.choice([0.9, 1, 1.1], n + 1),
        rng.choice([-0.2, -0.1, 0, 0.1, 0.2], n + 1),
        rng.choice([-0.2, -0.1, 0, 0.1, 0.2], n + 1),
    ]
    edges = [*(round(i * t / n) for i in range(n)), t]
    for i in range(n):
        length = edges[i + 1] - edges[i]
        for k in range(length):
            a, s, dx, dy = (v[i] + (v[i + 1] - v[i]) * (k / (length - 1) if length > 1 else 0) for v in nodes)
            f = edges[i] + k
            y[0, f] = s * (np.cos(a) * x[0, f] - np.sin(a) * x[1, f]) + dx
            y[1, f] = s * (np.sin(a) * x[0, f] + np.cos(a) * x[1, f]) + dy
    return y


def their_shift(x: Array, rng: np.random.Generator) -> Array:
    frames = np.flatnonzero(np.abs(x).sum((0, 2, 3)))
    block = x[:, frames[0] : frames[-1] + 1]
    y = np.zeros_like(x)
    begin = rng.integers(0, x.shape[1] - block.shape[1] + 1)
    y[:, begin : begin + block.shape[1]] = block
    return y


def their_choice(x: Array, size: int, rng: np.random.Generator) -> Array:
    if x.shape[1] < size:
        return their_padding(x, size, True, rng)
    begin = rng.integers(0, x.shape[1] - size + 1)
    return x[:, begin : begin + size]


def their_padding(x: Array, size: int, random_pad: bool, rng: np.random.Generator) -> Array:
    begin = rng.integers(0, size - x.shape[1] + 1) if random_pad else 0
    return np.pad(x, [(0, 0), (begin, size - x.shape[1] - begin), (0, 0), (0, 0)])


X = clip(v=2, start=2, stop=9)
LONG = clip(v=1, m=1, t=90, stop=80)
CASES: dict[str, tuple[str, Array, tuple[Any, ...], Callable[..., Array]]] = {
    "crop": ("valid_crop_resize", LONG, (80, [0.5, 1.0], 6), their_crop),
    "crop-short": ("valid_crop_resize", X, (9, [0.5, 1.0], 6), their_crop),
    "crop-centre": ("valid_crop_resize", LONG, (80, [0.6], 6), their_crop),
    "rot": ("random_rot", X, (0.3,), their_rot),
    "move": ("random_move", X, ((1,),), their_move),
    "move-stretches": ("random_move", X, ((1, 2, 5),), their_move),
    "shift": ("random_shift", X, (), their_shift),
    "choose": ("random_choose", X, (5,), their_choice),
    "choose-pad": ("random_choose", X, (20,), their_choice),
    "pad": ("auto_pading", X, (20, False), their_padding),
    "pad-random": ("auto_pading", X, (20, True), their_padding),
}


def samplers(case: str, faithful: bool) -> tuple[Callable[[], Any], Callable[[np.random.Generator], Array]]:
    name, x, arguments, theirs = CASES[case]
    tool = getattr(ctrgcn, name)

    def ours() -> Any:
        if name == "random_move":
            return tool(x, move_time_candidate=arguments[0], faithful=faithful)
        return tool(x, *arguments, faithful=faithful)

    return ours, lambda rng: theirs(x, *arguments, rng)


@pytest.mark.parametrize("draws", DRAWS)
@pytest.mark.parametrize("case", CASES)
def test_faithful_is_the_originals_distribution(case: str, draws: int) -> None:
    assert pvalue(*samplers(case, faithful=True), draws) > 1e-3


@pytest.mark.parametrize(
    "case",
    ["crop", "choose", "move-stretches", *(pytest.param(c, marks=pytest.mark.slow) for c in ("crop-short", "move"))],
)
def test_the_corrected_form_has_another_distribution(case: str) -> None:
    """So the test above has teeth."""
    assert pvalue(*samplers(case, faithful=False), 1500) < 1e-6


@pytest.mark.parametrize("case", ["rot", "shift", "choose-pad", "pad", "pad-random"])
def test_the_corrected_form_is_the_originals_where_nothing_was_wrong(case: str) -> None:
    assert pvalue(*samplers(case, faithful=False), 1500) > 1e-3


# --- each quirk ------------------------------------------------------------------------------------------------------


def many(tool: Callable[..., Any], x: Array, *arguments: Any, n: int = 60, **options: Any) -> Array:
    torch.manual_seed(0)
    return np.stack([np.asarray(tool(x, *arguments, **options)) for _ in range(n)])


def ramp(t: int, start: int = 0, stop: int | None = None) -> Array:
    """A clip whose value is the number of the frame, from 1; absent outside ``start … stop``."""
    frame = np.arange(1, t + 1, dtype=np.float32)
    frame[:start] = 0
    frame[t if stop is None else stop :] = 0
    return np.broadcast_to(frame[None, :, None, None], (3, t, 2, 1)).copy()


def test_the_crop_takes_what_the_feeders_give() -> None:
    """NumPy's whole numbers, lists, arrays and the feeder's default of 1: NumPy 2.4 refuses the original's own crop."""
    x = clip(t=100, stop=90)
    valid = np.sum(x.sum(0).sum(-1).sum(-1) != 0)
    assert type(valid) is np.int64
    for p_interval in ([0.5, 1], (0.5, 1), np.array([0.5, 1.0]), [0.95], 1):
        for faithful in (False, True):
            y = ctrgcn.valid_crop_resize(x, valid, p_interval, 64, faithful=faithful)
            assert y.shape == (3, 64, 25, 2)


def test_the_crop_keeps_its_ends() -> None:
    x = ramp(100, stop=80)
    whole = ctrgcn.valid_crop_resize(x, 80, [1.0], 50)[0, :, 0, 0]
    np.testing.assert_allclose(whole, np.linspace(1, 80, 50), rtol=1e-5)
    centre = ctrgcn.valid_crop_resize(x, 80, [0.5], 50)[0, :, 0, 0]
    np.testing.assert_allclose(centre, np.linspace(1 + 79 / 4, 80 - 79 / 4, 50), rtol=1e-5)
    released = ctrgcn.valid_crop_resize(x, 80, [1.0], 50, faithful=True)[0, :, 0, 0]
    assert released[0] > 1.2 and released[-1] < 79.8
    middle = ctrgcn.valid_crop_resize(x, 80, [1.0], 1)[0, 0, 0, 0]
    assert middle == pytest.approx(40.5)


def test_the_crop_keeps_sixty_four_frames_at_least() -> None:
    y = many(ctrgcn.valid_crop_resize, ramp(200, stop=160), 160, [0.1, 1], 20, n=400)[:, 0, :, 0, 0]
    lengths, starts = y[:, -1] - y[:, 0] + 1, y[:, 0]
    assert lengths.min() == pytest.approx(64, abs=0.7) and lengths.max() > 155
    assert (lengths < 65).mean() == pytest.approx((0.4 - 0.1) / 0.9, abs=0.1)
    assert starts.min() < 3 and y[:, -1].max() > 158 and y.min() >= 1 and y[:, -1].max() <= 160
    short = many(ctrgcn.valid_crop_resize, ramp(60, stop=40), 40, [0.1, 1], 20, n=5)
    np.testing.assert_allclose(short[:, 0, :, 0, 0], np.linspace(1, 40, 20)[None].repeat(5, 0), rtol=1e-5)


def test_a_count_is_no_end() -> None:
    """A clip that starts late or has holes: the original takes the number of valid frames for the last one."""
    late = ramp(30, start=10)
    np.testing.assert_allclose(ctrgcn.valid_crop_resize(late, 20, [1.0], 20)[0, :, 0, 0], np.arange(11, 31), rtol=1e-5)
    assert (ctrgcn.valid_crop_resize(late, 20, [1.0], 20, faithful=True)[0, :9] == 0).all()
    holes = ramp(30)
    holes[:, 5:15] = 0
    y = ctrgcn.valid_crop_resize(holes, 20, [1.0], 30)
    np.testing.assert_allclose(y, holes, rtol=1e-5)
    assert ctrgcn.valid_crop_resize(holes, 20, [1.0], 30, faithful=True).max() < 21
    # A clip that was filled up by repetition: the number is the length.
    looped = np.concatenate([ramp(12)] * 2, 1)
    assert ctrgcn.valid_crop_resize(looped, 12, [1.0], 12)[0, :, 0, 0].tolist() == pytest.approx(list(range(1, 13)))


def test_the_crop_does_not_blend_people_with_their_absence() -> None:
    x = np.ones((3, 20, 2, 2), np.float32)
    x[:, 10:, :, 1] = 0  # the second person leaves
    y = ctrgcn.valid_crop_resize(x, 20, [1.0], 33)
    assert set(np.unique(y)) == {0.0, 1.0}
    blended = ctrgcn.valid_crop_resize(x, 20, [1.0], 33, faithful=True)
    assert ((blended > 0.05) & (blended < 0.95)).any()


def test_an_empty_clip_stays_empty() -> None:
    x = np.zeros((3, 30, 25, 2), np.float32)
    for valid in (0, 30):
        assert not ctrgcn.valid_crop_resize(x, valid, [0.5, 1], 64).any()
    for name in ("random_rot", "random_move", "random_shift", "random_choose", "auto_pading"):
        assert not np.asarray(getattr(ctrgcn, name)(x, *ARGUMENTS[name])).any()
    with pytest.raises(ValueError, match=r"valid_frame_num=0, faithful=True\): the original has no answer"):
        ctrgcn.valid_crop_resize(x, 0, [0.5, 1], 64, faithful=True)


def test_rotation_is_a_rotation_shared_by_all() -> None:
    axes = np.eye(3, dtype=np.float32)[:, None, :, None].repeat(4, 1)
    y = many(ctrgcn.random_rot, axes, n=300)
    assert (y == y[:, :, :1]).all()
    euler = Rotation.from_matrix(y[:, :, 0, :, 0]).as_euler("xyz")
    assert np.abs(euler).max() <= 0.3001 and (euler.max(0) > 0.27).all() and (euler.min(0) < -0.27).all()


def test_rotation_goes_on_as_a_tensor_or_an_array() -> None:
    """The ways in which feeders go on: joints as bones, motion in place, a Tensor's methods, a loader's collate."""
    y = ctrgcn.random_rot(clip())
    bone = np.zeros_like(y)
    bone[:, :, 1] = y[:, :, 1] - y[:, :, 0]
    assert bone.any() and bone.dtype == np.float32
    y[:, :-1] = y[:, 1:] - y[:, :-1]
    y[:, -1] = 0
    assert y[:, :, :, torch.randperm(y.size(3))].shape == (3, 12, 25, 2)
    (batch,) = torch.utils.data.DataLoader([ctrgcn.random_rot(clip()) for _ in range(4)], batch_size=4)
    assert batch.shape == (4, 3, 12, 25, 2) and batch.dtype == torch.float32


def test_moving_leaves_absent_people_and_the_third_coordinate_alone() -> None:
    x = clip(start=3, stop=9)
    y = many(ctrgcn.random_move, x)
    assert (y[..., 1] == 0).all() and (y[:, :, :3] == 0).all() and (y[:, :, 9:] == 0).all()
    assert (y[:, 2] == x[2]).all() and (y[:, :2, 3:9, :, 0] != x[:2, 3:9, :, 0]).mean() > 0.9
    released = many(ctrgcn.random_move, x, faithful=True)
    assert (released[:, :2, :, :, 1] != 0).mean() > 0.5 and (released[:, 2] == x[2]).all()


def test_moving_does_not_stop_between_stretches() -> None:
    x = np.ones((2, 21, 1, 1), np.float32)
    still = {"angle_candidate": [0], "scale_candidate": [1], "move_time_candidate": [4]}
    steps = np.diff(many(ctrgcn.random_move, x, transform_candidate=[0, 1], n=200, **still)[:, 0, :, 0, 0])
    quarters = steps.reshape(200, 4, 5)
    np.testing.assert_allclose(quarters, quarters[..., :1].repeat(5, 2), atol=1e-5)  # a node every five frames
    released = many(ctrgcn.random_move, x, transform_candidate=[0, 1], n=200, faithful=True, **still)[:, 0, :, 0, 0]
    assert (np.diff(released)[:, [4, 9, 15]] == 0).all()  # where a stretch follows another


def test_moving_draws_from_the_candidates() -> None:
    x = np.zeros((3, 2, 1, 1), np.float32)
    x[0] = 1
    fixed = {"scale_candidate": [2.0], "transform_candidate": [0.5], "angle_candidate": [90]}
    for faithful in (False, True):
        y = ctrgcn.random_move(x, **fixed, faithful=faithful)[:, 0, 0, 0]
        np.testing.assert_allclose(y, [0.5, 2.5, 0], atol=1e-6)  # counter-clockwise, then the shift
        starts = many(ctrgcn.random_move, x, [0], [1], [0, 1, 4], n=100, faithful=faithful)[:, 1, 0, 0, 0]
        assert set(starts.tolist()) == {0.0, 1.0, 4.0}


def test_the_shift_keeps_the_block_whole() -> None:
    x = ramp(12, start=2, stop=7)
    places = set()
    for y in many(ctrgcn.random_shift, x, n=200)[:, 0, :, 0, 0]:
        (frames,) = y.nonzero()
        assert y[frames].tolist() == [3, 4, 5, 6, 7] and len(frames) == 5
        places.add(int(frames[0]))
    assert places == set(range(8))


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (3, 12), (2, 9)])
def test_a_chosen_window_lies_on_the_people(start: int, stop: int) -> None:
    x = ramp(30, start, stop)
    inside = many(ctrgcn.random_choose, x, 4, n=300)[:, 0, :, 0, 0]
    assert (inside > 0).all() and set(inside[:, 0].astype(int)) == set(range(start + 1, stop - 2))
    around = many(ctrgcn.random_choose, x, 20, n=300)[:, 0, :, 0, 0]
    assert ((around > 0).sum(1) == stop - start).all()
    begins = {int(row.nonzero()[0][0]) for row in around}
    assert begins == {start - b for b in range(max(stop - 20, 0), min(start, 10) + 1)}
    released = many(ctrgcn.random_choose, x, 4, n=300, faithful=True)[:, 0, :, 0, 0]
    assert (released == 0).all(1).any()


def test_padding_at_the_end_or_both_ends() -> None:
    x = ramp(5)
    assert ctrgcn.auto_pading(x, 8)[0, :, 0, 0].tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
    begins = {int(y[0, :, 0, 0].nonzero()[0][0]) for y in many(ctrgcn.auto_pading, x, 8, True)}
    assert begins == {0, 1, 2, 3}


def test_torchs_seed_repeats_and_no_other() -> None:
    x = clip(t=90)

    def view() -> Array:
        return np.asarray(ctrgcn.random_rot(ctrgcn.random_move(ctrgcn.valid_crop_resize(x, 90, [0.5, 1], 20))))

    torch.manual_seed(5)
    first = view()
    torch.manual_seed(5)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(view(), first)
    assert not np.array_equal(view(), first)


def test_a_trainers_autocast_changes_nothing() -> None:
    x = clip()
    torch.manual_seed(0)
    plain = np.asarray(ctrgcn.random_rot(ctrgcn.random_move(x)))
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(np.asarray(ctrgcn.random_rot(ctrgcn.random_move(x))), plain)


# --- options and errors ----------------------------------------------------------------------------------------------


def test_options_reach_the_functions() -> None:
    tools = ctrgcn.with_options(faithful=True)
    assert set(vars(tools)) == set(SIGNATURES)
    assert (tools.random_move(clip(), transform_candidate=[0.1])[:2, :, :, 1] != 0).all()
    with pytest.raises(
        TypeError, match=r"ctrgcn.with_options\(skeleton=…\): the options are coords, faithful; got 'skeleton'"
    ):
        ctrgcn.with_options(skeleton=None)


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_no_clip_is_refused(name: str) -> None:
    def call(x: Any) -> None:
        getattr(ctrgcn, name)(x, *ARGUMENTS[name])

    with pytest.raises(TypeError, match=f"ctrgcn.{name}: the clip must be a NumPy array .* got Tensor; write x.numpy"):
        call(torch.zeros(3, 12, 25, 2))
    with pytest.raises(ValueError, match=r"must be \(C, T, V, M\) .* got shape \(12, 25, 2\)"):
        call(np.zeros((12, 25, 2), np.float32))
    with pytest.raises(TypeError, match=r"must be float16, float32 or float64, got int32; write x.astype"):
        call(np.zeros((3, 12, 25, 2), np.int32))


def test_bad_arguments_are_refused() -> None:
    x, crop = clip(), ctrgcn.valid_crop_resize
    with pytest.raises(ValueError, match=r"\(valid_frame_num=13\): the clip has only 12 frames"):
        crop(x, 13, [1.0], 5)
    with pytest.raises(ValueError, match=r"valid_frame_num must be a whole number ≥ 0, got -1"):
        crop(x, -1, [1.0], 5)
    with pytest.raises(ValueError, match=r"\(valid_frame_num=0\): 12 frames of the clip have somebody in them"):
        crop(x, 0, [1.0], 5)
    for bad in ([0.5, 1.5], [1.0, 0.5], [0.0], -1):
        with pytest.raises(ValueError, match=r"p_interval must be a .*≥ 0.001 and ≤ 1"):
            crop(x, 12, bad, 5)
    for bad in ([], [0.1, 0.2, 0.3]):
        with pytest.raises(ValueError, match=r"give one share or \[low, high\], got [03] numbers"):
            crop(x, 12, bad, 5)
    with pytest.raises(ValueError, match=r"window must be a whole number ≥ 1, got -1"):
        crop(x, 12, [1.0], -1)
    with pytest.raises(ValueError, match=r"ctrgcn.random_rot\(theta=-0.3\): theta must be a number ≥ 0"):
        ctrgcn.random_rot(x, -0.3)
    with pytest.raises(ValueError, match=r"needs 2 or 3 coordinates, x has 4 .*coords=2"):
        ctrgcn.random_rot(clip(c=4))
    for bad in ([], 3, ["a"]):
        with pytest.raises(ValueError, match=r"ctrgcn.random_move\(angle_candidate=.*must be a (list of )?number"):
            ctrgcn.random_move(x, bad)
    for bad in ([0], [1.5]):
        with pytest.raises(ValueError, match=r"move_time_candidate must be a whole number ≥ 1"):
            ctrgcn.random_move(x, move_time_candidate=bad)
    with pytest.raises(ValueError, match=r"2 coordinates or more, got shape \(1, "):
        ctrgcn.random_move(clip(c=1))
    for tool in (ctrgcn.random_choose, ctrgcn.auto_pading):
        with pytest.raises(ValueError, match=rf"{tool.__name__}\(size=0\): size must be a whole number ≥ 1"):
            tool(x, 0)
