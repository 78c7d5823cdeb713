"""Joints and persons: index maps, masks, and the streams bone and motion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skelaug import host
from skelaug.check import constant

__all__ = [
    "bone",
    "clear_absent",
    "fill_joints",
    "lower_end",
    "lower_frame",
    "motion",
    "over_joints",
    "over_persons",
    "spread",
    "take_joints",
    "take_persons",
    "weights",
]


def take_joints(x: Tensor, joints: Tensor) -> Tensor:
    """Output joint v of sample n is its input joint ``joints[n, v]``.

    Args:
        x: ``(N, C, T, V, M)``; a mask of whole persons (V = 1) is returned as it is.
        joints: int64 ``(N, V')``; an index out of range becomes the nearest in range.

    Returns:
        ``(N, C, T, V', M)``.
    """
    n, c, t, v, m = x.shape
    if v == 1 and joints.shape[1] > 1:
        return x
    # Joint and person side by side on the last axis: there gather reads and writes runs of neighbours.
    index = joints.clamp(0, max(v - 1, 0))[:, :, None] * m + torch.arange(m, device=x.device)
    return _gather_last(x, index.flatten(1)).view(n, c, t, joints.shape[1], m)


def take_persons(x: Tensor, persons: Tensor) -> Tensor:
    """Slot m of sample n shows its person ``persons[n, m]``.

    Args:
        x: ``(N, C, T, V, M)``.
        persons: int64 ``(N, M)``; an index out of range becomes the nearest in range.
    """
    m = x.shape[4]
    index = torch.arange(x.shape[3], device=x.device)[:, None] * m + persons.clamp(0, max(m - 1, 0))[:, None]
    return _gather_last(x, index.flatten(1)).view(x.shape)


def _gather_last(x: Tensor, index: Tensor) -> Tensor:
    """Entries ``index (N, K)`` of the joints and persons of ``x (N, C, T, V, M)``, as one axis: ``(N, C * T, K)``."""
    n, c, t, v, m = x.shape
    return x.reshape(n, c * t, v * m).gather(2, index[:, None].expand(-1, c * t, -1))


def weights(mask: Tensor, x: Tensor) -> Tensor:
    """What is present as 1, the rest as 0, in the dtype of ``x (N, C, T, V, M)``: broadcasts against it."""
    return spread(mask[:, None].to(x.dtype), x.shape[3])


def spread(per_person: Tensor, joints: int) -> Tensor:
    """:func:`over_joints` for finite numbers ``(N, 1, T, 1, M)``, and for those that have their joints already."""
    n, _, t, v, m = per_person.shape
    if v == joints or per_person.device.type != "cpu" or torch.compiler.is_compiling():
        return per_person
    # A small product repeats a person's number over the joints faster than a copy of pairs of numbers does.
    repeat = torch.eye(m, dtype=per_person.dtype, device=per_person.device).repeat(1, joints)
    return (per_person.reshape(n * t, m) @ repeat).view(n, 1, t, joints, m)


def over_joints(per_person: Tensor, joints: int) -> Tensor:
    """Repeat ``(N, *, *, 1, M)``, one number a person, over the joints on a CPU; elsewhere it is left to broadcast."""
    if per_person.device.type != "cpu" or torch.compiler.is_compiling():
        return per_person
    return per_person.expand(-1, -1, -1, joints, -1).contiguous()


def over_persons(per_joint: Tensor, persons: int) -> Tensor:
    """Repeat bool ``(N, T, V)``, one a joint, over the persons: ``(N, T, V, M)``."""
    if per_joint.device.type != "cpu" or torch.compiler.is_compiling() or not persons:
        return per_joint[..., None].expand(*per_joint.shape, persons)
    return torch.stack([per_joint] * persons, -1)


def clear_absent(x: Tensor, mask: Tensor, *, overwrite: bool = False) -> Tensor:
    """Set what is not present to +0.0, whatever it holds.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: what is present, ``(N, T, V or 1, M)``.
        overwrite: ``x`` is scratch memory: no tensor outside the caller can alias it.
    """
    return _keep(x, weights(mask, x), overwrite)


def _keep(x: Tensor, kept: Tensor, overwrite: bool) -> Tensor:
    """``x`` where ``kept``, 1 or 0, which broadcasts against it, is not 0; elsewhere +0.0, whatever ``x`` holds."""
    if not host.readable(x) or host.differentiated(x):
        return x.masked_fill_(kept == 0, 0) if overwrite else x.masked_fill(kept == 0, 0)
    # All bits of what is kept, none of the rest: on a CPU a fraction of the time of masked_fill_.
    bits = _BITS[x.element_size()]
    y = x if overwrite else x.clone()
    y.view(bits).bitwise_and_(kept.to(bits).neg_())
    return y


_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes an entry


def fill_joints(
    x: Tensor, chosen: Tensor, fill: Tensor | float, mask: Tensor | None = None, *, overwrite: bool = False
) -> Tensor:
    """Replace all channels of the chosen joints of everybody who is present.

    Args:
        x: ``(N, C, T, V, M)``.
        chosen: bool ``(N, T or 1, V)``.
        fill: a number, or a tensor that broadcasts against ``x``.
        mask: what is present; absent entries stay 0. Needed where ``fill`` is not 0.
        overwrite: ``x`` is scratch memory: no tensor outside the caller can alias it.
    """
    hidden = over_persons(chosen, x.shape[4])[:, None]
    if not isinstance(fill, Tensor) and fill == 0:
        return _keep(x, ~hidden, overwrite)
    if mask is not None:
        hidden = hidden & mask[:, None]
    return torch.where(hidden, fill.to(x.dtype) if isinstance(fill, Tensor) else fill, x)


def bone(x: Tensor, parents: Sequence[int], mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Each joint minus its parent; the root, its own parent, becomes 0.

    Args:
        x: ``(N, C, T, V, M)``.
        parents: parent of each joint, V of them; the root is its own.
        mask: what is present. A bone is observed if both its ends are; else it is 0.

    Returns:
        The bones ``(N, C, T, V, M)`` and their mask.
    """
    index = constant(parents, x.device)
    bones = x - take_joints(x, index.expand(x.shape[0], -1))
    for root in (joint for joint, parent in enumerate(parents) if joint == parent):
        bones[:, :, :, root] = 0  # also where the root is infinite
    if mask is None or mask.shape[2] == 1:  # whole persons: an absent one has zeros at both ends
        return bones, mask
    both = mask & mask.index_select(2, index)
    return clear_absent(bones, both), both


def lower_end(x: Tensor, parents: Sequence[int], mask: Tensor | None = None) -> Tensor:
    """The lower of each joint's value and its parent's: the score of a bone from the scores of its ends.

    Args:
        x: ``(N, C, T, V, M)``.
        parents: parent of each joint, V of them; the root is its own.
        mask: what is observed of the bones; the rest becomes 0.
    """
    lower = torch.minimum(x, take_joints(x, constant(parents, x.device).expand(x.shape[0], -1)))
    return lower if mask is None else clear_absent(lower, mask)


def lower_frame(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The lower of this frame's value and the next one's: the score of a :func:`motion`, 0 where that is 0.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: what is present.
    """
    lower = torch.minimum(x[:, :, 1:], x[:, :, :-1])
    if mask is not None:
        lower = clear_absent(lower, mask[:, 1:] & mask[:, :-1])
    return torch.cat([lower, torch.zeros_like(x[:, :, :1])], 2)


def motion(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The next frame minus this one; 0 in the last frame, and wherever one of the two is absent.

    Args:
        x: ``(N, C, T, V, M)``.
        mask: what is present.
    """
    step = x[:, :, 1:] - x[:, :, :-1]
    if mask is not None:
        step = clear_absent(step, mask[:, 1:] & mask[:, :-1])
    return torch.cat([step, torch.zeros_like(x[:, :, :1])], 2)
