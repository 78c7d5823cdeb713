"""Collate, Augment and AugmentBatch: the same batch as without them, but for the skeletons; draws right in workers."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, V, make_mask, make_x
from ghost import GhostMode
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

import skelaug
from skelaug import Augment, AugmentBatch, Collate, GrowingPolicy, SkeletonBatch, policies, to_layout
from skelaug import transforms as T

# More workers than this machine has cores: no matter here.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

LAYOUTS = {"NCTVM": {}, "NMTVC": {}, "N T (M V C)": {"M": 2, "C": 3}, "NT(VCM)": {"M": 2, "C": 3}, "TNVMC": {}}


class Feeder(Dataset[Any]):
    """What the field's feeders give: one array that is the same in every sample, a label, the index."""

    def __init__(self, n: int = 16) -> None:
        self.clip = make_x(1)[0].numpy()
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Any, int, int]:
        return self.clip, index % 3, index


class TwoSample(nn.Module):
    """A model of two arguments."""

    def forward(self, x: Tensor, scale: float, *, shift: float = 0.0) -> Tensor:
        return x * scale + shift


def same(a: Any, b: Any) -> bool:
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))


def after(seed: int, policy: Any, x: Any) -> Any:
    """What the policy makes of x after this seed."""
    torch.manual_seed(seed)
    return policy(x)


# --- a batch of any make ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["tensor", "array"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layouts_kinds_and_types_stay(layout: str, kind: str, dtype: torch.dtype) -> None:
    x, policy = make_x(dtype=dtype), T.Shear(0.5)
    given: Any = to_layout(x, "NCTVM", layout, contiguous=True)
    given = given.numpy() if kind == "array" else given
    before = copy.deepcopy(given)
    augment = AugmentBatch(policy, layout=layout, sizes=LAYOUTS[layout])
    new = after(0, augment, given)
    assert type(new) is type(given) and new.dtype == given.dtype and new.shape == given.shape
    assert torch.as_tensor(new).is_contiguous() and same(given, before)
    assert same(new, to_layout(after(0, policy, x), "NCTVM", layout))
    assert not same(new, given)


def test_one_sample_without_n() -> None:
    x, policy = make_x(1), T.Shear(0.5)
    for layout in ("CTVM", "MTVC"):
        sample = to_layout(x, "NCTVM", layout)
        assert same(
            after(0, AugmentBatch(policy, layout=layout), sample.numpy()),
            to_layout(after(0, policy, x), "NCTVM", layout),
        )
    alone = make_x(1, m=1)
    new = after(0, AugmentBatch(policy, layout="TVC"), alone[0, :, :, :, 0].permute(1, 2, 0))
    assert new.shape == (12, V, 3) and same(new, after(0, policy, alone)[0, :, :, :, 0].permute(1, 2, 0))


def test_arrays_that_torch_cannot_share() -> None:
    array = make_x().numpy()
    backward, fixed, foreign = array[:, :, ::-1], array.copy(), array.astype(array.dtype.newbyteorder())
    fixed.flags.writeable = False
    for given in (backward, fixed, foreign):
        expected = after(0, T.Shear(0.5), torch.from_numpy(np.array(given, np.float32, order="C")))
        assert same(after(0, AugmentBatch(T.Shear(0.5)), given), expected)


Sample = namedtuple("Sample", ["data", "label"])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x, label: (x, label),
        lambda x, label: [label, x],
        lambda x, label: Sample(x, label),
        lambda x, label: {"keypoint": x, "label": label},
        lambda x, label: OrderedDict(label=label, keypoint=x, name=["a"] * 5, weight=torch.rand(5)),
    ],
)
def test_the_make_of_the_batch_stays(wrap: Any) -> None:
    x, label = make_x(), torch.arange(5)
    batch = wrap(x, label)
    new = after(0, AugmentBatch(T.Shear(0.5)), batch)
    assert type(new) is type(batch) and len(new) == len(batch)
    pairs = zip(batch.items(), new.items(), strict=True) if isinstance(batch, dict) else None
    pairs = pairs or zip(enumerate(batch), enumerate(new), strict=True)
    changed = 0
    for (k, old), (j, value) in pairs:
        assert k == j
        if old is x:
            changed += same(value, after(0, T.Shear(0.5), x))
        else:
            assert value is old
    assert changed == 1


