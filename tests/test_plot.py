"""Pictures and films: what is drawn, of every skeleton, and what is refused."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import skelaug
from skelaug import GrowingPolicy, Skeleton, SkeletonBatch, plot, policies, sample_motion, skeletons
from skelaug import transforms as T
from skelaug.cli import main
from skelaug.plot import notebook
from skelaug.plot.notebook import motion_of
from skelaug.plot.reel import Reel
from skelaug.preview import make_scene
from skelaug.preview.compared import compare
from skelaug.preview.page import pack
from skelaug.preview.trace import ABSENT, GONE, MASKED, SHOWN

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

BONES = skeletons["humanoid15"]


@pytest.fixture(scope="module")
def kick() -> SkeletonBatch:
    return sample_motion(["kick"], length=32)[:1]


@pytest.fixture(scope="module")
def pair(kick: SkeletonBatch) -> SkeletonBatch:
    """Two persons; the second is there in frames 0 to 9 alone, and nobody after frame 19."""
    x = torch.cat([kick.x, kick.x + 1], -1)
    mask = torch.ones(1, 32, 15, 2, dtype=torch.bool)
    mask[:, 10:, :, 1] = False
    mask[:, 20:] = False
    return SkeletonBatch(x, mask)


def axes() -> Axes:
    return Figure().subplots()


def lines(ax: Axes) -> Any:
    """The bones that are drawn, ``(B, 2, 2)``, those behind included."""
    return np.array([segment for drawn in ax.collections if hasattr(drawn, "get_segments") for segment in
                     drawn.get_segments()])  # fmt: skip


def pixels(figure: Any) -> Any:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


# --- every skeleton ---------------------------------------------------------------------------------------------------

DRAWERS: dict[str, Callable[[SkeletonBatch, Skeleton], Axes]] = {
    "skeleton": lambda batch, bones: plot.skeleton(batch, bones, coords=batch.x.shape[1], frame=3),
    "strip": lambda batch, bones: plot.strip(batch[:1], bones, frames=3, ground=True),
    "difference": lambda batch, bones: plot.difference(
        batch, T.Rotate(20)(batch), bones, coords=batch.x.shape[1], frame=3
    ),
}


@pytest.mark.parametrize("name", skeletons)
@pytest.mark.parametrize("flat", [False, True])
def test_every_skeleton_is_drawn(name: str, flat: bool) -> None:
    bones = skeletons[name]
    batch, _ = motion_of(bones)
    if flat != (batch.x.shape[1] == 2):
        depth = torch.zeros_like(batch.x[:, :1])
        batch = SkeletonBatch(batch.x[:, [0, 2 if bones.up == "z" else 1]] if flat else torch.cat([batch.x, depth], 1))
    for draw in DRAWERS.values():
        ax = draw(batch, bones)
        assert ax.get_aspect() == 1, "a body keeps its shape"
        assert np.isfinite([ax.get_xlim(), ax.get_ylim()]).all()
        assert len(lines(ax)) >= len(bones.bones)
        assert np.isfinite(lines(ax)).all()
        assert (pixels(ax.figure)[..., :3] < 250).any()


@pytest.mark.parametrize("up", ["y", "-y", "z", "-z", "x", "-x"])
def test_bodies_stand_on_the_ground_whatever_axis_points_up(up: str, kick: SkeletonBatch) -> None:
    x = torch.empty_like(kick.x)
    for axis, (sign, source) in enumerate(skelaug.preview.axes.SEEN[up]):
        x[:, source] = sign * kick.x[:, axis]
    ax, plain = plot.skeleton(x, BONES, up=up, frame=0), plot.skeleton(kick, frame=0)
    np.testing.assert_allclose(lines(ax), lines(plain), atol=1e-5)
    (band,) = ax.patches
    feet = lines(ax)[..., 1].min()
    assert band.get_y() < feet < band.get_y() + band.get_height() < lines(ax)[..., 1].mean()


def test_a_flat_body_stands_on_a_line() -> None:
    batch, _ = motion_of(skeletons["coco17"])
    ax = plot.skeleton(batch, "coco17", frame=3)
    level = next(line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1)
    assert level == pytest.approx(lines(ax)[..., 1].min()) == pytest.approx(-batch.x[0, 1, 3].max())
    hand, _ = motion_of(skeletons["mediapipe_hand21"])
    assert not plot.skeleton(hand, "mediapipe_hand21").patches, "a hand stands on nothing"


# --- who is drawn -----------------------------------------------------------------------------------------------------


def test_absent_people_are_not_drawn(pair: SkeletonBatch) -> None:
    def count(**given: Any) -> int:
        return len(lines(plot.skeleton(pair, **given)))

    assert count(frame=5) == 2 * len(BONES.bones) and count(frame=15) == len(BONES.bones)
    assert count() == count(frame=9) and count(frame=-13) == count(frame=19)
    alone = plot.skeleton(pair, frame=15)
    assert alone.get_xlim()[1] - alone.get_xlim()[0] < 2, "no room is kept for those who are absent"
    for frame in (20, -1):
        with pytest.raises(ValueError, match=r"nobody is there in this frame; the first .* is 0, the last 19"):
            plot.skeleton(pair, frame=frame)


def test_a_joint_that_is_missing_takes_its_bones_along(kick: SkeletonBatch) -> None:
    x = kick.x.clone()
    hand = next(joint for joint in range(15) if joint not in BONES.parents)
    x[:, :, :, hand] = torch.nan
    assert len(lines(plot.skeleton(x, BONES))) == len(BONES.bones) - 1


@pytest.mark.parametrize("kind", ["batch", "tensor", "array", "clip", "float64"])
def test_what_a_picture_is_made_of(kind: str, kick: SkeletonBatch) -> None:
    x: Any = {
        "batch": kick, "tensor": kick.x, "array": kick.x.numpy(), "clip": kick.x[0],
        "float64": kick.x.double().numpy(),
    }[kind]  # fmt: skip
    expected = lines(plot.skeleton(kick))
    np.testing.assert_allclose(lines(plot.skeleton(x)), expected, atol=1e-6)
    np.testing.assert_allclose(lines(plot.strip(x, frames=2)), lines(plot.strip(kick, frames=2)), atol=1e-6)
    assert len(plot.animate(x, frames=8)) == 8


# --- axes -------------------------------------------------------------------------------------------------------------


def test_axes_are_used_and_returned(kick: SkeletonBatch) -> None:
    calls: list[Callable[..., Axes]] = [
        lambda **on: plot.skeleton(kick, **on),
        lambda **on: plot.strip(kick, **on),
        lambda **on: plot.difference(kick, T.Shear(0.5), **on),
    ]
    for call in calls:
        own = axes()
        assert call(ax=own) is own and len(lines(own))
    rows = [("a", kick, [kick, kick])]
    figure = Figure()
    grid = figure.subplots(1, 3, squeeze=False)
    assert plot.ladder(rows, ["x", "y"], BONES, title="t", axes=grid) is figure
    assert all(len(lines(cell)) for cell in grid.flat)
    with pytest.raises(ValueError, match=r"axes must be 1 rows of 3.*got \(1, 2\)"):
        plot.ladder(rows, ["x", "y"], BONES, title="t", axes=grid[:, :2])
    with pytest.raises(ValueError, match="not projection='3d'"):
        plot.skeleton(kick, ax=Figure().add_subplot(projection="3d"))


def test_figures_are_pyplots_where_pyplot_is_in_use() -> None:
    code = """
