"""The trainer: it learns, every method runs, settings mean what they say, and what is wrong is explained."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from runs import SKELETON, prepared, tiny
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR

import skelaug
from skelaug.arrays import ArrayError
from skelaug.batch import SkeletonBatch
from skelaug.cli import main
from skelaug_contrib import HiCLR, checkpoint
from skelaug_contrib.checkpoint import load, load_encoder
from skelaug_contrib.commands.pretrain import parse
from skelaug_contrib.config import (
    DataConfig,
    EncoderConfig,
    MethodConfig,
    OptimizerConfig,
    PretrainConfig,
    differences,
    shipped,
    to_dict,
)
from skelaug_contrib.datasets import PreparedDataset, split
from skelaug_contrib.pretrained import Pretrained, describe
from skelaug_contrib.train import TrainingError, build_model, pretrain


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps; copy it before changing it."""
    out = tmp_path_factory.mktemp("finished") / "run"
    pretrain(tiny(data, max_steps=2), out)
    return out


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def weights(out: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load(out / "checkpoint.pt")["model"]
    return found


# --- what a run does -------------------------------------------------------------------------------------------------


def test_the_loss_falls(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", train=240, persons=1)
    config = tiny(
        data,
        encoder__widths=(16, 32),
        method__queue=128,
        method__momentum=0.99,
        method__dim=32,
        data__frames=12,
        optimizer__lr=0.1,
        optimizer__warmup_steps=10,
        batch=32,
        epochs=100,
        max_steps=60,
    )
    pretrain(config, tmp_path / "run")
    found = [entry["loss"] for entry in log(tmp_path / "run")]
    early, late = np.mean(found[5:15]), np.mean(found[-10:])  # the queue is full of keys from step 4 on
    chance = 2 * math.log(1 + 128)  # all features alike
    assert late < early - 0.5 and late < chance - 1.5, (early, late)


def test_joints_that_were_not_observed_leave_training_and_features_finite(tmp_path: Path) -> None:
    data, out = prepared(tmp_path / "data", lost=0.1), tmp_path / "run"
    assert PreparedDataset.open(data).missing > 1000
    pretrain(tiny(data, epochs=2, method__strong="all"), out)
    state = load(out / "checkpoint.pt")["model"]
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())
    for command in (["knn"], ["linear", "--epochs", "3", "--seeds", "1"]):
        assert main([command[0], str(out), str(data), "--protocol", "xsub", *command[1:]]) == 0


def test_a_run_on_other_joints_is_no_run_to_go_on_with(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pretrain(tiny(data, max_steps=2), out)
    shutil.rmtree(data.parent / "lost", ignore_errors=True)
    lost = prepared(data.parent / "lost", lost=0.01)
    with pytest.raises(TrainingError, match=r"data: .* joints not observed"):
        pretrain(tiny(lost, max_steps=2), out)


def test_a_run_leaves_what_it_promises(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    config = tiny(data, data__validation_subjects=2, knn_every=1, epochs=2, log_every=3, data__stream="bone")
    assert pretrain(config, out) == out / "encoder.safetensors"
    names = {path.name for path in out.iterdir()}
    assert names == {"config.yaml", "checkpoint.pt", "encoder.safetensors", "log.jsonl", "tensorboard"}
    assert list((out / "tensorboard").iterdir())
    assert yaml.safe_load((out / "config.yaml").read_text()) == to_dict(config.resolved(SKELETON))
    entries = log(out)
    steps = [(entry["step"], entry["epoch"], "knn" in entry) for entry in entries]
    assert steps == [(3, 0, False), (4, 0, True), (6, 1, False), (8, 1, False), (8, 1, True)]  # 32 clips, batches of 8
    for entry in entries:
        if "knn" in entry:
            assert 0 <= entry["knn"] <= 1
        else:
            assert entry["loss"] == pytest.approx(entry["info"] + np.mean(entry["consistency"]), rel=1e-5)
            rate = config.optimizer.rate(entry["step"] - 1, 4, 8)
            assert len(entry["consistency"]) == 2 and entry["lr"] == rate and entry["seconds"] > 0
    encoder, spec = load_encoder(out)
    assert spec.stream == "bone" and spec.frames == 8 and spec.skeleton == SKELETON
    dataset = PreparedDataset.open(data)
    train = split(dataset, "xsub", validation_subjects=2)["train"]
    assert spec.pretrained == Pretrained("xsub", 2, step=8, total=8, data=describe(dataset, train))
    assert Pretrained.of_checkpoint(load(out / "checkpoint.pt")) == spec.pretrained
    trained = weights(out)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, trained[f"query.encoder.{name}"])


@pytest.mark.parametrize(
    "changes",
    [
        {"method__method": "skeletonclr", "method__mine_from": 0},
        {"method__method": "naive"},
        {"method__method": "aimclr", "method__direction": "symmetric"},
        {"method__views": 2},
        {"method__strong": "edges", "data__stream": "motion"},
        {"method__strong": "all", "method__mine_from": 0, "data__stream": "bone"},
        {"method__released": True, "method__fill": 0.0, "method__queue": 3},
        {"encoder": EncoderConfig("dsta", dropout=0.1), "method__strong": "edges"},
        {"precision": "bf16-mixed", "encoder__persons": "all"},
        {"data__frames": None, "data__center": "none", "data__workers": 1, "optimizer__nesterov": True},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_setting_runs(changes: dict[str, Any], data: Path, tmp_path: Path) -> None:
    pretrain(tiny(data, max_steps=2, **changes), tmp_path)
    first, second = log(tmp_path)
    assert math.isfinite(second["loss"]) and first["loss"] != second["loss"]
    views = {"skeletonclr": 1, "naive": 1}.get(str(changes.get("method__method")), int(changes.get("method__views", 3)))
    assert len(second["consistency"]) == views - 1


def test_mixed_precision_is_round_the_encoder_only(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, torch.dtype]] = []
    forward = HiCLR.forward

    def spied(self: HiCLR, batch: SkeletonBatch, **options: Any) -> Any:
        seen.append(("raw", batch.x.dtype))
        handles = [
            self.encoder.register_forward_pre_hook(lambda _, given: seen.append(("view", given[0].x.dtype))),
            self.query.projector.register_forward_hook(lambda *given: seen.append(("projected", given[2].dtype))),
        ]
        losses = forward(self, batch, **options)
        for handle in handles:
            handle.remove()
        seen.append(("loss", losses["loss"].dtype))
        return losses

    monkeypatch.setattr(HiCLR, "forward", spied)
    pretrain(tiny(data, max_steps=1, precision="bf16-mixed"), tmp_path)
    assert dict(seen) == {
        "raw": torch.float32,
        "view": torch.float32,
        "projected": torch.bfloat16,
        "loss": torch.float32,
    }
    assert all(value.dtype in (torch.float32, torch.int64) for value in weights(tmp_path).values())


def test_the_monitor_and_the_log_change_nothing(data: Path, tmp_path: Path) -> None:
    config = tiny(data, data__validation_subjects=2, encoder__dropout=0.5)
    pretrain(config, tmp_path / "plain")
    more = tiny(data, data__validation_subjects=2, encoder__dropout=0.5, knn_every=1, log_every=100, checkpoint_every=1)
    pretrain(more, tmp_path / "watched")
    a, b = weights(tmp_path / "plain"), weights(tmp_path / "watched")
    assert all(torch.equal(a[name], b[name]) for name in a)
    pretrain(tiny(data, data__validation_subjects=2, encoder__dropout=0.5, seed=1), tmp_path / "other")
    assert not torch.equal(a["query.projector.0.weight"], weights(tmp_path / "other")["query.projector.0.weight"])


def test_the_model_is_that_of_the_settings() -> None:
    config = tiny(Path("data"), method__method="aimclr", method__queue=7, method__temperature=0.2, method__momentum=0.5)
    model = build_model(config, SKELETON)
    assert (model.method, model.temperature, model.key.momentum) == ("aimclr", 0.2, 0.5)
    assert model.queue.features.shape == (7, 16) and model.policy.names == ("basic", "normal", "strong")
    assert build_model(tiny(Path("data"), method__views=2), SKELETON).policy.names == ("basic", "normal")
    edges = build_model(tiny(Path("data"), method__strong="edges"), SKELETON)
    assert torch.equal(next(m for m in edges.policy.modules() if hasattr(m, "base_graph")).graph, edges.encoder.graph)


# --- settings --------------------------------------------------------------------------------------------------------


def rates(config: OptimizerConfig, per_epoch: int, total: int) -> list[float]:
    return [config.rate(step, per_epoch, total) for step in range(total)]


def test_learning_rates_are_those_of_torchs_schedulers() -> None:
    def by(make: Any, steps: int) -> list[float]:
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
        scheduler, found = make(optimizer), []
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return found

    stepped = OptimizerConfig(lr=0.4, milestones=(4, 2), gamma=0.5)
    assert rates(stepped, 3, 15) == pytest.approx(by(lambda o: MultiStepLR(o, [6, 12], 0.5), 15))
    cosine = OptimizerConfig(lr=0.4, schedule="cosine", warmup_steps=5)
    warm = by(
        lambda o: SequentialLR(o, [LinearLR(o, 0.2, total_iters=4), CosineAnnealingLR(o, 15)], milestones=[5]), 20
    )
    assert rates(cosine, 3, 20) == pytest.approx(warm)
    assert rates(OptimizerConfig(lr=0.4, warmup_steps=30, schedule="cosine"), 3, 20)[-1] == pytest.approx(0.4 * 20 / 30)


def test_shipped_settings_are_the_papers() -> None:
    epochs = {"ntu60": (300, 250, 150), "ntu120": (300, 250, 150), "pkummd1": (600, 500, 300)}
    epochs["pkummd2"] = (1500, 1250, 750)
    names = {f"{data}-{encoder}.yaml" for data in epochs for encoder in ("stgcn", "dsta")}
    assert set(shipped()) == names | {"small.yaml"}
    for name in names:
        config = parse("pretrain", ["data", "out", "--config", name])["config"]
        data, encoder = name.removesuffix(".yaml").split("-")
        assert (config.epochs, *config.optimizer.milestones, config.method.mine_from) == epochs[data]
        assert config.encoder == EncoderConfig(encoder) and config.batch == 128  # type: ignore[arg-type]
        assert config.optimizer == OptimizerConfig(
            lr=0.1,
            momentum=0.9,
            weight_decay={"stgcn": 1e-4, "dsta": 5e-4}[encoder],
            milestones=config.optimizer.milestones,
        )
        ratio = {"stgcn": 0.1, "dsta": 0.2}[encoder]
        assert config.method == MethodConfig(
            ratio=ratio, queue=32768, temperature=0.07, momentum=0.999, mine_from=config.method.mine_from
        )
        assert config.data == DataConfig("data", protocol="xsub", frames=50, center="frame", align="frame")
    small = parse("pretrain", ["data", "out", "--config", "small.yaml"])["config"]
    assert small.encoder.widths == (16, 16, 32, 64) and small.accelerator == "cpu" and small.data.frames == 24


def test_options_win_over_the_file_and_a_runs_file_gives_the_run(data: Path, tmp_path: Path, finished: Path) -> None:
    def parsed(*more: str) -> PretrainConfig:
        found: PretrainConfig = parse("pretrain", [str(data), str(tmp_path), *more])["config"]
        return found

    assert parsed() == PretrainConfig(DataConfig(str(data)))
    given = ["--optimizer.lr", "0.02", "--encoder.widths", "[4,4]", "--encoder.strides", "null", "--method.fill", "0.5"]
    small = parsed("--config", "small.yaml", *given)
    assert (small.optimizer.lr, small.encoder.widths, small.encoder.strides) == (0.02, (4, 4), None)
    assert small.method.fill == 0.5 and small.method.queue == 1024
    assert parsed("--config", str(finished / "config.yaml")) == tiny(data, max_steps=2).resolved(SKELETON)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EncoderConfig("dsta", widths=(8,)), r"only stgcn has widths, the encoder is dsta"),
        (lambda: EncoderConfig(widths=(8, 8), strides=(1,)), "one stride a block, got 2 widths and 1 strides"),
        (lambda: EncoderConfig(widths=(8, 0)), "widths must be a whole number ≥ 1, got 0"),
        (lambda: EncoderConfig("gcn"), "name must be one of 'stgcn', 'dsta'"),  # type: ignore[arg-type]
        (lambda: MethodConfig(released=True, strong="all"), "strong must be 'mask'"),
        (lambda: MethodConfig(temperature=0), "temperature must be a number"),
        (lambda: MethodConfig(queue=0), "queue must be a whole number ≥ 1"),
        (lambda: MethodConfig(views=4), "views must be one of 1, 2, 3"),
        (lambda: OptimizerConfig(nesterov=True, momentum=0), "needs a momentum above 0"),
        (lambda: PretrainConfig(DataConfig("d"), batch=0), "batch must be a whole number ≥ 1"),
        (lambda: PretrainConfig(DataConfig("d"), knn_every=2), "needs held-out subjects"),
        (lambda: PretrainConfig(DataConfig("d"), precision="16-mixed", accelerator="cpu"), "a CPU has no float16"),
        (lambda: DataConfig("d", frames=0), "frames must be a whole number ≥ 1"),
    ],
)
def test_wrong_settings_are_explained(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_differences_name_what_matters() -> None:
    a = to_dict(PretrainConfig(DataConfig("a")))
    b = to_dict(PretrainConfig(DataConfig("b", workers=3), encoder=EncoderConfig(widths=(8,)), log_every=1, seed=3))
    assert differences(a, a) == []
    assert differences(b, a) == ["encoder.widths: [8], was None", "seed: 3, was 0"]
    assert differences({"new": 1}, {"old": {"er": 2}}) == ["new: 1, was None", "old.er: None, was 2"]


# --- what goes wrong -------------------------------------------------------------------------------------------------


def refused(config: PretrainConfig, out: Path, message: str, error: Any = TrainingError, **options: Any) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} if out.is_dir() else None
    with pytest.raises(error, match=message) as caught:
        pretrain(config, out, **options)
    assert "\n" not in str(caught.value)
    if before is not None:
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before, "something changed"
    else:
        assert not out.is_dir()