def test_what_is_meant_must_be_clear() -> None:
    x, augment = make_x(), AugmentBatch(T.Shear(0.5))
    with pytest.raises(ValueError, match=r"(?s)name it, as in key=0.*0: torch.float32 \(5, 3, 12, 8, 2\), 1: torch"):
        augment((x, x))
    with pytest.raises(ValueError, match=r"'label': torch.int64 \(5,\)"):
        augment({"label": torch.arange(5)})
    with pytest.raises(TypeError, match=r"a batch is a tensor, .*got torch.int64 \(5,\)"):
        augment(torch.arange(5))
    second = after(0, AugmentBatch(T.Shear(0.5), key=-1), (x, x))
    assert second[0] is x and same(second[1], after(0, T.Shear(0.5), x))
    with pytest.raises(ValueError, match="no entry 'pose'; it has 'keypoint'"):
        AugmentBatch(T.Shear(0.5), key="pose")({"keypoint": x})
    with pytest.raises(TypeError, match=r"must be a tensor or an array, got str"):
        AugmentBatch(T.Shear(0.5), key=0)(("x", 1))
    with pytest.raises(TypeError, match="floating point"):
        AugmentBatch(T.Shear(0.5), key=0)((torch.ones(2, 3, 4, 5, 2, dtype=torch.int32), 1))
    with pytest.raises(ValueError, match="give one of them"):
        AugmentBatch(T.Shear(0.5), mask=1, length=2)


def test_views_take_the_place_of_the_skeletons() -> None:
    policy = policies.hiclr(SKELETON)
    x = make_x()
    views, label = after(0, AugmentBatch(policy, layout="NMTVC"), (to_layout(x, "NCTVM", "NMTVC"), torch.arange(5)))
    assert isinstance(views, list) and len(views) == 3 and same(label, torch.arange(5))
    for view, expected in zip(views, after(0, policy.views, x), strict=True):
        assert same(view, to_layout(expected, "NCTVM", "NMTVC"))


def test_a_graph_travels_in_a_batch() -> None:
    views = AugmentBatch(policies.hiclr(SKELETON, "edges"))(make_x())
    assert all(isinstance(view, SkeletonBatch) for view in views) and views[2].graph is not None
    alone = AugmentBatch(T.DropEdges(0.2, SKELETON), layout="NMTVC")({"x": to_layout(make_x(), "NCTVM", "NMTVC")})
    assert isinstance(alone["x"], SkeletonBatch)
    (clip,) = Collate(T.DropEdges(0.2, SKELETON))([(make_x(1)[0],)] * 5)
    at_the_model = Augment(nn.Identity(), T.DropEdges(0.2, SKELETON))(make_x())
    for batch in (clip, at_the_model):
        assert isinstance(batch, SkeletonBatch) and batch.graph is not None and len(batch) == 5


def test_a_skeleton_batch_is_one() -> None:
    batch = SkeletonBatch(make_x(), make_mask())
    expected = after(0, T.TemporalCrop(3), batch)
    for new in (
        after(0, AugmentBatch(T.TemporalCrop(3)), batch),
        after(0, AugmentBatch(T.TemporalCrop(3)), {"x": batch})["x"],
    ):
        assert same(new.x, expected.x) and same(new.mask, expected.mask)
    with pytest.raises(ValueError, match="mask of its own"):
        AugmentBatch(T.Shear(0.5), length="n")({"x": batch, "n": torch.ones(5)})


@pytest.mark.parametrize("layout", ["NCTVM", "N T (M V C)"])
@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_a_mask_moves_with_the_frames(layout: str, kind: str) -> None:
    batch = SkeletonBatch(make_x(), make_mask())
    policy = GrowingPolicy(basic=[T.TemporalCrop(3)], strong=[T.Reverse(p=1.0)])
    mask_layout = {"NCTVM": "NTVM", "N T (M V C)": "N T (M V)"}[layout]
    dirty = torch.where(batch.mask[:, None], batch.x, torch.nan)  # type: ignore[index]
    given: Any = {
        "x": to_layout(dirty, "NCTVM", layout, contiguous=True),
        "seen": to_layout(batch.mask, "NTVM", mask_layout, contiguous=True),  # type: ignore[arg-type]
    }
    given = {k: v.numpy() for k, v in given.items()} if kind == "array" else given
    augment = AugmentBatch(policy, layout=layout, sizes={"M": 2, "C": 3} if "(" in layout else None, mask="seen")
    new = after(0, augment, given)
    for x, mask, view in zip(new["x"], new["seen"], after(0, policy.views, batch), strict=True):
        assert type(mask) is type(given["seen"]) and mask.shape == given["seen"].shape
        assert same(x, to_layout(view.x, "NCTVM", layout)) and same(mask, to_layout(view.mask, "NTVM", mask_layout))


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, np.int64])
def test_lengths_stay_right(kind: Any) -> None:
    length = np.array([12, 5, 1, 7, 0])
    given = length.astype(kind) if kind is np.int64 else torch.from_numpy(length).to(kind)
    batch = {"x": make_x(), "length": given}
    keep = AugmentBatch(T.Shear(0.5), length="length")(batch)
    assert type(keep["length"]) is type(given) and keep["length"].dtype == given.dtype and same(keep["length"], given)
    assert all((keep["x"][i, :, n:] == 0).all() and (keep["x"][i, :, :n] != 0).all() for i, n in enumerate(length))
    resized = AugmentBatch(T.CropResize((1, 1), length=20), length="length")(batch)
    assert resized["x"].shape[2] == 20 and resized["length"].tolist() == [20, 20, 20, 20, 0]


