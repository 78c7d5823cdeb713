"""The method: its pieces fit, and each baseline is the configuration that it claims to be."""

from __future__ import annotations

import pytest
import torch
from cases import SKELETON, keys, make_batch
from ghost import GhostMode
from torch import nn

import skelaug
from skelaug_contrib import HiCLR
from skelaug_contrib.encoders import DSTA, STGCN
from skelaug_contrib.hiclr import METHODS
from skelaug_contrib.losses import nearest, textbook_losses

N = 5


def model(**given: object) -> HiCLR:
    torch.manual_seed(0)
    policy = given.pop("policy", None) or skelaug.policies.hiclr(SKELETON, fill="token")
    encoder = STGCN(SKELETON, widths=(8, 8), kernel=3, dropout=0.0)
    return HiCLR(encoder, policy, **{"dim": 16, "queue_size": 64, "momentum": 0.9, **given})  # type: ignore[arg-type]


def features(branch: nn.Module, view: object) -> torch.Tensor:
    return branch(view, None)


def test_the_losses_are_those_of_the_definition() -> None:
    hiclr, batch, k = model(), make_batch(), keys(N)
    queue = hiclr.queue.features.clone()
    twin = model()
    queries = [features(twin.query, view) for view in twin.policy.views(batch, keys=k)]
    key = features(twin.query, twin.policy.key_view(batch, keys=k)).detach()
    info, consistency = textbook_losses(queries, key, queue, 0.07)
    found = hiclr(batch, keys=k)
    torch.testing.assert_close(found["info"], info)
    torch.testing.assert_close(found["consistency"], consistency)
    torch.testing.assert_close(found["loss"], info + consistency.mean())
    torch.testing.assert_close(hiclr.queue.features[:N], key)
    assert torch.equal(hiclr.queue.features[N:], queue[N:])


def test_a_step_moves_query_and_token_then_the_key_follows() -> None:
    hiclr, batch = model(), make_batch()
    optimizer = torch.optim.SGD([p for p in hiclr.parameters() if p.requires_grad], lr=0.5)
    start = {name: value.clone() for name, value in hiclr.query.state_dict().items()}
    hiclr(batch, keys=keys(N))["loss"].backward()
    assert all(p.grad is None for p in hiclr.key.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in hiclr.query.parameters())
    token = hiclr.policy.stages[2][0].token
    assert token.grad != 0, "the mask's fill learns through its branch"
    optimizer.step()
    for name, value in hiclr.key.encoder.named_parameters():
        assert torch.equal(value, start[name]), "it starts as a copy and moves at the next step"
    moved = {name: value.clone() for name, value in hiclr.query.named_parameters()}
    hiclr(batch, keys=keys(N, seed=1))
    for name, value in hiclr.key.encoder.named_parameters():
        torch.testing.assert_close(value, 0.9 * start[name] + 0.1 * moved[name])


def test_naive_contrast_is_the_last_view_in_plain_infonce() -> None:
    batch, k = make_batch(), keys(N)
    naive, twin = model(method="naive"), model()
    found = naive(batch, keys=k)
    last = twin.policy.views(batch, keys=k)[2]
    key = features(twin.query, twin.policy.key_view(batch, keys=k)).detach()
    info, _ = textbook_losses([features(twin.query, last)], key, twin.queue.features)
    assert found["loss"] is found["info"] and found["consistency"].shape == (0,)
    torch.testing.assert_close(found["info"], info)
    assert torch.equal(naive.policy[2](batch, keys=k).x, last.x)


def test_skeletonclr_is_the_first_view_alone() -> None:
    batch, k = make_batch(), keys(N)
    moco = model(method="skeletonclr")
    found = moco(batch, keys=k)
    torch.testing.assert_close(found["info"], model()(batch, keys=k)["info"])
    assert found["consistency"].shape == (0,)
    assert moco.policy.names == ("basic",)
    found["loss"].backward()
    assert all(p.grad is not None for p in moco.parameters() if p.requires_grad), "nothing trains without a gradient"


def test_aimclr_learns_from_the_first_view() -> None:
    batch, k = make_batch(), keys(N)
    aimclr, hiclr = model(method="aimclr")(batch, keys=k), model()(batch, keys=k)
    assert torch.equal(aimclr["consistency"][0], hiclr["consistency"][0])
    assert not torch.equal(aimclr["consistency"][1], hiclr["consistency"][1])


