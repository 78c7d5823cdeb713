"""The settings of a pretraining run: typed, checked where they are made, and one YAML file on disk."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from torch import nn

from skelaug import Skeleton
from skelaug_contrib import encoders
from skelaug_contrib.ranges import Checked, Range
from skelaug_contrib.schedule import step_rate

__all__ = [
    "LENGTH",
    "DataConfig",
    "EncoderConfig",
    "MethodConfig",
    "OptimizerConfig",
    "PretrainConfig",
    "differences",
    "flat",
    "shipped",
    "to_dict",
]

_Count = Annotated[int, Range(1)]
_FromZero = Annotated[int, Range(0)]
_Share = Annotated[float, Range(0, 1)]

#: Settings that say how long a run is; a run that is there may become longer.
LENGTH = ("epochs", "max_steps")

#: Settings that change nothing of what is learned.
_FREE = ("data.path", "data.workers", "accelerator", "knn_every", "checkpoint_every", "log_every")


@dataclass(frozen=True)
class DataConfig(Checked):
    """What the encoder sees.

    Args:
        path: folder of a prepared data set, as "skelaug prepare" writes it.
        protocol: which split of the data set, such as xview or xsub; its training part is used. A data set
            without any has all: every clip.
        frames: every clip is resized to this many frames; null keeps the data's.
        center: what is put at the origin: the centre joint of each frame (frame), of the clip's first frame (clip), or
            nothing (none).
        stream: what the encoder sees: joint coordinates, bones, or their motion; converted after augmentation.
        align: turn bodies so that shoulders lie along x: in each frame (frame), by the clip's first (clip), upright too
            (spine), or as the released code does it (released); null leaves them as they stand; auto is frame where
            the skeleton names its shoulders, and null where it does not.
        size: scale each clip so that its bodies have this size; null leaves them as they are.
        validation_subjects: hold out this many whole subjects of the training part; the k-NN monitor needs them.
        workers: processes that read ahead; 0 reads in the training process.
    """

    path: str
    protocol: str = "xview"
    frames: _Count | None = 50
    center: Literal["frame", "clip", "none"] = "frame"
    stream: Literal["joint", "bone", "motion", "bone_motion"] = "joint"
    align: Literal["auto", "frame", "clip", "spine", "released"] | None = "auto"
    size: Annotated[float, Range(1e-6)] | None = None
    validation_subjects: _FromZero = 0
    workers: _FromZero = 0

    def resolved(self, skeleton: Skeleton) -> DataConfig:
        """The same for the skeleton of the data: ``auto`` becomes what it stands for.

        Example:
            >>> import skelaug
            >>> body, pair = skelaug.skeletons["ntu25"], Skeleton("pair", ("left", "right"), parents=(0, 0))
            >>> DataConfig("data").resolved(body).align, DataConfig("data").resolved(pair).align
            ('frame', None)
        """
        if self.align != "auto":
            return self
        return dataclasses.replace(self, align=None if skeleton.shoulders is None else "frame")


@dataclass(frozen=True)
class EncoderConfig(Checked):
    """The encoder; null takes the paper's value.

    Args:
        name: stgcn (graph convolutions) or dsta (attention).
        widths: channels of each block; stgcn only.
        strides: in time, of each block; stgcn only.
        kernel: frames of the temporal convolutions.
        dropout: probability in every block but the first.
        persons: encode and average the people who are there (present), or all slots, as the reference does (all).
    """

    name: Literal["stgcn", "dsta"] = "stgcn"
    widths: tuple[_Count, ...] | None = None
    strides: tuple[_Count, ...] | None = None
    kernel: _Count | None = None
    dropout: _Share = 0.5
    persons: Literal["present", "all"] = "present"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("widths", "strides"):
            value = getattr(self, name)
            if value is not None and self.name != "stgcn":
                raise ValueError(f"encoder({name}={value!r}): only stgcn has {name}, the encoder is {self.name}")
        if self.widths and self.strides and len(self.widths) != len(self.strides):
            raise ValueError(
                f"encoder(widths={self.widths}, strides={self.strides}): needs one stride a block, got "
                f"{len(self.widths)} widths and {len(self.strides)} strides"
            )

    def build(self, skeleton: Skeleton | str, channels: int = 3) -> nn.Module:
        """The encoder for a skeleton and this many coordinates, with fresh weights."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return encoders.build(skeleton=skeleton, channels=channels, **options)


@dataclass(frozen=True)
class MethodConfig(Checked):
    """The method and its augmentation.

    Args:
        method: hiclr: each view learns from the one before; aimclr: all learn from the first; naive: the last view
            alone; skeletonclr: the first view alone (MoCo).
        views: stages of the policy to use, weak to strong: 2 leaves the strong one out; null takes all.
        strong: what the strong stage holds: Random Mask, Drop/Add Edges, SkeleAdaIN or all three.
        released: the augmentations of the released code, quirks included, in place of the paper's.
        ratio: share of joints that Random Mask hides.
        fill: what it puts there: a number, or token for the learnable scalar.
        direction: of the consistency: asymmetric (strong learns from weak), symmetric, or reversed.
        dim: length of the projected features.
        queue: past keys to contrast with.
        temperature: of the softmax.
        momentum: of the key encoder.
        mine_from: epoch (from 0) from which nearest neighbours join as positives; null for never.
    """

    method: Literal["hiclr", "aimclr", "naive", "skeletonclr"] = "hiclr"
    views: Literal[1, 2, 3] | None = None
    strong: Literal["mask", "edges", "adain", "all"] = "mask"
    released: bool = False
    ratio: _Share = 0.1
    fill: float | Literal["token"] = "token"
    direction: Literal["asymmetric", "symmetric", "reversed"] = "asymmetric"
    dim: _Count = 128
    queue: _Count = 32768  # without a negative, every loss is 0
    temperature: Annotated[float, Range(1e-4)] = 0.07
    momentum: _Share = 0.999
    mine_from: _FromZero | None = 150

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.released and self.strong != "mask":
            raise ValueError(
                f"method(released=True, strong={self.strong!r}): the released code has Random Mask alone; "
                f"strong must be 'mask'"
            )


