"""skelaug in mmaction2: the batch's preprocessor over stand-ins always, all of it inside mmaction2 where that is there.

``make test-interop`` makes an environment in which it is.
"""

from __future__ import annotations

import copy
import functools
import importlib
import runpy
import sys
import types
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, V, make_x
from compat import annotations
from ghost import GhostMode
from torch import nn

import skelaug
from skelaug import Compose, policies
from skelaug import transforms as T

DOCS = Path(__file__).resolve().parents[2] / "docs" / "integrations"
CONFIG, GPU_CONFIG = DOCS / "mmaction2_config.py", DOCS / "mmaction2_gpu_config.py"
WITH_MMACTION = find_spec("mmaction") is not None
needs_mmaction = pytest.mark.skipif(not WITH_MMACTION, reason="needs mmaction2, which make test-interop installs")


def stand_ins() -> dict[str, types.ModuleType]:
    """Of mmengine and mmcv, the few lines that the adapter builds on."""

    class Registry(dict[str, type]):
        def register_module(self) -> Any:
            return lambda cls: self.setdefault(cls.__name__, cls)

    class BaseTransform:
        def __call__(self, results: Any) -> Any:
            return self.transform(results)

    class BaseDataPreprocessor(nn.Module):
        def __init__(self, non_blocking: bool = False) -> None:
            super().__init__()

        def cast_data(self, data: Any) -> Any:
            return data

    def module(name: str, **members: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        vars(made).update(members)
        return made

    made = [
        module("mmcv"),
        module("mmcv.transforms", BaseTransform=BaseTransform),
        module("mmengine"),
        module("mmengine.model", BaseDataPreprocessor=BaseDataPreprocessor),
        module("mmengine.registry", MODELS=Registry(), TRANSFORMS=Registry()),
    ]
    return {m.__name__: m for m in made}


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The module under test, over the real mmengine or, without it, over stand-ins."""
    if WITH_MMACTION:
        yield load_mmaction()
        return
    with monkeypatch.context() as patch:
        for name, module in stand_ins().items():
            patch.setitem(sys.modules, name, module)
        # pytest leaves a module half made whose import it tried for doctests and gave up.
        patch.delitem(sys.modules, "skelaug.compat.mmaction2", raising=False)
        yield importlib.import_module("skelaug.compat.mmaction2")
    del sys.modules["skelaug.compat.mmaction2"]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """From where the examples' paths are written."""
    monkeypatch.chdir(DOCS.parents[1])


@functools.cache
def load_mmaction() -> types.ModuleType:
    """Import mmaction2 1.2.0, its models too, whose wheel lacks ``localizers/drn``: nothing here localises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mmaction

        if not (Path(mmaction.__file__).parent / "models" / "localizers" / "drn").is_dir():
            sys.modules["mmaction.models.localizers"] = types.ModuleType("mmaction.models.localizers")
            sys.modules["mmaction.models.localizers"].__all__ = []
        from mmaction.utils import register_all_modules

        register_all_modules()
        import mmaction.models
    return importlib.import_module("skelaug.compat.mmaction2")


def batch(n: int = 4, clips: int = 2, channels: int = 3) -> torch.Tensor:
    """``(N, clips, M, T, V, C)``; the second person of the last sample is absent."""
    x = make_x(n * clips, channels, 12, 2).permute(0, 4, 2, 3, 1).unflatten(0, (n, clips)).contiguous()
    x[-1, :, 1] = 0
    return x


def test_without_mmengine_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "skelaug.compat.mmaction2", raising=False)
    for name in ("mmcv.transforms", "mmengine.model"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install mmengine 'mmcv-lite>=2\.0,<2\.2'"):
        importlib.import_module("skelaug.compat.mmaction2")


@pytest.mark.parametrize("collated", ["list", "tensor"])
def test_outside_training_a_batch_is_only_stacked(adapter: types.ModuleType, collated: str) -> None:
    inputs = batch().double()
    data = {"inputs": list(inputs) if collated == "list" else inputs, "data_samples": ["a", "b", "c", "d"]}
    out = adapter.SkelAugDataPreprocessor("hiclr", SKELETON)(data, training=False)
    assert torch.equal(out["inputs"], inputs.float()) and out["data_samples"] == data["data_samples"]


def test_in_training_every_clip_is_augmented_as_the_policy_does(adapter: types.ModuleType) -> None:
    policy, inputs = policies.hiclr(SKELETON), batch()
    before = inputs.clone()
    torch.manual_seed(4)
    out = adapter.SkelAugDataPreprocessor(policy, view="normal")({"inputs": inputs, "data_samples": []}, True)["inputs"]
    torch.manual_seed(4)
    expected = policy[1](skelaug.to_layout(inputs.flatten(0, 1), "NMTVC", "NCTVM"))
    assert torch.equal(out.flatten(0, 1), skelaug.to_layout(expected, "NCTVM", "NMTVC"))
    assert out.shape == inputs.shape and out.dtype == torch.float32 and out.is_contiguous()
    assert torch.equal(inputs, before) and not out[-1, :, 1].any()


def test_clips_and_samples_have_draws_of_their_own(adapter: types.ModuleType) -> None:
    ones = torch.ones(3, 2, 1, 4, V, 3)
    out = adapter.SkelAugDataPreprocessor(T.Translate(1.0))({"inputs": ones}, training=True)["inputs"]
    assert len(out[:, :, 0, 0, 0].flatten(0, 1).unique(dim=0)) == 6


def test_scores_move_and_nothing_else_happens_to_them(adapter: types.ModuleType) -> None:
    moves = [T.TemporalCrop(3), T.SwapSides(SKELETON), T.PersonSwap(), T.CropResize((0.5, 1), length=9)]
    score = torch.rand(4, 2, 2, 12, V, 1) + 0.1
    inputs = torch.cat([torch.rand(4, 2, 2, 12, V, 1), score, score], -1)  # (x, y, score), y tells where a joint went
    step = adapter.SkelAugDataPreprocessor(Compose([*moves, T.Scale((2, 2))]), coords=2)
    out = step({"inputs": inputs}, training=True)["inputs"]
    assert out.shape == (4, 2, 2, 9, V, 3)
    torch.testing.assert_close(out[..., 1], 2 * out[..., 2])
    still = adapter.SkelAugDataPreprocessor(Compose([T.Rotate(60), T.GaussianNoise(1.0)]), coords=2)
    assert torch.equal(still({"inputs": inputs}, training=True)["inputs"][..., 2:], score)


def test_the_file_of_all_adapters_gives_the_same(adapter: types.ModuleType) -> None:
    x = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], 4, 40, 2, gaps=True).x
    inputs = skelaug.to_layout(x, "NCTVM", "NMTVC")[:, None].contiguous()
    torch.manual_seed(0)
    wanted = skelaug.config.resolve(DOCS / "policy.yaml", "ntu25")(x)
    torch.manual_seed(0)
    out = adapter.SkelAugDataPreprocessor(str(DOCS / "policy.yaml"), "ntu25")({"inputs": inputs}, training=True)
    assert torch.equal(skelaug.to_layout(out["inputs"][:, 0], "NMTVC", "NCTVM"), wanted)


def test_samples_may_borrow_from_each_other(adapter: types.ModuleType) -> None:
    step = adapter.SkelAugDataPreprocessor(T.SkeleAdaIN())
    assert not torch.isclose(step({"inputs": batch()}, training=True)["inputs"][:3], batch()[:3]).all()


def test_a_learnable_fill_trains_with_the_model(adapter: types.ModuleType) -> None:
    step = adapter.SkelAugDataPreprocessor(policies.hiclr(SKELETON, fill="token"))
    (token,) = step.parameters()
    step({"inputs": batch()}, training=True)["inputs"].sum().backward()
    assert token.grad is not None and token.grad != 0


@pytest.mark.parametrize("coords", [2, 3])
def test_a_batch_never_leaves_its_device(adapter: types.ModuleType, coords: int) -> None:
    """Under GhostMode whatever reads a value on the host or brings a CPU tensor raises."""
    policy = Compose([*policies.hiclr(SKELETON)[2], T.PersonDrop(p=0.5), T.DropFrame(0.2, fill="interpolate")])
    step = adapter.SkelAugDataPreprocessor(policy, SKELETON, coords=coords)
    step.cast_data = lambda data: data
    with GhostMode():
        inputs = torch.ones(4, 1, 2, 12, V, 3, device="ghost")
        out = step({"inputs": inputs}, training=True)["inputs"]
    assert out.device.type == "ghost" and out.shape == inputs.shape


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        (torch.zeros(4, 2, 12, V, 3), r"must be \(clips, M, T, V, C\).*got \[\(2, 12, 8, 3\)\]"),
        ([torch.zeros(1, 2, 12, V, 3), torch.zeros(1, 2, 9, V, 3)], r"all of one shape.*got \[\(1, 2, 9, 8, 3\), "),
        (torch.zeros(4, 1, 2, 12, V, 6), "6 channels"),
        (None, r"all of one shape.*got \['NoneType'\]"),
        ("text", r"all of one shape.*got \['str'\]"),
        ([1.0, 2], r"all of one shape.*got \['float', 'int'\]"),
        ([], r"all of one shape.*got \[\]"),
        (torch.zeros(4, 1, 2, 12, 25, 3), "8 joints, the keypoints have 25"),
    ],
)
def test_wrong_batches_are_named(adapter: types.ModuleType, inputs: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        adapter.SkelAugDataPreprocessor("hiclr", SKELETON)({"inputs": inputs}, training=True)
    with pytest.raises(TypeError, match="data must be a dict with 'inputs'"):
        adapter.SkelAugDataPreprocessor("hiclr", SKELETON)({"input": inputs})


def test_what_a_batch_cannot_hold_is_refused(adapter: types.ModuleType) -> None:
    with pytest.raises(ValueError, match="put it into the pipeline, in SkelAug"):
        adapter.SkelAugDataPreprocessor(T.Mirror(SKELETON, label_map={0: 1, 1: 0}))
    with pytest.raises(ValueError, match="acts on the graph"):
        adapter.SkelAugDataPreprocessor(policies.hiclr(SKELETON, "edges"))


def test_the_pipelines_step_is_pyskls(adapter: types.ModuleType) -> None:
    from skelaug.compat import pyskl

    results = []
    for module in (adapter, pyskl):
        torch.manual_seed(0)
        step = module.SkelAug("hiclr", SKELETON)
        clip = {"keypoint": make_x(1)[0].permute(3, 1, 2, 0).numpy(), "total_frames": 12}
        results.append(step(clip)["keypoint"])
    assert np.array_equal(*results)
    with pytest.raises(ValueError, match="SkeleAdaIN borrows"):
        adapter.SkelAug(T.SkeleAdaIN())


@pytest.mark.parametrize("path", [CONFIG, GPU_CONFIG], ids=lambda path: path.stem)
def test_the_examples_are_valid_without_mmaction2(adapter: types.ModuleType, path: Path) -> None:
    config = runpy.run_path(str(path))
    steps = [step for step in config["train_pipeline"] if step["type"] == "SkelAug"]
    if path == GPU_CONFIG:
        assert not steps
        steps = [config["model"]["data_preprocessor"]]
    (step,) = steps
    made = getattr(adapter, step["type"])(**{k: v for k, v in step.items() if k != "type"})
    assert isinstance(made, adapter.SkelAug | adapter.SkelAugDataPreprocessor)


# --- inside mmaction2 -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["procedural", "recorded"])
def ntu(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    recordings = request.getfixturevalue("recordings") if request.param == "recorded" else None
    return annotations.ntu(tmp_path / "ntu.pkl", recordings)


@pytest.fixture
def ucla(tmp_path: Path, recordings: Path) -> str:
    return annotations.nw_ucla(tmp_path / "ucla.pkl", recordings, per_class=48)


def read_config(path: Path, ann_file: str) -> Any:
    """The example, reading other data."""
    load_mmaction()
    from mmengine.config import Config

    config = Config.fromfile(str(path))
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.ann_file = ann_file
        loader.update(batch_size=8, num_workers=0, persistent_workers=False)
    return config


def without_skelaug(config: Any) -> Any:
    """The same configuration as its owner had it."""
    config = copy.deepcopy(config)
    steps = config.train_dataloader.dataset.pipeline
    config.train_dataloader.dataset.pipeline = [step for step in steps if step["type"] != "SkelAug"]
    config.model.pop("data_preprocessor", None)
    return config


def for_nw_ucla(config: Any) -> Any:
    """Twenty joints whose hip, spine and shoulders are numbered as NTU's; the graph from the skeleton; 10 classes."""
    skeleton = skelaug.skeletons["kinect20"]
    inward = [(j, parent) for j, parent in enumerate(skeleton.parents) if j != parent]
    config.model.backbone.graph_cfg.layout = {"num_node": 20, "inward": inward, "center": skeleton.centre}
    config.model.backbone.update(base_channels=16)
    config.model.cls_head.update(num_classes=10, in_channels=64)
    for pipeline in (config.train_dataloader.dataset.pipeline, config.val_dataloader.dataset.pipeline):
        for step in pipeline:
            step.update({"skeleton": "kinect20"} if step["type"] == "SkelAug" else {})
            step.update({"clip_len": 32} if step["type"] == "UniformSampleFrames" else {})
            step.update({"num_person": 1} if step["type"] == "FormatGCNInput" else {})
    if "data_preprocessor" in config.model:
        config.model.data_preprocessor.skeleton = "kinect20"
    return config


def first_batch(config: Any, collate: str = "pseudo_collate", workers: int = 0) -> dict[str, Any]:
    """What mmengine's DataLoader gives first, in the order of the file."""
    from mmengine.runner import Runner

    loader = copy.deepcopy(config.train_dataloader)
    loader.update(sampler={"type": "DefaultSampler", "shuffle": False}, collate_fn={"type": collate})
    loader.update(num_workers=workers)
    np.random.seed(0)  # noqa: NPY002  UniformSampleFrames draws from it
    torch.manual_seed(0)
    return next(iter(Runner.build_dataloader(loader, seed=0)))


def labels(data: dict[str, Any]) -> list[int]:
    return [int(sample.gt_label) for sample in data["data_samples"]]


quiet = pytest.mark.filterwarnings("ignore")  # what others warn of is not ours to mend


def test_a_mirror_of_pixels_is_one_of_the_image(adapter: types.ModuleType) -> None:
    keypoint = (make_x(1, 2, 6)[0].permute(3, 1, 2, 0).numpy() + 5) * 30
    step = adapter.SkelAug(T.Mirror(SKELETON, p=1.0), SKELETON)
    out = step.transform({"keypoint": keypoint.copy(), "total_frames": 6, "img_shape": (240, 320)})["keypoint"]
    expected = keypoint[:, :, list(SKELETON.mirror)]
    expected[..., 0] = 320 - expected[..., 0]  # as mmaction2's own Flip, whose code is PYSKL's
    np.testing.assert_array_equal(out, expected)


@needs_mmaction
def test_both_are_known_by_name(adapter: types.ModuleType) -> None:
    from mmaction.registry import MODELS, TRANSFORMS

    assert TRANSFORMS.get("SkelAug") is adapter.SkelAug
    assert MODELS.get("SkelAugDataPreprocessor") is adapter.SkelAugDataPreprocessor
    step = TRANSFORMS.build({"type": "SkelAug", "policy": "hiclr", "skeleton": "ntu25"})
    assert "SkelAug(policy=Compose" in repr(step)


@needs_mmaction
@quiet
@pytest.mark.parametrize("feats", [["j"], ["b"], ["j", "b", "jm", "bm"]], ids=",".join)
@pytest.mark.parametrize("collate", ["pseudo_collate", "default_collate"])
def test_a_batch_has_the_same_keys_shapes_and_dtypes_as_without(ntu: str, feats: list[str], collate: str) -> None:
    config = read_config(CONFIG, ntu)
    for step in config.train_dataloader.dataset.pipeline:
        step.update({"feats": feats} if step["type"] == "GenSkeFeat" else {})
    plain, augmented = first_batch(without_skelaug(config), collate), first_batch(config, collate)
    assert list(plain) == list(augmented) == ["inputs", "data_samples"]
    assert type(plain["inputs"]) is type(augmented["inputs"])
    for before, after in zip(plain["inputs"], augmented["inputs"], strict=True):
        assert before.shape == after.shape == (1, 2, 100, 25, 3 * len(feats))
        assert before.dtype == after.dtype == torch.float32 and after.isfinite().all()
        assert not torch.isclose(before, after).all()
    assert labels(plain) == labels(augmented)
    alone = plain["inputs"][0][:, 1].abs().sum() == 0  # the recording of one body
    assert alone and not augmented["inputs"][0][:, 1].any()


@needs_mmaction
@quiet
@pytest.mark.parametrize(
    "member", [{"type": "CropResize", "length": 77}, {"type": "DropFrame", "ratio": 0.3, "fill": "remove"}]
)
def test_the_sampling_takes_clips_whose_length_the_policy_changed(ntu: str, member: dict[str, Any]) -> None:
    """UniformSampleFrames insists on as many frames as total_frames says."""
    config = read_config(CONFIG, ntu)
    for step in config.train_dataloader.dataset.pipeline:
        if step["type"] == "SkelAug":
            step["policy"] = {"type": "Compose", "members": [member]}
    for clips in first_batch(config)["inputs"]:
        assert clips.shape == (1, 2, 100, 25, 3)
        assert clips[0, 0].flatten(1).any(1).all(), "no frame of padding was sampled"


@needs_mmaction
@quiet
def test_workers_of_mmengine(ntu: str) -> None:
    """Its worker_init_fn seeds every epoch alike; the augmentation still differs, and repeats for a seed."""
    from mmengine.runner import Runner

    config = read_config(CONFIG, ntu)
    loader = copy.deepcopy(config.train_dataloader)
    loader.update(num_workers=2, sampler={"type": "DefaultSampler", "shuffle": False})
    loader.dataset.pipeline = [
        step for step in loader.dataset.pipeline if step["type"] != "UniformSampleFrames"
    ]  # leaves skelaug the only one that draws
    loader.batch_size = 1

    def run() -> list[torch.Tensor]:
        torch.manual_seed(1)
        made = Runner.build_dataloader(loader, seed=3)
        return [data["inputs"][0] for _ in range(2) for data in made]

    first, again = run(), run()
    half = len(first) // 2
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first[:half], first[half:], strict=True))