import sys, skelaug
from skelaug import plot
clip = skelaug.sample_motion(["kick"], length=16)[:1]
plot.skeleton(clip)
print("matplotlib.pyplot" in sys.modules)
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
print(plot.skeleton(clip).figure is plt.gcf(), plt.get_fignums())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False", "True [1]"]


# --- differences ------------------------------------------------------------------------------------------------------


def test_what_became_of_joints_is_found_in_the_data(pair: SkeletonBatch) -> None:
    x, mask = T.Shear(0.3)(pair.x).clone(), pair.mask.clone()
    x[:, :, 4, 2], mask[:, 6, 3] = 0, False
    told = compare(pair, SkeletonBatch(x, mask), (0, 1, 2))
    expected = torch.where(pair.mask, SHOWN, ABSENT)
    expected[:, 4, 2], expected[:, 6, 3] = MASKED, GONE
    assert torch.equal(told.state.long(), expected)
    assert torch.equal(told.x[:, :, 4, 2], pair.x[:, :, 4, 2]) and torch.equal(told.x[:, :, 6, 3], pair.x[:, :, 6, 3])
    assert told.moved is not None and told.moved[pair.mask & mask].isfinite().all()
    assert told.moved[~(pair.mask & mask)].isnan().all()


def test_a_body_that_was_centred_has_no_masked_joint(kick: SkeletonBatch) -> None:
    far = SkeletonBatch(kick.x + 5)
    told = compare(far, T.Center(BONES)(far), (0, 1, 2))
    assert (T.Center(BONES)(far).x == 0).all(1).any() and (told.state == SHOWN).all()


