"""Files of a run: whole or not there, strict when they are read, and an encoder that comes back as it was."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from runs import SKELETON, prepared, tiny

import skelaug
from skelaug_contrib import checkpoint
from skelaug_contrib.checkpoint import CheckpointError, export_encoder, load, load_encoder, save
from skelaug_contrib.config import EncoderConfig, PretrainConfig
from skelaug_contrib.pretrained import Pretrained
from skelaug_contrib.train import pretrain

STATE = {"step": 7, "model": {"weight": torch.arange(3000.0)}, "optimizer": {"lr": [0.1, None]}, "name": "ü"}


def test_a_state_comes_back(tmp_path: Path) -> None:
    save(tmp_path / "c.pt", STATE)
    found = load(tmp_path / "c.pt")
    assert torch.equal(found["model"].pop("weight"), STATE["model"]["weight"])  # type: ignore[index]
    assert found == {"step": 7, "model": {}, "optimizer": {"lr": [0.1, None]}, "name": "ü"}
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def foreign(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


class Evil:
    """Unpickling it would make a file."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("pwned"),))


def test_damaged_and_foreign_files_are_refused_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.pt"
    save(path, STATE)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(torch.arange(100.0, 104).numpy().tobytes())] ^= 1
    cases = {
        "empty": b"",
        "text": b"hello\n" * 100,
        "half": whole[: len(whole) // 2],
        "all but a byte": whole[:-1],
        "a bit of a weight": bytes(flipped),
        "another program's": foreign({"state_dict": {}}),
        "a list": foreign([1, 2]),
        "code": foreign({"format": "skelaug_contrib checkpoint 1", "state": Evil()}),
    }
    for name, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"c\.pt: .*remove it to start anew") as caught:
            load(path)
        assert "\n" not in str(caught.value), name
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(FileNotFoundError, match="none"):
        load(tmp_path / "none.pt")


