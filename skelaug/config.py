"""Policies and transforms as plain data, and back, losslessly: a dict of names and numbers, or YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skelaug import transforms
from skelaug.batch import SkeletonBatch
from skelaug.policy import Compose, GrowingPolicy, OneOf
from skelaug.skeleton import Skeleton, skeletons
from skelaug.transform import Transform

__all__ = ["from_dict", "from_yaml", "to_dict", "to_yaml"]

_TYPES: dict[str, type] = {name: getattr(transforms, name) for name in transforms.__all__}
_TYPES |= {"Compose": Compose, "OneOf": OneOf, "GrowingPolicy": GrowingPolicy}


def to_dict(item: Transform | GrowingPolicy) -> dict[str, Any]:
    """Describe a transform or policy: its ``type`` and every argument that differs from its default.

    Raises:
        TypeError: an argument has no plain form (the ``style`` batch of SkeleAdaIN).

    Example:
        >>> to_dict(transforms.Shear(0.3, p=0.5))
        {'type': 'Shear', 'amount': 0.3, 'p': 0.5}
    """
    if isinstance(item, GrowingPolicy):
        stages = {name: [to_dict(member) for member in stage] for name, stage in item.items()}
        found: dict[str, Any] = {"type": "GrowingPolicy", "stages": stages}
        if item.mode != "independent":
            found["mode"] = item.mode
        if item.stream is not None:
            found["stream"] = to_dict(item.stream)
        return found
    if type(item).__name__ not in _TYPES or _TYPES[type(item).__name__] is not type(item):
        raise TypeError(f"to_dict: {type(item).__name__} is not a transform of skelaug; only those have a plain form")
    return {"type": type(item).__name__} | {k: _plain(item, k, v) for k, v in item.arguments().items()}


def _plain(owner: Transform, name: str, value: Any) -> Any:
    match value:
        case Skeleton():
            return {"skeleton": value.name if skeletons.get(value.name) == value else value.to_dict()}
        case Transform():
            return to_dict(value)
        case Tensor():
            return {"tensor": value.tolist()}
        case SkeletonBatch():
            raise TypeError(f"to_dict: {type(owner).__name__}({name}=…) holds a batch, which has no plain form")
        case list() | tuple():
            return [_plain(owner, name, v) for v in value]
        case dict():
            return {k: _plain(owner, name, v) for k, v in value.items()}
    return value


def from_dict(data: dict[str, Any]) -> Any:
    """Build the transform or policy that :func:`to_dict` described.

    Raises:
        ValueError: an unknown type or argument.

    Example:
        >>> from_dict({"type": "Shear", "amount": 0.3})
        Shear(amount=0.3)
    """
    if not isinstance(data, dict) or "type" not in data:
        raise ValueError(
            f"from_dict: expected a mapping with a 'type', such as {{'type': 'Shear', 'amount': 0.5}}, got {data!r}"
        )
    kind = _TYPES.get(data["type"])
    if kind is None:
        raise ValueError(f"from_dict: unknown type {data['type']!r}; known: {', '.join(sorted(_TYPES))}")
    arguments = {k: _build(v) for k, v in data.items() if k != "type"}
    try:
        return kind(**arguments)
    except TypeError as error:
        raise ValueError(f"from_dict: {data['type']} does not take these arguments: {error}") from error


def _build(value: Any) -> Any:
    if isinstance(value, dict):
        if "type" in value:
            return from_dict(value)
        if value.keys() == {"skeleton"}:
            known = value["skeleton"]
            return skeletons[known] if isinstance(known, str) else Skeleton.from_dict(known)
        if value.keys() == {"tensor"}:
            return torch.tensor(value["tensor"])
        return {k: _build(v) for k, v in value.items()}
    if isinstance(value, list):
        built = [_build(v) for v in value]
        # Ranges are pairs of numbers; lists of anything else stay lists.
        return tuple(built) if built and all(isinstance(v, int | float) for v in built) else built
    return value


def to_yaml(item: Transform | GrowingPolicy, path: str | Path | None = None) -> str:
    """:func:`to_dict` as YAML text, written to ``path`` if one is given."""
    text: str = _yaml().safe_dump(to_dict(item), sort_keys=False, allow_unicode=True)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def from_yaml(source: str | Path) -> Any:
    """Build the transform or policy of a YAML file (a Path) or text (a str)."""
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    return from_dict(_yaml().safe_load(text))


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ImportError("YAML needs an extra: pip install 'skelaug[cli]'") from error
    return yaml