@pytest.mark.parametrize("direction", ["symmetric", "reversed"])
def test_direction_reaches_the_loss(direction: str) -> None:
    batch, k = make_batch(), keys(N)
    other, usual = model(direction=direction)(batch, keys=k), model()(batch, keys=k)
    assert torch.equal(other["info"], usual["info"]) and not torch.equal(other["consistency"], usual["consistency"])


def test_mined_neighbours_join_the_key() -> None:
    batch, k = make_batch(), keys(N)
    twin = model()
    queries = [features(twin.query, view) for view in twin.policy.views(batch, keys=k)]
    key = features(twin.query, twin.policy.key_view(batch, keys=k)).detach()
    queue = twin.queue.features
    info, _ = textbook_losses(queries, key, queue, positives=nearest(queries, queue))
    torch.testing.assert_close(model()(batch, keys=k, mine=True)["info"], info)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strong", ["mask", "edges", "adain", "all"])
def test_every_method_trains_on_every_strong_stage(method: str, strong: str) -> None:
    torch.manual_seed(0)
    encoder = STGCN(SKELETON, widths=(8, 8), kernel=3, dropout=0.0)
    policy = skelaug.policies.hiclr(SKELETON, strong, fill="token", graph=encoder.graph, layers=encoder.layers)
    hiclr = HiCLR(encoder, policy, method=method, dim=16, queue_size=64)
    found = hiclr(make_batch())
    found["loss"].backward()
    assert found["loss"].isfinite()
    grads = [p.grad for p in hiclr.parameters() if p.requires_grad]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("make", [STGCN, DSTA], ids=["stgcn", "dsta"])
def test_edges_reach_every_layer_in_training_only(make: type) -> None:
    torch.manual_seed(0)
    options = {"widths": (8, 8)} if make is STGCN else {"blocks": ((8, 8, 4, 1), (8, 8, 4, 1))}
    encoder = make(SKELETON, dropout=0.0, **options)
    policy = skelaug.policies.hiclr(SKELETON, "edges", graph=encoder.graph, layers=encoder.layers)
    view = policy.views(make_batch(), keys=keys(N))[2]
    assert view.graph.shape == (N, encoder.layers, *encoder.graph.shape)
    plain = view.replace(graph=None)
    assert not torch.allclose(encoder(view), encoder(plain))
    encoder.eval()
    assert torch.equal(encoder(view), encoder(plain))


def test_evaluation_moves_nothing() -> None:
    hiclr = model().eval()
    before = {name: value.clone() for name, value in hiclr.state_dict().items()}
    hiclr(make_batch(), keys=keys(N))
    for name, value in hiclr.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_slots_that_change_hands_are_looked_up_anew() -> None:
    policy = skelaug.GrowingPolicy(basic=[skelaug.transforms.PersonSwap(p=1.0)])
    batch = make_batch()
    lone = skelaug.SkeletonBatch(torch.cat([batch.x[..., :1], torch.zeros_like(batch.x[..., :1])], -1))
    first_slots = torch.arange(N) * 2
    given = model(policy=policy)(lone, people=first_slots, keys=keys(N))
    assert torch.equal(given["loss"], model(policy=policy)(lone, keys=keys(N))["loss"])
    assert given["loss"] < 20, "everybody was found in the second slot"


def test_no_host_sync_on_a_device() -> None:
    hiclr = model()
    with GhostMode(allow_non_fake_inputs=True):
        for module in hiclr.modules():  # .to("ghost") cannot swap real storage for fake
            for name, value in module._parameters.items():
                if value is not None:
                    fake = torch.zeros_like(value, device="ghost")
                    module._parameters[name] = nn.Parameter(fake, requires_grad=value.requires_grad)
            for name, value in module._buffers.items():
                module._buffers[name] = None if value is None else torch.zeros_like(value, device="ghost")
        x = torch.randn(N, 3, 12, len(SKELETON), 2, device="ghost")
        people = torch.arange(8, device="ghost")
        found = hiclr(x, people=people, keys=torch.arange(N, device="ghost"), mine=True)
        found["loss"].backward()
        assert all(p.grad is not None for p in hiclr.parameters() if p.requires_grad)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match=r"HiCLR\(method='simclr'\): method must be one of 'hiclr'"):
        model(method="simclr")
