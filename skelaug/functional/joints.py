"""Maps on the joints: permutations and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from skelaug import rows

__all__ = [
    "add",
    "bone",
    "fill_joints",
    "motion",
    "pairs_up",
    "spell_out",
    "take_joints",
    "take_mask",
    "take_persons",
    "weights",
]


#: A type of twice the width.
_PAIR = {
    torch.bool: torch.int16,
    torch.float16: torch.int32,
    torch.bfloat16: torch.int32,
    torch.float32: torch.int64,
}


def take_joints(x: Tensor, joints: Tensor) -> Tensor:
    """Output joint v of sample n is its input joint ``joints[n, v]``.

    Args:
        x: ``(N, C, T, V, M)``; a mask of whole persons (V = 1) is returned as it is.
        joints: int64 ``(N, V')``.

    Returns:
        ``(N, C, T, V', M)``.
    """
    n, c, t, v, m = x.shape
    if v == 1 and joints.shape[1] > 1:
        return x
    if pairs_up(x):
        pairs = torch.view_as_complex(x.contiguous().view(n, c * t, v, m))
        index = joints[:, None].expand(-1, c * t, -1)
        return torch.view_as_real(pairs.gather(2, index)).view(n, c, t, joints.shape[1], m)
    # Joint and person side by side on the last axis: there gather runs three times faster than on the fourth of five.
    index = (joints[:, :, None] * m + torch.arange(m, device=x.device)).view(n, 1, joints.shape[1] * m)
    return x.reshape(n, c * t, v * m).gather(2, index.expand(-1, c * t, -1)).view(n, c, t, joints.shape[1], m)


def take_mask(mask: Tensor | None, joints: Tensor) -> Tensor | None:
    """:func:`take_joints` for a mask ``(N, T, V, M)``."""
    return None if mask is None else take_joints(mask[:, None], joints)[:, 0]


def pairs_up(x: Tensor) -> bool:
    """Whether two persons can be indexed as one complex number, which halves the work."""
    exact = x.dtype in (torch.float32, torch.float64) and not torch.compiler.is_compiling()
    return x.shape[4] == 2 and exact and x.storage_offset() % 2 == 0


def weights(mask: Tensor, x: Tensor) -> Tensor:
    """What is present as 1, the rest as 0, in the dtype of ``x (N, C, T, V, M)``: broadcasts against it."""
    return spell_out(mask[:, None].to(x.dtype), x.shape[3])


def spell_out(persons: Tensor, joints: int) -> Tensor:
    """Repeat ``(N, *, *, 1, M)``, a number a person, over the joints, on a CPU, where broadcasting it is far slower.

    A tensor that has the joints already is returned contiguous; elsewhere it is left to broadcast.
    """
    if not rows.readable(persons):
        return persons
    dtype = persons.dtype
    if persons.shape[3:] != (1, 2) or dtype not in _PAIR or persons.requires_grad:  # view(dtype) would cut the tape
        return persons.expand(-1, -1, -1, joints, -1).contiguous()
    words = persons.contiguous().view(_PAIR[dtype])  # two persons as one word: copied eight times as fast as two by two
    return words.expand(-1, -1, -1, joints, -1).contiguous().view(dtype)


def add(x: Tensor, value: Tensor, mask: Tensor | None = None, *, own: bool = False) -> Tensor:
    """Add ``value``, which broadcasts against ``x (N, C, T, V, M)``, to what is present; ``own``: in place."""
    if mask is None:
        return x + value
    there = weights(mask, x)
    return x.addcmul_(value, there) if own else torch.addcmul(x, value, there)


def take_persons(x: Tensor, persons: Tensor) -> Tensor:
    """Slot m of sample n shows its person ``persons[n, m]``.

    Args:
        x: ``(N, C, T, V, M)``.
        persons: int64 ``(N, M)``.
    """
    n, c, t, v, m = x.shape
    index = (torch.arange(v, device=x.device)[:, None] * m + persons[:, None]).view(n, 1, v * m)
    return x.reshape(n, c * t, v * m).gather(2, index.expand(-1, c * t, -1)).view(n, c, t, v, m)


def fill_joints(
    x: Tensor, chosen: Tensor, fill: Tensor | float, mask: Tensor | None = None, *, own: bool = False
) -> Tensor:
    """Replace all channels of the chosen joints of everybody who is present.

    Args:
        x: ``(N, C, T, V, M)``.
        chosen: bool ``(N, T or 1, V)`` or ``(N, T or 1, V, M)``.
        fill: a number, or a tensor that broadcasts against ``x``. With 0, ``x`` must be finite: it is multiplied.
        mask: what is present; absent entries stay 0.
        own: allows to overwrite ``x``.
    """
    if chosen.ndim == 3:
        chosen = _for_all_persons(chosen, x.shape[4])
    if not isinstance(fill, Tensor) and fill == 0:  # what is absent is 0 already; a product is six times as fast
        kept = (~chosen).to(x.dtype)[:, None]
        return x.mul_(kept) if own else x * kept
    if mask is not None:
        chosen = chosen & mask
    fill = fill.to(x.dtype) if isinstance(fill, Tensor) else fill
    return torch.where(chosen[:, None], fill, x)


def _for_all_persons(chosen: Tensor, persons: int) -> Tensor:
    """Bool ``(N, T, V)`` to ``(N, T, V, M)``, spelt out where that is cheap."""
    if persons == 2:  # one byte becomes two of the same: twenty times as fast as a copy of an expanded view
        bytes_ = chosen.to(torch.int16, memory_format=torch.contiguous_format) * 257
        return bytes_.view(torch.bool).view(*chosen.shape, 2)
    return chosen[..., None].expand(*chosen.shape, persons)


def bone(x: Tensor, parents: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Each joint minus its parent; the root, its own parent, becomes 0.

    Args:
        x: ``(N, C, T, V, M)``.
        parents: int64 ``(V,)``.
        mask: what is present. A bone is observed if both its ends are; else it is 0.

    Returns:
        The bones ``(N, C, T, V, M)`` and their mask.
    """
    bones = x - take_joints(x, parents.expand(x.shape[0], -1))
    if mask is None or mask.shape[2] == 1:  # whole persons: an absent one has zeros at both ends
        return bones, mask
    seen = mask & mask.index_select(2, parents)
    return bones * seen[:, None], seen


def motion(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The next frame minus this one; 0 in the last frame, and wherever one of the two is absent.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: what is present.
    """
    step = x[:, :, 1:] - x[:, :, :-1]
    if mask is not None:
        step = step * weights(mask[:, 1:] & mask[:, :-1], x)
    return torch.cat([step, torch.zeros_like(x[:, :, :1])], 2)
