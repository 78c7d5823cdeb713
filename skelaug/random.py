"""Draws: one independent row a sample, on the batch's device, from a generator or from keys.

Three ways, one code path. Without arguments the global torch generator of the device of the data is used. A
``torch.Generator`` draws on its own device, so a CPU generator gives the same augmentation on CPU and GPU. **Keys**,
one int64 a sample, give counter-based draws (SplitMix64; Steele, Lea and Flood, OOPSLA 2014): what a sample gets
depends on its key alone, not on the batch, its order, the worker, the rank or the point of resumption.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, TypedDict

import torch
from torch import Tensor

from skelaug import host
from skelaug.check import constant, whole
from skelaug.expect import of_type

__all__ = ["Rng", "Source", "fold_in", "keys"]

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15  # the draws of one key are hashes of key + counter * gamma
_GAMMA_INVERSE = pow(_GAMMA, -1, 1 << 64)
_LABEL = (
    0xD1B54A32D192ED03  # a substream's key is a hash of key xor label * this, so it walks along no other's counters
)
_BLOCK = 16  # uniforms that each substream draws together with its siblings


def _signed(value: int) -> int:
    """The int64 with the same 64 bits as ``value``."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def _shift(z: Tensor, bits: int, out: Tensor) -> Tensor:
    """Logical right shift; int64's own shift repeats the sign bit."""
    return torch.bitwise_right_shift(z, bits, out=out).bitwise_and_((1 << (64 - bits)) - 1)


def _mix(z: Tensor, scratch: Tensor | None = None) -> Tensor:
    """SplitMix64's finaliser, a bijection of 64 bits. Overwrites ``z``, which nobody else may hold."""
    t = torch.empty_like(z) if scratch is None else scratch
    z.bitwise_xor_(_shift(z, 30, t)).mul_(_signed(0xBF58476D1CE4E5B9))
    z.bitwise_xor_(_shift(z, 27, t)).mul_(_signed(0x94D049BB133111EB))
    return z.bitwise_xor_(_shift(z, 31, t))


def _mix_int(value: int) -> int:
    """:func:`_mix` of a Python int, for seeds, epochs and labels."""
    z = value & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def keys(seed: int, epoch: int, ids: Tensor | Iterable[int]) -> Tensor:
    """One key a sample, from the run's seed, the epoch and the samples' ids in the data set.

    Args:
        seed: the run's seed.
        epoch: the epoch; each gives new draws.
        ids: int ``(N,)``, the index of each sample in the data set. Distinct ids give distinct keys, and an id that
            occurs twice in an epoch gets the same draws twice. Where a sampler repeats samples (with replacement, by
            class weights), let each repetition have an id of its own, such as ``index + len(dataset) * repetition``
            or the sample's place in the epoch. Equal ids on purpose make one draw for the whole batch:
            ``keys(seed, epoch, [0]).expand(N)``.

    Returns:
        int64 ``(N,)`` on the device of ``ids``.

    Raises:
        TypeError: ``seed``, ``epoch`` or an id is not a whole number, or ``ids`` is not one-dimensional.

    Example:
        >>> k = keys(seed=0, epoch=3, ids=torch.arange(4))
        >>> bool((k[2:] == keys(0, 3, [2, 3])).all())
        True
    """
    for name, value in (("seed", seed), ("epoch", epoch)):
        of_type("keys", name, value, Integral, "a whole number")
    if not isinstance(ids, Tensor):
        numbers: list[Any] = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str | bytes) else [None]
        if not all(whole(number) and -(2**63) <= number < 2**63 for number in numbers):
            raise TypeError(f"keys(ids={ids!r}): ids must be integers (N,) of 64 bits")
        ids = torch.tensor(list(map(int, numbers)), dtype=torch.int64, device="cpu")
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool or ids.ndim != 1:
        raise TypeError(f"keys(ids=…): ids must be integers (N,), got {ids.dtype} {tuple(ids.shape)}")
    base = _mix_int(_mix_int(operator.index(seed) + _GAMMA) ^ _mix_int(operator.index(epoch) + _LABEL))
    return _mix(ids.to(torch.int64) * _signed(_GAMMA) + _signed(base))


def fold_in(keys: Tensor, n: int) -> Tensor:
    """Derive independent keys for the label ``n`` (any integer): a view, a position in a policy, a purpose.

    Raises:
        TypeError: ``keys`` is no int64 tensor, or ``n`` is not a whole number.
    """
    if not isinstance(keys, Tensor) or keys.dtype != torch.int64:
        got = keys.dtype if isinstance(keys, Tensor) else type(keys).__name__
        raise TypeError(f"fold_in(keys=…): keys must be an int64 tensor, as skelaug.random.keys gives, got {got}")
    of_type("fold_in", "n", n, Integral, "a whole number")
    return _mix(keys ^ _mark(n))


def _mark(label: int | tuple[int, ...]) -> int:
    """The word by which a substream's key differs from its parent's."""
    if not isinstance(label, tuple):
        return _signed((operator.index(label) + 1) * _LABEL)
    word = 0
    for part in label:
        word = _mix_int(word + (part + 1) * _LABEL)
    return _signed(word)


