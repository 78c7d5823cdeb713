"""HiCLR on one screen: a growing policy, a query encoder, its momentum twin, a queue of past keys, and the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skelaug import GrowingPolicy, SkeletonBatch, check
from skelaug.policy import acts_on_graph
from skelaug.transforms import PersonDrop, PersonSwap
from skelaug_contrib import arguments
from skelaug_contrib.losses import DIRECTIONS, hierarchical_losses, nearest
from skelaug_contrib.momentum import MomentumEncoder
from skelaug_contrib.queue import FeatureQueue

__all__ = ["METHODS", "HiCLR"]

#: What each method contrasts with the key: which views of the policy, and where a view's target comes from.
METHODS = ("hiclr", "aimclr", "naive", "skeletonclr")


class HiCLR(nn.Module):
    """Hierarchical consistent contrastive learning, and the baselines it is compared with.

    A batch is augmented into ordered views, weak to strong; every view goes through one query encoder and projector.
    The key is another draw of the first view, encoded by the momentum twin. All views are compared with the same key
    and the same queue of past keys; the first view learns by InfoNCE, each stronger one from the view before it.

    Args:
        encoder: ``encoder(batch, people) -> (N, encoder.width)``, see :mod:`skelaug_contrib.encoders`.
        policy: the views; :func:`skelaug.policies.hiclr` is the paper's.
        method: ``"hiclr"``: all views, each learning from the one before. ``"aimclr"``: all views, each learning from
            the first. ``"naive"``: the last view alone, in plain InfoNCE (strong augmentation without the hierarchy).
            ``"skeletonclr"``: the first view alone (MoCo).
        dim: of the projected features.
        queue_size: number of past keys; 0 for none.
        momentum: of the key encoder.
        temperature: of the softmax over key and queue.
        direction: of the consistency, see :func:`skelaug_contrib.losses.hierarchical_losses`.

    Raises:
        TypeError: ``encoder`` is no module with a ``width``, or ``policy`` no GrowingPolicy.
        ValueError: another argument is out of range.

    Source: Zhang, Lin, Liu, "Hierarchical Consistent Contrastive Learning for Skeleton-Based Action Recognition with
    Growing Augmentations", AAAI 2023; MoCo (He et al., CVPR 2020) below it.

    Example:
        >>> import skelaug
        >>> from skelaug_contrib.encoders import STGCN
        >>> skeleton = skelaug.skeletons["ntu25"]
        >>> model = HiCLR(STGCN(skeleton, widths=(8, 8)), skelaug.policies.hiclr(skeleton), dim=16, queue_size=64)
        >>> losses = model(torch.randn(4, 3, 20, 25, 2))
        >>> losses["loss"].ndim, losses["consistency"].shape
        (0, torch.Size([2]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        policy: GrowingPolicy,
        *,
        method: str = "hiclr",
        dim: int = 128,
        queue_size: int = 32768,
        momentum: float = 0.999,
        temperature: float = 0.07,
        direction: str = "asymmetric",
    ) -> None:
        super().__init__()
        arguments.instance("HiCLR", "encoder", encoder, nn.Module, "a torch.nn.Module, such as an STGCN")
        wanted = "a GrowingPolicy, such as skelaug.policies.hiclr(skeleton)"
        arguments.instance("HiCLR", "policy", policy, GrowingPolicy, wanted)
        self.method = check.choice("HiCLR", "method", method, METHODS)
        # A stage that no view uses would only hold parameters without a gradient.
        self.policy = policy[:1] if method == "skeletonclr" else policy
        self.query = _Branch(encoder, check.count("HiCLR", "dim", dim))
        self.key = MomentumEncoder(self.query, check.number("HiCLR", "momentum", momentum, low=0, high=1))
        self.queue = FeatureQueue(check.count("HiCLR", "queue_size", queue_size, low=0), dim)
        self.temperature = check.number("HiCLR", "temperature", temperature, low=1e-4)
        self.direction = check.choice("HiCLR", "direction", direction, DIRECTIONS)

    @property
    def encoder(self) -> nn.Module:
        """The query encoder, which is what pretraining is for."""
        return self.query.encoder

    def forward(
        self,
        batch: Tensor | SkeletonBatch,
        *,
        people: Tensor | None = None,
        keys: Tensor | None = None,
        generator: torch.Generator | None = None,
        mine: bool = False,
    ) -> dict[str, Tensor]:
        """The losses of one step; in training mode the key encoder and the queue move on too.

        Args:
            batch: raw clips, ``(N, C, T, V, M)`` or a SkeletonBatch. A joint with a value that is not finite was not
                observed; the encoder sees 0 there.
            people: the slots of present people, from the loader: see :mod:`skelaug_contrib.encoders`.
            keys: of the augmentation, int64 ``(N,)``, see :func:`skelaug.random.keys`.
            generator: of the augmentation, where there are no keys.
            mine: nearest neighbours in the queue join the key as positives (the second half of the paper's training).

        Returns:
            ``loss``, a scalar: what to minimise; ``info``, its InfoNCE part; ``consistency``, ``(views - 1,)``.

        Raises:
            TypeError: an argument is of another type.
            ValueError: an argument has another shape, kind or device.
        """
        clips: Any = self._enter(batch, people, keys, generator)
        if any(isinstance(module, PersonDrop | PersonSwap) for module in self.policy.modules()):
            people = None  # the slots that the loader listed are not those of the views
        if self.method == "naive":
            views = [self.policy[-1](clips, generator=generator, keys=keys)]
        else:
            views = self.policy.views(clips, generator=generator, keys=keys)
        queries = [self.query(view, people) for view in views]
        if self.training:
            self.key.update(self.query)
        with torch.no_grad():
            key = self.key(self.policy.key_view(clips, generator=generator, keys=keys), people)
        queue = self.queue.features
        info, consistency = hierarchical_losses(
            queries,
            key,
            queue,
            self.temperature,
            targets="first" if self.method == "aimclr" else "previous",
            direction=self.direction,
            positives=nearest(queries, queue) if mine else None,
        )
        if self.training:
            self.queue.update(key)
        loss = info + consistency.mean() if len(queries) > 1 else info
        return {"loss": loss, "info": info, "consistency": consistency}

    def _enter(
        self,
        batch: Tensor | SkeletonBatch,
        people: Tensor | None,
        keys: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor | SkeletonBatch:
        """Check the arguments of a step; a plain tensor becomes a batch where the policy acts on the graph."""
        if not isinstance(batch, SkeletonBatch):
            arguments.tensor("HiCLR", "batch", batch, "N C T V M")
            if acts_on_graph(self.policy):
                batch = SkeletonBatch(batch)
        if people is not None:
            arguments.tensor("HiCLR", "people", people, "P", "int64")
        if keys is not None:
            arguments.tensor("HiCLR", "keys", keys, "N", "int64", N=len(batch))
        if generator is not None:
            arguments.instance("HiCLR", "generator", generator, torch.Generator, "a torch.Generator")
        return batch


class _Branch(nn.Module):
    """Encoder and projector; features of unit length."""

    def __init__(self, encoder: nn.Module, dim: int) -> None:
        super().__init__()
        width = getattr(encoder, "width", None)
        if not isinstance(width, int):
            raise TypeError(
                f"HiCLR(encoder=…): encoder must say how wide its features are by encoder.width, got "
                f"{type(encoder).__name__} with width {width!r}"
            )
        self.encoder = encoder
        self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))

    def forward(self, batch: Tensor | SkeletonBatch, people: Tensor | None) -> Tensor:
        return nn.functional.normalize(self.projector(self.encoder(batch, people)).float(), dim=1)
