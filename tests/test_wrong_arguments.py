"""Wrong arguments of every public callable end in the package's own clear error, or in a documented result.

A pool of values of every kind goes into every argument, one at a time. What is refused must be refused by a raise of
the package's own that names the callable and the argument; what is accepted must be of a kind that the annotation
names, and must then work.
"""

from __future__ import annotations

import inspect
import math
import numbers
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import SKELETON, keys, make_batch, make_mask, make_x
from promises import attempt, is_clear, refuses, tried, x_of
from torch import Tensor

import skelaug
from skelaug import Compose, GrowingPolicy, OneOf, Skeleton, SkeletonBatch, Transform, to_layout
from skelaug import transforms as T

POOL: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "empty string": lambda: "",
    "string": lambda: "no such",
    "x": lambda: "x",
    "bytes": lambda: b"x",
    "0": lambda: 0,
    "1": lambda: 1,
    "2": lambda: 2,
    "7": lambda: 7,
    "-1": lambda: -1,
    "-7": lambda: -7,
    "2**70": lambda: 2**70,
    "0.0": lambda: 0.0,
    "0.5": lambda: 0.5,
    "1.5": lambda: 1.5,
    "-0.5": lambda: -0.5,
    "1e30": lambda: 1e30,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "True": lambda: True,
    "False": lambda: False,
    "complex": lambda: 1j,
    "Decimal": lambda: Decimal("0.5"),
    "Fraction": lambda: Fraction(1, 2),
    "[]": list,
    "()": lambda: (),
    "{}": dict,
    "set": lambda: {1, 2},
    "(0.1,)": lambda: (0.1,),
    "(0.1, 0.2)": lambda: (0.1, 0.2),
    "(0.2, 0.1)": lambda: (0.2, 0.1),
    "three": lambda: (0.1, 0.2, 0.3),
    "(nan, 1)": lambda: (math.nan, 1.0),
    "(0, inf)": lambda: (0.0, math.inf),
    "strings": lambda: ("a", "b"),
    "Nones": lambda: (None, None),
    "negatives": lambda: (-1, -0.5),
    "bools": lambda: (True, False),
    "[0]": lambda: [0],
    "[0, 0]": lambda: [0, 0],
    "[-1]": lambda: [-1],
    "[99]": lambda: [99],
    "nested": lambda: [[0, 1], [1, 0]],
    "{'a': 1}": lambda: {"a": 1},
    "{1: 'b'}": lambda: {1: "b"},
    "{1.5: 2}": lambda: {1.5: 2},
    "object": object,
    "scalar tensor": lambda: torch.tensor(0.5),
    "tensor": lambda: torch.zeros(3),
    "int tensor": lambda: torch.ones(5, dtype=torch.int64),
    "bool tensor": lambda: torch.ones(2, 2, dtype=torch.bool),
    "adjacency": lambda: torch.eye(9).expand(3, 9, 9),
    "nan adjacency": lambda: torch.full((3, 8, 8), math.nan),
    "int x": lambda: torch.ones(5, 3, 12, 8, 2, dtype=torch.int64),
    "np.float32": lambda: np.float32(0.5),
    "np.int64": lambda: np.int64(1),
    "array": lambda: np.array([0.1, 0.2]),
    "objects": lambda: np.array([None, "a"], dtype=object),
    "class": lambda: T.Shear,
    "function": lambda: print,
    "transform": lambda: T.Shear(0.5),
    "skeleton": lambda: SKELETON,
    "small skeleton": lambda: Skeleton("two", ("left_hip", "right_hip"), (0, 0), ((0, 1),)),
    "dtype": lambda: torch.float32,
    "range": lambda: range(2),
    "iterator": lambda: iter([0.1, 0.2]),
    "batch": make_batch,
    "slice": lambda: slice(0, 2),
    "Ellipsis": lambda: ...,
}

# --- what an annotation allows ---------------------------------------------------------------------------------------