def test_a_run_with_other_settings_is_not_resumed(data: Path, tmp_path: Path, finished: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "run")
    changed = tiny(data, max_steps=2, optimizer__lr=0.3, method__queue=50)
    refused(changed, out, r"other settings \(method.queue: 50, was 40; optimizer.lr: 0.3, was 0.05\)")
    refused(tiny(data, max_steps=2), out, "holds a run; choose another folder", resume=False)
    other = prepared(tmp_path / "other", train=56)
    refused(tiny(other, max_steps=2), out, "data: 56 training clips of 72.*, was 48 training clips of 64")
    relabelled = shutil.copytree(data, tmp_path / "relabelled")
    np.save(relabelled / "label.npy", np.load(data / "label.npy")[::-1])
    refused(tiny(relabelled, max_steps=2), out, "data: 48 training clips of 64, .* checksum .*, was .* checksum")
    (out / "checkpoint.pt").unlink()  # killed before the first one
    refused(changed, out, "optimizer.lr: 0.3, was 0.05")
    pretrain(tiny(data, max_steps=2, log_every=2, checkpoint_every=1), out)  # these may differ
    a, b = weights(finished), weights(out)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_folder_of_something_else_is_left_alone(data: Path, tmp_path: Path) -> None:
    config = tiny(data, max_steps=1)
    out = tmp_path / "photos"
    out.mkdir()
    (out / "cat.jpg").write_text("meow")
    refused(config, out, "photos is no run of skelaug pretrain: it holds cat.jpg; choose another folder")
    (out / "config.yaml").write_text("editor: vi\n")
    refused(config, out, "is no run of skelaug pretrain")
    (out / "config.yaml").write_text("a: [")
    refused(config, out, "is no run of skelaug pretrain")
    refused(config, out / "cat.jpg", "is a file; name a folder")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".config.yaml.tmp").write_text("epo")  # killed at the very start
    pretrain(config, empty)
    assert (empty / "checkpoint.pt").exists()


