"""The one writer of files and folders: whole or not there, and nothing of somebody else's is ever deleted."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from skelaug.files import Output, write, written


class Stop(BaseException):
    """Neither an Exception nor expected."""


def output(folder: Path) -> Output:
    return Output(folder / "out", "a box of eggs", "eggs.json", re.compile(r"eggs\.json|\d+\.egg"))


def fill(box: Output, text: str, overwrite: bool = False) -> None:
    with box.written(overwrite) as folder:
        (folder / "eggs.json").write_text(text)
        (folder / "1.egg").write_text("egg")


def left_in(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for text in (b"old", b"new"):
        write(tmp_path / "deep" / "a.txt", text)
    assert left_in(tmp_path) == {"deep/a.txt": "new"}


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interrupted_writer_leaves_the_old_one(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt", b"old")
    fill(output(tmp_path), "old")
    before = left_in(tmp_path)

    def stop(*_: Any) -> None:
        raise Stop

    monkeypatch.setattr(os, function, stop)
    with pytest.raises(Stop):
        write(tmp_path / "a.txt", b"new")
    with pytest.raises(Stop):
        fill(output(tmp_path), "new", overwrite=True)
    monkeypatch.undo()
    with pytest.raises(Stop), written(tmp_path / "a.txt") as path:
        path.write_text("half") and stop()
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("foreign", ["thesis.tex", "2.egg", "file", "link", "later"])
def test_what_the_command_did_not_write_is_never_deleted(foreign: str, tmp_path: Path) -> None:
    box = output(tmp_path)
    if foreign == "file":
        box.path.write_text("years of work")
    elif foreign == "link":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "thesis.tex").write_text("years of work")
        box.path.symlink_to(tmp_path / "home")
    elif foreign != "later":
        box.path.mkdir()
        (box.path / foreign).write_text("years of work")
    before = left_in(tmp_path)

    def work() -> None:
        with box.written(overwrite=True) as folder:
            (folder / "eggs.json").write_text("new")
            box.path.mkdir()  # somebody else writes there while the command is at work
            (box.path / "thesis.tex").write_text("years of work")

    with pytest.raises(FileExistsError, match=r"a box of eggs: .*choose another folder, or remove this one yourself"):
        work()
    if foreign == "later":
        before = {"out/thesis.tex": "years of work"}
    assert left_in(tmp_path) == before


def test_its_own_folder_is_replaced_when_that_was_asked_for(tmp_path: Path) -> None:
    box = output(tmp_path)
    fill(box, "old")
    with pytest.raises(FileExistsError, match=r"exists; choose another folder, or overwrite it \(--overwrite"):
        fill(box, "new")
    fill(box, "new", overwrite=True)
    assert left_in(tmp_path) == {"out/1.egg": "egg", "out/eggs.json": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
