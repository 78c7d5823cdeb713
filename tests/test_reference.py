"""HiCLR's views equal a plain per-sample NumPy loop that is given the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import keys

from benchmarks import reference
from skelaug import policies, skeletons
from skelaug.transform import Params

NTU = skeletons["ntu25"]


def steps(members: tuple[Params, ...], n: int) -> list[tuple[str, Any]]:
    """Sample n's parameters, as the reference wants them."""
    found = []
    for drawn in members:
        if "apply" in drawn and not drawn["apply"][n]:
            continue
        for name in ("frames", "joints", "matrix", "noise", "kernel", "mask"):
            if name in drawn:
                diagonal = name == "matrix" and drawn[name].ndim == 2
                found.append(("scale" if diagonal else name, drawn[name][n].numpy()))
    return found


@pytest.mark.parametrize("name", ["hiclr", "hiclr_released"])
def test_views_equal_the_loop(name: str) -> None:
    x = torch.randn(24, 3, 50, 25, 2, generator=torch.Generator().manual_seed(0))
    policy = getattr(policies, name)(NTU, ratio=0.2)
    params = policy.sample(x, keys=keys(24))
    seen = set()
    for view, drawn in zip(policy.replay(x, params), params["views"], strict=True):
        for n in range(24):
            given = steps(drawn["members"], n)
            seen |= {step for step, _ in given}
            expected = reference.augment(x[n].numpy(), given, normalize=name == "hiclr")
            np.testing.assert_allclose(view[n].numpy(), expected, atol=2e-5, rtol=1e-5)
    assert seen == {"frames", "joints", "matrix", "scale", "noise", "kernel", "mask"}


def test_the_loop_draws_what_the_policy_draws() -> None:
    """Same distributions: the opponent in the benchmark does the same work."""
    rng, mirror = np.random.default_rng(0), np.array(NTU.mirror)
    drawn = [reference.draw((3, 50, 25, 2), 3, mirror, rng) for _ in range(600)]
    for name, share in (("joints", 0.5), ("noise", 0.5), ("kernel", 0.5), ("mask", 1.0), ("frames", 1.0)):
        assert np.mean([name in dict(steps) for steps in drawn]) == pytest.approx(share, abs=0.07)
    masks = np.array([dict(steps)["mask"] for steps in drawn])
    assert (masks.sum(-1) == 2).all()
    shifts = {int(dict(steps)["frames"][20]) - 20 for steps in drawn}
    assert shifts == set(range(-8, 9))


def test_matrices_are_the_librarys() -> None:
    from skelaug.functional import space as fs
    from skelaug.functional import time as ft

    amounts, angles = torch.rand(1, 6), torch.randn(1, 3)
    np.testing.assert_allclose(reference.shear_matrix(amounts[0].numpy()), fs.shear_matrix(amounts)[0])
    np.testing.assert_allclose(reference.rotation_matrix(angles[0].numpy()), fs.rotation_matrix(angles)[0], atol=1e-6)
    kernel = ft.blur_kernel(torch.tensor([1.3]), 15)[0]
    np.testing.assert_allclose(reference.blur_kernel(1.3), kernel, atol=1e-6)
