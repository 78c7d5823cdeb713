"""The tables and figures of the study, from its JSON files alone.

An interval is the 95 % confidence interval of the mean over the seeds, by Student's t. A difference is taken seed by
seed: two methods with the same seed start from the same weights and see the clips in the same order.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

__all__ = ["report"]

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
PICTURES = PAGE.parent / "images" / "results"

READOUTS = {"knn": "k-NN", "linear": "linear", "ridge": "ridge"}
PARTS = {"xview": ["test_clean", "test"], "xsub": ["test"]}
TITLES = {"xview": "cross-view, clean test clips", "xsub": "cross-subject"}
NAMES = {
    "coordinates": "coordinates, nothing learned",
    "untrained": "untrained encoder",
    "skeletonclr": "SkeletonCLR: basic view alone",
    "naive-mask": "naive: basic + normal + Random Mask in plain InfoNCE",
    "aimclr": "AimCLR-style: three views, all learn from the first",
    "hiclr-2": "HiCLR, k = 2: basic, normal",
    "hiclr-mask": "HiCLR, k = 3: + Random Mask",
    "hiclr-edges": "HiCLR, k = 3: + Drop/Add Edges",
    "hiclr-adain": "HiCLR, k = 3: + SkeleAdaIN",
    "hiclr-all": "HiCLR, k = 3: + all three",
    "hiclr-mask-symmetric": "HiCLR, k = 3: + Random Mask, symmetric",
    "hiclr-mask-reversed": "HiCLR, k = 3: + Random Mask, reversed",
}
SHORT = {
    "coordinates": "coordinates",
    "skeletonclr": "SkeletonCLR",
    "naive-mask": "naive",
    "aimclr": "AimCLR-style",
    "hiclr-2": "HiCLR, k = 2",
    "hiclr-mask": "HiCLR + mask",
    "hiclr-edges": "HiCLR + edges",
    "hiclr-adain": "HiCLR + SkeleAdaIN",
    "hiclr-all": "HiCLR + all",
    "hiclr-mask-symmetric": "symmetric",
    "hiclr-mask-reversed": "reversed",
}
PREPARATIONS = {"none": "none", "clip": "per clip", "frame": "per frame"}
PREPARED = ["skeletonclr", "naive-mask", "hiclr-mask", "hiclr-adain"]

#: By question: a method, and the one that it is compared with.
CLAIM = [("naive-mask", "skeletonclr"), ("hiclr-mask", "skeletonclr"), ("hiclr-mask", "naive-mask")]
STAGES = [
    ("hiclr-2", "skeletonclr"),
    ("hiclr-mask", "hiclr-2"),
    ("hiclr-edges", "hiclr-2"),
    ("hiclr-adain", "hiclr-2"),
    ("hiclr-all", "hiclr-2"),
]
DIRECTION = [("hiclr-mask-symmetric", "hiclr-mask"), ("hiclr-mask-reversed", "hiclr-mask"), ("aimclr", "hiclr-mask")]

_COLOURS = ("#0072b2", "#d55e00", "#009e73")  # of the read-outs; they differ for colour-blind readers, too


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds in percent, half the width of its 95 % interval (nan for one seed), and the values."""

    mean: float
    half: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        n = len(values)
        half = math.nan
        if n > 1:
            half = float(stats.t.ppf(0.975, n - 1)) * statistics.stdev(values) / math.sqrt(n)
        return cls(statistics.mean(values), half, tuple(values))

    @property
    def bar(self) -> float:
        """``half`` for a figure; nan where there are fewer than three seeds: of two it is wider than the figure."""
        return self.half if len(self.values) > 2 else math.nan

    def __str__(self) -> str:
        return f"{self.mean:.1f}" + ("" if math.isnan(self.half) else f" ± {self.half:.1f}")

    def as_difference(self) -> str:
        """With its sign, and how many seeds have that sign."""
        agree = sum(value * self.mean > 0 for value in self.values)
        return f"{self.mean:+.1f} ± {self.half:.1f} ({agree} of {len(self.values)})"


