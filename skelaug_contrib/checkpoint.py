"""Files of a run: checkpoints that are whole or not there, and the encoder for others to use."""

from __future__ import annotations

import glob
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from skelaug import Skeleton, check, files
from skelaug.errors import Refused
from skelaug_contrib.config import EncoderConfig, PretrainConfig, to_dict
from skelaug_contrib.pretrained import Pretrained

__all__ = ["CheckpointError", "EncoderSpec", "export_encoder", "load", "load_encoder", "restoring", "save", "write"]

_MEND = "remove it to start anew, or put a copy of a whole one in its place"
_CHECKPOINT, _ENCODER = "skelaug_contrib checkpoint 1", "skelaug_contrib encoder 1"


class CheckpointError(Refused):
    """A file is damaged, or no file of ours; the message names it."""


@dataclass(frozen=True)
class EncoderSpec:
    """What an exported encoder is and what it expects of its input.

    Attributes:
        encoder: how to build it.
        skeleton: of the data.
        channels: coordinates of a joint.
        coords: which of the channels are coordinates; None: all.
        frames, center, stream, align, size: see :class:`~skelaug_contrib.config.DataConfig`.
        pretrained: on what, and how far; None in a file that does not say, such as one of an older version.
    """

    encoder: EncoderConfig
    skeleton: Skeleton
    frames: int | None
    center: str
    stream: str
    channels: int = 3
    align: str | None = None
    size: float | None = None
    pretrained: Pretrained | None = None
    coords: tuple[int, ...] | None = None


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a file of a run, see :func:`skelaug.files.write`; what a killed writer of it left is removed.

    One process at a time writes a file.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is still there.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}-*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    files.write(path, data)


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Save a state of tensors and plain values, atomically.

    Args:
        path: the file.
        state: nothing but tensors, numbers, strings and containers of them, so that :func:`load` can be strict.

    Raises:
        OSError: see :func:`write`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/checkpoint.pt", {"step": 3})
        ...     load(f"{folder}/checkpoint.pt")
        {'step': 3}
    """
    buffer = io.BytesIO()  # torch's own writer hides a full disk behind a RuntimeError
    torch.save({"format": _CHECKPOINT, "state": state}, buffer)
    write(Path(path), buffer.getbuffer())


def _refuse_pointer(path: Path) -> None:
    if files.is_pointer(path):
        raise CheckpointError(f"{path}: {files.POINTER}")


def load(path: str | Path) -> dict[str, Any]:
    """Load what :func:`save` saved, onto the CPU. Checksums are compared, and no code in the file is ever run.

    Raises:
        CheckpointError: the file is empty, cut short, damaged, or no checkpoint of this package.
        FileNotFoundError: there is none.
    """
    path = Path(path)
    _refuse_pointer(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"{path}: damaged ({damaged} fails its checksum); {_MEND}")
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError, CheckpointError):
        raise
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        reason = (str(error) or type(error).__name__).splitlines()[0]
        size = path.stat().st_size
        raise CheckpointError(f"{path}: not a readable checkpoint, {size} bytes ({reason}); {_MEND}") from error
    if not isinstance(found, dict) or found.get("format") != _CHECKPOINT:
        raise CheckpointError(f"{path}: not a checkpoint of skelaug pretrain ({_CHECKPOINT}); {_MEND}")
    state = found.get("state")
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds no state of a run; {_MEND}")
    return state


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """While parts of a run take up what :func:`load` gave: what is missing or does not fit is a CheckpointError.

    Example:
        >>> with restoring(Path("checkpoint.pt")):
        ...     torch.nn.Linear(2, 3).load_state_dict({"weight": torch.ones(3, 2)})
        Traceback (most recent call last):
        skelaug_contrib.checkpoint.CheckpointError: checkpoint.pt: its entries do not fit this run (...bias...
    """
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{path}: has no entry {error}; {_MEND}") from error
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: its entries do not fit this run ({reason}); {_MEND}") from error


def export_encoder(
    path: str | Path,
    encoder: nn.Module,
    config: PretrainConfig,
    skeleton: Skeleton | str,
    channels: int = 3,
    pretrained: Pretrained | None = None,
    coords: tuple[int, ...] | None = None,
) -> None:
    """Write an encoder to a .safetensors file that tells how to build it and how to prepare its data; atomic.

    Args:
        path: the file.
        encoder: built by ``config.encoder.build(skeleton, channels)``.
        config: of its run.
        skeleton: of the data.
        channels: coordinates of a joint, and whatever else it has.
        pretrained: on what, and how far; without it the evaluation commands cannot tell which clips were trained on.
        coords: which of the channels are coordinates; None: all.

    Raises:
        OSError: see :func:`write`.
    """
    bones = check.skeleton("export_encoder", skeleton)
    data = config.data.resolved(bones)
    about: dict[str, Any] = {name: getattr(data, name) for name in ("frames", "center", "stream", "align", "size")}
    about |= {"encoder": to_dict(config.encoder), "skeleton": bones.to_dict(), "channels": channels}
    about |= {} if pretrained is None else {"pretrained": asdict(pretrained)}
    about |= {} if coords is None else {"coords": coords}
    # safetensors refuses tensors that share memory, so each goes out as a copy of its own.
    tensors = {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in encoder.state_dict().items()
    }
    # One entry: the order of several would change from call to call, and with it the file.
    write(Path(path), safetensors.torch.save(tensors, {_ENCODER: json.dumps(about)}))


def load_encoder(path: str | Path) -> tuple[nn.Module, EncoderSpec]:
    """The encoder of :func:`export_encoder`, in eval mode on the CPU, and what it expects.

    Args:
        path: the file, or the folder of the run that wrote it.

    Raises:
        CheckpointError: the file is damaged, or no exported encoder.
        FileNotFoundError: there is none.

    Example:
        >>> import tempfile, skelaug
        >>> from skelaug_contrib.config import DataConfig
        >>> config = PretrainConfig(DataConfig("data", frames=20), EncoderConfig(widths=(8, 8)))
        >>> skeleton = skelaug.skeletons["ntu25"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export_encoder(f"{folder}/encoder.safetensors", config.encoder.build(skeleton), config, skeleton)
        ...     encoder, spec = load_encoder(folder)
        >>> encoder(torch.randn(2, 3, 20, 25, 2)).shape, spec.frames, spec.stream
        (torch.Size([2, 8]), 20, 'joint')
    """
    path = Path(path)
    path = path / "encoder.safetensors" if path.is_dir() else path
    _refuse_pointer(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; skelaug pretrain writes it") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable .safetensors file ({error})") from error
    if _ENCODER not in metadata:
        raise CheckpointError(f"{path}: a .safetensors file, but no encoder of skelaug pretrain ({_ENCODER})")
    try:
        about = json.loads(metadata[_ENCODER])
        parts: dict[str, Any] = {
            "encoder": EncoderConfig(**about["encoder"]),
            "skeleton": Skeleton.from_dict(about["skeleton"]),
            "coords": check.coordinates("coords", about.get("coords")),
        }
        if "pretrained" in about:
            parts["pretrained"] = Pretrained(**about["pretrained"])
        spec = EncoderSpec(**about | parts)
        encoder = spec.encoder.build(spec.skeleton, spec.channels)
        encoder.load_state_dict(tensors)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path}: tensors and description do not fit ({' '.join(str(error).split())})") from error
    return encoder.eval(), spec
