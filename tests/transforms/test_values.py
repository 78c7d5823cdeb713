"""Noise, style statistics and bone lengths: against their definitions, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import SKELETON, V, generator, keys, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from skelaug import SkeletonBatch
from skelaug import transforms as T
from skelaug.functional import values as fv

seeds = st.integers(0, 2**31)


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_is_normal_and_independent_everywhere() -> None:
    noise = T.GaussianNoise(0.01)(torch.ones(40, 3, 20, V, 2), generator=generator()) - 1
    assert kstest(noise.flatten().double().numpy() / 0.01, "norm").pvalue > 1e-3
    for dim in range(5):
        a, b = noise.narrow(dim, 0, noise.shape[dim] - 1), noise.narrow(dim, 1, noise.shape[dim] - 1)
        assert abs(np.corrcoef(a.flatten(), b.flatten())[0, 1]) < 0.02, f"neighbours along axis {dim} share noise"


def test_noise_with_keys_is_normal_too() -> None:
    noise = T.GaussianNoise(0.01)(torch.ones(40, 3, 20, V, 2), keys=keys(40)) - 1
    assert kstest(noise.flatten().double().numpy() / 0.01, "norm").pvalue > 1e-3


def test_noise_draws_its_width_per_sample() -> None:
    std = (T.GaussianNoise((0.1, 0.5))(torch.ones(500, 3, 30, V, 2), generator=generator()) - 1).flatten(1).std(1)
    assert kstest(std.numpy(), "uniform", (0.1, 0.4)).pvalue > 1e-3


def test_relative_noise_grows_with_the_body() -> None:
    x = make_x(4, t=400, m=2, dtype=torch.float64)
    x[..., 1] *= 10
    size = fv.body_size(x)
    noise = T.GaussianNoise(0.01, relative=True)(x, generator=generator()) - x
    assert (noise.std((1, 2, 3)) / size).flatten().tolist() == pytest.approx([0.01] * 8, rel=0.05)


def test_noise_stays_off_the_absent_and_off_other_channels() -> None:
    batch = make_batch()
    out = T.GaussianNoise(1.0, coords=2)(batch)
    there = batch.mask[:, None].expand_as(batch.x)
    changed = out.x != batch.x
    assert not changed[~there].any() and not changed[:, 2].any() and changed[:, :2][there[:, :2]].all()


# --- SkeleAdaIN ------------------------------------------------------------------------------------------------------


@given(seeds, st.sampled_from(["sequence", "frame"]))
def test_adain_gives_the_partners_statistics(seed: int, stats: str) -> None:
    adain, x = T.SkeleAdaIN(stats=stats), make_x(4, t=6, dtype=torch.float64)
    y, params = adain(x, generator=generator(seed), return_params=True)
    dims = (3,) if stats == "frame" else (2, 3)
    own_mean, own_var = x.mean(dims), x.var(dims)
    mean, std = y.mean(dims), y.std(dims)
    assert params["paired"].all()
    for n in range(4):
        for m in range(2):
            others = [i for i in range(4) if i != n]
            gaps = [(mean[n, ..., m] - own_mean[i, ..., m]).abs().max().item() for i in others]
            partner = others[int(np.argmin(gaps))]
            assert min(gaps) < 1e-5, "the mean is no other sample's"
            # Both variances carry + 1e-5, as in the reference.
            wanted = (own_var[partner, ..., m] + 1e-5) * own_var[n, ..., m] / (own_var[n, ..., m] + 1e-5)
            torch.testing.assert_close(std[n, ..., m], wanted.sqrt(), rtol=1e-4, atol=1e-5)


def test_adain_by_a_plain_loop_with_gaps() -> None:
    batch, adain = make_batch(), T.SkeleAdaIN()
    out, params = adain(batch, keys=keys(5), return_params=True)
    for n in range(5):
        for m in range(2):
            there = batch.mask[n, :, :, m]
            if not params["paired"][n, 0, 0, m]:
                assert torch.equal(out.x[n, ..., m], batch.x[n, ..., m])
                continue
            for c in range(3):
                values = batch.x[n, c, :, :, m][there].double()
                mu, sigma = values.mean(), (values.var() + 1e-5).sqrt()
                expected = params["std"][n, c, 0, 0, m] * (values - mu) / sigma + params["mean"][n, c, 0, 0, m]
                torch.testing.assert_close(out.x[n, c, :, :, m][there].double(), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(out.mask, batch.mask)


def test_absent_people_neither_take_nor_lend() -> None:
    batch = make_batch()  # person 1 of sample 0 and all of sample 4 are never there
    for seed in range(20):
        params = T.SkeleAdaIN().sample(batch, generator=generator(seed))
        assert not params["paired"][0, ..., 1] and not params["paired"][4].any() and params["paired"][:4, ..., 0].all()
        lent = params["std"][:4, ..., 0]
        assert (lent > 0.01).all(), "somebody got the statistics of nobody"


@given(st.integers(2, 12), seeds)
def test_a_partner_is_never_oneself_and_all_others_are_equally_likely(n: int, seed: int) -> None:
    x = torch.randn(n, 1, 4, V, 1) + 100 * torch.arange(n).view(n, 1, 1, 1, 1)
    mean = T.SkeleAdaIN().sample(x, generator=generator(seed))["mean"].flatten()
    partner = (mean / 100).round()
    assert (partner != torch.arange(n)).all() and partner.unique().numel() == n


def test_partners_are_uniform() -> None:
    x = torch.randn(4, 1, 4, V, 1) + 100 * torch.arange(4).view(4, 1, 1, 1, 1)
    counts = torch.zeros(4, 4)
    for seed in range(600):
        partner = (T.SkeleAdaIN().sample(x, generator=generator(seed))["mean"].flatten() / 100).round().long()
        counts[torch.arange(4), partner] += 1
    assert counts.diagonal().sum() == 0
    assert counts[~torch.eye(4, dtype=torch.bool)].tolist() == pytest.approx([200] * 12, abs=50)


def test_alone_everybody_stays_as_they_are() -> None:
    x = make_x(1)
    assert torch.equal(T.SkeleAdaIN()(x), x) and torch.equal(T.BoneLengthTransfer(SKELETON)(x), x)


@pytest.mark.parametrize("stats", ["sequence", "frame"])
def test_a_style_of_ones_own(stats: str) -> None:
    style = make_x(3, seed=5) * 7
    x = make_x(20)
    y = T.SkeleAdaIN(stats=stats, style=style)(x, generator=generator())
    dims = (3,) if stats == "frame" else (2, 3)
    gaps = (y.mean(dims)[:, None] - style.mean(dims)[None]).abs().flatten(2).amax(2)
    # Person by person, so both slots agree on a style for a third of the samples.
    assert (gaps.amin(1) < 1e-3).sum() >= 3
    single = T.SkeleAdaIN(stats=stats, style=style[:1])(x).mean(dims)
    torch.testing.assert_close(single, style[:1].mean(dims).expand_as(single), atol=1e-4, rtol=1e-4)


def test_styles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must have the channels, joints and persons of x"):
        T.SkeleAdaIN(style=make_x(2, m=1))(make_x())
    with pytest.raises(ValueError, match="style must have as many frames as x, 12, got 5"):
        T.SkeleAdaIN(stats="frame", style=make_x(2, t=5))(make_x())
    with pytest.raises(TypeError, match="style must be a Tensor, a SkeletonBatch or None, got tuple"):
        T.SkeleAdaIN(style=[1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stats must be one of 'sequence', 'frame'"):
        T.SkeleAdaIN(stats="clip")


# --- BoneLengthTransfer ----------------------------------------------------------------------------------------------


def directions(x: torch.Tensor) -> torch.Tensor:
    bones = x - x[:, :, :, list(SKELETON.parents)]
    return bones / bones.norm(dim=1, keepdim=True).clamp(min=1e-12)


def test_bone_lengths_become_the_partners_and_directions_stay() -> None:
    x, style = make_x(3, dtype=torch.float64), make_x(1, seed=9, dtype=torch.float64) * 2
    y = T.BoneLengthTransfer(SKELETON, style=style)(x)
    parents = SKELETON.parents
    wanted = fv.bone_lengths(style, parents).expand(3, -1, -1)
    torch.testing.assert_close(fv.bone_lengths(y, parents), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(directions(y), directions(x), atol=1e-6, rtol=1e-6)
    root = SKELETON.root
    assert torch.equal(y[:, :, :, root], x[:, :, :, root])


def test_bone_transfer_by_a_plain_loop() -> None:
    transfer, x = T.BoneLengthTransfer(SKELETON), make_x(2, t=3, m=1, dtype=torch.float64)
    params = transfer.sample(x, generator=generator())
    y = transfer.replay(x, params)
    order = [0, 1, 4, 5, 2, 3, 6, 7]  # parents first
    for n in range(2):
        own = (x[n] - x[n][:, :, list(SKELETON.parents)]).norm(dim=0).mean(0)[:, 0]
        for t in range(3):
            placed = {0: x[n, :, t, 0, 0]}
            for joint in order[1:]:
                parent = SKELETON.parents[joint]
                bone = x[n, :, t, joint, 0] - x[n, :, t, parent, 0]
                placed[joint] = placed[parent] + bone * params["lengths"][n, joint, 0] / own[joint]
                torch.testing.assert_close(y[n, :, t, joint, 0], placed[joint], rtol=1e-5, atol=1e-6)


def test_a_bone_nobody_shows_keeps_its_length() -> None:
    mask = torch.ones(2, 4, V, 1, dtype=torch.bool)
    mask[0, :, 6] = False  # the left foot of sample 0 is never seen
    batch = SkeletonBatch(make_x(2, t=4, m=1), mask)
    out = T.BoneLengthTransfer(SKELETON)(batch)
    parents = SKELETON.parents
    before, after = (fv.bone_lengths(b.x, parents, b.mask)[..., 0] for b in (batch, out))
    assert after[0, 6] == 0 and after[1, 6] == pytest.approx(before[1, 6].item(), rel=1e-5)
    torch.testing.assert_close(after[0, 7], before[1, 7], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.GaussianNoise(-0.1), r"GaussianNoise\(std=-0.1\): std must be a number ≥ 0 or a"),
        (lambda: T.GaussianNoise(relative="yes"), r"GaussianNoise\(relative='yes'\)"),
        (lambda: T.BoneLengthTransfer("ntu24"), r"BoneLengthTransfer\(skeleton='ntu24'\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_explained(make: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()  # type: ignore[operator]