class Runs:
    """The scores of all runs that are there, in percent."""

    def __init__(self, folder: Path) -> None:
        self.scores: dict[tuple[str, str, str], dict[int, Any]] = {}
        for file in sorted(folder.glob("*/*.json")):
            protocol, variant, seed = re.fullmatch(r"([a-z]+)-(.+)-(\d+)", file.stem).groups()  # type: ignore[union-attr]
            run = json.loads(file.read_text(encoding="utf-8"))
            self.scores.setdefault((file.parent.name, protocol, variant), {})[int(seed)] = run["scores"]

    def of(self, variant: str, protocol: str, part: str, readout: str, preparation: str = "frame") -> dict[int, float]:
        """Accuracy by seed."""
        runs = self.scores.get((preparation, protocol, variant), {})
        return {seed: 100 * scores[part][readout] for seed, scores in runs.items()}

    def estimate(self, *where: str) -> Estimate | None:
        accuracies = self.of(*where)
        return Estimate.of(list(accuracies.values())) if accuracies else None

    def difference(self, a: str, b: str, *where: str) -> Estimate | None:
        """Of two methods, seed by seed; None where fewer than two seeds are there of both."""
        first, second = self.of(a, *where), self.of(b, *where)
        both = sorted(first.keys() & second.keys())
        return Estimate.of([first[seed] - second[seed] for seed in both]) if len(both) > 1 else None


