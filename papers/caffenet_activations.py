"""Which activation is best without a norm, and is any with one?

Mishkin et al. 2017, https://arxiv.org/abs/1606.02228, table of https://github.com/ducha-aiki/caffenet-benchmark:
accuracies on ImageNet of 128 pixels, CaffeNet, single runs, one rate for all, weights by LSUV. VLReLU is x / 3 below
zero. Differs: CIFAR-10; three 3x3 convolutions and 128 units, where theirs has five and two layers of 2,048; the norm
stands ahead of the activation, not behind it, and the layer of units has none; no dropout there. Maxout is left out;
nothing is published of sigmoid without a norm. Reduced: 16, 32 and 64 filters, a tenth of the images for ten epochs,
which under-fits: an order of units that are trained alike is asked, and none of the rows regularises.
"""

from dataclasses import replace
from typing import Literal

from ablations.activation import Leaky, OfTorch, prelu, rrelu
from ablations.lsuv import lsuv
from benchmark.baseline import SGD, Crop, InTurn, WarmUpAndDecay, batch_norm, flip, relu, standardise
from benchmark.networks import Chain, Filter, Flat, Halve, Units
from benchmark.recipe import Alike, Better, Claim, Maker, Published, Recipe, absent

PUBLISHED = {
    ("cifar10", "no norm"): {
        "ReLU": Published(47.1, "read", runs=1),
        "none": Published(38.9, "read", runs=1),
        "tanh": Published(40.1, "read", runs=1),
        "VLReLU": Published(46.9, "read", runs=1),
        "RReLU": Published(47.8, "read", runs=1),
        "PReLU": Published(48.5, "read", runs=1),
        "ELU": Published(48.8, "read", runs=1),
    },
    ("cifar10", "batch norm"): {
        "ReLU": Published(49.9, "read", runs=1),
        "none": Published(38.4, "read", runs=1),
        "tanh": Published(44.8, "read", runs=1),
        "sigmoid": Published(47.5, "read", runs=1),
        "RReLU": Published(50.0, "read", runs=1),
        "PReLU": Published(50.3, "read", runs=1),
        "ELU": Published(49.8, "read", runs=1),
    },
}
BARE, NORMED = "no norm", "batch norm"
CLAIMS = [
    *(Claim("units 1", f"Without a norm {each} beats ReLU.", Better(each, "ReLU"), BARE) for each in ("ELU", "PReLU")),
    *(Claim("units 2", "tanh does worse than ReLU.", Better("ReLU", "tanh"), context) for context in (BARE, NORMED)),
    Claim("units 3", "With a norm sigmoid still does worse.", Better("ReLU", "sigmoid"), NORMED),
    *(
        Claim("units 4", "With a norm the rectifiers are nearly equal.", Alike(each, "ReLU"), NORMED)
        for each in ("RReLU", "PReLU", "ELU")
    ),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    width = 64 if full else 16
    filters = [layer for n in range(3) for layer in (Filter(width * 2**n, 3, padding=1), Halve())]
    return Recipe(
        data=data,
        images=None if full else 4500,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=Chain((*filters, Flat(), Units(8 * width))),
        activation=relu,
        initialise=lsuv,
        epochs=60 if full else 10,
        batch_size=128 if full else 64,
        learning_rate=0.02,
        schedule=WarmUpAndDecay(0.1),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def without_norm(base: Recipe) -> Recipe:
    return replace(base, norm=absent)


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


CONTEXTS = {BARE: without_norm, NORMED: with_norm}


def variants(base: Recipe) -> dict[str, Recipe]:
    makers: dict[str, Maker] = {"ReLU": relu, "VLReLU": Leaky(3), "RReLU": rrelu, "PReLU": prelu}
    makers |= {
        "ELU": OfTorch("ELU"),
        "none": OfTorch("Identity"),
        "tanh": OfTorch("Tanh"),
        "sigmoid": OfTorch("Sigmoid"),
    }
    return {name: replace(base, activation=maker) for name, maker in makers.items()}