def test_views_of_another_length_are_shown_but_not_compared(pair: SkeletonBatch) -> None:
    told = compare(pair, SkeletonBatch(pair.x[:, :, :16], pair.mask[:, :16]), (0, 1, 2))
    assert told.moved is None and set(told.state.unique().tolist()) == {ABSENT, SHOWN}


def test_a_difference_marks_masked_and_dropped_joints(kick: SkeletonBatch) -> None:
    def words(ax: Axes) -> list[str]:
        legend = ax.get_legend()
        return [] if legend is None else [text.get_text() for text in legend.get_texts()]

    assert words(plot.difference(kick, T.Shear(0.3))) == []
    assert words(plot.difference(kick, T.JointMask(0.3, fill=0.7))) == ["masked"]
    assert words(plot.difference(kick, T.DropFrame(0.5, fill="hold", p=1.0))) in ([], ["frame filled"])
    two = SkeletonBatch(torch.cat([kick.x, kick.x + 1], -1))
    assert words(plot.difference(two, T.PersonDrop(p=1.0))) == ["dropped"]
    masked = T.JointMask(0.3)(kick)
    assert words(plot.difference(kick, masked)) == ["masked"]


def test_joints_are_coloured_by_displacement(kick: SkeletonBatch) -> None:
    x = kick.x.clone()
    x[:, 1, 7, 4] += 0.5
    ax = plot.difference(kick, x)
    dots = next(drawn for drawn in ax.collections if drawn.get_array() is not None)
    size = float(skelaug.functional.body_size(kick.x, kick.mask)) if hasattr(skelaug.functional, "body_size") else None
    far = np.asarray(dots.get_array())
    assert far.argmax() == 4 and (np.delete(far, 4) == 0).all(), "the frame in which most moved, and the joint"
    assert size is None or far[4] == pytest.approx(0.5 / size, rel=1e-4)
    arrows = [drawn for drawn in ax.collections if type(drawn).__name__ == "Quiver"]
    assert len(arrows) == 1 and arrows[0].N == 1
    assert not [drawn for drawn in plot.difference(kick, x, arrows=False).collections if hasattr(drawn, "N")]
    assert (
        len(plot.difference(kick, x).figure.axes) == 2
        and len(plot.difference(kick, x, colorbar=False).figure.axes) == 1
    )


