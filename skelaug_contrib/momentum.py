"""The momentum twin of an encoder: the source of keys."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from skelaug import check
from skelaug_contrib import arguments

__all__ = ["MomentumEncoder"]


class MomentumEncoder(nn.Module):
    """A copy of an encoder whose parameters follow it as an exponential moving average.

    Buffers are left alone: the copy keeps its own batch-norm statistics, from the keys that it encodes in training
    mode. It starts exactly equal, and no gradient ever reaches it.

    Args:
        encoder: the module to follow.
        momentum: m, the share of itself that a parameter keeps: ``θ_key ← m θ_key + (1 - m) θ_query``, 0 ≤ m ≤ 1.

    Raises:
        TypeError: ``encoder`` is no module.
        ValueError: the momentum is out of range.

    Source: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, equation 2.

    Example:
        >>> query = torch.nn.Linear(1, 1, bias=False)
        >>> key = MomentumEncoder(query, momentum=0.75)
        >>> _ = torch.nn.init.zeros_(key.encoder.weight), torch.nn.init.ones_(query.weight)
        >>> key.update(query)
        >>> key(torch.ones(1, 1))
        tensor([[0.2500]])
    """

    def __init__(self, encoder: nn.Module, momentum: float = 0.999) -> None:
        super().__init__()
        self.momentum = check.number("MomentumEncoder", "momentum", momentum, low=0, high=1)
        arguments.instance("MomentumEncoder", "encoder", encoder, nn.Module, "a torch.nn.Module")
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The copy's output, without gradient."""
        with torch.no_grad():
            return self.encoder(*args, **kwargs)

    def update(self, encoder: nn.Module) -> None:
        """Move every parameter a step towards that of ``encoder``, which must have the same names and shapes."""
        arguments.instance("MomentumEncoder.update", "encoder", encoder, nn.Module, "a torch.nn.Module")
        ours, theirs = dict(self.encoder.named_parameters()), dict(encoder.named_parameters())
        for name in ours | theirs:
            if name not in ours or name not in theirs or ours[name].shape != theirs[name].shape:
                shapes = [tuple(each[name].shape) if name in each else "missing" for each in (ours, theirs)]
                raise ValueError(
                    f"MomentumEncoder.update(encoder=…): parameter {name!r} is {shapes[0]} here and {shapes[1]} in the "
                    f"encoder; pass the encoder that was given at the start"
                )
        if ours:
            average = get_ema_multi_avg_fn(self.momentum)  # type: ignore[no-untyped-call]
            average(list(ours.values()), [theirs[name] for name in ours], None)

    def extra_repr(self) -> str:
        """The momentum, for print."""
        return f"momentum={self.momentum}"
