"""Pretraining: one loop, on one device or many, that can be killed at any moment and goes on as if it had not been."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD

import skelaug
from skelaug import GrowingPolicy, Skeleton
from skelaug.errors import Refused
from skelaug_contrib import checkpoint, distributed
from skelaug_contrib.config import LENGTH, PretrainConfig, differences, to_dict
from skelaug_contrib.datasets import EpochBatches, PreparedDataset, loader, preparation, split
from skelaug_contrib.encoders.norm import sync_batch_norm
from skelaug_contrib.hiclr import HiCLR
from skelaug_contrib.log import RunLog
from skelaug_contrib.pretrained import Pretrained, describe
from skelaug_contrib.progress import Progress, Stopped, watching

__all__ = ["TrainingError", "build_model", "build_policy", "pretrain"]


class TrainingError(Refused):
    """The run cannot start, go on or be resumed; the message says why and what to do."""


def pretrain(
    config: PretrainConfig, out: str | Path, resume: bool = True, say: Callable[[str], None] | None = None
) -> Path:
    """Train an encoder without labels.

    A run that was cut off, by ``kill -9`` or a power cut, goes on from its last checkpoint when it is started again in
    the same way, and on CPU ends with the very weights, bit for bit, that it would have had. Ctrl-C and SIGTERM let
    the step end and write a checkpoint of it first (with several processes they act at once).

    A run becomes longer, or ends sooner, when it is started again with other ``epochs`` or ``max_steps``. From there on
    the learning rate follows the schedule of the new length; where that is a cosine, the rate jumps at this step.

    Args:
        config: the settings.
        out: folder of the run, on a file system that all machines share. It holds ``config.yaml``; ``checkpoint.pt``;
            ``encoder.safetensors``, for the evaluation commands and
            :func:`~skelaug_contrib.checkpoint.load_encoder`; ``log.jsonl``; ``tensorboard/``.
        resume: False refuses to go on with a run that is there.
        say: called with lines of text in the first process: what is trained and, where stderr is no terminal, how far
            it is.

    Returns:
        The path of ``encoder.safetensors``.

    Raises:
        TrainingError: ``out`` holds something else or a run with other settings, or the loss is no longer finite.
        CheckpointError: the checkpoint is damaged.
        ArrayError: the data cannot be read, or have no such protocol.
        ValueError: settings do not fit the data.
        OSError: the disk is full; the last checkpoint is whole.
        Stopped: a KeyboardInterrupt, after Ctrl-C or SIGTERM.
    """
    out = Path(out)
    fabric = _launch(config)
    dataset = PreparedDataset.open(config.data.path)
    config = config.resolved(dataset.skeleton)
    parts = split(dataset, config.data.protocol, validation_subjects=config.data.validation_subjects or None)
    sampler = EpochBatches(parts["train"], config.batch, config.seed, rank=fabric.global_rank, world=fabric.world_size)
    batches = loader(dataset, sampler, config.data.workers)
    per_epoch = len(sampler)
    total = min(config.epochs * per_epoch, config.max_steps or sys.maxsize)
    about = describe(dataset, parts["train"])

    torch.manual_seed(config.seed)  # the same weights on every process
    method = build_model(config, dataset.skeleton, dataset.x.shape[1], dataset.coords)
    if fabric.world_size > 1:
        sync_batch_norm(method)
    settings = config.optimizer
    optimizer = SGD(
        method.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
    )
    state = _find_run(out, config, about, resume, total)
    model, optimizer = fabric.setup(method, optimizer)
    step, seconds = 0, 0.0
    if state is not None:
        with checkpoint.restoring(out / "checkpoint.pt"):
            step, seconds = state["step"], state["seconds"]
            method.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])  # onto the device of the weights
            fabric.strategy.precision.load_state_dict(state["precision"])
    data = config.data
    placed = (data.frames, data.center, "joint", data.align, data.size, dataset.coords)
    prepare = preparation(dataset.skeleton, *placed)

    def export() -> None:
        file, channels = out / "encoder.safetensors", dataset.x.shape[1]
        pretrained = Pretrained(data.protocol, data.validation_subjects, step, total, about)
        checkpoint.export_encoder(file, method.encoder, config, dataset.skeleton, channels, pretrained, dataset.coords)

    def save() -> None:
        state = {
            "step": step,
            "epoch": epoch,
            "seconds": time.monotonic() - start,
            "config": to_dict(config),
            "data": about,
            "model": method.state_dict(),
            "optimizer": optimizer.state_dict(),
            "precision": fabric.strategy.precision.state_dict(),
        }
        checkpoint.save(out / "checkpoint.pt", state)

    if say is not None and fabric.is_global_zero:
        say("\n".join(_header(config, method, fabric.device, step, total, per_epoch, state)))
    fabric.barrier()  # everyone has looked at the folder
    with contextlib.ExitStack() as stack:
        log = None
        if fabric.is_global_zero:
            out.mkdir(parents=True, exist_ok=True)
            checkpoint.write(out / "config.yaml", yaml.safe_dump(to_dict(config), sort_keys=False).encode())
            log = stack.enter_context(contextlib.closing(RunLog(out, step)))
            if state is not None:
                export()  # the one that is there may be of a step that is lost
        progress = stack.enter_context(contextlib.closing(Progress(total, step, say))) if log else None
        # With several processes, one that ended would leave the others waiting for it.
        signalled = stack.enter_context(watching()) if fabric.world_size == 1 else lambda: None
        start = time.monotonic() - seconds
        while step < total:
            epoch, done = divmod(step, per_epoch)
            mine = config.method.mine_from is not None and epoch >= config.method.mine_from
            sampler.set_position(epoch, done)
            for clips in batches:
                # All that is random in a step follows from its number, so there is no generator's state to save.
                torch.manual_seed(int(skelaug.random.keys(config.seed, step, [fabric.global_rank])))
                rate = settings.rate(step, per_epoch, total)
                for group in optimizer.param_groups:
                    group["lr"] = rate

                # From pinned memory, and without waiting for what the device is still doing.
                raw, ids, people = (part.to(fabric.device, non_blocking=True) for part in clips)
                keys = skelaug.random.keys(config.seed, epoch, ids)
                losses = model(prepare(raw, keys=keys), people=people, keys=keys, mine=mine)
                optimizer.zero_grad()
                fabric.backward(losses["loss"])
                optimizer.step()

                step += 1
                if progress:
                    progress.update()
                last, signal = step == total, signalled()
                logging = last or step % config.log_every == 0
                saving = last or step % config.checkpoint_every == 0 or signal is not None
                if logging or saving:
                    measured = _measure(losses, step, epoch, out)  # the only wait for the device
                    if log and progress and logging:
                        log.write(step, epoch=epoch, lr=rate, **measured, seconds=time.monotonic() - start)
                        progress.measured(epoch, measured["loss"])
                if config.knn_every and step % (config.knn_every * per_epoch) == 0:
                    if log:
                        log.write(step, epoch=epoch, knn=_knn_accuracy(method, config, dataset, parts, fabric.device))
                    fabric.barrier()
                if log and saving:  # after everything else of the step
                    log.sync()
                    export()
                    save()
                if signal is not None and not last:
                    raise Stopped(f"stopped at step {step} of {total}; the same command goes on from there", signal)
                if last:
                    break
    fabric.barrier()
    return out / "encoder.safetensors"


def build_policy(
    config: PretrainConfig, skeleton: Skeleton | str, encoder: nn.Module, coords: tuple[int, ...] | None = None
) -> GrowingPolicy:
    """The growing policy of a configuration; edges start from the encoder's own graph, layer by layer."""
    method, stream = config.method, config.data.stream
    if method.released:
        policy = skelaug.policies.hiclr_released(skeleton, stream, ratio=method.ratio, fill=method.fill, coords=coords)
    else:
        graph: Any = encoder.graph
        layers: Any = encoder.layers
        policy = skelaug.policies.hiclr(
            skeleton,
            method.strong,
            stream,
            ratio=method.ratio,
            fill=method.fill,
            graph=graph,
            layers=layers,
            coords=coords,
        )
    return policy if method.views is None else policy[: method.views]


