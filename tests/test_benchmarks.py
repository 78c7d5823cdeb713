"""The benchmark itself: what it measures, writes and compares, on tiny batches."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import loader, peers, report, rows
from skelaug import Skeleton, policies, skeletons
from skelaug.cli import main
from skelaug_contrib.bench import Row, Setting, markdown, measure

TINY = ["--batch", "4", "--frames", "12", "--rounds", "2", "--queue", "64"]
CPU = torch.device("cpu")


# --- clock, memory ---------------------------------------------------------------------------------------------------


def test_a_race_tells_slow_from_fast_and_takes_turns() -> None:
    order: list[str] = []
    x = torch.randn(200, 200)
    calls = {"slow": lambda: (order.append("s"), [x @ x for _ in range(20)]), "fast": lambda: order.append("f")}
    times = measure.race(calls, 3)
    assert statistics.median(times["slow"]) > 3 * statistics.median(times["fast"])
    assert measure.ratio(times["slow"], times["fast"]) > 3
    row = Row.of("section", "slow", {}, times["slow"])
    assert row.low <= row.median <= row.high and row.rounds == len(times["slow"]) == 3
    turns = "".join(order).rstrip("f").split("s")
    assert sum(bool(turn) for turn in turns) >= 3, "the contestants did not alternate"


@pytest.mark.parametrize(("held", "call"), [
    (1, lambda x: x.clone()),
    (2, lambda x: (x.clone(), x.clone())),
    (1, lambda x: [x.clone() is None for _ in range(3)]),
    (3, lambda x: ((x + 1) * (x + 2)).sum()),
])  # fmt: skip
def test_peak_memory_is_that_of_the_tensors(held: int, call: Any) -> None:
    x = torch.randn(100_000)
    assert measure.peak_bytes(lambda: call(x), CPU) == pytest.approx(held * x.nbytes, rel=0.01)


def test_the_machine_is_described() -> None:
    about = measure.machine()
    assert {"date", "processor", "threads", "torch", "numpy", "kornia", "skelaug", "device"} <= about.keys()
    assert all(about.values())


# --- skelaug bench ---------------------------------------------------------------------------------------------------


def test_the_command_measures_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "bench.json"
    assert main(["bench", *TINY, "--persons", "1", "--json", str(file)]) == 0
    text, found = capsys.readouterr().out, json.loads(file.read_text())
    rows = [Row(**row) for row in found["rows"]]
    assert {row.section for row in rows} == {"floor", "transform", "policy", "view", "loss", "step"}
    for row in rows:
        assert row.name in text and 0 < row.low <= row.median <= row.high and row.rounds == 2
        assert row.setting["batch"] in (4, 128) and row.setting["device"] == "cpu"
    names = {row.name for row in rows}
    import skelaug

    assert names >= {
        *skelaug.transforms.__all__,
        *policies.__all__,
        "x.clone()",
        "streamed",
        "textbook",
        "the four, keyed",
    }
    (shear,) = [row for row in rows if row.name == "Shear"]
    assert shear.over_clone and shear.peak_mib and shear.launches
    assert found["machine"]["torch"] == torch.__version__


def test_every_combination_is_a_row_and_threads_are_put_back() -> None:
    import argparse

    from skelaug_contrib.commands import bench

    parser = argparse.ArgumentParser()
    bench.add_settings(parser)
    text = "--batch 2 3 --frames 8 --dtype float32 bfloat16 --threads 1 2 --rounds 2"
    options = parser.parse_args(text.split(" "))
    before = torch.get_num_threads()
    rows = list(bench.rows("transform", options, only="NegateAxis"))
    assert torch.get_num_threads() == before
    assert len({row.key for row in rows}) == len(rows) == 2 * 2 * 2
    table = markdown(rows)
    assert table.startswith("frames 8, joints 25, persons 2, device cpu, mode eager")
    assert "| transform | batch | dtype | threads |" in table


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--device", "nonsense"], "cannot use the device 'nonsense'"),
        (["--batch", "0"], "must be a whole number ≥ 1"),
        (["--sections", "everything"], "is none of floor, transform"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", *arguments])
    assert stopped.value.code == 2 and says in capsys.readouterr().err


def test_a_name_that_nothing_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *TINY, "--sections", "transform", "--only", "Warp9"]) == 1
    assert "no transform, policy or view has that in its name" in capsys.readouterr().err


def test_a_skeleton_of_ones_own_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without sides, limbs or a spine; other commands refuse what cannot be found, and so does this one."""
    file = tmp_path / "chain.json"
    file.write_text(json.dumps(Skeleton.from_edges([(0, 1), (1, 2)], name="chain", pairs=[(0, 2)]).to_dict()))
    assert main(["bench", *TINY, "--sections", "policy", "--skeleton", str(file)]) == 0
    assert "joints 3" in capsys.readouterr().out
    assert main(["bench", *TINY, "--sections", "policy", "--skeleton", "nobody"]) == 1
    assert "--skeleton nobody: no skeleton 'nobody'; nearest: " in capsys.readouterr().err


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [part for part in rows.PARTS if part not in ("epoch", "feeding", "start")])
def test_every_part_makes_rows(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_TURN", 1e-4)
    races = list(rows.PARTS[part](rows.Bench(Setting(batch=4, frames=12), rounds=2)))
    assert races
    for race in races:
        assert len({row.key for row in race}) == len(race) > 1
        assert all(0 < row.low <= row.median <= row.high for row in race)


def test_the_step_and_its_feeding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_TURN", 1e-4)
    (race,) = rows.feeding(rows.Bench(Setting(batch=4, frames=12), encoder="small"))
    seconds = {row.name: row.median for row in race}
    assert seconds["preparation and four views, clips in memory"] < seconds["step, clips in memory"]
    assert {"step, loader, 0 workers", "step, loader, 2 workers"} < seconds.keys()


def test_the_loop_in_a_loader_makes_four_views() -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, 12, 25, 2)).astype(np.float32)
    views = loader.OneByOne(batch, skeletons["ntu25"])[1]
    assert len(views) == 4 and all(view.shape == (3, 12, 25, 2) and view.dtype == np.float32 for view in views)
    loader.epoch(batch, skeletons["ntu25"], 0)()