def test_damaged_checkpoints_stop_a_run(data: Path, tmp_path: Path, finished: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "run")
    config = tiny(data, max_steps=2)
    whole = (out / "checkpoint.pt").read_bytes()
    for damaged in (b"", whole[:5000], b"not a checkpoint"):
        (out / "checkpoint.pt").write_bytes(damaged)
        refused(config, out, r"checkpoint.pt: not a readable checkpoint", checkpoint.CheckpointError)


def test_a_diverging_run_stops_and_says_so(data: Path, tmp_path: Path) -> None:
    config = tiny(data, optimizer__lr=1e30, optimizer__warmup_steps=0, log_every=50, checkpoint_every=1)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+ .*smaller optimizer.lr"):
        pretrain(config, tmp_path / "run")


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(data, max_steps=6, checkpoint_every=2)
    pretrain(config, tmp_path / "whole")
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "checkpoint.pt" and Path(target).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    out = tmp_path / "run"
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        pretrain(config, out)
    monkeypatch.undo()
    assert load(out / "checkpoint.pt")["step"] == 2 and not list(out.glob(".*"))
    pretrain(config, out)
    a, b = weights(tmp_path / "whole"), weights(out)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert [entry["step"] for entry in log(out)] == [1, 2, 3, 4, 5, 6]


