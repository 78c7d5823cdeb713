"""What is evaluated in the tests of the evaluation commands: a small data set and untrained encoders of runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import skelaug
from skelaug_contrib import encoders
from skelaug_contrib.checkpoint import export_encoder
from skelaug_contrib.config import DataConfig, EncoderConfig, PretrainConfig
from skelaug_contrib.datasets import PreparedDataset, split, write
from skelaug_contrib.pretrained import Pretrained, describe

SKELETON = skelaug.skeletons["kinect20"]
N, FRAMES = 72, 10
Run = Callable[..., tuple[int, str, str]]


@dataclass
class World:
    """A prepared data set and a run a stream."""

    data: Path
    runs: dict[str, Path]

    def __getitem__(self, stream: str) -> Path:
        return self.runs[stream]


def prepared(folder: Path, *, clean: bool = True, seed: int = 1, flip: bool = False) -> Path:
    """Three classes by how high the right hand is; ``flip`` gives all test clips wrong labels."""
    label, subject, view = (torch.arange(N) // d % m for d, m in ((1, 3), (3, 4), (12, 3)))
    x = skelaug.synthetic_motion(SKELETON, N, 14, generator=torch.Generator().manual_seed(seed)).x
    x[:, 1, :, SKELETON.index("hand_right"), 0] += 1.5 * label[:, None]
    test = np.flatnonzero(view == 2)
    parts = {"train": np.flatnonzero(view < 2), "test": test} | ({"test_clean": test[::2]} if clean else {})
    write(
        folder,
        x=x.numpy(),
        length=np.full(N, 14),
        label=torch.where((view == 2) & flip, (label + 1) % 3, label).numpy(),
        subject=subject.numpy(),
        view=view.numpy(),
        names=[f"clip{i}" for i in range(N)],
        class_names=["low", "middle", "high"],
        skeleton=SKELETON,
        splits={
            "xview": parts,
            "xsub": {"train": np.flatnonzero(subject < 3), "test": np.flatnonzero(subject == 3)},
        },
    )
    return folder


def exported(
    folder: Path,
    data: Path,
    stream: str = "joint",
    skeleton: skelaug.Skeleton = SKELETON,
    *,
    protocol: str = "xview",
    held: int = 0,
    step: int = 10,
    told: bool = True,
) -> Path:
    """A run's folder that holds an untrained encoder, said to be after ``step`` of 10 steps on a protocol.

    Where it is not ``told``, the file says nothing of its pretraining, as those of older versions.
    """
    folder.mkdir(parents=True)
    config = PretrainConfig(
        data=DataConfig(path=str(data), frames=FRAMES, center="clip", stream=stream, align=None),  # type: ignore[arg-type]
        encoder=EncoderConfig(name="stgcn", widths=(8, 16), dropout=0.0),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = encoders.build("stgcn", skeleton, widths=(8, 16), dropout=0.0)
    pretrained = None
    if told:
        dataset = PreparedDataset.open(data)
        train = split(dataset, protocol, validation_subjects=held)["train"]
        pretrained = Pretrained(protocol, held, step, 10, describe(dataset, train))
    export_encoder(folder / "encoder.safetensors", encoder, config, skeleton, pretrained=pretrained)
    return folder


def rows(text: str) -> dict[str, list[str]]:
    """The table's rows by their first word."""
    lines = text.split("─\n")[-1].splitlines()
    return {line.split()[0]: line.split() for line in lines if line and line.split()[0].startswith(("test", "valid"))}


def refused(run: Run, *arguments: object) -> str:
    code, out, err = run(*arguments)
    text = err.strip()
    assert code == 1 and not out and text.startswith(f"skelaug {arguments[0]}: "), (code, out, err)
    assert "\n" not in text and "Traceback" not in text
    return text
