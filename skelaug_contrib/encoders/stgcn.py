"""ST-GCN: convolutions along the skeleton's edges and along the frames in turn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from skelaug import Skeleton, check
from skelaug_contrib.encoders.layers import ConvNorm, Dropout, FramesConv, aggregate, mean
from skelaug_contrib.encoders.norm import BatchNorm
from skelaug_contrib.encoders.persons import PersonEncoder

__all__ = ["STGCN"]

_PAPER = (16, 16, 16, 16, 32, 32, 32, 64, 64, 256)
_PAPER_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class STGCN(PersonEncoder):
    """Spatial temporal graph convolutional network, at the widths of the contrastive papers by default.

    A block gathers each joint's neighbours in the three spatial partitions of the skeleton (weighted by the adjacency
    times a learned importance), mixes channels, then convolves along the frames; all blocks but the first have a
    shortcut and dropout. The features are the mean over frames and joints, then over people. On ``ntu25`` it has
    821 380 parameters, whatever T is.

    Weights start as PyTorch's layers do. The reference starts from N(0, 0.02²) instead, with which contrastive
    training collapses where the queue is small (all features alike, loss ln(1 + K), seen at K = 384).

    Args:
        skeleton: of the data, or its name; its ``partitions()`` are the base graph.
        channels: coordinates a joint.
        widths: channels of each block; the last is D.
        strides: of each block along the frames; ``None``: 2 at blocks 5 and 8 of ten blocks, else 1 everywhere.
        kernel: frames in a temporal convolution, odd.
        dropout: in all blocks but the first.
        persons: ``"present"`` or ``"all"``, see :class:`~skelaug_contrib.encoders.persons.PersonEncoder`.

    Raises:
        TypeError: ``skeleton`` is no Skeleton.
        ValueError: an argument is out of range.

    Source: Yan et al., "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition", AAAI
    2018; the widths of CrosSCLR (Li et al., CVPR 2021) and HiCLR (AAAI 2023).

    Example:
        >>> from skelaug import skeletons
        >>> encoder = STGCN(skeletons["ntu25"], widths=(16, 32), strides=(1, 2))
        >>> encoder(torch.randn(4, 3, 20, 25, 2)).shape
        torch.Size([4, 32])
    """

    def __init__(
        self,
        skeleton: Skeleton | str,
        channels: int = 3,
        widths: Sequence[int] = _PAPER,
        strides: Sequence[int] | None = None,
        kernel: int = 9,
        dropout: float = 0.5,
        persons: str = "present",
    ) -> None:
        skeleton = check.skeleton("STGCN", skeleton)
        check.count("STGCN", "channels", channels)
        widths = _counts("widths", widths)
        if strides is None:
            strides = _PAPER_STRIDES if len(widths) == len(_PAPER) else (1,) * len(widths)
        strides = _counts("strides", strides)
        if len(strides) != len(widths):
            raise ValueError(
                f"STGCN(strides={strides}): strides must be {len(widths)}, one a block, got {len(strides)}"
            )
        if check.count("STGCN", "kernel", kernel) % 2 == 0:
            raise ValueError(f"STGCN(kernel={kernel}): kernel must be odd, got {kernel}")
        dropout = check.number("STGCN", "dropout", dropout, low=0, high=1)
        super().__init__(skeleton, channels, skeleton.partitions("spatial"), len(widths), widths[-1], persons)
        self.norm = BatchNorm(channels * len(skeleton))
        shape = tuple(self.graph.shape)
        self.blocks = nn.ModuleList(
            _Block(ins, outs, shape, kernel, stride, dropout if i else 0.0, shortcut=i > 0)
            for i, (ins, outs, stride) in enumerate(zip((channels, *widths), widths, strides, strict=False))
        )

    def encode(self, x: Tensor, graphs: list[Tensor], present: Tensor | None) -> Tensor:
        """People ``(P, C, T, V)`` to ``(P, D)``; see the base class."""
        p, c, t, v = x.shape
        x = self.norm(x.permute(0, 3, 1, 2).reshape(p, v * c, t), present)
        x = x.view(p, v, c, t).transpose(1, 2).contiguous(memory_format=torch.channels_last)
        for block, graph in zip(self.blocks, graphs, strict=True):
            x = block(x, graph, present)
        return mean(x)


class _Block(nn.Module):
    """Graph convolution, temporal convolution, shortcut; on ``(P, C, V, T)``."""

    def __init__(
        self,
        ins: int,
        outs: int,
        graph: tuple[int, ...],
        kernel: int,
        stride: int,
        dropout: float,
        *,
        shortcut: bool,
    ) -> None:
        super().__init__()
        self.importance = nn.Parameter(torch.ones(graph))
        self.spatial = nn.Conv2d(ins, graph[0] * outs, 1)
        self.norm = BatchNorm(outs)
        self.temporal = ConvNorm(FramesConv(outs, outs, kernel, stride))
        self.dropout = Dropout(dropout, inplace=True)  # batch norm keeps its input, not its output
        self.has_shortcut = shortcut
        changes = ins != outs or stride != 1
        self.shortcut = ConvNorm(FramesConv(ins, outs, 1, stride)) if shortcut and changes else None

    def forward(self, x: Tensor, graph: Tensor, present: Tensor | None) -> Tensor:
        out = relu(self.norm(self._along_edges(x, graph * self.importance), present), inplace=True)
        out = self.dropout(self.temporal(out, present))
        if self.has_shortcut:
            out += x if self.shortcut is None else self.shortcut(x, present)
        return relu(out, inplace=True)

    def _along_edges(self, x: Tensor, graph: Tensor) -> Tensor:
        """The 1×1 convolution's K groups of channels, each passed along its graph, and their sum."""
        k = graph.shape[-3]
        weight = self.spatial.weight.view(k, -1, x.shape[1]).transpose(0, 1)
        assert self.spatial.bias is not None
        # Its bias travels along the edges too: joint i gets the bias of group k times all that it receives.
        bias = graph.sum(-2).mT @ self.spatial.bias.view(k, -1)
        out = aggregate(x, graph, weight).permute(0, 2, 3, 1)
        # As rows, one a person: the gradient's sum over people is ten times faster than one over two dimensions.
        frames = bias.unsqueeze(-2).expand(*bias.shape[:-1], out.shape[2], -1).flatten(-3)
        return (out.flatten(1) + frames).view_as(out).permute(0, 3, 1, 2)


def _counts(name: str, values: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"STGCN({name}={values!r}): {name} must be a sequence of whole numbers, got {values!r}")
    return tuple(check.count("STGCN", name, value) for value in values)