def _real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _pair(value: Any) -> bool:
    several = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
    return several and len(value) == 2 and all(map(_real, value)) and value[0] <= value[1]


def _coords(value: Any) -> bool:
    several = isinstance(value, list | tuple) and len(value) > 0 and all(_whole(v) and v >= 0 for v in value)
    return value is None or (_whole(value) and value > 0) or (several and len(set(value)) == len(value))


def _members(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Tensor)


KINDS: dict[str, Callable[[Any], bool]] = {
    "float": _real,
    "int": _whole,
    "bool": lambda v: isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "None": lambda v: v is None,
    "tuple[float, float]": _pair,
    "Skeleton": lambda v: isinstance(v, Skeleton),
    "Tensor": lambda v: isinstance(v, Tensor),
    "SkeletonBatch": lambda v: isinstance(v, SkeletonBatch),
    "Transform": lambda v: isinstance(v, Transform),
    "Any": _coords,
    "Iterable[Transform]": _members,
    "Sequence[float]": lambda v: isinstance(v, Sequence | np.ndarray) and all(map(_real, v)),
    "Mapping[int, int]": lambda v: isinstance(v, Mapping) and all(_whole(i) for pair in v.items() for i in pair),
    "Mapping[str, Stage]": lambda v: isinstance(v, Mapping) and all(isinstance(k, str) for k in v),
    "Stage": lambda v: isinstance(v, Transform) or _members(v),
}


def fits(annotation: Any, value: Any) -> bool:
    """The value is of a kind that the annotation names."""
    kinds = [kind.strip() for kind in str(annotation).split("|")]
    unknown = [kind for kind in kinds if kind not in KINDS]
    assert not unknown, f"no kind for the annotation {unknown} of {annotation!r}"
    return any(KINDS[kind](value) for kind in kinds)


NEEDED: dict[str, Any] = {
    "skeleton": SKELETON,
    "degrees": 30,
    "factor": (0.8, 1.2),
    "distance": 0.1,
    "members": [T.Shear(0.5), T.Rotate(30)],
    "stages": {"a": [T.Shear(0.5)], "b": [T.JointMask(0.3)]},
}
CLASSES = [*(getattr(T, name) for name in T.__all__), Compose, OneOf, GrowingPolicy]


def works(item: Any) -> None:
    """What was accepted is used once; its repr must not fail either."""
    repr(item)
    batch = make_batch()
    out = item.views(batch, keys=keys(5))[-1] if isinstance(item, GrowingPolicy) else item(batch, keys=keys(5))
    assert x_of(out).ndim == 5


def fault(who: str, name: str, value: Any, annotation: Any, make: Callable[[], Any]) -> str | None:
    """What is wrong with what happens to a value, if anything."""
    item, error = attempt(make)
    if error is not None:
        # A member or a stage is named by its place or its own name.
        return is_clear(error, who) if name in ("members", "stages") else is_clear(error, who, name)
    if not fits(annotation, value):
        return "is accepted without a word"
    if _whole(value) and value > 2**31:  # more than any memory holds
        return None
    _, error = attempt(lambda: works(item))
    return None if error is None else is_clear(error, who)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_constructors(cls: Any) -> None:
    parameters = inspect.signature(cls).parameters
    wrong, count = {}, 0
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            name, annotation = "basic", "Stage"
        else:
            annotation = parameter.annotation
        for label, make in POOL.items():
            value, again = make(), make()
            arguments = {
                k: NEEDED[k] for k in parameters if k in NEEDED and parameters[k].default in (None, parameter.empty)
            }
            arguments |= {"graph": SKELETON} if cls in (T.DropEdges, T.AddEdges) else {}
            arguments |= {"label_map": None} if cls is T.Mirror else {}
            if cls is GrowingPolicy and name == "basic":
                arguments = {}
            arguments[name] = value
            said = fault(cls.__name__, name, again, annotation, lambda arguments=arguments: cls(**arguments))
            count += 1
            if said is not None:
                wrong[name, label] = said
    tried("errors", count)
    assert not wrong, f"{len(wrong)} of {count}: {wrong}"


