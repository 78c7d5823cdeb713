"""Compositions: ``Compose``, ``OneOf`` and the growing policy, an ordered list of stages from weak to strong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast, final, overload

import torch
from torch import Tensor, nn

from skelaug import check, linear
from skelaug.batch import SkeletonBatch
from skelaug.functional import graph as fg
from skelaug.functional import values as fv
from skelaug.lanes import Number, uniforms
from skelaug.random import Rng
from skelaug.transform import Params, Transform, apply_where, without_autocast

__all__ = ["Compose", "GrowingPolicy", "OneOf"]

_READS = ("shape", "span", "presence", "data")
_KEY_VIEW = -3  # a lane beside the views' own 0, 1, 2 …


def _check_members(who: str, members: Iterable[Any]) -> tuple[Transform, ...]:
    members = tuple(members)
    for position, member in enumerate(members):
        if not isinstance(member, Transform):
            hint = "; give an instance, not the class" if isinstance(member, type) else ""
            raise TypeError(f"{who}: member {position} must be a skelaug Transform, got {member!r}{hint}")
    return members


@final
class Compose(Transform):
    """Apply transforms in order; a run of linear transforms is applied at once.

    Drawn per sample: every member's params, in its own lane (its position), so that equal members differ and changing
    one moves no other's keyed draws. The params hold ``members``, a tuple.

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
        self.members = nn.ModuleList(_check_members("Compose", members))
        inherit(self, self)
        self._lanes: Sequence[int] = range(len(self.members))
        if p < 1 and self.on_graph:
            raise ValueError(
                f"Compose(p={p}): members that act on the graph allow p=1 only; give them the p, got p={p}"
            )
        if p < 1 and self.length is not None:
            raise ValueError(f"Compose(p={p}): members that change the number of frames allow p=1 only, got p={p}")

    @classmethod
    def _in_lanes(cls, members: Sequence[Transform], lanes: Sequence[int]) -> Compose:
        """A Compose whose members draw in the given lanes, not 0, 1, 2 … in order."""
        new = cls(members)
        new._lanes = tuple(lanes)
        return new

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        # A member's draw may read what those before it do: the data (SkeleAdaIN), or shape and presence. Ops run up
        # to the last such member and no further; for presence they run on zero channels, which costs next to nothing.
        members = list(self)
        params = []
        lanes = rng.lanes(self._lanes, [member.asks(batch) for member in members])
        last = {member.draws_from: i for i, member in enumerate(members)}  # who reads so much of the batch
        data, presence, span = (last.get(reads, -1) for reads in ("data", "presence", "span"))
        for i, (member, lane) in enumerate(zip(members, lanes, strict=True)):
            params.append(member._sample(batch, lane))
            if i < data:
                batch = member._replay(batch, params[-1])
            elif member.moves_presence and (member.length or i < presence or (i < span and not member.keeps_span)):
                # A whole within the whole may hold members that need the coordinates.
                thin = batch if isinstance(member, Compose | OneOf) else batch.replace(x=batch.x[:, :0])
                moved = member._replay(thin, params[-1])
                n, c, _, v, m = batch.x.shape
                batch = moved.replace(x=batch.x.new_zeros(()).expand(n, c, moved.x.shape[2], v, m))
        return {"members": tuple(params)}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return _apply_in_order(self, params["members"], batch)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> Transform:
        return self.members[index]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]

    def _argument(self, name: str) -> Any:
        return list(self) if name == "members" else super()._argument(name)


def inherit(container: Transform, members: Iterable[Transform]) -> None:
    """Give a container what follows from its members."""
    members = tuple(members)
    container.draws_from = max((m.draws_from for m in members), key=_READS.index, default="shape")
    container.op_presence = any(m.op_presence for m in members)
    container.moves_presence = any(m.moves_presence for m in members)
    container.keeps_span = all(m.keeps_span for m in members if m.moves_presence)
    container.on_stream = any(m.on_stream for m in members)
    container.on_graph = any(m.on_graph for m in members)
    lengths = [m.length for m in members if m.length is not None]
    container.length = lengths[-1] if lengths else None


def _apply_in_order(members: Iterable[Transform], params: Sequence[Params], batch: SkeletonBatch) -> SkeletonBatch:
    """Replay members one after another, neighbouring linear ones as one factor."""
    run: list[tuple[Transform, Params]] = []
    factor: linear.Factor = {}
    for member, drawn in zip(members, params, strict=True):
        if member.linear:
            member.check_joints(batch)
            step = linear.of(drawn)
            if "apply" in drawn:
                step = linear.gate(step, drawn["apply"])
            if linear.joinable(factor, step):
                factor = linear.compose(factor, step)
                run.append((member, drawn))
                continue
        batch = _finish(run, factor, batch)
        run, factor = [], {}
        if member.linear:
            run, factor = [(member, drawn)], step
        else:
            batch = member._replay(batch, drawn)
    return _finish(run, factor, batch)


