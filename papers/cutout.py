"""What do crops and flips, cutout, and all of them together bring a residual network?

DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552, table 1: errors of ResNet-18 on CIFAR-10 and CIFAR-100,
without augmentation and with it, each without and with cutout, a hole of 16 pixels on CIFAR-10 and of 8 on CIFAR-100;
means of five runs, those with augmentation from https://github.com/uoguelph-mlrg/Cutout. Differs: the hole is grey,
0.5, not the mean colour of the training set; crops are padded by reflection. Reduced: the small VGG of the budget
`quick` on 4,000 images for 50 epochs, half the batch and half the rate. Images are cut, not passes: what augmentation
is against, the fitting of single images, takes passes over them, and where these are few, cutout hurts.
"""

from dataclasses import replace
from typing import Literal

from ablations.erasing import Cutout
from ablations.schedule import Steps
from benchmark.baseline import SGD, Crop, InTurn, batch_norm, flip, he_normal, relu, standardise
from benchmark.networks import VGG, ResNet
from benchmark.recipe import Augment, Better, Claim, Published, Recipe, unchanged

HOLES = {"cifar100": 8}  # pixels; of other sets 16
PUBLISHED = {
    ("cifar10", ""): {
        "no augmentation": Published(100 - 10.63, "quoted", deviation=0.26, runs=5),
        "cutout": Published(100 - 9.31, "quoted", runs=5),
        "crop and flip": Published(100 - 4.72, "read", deviation=0.21, runs=5),
        "crop, flip and cutout": Published(100 - 3.99, "read", runs=5),
    },
    ("cifar100", ""): {
        "no augmentation": Published(100 - 36.68, "quoted", runs=5),
        "cutout": Published(100 - 34.98, "quoted", runs=5),
        "crop and flip": Published(100 - 22.46, "read", runs=5),
        "crop, flip and cutout": Published(100 - 21.96, "read", runs=5),
    },
}
CLAIMS = [
    Claim("cutout 1", "Cutout helps without other augmentation.", Better("cutout", than="no augmentation")),
    Claim("cutout 2", "It helps on top of it.", Better("crop, flip and cutout", than="crop and flip")),
    Claim("cutout 3", "Crops and flips are worth more than cutout.", Better("crop and flip", than="cutout")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    resnet18 = ResNet(((64, 2), (128, 2), (256, 2), (512, 2)), shortcut="projected")
    return Recipe(
        data=data,
        images=None if full else 4000,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=resnet18 if full else VGG(((16, 1), (32, 2), (64, 2))),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=200 if full else 50,
        batch_size=128 if full else 64,
        learning_rate=0.1 if full else 0.05,
        schedule=Steps(5, (0.3, 0.6, 0.8)),
        optimiser=SGD(momentum=0.9, nesterov=True),
        weight_decay=5e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    hole, moved = Cutout(HOLES.get(base.data, 16)), InTurn((Crop(4), flip))
    ways: dict[str, Augment] = {
        "no augmentation": unchanged,
        "cutout": hole,
        "crop and flip": moved,
        "crop, flip and cutout": InTurn((moved, hole)),
    }
    return {name: replace(base, augment=way) for name, way in ways.items()}
