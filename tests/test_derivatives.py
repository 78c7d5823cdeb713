"""Every replay can be differentiated once, twice and forwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from cases import CASES, Case, generator, keys, make_batch
from promises import THOROUGH, tried
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from skelaug import Transform

#: Cases without second or forward derivatives, and why. The documentation lists the same.
EXCEPTIONS: dict[str, str] = {}

#: torch's own forward mode still goes through torch.jit.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
every = pytest.mark.parametrize("case", [c for c in CASES if c.name not in EXCEPTIONS], ids=repr)
SEEDS = range(3 if THOROUGH else 1)


def replayed(transform: Transform, seed: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Replay of one draw as a function of the coordinates, and where to differentiate it."""
    batch = make_batch(3, 3, 6, 2, seed=seed, dtype=torch.float64)
    with torch.no_grad():
        params = transform.sample(batch, keys=keys(3, seed))
    return (
        lambda x: transform.replay(batch.replace(x=torch.where(batch.mask[:, None], x, 0)), params).x,
        batch.x.clone(),
    )


@every
def test_once_and_forwards(case: Case) -> None:
    for seed in SEEDS:
        run, x = replayed(case.make(), seed)
        assert gradcheck(run, (x.requires_grad_(),), check_forward_ad=True, fast_mode=True)
        tried("mathematics", len(x))


@every
def test_twice(case: Case) -> None:
    for seed in SEEDS:
        run, x = replayed(case.make(), seed)
        assert gradgradcheck(run, (x.requires_grad_(),), fast_mode=True)
        tried("mathematics", len(x))


@every
def test_jvp_is_the_transpose_of_vjp(case: Case) -> None:
    for seed in SEEDS:
        run, x = replayed(case.make(), seed)
        g = generator(seed)
        along = torch.randn(x.shape, generator=g, dtype=x.dtype)
        out, forwards = torch.func.jvp(run, (x,), (along,))
        against = torch.randn(out.shape, generator=g, dtype=x.dtype)
        (backwards,) = torch.func.vjp(run, x)[1](against)
        torch.testing.assert_close((forwards * against).sum(), (backwards * along).sum(), rtol=1e-6, atol=1e-8)
        tried("mathematics", len(x))


@every
def test_the_result_does_not_depend_on_who_asks_for_gradients(case: Case) -> None:
    """Another kernel may run where a gradient is wanted; the numbers are the same up to rounding."""
    run, x = replayed(case.make(), 5)
    with torch.no_grad():
        plain = run(x)
    torch.testing.assert_close(run(x.clone().requires_grad_()).detach(), plain, rtol=1e-6, atol=1e-6)
    tried("mathematics", len(x))
