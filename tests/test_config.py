"""However a policy or a skeleton is given, the same one comes out; what cannot be meant is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, keys, make_batch

import skelaug
from skelaug import OneOf, config, policies, skeletons
from skelaug import transforms as T

NTU = skeletons["ntu25"]


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


def test_every_way_of_saying_it(tmp_path: Path) -> None:
    expected = policies.hiclr(NTU, strong="all", stream="bone")
    preset = {"preset": "hiclr", "skeleton": "ntu25", "strong": "all", "stream": "bone"}
    file = written(tmp_path, "{preset: hiclr, skeleton: ntu25, strong: all, stream: bone}")
    ways: list[tuple[Any, ...]] = [
        (expected,),
        (preset,),
        ({k: v for k, v in preset.items() if k != "skeleton"}, NTU),
        ({k: v for k, v in preset.items() if k != "skeleton"}, "ntu25"),
        ({**preset, "skeleton": NTU.to_dict()}, "coco17"),  # what the policy says itself holds
        ({**preset, "skeleton": NTU},),
        ({**preset, "skeleton": {"skeleton": "ntu25"}},),
        (config.to_dict(expected),),
        (file,),
        (str(file), "coco17"),
    ]
    for way in ways:
        assert repr(config.resolve(*way)) == repr(expected), way
    assert repr(config.from_yaml(file)) == repr(config.from_yaml(file.read_text())) == repr(expected)
    assert config.resolve(expected) is expected
    assert repr(config.resolve("hiclr", "ntu25")) == repr(policies.hiclr(NTU))


def test_a_skeleton_fills_what_asks_for_one(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
type: Compose
members:
  - {type: Center, skeleton: coco17}
  - {type: SwapSides, p: 0.3}
  - {type: Normalize}
  - {preset: ctrgcn, length: 20}
  - {type: DropEdges, p: 0.1, graph: {skeleton: ntu25}}
""",
    )
    made = config.resolve(file, SKELETON)
    assert made[0].skeleton is skeletons["coco17"] and made[1].skeleton is SKELETON and made[4].graph is NTU
    assert made[1].p == 0.3 and made[3][0].length == 20
    assert repr(config.from_dict(config.to_dict(made))) == repr(made)
    with pytest.raises(ValueError, match=r"policy.yaml: .*SwapSides does not take these arguments: .*'skeleton'"):
        config.resolve(file)


def test_a_mapping_of_any_kind() -> None:
    """A framework's configuration is often a dict of its own."""

    class Config(dict[str, Any]):
        pass

    data = Config(type="OneOf", members=[Config(type="Shear", amount=0.2), Config(preset="crossclr")], weights=[1, 3])
    with pytest.raises(ValueError, match="member 1 must be a skelaug Transform"):
        config.resolve(data, "ntu25")
    data["members"] = (data["members"][0], Config(type="Rotate", degrees=(10, 20)))
    assert repr(config.resolve(data)) == repr(OneOf([T.Shear(0.2), T.Rotate((10, 20))], weights=(1, 3)))


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    bad: list[tuple[Any, str]] = [
        ("hiclrr", "no preset 'hiclrr'; nearest: hiclr, .*; known: aimclr, .*; or give an existing .yaml file"),
        ("hiclr", r"preset 'hiclr' needs the skeleton of the data, such as \{'preset': 'hiclr', 'skeleton': 'ntu25'\}"),
        ({"preset": 3}, "no preset 3"),
        ({"preset": "hiclr", "skeleton": "ntu26"}, "no skeleton 'ntu26'; nearest: ntu25; known: ntu25"),
        ({"preset": "hiclr", "skeleton": "ntu25", "strength": 1}, "does not take these arguments: .*'strength'"),
        ({"preset": "hiclr", "skeleton": "ntu25", "strong": "huge"}, "strong must be one of 'mask'"),
        ({"type": "SwapSides", "skeleton": "ntu26"}, "no skeleton 'ntu26'; nearest: ntu25; known: ntu25"),
        ({"type": ["Shear"]}, r"unknown type \['Shear'\]; known: AddEdges"),
        (tmp_path / "none.yaml", "none.yaml: no such file"),
        ("none.yml", "none.yml: no such file"),
        (written(tmp_path, "{type: Shear, amount: [1, 2"), "policy.yaml: not YAML: .*line 1"),
        (tmp_path / "policy.yaml", "policy.yaml: not YAML"),
    ]
    for given, message in bad:
        with pytest.raises(ValueError, match=message):
            config.resolve(given)
    with pytest.raises(ValueError, match="a mapping with a 'type'"):
        config.resolve(written(tmp_path, "- 3"), "ntu25")
    for wrong in (3, None, T.Shear, [T.Shear(0.1)]):
        with pytest.raises(TypeError, match=r"expected a transform or policy, the name of a preset, .*; got "):
            config.resolve(wrong)  # type: ignore[arg-type]
    for skeleton in ("ntu26", 25):
        with pytest.raises(ValueError, match=f"no skeleton {skeleton!r}; .*known: ntu25"):
            config.resolve("hiclr", skeleton)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Skeleton.from_dict: expected name, joints"):
        config.find_skeleton({"name": "x"})


