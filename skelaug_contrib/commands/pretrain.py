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

import json
import re
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, DefaultHelpFormatter  # type: ignore[attr-defined]
from jsonargparse.typing import PositiveInt
from lightning_fabric.utilities import rank_zero_only

from skelaug.commands import Refused, usage
from skelaug.files import POINTER, is_pointer
from skelaug_contrib import distributed
from skelaug_contrib.commands.threads import THREADS, use_threads
from skelaug_contrib.config import DataConfig, PretrainConfig, flat, shipped, to_dict
from skelaug_contrib.datasets import PreparedDataset, placement, split
from skelaug_contrib.datasets.splits import ALL

__all__ = ["ending", "header", "parse", "parser", "run"]


def parser(name: str) -> ArgumentParser:
    """The options of the command, which are the settings of a run and a few more."""
    parser = _Parser(prog=f"skelaug {name}", description=__doc__, formatter_class=_Help)
    parser.add_argument("dataset", metavar="DATA", help="folder of a prepared data set")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the run")
    parser.add_argument(
        "--config",
        action=_ConfigFile,
        help="a .yaml file of settings, such as the config.yaml of a run, or the name of a shipped one: "
        + ", ".join(shipped()),
    )
    parser.add_argument("--resume", type=bool, default=True, help="go on with the run in OUT if there is one")
    parser.add_argument("--threads", type=PositiveInt | None, default=None, help=THREADS)
    parser.add_class_arguments(PretrainConfig)
    parser.link_arguments("dataset", "data.path")
    _use_dashes(parser)
    return parser


def parse(name: str, arguments: list[str]) -> dict[str, Any]:
    """The arguments of :func:`run` from a command line; prints help or an error and exits where there is none."""
    made = parser(name)
    options = made.parse_args(arguments)
    try:
        settings = made.instantiate(options)
        config = PretrainConfig(**{key: settings[key] for key in PretrainConfig.__dataclass_fields__})
    except ValueError as error:
        made.error(str(error))
    return {"config": config} | {name: options[name] for name in ("out", "resume", "threads")}


def _use_dashes(parser: ArgumentParser) -> None:
    """Options are spelled as those of the other commands, --max-steps; --max_steps, as the setting, is understood."""
    for action in parser._actions:
        dashed = [option.replace("_", "-") for option in action.option_strings]
        parser._option_string_actions.update(dict.fromkeys(dashed, action))
        action.option_strings = dashed


class _Parser(ArgumentParser):
    """jsonargparse's parser with the short errors of the other commands."""

    #: Where each setting of the file stands that is being read.
    reading: ClassVar[dict[str, str]] = {}

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the error and exit with 2."""
        key, given = _KEY.match(message), _GIVEN.search(message)
        if key and given:
            expected = [_plain(kind) for kind in _EXPECTED.findall(message)]
            choices = [choice for kind in expected for choice in kind.split(" | ")]
            near = usage.did_you_mean(given[1].strip(), choices)
            where = self.reading.get(key[1], key[1])
            message = f"{where}: got {given[1].strip()}, expected {', '.join(choices)}{near}"
        usage.stop(self, usage.explain(self, message))


# What jsonargparse says of a value of the wrong type, in one line or, where several types would do, in a list.
_KEY = re.compile(r'Parser key "([^"]*)":')
_EXPECTED = re.compile(r"Expected an? (.*?)(?:\. Got value|\s*\n)", re.DOTALL)
_GIVEN = re.compile(r"(?:Got|Given) value: (.*)", re.DOTALL)
_TYPES = {
    "<class 'float'>": "a number",
    "<class 'int'>": "a whole number",
    "<class 'bool'>": "true or false",
    "<class 'NoneType'>": "null",
}


def _plain(kind: str) -> str:
    """A type as jsonargparse writes it, in plain words."""
    kind = " ".join(kind.split())
    return " | ".join(re.findall(r"'([^']*)'", kind)) if "Literal[" in kind else _TYPES.get(kind, kind)


class _Help(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """The description keeps its lines."""


class _ConfigFile(ActionConfigFile):
    """A file, or the name of one that comes with the package."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        files = shipped()
        if not Path(values).exists():
            if values not in files:
                near = usage.did_you_mean(values, files)
                parser.error(f"--config {values}: no such file{near}; shipped are {', '.join(files)}")
            values = str(files[values])
        if is_pointer(Path(values)):
            parser.error(f"--config {values}: {POINTER}")
        lines = _lines(parser, Path(values))
        parser.reading = {key: f"{values}, line {line}: {key}" for key, line in lines.items()}
        super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]
        parser.reading = {}


