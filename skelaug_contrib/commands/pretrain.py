"""Train an encoder without labels, by HiCLR or one of the methods it is compared with.

DATA is a prepared data set, as skelaug prepare writes it. OUT becomes the folder of the run:

  encoder.safetensors   for skelaug knn, linear, finetune, semi, fuse and embed
  checkpoint.pt         a run that was interrupted or killed goes on when the same command is given again
  config.yaml           all settings; --config takes it, too
  log.jsonl             losses, learning rate and k-NN accuracy by step, a JSON object a line
  tensorboard/          the same, for tensorboard --logdir OUT

Settings come from a file, and from --key value, which wins:

  skelaug pretrain DATA OUT --config small.yaml --data.protocol xview --optimizer.lr 0.05
  skelaug pretrain DATA OUT --config ntu60-stgcn.yaml --data.stream bone --devices 4
  torchrun --nproc-per-node 4 -m skelaug.cli pretrain DATA OUT --config ntu60-stgcn.yaml --devices 4
"""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from jsonargparse import ActionConfigFile, ArgumentParser, DefaultHelpFormatter  # type: ignore[attr-defined]
from lightning_fabric.utilities import rank_zero_only

from skelaug.commands import Refused
from skelaug_contrib import distributed
from skelaug_contrib.config import PretrainConfig, shipped
from skelaug_contrib.datasets import PreparedDataset, placement, split

__all__ = ["header", "parse", "run"]


def parse(name: str, arguments: list[str]) -> dict[str, Any]:
    """The arguments of :func:`run` from a command line; prints help or an error and exits where there is none."""
    parser = ArgumentParser(prog=f"skelaug {name}", description=__doc__, formatter_class=_Help)
    parser.add_argument("dataset", metavar="DATA", help="folder of a prepared data set")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the run")
    parser.add_argument(
        "--config",
        action=_ConfigFile,
        help="a .yaml file of settings, such as the config.yaml of a run, or the name of a shipped one: "
        + ", ".join(shipped()),
    )
    parser.add_argument("--resume", type=bool, default=True, help="go on with the run in OUT if there is one")
    parser.add_class_arguments(PretrainConfig)
    parser.link_arguments("dataset", "data.path")
    options = parser.parse_args(arguments)
    try:
        settings = parser.instantiate(options)
        config = PretrainConfig(**{key: settings[key] for key in PretrainConfig.__dataclass_fields__})
    except ValueError as error:
        parser.error(str(error))
    return {"config": config, "out": options["out"], "resume": options["resume"]}


class _Help(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """The description keeps its lines."""


class _ConfigFile(ActionConfigFile):
    """A file, or the name of one that comes with the package."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        files = shipped()
        if not Path(values).exists():
            if values not in files:
                parser.error(f"--config {values}: no such file; shipped are {', '.join(files)}")
            values = str(files[values])
        super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]


def run(config: PretrainConfig, out: Path, resume: bool) -> None:
    """Say what is trained on, train, and say where the encoder is."""
    from skelaug_contrib.train import pretrain

    try:
        dataset = PreparedDataset.open(config.data.path)
        _announce(dataset, config)
        encoder = pretrain(config, out, resume)
    except ValueError as error:  # what the library says of its arguments
        raise Refused(str(error)) from error
    if distributed.rank() == 0:
        print(f"wrote {encoder}")


@rank_zero_only
def _announce(dataset: PreparedDataset, config: PretrainConfig) -> None:
    """Print the header; one process looks at the clips and prints."""
    print("\n".join(header(dataset, config)), flush=True)


def header(dataset: PreparedDataset, config: PretrainConfig) -> list[str]:
    """The data of a run in lines of text: how much there is, where bodies stand and face, what is done about it."""
    data, skeleton = config.data.resolved(dataset.skeleton), dataset.skeleton
    train = split(dataset, data.protocol, validation_subjects=data.validation_subjects or None)["train"]
    clips = f"{len(train)} training clips ({data.protocol}) of {len(dataset)}"
    lines = [
        f"data: {clips} in {data.path}; skeleton {skeleton.name}",
        f"preparation: data.center: {data.center}, data.align: {data.align or 'null'}",
    ]
    if config.data.align == "auto" and data.align is None:
        lines[-1] += f", for the skeleton {skeleton.name!r} names no shoulders: bodies stay turned as they stand"
    where = placement(dataset, train)
    if where is not None:
        lines += where.lines() + where.advice({"data.center": data.center, "data.align": data.align})
    return lines