def _finish(run: list[tuple[Transform, Params]], factor: linear.Factor, batch: SkeletonBatch) -> SkeletonBatch:
    if len(run) == 1:  # alone, a gated-out sample is copied rather than multiplied by the identity
        member, drawn = run[0]
        return member._replay(batch, drawn)
    return linear.apply(batch, factor)


@final
class OneOf(Transform):
    """Apply one of several transforms, chosen per sample.

    On a CPU a branch runs on the samples that chose it. Elsewhere, and where it is compiled, every branch runs on the
    whole batch and ``torch.where`` picks: no host sync, and the shapes stay fixed.

    Drawn per sample: the branch, and every branch's params in its own lane. The params hold ``choice``, int64
    ``(N,)``, and ``members``.

    Args:
        members: the branches; none may change the number of frames or act on the graph.
        weights: relative probability of each branch; ``None`` for equal ones.
        p: probability per sample that any is applied.

    Example:
        >>> from skelaug.transforms import Rotate, Shear
        >>> OneOf([Shear(0.5), Rotate(30)])(torch.randn(8, 3, 50, 25, 2)).shape
        torch.Size([8, 3, 50, 25, 2])
    """

    def __init__(self, members: Iterable[Transform], weights: Sequence[float] | None = None, p: float = 1.0) -> None:
        super().__init__(p)
        self.members = nn.ModuleList(_check_members("OneOf", members))
        if not len(self.members):
            raise ValueError("OneOf([]): give at least one branch")
        inherit(self, self)
        if self.length is not None or self.on_graph:
            raise ValueError("OneOf: a branch must not change the number of frames or act on the graph")
        self.weights = None if weights is None else tuple(weights)
        if weights is not None:
            if len(weights) != len(self.members):
                raise ValueError(
                    f"OneOf(weights={weights!r}): needs one weight a branch, {len(self.members)}, got {len(weights)}"
                )
            for weight in weights:
                check.number("OneOf", "weights", weight, low=0)
            if sum(weights) <= 0:
                raise ValueError(f"OneOf(weights={weights!r}): at least one weight must be above 0")

    def numbers(self, batch: SkeletonBatch) -> Sequence[Number]:
        return uniforms(1)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        shares = self.weights or [1.0] * len(self.members)
        total = sum(shares)
        u = rng.numbers[:, 0]
        choice = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
        bound = 0.0
        for share in shares[:-1]:
            bound += share / total
            choice = choice + (u >= bound)
        lanes = rng.lanes(range(len(self.members)), [member.asks(batch) for member in self])
        params = tuple(member._sample(batch, lane) for member, lane in zip(self, lanes, strict=True))
        return {"choice": choice, "members": params}

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        out = batch
        for i, member in enumerate(self):
            out = apply_where(params["choice"] == i, member._replay, out, params["members"][i])
        return out

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.members)  # type: ignore[arg-type]

    def _argument(self, name: str) -> Any:
        return list(self) if name == "members" else super()._argument(name)


Stage = Transform | Iterable[Transform]


