"""Other projects' code, executed from the user's own copy: ``--peer NAME=PATH``. Nothing of it is kept here.

A peer works on one sample at a time, as its data set's ``__getitem__`` does. It is loaded under a name of its own, and
where it needs a framework that is not installed, or breaks on today's NumPy, it is helped from outside, without a
change to the copy; ``notes`` say so, and the benchmark prints them.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skelaug import Skeleton, policies
from skelaug import transforms as T

Sample = NDArray[np.float32]  # (C, T, V, M)


class PeerError(Exception):
    """The copy is not there or is not what it should be; the message says what was looked for."""


@dataclass(frozen=True)
class Peer:
    """What a copy of another project offers.

    Attributes:
        name: as it was asked for.
        samples: what the project does to one sample, by the name of our view or policy that does the same.
        batches: the same for work that it does on a whole batch ``(N, C, T, V, M)``.
        ours: our side of what HiCLR's views do not cover: given the skeleton, what to call with the batch.
        notes: how the copy was helped, and where it does not do quite the same.
    """

    name: str
    samples: Mapping[str, Callable[[Sample], Any]]
    ours: Mapping[str, Callable[[Skeleton], Callable[[torch.Tensor], Any]]]
    notes: tuple[str, ...]
    batches: Mapping[str, Callable[[NDArray[np.float32]], Any]]

    def calls(self, batch: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
        """What to time, each for a whole batch, sample by sample; joining the samples is left out."""
        one_by_one = {name: lambda f=f: [f(x) for x in batch] for name, f in self.samples.items()}  # type: ignore[misc]
        return one_by_one | {name: lambda f=f: f(batch) for name, f in self.batches.items()}  # type: ignore[misc]


def load(asked: str) -> Peer:
    """The peer that ``NAME=PATH`` (or, for an installed package, ``NAME``) names."""
    name, _, path = asked.partition("=")
    if name not in _LOADERS:
        raise PeerError(f"--peer {asked}: no peer {name!r}; there are {', '.join(_LOADERS)}")
    root = Path(path).expanduser().resolve() if path else None
    if root is not None and not root.is_dir():
        raise PeerError(f"--peer {asked}: {root} is not a folder")
    try:
        return _LOADERS[name](name, root)
    except (ImportError, FileNotFoundError, AttributeError) as error:
        raise PeerError(f"--peer {asked}: {type(error).__name__}: {error}") from error


def _module(file: Path, name: str, package: str) -> ModuleType:
    """The module in ``file``, under a name of ours, in a package of ours."""
    if not file.is_file():
        raise PeerError(f"{file} is not there")
    spec = importlib.util.spec_from_file_location(f"{package}.{name}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    setattr(sys.modules[package], name, module)
    return module


def _package(name: str, **content: Any) -> str:
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(content)
    sys.modules[name] = module
    return name


def _root(name: str, root: Path | None) -> Path:
    if root is None:
        raise PeerError(f"--peer {name}: give the folder of your copy, as in --peer {name}=~/src/{name}")
    return root


# --- AimCLR and HiCLR ------------------------------------------------------------------------------------------------


def _aimclr(name: str, root: Path | None) -> Peer:
    """The feeder's own methods: ``_aug`` (crop, shear), ``_strong_aug`` (with the five of ``12345``)."""
    root = _root(name, root)
    package = _package(f"peer_{name}_feeder")
    _module(root / "feeder" / "tools.py", "tools", package)
    notes = ["samples come out as float64, as its feeder gives them; the cast to float32 is not timed"]
    with _stand_ins({"matplotlib": {"use": None}}) as missing:
        feeders = _module(root / "feeder" / "ntu_feeder.py", "ntu_feeder", package)
    notes += [f"{module} was not installed; a stand-in for its import" for module in missing]
    feeder = _feeder(feeders.Feeder_triple)

    def four(x: Sample) -> list[Any]:
        return [feeder._aug(x), feeder._aug(x), feeder._strong_aug(x), feeder._strong_aug(x)]

    samples = {"basic": feeder._aug, "normal": feeder._strong_aug}
    masks = root / "processor" / "utils.py"
    if not masks.is_file() or "class Jointmask" not in masks.read_text(encoding="utf-8"):
        notes.append("the four views lack Random Mask, which this copy does not have")
        return Peer(name, samples | {"the four of a step": four}, {}, tuple(notes), {})
    jointmask = _module(masks, "utils", package).Jointmask

    def four_and_mask(batch: NDArray[np.float32]) -> Any:
        views = [four(x) for x in batch]
        t, v, m = batch.shape[2:]
        strong = torch.from_numpy(np.stack([each[3] for each in views]))
        mask = jointmask(0.1, m, v, 3)(strong, t)  # (N, T, M, V, C)
        return views, strong * mask.permute(0, 4, 1, 3, 2)

    notes.append("the four views come with its Jointmask, which draws one mask for the batch")
    return Peer(name, samples, {}, tuple(notes), {"the four of a step": four_and_mask})


def _feeder(cls: Any) -> Any:
    """A feeder on files of two samples: its constructor reads some, its augmentations do not."""
    with tempfile.TemporaryDirectory() as folder:
        data, label = Path(folder) / "data.npy", Path(folder) / "label.pkl"
        np.save(data, np.zeros((2, 3, 50, 25, 2), np.float32))
        label.write_bytes(pickle.dumps((["a", "b"], [0, 1])))
        return cls(str(data), str(label), mmap=False)


# --- CTR-GCN ---------------------------------------------------------------------------------------------------------