# --- functions and methods: everything of the pool but what is named -------------------------------------------------


def refuse_all(
    who: str,
    name: str,
    call: Callable[[Any], Any],
    allowed: Iterable[str],
    more: Iterable[Any] = (),
    either: Iterable[str] = (),
) -> None:
    """Everything of the pool is refused in clear words, but what is ``allowed``; so is what is given besides.

    NumPy's scalars, and what ``either`` names, may do as they please here.
    """
    allowed, free = set(allowed), {"np.int64", "np.float32", *either}
    assert allowed <= POOL.keys(), allowed - POOL.keys()
    values = {label: make() for label, make in POOL.items() if label not in allowed | free}
    values |= {f"also {i}": value for i, value in enumerate(more)}
    wrong = {}
    for label, value in values.items():
        _, error = attempt(lambda value=value: call(value))
        said = "is accepted without a word" if error is None else is_clear(error, who, name)
        if said is not None:
            wrong[label] = said
    for label in allowed - free:
        _, error = attempt(lambda label=label: call(POOL[label]()))
        if error is not None:
            wrong[f"{label}, allowed"] = repr(error)
    tried("errors", len(values))
    assert not wrong, f"{len(wrong)} of {len(values)}: {wrong}"


WHOLE = ("0", "1", "2", "7", "-1", "-7", "2**70", "np.int64")
X, MASK = make_x(), make_mask()
CALLS: dict[str, tuple[str, str, Callable[[Any], Any], Any, Any]] = {
    # name: (callable, argument, the call, what of the pool is right, what is wrong besides)
    "SkeletonBatch(x)": (
        "SkeletonBatch",
        "x",
        SkeletonBatch,
        (),
        [X[0], X[None], X.long(), X.bool(), X.numpy(), X.tolist(), X.to(torch.complex64)],
    ),
    "SkeletonBatch(mask)": (
        "SkeletonBatch",
        "mask",
        lambda v: SkeletonBatch(X, v),
        ("None",),
        [MASK[:4], MASK[..., :1], MASK[:, :, 0], MASK.float(), MASK.long(), MASK.numpy(), MASK[None], MASK.tolist()],
    ),
    "SkeletonBatch(graph)": (
        "SkeletonBatch",
        "graph",
        lambda v: SkeletonBatch(X, MASK, graph=v),
        ("None",),
        [torch.ones(5, 8, 8), torch.ones(4, 3, 8, 8), torch.ones(5, 3, 8, 9), torch.ones(5, 3, 8, 8).long(), [1.0] * 5],
    ),
    "SkeletonBatch(label)": (
        "SkeletonBatch",
        "label",
        lambda v: SkeletonBatch(X, MASK, label=v),
        ("None", "int tensor"),
        [torch.arange(4), torch.tensor(3), list(range(5)), np.arange(5), ["a"] * 5, X.long(), torch.ones(5, 3).long()],
    ),
    "SkeletonBatch(label_axis)": (
        "SkeletonBatch",
        "label_axis",
        lambda v: SkeletonBatch(X, MASK, label=torch.arange(5), label_axis=v),
        ("None",),
        ["class", "frame", "N", ["sample"]],
    ),
    "from_list(clips)": (
        "SkeletonBatch",
        "",
        SkeletonBatch.from_list,
        (),
        [[X], [X[0], X[1, :2]], [X[0], X[1, :, :, :4]], [X[0].long()], [X[0].numpy()], [X[0], None], X[0]],
    ),
    "from_list(label)": (
        "SkeletonBatch",
        "label",
        lambda v: SkeletonBatch.from_list(list(X), label=v),
        ("None", "int tensor"),
        [torch.arange(4), list(range(5)), np.arange(5)],
    ),
    "from_lengths(x)": (
        "from_lengths",
        "x",
        lambda v: SkeletonBatch.from_lengths(v, torch.ones(5, dtype=torch.int64)),
        (),
        [X[0], X.long(), X.numpy()],
    ),
    "from_lengths(lengths)": (
        "from_lengths",
        "lengths",
        lambda v: SkeletonBatch.from_lengths(X, v),
        ("int tensor",),
        [
            torch.tensor([1.0, 2, 3, 4, math.nan]),
            torch.tensor([1, 2, 3, 4, -1]),
            torch.tensor([1, 2, 3, 4, 99]),
            torch.tensor([1, 2, 3, 4, 13]),
            torch.tensor([1.5, 2, 3, 4, 5]),
            torch.tensor([1, 2, 3, 4, math.inf]),
            torch.tensor([1, 2, 3, 4]),
            torch.ones(5, 1, dtype=torch.int64),
            torch.ones(5, dtype=torch.complex64),
            [1, 2, 3, 4, None],
            ["a"] * 5,
            [[1]] * 5,
        ],
    ),
    "from_lengths(label)": (
        "SkeletonBatch",
        "label",
        lambda v: SkeletonBatch.from_lengths(X, torch.ones(5, dtype=torch.int64), label=v),
        ("None", "int tensor"),
        [torch.arange(4)],
    ),
    "cat": (
        "cat",
        "batches",
        SkeletonBatch.cat,
        (),
        [
            [make_batch(), X],
            [make_batch(), None],
            [make_batch(), SkeletonBatch(X)],
            [make_batch(c=2), make_batch()],
            X,
        ],
    ),
    "replace(x)": (
        "replace",
        "x",
        lambda v: make_batch().replace(x=v),
        (),
        [X[0], X[:4], X.long(), X[:, :, :4], X.numpy()],
    ),
    "replace(mask)": (
        "replace",
        "mask",
        lambda v: make_batch().replace(mask=v),
        ("None",),
        [MASK[:4], MASK.float(), MASK[..., :1], MASK[:, :4], MASK.numpy()],
    ),
    "replace(graph)": (
        "replace",
        "graph",
        lambda v: make_batch().replace(graph=v),
        ("None",),
        [torch.ones(5, 8, 8), torch.ones(4, 3, 8, 8)],
    ),
    "replace(label_axis)": (
        "replace",
        "label_axis",
        lambda v: make_batch().replace(label_axis=v),
        ("None",),
        ["class", "frame"],
    ),
    "replace(label)": (
        "replace",
        "label",
        lambda v: make_batch().replace(label=v),
        ("None", "int tensor"),
        [torch.arange(4), list(range(5))],
    ),
    "batch[…]": (
        "SkeletonBatch",
        "",
        lambda v: make_batch()[v],
        ("0", "1", "2", "-1", "[]", "[0]", "[0, 0]", "[-1]", "int tensor", "np.int64", "slice", "range"),
        [
            (0, 1),
            (slice(None), 0),
            5,
            -6,
            [5],
            torch.tensor([5]),
            torch.ones(4, dtype=torch.bool),
            torch.ones(2, 2).long(),
        ],
    ),
    "keys(seed)": ("keys", "seed", lambda v: skelaug.random.keys(v, 0, [0, 1]), (*WHOLE,), []),
    "keys(epoch)": ("keys", "epoch", lambda v: skelaug.random.keys(0, v, [0, 1]), (*WHOLE,), []),
    "keys(ids)": (
        "keys",
        "ids",
        lambda v: skelaug.random.keys(0, 0, v),
        ("[]", "()", "[0]", "[0, 0]", "[-1]", "[99]", "int tensor", "range"),
        [torch.zeros(2, 2).long(), torch.tensor(1), [0, 1.5], [0, "a"], [0, 2**70], np.array([0.5])],
    ),
    "fold_in(keys)": (
        "fold_in",
        "keys",
        lambda v: skelaug.random.fold_in(v, 1),
        ("int tensor",),
        [torch.ones(5), torch.ones(5, dtype=torch.int32), torch.ones(5, dtype=torch.bool)],
    ),
    "fold_in(n)": ("fold_in", "n", lambda v: skelaug.random.fold_in(keys(3), v), (*WHOLE,), []),
    "to_layout(x)": ("to_layout", "x", lambda v: to_layout(v, "NCTVM", "NMTVC"), ("int x",), [X[0], X.numpy()]),
    "to_layout(source)": (
        "to_layout",
        "",
        lambda v: to_layout(X, v, "NCTVM"),
        (),
        ["NCTV", "NNTVM", "N(CTVM", "NCTVMX"],
    ),
    "to_layout(target)": ("to_layout", "", lambda v: to_layout(X, "NCTVM", v), (), ["NCTV", "NNTVM", "N(CTVM", "()"]),
    "to_layout(M)": (
        "to_layout",
        "",
        lambda v: to_layout(torch.zeros(8, 50, 150), "N T (M V C)", "NCTVM", C=3, M=v),
        ("1", "2", "np.int64"),
        [3, 4, 50.0],
    ),
    "sample_motion(clips)": (
        "sample_motion",
        "clips",
        lambda v: skelaug.sample_motion(v),
        ("None",),
        [["walk", "no such"], "walk"],
    ),
    "sample_motion(length)": (
        "sample_motion",
        "length",
        lambda v: skelaug.sample_motion(["walk"], length=v),
        ("None", "1", "2", "7", "np.int64"),
        [10**6],
    ),
    "sample_motion(centre)": (
        "sample_motion",
        "centre",
        lambda v: skelaug.sample_motion(["walk"], centre=v),
        ("True", "False"),
        [],
    ),
}


