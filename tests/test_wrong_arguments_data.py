"""Every public callable of skelaug that is no transform and no batch, with wrong arguments in every place.

Each call must end in the package's own clear error, whose message names the callable and the argument, or in a result
that the documentation promises.
"""

from __future__ import annotations

import math
import re
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, make_batch
from matplotlib.figure import Figure

import skelaug
from skelaug import Skeleton, config, motion, plot, plugins, policies, relatives, skeletons, to_layout
from skelaug import transforms as T

PACKAGE = str(Path(skelaug.__file__).parent)

#: What nobody can mean, whatever the argument is; a call says which of them its argument takes.
WRONG: dict[str, Any] = {
    "None": None,
    "bool": True,
    "negative": -1,
    "float": 1.5,
    "nan": math.nan,
    "infinity": math.inf,
    "string": "nonsense",
    "empty string": "",
    "bytes": b"x",
    "object": object(),
    "type": int,
    "list": [],
    "list of None": [None],
    "nested": [[1, 2], [3]],
    "mapping": {},
    "strange mapping": {3: None, "x": 1},
    "scalar tensor": torch.tensor(0.5),
    "empty tensor": torch.empty(0, 3),
    "tensor of NaN": torch.full((2, 3), math.nan),
    "whole tensor": torch.ones(2, 3, dtype=torch.int64),
    "array": np.ones((2, 2)),
    "array of objects": np.array([None, "x"], dtype=object),
    "clip": torch.ones(1, 3, 2, 5, 1),
}


@dataclass(frozen=True)
class Call:
    """A callable with arguments that work, and which of the wrong ones it takes in which place.

    Attributes:
        name: as messages have it.
        function: what is called.
        valid: arguments by name.
        takes: names in WRONG by argument, separated by commas: what the documentation allows there.
        says: what a message must hold instead of the callable and the argument, by argument.
    """

    name: str
    function: Callable[..., Any]
    valid: dict[str, Any]
    takes: dict[str, str] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)


def axes() -> Any:
    return Figure().subplots()


