"""Draws: on the batch's device, from a generator, or keyed by sample.

Three ways, one code path. Without arguments the global torch generator of the device of the data is used. A
``torch.Generator`` draws on its own device, so a CPU generator gives the same augmentation on CPU and GPU. **Keys**,
one int64 a sample, give counter-based draws (SplitMix64; Steele, Lea and Flood, OOPSLA 2014): what a sample gets
depends on its key alone, not on the batch, its order, the worker, the rank or the point of resumption.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from skelaug import rows
from skelaug.check import constant
from skelaug.lanes import Asked, Layout, layout

__all__ = ["Rng", "fold_in", "keys", "worker_generator"]

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15  # the draws of one key: key + counter * gamma
_GAMMA_INVERSE = pow(_GAMMA, -1, 1 << 64)
_LANE = 0xD1B54A32D192ED03  # lanes: key xor lane * constant, so no lane walks along another's counters


def _signed(value: int) -> int:
    """The int64 with the same 64 bits as ``value``."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def _shift(z: Tensor, bits: int, out: Tensor) -> Tensor:
    """Logical right shift: int64's own shift drags the sign in."""
    return torch.bitwise_right_shift(z, bits, out=out).bitwise_and_((1 << (64 - bits)) - 1)


def _mix(z: Tensor, scratch: Tensor | None = None) -> Tensor:
    """SplitMix64's finaliser, a bijection of 64 bits. Overwrites ``z``, which must be the caller's own."""
    # One scratch for all steps: memory that is warm in the cache is worth ten times the arithmetic.
    t = torch.empty_like(z) if scratch is None else scratch
    z.bitwise_xor_(_shift(z, 30, t)).mul_(_signed(0xBF58476D1CE4E5B9))
    z.bitwise_xor_(_shift(z, 27, t)).mul_(_signed(0x94D049BB133111EB))
    return z.bitwise_xor_(_shift(z, 31, t))


def _halves(bits: Tensor, scratch: Tensor, dim: int) -> Tensor:
    """Two independent whole numbers below 2^24 from each word, exact in float32, along a new axis of size 2."""
    halves = torch.empty(*bits.shape[:dim], 2, *bits.shape[dim:], device=bits.device)
    halves.select(dim, 0).copy_(_shift(bits, 40, scratch))
    halves.select(dim, 1).copy_(_shift(bits, 8, scratch).bitwise_and_(0xFFFFFF))
    return halves


def _mix_int(value: int) -> int:
    """:func:`_mix` on a Python int, for seeds and epochs."""
    z = value & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def keys(seed: int, epoch: int, ids: Tensor | Iterable[int]) -> Tensor:
    """One key a sample, from the run's seed, the epoch and the samples' ids in the data set.

    Args:
        seed: the run's seed.
        epoch: the epoch; each gives new draws.
        ids: int ``(N,)``, the index of each sample in the data set. Distinct ids give distinct keys.

    Returns:
        int64 ``(N,)`` on the device of ``ids``.

    Raises:
        TypeError: a float where an integer belongs.

    Example:
        >>> k = keys(seed=0, epoch=3, ids=torch.arange(4))
        >>> bool((k[2:] == keys(0, 3, [2, 3])).all())
        True
    """
    ids = ids if isinstance(ids, Tensor) else torch.tensor(list(ids), dtype=torch.int64)
    if ids.is_floating_point() or ids.dtype == torch.bool or ids.ndim != 1:
        raise TypeError(f"keys(ids=…): ids must be integers (N,), got {ids.dtype} {tuple(ids.shape)}")
    base = _mix_int(_mix_int(operator.index(seed) + _GAMMA) ^ _mix_int(operator.index(epoch) + _LANE))
    return _mix(ids.to(torch.int64) * _signed(_GAMMA) + _signed(base))


def fold_in(keys: Tensor, n: int) -> Tensor:
    """Derive independent keys for lane ``n`` (any integer): a view, a position in a policy, a purpose."""
    return _mix(keys ^ _mark(n))


def _mark(lane: int) -> int:
    return _signed((operator.index(lane) + 1) * _LANE)


_workers: dict[tuple[int, int], torch.Generator] = {}


def worker_generator() -> torch.Generator | None:
    """The CPU generator of this worker of a DataLoader, shared by all that draws in it; ``None`` in the main process.

    It differs over workers, ranks and epochs, and repeats for a seed, also beside a ``worker_init_fn`` that seeds torch
    alike in every epoch, as OpenMMLab's and CTR-GCN's do: the worker's own seed, which its DataLoader draws anew for
    each epoch, tells the epochs apart; what ``worker_init_fn`` set, and ``RANK``, tell the ranks apart.
    """
    worker = get_worker_info()
    if worker is None:
        return None
    seeds = worker.seed, torch.initial_seed()
    if seeds not in _workers:
        key = fold_in(keys(*seeds, [0]), int(os.environ.get("RANK") or 0))
        _workers.clear()
        _workers[seeds] = torch.Generator().manual_seed(int(key))
    return _workers[seeds]