#: Neither right nor wrong: a set has no order, but its members are ids. A batch as an index has a test of its own.
EITHER = {
    "keys(ids)": ("set", "{}", "{1: 'b'}"),
    "batch[…]": ("batch",),
    "cat": ("batch",),  # its samples, one by one
    "replace(mask)": ("None",),
    "fold_in(keys)": ("int x",),
}


@pytest.mark.parametrize("name", CALLS)
def test_functions_and_methods(name: str) -> None:
    who, argument, call, allowed, more = CALLS[name]
    if name == "batch[…]":
        indexed = call

        def call(value: Any) -> Any:
            out = indexed(value)
            assert out.x.ndim == 5 and len(out.mask) == len(out.x) == len(out.label), "raw indexing"
            return out

    refuse_all(who, argument, call, allowed, more, EITHER.get(name, ()))


def test_replace_knows_its_fields() -> None:
    batch = make_batch()
    for wrong in ({"y": 1}, {"X": batch.x}, {"_own": True}, {"device": "cpu"}, {"presence": batch.presence}):
        with refuses(f"replace({wrong})", "replace", next(iter(wrong))):
            batch.replace(**wrong)
    for longer in (make_x(t=20), make_x(6), make_x(m=1)):
        with refuses(f"replace(x={tuple(longer.shape)}) beside the old mask", "replace", "x", "mask"):
            batch.replace(x=longer)
    tried("errors", 8)


