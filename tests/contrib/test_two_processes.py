"""Two processes learn what one with the doubled batch learns, to rounding."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from runs import finish, prepared, start, start_two, tiny

from skelaug_contrib.checkpoint import load
from skelaug_contrib.config import EncoderConfig, PretrainConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "set")


def losses(out: Path) -> list[list[float]]:
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [[entry["loss"], entry["info"], *entry["consistency"]] for entry in entries if "loss" in entry]


def assert_alike(one: Path, two: Path, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    torch.testing.assert_close(torch.tensor(losses(two)), torch.tensor(losses(one)), rtol=rtol, atol=atol)
    a, b = load(one / "checkpoint.pt"), load(two / "checkpoint.pt")
    assert a["model"].keys() == b["model"].keys() and a["step"] == b["step"]
    for name, value in a["model"].items():
        torch.testing.assert_close(b["model"][name], value, rtol=rtol, atol=atol, msg=lambda m, n=name: f"{n}: {m}")


def both(config: PretrainConfig, folder: Path) -> tuple[Path, Path]:
    finish(start(dataclasses.replace(config, batch=8), folder / "one"))
    finish(*start_two(dataclasses.replace(config, batch=4, devices=2), folder / "two"))
    return folder / "one", folder / "two"


def test_two_processes_are_one_with_the_doubled_batch(data: Path, tmp_path: Path) -> None:
    config = tiny(data, epochs=1, method__mine_from=0, data__validation_subjects=1, knn_every=1)
    assert_alike(*both(config, tmp_path))
    lines = (tmp_path / "two" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 5]  # one process writes; the last is k-NN


def test_a_run_of_two_is_resumed_bit_for_bit(data: Path, tmp_path: Path) -> None:
    config = tiny(data, batch=4, devices=2, encoder__dropout=0.5, checkpoint_every=2, epochs=1)
    finish(*start_two(config, tmp_path / "whole"))
    processes = start_two(config, tmp_path / "killed")
    while not (tmp_path / "killed" / "checkpoint.pt").exists():
        assert all(process.exitcode is None for process in processes)
    for process in processes:
        process.kill()
        process.join()
    assert load(tmp_path / "killed" / "checkpoint.pt")["step"] < 6
    finish(*start_two(config, tmp_path / "killed"))
    a, b = (load(tmp_path / name / "checkpoint.pt")["model"] for name in ("whole", "killed"))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize("strong", ["mask", "edges"])
@pytest.mark.parametrize("encoder", [EncoderConfig(widths=(8, 12), dropout=0), EncoderConfig("dsta", dropout=0)])
def test_every_encoder_and_graphs_too(encoder: EncoderConfig, strong: str, data: Path, tmp_path: Path) -> None:
    config = tiny(data, max_steps=2, method__strong=strong, optimizer__lr=0.001, encoder=encoder)
    # In so deep a network, rounding grows up to a hundredfold a step: 1e-6 at first, so two steps are compared.
    assert_alike(*both(config, tmp_path), rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "fabric"])
def test_the_launchers(launcher: str, data: Path, tmp_path: Path) -> None:
    def command(out: str, batch: int, devices: int) -> list[str]:
        options = "--data.protocol xsub --data.frames 8 --encoder.widths [8,8] --encoder.dropout 0 --method.dim 16"
        more = "--method.queue 40 --optimizer.lr 0.02 --max_steps 5 --log_every 1 --accelerator cpu"
        where = [str(data), str(tmp_path / out), "--batch", str(batch), "--devices", str(devices)]
        return ["-m", "skelaug.cli", "pretrain", *where, *options.split(), *more.split()]

    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"] if launcher == "torchrun" else []
    subprocess.run([sys.executable, *command("one", 8, 1)], check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, *run, *command("two", 4, 2)], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote ") == 1
    assert_alike(tmp_path / "one", tmp_path / "two")
