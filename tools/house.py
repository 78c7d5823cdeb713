"""The house in numbers: sizes, hooks and declarations of the base class, circles of imports and arrows that go up.

    python tools/house.py [COMMIT]   # of this checkout, or of a commit

``tests/test_house.py`` holds the checkout to the order below.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("skelaug", "skelaug_contrib")

#: The modules of skelaug from top to bottom: each may import those on lines below its own, and those on its line.
ORDER = """
    cli
    commands
    compat feed
    plot
    preview
    adapters entries
    config
    policies
    coordinates
    strength mixing
    policy
    compose
    members
    transforms
    transform
    readonly
    describe
    params pivot
    change
    gate
    motion relatives
    arrays
    workers
    calls
    random
    batch
    parts labels
    presence
    missing
    layout
    functional
    check
    skeleton
    trees known
    plugins files ndarray host expect compile errors sides limbs edges
"""
RANKS = {name: rank for rank, line in enumerate(ORDER.split("\n")) for name in line.split()}


class House:
    """The modules of both packages below a folder, and who imports whom.

    Args:
        root: the folder that holds ``skelaug`` and ``skelaug_contrib``.

    Attributes:
        modules: the file of each module, by its dotted name.
        graph: the modules of both packages that each module imports, lazily or at the top.
    """

    def __init__(self, root: Path) -> None:
        paths = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
        self.modules = {
            ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in paths
        }
        self.trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.modules.items()}
        self.graph = {name: self._imports(name) for name in self.modules}

    def _imports(self, name: str) -> set[str]:
        package = name if self.modules[name].name == "__init__.py" else name.rpartition(".")[0]
        targets: set[str] = set()
        for node in statements(self.trees[name]):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
                continue
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            targets |= {whole if (whole := f"{base}.{alias.name}") in self.modules else base for alias in node.names}
        return {target for target in targets if target in self.modules} - {name}

    def circles(self) -> list[list[str]]:
        """The strongly connected parts of the graph that hold several modules: each reaches all others."""

        def reach(start: str) -> set[str]:
            reached: set[str] = set()
            waiting = [start]
            while waiting:
                for target in self.graph[waiting.pop()] - reached:
                    reached.add(target)
                    waiting.append(target)
            return reached

        reached = {name: reach(name) for name in self.graph}
        loops = [sorted(other for other in reached[name] if name in reached[other]) for name in self.graph]
        return [list(loop) for loop in sorted({tuple(loop) for loop in loops if len(loop) > 1})]

    def without_place(self) -> set[str]:
        """Modules of skelaug of which the order says nothing."""
        return {name.split(".")[1] for name in self.modules if name.startswith("skelaug.")} - RANKS.keys()

    def arrows_up(self) -> list[str]:
        """Imports by a module of skelaug of one that stands above it; modules without a place are left out."""

        def rank(name: str) -> int | None:
            return RANKS.get(name.split(".")[1]) if name.startswith("skelaug.") else None

        ranked = [
            (name, target, rank(name), rank(target)) for name, targets in self.graph.items() for target in targets
        ]
        return sorted(
            f"{name} -> {target}"
            for name, target, own, its in ranked
            if own is not None and its is not None
            if its < own
        )

    def lines(self) -> dict[str, int]:
        """Lines of each module."""
        return {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in self.modules.items()}

    def base_class(self) -> ast.ClassDef:
        """``Transform``."""
        body = self.trees["skelaug.transform"].body
        return next(node for node in body if isinstance(node, ast.ClassDef) and node.name == "Transform")

    def declarations(self) -> list[str]:
        """The class attributes of ``Transform``."""
        assigned = [node for node in self.base_class().body if isinstance(node, ast.Assign | ast.AnnAssign)]
        targets = [t for node in assigned for t in (node.targets if isinstance(node, ast.Assign) else [node.target])]
        return [target.id for target in targets if isinstance(target, ast.Name)]

    def transforms(self) -> dict[str, ast.ClassDef]:
        """The classes of ``skelaug.transforms`` whose base is ``Transform``."""
        classes = [
            node
            for name, tree in self.trees.items()
            if name.startswith("skelaug.transforms")
            for node in tree.body
            if isinstance(node, ast.ClassDef)
        ]
        return {node.name: node for node in classes if "Transform" in [ast.unparse(base) for base in node.bases]}

    def hooks(self) -> Counter[str]:
        """The methods of ``Transform``, but ``__init__``, that transforms define anew, and how many do."""
        of_base = methods(self.base_class()) - {"__init__"}
        return Counter(name for cls in self.transforms().values() for name in sorted(methods(cls) & of_base))

    def report(self) -> str:
        """All of it, in lines."""
        lines, circles, up = self.lines(), self.circles(), self.arrows_up()
        sizes = {package: sum(n for name, n in lines.items() if name.split(".")[0] == package) for package in PACKAGES}
        largest = sorted(lines.items(), key=lambda item: -item[1])[:6]
        lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in self.transforms().items()}
        middle = sorted(lengths.values())[len(lengths) // 2]
        rows = [
            ("lines", ", ".join(f"{package} {size}" for package, size in sizes.items())),
            ("transform.py", f"{lines['skelaug.transform']} lines"),
            ("declarations", f"{len(self.declarations())}: {', '.join(self.declarations())}"),
            ("hooks", ", ".join(f"{name} ({count} classes)" for name, count in self.hooks().most_common())),
            ("transforms", f"{len(lengths)}, of {middle} lines in the middle, the longest {max(lengths.values())}"),
            ("circles", "; ".join(f"{len(loop)} modules ({', '.join(loop)})" for loop in circles) or "none"),
            ("arrows up", f"{len(up)}: {', '.join(up)}" if up else "none"),
            ("without place", ", ".join(sorted(self.without_place())) or "none"),
            ("largest modules", ", ".join(f"{name} {n}" for name, n in largest)),
        ]
        return "\n".join(f"{name:16} {text}" for name, text in rows)


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import of a file that runs; what stands under ``if TYPE_CHECKING`` does not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        yield from statements(node)


def methods(cls: ast.ClassDef) -> set[str]:
    """The names of the methods that a class defines."""
    return {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}


def main() -> None:
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    if len(sys.argv) == 1:
        print(House(ROOT).report())
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["git", "-C", str(ROOT), "archive", sys.argv[1], *PACKAGES]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as archive:
            try:
                with tarfile.open(fileobj=archive.stdout, mode="r|") as files:
                    files.extractall(folder, filter="data")
            except tarfile.ReadError:
                sys.exit(f"house.py: git knows no commit {sys.argv[1]!r}")
        print(House(Path(folder)).report())


if __name__ == "__main__":
    main()
