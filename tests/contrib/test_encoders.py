"""STGCN and DSTA: sizes, people, graphs, devices; every property holds for both."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ghost import GhostMode
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d

import skelaug
from skelaug import SkeletonBatch, skeletons
from skelaug.transforms import AddEdges, DropEdges
from skelaug_contrib.encoders import DSTA, STGCN, PersonEncoder, build, people, persons
from skelaug_contrib.encoders.layers import Dropout, FramesConv, aggregate

NTU = skeletons["ntu25"]


def stgcn(skeleton: skelaug.Skeleton = NTU, **options: Any) -> STGCN:
    return STGCN(skeleton, **{"widths": (8, 8, 12), "strides": (1, 2, 1), "kernel": 5, "dropout": 0.0} | options)


def dsta(skeleton: skelaug.Skeleton = NTU, **options: Any) -> DSTA:
    blocks = [(8, 8, 4, 1), (8, 12, 4, 2)]
    return DSTA(skeleton, **{"blocks": blocks, "kernel": 3, "dropout": 0.0} | options)


both = pytest.mark.parametrize("make", [stgcn, dsta])
Make = Callable[..., PersonEncoder]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def clips(n: int, t: int = 7, v: int = 25, m: int = 2) -> Tensor:
    return torch.randn(n, 3, t, v, m)


def crowd() -> Tensor:
    """Samples of two people, of one in either place, and of nobody."""
    x = clips(4)
    x[1, ..., 1] = 0
    x[2, ..., 0] = 0
    x[3] = 0
    return x


def state(encoder: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def gradients(encoder: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    encoder.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


def assert_close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_parameter_counts_are_the_papers() -> None:
    for encoder, count in ((STGCN(NTU), 821_380), (DSTA(NTU), 1_546_480)):
        assert sum(p.numel() for p in encoder.parameters()) == count
        assert encoder.width == 256
    assert STGCN(NTU).layers == 10 and DSTA(NTU).layers == 8


def test_parameter_counts_from_the_description() -> None:
    """Counted by hand from the papers' tables, for another skeleton."""
    v, total, before = 20, 2 * 3 * 20, 3
    widths, strides = (16,) * 4 + (32,) * 3 + (64,) * 2 + (256,), (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
    for i, (c, stride) in enumerate(zip(widths, strides, strict=True)):
        total += 3 * v * v + 3 * (before * c + c) + 2 * c + 9 * c * c + c + 2 * c
        total += (before * c + 3 * c) if i and (c != before or stride > 1) else 0
        before = c
    assert sum(p.numel() for p in STGCN(skeletons["kinect20"]).parameters()) == total


@both
@pytest.mark.parametrize("name", list(skeletons))
def test_any_skeleton_any_length(make: Make, name: str) -> None:
    skeleton = skeletons[name]
    encoder = make(skeleton)
    for t in (1, 7, 50):
        for m in (1, 2):
            x = clips(2, t, len(skeleton), m)
            out = encoder(x)
            assert out.shape == (2, encoder.width) and torch.isfinite(out).all()
            out.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())
    assert encoder.eval()(x).shape == (2, encoder.width)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_smallest_settings(n: int, kernel: int) -> None:
    """One head, one channel, one sample: torch takes other kernels for these."""
    for encoder in (
        DSTA(NTU, blocks=[(1, 1, 1, 2), (1, 5, 2, 3)], heads=1, kernel=kernel),
        STGCN(NTU, widths=(1, 5), strides=(2, 3), kernel=kernel),
    ):
        encoder(clips(n, 50, m=1)).square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


@both
@pytest.mark.parametrize("train", [True, False])
def test_absent_slots_change_nothing(make: Make, train: bool) -> None:
    """A person in a batch with empty slots is encoded as in the batch of people alone, and so are the statistics."""
    x = crowd()
    alone = torch.stack([x[0, ..., 0], x[0, ..., 1], x[1, ..., 0], x[2, ..., 1]])[..., None]
    encoder = make().train(train)
    other = copy.deepcopy(encoder)
    out, each = encoder(x), other(alone)
    assert_close(out, torch.stack([each[:2].mean(0), each[2], each[3], torch.zeros(encoder.width)]))
    assert (out[3] == 0).all()
    assert_close(state(encoder), state(other))
    assert_close(
        gradients(encoder, out[:3].sin().sum()),
        gradients(other, torch.stack([each[:2].mean(0), *each[2:]]).sin().sum()),
        1e-4,
    )


