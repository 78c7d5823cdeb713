"""InfoNCE with a queue and the hierarchical consistency loss, as pure functions.

Each query ``z`` is compared with the candidates ``c``: its own key, then the rows of the queue. With logits
``l = z · c / τ`` and ``p = softmax(l)``, InfoNCE is ``-log p[key]``, and a view that learns from a target view pays the
cross-entropy ``-Σ_j p_target[j] log p[j]``, through which no gradient reaches the target.

Let ``E = Σ_j p[j] c_j`` be the expected candidate and ``L = log Σ_j exp(l_j)``. The cross-entropy is then exactly
``L - z · E_target / τ``, and since ``∂L/∂z = E / τ``, its gradient is ``(E - E_target) / τ``. ``E`` is softmax
attention over the queue and ``L`` its log-sum-exp: both come out of one pass over blocks of the queue for all views
together, and backward needs ``E`` alone. So memory is O(N·D) beside the queue, where :func:`textbook_losses` keeps
(N × K) tensors.

All functions take rows of unit length, work in float32 also inside autocast (in float64 if any input is), and give
gradients to the queries only. A queue that changes between forward and backward does no harm. NaN in an
input gives NaN: values are not looked at, since that would wait for an accelerator.

Sources: InfoNCE with a queue: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning" (MoCo),
CVPR 2020. Chained targets: Zhang, Lin, Liu, "Hierarchical Consistent Contrastive Learning for Skeleton-Based Action
Recognition with Growing Augmentations" (HiCLR), AAAI 2023. Targets from the first view, mined positives: Guo et al.,
"Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-supervised Action Recognition" (AimCLR),
AAAI 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from skelaug import check
from skelaug.host import without_autocast
from skelaug_contrib import arguments

__all__ = ["DIRECTIONS", "TARGETS", "hiclr_loss", "hierarchical_losses", "info_nce", "nearest", "textbook_losses"]

_T = TypeVar("_T")

#: The view that a view learns from: the one before it (HiCLR), or the first (AimCLR).
TARGETS = ("previous", "first")

#: ``asymmetric``: a view learns from its target. ``reversed``: the target learns from the view. ``symmetric``: the sum.
DIRECTIONS = ("asymmetric", "symmetric", "reversed")


def info_nce(
    query: Tensor, key: Tensor, queue: Tensor, temperature: float = 0.07, *, positives: Tensor | None = None
) -> Tensor:
    """InfoNCE of one view: ``-log softmax([query · key, query · queue] / τ)[key]``, averaged over the batch.

    Args:
        query: ``(N, D)``, rows of unit length.
        key: ``(N, D)``: row n is the positive of query n.
        queue: ``(K, D)``, K ≥ 0: the negatives.
        temperature: τ.
        positives: int64 ``(N, P)``, rows of the queue that are positives of query n beside its key. They form a set:
            a row listed twice counts once. The loss is the mean of ``-log p`` over the set.

    Returns:
        A scalar.

    Example:
        >>> query = key = torch.eye(2)
        >>> info_nce(query, key, queue=-torch.eye(2), temperature=1.0)  # log(1 + e^-2 + e^-1)
        tensor(0.4076)
    """
    entered = _enter("info_nce", {"query": query}, key, queue, temperature, positives)
    return _streamed(*entered, "previous", "asymmetric", positives)[0]


def hiclr_loss(
    queries: Sequence[Tensor],
    key: Tensor,
    queue: Tensor,
    temperature: float = 0.07,
    *,
    targets: str = "previous",
    direction: str = "asymmetric",
    positives: Tensor | None = None,
) -> Tensor:
    """What HiCLR minimises: InfoNCE of the first view plus the mean consistency of the others.

    The arguments are those of :func:`hierarchical_losses`; the result is a scalar.

    Example:
        >>> weak, strong, key, *queue = torch.eye(8)[:, None]
        >>> hiclr_loss([weak, strong], key, torch.cat(queue), temperature=1.0)  # nothing is alike: 2 log 6
        tensor(3.5835)
    """
    entered = _enter("hiclr_loss", _named(queries), key, queue, temperature, positives, targets, direction)
    info, consistency = _streamed(*entered, targets, direction, positives)
    return info + consistency.mean() if len(consistency) else info


def hierarchical_losses(
    queries: Sequence[Tensor],
    key: Tensor,
    queue: Tensor,
    temperature: float = 0.07,
    *,
    targets: str = "previous",
    direction: str = "asymmetric",
    positives: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """InfoNCE of the first view and the consistency of every further one, streamed over the queue.

    Args:
        queries: k ≥ 1 views, weak to strong, each ``(N, D)``, rows of unit length.
        key: ``(N, D)``, the positive of each query; shared by the views, as is the queue.
        queue: ``(K, D)``, K ≥ 0: the negatives.
        temperature: τ of the softmax over key and queue.
        targets: ``"previous"``: view i learns from view i - 1 (HiCLR). ``"first"``: from view 0 (AimCLR).
        direction: ``"asymmetric"``: view i learns from its target, never back. ``"reversed"``: its target learns from
            view i. ``"symmetric"``: the sum of both.
        positives: int64 ``(N, P)``, mined positives of the InfoNCE part, see :func:`info_nce`.

    Returns:
        InfoNCE, a scalar, and the consistency of view 1, 2, … ``(k - 1,)``, averaged over the batch.

    Raises:
        TypeError: an argument is of another type.
        ValueError: an argument has another shape, kind, device or range.

    Example:
        >>> views = [torch.nn.functional.normalize(torch.randn(4, 16), dim=1).requires_grad_() for _ in range(3)]
        >>> key, queue = views[0].detach(), torch.nn.functional.normalize(torch.randn(64, 16), dim=1)
        >>> info, consistency = hierarchical_losses(views, key, queue)
        >>> info.shape, consistency.shape
        (torch.Size([]), torch.Size([2]))
        >>> (info + consistency.mean()).backward()
    """
    entered = _enter("hierarchical_losses", _named(queries), key, queue, temperature, positives, targets, direction)
    return _streamed(*entered, targets, direction, positives)


def _streamed(
    z: Tensor,
    key: Tensor,
    queue: Tensor,
    temperature: float,
    targets: str,
    direction: str,
    positives: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """:func:`hierarchical_losses` of what :func:`_enter` checked."""
    with without_autocast(z.device):
        lse, expected = _attend(z.detach(), key, queue, temperature)

        def loss(learner: tuple[Tensor, ...], target: Tensor) -> Tensor:
            return _CrossEntropy.apply(*learner, target, temperature).mean(-1)  # type: ignore[no-untyped-call,no-any-return]

        views = (z, lse, expected)
        strong = tuple(each[1:] for each in views)
        weak = tuple(each[:-1] if targets == "previous" else each[:1].expand_as(each[1:]) for each in views)
        info = loss((z[0], lse[0], expected[0]), _positive(key, queue, positives))
        parts = [loss(learner, target[2]) for learner, target in _pairs(direction, weak, strong)]
        return info, sum(parts[1:], parts[0])


def textbook_losses(
    queries: Sequence[Tensor],
    key: Tensor,
    queue: Tensor,
    temperature: float = 0.07,
    *,
    targets: str = "previous",
    direction: str = "asymmetric",
    positives: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The numbers of :func:`hierarchical_losses` straight from their definition, in O(k·N·K) memory: the oracle.

    Arguments and results are those of :func:`hierarchical_losses`. The queue must not change before backward.

    Example:
        >>> query, key = torch.eye(2), torch.eye(2)
        >>> textbook_losses([query, query], key, queue=-torch.eye(2), temperature=1.0)
        (tensor(0.4076), tensor([0.8324]))
    """
    z, key, queue, temperature = _enter(
        "textbook_losses", _named(queries), key, queue, temperature, positives, targets, direction
    )
    with without_autocast(z.device):
        negatives = queue.to(z.dtype).T
        logits = [torch.cat([_dot(query, key)[:, None], query @ negatives], 1) / temperature for query in z]
        positive = torch.zeros_like(logits[0])
        positive[:, 0] = 1
        if positives is not None:
            positive.scatter_(1, positives + 1, 1)
        info = cross_entropy(logits[0], positive / positive.sum(1, keepdim=True))
        consistency = [info.new_zeros(()) for _ in logits[1:]]
        for i, strong in enumerate(logits[1:]):
            weak = logits[i if targets == "previous" else 0]
            for learner, target in _pairs(direction, weak, strong):
                consistency[i] = consistency[i] + cross_entropy(learner, target.detach().softmax(1))
        return info, torch.stack(consistency) if consistency else info.new_zeros(0)


