"""Labels that lie beside the skeletons in a batch of any make: moved with them, in the form in which they came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, keys, make_batch, make_x
from torch import Tensor, nn
from torch.utils.data import DataLoader

import skelaug
from skelaug import Augment, AugmentBatch, Collate, Compose, GrowingPolicy, SkeletonBatch, to_layout
from skelaug import transforms as T

SWAP = {0: 1, 1: 0}
MIRROR = T.Mirror(SKELETON, label_map=SWAP, p=0.5)
X, CLASS = make_x(8), torch.arange(8) % 3
FRAMES = torch.arange(8 * 12).view(8, 12)
IDS = torch.arange(8)


def drawn(policy: Any, label: Tensor, axis: Any = None, epoch: int = 0) -> SkeletonBatch:
    """What the policy makes of the clips and their labels with the keys of an epoch."""
    return policy(SkeletonBatch(X, label=label, label_axis=axis), keys=skelaug.random.keys(0, epoch, IDS))  # type: ignore[no-any-return]


def keyed(policy: Any, **options: Any) -> AugmentBatch:
    augment = AugmentBatch(policy, ids="id", label="label", **options)
    augment.set_epoch(0)
    return augment


def batch(label: Any, x: Any = X) -> dict[str, Any]:
    return {"x": x, "label": label, "id": IDS}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_feeder_is_mirrored_with_its_label(workers: int) -> None:
    feeder = [(X[i].numpy(), int(CLASS[i]), i) for i in range(8)]
    collate = Collate(MIRROR, label=1, ids=2)
    loader = DataLoader(feeder, batch_size=8, collate_fn=collate, num_workers=workers)
    for epoch in (0, 1):
        collate.set_epoch(epoch)
        data, label, index = next(iter(loader))
        expected = drawn(MIRROR, CLASS, epoch=epoch)
        assert torch.equal(data, expected.x) and torch.equal(label, expected.label) and torch.equal(index, IDS)
        assert not torch.equal(label, CLASS)
    plain = Collate(T.Shear(0.5))(feeder)
    assert torch.equal(plain[1], CLASS), "without label= it passes untouched"


SOFT = torch.rand(8, 5)
FORMS = {
    "index": (CLASS, None),
    "int32": (CLASS.int(), None),
    "soft": (SOFT, None),
    "one-hot": (torch.nn.functional.one_hot(CLASS, 4), "class"),
    "frame": (FRAMES % 3, None),
    "several": (FRAMES[:, :2] % 3, "sample"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", ["tensor", "array", "list"])
def test_labels_of_every_kind_come_back_as_they_came(form: str, make: str) -> None:
    label, axis = FORMS[form]
    policy = Compose([T.TemporalCrop(2), MIRROR])
    given = label if make == "tensor" else label.numpy() if make == "array" else label.tolist()
    wanted = drawn(policy, label if make != "list" else torch.as_tensor(given), axis).label
    out = keyed(policy, label_axis=axis)(batch(given))["label"]
    assert type(out) is type(given) and not torch.equal(wanted.double(), label.double())
    if make == "list":
        assert out == wanted.tolist()
    else:
        assert out.dtype == given.dtype and torch.equal(torch.as_tensor(out), wanted)
    same = given if make == "list" else torch.as_tensor(given).tolist()
    assert same == label.tolist(), "the batch that came in was changed"


def test_one_sample_without_an_axis_of_samples() -> None:
    policy = T.Mirror(SKELETON, label_map=SWAP, p=1.0)
    augment = AugmentBatch(policy, layout="TVMC", label=1, key=0)
    clip = to_layout(X[:1], "NCTVM", "TVMC")
    for label, wanted in ((0, 1), (np.int64(1), 0), (torch.tensor(0), 1)):
        found = augment((clip, label))[1]
        assert found == wanted and type(found) is type(label)
    frames = AugmentBatch(T.Reverse(p=1.0), layout="TVMC", label=1, key=0)((clip, torch.arange(12)))[1]
    assert frames.tolist() == list(range(11, -1, -1))


def test_every_view_has_its_labels() -> None:
    policy = GrowingPolicy(weak=[MIRROR], strong=[T.TemporalCrop(2)])
    augment = keyed(policy)
    out = augment(batch(CLASS))
    expected = policy.views(SkeletonBatch(X, label=CLASS), keys=skelaug.random.keys(0, 0, IDS))
    assert isinstance(out["label"], list) and len(out["label"]) == len(out["x"]) == 2
    for x, label, view in zip(out["x"], out["label"], expected, strict=True):
        assert torch.equal(x, view.x) and torch.equal(label, view.label)
    assert not torch.equal(*out["label"])


def test_labels_beside_masks_and_lengths() -> None:
    policy = Compose([T.CropResize((0.5, 1), length=9), MIRROR])
    lengths = torch.tensor([12, 5, 7, 12, 3, 12, 9, 1])
    made = SkeletonBatch.from_lengths(X, lengths, FRAMES)
    expected = policy(made, keys=skelaug.random.keys(0, 0, IDS))
    for more, option in (({"n": lengths}, {"length": "n"}), ({"m": made.mask}, {"mask": "m", "layout": "NCTVM"})):
        out = keyed(policy, key="x", **option)(batch(made.label) | more)
        assert torch.equal(out["x"], expected.x) and torch.equal(out["label"], expected.label)
    assert out["label"].shape == (8, 9)
    reverse = keyed(T.DropFrame(0.5, "remove"), length="n")(batch(FRAMES) | {"n": lengths})
    ends = (reverse["label"] != -100).sum(1)
    assert torch.equal(ends, reverse["n"]), "labels end where the clip ends"


def test_a_skeleton_batch_and_its_label_beside_it() -> None:
    clips = make_batch().replace(label=None)
    expected = MIRROR(clips.replace(label=torch.arange(5)), keys=keys(5))
    augment = AugmentBatch(MIRROR, label=1, ids=2)
    augment.set_epoch(0)
    skeletons, label, _ = augment((clips, torch.arange(5), torch.arange(5)))
    assert torch.equal(skeletons.x, expected.x) and torch.equal(label, expected.label) and skeletons.label is None
    with pytest.raises(ValueError, match=r"AugmentBatch\(label=1\): the SkeletonBatch has a label of its own"):
        augment((make_batch(), torch.arange(5), torch.arange(5)))
    samples = [(SkeletonBatch(make_x(1, t=t)), t % 2) for t in (4, 12)]
    padded, label = Collate(T.Mirror(SKELETON, label_map=SWAP, p=1.0), label=1)(samples)
    assert padded.x.shape[2] == 12 and label.tolist() == [1, 1]


def test_a_policy_of_the_graph() -> None:
    policy = Compose([T.DropEdges(0.2, SKELETON), T.Reverse(p=1.0)])
    out = keyed(policy)(batch(FRAMES))
    assert isinstance(out["x"], SkeletonBatch) and out["x"].label is None
    assert torch.equal(out["label"], FRAMES.flip(1))


def test_at_the_model() -> None:
    class Model(nn.Module):
        def forward(self, clips: dict[str, Any]) -> Any:
            return clips["label"]

    model = Augment(Model(), T.Mirror(SKELETON, label_map=SWAP, p=1.0), label="label")
    assert model.train()(batch(CLASS)).tolist() == [{0: 1, 1: 0}.get(c, c) for c in CLASS.tolist()]
    assert torch.equal(model.eval()(batch(CLASS)), CLASS)


def test_the_repr_says_where_they_are() -> None:
    assert "label='label', label_axis='class'" in repr(AugmentBatch(MIRROR, label="label", label_axis="class"))


@pytest.mark.parametrize(
    ("options", "label", "match"),
    [
        ({"label": "y"}, CLASS, "the batch has no entry 'y'"),
        ({"label": "label"}, ["a"] * 8, r"AugmentBatch\(label='label'\): that entry must be .* of numbers, got list"),
        ({"label": "label"}, CLASS[:5], r"label must have N=8 entries first"),
        ({"label": "label"}, torch.ones(8, 4).long(), r"say label_axis='sample'.*'class'.*'frame'"),
        ({}, CLASS, r"Mirror\(label_map=…\) changes labels, but x has none: .* or say label= to the adapter"),
    ],
)
def test_what_does_not_fit_is_named(options: dict[str, Any], label: Any, match: str) -> None:
    with pytest.raises((ValueError, TypeError), match=match):
        AugmentBatch(MIRROR, **options)(batch(label))


def test_an_axis_needs_a_label() -> None:
    with pytest.raises(ValueError, match=r"AugmentBatch\(label_axis='frame'\): say where the labels are, too"):
        AugmentBatch(MIRROR, label_axis="frame")
    with pytest.raises(ValueError, match=r"label_axis must be one of None, 'sample', 'class', 'frame'"):
        AugmentBatch(MIRROR, label=1, label_axis="time")  # type: ignore[arg-type]