def test_what_does_not_fit_the_data_is_explained(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    refused(tiny(data, data__protocol="xset"), out, "has no protocol 'xset'; its protocols: xsub", ArrayError)
    refused(tiny(data, batch=64), out, "48 clips do not fill one batch of 64", ValueError)
    refused(tiny(tmp_path / "nowhere"), out, "nowhere: no such folder", ArrayError)
    refused(tiny(data, data__validation_subjects=6), out, "hold out at least 1 and at most 5", ArrayError)
    if not torch.cuda.is_available():
        refused(tiny(data, accelerator="cuda"), out, "accelerator cuda, devices 1:")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(tiny(data), out, "2 processes were started from outside .*devices 1 × nodes 1")


# --- the command -----------------------------------------------------------------------------------------------------


def command(*arguments: object) -> int:
    return main(["pretrain", *map(str, arguments)])


def test_the_command_trains(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuned = tmp_path / "tiny.yaml"
    tuned.write_text(yaml.safe_dump(to_dict(tiny(data, max_steps=2))))
    assert command(data, tmp_path / "run", "--config", tuned) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("data: 48 training clips (xsub) of 64 in ")
    assert last == f"next: skelaug linear {tmp_path / 'run'} {data}"
    assert load(tmp_path / "run" / "checkpoint.pt")["step"] == 2


def test_the_command_explains_what_is_wrong(
    data: Path, tmp_path: Path, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(code: int, *arguments: object) -> str:
        capsys.readouterr()
        try:
            found = command(*arguments)
        except SystemExit as stopped:
            found = int(str(stopped.code))
        text = capsys.readouterr().err
        assert found == code and "Traceback" not in text
        return text

    out = tmp_path / "out"
    settings = ["--config", finished / "config.yaml"]
    assert "no such folder" in says(1, tmp_path / "nowhere", out, *settings)
    assert "has no protocol 'xview'; its protocols: xsub" in says(1, data, out)
    assert "do not fill one batch of 500" in says(1, data, out, *settings, "--batch", 500)
    damaged = shutil.copytree(finished, tmp_path / "run")
    (damaged / "checkpoint.pt").write_bytes(b"")
    assert "checkpoint.pt: not a readable checkpoint" in says(1, data, damaged, *settings)
    assert "seed: 3, was 0" in says(1, data, finished, *settings, "--seed", 3)
    assert "shipped are ntu120-dsta.yaml" in says(2, data, out, "--config", "big.yaml")
    assert "no_such" in says(2, data, out, "--no_such", 3)
    assert "epochs" in says(2, data, out, "--epochs", "many")
    assert "epochs must be a whole number ≥ 1, got 0" in says(2, data, out, "--epochs", 0)
    assert "OUT" in says(2, data) or "out" in says(2, data)
    strange = tmp_path / "strange.yaml"
    strange.write_text("epohcs: 3\n")
    assert "epohcs" in says(2, data, out, "--config", strange)
    assert not out.exists()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("skelaug_contrib.train.pretrain", interrupted)
    assert "interrupted" in says(130, data, out, *settings)


def test_help_teaches_and_the_overview_stays_light(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    for word in (
        "small.yaml",
        "--optimizer.warmup-steps",
        "torchrun",
        "share of joints that Random Mask hides",
        "0.07",
    ):
        assert word in text
    code = (
        "import sys; from skelaug.cli import main; main(['--help']);"
        "print([m for m in ('jsonargparse', 'lightning_fabric', 'skelaug_contrib', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]") and "pretrain" in done.stdout


def test_every_command_of_the_overview_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    from skelaug.cli import _COMMANDS

    assert set(_COMMANDS) == {
        *(
            "demo",
            "views",
            "bench",
            "preview",
            "sample",
            "prepare",
            "inspect",
            "pretrain",
            "knn",
            "linear",
            "finetune",
            "semi",
            "fuse",
            "embed",
        )
    }
    for name in _COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        assert stopped.value.code == 0 and f"skelaug {name}" in capsys.readouterr().out


def test_the_encoder_of_a_checkpoint_tells_how_far_it_is(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time, not only at the end; by the file and by the checkpoint beside it."""
    told: list[Any] = []
    whole = checkpoint.save

    def save(path: Path, state: dict[str, Any]) -> None:
        whole(path, state)
        told.append((load_encoder(tmp_path / "run")[1].pretrained, Pretrained.of_checkpoint(load(path))))

    monkeypatch.setattr(checkpoint, "save", save)
    pretrain(tiny(data, max_steps=7, checkpoint_every=3), tmp_path / "run")
    assert [(spec.step, spec.total, spec.finished) for spec, _ in told] == [(3, 7, False), (6, 7, False), (7, 7, True)]
    assert all(spec == state for spec, state in told)


def test_the_trainer_works_with_skeletons_of_2d_too(tmp_path: Path) -> None:
    config = tiny(tmp_path)
    assert config.encoder.build(skelaug.skeletons["coco17"], channels=2)(torch.randn(2, 2, 8, 17, 1)).shape == (2, 8)