def nearest(queries: Sequence[Tensor], queue: Tensor) -> Tensor:
    """The row of the queue that is most similar to each query, to be mined as a positive.

    Args:
        queries: k views, each ``(N, D)``.
        queue: ``(K, D)``.

    Returns:
        int64 ``(N, k)``, for ``positives``; ``(N, 0)`` where the queue is empty. Of equals, the first.

    Example:
        >>> nearest([torch.eye(3), -torch.eye(3)], torch.cat([-torch.eye(3), torch.eye(3)]))
        tensor([[3, 0],
                [4, 1],
                [5, 2]])
    """
    named = _named(queries)
    z, _, queue, _ = _enter("nearest", named, next(iter(named.values()), None), queue)
    flat = z.detach().flatten(0, 1)
    best, rows = flat.new_full((len(flat),), -torch.inf), flat.new_zeros(len(flat), dtype=torch.int64)
    with torch.no_grad(), without_autocast(z.device):
        for start, block in _blocks(queue, flat):
            similarity, index = (flat @ block.T).max(1)
            rows = torch.where(similarity > best, index + start, rows)
            best = torch.maximum(best, similarity)
    return rows.view(z.shape[:2]).T if len(queue) else rows.new_empty(z.shape[1], 0)


def _attend(z: Tensor, key: Tensor, queue: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The log-sum-exp ``L (k, N)`` of the logits of ``z (k, N, D)``, and the expected candidate ``E (k, N, D)``."""
    with torch.no_grad():
        rows, expected = z.flatten(0, 1), key.repeat(len(z), 1)
        # The sum of exp(logits) is kept as total · exp(highest), so that it can neither overflow nor vanish. It starts
        # with the key's own logit; the blocks of the queue follow.
        highest = _dot(rows, expected)[:, None] / temperature
        total = torch.ones_like(highest)
        for _, block in _blocks(queue, rows):
            # rows @ block.T / temperature in one pass: with beta=0 the first argument counts for nothing.
            logits = torch.addmm(highest, rows, block.T, beta=0, alpha=1 / temperature)
            top, p = logits.amax(1, keepdim=True), torch.softmax(logits, 1)
            before, highest = highest, torch.maximum(highest, top)
            # The block's own sum of exp(logits - top) is 1 over its largest probability.
            added = (top - highest).exp_().div_(p.amax(1, keepdim=True))
            total.mul_((before - highest).exp_()).add_(added)
            expected.lerp_(p @ block, added.div_(total))
        return total.log_().add_(highest).view(z.shape[:2]), expected.view_as(z)


class _CrossEntropy(torch.autograd.Function):
    """``L - z · E_target / τ``, whose gradient in z is ``(E - E_target) / τ``; the rest are constants."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, lse: Tensor, expected: Tensor, target: Tensor, temperature: float) -> Tensor:
        ctx.save_for_backward((expected - target) / temperature)
        return lse - _dot(z, target) / temperature

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        if torch.is_grad_enabled():
            raise NotImplementedError("the streamed losses have no second derivative; use textbook_losses")
        (gradient,) = ctx.saved_tensors
        return grad[..., None] * gradient, None, None, None, None


def _pairs(direction: str, weak: _T, strong: _T) -> list[tuple[_T, _T]]:
    """Who learns from whom: ``(learner, target)``."""
    forward, back = (strong, weak), (weak, strong)
    return {"asymmetric": [forward], "reversed": [back], "symmetric": [forward, back]}[direction]


def _blocks(queue: Tensor, rows: Tensor) -> Any:
    """Blocks of the queue, each with its first index, such that (rows × block) similarities stay near a core's cache.

    Accelerators take larger ones, since every block costs a dozen kernel launches. None is so long that the rounding
    errors of a sum over it would show.
    """
    similarities, longest = (1 << 19, 1536) if rows.is_cpu else (1 << 24, 4096)
    size = min(longest, max(256, similarities // len(rows) // 128 * 128))
    for start in range(0, len(queue), size):
        yield start, queue[start : start + size].to(rows.dtype)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _positive(key: Tensor, queue: Tensor, positives: Tensor | None) -> Tensor:
    """The mean of the key and the distinct mined rows of the queue, ``(N, D)``."""
    if positives is None or positives.shape[1] == 0:
        return key
    index = positives.sort(1).values
    new = index.diff(dim=1, prepend=index[:, :1] - 1).ne(0).to(key.dtype)[..., None]
    mined = queue.index_select(0, index.flatten()).view(*index.shape, -1).to(key.dtype)
    return (key + (new * mined).sum(1)) / (1 + new.sum(1))


def _named(queries: Any) -> dict[str, Any]:
    """Each view by what an error calls it."""
    if isinstance(queries, list | tuple):
        return {f"queries[{i}]": view for i, view in enumerate(queries)}
    return {"queries": None if isinstance(queries, Tensor) else queries}


def _enter(
    who: str,
    views: dict[str, Any],
    key: Any,
    queue: Any,
    temperature: Any = 1.0,
    positives: Any = None,
    targets: Any = "previous",
    direction: Any = "asymmetric",
) -> tuple[Tensor, Tensor, Tensor, float]:
    """Check all arguments of a loss.

    Returns:
        The views stacked ``(k, N, D)`` and the key, both in the widest type, at least float32; the queue; temperature.
        No gradient reaches the last three.
    """
    if "queries" in views:
        raise TypeError(f"{who}(queries=…): queries must be a list of one (N, D) tensor a view, weak to strong")
    if not views:
        raise ValueError(f"{who}(queries=[]): queries is empty; give one (N, D) tensor a view, weak to strong")
    name, first = next(iter(views.items()))
    n, d = arguments.tensor(who, name, first, "N D").shape
    if n == 0:
        raise ValueError(f"{who}({name}=…): the batch is empty (N = 0), its mean is undefined; skip this step")
    for name, value in (views | {"key": key}).items():
        arguments.tensor(who, name, value, "N D", like=first, N=n, D=d)
    arguments.tensor(who, "queue", queue, "K D", like=first, D=d)
    temperature = check.number(who, "temperature", temperature, low=1e-4)
    check.choice(who, "targets", targets, TARGETS)
    check.choice(who, "direction", direction, DIRECTIONS)
    if positives is not None:
        arguments.tensor(who, "positives", positives, "N P", "int64", first, N=n)
        # Elsewhere than on the CPU this would wait for the device, whose own indexing refuses too.
        if positives.is_cpu and positives.numel() and not 0 <= positives.min() <= positives.max() < len(queue):
            raise ValueError(
                f"{who}(positives=…): positives must be rows of the queue, 0 ≤ index < {len(queue)}, got "
                f"{int(positives.min())} … {int(positives.max())}"
            )
    wide = any(value.dtype == torch.float64 for value in (*views.values(), key, queue))
    dtype = torch.float64 if wide else torch.float32
    return torch.stack([view.to(dtype) for view in views.values()]), key.detach().to(dtype), queue.detach(), temperature