@pytest.mark.parametrize("moment", ["write", "sync", "replace"])
def test_on_a_full_disk_the_old_file_stays_and_nothing_else(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    save(path, {"step": 1})

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if moment == "write":
        whole = Path.write_bytes

        def half(self: Path, data: Any) -> None:
            whole(self, bytes(data)[: len(data) // 2])
            fail()

        monkeypatch.setattr(Path, "write_bytes", half)
    else:
        monkeypatch.setattr(os, {"sync": "fsync", "replace": "replace"}[moment], fail)
    with pytest.raises(OSError, match="No space left"):
        save(path, {"step": 2, "big": torch.zeros(1000)})
    monkeypatch.undo()
    assert load(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("stream", ["joint", "bone"])
@pytest.mark.parametrize(
    "encoder", [EncoderConfig(widths=(8, 12), strides=(1, 2), kernel=5), EncoderConfig("dsta", persons="all")]
)
def test_an_encoder_comes_back_with_what_it_expects(encoder: EncoderConfig, stream: str, tmp_path: Path) -> None:
    config = tiny(tmp_path, encoder=encoder, data__stream=stream, data__center="frame")
    model = encoder.build(SKELETON).train()
    x = torch.randn(6, 3, 8, len(SKELETON), 2)
    model(x)  # moves the statistics of batch norm
    export_encoder(tmp_path / "encoder.safetensors", model, config, SKELETON)
    found, spec = load_encoder(tmp_path)
    assert not found.training
    assert (spec.encoder, spec.skeleton, spec.frames, spec.center, spec.stream) == (
        encoder,
        SKELETON,
        8,
        "frame",
        stream,
    )
    assert torch.equal(found(x), model.eval()(x))


def test_an_encoder_of_a_skeleton_of_ones_own_and_2d_coordinates(tmp_path: Path) -> None:
    own = skelaug.Skeleton(name="worm", joints=("a", "b", "c"), parents=(0, 0, 1))
    config = tiny(tmp_path)
    model = config.encoder.build(own, channels=2)
    export_encoder(tmp_path / "e.safetensors", model, config, own, channels=2)
    found, spec = load_encoder(tmp_path / "e.safetensors")
    x = torch.randn(2, 2, 8, 3, 1)
    assert spec.skeleton == own and spec.channels == 2 and torch.equal(found(x), model.eval()(x))


def test_an_encoder_tells_what_it_was_pretrained_on_and_an_older_file_does_not(tmp_path: Path) -> None:
    config, path = tiny(tmp_path), tmp_path / "e.safetensors"
    model, known = config.encoder.build(SKELETON), Pretrained("xsub", 2, step=40, total=60, data="8 training clips")
    export_encoder(path, model, config, SKELETON, pretrained=known)
    found, spec = load_encoder(path)
    assert spec.pretrained == known and not known.finished
    export_encoder(path, model, config, SKELETON)
    again, spec = load_encoder(path)
    assert spec.pretrained is None
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in found.state_dict().items())


def test_a_state_of_another_run_tells_nothing_wrong() -> None:
    for state in ({}, {"config": {}, "data": "x", "step": 1}, {"config": None, "data": None}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Pretrained.of_checkpoint(state)


def test_files_that_hold_no_encoder_are_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    config = tiny(tmp_path)
    export_encoder(path, config.encoder.build(SKELETON), config, SKELETON)
    whole = path.read_bytes()
    tensors = safetensors.torch.load(whole)
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    [(key, text)] = metadata.items()
    about = json.loads(text)
    wider = {key: json.dumps(about | {"encoder": about["encoder"] | {"widths": [16, 16]}})}
    strange = {key: json.dumps(about | {"encoder": about["encoder"] | {"colour": "red"}})}
    damaged = [{}, 3, {"protocol": 3, "validation_subjects": 0, "step": 1, "total": 1, "data": ""}]
    damaged.append({"protocol": "xsub", "validation_subjects": 0, "step": -1, "total": 1, "data": ""})
    cases = {
        "not a readable": [b"", b"hello" * 30, whole[:1000], whole[:-1]],
        "no encoder of skelaug pretrain": [
            safetensors.torch.save(tensors),
            safetensors.torch.save({}, {"format": "pt"}),
        ],
        "do not fit": [
            safetensors.torch.save(tensors, wider),
            safetensors.torch.save(tensors, strange),
            safetensors.torch.save(tensors, {key: "{}"}),
            *(safetensors.torch.save(tensors, {key: json.dumps(about | {"pretrained": p})}) for p in damaged),
            safetensors.torch.save({}, metadata),
        ],
    }
    for message, contents in cases.items():
        for content in contents:
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=f"e.safetensors.*{message}"):
                load_encoder(path)
    with pytest.raises(FileNotFoundError, match="skelaug pretrain writes it"):
        load_encoder(tmp_path / "nothing")


def test_a_killed_writers_leftover_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    (tmp_path / ".c.pt-x7.tmp").mkdir()
    (tmp_path / ".c.pt-x7.tmp" / "c.pt").write_bytes(b"half of someth")
    checkpoint.write(path, b"whole")
    assert path.read_bytes() == b"whole" and [file.name for file in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("entry", ["step", "seconds", "config", "data", "model", "optimizer", "precision", "all"])
def test_a_checkpoint_that_lacks_an_entry_is_refused_and_named(entry: str, tmp_path: Path) -> None:
    path, config = a_run(tmp_path)
    state = load(path)
    save(path, {} if entry == "all" else {name: value for name, value in state.items() if name != entry})
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: has no entry '\w+'; remove it to start anew"):
        pretrain(config, path.parent)


@pytest.mark.parametrize("change", ["shape", "missing", "more", "optimizer", "number"])
def test_a_checkpoint_of_another_shape_is_refused_and_named(change: str, tmp_path: Path) -> None:
    path, config = a_run(tmp_path)
    state = load(path)
    name = next(name for name, value in state["model"].items() if value.ndim > 1)
    if change == "shape":
        state["model"][name] = state["model"][name][:1]
    elif change == "missing":
        del state["model"][name]
    elif change == "more":
        state["model"]["another"] = torch.ones(1)
    elif change == "optimizer":
        state["optimizer"]["param_groups"] = []
    else:
        state["model"] = 5
    save(path, state)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: its entries do not fit this run") as caught:
        pretrain(config, path.parent)
    assert "\n" not in str(caught.value)


def a_run(folder: Path) -> tuple[Path, PretrainConfig]:
    """The checkpoint of a run of one step, and its configuration."""
    config = tiny(prepared(folder / "data"), max_steps=1)
    pretrain(config, folder / "run")
    return folder / "run" / "checkpoint.pt", config
