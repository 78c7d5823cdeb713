"""The report of the study: intervals and paired differences by hand, tables and figures from files alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from benchmarks.study_report import Estimate, Runs, report

#: k-NN accuracy by method and seed; the other read-outs are a hundredth and two hundredths higher.
SCORES = {
    "skeletonclr": [0.50, 0.60, 0.55],
    "naive-mask": [0.45, 0.50, 0.56],
    "hiclr-2": [0.60, 0.62, 0.61],
    "hiclr-mask": [0.70, 0.66, 0.71],
}


def runs_in(folder: Path, seeds: int = 3) -> Path:
    for preparation in ("frame", "clip"):
        (folder / preparation).mkdir(parents=True)
        for protocol, parts in (("xview", ("test", "test_clean")), ("xsub", ("test",))):
            for variant, values in SCORES.items():
                for seed, value in enumerate(values[:seeds]):
                    score = {"knn": value, "linear": value + 0.01, "ridge": value + 0.02}
                    run = {"scores": dict.fromkeys(parts, score)}
                    (folder / preparation / f"{protocol}-{variant}-{seed}.json").write_text(json.dumps(run))
    return folder


def page_in(folder: Path) -> Path:
    marks = ("xview", "xsub", "differences xview", "differences xsub", "preparation xview")
    lines = [f"<!-- {m}: made by benchmarks/study_report.py -->\nold\n<!-- end {m} -->" for m in marks]
    page = folder / "results.md"
    page.write_text("# Results\n\n" + "\n\n".join(lines) + "\n\nthe end\n", encoding="utf-8")
    return page


def test_an_interval_is_students() -> None:
    found = Estimate.of([50.0, 60.0, 55.0])
    assert found.mean == 55
    assert found.half == pytest.approx(4.3026527 * 5 / math.sqrt(3))  # t of two degrees of freedom at 97.5 %
    assert str(found) == "55.0 ± 12.4"
    assert str(Estimate.of([50.0])) == "50.0"


def test_differences_are_taken_seed_by_seed(tmp_path: Path) -> None:
    found = Runs(runs_in(tmp_path)).difference("naive-mask", "skeletonclr", "xsub", "test", "knn")
    assert found is not None
    assert found.values == pytest.approx((-5.0, -10.0, 1.0))
    assert found.as_difference() == "-4.7 ± 13.7 (2 of 3)"
    other = Runs(tmp_path).difference("naive-mask", "skeletonclr", "xsub", "test", "knn", "none")
    assert other is None, "there are no such runs"


def test_the_page_and_its_figures_come_from_the_files(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    report(runs_in(tmp_path / "study"), page, tmp_path / "images")
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "| SkeletonCLR: basic view alone | 55.0 ± 12.4 | 56.0 ± 12.4 | 57.0 ± 12.4 | 3 |" in text
    assert "| naive − SkeletonCLR | -4.7 ± 13.7 (2 of 3) |" in text
    assert "| SkeletonCLR | per clip | 55.0 ± 12.4 |" in text
    assert text.endswith("the end\n")
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == ["claim.png", "preparation.png", "stages.png"]


def test_one_seed_gives_no_interval_and_no_difference(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    report(runs_in(tmp_path / "study", seeds=1), page, tmp_path / "images")
    text = page.read_text(encoding="utf-8")
    assert "| SkeletonCLR: basic view alone | 50.0 | 51.0 | 52.0 | 1 |" in text
    assert "a difference needs two seeds" in text
    assert not (tmp_path / "images" / "stages.png").exists()
