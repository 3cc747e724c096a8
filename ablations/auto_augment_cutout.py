"""Do automatic augmentation policies need the Cutout that their papers have behind them?

On CIFAR, RandAugment (Cubuk et al. 2020, https://arxiv.org/abs/1909.13719) and TrivialAugment (Müller & Hutter 2021,
https://arxiv.org/abs/2103.10158) are followed by a Cutout of 16 x 16 pixels (DeVries & Taylor 2017,
https://arxiv.org/abs/1708.04552). The policies are those of `auto_augment`, the Cutout is that of `erasing`.
"""

from dataclasses import replace

from ablations import auto_augment, erasing
from benchmark.baseline import InTurn
from benchmark.recipe import Recipe

SIDE = 16  # pixels


def variants(base: Recipe) -> dict[str, Recipe]:
    arms: dict[str, Recipe] = {}
    for name, arm in auto_augment.variants(base).items():
        arms |= {name: arm, f"{name}, then cutout": replace(arm, augment=InTurn((arm.augment, erasing.Cutout(SIDE))))}
    return arms
