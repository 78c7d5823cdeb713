"""The one entry point, ``skelaug COMMAND``: each command is imported only when it is called."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import skelaug

__all__ = ["main"]


@dataclass(frozen=True)
class _Command:
    """What ``skelaug --help`` says of a command, and what it takes to run it."""

    help: str
    extras: str
    needs: tuple[str, ...]


_COMMANDS = {
    "demo": _Command("views of real motion: a table, and pictures in out/demo", "viz", ("matplotlib",)),
    "views": _Command("views of your own .npy or .npz file", "cli", ("tqdm", "yaml")),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``skelaug`` and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if given else 2
    if given[0] == "--version":
        print(f"skelaug {skelaug.__version__}")
        return 0
    name, *rest = given
    command = _COMMANDS.get(name)
    if command is None:
        print(f"skelaug: no command {name!r}; commands: {', '.join(_COMMANDS)}", file=sys.stderr)
        return 2
    missing = [module for module in command.needs if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skelaug {name} needs {', '.join(missing)}: pip install 'skelaug[{command.extras}]'", file=sys.stderr)
        return 1
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    from skelaug.arrays import ArrayError
    from skelaug.commands import Refused

    module = importlib.import_module(f"skelaug.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=f"skelaug {name}", description=module.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    module.add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        module.run(**vars(options))
    except KeyboardInterrupt:
        print(f"\nskelaug {name}: interrupted", file=sys.stderr)
        return 130
    except (ArrayError, Refused, OSError) as error:
        print(f"skelaug {name}: {error}", file=sys.stderr)
        return 1
    return 0


def _help() -> str:
    lines = [f"  {name:10} {command.help}" for name, command in _COMMANDS.items()]
    return "\n".join(
        [
            "Augmentation of human skeletons, from weak to strong.",
            "",
            "usage: skelaug COMMAND [--help] …",
            "",
            *lines,
            "",
            "skelaug COMMAND --help explains a command; skelaug --version tells the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
