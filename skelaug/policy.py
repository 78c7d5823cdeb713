"""Compositions: ``Compose``, ``OneOf`` and the growing policy, an ordered list of stages from weak to strong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Unpack, cast, final, overload, runtime_checkable

import torch
from torch import Tensor

from skelaug import change, check, gate, host
from skelaug.batch import Data, SkeletonBatch
from skelaug.change import Change
from skelaug.functional import graph as fg
from skelaug.functional import values as fv
from skelaug.params import check_names, check_rows
from skelaug.presence import Presence
from skelaug.random import Rng, Source
from skelaug.readonly import Members, ReadOnly
from skelaug.transform import Params, Transform

__all__ = ["Compose", "GrowingPolicy", "OneOf", "View", "acts_on_graph"]

Label = int | tuple[int, int]  # of a member's substream
Labelled = tuple[tuple[tuple[int, int], Transform], ...]  # members, each with its label (stage, position)
_KEY_VIEW = -3  # the label of the key view's substream, beside the views' own 0, 1, 2 …
_STREAM = (-1, 0)  # the label of the policy's stream, beside the members' own (stage, position)


# --- members in order ------------------------------------------------------------------------------------------------


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
    lengths = [member.length for member in members if member.length is not None]
    container.length = lengths[-1] if lengths else None


def acts_on_graph(policy: Transform | GrowingPolicy) -> bool:
    """Whether a transform in it acts on the graph: then it takes SkeletonBatches only."""
    if isinstance(policy, GrowingPolicy):
        return acts_on_graph(policy[-1])
    if isinstance(policy, Compose | OneOf | View):
        return any(acts_on_graph(member) for member in policy)
    return isinstance(policy, ActsOnGraph)


def _change(member: Transform, params: Params) -> Change:
    """What a linear member does, gate included."""
    step = Change.of(params, getattr(member, "coords", None))
    return step.gated(params["apply"]) if "apply" in params else step


def apply_in_order(members: Iterable[Transform], params: Iterable[Params], batch: SkeletonBatch) -> SkeletonBatch:
    """Replay members one after another, neighbouring linear ones in one pass."""
    run: list[tuple[Transform, Params]] = []
    joined: Change | None = None
    for member, drawn in zip(members, params, strict=True):
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


def _finish(run: list[tuple[Transform, Params]], joined: Change | None, batch: SkeletonBatch) -> SkeletonBatch:
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
        self._pending: list[tuple[Transform, Params]] = []

    def data(self) -> SkeletonBatch:
        """The batch with its data."""
        self.outline = self._batch = _replayed(self._pending, self._batch)
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
            observed = Presence(lambda: _replayed(pending, batch).seen)
        x = outline.x
        if member.length is not None:
            n, c, _, v, m = x.shape
            x = x.new_zeros(()).expand(n, c, member.length, v, m)
        self.outline = outline.with_parts(x=x, observed=observed, graph=_graph_after(member, outline).graph)


def _replayed(pending: list[tuple[Transform, Params]], batch: SkeletonBatch) -> SkeletonBatch:
    return apply_in_order([member for member, _ in pending], [params for _, params in pending], batch)


def _graph_after(member: Transform, batch: SkeletonBatch) -> SkeletonBatch:
    """The batch with a graph of the shape that it has behind ``member``."""
    if isinstance(member, Compose | View):
        for inner in member:
            batch = _graph_after(inner, batch)
    elif isinstance(member, ActsOnGraph):
        batch = batch.with_parts(graph=member.base_graph(batch))
    return batch


def draw_in_order(
    members: Iterable[Transform], labels: Sequence[Label], batch: SkeletonBatch, rng: Rng
) -> tuple[Params, ...]:
    """Draw for members in order: each sees what its op will see, and draws in the substream of its label."""
    so_far, drawn = SoFar(batch), []
    for member, substream in zip(members, rng.split(labels), strict=True):
        params = member.sample_batch(so_far.data() if member.data_dependent else so_far.outline, substream)
        so_far.add(member, params)
        drawn.append(params)
    return tuple(drawn)


def check_in_order(who: str, members: Sequence[Transform], batch: SkeletonBatch, params: Any) -> None:
    """Raise a ValueError unless ``params["members"]`` are what the members drew one after another."""
    check_rows(f"{who}.replay", batch, params)
    check_names(f"{who}.replay", params, {"members"})
    _check_count(who, "members", params["members"], len(members))
    so_far = SoFar(batch)
    for member, drawn in zip(members, params["members"], strict=True):
        member.check_params(so_far.outline, drawn)
        so_far.add(member, drawn)


def _check_count(who: str, name: str, entries: Any, count: int) -> None:
    if not isinstance(entries, tuple | list) or len(entries) != count:
        actual = len(entries) if isinstance(entries, tuple | list) else type(entries).__name__
        raise ValueError(f"{who}.replay: params[{name!r}] must hold {count} entries, got {actual}")


# --- transforms of transforms ----------------------------------------------------------------------------------------


@final
class Compose(Transform):
    """Apply transforms in order; neighbouring linear transforms are applied at once.

    Drawn per sample: every member's params, in its own substream (its position), so that equal members differ and
    changing one moves no other's keyed draws. The params hold ``members``, a tuple.

    Args:
        members: transforms, policies of one view included.
        p: probability per sample that the whole is applied.

    Raises:
        TypeError: a member is no Transform.
        ValueError: ``p < 1`` with a member that changes the number of frames or acts on the graph.

    Example:
        >>> from skelaug.transforms import Rotate, Shear
        >>> Compose([Shear(0.5), Rotate(30)])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, members: Iterable[Transform], p: float = 1.0) -> None:
        super().__init__(p)
        self.members = Members(check_members("Compose", members))
        inherit(self, self)
        if self.p < 1 and acts_on_graph(self):
            raise ValueError(
                f"Compose(p={p}): members that act on the graph allow p=1 only; give them the p, got p={p}"
            )
        if self.p < 1 and self.length is not None:
            raise ValueError(f"Compose(p={p}): members that change the number of frames allow p=1 only, got p={p}")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return {"members": draw_in_order(self, range(len(self)), batch, rng)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return apply_in_order(self, params["members"], batch)

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check_in_order("Compose", list(self), batch, params)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> Transform:
        return self.members[index]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]


