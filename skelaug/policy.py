"""The growing policy, an ordered list of stages from weak to strong, and its views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast, final, overload

import torch
from torch import Tensor

from skelaug import check, host, workers
from skelaug.batch import Data, SkeletonBatch
from skelaug.calls import CallViews
from skelaug.compose import Compose, OneOf
from skelaug.expect import of_type
from skelaug.functional import graph as fg
from skelaug.functional import values as fv
from skelaug.members import (
    ActsOnGraph,
    acts_on_graph,
    apply_in_order,
    check_count,
    check_in_order,
    check_members,
    draw_in_order,
    inherit,
    leaves,
    unsaid,
)
from skelaug.params import check_names
from skelaug.random import Rng, Source
from skelaug.readonly import Members, ReadOnly
from skelaug.skeleton import Skeleton
from skelaug.transform import Params, Transform

__all__ = ["Compose", "GrowingPolicy", "OneOf", "View", "acts_on_graph"]

Labelled = tuple[tuple[tuple[int, int], Transform], ...]  # a view's members, each with its label (stage, position)
_KEY_VIEW = -3  # the label of the key view's substream, beside the views' own 0, 1, 2 …
_STREAM = (-1, 0)  # the label of the policy's stream, beside the members' own (stage, position)
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
        skeleton: of the data, whose number of joints is then checked.
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
        skeleton: Skeleton | None = None,
        **named_stages: Stage,
    ) -> None:
        super().__init__()
        wanted = "a mapping of names to transforms, as in {'basic': [Shear(0.5)]}"
        of_type("GrowingPolicy", "stages", stages, (Mapping, type(None)), wanted)
        by_name = {**(stages or {}), **named_stages}
        if not by_name:
            raise ValueError("GrowingPolicy(): give at least one stage, as in GrowingPolicy(basic=[Shear(0.5)])")
        self.mode = check.choice("GrowingPolicy", "mode", mode, ("independent", "nested"))
        self.names = tuple(by_name)
        self.stages = Members(_as_stage(name, stage) for name, stage in by_name.items())
        if stream is not None:
            check_members("GrowingPolicy(stream=…)", [stream])
        self.stream = stream
        self.skeleton = None if skeleton is None else check.skeleton("GrowingPolicy", skeleton)
        # The members of each view with their labels. Not submodules: a state_dict should hold each once.
        self._views = tuple(self._flatten(index) for index in range(len(self.names)))
        self.unsaid = unsaid(self.skeleton, [member for _, member in self._views[-1]])
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
        rng = workers.rng(len(batch), batch.device, **source)
        if self.mode == "nested":
            return [view.like(x) for view in self._replay(batch, self._sample(batch, rng))]
        # Each view as soon as it is drawn: its noise need not wait in memory for the draws of the others.
        substreams = enumerate(rng.split(range(len(self))))
        return [self.replay_view(batch, i, self.draw_view(batch, i, substream)).like(x) for i, substream in substreams]

    forward = views
    if TYPE_CHECKING:
        __call__: CallViews

    def sample(self, x: Tensor | SkeletonBatch, **source: Unpack[Source]) -> Params:
        """Draw the parameters of all views, for ``replay``; see :meth:`views`."""
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        return self._sample(batch, workers.rng(len(batch), batch.device, **source))

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
            check_count("GrowingPolicy", "views", params["views"], len(self))
            for view, drawn in zip(self, params["views"], strict=True):
                view.check_params(batch, drawn)
        return [view.like(x) for view in self._replay(batch, params)]

    def key_view(self, x: Data, **source: Unpack[Source]) -> Data:
        """Another draw of the first view, for the key branch: its own substream, so never the draw of ``views(x)[0]``.

        The arguments are those of :meth:`views`.
        """
        batch = SkeletonBatch.of(x, "GrowingPolicy")
        rng = workers.rng(len(batch), batch.device, **source)
        params = self.draw_view(batch, 0, rng.split([_KEY_VIEW])[0])
        return self.replay_view(batch, 0, params).like(x)  # type: ignore[no-any-return]

    def view_label(self, index: int) -> int:
        """The label of the substream in which view ``index`` is drawn; nested views are one draw."""
        return 0 if self.mode == "nested" else index

    def draw_view(self, batch: SkeletonBatch, index: int, substream: Rng) -> Params:
        """Draw for view ``index``; off the tape, autocast off."""
        check.data(self, batch.x)
        with torch.no_grad(), host.without_autocast(batch.device):
            return {"members": draw_in_order(self._views[index], batch, substream)}

    def replay_view(self, batch: SkeletonBatch, index: int, params: Params) -> SkeletonBatch:
        """View ``index`` of a batch, autocast off."""
        with host.without_autocast(batch.device):
            if self.mode == "nested":
                return self._replay_nested(batch, self._views[: index + 1], params["members"])[-1]
            members = (member for _, member in self._views[index])
            return apply_in_order(zip(members, params["members"], strict=True), batch)

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
            batch = apply_in_order(extending, batch)
            batches.append(apply_in_order([(member, params) for _, member, params in steps[place:]], batch))
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
        params = self._sample(batch, workers.rng(len(batch), batch.device, **source))
        strengths = []
        with torch.no_grad():
            # A channel that no member takes for a coordinate is none.
            named: list[Any] = [leaf.coords for leaf in leaves(self) if hasattr(leaf, "coords")]
            told = None if None in named else tuple(sorted({channel for coords in named for channel in coords}))
            coords = check.channels("GrowingPolicy", told or None, batch.x)
            size = fv.body_size(fv.pick(batch.x, coords), batch.seen)[:, None, None]
            still = batch if self.stream is None else self.stream.replay_batch(batch, {})
            for index, view in enumerate(self._replay(batch, params)):
                both = view.mask & still.mask
                moved = fv.pick(view.x.float() - still.x.float(), coords).norm(dim=1) / size.clamp(min=1e-12)
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
        stages = dict(self.items()[:stop])
        return GrowingPolicy(stages, mode=self.mode, stream=self.stream, skeleton=self.skeleton)


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
        of_type("View", "policy", policy, GrowingPolicy, "a GrowingPolicy")
        of_type("View", "index", index, int, "a whole number")
        if not -len(policy) <= index < len(policy):
            raise IndexError(f"view {index} of a GrowingPolicy with {len(policy)} views")
        self.policy, self.index = policy, index % len(policy)
        self.skeleton = policy.skeleton
        inherit(self, self)

    def draw(self, batch: SkeletonBatch, rng: Rng) -> Params:
        return self.policy.draw_view(batch, self.index, rng.split([self.policy.view_label(self.index)])[0])

    def op(self, batch: SkeletonBatch, params: Params) -> SkeletonBatch:
        return self.policy.replay_view(batch, self.index, params)

    def check_params(self, batch: SkeletonBatch, params: Params) -> None:
        check.joints("View", self.skeleton, batch.x)
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
