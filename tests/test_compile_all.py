"""``torch.compile(t.replay, fullgraph=True)`` works for the whole table in one process, without a reset between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CODE = """
import torch
torch._dynamo.config.recompile_limit = LIMIT
from cases import CASES, keys, make_batch, make_x
from promises import acts_on_graph, x_of

wrong, cases = {}, CASES[::STEP]
for case in cases:
    transform = case.make()
    inputs = [make_batch()] if acts_on_graph(case) else KINDS
    try:
        with torch.no_grad():
            replay = torch.compile(transform.replay, fullgraph=True, backend="eager")
            for x in inputs:
                for seed in range(2):
                    params = transform.sample(x, keys=keys(5, seed))
                    out, expected = replay(x, params), transform.replay(x, params)
                    torch.testing.assert_close(x_of(out), x_of(expected), rtol=1e-6, atol=1e-6)
    except Exception as error:
        wrong[case.name] = f"{type(error).__name__}: {str(error)[:160]}"
print(len(cases), "configurations")
assert not wrong, f"{len(wrong)} fail: {wrong}"
"""


def compile_all(kinds: str, step: int = 1, limit: int = 8) -> None:
    """``limit`` is dynamo's, of the graphs of one code object; 8 is what it has by itself."""
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    code = CODE.replace("KINDS", kinds).replace("STEP", str(step)).replace("LIMIT", str(limit))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_every_third_on_plain_tensors() -> None:
    """Far more than dynamo's limit of 8 recompilations of one code object, at a third of the time."""
    compile_all("[make_x()]", 3)


@pytest.mark.slow
def test_all_on_plain_tensors() -> None:
    compile_all("[make_x()]")


@pytest.mark.slow
def test_all_on_batches() -> None:
    compile_all("[make_batch()]")


@pytest.mark.slow
def test_all_on_both_forms() -> None:
    """A tensor and a batch through one compiled replay: two graphs a configuration, no more.

    A dozen configurations are a Compose, whose class has one code object: more graphs than dynamo keeps by itself.
    """
    compile_all("[make_x(), make_batch()]", limit=32)
