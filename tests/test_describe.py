"""What an object says of its construction, and that it cannot be changed afterwards."""

from __future__ import annotations

import copy
import inspect
import io
import json
import math
import pickle
from abc import ABC
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, SKELETON, Case
from torch import Tensor, nn

import skelaug
from skelaug import Skeleton, SkeletonBatch, config, skeletons, transforms
from skelaug.describe import plain, text
from skelaug.readonly import Members, ReadOnly

NAMES = vars(skelaug) | vars(transforms) | {"torch": torch}


class Turn(ReadOnly):
    """A module with one of everything."""

    def __init__(self, degrees: Any, axes: str = "all", *, graph: Any = None, p: float = 1.0) -> None:
        super().__init__()
        if isinstance(degrees, bool) or not isinstance(degrees, int | float | tuple):
            raise TypeError(f"Turn(degrees={degrees!r})")
        self.degrees, self.axes, self.p = degrees, axes, p
        if isinstance(graph, Tensor):
            self.register_buffer("graph", graph)
        else:
            self.graph = graph
        self.token = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.token + self.p


class Chain(ReadOnly):
    """A container."""

    def __init__(self, members: Iterable[nn.Module], options: Any = None, **stages: Any) -> None:
        super().__init__()
        self.members, self.options, self.stages = Members(members), options, stages


class Inherited(Turn):
    """Passes an argument on under another name, and fixes one."""

    def __init__(self, degrees: Any = 5) -> None:
        super().__init__(degrees, p=0.5)


def again(item: Any) -> Any:
    users = {type(part).__name__: type(part) for part in item.modules()}  # a user's transforms go by their own names
    return eval(repr(item), NAMES | users)


def test_repr_is_the_constructor_call() -> None:
    assert repr(Turn(30)) == "Turn(30)"
    assert repr(Turn((0, 1.5), "x", p=0.5)) == "Turn((0, 1.5), axes='x', p=0.5)"
    assert repr(Chain([])) == "Chain([])"
    assert repr(Chain([Turn(1)], {"a": (1,)})) == "Chain([Turn(1)], options={'a': (1,)})"
    long = Chain([Turn((-10.0, 10.0), "y", p=0.25), Chain([Turn(i, "xyz", p=0.125) for i in range(4)])], {"k": ["a"]})
    assert (
        repr(long)
        == """\
Chain(
    [
        Turn((-10.0, 10.0), axes='y', p=0.25),
        Chain(
            [
                Turn(0, axes='xyz', p=0.125),
                Turn(1, axes='xyz', p=0.125),
                Turn(2, axes='xyz', p=0.125),
                Turn(3, axes='xyz', p=0.125),
            ],
        ),
    ],
    options={'k': ['a']},
)"""
    )
    assert repr(again(long)) == repr(long)


OWN = Skeleton.from_edges(
    [(0, 1), (1, 2)], name="own", joints=["a", "b's", "c"], pairs=[(0, 2)], limbs={"x": (0, 1, 2)}
)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -2.5, math.inf, "it's\n", (), (1,), [(1, 2), ["3"]], {"type": {"a": 1}}, SKELETON, OWN,
        skeletons["ntu25"], torch.rand(2, 3, 3, dtype=torch.float64), torch.tensor([1.0, math.nan, -math.inf]),
        torch.tensor([[True, False]]), torch.tensor(3), torch.rand(40).bfloat16(),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_any_argument_comes_back_from_its_repr(value: Any) -> None:
    back = again(Turn(1, graph=value)).graph
    if isinstance(value, Tensor):
        assert back.dtype == value.dtype and torch.equal(back.nan_to_num(7.0), value.nan_to_num(7.0))
    else:
        assert back == value and type(back) is type(value)


def test_a_repr_keeps_to_the_width() -> None:
    deep = Chain([Chain([Turn((1.0, 2.0), "a" * 30, p=0.5) for _ in range(3)], {"key" * 5: [2**40] * 9})])
    assert max(map(len, repr(deep).splitlines())) <= 100
    assert text([1, 2]) == "[1, 2]" and text([1, 2], 5) == "[\n    1,\n    2,\n]" and text((1,), 2) == "(\n    1,\n)"


def test_numpy_numbers_become_pythons_before_the_constructor_sees_them() -> None:
    turn = Turn(np.float32(2.5), np.str_("x"), graph={"a": [np.int64(3), "b"]}, p=np.float64(0.5))
    assert repr(turn) == "Turn(2.5, axes='x', graph={'a': [3, 'b']}, p=0.5)"
    assert Turn(np.array([1, 2])).degrees == (1, 2) and Turn(np.array(4)).degrees == 4
    with pytest.raises(TypeError, match=r"Turn\(degrees=True\)"):
        Turn(np.bool_(True))
    pair = [1.0, 2.0]
    turn = Turn(pair)
    pair[0] = 99.0
    assert turn.degrees == (1.0, 2.0), "a list that its owner changes later is not the transform's"


