"""Tiny pretraining runs, in this process or in others, for the tests of the trainer."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import socket
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

import skelaug
from skelaug_contrib.config import DataConfig, EncoderConfig, MethodConfig, OptimizerConfig, PretrainConfig
from skelaug_contrib.datasets import write

SKELETON = skelaug.skeletons["humanoid15"]
TRAIN, FRAMES, SUBJECTS = 48, 12, 6

# A server that has imported everything starts a process in milliseconds; each is a real one, which can be killed.
_processes: Any = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["skelaug_contrib.train", "skelaug_contrib.evaluate"])


def prepared(folder: Path, train: int = TRAIN, persons: int = 2, lost: float = 0.0) -> Path:
    """A prepared data set of synthetic motion, 16 clips to test on; people absent, gaps, a share of the joints lost."""
    clips = train + 16
    motion = skelaug.synthetic_motion(
        SKELETON, clips, FRAMES, persons, gaps=True, generator=torch.Generator().manual_seed(0)
    )
    assert motion.label is not None
    hidden = torch.rand(motion.mask.shape, generator=torch.Generator().manual_seed(1)) < lost
    write(
        folder,
        x=motion.x.masked_fill((hidden & motion.mask)[:, None], torch.nan).numpy(),
        length=[FRAMES] * clips,
        label=motion.label.numpy(),
        subject=[i % SUBJECTS for i in range(clips)],
        names=[f"clip{i}" for i in range(clips)],
        class_names=list(skelaug.motion.ACTIONS),
        skeleton=SKELETON,
        splits={"xsub": {"train": list(range(train)), "test": list(range(train, clips))}},
    )
    return folder


def tiny(data: Path, **changes: Any) -> PretrainConfig:
    """Two thin blocks, few frames; ``encoder__dropout=0.5`` changes a part."""
    config = PretrainConfig(
        data=DataConfig(str(data), protocol="xsub", frames=8),
        encoder=EncoderConfig(widths=(8, 8), strides=(2, 1), dropout=0.0),
        method=MethodConfig(dim=16, queue=40, momentum=0.9, mine_from=None),
        optimizer=OptimizerConfig(lr=0.05, warmup_steps=3, schedule="cosine"),
        epochs=2,
        batch=8,
        accelerator="cpu",
        log_every=1,
        checkpoint_every=4,
    )
    for name, value in changes.items():
        part, _, field = name.rpartition("__")
        new = dataclasses.replace(getattr(config, part), **{field: value}) if part else value
        config = dataclasses.replace(config, **{part or name: new})
    return config


def start(config: PretrainConfig, out: Path, environment: dict[str, str] | None = None) -> BaseProcess:
    """``pretrain`` in a process of its own."""
    process: BaseProcess = _processes.Process(target=_pretrain, args=(config, out, environment or {}))
    process.start()
    return process


def start_two(config: PretrainConfig, out: Path) -> list[BaseProcess]:
    """Two processes with the environment that torchrun gives them."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    common |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0", "GLOO_SOCKET_IFNAME": "lo"}
    return [start(config, out, common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(2)]


def _pretrain(config: PretrainConfig, out: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    from skelaug_contrib.train import pretrain

    pretrain(config, out)


def finish(*processes: BaseProcess) -> None:
    """Wait for processes that must end well."""
    for process in processes:
        process.join(120)
        assert process.exitcode == 0, f"exit code {process.exitcode}"
