"""Shared by all tests: Hypothesis profiles, threads, and where the optional recordings lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from promises import COUNTS, THOROUGH, WANTED

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("daily", max_examples=15, derandomize=True, **_common)
settings.register_profile("thorough", max_examples=200, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "daily"))

torch.set_num_threads(1)  # the tests are many and small, and run side by side


@pytest.fixture
def recordings() -> Path:
    """The folder of real recordings that may not be redistributed; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recordings in ../shared/data, which may not be redistributed")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Any:
    """Look for no examples in test files: where a file cannot be imported, that would pass it over without a word."""
    found = yield
    return [collector for collector in found if type(collector).__name__ != "DoctestModule"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker sends what it counted to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = dict(COUNTS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker counted."""
    COUNTS.update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many cases were tried for each promise, and in the thorough tier how many are wanted."""
    if COUNTS:
        terminalreporter.section("cases tried")
    for promise, count in sorted(COUNTS.items()):
        wanted = f" of at least {WANTED[promise]:,}" if THOROUGH and promise in WANTED else ""
        terminalreporter.write_line(f"{promise} {count:,}{wanted} cases".replace(",", " "))


collect_ignore = [
    "cases.py",
    "environment.py",
    "foreign.py",
    "ghost.py",
    "oracle.py",
    "promises.py",
    "raw.py",
    "runs.py",
    "compat/annotations.py",
    "compat/parity.py",
]  # helpers: --doctest-modules would import them a second time
