"""The Markdown table and the plots of a run, from its JSON file alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skelaug_contrib.bench import Row, markdown


def write(content: dict[str, Any], out: Path) -> list[Path]:
    """Write ``bench.md`` and one picture a question."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [Row(**row) for row in content["rows"]]
    (out / "bench.md").write_text(text(content, rows), encoding="utf-8")
    return [out / "bench.md", *plots(rows, out)]


def plots(rows: Sequence[Row], out: Path) -> list[Path]:
    """One picture for each question that the rows answer; none without matplotlib."""
    try:
        from skelaug import plot
    except ImportError:
        return []
    figures = {out / f"{name}.png": figure for name, draw in _PLOTS.items() if (figure := draw(rows)) is not None}
    for path, figure in figures.items():
        plot.save(figure, path)
    return list(figures)


def text(content: dict[str, Any], rows: Sequence[Row]) -> str:
    """Machine, peers, and a table a section."""
    lines = ["# Benchmark", "", machine(content), ""]
    for peer, notes in content.get("peers", {}).items():
        lines += [f"- {peer}: {note}" for note in notes]
    for section in dict.fromkeys(row.section for row in rows):
        lines += ["", f"## {section[:1].upper()}{section[1:]}", "", markdown(_of(rows, section))]
    return "\n".join(lines) + "\n"


def fill(page: Path, content: dict[str, Any]) -> None:
    """Put a run's tables between a page's marks, ``<!-- NAME: made by … -->`` and ``<!-- end -->``; renew its plots.

    The plots lie in ``images/performance`` beside the page. NAME is ``machine``, ``epoch`` or a section of the
    rows. A part that the run did not measure stays.
    """
    rows = [Row(**row) for row in content["rows"]]
    tables = {row.section: markdown(_of(rows, row.section)) for row in rows}
    tables |= {"machine": machine(content), "epoch": epoch(rows)}

    def replaced(mark: re.Match[str]) -> str:
        table = tables.get(mark["name"])
        return f"{mark['open']}\n{table}\n\n{mark['close']}" if table else mark[0]

    marks = r"(?P<open><!-- (?P<name>[^:>]+): made by [^>]*-->\n).*?(?P<close><!-- end -->)"
    page.write_text(re.sub(marks, replaced, page.read_text(encoding="utf-8"), flags=re.DOTALL), encoding="utf-8")
    plots(rows, page.parent / "images" / "performance")


def machine(content: dict[str, Any]) -> str:
    """What the numbers depend on, in a line."""
    return ", ".join(f"{name} {value}" for name, value in content["machine"].items())


def epoch(rows: Sequence[Row], clips: int = 40_000) -> str:
    """Seconds that the four views of every clip of an epoch take: NTU RGB+D 60 has about 40 000 clips to train on."""
    four = [row for row in _of(rows, "race") if row.name.endswith(" the four of a step")]
    lines = [f"| the four views of {clips:,} clips | s an epoch |".replace(",", " "), "| --- | ---: |"] if four else []
    for row in four:
        lines.append(
            f"| {row.name.removesuffix(' the four of a step')} | {clips / row.setting['batch'] * row.median:.1f} |"
        )
    return "\n".join(lines)


def _figure(panels: int) -> Any:
    from matplotlib.figure import Figure  # not pyplot: no window, no global state

    figure = Figure(figsize=(4.6 * panels, 3.6), layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _lines(axes: Any, rows: Sequence[Row], over: str, value: Callable[[Row], float | None]) -> None:
    for name in dict.fromkeys(row.name for row in rows):
        points = sorted((row.setting[over], y) for row in rows if row.name == name and (y := value(row)) is not None)
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    values = sorted({row.setting[over] for row in rows})
    axes.set_xscale("log" if values[-1] > 10 * values[0] or len(values) < 5 else "linear")
    axes.set_xticks(values, [f"{value:,}".replace(",", " ") for value in values])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()


def _of(rows: Sequence[Row], section: str) -> list[Row]:
    return [row for row in rows if row.section == section]


def _throughput(rows: Sequence[Row]) -> Any:
    chosen = _of(rows, "throughput")
    if not chosen:
        return None
    figure, (axes,) = _figure(1)
    _lines(axes, chosen, "batch", lambda row: row.setting["batch"] / row.median)
    axes.set(yscale="log", xlabel="batch", ylabel="samples a second", title="The four views of a step")
    return figure


def _members(rows: Sequence[Row]) -> Any:
    chosen = _of(rows, "members")
    if not chosen:
        return None
    figure, (axes,) = _figure(1)
    _lines(axes, chosen, "transforms", lambda row: row.median * 1e3)
    axes.set(xlabel="transforms in a Compose", ylabel="ms a batch", ylim=(0, None), title="One more transform")
    return figure


def _queue(rows: Sequence[Row]) -> Any:
    chosen = _of(rows, "loss")
    if not chosen:
        return None
    figure, (left, right) = _figure(2)
    _lines(left, chosen, "queue", lambda row: row.median * 1e3)
    _lines(right, chosen, "queue", lambda row: row.peak_mib)
    left.set(yscale="log", xlabel="queue", ylabel="ms a step", title="Loss, forward and backward")
    right.set(yscale="log", xlabel="queue", ylabel="MiB beside the queue", title="Its memory")
    return figure


def _scaling(rows: Sequence[Row]) -> Any:
    axes_of = {"batch": "batch", "frames": "frames", "skeleton": "joints", "persons": "persons"}
    there = {axis: over for axis, over in axes_of.items() if _of(rows, f"over {axis}")}
    if not there:
        return None
    figure, panels = _figure(len(there))
    for panel, (axis, over) in zip(panels, there.items(), strict=True):
        _lines(panel, _of(rows, f"over {axis}"), over, lambda row: row.median * 1e3)
        panel.set(yscale="log", xlabel=over, ylabel="ms a batch")
    return figure


_PLOTS: dict[str, Callable[[Sequence[Row]], Any]] = {
    "throughput": _throughput,
    "members": _members,
    "queue": _queue,
    "scaling": _scaling,
}
