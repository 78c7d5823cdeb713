"""Which joints mirror each other, found from their names: left and right in the spellings that people use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Sides", "find_sides", "torn_pairs"]

_WORD = re.compile("left|right", re.IGNORECASE)
# What camel case, digits and other characters take apart: lFoot is l, Foot; LArm is L, Arm; Leg_L is Leg, L.
_TOKEN = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\dA-Z_]+|[A-Z]+|\d+")

Spans = list[tuple[int, int]]
Key = tuple[str, ...]


class Sides(NamedTuple):
    """What the names say.

    Attributes:
        pairs: (left, right) joint numbers, in the order of the left ones.
        alone: joints whose names say left or right, without a counterpart; in order.
    """

    pairs: tuple[tuple[int, int], ...]
    alone: tuple[int, ...]


def find_sides(joints: Sequence[str]) -> Sides:
    """The left and right joints that belong together.

    Two names are a pair where they differ in nothing but their side. What says the side is, the surest first:

    - the words left and right, anywhere, or l and r as words of their own: ``LeftArm``, ``HIP_LEFT``, ``lFoot``,
      ``LArm``, ``Leg_L``, ``foot.l``, ``b_l_arm``; all such marks of a name together, then each by itself;
    - l or r as the first or last letter of a word: ``lfemur``, ``RLEG``, ``wristl``. As many words begin so, a name of
      this kind is never said to be alone.

    Capital letters make no difference. A joint is in one pair at most. Where a name could go with several, as only
    ``lfoot`` and ``LFoot`` beside ``rfoot``, none of them is paired: they are alone.

    Args:
        joints: their names.

    Example:
        >>> find_sides(["Hips", "lHand", "mThumbLeft", "rHand", "mThumbRight", "Foot_L"])
        Sides(pairs=((1, 3), (2, 4)), alone=(5,))
    """
    partner: dict[int, int] = {}  # of left joints
    paired: set[int] = set()
    for marks in (_together, _words, _letters, _ends):
        left, right = _tables([(i, name) for i, name in enumerate(joints) if i not in paired], marks)
        for key, lefts in sorted(left.items()):  # whatever the order of the joints
            rights = right.get(key, [])
            if len(lefts) == len(rights) == 1 and not paired.intersection(lefts + rights):
                partner[lefts[0]] = rights[0]
                paired.update(lefts + rights)
    alone = [i for i, name in enumerate(joints) if i not in paired and _says_side(name)]
    return Sides(tuple(sorted(partner.items())), tuple(alone))


def torn_pairs(sides: Sides, parents: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The pairs that hang on different joints which are no pair: a mirror tears such bones off their bodies.

    Joints that are alone are passed over: an arm may have a joint more than the other one. What hangs on a torn pair
    is torn too.

    Args:
        sides: of the joints.
        parents: of each joint; the root is its own.

    Example:
        >>> torn_pairs(find_sides(["hip", "handA", "handB", "thumbLeft", "thumbRight"]), [0, 0, 0, 1, 2])
        ((3, 4),)
        >>> torn_pairs(find_sides(["hip", "handLeft", "handRight", "thumbLeft", "thumbRight"]), [0, 0, 0, 1, 2])
        ()
    """

    def hangs_on(joint: int) -> int:
        above = parents[joint]
        while above in sides.alone and parents[above] != above:
            above = parents[above]
        return above

    whole = set(sides.pairs)
    while True:
        torn = {pair for pair in whole if len({hangs_on(j) for j in pair}) > 1}
        torn = {pair for pair in torn if (hangs_on(pair[0]), hangs_on(pair[1])) not in whole}
        if not torn:
            return tuple(pair for pair in sides.pairs if pair not in whole)
        whole -= torn


def _tables(
    names: Sequence[tuple[int, str]], marks: Callable[[str], Iterator[Spans]]
) -> tuple[dict[Key, list[int]], dict[Key, list[int]]]:
    """Left and right joints by what their names are without their side."""
    left: dict[Key, list[int]] = {}
    right: dict[Key, list[int]] = {}
    for i, name in names:
        for spans in marks(name):
            sides = {name[start].lower() for start, _ in spans}
            if len(sides) == 1:
                places = [0, *(place for span in spans for place in span), len(name)]
                rest = (name[a:b].casefold() for a, b in zip(places[::2], places[1::2], strict=True))
                (left if sides == {"l"} else right).setdefault(tuple(rest), []).append(i)
    return left, right


def _words(name: str) -> Iterator[Spans]:
    """Each left and right."""
    yield from ([match.span()] for match in _WORD.finditer(name))


def _letters(name: str) -> Iterator[Spans]:
    """Each l and r that is a word of its own."""
    yield from ([match.span()] for match in _TOKEN.finditer(name) if match[0].lower() in ("l", "r"))


def _together(name: str) -> Iterator[Spans]:
    """All of these at once."""
    spans = sorted(span for marks in (_words, _letters) for (span,) in marks(name))
    if spans:
        yield spans


def _ends(name: str) -> Iterator[Spans]:
    """Each l and r that begins or ends a longer word."""
    for match in _TOKEN.finditer(name):
        start, end = match.span()
        if end - start > 1:
            yield from ([(at, at + 1)] for at in (start, end - 1) if name[at].lower() in ("l", "r"))


def _says_side(name: str) -> bool:
    """Whether a person would read a side in it; L5 is a vertebra."""
    for match in _TOKEN.finditer(name):
        word = match[0].lower()
        if word.startswith(("left", "right")) or word.endswith(("left", "right")):
            return True
        if word in ("l", "r") and not name[match.end() : match.end() + 1].isdigit():
            return True
    return False