def build_model(
    config: PretrainConfig, skeleton: Skeleton | str, channels: int = 3, coords: tuple[int, ...] | None = None
) -> HiCLR:
    """The method of a configuration, with fresh weights from torch's global generator.

    Example:
        >>> from skelaug_contrib.config import DataConfig, EncoderConfig
        >>> config = PretrainConfig(DataConfig("data"), EncoderConfig(widths=(8, 8)))
        >>> build_model(config, skelaug.skeletons["ntu25"]).encoder.width
        8
    """
    encoder = config.encoder.build(skeleton, channels)
    method = config.method
    return HiCLR(
        encoder,
        build_policy(config, skeleton, encoder, coords),
        method=method.method,
        dim=method.dim,
        queue_size=method.queue,
        momentum=method.momentum,
        temperature=method.temperature,
        direction=method.direction,
    )


class _Autocast(MixedPrecision):
    """Autocast that leaves its input alone: coordinates stay float32 through augmentation, up to the encoder."""

    def convert_input(self, data: Any) -> Any:
        return data


def _launch(config: PretrainConfig) -> Fabric:
    """Fabric, with all processes started; those of torchrun are there already."""
    processes = config.devices * config.nodes
    started = int(os.environ.get("WORLD_SIZE", processes))
    if started != processes:
        raise TrainingError(
            f"{started} processes were started from outside (WORLD_SIZE), the configuration says {processes}: devices "
            f"{config.devices} × nodes {config.nodes}; make --devices what torchrun's --nproc-per-node is, and --nodes "
            f"what --nnodes is"
        )
    accelerator = torch.accelerator.current_accelerator()
    on_cpu = config.accelerator == "cpu" or accelerator is None
    mixed = config.precision != "32-true"
    if on_cpu and config.precision == "16-mixed":
        raise TrainingError("precision 16-mixed needs a GPU; on a CPU, take 32-true or bf16-mixed")
    device = "cpu" if on_cpu or accelerator is None else accelerator.type
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=DDPStrategy(**_buffers_stay()) if processes > 1 else "auto",
            plugins=[_Autocast(config.precision, device)] if mixed else [],  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise TrainingError(f"accelerator {config.accelerator}, devices {config.devices}: {error}") from error
    fabric.launch()
    return fabric