def test_a_batch_is_no_index() -> None:
    """In a process of its own: endless recursion would end this one."""
    code = "import torch\nfrom cases import make_batch\nmake_batch()[make_batch()]"
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parent)])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(("TypeError", "IndexError", "ValueError")) and "SkeletonBatch" in last, done.stderr[-300:]


RUNS: dict[str, Callable[..., Any]] = {
    "Shear": lambda x=X, **k: T.Shear(0.5)(x, **k),
    "sample": lambda x=X, **k: T.Shear(0.5).sample(x, **k),
    "Compose": lambda x=X, **k: Compose([T.Shear(0.5), T.GaussianNoise(0.1)])(x, **k),
    "OneOf": lambda x=X, **k: OneOf([T.Shear(0.5), T.GaussianNoise(0.1)])(x, **k),
    "Center": lambda x=X, **k: T.Center(SKELETON)(x, **k),
    "views": lambda x=X, **k: small().views(x, **k),
    "key_view": lambda x=X, **k: small().key_view(x, **k),
    "policy sample": lambda x=X, **k: small().sample(x, **k),
    "strength": lambda x=X, **k: small().strength(x, **k),
    "view": lambda x=X, **k: small()[1](x, **k),
}


def small(**options: Any) -> GrowingPolicy:
    return GrowingPolicy(a=[T.Shear(0.5)], b=[T.JointMask(0.3)], **options)


