"""The code in README and on the site's pages runs as it stands, each block alone; the pages name all that there is."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import skelaug
from skelaug import transforms
from skelaug.commands.demo import examples

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = ("transforms", "auto_tutorials")  # by the build of the site, as are the pictures of the concepts
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.relative_to(DOCS).parts[0] not in GENERATED),
]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def pasted(page: Path) -> Any:
    """Each block of Python of a page as a parameter of a test."""
    name = page.relative_to(ROOT).with_suffix("").as_posix()
    return [pytest.param(code, id=f"{name}-{i}") for i, code in enumerate(blocks(page)) if page.stem != "plugins"]


def needed(code: str) -> list[str]:
    """The projects that a block imports and that need not be installed."""
    return re.findall(r"^(?:import|from) (datasets|lightning|mmengine)\b", code, re.MULTILINE)


def write_files_of_readers(folder: Path) -> None:
    """Small files of the kinds that "Your file → x" reads."""
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(6, 33, 3))
    (folder / "clip.json").write_text(json.dumps(clip.tolist()))
    header = ",".join(f"{axis}{joint}" for joint in range(33) for axis in "xyz")
    np.savetxt(folder / "clip.csv", clip.reshape(6, -1), delimiter=",", header=header, comments="")
    np.save(folder / "clips.npy", rng.normal(size=(4, 6, 25, 3)))
    np.savez(folder / "clips.npz", x=rng.normal(size=(4, 3, 6, 25, 2)), length=np.array([6, 5, 4, 6]))
    np.savez(folder / "NTU60_CS.npz", x_train=rng.normal(size=(4, 6, 150)))
    annotations = [{"keypoint": rng.normal(size=(1 + i, 6 + i, 17, 2)), "label": i} for i in range(2)]
    (folder / "annotations.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": annotations}))
    (folder / "walk.bvh").write_text(BVH + "\n".join(" ".join(map(str, row)) for row in rng.normal(size=(4, 9))) + "\n")
    (folder / "openpose" / "wave").mkdir(parents=True)
    for frame in range(3):
        person = {"pose_keypoints_2d": rng.uniform(0.1, 1, 75).tolist()}
        path = folder / "openpose" / "wave" / f"clip_{frame:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": [person]}))


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 50 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 50 0
    }
  }
}
MOTION
Frames: 4
Frame Time: 0.0333333
"""


@pytest.mark.parametrize("code", [block for page in PAGES for block in pasted(page)])
def test_every_block_runs_when_it_is_pasted_alone(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in needed(code):
        pytest.importorskip(name)
    shutil.copy(DOCS / "integrations" / "policy.yaml", tmp_path)
    write_files_of_readers(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "pasted", "exec"), {"__name__": "__main__"})


def test_the_page_on_plug_ins_runs_with_its_package_installed(tmp_path: Path) -> None:
    package = DOCS / "integrations" / "skelaug_horse"
    installed = tmp_path / "skelaug_horse-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: skelaug_horse\nVersion: 1.0\n")
    toml = (package / "pyproject.toml").read_text(encoding="utf-8")
    groups = re.findall(r'^\[project\.entry-points\."([\w.]+)"\]\n((?:\w+ = .*\n)+)', toml, re.MULTILINE)
    entries = "\n".join(f"[{group}]\n{lines}" for group, lines in groups).replace('"', "")
    (installed / "entry_points.txt").write_text(entries)
    path = os.pathsep.join(map(str, (tmp_path, package, ROOT / "tests", ROOT)))
    for code in blocks(DOCS / "integrations" / "plugins.md"):
        ran = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True)
        assert ran.returncode == 0, ran.stderr.decode()


def test_your_file_gives_what_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files_of_readers(tmp_path)
    monkeypatch.chdir(tmp_path)
    shapes = []
    for code in blocks(DOCS / "start" / "files.md"):
        given: dict[str, Any] = {}
        exec(code, given)
        batch = given.get("batch") or given.get("clips")
        x = batch.x if isinstance(batch, skelaug.SkeletonBatch) else given.get("x")
        shapes.append(None if x is None else tuple(x.shape))
        if "to_x" in given:
            joint = SimpleNamespace(x=1.0, y=2.0, z=3.0, visibility=0.5)
            seen, nobody = SimpleNamespace(pose_landmarks=[[joint] * 33]), SimpleNamespace(pose_landmarks=[])
            x = given["to_x"]([seen, nobody])
            assert x[0, :, 0, 7, 0].tolist() == [1, 2, 3, 0.5] and x[0, :, 1].isnan().all()
    array, skeleton = (4, 3, 6, 25, 1), (1, 3, 6, 33, 1)
    lists = [(2, 2, 7, 17, 2), (1, 3, 4, 2, 1), (1, 3, 3, 25, 1), None, (1, 3, 60, 25, 1)]
    assert shapes == [skeleton, skeleton, array, (4, 3, 6, 25, 2), (4, 3, 6, 25, 2), *lists]


def test_lift_lifts() -> None:
    given: dict[str, Any] = {}
    exec(blocks(DOCS / "guide" / "own.md")[0], given)
    x = torch.randn(8, 3, 50, 25, 2)
    lifted = given["Lift"](2.0)(x)
    assert (lifted[:, 1] >= x[:, 1]).all() and lifted[:, 0].equal(x[:, 0])


def test_every_file_the_documents_link_to_is_there() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", prose):
            made = any(f"{folder}/" in target for folder in GENERATED)
            made = made or (page.parent.name == "concepts" and target.startswith("images/"))
            there = made or (page.parent / target).exists()
            assert there, f"{page.name} links to {target}"


def test_the_pages_name_every_skeleton_and_policy() -> None:
    for page, names in (("guide/skeletons.md", skelaug.skeletons), ("start/choose.md", skelaug.policies.__all__)):
        text = (DOCS / page).read_text(encoding="utf-8")
        for name in names:
            assert f"`{name}`" in text, (page, name)


def test_every_transform_has_an_example_for_its_page_and_its_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "_ext")
    code = importlib.import_module("transform_pictures").code
    shown = set()
    for transform, *_ in examples(skelaug.sample_motion(length=48)):
        given: dict[str, Any] = {}
        exec(code(transform), given)
        assert isinstance(given["t"], type(transform)) and len(given["y"]) == len(given["clips"])
        shown.add(type(transform).__name__)
    assert shown == set(transforms.__all__)
