"""The one entry point, ``skelaug COMMAND``: each command is imported only when it is called."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import skelaug
from skelaug.commands.console import use_plain_signs
from skelaug.commands.usage import Parser, did_you_mean

__all__ = ["main"]


class _Command(NamedTuple):
    """Where a command is, what it takes to run it, and what ``skelaug --help`` says of it."""

    package: str
    extras: str
    needs: tuple[str, ...]
    help: str


# skelaug_contrib may import skelaug, so its commands are only named here.
_TRAIN = ("skelaug_contrib", "train", ("safetensors", "tqdm"))
_PRETRAIN = ("safetensors", "tqdm", "jsonargparse", "lightning_fabric", "tensorboard", "yaml")
_DEMO = "views of real motion, in pictures, and a minute of pretraining with them"
_COMMANDS = {
    "demo": _Command("skelaug_contrib", "viz", ("matplotlib",), _DEMO),
    "views": _Command("skelaug", "cli", ("tqdm", "yaml"), "views of your own .npy or .npz file"),
    "preview": _Command("skelaug", "cli", ("yaml",), "a page of moving skeletons: clips and their views side by side"),
    "sample": _Command(*_TRAIN, "a small prepared data set to try the commands below on, without a download"),
    "prepare": _Command(*_TRAIN, "a prepared data set, for the commands below, from a public one's files or arrays"),
    "inspect": _Command(*_TRAIN, "what is true of a prepared data set: gaps, jumps, leaks from test to train"),
    "pretrain": _Command(
        "skelaug_contrib", "train", _PRETRAIN, "train an encoder without labels, by HiCLR or a baseline"
    ),
    "knn": _Command(*_TRAIN, "judge an encoder by nearest neighbours: nothing is trained"),
    "linear": _Command(*_TRAIN, "judge an encoder by a linear classifier on its features"),
    "finetune": _Command(*_TRAIN, "train an encoder on, with all labels"),
    "semi": _Command(*_TRAIN, "train an encoder on, with few labels"),
    "fuse": _Command(*_TRAIN, "judge joint, bone and motion encoders together"),
    "bench": _Command(
        "skelaug_contrib", "train", (), "measure this machine: transforms, policies, the loss, the training step"
    ),
    "embed": _Command(
        "skelaug_contrib",
        "train,viz",
        ("safetensors", "tqdm", "matplotlib"),
        "features of clips; a picture of them, a confusion matrix",
    ),
}
_HELP = """Augmentation of human skeletons, from weak to strong.

usage: skelaug COMMAND [--help] …

{}

skelaug COMMAND --help explains a command; skelaug --version tells the version;
skelaug --completion bash (or zsh, tcsh) prints what makes Tab complete commands and options."""
_SHELLS = ("bash", "zsh", "tcsh")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``skelaug`` and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    use_plain_signs()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(_HELP.format("\n".join(f"  {name:10} {command.help}" for name, command in _COMMANDS.items())))
        return 0 if given else 2
    if given[0] == "--version":
        print(f"skelaug {skelaug.__version__}")
        return 0
    if given[0] == "--completion":
        return _completion(given[1:])
    name, *rest = given
    command = _COMMANDS.get(name)
    if command is None:
        near = did_you_mean(name, _COMMANDS)
        print(f"skelaug: no command {name!r}{near}; commands: {', '.join(_COMMANDS)}", file=sys.stderr)
        return 2
    if missing := _missing(command):
        print(f"skelaug {name} needs {', '.join(missing)}: pip install 'skelaug[{command.extras}]'", file=sys.stderr)
        return 1
    return _run(name, command, rest)


def _missing(command: _Command) -> list[str]:
    """Packages that the command needs and that are not installed."""
    return [module for module in command.needs if importlib.util.find_spec(module) is None]


def _module(name: str, command: _Command) -> Any:
    return importlib.import_module(f"{command.package}.commands.{name}")


def _parser(name: str, module: Any) -> argparse.ArgumentParser:
    """The parser of a command; where its options are those of typed dataclasses, the module has one."""
    if hasattr(module, "parser"):
        made: argparse.ArgumentParser = module.parser(name)
        return made
    style = argparse.ArgumentDefaultsHelpFormatter
    parser = Parser(f"skelaug {name}", description=module.__doc__, formatter_class=style)
    module.add_arguments(parser)
    return parser


def _completion(given: list[str]) -> int:
    """Print the shell's script that completes the commands that can run here, and their options."""
    if importlib.util.find_spec("shtab") is None:
        print("skelaug --completion needs shtab: pip install 'skelaug[cli]'", file=sys.stderr)
        return 1
    import shtab

    if len(given) != 1 or given[0] not in _SHELLS:
        print(f"skelaug --completion: name one shell, {', '.join(_SHELLS)}", file=sys.stderr)
        return 2
    whole = Parser("skelaug", add_help=False)
    commands: Any = whole.add_subparsers()
    for name, command in _COMMANDS.items():
        if not _missing(command):
            commands.add_parser(name, help=command.help)
            commands.choices[name] = _parser(name, _module(name, command))
    print(shtab.complete(whole, given[0]))
    return 0


def _run(name: str, command: _Command, arguments: list[str]) -> int:
    from skelaug.arrays import ArrayError
    from skelaug.errors import Refused
    from skelaug.plugins import PluginError

    try:
        module = _module(name, command)
        if hasattr(module, "parse"):
            options = module.parse(name, arguments)
        else:
            parser = _parser(name, module)
            parse = parser.parse_intermixed_args if hasattr(module, "INTERMIXED") else parser.parse_args
            options = vars(parse(arguments))
        with _warnings_in_a_line(name):
            module.run(**options)
    except KeyboardInterrupt as error:
        print(f"\nskelaug {name}: {error if error.args else 'interrupted'}", file=sys.stderr)
        return getattr(error, "code", 130)
    except (ArrayError, PluginError, Refused, OSError) as error:
        print(f"skelaug {name}: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _warnings_in_a_line(name: str) -> Iterator[None]:
    """Print the library's warnings as the command's own words, without the place in the code."""
    usual = warnings.formatwarning

    def one_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
        if category is UserWarning:
            return f"skelaug {name}: warning: {message}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = one_line
    try:
        yield
    finally:
        warnings.formatwarning = usual


if __name__ == "__main__":
    sys.exit(main())