@final
class OneOf(Transform):
    """Apply one of several transforms, chosen per sample.

    On a CPU a branch runs on the samples that chose it. Elsewhere, and where it is compiled, every branch runs on the
    whole batch and ``torch.where`` picks: no host sync, and the shapes stay fixed.

    Drawn per sample: the branch, and every branch's params in its own substream. The params hold ``choice``, int64
    ``(N,)``, and ``members``.

    Args:
        members: the branches; none may change the number of frames or act on the graph.
        weights: relative probability of each branch; ``None`` for equal ones.
        p: probability per sample that any is applied.

    Raises:
        TypeError: a branch is no Transform, or ``weights`` is no list.
        ValueError: no branch, one that changes the number of frames or acts on the graph, or weights that do not fit.

    Example:
        >>> from skelaug.transforms import Rotate, Shear
        >>> OneOf([Shear(0.5), Rotate(30)])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, members: Iterable[Transform], weights: Sequence[float] | None = None, p: float = 1.0) -> None:
        super().__init__(p)
        self.members = Members(check_members("OneOf", members))
        if not len(self.members):
            raise ValueError("OneOf([]): give at least one branch")
        inherit(self, self)
        if self.length is not None or acts_on_graph(self):
            raise ValueError("OneOf: a branch must not change the number of frames or act on the graph")
        if weights is not None and not isinstance(weights, list | tuple):
            raise TypeError(f"OneOf(weights={weights!r}): weights must be a list of numbers, one a branch")
        self.weights = None if weights is None else tuple(weights)
        if self.weights is not None:
            if len(self.weights) != len(self.members):
                raise ValueError(
                    f"OneOf(weights={weights!r}): needs one weight a branch, {len(self.members)}, got "
                    f"{len(self.weights)}"
                )
            for weight in self.weights:
                check.number("OneOf", "weights", weight, low=0)
            if sum(self.weights) <= 0:
                raise ValueError(f"OneOf(weights={weights!r}): at least one weight must be above 0")

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        shares = self.weights or [1.0] * len(self.members)
        u = rng.uniform()
        choice = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
        bound = 0.0
        for share in shares[:-1]:
            bound += share / sum(shares)
            choice = choice + (u >= bound)
        substreams = rng.split(range(len(self.members)))
        params = (member.sample_batch(batch, stream) for member, stream in zip(self, substreams, strict=True))
        return {"choice": choice, "members": tuple(params)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        out = batch
        for i, member in enumerate(self):
            scratch = None if out.x is batch.x or host.differentiated(out.x) else out.x
            out = gate.apply_where(params["choice"] == i, member.replay_batch, out, params["members"][i], scratch)
        return out

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check_rows("OneOf.replay", batch, params)
        check_names("OneOf.replay", params, {"choice", "members"})
        _check_count("OneOf", "members", params["members"], len(self.members))
        choice = params["choice"]
        if choice.shape != (len(batch),) or choice.dtype != torch.int64:
            raise ValueError(f"OneOf.replay: params['choice'] must be int64 ({len(batch)},), got {choice.dtype}")
        if host.readable(choice) and ((choice < 0) | (choice >= len(self.members))).any():
            raise ValueError(f"OneOf.replay: params['choice'] must lie in 0 … {len(self.members) - 1}, got {choice}")
        for member, drawn in zip(self, params["members"], strict=True):
            member.check_params(batch, drawn)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]


# --- the growing policy ----------------------------------------------------------------------------------------------

Stage = Transform | Iterable[Transform]


@final
class GrowingPolicy(ReadOnly):
    """Ordered views of a batch, weak to strong: view i applies the stages up to i.

    Args:
        stages: ordered mapping of stage name to a transform or a list of transforms; keyword arguments say the same.
        mode: ``"independent"`` draws every view afresh from the raw batch (HiCLR); in ``"nested"`` view i + 1 extends
            view i, one pass per stage.
        stream: a transform from joints to the stream that the encoder sees (``Bone``, ``Motion``, ``BoneMotion``);
            applied in every view after the transforms of coordinates and before those that act on the stream
            (``JointMask``).
        **named_stages: stages by name.

    Attributes:
        names: names of the stages, which are the names of the views.

    Drawn per sample: for view i, every member of the stages up to i, in the substream (view, (stage, position)).

    Raises:
        TypeError: a stage holds what is no Transform.
        ValueError: no stages, stages that disagree on the number of frames, or a transform of coordinates after one
            that acts on the stream.

    Source: Zhang, Lin, Liu: HiCLR, AAAI 2023, section "Growing augmentations".

    Example:
        >>> from skelaug.transforms import GaussianNoise, JointMask, Shear
        >>> policy = GrowingPolicy(basic=[Shear(0.5)], normal=[GaussianNoise(0.01)], strong=[JointMask(0.1)])
        >>> weak, normal, strong = policy.views(torch.randn(8, 3, 50, 25, 2))
        >>> len(policy[:2]), policy.names
        (2, ('basic', 'normal', 'strong'))
    """

    def __init__(
        self,
        stages: Mapping[str, Stage] | None = None,
        *,
        mode: str = "independent",
        stream: Transform | None = None,
        **named_stages: Stage,
    ) -> None:
        super().__init__()
        if stages is not None and not isinstance(stages, Mapping):
            raise TypeError(
                f"GrowingPolicy(stages={stages!r}): stages must be a mapping of names to transforms, as in "
                f"{{'basic': [Shear(0.5)]}}, got {type(stages).__name__}"
            )
        by_name = {**(stages or {}), **named_stages}
        if not by_name:
            raise ValueError("GrowingPolicy(): give at least one stage, as in GrowingPolicy(basic=[Shear(0.5)])")
        self.mode = check.choice("GrowingPolicy", "mode", mode, ("independent", "nested"))
        self.names = tuple(by_name)
        self.stages = Members(_as_stage(name, stage) for name, stage in by_name.items())
        if stream is not None:
            check_members("GrowingPolicy(stream=…)", [stream])
        self.stream = stream
        # The members of each view with their labels. Not submodules: a state_dict should hold each once.
        self._views = tuple(self._flatten(index) for index in range(len(self.names)))
        lengths = [view.length for view in self]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"GrowingPolicy: all views must have as many frames, got "
                f"{dict(zip(self.names, lengths, strict=True))} (None = unchanged); put a transform that changes the "
                f"number of frames into the first stage"
            )

    def items(self) -> list[tuple[str, Compose]]:
        """The stages by name, in order."""
        return list(zip(self.names, cast("Iterable[Compose]", self.stages), strict=True))

    def _flatten(self, index: int) -> Labelled:
        """The members of view ``index`` in order, the stream in its place, each with its label (stage, position)."""
        stages = enumerate(cast("Iterable[Compose]", self.stages))
        flat = [((i, j), member) for i, stage in stages if i <= index for j, member in enumerate(stage)]
        if self.stream is None:
            return tuple(flat)
        place = next((i for i, (_, member) in enumerate(flat) if member.on_stream), len(flat))
        for _, member in flat[place:]:
            if not (member.on_stream or acts_on_graph(member)):
                raise ValueError(
                    f"GrowingPolicy(stream={self.stream!r}): {member!r} acts on coordinates but comes after "
                    f"{flat[place][1]!r}, which acts on the stream; put it before"
                )
        return (*flat[:place], (_STREAM, self.stream), *flat[place:])

    def views(self, x: Data, **source: Unpack[Source]) -> list[Data]:
        """The ordered views of a batch, weak to strong.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch, which a policy that acts on the graph needs.
            **source: ``generator`` or ``keys``, see :class:`skelaug.random.Source`.

        Returns:
            One Tensor or SkeletonBatch, like ``x``, a stage.
        """
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        rng = Rng(len(batch), batch.device, **source)
        if self.mode == "nested":
            return [view.like(x) for view in self._replay(batch, self._sample(batch, rng))]
        # Each view as soon as it is drawn: its noise need not wait in memory for the draws of the others.
        substreams = enumerate(rng.split(range(len(self))))
        return [self.replay_view(batch, i, self.draw_view(batch, i, substream)).like(x) for i, substream in substreams]

    forward = views
    if TYPE_CHECKING:
        __call__ = views

    def sample(self, x: Tensor | SkeletonBatch, **source: Unpack[Source]) -> Params:
        """Draw the parameters of all views, for ``replay``; see :meth:`views`."""
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        return self._sample(batch, Rng(len(batch), batch.device, **source))

    def replay(self, x: Data, params: Params) -> list[Data]:
        """The views that the parameters describe: pure, differentiable, compiles with ``fullgraph=True``.

        Raises:
            ValueError: the params are another policy's, or for a batch of another size.
        """
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        if self.mode == "nested":
            check_names("GrowingPolicy.replay", params, {"nested"})
            self[-1].check_params(batch, params["nested"])
        else:
            check_names("GrowingPolicy.replay", params, {"views"})
            _check_count("GrowingPolicy", "views", params["views"], len(self))
            for view, drawn in zip(self, params["views"], strict=True):
                view.check_params(batch, drawn)
        return [view.like(x) for view in self._replay(batch, params)]

    def key_view(self, x: Data, **source: Unpack[Source]) -> Data:
        """Another draw of the first view, for the key branch: its own substream, so never the draw of ``views(x)[0]``.

        The arguments are those of :meth:`views`.
        """
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        rng = Rng(len(batch), batch.device, **source)
        params = self.draw_view(batch, 0, rng.split([_KEY_VIEW])[0])
        return self.replay_view(batch, 0, params).like(x)  # type: ignore[no-any-return]

    def view_label(self, index: int) -> int:
        """The label of the substream in which view ``index`` is drawn; nested views are one draw."""
        return 0 if self.mode == "nested" else index

    def draw_view(self, batch: SkeletonBatch, index: int, substream: Rng) -> Params:
        """Draw for view ``index``; off the tape, autocast off."""
        labels, members = zip(*self._views[index], strict=True) if self._views[index] else ((), ())
        with torch.no_grad(), host.without_autocast(batch.device):
            return {"members": draw_in_order(members, labels, batch, substream)}

    def replay_view(self, batch: SkeletonBatch, index: int, params: Params) -> SkeletonBatch:
        """View ``index`` of a batch, autocast off."""
        with host.without_autocast(batch.device):
            if self.mode == "nested":
                return self._replay_nested(batch, self._views[: index + 1], params["members"])[-1]
            return apply_in_order([member for _, member in self._views[index]], params["members"], batch)

    def _sample(self, batch: SkeletonBatch, rng: Rng) -> Params:
        if self.mode == "nested":
            last = len(self) - 1
            return {"nested": self.draw_view(batch, last, rng.split([self.view_label(last)])[0])}
        substreams = rng.split(range(len(self)))
        return {"views": tuple(self.draw_view(batch, i, substream) for i, substream in enumerate(substreams))}

    def _replay(self, batch: SkeletonBatch, params: Params) -> list[SkeletonBatch]:
        if self.mode == "independent":
            return [self.replay_view(batch, i, drawn) for i, drawn in enumerate(params["views"])]
        with host.without_autocast(batch.device):
            return self._replay_nested(batch, self._views, params["nested"]["members"])

    def _replay_nested(
        self, batch: SkeletonBatch, views: Sequence[Labelled], params: Sequence[Params]
    ) -> list[SkeletonBatch]:
        """The views, each an extension of the one before; the params are those of the last."""
        drawn = dict(zip((label for label, _ in views[-1]), params, strict=True))
        batches = []
        for i, members in enumerate(views):
            steps = [(label, member, drawn[label]) for label, member in members]
            place = next((j for j, (label, _, _) in enumerate(steps) if label == _STREAM), len(steps))
            # Members before the stream's place extend the view before; the stream and what follows are done anew.
            extending = [(member, params) for label, member, params in steps[:place] if label[0] == i]
            batch = _replayed(extending, batch)
            batches.append(_replayed([(member, params) for _, member, params in steps[place:]], batch))
        return batches

    def strength(self, x: Tensor | SkeletonBatch, **source: Unpack[Source]) -> Tensor:
        """How far each view moves the data: mean displacement of present joints over the size of their body.

        A view whose members act on the graph adds the share of the edges' weight that they moved. On real, centred
        motion the strength grows along HiCLR's policy: over 2048 clips to within 2 % (over a few hundred, the strong
        view may fall a little further behind the normal one). For an arbitrary policy that is not promised.

        Args:
            x: see :meth:`views`.
            **source: see :meth:`views`.

        Returns:
            float32 ``(len(policy),)``: 0.1 is a tenth of the bounding box's diagonal.

        Raises:
            ValueError: the policy changes the number of frames, so that frames cannot be compared.
        """
        if self[-1].length is not None:
            raise ValueError("GrowingPolicy.strength compares frame by frame; this policy changes the number of frames")
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        params = self._sample(batch, Rng(len(batch), batch.device, **source))
        strengths = []
        with torch.no_grad():
            size = fv.body_size(batch.x, batch.seen)[:, None, None]
            still = batch if self.stream is None else self.stream.replay_batch(batch, {})
            for index, view in enumerate(self._replay(batch, params)):
                both = view.mask & still.mask
                moved = (view.x.float() - still.x.float()).norm(dim=1) / size.clamp(min=1e-12)
                strength = torch.where(both, moved, 0).sum() / both.sum().clamp(min=1)
                graphs = (m.base_graph(batch) for _, m in self._views[index] if isinstance(m, ActsOnGraph))
                base = next(graphs, None)
                if view.graph is not None and base is not None:
                    strength = strength + fg.share_changed(base, view.graph).sum() / max(len(batch), 1)
                strengths.append(strength)
        return torch.stack(strengths).float()

    def _argument(self, name: str) -> Any:
        return {stage: list(members) for stage, members in self.items()} if name == "stages" else getattr(self, name)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[View]:
        return (View(self, index) for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> View: ...
    @overload
    def __getitem__(self, index: slice) -> GrowingPolicy: ...
    def __getitem__(self, index: int | slice) -> View | GrowingPolicy:
        """View i as one transform, ``policy[i]``, or the policy of the first k views, ``policy[:k]``: same draws."""
        if not isinstance(index, slice):
            return View(self, index)
        if not all(part is None or check.whole(part) for part in (index.start, index.stop, index.step)):
            raise TypeError(f"GrowingPolicy[{index}]: a slice takes whole numbers, as in policy[:2]")
        start, stop, step = index.indices(len(self))
        if start != 0 or step != 1 or stop < 1:
            raise ValueError(
                f"GrowingPolicy[{index.start}:{index.stop}:{index.step}]: a view holds all stages before it, so "
                f"slices start at 0, as in policy[:2]"
            )
        return GrowingPolicy(dict(self.items()[:stop]), mode=self.mode, stream=self.stream)


@final
class View(Transform):
    """View ``index`` of a growing policy as a transform: what ``policy[index]`` gives.

    ``View(policy, i)(x, keys=k)`` equals ``policy.views(x, keys=k)[i]``. Drawn per sample: what the policy draws for
    the view. The params hold ``members``, a tuple.

    Args:
        policy: a GrowingPolicy.
        index: of the view; negative ones count from the last.

    Raises:
        TypeError: ``policy`` is no GrowingPolicy, or ``index`` is not a whole number.
        IndexError: the policy has no such view.

    Example:
        >>> from skelaug.transforms import GaussianNoise, Shear
        >>> policy = GrowingPolicy(weak=[Shear(0.5)], strong=[GaussianNoise(0.1)])
        >>> policy[-1](torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, policy: GrowingPolicy, index: int) -> None:
        super().__init__()
        if not isinstance(policy, GrowingPolicy):
            raise TypeError(f"View(policy={policy!r}): policy must be a GrowingPolicy, got {type(policy).__name__}")
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"View(index={index!r}): index must be a whole number, got {type(index).__name__}")
        if not -len(policy) <= index < len(policy):
            raise IndexError(f"view {index} of a GrowingPolicy with {len(policy)} views")
        self.policy, self.index = policy, index % len(policy)
        inherit(self, self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return self.policy.draw_view(batch, self.index, rng.split([self.policy.view_label(self.index)])[0])

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return self.policy.replay_view(batch, self.index, params)

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check_in_order("View", list(self), batch, params)

    def _text(self, width: float) -> str:
        return f"{self.policy._text(width)}[{self.index}]"

    def __len__(self) -> int:
        return len(self.policy._views[self.index])

    def __iter__(self) -> Iterator[Transform]:
        return (member for _, member in self.policy._views[self.index])


def _as_stage(name: str, stage: Stage) -> Compose:
    if isinstance(stage, Compose) and stage.p == 1:
        return Compose(stage)
    return Compose([stage] if isinstance(stage, Transform) else check_members(f"GrowingPolicy({name}=…)", stage))