S = SKELETON
CLIP = make_batch(1)
TARGET = Path(tempfile.gettempdir()) / "skelaug_wrong_arguments" / "picture.png"
STREAM = {"skeleton": S, "stream": "joint"}
CALLS = [
    Call("hiclr", policies.hiclr, {**STREAM, "strong": "mask", "ratio": 0.1, "fill": 0.0, "graph": None, "layers": 1},
         {"ratio": "", "fill": "negative, float", "graph": "None"},
         {"ratio": r"(?s)JointMask.*ratio", "fill": r"(?s)JointMask.*fill",
          "graph": r"(?s)DropEdges.*graph", "layers": r"(?s)DropEdges.*layers"}),
    Call("hiclr", lambda **given: policies.hiclr(S, "edges", **given), {"graph": None, "layers": 1},
         {"graph": "None", "layers": ""},
         {"graph": r"(?s)(DropEdges|hiclr).*graph", "layers": r"(?s)(DropEdges|hiclr).*layers"}),
    Call("hiclr_released", policies.hiclr_released, {**STREAM, "ratio": 0.1, "fill": 0.0},
         {"fill": "negative, float"}, {"ratio": r"(?s)JointMask.*ratio", "fill": r"(?s)JointMask.*fill"}),
    Call("aimclr", policies.aimclr, STREAM),
    Call("crossclr", policies.crossclr, STREAM),
    Call("ctrgcn", policies.ctrgcn, {"skeleton": S, "length": 8}, {"length": ""}, {"length": r"CropResize.*length"}),
    Call("pyskl_strong", policies.pyskl_strong, {"skeleton": S, "length": 8}, {"length": ""},
         {"length": r"SegmentSample.*length"}),
    Call("skateformer", policies.skateformer, {"skeleton": S, "length": 8}, {"length": ""},
         {"length": r"SegmentSample.*length"}),
    Call("Skeleton", Skeleton,
         {"name": "x", "joints": ("a", "b", "c"), "parents": (0, 0, 0), "pairs": ((1, 2),), "centre": 0,
          "spine": (0, 1), "shoulders": (1, 2), "limbs": {"all": (0, 1, 2)}, "up": "z"},
         {"name": "string", "pairs": "list, empty tensor", "spine": "None", "shoulders": "None",
          "limbs": "None, mapping"}),
    Call("Skeleton.from_edges", Skeleton.from_edges,
         {"edges": [(0, 1), (0, 2)], "num_joints": 3, "name": "x", "joints": ["a", "b", "c"], "pairs": [(1, 2)],
          "root": 0, "centre": 0, "spine": (0, 1), "shoulders": (1, 2), "limbs": {"all": [0, 1, 2]}, "up": "z"},
         {"name": "string", "num_joints": "None", "joints": "None", "pairs": "None, list, empty tensor", "root": "None",
          "centre": "None", "spine": "None", "shoulders": "None", "limbs": "None, mapping"},
         dict.fromkeys(("name", "joints", "pairs", "centre", "spine", "shoulders", "limbs", "up", "num_joints"),
                       r"Skeleton.*(name|joints|pairs|centre|spine|shoulders|limbs|up|edges)")),
    Call("Skeleton.subset", skeletons["ntu25"].subset, {"joints": ["neck", 3], "name": "x"},
         {"name": "None, string"}, {"joints": r"Skeleton.subset.*joints|has no joint", "name": r"Skeleton\(.*name"}),
    Call("remap", skelaug.remap,
         {"x": torch.ones(1, 3, 2, 17, 1), "source": "coco17", "target": "ntu25", "fill": "nearest"},
         {}, {"x": "remap"}),
    Call("joint_map", relatives.joint_map, {"source": "coco17", "target": "ntu25", "fill": "nearest"}),
    Call("Skeleton.from_dict", Skeleton.from_dict, {"data": S.to_dict()}, {},
         {"data": r"Skeleton.from_dict: expected"}),
    Call("partitions", S.partitions, {"strategy": "spatial"}),
    Call("index", S.index, {"joint": "neck"}, {}, {"joint": "has no joint"}),
    Call("skeletons", skeletons.__getitem__, {"name": "ntu25"}, {}, {"name": "(?s)no skeleton .*known: ntu25"}),
    Call("resolve", config.resolve, {"policy": {"preset": "hiclr", "skeleton": "ntu25"}, "skeleton": S},
         {"skeleton": "None"},
         {"policy": r"resolve|from_dict|no preset|no such file", "skeleton": r"no skeleton|Skeleton.from_dict"}),
    Call("find_skeleton", config.find_skeleton, {"given": S}, {},
         {"given": r"no skeleton|Skeleton.from_dict: expected"}),
    Call("to_dict", config.to_dict, {"item": T.Shear(0.5)}, {}, {"item": "to_dict"}),
    Call("to_yaml", config.to_yaml, {"item": T.Shear(0.5)}, {}, {"item": "to_dict"}),
    Call("from_yaml", config.from_yaml, {"source": "{type: Shear}"}, {}, {"source": "from_yaml|from_dict|YAML"}),
    Call("from_dict", config.from_dict, {"data": {"type": "Shear"}}, {}, {"data": "from_dict"}),
    Call("from_dict", lambda value: config.from_dict({"type": value}), {"value": "Shear"}, {}, {"value": "from_dict"}),
    Call("from_dict", lambda value: config.from_dict({"preset": value, "skeleton": "ntu25"}), {"value": "hiclr"}, {},
         {"value": "no preset"}),
    Call("from_dict", lambda value: config.from_dict({"preset": "hiclr", "skeleton": value}), {"value": "ntu25"}, {},
         {"value": r"no skeleton|Skeleton.from_dict|needs the skeleton"}),
    Call("from_dict", lambda value: config.from_dict({"type": "Compose", "members": value}), {"value": []},
         {"value": "list, mapping, empty tensor"}, {"value": "Compose|from_dict"}),
    Call("from_dict", lambda value: config.from_dict({"type": "GrowingPolicy", "stages": value}), {"value": {"a": []}},
         {}, {"value": "GrowingPolicy|from_dict"}),
    Call("from_dict", lambda value: config.from_dict({"type": "GrowingPolicy", "stages": {"a": value}}), {"value": []},
         {"value": "list, mapping, empty tensor"}, {"value": "GrowingPolicy|from_dict|no skeleton|expected a mapping"}),
    Call("from_dict", lambda value: config.from_dict({"type": "DropEdges", "graph": {"tensor": value}}),
         {"value": [[[1.0]]]}, {}, {"value": "from_dict|DropEdges"}),
    Call("from_dict",
         lambda value: config.from_dict({"type": "DropEdges", "graph": {"tensor": [[[1.0]]], "dtype": value}}),
         {"value": "float64"}, {}, {"value": "from_dict"}),
    Call("synthetic_motion", motion.synthetic_motion,
         {"skeleton": S, "n": 2, "frames": 3, "persons": 1, "gaps": False, "dims": 3, "actions": ["wave"],
          "generator": None}, {"gaps": "bool", "actions": "None", "generator": "None"}),
    Call("sample_motion", motion.sample_motion, {"clips": ["walk"], "length": 8, "centre": True},
         {"clips": "None", "length": "None", "centre": "bool"}),
    Call("to_layout", to_layout, {"x": torch.zeros(2, 3), "source": "NT", "target": "TN", "contiguous": False, "N": 2},
         {"x": "tensor of NaN, whole tensor", "contiguous": "bool"},
         {"x": "to_layout", "source": "to_layout", "target": "to_layout"}),
    Call("plot.strip", lambda clip, **given: plot.strip(clip, **{"skeleton": S} | given),
         {"clip": CLIP, "skeleton": S, "before": CLIP, "vectors": "bone", "frames": 2, "up": "z", "ground": True,
          "ax": axes()}, {"before": "None", "vectors": "None", "up": "None", "ground": "bool", "ax": "None"}),
    Call("plot.skeleton", plot.skeleton,
         {"x": CLIP, "skeleton": S, "sample": 0, "frame": 0, "coords": 3, "up": "z", "camera": (0, 0), "ground": True,
          "ax": axes()},
         {"sample": "negative", "frame": "None, negative", "coords": "None", "up": "None",
          "ground": "None, bool", "ax": "None"}),
    Call("plot.difference", plot.difference,
         {"before": CLIP, "after": T.Shear(0.5), "skeleton": S, "sample": 0, "frame": 0, "seed": 0, "arrows": True,
          "coords": 3, "up": "z", "camera": (0, 0), "colorbar": False, "ax": axes()},
         {"sample": "negative", "frame": "None, negative", "coords": "None", "up": "None",
          "arrows": "bool", "colorbar": "bool", "seed": "negative",
          "ax": "None"}),
    Call("plot.animate", plot.animate,
         {"clips": CLIP, "views": T.Shear(0.5), "skeleton": S, "path": TARGET.with_suffix(".html"), "samples": [0],
          "names": ["a"], "seed": 0, "coords": 3, "up": "z", "camera": (0, 0), "ghost": True, "fps": 30.0, "frames": 8,
          "title": "t"},
         {"views": "None", "skeleton": "None", "path": "None", "samples": "None", "names": "None", "coords": "None",
          "up": "None", "ghost": "bool", "seed": "negative", "fps": "float",
          "title": "None, string, empty string"}),
    Call("plot.ladder", plot.ladder,
         {"rows": [("a", CLIP, [CLIP])], "names": ["x"], "skeleton": S, "title": "t", "up": "-y"},
         {"title": "string, empty string", "up": "None"}),
    Call("plot.ladder", lambda rows: plot.ladder([rows], ["x"], S, title=""), {"rows": ("a", CLIP, [CLIP])}),
    Call("plot.gallery", plot.gallery,
         {"cells": [plot.Cell("a", CLIP, CLIP)], "skeleton": S, "title": "t", "columns": 2, "up": "y"},
         {"title": "string, empty string", "up": "None"}),
    Call("plot.gallery", lambda kind: plot.gallery([plot.Cell("a", CLIP, CLIP, kind)], S, title=""), {"kind": "bone"},
         {"kind": "None"}, {"kind": "plot.Cell.*kind"}),
    Call("plot.save", lambda **given: plot.save(**{"figure": axes().figure} | given), {"path": TARGET}),
    Call("plot.save", plot.save, {"figure": axes().figure, "path": TARGET}),
    Call("plugins", plugins.names, {"kind": "transforms"}),
    Call("plugins", plugins.find, {"kind": "transforms", "name": "Nothing"},
         {"name": "string, empty string"}),
]  # fmt: skip