# --- at the model ----------------------------------------------------------------------------------------------------


def test_a_model_is_augmented_in_training_only() -> None:
    x, policy = make_x(), T.Shear(0.5)
    model = Augment(TwoSample(), policy)
    assert same(after(0, lambda v: model(v, 2.0, shift=1.0), x), after(0, policy, x) * 2 + 1)
    assert model.eval()(x, 2.0).equal(x * 2)
    assert same(after(0, lambda v: model.train()(v, 1.0), x), after(0, policy, x))


def test_a_model_in_its_own_layout_with_a_dict() -> None:
    class Head(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return batch["x"]

    x = to_layout(make_x(), "NCTVM", "NMTVC")
    model = Augment(Head(), "ctrgcn", SKELETON, layout="NMTVC", key="x")
    assert model({"x": x}).shape == (5, 2, 64, V, 3) and model.eval()({"x": x}) is x


def test_nothing_leaves_the_models_device() -> None:
    """Fake numbers on a fake accelerator: a copy to the host or a stray CPU tensor would raise."""
    with GhostMode(allow_non_fake_inputs=True):
        x = torch.randn(4, 2, 12, V, 3, device="ghost")
        out = Augment(nn.Flatten(), policies.aimclr(SKELETON)[1], layout="NMTVC")(x)
        assert out.device.type == "ghost" and out.shape == (4, 2 * 12 * V * 3)
        augment = AugmentBatch(policies.hiclr(SKELETON), layout="NMTVC", key="x", length="n")
        new = augment({"x": x, "n": torch.ones(4, dtype=torch.int64, device="ghost")})
        assert {v.device.type for v in new["x"] + new["n"]} == {"ghost"} and new["n"][0].shape == (4,)


def test_a_compiled_model_in_the_wrapper() -> None:
    x, policy = make_x(), T.Shear(0.5)
    compiled = torch.compile(nn.Sequential(nn.Flatten(), nn.Tanh()), backend="eager", fullgraph=True)
    torch.testing.assert_close(after(0, Augment(compiled, policy), x), after(0, policy, x).flatten(1).tanh())


def test_a_models_weights_are_its_own_and_the_token_learns() -> None:
    model = Augment(nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * V * 2, 4)), T.JointMask(0.3, fill="token"))
    assert set(model.state_dict()) == {"augment.policy.token", "model.1.weight", "model.1.bias"}
    model(make_x()).square().sum().backward()
    assert model.augment.policy.token.grad != 0
    assert pickle.loads(pickle.dumps(model))(make_x()).shape == (5, 4)


def test_a_model_takes_one_view() -> None:
    policy = policies.hiclr(SKELETON)
    with pytest.raises(TypeError, match=r"one view, this policy makes 3; give one of them, such as policy\[-1\]"):
        Augment(nn.Identity(), policy)
    assert Augment(nn.Identity(), policy[-1])(make_x()).shape == make_x().shape
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got function"):
        Augment(make_x, policy[0])  # type: ignore[arg-type]


def test_a_policy_in_front_of_a_model() -> None:
    x, policy = make_x(), policies.aimclr(SKELETON)[1]
    assert same(after(0, nn.Sequential(policy, nn.Flatten()), x), after(0, policy, x).flatten(1))


def test_torchvision() -> None:
    try:
        from torchvision.transforms import v2
    except (ImportError, RuntimeError) as error:  # PyPI's does not load beside the CPU build of torch
        pytest.skip(f"torchvision does not import: {str(error).splitlines()[0]}")
    x, policy = make_x(), T.Shear(0.5)
    run = v2.Compose([policy, v2.Identity()])
    assert same(after(0, run, x), after(0, policy, x))
    views = after(0, v2.Compose([policies.hiclr(SKELETON)]), x)
    assert all(map(same, views, after(0, policies.hiclr(SKELETON), x)))


