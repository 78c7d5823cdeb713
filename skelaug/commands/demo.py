"""Make HiCLR's views of real motion capture: print what each does and costs, and draw them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

import skelaug
from skelaug import plot
from skelaug import transforms as T
from skelaug.batch import SkeletonBatch
from skelaug.commands import device, positive
from skelaug.commands.table import format_table, measure
from skelaug.motion import clip_names, sample_motion
from skelaug.transform import Transform

__all__ = ["add_arguments", "examples", "run"]

_FRAMES = 48
_ROWS = ("walk", "kick", "jump", "punch", "dance_a", "cartwheel")


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for ladder.png and transforms.png")
    parser.add_argument("--seed", type=int, default=0, help="of the draws; the same seed gives the same pictures")
    parser.add_argument("--batch", type=positive, default=128, help="samples in the batch that is timed")
    parser.add_argument("--device", type=device, default="cpu", help="where to work, such as cpu or cuda")


def run(out: Path, seed: int, batch: int, device: torch.device) -> None:
    """Load the bundled clips, make the views, print a table and draw two pictures."""
    skeleton = skelaug.skeletons["humanoid15"]
    policy = skelaug.policies.hiclr(skeleton)
    clips = sample_motion(length=_FRAMES)
    many = clips[torch.arange(batch) % len(clips)].to(device)
    windows = f"{len(clips)} windows of {_FRAMES} frames, {len(skeleton)} joints"
    print(f"{len(clip_names())} clips of motion capture, {windows}")
    print(f"policy: skelaug.policies.hiclr({skeleton!r}), a batch of {batch} on {many.device}\n")
    keys = skelaug.random.keys(seed, 0, torch.arange(batch))
    print(format_table(measure(policy, many, keys.to(device))))
    print("\nstrength: how far joints move on average, 1 = the body's own size.\n")

    names = clip_names()
    first = [next(i for i, label in enumerate(clips.label.tolist()) if names[label] == row) for row in _ROWS]  # type: ignore[union-attr]
    shown = clips[torch.tensor(first)]
    views = policy.views(shown, keys=skelaug.random.keys(seed, 0, first))
    rows = [(name, shown[i], [view[i] for view in views]) for i, name in enumerate(_ROWS)]
    title = (
        "HiCLR's growing augmentations on real motion, from weak to strong\n"
        "(time runs to the right; grey: as recorded; blue: left, orange: right; masked joints fall to the origin)"
    )
    ladder = plot.ladder(rows, [_heading(name, stage) for name, stage in policy.items()], skeleton, title=title)
    _save(ladder, out / "ladder.png")

    title = (
        "Every transform on a real clip, a kick; time runs to the right (grey: as recorded, blue: left, orange: right, "
        "thin: second person)\ngraphs: six draws; an edge lost in one direction is dashed, in both dotted, a new green"
    )
    _save(plot.gallery(_cells(clips, seed), skeleton, title=title), out / "transforms.png")


def _save(figure: Any, path: Path) -> None:
    plot.save(figure, path)
    print(f"wrote {path}")


def _heading(name: str, stage: Iterable[Transform]) -> str:
    return f"{name}\n+ " + ", ".join(type(member).__name__ for member in stage)


def examples(clips: SkeletonBatch) -> list[tuple[Transform, SkeletonBatch, str | None]]:
    """Every transform, strong enough to be seen, with the clip to show it on and the kind of picture.

    The clip is a kick, two people, or one with gaps.

    Args:
        clips: of the humanoid, as :func:`skelaug.sample_motion` gives them.
    """
    s = skelaug.skeletons["humanoid15"]
    kick, punch = (clips[clips.label.tolist().index(clip_names().index(name))] for name in ("kick", "punch"))  # type: ignore[union-attr]
    beside = torch.tensor([0.0, 0.0, 0.9]).view(1, 3, 1, 1, 1)
    pair = SkeletonBatch(torch.cat([kick.x, torch.where(punch.mask[:, None], punch.x + beside, 0)], -1))
    lost = torch.zeros_like(kick.mask)
    lost[:, 8:40, 3:9] = True  # these joints were not observed for most of the clip
    holes = SkeletonBatch(kick.x, kick.mask & ~lost)
    tall = clips.replace(x=clips.x * 1.4)
    shown: list[tuple[Transform, str | None]] = [
        (T.Shear(0.5), None),
        (T.Rotate(40), None),
        (T.Rotate(30, axes="main"), None),
        (T.Scale((0.5, 1.4), per_axis=True), None),
        (T.Translate(0.4), None),
        (T.Mirror(s, axis="z", p=1.0), None),
        (T.SwapSides(s, p=1.0), None),
        (T.NegateAxis("x", p=1.0), None),
        (T.AxisMask("x", p=1.0), None),
        (T.RandomMove(30, nodes=3), None),
        (T.Center(s), None),
        (T.Align(s, per="clip"), None),
        (T.Normalize(), None),
        (T.SubtractJoint(p=1.0), None),
        (T.TemporalCrop(2), None),
        (T.CropResize((0.3, 0.5), length=24), None),
        (T.SegmentSample(16), None),
        (T.Reverse(p=1.0), None),
        (T.Speed((2.0, 2.0)), None),
        (T.TimeWarp(1.5), None),
        (T.Blur(6.0, kernel_size=25, p=1.0), None),
        (T.DropFrame(0.5), None),
        (T.DropFrame(0.7, fill="hold"), None),
        (T.DropFrame(0.7, fill="interpolate"), None),
        (T.DropFrame(0.5, fill="remove"), None),
        (T.FillGaps(), "gaps"),
        (T.JointMask(0.2), None),
        (T.JointMask(0.3, per="sequence", fill="mean"), None),
        (T.LimbMask(s), None),
        (T.JointTimeMask((0.4, 0.4), (0.5, 0.5)), None),
        (T.JointJitter(0.1, 0.4), None),
        (T.GaussianNoise(0.03), None),
        (T.SkeleAdaIN(style=clips), None),
        (T.BoneLengthTransfer(s, style=tall), None),
        (T.PersonSwap(p=1.0), "pair"),
        (T.PersonDrop(p=1.0), "pair"),
        (T.Bone(s), "bone"),
        (T.Motion(), "motion"),
        (T.BoneMotion(s), "motion"),
        (T.DropEdges(0.3, s), "graph"),
        (T.AddEdges(0.05, s), "graph"),
    ]
    befores = {"pair": pair, "gaps": holes}
    return [(transform, befores.get(kind or "", kick), None if kind in befores else kind) for transform, kind in shown]


def _cells(clips: SkeletonBatch, seed: int) -> list[plot.Cell]:
    """The examples as pictures; graphs are drawn six times."""
    cells = []
    for transform, before, kind in examples(clips):
        samples = 6 if kind == "graph" else 1
        keys = skelaug.random.keys(seed, 0, torch.arange(samples))
        after = transform(before[torch.zeros(samples, dtype=torch.int64)], keys=keys)
        cells.append(plot.Cell(_short(transform), before, after, kind))
    return cells


def _short(transform: Transform) -> str:
    """The constructor call, the skeleton and batches left out."""
    given = transform.arguments()
    parts = [
        repr(value) if name in ("degrees", "amount", "factor", "std", "ratio", "max_ratio") else f"{name}={value!r}"
        for name, value in given.items()
        if not isinstance(value, skelaug.Skeleton | SkeletonBatch) and name != "p"
    ]
    return f"{type(transform).__name__}({', '.join(parts)})"