def report(folder: Path, page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Put the tables between the marks of the page and draw its figures."""
    runs = Runs(folder)
    tables = {protocol: _scores(runs, protocol) for protocol in PARTS}
    tables |= {f"differences {protocol}": _differences(runs, protocol) for protocol in PARTS}
    tables |= {f"preparation {protocol}": _preparations(runs, protocol) for protocol in PARTS}
    page.write_text(_filled(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    pictures.mkdir(parents=True, exist_ok=True)
    figures = {
        "claim": _levels(runs, ["skeletonclr", "naive-mask", "hiclr-2", "hiclr-mask", "hiclr-adain", "hiclr-all"]),
        "stages": _forest(runs, STAGES),
        "direction": _forest(runs, DIRECTION),
        "preparation": _over_preparation(runs),
    }
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    for name, figure in drawn.items():
        figure.savefig(pictures / f"{name}.png", dpi=150)
    print(f"wrote {page} and {', '.join(drawn)} in {pictures}")


def _filled(text: str, tables: dict[str, list[str]]) -> str:
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: made by benchmarks/study_report.py -->", f"<!-- end {name} -->"
        if begin not in text:
            continue
        before, rest = text.split(begin)
        text = before + begin + "\n\n" + "\n".join(lines) + "\n\n" + end + rest.split(end)[1]
    return text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]


def _scores(runs: Runs, protocol: str) -> list[str]:
    """Every method: mean and interval."""
    columns = [(part, readout) for part in PARTS[protocol] for readout in READOUTS]
    rows = []
    for variant, name in NAMES.items():
        cells = [runs.estimate(variant, protocol, *column) for column in columns]
        if cells[0] is not None:
            rows.append([name, *map(str, cells), str(len(cells[0].values))])
    return _table(["method", *(f"{READOUTS[readout]}, {part}" for part, readout in columns), "seeds"], rows)


def _differences(runs: Runs, protocol: str) -> list[str]:
    """Every comparison: mean difference, interval, and how many seeds agree."""
    part, rows = PARTS[protocol][0], []
    for a, b in [*CLAIM, *STAGES, *DIRECTION]:
        cells = [runs.difference(a, b, protocol, part, readout) for readout in READOUTS]
        if all(cells):
            rows.append([f"{SHORT[a]} − {SHORT[b]}", *(cell.as_difference() for cell in cells if cell is not None)])
    if not rows:
        return ["Not yet: a difference needs two seeds."]
    return _table(["difference", *READOUTS.values()], rows)


def _preparations(runs: Runs, protocol: str) -> list[str]:
    part = PARTS[protocol][0]
    rows = []
    for variant in ("coordinates", *PREPARED):
        for preparation, name in PREPARATIONS.items():
            cells = [_first(runs, variant, protocol, part, readout, preparation) for readout in READOUTS]
            if cells[0] is not None:
                rows.append([SHORT[variant], name, *map(str, cells), str(len(cells[0].values))])
    return _table(["method", "centred and turned", *READOUTS.values(), "seeds"], rows)


def _first(runs: Runs, variant: str, protocol: str, part: str, readout: str, preparation: str) -> Estimate | None:
    """Over the first three seeds, which every preparation has."""
    accuracies = runs.of(variant, protocol, part, readout, preparation)
    values = [value for seed, value in accuracies.items() if seed < 3]
    return Estimate.of(values) if values else None


def _panels(height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.5, height), layout="constrained")
    panels = list(figure.subplots(1, len(PARTS), sharey=True))
    for panel, title in zip(panels, TITLES.values(), strict=True):
        panel.set_title(title, fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="both", color="0.92")
        panel.set_axisbelow(True)
    return figure, panels


def _levels(runs: Runs, variants: Sequence[str]) -> Figure:
    """Accuracy of methods: mean and, of three seeds and more, interval, one dot a seed; the line of coordinates."""
    figure, panels = _panels(4.2)
    for panel, (protocol, parts) in zip(panels, PARTS.items(), strict=True):
        for number, (readout, colour) in enumerate(zip(READOUTS, _COLOURS, strict=True)):
            base = runs.estimate("coordinates", protocol, parts[0], readout)
            if base is not None:
                panel.axhline(base.mean, color=colour, linestyle=":", linewidth=1)
            for place, variant in enumerate(variants):
                accuracy = runs.estimate(variant, protocol, parts[0], readout)
                if accuracy is not None:
                    x = place + 0.2 * (number - 1)
                    label = READOUTS[readout] if place == 0 else None
                    panel.errorbar(x, accuracy.mean, accuracy.bar, fmt="o", color=colour, markersize=5, label=label)
                    panel.plot([x] * len(accuracy.values), accuracy.values, ".", color=colour, alpha=0.3, markersize=5)
        panel.set_xticks(range(len(variants)), [SHORT[variant] for variant in variants], rotation=25, ha="right")
    panels[0].set_ylabel("accuracy %")
    panels[0].legend(frameon=False, title="dotted: coordinates", fontsize=9, title_fontsize=9)
    return figure


def _forest(runs: Runs, pairs: Sequence[tuple[str, str]]) -> Figure | None:
    """Differences of pairs of methods, seed by seed: mean, interval of three seeds and more, one dot a seed."""
    pairs = [pair for pair in pairs if runs.difference(*pair, "xview", "test_clean", "linear")]
    if not pairs:
        return None
    figure, panels = _panels(1.2 + 0.55 * len(pairs))
    for panel, (protocol, parts) in zip(panels, PARTS.items(), strict=True):
        panel.axvline(0, color="0.4", linewidth=1)
        for number, (readout, colour) in enumerate(zip(READOUTS, _COLOURS, strict=True)):
            for place, (a, b) in enumerate(pairs):
                difference = runs.difference(a, b, protocol, parts[0], readout)
                if difference is not None:
                    y = place + 0.2 * (number - 1)
                    label = READOUTS[readout] if place == 0 else None
                    panel.errorbar(
                        difference.mean, y, xerr=difference.bar, fmt="o", color=colour, markersize=5, label=label
                    )
                    panel.plot(
                        difference.values, [y] * len(difference.values), ".", color=colour, alpha=0.3, markersize=5
                    )
        panel.set_yticks(range(len(pairs)), [f"{SHORT[a]} − {SHORT[b]}" for a, b in pairs])
        panel.set_xlabel("difference of accuracy, points")
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def _over_preparation(runs: Runs) -> Figure | None:
    """Linear accuracy over the preparation, a line a method; None where no other preparation was run."""
    if not runs.of("skeletonclr", "xview", "test_clean", "linear", "clip"):
        return None
    figure, panels = _panels(3.6)
    colours = dict(zip(("coordinates", *PREPARED), ("0.5", "#000000", "#d55e00", "#0072b2", "#009e73"), strict=True))
    for panel, (protocol, parts) in zip(panels, PARTS.items(), strict=True):
        for shift, (variant, colour) in enumerate(colours.items()):
            accuracies = [
                _first(runs, variant, protocol, parts[0], "linear", preparation) for preparation in PREPARATIONS
            ]
            there = [(place, value) for place, value in enumerate(accuracies) if value is not None]
            if there:
                places, means = [place + 0.04 * (shift - 2) for place, _ in there], [value.mean for _, value in there]
                halves = [0.0 if math.isnan(value.half) else value.half for _, value in there]
                panel.errorbar(places, means, halves, fmt="o-", color=colour, markersize=5, label=SHORT[variant])
        panel.set_xticks(range(len(PREPARATIONS)), list(PREPARATIONS.values()))
        panel.set_xlabel("bodies centred and turned")
    panels[0].set_ylabel("linear evaluation, accuracy %")
    panels[-1].legend(frameon=False, fontsize=9)
    return figure
