"""Members in order: how what holds transforms draws for one after another, applies them, and checks their params."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from skelaug import change, check
from skelaug.batch import SkeletonBatch
from skelaug.change import Change
from skelaug.params import check_names, check_rows
from skelaug.presence import Presence
from skelaug.random import Rng
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = [
    "ActsOnGraph",
    "SoFar",
    "acts_on_graph",
    "apply_in_order",
    "check_count",
    "check_in_order",
    "check_members",
    "draw_in_order",
    "inherit",
    "leaves",
    "unsaid",
]

Label = int | tuple[int, int]  # of a member's substream
Step = tuple[Transform, Params]  # a member and what it drew


@runtime_checkable
class ActsOnGraph(Protocol):
    """A transform of the graph says which graph it starts from."""

    def base_graph(self, batch: SkeletonBatch) -> Tensor:
        """The batch's graph, else the transform's own: ``(N, K, V, V)`` or ``(N, L, K, V, V)``."""
        ...


def check_members(who: str, members: Iterable[Any]) -> tuple[Transform, ...]:
    """``members`` if they are transforms."""
    if isinstance(members, str) or not isinstance(members, Iterable) or getattr(members, "ndim", 1) == 0:
        raise TypeError(f"{who}: members must be a list of transforms, got {members!r}")
    members = tuple(members)
    for position, member in enumerate(members):
        if not isinstance(member, Transform):
            hint = "; give an instance, not the class" if isinstance(member, type) else ""
            raise TypeError(f"{who}: member {position} must be a skelaug Transform, got {member!r}{hint}")
    return members


def inherit(container: Transform, members: Iterable[Transform]) -> None:
    """Declare for a container what follows from its members."""
    members = tuple(members)
    container.moves_presence = any(member.moves_presence for member in members)
    container.on_stream = any(member.on_stream for member in members)
    # An op that moves presence may read the data to do so, and a later member's draw looks at that presence.
    container.data_dependent = any(
        member.data_dependent or (member.moves_presence and not member.linear) for member in members
    )
    container.unsaid = unsaid(container.skeleton, members)  # type: ignore[attr-defined]
    lengths = [member.length for member in members if member.length is not None]
    container.length = lengths[-1] if lengths else None


def unsaid(skeleton: Skeleton | None, members: Iterable[Transform]) -> Skeleton | None:
    """The skeleton, if it is one of images and some member was not told which channels are coordinates."""
    within = list(leaves(members))
    skeletons = [skeleton, *(leaf.skeleton for leaf in within)]
    found = next((one for one in skeletons if one is not None and one.planar), None)
    return found if any(getattr(leaf, "coords", ()) is None for leaf in within) else None


def leaves(policy: Transform | Iterable[Transform]) -> Iterator[Transform]:
    """The transforms in a policy or a view of one, without the containers, which give their members one by one."""
    if isinstance(policy, Iterable):
        for member in policy:
            yield from leaves(member)
    else:
        yield policy


def acts_on_graph(policy: Transform | Iterable[Transform]) -> bool:
    """Whether a transform in it acts on the graph: then it takes SkeletonBatches only."""
    return any(isinstance(leaf, ActsOnGraph) for leaf in leaves(policy))


def _change(member: Transform, params: Params) -> Change:
    """What a linear member does, gate included."""
    step = Change.of(params, *check.named_channels(member))
    return step.gated(params["apply"]) if "apply" in params else step


def apply_in_order(steps: Iterable[Step], batch: SkeletonBatch) -> SkeletonBatch:
    """Replay members by their params, one after another, neighbouring linear ones in one pass."""
    run: list[Step] = []
    joined: Change | None = None
    for member, drawn in steps:
        step = _change(member, drawn) if member.linear else None
        both = joined.then(step) if joined is not None and step is not None else None
        if both is not None:
            joined = both
            run.append((member, drawn))
            continue
        batch = _finish(run, joined, batch)
        run, joined = ([], None) if step is None else ([(member, drawn)], step)
        if step is None:
            batch = member.replay_batch(batch, drawn)
    return _finish(run, joined, batch)


def _finish(run: list[Step], joined: Change | None, batch: SkeletonBatch) -> SkeletonBatch:
    if len(run) == 1:  # alone, it runs on the samples that are not gated out
        member, drawn = run[0]
        return member.replay_batch(batch, drawn)
    return batch if joined is None else change.apply(batch, joined)


class SoFar:
    """What the members so far make of a batch: its shape at once, presence and data when somebody asks.

    Args:
        batch: what the first member gets.

    Attributes:
        outline: a batch whose shape, presence and graph are right; its data may be those before some members.
    """

    def __init__(self, batch: SkeletonBatch) -> None:
        self.outline = self._batch = batch
        self._pending: list[Step] = []

    def data(self) -> SkeletonBatch:
        """The batch with its data."""
        self.outline = self._batch = apply_in_order(self._pending, self._batch)
        self._pending = []
        return self._batch

    def add(self, member: Transform, params: Params) -> None:
        """Go on behind a member that drew these params."""
        self._pending.append((member, params))
        outline, observed = self.outline, self.outline.observed
        if member.linear:
            before = observed
            observed = Presence(lambda: _change(member, params).only(*change.MAPS).moved(before).seen)
        elif member.moves_presence:
            batch, pending = self._batch, list(self._pending)
            observed = Presence(lambda: apply_in_order(pending, batch).seen)
        x = outline.x
        if member.length is not None:
            n, c, _, v, m = x.shape
            x = x.new_zeros(()).expand(n, c, member.length, v, m)
        self.outline = outline.with_parts(x=x, observed=observed, graph=_graph_after(member, outline).graph)


def _graph_after(member: Transform, batch: SkeletonBatch) -> SkeletonBatch:
    """The batch with a graph of the shape that it has behind ``member``."""
    if isinstance(member, Iterable):
        for inner in member:
            batch = _graph_after(inner, batch)
    elif isinstance(member, ActsOnGraph):
        batch = batch.with_parts(graph=member.base_graph(batch))
    return batch


def draw_in_order(labelled: Iterable[tuple[Label, Transform]], batch: SkeletonBatch, rng: Rng) -> tuple[Params, ...]:
    """Draw for members in order: each sees what its op will see, and draws in the substream of its label."""
    labelled = list(labelled)
    so_far, drawn = SoFar(batch), []
    for (_, member), substream in zip(labelled, rng.split([label for label, _ in labelled]), strict=True):
        params = member.sample_batch(so_far.data() if member.data_dependent else so_far.outline, substream)
        so_far.add(member, params)
        drawn.append(params)
    return tuple(drawn)


def check_in_order(who: str, members: Sequence[Transform], batch: SkeletonBatch, params: Any) -> None:
    """Raise a ValueError unless ``params["members"]`` are what the members drew one after another."""
    check_rows(f"{who}.replay", batch, params)
    check_names(f"{who}.replay", params, {"members"})
    check_count(who, "members", params["members"], len(members))
    so_far = SoFar(batch)
    for member, drawn in zip(members, params["members"], strict=True):
        member.check_params(so_far.outline, drawn)
        so_far.add(member, drawn)


def check_count(who: str, name: str, entries: Any, count: int) -> None:
    """Raise a ValueError unless ``params[name]`` is a tuple with so many entries."""
    if not isinstance(entries, tuple | list) or len(entries) != count:
        actual = len(entries) if isinstance(entries, tuple | list) else type(entries).__name__
        raise ValueError(f"{who}.replay: params[{name!r}] must hold {count} entries, got {actual}")
