"""Three transforms as a user would write them, who has read the documentation and nothing else.

``cases.py`` lists them, so that the whole conformance suite runs over them, alone and inside a Compose.
"""

from __future__ import annotations

from typing import Any, final

import torch

from skelaug import SkeletonBatch, Transform

__all__ = ["Fence", "Stretch", "Wince"]


@final
class Fence(Transform):
    """Who stands behind the fence is not seen: a person is absent in frames where its joint 0 has y above ``height``.

    It moves presence, and reads a coordinate to do so. Nothing is drawn. Its params do not say what it does, so that it
    takes ``coords``; it leaves channels that are none alone.
    """

    moves_presence = True
    shapes = ""

    def __init__(self, height: float = 0.3, p: float = 1.0, coords: Any = None) -> None:
        super().__init__(p)
        self.height, self.coords = height, coords

    def op(self, batch: SkeletonBatch, params: dict[str, Any]) -> SkeletonBatch:
        behind = batch.x[:, 1, :, :1] > self.height  # (N, T, 1, M)
        mask = batch.mask & ~behind
        return batch.replace(x=torch.where(mask[:, None], batch.x, 0), mask=mask)


@final
class Stretch(Transform):
    """Multiply by a random matrix near the identity: linear, by giving a ``matrix``.

    Drawn per sample: how near, U(0, ``spread``), and every entry of the matrix, normal.
    """

    linear = True
    shapes = "matrix: N C C"

    def __init__(self, spread: float = 0.3, p: float = 1.0) -> None:
        super().__init__(p)
        self.spread = spread

    def draw(self, batch: SkeletonBatch, rng: Any) -> dict[str, Any]:
        channels = batch.x.shape[1]
        width = rng.uniform(1, 1, high=self.spread)
        eye = torch.eye(channels, dtype=torch.float32, device=batch.device)
        return {"matrix": eye + width * rng.normal(channels, channels)}


@final
class Wince(Transform):
    """Bend every coordinate smoothly: x + a tanh(x), which keeps 0 at 0.

    Drawn per sample: a ~ U(-``amount``, ``amount``).
    """

    shapes = "a: N"

    def __init__(self, amount: float = 0.5, p: float = 1.0) -> None:
        super().__init__(p)
        self.amount = amount

    def draw(self, batch: SkeletonBatch, rng: Any) -> dict[str, Any]:
        return {"a": rng.uniform(low=-self.amount, high=self.amount)}

    def op(self, batch: SkeletonBatch, params: dict[str, Any]) -> SkeletonBatch:
        a = params["a"].to(batch.x.dtype).view(-1, 1, 1, 1, 1)
        return batch.replace(x=batch.x + a * batch.x.tanh())
