"""CSV: columns by patterns, rows that are frames, and what is said of tables that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contrib.sources import raw

import skelaug
from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import Fault, Recording

BONES = skelaug.Skeleton("two", ("hip", "left_knee"), (0, 0))
CELLS = "1,2,3,4\n5,6,7,8\n"


def read(folder: Path, text: str | bytes, **options: Any) -> tuple[list[Recording], list[Fault]]:
    (folder / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = raw.read(raw.source("csv", folder, joints=BONES, **options))
    return [i for i in found if isinstance(i, Recording)], [i for i in found if isinstance(i, Fault)]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("x0,y0,x1,y1", "x{j},y{j}"),
        ("x1,y1,x2,y2", "x{j1},y{j1}"),
        ("x_00,y_00,x_01,y_01", "x_{j:02},y_{j:02}"),
        ("hip_x,hip_y,left_knee_x,left_knee_y", "{joint}_x, {joint}_y"),
        ("Hip.X,Hip.Y,LeftKnee.X,LeftKnee.Y", "{joint}_x,{joint}_y"),
        (" x0 , y0 ,x1,y1", "x{j},y{j}"),
        ('"x0","y0","x1","y1"', "x{j},y{j}"),
    ],
)
def test_patterns(header: str, columns: str, tmp_path: Path) -> None:
    (clip,), _ = read(tmp_path, f"{header}\n{CELLS}", columns=columns)
    np.testing.assert_array_equal(clip.x[..., 0], [[[1, 3], [5, 7]], [[2, 4], [6, 8]]])


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_programs_write_it_otherwise(separator: str, begin: bytes, end: str, tmp_path: Path) -> None:
    text = f"x0,y0,x1,y1\n{CELLS}\n\n".replace(",", separator).replace("\n", end)
    (clip,), _ = read(tmp_path, begin + text.encode(), columns="x{j},y{j}")
    assert clip.x.shape == (2, 2, 2, 1) and clip.x[1, 1, 1, 0] == 8


def test_frames_by_number_in_any_order_and_empty_cells(tmp_path: Path) -> None:
    text = "Frame,x0,y0,x1,y1\n12,5,6,7,8\n9,1,2,3,4\n11,1,,3,4\n"
    (clip,), _ = read(tmp_path, text, columns="x{j},y{j}")
    np.testing.assert_array_equal(clip.x[0, :, 0, 0], [1, 0, np.nan, 5])
    assert clip.x[0, 2, 1, 0] == 3, "the other joint was observed"
    assert any("1 joints were not observed, in frame 2" in note for note in clip.notes)
    (clip,), _ = read(tmp_path, text.replace("Frame", "t"), columns="x{j},y{j}")
    np.testing.assert_array_equal(clip.x[0, :, 0, 0], [5, 1, np.nan])
    (clip,), _ = read(tmp_path, text.replace("Frame", "t"), columns="x{j},y{j}", frame="t")
    np.testing.assert_array_equal(clip.x[0, :, 0, 0], [1, 0, np.nan, 5])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x0,y0,x1\n1,2,3\n", 1, "has no column 'y1' (say how they are named with --columns); it has 'x0, y0, x1'"),
        ("x0,y0,x1,y1\n1,2,3\n", 2, "has 3 cells, the first line has 4"),
        ("x0,y0,x1,y1\n\n1,2,x,4\n", 3, "'x' is not a number"),
        ("x0,y0,x1,y1\n", None, "has no rows below the names of its columns"),
        ("frame,x0,y0,x1,y1\n1,1,2,3,4\n1,1,2,3,4\n", 3, "has frame '1', expected a whole number that no other row"),
        ("frame,x0,y0,x1,y1\n1.5,1,2,3,4\n", 2, "has frame '1.5'"),
        ("frame,x0,y0,x1,y1\n0,1,2,3,4\n999999,1,2,3,4\n", None, "more than any recording"),
        ("x0,y0,x1,y1\n0,0,0,0\n", None, "nobody in any of its 1 frames"),
        ("X0,x 0,y0,x1,y1\n1,1,1,1,1\n", 1, "has no column 'x0'"),
    ],
)
def test_faults(text: str, line: int | None, said: str, tmp_path: Path) -> None:
    found, (fault,) = read(tmp_path, text, columns="x{j},y{j}")
    assert not found and said in fault.reason and fault.line == line


@pytest.mark.parametrize(
    ("columns", "said"),
    [("x,y", "the same column"), ("x{k}", "cannot be understood"), ("x{j", "cannot be"), ("x{j.a}", "cannot be")],
)
def test_patterns_that_cannot_be_used(columns: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ArrayError, match=said):
        raw.source("csv", tmp_path, joints=BONES, columns=columns)
    with pytest.raises(ArrayError, match="has 9 patterns"):
        raw.source("csv", tmp_path, joints=BONES, columns=",".join(f"{letter}{{j}}" for letter in "abcdefghi"))


def test_one_file_is_enough(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"x0,y0,x1,y1\n{CELLS}")
    opened = raw.source("csv", tmp_path / "a.csv", joints=BONES, columns="x{j},y{j}")
    (clip,) = raw.read(opened)
    assert isinstance(clip, Recording) and clip.name == "a" and opened.class_names == (tmp_path.name,)
