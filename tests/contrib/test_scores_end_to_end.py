"""(x, y, score) from the command line to features: views, a prepared set, what trains and evaluates on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import tiny

import skelaug
from skelaug import check, skeletons
from skelaug.arrays import ArrayError
from skelaug.cli import main
from skelaug_contrib.checkpoint import load_encoder
from skelaug_contrib.datasets import PreparedDataset, from_npz, inspect, placement, write
from skelaug_contrib.datasets.preprocess import preparation
from skelaug_contrib.train import build_model, pretrain

COCO = skeletons["coco17"]


def clips() -> np.ndarray:
    """``(12, 3, 20, 17, 1)``: x, y, score."""
    g = torch.Generator().manual_seed(0)
    x = skelaug.synthetic_motion(COCO, 12, 20, 1, dims=2, generator=g).x
    score = torch.rand(12, 1, 20, 17, 1, generator=g).clamp(min=0.1) * (x != 0).any(1, keepdim=True)
    return torch.cat([x, score], 1).numpy()


def save(path: Path, x: np.ndarray) -> Path:
    np.savez(path, x=x, label=np.arange(12) % 2, subject=np.arange(12) % 3)
    return path


@pytest.fixture(autouse=True)
def _unwarned() -> Iterator[None]:
    check.warn_of_scores.cache_clear()
    yield
    check.warn_of_scores.cache_clear()


def test_views_move_scores_and_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = clips()
    np.save(tmp_path / "x.npy", x)
    halved = x.copy()
    halved[:, 2] /= 2
    np.save(tmp_path / "half.npy", halved)
    for name in ("x", "half"):
        arguments = ["views", f"{tmp_path / name}.npy", "--skeleton", "coco17", "--coords", "2", "--center"]
        assert main([*arguments, "--stream", "bone", "--out", str(tmp_path / name)]) == 0
    assert "12 sequences, 2 coordinates and 1 other channels" in capsys.readouterr().out
    files = sorted(path.name for path in (tmp_path / "x").glob("?_*.npy") if "mask" not in path.name)
    assert len(files) == 3
    for file in files:
        view, half = np.load(tmp_path / "x" / file), np.load(tmp_path / "half" / file)
        assert np.array_equal(view[:, :2], half[:, :2]) and np.array_equal(view[:, 2], 2 * half[:, 2])
        assert view[:, 2].min() >= 0 and view[:, 2].max() <= 1
    with pytest.warns(UserWarning, match="'coco17' is one of images"):
        main(["views", f"{tmp_path / 'x'}.npy", "--skeleton", "coco17", "--out", str(tmp_path / "out")])
    for wrong in ("x", "0", "1,1", "2,"):
        with pytest.raises(SystemExit):
            main(["views", "x.npy", "--skeleton", "coco17", "--out", "out", "--coords", wrong])
        assert "must be a number of leading channels" in capsys.readouterr().err


def test_a_prepared_set_remembers_its_coordinates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = save(tmp_path / "x.npz", clips()), tmp_path / "out"
    assert main(["prepare", "npz", str(file), str(out), "--skeleton", "coco17", "--coords", "2"]) == 0
    assert "2 coordinates and 1 other channels" in capsys.readouterr().out
    data = PreparedDataset.open(out)
    assert data.coords == (0, 1) and np.array_equal(data.x[:, 2], clips()[:, 2])
    plain = from_npz(save(tmp_path / "xy.npz", clips()[:, :2]), tmp_path / "xy", COCO)
    assert plain.coords is None and np.array_equal(plain.clip(3), data.body(3))
    assert inspect(plain).facts == inspect(data).facts, "what is found out is found in the coordinates"
    ours, theirs = placement(data), placement(plain)
    assert ours is not None and theirs is not None and (ours.distance, ours.size) == (theirs.distance, theirs.size)
    with pytest.warns(UserWarning, match="'coco17' is one of images"):
        from_npz(file, tmp_path / "all", COCO)
    with pytest.raises(ArrayError, match=r"has 3 channels, coords=\(0, 1, 2, 3\) need more"):
        from_npz(file, tmp_path / "four", COCO, coords=4)
    about = {"length": [20], "label": [0], "names": ["a"], "class_names": ["b"], "skeleton": COCO}
    with pytest.raises(ArrayError, match=r"coords=\(0, 5\), but x has only 3 channels"):
        write(tmp_path / "wrong", x=clips()[:1], coords=(0, 5), **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", ["joint", "bone_motion"])
def test_training_and_evaluation_listen(tmp_path: Path, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = from_npz(save(tmp_path / "x.npz", clips()), tmp_path / "data", COCO, coords=2)
    config = tiny(tmp_path / "data", data__protocol="xsub", data__stream=stream, batch=4, max_steps=2)
    policy = build_model(config.resolved(COCO), COCO, 3, data.coords).policy
    assert repr(policy).count("coords=(0, 1)") >= 5
    pretrain(config, tmp_path / "run")
    encoder, spec = load_encoder(tmp_path / "run")
    assert spec.coords == (0, 1) and spec.channels == 3
    batch = skelaug.SkeletonBatch(torch.from_numpy(np.array(data.x)))
    halved = batch.replace(x=batch.x * torch.tensor([1, 1, 0.5]).view(3, 1, 1, 1))
    placed = (spec.frames, spec.center, spec.stream, spec.align, spec.size, spec.coords)
    prepare = preparation(COCO, *placed)
    one, other = prepare(batch), prepare(halved)
    assert torch.equal(one.x[:, :2], other.x[:, :2]) and torch.equal(one.x[:, 2], 2 * other.x[:, 2])
    assert encoder(one).isfinite().all()
    assert main(["knn", str(tmp_path / "run"), str(tmp_path / "data"), "--protocol", "xsub"]) == 0
    with pytest.warns(UserWarning, match="is one of images"):
        from_npz(tmp_path / "x.npz", tmp_path / "all", COCO)
    capsys.readouterr()
    assert main(["knn", str(tmp_path / "run"), str(tmp_path / "all"), "--protocol", "xsub"]) == 1
    assert "trained with coords=(0, 1), the clips of" in capsys.readouterr().err