@dataclass(frozen=True)
class OptimizerConfig(Checked):
    """SGD and the course of its learning rate.

    Args:
        lr: learning rate after warm-up.
        momentum: of SGD.
        weight_decay: of all parameters.
        milestones: epochs (from 0) from which on the rate is multiplied by gamma; for the schedule steps.
        gamma: see milestones.
        schedule: steps, or cosine, which falls to 0 at the end of the run.
        warmup_steps: the rate rises linearly over this many steps.
        nesterov: Nesterov's momentum.
    """

    lr: Annotated[float, Range(0)] = 0.1
    momentum: _Share = 0.9
    weight_decay: Annotated[float, Range(0)] = 1e-4
    milestones: tuple[_FromZero, ...] = (250,)
    gamma: Annotated[float, Range(0)] = 0.1
    schedule: Literal["steps", "cosine"] = "steps"
    warmup_steps: _FromZero = 0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("optimizer(nesterov=True, momentum=0): Nesterov's momentum needs a momentum above 0")

    def rate(self, step: int, steps_per_epoch: int, total: int) -> float:
        """The learning rate of a step (from 0) of ``total``; milestones are epochs of ``steps_per_epoch`` steps.

        Example:
            >>> warm = OptimizerConfig(lr=0.1, warmup_steps=10, schedule="cosine")
            >>> print(*(round(warm.rate(step, 5, 110), 4) for step in (0, 9, 10, 60, 109)))
            0.01 0.1 0.1 0.05 0.0
        """
        if self.schedule == "cosine" and step >= self.warmup_steps:
            return self.lr * (1 + math.cos(math.pi * (step - self.warmup_steps) / (total - self.warmup_steps))) / 2
        milestones = [epoch * steps_per_epoch for epoch in self.milestones]
        return step_rate(self.lr, step, self.warmup_steps, milestones, self.gamma)


@dataclass(frozen=True)
class PretrainConfig(Checked):
    """A pretraining run.

    Args:
        data: what the encoder sees.
        encoder: the encoder.
        method: the method and its augmentation.
        optimizer: SGD and the course of its learning rate.
        epochs: how often every training clip is seen.
        max_steps: end after this many steps, if that is sooner.
        batch: clips a step in each process.
        seed: of the weights, the order of the clips, augmentation and dropout.
        precision: of the encoder: float32, or automatic mixed precision; losses and augmentation are always float32.
        accelerator: cpu, cuda, or auto for what is there.
        devices: processes on each machine, one a device.
        nodes: machines.
        knn_every: measure k-NN accuracy on the held-out subjects every so many epochs; null for never.
        checkpoint_every: steps between checkpoints; there is always one at the end.
        log_every: steps between lines of the log.

    Example:
        >>> config = PretrainConfig(DataConfig("data/ntu60"), epochs=20)
        >>> config.method.temperature, config.encoder.name
        (0.07, 'stgcn')
    """

    data: DataConfig
    encoder: EncoderConfig = EncoderConfig()
    method: MethodConfig = MethodConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    epochs: _Count = 300
    max_steps: _Count | None = None
    batch: _Count = 128
    seed: _FromZero = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda", "gpu", "mps"] = "auto"
    devices: _Count = 1
    nodes: _Count = 1
    knn_every: _Count | None = None
    checkpoint_every: _Count = 500
    log_every: _Count = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision == "16-mixed" and self.accelerator == "cpu":
            raise ValueError(
                "pretrain(precision='16-mixed', accelerator='cpu'): a CPU has no float16; use '32-true' or 'bf16-mixed'"
            )
        if self.knn_every is not None and self.data.validation_subjects == 0:
            raise ValueError(
                f"pretrain(knn_every={self.knn_every}): the k-NN monitor needs held-out subjects; give "
                f"data.validation_subjects ≥ 1 (never the test set)"
            )

    def resolved(self, skeleton: Skeleton) -> PretrainConfig:
        """The same for the skeleton of the data, see :meth:`DataConfig.resolved`."""
        return dataclasses.replace(self, data=self.data.resolved(skeleton))


def to_dict(config: Any) -> dict[str, Any]:
    """Any of these configurations as plain data, for YAML, JSON and checkpoints.

    Example:
        >>> to_dict(EncoderConfig(kernel=5))["kernel"]
        5
    """
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """One text a setting in which two runs, by :func:`to_dict`, differ, but for those that change nothing learned.

    Example:
        >>> differences({"seed": 1, "log_every": 1}, {"seed": 0, "log_every": 50})
        ['seed: 1, was 0']
    """
    a, b = flat(ours), flat(theirs)
    names = [name for name in sorted(a.keys() | b.keys()) if name not in _FREE]
    return [f"{name}: {a.get(name)}, was {b.get(name)}" for name in names if a.get(name) != b.get(name)]


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings of :func:`to_dict` by their full names.

    Example:
        >>> flat({"seed": 1, "optimizer": {"lr": 0.1}})
        {'seed': 1, 'optimizer.lr': 0.1}
    """
    settings: dict[str, Any] = {}
    for name, value in config.items():
        settings |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return settings


def shipped() -> dict[str, Path]:
    """The configuration files that come with the package, by name.

    Example:
        >>> "small.yaml" in shipped()
        True
    """
    folder = Path(str(importlib.resources.files("skelaug_contrib") / "configs"))
    return {path.name: path for path in sorted(folder.glob("*.yaml"))}
