"""The commands of ``skelaug``: a module each, imported when it is called; it has ``add_arguments`` and ``run``."""

import argparse
import json
from pathlib import Path

import torch

from skelaug import check
from skelaug.errors import Refused
from skelaug.files import POINTER, is_pointer
from skelaug.missing import Missing, Score, check_missing
from skelaug.skeleton import Skeleton, skeletons

__all__ = ["MISSING", "Refused", "coords", "device", "find_skeleton", "missing_joints", "positive", "whole"]

MISSING = (
    "how the data say that a joint was not observed, beside a coordinate that is not finite: nan, in no other way; "
    "zero, all its channels are 0; score:2:0.3, its channel 2 is below 0.3"
)


def whole(text: str, low: int = 0) -> int:
    """Type of an option: a whole number, ``low`` included."""
    if not text.isdecimal() or int(text) < low:
        raise argparse.ArgumentTypeError(f"must be a whole number ≥ {low}, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    """Type of an option: a whole number, at least 1."""
    return whole(text, 1)


def coords(text: str) -> int | tuple[int, ...]:
    """Type of an option: which channels are coordinates, a number of leading ones or, with a comma, their indices."""
    try:
        given = tuple(map(int, text.split(","))) if "," in text else int(text)
        check.coordinates("coords", given)
    except ValueError as error:
        wanted = "a number of leading channels, as in 2 for (x, y, score), or distinct channel numbers, as in 0,1"
        raise argparse.ArgumentTypeError(f"must be {wanted}; got {text!r}") from error
    return given


def device(text: str) -> torch.device:
    """Type of an option: a device that is there."""
    try:
        found = torch.device(text)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(f"cannot use the device {text!r}: {reason}") from error
    return found


def missing_joints(text: str) -> Missing:
    """Type of an option: how data say that a joint is missing; a score as ``score:CHANNEL:BELOW``."""
    name, *numbers = text.split(":")
    try:
        if name == "score":
            channel, below = numbers
            return Score(int(channel), float(below))
        return check_missing("--missing", text)
    except ValueError as error:
        wanted = "nan, zero or score:CHANNEL:BELOW, such as score:2:0.3"
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}") from error


def find_skeleton(given: str) -> Skeleton:
    """What ``--skeleton`` names: a known skeleton, or a .json file as ``Skeleton.to_dict`` writes it."""
    if given in skeletons:
        return skeletons[given]
    path = Path(given)
    if path.suffix != ".json" or not path.is_file():
        raise Refused(f"--skeleton {given}: {skeletons.unknown(given)}; or give an existing .json file")
    if is_pointer(path):
        raise Refused(f"--skeleton {given}: {POINTER}")
    try:
        return Skeleton.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise Refused(f"--skeleton {given}: {error}") from error
