"""Every source reads back what its files were written from, exactly."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from contrib.sources import raw

from skelaug.arrays import ArrayError
from skelaug_contrib.datasets.sources import SOURCES, Fault, Recording

NAMES = list(raw.TREES)


def test_every_source_has_a_tree() -> None:
    assert {name.split(",")[0] for name in raw.TREES} == set(SOURCES)
    assert set(raw.TINY) == set(raw.TREES)


#: Sources with scores, whose trees hold joints that were not found as 0.
SCORED = ("pyskl, scores", "kinetics", "kinetics, with a list", "openpose")


def not_found(x: np.ndarray) -> np.ndarray:
    """NaN where a joint of somebody who is there is 0 in all channels."""
    zero = (x == 0).all(0)
    return np.where(zero & ~zero.all(1, keepdims=True), np.nan, x)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name: str, tmp_path: Path) -> None:
    expected = {clip.name: clip for clip in raw.TREES[name](tmp_path)}
    opened = raw.source(name, tmp_path)
    found = [item for item in raw.read(opened) if isinstance(item, Recording)]
    assert [item.name for item in found] == list(expected)
    for item in found:
        clip = expected[item.name]
        assert item.x.shape == clip.x.shape
        if name == "bvh":
            np.testing.assert_allclose(item.x, clip.x, atol=1e-6)
        else:
            np.testing.assert_array_equal(item.x, not_found(clip.x) if name in SCORED else clip.x)
        about = (item.label, item.subject, item.view, item.episode, dict(item.parts))
        assert about == (clip.label, clip.subject, clip.view, clip.episode, clip.parts)
        assert item.label < len(opened.class_names)


@pytest.mark.parametrize("name", NAMES)
def test_sources_travel_and_repeat_themselves(name: str, tmp_path: Path) -> None:
    raw.TREES[name](tmp_path)
    opened = raw.source(name, tmp_path)
    again = pickle.loads(pickle.dumps(opened))
    assert again == opened and list(again.units()) == list(opened.units())
    for unit in opened.units():
        for a, b in zip(opened.read(unit), again.read(unit), strict=True):
            assert isinstance(a, Fault) == isinstance(b, Fault)
            if isinstance(a, Recording) and isinstance(b, Recording):
                assert a.name == b.name and a.notes == b.notes
                np.testing.assert_array_equal(a.x, b.x)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_is_explained(name: str, tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing here")
    with pytest.raises(ArrayError, match="expected"):
        raw.source(name, tmp_path).units()
    with pytest.raises(ArrayError, match="no such folder"):
        raw.source(name, tmp_path / "nowhere").units()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_unique(name: str, tmp_path: Path) -> None:
    raw.TREES[name](tmp_path)
    names = [item.name for item in raw.read(raw.source(name, tmp_path)) if isinstance(item, Recording)]
    assert len(names) == len(set(names)) > 1


def test_array_units_are_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skelaug_contrib.datasets.sources import arrays

    monkeypatch.setattr(arrays, "_CHUNK", 1)
    for name in ("aimclr", "ctrgcn"):
        folder = tmp_path / name
        folder.mkdir()
        expected = raw.TREES[name](folder)
        opened = raw.source(name, folder)
        assert len(opened.units()) == 3
        assert [item.name for item in raw.read(opened)] == [clip.name for clip in expected]  # type: ignore[union-attr]


def test_importing_the_readers_is_cheap() -> None:
    heavy = "('scipy.spatial', 'matplotlib')"
    code = f"import skelaug_contrib.datasets.sources, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
