"""A small user project passes strict type checkers: what its calls return is known without a cast."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Path(__file__).parent / "typing_project"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.slow  # reads torch's annotations
def test_mypy_knows_what_a_call_returns(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nfollow_imports = silent\n")
    cache = ("--cache-dir", os.environ.get("SKELAUG_MYPY_CACHE", str(tmp_path / "cache")))
    done = run(
        "mypy", "--strict", "--config-file", str(config), *cache, str(PROJECT / "use.py"), str(PROJECT / "wrong.py")
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not on the path: npm install -g pyright")
def test_pyright_knows_what_a_call_returns() -> None:
    command = ["pyright", "--pythonpath", sys.executable, str(PROJECT / "use.py")]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
