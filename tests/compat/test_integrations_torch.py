"""The gallery: examples run before and after, print the same, and the pages show exactly what differs."""

from __future__ import annotations

import difflib
import re
import runpy
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

import skelaug

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "integrations"
PAIRS = {
    ("pytorch.md", "pytorch_before.py", "pytorch_after.py"): None,
    ("pytorch.md", "model_before.py", "model_after.py"): None,
    ("lightning.md", "lightning_before.py", "lightning_after.py"): "lightning",
    ("lightning.md", "lightning_before.py", "lightning_callback_after.py"): "lightning",
    ("huggingface.md", "huggingface_before.py", "huggingface_after.py"): "datasets",
}
pairs = pytest.mark.parametrize(("page", "before", "after"), PAIRS, ids=lambda name: name.split(".")[0])


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL)


@pairs
def test_the_page_shows_what_differs(page: str, before: str, after: str) -> None:
    old, new = ((FOLDER / name).read_text(encoding="utf-8").splitlines() for name in (before, after))
    lines = list(difflib.unified_diff(old, new, n=1, lineterm=""))[3:]
    shown = "\n".join("..." if line.startswith("@@") else line for line in lines)
    assert shown.rstrip() in [block.rstrip() for block in blocks(page, "diff")]


@pytest.mark.filterwarnings(
    "ignore:This DataLoader will create",
    "ignore:.*does not have many workers",
    "ignore:.*`isinstance\\(treespec, LeafSpec\\)` is deprecated",
)
@pairs
def test_before_and_after_run_and_print_the_same(
    page: str,
    before: str,
    after: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    needed = PAIRS[page, before, after]
    if needed:
        pytest.importorskip(needed, reason=f"needs {needed}: pip install {needed}")
    monkeypatch.chdir(tmp_path)
    printed = []
    for name in (before, after):
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        printed.append(capfd.readouterr().out)
    assert printed[0].strip() and printed[0] == printed[1]


def test_the_code_of_the_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FOLDER / "policy.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {}
    clip = torch.randn(3, 20, 25, 2)
    for page in ("index.md", "pytorch.md"):
        found = blocks(page, "python")
        assert found
        for code in found:
            exec(code, given)
    assert given["one"](clip).shape == (3, 64, 25, 2) and given["batch"]["pose"].shape == (4, 64, 25, 3)
    (yaml,) = blocks("index.md", "yaml")
    assert yaml == (FOLDER / "policy.yaml").read_text(encoding="utf-8")
    x = torch.randn(2, 3, 20, 25, 2)
    assert skelaug.config.resolve("policy.yaml", "ntu25")(x).shape == x.shape


def test_the_code_of_hugging_faces_page_runs() -> None:
    pytest.importorskip("datasets", reason="needs datasets: pip install datasets")
    given: dict[str, Any] = {}
    (code,) = blocks("huggingface.md", "python")
    exec(code, given)
    assert [[view.shape for view in batch["keypoint"]] for batch in given["loader"]] == [[(2, 10, 17, 2)]] * 3


def test_the_page_on_plug_ins_shows_its_files() -> None:
    package = FOLDER / "skelaug_horse"
    (toml,) = blocks("plugins.md", "toml")
    whole = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    assert tomllib.loads(toml)["project"]["entry-points"] == whole["project"]["entry-points"]
    assert (package / "skelaug_horse.py").read_text(encoding="utf-8") in blocks("plugins.md", "python")


@pytest.mark.parametrize("page", ["pytorch.md", "lightning.md", "huggingface.md", "plugins.md"])
def test_links_lead_somewhere(page: str) -> None:
    prose = re.sub(r"```.*?```", "", (FOLDER / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", prose):
        assert (FOLDER / target).exists(), target