def test_arguments_cannot_be_changed() -> None:
    turn = Turn(30, graph=torch.eye(2))
    for name, value in (("degrees", 60), ("axes", "x"), ("p", 0.1), ("graph", torch.ones(2, 2))):
        message = rf"Turn.{name} cannot be set after construction; t.with_\({name}=…\).*t.with_\(degrees=90\)"
        with pytest.raises(AttributeError, match=message):
            setattr(turn, name, value)
        with pytest.raises(AttributeError, match=rf"Turn.{name} cannot be deleted after construction"):
            delattr(turn, name)
        with pytest.raises(AttributeError, match=rf"Turn.{name} cannot be replaced"):
            turn.add_module(name, nn.Identity())
        with pytest.raises(AttributeError, match=rf"Turn.{name} cannot be replaced"):
            turn.register_module(name, nn.Identity())
        with pytest.raises(AttributeError, match=rf"Turn.{name} cannot be replaced"):
            turn.register_buffer(name, torch.ones(2))
        with pytest.raises(AttributeError, match=rf"Turn.{name} cannot be replaced"):
            turn.register_parameter(name, nn.Parameter(torch.ones(2)))
    assert repr(turn) == repr(Turn(30, graph=torch.eye(2)))
    fixed = Inherited(7)
    with pytest.raises(AttributeError, match=r"Inherited.p cannot be set after construction$"):
        fixed.p = 1.0
    assert repr(fixed) == "Inherited(degrees=7)"


def test_a_constructor_cannot_be_called_again() -> None:
    fixed = Inherited(2)
    with pytest.raises(AttributeError, match=r"Inherited.degrees cannot be set after construction"):
        fixed.__init__(3)  # type: ignore[misc]
    assert fixed.degrees == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__(0, Turn(3)),
        lambda m: m.__delitem__(0),
        lambda m: m.__delitem__(slice(None)),
        lambda m: m.append(Turn(3)),
        lambda m: m.insert(0, Turn(3)),
        lambda m: m.extend([Turn(3)]),
        lambda m: m.__iadd__([Turn(3)]),
        lambda m: m.pop(0),
        lambda m: m.add_module("0", Turn(3)),
        lambda m: m.register_module("5", Turn(3)),
        lambda m: setattr(m, "0", Turn(3)),
        lambda m: setattr(m, "5", Turn(3)),
        lambda m: delattr(m, "1"),
    ],
)
def test_members_cannot_be_changed(change: Any) -> None:
    chain = Chain([Turn(1), Turn(2)])
    with pytest.raises(AttributeError, match=r"members of a container cannot be changed.*t.with_\(degrees=90\)"):
        change(chain.members)
    assert repr(chain) == "Chain([Turn(1), Turn(2)])" and repr(chain.members[:1][0]) == "Turn(1)"


def test_members_cannot_be_replaced_by_their_path() -> None:
    chain = Chain([Turn(1)])
    for path in ("members.0", "members"):
        with pytest.raises(AttributeError, match="cannot be"):
            chain.set_submodule(path, Turn(2))
    with pytest.raises(AttributeError, match="members of a container cannot be changed"):
        chain.members += [Turn(2)]
    assert len(chain.members) == 1


def test_with_runs_the_constructor_again() -> None:
    turn = Turn(30, p=0.5)
    assert repr(turn.with_(degrees=90)) == "Turn(90, p=0.5)" and repr(turn) == "Turn(30, p=0.5)"
    assert repr(turn.with_(p=np.float32(1))) == "Turn(30)" and type(turn.with_()) is Turn
    with pytest.raises(TypeError, match=r"Turn\(degrees='x'\)"):
        turn.with_(degrees="x")
    with pytest.raises(
        TypeError, match=r"Turn.with_\(angle=…, q=…\): no such argument; Turn takes degrees, axes, graph"
    ):
        turn.with_(q=1, angle=3)
    chain = Chain([turn])
    changed = chain.with_(members=[*chain.members, Turn(1)], strong=3)
    assert repr(changed) == "Chain([Turn(30, p=0.5), Turn(1)])" and changed.stages == {"strong": 3}


def test_everything_else_of_a_module_works() -> None:
    chain = Chain([Turn(1, graph=torch.eye(2)), Turn(2)])
    turn: Any = chain.members[0]
    chain.note = "mine"
    chain.eval().train().requires_grad_(False)
    chain.register_forward_hook(lambda *_: None)
    turn.register_forward_pre_hook(lambda *_: None)
    chain.half()
    assert turn.token.dtype == turn.graph.dtype == torch.float16
    chain.to(torch.float64).to("cpu").share_memory()
    turn.token = nn.Parameter(torch.ones((), dtype=torch.float64))
    assert turn(torch.ones(2, dtype=torch.float64)).tolist() == [2, 2]
    assert chain.to(torch.float64) is chain and "members.0.token" in dict(chain.named_parameters())
    turn.compile(backend="eager")
    assert turn(torch.ones(2, dtype=torch.float64)).tolist() == [2, 2]
    assert torch.compile(Turn(1), backend="eager", fullgraph=True)(torch.ones(2)).tolist() == [1, 1]
    assert torch.func.functional_call(Turn(1), {"token": torch.tensor(3.0)}, torch.ones(2)).tolist() == [4, 4]


