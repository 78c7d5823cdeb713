"""A skeleton's name stands for it wherever one is taken; what a skeleton lacks is said."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from promises import tried

import skelaug
from skelaug import Skeleton, SkeletonBatch, adapters, config, plot, policies, remap, skeletons
from skelaug import transforms as T
from skelaug_contrib import encoders, train
from skelaug_contrib.checkpoint import export_encoder, load_encoder
from skelaug_contrib.config import DataConfig, EncoderConfig, PretrainConfig
from skelaug_contrib.datasets.format import write
from skelaug_contrib.datasets.pictures import bone_spread
from skelaug_contrib.datasets.preprocess import preparation
from skelaug_contrib.evaluate.features import Coordinates

NAME = "coco17"
CLIP = skelaug.synthetic_motion(NAME, 1, 6, generator=torch.Generator().manual_seed(0))
SMALL = {"widths": (4, 4)}
CONFIG = PretrainConfig(DataConfig("data", frames=6), EncoderConfig(widths=(4, 4)))


def written(skeleton: Any, folder: Path) -> Any:
    parts: dict[str, Any] = {"length": [6], "label": [0], "names": ["a"], "class_names": ["b"]}
    return write(folder / "data", x=CLIP.x.numpy(), skeleton=skeleton, **parts).skeleton


def exported(skeleton: Any, folder: Path) -> Any:
    export_encoder(folder / "encoder.safetensors", CONFIG.encoder.build(NAME), CONFIG, skeleton)
    return load_encoder(folder)[1].skeleton


def first(make: Callable[[Any], Any]) -> Callable[[Any, Path], str]:
    """What takes the skeleton as its first argument and holds it."""
    return lambda skeleton, _: repr(make(skeleton))


#: All that takes a skeleton, by what it makes of it; the folder is for those that write.
TAKERS: dict[str, Callable[[Any, Path], Any]] = {
    **{name: first(getattr(policies, name)) for name in policies.__all__},
    **{
        name: first(getattr(T, name))
        for name in ("Align", "Bone", "BoneLengthTransfer", "BoneMotion", "Center", "LimbMask", "Mirror", "SwapSides")
    },
    **{name: lambda s, _, name=name: repr(getattr(T, name)(skeleton=s)) for name in ("RandomMove", "Shear")},
    "Rotate": lambda s, _: repr(T.Rotate(30, about="nose", skeleton=s)),
    "Scale": lambda s, _: repr(T.Scale((1, 2), about="nose", skeleton=s)),
    "DropEdges": lambda s, _: repr(T.DropEdges(0.1, s)),
    "AddEdges": lambda s, _: repr(T.AddEdges(0.1, graph=s)),
    "resolve": lambda s, _: repr(config.resolve("hiclr", s)),
    "find_skeleton": lambda s, _: config.find_skeleton(s),
    "adapters": lambda s, _: adapters.find_skeleton("x", s),
    "synthetic_motion": lambda s, _: skelaug.synthetic_motion(s, 2, 3).x.shape,
    "remap": lambda s, _: remap(CLIP, s, s).x,
    "ladder": lambda s, _: len(plot.ladder([("a", CLIP, [CLIP])], ["a"], s, title="x").axes),
    "gallery": lambda s, _: len(plot.gallery([plot.Cell("a", CLIP, CLIP)], s, title="x").axes),
    "STGCN": lambda s, _: encoders.STGCN(s, widths=(4, 4)).skeleton,
    "DSTA": lambda s, _: encoders.DSTA(s, blocks=[(4, 4, 2, 1)]).skeleton,
    "build": lambda s, _: encoders.build("stgcn", s, **SMALL).skeleton,
    "EncoderConfig": lambda s, _: CONFIG.encoder.build(s).skeleton,
    "build_model": lambda s, _: repr(train.build_model(CONFIG, s).policy),
    "Coordinates": lambda s, _: Coordinates(s).shoulders,
    "preparation": lambda s, _: repr(preparation(s, 5, align="frame")),
    "bone_spread": lambda s, _: bone_spread(CLIP.x[0].numpy(), s),
    "write": written,
    "export_encoder": exported,
}


@pytest.mark.parametrize("taker", TAKERS)
def test_a_name_stands_for_its_skeleton(taker: str, tmp_path: Path) -> None:
    take = TAKERS[taker]
    results = []
    for i, given in enumerate((NAME, skeletons[NAME])):
        (tmp_path / str(i)).mkdir()
        results.append(take(given, tmp_path / str(i)))
    if isinstance(results[0], np.ndarray | torch.Tensor):
        np.testing.assert_array_equal(*results)
    else:
        assert results[0] == results[1]


@pytest.mark.parametrize("taker", TAKERS)
def test_an_unknown_name_is_told_the_nearest(taker: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no skeleton 'coco18'; nearest: coco17.*known: ntu25"):
        TAKERS[taker]("coco18", tmp_path)


def test_every_transform_that_takes_a_skeleton_is_tried() -> None:
    taking = {name for name in T.__all__ if "skeleton" in inspect.signature(getattr(T, name)).parameters}
    assert taking and taking <= TAKERS.keys()


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("ntu24", "ntu25"), ("NTU-25", "ntu25"), ("ntu", "ntu25"), ("coco", "coco17"), ("COCO_17", "coco17"),
        ("openpose", "openpose18"), ("h36m", "h36m17"), ("mediapipe_hand", "mediapipe_hand21"), ("halpe", "halpe26"),
        ("azure", "azure32"), ("coco_wholebody133", "wholebody133"), ("ap10k", "ap10k17"),
    ],
)  # fmt: skip
def test_the_nearest_names(given: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=rf"Bone\(skeleton='{given}'\): no skeleton '{given}'; nearest: {nearest}"):
        T.Bone(given)


def test_a_name_that_is_near_none_is_told_all() -> None:
    with pytest.raises(KeyError, match="no skeleton 'quadruped'; known: ntu25, kinect20"):
        skeletons["quadruped"]
    with pytest.raises(TypeError, match=r"Bone\(skeleton=25\): skeleton must be a Skeleton or the name of one"):
        T.Bone(25)  # type: ignore[arg-type]


# --- what a skeleton lacks -------------------------------------------------------------------------------------------

CHAIN = Skeleton.from_edges([(0, 1), (1, 2)], name="chain")


@pytest.mark.parametrize(("name", "says"), [("Mirror", "negates the axis alone"), ("SwapSides", "changes nothing")])
def test_without_pairs_there_is_one_warning(name: str, says: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            transform = getattr(T, name)(CHAIN, p=1.0)
    (warning,) = caught
    assert f"{name}: skeleton 'chain' has no pairs of left and right joints, so {name} {says}" in str(warning.message)
    assert warning.filename == __file__
    x = torch.randn(2, 3, 4, 3, 1)
    y = transform(x)
    assert torch.equal(y[:, 1:], x[:, 1:]) and torch.equal(y[:, 0], x[:, 0] if name == "SwapSides" else -x[:, 0])


@pytest.mark.parametrize("skeleton", [CHAIN, Skeleton("one", ("a",), (0,))])
def test_limb_mask_refuses_a_skeleton_of_one_limb(skeleton: Skeleton) -> None:
    with pytest.raises(ValueError, match=rf"LimbMask\(skeleton={skeleton.name!r}\): the skeleton is one limb, 'body'"):
        T.LimbMask(skeleton)


def test_limb_mask_hides_a_finger() -> None:
    x = torch.ones(32, 3, 4, 21, 1)
    y = T.LimbMask("mediapipe_hand21")(x)
    hidden = (y == 0).all(1)[:, 0, :, 0].sum(1)
    assert hidden.tolist() == [4] * 32 and (y[..., 0, :] == 1).all()


@pytest.mark.parametrize("name", skeletons)
def test_every_preset_runs_on_every_known_skeleton(name: str) -> None:
    dims = 2 if skeletons[name].planar else 3
    batch = skelaug.synthetic_motion(name, 3, 24, dims=dims, generator=torch.Generator().manual_seed(0))
    for preset in policies.__all__:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "SwapSides: skeleton")  # one hand has no sides
            policy = getattr(policies, preset)(name)
        views = policy.views(batch) if isinstance(policy, skelaug.GrowingPolicy) else [policy(batch)]
        assert all(isinstance(view, SkeletonBatch) and view.x.isfinite().all() for view in views)
        tried("presets on skeletons", 1)