def test_the_draw_of_a_difference_is_the_policys(kick: SkeletonBatch) -> None:
    batch = SkeletonBatch.cat([kick, kick])
    move = T.Translate(0.5) if hasattr(T, "Translate") else T.Shear(0.5)
    drawn = plot.difference(batch, move, sample=1, seed=4, frame=0)
    view = move(batch[1], keys=skelaug.random.keys(4, 0, [1]))
    np.testing.assert_allclose(lines(drawn), lines(plot.difference(batch[1], view, frame=0)), atol=1e-5)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda clip: plot.skeleton(torch.zeros(1, 3, 4, 17, 1)), r"'coco17' or 'h36m17' or 'ap10k17'"),
        (lambda clip: plot.skeleton(torch.zeros(1, 3, 4, 5, 1)), r"say of which skeleton the 5 joints are.*from_edges"),
        (lambda clip: plot.skeleton(torch.zeros(4, 25, 3)), r"to_layout\(x, 'TVC', 'NCTVM'\)"),
        (lambda clip: plot.skeleton(clip, "ntu25"), r"25 joints, x has 15"),
        (lambda clip: plot.skeleton(clip, "ntu24"), "nearest: ntu25"),
        (lambda clip: plot.skeleton(clip, up="w"), r"up must be one of 'x'"),
        (lambda clip: plot.skeleton(clip, frame=32), r"the clip has 32 frames, 0 … 31"),
        (lambda clip: plot.skeleton(clip, frame=-33), "frame"),
        (lambda clip: plot.skeleton(clip, sample=1), r"x has 1 samples, 0 … 0"),
        (lambda clip: plot.skeleton(clip, coords=1), "1"),
        (lambda clip: plot.skeleton(clip, camera=3), "two angles"),
        (lambda clip: plot.skeleton(clip.x * 0), "nobody is there in any of the 32 frames"),
        (lambda clip: plot.skeleton(clip.x[:, :, :0]), "no frame"),
        (lambda clip: plot.strip(clip, "ntu25"), "25 joints"),
        (lambda clip: plot.difference(clip, clip.x[:, :, :9]), "must have one shape"),
        (lambda clip: plot.difference(clip, T.Bone(BONES)), "stream of vectors; plot.animate draws it"),
        (lambda clip: plot.difference(clip, policies.ctrgcn(BONES, 16)), "makes 16 frames of 32"),
        (lambda clip: plot.animate(clip, [clip.x[:, :2]]), "number of samples, channels and joints"),
        (lambda clip: plot.animate(clip, path="a.png"), r"must end in \.gif, \.mp4, \.html"),
        (lambda clip: plot.animate(clip, names=["a", "b"]), "one name a sample, 1"),
        (lambda clip: plot.animate(clip, "hiclr"), "views must be a policy, a transform"),
        (lambda clip: plot.difference(clip, policies.hiclr(BONES)), r"after=policy\[-1\]"),
        (lambda clip: plot.skeleton("clip"), "a SkeletonBatch, a tensor or a NumPy array"),
        (lambda clip: plot.strip(axes(), clip), "a SkeletonBatch, a tensor or a NumPy array"),
    ],
)  # fmt: skip
def test_what_is_refused(draw: Callable[[Any], Any], message: str, kick: SkeletonBatch) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        draw(kick)


def test_a_score_is_not_drawn_as_depth_without_a_word() -> None:
    skelaug.check.warn_of_scores.cache_clear()
    x = torch.rand(1, 3, 4, 17, 1)
    with pytest.warns(UserWarning, match=r"say coords=2"):
        plot.skeleton(x, "coco17")
    np.testing.assert_array_equal(lines(plot.skeleton(x, "coco17", coords=2)), lines(plot.skeleton(x[:, :2], "coco17")))


# --- films ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("loop", [True, False])
def test_a_gif_has_the_frames_and_the_time_of_the_clip(
    kind: Any, loop: bool, kick: SkeletonBatch, tmp_path: Path
) -> None:
    film = plot.animate(kick, T.Shear(0.5), frames=8, fps=20)
    target = tmp_path / "new" / "a.gif"
    film.save(kind(target), loop=loop)
    assert len(film) == 8 and film.fps == 5, "as long as the motion"
    with Image.open(target) as picture:
        assert picture.n_frames == 8 and picture.info["duration"] == 200
        assert picture.info.get("loop", "never") == (0 if loop else "never")
        assert picture.size[0] > 300 and all(side % 2 == 0 for side in picture.size)
    assert [file.name for file in target.parent.iterdir()] == ["a.gif"]


def test_fast_films_are_thinned_out_in_a_gif(kick: SkeletonBatch, tmp_path: Path) -> None:
    plot.animate(kick, fps=100, path=str(tmp_path / "a.gif"))
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 16 and picture.info["duration"] == 20


