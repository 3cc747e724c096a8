"""Is the mean of the weights along the last part of a training better than the last weights, at equal cost?

Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, table 1, VGG-16, numbers of https://github.com/timgaripov/swa:
accuracies after one budget (200 epochs) of SGD, and of stochastic weight averaging after 1, 1.25 and 1.5 budgets. The
rate falls from half of the training to nine tenths, to a hundredth; for the averages to a fifth by epoch 161, is held
there, and weights are averaged from there on. Differs: every step is averaged, not every epoch's end; the full form is
VGG with batch norm of half the width, from He's weights. Reduced: the small VGG of the budget `quick` on 6,000 images
for 20 epochs. Both images and passes are cut: the average is of the last fifth at any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ablations.averaging import MeanFrom
from benchmark.baseline import SGD, Crop, InTurn, batch_norm, flip, he_normal, relu, standardise
from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, Published, Recipe, Validation


@dataclass(frozen=True)
class HalfThenDown:
    """The peak for half of a part of the training, then linearly down until nine tenths of it, then held."""

    last: float  # share of the peak that is held
    part: float = 1.0  # share of the training

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        fallen = min(1.0, max(0.0, (progress / self.part - 0.5) / 0.4))
        return 1 - (1 - self.last) * fallen


START = 161 / 200  # of a budget, from which on weights are averaged
PUBLISHED = {
    ("cifar100", ""): {
        "SGD": Published(72.55, "read", deviation=0.10),
        "SWA": Published(73.91, "read", deviation=0.12),
        "SWA, 1.25 budgets": Published(74.17, "read"),
        "SWA, 1.5 budgets": Published(74.27, "read"),
    },
    ("cifar10", ""): {
        "SGD": Published(93.25, "read", deviation=0.16),
        "SWA": Published(93.59, "read", deviation=0.16),
        "SWA, 1.25 budgets": Published(93.70, "read"),
        "SWA, 1.5 budgets": Published(93.64, "read"),
    },
}
CLAIMS = [
    Claim("SWA 1", "At equal cost the mean beats the last weights.", Better("SWA", than="SGD")),
    Claim("SWA 2", "A longer average beats one budget of SGD.", Better("SWA, 1.5 budgets", than="SGD")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 6000,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=VGG(((32, 2), (64, 2), (128, 3), (256, 3), (256, 3)) if full else ((16, 1), (32, 2), (64, 2))),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=200 if full else 20,
        batch_size=128 if full else 64,
        learning_rate=0.05,
        schedule=HalfThenDown(0.01),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    def averaged(budgets: float) -> Recipe:
        start = START / budgets
        return replace(
            base,
            epochs=round(budgets * base.epochs),
            schedule=HalfThenDown(0.2, start),
            average=MeanFrom(start),
            remeasure=True,
        )

    longer = {f"SWA, {budgets} budgets": averaged(budgets) for budgets in (1.25, 1.5)}
    return {"SGD": base, "SWA": averaged(1), **longer}