def wrong_values(call: Call, argument: str) -> dict[str, Any]:
    taken = {name.strip() for name in call.takes.get(argument, "").split(",")}
    assert taken <= WRONG.keys() | {""}, taken - WRONG.keys()
    return {name: value for name, value in WRONG.items() if name not in taken}


def complaint(call: Call, argument: str, value: Any) -> str | None:
    """What is wrong with how a call answers a wrong argument; None if it is answered well."""
    try:
        call.function(**call.valid | {argument: value})
    except Exception as error:
        message = str(error.args[0]) if error.args else ""
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        if not raised_in.startswith(PACKAGE):
            return f"raw {type(error).__name__} of {raised_in}: {message}"
        if not isinstance(error, ValueError | TypeError | KeyError | plugins.PluginError):
            return f"{type(error).__name__}: {message}"
        names = call.says.get(argument, rf"(?s){re.escape(call.name)}.*{argument}")
        return None if re.search(names, message) else f"names not what is wrong: {message}"
    return "is taken without a word"


TRIED = [(call, argument) for call in CALLS for argument in call.valid]


@pytest.mark.parametrize(("call", "argument"), TRIED, ids=lambda v: v.name if isinstance(v, Call) else v)
def test_a_wrong_argument_is_explained(call: Call, argument: str) -> None:
    answers = {name: complaint(call, argument, value) for name, value in wrong_values(call, argument).items()}
    assert {name: answer for name, answer in answers.items() if answer} == {}


@pytest.mark.parametrize(("call", "argument"), TRIED, ids=lambda v: v.name if isinstance(v, Call) else v)
def test_what_the_documentation_allows_is_taken(call: Call, argument: str) -> None:
    call.function(**call.valid)
    for name in filter(None, call.takes.get(argument, "").split(",")):
        call.function(**call.valid | {argument: WRONG[name.strip()]})


def test_how_many_were_tried() -> None:
    count = sum(len(wrong_values(call, argument)) for call, argument in TRIED)
    print(f"wrong arguments of data, skeletons, policies and configurations: {count} tried")
    assert count > 1800
