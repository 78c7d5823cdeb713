"""SkeletonBatch and presence."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from cases import V, make_batch, make_mask, make_x
from torch.utils import _pytree as pytree
from torch.utils.data import DataLoader

from skelaug import SkeletonBatch
from skelaug.presence import infer_presence

# --- construction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [float("nan"), float("inf"), 99.9, 0.0])
def test_unobserved_entries_are_zeroed_once(padding: float) -> None:
    mask, x = make_mask(), make_x()
    given_ = torch.where(mask[:, None], x, padding)
    before = given_.clone()
    batch = SkeletonBatch(given_, mask)
    there = mask[:, None].expand_as(x)
    assert (batch.x[~there] == 0).all() and torch.equal(batch.x[there], x[there])
    assert given_.equal(before) or padding != padding, "the input was changed"


def test_presence_is_inferred_per_person_and_frame() -> None:
    x = torch.ones(1, 3, 4, 5, 2)
    x[0, :, 1, :, 0] = 0  # person 0 is absent in frame 1
    x[0, :, 2, 3, 1] = 0  # one joint at the origin is no absence
    x[0, :2, 3, :, 1] = 0  # nor is a coordinate
    assert infer_presence(x)[0, :, 0].tolist() == [[True, True], [False, True], [True, True], [True, True]]
    batch = SkeletonBatch(x)
    assert batch.mask.shape == (1, 4, 5, 2) and batch.mask[0, 1].tolist() == [[False, True]] * 5
    assert batch.presence[0, :, 0].tolist() == [True, False, True, True]
    assert infer_presence(torch.full((1, 3, 2, 5, 1), torch.nan)).all(), "NaN is not absence: a mask must say so"


def test_wrong_parts_are_explained() -> None:
    x = make_x()
    with pytest.raises(TypeError, match=r"x must be a torch.Tensor \(N, C, T, V, M\), got list; torch.from_numpy"):
        SkeletonBatch([1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"got 4 dimensions, shape \(3, 12, 8, 2\); skelaug.to_layout"):
        SkeletonBatch(x[0])
    with pytest.raises(TypeError, match=r"floating point, got torch.int64; write x.float\(\)"):
        SkeletonBatch(x.long())
    with pytest.raises(TypeError, match=r"mask must be a bool tensor, got torch.float32; write mask.bool\(\)"):
        SkeletonBatch(x, make_mask().float())
    with pytest.raises(ValueError, match=r"mask must be \(N, T, V, M\) = \(5, 12, 8, 2\).*got \(5, 12, 8, 1\)"):
        SkeletonBatch(x, make_mask()[..., :1])
    with pytest.raises(ValueError, match=r"graph must be \(N, K, V, V\) or \(N, L, K, V, V\) with N=5, V=8"):
        SkeletonBatch(x, graph=torch.ones(5, 3, 7, 7))
    with pytest.raises(ValueError, match="label must have N=5 entries first"):
        SkeletonBatch(x, label=torch.zeros(4))


def test_from_list_and_lengths() -> None:
    clips = [make_x(1, t=t)[0] for t in (3, 7, 1)]
    batch = SkeletonBatch.from_list(clips, label=torch.tensor([4, 5, 6]))
    assert batch.x.shape == (3, 3, 7, V, 2) and batch.label.tolist() == [4, 5, 6]
    for i, clip in enumerate(clips):
        t = clip.shape[1]
        assert torch.equal(batch.x[i, :, :t], clip) and (batch.x[i, :, t:] == 0).all()
        assert batch.mask[i, :t].all() and not batch.mask[i, t:].any()
    lengths = SkeletonBatch.from_lengths(torch.where(batch.x == 0, 7.0, batch.x), torch.tensor([3, 7, 1]))
    assert torch.equal(lengths.x, batch.x) and torch.equal(lengths.mask, batch.mask)
    with pytest.raises(ValueError, match="at least one clip"):
        SkeletonBatch.from_list([])
    with pytest.raises(ValueError, match="one length a sample, 5, got \\(2,\\)"):
        SkeletonBatch.from_lengths(make_x(), torch.tensor([1, 2]))


def test_from_lengths_finds_lost_frames_within() -> None:
    x = make_x(1, t=5, m=1)
    x[:, :, 2] = 0
    assert SkeletonBatch.from_lengths(x, torch.tensor([4])).presence.flatten().tolist() == [
        True,
        True,
        False,
        True,
        False,
    ]


# --- use -------------------------------------------------------------------------------------------------------------


def test_indexing_keeps_a_batch() -> None:
    batch = make_batch()
    assert len(batch) == 5 and len(batch[2]) == 1 and len(batch[-1:]) == 1
    assert torch.equal(batch[2].x[0], batch.x[2]) and batch[-1].label.tolist() == [4]
    assert batch[[3, 0]].label.tolist() == [3, 0] and batch[
        torch.tensor([True, False, True, False, False])
    ].label.tolist() == [0, 2]
    with pytest.raises(IndexError, match="sample 5 of a SkeletonBatch with 5 samples"):
        batch[5]
    assert [one.label.item() for one in batch] == [0, 1, 2, 3, 4]


def test_cat_pads_with_absence() -> None:
    a, b = make_batch(2, t=4), make_batch(3, t=6)
    both = SkeletonBatch.cat([a, b])
    assert both.x.shape[:3] == (5, 3, 6) and not both.mask[:2, 4:].any()
    assert torch.equal(both.x[:2, :, :4], a.x) and torch.equal(both.mask[2:], b.mask)
    assert both.label.tolist() == [0, 1, 0, 1, 2]
    with pytest.raises(ValueError, match="label must be set on all batches or on none"):
        SkeletonBatch.cat([a, SkeletonBatch(b.x)])
    with pytest.raises(ValueError, match=r"all must share \(C, V\)"):
        SkeletonBatch.cat([a, make_batch(2, c=2)])
    with pytest.raises(ValueError, match="at least one batch"):
        SkeletonBatch.cat([])


def test_to_changes_the_type_of_values_alone() -> None:
    batch = SkeletonBatch(make_x(), make_mask(), torch.ones(5, 1, V, V), torch.arange(5))
    half = batch.to(torch.float16)
    assert (half.x.dtype, half.mask.dtype, half.graph.dtype, half.label.dtype) == (
        torch.float16, torch.bool, torch.float16, torch.int64,
    )  # fmt: skip
    assert all(part.device.type == "meta" for part in pytree.tree_leaves(batch.to("meta")))


def test_a_batch_is_a_pytree_and_survives_copies() -> None:
    batch = make_batch()
    doubled = pytree.tree_map(lambda v: v * 2, batch)
    assert isinstance(doubled, SkeletonBatch) and torch.equal(doubled.x, batch.x * 2) and doubled.graph is None
    for twin in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert torch.equal(twin.x, batch.x) and torch.equal(twin.mask, batch.mask)
    assert "x=(5, 3, 12, 8, 2) torch.float32 cpu, mask=(5, 12, 8, 2), label=(5,)" in repr(batch)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_collates_clips_of_unequal_length(workers: int) -> None:
    clips = [SkeletonBatch(make_x(1, t=t, seed=t), label=torch.tensor([t])) for t in (3, 5, 4, 2)]
    loader = DataLoader(clips, batch_size=2, num_workers=workers)  # type: ignore[arg-type]
    first, second = loader
    assert first.x.shape[:3] == (2, 3, 5) and second.x.shape[:3] == (2, 3, 4)
    assert first.label.tolist() == [3, 5] and first.presence[..., 0].sum(1).tolist() == [3, 5]
    nested = next(iter(DataLoader([{"clip": clip, "id": i} for i, clip in enumerate(clips)], batch_size=4)))
    assert nested["clip"].x.shape[0] == 4 and nested["id"].tolist() == [0, 1, 2, 3]
