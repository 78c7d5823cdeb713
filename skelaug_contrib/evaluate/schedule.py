"""How a classifier is trained: epochs and learning rates, and the paper's numbers for each evaluation."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import SGD

from skelaug import check
from skelaug_contrib.ranges import Checked, Range
from skelaug_contrib.schedule import step_rate

__all__ = ["FINETUNE", "LINEAR", "SEMI", "Fit", "Schedule", "fit"]

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Schedule(Checked):
    """SGD with momentum 0.9 whose learning rate warms up linearly and falls to a tenth at every milestone.

    Args:
        epochs: how often the training samples are seen.
        lr: learning rate after warm-up.
        milestones: epochs (counted from 0) from which on the rate is a tenth of what it was before.
        batch: samples a step.
        warmup: epochs in which the rate rises: epoch e < warmup trains with lr·(e + 1) / warmup.
        weight_decay: of all parameters.
        nesterov: Nesterov's momentum.

    Raises:
        ValueError: an argument is off.

    Example:
        >>> schedule = Schedule(epochs=70, lr=0.1, milestones=(30, 55), batch=64, warmup=5)
        >>> print(*(round(schedule.rate(epoch), 4) for epoch in (0, 4, 5, 30, 69)))
        0.02 0.1 0.1 0.01 0.001
    """

    epochs: Annotated[int, Range(1)]
    lr: Annotated[float, Range(0)]
    milestones: tuple[Annotated[int, Range(0)], ...] = ()
    batch: Annotated[int, Range(1)] = 128
    warmup: Annotated[int, Range(0)] = 0
    weight_decay: Annotated[float, Range(0)] = 0.0
    nesterov: bool = False

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        return step_rate(self.lr, epoch, self.warmup, self.milestones)

    def lasting(self, epochs: int) -> Schedule:
        """The same course in another number of epochs: warm-up and milestones move along.

        Example:
            >>> LINEAR["stgcn"].lasting(10).milestones
            (8,)
        """
        stretch = check.count("Schedule.lasting", "epochs", epochs) / self.epochs
        return dataclasses.replace(
            self,
            epochs=epochs,
            milestones=tuple(round(epoch * stretch) for epoch in self.milestones),
            warmup=round(self.warmup * stretch),
        )

    def optimizer(self, parameters: Iterable[Tensor]) -> SGD:
        """The optimizer; :meth:`rate` is to be set in every epoch."""
        return SGD(parameters, lr=self.lr, momentum=0.9, weight_decay=self.weight_decay, nesterov=self.nesterov)


class Fit(NamedTuple, Generic[Model]):
    """A trained classifier, and how it was chosen.

    Attributes:
        model: gives logits ``(N, classes)``; in eval mode.
        epoch: the epoch (counted from 1) whose weights these are: the best on validation (the latest of equal ones)
            where there is validation, else the last.
        validation: its accuracy there, 0 … 1, or ``None``.
    """

    model: Model
    epoch: int
    validation: float | None


def fit(
    who: str,
    model: Model,
    schedule: Schedule,
    losses: Callable[[int], Iterable[Tensor]],
    score: Callable[[], float] | None,
) -> Fit[Model]:
    """Train a classifier and keep the weights of the epoch that is best on validation; without it, the last ones.

    Args:
        who: trains, for the message.
        model: trained in place.
        schedule: of the training.
        losses: gives the losses of an epoch, counted from 0, a step at a time.
        score: the accuracy on validation.

    Raises:
        ValueError: a loss is not finite at the end of an epoch.
    """
    optimizer = schedule.optimizer(model.parameters())
    epoch, best, state = schedule.epochs, None, None
    for number in range(schedule.epochs):
        optimizer.param_groups[0]["lr"] = rate = schedule.rate(number)
        for loss in losses(number):
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        if not loss.isfinite():
            raise ValueError(
                f"{who}: the loss is {float(loss.detach())} in epoch {number + 1} with learning rate {rate:g}; a "
                f"smaller lr in the schedule mends it"
            )
        value = None if score is None else score()
        if value is not None and (best is None or value >= best):
            epoch, best, state = number + 1, value, copy.deepcopy(model.state_dict())
    if state is not None:
        model.load_state_dict(state)
    return Fit(model.eval(), epoch, best)


#: The settings of the reference implementation by encoder. The linear probe trains on a frozen encoder. That of raw
#: coordinates, for standardized ones, is ours: the paper's rate costs 5 to 6 points on held-out subjects of NW-UCLA.
LINEAR = {
    "stgcn": Schedule(epochs=100, lr=3.0, milestones=(80,), batch=128),
    "dsta": Schedule(epochs=100, lr=3.0, milestones=(30, 80), batch=128),
    "coordinates": Schedule(epochs=100, lr=0.003, milestones=(80,), batch=128),
}
FINETUNE = {
    "stgcn": Schedule(70, 0.1, (30, 55), batch=64, warmup=5, weight_decay=1e-4, nesterov=True),
    "dsta": Schedule(80, 0.1, (35, 55), batch=128, warmup=5, weight_decay=5e-4, nesterov=True),
}
#: With few labels.
SEMI = {
    "stgcn": Schedule(42, 0.1, (15, 30), batch=64, warmup=5, weight_decay=1e-4, nesterov=True),
    "dsta": Schedule(50, 0.1, (15, 30), batch=128, warmup=5, weight_decay=5e-4, nesterov=True),
}