@final
class GrowingPolicy(nn.Module):
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

    Drawn per sample: for view i, every member of the stages up to i, in the lane (view, stage, position).

    Raises:
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
        given = {**(stages or {}), **named_stages}
        if not given:
            raise ValueError("GrowingPolicy(): give at least one stage, as in GrowingPolicy(basic=[Shear(0.5)])")
        self.mode = check.choice("GrowingPolicy", "mode", mode, ("independent", "nested"))
        self.names = tuple(given)
        self.stages = nn.ModuleList(_as_stage(name, stage) for name, stage in given.items())
        self.stream = stream
        if stream is not None:
            _check_members("GrowingPolicy(stream=…)", [stream])
        # Views are not submodules: they share the stages' members, and a state_dict should hold each once.
        self._members = self._flatten()
        self._views = tuple(self._build_view(i) for i in range(len(self.names)))
        lengths = [view.length for view in self._views]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"GrowingPolicy: all views must have as many frames, got "
                f"{dict(zip(self.names, lengths, strict=True))} (None = unchanged); put a transform that changes the "
                f"number of frames into the first stage"
            )

    def items(self) -> list[tuple[str, Compose]]:
        """The stages by name, in order."""
        return list(zip(self.names, cast("Iterable[Compose]", self.stages), strict=True))

    def _flatten(self) -> list[tuple[int, int, Transform]]:
        """All members as (stage, lane, transform); those before the stream's place first."""
        flat = [
            (i, (i << 16) + j, member) for i, (_, stage) in enumerate(self.items()) for j, member in enumerate(stage)
        ]
        if self.stream is not None:
            acting = [member.on_stream for _, _, member in flat]
            first = acting.index(True) if True in acting else len(flat)
            for _, _, member in flat[first:]:
                if not (member.on_stream or member.on_graph):
                    raise ValueError(
                        f"GrowingPolicy(stream={self.stream!r}): {member!r} acts on coordinates but comes after "
                        f"{flat[first][2]!r}, which acts on the stream; put it before"
                    )
        return flat

    def _build_view(self, index: int) -> Compose:
        before = [(lane, m) for stage, lane, m in self._members if stage <= index]
        if self.stream is not None:
            acting = [m.on_stream for _, m in before]
            before.insert(acting.index(True) if True in acting else len(before), (-1, self.stream))
        return Compose._in_lanes([m for _, m in before], [lane for lane, _ in before])

    @property
    def on_graph(self) -> bool:
        """Some stage acts on the graph: then all views are SkeletonBatches."""
        return any(view.on_graph for view in self._views)

    def views(
        self, x: Tensor | SkeletonBatch, *, generator: torch.Generator | None = None, keys: Tensor | None = None
    ) -> list[Any]:
        """The ordered views of a batch, weak to strong.

        Args:
            x: ``(N, C, T, V, M)`` or a SkeletonBatch.
            generator: draw from it instead of the global generator of the device of ``x``.
            keys: int64 ``(N,)`` from :func:`skelaug.random.keys`.

        Returns:
            One Tensor (or SkeletonBatch, where ``x`` is one or a stage acts on the graph) a stage.
        """
        batch = self._views[-1].enter(x, presence=True)
        if self.mode == "nested":
            return self._replay(x, batch, self._sample(batch, generator, keys))
        # Each view as soon as it is drawn: its noise need not wait in memory for the draws of the others.
        lanes = self._draw_in(batch, generator, keys)
        return [self._leave(x, view.replay_exact(batch, view.sample_exact(batch, lane))) for view, lane in lanes]

    forward = views

    def sample(
        self, x: Tensor | SkeletonBatch, *, generator: torch.Generator | None = None, keys: Tensor | None = None
    ) -> Params:
        """Draw the parameters of all views, for ``replay``."""
        return self._sample(self._views[-1].enter(x, presence=True), generator, keys)

    def replay(self, x: Tensor | SkeletonBatch, params: Params) -> list[Any]:
        """The views that the parameters describe: pure, differentiable, compiles with ``fullgraph=True``."""
        return self._replay(x, self._views[-1].enter(x, presence=True), params)

    def key_view(
        self, x: Tensor | SkeletonBatch, *, generator: torch.Generator | None = None, keys: Tensor | None = None
    ) -> Any:
        """Another draw of the first view, for the key branch: its own lane, so never the draw of ``views(x)[0]``."""
        view = self._views[0]
        batch = view.enter(x, presence=self.on_graph or view.op_presence or view.draws_from != "shape")
        rng = Rng(len(batch), batch.device, generator=generator, keys=keys).fold(_KEY_VIEW)
        drawn = view.sample_exact(batch, rng)
        return self._leave(x, view.replay_exact(batch if self.on_graph else view.settle(x, batch), drawn))

    def _sample(self, batch: SkeletonBatch, generator: torch.Generator | None, keys: Tensor | None) -> Params:
        lanes = self._draw_in(batch, generator, keys)
        if self.mode == "nested":
            return {"nested": self._views[-1].sample_exact(batch, lanes[0][1])}
        return {"views": tuple(view.sample_exact(batch, lane) for view, lane in lanes)}

    def _draw_in(
        self, batch: SkeletonBatch, generator: torch.Generator | None, keys: Tensor | None
    ) -> list[tuple[Compose, Rng]]:
        """Every view and where it draws."""
        rng = Rng(len(batch), batch.device, generator=generator, keys=keys)
        return list(
            zip(self._views, rng.lanes(range(len(self)), [view.asks(batch) for view in self._views]), strict=True)
        )

    def _replay(self, x: Tensor | SkeletonBatch, batch: SkeletonBatch, params: Params) -> list[Any]:
        if self.mode == "independent":
            pairs = zip(self._views, params["views"], strict=True)
            return [self._leave(x, view.replay_exact(batch, drawn)) for view, drawn in pairs]
        views = []
        drawn = dict(zip(self._views[-1]._lanes, params["nested"]["members"], strict=True))

        def go_on(batch: SkeletonBatch, members: Sequence[tuple[Transform, int]]) -> SkeletonBatch:
            return _apply_in_order([m for m, _ in members], [drawn[lane] for _, lane in members], batch)

        with without_autocast(batch.device):
            for i, view in enumerate(self._views):
                members = list(zip(view, view._lanes, strict=True))
                split = view._lanes.index(-1) if self.stream is not None else len(members)
                # Members before the stream's place belong to one stage each and extend the view before; the rest is
                # done anew.
                batch = go_on(batch, [(m, lane) for m, lane in members[:split] if lane >> 16 == i]).replace()
                views.append(self._leave(x, go_on(batch, members[split:])))
        return views

    def _leave(self, x: Tensor | SkeletonBatch, batch: SkeletonBatch) -> Tensor | SkeletonBatch:
        return batch._every_joint() if isinstance(x, SkeletonBatch) or self.on_graph else batch.x

    def strength(
        self, x: Tensor | SkeletonBatch, *, generator: torch.Generator | None = None, keys: Tensor | None = None
    ) -> Tensor:
        """How far each view moves the data: mean displacement of present joints over the size of their body.

        A view whose members act on the graph adds the share of the edges' weight that they moved. On real, centred
        motion the strength grows along HiCLR's policy; for an arbitrary policy that is not promised.

        Returns:
            float32 ``(len(policy),)``: 0.1 is a tenth of the bounding box's diagonal.

        Raises:
            ValueError: the policy changes the number of frames, so that frames cannot be compared.
        """
        if self._views[-1].length is not None:
            raise ValueError("GrowingPolicy.strength compares frame by frame; this policy changes the number of frames")
        batch = self._views[-1].enter(x, presence=True)
        assert batch.mask is not None
        full = batch.replace(mask=batch.mask.expand(len(batch), *batch.x.shape[2:]))
        with torch.no_grad():
            size = fv.body_size(full.x, full.mask)[:, None, None]
            still = full if self.stream is None else self.stream.replay_exact(full, {})
            found = []
            for view in self._replay(full, full, self._sample(full, generator, keys)):
                both = view.mask & still.mask
                moved = (view.x.float() - still.x.float()).norm(dim=1) / size.clamp(min=1e-12)
                strength = torch.where(both, moved, 0).sum() / both.sum().clamp(min=1)
                if view.graph is not None and (base := self._base_graph(full)) is not None:
                    strength = strength + fg.share_changed(base, view.graph).mean()
                found.append(strength)
        return torch.stack(found)

    def _base_graph(self, batch: SkeletonBatch) -> Tensor | None:
        """The graph that the first member acting on one starts from."""
        if batch.graph is not None:
            return batch.graph
        found = [m for m in self.modules() if isinstance(m, Transform) and hasattr(m, "base_graph")]
        return found[0].base_graph(batch) if found else None  # type: ignore[operator]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Compose: ...
    @overload
    def __getitem__(self, index: slice) -> GrowingPolicy: ...
    def __getitem__(self, index: int | slice) -> Compose | GrowingPolicy:
        """View i as one transform, ``policy[i]``, or the policy of the first k views, ``policy[:k]``: same draws."""
        if isinstance(index, int):
            return self._views[index]
        start, stop, step = index.indices(len(self))
        if start != 0 or step != 1 or stop < 1:
            raise ValueError(
                f"GrowingPolicy[{index.start}:{index.stop}:{index.step}]: a view holds all stages before it, so "
                f"slices start at 0, as in policy[:2]"
            )
        return GrowingPolicy(dict(self.items()[:stop]), mode=self.mode, stream=self.stream)

    def __repr__(self) -> str:
        stages = ", ".join(f"{name!r}: {list(stage)!r}" for name, stage in self.items())
        rest = "" if self.mode == "independent" else f", mode={self.mode!r}"
        rest += "" if self.stream is None else f", stream={self.stream!r}"
        return f"GrowingPolicy({{{stages}}}{rest})"


def _as_stage(name: str, stage: Stage) -> Compose:
    if isinstance(stage, Compose) and stage.p == 1:
        return Compose(stage)
    return Compose([stage] if isinstance(stage, Transform) else _check_members(f"GrowingPolicy({name}=…)", stage))
