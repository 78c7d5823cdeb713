"""The order of the house: no import runs in a circle or upwards, lazy ones included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The modules of skelaug from top to bottom: each may import those on lines below its own, and those on its line.
ORDER = """
    cli
    commands
    compat feed
    adapters
    config
    policies
    strength mixing
    policy
    transforms
    transform
    readonly
    describe
    params
    change
    gate
    plot preview
    motion
    arrays
    workers
    random
    batch
    presence
    layout
    functional
    check
    skeleton
    plugins files ndarray host expect compile errors
"""


def modules() -> dict[str, Path]:
    paths = [path for package in ("skelaug", "skelaug_contrib") for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


MODULES = modules()


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import of a file that runs; what stands under ``if TYPE_CHECKING`` does not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and isinstance(node.test, ast.Name):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        yield from statements(node)


def imports(name: str) -> set[str]:
    """The modules of both packages that a module imports."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    targets: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
            continue
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        targets |= {whole if (whole := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
    return {target for target in targets if target in MODULES} - {name}


GRAPH = {name: imports(name) for name in MODULES}


def circles() -> list[list[str]]:
    """The strongly connected parts of the graph that hold several modules: what each reaches and is reached by."""

    def reach(start: str) -> set[str]:
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            for target in GRAPH[waiting.pop()] - reached:
                reached.add(target)
                waiting.append(target)
        return reached

    reached = {name: reach(name) for name in GRAPH}
    loops = [sorted(other for other in reached[name] if name in reached[other]) for name in GRAPH]
    return [list(loop) for loop in sorted({tuple(loop) for loop in loops if len(loop) > 1})]


def test_the_walk_sees_imports_of_every_kind() -> None:
    assert "skelaug.arrays" in GRAPH["skelaug.cli"], "a lazy one"
    assert "skelaug.config" in GRAPH["skelaug"], "a module by its package"
    assert "skelaug.transforms.space" in GRAPH["skelaug.transforms"]
    assert len(MODULES) > 80 and sum(map(len, GRAPH.values())) > 200


def test_no_import_runs_in_a_circle() -> None:
    assert circles() == []


def ranks() -> dict[str, int]:
    return {name: rank for rank, line in enumerate(ORDER.split("\n")) for name in line.split()}


def test_every_module_has_its_place() -> None:
    tops = {name.split(".")[1] for name in MODULES if name.startswith("skelaug.")}
    assert tops <= ranks().keys(), "say in ORDER where a new module stands"


def test_no_arrow_goes_up() -> None:
    rank = ranks()
    up = [
        f"{name} -> {target}"
        for name, targets in GRAPH.items()
        for target in sorted(targets)
        if name.startswith("skelaug.") and target.startswith("skelaug.")
        if rank[target.split(".")[1]] < rank[name.split(".")[1]]
    ]
    assert up == []


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