@needs_mmaction
@quiet
def test_the_preprocessor_takes_the_place_of_mmaction2s(ntu: str) -> None:
    from mmaction.registry import MODELS

    config = read_config(GPU_CONFIG, ntu)
    data = first_batch(config)
    theirs = MODELS.build({"type": "ActionDataPreprocessor"})
    ours = MODELS.build(config.model.data_preprocessor)
    given = {"inputs": list(data["inputs"]), "data_samples": data["data_samples"]}
    plain = theirs(dict(given), training=True)
    for training in (False, True):
        out = ours(dict(given), training=training)
        assert list(out) == list(plain) and labels(out) == labels(plain)
        assert out["inputs"].shape == plain["inputs"].shape and out["inputs"].dtype == plain["inputs"].dtype
        assert torch.equal(out["inputs"], plain["inputs"]) is not training
    present = plain["inputs"].any(-1).any(-1)
    assert torch.equal(out["inputs"].any(-1).any(-1), present) and not present.all()


@needs_mmaction
@quiet
def test_two_dimensional_poses_keep_their_scores() -> None:
    """The 2D pipeline: coordinates and scores apart before GenSkeFeat joins them."""
    load_mmaction()
    from mmaction.datasets.transforms import FormatGCNInput, GenSkeFeat, PoseDecode, PreNormalize2D, UniformSampleFrames
    from mmcv.transforms import Compose as Pipeline
    from mmengine.registry import TRANSFORMS

    policy = {"type": "Compose", "members": [{"type": "Rotate", "degrees": 20}, {"type": "Reverse", "p": 1.0}]}
    rng = np.random.default_rng(0)
    keypoint = (rng.random((1, 40, 17, 2)) * 500).astype("float16")
    score = rng.random((1, 40, 17)).astype("float16")
    steps = [
        PreNormalize2D(img_shape=(500, 500)),
        TRANSFORMS.build({"type": "SkelAug", "policy": policy, "skeleton": "coco17"}),
        GenSkeFeat(dataset="coco", feats=["j"]),
        UniformSampleFrames(clip_len=40, test_mode=True),
        PoseDecode(),
        FormatGCNInput(num_person=1),
    ]
    out = Pipeline(steps)({"keypoint": keypoint, "keypoint_score": score, "total_frames": 40})["keypoint"]
    assert out.shape == (1, 1, 40, 17, 3) and np.array_equal(out[0, ..., 2], score[:, ::-1])
    before = np.linalg.norm(keypoint[:, ::-1].astype("float64"), axis=-1)
    after = np.linalg.norm(out[0, ..., :2], axis=-1)
    np.testing.assert_allclose(
        after, before, rtol=2e-2, atol=2e-3
    )  # rotated about the middle of the picture, in halves


