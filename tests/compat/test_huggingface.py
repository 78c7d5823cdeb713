"""Hugging Face datasets: a column comes back augmented, the others as they were; with the package if it is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, V, make_x
from torch.utils.data import DataLoader

from skelaug import Collate, SkeletonBatch, policies, to_layout
from skelaug import transforms as T
from skelaug.compat.datasets import AugmentColumn

LENGTHS = (12, 7, 9, 12)


def clips(layout: str = "TVC") -> list[Any]:
    """One person, of one length."""
    x = to_layout(make_x(4, m=1), "NCTVM", f"N{layout}", contiguous=True)
    return list(x)


def rows(kind: str, ragged: bool = False) -> dict[str, list[Any]]:
    found = [clip[:t] for clip, t in zip(clips(), LENGTHS, strict=True)] if ragged else clips()
    as_kind = {"lists": lambda c: c.tolist(), "arrays": lambda c: c.numpy(), "tensors": lambda c: c}[kind]
    return {"keypoint": [as_kind(c) for c in found], "label": [3, 1, 4, 1]}


def after(seed: int, what: Any, *given: Any) -> Any:
    torch.manual_seed(seed)
    return what(*given)


@pytest.mark.parametrize("kind", ["lists", "arrays", "tensors"])
def test_one_length(kind: str) -> None:
    given = rows(kind)
    new = after(0, AugmentColumn(T.Shear(0.5), layout="TVC"), given)
    assert list(new) == ["keypoint", "label"] and new["label"] is given["label"]
    expected = after(0, T.Shear(0.5), make_x(4, m=1))
    assert new["keypoint"].dtype == torch.float32 and new["keypoint"].is_contiguous()
    torch.testing.assert_close(new["keypoint"], to_layout(expected, "NCTVM", "NTVC"), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["lists", "arrays"])
def test_several_lengths(kind: str) -> None:
    policy = T.TemporalCrop(3)
    new = after(0, AugmentColumn(policy, layout="NTVC"), rows(kind, ragged=True))["keypoint"]
    assert [clip.shape for clip in new] == [(t, V, 3) for t in LENGTHS]
    padded = SkeletonBatch.from_list([c[:t].permute(2, 0, 1)[..., None] for c, t in zip(clips(), LENGTHS, strict=True)])
    expected = after(0, policy, padded)
    for clip, view, t in zip(new, expected.x, LENGTHS, strict=True):
        assert clip.equal(view[..., 0].permute(1, 2, 0)[:t])
    sampled = AugmentColumn("ctrgcn", SKELETON, layout="TVC")(rows(kind, ragged=True))["keypoint"]
    assert [clip.shape for clip in sampled] == [(64, V, 3)] * 4


@pytest.mark.parametrize("ragged", [False, True])
def test_views_stand_in_each_row(ragged: bool) -> None:
    new = AugmentColumn(policies.hiclr(SKELETON), layout="TVC")(rows("arrays", ragged))["keypoint"]
    assert len(new) == 4
    for row, t in zip(new, LENGTHS if ragged else [12] * 4, strict=True):
        assert isinstance(row, list) and [view.shape for view in row] == [(t, V, 3)] * 3


def test_other_layouts_and_nothing() -> None:
    flat = {"x": [c.reshape(12, V * 3).tolist() for c in clips()]}
    new = after(0, AugmentColumn(T.Shear(0.5), column="x", layout="T (V C)", sizes={"C": 3}), flat)["x"]
    expected = after(0, T.Shear(0.5), make_x(4, m=1))
    torch.testing.assert_close(new, to_layout(expected, "NCTVM", "N T (V C)"), rtol=0, atol=0)
    assert AugmentColumn(T.Shear(0.5))({"keypoint": [], "label": []}) == {"keypoint": [], "label": []}
    with pytest.raises(ValueError, match="no such column; there are keypoint, label"):
        AugmentColumn(T.Shear(0.5), column="pose")(rows("lists"))
    with pytest.raises(TypeError, match="acts on the graph"):
        AugmentColumn(policies.hiclr(SKELETON, "edges"))
    with pytest.raises(ValueError, match=r"AugmentColumn\(policy\): .* learnable parameter .*skelaug.Augment"):
        AugmentColumn(policies.hiclr(SKELETON, fill="token"))


@pytest.mark.parametrize("ragged", [False, True])
def test_a_real_data_set(ragged: bool) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets: pip install datasets")
    features = datasets.Features(
        {"keypoint": datasets.Array3D((None, V, 3), "float32"), "label": datasets.Value("int64")}
    )
    data = datasets.Dataset.from_dict(rows("arrays", ragged), features=features)
    seen = data.with_transform(AugmentColumn(T.Shear(0.5), layout="TVC"))
    row = after(0, lambda: seen[1])
    whole = clips()[1][: LENGTHS[1] if ragged else 12]
    expected = after(0, T.Shear(0.5), whole.permute(2, 0, 1)[None, ..., None])[0, ..., 0].permute(1, 2, 0)
    assert set(row) == {"keypoint", "label"} and row["label"] == 1
    torch.testing.assert_close(row["keypoint"], expected, rtol=0, atol=1e-7)
    assert not seen[1]["keypoint"].equal(row["keypoint"]), "each reading draws anew"
    assert len(seen[:3]["keypoint"]) == 3
    if ragged:
        return
    loader = DataLoader(data.with_transform(AugmentColumn(policies.hiclr(SKELETON), layout="TVC")), batch_size=2)
    for batch in loader:
        assert [view.shape for view in batch["keypoint"]] == [(2, 12, V, 3)] * 3 and batch["label"].shape == (2,)
    # The other way: the data set gives tensors, and the loader's collate augments the batch.
    for workers in (0, 2):
        tensors = DataLoader(
            data.with_format("torch"), batch_size=4, num_workers=workers, collate_fn=Collate(T.Shear(0.5), layout="TVC")
        )
        (batch,) = tensors
        assert batch["keypoint"].shape == (4, 12, V, 3) and batch["label"].tolist() == [3, 1, 4, 1]
        assert not torch.isclose(batch["keypoint"], torch.stack(clips())).all()


def test_arrays_that_torch_cannot_share() -> None:
    fixed, backward, foreign, double = (np.array(c) for c in rows("arrays")["keypoint"])
    fixed.flags.writeable = False
    given = [fixed, backward[::-1].copy()[::-1], foreign.astype(foreign.dtype.newbyteorder()), double]
    augment = AugmentColumn(T.Shear(0.5), layout="TVC")
    wanted = after(0, augment, rows("arrays"))["keypoint"]
    assert after(0, augment, {"keypoint": given})["keypoint"].equal(wanted)
    with pytest.raises(TypeError, match=r"column='keypoint'\): clips must be float16, float32 or float64, got int64"):
        augment({"keypoint": [np.ones((12, V, 3), int)]})
