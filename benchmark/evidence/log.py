"""What is known of one training: losses by step, losses and accuracies by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Log:
    """What the rules look at. Any part may be empty; what is measured by epoch has nan where an epoch lacks it."""

    losses: Sequence[float] = ()  # of each step, in order; one that is not finite: the training diverged there
    train_loss: Sequence[float] = ()  # mean over each epoch
    validation_loss: Sequence[float] = ()  # after each epoch
    train_accuracy: Sequence[float] = ()  # of each epoch, 0 to 1
    validation_accuracy: Sequence[float] = ()  # after each epoch, 0 to 1
    epochs: int | None = None  # that the losses cover
    constant_rate: bool | None = None  # whether the learning rate stays above half its peak; None where unknown
    classes: int | None = None  # None where unknown

    @property
    def measured(self) -> int:
        """Returns the number of epochs that something was measured in."""
        parts = (self.train_loss, self.validation_loss, self.train_accuracy, self.validation_accuracy)
        return max(map(len, parts))
