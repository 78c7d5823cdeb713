"""The faults that ``tools/planted_faults.py`` plants still have a place in today's code."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_line_to_break_is_there_once() -> None:
    faults = runpy.run_path(str(ROOT / "tools" / "planted_faults.py"))["FAULTS"]
    counts = {fault.name: (ROOT / fault.file).read_text(encoding="utf-8").count(fault.right) for fault in faults}
    assert len(counts) >= 12 and set(counts.values()) == {1}, counts
