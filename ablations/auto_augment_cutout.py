"""Do automatic augmentation policies need the Cutout that their papers have behind them?

On CIFAR, AutoAugment (Cubuk et al. 2019, https://arxiv.org/abs/1805.09501), RandAugment (Cubuk et al. 2020,
https://arxiv.org/abs/1909.13719) and TrivialAugment (Müller & Hutter 2021, https://arxiv.org/abs/2103.10158) are
followed by a Cutout of 16 x 16 pixels (DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552). The policies are
those of `auto_augment` and `auto_augment_policy`, the Cutout is that of `erasing`.
"""

from dataclasses import replace

from ablations import auto_augment, auto_augment_policy, erasing
from benchmark.baseline import InTurn
from benchmark.recipe import Better, Claim, Recipe

SIDE = 16  # pixels

CLAIMS = [  # table 2 of Cubuk et al. 2019 compares the two on CIFAR-10
    Claim("AutoAugment", "With Cutout, it improves on Cutout.", Better("AutoAugment, then cutout", than="cutout"))
]


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {"cutout": replace(base, augment=InTurn((base.augment, erasing.Cutout(SIDE))))}
    for name, arm in (auto_augment.variants(base) | auto_augment_policy.variants(base)).items():
        arms |= {name: arm, f"{name}, then cutout": replace(arm, augment=InTurn((arm.augment, erasing.Cutout(SIDE))))}
    return arms
