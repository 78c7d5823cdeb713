"""The DSTA Transformer: attention over joints and convolutions along the frames in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from skelaug import Skeleton, check
from skelaug_contrib.encoders.layers import ConvNorm, Dropout, FramesConv, aggregate, mean
from skelaug_contrib.encoders.norm import BatchNorm
from skelaug_contrib.encoders.persons import PersonEncoder

__all__ = ["DSTA"]

_PAPER = (
    (32, 32, 16, 1),
    (32, 32, 16, 1),
    (32, 64, 16, 2),
    (64, 64, 16, 1),
    (64, 128, 32, 2),
    (128, 128, 32, 1),
    (128, 128, 32, 1),
    (128, 256, 32, 1),
)
_SLOPE = 0.1


class DSTA(PersonEncoder):
    """Decoupled spatial-temporal attention network, in the form that HiCLR trains.

    A block computes, for each head, one attention map over the joints for all frames (from queries and keys of the
    joints and a learned map), passes features along it, and convolves along the frames. The features are the mean
    over frames and joints, then over people. On ``ntu25`` it has 1 546 480 parameters, whatever T is: nothing that is
    learned belongs to a frame.

    The base graph is all ones, one map a head: a graph of the batch multiplies the attention maps. Convolutions start
    Kaiming-normal (fan out), biases at 0.

    Args:
        skeleton: of the data, or its name.
        channels: coordinates a joint.
        blocks: (channels in, channels out, width of queries and keys, stride along the frames) of each; the last
            channels out are D.
        heads: attention maps a block.
        kernel: frames in a temporal convolution, odd.
        dropout: on the last shortcut of each block; the paper's fine-tuning sets 0.
        persons: ``"present"`` or ``"all"``, see :class:`~skelaug_contrib.encoders.persons.PersonEncoder`.

    Raises:
        TypeError: ``skeleton`` is no Skeleton.
        ValueError: an argument is out of range, or blocks do not follow upon each other.

    Source: Shi et al., "Decoupled Spatial-Temporal Attention Network for Skeleton-Based Action-Gesture Recognition",
    ACCV 2020; HiCLR (AAAI 2023).

    Example:
        >>> from skelaug import skeletons
        >>> encoder = DSTA(skeletons["coco17"], blocks=[(8, 16, 4, 1), (16, 16, 4, 2)])
        >>> encoder(torch.randn(4, 3, 20, 17, 2)).shape
        torch.Size([4, 16])
    """

    def __init__(
        self,
        skeleton: Skeleton | str,
        channels: int = 3,
        blocks: Sequence[Sequence[int]] = _PAPER,
        heads: int = 3,
        kernel: int = 7,
        dropout: float = 0.5,
        persons: str = "present",
    ) -> None:
        skeleton = check.skeleton("DSTA", skeleton)
        v = len(skeleton)
        check.count("DSTA", "channels", channels)
        check.count("DSTA", "heads", heads)
        specs = _specs(blocks)
        if check.count("DSTA", "kernel", kernel) % 2 == 0:
            raise ValueError(f"DSTA(kernel={kernel}): kernel must be odd, got {kernel}")
        dropout = check.number("DSTA", "dropout", dropout, low=0, high=1)
        super().__init__(skeleton, channels, torch.ones(heads, v, v), len(specs), specs[-1][1], persons)
        self.stem = ConvNorm(nn.Conv2d(channels, specs[0][0], 1))
        self.blocks = nn.ModuleList(_Block(*spec, heads, v, kernel, dropout) for spec in specs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def encode(self, x: Tensor, graphs: list[Tensor], present: Tensor | None) -> Tensor:
        """People ``(P, C, T, V)`` to ``(P, D)``; see the base class."""
        x = x.transpose(2, 3).contiguous(memory_format=torch.channels_last)
        x = leaky_relu(self.stem(x, present), _SLOPE)
        for block, graph in zip(self.blocks, graphs, strict=True):
            x = block(x, graph, present)
        return mean(x)


class _Block(nn.Module):
    """Attention over joints, a layer on each joint alone, a temporal convolution, each with a shortcut."""

    places: Tensor

    def __init__(
        self, ins: int, outs: int, inner: int, stride: int, heads: int, joints: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.register_buffer("places", _sinusoids(joints, ins), persistent=False)
        self.queries_keys = nn.Conv2d(ins, 2 * heads * inner, 1)
        self.scale = nn.Parameter(torch.ones(heads, 1, 1))
        self.maps = nn.Parameter(torch.full((heads, joints, joints), 1 / joints))
        self.heads = nn.Conv2d(heads * ins, outs, 1)
        self.norm = BatchNorm(outs)
        self.feed = ConvNorm(nn.Conv2d(outs, outs, 1))
        self.temporal = ConvNorm(FramesConv(outs, outs, kernel, stride))
        self.dropout = Dropout(dropout)
        changes = ins != outs or stride != 1
        self.attention_shortcut = ConvNorm(nn.Conv2d(ins, outs, 1)) if changes else None
        self.feed_shortcut = ConvNorm(nn.Conv2d(ins, outs, 1)) if changes else None
        self.temporal_shortcut = ConvNorm(FramesConv(outs, outs, 1, stride)) if changes else None

    def forward(self, x: Tensor, graph: Tensor, present: Tensor | None) -> Tensor:
        heads = self.scale.shape[0]
        weight = self.heads.weight.view(self.heads.out_channels, heads, x.shape[1])
        out = self.norm(aggregate(x, self._attention(x) * graph, weight, self.heads.bias), present)
        out = leaky_relu(out + _shortcut(self.attention_shortcut, x, present), _SLOPE)
        y = leaky_relu(self.feed(out, present) + _shortcut(self.feed_shortcut, x, present), _SLOPE)
        past = self.dropout(_shortcut(self.temporal_shortcut, y, present))
        return leaky_relu(self.temporal(y, present) + past, _SLOPE)

    def _attention(self, x: Tensor) -> Tensor:
        """``(P, heads, V, V)``: [h, j, i] weighs joint j in what joint i receives."""
        p, _, v, t = x.shape
        heads = len(self.scale)
        both = self.queries_keys(x + self.places)
        inner = both.shape[1] // (2 * heads)
        # (P, 2 · heads · inner, V, T) to two of (P, heads, V, T · inner).
        query, key = both.view(p, 2, heads, inner, v, t).permute(1, 0, 2, 4, 5, 3).reshape(2, p, heads, v, t * inner)
        similar: Tensor = (query / (inner * t)) @ key.transpose(-1, -2)
        return similar.tanh() * self.scale + self.maps


def _shortcut(shortcut: ConvNorm | None, x: Tensor, present: Tensor | None) -> Tensor:
    out: Tensor = x if shortcut is None else shortcut(x, present)
    return out


def _sinusoids(joints: int, channels: int) -> Tensor:
    """``(C, V, 1)``: sines and cosines of the joint's number, in turn, at falling frequencies."""
    even = torch.arange(0, channels, 2)
    angle = torch.arange(joints)[None] * torch.exp(even * (-math.log(10000) / channels))[:, None]
    return torch.stack([angle.sin(), angle.cos()], 1).flatten(0, 1)[:channels, :, None]


def _specs(blocks: Sequence[Sequence[int]]) -> list[tuple[int, int, int, int]]:
    if not isinstance(blocks, list | tuple) or not blocks:
        raise ValueError(f"DSTA(blocks={blocks!r}): blocks must be a sequence of (in, out, inner, stride)")
    before: int | None = None
    specs = []
    for block in blocks:
        if not isinstance(block, list | tuple) or len(block) != 4:
            raise ValueError(f"DSTA(blocks=…): a block must be (in, out, inner, stride), got {block!r}")
        ins, outs, inner, stride = (check.count("DSTA", "blocks", value) for value in block)
        if before not in (None, ins):
            raise ValueError(f"DSTA(blocks=…): block {block!r} takes {ins} channels, the one before it gives {before}")
        before = outs
        specs.append((ins, outs, inner, stride))
    return specs