def _hashed(keys: Tensor, plan: Layout) -> Tensor:
    """Columns of uniforms for lanes of ``keys (n, lanes)``, from one hash that gives two columns a word.

    Word 0 of a lane is for its gate, whether it has one or not; its numbers take the words after it.
    """
    words = [(lane, 0) for lane in plan.gates]
    words += [(lane, word) for lane, count in enumerate(plan.words) for word in range(1, count + 1)]
    # Made in one piece: each is a copy to the device.
    lane, offset = constant([[i for i, _ in words], [_signed(word * _GAMMA) for _, word in words]], keys.device)
    bits = _mix((keys.index_select(1, lane) if keys.shape[1] > 1 else keys) + offset)
    return _halves(bits, torch.empty_like(bits), 2).mul_(2.0**-24).flatten(1)


class Rng:
    """Where a transform's ``draw`` gets its numbers: always one independent row a sample.

    Args:
        n: number of samples.
        device: where the draws are needed.
        generator: draw from it, on its device; the result is moved.
        keys: int64 ``(n,)``; draw counter-based numbers from each sample's own key.

    Attributes:
        is_ready: this is a lane that :meth:`lanes` or :meth:`ready` gave.
        numbers: float32 ``(n, k)``, there if k > 0 numbers were asked for.
        keep: bool ``(n,)``, the samples that the gate lets through; ``None`` for all. Draws for the others will not be
            used; normals, which cost the most, are not even made where the host can tell.

    A generator is consumed in order. With keys, a counter walks through one call of ``draw``, and ``fold`` gives an
    independent lane, so that changing one member of a policy moves no other's draws.
    """

    numbers: Tensor

    def __init__(
        self,
        n: int,
        device: torch.device,
        *,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
    ) -> None:
        if generator is not None and keys is not None:
            raise ValueError("give a generator or keys, not both: keys alone decide the draws of each sample")
        if keys is not None:
            if not isinstance(keys, Tensor) or keys.dtype != torch.int64 or keys.shape != (n,):
                got = f"{keys.dtype} {tuple(keys.shape)}" if isinstance(keys, Tensor) else type(keys).__name__
                raise ValueError(
                    f"keys must be an int64 tensor ({n},), one a sample, as skelaug.random.keys gives them; got {got}"
                )
            keys = keys.to(device)
        self.n, self.device, self.generator, self.keys = n, device, generator, keys
        self.is_ready = False
        self.keep: Tensor | None = None
        self._counter = 0

    @property
    def _source(self) -> torch.device:
        """Where numbers without keys are drawn."""
        return self.device if self.generator is None else self.generator.device

    def fold(self, lane: int) -> Rng:
        """An independent lane; without keys the same stream goes on."""
        if self.keys is not None:
            return Rng(self.n, self.device, keys=fold_in(self.keys, lane))
        # What is said of one draw does not hold for those within it.
        return self if self.keep is None else Rng(self.n, self.device, generator=self.generator)

    def lanes(self, lanes: Sequence[int], asked: Sequence[Asked]) -> list[Rng]:
        """:meth:`fold` for several lanes at once, each with the gate and the numbers that are asked for in it."""
        if self.keys is None or not lanes:
            return self._ready(None, asked)
        if len(lanes) == 1:  # a mark that is a Python number need not be copied to the device
            return self._ready(fold_in(self.keys, lanes[0])[:, None], asked)
        return self._ready(_mix(self.keys[:, None] ^ constant([_mark(lane) for lane in lanes], self.device)), asked)

    def ready(self, asked: Asked) -> Rng:
        """This lane with the gate and the numbers that are asked for: the same as :meth:`lanes` gives it."""
        if asked[0] == 1 and not asked[1]:
            return self
        (found,) = self._ready(None if self.keys is None else self.keys[:, None], [asked])
        return found

    def _ready(self, keys: Tensor | None, asked: Sequence[Asked]) -> list[Rng]:
        """A lane for each that asks; ``keys (n, lanes)`` are theirs, if they are keyed."""
        plan = layout(asked, 1 if keys is None else 2)
        if keys is None:
            found = [Rng(self.n, self.device, generator=self.generator) for _ in asked]
        else:
            found = [Rng(self.n, self.device, keys=lane) for lane in keys.unbind(1)]
        for rng, count in zip(found, plan.words, strict=True):
            rng.is_ready, rng._counter = True, count
        if plan.total == 0:
            return found
        if keys is None:
            u = torch.empty(self.n, plan.total, device=self._source).uniform_(generator=self.generator)
        else:
            u = _hashed(keys, plan)
        if plan.gates:
            for lane, keep in zip(plan.gates, plan.gates_of(u).to(self.device).unbind(1), strict=True):
                found[lane].keep = keep
        if any(plan.sizes):
            drawn = plan.numbers_of(u).to(self.device)
            parts = (drawn,) if len(found) == 1 else drawn.split_with_sizes(plan.sizes, 1)
            for rng, part in zip(found, parts, strict=True):
                rng.numbers = part
        return found

    def _bits(self, count: int, scratch: Tensor | None = None) -> Tensor:
        """``(n, count)`` random 64-bit words from the keys."""
        assert self.keys is not None
        counter = torch.arange(self._counter + 1, self._counter + count + 1, device=self.device)
        self._counter += count
        if torch.compiler.is_compiling():  # the same bits; inductor bounds a product of a range, and overflows
            return _mix((self.keys[:, None] * _signed(_GAMMA_INVERSE) + counter) * _signed(_GAMMA), scratch)
        return _mix(self.keys[:, None] + counter * _signed(_GAMMA), scratch)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 ``(n, *shape)``, each entry U(low, high)."""
        count = math.prod(shape)
        if self.keys is not None:
            scratch = torch.empty(self.n, (count + 1) // 2, dtype=torch.int64, device=self.device)
            halves = _halves(self._bits(scratch.shape[1], scratch), scratch, 1)
            u = halves.mul_(2.0**-24).flatten(1)[:, :count].reshape(self.n, *shape)
            return u if (low, high) == (0.0, 1.0) else u * (high - low) + low
        u = torch.empty(self.n, *shape, device=self._source).uniform_(low, high, generator=self.generator)
        return u.to(self.device)

    def normal(self, *shape: int, std: float = 1.0) -> Tensor:
        """float32 ``(n, *shape)``, each entry N(0, std²); keyed draws use Box and Muller's pair."""
        source = self._source
        if self.keys is None and source.type != "cpu":
            return torch.randn(self.n, *shape, generator=self.generator, device=source).mul_(std).to(self.device)
        if self.keys is None:
            # A CPU generator uses one core, and its numbers would have to be copied: it only draws the keys.
            whole = torch.empty(self.n, dtype=torch.int64).random_(-(2**63), None, generator=self.generator)
            keyed = Rng(self.n, self.device, keys=whole)
            keyed.keep = self.keep
            return keyed.normal(*shape, std=std)
        needed = None if self.keep is None else rows.known(self.keep)
        if needed is not None and needed.shape[0] < self.n:
            return self._normal_where_needed(needed, shape, std)
        count = math.prod(shape)
        pair = torch.empty(self.n, 2, (count + 1) // 2, device=self.device)
        # The words' scratch lies where the numbers will: memory that was not touched lately is slow.
        bits = self._bits(pair.shape[2], None if torch.compiler.is_compiling() else pair.flatten(1).view(torch.int64))
        # As float32 a signed word is its upper bits, a number in ±2^63; shifted, its lower half.
        high, angle = pair[:, 0].copy_(bits), pair[:, 1].copy_(bits.bitwise_left_shift_(32))
        del bits
        # With u = |high| / 2^63, uniform in [0, 1]: r² = -2 log u = -log u², and u² is kept off 0.
        least = torch.full((), 2.0**-66, device=self.device)
        radius = torch.addcmul(least, high, high, value=2.0**-126).log_().mul_(-std * std).sqrt_()
        high.copy_(angle.mul_(math.pi * 2.0**-63)).cos_()
        angle.sin_()
        return pair.mul_(radius[:, None]).flatten(1)[:, :count].reshape(self.n, *shape)

    def _normal_where_needed(self, needed: Tensor, shape: tuple[int, ...], std: float) -> Tensor:
        """Rows of normals for those that will be used, of zeros for the others."""
        assert self.keys is not None
        count = needed.shape[0]
        # The row drawn last becomes the zeros that all others point to: to fill and then to copy takes twice as long.
        some = Rng(count + 1, self.device, keys=torch.cat([rows.take(self.keys, needed), self.keys[:1]]))
        some._counter = self._counter
        drawn = some.normal(*shape, std=std)
        self._counter = some._counter
        drawn[count] = 0
        place = torch.full((self.n,), count).index_copy_(0, needed, torch.arange(count))
        return drawn.index_select(0, place)

    def integers(self, high: int, *shape: int) -> Tensor:
        """int64 ``(n, *shape)``, each entry one of 0 … high - 1."""
        # 24 random bits: the bias is below high / 2^24. A float below 1 times high never rounds up to high.
        return (self.uniform(*shape) * high).long()

    def permutation(self, size: int, *shape: int) -> Tensor:
        """int64 ``(n, *shape, size)``: a random order of 0 … size - 1 along the last axis."""
        return self.uniform(*shape, size).argsort(-1)