def test_a_class_that_nobody_registered_has_no_plain_form() -> None:
    class Own(skelaug.Transform):
        pass

    with pytest.raises(TypeError, match="Own is neither a transform of skelaug nor registered as one"):
        config.to_dict(Own())

    class Shear(skelaug.Transform):
        pass

    with pytest.raises(TypeError, match="Shear is neither"):
        config.to_dict(Shear())


def test_what_is_resolved_draws_the_same() -> None:
    batch = make_batch()
    a, b = (policies.crossclr(SKELETON), config.resolve("crossclr", SKELETON))
    assert a.views(batch, keys=keys(5))[0].x.equal(b.views(batch, keys=keys(5))[0].x)


# --- there and back --------------------------------------------------------------------------------------------------


def there_and_back(item: Any) -> Any:
    """Through YAML's text, and by eval of the repr: both must give the same."""
    text = config.to_yaml(item)
    again = config.from_yaml(text)
    assert config.to_yaml(again) == text and repr(again) == repr(item)
    return again


@pytest.mark.parametrize("mode", ["independent", "nested"])
def test_stages_may_have_any_name(mode: str) -> None:
    names = ("type", "preset", "skeleton", "tensor", "view", "of", "stages", "mode", "stream", "dtype", "members")
    stages = {name: [T.Shear(0.1 * i), T.Center(SKELETON)] for i, name in enumerate(names)}
    again = there_and_back(skelaug.GrowingPolicy(stages, mode=mode, stream=T.Bone(SKELETON)))
    assert again.names == names and again.mode == mode
    only = there_and_back(skelaug.GrowingPolicy({"skeleton": T.Shear(0.5)}))
    assert only.names == ("skeleton",) and there_and_back(skelaug.GrowingPolicy({"tensor": []})).names == ("tensor",)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_graph_keeps_its_type(dtype: torch.dtype) -> None:
    graph = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    for again in (there_and_back(T.DropEdges(0.1, graph)), config.resolve(config.to_dict(T.AddEdges(0.1, graph)))):
        assert again.graph.dtype == dtype and again.graph.equal(graph)
    by_hand = config.from_dict({"type": "DropEdges", "graph": {"tensor": [[[1, 0], [0, 1]]]}})
    assert by_hand.graph.dtype == torch.float32 and by_hand.graph.equal(torch.eye(2)[None])


def test_numpy_numbers_have_a_plain_form() -> None:
    item = skelaug.Compose(
        [
            T.Shear(np.float32(0.5), p=np.float64(0.5)),
            T.Rotate((np.int64(10), np.float32(20))),
            T.SegmentSample(np.int32(4)),
        ],
        p=1,
    )
    there_and_back(T.Shear(np.float32(0.1)))
    again = there_and_back(item)
    assert again[0].p == 0.5 and again[1].degrees == (10, 20) and again[2].length == 4
    assert there_and_back(OneOf([T.Shear(0.1), T.Reverse()], weights=np.array([1.0, 3.0]))).weights == (1.0, 3.0)


@pytest.mark.parametrize("index", [0, 1, 2, -1])
def test_a_view_comes_back(index: int, tmp_path: Path) -> None:
    policy = policies.hiclr(SKELETON, stream="bone").with_(mode="nested")
    view = policy[index]
    assert config.to_dict(view) == {"view": index % 3, "of": config.to_dict(policy)}
    again = there_and_back(view)
    assert repr(again) == f"{policy!r}[{index % 3}]"
    batch = make_batch()
    assert again(batch, keys=keys(5)).x.equal(policy.views(batch, keys=keys(5))[index].x)
    there_and_back(skelaug.Compose([view, T.Reverse()]))
    file = written(tmp_path, "{view: 1, of: {preset: hiclr}}")
    assert repr(config.resolve(file, SKELETON)) == repr(policies.hiclr(SKELETON)[1])


def test_views_that_are_none() -> None:
    policy = config.to_dict(policies.crossclr(SKELETON))
    wrong: list[tuple[Any, str]] = [
        ({"view": 5, "of": policy}, "from_dict: no view 5: view 5 of a GrowingPolicy with 1 views"),
        ({"view": "x", "of": policy}, "from_dict: no view 'x': .*index must be a whole number"),
        ({"view": 0, "of": {"type": "Reverse"}}, "from_dict: no view 0: .*policy must be a GrowingPolicy"),
        ({"view": 0}, "or a 'view' and the policy that it is 'of'"),
        ({"view": 0, "of": 3}, "got 3"),
        ({"view": 0, "of": policy, "p": 0.5}, "or a 'view' and the policy that it is 'of'"),
    ]
    for data, message in wrong:
        with pytest.raises(ValueError, match=message):
            config.from_dict(data)


def test_what_has_no_plain_form() -> None:
    for value in (3, None, "hiclr", T.Shear):
        with pytest.raises(TypeError, match=r"to_dict\(.*\): expected a transform or policy, got"):
            config.to_dict(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"to_dict: SkeleAdaIN\(style=…\) holds a batch, which has no plain form"):
        config.to_dict(T.SkeleAdaIN(style=make_batch()))
    for tensor in ({"tensor": [[1], [2, 3]]}, {"tensor": "x"}, {"tensor": [[[1.0]]], "dtype": "float33"}):
        with pytest.raises(ValueError, match="from_dict: a tensor"):
            config.from_dict({"type": "DropEdges", "graph": tensor})