# --- run, report, compare --------------------------------------------------------------------------------------------


def test_a_run_leaves_json_table_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert command.main(["run", *TINY, "--only", "floor", "draws", "scaling", "--out", str(out)]) == 0
    content = json.loads((out / "bench.json").read_text())
    assert {row["section"] for row in content["rows"]} >= {"floor", "draw", "over batch"}
    assert content["machine"]["date"] and "bars" not in content
    text = (out / "bench.md").read_text()
    assert "keyed normals" in text and "| --- |" in text
    assert "keyed normals" in capsys.readouterr().out
    again = tmp_path / "again"
    assert command.main(["report", str(out / "bench.json"), "--out", str(again)]) == 0
    assert (again / "bench.md").read_text() == text, "the report comes from the JSON file alone"


def row(section: str, name: str, seconds: float, **setting: Any) -> Row:
    return Row(section, name, {"batch": 8} | setting, seconds, seconds * 0.98, seconds * 1.02, 5, peak_mib=seconds)


def test_every_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra: pip install 'skelaug[viz]'")
    made = [row("throughput", n, s, batch=b) for n, s in (("a", 1.0), ("b", 2.0)) for b in (8, 32, 128)]
    made += [row("members", "linear", 0.1 * i, transforms=i) for i in range(1, 9)]
    made += [row("loss", form, 1e-6 * k, queue=k) for form in ("streamed", "textbook") for k in (32768, 262144)]
    made += [row("over frames", "x.clone()", 0.1 * f, frames=f) for f in (50, 100)]
    content = {"machine": measure.machine(), "rows": [vars(each) for each in made]}
    written = report.write(content, tmp_path)
    names = {path.name for path in written}
    assert names == {"bench.md", "throughput.png", "members.png", "queue.png", "scaling.png"}
    from matplotlib.image import imread

    assert all(imread(path).std() > 0.02 for path in written if path.suffix == ".png")


def test_a_page_is_filled_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = "<!-- {}: made by a command -->\nold\n<!-- end -->\n"
    page.write_text("# Title\n" + "".join(f"{n}\n{marks.format(n)}" for n in ("machine", "epoch", "gone")))
    made = [row("race", "skelaug the four of a step", 0.01), row("race", "loop the four of a step", 0.1)]
    content = {"machine": {"cores": 2}, "rows": [vars(each) for each in made]}
    for _ in range(2):  # filling again replaces what was filled in
        report.fill(page, content)
        text = page.read_text()
        assert text.count("old") == 1 and text.startswith("# Title\nmachine\n"), "only what was not measured stays"
        assert text.count("cores 2") == 1
        assert "| skelaug | 50.0 |" in text and "| loop | 500.0 |" in text  # 40 000 / 8 batches


