"""How much do runs that differ in nothing but the seed differ in accuracy, and what makes them differ less?

Jordan 2023, https://arxiv.org/abs/2304.01910: a ResNet-9 on CIFAR-10 has deviations over runs of 0.56 points after 4
epochs, 0.19 after 16 and 0.15 after 64, and 3.5 times the variance without augmentation. What is compared is each
run's distance from the median of its arm (Brown & Forsythe), so that 30 runs of each row are asked for: --seeds 30.
Differs: the small VGG of the suite; lengths of a quarter, one and four times; without augmentation the accuracy is
another, too. Reduced: the budget `quick`, a tenth of the images for ten epochs: how spreads compare does not hang on
the level.
"""

from dataclasses import replace
from typing import Literal

from benchmark.baseline import SGD, Crop, InTurn, WarmUpAndDecay, batch_norm, flip, he_normal, relu, standardise
from benchmark.networks import VGG
from benchmark.recipe import Claim, More, Recipe, unchanged

CLAIMS = [
    Claim("seeds 1", "Longer training, smaller spread.", More("a quarter as long", than="as long", of="spread")),
    Claim("seeds 1", "Longer training, smaller spread.", More("as long", than="four times as long", of="spread")),
    Claim("seeds 2", "Without augmentation, larger spread.", More("no augmentation", than="as long", of="spread")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 4500,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=VGG(((64, 2), (256, 2), (256, 2)) if full else ((16, 1), (32, 2), (64, 2))),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=16 if full else 10,
        batch_size=512 if full else 64,
        learning_rate=0.8 if full else 0.2,
        schedule=WarmUpAndDecay(0.2),
        optimiser=SGD(momentum=0.9, nesterov=True),
        weight_decay=5e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "a quarter as long": replace(base, epochs=max(1, base.epochs // 4)),
        "as long": base,
        "four times as long": replace(base, epochs=4 * base.epochs),
        "no augmentation": replace(base, augment=unchanged),
    }
