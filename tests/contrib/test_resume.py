"""A run that is killed again and again ends with the very bits of one that was left alone."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import finish, prepared, start, tiny
from torch.utils import _pytree as pytree

from skelaug_contrib.checkpoint import load
from skelaug_contrib.config import PretrainConfig
from skelaug_contrib.log import cut

STEPS = 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "set", lost=0.02)  # with joints that were not observed


def everything(data: Path, **changes: Any) -> PretrainConfig:
    """Whatever has a state is on: dropout, queue, mined neighbours, schedule, a monitor in between."""
    return tiny(
        data,
        encoder__dropout=0.5,
        method__strong="all",
        method__mine_from=2,
        data__validation_subjects=1,
        knn_every=1,
        epochs=100,
        max_steps=STEPS,
        checkpoint_every=4,
        **changes,
    )


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def timeless(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in entries]


def assert_same_run(one: Path, other: Path) -> None:
    a, b = load(one / "checkpoint.pt"), load(other / "checkpoint.pt")
    for part in ("model", "optimizer"):
        leaves_a, tree_a = pytree.tree_flatten(a[part])
        leaves_b, tree_b = pytree.tree_flatten(b[part])
        assert tree_a == tree_b
        for x, y in zip(leaves_a, leaves_b, strict=True):
            assert torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
    assert a["step"] == b["step"] == STEPS
    assert (one / "encoder.safetensors").read_bytes() == (other / "encoder.safetensors").read_bytes()
    assert timeless(lines(one)) == timeless(lines(other))


def written(out: Path) -> int:
    log = out / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill_and_restart(config: PretrainConfig, out: Path, moments: random.Random, kills: int) -> list[int]:
    """Kill a run at random moments, and restart it, until it ends by itself; where its checkpoint was after each."""
    found = []
    for _ in range(kills):
        process = start(config, out)
        until = written(out) + moments.randint(0, 14)  # lines that were cut off are written once more
        while process.is_alive() and written(out) < until:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        process.kill()
        process.join()
        found.append(load(out / "checkpoint.pt")["step"] if (out / "checkpoint.pt").exists() else 0)
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
    finish(start(config, out))
    return found


def test_killed_at_any_moment_it_goes_on_bit_for_bit(data: Path, tmp_path: Path) -> None:
    config = everything(data)
    finish(start(config, tmp_path / "whole"))
    places = kill_and_restart(config, tmp_path / "killed", random.Random(0), kills=8)
    assert len([step for step in set(places) if 0 < step < STEPS]) >= 2, places
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    steps = [entry["step"] for entry in lines(tmp_path / "killed") if "loss" in entry]
    assert steps == list(range(1, STEPS + 1))
    assert [entry["step"] for entry in lines(tmp_path / "killed") if "knn" in entry] == [5, 10, 15, 20, 25, 30]


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in descendants(child)]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_no_worker_behind(data: Path, tmp_path: Path) -> None:
    process = start(everything(data, data__workers=1), tmp_path / "run")
    while process.is_alive() and written(tmp_path / "run") < 3:
        time.sleep(0.01)
    assert process.pid is not None
    workers = descendants(process.pid)
    process.kill()
    process.join()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert workers and not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_very_often(seed: int, data: Path, tmp_path: Path) -> None:
    config = everything(data, data__workers=seed % 2, seed=seed)
    finish(start(config, tmp_path / "whole"))
    kill_and_restart(config, tmp_path / "killed", random.Random(seed + 1), kills=25)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_the_command_killed_and_given_again(data: Path, tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        options = "--encoder.widths [8,8] --method.dim 16 --method.queue 40 --batch 8 --log_every 1 --accelerator cpu"
        more = f"--data.protocol xsub --data.frames 8 --max_steps {STEPS} --checkpoint_every 3"
        where = [str(data), str(tmp_path / out)]
        return [sys.executable, "-m", "skelaug.cli", "pretrain", *where, *options.split(), *more.split()]

    subprocess.run(command("whole"), check=True, capture_output=True)
    moments, kills = random.Random(0), 0
    while kills < 4:
        process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = written(tmp_path / "killed") + moments.randint(3, 7)
        while process.poll() is None and written(tmp_path / "killed") < until:
            time.sleep(0.001)
        process.kill()
        kills += 1
        if process.wait() == 0:
            break
    subprocess.run(command("killed"), check=True, capture_output=True)
    assert kills >= 2
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_torn_log_is_mended_and_other_leftovers_do_no_harm(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = everything(data)
    finish(start(config, out))
    whole, log = tmp_path / "whole", out / "log.jsonl"
    shutil.copytree(out, whole)

    cut_short = load(out / "checkpoint.pt")["step"]
    with log.open("ab") as file:
        file.write(b'{"step": 31, "loss": 1.0}\n{"step": 32, "lo')  # later than the checkpoint, the last one torn
    for name in (".checkpoint.pt.tmp", ".log.jsonl.tmp", ".encoder.safetensors.tmp", ".config.yaml.tmp"):
        (out / name).write_bytes(b"torn")
    (out / "encoder.safetensors").unlink()
    finish(start(config, out))
    assert cut_short == STEPS and log.read_bytes() == (whole / "log.jsonl").read_bytes()
    assert_same_run(whole, out)


def test_cut_keeps_whole_lines_up_to_the_step() -> None:
    log = b"".join(json.dumps({"step": s, "loss": 1.0}).encode() + b"\n" for s in (1, 2, 2, 3))
    assert cut(log, 2) == log[: log.index(b'{"step": 3')]
    assert cut(log, 9) == log and cut(log, 0) == b"" and cut(b"", 5) == b""
    for end in range(len(log)):
        assert cut(log[:end], 9) == log[: log[:end].rfind(b"\n") + 1]
    assert cut(b"[]\n" + log, 9) == cut(b"5\n", 9) == cut(b"\xff\n", 9) == b""