@both
@pytest.mark.parametrize("train", [True, False])
def test_unpacked_equals_packed(make: Make, train: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host cannot look, all slots are encoded: same features, statistics and gradients."""
    packed, unpacked, listed = (make().train(train) for _ in range(3))
    unpacked.load_state_dict(packed.state_dict())
    listed.load_state_dict(packed.state_dict())
    x = crowd()
    x[0, :, 2:, :, 1] = 0  # there in two frames only
    expected = packed(x)
    slots = people(SkeletonBatch(x).mask)
    assert slots.tolist() == [0, 1, 2, 5]
    given = copy.deepcopy(packed.eval()).train(train)
    monkeypatch.setattr(persons.host, "readable", lambda value: False)
    for encoder, out in ((unpacked, unpacked(x)), (listed, listed(x, slots))):
        assert_close(out, expected)
        assert (out[3] == 0).all()
        assert_close(state(encoder), state(given))
    reference = gradients(packed, expected.sin().sum())
    assert_close(gradients(unpacked, unpacked.train(train)(x).sin().sum()), reference, 1e-4)


@both
def test_people_given_equals_people_found(make: Make) -> None:
    encoder, x = make(), crowd()
    other = copy.deepcopy(encoder)
    assert torch.equal(encoder(x), other(x, people(SkeletonBatch(x).mask)))
    assert_close(state(encoder), state(other), 0)
    everyone = torch.arange(8)
    assert torch.equal(encoder.eval()(x), encoder(x, everyone)), "a listed slot that is absent counts for nothing"
    first = encoder(x, torch.tensor([0, 2]))
    assert_close(first[:2], encoder(x[..., :1])[:2])
    assert (first[2:] == 0).all()


@both
def test_nobody_gives_zeros_and_finite_gradients(make: Make) -> None:
    encoder = make()
    before = state(encoder)
    for x in (torch.zeros(3, 3, 7, 25, 2), clips(0)):
        out = encoder(x)
        assert out.shape == (len(x), encoder.width) and (out == 0).all()
        grads = gradients(encoder, out.sum())
        assert all((g == 0).all() for g in grads.values())
    after = state(encoder)
    assert all(torch.equal(before[k], after[k]) for k in before if not k.endswith("num_batches_tracked"))
    x = crowd().requires_grad_()
    gradients(encoder, encoder(x).norm(dim=1).sin().sum())
    assert all(torch.isfinite(p.grad).all() for p in (x, *encoder.parameters()))


@both
def test_persons_all_is_the_mean_over_all_slots(make: Make) -> None:
    x = crowd()
    encoder = make(persons="all")
    other = copy.deepcopy(encoder)
    every = torch.cat([x[..., :1], x[..., 1:]])
    other.persons = "present"
    with_all = SkeletonBatch(every).replace(mask=torch.ones(8, 7, 25, 1, dtype=torch.bool))
    assert_close(encoder(x, people(SkeletonBatch(x).mask)), other(with_all).view(2, 4, -1).mean(0))
    assert_close(state(encoder), state(other))


@both
def test_base_graph_as_a_graph_per_sample_changes_nothing(make: Make) -> None:
    encoder, x = make(), crowd()
    plain = encoder(x)
    for shape in ((4, *encoder.graph.shape), (4, encoder.layers, *encoder.graph.shape)):
        out = encoder(SkeletonBatch(x, graph=encoder.graph.expand(shape)))
        assert_close(out, plain)


@both
def test_graphs_of_samples_and_layers(make: Make) -> None:
    """A graph reaches its own sample and layer, in training mode only."""
    encoder, x = make(), clips(3)
    for p in encoder.parameters():
        if p.ndim > 1:  # larger than by default, so that differences show
            nn.init.normal_(p, std=0.3)
    base = encoder.graph.expand(3, encoder.layers, *encoder.graph.shape)
    for module in encoder.modules():  # fixed statistics, so that samples do not meet in them
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    plain = encoder(x)
    for layer in range(encoder.layers):
        graph = base.clone()
        graph[1, layer] *= torch.rand_like(graph[1, layer])
        out = encoder(SkeletonBatch(x, graph=graph))
        assert_close(out[[0, 2]], plain[[0, 2]])
        assert not torch.allclose(out[1], plain[1], atol=1e-4)
    graph = base[:, 0] * torch.rand_like(base[:, 0])
    same = encoder(SkeletonBatch(x, graph=graph))
    assert_close(same, encoder(SkeletonBatch(x, graph=graph[:, None].expand_as(base))))
    for i in range(3):
        assert_close(same[i : i + 1], encoder(SkeletonBatch(x[i : i + 1], graph=graph[i : i + 1])))
    encoder.eval()
    assert torch.equal(encoder(SkeletonBatch(x, graph=graph)), encoder(x))


@both
def test_takes_what_the_transforms_of_the_graph_make(make: Make) -> None:
    encoder = make()
    transform = skelaug.Compose([t(0.5, graph=encoder.graph, layers=encoder.layers) for t in (DropEdges, AddEdges)])
    batch = transform(SkeletonBatch(crowd()))
    assert batch.graph.shape == (4, encoder.layers, *encoder.graph.shape)
    out = encoder(batch)
    assert torch.isfinite(out).all() and not torch.allclose(out, encoder(crowd()))


def test_spatial_convolution_is_its_definition() -> None:
    """Loops over everything: 1×1 convolution to K groups, each summed over the edges that enter a joint."""
    encoder = STGCN(NTU, widths=(4,)).double()
    block: Any = encoder.blocks[0]
    nn.init.uniform_(block.importance)
    x = torch.randn(2, 3, 25, 3, dtype=torch.float64)  # (P, C, V, T)
    graphs = torch.rand(2, 3, 25, 25, dtype=torch.float64) * encoder.graph * block.importance.detach()
    weight, bias = block.spatial.weight[:, :, 0, 0].view(3, 4, 3), block.spatial.bias.view(3, 4)
    expected = torch.zeros(2, 4, 25, 3, dtype=torch.float64)
    for p in range(2):
        for k in range(3):
            for j in range(25):
                for i in range(25):
                    message = weight[k] @ x[p, :, j] + bias[k][:, None]
                    expected[p, :, i] += graphs[p, k, j, i] * message.detach()
    assert_close(block._along_edges(x, graphs), expected, 1e-12)
    edges = block._along_edges(x, graphs[0])
    assert_close(edges[0], expected[0], 1e-12)


def test_attention_is_its_definition() -> None:
    encoder = dsta().double()
    block: Any = encoder.blocks[1]
    nn.init.uniform_(block.maps)
    nn.init.uniform_(block.scale)
    x = torch.randn(2, 8, 25, 5, dtype=torch.float64)
    made = block.queries_keys(x + block.places).detach().view(2, 2, 3, 4, 25, 5)  # (P, query or key, head, inner, V, T)
    for p in range(2):
        for h in range(3):
            similar = sum(
                made[p, 0, h, c, :, t][:, None] * made[p, 1, h, c, :, t][None] for c in range(4) for t in range(5)
            ) / (4 * 5)
            expected = torch.tanh(similar) * block.scale[h, 0] + block.maps[h]
            assert_close(block._attention(x)[p, h], expected, 1e-12)


def plain_conv_norm(pair: Any, x: Tensor) -> Tensor:
    """A convolution and its batch norm in eval mode, on (P, C, T, V), from the parameters alone."""
    conv = getattr(pair, "conv", pair)
    stride = conv.stride[1] * getattr(conv, "choose", 1)
    return plain_norm(pair.norm, conv2d(x, conv.weight.transpose(2, 3), conv.bias, (stride, 1), (conv.padding[1], 0)))


def plain_norm(norm: Any, x: Tensor) -> Tensor:
    shape = (1, -1, *(1,) * (x.ndim - 2))
    mean, var, weight, bias = (v.view(shape) for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    return (x - mean) / (var + norm.eps).sqrt() * weight + bias


def trained(encoder: PersonEncoder) -> PersonEncoder:
    """Every parameter and statistic away from its start, in float64, in eval mode."""
    for name, value in (*encoder.named_parameters(), *encoder.named_buffers()):
        if value.is_floating_point() and not name.endswith(("graph", "places")):
            nn.init.uniform_(value, 0.5, 1.5) if "var" in name else nn.init.normal_(value, std=0.4)
    return encoder.double().eval()


def test_stgcn_is_the_textbook_network() -> None:
    """The published order of operations, in the published layout (P, C, T, V), convolution before aggregation."""
    encoder: Any = trained(stgcn())
    x = torch.randn(2, 3, 7, 25, 1, dtype=torch.float64)
    y = x[..., 0].permute(0, 3, 1, 2).flatten(1, 2)  # (P, V · C, T)
    y = plain_norm(encoder.norm, y).view(2, 25, 3, 7).permute(0, 2, 3, 1)
    for i, block in enumerate(encoder.blocks):
        z = conv2d(y, block.spatial.weight, block.spatial.bias)
        z = torch.einsum("pkctv,kvw->pctw", z.unflatten(1, (3, -1)), encoder.graph * block.importance)
        z = plain_conv_norm(block.temporal, plain_norm(block.norm, z).relu())
        shortcut = 0 if i == 0 else y if block.shortcut is None else plain_conv_norm(block.shortcut, y)
        y = (z + shortcut).relu()
    assert_close(encoder(x), y.mean((2, 3)), 1e-10)


def test_dsta_is_the_textbook_network() -> None:
    encoder: Any = trained(dsta())
    x = torch.randn(2, 3, 7, 25, 1, dtype=torch.float64)

    def act(z: Tensor) -> Tensor:
        return nn.functional.leaky_relu(z, 0.1)

    def shortcut(pair: Any, z: Tensor) -> Tensor:
        return z if pair is None else plain_conv_norm(pair, z)

    y = act(plain_conv_norm(encoder.stem, x[..., 0]))
    for block in encoder.blocks:
        attention = block._attention(y.transpose(2, 3))
        z = torch.einsum("pctu,phuv->phctv", y, attention).flatten(1, 2)
        z = plain_norm(block.norm, conv2d(z, block.heads.weight, block.heads.bias))
        z = act(shortcut(block.attention_shortcut, y) + z)
        z = act(shortcut(block.feed_shortcut, y) + plain_conv_norm(block.feed, z))
        y = act(shortcut(block.temporal_shortcut, z) + plain_conv_norm(block.temporal, z))
    assert_close(encoder(x), y.mean((2, 3)), 1e-10)


def test_joints_are_encoded_by_sines() -> None:
    block: Any = dsta().blocks[0]
    for joint in (0, 3, 24):
        for pair in range(4):
            angle = torch.tensor(joint / 10000 ** (2 * pair / 8))
            assert_close(block.places[2 * pair : 2 * pair + 2, joint, 0], torch.stack([angle.sin(), angle.cos()]))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 3), st.booleans())
def test_aggregate_is_an_einsum(k: int, c: int, v: int, t: int, p: int, shared: bool) -> None:
    gen = torch.Generator().manual_seed(k + 10 * c + 100 * v)
    x, graph, weight = (
        torch.randn(shape, generator=gen, dtype=torch.float64) for shape in ((p, c, v, t), (p, k, v, v), (2, k, c))
    )
    graph = torch.randn(k, v, v, generator=gen, dtype=torch.float64) if shared else graph
    expected = torch.einsum(f"pcjt,{'' if shared else 'p'}kji,okc->poit", x, graph, weight)
    assert_close(aggregate(x, graph, weight), expected, 1e-10)


@both
def test_runs_on_a_device_without_host_sync(make: Make) -> None:
    encoder = make(dropout=0.5)
    with GhostMode(allow_non_fake_inputs=True):
        for module in encoder.modules():  # .to("ghost") cannot swap real storage for fake
            for name, value in module._parameters.items():
                if value is not None:
                    module._parameters[name] = nn.Parameter(torch.zeros(value.shape, device="ghost"))
            for name, value in module._buffers.items():
                module._buffers[name] = torch.ones(value.shape, device="ghost", dtype=value.dtype)
        listed = torch.zeros(5, device="ghost", dtype=torch.int64)
        for slots in (None, listed):
            for train in (True, False):
                encoder.train(train)
                x = torch.randn(4, 3, 7, 25, 2, device="ghost", requires_grad=True)
                graph = encoder.graph.expand(4, encoder.layers, *encoder.graph.shape)
                for batch in (x, SkeletonBatch(x, graph=graph)):
                    out = encoder(batch, slots)
                    assert out.shape == (4, encoder.width) and out.device.type == "ghost"
                    out.square().sum().backward()


@both
def test_any_memory_order(make: Make) -> None:
    encoder, x = make().eval(), crowd()
    other = x.permute(0, 4, 3, 2, 1).contiguous().permute(0, 4, 3, 2, 1)
    assert not other.is_contiguous()
    assert_close(encoder(other), encoder(x))
    assert_close(encoder(torch.cat([x, x], 2)[:, :, ::2]), encoder(torch.cat([x, x], 2)[:, :, ::2].contiguous()))


@both
def test_compiles(make: Make) -> None:
    torch._dynamo.reset()
    encoder, x = make(), crowd()
    eager = copy.deepcopy(encoder)
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    out, expected = compiled(x), eager(x)
    assert_close(out, expected)
    assert_close(gradients(encoder, out.sin().sum()), gradients(eager, expected.sin().sum()), 1e-4)


@both
def test_autocast(make: Make) -> None:
    encoder, x = make(), crowd()
    expected = encoder(x)
    with torch.autocast("cpu", torch.bfloat16):
        out = encoder(x)
    assert (out.float() - expected).abs().max() < 0.05 * expected.abs().max() and (out[3] == 0).all()
    grads = gradients(encoder, out.float().sin().sum())
    assert all(torch.isfinite(g).all() and g.dtype == torch.float32 for g in grads.values())


@both
def test_float64(make: Make) -> None:
    encoder, x = make(), crowd()
    expected = copy.deepcopy(encoder).double()(x.double())
    assert expected.dtype == torch.float64
    assert_close(encoder(x).double(), expected, 1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 9])
@pytest.mark.parametrize("t", [1, 2, 7, 50])
def test_convolution_along_frames_is_a_strided_convolution(kernel: int, t: int) -> None:
    conv = FramesConv(8, 6, kernel, 2)
    x = torch.randn(3, 8, 25, t).contiguous(memory_format=torch.channels_last).requires_grad_()
    plain = x.detach().double().contiguous().requires_grad_()
    weight = conv.weight.detach().double().requires_grad_()
    assert conv.bias is not None
    expected = conv2d(plain, weight, conv.bias.detach().double(), (1, 2), (0, kernel // 2))
    out = conv(x)
    assert out.shape[-1] == -(-t // 2)
    assert_close(out.double(), expected)
    out.sin().sum().backward()
    expected.sin().sum().backward()
    assert_close(x.grad.double(), plain.grad)
    assert_close(conv.weight.grad.double(), weight.grad, 1e-4)


@both
def test_dropout_acts_in_training_only(make: Make) -> None:
    encoder, x = make(dropout=0.5), clips(4)
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))
    still = make(dropout=0.0)
    assert torch.equal(still(x), still(x))
    assert (make(dropout=1.0)(x) != 0).any(), "a shortcut that is dropped leaves the rest, or the first block"


@pytest.mark.parametrize("p", [0.25, 0.5, 0.75, 0.1])
def test_dropout_drops_its_share_everywhere(p: float) -> None:
    """Each of a random word's eight bytes decides an entry: all must be fair, also in other memory orders."""
    dropout = Dropout(p)
    for x in (
        torch.ones(8 * 4000, requires_grad=True),
        torch.ones(5, 16, 3, 133).to(memory_format=torch.channels_last),
    ):
        x = x.detach().requires_grad_()
        out = dropout(x)
        assert out.stride() == x.stride()
        assert_close(out.unique(), torch.tensor([0, 1 / (1 - p)]))
        shares = (out.permute(0, 2, 3, 1) if x.ndim == 4 else out).reshape(-1, 8).eq(0).float().mean(0)
        assert (shares - p).abs().max() < 0.04, shares  # 5 sigma
        out.sum().backward()
        assert torch.equal(x.grad, out)
    torch.manual_seed(3)
    first = dropout(torch.ones(77))
    assert not torch.equal(first, dropout(torch.ones(77)))
    torch.manual_seed(3)
    assert torch.equal(first, dropout(torch.ones(77)))
    assert dropout(torch.ones(0, 3)).shape == (0, 3)
    compiled = torch.compile(dropout, backend="eager", fullgraph=True)
    assert_close(compiled(torch.ones(99)).unique(), torch.tensor([0, 1 / (1 - p)]))
    assert torch.equal(dropout.eval()(torch.ones(9)), torch.ones(9))


def test_the_first_block_has_neither_shortcut_nor_dropout() -> None:
    first, second = list(STGCN(NTU, widths=(4, 4)).blocks)[:2]
    assert first.dropout.p == 0 and not first.has_shortcut
    assert second.dropout.p == 0.5 and second.has_shortcut and second.shortcut is None
    assert_close(STGCN(NTU, widths=(4,))(clips(2, 1)).shape, torch.Size([2, 4]))


@both
def test_copies_pickles_and_exchanges_states(make: Make) -> None:
    encoder, x = make().eval(), crowd()
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert torch.equal(other(x), encoder(x))
    torch.manual_seed(1)
    fresh = make().eval()
    assert not torch.allclose(fresh(x), encoder(x))
    fresh.load_state_dict(encoder.state_dict())
    assert torch.equal(fresh(x), encoder(x))
    assert "graph" not in encoder.state_dict(), "it follows from the skeleton"


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_people_lists_who_is_observed(there: list[bool]) -> None:
    mask = torch.zeros(4, 5, 6, 3, dtype=torch.bool)
    mask[:, 2, 1] = torch.tensor(there).view(4, 3)
    assert people(mask).tolist() == [i for i, here in enumerate(there) if here]


def test_build() -> None:
    encoder = build("stgcn", NTU, widths=(4, 8), strides=None, kernel=None, persons="all")
    assert isinstance(encoder, STGCN) and encoder.width == 8 and encoder.persons == "all"
    assert isinstance(build("dsta", NTU), DSTA)
    with pytest.raises(ValueError, match="name must be one of 'stgcn', 'dsta'"):
        build("resnet", NTU)
    with pytest.raises(TypeError, match="dsta has no such option; it has channels, blocks"):
        build("dsta", NTU, widths=(4,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: STGCN(NTU, widths=()), "widths must be a sequence"),
        (lambda: STGCN(NTU, widths=(4, 0)), "widths must be a whole number ≥ 1, got 0"),
        (lambda: STGCN(NTU, widths=(4, 4), strides=(1,)), "strides must be 2, one a block, got 1"),
        (lambda: STGCN(NTU, kernel=8), "kernel must be odd, got 8"),
        (lambda: STGCN(NTU, dropout=1.5), "dropout must be a number ≥ 0 and ≤ 1"),
        (lambda: STGCN(NTU, persons="first"), "persons must be one of 'present', 'all'"),
        (lambda: DSTA(NTU, kernel=2), "kernel must be odd"),
        (lambda: DSTA(NTU, blocks=[]), "blocks must be a sequence"),
        (lambda: DSTA(NTU, blocks=[(8, 8)]), "a block must be"),
        (lambda: DSTA(NTU, blocks=[(8, 8, 4, 1), (16, 8, 4, 1)]), "takes 16 channels, the one before it gives 8"),
        (lambda: stgcn()(torch.zeros(2, 3, 7, 20, 2)), "25 joints"),
        (lambda: stgcn()(torch.zeros(2, 2, 7, 25, 2)), "3 channels"),
        (lambda: stgcn()(torch.zeros(2, 3, 0, 25, 2)), "T ≥ 1"),
        (lambda: stgcn()(clips(2), torch.zeros(1, 1, dtype=torch.int64)), r"must be an int64 tensor \(P,\)"),
        (lambda: stgcn()(clips(2), torch.tensor([4])), "slots must be 0 … 3"),
        (lambda: stgcn()(SkeletonBatch(clips(2), graph=torch.ones(2, 2, 25, 25))), "graph=encoder.graph"),
        (lambda: stgcn()(SkeletonBatch(clips(2), graph=torch.ones(2, 2, 3, 25, 25))), "layers=encoder.layers"),
    ],
)
def test_bad_arguments_are_explained(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_types_are_explained() -> None:
    with pytest.raises(TypeError, match="skeleton must be a Skeleton"):
        STGCN(25)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="people must be an int64 tensor"):
        stgcn()(clips(2), [0, 1])  # type: ignore[arg-type]
