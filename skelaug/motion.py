"""Motion to try things on: real clips that ship with the package, and procedural actions of any skeleton.

Both use metres, y up, and bodies that face +x with their right at +z, at 30 frames a second.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug import check, host
from skelaug.arrays import StoredArray, array_names
from skelaug.batch import SkeletonBatch
from skelaug.expect import of_type
from skelaug.random import Rng
from skelaug.skeleton import Skeleton

__all__ = ["ACTIONS", "FPS", "clip_names", "sample_motion", "synthetic_motion"]

#: Frames per second of both kinds of motion.
FPS = 30


@functools.cache
def _clips() -> dict[str, Tensor]:
    """The bundled clips by name, ``(T, V, 3)`` in metres. Shared: never hand these out."""
    with resources.as_file(resources.files("skelaug") / "assets" / "sample_motion.npz") as path:
        held = {name: StoredArray.open(path, name).load() for name in array_names(path)}
    positions = torch.from_numpy(held["positions"].astype(np.float64) * float(held["unit"])).float()
    return dict(zip(held["names"].tolist(), torch.split(positions, held["lengths"].tolist()), strict=True))


def clip_names() -> tuple[str, ...]:
    """Names of the bundled clips, in the order of their labels.

    Example:
        >>> clip_names()[:3]
        ('walk', 'run', 'jump')
    """
    return tuple(_clips())


def _chosen(who: str, name: str, chosen: Any, options: Sequence[str]) -> list[str]:
    """The chosen names, at least one of the options; all of them for ``None``."""
    if chosen is None:
        return list(options)
    if isinstance(chosen, str | Tensor) or not isinstance(chosen, Iterable):
        raise TypeError(f"{who}({name}={chosen!r}): {name} must be a sequence of names; write [{chosen!r}]")
    names = [check.choice(who, name, one, options) for one in chosen]
    if not names:
        raise ValueError(f"{who}({name}={chosen!r}): {name} must hold at least one {name[:-1]} of {', '.join(options)}")
    return names


@host.plain_defaults()
def sample_motion(
    clips: Sequence[str] | None = None, *, length: int | None = None, centre: bool = True
) -> SkeletonBatch:
    """Real human motion: 15 short clips of walking, jumping, kicking, dancing …, of the skeleton ``"humanoid15"``.

    The clips come with DeepMimic and pybullet (see NOTICE); ``tools/sample_motion/build.py`` made the file. Metres,
    y up, 30 frames a second; walking and running go along +x, with the right at +z. Bones keep their length.

    Args:
        clips: names of the clips wanted, in any order; ``None`` for all of ``clip_names()``.
        length: cut every clip into consecutive windows of this many frames, a sample each. A last window that is
            shorter is padded with absent frames if it has at least half of them, and left out otherwise. ``None`` keeps
            every clip whole, padded with absent frames to the longest.
        centre: put the root (the pelvis) at the origin in the first frame of each sample, on all three axes. Without
            it, y = 0 is the ground and a window begins where the clip has got to.

    Returns:
        New tensors each time: x float32 ``(N, 3, T, 15, 1)``, mask, and as label the clip's index in ``clip_names()``.

    Raises:
        TypeError: ``clips`` is a single string.
        ValueError: an unknown clip, no clip, or a ``length`` for which no clip has half of the frames.

    Example:
        >>> sample_motion().x.shape
        torch.Size([15, 3, 133, 15, 1])
        >>> sample_motion(["walk", "run"], length=16).label.tolist()
        [0, 0, 1, 1]
    """
    stored = _clips()
    names = list(stored)
    wanted = _chosen("sample_motion", "clips", clips, names)
    check.choice("sample_motion", "centre", centre, (True, False))
    if length is not None:
        check.count("sample_motion", "length", length)

    windows, labels = [], []
    for name in wanted:
        for part in (
            [stored[name]] if length is None else torch.split(stored[name], min(length, max(len(stored[name]), 1)))
        ):
            if length is None or 2 * len(part) >= length:
                windows.append(part - part[0, 0] if centre else part)
                labels.append(names.index(name))
    if not windows:
        longest = max(len(stored[name]) for name in wanted)
        raise ValueError(
            f"sample_motion(length={length}): a sample needs at least half of its frames, and the longest clip has "
            f"{longest}; give a length of at most {2 * longest}"
        )
    x = torch.nn.utils.rnn.pad_sequence(windows, batch_first=True)  # (N, T, V, 3)
    x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, (length or x.shape[1]) - x.shape[1]))
    x = x.permute(0, 3, 1, 2)[..., None].contiguous()
    lengths = torch.tensor(list(map(len, windows)), device=x.device)
    return SkeletonBatch.from_lengths(x, lengths, label=torch.tensor(labels, device=x.device))


_ROLES = ("trunk", "left_arm", "right_arm", "left_leg", "right_leg")
#: Where a limb of the body at rest begins and ends, in metres from the pelvis.
_REST = {
    "left_arm": ((0.0, 0.5, -0.18), (0.02, -0.1, -0.25)),
    "right_arm": ((0.0, 0.5, 0.18), (0.02, -0.1, 0.25)),
    "left_leg": ((0.0, -0.05, -0.1), (0.02, -0.9, -0.12)),
    "right_leg": ((0.0, -0.05, 0.1), (0.02, -0.9, 0.12)),
}
_ACTIONS = tomllib.loads((resources.files("skelaug") / "assets" / "actions.toml").read_text(encoding="utf-8"))

#: Names of the procedural actions.
ACTIONS = tuple(_ACTIONS)


def _roles(skeleton: Skeleton) -> list[str]:
    """Which limb each joint belongs to. A skeleton that does not name two arms and two legs gets them from its tree."""
    limbs = {joint: role for role in _ROLES[1:] for joint in skeleton.limbs.get(role, ())}
    if set(limbs.values()) == set(_ROLES[1:]):
        return [limbs.get(joint, "trunk") for joint in range(len(skeleton))]
    roles = ["trunk"] * len(skeleton)
    children = [[c for c, p in enumerate(skeleton.parents) if p == j and c != j] for j in range(len(skeleton))]
    ends = [joint for joint, below in enumerate(children) if not below]
    for i, joint in enumerate(ends):
        while skeleton.parents[joint] != joint:
            roles[joint] = _ROLES[1 + i % 4]
            joint = skeleton.parents[joint]
            if len(children[joint]) > 1:
                break
    return roles


def _trunk_heights(skeleton: Skeleton, roles: list[str]) -> dict[int, float]:
    """Height above the pelvis of every joint of the trunk, in metres.

    Where arms branch off it is the shoulders', where legs do the pelvis'; what lies between is spread evenly; what
    hangs on by one end (the head) goes up from there.
    """
    trunk = [joint for joint, role in enumerate(roles) if role == "trunk"]
    neighbours, hops = skeleton.adjacency(self_loops=False).bool(), skeleton.hops()
    fixed: dict[int, float] = {}
    for joint in trunk:
        beside = {roles[other] for other in neighbours[joint].nonzero()[:, 0].tolist()} - {"trunk"}
        levels = {0.5 if role.endswith("arm") else 0.0 for role in beside}
        if levels:
            fixed[joint] = sum(levels) / len(levels)
    fixed = fixed or {skeleton.root: 0.0}

    # A joint is as high as the mean of its neighbours on the ways to fixed joints; with one such way it is above it.
    ends = list(fixed)
    on_the_way = neighbours & (hops[:, None, ends] == hops[None, :, ends] + 1).any(-1)
    ways = on_the_way.sum(1, keepdim=True)
    system = torch.eye(len(skeleton), dtype=torch.float64) - on_the_way / ways.clamp_min(1)
    heights = torch.where(ways == 1, 0.13, 0.0).double()
    system[ends] = torch.eye(len(skeleton), dtype=torch.float64)[ends]
    heights[ends, 0] = torch.tensor(list(fixed.values()), dtype=torch.float64)
    solved = torch.linalg.solve(system[trunk][:, trunk], heights[trunk])
    return dict(zip(trunk, solved[:, 0].tolist(), strict=True))


def _body(skeleton: Skeleton) -> tuple[Tensor, Tensor, Tensor]:
    """Bones at rest, the limbs that they are part of, and paths.

    Returns:
        Bones ``(V, 3)`` from the parent, in metres; 1 where a bone is part of a limb, and of its outer half,
        ``(2, V, R)``; 1 where a bone is on the way from the root to a joint, ``(joint, bone)``.
    """
    size = len(skeleton)
    roles = _roles(skeleton)
    ancestors = skeleton.ancestors()
    depth = ancestors.sum(1).tolist()
    rest, parts = torch.zeros(size, 3), torch.zeros(2, size, len(_ROLES))
    for joint, height in _trunk_heights(skeleton, roles).items():
        rest[joint, 1] = height
        parts[0, joint, 0] = 1
    for left, right in skeleton.pairs:
        for joint, side in ((left, -0.05), (right, 0.05)):
            rest[joint, 2] = side
    for index, role in enumerate(_ROLES[1:], start=1):
        limb = sorted((j for j in range(size) if roles[j] == role), key=lambda j: (depth[j], j))
        for rank, joint in enumerate(limb):
            # Three joints or more begin at the shoulder or hip; fewer are hand and elbow, foot and knee.
            along = rank / (len(limb) - 1) if len(limb) > 2 else (rank + 1) / len(limb)
            rest[joint] = torch.lerp(torch.tensor(_REST[role][0]), torch.tensor(_REST[role][1]), along)
            parts[0, joint, index] = along > 0
            parts[1, joint, index] = along > 0.5
    bones = rest - rest[list(skeleton.parents)]
    bones[bones.norm(dim=1) < 0.03] = torch.tensor([0.05, 0.0, 0.0])
    ancestors[:, skeleton.root] = 0  # the root has no bone
    return bones, parts, ancestors


def _table(actions: Sequence[str]) -> Tensor:
    """``(A, 2, 2, R, 3)``: rotation vectors in radians by action, whole or outer half, rest or swing, and limb."""
    table = torch.zeros(len(actions), 2, 2, len(_ROLES), 3)
    for a, action in enumerate(actions):
        for role, direction, *angles in _ACTIONS[action]["limbs"]:
            side = 1.0 if role.startswith("left") else -1.0
            axis = {"front": (0.0, 0.0, 1.0), "side": (side, 0.0, 0.0), "inward": (0.0, -side, 0.0)}[direction]
            turns = torch.tensor(angles).deg2rad().reshape(2, 2, 1) * torch.tensor(axis)
            table[a, :, :, _ROLES.index(role)] += turns
    return table


def _turn(v: Tensor, rotation: Tensor) -> Tensor:
    """Vectors ``(…, 3)`` turned by rotation vectors ``(…, 3)``."""
    from kornia.geometry.conversions import axis_angle_to_rotation_matrix

    turned: Tensor = (axis_angle_to_rotation_matrix(rotation) @ v[..., None])[..., 0]
    return turned


@host.plain_defaults()
def synthetic_motion(
    skeleton: Skeleton | str,
    n: int,
    frames: int,
    persons: int = 1,
    *,
    gaps: bool = False,
    dims: int = 3,
    actions: Sequence[str] | None = None,
    generator: torch.Generator | None = None,
) -> SkeletonBatch:
    """Procedural motion of any skeleton: simple actions that a classifier can tell apart.

    The bones of an upright body at rest turn by angles that go with the sine of time, limb by limb, so that their
    lengths stay constant. Metres, y up, 30 frames a second; a body faces +x to within 30 degrees, with its right at +z.
    A skeleton whose ``limbs`` do not name two arms and two legs gets limbs from the branches of its tree; where an
    action finds no limb to move (a plain chain of joints has one), the body stands still.

    Drawn per sample: its action, each equally often. Drawn per person: amplitude, frequency (0.7 to 1.4 a second),
    phase, heading, place, size and the length of each bone. With ``gaps``, drawn per sample: whether and where it ends
    early; per person: whether it is there at all (the first one is) and a gap of up to an eighth of the frames.

    Args:
        skeleton: any skeleton, or the name of a known one.
        n: number of samples.
        frames: number of frames T.
        persons: number of people M; all of a sample's people do the same.
        gaps: let clips end early, people be missing and frames be lost. What is absent is 0 in x and False in mask.
        dims: 3, or 2 for x and y only: a view from the side, in which bones do not keep their length.
        actions: some of ``skelaug.motion.ACTIONS``; ``None`` for all.
        generator: draws come from it, on its device, where the batch lies too; ``None`` for torch's global CPU one.

    Returns:
        x float32 ``(N, dims, T, V, M)``, mask, and as label the index in ``actions``.

    Raises:
        TypeError: ``skeleton`` is none, or ``actions`` is a single string.
        ValueError: an unknown action, or a number that is out of range.

    Example:
        >>> from skelaug import skeletons
        >>> batch = synthetic_motion(skeletons["ntu25"], n=6, frames=40, actions=["wave", "squat", "kick"])
        >>> batch.x.shape, batch.label.bincount().tolist()
        (torch.Size([6, 3, 40, 25, 1]), [2, 2, 2])
    """
    who = "synthetic_motion"
    skeleton = check.skeleton(who, skeleton)
    for name, value in (("n", n), ("frames", frames), ("persons", persons)):
        check.count(who, name, value)
    check.choice(who, "dims", dims, (2, 3))
    check.choice(who, "gaps", gaps, (True, False))
    actions = _chosen(who, "actions", actions, ACTIONS)
    of_type(who, "generator", generator, (torch.Generator, type(None)), "a torch.Generator or None")

    device = torch.device("cpu") if generator is None else generator.device
    rng = Rng(n, device, generator=generator)
    bones, parts, ancestors = (part.to(device) for part in _body(skeleton))
    label = (torch.arange(n, device=device) % len(actions))[rng.uniform().argsort()]

    # (N, T, M): where in its cycle each person is.
    time = torch.arange(frames, device=device)[:, None] / FPS
    frequency, phase = rng.uniform(1, persons, low=0.7, high=1.4), rng.uniform(1, persons, high=2 * math.pi)
    swing = (2 * math.pi * frequency * time + phase).sin()
    amplitude = rng.uniform(1, persons, low=0.8, high=1.2)

    # Rotation vectors of the bones: those of the whole limb and of its outer half added up, (N, T, M, V, 3).
    rotation = torch.einsum("nhsrc,hvr->nsvc", _table(actions).to(device)[label], parts)
    at_rest, swung = rotation[:, 0, None, None], rotation[:, 1, None, None]
    rotation = amplitude[..., None, None] * (at_rest + swung * swing[..., None, None])
    size = rng.uniform(persons, 1, 1, low=0.85, high=1.15)
    build = rng.uniform(persons, len(skeleton), 1, low=0.95, high=1.05)
    body = _turn((bones * size * build)[:, None], rotation)

    def of_action(name: str) -> Tensor:
        return torch.tensor([_ACTIONS[action].get(name, 0.0) for action in actions], device=device)[label, None, None]

    heading = rng.uniform(1, persons, low=-math.pi / 6, high=math.pi / 6)
    yaw = heading + (of_action("turn") * math.pi / 180) * amplitude * swing
    up = torch.tensor([0.0, 1.0, 0.0], device=device)
    body = _turn(body, yaw[..., None, None] * up)
    place = rng.uniform(persons, 3, low=-0.1, high=0.1)
    place[..., 2] += torch.arange(persons, device=device)  # side by side, a metre apart
    rise = of_action("rise") * amplitude * (swing + 1) / 2
    root = place[:, None] + rise[..., None] * up
    x = root[..., None, :] + ancestors @ body  # (N, T, M, V, 3)

    x = x.permute(0, 4, 1, 3, 2)[:, :dims].contiguous()
    mask = _presence(rng, frames, persons) if gaps else x.new_ones(n, frames, persons, dtype=torch.bool)
    return SkeletonBatch(x, mask[:, :, None].expand(-1, -1, len(skeleton), -1).contiguous(), label=label)


def _presence(rng: Rng, frames: int, persons: int) -> Tensor:
    """A mask ``(N, T, M)`` with early ends, missing people and gaps; the first person is seen at least once."""
    t = torch.arange(frames, device=rng.device)[:, None]
    # Half of the samples end early, none before its middle.
    share = rng.uniform(1, 1, low=0.5, high=1.5).clamp_max(1)
    mask = t < (share * frames).ceil()
    there = rng.uniform(1, persons) < 0.7
    there[..., 0] = True
    width = rng.integers(frames // 8 + 1, 1, persons)
    start = rng.integers(frames, 1, persons)
    return mask & there & ~((t >= start) & (t < start + width))
