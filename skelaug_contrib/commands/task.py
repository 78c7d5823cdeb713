"""What an evaluation command judges: an encoder or raw coordinates, on a protocol whose test clips are new to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skelaug import Skeleton
from skelaug.commands import Refused
from skelaug.transform import Transform
from skelaug_contrib import checkpoint
from skelaug_contrib.checkpoint import CheckpointError, load_encoder
from skelaug_contrib.commands.threads import use_threads
from skelaug_contrib.config import DataConfig
from skelaug_contrib.datasets import PreparedDataset, preparation, split
from skelaug_contrib.evaluate import Coordinates, embed
from skelaug_contrib.pretrained import Pretrained

__all__ = ["COORDINATES", "PREPARATION", "Task", "open_task", "refusing"]

#: What ``--on`` calls the baseline.
COORDINATES = "coordinates"
#: Options of the baseline alone: an encoder gets its clips as in pretraining.
PREPARATION = ("frames", "center", "align")

_SETTINGS = ("frames", "center", "stream", "align", "size", "coords")
_TESTS = ("validation", "test", "test_clean")


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """What the library says about bad input is all that the user needs to see."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(str(error.args[0] if error.args else error)) from error


@dataclass(frozen=True)
class Task:
    """An encoder, pretrained or of raw coordinates, and the data that it is judged on.

    Attributes:
        encoder_name: such as ``"stgcn"``, or ``"coordinates"``.
        encoder: in eval mode.
        skeleton: that the encoder expects.
        settings: how clips are prepared for it, as arguments of :func:`~skelaug_contrib.datasets.preparation`.
        prepare: what does so.
        pretrained: on what the encoder was trained, and how far; None where that is not known, and for coordinates.
        seen: indices of the clips that it was trained on, or None where that cannot be said.
        dataset: the clips.
        protocol: which split.
        validation_subjects: how many are held out of the training part.
        parts: indices of ``train``, ``test`` and, where there are any, ``validation`` and ``test_clean``.
        warnings: what casts doubt on the scores.
        device: where to work.
        batch: clips encoded at a time.
    """

    encoder_name: str
    encoder: nn.Module
    skeleton: Skeleton
    settings: dict[str, Any]
    prepare: Transform
    pretrained: Pretrained | None
    seen: Any
    dataset: PreparedDataset
    protocol: str
    validation_subjects: int
    parts: dict[str, Any]
    warnings: tuple[str, ...]
    device: torch.device
    batch: int

    @property
    def names(self) -> list[str]:
        """Of the classes."""
        return list(self.dataset.class_names)

    @property
    def tests(self) -> list[str]:
        """The parts that scores are reported for."""
        return [part for part in _TESTS if part in self.parts]

    @property
    def validation(self) -> Any:
        """Indices of the validation clips, or ``None``."""
        return self.parts.get("validation")

    @property
    def prepared(self) -> str:
        """The preparation in words."""
        frames = "frames as recorded" if self.settings["frames"] is None else f"{self.settings['frames']} frames"
        rest = (f"{k} {v}" for k, v in self.settings.items() if k != "frames" and v is not None)
        return ", ".join([frames, *rest])

    @property
    def history(self) -> str:
        """What was pretrained, in words."""
        if self.encoder_name == COORDINATES:
            return "nothing: coordinates as they are"
        if self.pretrained is None:
            return "not known"
        return f"{self.pretrained.step} of {self.pretrained.total} steps on {self.pretrained.data}"

    def labels(self, part: str) -> Tensor:
        """int64, on the CPU."""
        return torch.as_tensor(self.dataset.label)[torch.as_tensor(self.parts[part])]

    def embed(self, part: str, encoder: nn.Module | None = None) -> Tensor:
        """Features of a part, or logits where ``encoder`` is a classifier; on the CPU."""
        model = self.encoder if encoder is None else encoder
        indices = self.parts[part]
        return embed(model, self.dataset, indices, self.prepare, batch=self.batch, device=self.device).cpu()


def open_task(run: Path | None, options: Mapping[str, Any]) -> Task:
    """Open an encoder, or raw coordinates, and a data set that fit each other.

    Protocol and validation subjects are those of the pretraining where the options name no others and the data set is
    the one that was pretrained on.

    Args:
        run: folder of a run, or its exported encoder; None for coordinates.
        options: of the group ``data``, and ``baseline`` where the command has it.

    Raises:
        Refused: options contradict each other, a file cannot be read, encoder and data do not fit, the split does not
            exist or is not named, or test clips were pretrained on and ``insist`` is not given.
    """
    _check_baseline(run, options)
    use_threads(options.get("threads"))
    data = options["data"]
    encoder: nn.Module
    with refusing():
        if run is None:
            dataset = PreparedDataset.open(data)
            name, encoder, skeleton = COORDINATES, Coordinates(), dataset.skeleton
            settings, pretrained = _raw(dataset, options), None
        else:
            encoder, spec = load_encoder(run)
            dataset = PreparedDataset.open(data)
            name, skeleton = spec.encoder.name, spec.skeleton
            settings = {each: getattr(spec, each) for each in _SETTINGS}
            pretrained = spec.pretrained or _of_checkpoint(run)
            _check_skeleton(run, skeleton, data, dataset.skeleton)
            if spec.coords != dataset.coords:
                raise Refused(
                    f"{run}: the encoder was trained with coords={spec.coords}, the clips of {data} have "
                    f"coords={dataset.coords} (None: all channels are coordinates); both must be the same"
                )
        seen = None if pretrained is None else pretrained.clips(dataset)
        doubt = None if seen is not None else _doubt(run, data, pretrained)
        if doubt and options["protocol"] is None:
            raise Refused(f"{doubt}; name the protocol: --protocol, one of {', '.join(dataset.splits) or 'none'}")
        protocol, held = _split_of(pretrained if seen is not None else None, options)
        parts = split(dataset, protocol, validation_subjects=held or None)
        prepare = preparation(skeleton, **settings)
    parts = {part: indices for part, indices in parts.items() if len(indices)}
    for needed in ("train", "test"):
        if needed not in parts:
            raise Refused(f"{data}: protocol {protocol!r} has no {needed} clips")
    warnings = []
    if run is not None:
        if doubt:
            warnings.append(f"{doubt}: whether test clips were pretrained on cannot be checked")
        if pretrained is not None:
            warnings += _judge(run, pretrained, seen, protocol, parts, options["insist"])
    return Task(
        encoder_name=name,
        encoder=encoder.eval(),
        skeleton=skeleton,
        settings=settings,
        prepare=prepare,
        pretrained=pretrained,
        seen=seen,
        dataset=dataset,
        protocol=protocol,
        validation_subjects=held,
        parts=parts,
        warnings=tuple(warnings),
        device=options["device"],
        batch=options["batch"],
    )


