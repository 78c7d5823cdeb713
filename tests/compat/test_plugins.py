"""What installed packages register is found by name, everywhere a name is taken; faults name the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skelaug
from skelaug import config, plugins
from skelaug.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "integrations" / "skelaug_horse"


def install(folder: Path, name: str, code: str, points: dict[str, dict[str, str]]) -> None:
    """What pip leaves behind: a module, and beside it the metadata of a distribution."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name.replace('-', '_')}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


def python(code: str, *folders: Path, cli: tuple[object, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run code, or the command line, in a process that has the folders on its path."""
    path = os.pathsep.join(map(str, [*folders, ROOT]))
    what = ["-m", "skelaug.cli", *map(str, cli)] if cli else ["-c", code]
    return subprocess.run(
        [sys.executable, *what], env=os.environ | {"PYTHONPATH": path}, text=True, capture_output=True, check=False
    )


def prints(code: str, *folders: Path) -> str:
    done = python(code, *folders)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def horse(tmp_path: Path) -> Path:
    """The example of the documentation, installed."""
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    install(tmp_path / "site", "skelaug-horse", (EXAMPLE / "skelaug_horse.py").read_text(), points)
    return tmp_path / "site"


def test_a_package_is_found_by_name_and_imported_when_named(horse: Path, tmp_path: Path) -> None:
    prints(
        f"""
import copy, pickle, sys
from pathlib import Path
import skelaug, torch
from skelaug import config, plugins
from skelaug.cli import main

assert "importlib.metadata" not in sys.modules or not plugins._registered.cache_info().currsize, "looked at on import"
x = torch.randn(4, 3, 20, 25, 2)
skelaug.policies.hiclr(skelaug.skeletons["ntu25"]).views(x)
config.to_yaml(config.from_dict({{"preset": "hiclr", "skeleton": "ntu25"}}))
assert repr(skelaug.skeletons["ntu25"]) == "skeletons['ntu25']"
own = skelaug.Skeleton.from_edges([(0, 1)], name="own")
assert "own" in repr(own) and config.to_dict(skelaug.transforms.Bone(own))
assert not plugins._registered.cache_info().currsize, "our own names looked at others'"

assert list(skelaug.skeletons)[-1] == "horse6" and len(list(skelaug.skeletons)) == len(skelaug.skeletons)
assert plugins.names("transforms") == ["Wobble"] and plugins.names("policies") == ["gallop"]
assert "skelaug_horse" not in sys.modules, "imported before it was named"

horse = skelaug.skeletons["horse6"]
assert "horse6" in skelaug.skeletons and skelaug.skeletons.get("horse6") is horse
assert dict(skelaug.skeletons)["horse6"] is horse and repr(horse) == "skeletons['horse6']"
from skelaug.transforms import Wobble
import skelaug_horse
assert Wobble is skelaug_horse.Wobble and skelaug.policies.gallop is skelaug_horse.gallop

run = skelaug.Compose([Wobble(0.2, p=0.5), skelaug.transforms.SwapSides(horse)])
text = config.to_yaml(run, Path({str(tmp_path / "run.yaml")!r}))
assert "skeleton: horse6" in text and repr(config.from_yaml(text)) == repr(run)
again = config.resolve({str(tmp_path / "run.yaml")!r})
x, keys = torch.randn(4, 3, 20, 6, 1), skelaug.random.keys(0, 0, range(4))
assert again(x, keys=keys).equal(run(x, keys=keys))
assert pickle.loads(pickle.dumps(run))(x, keys=keys).equal(run(x, keys=keys))

for policy in (config.resolve("gallop", "horse6"), config.resolve({{"preset": "gallop", "width": 0.1}}, horse)):
    assert policy.names == ("weak", "strong") and len(policy.views(x)) == 2
loader = skelaug.Collate("gallop", "horse6")
assert [view.shape for view in loader([(x[0], 0), (x[1], 1)])[0]] == [(2, 3, 20, 6, 1)] * 2
""",
        horse,
    )


@pytest.mark.slow  # processes that import torch
def test_the_command_line_knows_them(horse: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 3, 10, 6, 1)).astype(np.float32))
    given = ("views", tmp_path / "x.npy", "--skeleton", "horse6", "--out", tmp_path / "out")
    done = python("", horse, cli=(*given, "--policy", "gallop"))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").glob("*.npy")} >= {"0_weak.npy", "1_strong.npy"}
    assert "type: Wobble" in (tmp_path / "out" / "policy.yaml").read_text()
    wrong = python("", horse, cli=(*given, "--policy", "galop", "--overwrite"))
    assert wrong.returncode == 1 and "no preset 'galop'; known: aimclr" in wrong.stderr and ", gallop;" in wrong.stderr


FAULTS: dict[str, tuple[str, dict[str, dict[str, str]], str, str]] = {
    "fails on import": (
        "import nothing_of_that_name",
        {"skelaug.policies": {"trot": "bad_horse:trot"}},
        "skelaug.policies.trot",
        "entry point trot = 'bad_horse:trot' in skelaug.policies of package 'bad-horse': cannot be loaded: "
        "ModuleNotFoundError: No module named 'nothing_of_that_name'",
    ),
    "lacks what it promised": (
        "",
        {"skelaug.skeletons": {"pony": "bad_horse:pony"}},
        "skelaug.skeletons['pony']",
        "pony = 'bad_horse:pony' in skelaug.skeletons of package 'bad-horse': cannot be loaded: AttributeError",
    ),
    "no skeleton": (
        "pony = 3",
        {"skelaug.skeletons": {"pony": "bad_horse:pony"}},
        "skelaug.skeletons['pony']",
        "must be a skelaug.Skeleton, is 3",
    ),
    "another name than the skeleton's": (
        "import skelaug; pony = skelaug.Skeleton.from_edges([(0, 1)], name='mule')",
        {"skelaug.skeletons": {"pony": "bad_horse:pony"}},
        "list(skelaug.skeletons.values())",
        "must be registered under the skeleton's name, 'mule'",
    ),
    "no transform": (
        "class Buck: pass",
        {"skelaug.transforms": {"Buck": "bad_horse:Buck"}},
        "config.from_dict({'type': 'Buck'})",
        "must be a subclass of skelaug.Transform, is <class 'bad_horse.Buck'>",
    ),
    "another name than the class's": (
        "import skelaug\nclass Buck(skelaug.Transform): pass",
        {"skelaug.transforms": {"buck": "bad_horse:Buck"}},
        "skelaug.transforms.buck",
        "must be registered under the name of its class, 'Buck'",
    ),
    "no function": (
        "trot = 3",
        {"skelaug.policies": {"trot": "bad_horse:trot"}},
        "config.resolve('trot', 'ntu25')",
        "must be a function that takes the skeleton and returns a policy, is 3",
    ),
    "a function of something else": (
        "def trot(skeleton): return 3",
        {"skelaug.policies": {"trot": "bad_horse:trot"}},
        "config.resolve('trot', 'ntu25')",
        "must return a Transform or a GrowingPolicy, got 3",
    ),
    "a name of ours": (
        "",
        {"skelaug.skeletons": {"ntu25": "bad_horse:ntu"}},
        "skelaug.skeletons['ntu25']; list(skelaug.skeletons)",
        "ntu25 = 'bad_horse:ntu' in skelaug.skeletons of package 'bad-horse': skelaug has a 'ntu25' of its own",
    ),
}


@pytest.fixture
def looked_at_anew() -> Iterator[None]:
    """As in a new process: nothing has been looked up."""

    def forget() -> None:
        plugins._registered.cache_clear()
        plugins._load.cache_clear()
        sys.modules.pop("bad_horse", None)

    forget()
    yield
    forget()


@pytest.mark.usefixtures("looked_at_anew")
@pytest.mark.parametrize("name", FAULTS)
def test_faults_name_the_package_and_leave_the_rest_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, points, use, message = FAULTS[name]
    install(tmp_path / "site", "bad-horse", code, points)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert config.resolve("hiclr", "ntu25") and "kinect21" not in skelaug.skeletons
    assert not hasattr(skelaug.transforms, "Trot")
    with pytest.raises(plugins.PluginError, match=re.escape(message)):
        exec(use, {"skelaug": skelaug, "config": config})


@pytest.mark.usefixtures("looked_at_anew")
def test_two_packages_with_one_name(
    horse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The same package twice on the path, as an editable install beside a wheel, is no clash.
    install(tmp_path / "twice", "skelaug-horse", "", {"skelaug.skeletons": {"horse6": "skelaug_horse:horse6"}})
    monkeypatch.syspath_prepend(tmp_path / "twice")
    monkeypatch.syspath_prepend(horse)
    assert "horse6" in list(skelaug.skeletons)

    install(tmp_path / "other", "other-horse", "horse6 = 1", {"skelaug.skeletons": {"horse6": "other_horse:horse6"}})
    monkeypatch.syspath_prepend(tmp_path / "other")
    plugins._registered.cache_clear()
    both = r"package '(skelaug|other)-horse' and .* of package '(skelaug|other)-horse' share a name; uninstall one"
    with pytest.raises(plugins.PluginError, match=both):
        skelaug.skeletons["horse6"]
    with pytest.raises(plugins.PluginError, match=both):
        list(skelaug.skeletons)
    assert skelaug.skeletons["ntu25"] and skelaug.skeletons.get("horse7") is None
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 5, 6, 1), np.float32))
    assert main(["views", str(tmp_path / "x.npy"), "--skeleton", "horse6", "--out", "o"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("skelaug views: entry point horse6") and shown.count("\n") == 1


def test_nothing_of_that_name() -> None:
    missing: Any
    for missing in (lambda: skelaug.transforms.Wobbel, lambda: skelaug.policies.galop):  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match=r"module 'skelaug\.(transforms|policies)' has no attribute"):
            missing()
    with pytest.raises(ImportError, match="cannot import name 'Wobbel'"):
        exec("from skelaug.transforms import Wobbel")


@pytest.mark.slow
def test_the_conformance_suite_runs_over_a_guest(horse: Path) -> None:
    (horse / "horse_cases.py").write_text(
        "from cases import Case\nfrom skelaug_horse import Wobble\n"
        "CASES = [Case('Wobble', lambda **given: Wobble(0.1, **given))]\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_conformance.py", "-k", "Wobble", "-q", "-p", "no:cacheprovider"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [horse, ROOT])), "SKELAUG_CASES": "horse_cases:CASES"},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 10  # type: ignore[index]