def _ctrgcn(name: str, root: Path | None) -> Peer:
    """Crop, resize to 64 frames, rotate: what its feeder does to a training sample."""
    package = _package(f"peer_{name}")
    with _stand_ins({"matplotlib": {}, "matplotlib.pyplot": {}}) as missing:
        tools: Any = _module(_root(name, root) / "feeders" / "tools.py", "tools", package)
    notes = [f"{module} was not installed; a stand-in for its import" for module in missing]
    try:
        int(np.ones(1))
    except TypeError:
        tools.int = lambda value: builtins.int(np.asarray(value).item())
        notes.append(f"NumPy {np.__version__} refuses int(array of one), on which its crop relies: int was replaced")

    def train(x: Sample) -> Any:
        valid = np.sum(x.sum(0).sum(-1).sum(-1) != 0)
        return tools.random_rot(tools.valid_crop_resize(x, valid, [0.5, 1], 64))

    return Peer(name, {"ctrgcn": train}, {"ctrgcn": policies.ctrgcn}, tuple(notes), {})


# --- PYSKL and mmaction2 ---------------------------------------------------------------------------------------------


class _Registry:
    """As much of a registry as an import needs."""

    def register_module(self, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda cls: cls


class _Transform:
    """As much of mmcv's BaseTransform as a pipeline needs."""

    def __call__(self, results: dict[str, Any]) -> Any:
        return self.transform(results)  # type: ignore[attr-defined]


def _pyskl(name: str, root: Path | None) -> Peer:
    """``strong_aug``: scale, rotate, sample 100 frames, decode, format; normalisation is preparation with us."""
    source = _root(name, root) / "pyskl" / "datasets" / "pipelines"
    registry = _Registry()
    package = _package("peer_pyskl")
    _package("peer_pyskl.builder", PIPELINES=registry)
    stand_ins = {
        "mmcv": {"is_str": lambda v: isinstance(v, str)},
        "mmcv.parallel": {"DataContainer": object},
        "mmcv.utils": {"build_from_cfg": None},
        "pyskl": {},
        "pyskl.utils": {"warning_r0": print},
    }
    inner = _package(f"{package}.pipelines")
    with _stand_ins(stand_ins) as missing:
        for file in ("compose", "formatting", "sampling", "pose_related"):
            _module(source / f"{file}.py", file, inner)
    pose, sampling = (sys.modules[f"{inner}.{file}"] for file in ("pose_related", "sampling"))
    chain = [
        pose.RandomScale(scale=0.1), pose.RandomRot(theta=0.3), sampling.UniformSample(clip_len=100),
        pose.PoseDecode(), pose.FormatGCNInput(num_person=2),
    ]  # fmt: skip
    return _pipeline(name, "pyskl_strong", chain, missing, {"pyskl_strong": policies.pyskl_strong})


def _mmaction2(name: str, root: Path | None) -> Peer:
    """Sample 100 frames, decode, format: all that it does to 3D skeletons, which it does not augment."""
    if root is None:
        pose: Any = importlib.import_module("mmaction.datasets.transforms")
        formatting, missing = pose, []
    else:
        source = root / "mmaction" / "datasets" / "transforms"
        stand_ins = {
            "mmcv": {},
            "mmcv.transforms": {"BaseTransform": _Transform, "KeyMapper": object, "to_tensor": None},
            "mmengine": {},
            "mmengine.dataset": {"Compose": list},
            "mmengine.structures": {"InstanceData": object, "LabelData": object},
            "mmaction": {},
            "mmaction.registry": {"TRANSFORMS": _Registry()},
            "mmaction.structures": {"ActionDataSample": object},
        }
        package = _package("peer_mmaction2")
        _package("peer_mmaction2.loading", DecordInit=type("I", (), {}), DecordDecode=type("D", (), {}))
        _package("peer_mmaction2.processing", _combine_quadruple=None)
        with _stand_ins(stand_ins) as missing:
            pose = _module(source / "pose_transforms.py", "pose_transforms", package)
            formatting = _module(source / "formatting.py", "formatting", package)
    chain = [pose.UniformSampleFrames(clip_len=100), pose.PoseDecode(), formatting.FormatGCNInput(num_person=2)]
    ours = {"SegmentSample": lambda skeleton: T.SegmentSample(100)}
    return _pipeline(name, "SegmentSample", chain, missing, ours)


def _pipeline(name: str, does: str, chain: list[Any], missing: list[str], ours: Any) -> Peer:
    def train(x: Sample) -> Any:
        results: Any = {"keypoint": x.transpose(3, 1, 2, 0), "total_frames": x.shape[1], "start_index": 0}
        for step in chain:
            results = step(results)
        return results["keypoint"]

    notes = (f"{', '.join(missing)} not installed; stand-ins for their imports",) if missing else ()
    return Peer(name, {does: train}, ours, notes, {})


@contextmanager
def _stand_ins(modules: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """Empty modules for those that are not installed, for as long as a copy is imported; gives their names."""
    missing = [name for name in modules if not _installed(name)]
    for name in missing:
        _package(name, **modules[name])
    try:
        yield missing
    finally:
        for name in missing:
            del sys.modules[name]


def _installed(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


_LOADERS: dict[str, Callable[[str, Path | None], Peer]] = {
    "aimclr": _aimclr,
    "hiclr": _aimclr,
    "ctrgcn": _ctrgcn,
    "pyskl": _pyskl,
    "mmaction2": _mmaction2,
}
