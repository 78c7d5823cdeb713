"""Shared by all tests: Hypothesis profiles, threads, and where the optional recordings lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

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


collect_ignore = [
    "cases.py",
    "ghost.py",
    "raw.py",
    "runs.py",
    "compat/annotations.py",
    "compat/parity.py",
]  # helpers: --doctest-modules would import them a second time
