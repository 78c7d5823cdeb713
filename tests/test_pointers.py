"""What Git leaves in the place of a file that LFS keeps is called by its name, whoever opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contrib.sources import raw
from contrib.test_prepare_files import BVH

from skelaug import commands, config
from skelaug.arrays import ArrayError, SequenceFile, StoredArray, array_names
from skelaug.cli import main
from skelaug.errors import Refused
from skelaug.files import is_pointer
from skelaug_contrib import checkpoint
from skelaug_contrib.datasets import PreparedDataset, from_npz
from skelaug_contrib.datasets.sources import Fault

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def test_what_a_pointer_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(POINTER)
    (tmp_path / "b").write_bytes(b"version 1")
    assert is_pointer(POINTER) and is_pointer(tmp_path / "a")
    assert not is_pointer(b"") and not is_pointer(tmp_path / "b")
    assert not is_pointer(tmp_path) and not is_pointer(tmp_path / "nowhere")


OPENERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "npy": ("x.npy", StoredArray.open),
    "npz": ("x.npz", lambda path: StoredArray.open(path, "x")),
    "names in npz": ("x.npz", array_names),
    "sequences": ("x.npz", SequenceFile.open),
    "prepare npz": ("x.npz", lambda path: from_npz(path, path.parent / "out")),
    "skeleton": ("own.json", lambda path: commands.find_skeleton(str(path))),
    "policy": ("policy.yaml", config.from_yaml),
    "checkpoint": ("checkpoint.pt", checkpoint.load),
    "encoder": ("encoder.safetensors", checkpoint.load_encoder),
}


@pytest.mark.parametrize(("name", "opened"), OPENERS.values(), ids=list(OPENERS))
def test_whoever_opens_one_says_so(name: str, opened: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises((ArrayError, ValueError, Refused), match=f"{name}.*is a Git LFS pointer.*git lfs pull"):
        opened(tmp_path / name)


@pytest.mark.parametrize(("name", "file"), [(n, file) for n, (_, files) in raw.TINY.items() for file in files])
def test_every_reader_says_so(name: str, file: str, tmp_path: Path) -> None:
    raw.TINY[name][0](tmp_path)
    (tmp_path / file).write_bytes(POINTER)
    try:
        said = " ".join(str(item) for item in raw.read(raw.source(name, tmp_path)) if isinstance(item, Fault))
    except ArrayError as error:
        said = str(error)
    assert Path(file).name in said and "git lfs pull" in said


@pytest.mark.parametrize("file", ["dataset.json", "x.npy", "label.npy"])
def test_a_prepared_set_says_so(file: str, tmp_path: Path) -> None:
    (tmp_path / "1.bvh").write_text(BVH)
    assert main(["prepare", "bvh", str(tmp_path), str(tmp_path / "out"), "--workers", "0"]) == 0
    (tmp_path / "out" / file).write_bytes(POINTER)
    with pytest.raises(ArrayError, match=f"{file}: is a Git LFS pointer"):
        PreparedDataset.open(tmp_path / "out")