def compared(tmp_path: Path, old: list[Row], new: list[Row], *more: str) -> int:
    for name, measured in (("old", old), ("new", new)):
        content = {"machine": measure.machine(), "rows": [vars(each) for each in measured]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return command.main(["compare", str(tmp_path / "old.json"), str(tmp_path / "new.json"), *more])


def test_comparing_finds_what_got_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = [
        row("view", "x.clone()", 1.0),
        row("view", "basic", 2.0),
        row("view", "strong", 8.0),
        row("view", "gone", 1.0),
    ]
    same = [replace(each, median=each.median * 1.1) for each in old[:3]]
    assert compared(tmp_path, old, same) == 0
    assert "0 of 3 rows got slower" in capsys.readouterr().out
    slower = [row("view", "x.clone()", 1.0), row("view", "basic", 3.0), row("view", "strong", 4.0)]
    assert compared(tmp_path, old, slower) == 1
    text = capsys.readouterr().out
    assert "SLOWER   1.50  view: basic" in text and "faster   0.50  view: strong" in text
    assert compared(tmp_path, old, slower, "--tolerance", "1.6") == 0
    noisy = [replace(each, median=each.median * 1.5, low=each.median * 0.9) for each in old[:3]]
    assert compared(tmp_path, old, noisy) == 0, "quartiles that overlap are no finding"
    half = [row("view", n, s) for n, s in (("x.clone()", 2.0), ("basic", 4.0), ("strong", 16.0))]
    assert compared(tmp_path, old, half) == 1
    assert compared(tmp_path, old, half, "--by-clone") == 0, "a machine half as fast is no finding"
    assert compared(tmp_path, old, [row("other", "basic", 1.0)]) == 2


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("git") is None or not (Path(__file__).parents[1] / ".git").exists(), reason="needs a git checkout"
)
def test_two_commits_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["--batch=4", "--frames=12", "--queue=64", "--rounds=2", "--seconds=0.001", "--threads", "1", "2"]
    assert command.main(["commits", "HEAD", "HEAD", *tiny]) == 0
    text = capsys.readouterr().out
    lines = re.findall(r"^(\S.*\S)  +([\d.e+]+)  +([\d.e+]+)  +([\d.]+)  [\d.]+ – [\d.]+$", text, re.MULTILINE)
    assert len(lines) == 2 * (6 + len(policies.__all__)), text
    for _, base, head, ratio in lines:
        assert float(base) > 0 and float(ratio) == pytest.approx(float(head) / float(base), rel=0.02)
    assert text.count("times as long as that commit's own") == 2
    left = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True, check=True).stdout
    assert "skelaug-commit-" not in left


def test_a_commit_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["commits", "no-such-commit"]) == 2
    assert "no-such-commit" in capsys.readouterr().err


# --- peers -----------------------------------------------------------------------------------------------------------

TOOLS = """
def shift(x, by):
    return x + by
"""
FEEDER = """
import numpy as np
from matplotlib import use
from . import tools

class Feeder_triple:
    def __init__(self, data_path, label_path, mmap=True):
        assert np.load(data_path).shape[1:] == (3, 50, 25, 2) and not mmap
    def _aug(self, x):
        return tools.shift(x, 1)
    def _strong_aug(self, x):
        return tools.shift(x, 2)
"""
JOINTMASK = """
import torch
class Jointmask:
    def __init__(self, ratio, persons, joints, channels):
        self.sizes = persons, joints, channels
    def __call__(self, data, frames):
        n, c, t, v, m = data.shape
        assert (m, v, c) == self.sizes and frames == t
        return torch.zeros(n, t, m, v, c)
"""


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def test_a_copy_is_executed_where_it_lies(tmp_path: Path) -> None:
    x = np.zeros((4, 3, 12, 25, 2), np.float32)
    plain = written(tmp_path / "plain", feeder__tools=TOOLS, feeder__ntu_feeder=FEEDER)
    found = peers.load(f"aimclr={plain}").calls(x)
    assert [view[0, 0, 0, 0] for view in found["basic"]()] == [1] * 4
    assert [float(v[0, 0, 0, 0]) for v in found["the four of a step"]()[3]] == [1, 1, 2, 2]
    masked = written(tmp_path / "masked", feeder__tools=TOOLS, feeder__ntu_feeder=FEEDER, processor__utils=JOINTMASK)
    peer = peers.load(f"hiclr={masked}")
    views, strong = peer.calls(x)["the four of a step"]()
    assert len(views) == 4 and strong.shape == x.shape and not strong.any()
    assert any("one mask for the batch" in note for note in peer.notes)
    assert not list(tmp_path.rglob("*.npy")), "something was left in the copy"


def test_an_old_crop_is_helped_on_a_new_numpy(tmp_path: Path) -> None:
    tools = """
        import matplotlib.pyplot as plt
        import numpy as np
        def valid_crop_resize(x, valid, p, window):
            return x[:, : int(np.floor(valid * np.ones(1)))][:, :1].repeat(window, 1)
        def random_rot(x):
            return x
    """
    peer = peers.load(f"ctrgcn={written(tmp_path, feeders__tools=tools)}")
    (out,) = peer.calls(np.ones((1, 3, 20, 25, 2), np.float32) * 7)["ctrgcn"]()
    assert out.shape == (3, 64, 25, 2)
    assert any("int was replaced" in note for note in peer.notes) == (np.lib.NumpyVersion(np.__version__) >= "2.4.0")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("nobody=.", "no peer 'nobody'; there are aimclr, hiclr, ctrgcn, pyskl, mmaction2"),
        ("aimclr", "give the folder of your copy"),
        ("aimclr=/no/such/folder", "is not a folder"),
        ("pyskl=.", "is not there"),
    ],
)
def test_a_copy_that_is_not_there_is_named(asked: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["run", *TINY, "--peer", asked]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_mmaction2_where_it_is_installed() -> None:
    pytest.importorskip("mmaction", reason="needs mmaction2")
    peer = peers.load("mmaction2")
    assert peer.calls(np.ones((2, 3, 50, 25, 2), np.float32))["SegmentSample"]()
