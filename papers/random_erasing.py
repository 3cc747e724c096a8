"""What do flips, crops and random erasing bring, each by itself, two at a time and all at once?

Zhong et al. 2020, https://arxiv.org/abs/1708.04896, table 5: errors of a pre-activated ResNet-18 on CIFAR-10 for all
eight combinations; settings of https://github.com/zhunzhong07/Random-Erasing. Erased is, with probability 1/2, a
rectangle of 2 to 40 % of the area. Differs: crops are padded by reflection. Reduced: the small VGG of the budget
`quick` on 4,000 images for 50 epochs, half the batch and half the rate. Images are cut, not passes: what augmentation
is against, the fitting of single images, takes passes over them, and where these are few, erasing hurts.
"""

from dataclasses import replace
from typing import Literal

from ablations.erasing import RandomErasing
from ablations.schedule import Steps
from benchmark.baseline import SGD, Crop, InTurn, batch_norm, flip, he_normal, relu, standardise
from benchmark.networks import VGG, ResNet
from benchmark.recipe import Augment, Better, Claim, Published, Recipe, unchanged

PUBLISHED = {
    ("cifar10", ""): {
        "none": Published(100 - 11.31, "recalled"),
        "flip": Published(100 - 8.30, "recalled"),
        "crop": Published(100 - 6.33, "recalled"),
        "erase": Published(100 - 10.13, "recalled"),
        "flip + crop": Published(100 - 5.17, "recalled"),
        "flip + erase": Published(100 - 7.19, "recalled"),
        "crop + erase": Published(100 - 5.21, "recalled"),
        "all": Published(100 - 4.31, "recalled"),
    }
}
CLAIMS = [
    Claim("erasing 1", "Random erasing helps by itself.", Better("erase", than="none")),
    Claim("erasing 2", "It helps on top of flips and crops.", Better("all", than="flip + crop")),
    Claim("erasing 3", "Crops are worth more than flips.", Better("crop", than="flip")),
    Claim("erasing 3", "Flips are worth more than random erasing.", Better("flip", than="erase")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    resnet18 = ResNet(((64, 2), (128, 2), (256, 2), (512, 2)), preactivated=True, shortcut="projected")
    return Recipe(
        data=data,
        images=None if full else 4000,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=resnet18 if full else VGG(((16, 1), (32, 2), (64, 2))),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=300 if full else 50,
        batch_size=128 if full else 64,
        learning_rate=0.1 if full else 0.05,
        schedule=Steps(10, (0.5, 0.75)),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    crop, erase = Crop(4), RandomErasing(0.5)
    ways: dict[str, tuple[Augment, ...]] = {
        "flip": (flip,),
        "crop": (crop,),
        "erase": (erase,),
        "flip + crop": (crop, flip),
        "flip + erase": (flip, erase),
        "crop + erase": (crop, erase),
        "all": (crop, flip, erase),
    }
    return {"none": replace(base, augment=unchanged)} | {
        name: replace(base, augment=InTurn(parts)) for name, parts in ways.items()
    }
