"""The preparation of NTU RGB+D as the reference makes it, derived anew in float64, on the real recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skelaug import SkeletonBatch, skeletons
from skelaug.transforms import Align, Center, CropResize, Normalize
from skelaug_contrib.config import DataConfig, EncoderConfig, PretrainConfig
from skelaug_contrib.datasets import preparation

NTU = skeletons["ntu25"]


def recording(path: Path) -> Any:
    """A recording as float64 ``(C, T, V, M)``, its bodies in the order of the file; two slots, as the reference has."""
    numbers = iter(path.read_text().split())
    frames = int(next(numbers))
    x = np.zeros((3, frames, 25, 2))
    for t in range(frames):
        for m in range(int(next(numbers))):
            for _ in range(10):
                next(numbers)
            for v in range(int(next(numbers))):
                joint = [float(next(numbers)) for _ in range(12)]
                x[:, t, v, m] = joint[:3]
    return x


def reference(x: Any, frames: int, *, released: bool) -> Any:
    """Centre joint 20 in every frame, resize as images are, turn about y; ``(3, frames, 25, 2)``."""
    x = x - x[:, :, 20:21]
    count = x.shape[1]
    # Pixel i of L lies, by its middle, at (i + 1/2)·n/L of a line of n pixels whose own middles are at k + 1/2.
    middle = (np.arange(frames) + 0.5) * count / frames
    along = np.arange(count) + 0.5
    y = np.stack([np.interp(middle, along, row) for row in x.transpose(0, 2, 3, 1).reshape(-1, count)])
    y = y.reshape(3, 25, 2, frames).transpose(0, 3, 1, 2)
    for m in range(2):
        way = y[:, :, 8, m] - y[:, :, 4, m]
        flat = np.hypot(way[0], way[2])
        if released:
            # The angle from its cosine, which a guard against division by 0 makes too small; one sense for the clip.
            angle = np.arccos(way[0] / (flat + 1e-4)) * (-1 if way[2].sum() >= 0 else 1)
        else:
            angle = -np.arctan2(way[2], way[0])
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        y[0, ..., m], y[2, ..., m] = c * y[0, ..., m] - s * y[2, ..., m], s * y[0, ..., m] + c * y[2, ..., m]
    return y


@pytest.mark.parametrize("name", ["S001C001P001R001A001", "S001C003P008R002A058"])
@pytest.mark.parametrize("released", [True, False])
@pytest.mark.parametrize("frames", [50, 300])
def test_the_chain_of_the_reference(name: str, released: bool, frames: int, recordings: Path) -> None:
    x = recording(recordings / "ntu_raw" / f"{name}.skeleton")
    batch = SkeletonBatch(torch.from_numpy(x[None]).float())
    batch = SkeletonBatch.cat([batch, SkeletonBatch(torch.zeros(1, 3, 300, 25, 2))])[:1]  # padded, as on disk
    if released:
        ours = preparation(NTU, frames, "frame", align="released")(batch).x[0].numpy()
    else:
        steps = (Center(NTU), CropResize((1, 1), frames, align_corners=False), Align(NTU))
        for step in steps:
            batch = step(batch)
        ours = batch.x[0].numpy()
    wanted = reference(x, frames, released=released)
    assert np.abs(wanted).max() > 0.5 and (x[..., 1] != 0).any() == ("A058" in name)
    np.testing.assert_allclose(ours, wanted, atol=1e-4)


def test_the_released_turn_is_not_quite_parallel(recordings: Path) -> None:
    """Why there are two: what the reference calls parallel is off by more than any rounding."""
    x = torch.from_numpy(recording(recordings / "ntu_raw" / "S001C001P001R001A001.skeleton")[None]).float()

    def depth(align: str) -> float:
        y = preparation(NTU, 50, "frame", align=align)(x)[..., 0]
        return float((y[:, 2, :, 8] - y[:, 2, :, 4]).abs().max())

    assert depth("frame") < 1e-6 < 1e-4 < depth("released")


def test_members_and_their_order() -> None:
    def members(**options: Any) -> list[str]:
        return [type(member).__name__ for member in preparation(NTU, 50, **options)]

    assert members() == ["Center", "CropResize"]
    assert members(align="clip", size=1.0, stream="bone") == ["Center", "CropResize", "Align", "Normalize", "Bone"]
    chosen = {align: preparation(NTU, 50, align=align)[2] for align in ("frame", "clip", "spine", "released")}
    assert [repr(step) for step in chosen.values()] == [
        "Align(skeletons['ntu25'])",
        "Align(skeletons['ntu25'], per='clip')",
        "Align(skeletons['ntu25'], by='spine', per='clip')",
        "Align(skeletons['ntu25'], released=True)",
    ]
    scaled = preparation(NTU, None, "none", size=2.0)
    assert [repr(step) for step in scaled] == [repr(Normalize(2.0))]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"align": "none"}, "align must be one of"), ({"size": 0}, r"Normalize\(size=0\)")],
)
def test_bad_choices_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preparation(NTU, 50, **options)


def test_an_encoder_tells_how_its_data_were_prepared(tmp_path: Path) -> None:
    from skelaug_contrib.checkpoint import export_encoder, load_encoder

    config = PretrainConfig(DataConfig("data", align="spine", size=1.5), EncoderConfig(widths=(8,), strides=(1,)))
    export_encoder(tmp_path / "encoder.safetensors", config.encoder.build(NTU), config, NTU)
    spec = load_encoder(tmp_path)[1]
    assert (spec.align, spec.size) == ("spine", 1.5)
    with pytest.raises(ValueError, match="align must be one of"):
        DataConfig("data", align="shoulders")  # type: ignore[arg-type]
