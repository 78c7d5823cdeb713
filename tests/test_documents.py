"""The code in README and the guides runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import skelaug
from skelaug import transforms

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.randn(8, 3, 50, 25, 2)
    # What the guides speak of without saying where it comes from.
    given = vars(transforms) | {
        "torch": torch,
        "skelaug": skelaug,
        "skeleton": skelaug.skeletons["ntu25"],
        "t": transforms.Shear(0.5),
        "x": x,
    }
    found = blocks(page)
    assert found
    for code in found:
        layouts = {"NMTVC": (8, 2, 50, 25, 3), "N T (M V C)": (8, 50, 150), "N T (V C M)": (8, 50, 150)}
        if "to_layout" in code:  # one x for each line
            for line in code.strip().splitlines():
                source = next(name for name in layouts if f'"{name}"' in line)
                exec(line, given | {"x": torch.zeros(layouts[source])})
            continue
        exec(code, given)
    if "Lift" in given:
        lifted = given["Lift"](2.0)(x)
        assert (lifted[:, 1] >= x[:, 1]).all() and lifted[:, 0].equal(x[:, 0])


def test_every_file_the_documents_link_to_is_there() -> None:
    for page in [*PAGES, *(ROOT / "docs" / "integrations").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", prose):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_every_transform_skeleton_and_policy() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in [*transforms.__all__, *skelaug.skeletons, *skelaug.policies.__all__]:
        assert f"`{name}`" in text, name