def test_an_mp4_is_written_by_ffmpeg_or_refused_in_plain_words(
    kick: SkeletonBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    film, target = plot.animate(kick, frames=4), tmp_path / "a.mp4"
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(tmp_path / "none"))
    with pytest.raises(RuntimeError, match=r"needs the program ffmpeg.*\.gif or an \.html"):
        film.save(target)
    assert not list(tmp_path.iterdir())
    program = tmp_path / "ffmpeg"  # tells what it is given, and writes the frames as they come
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\nfor last; do :; done\ncat > "$last"\n', "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(program))
    film.save(target)
    said = (tmp_path / "said").read_text("utf-8")
    width, height = map(int, re.search(r"-s (\d+)x(\d+)", said).groups())  # type: ignore[union-attr]
    assert target.stat().st_size == 4 * width * height * 4 and width % 2 == height % 2 == 0
    assert "yuv420p" in said and "h264" in said
    program.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n", "utf-8")
    with pytest.raises(RuntimeError, match="ffmpeg"):
        film.save(tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_a_film_is_a_page_in_a_notebook(kick: SkeletonBatch, tmp_path: Path) -> None:
    film = plot.animate(kick, T.Shear(0.5), path=tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text("utf-8") == film.page.html
    assert film._repr_html_().startswith("<iframe") and "32 frames" in repr(film)


def test_all_panels_have_one_camera_and_one_ground(kick: SkeletonBatch, pair: SkeletonBatch) -> None:
    run = sample_motion(["run"], length=32)[:1]
    clips = SkeletonBatch.cat(
        [SkeletonBatch(kick.x), SkeletonBatch(run.x), SkeletonBatch(pair.x[..., :1] + 3, pair.mask[..., :1])]
    )
    for policy in (None, policies.hiclr(BONES)):
        scene = make_scene(clips, policy, skeleton=BONES)
        reel = Reel(scene, (35, 12), True, 8)
        panels = [panel for panel in reel.figure.axes if panel.get_aspect() == 1]
        assert len(panels) == (3 if policy is None else 12)
        spans = np.array([[np.ptp(panel.get_xlim()), np.ptp(panel.get_ylim())] for panel in panels])
        np.testing.assert_allclose(spans, spans[:1].repeat(len(spans), 0), rtol=1e-5)
        grounds = [(panel.patches[0].get_y() - panel.get_ylim()[0], panel.patches[0].get_height()) for panel in panels]
        np.testing.assert_allclose(grounds, [grounds[0]] * len(grounds), atol=1e-5)
        first, last = reel.picture(0), reel.picture(7)
        assert first.shape == last.shape and (first != last).any()


def test_a_film_draws_whom_it_should(pair: SkeletonBatch) -> None:
    reel = Reel(make_scene(pair, None, skeleton=BONES), (35, 12), True, 32)
    counts = []
    for t in (5, 15, 19):
        reel.show(t)
        counts.append(len(lines(reel.figure.axes[0])))
    assert counts == [2 * len(BONES.bones), len(BONES.bones), len(BONES.bones)]
    nobody = Reel(make_scene(SkeletonBatch(pair.x * 0), None, skeleton=BONES), (35, 12), True, 1)
    assert "nobody" in [text.get_text() for text in nobody.figure.axes[0].texts]
    assert pixels(nobody.figure).any()


def test_the_camera_goes_with_who_walks(kick: SkeletonBatch) -> None:
    steps = torch.arange(32).view(1, 1, 32, 1, 1) * torch.tensor([0.5, 0, 0]).view(1, 3, 1, 1, 1)
    still, walks = (Reel(make_scene(SkeletonBatch(x), None, skeleton=BONES), (35, 12), True, 1)
                    for x in (kick.x, kick.x + steps))  # fmt: skip
    wide = [np.ptp(reel.figure.axes[0].get_xlim()) for reel in (still, walks)]
    assert wide[1] < wide[0] + 5, "16 m of walking do not make a body small"


def test_views_that_were_made_before_are_films_too(kick: SkeletonBatch) -> None:
    policy = policies.hiclr(BONES)
    made = plot.animate(kick, policy.views(kick, keys=skelaug.random.keys(3, 0, [0])))
    named = plot.animate(
        kick, dict(zip(policy.names, policy.views(kick, keys=skelaug.random.keys(3, 0, [0])), strict=True))
    )
    own = plot.animate(kick, policy, seed=3)
    assert made._scene.names == ("view 0", "view 1", "view 2") and named._scene.names == tuple(policy.names)
    for given, told in zip(named._scene.clips[0].views[0], own._scene.clips[0].views[0], strict=True):
        shown = (given.state == SHOWN) & (told.state == SHOWN)
        assert shown.float().mean() > 0.7
        torch.testing.assert_close(given.places[shown], told.places[shown], rtol=0, atol=1e-5)


def test_the_page_of_made_views_tells_their_strength(kick: SkeletonBatch) -> None:
    made = {"same": kick, "moved": T.Shear(0.5)(kick)}
    told = pack(plot.animate(kick, made)._scene)[0]["views"]
    assert told[0]["strength"] == [0] and told[1]["strength"][0] > 0.05
    other = pack(plot.animate(kick, made | {"short": kick.x[:, :, :9], "gone": kick.x * 0})._scene)[0]["views"]
    assert [view["strength"] for view in other] == [[None]] * 4, "where one cannot be compared"


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_streams_are_drawn_as_vectors(stream: str, kick: SkeletonBatch) -> None:
    policy = GrowingPolicy({"same": []}, stream={"bone": T.Bone(BONES), "motion": T.Motion()}[stream], skeleton=BONES)
    reel = Reel(plot.animate(kick, policy)._scene, (35, 12), False, 1)
    reel.show(3)
    original, view = (lines(panel) for panel in reel.figure.axes[:2])
    if stream == "bone":  # the same body, drawn bone by bone from where each begins
        whole = {tuple(np.round(np.sort(line, 0).ravel(), 3)) for line in original}
        assert whole <= {tuple(np.round(np.sort(line, 0).ravel(), 3)) for line in view}
    else:
        assert len(view) == 15


# --- notebooks and the command ----------------------------------------------------------------------------------------


class Formatter(dict[type, Callable[[Any], Any]]):
    """What IPython's formatters have."""

    def for_type(self, kind: type, function: Callable[[Any], Any]) -> None:
        self[kind] = function


def test_notebooks_show_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    html = Formatter()
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters={"text/html": html}))
    module: Any = ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", module)
    module.get_ipython = lambda: None
    assert not notebook.register() and not html, "IPython is imported, and no shell runs"
    module.get_ipython = lambda: shell
    assert notebook.register() and set(html) == {GrowingPolicy, skelaug.Transform}
    shown = html[GrowingPolicy](policies.hiclr("humanoid15"))
    assert shown.startswith("<iframe") and "walk" in shown


