"""Is the epoch that was best on validation images better than the last one?

What is tested are the weights after the epoch of the highest validation accuracy, of the lowest validation loss, or of
the highest accuracy until it has not risen for a fifth of the training, where early stopping would have ended it
(Prechelt 1998, https://doi.org/10.1007/3-540-49430-8_3; the training goes on here, so no time is saved). The images
that choose are the validation images, never those of the test. Under the baseline's falling rate, and under a constant
one, where epochs differ more from one another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.recipe import Better, Claim, Keep, Recipe, Validation, constant


def most_accurate(history: Sequence[Validation]) -> int:
    accuracies = [epoch.accuracy for epoch in history]
    return accuracies.index(max(accuracies))


def lowest_loss(history: Sequence[Validation]) -> int:
    losses = [epoch.loss for epoch in history]
    return losses.index(min(losses))


@dataclass(frozen=True)
class Patience:
    epochs: int  # without a higher accuracy, after which nothing more is looked at

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"Patience.epochs must be at least 1, got {self.epochs!r}")

    def __call__(self, history: Sequence[Validation]) -> int:
        best = 0
        for place, epoch in enumerate(history):
            if place - best > self.epochs:
                return best
            if epoch.accuracy > history[best].accuracy:
                best = place
        return best


def falling_rate(base: Recipe) -> Recipe:
    return base


def constant_rate(base: Recipe) -> Recipe:
    return replace(base, schedule=constant)


CONTEXTS = {"falling rate": falling_rate, "constant rate": constant_rate}
CLAIMS = [Claim("early stopping", "The best epoch is better than the last.", Better("most accurate epoch"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Keep] = {"most accurate epoch": most_accurate, "epoch of lowest loss": lowest_loss}
    ways["patience 20 %"] = Patience(max(1, round(base.epochs / 5)))
    return {name: replace(base, keep=way) for name, way in ways.items()}
