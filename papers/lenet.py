"""What do three steps add up to for a LeNet: standardised pixels, flips with shifts, and L2?

BIGBALLON 2017, https://github.com/BIGBALLON/cifar-10-cnn, folder 1_Lecun_Network, single runs. Differs: 45,000
training images, not 50,000; weights from a normal that is not truncated; biases do not decay; a shift leaves black,
where the original leaves the mean colour. Keras has l2(w) as w times the sum of squares: the gradient gains 2e-4 times
a weight, which is a weight_decay of 2e-4 here. Reduced: 2,000 images for a fifth of the epochs, in batches of 32.
Over-fitting, which the steps are against, takes passes over the images, not images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ablations.augmentation import Shift
from ablations.preprocessing import divided_by_255
from benchmark.baseline import SGD, InTurn, flip, he_normal, relu, standardise
from benchmark.networks import Chain, Filter, Flat, Halve, Units
from benchmark.recipe import Better, Claim, Published, Recipe, Validation


@dataclass(frozen=True)
class Falling:
    """From a share of the training on, a share of the peak."""

    at: tuple[tuple[float, float], ...]

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return next((share for start, share in reversed(self.at) if progress >= start), 1.0)


PUBLISHED = {
    ("cifar10", ""): {
        "/255": Published(58.48, "read", runs=1),
        "+ mean and deviation": Published(60.41, "read", runs=1),
        "+ flip and shift": Published(75.06, "read", runs=1),
        "+ L2": Published(76.23, "read", runs=1),
    }
}
CLAIMS = [
    Claim("LeNet 1", "Standardised pixels are better.", Better("+ mean and deviation", than="/255")),
    Claim("LeNet 2", "Flips and shifts are better still.", Better("+ flip and shift", than="+ mean and deviation")),
    Claim("LeNet 3", "L2 on top is better still.", Better("+ L2", than="+ flip and shift")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 2000,
        validation_images=None if full else 500,
        preprocess=divided_by_255,
        network=Chain((Filter(6, 5), Halve(), Filter(16, 5), Halve(), Flat(), Units(120), Units(84))),
        activation=relu,
        initialise=he_normal,
        epochs=200 if full else 40,
        batch_size=128 if full else 32,
        learning_rate=0.01,
        schedule=Falling(((0.5, 0.5), (0.75, 0.1))),
        optimiser=SGD(momentum=0.9, nesterov=True),
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    standard = replace(base, preprocess=standardise)
    moved = replace(standard, augment=InTurn((flip, Shift(4))))
    return {
        "/255": base,
        "+ mean and deviation": standard,
        "+ flip and shift": moved,
        "+ L2": replace(moved, weight_decay=2e-4),
    }
