"""The commands of ``skelaug``: a module each, imported when it is called; it has ``add_arguments`` and ``run``."""

import argparse

import torch


class Refused(Exception):
    """What was asked for cannot be done; the message is all that the user needs to see."""


def positive(text: str) -> int:
    """Type of an option: a whole number, at least 1."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number ≥ 1, got {text!r}")
    return number


def device(text: str) -> torch.device:
    """Type of an option: a device that is there."""
    try:
        found = torch.device(text)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(f"cannot use the device {text!r}: {reason}") from error
    return found
