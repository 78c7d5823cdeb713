"""What a command says when it is called wrongly: one line of usage, what is wrong, and the nearest right name."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from skelaug.known import nearest

__all__ = ["Parser", "did_you_mean", "explain", "stop", "usage"]

_UNKNOWN = re.compile(r"unrecognized arguments: (.*)", re.IGNORECASE | re.DOTALL)
_CHOICE = re.compile(r"(?:argument (?P<name>.*?): )?invalid choice: '(?P<given>[^']*)' \(choose from (?P<choices>.*)\)")


class Parser(argparse.ArgumentParser):
    """argparse's parser with shorter errors: the whole list of options is in ``--help`` alone."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with 2."""
        stop(self, explain(self, message))


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the nearest known name, or nothing where none is near.

    Example:
        >>> did_you_mean("hicrl", ["aimclr", "hiclr"])
        '; did you mean hiclr?'
        >>> did_you_mean("elephant", ["aimclr", "hiclr"])
        ''
    """
    known = list(known)
    # A name that lacks its group comes first, as --lr for --optimizer.lr.
    found = [name for name in known if name.endswith(f".{given.lstrip('-')}")]
    found = found or nearest(given, known)
    return f"; did you mean {found[0]}?" if found else ""


def explain(parser: argparse.ArgumentParser, message: str) -> str:
    """An error of argparse in fewer words, with the nearest option or choice."""
    if unknown := _UNKNOWN.fullmatch(message):
        # Values follow the option that nobody knows.
        words = unknown[1].split()
        given = next((word.partition("=")[0] for word in words if word.startswith("-")), words[0])
        if not given.startswith("-"):
            return f"one argument too many: {unknown[1]}"
        return f"there is no option {given}{did_you_mean(given, _options(parser))}"
    if choice := _CHOICE.fullmatch(message):
        choices = [each.strip(" '\"") for each in choice["choices"].split(",")]
        name = f"{choice['name']}: " if choice["name"] else ""
        return f"{name}{choice['given']!r} is none of {', '.join(choices)}{did_you_mean(choice['given'], choices)}"
    return message


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """All long options, those of commands within the command too."""
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            options += [option for inner in action.choices.values() for option in _options(inner)]
    return options


def usage(parser: argparse.ArgumentParser) -> str:
    """One line: what must be given, and that there are options."""
    must: list[str] = []
    for action in parser._actions:
        name: Any = action.metavar or ("{" + ",".join(action.choices) + "}" if action.choices else action.dest)
        if not action.option_strings:
            must.append(f"[{name}]" if action.nargs in ("?", "*") else str(name))
        elif action.required:
            must.append(f"{action.option_strings[-1]} {action.metavar or action.dest.upper()}")
    return " ".join(["usage:", parser.prog, *must, "[options]"])


def stop(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """Print one line of usage and what is wrong, and exit with 2."""
    print(f"{usage(parser)}\n{parser.prog}: {message} ({parser.prog} --help explains)", file=sys.stderr)
    sys.exit(2)
