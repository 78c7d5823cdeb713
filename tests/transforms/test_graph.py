"""Drop and add edges: total weight kept exactly, self loops safe, draws per sample and layer."""

from __future__ import annotations

import pytest
import torch
from cases import SKELETON, V, generator, make_batch, make_x
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from skelaug import SkeletonBatch, skeletons
from skelaug import transforms as T
from skelaug.functional import graph as fg

seeds = st.integers(0, 2**31)
BASE = SKELETON.partitions("spatial")


@given(seeds, st.floats(0, 1), st.integers(1, 3), st.booleans())
def test_dropping_keeps_weight_and_ratios(seed: int, rate: float, layers: int, loops: bool) -> None:
    drop = T.DropEdges(rate, SKELETON, layers=layers, keep_self_loops=loops)
    batch, params = drop(SkeletonBatch(make_x()), generator=generator(seed), return_params=True)
    assert batch.graph.shape == ((5, 3, V, V) if layers == 1 else (5, layers, 3, V, V))
    torch.testing.assert_close(batch.graph.sum((-3, -2, -1)), BASE.sum().expand(batch.graph.shape[:-3]))
    gone = params["drop"]
    if loops:
        assert not gone.diagonal(dim1=-2, dim2=-1).any()
        assert (batch.graph[..., 0, :, :].diagonal(dim1=-2, dim2=-1) > 0).all()
    for graph, lost in zip(batch.graph.view(-1, 3, V, V), gone.view(-1, 3, V, V), strict=True):
        kept = (BASE > 0) & ~lost
        if kept.any():
            assert torch.equal(graph > 0, kept)
            torch.testing.assert_close(graph[kept] / BASE[kept], (graph[kept] / BASE[kept])[:1].expand(int(kept.sum())))
        else:
            assert torch.equal(graph, BASE), "a graph that would lose everything stays"


@given(seeds, st.floats(0, 1), st.integers(1, 3))
def test_adding_turns_zero_entries_into_equal_edges(seed: int, rate: float, layers: int) -> None:
    batch, params = T.AddEdges(rate, SKELETON, layers=layers)(
        SkeletonBatch(make_x()), generator=generator(seed), return_params=True
    )
    torch.testing.assert_close(batch.graph.sum((-3, -2, -1)), BASE.sum().expand(batch.graph.shape[:-3]))
    new = params["add"] & (BASE == 0)
    assert torch.equal(batch.graph > 0, (BASE > 0) | new)
    for graph, fresh in zip(batch.graph.view(-1, 3, V, V), new.view(-1, 3, V, V), strict=True):
        scale = BASE.sum() / (BASE.sum() + fresh.sum())
        torch.testing.assert_close(graph, scale * torch.where(fresh, 1.0, BASE))


def test_by_hand() -> None:
    graph = torch.tensor([[[[1.0, 2], [3, 0]]]])
    drop = torch.tensor([[[[False, True], [False, False]]]])
    assert fg.drop_edges(graph, drop).tolist() == [[[[1.5, 0], [4.5, 0]]]]
    add = torch.tensor([[[[True, False], [False, True]]]])
    torch.testing.assert_close(fg.add_edges(graph, add), graph.new_tensor([[[[1.0, 2], [3, 1]]]]) * 6 / 7)
    assert fg.share_changed(graph, graph).tolist() == [0]
    assert fg.share_changed(torch.tensor([[[[1.0, 0]]]]), torch.tensor([[[[0, 1.0]]]])).tolist() == [1]


def test_rates_are_uniform_per_sample_and_layer() -> None:
    big = torch.ones(1, 60, 60)
    drop = T.DropEdges(0.4, big, layers=2, keep_self_loops=False).sample(
        make_x(400, t=1, m=1).repeat(1, 1, 1, 8, 1)[:, :, :, :60], generator=generator()
    )
    rate = drop["drop"].float().mean((-3, -2, -1))
    assert kstest(rate.flatten().numpy(), "uniform", (0, 0.4)).pvalue > 1e-3
    assert abs(torch.corrcoef(rate.T)[0, 1]) < 0.15


def test_draws_differ_between_samples_and_layers() -> None:
    graph = T.DropEdges(0.5, SKELETON, layers=3)(SkeletonBatch(make_x()), generator=generator()).graph
    assert graph.flatten(0, 1).flatten(1).unique(dim=0).shape[0] >= 13


def test_the_batchs_own_graph_comes_first() -> None:
    own = torch.rand(5, 2, V, V) + 0.1
    batch = SkeletonBatch(make_x(), graph=own)
    out = T.DropEdges(0.3, SKELETON)(batch)
    assert out.graph.shape == own.shape
    torch.testing.assert_close(out.graph.sum((1, 2, 3)), own.sum((1, 2, 3)))
    layered = T.AddEdges(0.3, layers=4)(batch)
    assert layered.graph.shape == (5, 4, 2, V, V)
    assert torch.equal(batch.graph, own), "the input was changed"


def test_drop_and_add_together_keep_the_weight() -> None:
    from skelaug import Compose

    out = Compose([T.DropEdges(0.3, SKELETON), T.AddEdges(0.2, SKELETON)])(make_batch())
    torch.testing.assert_close(out.graph.sum((1, 2, 3)), BASE.sum().expand(5))
    assert torch.equal(out.x, make_batch().x), "coordinates are not touched"


def test_gated_out_samples_keep_their_graph() -> None:
    out, params = T.DropEdges(0.9, SKELETON, p=0.5)(
        SkeletonBatch(make_x(40)), generator=generator(), return_params=True
    )
    assert torch.equal(out.graph[~params["apply"]], BASE.expand(40, -1, -1, -1)[~params["apply"]])
    changed = (out.graph != BASE).flatten(1).any(1)
    assert changed[params["apply"]].float().mean() > 0.8


def test_errors_name_both_ways_to_a_graph() -> None:
    message = r"DropEdges: no graph to act on: pass DropEdges\(graph=…\).*or a SkeletonBatch whose graph is set"
    with pytest.raises(ValueError, match=message):
        T.DropEdges(0.1)(make_x())
    with pytest.raises(ValueError, match="the graph has 25 joints, x has 8"):
        T.AddEdges(0.1, skeletons["ntu25"])(make_x())
    with pytest.raises(TypeError, match="graph must be a Skeleton or a floating-point Tensor"):
        T.AddEdges(0.1, graph=[[1]])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"an adjacency must be \(K, V, V\), got \(8, 8\)"):
        T.DropEdges(0.1, torch.ones(8, 8))
    with pytest.raises(ValueError, match=r"DropEdges\(max_ratio=2\)"):
        T.DropEdges(2)
    with pytest.raises(ValueError, match=r"AddEdges\(layers=0\)"):
        T.AddEdges(layers=0)
    layered = SkeletonBatch(make_x(), graph=torch.ones(5, 3, 1, V, V))
    with pytest.raises(ValueError, match=r"layers=2\): the batch's graph has 3 layers"):
        T.AddEdges(layers=2)(layered)
