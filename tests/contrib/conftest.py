"""Shared by the tests of skelaug_contrib: how a command is called."""

from __future__ import annotations

import pytest
from evaluated import Run

from skelaug.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call ``skelaug`` and return exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return call
