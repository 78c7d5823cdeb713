"""Write one HTML file that shows clips and their views side by side as moving skeletons; it needs no network."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

import torch

from skelaug import check
from skelaug.batch import SkeletonBatch
from skelaug.commands import Refused, positive, source
from skelaug.commands.source import Source, find_policy
from skelaug.commands.table import aligned
from skelaug.missing import Missing
from skelaug.motion import FPS, clip_names, sample_motion
from skelaug.policy import GrowingPolicy
from skelaug.preview import Page, Scene, Slider, make_scene
from skelaug.preview.page import refuse_other
from skelaug.skeleton import skeletons
from skelaug.transform import Transform

__all__ = ["add_arguments", "run"]

_SHOWN = 6  # clips, where nobody says which
_BUNDLED = ("walk", "kick", "jump", "punch", "dance_a", "cartwheel")
_WINDOW = 64  # frames of a bundled clip


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    add = parser.add_argument
    source.add_arguments(parser, nargs="?", help="; left out: clips of motion capture that come with skelaug")
    add("-o", "--out", required=True, type=Path, help="the HTML file to write; it appears whole or not at all")
    add("--clips", type=_names, help="numbers of the clips to show, as in 0,5,7, or their names; 6 if left out")
    add("--draws", type=positive, default=3, help="draws to choose from: the seeds --seed, --seed + 1, …")
    steps = "an argument of a transform of the policy, in five steps: Rotate.degrees=0:60; none for no slider"
    add("--slider", help=f"{steps}; if left out, one is chosen")
    add("--frames", type=positive, default=128, help="show at most so many frames of a clip, evenly spread")
    add("--fps", type=_rate, default=float(FPS), help="frames a second of the data")
    add("--title", default="Views, weak to strong", help="the headline")
    add("--overwrite", action="store_true", help="replace the file if skelaug preview wrote it")
    parser.epilog = (
        "The views are those of skelaug views with the same seed (where they borrow from other sequences, as "
        "SkeleAdaIN does, the lenders are the clips shown). They are made from whole clips, whatever --frames."
    )


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"must be numbers or names with commas between, as in 0,5,7; got {text!r}")
    return names


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.1 <= rate <= 10_000:
        raise ArgumentTypeError(f"must be a number from 0.1 to 10000, got {text!r}")
    return rate


def run(
    input: Path | None,
    skeleton: str | None,
    out: Path,
    policy: str,
    strong: str | None,
    stream: str | None,
    coords: int | tuple[int, ...] | None,
    seed: int,
    layout: str,
    array: str | None,
    sizes: dict[str, int],
    missing: Missing,
    center: bool,
    up: str | None,
    clips: list[str] | None,
    draws: int,
    slider: str | None,
    frames: int,
    fps: float,
    title: str,
    overwrite: bool,
) -> None:
    """Read the clips, make their views for every seed, write the page."""
    _check_out(out, overwrite)
    if input is None:
        said = {"--skeleton": skeleton, "--array": array, "--coords": coords}
        told = next((name for name, value in said.items() if value is not None), None)
        if told or center or layout != "NCTVM" or sizes or missing != "nan":
            raise Refused(f"{told or '--layout, --sizes, --missing and --center'}: is said of a file; name one")
        bones, channels = skeletons["humanoid15"], tuple(range(3))
        names = _chosen_names(list(_BUNDLED) if clips is None else clips, clip_names())
        ids = [clip_names().index(name) for name in names]
        whole = sample_motion(names)
        batch = SkeletonBatch(whole.x[:, :, :_WINDOW], whole.mask[:, :_WINDOW])
        views, where = find_policy(policy, bones, strong, stream, None), "motion capture that comes with skelaug"
    else:
        data = Source.open(input, skeleton, coords, layout, array, sizes, missing, center)
        bones, channels = data.skeleton, data.channels
        views = find_policy(policy, bones, strong, stream, data.coords)
        print(f"{input}: {data.describe()}")
        data.warn()
        ids = _chosen(clips, data)
        names = [data.names[i] if i < len(data.names) else f"#{i}" for i in ids]
        batch, where = data.prepare(data.file.read(ids, missing)), input.name
    scene = make_scene(
        batch,
        views,
        skeleton=bones,
        names=names,
        ids=ids,
        seeds=range(seed, seed + draws),
        coords=channels,
        slider=_slider(views, slider),
        up=check.up("--up", up, bones),
        fps=fps,
        frames=frames,
        title=title,
        source=where,
    )
    page = Page(scene)
    page.save(out)
    print(f"\n{_table(scene)}\n")
    print(f"wrote {out}: {len(scene.clips)} clips, {len(page.html.encode()) / 1e6:.2f} MB; open it in a browser")


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise Refused(f"--out {out}: must name an HTML file, as in ladder.html")
    refuse_other(out)
    if os.path.lexists(out) and not overwrite:
        raise Refused(f"{out} exists; choose another name, or overwrite it (--overwrite)")


def _chosen_names(wanted: list[str], known: tuple[str, ...]) -> list[str]:
    """Names of clips; a number stands for the clip of that place."""
    names = [known[int(one)] if one.isdecimal() and int(one) < len(known) else one for one in wanted]
    for name in names:
        if name not in known:
            raise Refused(f"--clips {name}: no such clip; there are {', '.join(known)}")
    return names


def _chosen(clips: list[str] | None, data: Source) -> list[int]:
    """Numbers of the sequences to show."""
    count = data.file.count
    if clips is None:
        return torch.linspace(0, count - 1, min(_SHOWN, count)).long().tolist()
    found = []
    for one in clips:
        if one in data.names:
            found.append(data.names.index(one))
        elif one.isdecimal() and int(one) < count:
            found.append(int(one))
        else:
            raise Refused(f"--clips {one}: {data.file.path} has no such clip; it holds {count}, from 0")
    return found


def _slider(policy: GrowingPolicy | Transform, given: str | None) -> Slider | None:
    try:
        return None if given == "none" else Slider.of(policy, given)
    except ValueError as error:
        raise Refused(f"--{error}") from error


def _table(scene: Scene) -> str:
    """The strength of each view, for the first seed."""
    strength = [f"{value:.3f}" for value in scene.strength[0]] or ["–"] * len(scene.names)
    rows = list(zip(scene.names, scene.adds, strength, strict=True))
    return aligned(["view", "transforms", "strength"], rows, words=2)
