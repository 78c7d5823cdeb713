"""What the user set for all of torch, a default device or dtype, changes no draw and no result, then or later."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cases import CASES, SKELETON, make_batch, make_x
from promises import same_bits, tried

import skelaug
from skelaug import GrowingPolicy, SkeletonBatch, policies

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = ["meta", "float64", "float16", "bfloat16"]


@functools.cache
def digests(name: str) -> dict[str, str]:
    """The digest of each case in an environment, from a process in which nothing ran before it was set."""
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    done = subprocess.run(
        [sys.executable, HERE / "environment.py", name],
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_case_is_bit_equal_in_every_environment(name: str) -> None:
    plain, other = digests("plain"), digests(name)
    assert plain.keys() == other.keys() == {case.name for case in CASES}
    assert not {k: v for k, v in plain.items() if v.startswith("FAILED")}
    wrong = {k: v for k, v in other.items() if v != plain[k]}
    tried("replay", 30 * len(CASES))
    assert not wrong, f"{len(wrong)} of {len(CASES)} cases: {wrong}"


def growing() -> GrowingPolicy:
    return policies.hiclr(SKELETON, "all")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_views_keys_and_batches(name: str) -> None:
    """A growing policy, keys and the batch's own methods too."""
    batch, x, ids = make_batch(), make_x(), torch.arange(5)
    lengths = torch.tensor([12, 3, 0, 5, 1])
    before = growing()

    def everything() -> list[object]:
        k = skelaug.random.keys(0, 0, ids)
        policy = growing()
        return [
            k,
            skelaug.random.fold_in(k, 3),
            policy.views(batch, keys=k),
            policy.key_view(batch, keys=k),
            policy.replay(batch, policy.sample(batch, keys=k)),
            policy[1](batch, keys=k),
            policy.strength(batch, keys=k),
            SkeletonBatch.from_lengths(x, lengths),
            SkeletonBatch.from_list([x[0], x[1, :, :4]]),
            SkeletonBatch.cat([batch, batch]),
            batch[torch.tensor([1, 0], device="cpu")],
            batch.presence,
        ]

    expected = everything()
    if name == "meta":
        with torch.device("meta"):
            inside = [before.views(batch, keys=keys_of(ids)), SkeletonBatch.from_lengths(x, lengths)]
        assert same_bits(inside, [expected[2], expected[7]])
    else:
        torch.set_default_dtype(getattr(torch, name))
        try:
            inside = everything()
        finally:
            torch.set_default_dtype(torch.float32)
        assert same_bits(inside, expected)
    assert same_bits(everything(), expected), "what came after is broken"


def keys_of(ids: torch.Tensor) -> torch.Tensor:
    return skelaug.random.keys(0, 0, ids)


def test_sample_motion_and_skeletons_after_a_foreign_device() -> None:
    """What is read or computed once and kept is not kept on the device that happened to be set."""
    code = (
        "import torch, skelaug\n"
        "with torch.device('meta'):\n"
        "    skelaug.sample_motion(length=16); s = skelaug.skeletons['ntu25']\n"
        "    s.partitions('spatial'); s.ancestors(); s.adjacency()\n"
        "x = skelaug.sample_motion(length=16)\n"
        "assert x.x.device.type == 'cpu' and float(x.x.abs().sum()) > 0\n"
        "assert s.partitions('spatial').device.type == s.ancestors().device.type == 'cpu'\n"
        "assert float(s.partitions('spatial').sum()) > 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
