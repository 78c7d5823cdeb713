"""Films: clips and their views side by side, with one camera and one time line."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type
from skelaug.files import written
from skelaug.plot import paper
from skelaug.plot.pages import chosen_of, names_of, skeleton_of
from skelaug.plot.paper import CAMERA
from skelaug.plot.reel import Reel
from skelaug.policy import GrowingPolicy
from skelaug.preview import Page, Scene, make_scene
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Film", "animate"]

_ENDS = (".gif", ".mp4", ".html")
_FASTEST_GIF = 50  # frames a second; browsers slow down films that are faster
_ROWS, _ALONE = 3, 6  # clips shown with views, and without


class Film:
    """Moving skeletons, which :func:`animate` returns. A notebook shows them as the page of :func:`skelaug.plot.view`.

    Args:
        scene: what is shown.
        camera: degrees that it is turned to the side and looks down from above.
        ghost: the recording stands behind each view.

    Attributes:
        page: the page, as :func:`skelaug.plot.view` returns it.
        fps: frames a second, so that the film lasts as long as the motion did.
    """

    def __init__(self, scene: Scene, camera: tuple[float, float] = CAMERA, *, ghost: bool = True) -> None:
        self.page = Page(replace(scene, title=scene.title or "Moving skeletons"))
        self.fps = scene.fps / min(clip.every for clip in scene.clips)
        self._scene, self._camera, self._ghost = scene, camera, ghost

    def __len__(self) -> int:
        return max(len(clip.original.places) for clip in self._scene.clips)

    def __repr__(self) -> str:
        return f"<skelaug film, {len(self)} frames, {self.fps:g} a second; .save('ladder.gif') writes it>"

    def _repr_html_(self) -> str:
        return self.page._repr_html_()

    def save(self, path: str | Path, *, loop: bool = True) -> None:
        """Write the film, whole or not at all; an older file is replaced.

        Args:
            path: ``.gif`` (a GIF has at most 50 frames a second: of more, only some are written), ``.mp4`` (H.264;
                needs the program ffmpeg) or ``.html`` (the page, which can be turned and needs no matplotlib).
            loop: a GIF begins again at its end.

        Raises:
            TypeError: ``path`` is no path.
            ValueError: it ends in something else.
            RuntimeError: there is no ffmpeg, or it failed.
        """
        target = _target("Film.save", path)
        check.choice("Film.save", "loop", loop, (True, False))
        if target.suffix.lower() == ".html":
            self.page.save(target)
            return
        reel = Reel(self._scene, self._camera, self._ghost, len(self))
        with written(target) as temporary:
            if target.suffix.lower() == ".gif":
                self._gif(reel, temporary, loop)
            else:
                self._mp4(reel, temporary)

    def _gif(self, reel: Reel, path: Path, loop: bool) -> None:
        from PIL import Image  # matplotlib needs it, too

        step = max(1, round(self.fps / _FASTEST_GIF + 0.49))
        frames = [
            Image.fromarray(reel.picture(t)).convert("P", palette=Image.Palette.ADAPTIVE, colors=96)
            for t in range(0, len(self), step)
        ]
        again: dict[str, Any] = {"loop": 0} if loop else {}
        frames[0].save(
            path, format="GIF", save_all=True, append_images=frames[1:], duration=1000 * step / self.fps, **again
        )

    def _mp4(self, reel: Reel, path: Path) -> None:
        paper.matplotlib("figure")  # says so where matplotlib is missing
        from matplotlib.animation import FFMpegWriter

        if not FFMpegWriter.isAvailable():
            raise RuntimeError(
                "Film.save: an .mp4 needs the program ffmpeg, which was not found; install it (apt install ffmpeg, "
                "brew install ffmpeg, conda install ffmpeg), or write a .gif or an .html"
            )
        writer = FFMpegWriter(fps=self.fps, codec="h264")  # type: ignore[arg-type]  # a rate may be broken
        try:
            with writer.saving(reel.figure, str(path), reel.figure.dpi):
                for t in range(len(self)):
                    reel.show(t)
                    writer.grab_frame()
        except (subprocess.CalledProcessError, BrokenPipeError) as error:
            raise RuntimeError(f"Film.save: ffmpeg failed; write a .gif or an .html. It said: {error}") from error


def animate(
    clips: SkeletonBatch | Tensor | NDArray[Any],
    views: GrowingPolicy | Transform | Mapping[str, Any] | Sequence[Any] | None = None,
    skeleton: Skeleton | str | None = None,
    *,
    path: str | Path | None = None,
    samples: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    coords: int | Sequence[int] | None = None,
    up: str | None = None,
    camera: tuple[float, float] = CAMERA,
    ghost: bool = True,
    fps: float = 30.0,
    frames: int = 64,
    title: str | None = None,
) -> Film:
    """A film of clips and their views: a row a clip, a column a view; without views the clips stand side by side.

    The camera is the same for all. It stands still, or goes with the person where it walks further than its own size.
    A ring is a masked joint, where it would have been; pale bones belong to masked or dropped ones; dashed bones are
    edges of the graph that were lost, green lines new ones. Streams are drawn as vectors. With a policy it knows all
    this; of views that were made before it finds out what the data tell, see :func:`skelaug.plot.difference`.

    Args:
        clips: x ``(N, C, T, V, M)`` or one clip ``(C, T, V, M)``, with 2 or 3 coordinates: a SkeletonBatch, a tensor or
            an array.
        views: a policy or a transform that makes them, or views of ``clips`` that were made before: what
            ``policy.views`` returned, or batches by name.
        skeleton: of the data, or its name. If it is left out: the policy's, else the only known one with so many
            joints, else none: joints without bones.
        path: write the film there, too; see :meth:`Film.save`.
        samples: which of the clips are shown; if left out three, or six without views, evenly spread.
        names: of these samples.
        seed: of a policy's draws: ``keys = skelaug.random.keys(seed, 0, samples)``.
        coords: channels that are coordinates, a number of leading ones or indices; None: all.
        up: see :func:`skelaug.plot.skeleton`.
        camera: degrees that it is turned to the side and looks down from above.
        ghost: the recording stands in grey behind each view.
        fps: frames a second of the data.
        frames: at most so many of a clip are shown, evenly spread.
        title: what is written above; None: a policy's views are called so.

    Returns:
        The film. A notebook shows it.

    Raises:
        TypeError: ``clips``, ``views``, ``path`` or ``title`` is something else.
        ValueError: shapes do not fit, a sample that is not there, no coordinates that can be drawn, a wrong end of
            ``path``.

    Example:
        >>> import skelaug
        >>> clips = skelaug.sample_motion(["walk", "kick"], length=32)[:2]
        >>> film = animate(clips, skelaug.policies.hiclr("humanoid15"), fps=30)
        >>> film
        <skelaug film, 32 frames, 30 a second; .save('ladder.gif') writes it>
        >>> film.save("ladder.gif")  # doctest: +SKIP
    """
    who = "plot.animate"
    batch = paper.as_batch(who, "clips", clips)
    target = None if path is None else _target(who, path)
    of_type(who, "title", title, (str, type(None)), "a string or None")
    check.number(who, "fps", fps, low=0.1, high=10_000)
    check.count(who, "frames", frames)
    check.choice(who, "ghost", ghost, (True, False))
    camera, seed = paper.check_camera(who, camera), paper.seed_of(who, seed)
    channels = check.coordinates(who, list(coords) if isinstance(coords, Sequence) else coords)
    channels = check.channels(who, channels, batch.x, allowed=(2, 3))
    policy = views if isinstance(views, GrowingPolicy | Transform) else None
    made = _made(who, batch, views) if policy is None else {}
    bones = skeleton_of(who, batch, policy, skeleton)
    paper.check_drawing(who, bones or "ntu25", up, **({"clips": batch} if bones else {}))
    chosen = chosen_of(who, batch, samples, _ROWS if policy or made else _ALONE)
    scene = make_scene(
        batch[chosen],
        policy,
        skeleton=bones,
        made={name: view[chosen].to("cpu") for name, view in made.items()},
        names=names_of(who, names, len(chosen)),
        ids=chosen,
        seeds=[seed],
        coords=channels,
        up=check.up(who, up, bones),
        fps=fps,
        frames=frames,
        title=("Views, weak to strong" if policy else "") if title is None else title,
    )
    film = Film(scene, camera, ghost=ghost)
    if target is not None:
        film.save(target)
    return film


def _target(who: str, path: Any) -> Path:
    of_type(who, "path", path, (str, Path), "the name of a file, such as 'ladder.gif'")
    if Path(path).suffix.lower() not in _ENDS:
        raise ValueError(f"{who}(path={str(path)!r}): path must end in {', '.join(_ENDS)}, as in 'ladder.gif'")
    return Path(path)


def _made(who: str, batch: SkeletonBatch, views: Any) -> dict[str, SkeletonBatch]:
    """Views that were made before, by name."""
    if views is None:
        return {}
    if isinstance(views, Mapping) and views:
        named = {str(name): view for name, view in views.items()}
    elif isinstance(views, list | tuple) and views:
        named = {f"view {i}": view for i, view in enumerate(views)}
    else:
        raise TypeError(
            f"{who}(views={views!r}): views must be a policy, a transform, a list of batches or batches by name"
        )
    found = {name: paper.as_batch(who, f"views[{name!r}]", view) for name, view in named.items()}
    n, c, _, v, _ = batch.x.shape
    for name, view in found.items():
        if (view.x.shape[0], view.x.shape[1], view.x.shape[3]) != (n, c, v) or not view.x.shape[2]:
            raise ValueError(
                f"{who}(views=…): view {name!r} is {tuple(view.x.shape)}; a view of clips {tuple(batch.x.shape)} must "
                f"have their number of samples, channels and joints, and a frame or more"
            )
    return found
