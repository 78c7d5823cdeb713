"""What a run says while it goes on, and how it is stopped and made longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated import Run
from runs import prepared, tiny

import skelaug
from skelaug_contrib import progress
from skelaug_contrib.checkpoint import load
from skelaug_contrib.commands.threads import use_threads
from skelaug_contrib.progress import Progress, Stopped, watching
from skelaug_contrib.train import TrainingError, pretrain

OPTIONS = ["--encoder.widths", "[8,8]", "--method.dim", "16", "--method.queue", "40", "--batch", "8"]
OPTIONS += ["--accelerator", "cpu", "--data.protocol", "xsub", "--data.frames", "8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "set")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_lets_the_step_end_and_keeps_it(
    number: int, workers: int, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "skelaug.cli", "pretrain", str(data), str(out), *OPTIONS]
    command += ["--max_steps", "100000", "--epochs", "100000", "--log_every", "1", "--data.workers", str(workers)]
    command += ["--checkpoint_every", "100000"]
    # A shell starts what runs in its background with SIGINT ignored, and processes hand that on.
    ordinary = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **ordinary
    )
    request.addfinalizer(process.kill)
    log, until = out / "log.jsonl", time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None and not (log.exists() and len(log.read_bytes()) > 500):
        time.sleep(0.02)
    os.killpg(process.pid, number)  # as a terminal does: to the workers as well
    _, error = process.communicate(timeout=60)
    step = load(out / "checkpoint.pt")["step"]
    assert process.returncode == 128 + number
    assert f"stopped at step {step} of 100000; the same command goes on from there" in error
    assert "Traceback" not in error and (out / "encoder.safetensors").exists()
    assert log.read_bytes().splitlines()[-1].startswith(b'{"step": %d, ' % step)


def test_a_second_signal_acts_at_once() -> None:
    def twice() -> None:
        with watching() as came:
            assert came() is None
            os.kill(os.getpid(), signal.SIGINT)
            assert came() == signal.SIGINT
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    outside = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    try:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            twice()
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    finally:
        signal.signal(signal.SIGINT, outside)


def test_a_run_becomes_longer(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    out = tmp_path / "run"
    pretrain(tiny(data, max_steps=3), out)
    pretrain(tiny(data, max_steps=5), out, say=said.append)
    assert load(out / "checkpoint.pt")["step"] == 5
    assert (
        "steps: 5, of 8 clips; an epoch has 6; going on from step 3, with the learning rates of a run of 5" in said[0]
    )
    with pytest.raises(TrainingError, match="holds a run at step 5; it cannot become one of 4 steps"):
        pretrain(tiny(data, max_steps=4), out)
    # A schedule that does not depend on the length gives what a run of that length gives.
    steady = {"optimizer__schedule": "steps", "optimizer__milestones": (1,)}
    pretrain(tiny(data, max_steps=3, **steady), tmp_path / "steady")
    pretrain(tiny(data, max_steps=9, epochs=2, **steady), tmp_path / "steady")
    pretrain(tiny(data, max_steps=9, epochs=2, **steady), tmp_path / "whole")
    a, b = (load(tmp_path / name / "checkpoint.pt")["model"] for name in ("steady", "whole"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_command_says_what_it_does(data: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "run"
    code, printed, _ = run("pretrain", data, out, *OPTIONS, "--max_steps", 2, "--log_every", 1, "--threads", 1)
    assert code == 0
    for line in (
        "method: hiclr; views: basic, normal, strong",
        "encoder: stgcn with ",
        "device: cpu, threads: 1",
        "steps: 2, of 8 clips; an epoch has 6",
        "step 1 of 2 (epoch 0): loss ",
        " % on the 16 clips of test\n",
        f"next: skelaug linear {out} {data}",
    ):
        assert line in printed, line
    _, printed, _ = run("pretrain", data, out, *OPTIONS, "--max_steps", 2, "--log_every", 1, "--threads", 1)
    assert "going on from step 2" in printed and "step 1 of 2" not in printed
    code, again, _ = run("knn", out, data)
    accuracy = printed.partition("k-NN accuracy ")[2].split()[0]
    assert code == 0 and accuracy in again


def test_a_set_without_protocols_is_trained_and_embedded(tmp_path: Path, run: Run) -> None:
    motion = skelaug.sample_motion(length=16)
    np.savez(tmp_path / "x.npz", x=motion.x.numpy(), label=np.zeros(len(motion), np.int64))
    assert run("prepare", "npz", tmp_path / "x.npz", tmp_path / "data", "--skeleton", "humanoid15")[0] == 0
    options = [*OPTIONS[:-3], "all", "--data.frames", 8, "--max-steps", 2]
    code, printed, _ = run("pretrain", tmp_path / "data", tmp_path / "run", *options)
    assert code == 0
    line = printed.splitlines()[-1].split()
    assert line[:3] == ["next:", "skelaug", "embed"]
    code, printed, _ = run(*line[2:], "--out", tmp_path / "features")
    assert code == 0 and f"{len(motion)} train clips" in printed


def test_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = [0.0], list[str]()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    meter = Progress(100, 10, said.append)
    for step in range(11, 101):
        clock[0] += 2
        meter.update()
        meter.measured(0, step / 10)
    meter.close()
    assert said[0] == "step 11 of 100 (epoch 0): loss 1.100, 2 s a step, 2 min 58 s left"
    assert [int(line.split()[1]) for line in said] == [11, 26, 41, 56, 71, 86]


def test_threads_are_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr("skelaug_contrib.commands.threads.cpu_count", lambda only_physical_cores: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    use_threads(None)
    assert asked == []  # torch follows the variable by itself
    use_threads(5)
    monkeypatch.delenv("OMP_NUM_THREADS")
    use_threads(None)
    use_threads(None, processes=4)
    assert asked == [5, 6, 1]


def test_stopped_is_an_interrupt() -> None:
    assert isinstance(Stopped("x", signal.SIGTERM), KeyboardInterrupt) and Stopped("x", signal.SIGTERM).code == 143
