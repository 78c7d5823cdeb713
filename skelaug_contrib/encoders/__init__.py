"""Encoders of skeleton sequences: ``encoder(x or batch, people=None) -> (N, D)``, for any skeleton and any T."""

from __future__ import annotations

import inspect
from typing import Any

from skelaug import Skeleton, check
from skelaug_contrib.encoders.dsta import DSTA
from skelaug_contrib.encoders.norm import sync_batch_norm
from skelaug_contrib.encoders.persons import PersonEncoder, people
from skelaug_contrib.encoders.stgcn import STGCN

__all__ = ["DSTA", "STGCN", "PersonEncoder", "build", "people", "sync_batch_norm"]

_ENCODERS: dict[str, type[PersonEncoder]] = {"stgcn": STGCN, "dsta": DSTA}


def build(name: str, skeleton: Skeleton | str, **options: Any) -> PersonEncoder:
    """An encoder by name.

    Args:
        name: ``"stgcn"`` or ``"dsta"``.
        skeleton: of the data, or its name.
        **options: of its constructor; those that are ``None`` keep their default.

    Raises:
        TypeError: the encoder has no such option.
        ValueError: no such encoder, or an option is out of range.

    Example:
        >>> from skelaug import skeletons
        >>> build("stgcn", skeletons["ntu25"], widths=(8, 16), kernel=None).width
        16
    """
    encoder = _ENCODERS[check.choice("build", "name", name, tuple(_ENCODERS))]
    chosen = {option: value for option, value in options.items() if value is not None}
    allowed = [option for option in inspect.signature(encoder).parameters if option != "skeleton"]
    for option in chosen:
        if option not in allowed:
            raise TypeError(f"build({name!r}, {option}=…): {name} has no such option; it has {', '.join(allowed)}")
    return encoder(check.skeleton("build", skeleton), **chosen)
