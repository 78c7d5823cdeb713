"""A command that is called wrongly says in two lines what is wrong, where, and the nearest right name."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skelaug
from skelaug import config
from skelaug.cli import _COMMANDS, main

PRETRAIN = ["pretrain", "data", "run"]


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a wrong call prints: one line of usage, then the error; the exit code is 2."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    printed = capsys.readouterr()
    usage, error, *rest = printed.err.splitlines()
    assert stopped.value.code == 2 and not printed.out and not rest
    assert usage.startswith(f"usage: skelaug {arguments[0]}") and usage.endswith("[options]")
    assert error.endswith(f"(skelaug {arguments[0]} --help explains)")
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["views", "x.npy", "--polcy", "hiclr", "--out", "o"], "there is no option --polcy; did you mean --policy?"),
        (["views", "x.npy", "more.npy", "--out", "o"], "one argument too many: more.npy"),
        (["views"], "the following arguments are required: input, --out"),
        (["prepare", "pyksl", "a", "b"], "did you mean pyskl?"),
        (["prepare", "pyskl", "a", "b", "--missng", "zero"], "there is no option --missng; did you mean --missing?"),
        (["knn", "run", "data", "--on", "coordinate"], "is none of encoder, coordinates; did you mean coordinates?"),
        ([*PRETRAIN, "--optimiser.lr", "3"], "there is no option --optimiser.lr; did you mean --optimizer.lr?"),
        ([*PRETRAIN, "--lr=3"], "there is no option --lr; did you mean --optimizer.lr?"),
        ([*PRETRAIN, "--optimizer.lr", "fast"], "optimizer.lr: got fast, expected a number"),
        ([*PRETRAIN, "--method.method", "hicrl"], "got hicrl, expected hiclr, aimclr, naive, skeletonclr; did"),
        ([*PRETRAIN, "--max-steps", "many"], "max_steps: got many, expected a whole number, null ("),
        ([*PRETRAIN, "--max_steps", "many"], "max_steps: got many, expected a whole number, null ("),
        ([*PRETRAIN, "--data.align", "clips"], "expected auto, frame, clip, spine, released, null; did you mean clip?"),
        ([*PRETRAIN, "--config", "smal.yaml"], "smal.yaml: no such file; did you mean small.yaml?; shipped are ntu120"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_nearest_name_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in said(arguments, capsys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method:\n  queue: 10\n  quue: 5\n", "line 3: there is no setting method.quue; did you mean method.queue?"),
        ("lr: 3\n", "line 1: there is no setting lr; did you mean optimizer.lr?"),
        ("seed: 1\noptimizer:\n  lr: fast\n", "line 3: optimizer.lr: got fast, expected a number"),
        ("seed: 1\nmethod:\n  method: hicrl\n", "line 3: method.method: got hicrl, expected hiclr, aimclr"),
        ("optimizer:\n  lr: [x\n", "line 3: not YAML"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n", "is a Git LFS pointer"),
    ],
)
def test_file_and_line_of_a_wrong_setting(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    error = said([*PRETRAIN, "--config", str(file)], capsys)
    assert str(file) in error and message in error


def test_commands_presets_and_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vews"]) == 2
    assert "no command 'vews'; did you mean views?; commands: demo" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no preset 'hicrl'; nearest: hiclr; known: aimclr, "):
        config.resolve("hicrl", "ntu25")
    with pytest.raises(ValueError, match="unknown type 'Roate'; nearest: Rotate; known: "):
        config.from_dict({"type": "Roate"})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_help_is_printed_whatever_the_terminal_shows(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in [["--help"], ["vews"], *([name, "--help"] for name in _COMMANDS)]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with contextlib.suppress(SystemExit):
            main(arguments)
        out.flush(), err.flush()
        printed = (out.buffer.getvalue() + err.buffer.getvalue()).decode(encoding)  # type: ignore[attr-defined]
        assert len(printed) > 100, arguments
        if encoding == "ascii":
            assert "?" not in printed.replace("did you mean views?", ""), f"{arguments}: a sign that nobody spells out"


def test_tab_shows_public_names() -> None:
    assert set(dir(skelaug)) == {*skelaug.__all__, "__version__"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_tab_completes_commands_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--completion", "bash"]) == 0
    (tmp_path / "complete.bash").write_text(capsys.readouterr().out)

    def completed(*words: str) -> list[str]:
        """What Tab offers after these words."""
        line = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _shtab_skelaug; echo ${{COMPREPLY[@]}}"
        script = f"source {tmp_path / 'complete.bash'}; {line}"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert completed("skelaug", "pre") == ["preview", "prepare", "pretrain"]
    assert completed("skelaug", "views", "--pol") == ["--policy"]
    assert {"--optimizer.lr", "--optimizer.warmup-steps"} <= set(completed("skelaug", "pretrain", "--optimizer."))
    assert "pyskl" in completed("skelaug", "prepare", "py")
    assert main(["--completion", "fish"]) == 2
    assert "name one shell, bash, zsh, tcsh" in capsys.readouterr().err
