"""Batch norm whose statistics leave absent people out and, if asked, span all ranks, on any device."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from skelaug_contrib import arguments, distributed

__all__ = ["BatchNorm", "sync_batch_norm"]


class BatchNorm(_BatchNorm):
    """Batch norm over dimension 1 of an input with any number of dimensions, with the state of :class:`BatchNorm1d`.

    It differs from torch's in what it counts: rows marked as absent are left out of the statistics (they are still
    normalised), and with ``over_ranks`` the statistics are those of all ranks' rows, weighted by their counts, with
    the gradient through them. Where fewer than two values a channel are there (an empty batch, say) the running
    statistics normalise, and stay as they are. Computed in float32 at least.

    Args:
        num_features: C, the size of dimension 1.
        **options: those of :class:`torch.nn.BatchNorm1d`: eps, momentum, affine, track_running_stats.
        over_ranks: in training mode, reduce over all ranks of ``torch.distributed``; every rank must then call it
            equally often. :func:`sync_batch_norm` sets it.

    Example:
        >>> norm = BatchNorm(3)
        >>> norm(torch.randn(4, 3, 5), present=torch.tensor([True, True, False, True])).shape
        torch.Size([4, 3, 5])
    """

    def __init__(self, num_features: int, *, over_ranks: bool = False, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.over_ranks = over_ranks

    def forward(self, input: Tensor, present: Tensor | None = None) -> Tensor:
        """Normalise ``input (P, C, …)``; rows where ``present``, bool ``(P,)``, is False do not count."""
        mean, var = self.running_mean, self.running_var
        if not self.training and mean is not None:
            return batch_norm(input, mean, var, self.weight, self.bias, False, 0.0, self.eps)
        over_ranks = self.training and self.over_ranks and distributed.world() > 1
        factor: float | Tensor | None = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            factor = 1 / self.num_batches_tracked.float() if factor is None else factor
        plain = present is None and not over_ranks and input.numel() >= 2 * self.num_features
        if plain and not isinstance(factor, Tensor):
            return batch_norm(input, mean, var, self.weight, self.bias, True, factor or 0.0, self.eps)
        return self._normalize(input, present, over_ranks, factor)

    def _normalize(
        self, input: Tensor, present: Tensor | None, over_ranks: bool, factor: float | Tensor | None
    ) -> Tensor:
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        mean, var, count = _moments(x, present)
        if over_ranks:
            mean, var, count = _over_ranks(mean, var, count)
        if self.running_mean is not None and self.running_var is not None:
            few = count < 2
            unbiased = torch.where(few, self.running_var, var.detach() * (count / (count - 1).clamp(min=1)))
            mean, var = torch.where(few, self.running_mean, mean), torch.where(few, self.running_var, var)
            if factor is not None:
                self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), factor)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)
        shape = (1, -1, *(1,) * (x.ndim - 2))
        scale = (var + self.eps).rsqrt()
        scale = scale if self.weight is None else scale * self.weight
        out = (x - mean.view(shape)) * scale.view(shape)
        out = out if self.bias is None else out + self.bias.view(shape)
        return out.to(input.dtype)


def _moments(x: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(C,)`` and biased variance ``(C,)`` of the rows present, and how many values each is made of, ``()``."""
    others = (0, *range(2, x.ndim))
    each = math.prod(x.shape[2:])
    weight = x.new_ones(()) if present is None else present.to(x.dtype).view(-1, *(1,) * (x.ndim - 1))
    count = x.new_full((), x.shape[0] * each) if present is None else weight.sum() * each
    total = count.clamp(min=1)
    mean = (x * weight).sum(others) / total
    centred = x - mean.view(1, -1, *(1,) * (x.ndim - 2))
    return mean, (centred.square() * weight).sum(others) / total, count


class _SumOverRanks(torch.autograd.Function):
    """The sum of all ranks' tensors; as each rank's result depends on every input, so is the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total: Tensor = _SumOverRanks.apply(grad.contiguous())  # type: ignore[no-untyped-call]
        return total


def _over_ranks(mean: Tensor, var: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The moments of all ranks' values together (Chan et al. 1979), differentiable, in one all-reduce."""
    own = torch.cat([mean, var, count[None]])
    # A row a rank, all but one's own zero: their sum is what each has to say.
    place = torch.arange(distributed.world(), device=own.device) == distributed.rank()
    every: Tensor = _SumOverRanks.apply(place[:, None] * own)  # type: ignore[no-untyped-call]
    means, variances, counts = every.tensor_split((len(mean), 2 * len(mean)), dim=1)
    counts = counts.detach()  # else the running statistics would keep the graph of this step
    count = counts.sum()
    total = count.clamp(min=1)
    mean = (counts * means).sum(0) / total
    return mean, (counts * (variances + (means - mean).square())).sum(0) / total, count


def sync_batch_norm(module: nn.Module) -> nn.Module:
    """Make every batch norm of a module, in place, one whose statistics span all ranks, on CPU (gloo) and GPUs.

    ``torch.nn.SyncBatchNorm`` refuses CPU tensors. The layers themselves become of another class, so an optimiser that
    was built before and checkpoints of either kind still fit. Without ``torch.distributed`` the module, which is
    returned, computes what it did.

    Example:
        >>> model = sync_batch_norm(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)))
        >>> print(*(name for name in model.state_dict() if name.startswith("1.")))
        1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked
    """
    arguments.instance("sync_batch_norm", "module", module, nn.Module, "a torch.nn.Module")
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.__class__ = BatchNorm
            layer.over_ranks = True  # type: ignore[assignment]
    return module
