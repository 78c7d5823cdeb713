"""A user's mistakes, each of which a type checker must find, and nothing else (``--warn-unused-ignores`` is strict)."""

from torch import Tensor

from skelaug import Compose, GrowingPolicy, SkeletonBatch
from skelaug.transforms import Rotate, Shear


def mistakes(policy: GrowingPolicy, x: Tensor, batch: SkeletonBatch) -> None:
    Shear(0.5)(3)  # type: ignore[call-overload]
    Compose(Shear)  # type: ignore[arg-type]
    Rotate(angle=3)  # type: ignore[call-arg]
    a: SkeletonBatch = Shear(0.5)(x)  # type: ignore[assignment]
    b: Tensor = policy.views(x)  # type: ignore[assignment]
    c: list[Tensor] = policy.views(batch)  # type: ignore[arg-type]
    print(a, b, c)
