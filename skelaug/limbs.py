"""Which limb each joint is part of, found from the names of the joints and their tree."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["find_limbs"]

_LEG = ("hip", "knee", "ankle", "foot", "heel", "toe", "leg", "thigh", "calf", "shin", "femur", "tibia", "back_paw")
_ARM = (
    *("collar", "clavicle", "shoulder", "arm", "elbow", "wrist", "hand", "finger", "thumb", "index", "pinky"),
    *("humerus", "radius", "front_paw"),
)


def find_limbs(
    joints: Sequence[str], parents: Sequence[int], pairs: Sequence[tuple[int, int]], own: Sequence[str] = ()
) -> dict[str, tuple[int, ...]]:
    """The trunk, two arms and two legs, as far as the joints are there.

    A joint of a pair belongs to the arm or leg that its name says; if it says none, to the limb of its parent, if that
    is on the same side; else to the trunk. Where no name says arm or leg, the joints of a side are one limb,
    ``"left"`` or ``"right"``.

    Args:
        joints: their names.
        parents: of each joint; the root is its own.
        pairs: (left, right) joint numbers.
        own: words; joints with one of them in their name are a limb of that name, before arms and legs.

    Returns:
        The joints of each limb, by name, the trunk first; empty if nothing but a trunk was found.

    Example:
        >>> find_limbs(["hip", "l_knee", "r_knee", "l_toe_1", "r_toe_1"], [0, 0, 0, 1, 2], [(1, 2), (3, 4)])
        {'trunk': (0,), 'left_leg': (1, 3), 'right_leg': (2, 4)}
    """
    sides = {joint: side for pair in pairs for joint, side in zip(pair, ("left", "right"), strict=True)}
    found: dict[int, str] = {}

    def limb(joint: int) -> str:
        if joint not in found:
            name, side = joints[joint].casefold(), sides.get(joint)
            words = [word for word in own if word in name]
            parts = [part for part, marks in (("leg", _LEG), ("arm", _ARM)) if any(mark in name for mark in marks)]
            if words:
                found[joint] = words[0]
            elif side and parts:
                found[joint] = f"{side}_{parts[0]}"
            else:
                above = "trunk" if parents[joint] == joint else limb(parents[joint])
                found[joint] = above if side and above.startswith(f"{side}_") else "trunk"
        return found[joint]

    names = [limb(joint) for joint in range(len(joints))]
    if set(names) == {"trunk"}:
        names = [sides.get(joint, "trunk") for joint in range(len(joints))]
    if set(names) == {"trunk"}:
        return {}
    order = ("trunk", "left_arm", "right_arm", "left_leg", "right_leg", *own, "left", "right")
    parts = {part: tuple(j for j, name in enumerate(names) if name == part) for part in order}
    return {part: held for part, held in parts.items() if held}
