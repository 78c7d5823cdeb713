"""One file for all: every adapter takes docs/integrations/policy.yaml and, from one seed, gives the same to the bit.

mmaction2's preprocessor is in test_mmaction2.py, beside its stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import skelaug
from skelaug import to_layout
from skelaug.compat.datasets import AugmentColumn
from skelaug.compat.pyskl import SkelAug
from skelaug.config import resolve

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "integrations"
FILE = FOLDER / "policy.yaml"
NTU = skelaug.skeletons["ntu25"]


def clips(n: int) -> Tensor:
    """``(N, 3, 40, 25, 2)``, people coming and going."""
    generator = torch.Generator().manual_seed(0)
    return skelaug.synthetic_motion(NTU, n, 40, 2, generator=generator, gaps=True).x


def expected(x: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return resolve(FILE, NTU)(x)  # type: ignore[no-any-return]


def collate(x: Tensor) -> Any:
    return skelaug.Collate(FILE, "ntu25")([(clip.numpy(), 0) for clip in x])[0]


def augment(x: Tensor) -> Any:
    return skelaug.Augment(nn.Identity(), str(FILE), "ntu25")(x)


def column(x: Tensor) -> Any:
    rows = {"pose": [clip.numpy() for clip in x]}
    return AugmentColumn(FILE, NTU, column="pose", layout="CTVM")(rows)["pose"]


def pyskl(x: Tensor) -> Any:
    results = {"keypoint": to_layout(x, "NCTVM", "NMTVC")[0].numpy(), "total_frames": 40}
    return to_layout(torch.from_numpy(SkelAug(str(FILE), "ntu25")(results)["keypoint"])[None], "NMTVC", "NCTVM")


def lightning(x: Tensor) -> Any:
    pytest.importorskip("lightning", reason="needs Lightning: pip install lightning")
    from skelaug.compat.lightning import AugmentCallback

    batch = [x]
    trainer, module = (type("Stub", (), {"current_epoch": 0, "device": "cpu"})() for _ in range(2))
    AugmentCallback(FILE, "ntu25").on_train_batch_start(trainer, module, batch, 0)
    return batch[0]


@pytest.mark.parametrize(
    ("adapter", "n"),
    [(collate, 4), (augment, 4), (column, 4), (lightning, 4), (pyskl, 1)],
    ids=["Collate", "Augment", "AugmentColumn", "AugmentCallback", "SkelAug"],
)
def test_the_same_file_gives_the_same(adapter: Callable[[Tensor], Any], n: int) -> None:
    x = clips(n)
    assert (~x.any(1).any(2)).any(), "somebody is absent"
    for seed in range(3):
        wanted = expected(x, seed)
        torch.manual_seed(seed)
        assert torch.equal(adapter(x.clone()), wanted)
        assert not torch.isclose(wanted, x).all()


@pytest.mark.parametrize("page", ["index", "pytorch", "lightning", "huggingface", "pyskl", "mmaction2"])
def test_every_page_takes_that_file(page: str) -> None:
    assert "](policy.yaml)" in (FOLDER / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("skeleton", [name for name in skelaug.skeletons if skelaug.skeletons[name].pairs])
def test_the_file_takes_any_skeleton(skeleton: str) -> None:
    joints = len(skelaug.skeletons[skeleton])
    results = SkelAug(FILE, skeleton, coords=3)({"keypoint": np.ones((1, 12, joints, 3), "float32")})
    assert results["keypoint"].shape == (1, 12, joints, 3)