@needs_mmaction
@quiet
@pytest.mark.parametrize("how", ["without", "pipeline", "preprocessor"])
def test_stgcn_trains_an_epoch_on_nw_ucla(ucla: str, tmp_path: Path, how: str) -> None:
    """mmaction2's recogniser and mmengine's Runner, on the CPU."""
    from mmengine.runner import Runner

    config = for_nw_ucla(read_config(GPU_CONFIG if how == "preprocessor" else CONFIG, ucla))
    if how == "without":
        config = without_skelaug(config)
    config.merge_from_dict({"train_cfg.max_epochs": 1, "param_scheduler": [], "work_dir": str(tmp_path / "work")})
    config.merge_from_dict(
        {"randomness": {"seed": 0}, "log_level": "ERROR", "experiment_name": f"{how}-{id(tmp_path)}"}
    )
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    scalars = runner.message_hub.log_scalars
    losses = scalars["train/loss"].data[0]
    assert len(losses) == 45 and np.isfinite(losses).all() and losses[-10:].mean() < losses[:10].mean()
    print(f"{how}: loss {losses[0]:.3f} … {losses[-1]:.3f}, accuracy {scalars['val/acc/top1'].data[0][-1]:.3f}")
    changed = [name for name, value in runner.model.state_dict().items() if not torch.equal(value, before[name])]
    assert any("backbone" in name for name in changed) and any("cls_head" in name for name in changed)
    kind = "SkelAugDataPreprocessor" if how == "preprocessor" else "ActionDataPreprocessor"
    assert type(runner.model.data_preprocessor).__name__ == kind
