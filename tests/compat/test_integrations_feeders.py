"""The feeders of docs/integrations run, their page tells the truth, and the peers' own feeders run from a copy."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import skelaug
from skelaug.compat import aimclr, ctrgcn

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "integrations"
PAGE = FOLDER / "feeders.md"
EXAMPLES = ["aimclr_feeder", "ctrgcn_feeder"]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a file of the folder by its name, as a worker process can too."""
    monkeypatch.syspath_prepend(str(FOLDER))
    kept = dict(sys.modules)

    def by_name(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield by_name
    for name in set(sys.modules) - set(kept):
        if getattr(sys.modules[name], "__file__", None) and str(FOLDER) in str(sys.modules[name].__file__):
            del sys.modules[name]


# --- the examples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_run(name: str, load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    load(name).main()
    lines = capsys.readouterr().out.splitlines()
    frames = {"aimclr_feeder": 50, "ctrgcn_feeder": 64}[name]
    assert len(lines) >= 3 and all(f"3, {frames}, 25, 2) torch.float32" in line for line in lines)


def feeder(load: Any, folder: Path, name: str = "aimclr_feeder") -> Any:
    module = load(name)
    if name == "aimclr_feeder":
        module.write_data(folder)
        return module.TwoViews(folder)
    module.write_data(folder / "data.npz")
    return module.Joints(folder / "data.npz", motion=True)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_leave_their_files_and_absent_people_alone(name: str, load: Any, tmp_path: Path) -> None:
    dataset = feeder(load, tmp_path, name)
    before = np.array(dataset.data)
    absent = 0
    for i in range(len(dataset)):
        *views, _ = dataset[i] if name == "aimclr_feeder" else (dataset[i][0], None)
        gone = ~np.array(dataset.data[i]).any((0, 1, 2))
        absent += gone.sum()
        for view in views:
            assert not np.asarray(view)[..., gone].any()
    assert absent > 0
    np.testing.assert_array_equal(np.array(dataset.data), before)


# --- seeds -----------------------------------------------------------------------------------------------------------


def seed_by_number(worker: int) -> None:
    """What the peers pass as ``worker_init_fn``."""
    torch.manual_seed(worker)


def epochs(dataset: Any, seed: int, context: str | None = "fork", init: Any = None) -> list[torch.Tensor]:
    """The strong views of two epochs, in order."""
    torch.manual_seed(seed)
    loader = DataLoader(
        dataset,
        batch_size=6,
        num_workers=2 if context else 0,
        multiprocessing_context=context,
        worker_init_fn=init,
    )
    return [torch.cat([strong for _, strong, _ in loader]) for _ in range(2)]


class Same:
    """One clip over and over: what differs was drawn."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> Any:
        return self.dataset[0]


# Python 3.12 warns of forks beside threads, which torch may have.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")


@pytest.mark.parametrize(
    "context",
    [
        None,
        pytest.param("fork", marks=needs_fork),
        pytest.param("spawn", marks=pytest.mark.slow),
    ],
)
def test_streams_differ_by_worker_and_epoch_and_repeat_for_a_seed(context: Any, load: Any, tmp_path: Path) -> None:
    if context == "spawn":  # a fresh process must find the class
        dataset = feeder(load, tmp_path)
        dataset.data, dataset.labels = dataset.data[:1].repeat(24, 0), dataset.labels[:1] * 24
    else:
        dataset = Same(feeder(load, tmp_path))
    first, second = epochs(dataset, 0, context)
    again = epochs(dataset, 0, context)
    other = epochs(dataset, 1, context)
    assert first.equal(again[0]) and second.equal(again[1])
    every = torch.cat([first, second, other[0]])
    assert len(every.flatten(1).unique(dim=0)) == len(every)


@needs_fork
def test_a_loader_that_seeds_by_the_workers_number_repeats_nothing(load: Any, tmp_path: Path) -> None:
    """As the peers' loaders do, which need not be changed."""
    dataset = Same(feeder(load, tmp_path))
    first, second = epochs(dataset, 0, init=seed_by_number)
    every = torch.cat([first, second, *epochs(dataset, 1, init=seed_by_number)])
    assert len(every.flatten(1).unique(dim=0)) == len(every)
    assert first.equal(epochs(dataset, 0, init=seed_by_number)[0])


def each_tool(seed: int) -> list[np.ndarray[Any, Any]]:
    """A call of every function that draws."""
    torch.manual_seed(seed)
    x = np.random.default_rng(0).normal(size=(3, 80, 25, 2)).astype("float32")
    return [
        *(tool(x) for tool in (aimclr.shear, aimclr.temperal_crop, aimclr.random_rotate, aimclr.gaus_filter)),
        *(tool(x, p=1.0) for tool in (aimclr.gaus_noise, aimclr.axis_mask)),
        *(tool(x, p=0.5) for tool in (aimclr.random_spatial_flip, aimclr.random_time_flip)),
        ctrgcn.valid_crop_resize(x, 80, [0.5, 1], 64),
        np.asarray(ctrgcn.random_rot(x)),
        ctrgcn.random_move(x),
        ctrgcn.random_choose(x, 40),
        ctrgcn.auto_pading(x, 120, True),
        ctrgcn.random_shift(np.pad(x, [(0, 0), (20, 20), (0, 0), (0, 0)])),
    ]


def test_in_a_worker_no_tool_draws_from_the_global_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were one left out, it would repeat where the loader seeds alike."""
    generator = torch.Generator().manual_seed(5)
    monkeypatch.setattr("skelaug.compat._clips.worker_generator", lambda: generator)
    first = each_tool(0)
    generator.manual_seed(5)
    assert all(np.array_equal(a, b) for a, b in zip(first, each_tool(1), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, each_tool(1), strict=True))


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_names_every_function_and_shows_the_files_lines() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for module in (aimclr, ctrgcn):
        for name in module.__all__:
            assert f"`{name}`" in text, name
    added = re.findall(r"^\+(?!\+)(.*)$", "\n".join(re.findall(r"```diff\n(.*?)```", text, re.DOTALL)), re.MULTILINE)
    for name, module in (("aimclr", "aimclr_feeder"), ("ctrgcn", "ctrgcn_feeder")):
        line = f"from skelaug.compat import {name} as tools"
        assert line in added
        assert line in (FOLDER / f"{module}.py").read_text(encoding="utf-8").splitlines()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (FOLDER / target).exists(), target


def test_the_pages_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {"clip": np.ones((3, 50, 20, 2), np.float32), "skelaug": skelaug})


# --- the peers' own feeders ------------------------------------------------------------------------------------------


def standard(folder: Path, n: int = 12) -> Path:
    """A file of the kind that run_feeder reads."""
    motion = skelaug.synthetic_motion(skelaug.skeletons["kinect20"], n=n, frames=90, gaps=True)
    path = folder / "data.npz"
    np.savez(path, x=motion.x.numpy(), length=np.full(n, 90), label=motion.label.numpy())
    return path


def write_stand_in(folder: Path) -> None:
    """A package laid out as AimCLR's, our own: its tools must not be imported."""
    (folder / "feeder").mkdir(parents=True)
    (folder / "feeder" / "__init__.py").write_text("from . import tools\n")
    (folder / "feeder" / "tools.py").write_text("raise ImportError('the feeder saw its own tools')\n")
    (folder / "feeder" / "ntu_feeder.py").write_text(
        """
import pickle

import numpy as np

from . import tools


class Feeder_single:
    def __init__(self, data_path, label_path):
        self.data = np.load(data_path, mmap_mode="r")
        with open(label_path, "rb") as file:
            self.names, self.labels = pickle.load(file)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.view(index), self.labels[index]

    def view(self, index):
        return tools.shear(tools.temperal_crop(np.array(self.data[index])))


class Feeder_triple(Feeder_single):
    def __init__(self, data_path, label_path, aug_method):
        super().__init__(data_path, label_path)
        assert aug_method == "123456"

    def __getitem__(self, index):
        strong = tools.random_spatial_flip(self.view(index))
        for tool in (tools.random_rotate, tools.gaus_noise, tools.gaus_filter, tools.axis_mask, tools.random_time_flip):
            strong = tool(strong)
        return [strong, self.view(index)], self.labels[index]
"""
    )


def test_a_feeder_of_the_peers_layout_runs_with_its_tools_replaced(tmp_path: Path) -> None:
    write_stand_in(tmp_path / "peer")
    done = subprocess.run(
        [
            sys.executable,
            str(FOLDER / "run_feeder.py"),
            "--peer",
            f"aimclr={tmp_path / 'peer'}",
            str(standard(tmp_path)),
            "--batch-size=4",
            "--faithful",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    single, triple = done.stdout.splitlines()
    assert re.match(r"aimclr  Feeder_single +12 clips  1 × \(4, 3, 50, 25, 2\)  torch.float32", single)
    assert re.match(r"aimclr  Feeder_triple +12 clips  2 × \(4, 3, 50, 25, 2\)  torch.float32", triple)


def test_the_script_says_what_is_wrong(tmp_path: Path, load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script, data = load("run_feeder"), standard(tmp_path)

    def says(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["run_feeder.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            script.main()
        return str(stop.value.code)

    assert "no feeder/ntu_feeder.py there; give a checkout" in says("--peer", f"aimclr={tmp_path}", data)
    assert says("--peer", "aimclr", data) == says("--peer", "other=x", data) == "2"
    np.savez(tmp_path / "flat.npz", x=np.zeros((4, 50, 150), np.float32))
    assert "x must be (N, 3, T, 20 or 25 joints, 1 or 2 persons), got (4, 50, 150)" in says(
        "--peer", f"aimclr={tmp_path}", tmp_path / "flat.npz"
    )
    write_stand_in(tmp_path / "peer")
    assert "12 clips make no batch of 128" in says("--peer", f"aimclr={tmp_path / 'peer'}", data)


@pytest.fixture
def peers() -> Path:
    """A folder with checkouts of the peers: ``aimclr``, ``hiclr``, ``ctrgcn``."""
    if "SKELAUG_PEERS" not in os.environ:
        pytest.skip("needs the peers' code: SKELAUG_PEERS names a folder with checkouts aimclr, hiclr, ctrgcn")
    return Path(os.environ["SKELAUG_PEERS"])


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize("peer", ["aimclr", "hiclr", "ctrgcn"])
def test_the_peers_loops_run_unchanged(
    peer: str, faithful: bool, peers: Path, recordings: Path, load: Any, tmp_path: Path
) -> None:
    if not (peers / peer).is_dir():
        pytest.skip(f"no checkout {peer} in SKELAUG_PEERS")
    script = load("run_feeder")
    x, length, label = script.read(recordings / "nw_ucla.npz")
    data = x[::10], length[::10], label[::10]
    seen = script.run(peer, peers / peer, data, batch_size=16, faithful=faithful)
    clips = {name: count for name, count, _, _ in seen}
    views = {name: [tuple(v.shape) for v in first] for name, _, _, first in seen}
    if peer == "ctrgcn":
        assert clips == {"train": 144, "train, bone": 144, "train, motion": 144, "test": 32}
        assert all(shapes == [(16, 3, 64, 25, 2)] for shapes in views.values())
    else:
        assert clips == {"Feeder_single": 144, "Feeder_triple": 144}
        assert views["Feeder_single"] == [(16, 3, 50, 25, 2)]
        assert views["Feeder_triple"] == [(16, 3, 50, 25, 2)] * (4 if peer == "hiclr" else 3)
    absent = seen[0][3][0][..., 1]
    assert not absent.any()  # NW-UCLA has one person


def original(peers: Path, path: str) -> ModuleType:
    file = peers / path
    if not file.is_file():
        pytest.skip(f"no {path} in SKELAUG_PEERS")
    if "matplotlib" in file.read_text(encoding="utf-8"):
        pytest.importorskip("matplotlib", reason="the peer's file imports matplotlib")
    spec = importlib.util.spec_from_file_location("original_tools", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [n for n in aimclr.__all__ if n != "with_options"])
def test_faithful_is_what_aimclrs_own_code_draws(name: str, peers: Path) -> None:
    import random

    from compat.parity import clip, pvalue

    tools = original(peers, "aimclr/feeder/tools.py")
    x = clip(start=2, stop=9)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    theirs, ours = getattr(tools, name), getattr(aimclr, name)
    given = x.astype(np.float64)  # its blur takes nothing else
    assert pvalue(lambda: ours(x, faithful=True), lambda rng: theirs(given), 1500) > 1e-3


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("valid_crop_resize", (9, [0.6], 6)),  # its random crop does not run on NumPy 2.4
        ("random_rot", (0.3,)),
        ("random_move", ()),
        ("random_shift", ()),
        ("random_choose", (5,)),
        ("random_choose", (20,)),
        ("auto_pading", (20, True)),
    ],
)
def test_faithful_is_what_ctrgcns_own_code_draws(name: str, arguments: tuple[Any, ...], peers: Path) -> None:
    import random

    from compat.parity import clip, pvalue

    tools = original(peers, "ctrgcn/feeders/tools.py")
    x = clip(v=3, start=2, stop=9)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    theirs, ours = getattr(tools, name), getattr(ctrgcn, name)
    assert (
        pvalue(lambda: ours(x, *arguments, faithful=True), lambda rng: np.asarray(theirs(x.copy(), *arguments)), 1500)
        > 1e-3
    )
