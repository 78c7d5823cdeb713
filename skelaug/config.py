"""Policies and transforms as plain data, and back, losslessly: a dict of names and numbers, or YAML.

A mapping with a ``type`` holds the name of a class and its arguments. A mapping with a ``preset`` holds the name of a
function of :mod:`skelaug.policies`, the skeleton and the function's other arguments. ``{view: 1, of: …}`` is a view of
a growing policy as a transform. All of them may stand inside each other, in a file and in a framework's configuration;
:func:`resolve` is what every adapter calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skelaug import describe, plugins, policies, transforms
from skelaug.coordinates import OnCoordinates, with_coords
from skelaug.expect import of_type
from skelaug.files import POINTER, is_pointer
from skelaug.known import choices
from skelaug.policy import Compose, GrowingPolicy, OneOf, View
from skelaug.skeleton import Skeleton, find_skeleton
from skelaug.transform import Transform

__all__ = ["TYPES", "find_skeleton", "from_dict", "from_yaml", "resolve", "to_dict", "to_yaml"]

TYPES: dict[str, type] = {name: getattr(transforms, name) for name in transforms.__all__}
"""Our own types by name; :mod:`skelaug.plugins` knows those of other packages."""
TYPES |= {"Compose": Compose, "OneOf": OneOf, "OnCoordinates": OnCoordinates, "GrowingPolicy": GrowingPolicy}


def resolve(
    policy: Transform | GrowingPolicy | str | Path | Mapping[str, Any],
    skeleton: Skeleton | str | Mapping[str, Any] | None = None,
    coords: Any = None,
    vectors: Any = None,
) -> Any:
    """The policy that is meant, however it was given.

    Args:
        policy: a transform or policy (returned as it is), the name of a preset (``"hiclr"``, or one that another
            package registered), a mapping as :func:`from_dict` takes it, or the path of a ``.yaml`` file with one.
        skeleton: of the data; where the policy needs a skeleton and does not say which. A Skeleton, the name of one, or
            its :meth:`~skelaug.Skeleton.to_dict`.
        coords: channels that are coordinates, a number of leading ones or indices, for all transforms in the policy
            that do not say so themselves (see :func:`skelaug.coordinates.with_coords`); None: all.
        vectors: groups of further channels that are turned with the body but not shifted.

    Returns:
        A Transform or a GrowingPolicy.

    Raises:
        TypeError: ``policy`` is none of these.
        ValueError: no such preset or file, no skeleton where one is needed, or the file is wrong.

    Example:
        >>> resolve("crossclr", "ntu25").names
        ('basic',)
        >>> resolve({"preset": "ctrgcn", "length": 32}, "ntu25")[0]
        CropResize(length=32)
        >>> resolve({"type": "Shear", "amount": 0.3}, coords=2)
        Shear(amount=0.3, coords=(0, 1))
    """
    bones = None if skeleton is None else find_skeleton(skeleton)
    return with_coords(_resolved(policy, bones), coords, "resolve", vectors)


def _resolved(policy: Transform | GrowingPolicy | str | Path | Mapping[str, Any], bones: Skeleton | None) -> Any:
    if isinstance(policy, Transform | GrowingPolicy):
        return policy
    if isinstance(policy, str):
        policy = Path(policy) if Path(policy).suffix in (".yaml", ".yml") else {"preset": policy}
    if isinstance(policy, Path):
        return _from_file(policy, bones)
    if isinstance(policy, Mapping):
        return _from_dict(policy, bones)
    raise TypeError(
        f"resolve({policy!r}): expected a transform or policy, the name of a preset, a mapping with a 'type' or a "
        f"'preset', or the path of a .yaml file; got {type(policy).__name__}"
    )


def to_dict(item: Transform | GrowingPolicy) -> dict[str, Any]:
    """Describe a transform or policy: its ``type`` and every argument that differs from its default.

    Raises:
        TypeError: it is no transform or policy, an argument has no plain form (the ``style`` batch of SkeleAdaIN), or a
            class has no name that :func:`from_dict` would find (your own, not registered).

    Example:
        >>> to_dict(transforms.Shear(0.3, p=0.5))
        {'type': 'Shear', 'amount': 0.3, 'p': 0.5}
    """
    if not isinstance(item, Transform | GrowingPolicy):
        raise TypeError(f"to_dict({item!r}): expected a transform or policy, got {type(item).__name__}")
    if isinstance(item, View):
        return {"view": item.index, "of": to_dict(item.policy)}
    kind = type(item).__name__
    if _find_type(kind) is not type(item):
        raise TypeError(f"to_dict: {kind} is neither a transform of skelaug nor registered as one, see skelaug.plugins")

    form: dict[str, Any] = {"type": kind}
    for name, value in item.arguments().items():
        where = f"{kind}({name}=…)"
        if name == "stages" and isinstance(item, GrowingPolicy):  # their names are the user's, and may be any
            form[name] = {stage: describe.plain(members, where, to_dict) for stage, members in value.items()}
        else:
            form[name] = describe.plain(value, where, to_dict)
    return form


def from_dict(data: Mapping[str, Any]) -> Any:
    """Build the transform or policy that :func:`to_dict` described, or a preset.

    Args:
        data: a mapping with a ``type``, the name of a class, or a ``preset``, the name of a function of
            :mod:`skelaug.policies`; the other entries are its arguments. Or ``{"view": i, "of": policy}``.

    Raises:
        ValueError: an unknown type, preset, view, skeleton or argument.

    Example:
        >>> from_dict({"type": "Shear", "amount": 0.3})
        Shear(amount=0.3)
        >>> from_dict({"preset": "hiclr", "skeleton": "ntu25", "strong": "all"}).names
        ('basic', 'normal', 'strong')
    """
    return _from_dict(data, None)


def _from_dict(data: Any, bones: Skeleton | None) -> Any:
    keys = set(data) if isinstance(data, Mapping) else set()
    if "preset" in keys:
        return _preset(data, bones)
    if keys == {"view", "of"}:
        try:
            return View(_from_dict(data["of"], bones), data["view"])
        except (TypeError, IndexError) as error:
            raise ValueError(f"from_dict: no view {data['view']!r}: {error}") from error
    if "type" not in keys:
        raise ValueError(
            f"from_dict: expected a mapping with a 'type', such as {{'type': 'Shear', 'amount': 0.5}}, a 'preset', or "
            f"a 'view' and the policy that it is 'of', got {data!r}"
        )
    kind = _find_type(data["type"])
    if kind is None:
        known = sorted([*TYPES, *transforms.registry.names()])
        raise ValueError(f"from_dict: unknown type {data['type']!r}; {choices(data['type'], known)}")
    arguments = {k: _argument(k, v, bones) for k, v in data.items() if k != "type"}
    needed = inspect.signature(kind).parameters.get("skeleton")
    if bones is not None and needed is not None and needed.default is needed.empty:
        arguments.setdefault("skeleton", bones)
    try:
        return kind(**arguments)
    except TypeError as error:
        raise ValueError(f"from_dict: {data['type']} does not take these arguments: {error}") from error


def _find_type(name: Any) -> Any:
    return (TYPES.get(name) or transforms.registry.find(name)) if isinstance(name, str) else None


def _preset(data: Mapping[str, Any], bones: Skeleton | None) -> Any:
    name = data["preset"]
    ours = isinstance(name, str) and name in policies.__all__
    make = getattr(policies, name) if ours else policies.registry.find(str(name))
    if make is None:
        known = choices(name, [*policies.__all__, *policies.registry.names()])
        raise ValueError(f"no preset {name!r}; {known}; or give an existing .yaml file")
    own = data.get("skeleton")
    bones = bones if own is None else find_skeleton(own)
    if bones is None:
        form = {"preset": name, "skeleton": "ntu25"}
        raise ValueError(f"preset {name!r} needs the skeleton of the data, such as {form}")
    common = ("preset", "skeleton", "coords", "vectors")
    arguments = {k: _argument(k, v, bones) for k, v in data.items() if k not in common}
    try:
        made = make(bones, **arguments)
    except TypeError as error:
        raise ValueError(f"preset {name!r} does not take these arguments: {error}") from error
    if not isinstance(made, Transform | GrowingPolicy):
        raise plugins.PluginError(
            f"the policy {name!r}, registered as {make!r}, must return a Transform or a GrowingPolicy, got {made!r}"
        )
    coords, vectors = (_build(data.get(key), bones) for key in ("coords", "vectors"))
    return with_coords(made, coords, name, vectors)


def _argument(name: str, value: Any, bones: Skeleton | None) -> Any:
    if name == "skeleton" and value is not None:
        return find_skeleton(value)
    if name == "stages" and isinstance(value, Mapping):  # by names of the user's, which may be any
        return {stage: _build(members, bones) for stage, members in value.items()}
    return _build(value, bones)


def _build(value: Any, bones: Skeleton | None) -> Any:
    if isinstance(value, Mapping):
        if describe.RESERVED & value.keys():
            return _from_dict(value, bones)
        if value.keys() == {"skeleton"}:
            return find_skeleton(value)
        if "tensor" in value.keys() <= {"tensor", "dtype"}:
            return _tensor(**value)
        return {k: _build(v, bones) for k, v in value.items()}
    if isinstance(value, list | tuple):
        built = [_build(v, bones) for v in value]
        # Ranges are pairs of numbers; lists of anything else stay lists.
        return tuple(built) if built and all(isinstance(v, int | float) for v in built) else built
    return value


def _tensor(tensor: Any, dtype: str = "float32") -> Tensor:
    kind = getattr(torch, dtype, None) if isinstance(dtype, str) else None
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"from_dict: a tensor's dtype must be a name such as 'float32', got {dtype!r}")
    try:
        return torch.tensor(
            of_type("from_dict", "tensor", tensor, (list, tuple), "nested lists"), dtype=kind, device="cpu"
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"from_dict: a tensor must be nested lists of numbers: {error}") from error


def to_yaml(item: Transform | GrowingPolicy, path: str | Path | None = None) -> str:
    """:func:`to_dict` as YAML text, written to ``path`` if one is given."""
    text: str = _yaml().safe_dump(to_dict(item), sort_keys=False, allow_unicode=True)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def from_yaml(source: str | Path) -> Any:
    """Build the transform or policy of a YAML file (a Path) or text (a str).

    Raises:
        TypeError: ``source`` is neither text nor a Path.
        ValueError: the text is no YAML, or describes none; the message names the file.
    """
    of_type("from_yaml", "source", source, (str, Path), "YAML text or the Path of a file")
    return _from_file(source, None) if isinstance(source, Path) else _from_text(source, None)


def _from_file(path: Path, bones: Skeleton | None) -> Any:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if is_pointer(path):
        raise ValueError(f"{path}: {POINTER}")
    try:
        return _from_text(path.read_text(encoding="utf-8"), bones)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_text(text: str, bones: Skeleton | None) -> Any:
    yaml = _yaml()
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error
    return _from_dict(data, bones)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ImportError("YAML needs an extra: pip install 'skelaug[cli]'") from error
    return yaml
