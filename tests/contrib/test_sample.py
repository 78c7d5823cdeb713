"""The data set that ships: every command can be tried on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluated import Run

from skelaug_contrib.datasets.sample import sample_set


def test_it_has_what_public_sets_have(tmp_path: Path) -> None:
    dataset = sample_set(tmp_path / "a", subjects=3)
    assert dataset.x.shape == (135, 3, 48, 15, 1) and len(dataset.class_names) == 15
    assert dataset.subject is not None and dataset.view is not None
    for subject in (1, 2, 3):
        for view in (1, 2, 3):
            chosen = (dataset.subject == subject) & (dataset.view == view)
            assert sorted(dataset.label[chosen]) == list(range(15))
    assert set(dataset.subject[dataset.splits["xsub"]["train"]]) == {1, 3}
    assert set(dataset.view[dataset.splits["xview"]["test"]]) == {3}

    # Cameras see one take alike but for the turn and the noise; subjects and takes differ.
    x = np.asarray(dataset.x[..., 0]).transpose(0, 2, 3, 1)
    bones = np.linalg.norm(x - x[:, :, :1], axis=-1).mean((1, 2))
    assert np.allclose(bones[:45], bones[45:90], rtol=0.05)
    assert np.unique(bones.round(6)).size == 135


def test_the_seed_decides(tmp_path: Path) -> None:
    same, again, other = (sample_set(tmp_path / str(i), 2, seed) for i, seed in enumerate((0, 0, 1)))
    assert np.array_equal(same.x, again.x) and not np.array_equal(same.x, other.x)


def test_the_command(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "sample"
    code, printed, _ = run("sample", out, "--subjects", 2)
    assert code == 0 and "90 clips, 3 coordinates, 48 frames, 15 joints" in printed
    assert f"next: skelaug inspect {out}; skelaug pretrain {out} RUN --config small.yaml" in printed
    assert run("inspect", out)[0] == 0
    assert run("knn", out, "--on", "coordinates", "--protocol", "xsub")[0] == 0
    code, _, error = run("sample", out)
    assert code == 1 and "exists" in error
    code, _, error = run("sample", tmp_path / "one", "--subjects", 1)
    assert code == 1 and "subjects must be" in error and not (tmp_path / "one").exists()


@pytest.mark.parametrize("subjects", [0, 1, 2.5, "3"])
def test_wrong_numbers_are_explained(subjects: object, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError), match=r"sample_set.*subjects"):
        sample_set(tmp_path / "a", subjects)  # type: ignore[arg-type]