def _buffers_stay() -> dict[str, Any]:
    """DDP's option not to copy buffers at each step: batch norm and queue span all processes, so they are equal."""
    options = inspect.signature(DistributedDataParallel.__init__).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers": False}


def _header(
    config: PretrainConfig,
    method: HiCLR,
    device: torch.device,
    step: int,
    total: int,
    per_epoch: int,
    state: dict[str, Any] | None,
) -> list[str]:
    """What is trained, in lines of text."""
    views = ", ".join(method.policy.names) if config.method.method != "naive" else method.policy.names[-1]
    parameters = sum(weight.numel() for weight in method.encoder.parameters())
    threads = f", threads: {torch.get_num_threads()}" if device.type == "cpu" else ""
    lines = [
        f"method: {config.method.method}; views: {views}",
        f"encoder: {config.encoder.name} with {parameters:,} parameters; device: {device}{threads}",
        f"steps: {total}, of {config.batch} clips; an epoch has {per_epoch}",
    ]
    if state is not None:
        lines[-1] += f"; going on from step {step}"
        if differences(to_dict(config), state["config"]):
            lines[-1] += f", with the learning rates of a run of {total} steps"
    return lines


def _find_run(out: Path, config: PretrainConfig, about: str, resume: bool, total: int) -> dict[str, Any] | None:
    """The state to go on from; None where there is none yet. Changes nothing."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise TrainingError(f"{out} is a file; name a folder for the run")
    # A run that was killed while it wrote leaves a temporary file, which the next one overwrites.
    names = {path.name for path in out.iterdir() if not (path.name.startswith(".") and path.name.endswith(".tmp"))}
    if not names:
        return None
    state = checkpoint.load(out / "checkpoint.pt") if "checkpoint.pt" in names else None
    with checkpoint.restoring(out / "checkpoint.pt"):
        theirs = state["config"] if state else _read_config(out / "config.yaml")
        data = state["data"] if state else about
        reached = state["step"] if state else 0
    if theirs is None:
        raise TrainingError(f"{out} is no run of skelaug pretrain: it holds {min(names)}; choose another folder")
    if not resume:
        raise TrainingError(f"{out} holds a run; choose another folder, or let it go on with resume")
    changed = [text for text in differences(to_dict(config), theirs) if text.partition(":")[0] not in LENGTH]
    if data != about:
        changed.append(f"data: {about}, was {data}")
    if changed:
        raise TrainingError(
            f"{out} holds a run with other settings ({'; '.join(changed)}); take those, or choose another folder"
        )
    if reached > total:
        raise TrainingError(f"{out} holds a run at step {reached}; it cannot become one of {total} steps")
    return state


def _read_config(path: Path) -> dict[str, Any] | None:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    ours = set(PretrainConfig.__dataclass_fields__)
    return settings if isinstance(settings, dict) and settings.keys() == ours else None


def _measure(losses: dict[str, Tensor], step: int, epoch: int, out: Path) -> dict[str, Any]:
    """The losses as numbers, means over all processes; stops a run that has diverged."""
    values = torch.stack([losses["loss"], losses["info"], *losses["consistency"]]).float()
    loss, info, *consistency = distributed.gather(values[None]).mean(0).tolist()
    if not abs(loss) < float("inf"):
        saved = f" (the checkpoint in {out} is of an earlier step)" if (out / "checkpoint.pt").exists() else ""
        raise TrainingError(
            f"the loss is {loss} at step {step} (epoch {epoch}): training has diverged; start anew with a smaller "
            f"optimizer.lr or more optimizer.warmup_steps{saved}"
        )
    return {"loss": loss, "info": info, "consistency": consistency}


def _knn_accuracy(
    method: HiCLR, config: PretrainConfig, dataset: PreparedDataset, parts: dict[str, Any], device: torch.device
) -> float:
    """k-NN accuracy on the held-out subjects, by the labels of the training clips; changes nothing of the training."""
    from skelaug_contrib.evaluate import accuracy, embed, knn

    data = config.data
    placed = (data.frames, data.center, data.stream, data.align, data.size, dataset.coords)
    prepare = preparation(dataset.skeleton, *placed)
    labels = torch.from_numpy(dataset.label)
    train, held = (embed(method.encoder, dataset, parts[p], prepare, device=device) for p in ("train", "validation"))
    return accuracy(knn(train, labels[parts["train"]], held).cpu(), labels[parts["validation"]])