@pytest.mark.parametrize("name", RUNS)
def test_what_a_transform_is_called_with(name: str) -> None:
    run = RUNS[name]
    refuse_all("", "x", run, ("batch",), [X[0], X.long(), X.numpy(), X.tolist(), [X], (X, X), X[None]])
    refuse_all("", "generator", lambda v: run(generator=v), ("None",), [5, 0, np.random.default_rng(0), "cpu"])
    k = keys(5)
    wrongs = [k[:4], k[:, None], k.float(), k.int(), k.tolist(), k.numpy(), keys(6), k[:0], k.bool()]
    refuse_all("", "keys", lambda v: run(keys=v), ("None", "int tensor"), wrongs)
    with refuses("both a generator and keys", "keys", "generator"):
        run(generator=torch.Generator(), keys=k)


@pytest.mark.parametrize("make", [T.DropEdges, T.AddEdges])
def test_graph_transforms_say_that_a_tensor_must_be_wrapped(make: Any) -> None:
    for call in (make(0.1, SKELETON), Compose([T.Shear(0.5), make(0.1, SKELETON)])):
        for run in (
            call,
            lambda x, call=call: call.replay(x, call.sample(make_batch())),
            lambda x, call=call: call(x, keys=keys(5)),
        ):
            with refuses("a plain tensor for a graph transform", "SkeletonBatch("):
                run(X)
    policy = GrowingPolicy(a=[T.Shear(0.5)], b=[make(0.1, SKELETON)])
    for run in (policy.views, policy[1], lambda x: policy.replay(x, policy.sample(make_batch()))):
        with refuses("a plain tensor for a policy with a graph", "SkeletonBatch("):
            run(X)


def test_views_and_slices_of_a_policy() -> None:
    for index in (2, -3, 99):
        with pytest.raises(IndexError, match="GrowingPolicy"):
            small()[index]
    for wrong in ("a", None, 1.5, (0, 1), [0], slice(1, 2), slice(0, 2, 2), slice(0, 0), slice("a", None)):
        with refuses(f"policy[{wrong!r}]"):
            small()[wrong]
    tried("errors", 12)


def test_labels_and_graphs_that_an_op_needs() -> None:
    with refuses("no labels for a label map", "Mirror", "label"):
        T.Mirror(SKELETON, label_map={1: 2, 2: 1}, p=1.0)(X)
    for wrong in ([0, 1], "ab", 5, {1: None}, {1: 1.5}, {"1": 2}, [(1, 2)], {True: 1}, {1: 2}, {1: 3, 2: 3}):
        with refuses(f"Mirror(label_map={wrong!r})", "Mirror", "label_map"):
            T.Mirror(SKELETON, label_map=wrong)
    with refuses("no graph", "DropEdges", "graph"):
        T.DropEdges(0.1)(make_batch())
    tried("errors", 12)