# --- in a DataLoader -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["CTVM", "NCTVM"])
def test_a_batch_is_the_default_one_but_for_the_skeletons(layout: str) -> None:
    feeder = Feeder()
    plain = DataLoader(feeder, batch_size=6)
    loader = DataLoader(feeder, batch_size=6, collate_fn=Collate(T.Shear(0.5), layout=layout))
    for old, new in zip(plain, loader, strict=True):
        assert type(new) is type(old) and len(new) == 3
        for a, b in zip(old, new, strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype
        assert same(old[1], new[1]) and same(old[2], new[2]) and not same(old[0], new[0])


def test_dicts_names_and_other_collates() -> None:
    samples = [{"pose": make_x(1)[0], "name": f"clip{i}", "label": i} for i in range(4)]
    old, new = default_collate(samples), after(0, Collate(T.Shear(0.5)), samples)
    assert list(new) == list(old) and new["name"] == old["name"] and same(new["label"], old["label"])
    assert same(new["pose"], after(0, T.Shear(0.5), old["pose"]))
    mine = Collate(T.Shear(0.5), collate=lambda samples: default_collate(samples)["pose"])
    assert same(after(0, mine, samples), new["pose"])


def test_clips_of_unequal_length() -> None:
    clips = [make_x(1, t=t)[0] for t in (12, 7)]
    with pytest.raises(ValueError, match=r"the samples do not stack: .*SkeletonBatch.from_list\(\[clip\]\)"):
        Collate(T.Shear(0.5))([(clip, 0) for clip in clips])
    with pytest.raises(RuntimeError, match="stack expects"):  # a collate of the user's own speaks for itself
        Collate(T.Shear(0.5), collate=torch.stack)(clips)
    batch, label = Collate(T.Shear(0.5))([(SkeletonBatch.from_list([clip]), i) for i, clip in enumerate(clips)])
    assert batch.x.shape == (2, 3, 12, V, 2) and not batch.presence[1, 7:].any() and label.tolist() == [0, 1]


def test_what_is_learned_does_not_collate() -> None:
    with pytest.raises(ValueError, match="learnable parameter"):
        Collate(policies.hiclr(SKELETON, fill="token"))


def epochs(loader: DataLoader[Any], collate: Collate, count: int = 2) -> list[list[tuple[list[int], Tensor]]]:
    """(ids, skeletons) of every batch of every epoch."""
    found = []
    for epoch in range(count):
        collate.set_epoch(epoch)
        found.append([(batch[2].tolist(), batch[0].clone()) for batch in loader])
    return found


def all_differ(batches: list[Tensor]) -> bool:
    """Every sample was drawn anew: the clip was the same, no result is."""
    flat = torch.cat([batch.flatten(1) for batch in batches])
    return len(flat.unique(dim=0)) == len(flat)


@pytest.mark.parametrize(
    ("start", "persistent"),
    [
        ("fork", False),
        ("fork", True),
        ("spawn", True),
        pytest.param("spawn", False, marks=pytest.mark.slow),
        pytest.param("forkserver", False, marks=pytest.mark.slow),
    ],
)
def test_draws_differ_over_workers_and_epochs_and_repeat_for_a_seed(start: str, persistent: bool) -> None:
    def run(seed: int) -> list[list[tuple[list[int], Tensor]]]:
        torch.manual_seed(seed)
        collate = Collate(T.Shear(0.5))
        loader = DataLoader(
            Feeder(),
            batch_size=4,
            num_workers=2,
            collate_fn=collate,
            persistent_workers=persistent,
            multiprocessing_context=start,
        )
        return epochs(loader, collate)

    first = run(1)
    assert [[ids for ids, _ in epoch] for epoch in first] == [[[i, i + 1, i + 2, i + 3] for i in (0, 4, 8, 12)]] * 2
    assert all_differ([x for epoch in first for _, x in epoch])
    # By hand: the main generator draws a base seed, one for each epoch where workers do not persist; worker k has the
    # seed base + k, and its generator goes on from batch to batch.
    torch.manual_seed(1)
    clips = torch.from_numpy(np.stack([Feeder().clip] * 4))
    generators: list[torch.Generator] = []
    for number, epoch in enumerate(first):
        if number == 0 or not persistent:
            base = int(torch.empty((), dtype=torch.int64).random_())
            generators = [torch.Generator().manual_seed(seed_of(base + worker)) for worker in range(2)]
        for worker, generator in enumerate(generators):
            for _, x in epoch[worker::2]:
                assert same(x, T.Shear(0.5)(clips, generator=generator))
    if start == "fork":
        again, other = run(1), run(2)
        assert all(same(a, b) for e, f in zip(first, again, strict=True) for (_, a), (_, b) in zip(e, f, strict=True))
        assert all_differ([x for epoch in first + other for _, x in epoch])


def seed_of(worker_seed: int) -> int:
    """What a worker seeds its generator with, where no rank is set: five times rank 0."""
    key = skelaug.random.keys(worker_seed, 0, [0])
    for _ in range(5):
        key = skelaug.random.fold_in(key, 0)
    return int(key)


def seed_alike(worker: int) -> None:
    """What OpenMMLab's and CTR-GCN's ``worker_init_fn`` do: the same in every epoch, and whatever the run's seed."""
    torch.manual_seed(worker)


def test_a_worker_init_fn_that_seeds_alike_and_ranks_repeat_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(seed: int, rank: str) -> list[Tensor]:
        monkeypatch.setenv("RANK", rank)
        torch.manual_seed(seed)
        loader = DataLoader(
            Feeder(),
            batch_size=8,
            num_workers=2,
            collate_fn=Collate(T.Shear(0.5)),
            worker_init_fn=seed_alike,
            multiprocessing_context="fork",
        )
        return [batch[0].clone() for _ in range(2) for batch in loader]

    first = run(1, "0")
    assert all(same(a, b) for a, b in zip(first, run(1, ""), strict=True))
    assert all_differ(first + run(2, "0") + run(1, "1"))


@pytest.mark.parametrize(
    ("workers", "batch", "start", "persistent"),
    [
        (0, 4, None, False),
        (0, 16, None, False),
        (2, 4, "fork", False),
        (3, 5, "fork", True),
        pytest.param(2, 3, "spawn", True, marks=pytest.mark.slow),
        pytest.param(1, 7, "spawn", False, marks=pytest.mark.slow),
    ],
)
def test_keyed_draws_depend_on_seed_epoch_and_id_alone(
    workers: int, batch: int, start: str | None, persistent: bool
) -> None:
    collate = Collate(T.Shear(0.5), ids=2, seed=7)
    order = torch.randperm(16).tolist()
    loader = DataLoader(
        Feeder(),
        batch_size=batch,
        sampler=order,
        num_workers=workers,
        collate_fn=collate,
        multiprocessing_context=start,
        persistent_workers=persistent,
    )
    clips = torch.from_numpy(np.stack([Feeder().clip] * 16))
    for epoch, batches in enumerate(epochs(loader, collate)):
        ids = [i for part, _ in batches for i in part]
        assert ids == order
        expected = T.Shear(0.5)(clips, keys=skelaug.random.keys(7, epoch, range(16)))
        torch.testing.assert_close(torch.cat([x for _, x in batches]), expected[ids], rtol=1e-6, atol=1e-6)


def test_keys_need_an_epoch_and_whole_ids() -> None:
    collate = Collate(T.Shear(0.5), ids=2)
    samples = [Feeder()[i] for i in range(3)]
    with pytest.raises(ValueError, match=r"call set_epoch\(epoch\) before each epoch"):
        collate(samples)
    collate.set_epoch(0)
    first = collate(samples)[0]
    assert same(collate(samples)[0], first)
    twin = copy.deepcopy(collate)
    twin.set_epoch(1)
    assert same(collate(samples)[0], first) and not same(twin(samples)[0], first)
    with pytest.raises(TypeError, match=r"\(ids=2\): that entry must be .* whole numbers, got torch.float64 \(3,\)"):
        collate([(clip, label, 0.5) for clip, label, _ in samples])
    named = Collate(T.Shear(0.5), ids="index")
    named.set_epoch(0)
    with pytest.raises(ValueError, match="no entry 'index'"):
        named(samples)


def test_policies_by_name_and_file(tmp_path: Any) -> None:
    path = tmp_path / "policy.yaml"
    skelaug.config.to_yaml(policies.crossclr(SKELETON), path)
    samples = [Feeder()[i] for i in range(3)]
    made = [after(0, Collate(p, SKELETON), samples)[0][0] for p in ("crossclr", path, {"preset": "crossclr"})]
    assert all(same(view, made[0]) for view in made)
    assert repr(Collate("ctrgcn", "ntu25", key=0)).startswith(
        "Collate(AugmentBatch(\n  layout='NCTVM', key=0\n  (policy)"
    )