def _check_baseline(run: Path | None, options: Mapping[str, Any]) -> None:
    """RUN and the options of the baseline exclude each other."""
    given = [f"--{name}" for name in PREPARATION if options.get(name) is not None]
    if options.get("on") == COORDINATES:
        if run is not None:
            raise Refused(f"--on {COORDINATES} judges the data alone, without a run: leave out {run}")
        if options["insist"]:
            raise Refused(f"--insist is for runs: with --on {COORDINATES} nothing was pretrained")
    elif run is None:
        raise Refused(
            f"needs a run and a data set, got {options['data']} alone; the coordinates themselves are judged by "
            f"--on {COORDINATES}"
        )
    elif given:
        raise Refused(f"{given[0]} is for --on {COORDINATES}: the encoder of {run} gets its clips as in pretraining")


def _raw(dataset: PreparedDataset, options: Mapping[str, Any]) -> dict[str, Any]:
    """How clips are prepared whose coordinates are the features: as named, else as a run does it by default."""
    named = {name: options[name] for name in PREPARATION if options[name] is not None}
    named |= {"align": None} if named.get("align") == "none" else {}
    data = DataConfig(str(dataset.path), **named).resolved(dataset.skeleton)
    return {name: getattr(data, name) for name in _SETTINGS if name != "coords"} | {"coords": dataset.coords}


def _check_skeleton(run: Path, ours: Skeleton, data: Path, theirs: Skeleton) -> None:
    if (ours.joints, ours.parents) != (theirs.joints, theirs.parents):
        raise Refused(
            f"{run}: the encoder was trained on the skeleton {ours.name!r} ({len(ours)} joints), the clips of {data} "
            f"have {theirs.name!r} ({len(theirs)} joints); both must be the same"
        )


def _of_checkpoint(run: Path) -> Pretrained | None:
    """What the checkpoint beside an encoder of an older version tells, if there is a whole one."""
    path = run / "checkpoint.pt"
    try:
        with checkpoint.restoring(path):
            return Pretrained.of_checkpoint(checkpoint.load(path))
    except (CheckpointError, OSError):
        return None


def _doubt(run: Path | None, data: Path, pretrained: Pretrained | None) -> str:
    """Why it cannot be said which clips were pretrained on."""
    if run is None:
        return f"--on {COORDINATES}: there is no run to take the protocol from"
    if pretrained is None:
        return f"{run} does not say what it was pretrained on, as files of older versions"
    return f"{data} is not what {run} was pretrained on ({pretrained.data}, protocol {pretrained.protocol!r})"


def _split_of(known: Pretrained | None, options: Mapping[str, Any]) -> tuple[str, int]:
    """Protocol and number of validation subjects: as named, or as pretrained on these very data."""
    protocol, held = options["protocol"], options["validation_subjects"]
    if known is None:
        return protocol, held or 0
    return protocol or known.protocol, known.validation_subjects if held is None else held


def _judge(
    run: Path, pretrained: Pretrained, seen: Any, protocol: str, parts: Mapping[str, Any], insist: bool
) -> list[str]:
    """What casts doubt on the scores of a run; test clips that were pretrained on are refused, unless one insists."""
    warnings = []
    if not pretrained.finished:
        warnings.append(f"{run} is unfinished: {pretrained.step} of {pretrained.total} steps are done")
    if seen is None:
        return warnings
    trained = f"{run}: protocol {pretrained.protocol!r}, {pretrained.validation_subjects} validation subjects held out"
    leaked = {part: len(np.intersect1d(seen, clips)) for part, clips in parts.items()}
    if leaked["test"]:
        told = (
            f"{leaked['test']} of the {len(parts['test'])} test clips of protocol {protocol!r} were pretrained on "
            f"({trained})"
        )
        if not insist:
            raise Refused(f"{told}; take --protocol {pretrained.protocol}, or --insist to evaluate all the same")
        warnings.append(told)
    if leaked.get("validation"):
        warnings.append(
            f"{leaked['validation']} of the {len(parts['validation'])} validation clips were pretrained on, without "
            f"labels ({trained}): one can choose on them, but their scores are not those of unseen people"
        )
    return warnings
