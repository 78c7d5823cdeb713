"""Wrong arguments of the adapters end in the package's own errors, which name a callable, or in a documented result."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import default_collate

import skelaug
from skelaug import Augment, AugmentBatch, Collate, policies
from skelaug import transforms as T
from skelaug.compat import aimclr, ctrgcn
from skelaug.compat.datasets import AugmentColumn
from skelaug.compat.pyskl import SkelAug

CLIP = np.ones((3, 12, 25, 2), np.float32)
X = torch.ones(2, 3, 12, 25, 2)
KEYPOINT = np.ones((2, 12, 25, 3), np.float32)

#: What is tried for every parameter of every callable.
WRONG: dict[str, Any] = {
    "None": None,
    "text": "wrong",
    "fraction": 1.5,
    "NaN": math.nan,
    "infinity": math.inf,
    "negative": -1,
    "zero": 0,
    "huge": 10**30,
    "True": True,
    "list": [],
    "texts": ["a", "b"],
    "dict": {},
    "object": object(),
    "class": T.Shear,
    "matrix": np.ones((3, 4), np.float32),
    "whole clip": np.ones((3, 12, 25, 2), np.int64),
    "complex clip": np.ones((3, 12, 25, 2), np.complex64),
    "text clip": np.full((3, 12, 25, 2), "a"),
    "no frames": np.ones((3, 0, 25, 2), np.float32),
    "one channel": np.ones((1, 12, 25, 2), np.float32),
    "tensor": torch.ones(2),
    "whole tensor": torch.ones(2, 3, 12, 25, 2, dtype=torch.int64),
    "meta": torch.ones(2, 3, 12, 25, 2, device="meta"),
}


def augmented(**options: Any) -> Any:
    batch = {"x": X, "mask": X[:, 0].bool(), "length": torch.tensor([12, 5]), "ids": torch.arange(2)}
    batch |= options.pop("batch", {})
    epoch = options.pop("epoch", 0)
    augment = AugmentBatch(**{"policy": T.Shear(0.5), "key": "x"} | options)
    augment.set_epoch(epoch)
    return augment(batch)


def collated(samples: Any = None, **options: Any) -> Any:
    collate = Collate(**{"policy": T.Shear(0.5)} | options)
    collate.set_epoch(0)
    return collate([(CLIP, 0, 1), (CLIP, 1, 2)] if samples is None else samples)


def at_the_model(**options: Any) -> Any:
    model = Augment(**{"model": nn.Flatten(), "policy": T.Shear(0.5)} | {k: v for k, v in options.items() if k != "x"})
    return model(options.get("x", X))


def column(rows: Any = None, clip: Any = CLIP, **options: Any) -> Any:
    augment = AugmentColumn(**{"policy": T.Shear(0.5), "column": "x"} | options)
    return augment({"x": [clip, clip]} if rows is None else rows)


def step(results: Any = None, **options: Any) -> Any:
    names = ("policy", "skeleton", "view", "coords")
    augment = SkelAug(**{"policy": T.Shear(0.5)} | {k: options.pop(k) for k in names if k in options})
    return augment({"keypoint": KEYPOINT, "total_frames": 12} | options if results is None else results)


def relabelled(**options: Any) -> Any:
    return step(policy=T.Mirror(skelaug.skeletons["ntu25"], label_map={0: 1, 1: 0}), **options)


def in_the_batch(name: str) -> Callable[[Any], Any]:
    """The entry ``name`` of the batch is wrong."""
    option = {} if name == "x" else {name: name}
    return lambda value: augmented(batch={name: value}, **option)


def option(call: Callable[..., Any], name: str) -> Callable[[Any], Any]:
    return lambda value: call(**{name: value})


#: A callable's parameter, how it is called, and which of the wrong values are right for it.
CASES: dict[str, tuple[Callable[[Any], Any], str]] = {}
for _name, _fine in {
    "policy": "",
    "skeleton": "None",
    "layout": "",
    "sizes": "None, dict",
    "key": "None",
    "mask": "None",
    "length": "None",
    "label": "None",
    "label_axis": "None",
    "ids": "None",
    "seed": "negative, zero, huge, True",
    "epoch": "zero, True",
}.items():
    CASES[f"AugmentBatch.{_name}"] = option(augmented, _name), _fine
CASES["AugmentBatch.epoch"] = (lambda value: augmented(epoch=value, ids="ids")), "zero, True"
CASES["AugmentBatch.x"] = in_the_batch("x"), "meta"
CASES["AugmentBatch.mask entry"] = in_the_batch("mask"), ""
CASES["AugmentBatch.length entry"] = in_the_batch("length"), ""
CASES["AugmentBatch.label entry"] = in_the_batch("label"), "tensor"
CASES["AugmentBatch.ids entry"] = in_the_batch("ids"), ""
CASES["AugmentBatch()"] = (lambda value: AugmentBatch(T.Shear(0.5))(value)), "meta"
for _name, _fine in {
    "policy": "",
    "skeleton": "None",
    "layout": "",
    "sizes": "None, dict",
    "key": "None, zero",
    "mask": "None",
    "length": "None, negative",  # the last entry
    "label": "None, negative",
    "label_axis": "None",
    "ids": "None, negative",
    "seed": "negative, zero, huge, True",
    "collate": "",
    "samples": "None",
}.items():
    CASES[f"Collate.{_name}"] = option(collated, _name), _fine
for _name, _fine in {
    "model": "",
    "policy": "",
    "skeleton": "None",
    "layout": "",
    "sizes": "None, dict",
    "key": "None, text, negative, zero, huge",  # the batch is the skeletons
    "x": "meta",
}.items():
    CASES[f"Augment.{_name}"] = option(at_the_model, _name), _fine
for _name, _fine in {
    "policy": "",
    "skeleton": "None",
    "layout": "",
    "sizes": "None, dict",
    "column": "",
    "rows": "None",
    "clip": "no frames",
}.items():
    CASES[f"AugmentColumn.{_name}"] = option(column, _name), _fine
for _name, _fine in {
    "policy": "",
    "skeleton": "None",
    "view": "negative, zero",
    "coords": "None",
    "results": "None",
    "keypoint": "one channel",  # one person, two coordinates
    "keypoint_score": "None",
    "total_frames": "zero",
    "label": "*",  # is not read
}.items():
    CASES[f"SkelAug.{_name}"] = option(step, _name), _fine
CASES["AugmentColumn.rows of the column"] = (lambda value: column(rows={"x": value})), "list, dict, meta"
CASES["SkelAug.label of Mirror"] = option(relabelled, "label"), "negative, zero"
CASES["SkelAug.num_clips"] = (lambda value: step(num_clips=value, frame_inds=np.arange(12))), "negative, zero"

_FLAG, _SHARE = {"faithful": "True"}, {"p": "zero"}
_TOOLS: dict[Any, dict[str, str]] = {
    aimclr.shear: {"data_numpy": "", "r": "fraction, zero, huge"} | _FLAG,
    aimclr.temperal_crop: {"data_numpy": "one channel", "temperal_padding_ratio": "huge"} | _FLAG,
    aimclr.random_spatial_flip: {"seq": "one channel", "skeleton": ""} | _FLAG | _SHARE,
    aimclr.random_time_flip: {"seq": "one channel"} | _FLAG | _SHARE,
    aimclr.random_rotate: {"seq": ""} | _FLAG,
    aimclr.gaus_noise: {
        "data_numpy": "one channel",
        "mean": "fraction, negative, zero, huge",
        "std": "fraction, zero, huge",
    }
    | _FLAG
    | _SHARE,
    aimclr.gaus_filter: {"data_numpy": "one channel"} | _FLAG,
    aimclr.axis_mask: {"data_numpy": "one channel"} | _FLAG | _SHARE,
    ctrgcn.valid_crop_resize: {"data_numpy": "one channel", "valid_frame_num": "", "p_interval": "", "window": ""}
    | _FLAG,
    ctrgcn.random_rot: {"data_numpy": "", "theta": "fraction, zero, huge"} | _FLAG,
    ctrgcn.random_move: {
        "data_numpy": "",
        "angle_candidate": "",
        "scale_candidate": "",
        "transform_candidate": "",
        "move_time_candidate": "",
    }
    | _FLAG,
    ctrgcn.random_shift: {"data_numpy": "one channel"} | _FLAG,
    ctrgcn.auto_pading: {"data_numpy": "one channel", "size": "", "random_pad": "True"} | _FLAG,
    ctrgcn.random_choose: {"data_numpy": "one channel", "size": "", "auto_pad": "True"} | _FLAG,
}
_NEEDED: dict[Any, dict[str, Any]] = {
    ctrgcn.valid_crop_resize: {"valid_frame_num": 12, "p_interval": [0.5, 1], "window": 8},
    ctrgcn.auto_pading: {"size": 20},
    ctrgcn.random_choose: {"size": 8},
}


def tool_with(tool: Any, name: str) -> Callable[[Any], Any]:
    clip = "seq" if "seq" in _TOOLS[tool] else "data_numpy"
    return lambda value: tool(**{clip: CLIP} | _NEEDED.get(tool, {}) | {name: value})


for _tool, _parameters in _TOOLS.items():
    for _name, _fine in _parameters.items():
        CASES[f"{_tool.__module__.rpartition('.')[2]}.{_tool.__name__}.{_name}"] = tool_with(_tool, _name), _fine
for _module in (aimclr, ctrgcn):
    CASES[f"{_module.__name__}.with_options.faithful"] = (
        (
            lambda value, module=_module: module.with_options(faithful=value)  # type: ignore[misc]
        ),
        "True",
    )
CASES["aimclr.with_options.skeleton"] = (lambda value: aimclr.with_options(skeleton=value)), ""

OURS = re.compile(
    r"(AugmentBatch|Collate|Augment|AugmentColumn|SkelAug|SkeletonBatch|aimclr|ctrgcn|keys|to_layout|Shear)\b[.:( ]"
)


def outcome(call: Callable[[Any], Any], value: Any) -> BaseException | None:
    try:
        call(value)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("case", CASES)
def test_wrong_arguments_end_in_our_own_errors(case: str) -> None:
    call, fine = CASES[case]
    for name, value in WRONG.items():
        error = outcome(call, value)
        if fine == "*" or name in fine.split(", "):
            assert error is None, f"{case}={name} is right, but: {error!r}"
        else:
            assert error is not None, f"{case}={name} was accepted"
            assert isinstance(error, TypeError | ValueError), f"{case}={name}: {error!r}"
            assert OURS.match(str(error)), f"{case}={name}: {error!r}"


def test_every_public_callable_was_tried() -> None:
    for module in (aimclr, ctrgcn):
        for name in module.__all__:
            assert any(name in case for case in CASES), name
    print(f"\n{len(CASES) * len(WRONG)} wrong arguments of {len(CASES)} parameters")


def test_a_collate_of_the_users_own_speaks_for_itself() -> None:
    assert collated(collate=default_collate)[0].shape == X.shape
    with pytest.raises(ZeroDivisionError):
        collated(collate=lambda samples: 1 / 0)


def test_a_policy_of_several_views_is_named() -> None:
    with pytest.raises(TypeError, match="one view"):
        Augment(nn.Flatten(), policies.hiclr(skelaug.skeletons["ntu25"]))
