"""Labels of samples, of classes and of frames: what a batch takes for which, and that they stay with what they label.

The oracle applies one member after another and moves labels by plain lists; it uses nothing of ``skelaug/labels.py``.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterable
from typing import Any, final

import pytest
import torch
from cases import (
    FOREIGN,
    LABELS,
    POLICIES,
    SKELETON,
    TRANSFORMS,
    Case,
    V,
    generator,
    keys,
    labelled,
    make_batch,
    make_mask,
    make_x,
    scored,
)
from ghost import GhostMode
from hypothesis import given
from hypothesis import strategies as st
from promises import THOROUGH, many, same_bits
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import DataLoader

from skelaug import Compose, GrowingPolicy, OneOf, SkeletonBatch, Transform
from skelaug import transforms as T
from skelaug.coordinates import OnCoordinates

N, T_, K = 5, 12, 7
X = make_x()
SOFT, FRAMES = LABELS["class"], LABELS["frame"]
ONE_HOT = torch.nn.functional.one_hot(torch.arange(N), K)

CASES = TRANSFORMS + POLICIES + FOREIGN  # what a plug-in does to frames only its own tests can know
SCORED = [scored(case) for case in CASES]

# --- what a label is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "axis"),
    [
        (torch.arange(N), "sample"),
        (torch.arange(N, dtype=torch.uint8), "sample"),
        (torch.rand(N), "sample"),
        (torch.ones(N, dtype=torch.bool), "sample"),
        (FRAMES, "frame"),
        (FRAMES.to(torch.int16), "frame"),
        (SOFT, "class"),
        (SOFT.double(), "class"),
    ],
)
def test_what_is_clear_is_guessed(label: Tensor, axis: str) -> None:
    batch = SkeletonBatch(X, make_mask(), None, label)
    assert batch.label_axis == axis and batch.label is label
    assert SkeletonBatch(X, None, None, label, axis).label_axis == axis


@pytest.mark.parametrize(
    "label",
    [ONE_HOT, ONE_HOT.bool(), torch.rand(N, T_), torch.ones(N, T_, dtype=torch.bool), torch.rand(N, T_, K)],
    ids=lambda label: f"{label.dtype} {tuple(label.shape)}",
)
def test_what_is_not_clear_is_asked(label: Tensor) -> None:
    with pytest.raises(ValueError, match=r"say label_axis='sample'.*'class' \(N, K\).*'frame' \(N, T\)"):
        SkeletonBatch(X, label=label)
    if label.ndim == 2:
        assert SkeletonBatch(X, label=label, label_axis="class").label_axis == "class"
    assert SkeletonBatch(X, label=label, label_axis="sample").label_axis == "sample"


@pytest.mark.parametrize(
    ("label", "axis", "match"),
    [
        (torch.arange(N), "class", r"labels of classes must be \(N, K\), N=5, got \(5,\)"),
        (torch.rand(N, T_, K), "class", r"labels of classes must be \(N, K\)"),
        (torch.arange(N), "frame", r"labels of frames must be \(N, T\) = \(5, 12\)"),
        (FRAMES[:, :-1], "frame", r"labels of frames must be \(N, T\) = \(5, 12\).*got \(5, 11\)"),
        (FRAMES.to(torch.uint8), "frame", r"-100.*torch.uint8 cannot hold; write label.long\(\)"),
        (FRAMES.to(torch.uint8), None, r"-100.*torch.uint8 cannot hold"),
        (FRAMES.bool(), "frame", r"-100.*torch.bool cannot hold"),
        (FRAMES, "time", "label_axis must be one of None, 'sample', 'class', 'frame'"),
    ],
)
def test_what_does_not_fit_is_refused(label: Tensor, axis: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SkeletonBatch(X, label=label, label_axis=axis)


def test_without_a_label_there_is_no_axis() -> None:
    assert SkeletonBatch(X).label_axis is None and SkeletonBatch(X, label_axis="frame").label_axis is None


def test_replace() -> None:
    batch = SkeletonBatch(X, label=ONE_HOT, label_axis="class")
    assert batch.replace(x=X + 1).label_axis == "class"
    assert batch.replace(label=ONE_HOT.flip(0)).label_axis == "class", "of the same shape, it is of the same kind"
    assert batch.replace(label=FRAMES).label_axis == "frame"
    assert batch.replace(label=None).label_axis is None
    assert batch.replace(label=FRAMES, label_axis="sample").label_axis == "sample"
    assert batch.replace(label_axis="sample").label_axis == "sample"
    frames = SkeletonBatch(X, label=FRAMES)
    with pytest.raises(ValueError, match=r"labels of frames must be \(N, T\) = \(5, 8\).*got \(5, 12\)"):
        frames.replace(x=X[:, :, :8], mask=make_mask(t=8))
    shorter = frames.replace(x=X[:, :, :8], mask=make_mask(t=8), label=FRAMES[:, :8])
    assert shorter.label_axis == "frame" and shorter.label is not None and shorter.label.shape == (N, 8)


@pytest.mark.parametrize("kind", LABELS)
def test_it_is_kept(kind: str) -> None:
    batch = labelled(kind)
    twins = [
        pickle.loads(pickle.dumps(batch)),
        copy.deepcopy(batch),
        batch.to(torch.float64),
        batch[:],
        batch.settled(),
    ]
    twins += [
        pytree.tree_map(lambda v: v, batch),
        SkeletonBatch.cat(list(batch)),
        next(iter(DataLoader(list(batch), 5))),
    ]
    for twin in twins:
        assert (
            twin.label_axis == kind and torch.equal(twin.label, LABELS[kind]) and twin.label.dtype == LABELS[kind].dtype
        )
    assert batch.to("meta").label_axis == kind
    assert batch[[3, 0]].label_axis == kind and same_bits(batch[[3, 0]].label, LABELS[kind][[3, 0]])
    assert kind == "sample" or f"label_axis='{kind}'" in repr(batch)


def test_cat_pads_frames_with_none() -> None:
    parts = [
        make_batch(2, t=4).replace(label=torch.ones(2, 4).long()),
        make_batch(1, t=6).replace(label=torch.ones(1, 6).long()),
    ]
    both = SkeletonBatch.cat(parts)
    assert both.label_axis == "frame" and both.label.tolist() == [[1] * 4 + [-100] * 2] * 2 + [[1] * 6]
    measured = [p.replace(label=p.label.double(), label_axis="frame") for p in parts]
    assert SkeletonBatch.cat(measured).label.tolist() == both.label.tolist()
    with pytest.raises(ValueError, match="label_axis must be the same on all batches, got 'frame', 'sample'"):
        SkeletonBatch.cat([parts[0], make_batch(1)])
    soft = make_batch(1).replace(label=torch.rand(1, 3))
    with pytest.raises(ValueError, match=r"all labels must have one shape after N, got \(3,\), \(4,\)"):
        SkeletonBatch.cat([soft, make_batch(1).replace(label=torch.rand(1, 4))])


def test_clips_of_unequal_length() -> None:
    clips = [make_x(1, t=t)[0] for t in (3, 5)]
    expected = [[0, 1, 2, -100, -100], [0, 1, 2, 3, 4]]
    each = SkeletonBatch.from_list(clips, [torch.arange(3), torch.arange(5)])
    padded = SkeletonBatch.from_list(clips, torch.arange(5).expand(2, -1))
    lengths = SkeletonBatch.from_lengths(make_x(2, t=5), torch.tensor([3, 5]), torch.arange(5).expand(2, -1))
    for batch in (each, padded, lengths):
        assert batch.label_axis == "frame" and batch.label.tolist() == expected
    soft = torch.rand(2, 7)
    for batch in (
        SkeletonBatch.from_list(clips, soft),
        SkeletonBatch.from_lengths(make_x(2, t=5), torch.tensor([3, 5]), soft),
    ):
        assert batch.label_axis == "class" and torch.equal(batch.label, soft)
    hot = SkeletonBatch.from_list(clips, torch.eye(2).long(), "class")
    assert hot.label_axis == "class"
    for wrong in ([torch.arange(3)], [torch.arange(3), torch.arange(4)], [torch.arange(3)] * 2):
        with pytest.raises(ValueError, match=r"label=…\): a list of labels must hold a tensor \(T_i,\) for each clip"):
            SkeletonBatch.from_list(clips, wrong)
    with pytest.raises(ValueError, match=r"torch\.uint8 cannot hold"):
        SkeletonBatch.from_list(clips, [torch.arange(3).byte(), torch.arange(5).byte()])


# --- classes change hands --------------------------------------------------------------------------------------------

SWAP = {1: 2, 2: 1}


def mirrored(label: Tensor, axis: str | None = None, p: float = 1.0, swap: Any = SWAP) -> SkeletonBatch:
    mirror = T.Mirror(SKELETON, label_map=swap, p=p)
    return mirror(SkeletonBatch(X[: len(label)], label=label, label_axis=axis), keys=keys(len(label)))


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.float32, torch.float16]
)
def test_the_mirror_renames_classes(dtype: torch.dtype) -> None:
    out = mirrored(torch.arange(N).to(dtype))
    assert out.label.tolist() == [0, 2, 1, 3, 4] and out.label.dtype == dtype
    truth = mirrored(torch.tensor([True, False]), swap={0: 1, 1: 0}).label
    assert truth.tolist() == [False, True]
    several = mirrored(torch.arange(N)[:, None].repeat(1, 2).to(dtype), "sample").label
    assert several.tolist() == [[0, 0], [2, 2], [1, 1], [3, 3], [4, 4]]


def test_a_class_that_the_type_cannot_hold_is_refused() -> None:
    for label, swap in (
        (torch.zeros(N, dtype=torch.int8), {1: 200, 200: 1}),
        (torch.zeros(N, dtype=torch.float16), {1: 4097, 4097: 1}),
    ):
        with pytest.raises(ValueError, match=r"Mirror\(label_map=…\): class \d+ does not fit into labels of torch"):
            mirrored(label, swap=swap)


@pytest.mark.parametrize(
    "label", [SOFT, SOFT.double(), ONE_HOT, ONE_HOT.bool(), ONE_HOT.to(torch.uint8)], ids=lambda v: str(v.dtype)
)
def test_the_mirror_exchanges_columns(label: Tensor) -> None:
    out = mirrored(label, "class")
    assert out.label_axis == "class" and same_bits(out.label, label[:, [0, 2, 1, 3, 4, 5, 6]])
    ring = mirrored(label, "class", swap={1: 2, 2: 4, 4: 1}).label
    assert same_bits(ring[:, [2, 4, 1]], label[:, [1, 2, 4]]) and same_bits(
        ring[:, [0, 3, 5, 6]], label[:, [0, 3, 5, 6]]
    )


def test_one_hot_and_index_labels_are_mirrored_alike() -> None:
    for p in (0.5, 1.0):
        index = mirrored(torch.arange(N), p=p).label
        assert torch.equal(mirrored(ONE_HOT, "class", p=p).label.argmax(1), index)
        assert torch.equal(mirrored(ONE_HOT.float(), p=p).label.argmax(1), index)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"Mirror\(label_map=…\): class 7 has no column in labels \(N, K\) = \(5, 7\)"):
        mirrored(SOFT, swap={0: 7, 7: 0})


def test_the_mirror_renames_classes_of_frames() -> None:
    label = torch.arange(T_).expand(N, -1) % 4
    label = torch.where(torch.arange(T_) < 9, label, -100)
    out = mirrored(label)
    assert out.label_axis == "frame"
    assert out.label.tolist() == [[0, 2, 1, 3, 0, 2, 1, 3, 0, -100, -100, -100]] * N


@pytest.mark.parametrize("wrong", [{3: 4}, {1: 3, 2: 3}, {1: 2, 2: 3}, {1: 2, 2: 1, 5: 1}])
def test_a_map_that_merges_classes_is_refused(wrong: dict[int, int]) -> None:
    with pytest.raises(ValueError, match=r"Mirror\(label_map=.*merges class.*as in \{3: 4, 4: 3\}"):
        T.Mirror(SKELETON, label_map=wrong)


# --- labels of frames stay with their frames -------------------------------------------------------------------------

Rows = list[list[int]]


def by_hand(transform: Transform, batch: SkeletonBatch, params: Any, rows: Rows) -> tuple[SkeletonBatch, Rows]:
    """What becomes of a batch and of the labels of its frames, member by member, with plain lists."""
    if isinstance(transform, OnCoordinates):
        return transform.replay(batch, params), _read(transform.member, batch, params, rows)
    if not isinstance(transform, Iterable):
        return transform.replay(batch, params), _read(transform, batch, params, rows)
    on = params["apply"].tolist() if "apply" in params else [True] * len(batch)
    members = list(zip(transform, params["members"], strict=True))
    if isinstance(transform, OneOf):
        found = [by_hand(member, batch, drawn, rows)[1] for member, drawn in members]
        chosen = [
            found[c][i] if yes else rows[i]
            for i, (c, yes) in enumerate(zip(params["choice"].tolist(), on, strict=True))
        ]
        return transform.replay(batch, params), chosen
    before, inner = rows, batch
    for member, drawn in members:
        inner, rows = by_hand(member, inner, drawn, rows)
    if all(on):
        return inner, rows
    return transform.replay(batch, params), [
        new if yes else old for new, old, yes in zip(rows, before, on, strict=True)
    ]


def _read(transform: Transform, batch: SkeletonBatch, params: Any, rows: Rows) -> Rows:
    out = []
    for i, row in enumerate(rows):
        if "apply" in params and not params["apply"][i]:
            out.append(row)
        elif "frames" in params:
            out.append([row[t] for t in params["frames"][i].tolist()])
        elif "position" in params:
            out.append([row[math.ceil(p - 0.5)] for p in params["position"][i].tolist()])  # ties to the earlier
        elif isinstance(transform, T.DropFrame):
            out.append(
                _dropped(transform.fill, params["drop"][i].tolist(), batch.mask[i].flatten(1).any(1).tolist(), row)
            )
        else:
            out.append(row)
    return out


def _dropped(fill: str, drop: list[bool], there: list[bool], row: list[int]) -> list[int]:
    if fill == "remove":
        stays = [label for label, gone in zip(row, drop, strict=True) if not gone]
        return stays + [-100] * (len(row) - len(stays))
    if fill != "hold":
        return row
    kept = [t for t in range(len(row)) if there[t] and not drop[t]]
    return [row[max((k for k in kept if k < t), default=min(kept))] if drop[t] else row[t] for t in range(len(row))]


every = pytest.mark.parametrize("case", CASES + SCORED, ids=repr)


@every
def test_frames_take_their_labels_along(case: Case) -> None:
    transform, batch = case.make(), labelled("frame")
    params = transform.sample(batch, keys=keys(N))
    out = transform.replay(batch, params)
    assert out.label.tolist() == by_hand(transform, batch, params, FRAMES.tolist())[1]


@pytest.mark.parametrize("case", [c for c in CASES + SCORED if c.gated], ids=repr)
def test_a_sample_that_is_gated_out_keeps_its_labels(case: Case) -> None:
    batch = labelled("frame")
    assert torch.equal(case.make(p=0.0)(batch).label, FRAMES)
    transform = case.make(p=0.5)
    for seed in range(2):
        out, params = transform(batch, generator=generator(seed), return_params=True)
        assert torch.equal(out.label[~params["apply"]], FRAMES[~params["apply"]])
        assert out.label.tolist() == by_hand(transform, batch, params, FRAMES.tolist())[1]


@every
def test_on_a_device_without_host_sync(case: Case) -> None:
    transform = case.make()
    with GhostMode(allow_non_fake_inputs=True):
        for module in transform.modules():
            for name, value in module._parameters.items():
                module._parameters[name] = torch.nn.Parameter(torch.zeros(value.shape, device="ghost"))
            for name, value in module._buffers.items():
                module._buffers[name] = torch.ones(value.shape, device="ghost")
        label = torch.ones(4, 12, dtype=torch.int64, device="ghost")
        out = transform(SkeletonBatch(torch.randn(4, 3, 12, V, 2, device="ghost"), label=label))
        assert out.label.device.type == "ghost" and out.label.shape == (4, out.x.shape[2])


def test_the_mirror_on_a_device_without_host_sync() -> None:
    with GhostMode(allow_non_fake_inputs=True):
        x = torch.randn(4, 3, 12, V, 2, device="ghost")
        for shape in ((4,), (4, 5), (4, 12)):
            label = torch.ones(shape, device="ghost", dtype=torch.float32 if shape == (4, 5) else torch.int64)
            out = T.Mirror(SKELETON, label_map=SWAP, p=0.5)(SkeletonBatch(x, label=label))
            assert out.label.device.type == "ghost" and out.label.shape == shape


MOVES = [
    "TemporalCrop", "CropResize", "DropFrame-hold", "DropFrame-remove", "Speed", "TimeWarp", "SegmentSample",
    "Compose-linear", "Compose-nested", "hiclr-normal", "skateformer",
]  # fmt: skip


@pytest.mark.parametrize("case", [c for c in CASES if c.name in MOVES], ids=repr)
def test_compiled_replay_moves_labels_too(case: Case) -> None:
    torch._dynamo.reset()
    transform, batch = case.make(), labelled("frame")
    params = transform.sample(batch, generator=generator())
    out = torch.compile(transform.replay, fullgraph=True, backend="aot_eager")(batch, params)
    assert out.label_axis == "frame" and torch.equal(out.label, transform.replay(batch, params).label)


@pytest.mark.parametrize("axis", ["sample", "class", "frame"])
def test_compiled_mirror(axis: str) -> None:
    torch._dynamo.reset()
    mirror, batch = T.Mirror(SKELETON, label_map=SWAP, p=0.5), labelled(axis)
    params = mirror.sample(batch, generator=generator())
    out = torch.compile(mirror.replay, fullgraph=True, backend="aot_eager")(batch, params)
    assert out.label_axis == axis and torch.equal(out.label, mirror.replay(batch, params).label)


def test_ties_go_to_the_earlier_frame() -> None:
    label = torch.arange(4)[None]
    position = torch.tensor([[0.5, 1.5, 1.5001, 2.4999, 2.5, 3.0, 0.4, 0.0]])
    stretch = T.CropResize(length=8)
    params = stretch.sample(X[:1, :, :4], generator=generator()) | {"position": position}
    out = stretch.replay(SkeletonBatch(X[:1, :, :4], label=label), params)
    assert out.label.tolist() == [[0, 1, 2, 2, 2, 3, 0, 0]]


def test_a_clip_without_frames() -> None:
    batch = SkeletonBatch(torch.ones(2, 3, 0, V, 1), label=torch.ones(2, 0).long())
    for transform in (T.CropResize(length=3), T.SegmentSample(3)):
        assert transform(batch).label.tolist() == [[-100] * 3] * 2
    for transform in (T.Reverse(p=1.0), T.TemporalCrop(), T.DropFrame(0.5, "remove"), T.DropFrame(0.5, "hold")):
        assert transform(batch).label.shape == (2, 0)


@pytest.mark.parametrize("mode", ["independent", "nested"])
def test_every_view_of_a_policy_has_its_own_labels(mode: str) -> None:
    policy = GrowingPolicy(
        basic=[T.TemporalCrop(2), T.Mirror(SKELETON, label_map=SWAP, p=0.5), T.CropResize(length=9)],
        normal=[T.Reverse(), T.DropFrame(0.3, "remove", p=0.5)],
        strong=[OneOf([T.Speed((0.5, 2)), T.TimeWarp(), T.Shear(0.3)]), T.Reverse(p=0.5), T.JointMask(0.2)],
        mode=mode,
        stream=T.Bone(SKELETON),
    )
    batch = labelled("frame").replace(label=FRAMES % 5)
    views = policy.views(batch, keys=keys(N))
    assert same_bits(views, policy.replay(batch, policy.sample(batch, keys=keys(N))))
    assert len({str(view.label.tolist()) for view in views}) == 3
    for i, view in enumerate(views):
        assert view.label.shape == (N, 9) and same_bits(policy[i](batch, keys=keys(N)), view)
        params = policy[i].sample(batch, keys=keys(N))
        out = batch
        for member, drawn in zip(policy[i], params["members"], strict=True):
            out = member.replay(out, drawn)
        assert torch.equal(view.label, out.label), "not the labels of one member after another"
    assert policy.key_view(batch, keys=keys(N)).label.shape == (N, 9)


def test_labels_change_no_draw() -> None:
    transform = Compose([T.TemporalCrop(2), T.SkeleAdaIN(), T.Speed((0.5, 2)), T.Shear(0.5)])
    found = [transform(labelled(kind), keys=keys(N)) for kind in LABELS]
    assert same_bits(found[0].x, found[1].x) and same_bits(found[0].x, found[2].x)


def test_labels_that_do_not_move_are_not_touched() -> None:
    transform = Compose([T.TemporalCrop(2), T.CropResize(length=9), T.DropFrame(0.3, "remove"), T.Reverse(p=1.0)])
    for kind in ("sample", "class"):
        batch = labelled(kind)
        assert transform(batch).label is batch.label, "work was done on a label that nothing moves"


@final
class Reader(Transform):
    """Draws the labels of frames that it is shown: its draw reads the batch."""

    data_dependent = True

    def draw(self, batch: SkeletonBatch, rng: Any) -> dict[str, Tensor]:
        assert batch.frame_label is not None
        return {"read": batch.frame_label.clone()}

    def op(self, batch: SkeletonBatch, params: dict[str, Tensor]) -> SkeletonBatch:
        return batch


def test_a_draw_that_reads_labels_sees_them_moved() -> None:
    transform = Compose([T.CropResize(length=9), T.Mirror(SKELETON, label_map=SWAP), T.Reverse(p=0.5), Reader()])
    out, params = transform(labelled("frame"), keys=keys(N), return_params=True)
    assert torch.equal(params["members"][-1]["read"], out.label)


INDEXED = [
    lambda p: T.TemporalCrop(2, p=p),
    lambda p: T.Reverse(p=p),
    lambda p: T.Speed((0.4, 2.5), "nearest", p=p),
    lambda p: T.DropFrame(0.4, "hold", p=p),
    lambda p: T.DropFrame((0.1, 0.6), "remove", p=p),
    lambda p: Compose([T.Reverse(), T.TemporalCrop(3)], p=p),
    lambda p: OneOf([T.Reverse(p=1.0), T.TemporalCrop(2), T.PersonSwap(p=1.0)], p=p),
    lambda p: T.SegmentSample(15),
]
WEIGHED = [
    lambda p: T.Speed((0.4, 2.5), p=p),
    lambda p: T.TimeWarp(1.0, p=p),
    lambda p: T.DropFrame(0.4, "interpolate", p=p),
    lambda p: T.CropResize((0.3, 1), length=9),
    lambda p: T.CropResize((0.3, 1), length=30, align_corners=False),
]
OTHERS = [
    lambda p: T.Blur(p=p),
    lambda p: T.Shear(0.5, p=p),
    lambda p: T.Mirror(SKELETON, p=p),
    lambda p: T.PersonDrop(p=p),
    lambda p: T.JointMask(0.3),
]
gates = st.sampled_from([0.0, 0.5, 1.0])


def some(makes: list[Any], most: int) -> Any:
    return st.lists(st.tuples(st.sampled_from(makes), gates), max_size=most)


def composed(steps: Any, cut: int) -> Compose:
    """The members, those behind the cut in a container of their own."""
    members = [make(p) for make, p in steps]
    return Compose(members) if cut >= len(members) else Compose([*members[:cut], Compose(members[cut:])])


def numbered(n: int, t: int, seed: int) -> SkeletonBatch:
    """Every coordinate of a frame, and its label, is the number of the frame; persons and frames are missing."""
    mask = many(n, t=t, seed=seed).mask.any(2, keepdim=True).expand(-1, -1, V, -1)
    x = torch.arange(1.0, t + 1, dtype=torch.float64).view(1, 1, t, 1, 1).expand(n, 3, t, V, 2)
    return SkeletonBatch(x, mask, label=torch.arange(1, t + 1).expand(n, -1))


@given(
    st.none() | st.tuples(st.sampled_from(WEIGHED), gates), some(INDEXED, 4), st.integers(0, 5), st.integers(0, 2**31)
)
def test_labels_stay_glued_to_frames(weighed: Any, indexed: Any, cut: int, seed: int) -> None:
    """Every frame holds its number, and so does its label: wherever it goes, they tell the same."""
    n = 40 if THOROUGH else 8
    out = composed(([weighed] if weighed else []) + indexed, cut)(numbered(n, 20, seed), keys=keys(n, seed))
    numbers, there = out.x[:, 0].amax((2, 3)), out.presence.any(2)  # all who are there show the same frame
    assert ((numbers - out.label).abs() <= 0.5 + 1e-3)[there].all()
    if weighed is None:
        assert torch.equal(numbers[there].long(), out.label[there])


@given(some(INDEXED + WEIGHED + OTHERS, 6), st.integers(0, 6), st.integers(0, 2**31))
def test_any_composition_moves_labels_as_its_members_do(steps: Any, cut: int, seed: int) -> None:
    n = 40 if THOROUGH else 8
    batch, transform = numbered(n, 20, seed), composed(steps, cut)
    params = transform.sample(batch, keys=keys(n, seed))
    out = transform.replay(batch, params)
    assert out.label.tolist() == by_hand(transform, batch, params, batch.label.tolist())[1]
