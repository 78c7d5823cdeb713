"""The order of the house: no import runs in a circle or upwards, lazy ones included."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSE: Any = runpy.run_path(str(ROOT / "tools" / "house.py"))["House"](ROOT)
GRAPH: dict[str, set[str]] = HOUSE.graph


def test_the_walk_sees_imports_of_every_kind() -> None:
    assert "skelaug.arrays" in GRAPH["skelaug.cli"], "a lazy one"
    assert "skelaug.config" in GRAPH["skelaug"], "a module by its package"
    assert "skelaug.transforms.space" in GRAPH["skelaug.transforms"]
    assert len(GRAPH) > 80 and sum(map(len, GRAPH.values())) > 200


def test_no_import_runs_in_a_circle() -> None:
    assert HOUSE.circles() == []


def test_every_module_has_its_place() -> None:
    assert HOUSE.without_place() == set(), "say in ORDER of tools/house.py where a new module stands"


def test_no_arrow_goes_up() -> None:
    assert HOUSE.arrows_up() == []


def test_skelaug_never_imports_skelaug_contrib() -> None:
    assert [name for name in GRAPH if name.startswith("skelaug.") and "skelaug_contrib" in str(GRAPH[name])] == []


@pytest.mark.parametrize("package", ["skelaug", "skelaug_contrib"])
def test_no_library_module_imports_a_command(package: str) -> None:
    commands = ("skelaug.commands", "skelaug_contrib.commands")
    wrong = [
        f"{name} -> {target}"
        for name, targets in GRAPH.items()
        if name.split(".")[0] == package and not name.startswith((*commands, "skelaug.cli"))
        for target in sorted(targets)
        if target.startswith(commands)
    ]
    assert wrong == []


def test_the_base_class_has_two_hooks_and_at_most_seven_declarations() -> None:
    assert {"draw", "op"} <= HOUSE.hooks().keys()
    assert len(HOUSE.declarations()) <= 7, HOUSE.declarations()
    assert all(name in HOUSE.report() for name in ("transform.py", "largest modules", *HOUSE.declarations()))
