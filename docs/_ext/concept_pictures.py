"""A picture for each page of concepts, drawn from the library itself when the site is built; git ignores them."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from sphinx.application import Sphinx

import skelaug
from skelaug import plot
from skelaug import transforms as T
from skelaug.motion import clip_names, sample_motion

_BLUE, _ORANGE, _DARK = "#1f77b4", "#e8710a", "#333333"


def layout() -> Figure:
    """Who is there in a batch of four clips."""
    lengths, second = (60, 40, 25, 50), ((0, 0), (10, 30), (0, 25), (20, 50))
    clips = []
    for length, (start, stop) in zip(lengths, second, strict=True):
        clip = torch.randn(3, length, 25, 2)
        clip[..., 1][:, [t for t in range(length) if not start <= t < stop]] = 0
        clips.append(clip)
    batch = skelaug.SkeletonBatch.from_list(clips)
    there = batch.mask.any(2)  # (N, T, M)
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    axes = figure.subplots()
    rows = there.transpose(1, 2).flatten(0, 1)
    axes.imshow(rows, aspect="auto", cmap="Blues", vmin=0, vmax=1.4, interpolation="nearest")
    axes.set_yticks(range(8), [f"clip {n}, person {m}" for n in range(4) for m in range(2)])
    axes.set_xlabel("frame")
    axes.set_title("blue: there; white: absent, exactly 0", fontsize=10)
    for line in (1.5, 3.5, 5.5):
        axes.axhline(line, color=_DARK, linewidth=0.8)
    return figure


def drawn() -> Figure:
    """How far joints move, joint by frame, for draws of different kinds."""
    clips = sample_motion(length=48)[3:4]
    shown = [
        ("Translate: one draw\nfor the whole sample", T.Translate(0.3)),
        ("DropFrame: frames", T.DropFrame(0.3)),
        ("JointMask: joints,\nin every frame", T.JointMask(0.3)),
        ("JointJitter: joints,\nfor the whole clip", T.JointJitter(0.1, 0.4)),
        ("GaussianNoise:\nevery coordinate", T.GaussianNoise(0.05)),
    ]
    figure = Figure(figsize=(10, 2.4), layout="constrained")
    for axes, (title, transform) in zip(figure.subplots(1, len(shown)), shown, strict=True):
        moved = (transform(clips, keys=skelaug.random.keys(1, 0, [0])).x - clips.x).norm(dim=1)[0, :, :, 0]
        axes.imshow(moved.T, aspect="auto", cmap="Oranges", vmin=0)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("frame", fontsize=8)
        axes.set_ylabel("joint", fontsize=8)
        axes.tick_params(labelsize=7)
    return figure


def randomness() -> Figure:
    """The angle that each clip gets, in two batches of another order."""
    rotate = T.Translate(1.0)
    x = torch.randn(24, 2, 4, 5, 1)
    orders = (torch.arange(24), torch.randperm(24, generator=torch.Generator().manual_seed(3)))
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    for axes, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("a generator: a draw belongs to a place", "keys: a draw belongs to a clip"),
        strict=True,
    ):
        for order, colour, size in zip(orders, (_BLUE, _ORANGE), (60, 16), strict=True):
            source = (
                {"keys": skelaug.random.keys(0, 0, order)}
                if title.startswith("keys")
                else {"generator": torch.Generator().manual_seed(0)}
            )
            shift = rotate.sample(x, **source)["offset"][:, 0]
            label = "in order" if colour == _BLUE else "shuffled"
            axes.scatter(order, shift, s=size, color=colour, label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("clip")
    figure.axes[0].set_ylabel("shift along x")
    figure.axes[0].legend(fontsize=8)
    return figure


def growing() -> Figure:
    """Views of two clips, and their strength over many."""
    clips, names = sample_motion(length=48), clip_names()
    policy = skelaug.policies.hiclr("humanoid15")
    assert clips.label is not None
    rows = []
    for name in ("kick", "jump"):
        index = [names[label] for label in clips.label.tolist()].index(name)
        clip = clips[index : index + 1]
        rows.append((name, clip, policy.views(clip, keys=skelaug.random.keys(0, 0, [index]))))
    many = clips[torch.arange(1024) % len(clips)]
    strength = policy.strength(many, keys=skelaug.random.keys(0, 0, torch.arange(1024))).tolist()
    headings = [f"{name}: strength {value:.2f}" for name, value in zip(policy.names, strength, strict=True)]
    return plot.ladder(rows, headings, "humanoid15", title="View i holds the stages up to i")


def loss() -> Figure:
    """Who learns from whom."""
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    boxes = {
        "key  k": (0.0, 1.3),
        "queue  n₁ … n_K": (0.0, 0.0),
        "weak  z₀": (2.6, 0.65),
        "normal  z₁": (5.0, 0.65),
        "strong  z₂": (7.4, 0.65),
    }
    for name, (left, bottom) in boxes.items():
        colour = _BLUE if "z" in name else "#888888"
        box = FancyBboxPatch((left, bottom), 1.5, 0.6, boxstyle="round,pad=0.08", facecolor="white", edgecolor=colour)
        axes.add_patch(box)
        axes.text(left + 0.75, bottom + 0.3, name, ha="center", va="center", fontsize=9)
    for start, stop, text in (
        ((2.5, 1.05), (1.65, 1.5), "InfoNCE"),
        ((2.5, 0.8), (1.65, 0.4), ""),
        ((4.9, 0.95), (4.25, 0.95), "learns\nfrom"),
        ((7.3, 0.95), (6.65, 0.95), "learns\nfrom"),
    ):
        axes.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", mutation_scale=14, color=_ORANGE))
        axes.text((start[0] + stop[0]) / 2, 1.5 if "learns" in text else 1.55, text, ha="center", fontsize=8)
    axes.text(
        2.6,
        -0.1,
        "An arrow goes from what learns to what it learns from. Only what learns gets a gradient.",
        fontsize=8,
    )
    axes.set_xlim(-0.3, 9.2)
    axes.set_ylim(-0.3, 2.3)
    axes.set_axis_off()
    return figure


def write(app: Sphinx) -> None:
    """All of them, those that are there and not older than the code excepted."""
    folder = Path(app.srcdir) / "concepts" / "images"
    folder.mkdir(exist_ok=True)
    code = max(path.stat().st_mtime for path in (*Path(skelaug.__file__).parent.rglob("*.py"), Path(__file__)))
    for picture in (layout, drawn, randomness, growing, loss):
        path = folder / f"{picture.__name__}.png"
        if not path.exists() or path.stat().st_mtime < code:
            torch.manual_seed(0)
            plot.save(picture(), path)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
