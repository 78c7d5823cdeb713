"""A package that brings a transform, a skeleton and a policy of its own; its pyproject.toml registers them."""

from typing import final

import torch

import skelaug

horse6 = skelaug.Skeleton.from_edges(
    [(0, 1), (1, 2), (1, 3), (0, 4), (0, 5)],
    name="horse6",
    joints=["croup", "withers", "left_fore", "right_fore", "left_hind", "right_hind"],
    pairs=[(2, 3), (4, 5)],
)


@final
class Wobble(skelaug.Transform):
    """Sway everybody sideways, as a sine of the frame.

    Drawn per sample: the phase.
    """

    shapes = "phase: N"  # what draw gives

    def __init__(self, width: float, p: float = 1.0) -> None:
        super().__init__(p)
        self.width = width

    def draw(self, batch, rng):
        return {"phase": rng.uniform(high=2 * torch.pi)}

    def op(self, batch, params):
        frames = torch.arange(batch.x.shape[2], device=batch.x.device)
        sway = self.width * torch.sin(frames + params["phase"][:, None])
        x = batch.x.clone()
        x[:, 0] += sway[:, :, None, None].to(x.dtype)
        return batch.replace(x=x)  # sets what is absent to 0


def gallop(skeleton, width=0.1):
    """Two views: swayed, and swayed with sides swapped."""
    return skelaug.GrowingPolicy(weak=[Wobble(width)], strong=[skelaug.transforms.SwapSides(skeleton)])