@pytest.mark.parametrize("assign", [False, True])
def test_state_is_loaded(assign: bool) -> None:
    source, target = Turn(1, graph=torch.eye(2)), Turn(1, graph=torch.zeros(2, 2))
    target.load_state_dict(source.state_dict(), assign=assign)
    assert target.graph.equal(torch.eye(2))
    with pytest.raises(AttributeError):
        target.graph = torch.ones(2, 2)


def test_copies_are_equal_and_as_fixed() -> None:
    chain = Chain([Turn(1, graph=torch.eye(2)), Turn(2)])
    file = io.BytesIO()
    torch.save(chain, file)
    file.seek(0)
    twins = [copy.deepcopy(chain), copy.copy(chain), pickle.loads(pickle.dumps(chain))]
    for twin in [*twins, torch.load(file, weights_only=False)]:
        assert repr(twin) == repr(chain) and twin.state_dict().keys() == chain.state_dict().keys()
        with pytest.raises(AttributeError):
            twin.members = []
        with pytest.raises(AttributeError):
            twin.members.append(Turn(3))
        with pytest.raises(AttributeError):
            twin.members[0].degrees = 5


def test_signatures_stay_and_other_bases_fit() -> None:
    assert list(inspect.signature(Turn).parameters) == ["degrees", "axes", "graph", "p"]

    class Abstract(ReadOnly, ABC):
        pass

    class Bare(ReadOnly):
        pass

    assert repr(Abstract()) == "Abstract()" and repr(Bare().with_()) == "Bare()"


def test_plain_forms() -> None:
    def of(item: Any) -> dict[str, Any]:
        return {"type": type(item).__name__} | {k: plain(v, k, of) for k, v in item.arguments().items()}

    whole = Chain([Turn((1, 2), graph=SKELETON), Turn(1, graph=skeletons["ntu25"])], {"a": torch.eye(1).double()})
    form = of(whole)
    assert form["members"][0] == {"type": "Turn", "degrees": [1, 2], "graph": {"skeleton": SKELETON.to_dict()}}
    assert form["members"][1]["graph"] == {"skeleton": "ntu25"}
    assert form["options"] == {"a": {"tensor": [[1.0]], "dtype": "float64"}}
    assert json.loads(json.dumps(form)) == form
    for value, name in (
        (SkeletonBatch(torch.ones(1, 3, 2, 8, 1)), "batch"),
        (torch.float32, "dtype"),
        ({"type": 1}, "mapping"),
    ):
        with pytest.raises(TypeError, match=rf"to_dict: Turn\(graph=…\) holds a {name}.*, which has no plain form"):
            plain(value, "Turn(graph=…)", of)


# --- over the table of every transform and policy --------------------------------------------------------------------

table = pytest.mark.parametrize("case", CASES, ids=repr)


@table
def test_every_repr_evaluates(case: Case) -> None:
    item = case.make()
    assert repr(again(item)) == repr(item)
    assert max(map(len, repr(item).splitlines())) <= 100 or "Skeleton(" in repr(item)


@table
def test_every_plain_form_comes_back(case: Case) -> None:
    item = case.make()
    users = [
        part for part in item.modules() if isinstance(part, skelaug.Transform) and not hasattr(skelaug, name_of(part))
    ]
    if all(hasattr(transforms, name_of(part)) or name_of(part) == "View" for part in users):
        assert repr(config.from_dict(json.loads(json.dumps(config.to_dict(item))))) == repr(item)
    else:
        with pytest.raises(TypeError, match="is neither a transform of skelaug nor registered as one"):
            config.to_dict(item)


def name_of(part: Any) -> str:
    return type(part).__name__


@table
def test_no_argument_can_be_changed(case: Case) -> None:
    item = case.make()
    before = repr(item)
    for name in inspect.signature(type(item)).parameters:
        if hasattr(item, name):
            with pytest.raises(AttributeError, match=rf"{name} cannot be set after construction; t.with_\({name}=…\)"):
                setattr(item, name, getattr(item, name))
            with pytest.raises(AttributeError, match=rf"{name} cannot be deleted after construction"):
                delattr(item, name)
    assert repr(item) == before == repr(item.with_()) == repr(copy.deepcopy(item))


@table
def test_every_transform_explains_unknown_changes(case: Case) -> None:
    item = case.make()
    with pytest.raises(TypeError, match=rf"{type(item).__name__}.with_\(nonsense=…\): no such argument; .* takes "):
        item.with_(nonsense=1)