def _words(keys: Tensor, first: int, count: int, scratch: Tensor | None = None) -> Tensor:
    """Random 64-bit words ``first`` … of keys ``(…)``, counted from 1: ``(…, count)``."""
    counter = torch.arange(first, first + count, device=keys.device)
    if (
        torch.compiler.is_compiling()
    ):  # the same bits; inductor computes the bounds of a range times gamma and overflows
        return _mix((keys[..., None] * _signed(_GAMMA_INVERSE) + counter) * _signed(_GAMMA), scratch)
    return _mix(keys[..., None] + counter * _signed(_GAMMA), scratch)


def _uniforms(keys: Tensor, first: int, count: int) -> Tensor:
    """U(0, 1) from the words ``first`` … of keys ``(…)``, two from each: float32 ``(…, 2 * count)``."""
    words = _words(keys, first, count)
    scratch = torch.empty_like(words)
    halves = torch.empty(*words.shape[:-1], 2, count, dtype=torch.float32, device=words.device)
    # Whole numbers below 2^24, which float32 holds exactly.
    halves.select(-2, 0).copy_(_shift(words, 40, scratch))
    halves.select(-2, 1).copy_(_shift(words, 8, scratch).bitwise_and_(0xFFFFFF))
    return halves.mul_(2.0**-24).flatten(-2)


class Source(TypedDict, total=False):
    """Where draws come from: the global generator of the device of the data, or one of these.

    In a worker of a DataLoader the global generator is replaced by the worker's own, see
    :func:`skelaug.workers.worker_generator`: so a transform can be called in a data set's ``__getitem__``.

    Attributes:
        generator: draw from it, on its own device.
        keys: int64 ``(N,)`` from :func:`keys`, one a sample: counter-based draws.
    """

    generator: torch.Generator | None
    keys: Tensor | None