def _lines(parser: ArgumentParser, path: Path) -> dict[str, int]:
    """The line of each setting in a file, by its full name; an error where the file has one that nobody knows."""
    try:
        top = yaml.compose(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        parser.error(f"--config {path}{line}: not YAML: {error.problem}")
    except (OSError, ValueError, yaml.YAMLError) as error:
        parser.error(f"--config {path}: cannot be read as YAML: {' '.join(str(error).split())}")
    known = flat(to_dict(PretrainConfig(DataConfig(""))))
    groups = {name.rpartition(".")[0] for name in known}
    lines = {}

    def walk(node: Any, before: str) -> None:
        for key, value in node.value:
            name = f"{before}{key.value}"
            lines[name] = key.start_mark.line + 1
            if name not in known and name not in groups:
                near = usage.did_you_mean(name, known)
                parser.error(f"{path}, line {lines[name]}: there is no setting {name}{near}")
            if name in groups and isinstance(value, yaml.MappingNode):
                walk(value, f"{name}.")

    if isinstance(top, yaml.MappingNode):
        walk(top, "")
    return lines


def run(config: PretrainConfig, out: Path, resume: bool, threads: int | None) -> None:
    """Say what is trained on, train, and say what came out and what to do next."""
    from skelaug_contrib.train import pretrain

    use_threads(threads, processes=config.devices)
    try:
        dataset = PreparedDataset.open(config.data.path)
        _announce(dataset, config)
        pretrain(config, out, resume, say)
    except ValueError as error:  # what the library says of its arguments
        raise Refused(str(error)) from error
    if distributed.rank() == 0:
        print("\n".join(ending(dataset, config.resolved(dataset.skeleton), out)))


#: The last lines tell the k-NN accuracy where there are at most so many clips; else it takes too long.
_FEW = 5000


def say(line: str) -> None:
    """Print a line at once, also into a pipe or a file."""
    print(line, flush=True)


@rank_zero_only
def _announce(dataset: PreparedDataset, config: PretrainConfig) -> None:
    """Print the header; one process looks at the clips and prints."""
    say("\n".join(header(dataset, config)))


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


def ending(dataset: PreparedDataset, config: PretrainConfig, out: Path) -> list[str]:
    """What came out of a run, in lines of text: the loss, the k-NN accuracy, the files, the next command."""
    from skelaug_contrib.commands.evaluation import defaults, open_task
    from skelaug_contrib.evaluate import accuracy, knn
    from skelaug_contrib.progress import duration

    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    last = next(line for line in reversed(lines) if "loss" in line)
    text = f"loss {last['loss']:.3f} after {last['step']} steps in {duration(last['seconds'])}"
    if len(dataset) <= _FEW and config.data.protocol != ALL:
        task = open_task(out, defaults("data") | {"data": Path(config.data.path)})
        features, labels = task.embed("train"), task.labels("train")
        for part in ["validation"] if task.validation is not None else task.tests:
            score = accuracy(knn(features, labels, task.embed(part)), task.labels(part))
            text += f"; k-NN accuracy {100 * score:.1f} % on the {len(task.parts[part])} clips of {part}"
    command, more = ("linear", "") if config.data.protocol != ALL else ("embed", " --split train")
    return [text, f"wrote {out / 'encoder.safetensors'}", f"next: skelaug {command} {out} {config.data.path}{more}"]