SKELETON_WRONG: dict[str, list[Any]] = {
    "name": [None, 5, ["a"], b"x", 1.5],
    "joints": [None, 5, [], ["a", "a", "b"], [1, 2, 3], "abc", ["a"], [None] * 3],
    "parents": [None, 5, [], [0, 0], [0, 1, 2], [1, 0, 0], [0, 0, 9], [0, 0, -1], [0, 0, 1.0], ["a"] * 3, [True, 0, 0]],
    "pairs": [None, 5, [1, 2], [(1,)], [(1, 2, 0)], [(1, 9)], [(1, 2), (2, 0)], [(1, 1)], [("a", "b")], "ab", [None]],
    "centre": [None, -1, 3, 1.0, "a", True, [0]],
    "spine": [(0,), (0, 1, 2), (0, 9), (0, -1), 5, "ab", ("a", "b"), (0, 1.0), ()],
    "shoulders": [(0,), (0, 1, 2), (0, 9), (0, -1), 5, "ab", ("a", "b"), (0, 1.0), ()],
    "limbs": [
        5,
        {"a": (0,)},
        {"a": (0, 1, 2, 2)},
        {"a": (0, 1), "b": (2, 9)},
        {"a": 5},
        {1: (0, 1, 2)},
        [(0, 1, 2)],
        "abc",
    ],
}


@pytest.mark.parametrize("name", SKELETON_WRONG)
def test_skeletons(name: str) -> None:
    right: dict[str, Any] = {"name": "three", "joints": ("a", "b", "c"), "parents": (0, 0, 1)}
    Skeleton(**right)
    for value in SKELETON_WRONG[name]:
        with refuses(f"Skeleton({name}={value!r})", "skeleton", name):
            Skeleton(**{**right, name: value})
    tried("errors", len(SKELETON_WRONG[name]))


EDGES_WRONG: dict[str, list[Any]] = {
    "edges": [
        None,
        5,
        [(0,)],
        [(0, 1, 2)],
        [(0, 1), (3, 4)],
        [(1, 2), (2, 3)],
        [(0, -1)],
        ["ab"],
        [(0, 1.5)],
        [None],
    ],
    "num_joints": [0, -1, 1.5, "a", True],
    "root": [-1, 9, 1.5, "a", True],
    "centre": [-1, 9, 1.5, "a", True],
    "joints": [5, ["a", "a", "b"], "abc", [1, 2, 3]],
    "pairs": [5, [1, 2], [(1,)], [(1, 9)]],
    "shoulders": [(0,), (0, 1, 2), (0, 9), 5],
    "spine": [(0,), (0, 1, 2), (0, 9), 5],
}


@pytest.mark.parametrize("name", EDGES_WRONG)
def test_skeletons_from_edges(name: str) -> None:
    right: dict[str, Any] = {"edges": [(0, 1), (1, 2)]}
    Skeleton.from_edges(**right)
    for value in EDGES_WRONG[name]:
        with refuses(f"Skeleton.from_edges({name}={value!r})", "skeleton", name):
            Skeleton.from_edges(**{**right, name: value})
    tried("errors", len(EDGES_WRONG[name]))


@pytest.mark.parametrize("name", ["Shear", "Rotate", "JointMask", "GaussianNoise", "TemporalCrop"])
def test_arguments_are_read_only(name: str) -> None:
    """Nothing of the constructor's can be set, deleted or replaced; the error names ``with_``."""
    transform = getattr(T, name)(30) if name == "Rotate" else getattr(T, name)()
    whole = Compose([transform, T.Reverse()])
    for item in (transform, whole, OneOf([transform])):
        for argument in inspect.signature(type(item)).parameters:
            with pytest.raises((AttributeError, TypeError), match=r"with_\("):
                setattr(item, argument, 1)
            with pytest.raises((AttributeError, TypeError), match=r"with_\("):
                delattr(item, argument)
            tried("errors", 2)
    for act in (
        lambda: whole.members.__setitem__(0, T.Reverse()),
        lambda: whole.members.append(T.Reverse()),
        lambda: whole.members.__delitem__(0),
    ):
        with pytest.raises((AttributeError, TypeError), match="with_"):
            act()
    assert len(whole) == 2
