"""The transform that CONTRIBUTING.md adds, put in its place as the page says, keeps what every transform keeps."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cases
import pytest
import test_bits
import test_conformance
import test_derivatives
import test_replay_checks
import torch
from cases import Case

import skelaug.functional.space
import skelaug.transforms.space
from skelaug import transforms

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: The code blocks of the page by the file into which they go.
BLOCKS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
FUNCTIONS, CLASSES = "skelaug/functional/space.py", "skelaug/transforms/space.py"
NAME = "ScaleDrift"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the page's blocks, each block run among the names of the file into which it goes."""
    names: dict[str, Any] = {}
    for path, module in ((FUNCTIONS, skelaug.functional.space), (CLASSES, skelaug.transforms.space)):
        before = dict(vars(module))
        after = dict(before)
        exec(compile(BLOCKS[path], path, "exec"), after)
        for name in after.keys() - before.keys() - {"__builtins__"}:
            monkeypatch.setattr(module, name, after[name], raising=False)
            names[name] = after[name]
    return names


@pytest.fixture
def case(added: dict[str, Any]) -> Case:
    """The page's line in the table of the tests."""
    names = vars(cases) | {"T": SimpleNamespace(**vars(transforms) | added)}
    (case,) = eval(f"[{BLOCKS['tests/cases.py']}]", names)
    assert case.name == NAME
    return case


def test_the_page_adds_one_function_one_class_and_one_line(added: dict[str, Any]) -> None:
    assert list(BLOCKS) == [FUNCTIONS, CLASSES, "tests/cases.py", "tests/transforms/test_space.py"]
    assert {type(node) for path in (FUNCTIONS, CLASSES) for node in ast.parse(BLOCKS[path]).body} == {
        ast.FunctionDef,
        ast.ClassDef,
    }
    assert added.keys() == {"scale_frames", NAME}
    assert len(BLOCKS["tests/cases.py"].strip().splitlines()) == 1
    assert NAME not in transforms.__all__, "the page must show a transform that is not there yet"


def test_the_pages_own_test_passes(added: dict[str, Any]) -> None:
    names: dict[str, Any] = {"torch": torch, "T": SimpleNamespace(**added)}
    exec(BLOCKS["tests/transforms/test_space.py"], names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


SUITE = [
    test_conformance.test_one_seed_is_one_augmentation_in_every_dtype,
    test_conformance.test_forward_is_replay_of_sample,
    test_conformance.test_a_batch_is_each_sample_alone,
    test_conformance.test_gated_out_samples_are_bit_equal,
    test_conformance.test_p_0_is_the_identity,
    test_conformance.test_p_is_the_share_of_samples,
    test_conformance.test_absent_people_stay_zero_and_absent,
    test_conformance.test_same_generator_or_keys_same_result,
    test_conformance.test_keys_bind_a_draw_to_its_sample,
    test_conformance.test_every_sample_has_its_own_draw,
    test_conformance.test_runs_on_a_device_without_host_sync,
    test_conformance.test_autocast_changes_nothing,
    test_conformance.test_two_coordinates,
    test_conformance.test_tensor_and_full_batch_agree,
    test_conformance.test_replay_compiles_once,
    test_derivatives.test_once_and_forwards,
    test_derivatives.test_twice,
    test_replay_checks.test_params_survive_slicing_saving_and_loading,
    test_replay_checks.test_params_of_other_keys_are_refused,
]
IN_EVERY_DTYPE = [
    test_conformance.test_keeps_shape_dtype_device_and_input,
    test_bits.test_absent_entries_are_plus_zero,
    test_bits.test_gated_out_samples_are_copied_bit_for_bit,
]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("promise", SUITE, ids=lambda test: test.__name__)
def test_it_keeps_the_promises(promise: Callable[[Case], None], case: Case) -> None:
    assert list(inspect.signature(promise).parameters) == ["case"]
    promise(case)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("promise", IN_EVERY_DTYPE, ids=lambda test: test.__name__)
def test_it_keeps_them_in_every_dtype(
    promise: Callable[[Case, torch.dtype], None], dtype: torch.dtype, case: Case
) -> None:
    promise(case, dtype)