def test_without_ipython_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not notebook.register()


@pytest.mark.parametrize(
    "policy",
    [
        T.Shear(0.5),
        T.Mirror("h36m17"),
        policies.hiclr("coco17", "edges"),
        policies.aimclr("ntu25", "bone"),
        policies.ctrgcn("ntu25", 16),
        policies.crossclr("mediapipe_hand21"),
        skelaug.OneOf([T.Shear(0.5), T.Rotate(30)]),
        policies.crossclr(Skeleton.from_edges([(0, 1), (1, 2)], name="mine")),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_every_kind_of_policy_is_shown(policy: Any) -> None:
    assert str(notebook.picture(policy)).startswith("<iframe")


def test_what_needs_more_of_its_data_is_shown_as_text() -> None:
    assert notebook.picture(T.Rotate(30, coords=3, vectors=(3, 4, 5))) is None


def test_motion_of_a_skeleton_is_upright() -> None:
    for bones in skeletons.values():
        batch, names = motion_of(bones)
        assert batch.x.shape[1] == (2 if bones.planar else 3) and len(names) == len(batch) == 3
        sign, axis = skelaug.preview.axes.SEEN[bones.up][1]
        height: Tensor = sign * batch.x[:, axis]
        legs = [joint for limb, part in bones.limbs.items() if limb.endswith("_leg") for joint in part]
        if legs:
            assert height[:, :, legs].mean() < height.mean(), bones.name


def test_views_writes_a_film(tmp_path: Path, kick: SkeletonBatch, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", kick.x.numpy())
    given = ["views", str(tmp_path / "x.npy"), "--skeleton", "humanoid15", "--out", str(tmp_path / "o")]
    assert main(given) == 0 and not (tmp_path / "o" / "ladder.gif").exists()
    assert main([*given, "--gif", "--overwrite"]) == 0
    with Image.open(tmp_path / "o" / "ladder.gif") as film:
        assert film.n_frames == 32
    assert "ladder.gif" in capsys.readouterr().out
    assert main([*given, "--overwrite"]) == 0, "a folder with a film is one of skelaug views"
    assert not (tmp_path / "o" / "ladder.gif").exists()


def test_the_film_needs_matplotlib(
    tmp_path: Path, kick: SkeletonBatch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from skelaug.commands import views

    np.save(tmp_path / "x.npy", kick.x.numpy())
    monkeypatch.setattr(views, "_can_draw", lambda: False)
    given = ["views", str(tmp_path / "x.npy"), "--skeleton", "humanoid15", "--out", str(tmp_path / "o"), "--gif"]
    assert main(given) != 0 and "pip install 'skelaug[viz]'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