class _Block:
    """The first uniforms of sibling substreams, drawn for all of them when one of them first needs a number.

    Args:
        n: number of samples.
        siblings: number of substreams.
        device: of the generator, where there are no keys.
        generator: draws without keys.
        keys: int64 ``(n, siblings)``.
    """

    def __init__(
        self, n: int, siblings: int, device: torch.device, generator: torch.Generator | None, keys: Tensor | None
    ) -> None:
        self._shape, self._device, self._generator, self._keys = (n, siblings, _BLOCK), device, generator, keys
        self._numbers: Tensor | None = None

    def of(self, sibling: int) -> Tensor:
        """Float32 ``(n, 16)``."""
        if self._numbers is None:
            if self._keys is not None:
                self._numbers = _uniforms(self._keys, 1, _BLOCK // 2)
            else:
                empty = torch.empty(self._shape, dtype=torch.float32, device=self._device)
                self._numbers = empty.uniform_(generator=self._generator)
        return self._numbers[:, sibling]


class Rng:
    """Where a transform's ``draw`` gets its numbers: always one independent row a sample.

    Args:
        n: number of samples.
        device: where the draws are needed.
        generator: draw from it, on its device; the result is moved.
        keys: int64 ``(n,)``; draw counter-based numbers from each sample's own key.

    Attributes:
        keep: bool ``(n,)``, the samples that the last :meth:`chance` chose; ``None`` before. The draws of the others
            will not be used; their normals, which cost the most, are zeros where the host can tell.

    Raises:
        TypeError: the generator is no ``torch.Generator``.
        ValueError: the keys are not int64 ``(n,)``, or both a generator and keys are given.

    A generator is consumed in order. With keys, a counter walks through one call of ``draw``, and :meth:`split` gives
    independent substreams, so that changing one member of a policy moves no other's draws.
    """

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
        if generator is not None and not isinstance(generator, torch.Generator):
            raise TypeError(
                f"generator must be a torch.Generator, such as torch.Generator().manual_seed(0), got {generator!r}"
            )
        if keys is not None:
            if not isinstance(keys, Tensor) or keys.dtype != torch.int64 or keys.shape != (n,):
                got = f"{keys.dtype} {tuple(keys.shape)}" if isinstance(keys, Tensor) else type(keys).__name__
                raise ValueError(
                    f"keys must be an int64 tensor ({n},), one a sample, as skelaug.random.keys gives them; got {got}"
                )
            keys = keys.to(device)
        self.n, self.device, self.generator, self.keys = n, device, generator, keys
        self.keep: Tensor | None = None
        self._block: _Block | None = None
        self._sibling = 0
        self._taken = 0  # uniforms of the block
        self._words_taken = _BLOCK // 2

    def split(self, labels: Sequence[int | tuple[int, ...]]) -> list[Rng]:
        """An independent substream for each label: a whole number or several, such as (stage, position).

        With keys a substream depends on its own label alone. A block of 16 uniforms is drawn for all of them at once.
        """
        keys = None
        if self.keys is not None and labels:
            marks = [_mark(label) for label in labels]  # one alone need not be copied to the device
            keys = _mix(self.keys[:, None] ^ (marks[0] if len(marks) == 1 else constant(marks, self.device)))
        block = _Block(self.n, len(labels), self._source, self.generator, keys)
        substreams = []
        for sibling in range(len(labels)):
            own = None if keys is None else keys[:, sibling]
            substream = Rng(self.n, self.device, generator=self.generator, keys=own)
            substream._block, substream._sibling = block, sibling
            substreams.append(substream)
        return substreams

    @property
    def _source(self) -> torch.device:
        """Where numbers without keys are drawn."""
        return self.device if self.generator is None else self.generator.device

    def chance(self, p: float) -> Tensor:
        """Bool ``(n,)``: True with probability ``p``. One number is taken whatever ``p`` is."""
        self.keep = self.uniform() < p
        return self.keep

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 ``(n, *shape)``, each entry U(low, high): from the block, or drawn now where that is used up."""
        count = math.prod(shape)
        if self._taken + count <= _BLOCK:
            if self._block is None:
                keys = None if self.keys is None else self.keys[:, None]
                self._block = _Block(self.n, 1, self._source, self.generator, keys)
            u = self._block.of(self._sibling)[:, self._taken : self._taken + count]
            self._taken += count
        elif self.keys is not None:
            words = (count + 1) // 2
            u = _uniforms(self.keys, self._words_taken + 1, words)[:, :count]
            self._words_taken += words
        else:
            u = torch.empty(self.n, count, dtype=torch.float32, device=self._source).uniform_(generator=self.generator)
        u = u.to(self.device).reshape(self.n, *shape)
        if (low, high) == (0.0, 1.0):
            return u
        u = u * (high - low)
        return u + low if low else u

    def normal(self, *shape: int, std: float = 1.0) -> Tensor:
        """float32 ``(n, *shape)``, each entry N(0, std²); keyed draws use Box and Muller's pair."""
        source = self._source
        if self.keys is None and source.type != "cpu":
            drawn = torch.randn(self.n, *shape, generator=self.generator, dtype=torch.float32, device=source)
            return drawn.mul_(std).to(self.device)
        if self.keys is None:
            # A CPU generator uses one core, and its numbers would have to be copied: it only draws keys.
            fresh = torch.empty(self.n, dtype=torch.int64, device=source)
            keyed = Rng(self.n, self.device, keys=fresh.random_(-(2**63), None, generator=self.generator))
            keyed.keep = self.keep
            return keyed.normal(*shape, std=std)
        needed = None if self.keep is None else host.rows(self.keep)
        words = (math.prod(shape) + 1) // 2
        first = self._words_taken + 1
        self._words_taken += words
        if needed is None or needed.shape[0] == self.n:
            return _normals(self.keys, first, shape, std)
        drawn = torch.zeros(self.n, *shape, dtype=torch.float32, device=self.device)
        return drawn.index_copy_(0, needed, _normals(self.keys.index_select(0, needed), first, shape, std))

    def integers(self, high: int, *shape: int) -> Tensor:
        """int64 ``(n, *shape)``, each entry one of 0 … high - 1."""
        # 24 random bits: the bias is below high / 2^24. A float below 1 times high never rounds up to high.
        return (self.uniform(*shape) * high).long()

    def permutation(self, size: int, *shape: int) -> Tensor:
        """int64 ``(n, *shape, size)``: a random order of 0 … size - 1 along the last axis."""
        return self.uniform(*shape, size).argsort(-1)


def _normals(keys: Tensor, first: int, shape: tuple[int, ...], std: float) -> Tensor:
    """N(0, std²) from the words ``first`` … of keys ``(n,)``, two from each: float32 ``(n, *shape)``."""
    n, count = keys.shape[0], math.prod(shape)
    if not n * count:
        return torch.zeros(n, *shape, dtype=torch.float32, device=keys.device)
    pair = torch.empty(n, 2, (count + 1) // 2, dtype=torch.float32, device=keys.device)
    # The words' scratch is the memory of the results: memory that was not touched lately is slow.
    scratch = None if torch.compiler.is_compiling() else pair.flatten(1).view(torch.int64)
    words = _words(keys, first, pair.shape[2], scratch)
    # As float32 a signed word is its upper bits, a number in ±2^63; shifted, its lower half.
    high, angle = pair[:, 0].copy_(words), pair[:, 1].copy_(words.bitwise_left_shift_(32))
    # With u = |high| / 2^63, uniform in [0, 1]: r² = -2 log u = -log u², and u² is kept off 0.
    least = torch.full((), 2.0**-66, dtype=torch.float32, device=keys.device)
    radius = torch.addcmul(least, high, high, value=2.0**-126).log_().mul_(-std * std).sqrt_()
    high.copy_(angle.mul_(math.pi * 2.0**-63)).cos_()
    angle.sin_()
    return pair.mul_(radius[:, None]).flatten(1)[:, :count].reshape(n, *shape)
