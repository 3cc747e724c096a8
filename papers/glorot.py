"""Do normalised first weights help deep networks of saturating units, and which unit is best?

Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, table 1: five hidden layers of 1,000 units and
plain stochastic gradient descent on batches of 10, rate and depth chosen for each on validation, 5 million steps.
"standard" is U(-1/sqrt(n), 1/sqrt(n)) of n inputs, "N" U(-e, e) with e = sqrt(6 / (fan-in + fan-out)). Differs: five
layers for all but sigmoid, which has the four that suited it; 45,000 training images; a tenth of the steps in the full
form. Reduced: 200 units, 18,000 images for two epochs. Passes over the images are cut, not images: of a tenth of them,
the better first weights over-fit before they can show.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from ablations.activation import OfTorch
from ablations.depth import Each
from benchmark.baseline import SGD, standardise
from benchmark.networks import Chain, Flat, Units
from benchmark.recipe import Better, Claim, Published, Recipe

RATES = {"tanh": 0.03, "softsign": 0.1, "sigmoid": 0.1}  # best of 0.03, 0.1, 0.3 on the validation images of seed 0
PUBLISHED = {
    ("cifar10", ""): {
        "tanh": Published(100 - 55.9, "quoted"),
        "tanh N": Published(100 - 52.92, "quoted"),
        "softsign": Published(100 - 55.78, "quoted"),
        "softsign N": Published(100 - 53.8, "quoted"),
        "sigmoid": Published(100 - 57.28, "quoted"),
    }
}
CLAIMS = [
    Claim("Glorot 1", "Normalised weights help tanh.", Better("tanh N", than="tanh")),
    Claim("Glorot 2", "Normalised weights help softsign.", Better("softsign N", than="softsign")),
    Claim("Glorot 3", "Sigmoid is worst.", Better("tanh", than="sigmoid")),
    Claim("Glorot 3", "Sigmoid is worst.", Better("softsign", than="sigmoid")),
]


@torch.no_grad()
def standard(network: nn.Module, images: torch.Tensor) -> None:
    """Draws from U(-1/sqrt(n), 1/sqrt(n)) of n inputs and sets biases to zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            edge = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -edge, edge)
            nn.init.zeros_(layer.bias)


def layers(count: int, width: int) -> Chain:
    return Chain((Flat(), *(Units(width),) * count))


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 18_000,
        validation_images=None if full else 1000,
        preprocess=standardise,
        network=layers(5, 1000 if full else 200),
        activation=OfTorch("Tanh"),
        initialise=standard,
        epochs=111 if full else 2,
        batch_size=10 if full else 30,
        learning_rate=RATES["tanh"],
        optimiser=SGD(momentum=0.0, nesterov=False),
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    softsign = replace(base, activation=OfTorch("Softsign"), learning_rate=RATES["softsign"])
    normalised = Each(nn.init.xavier_uniform_)
    assert isinstance(base.network, Chain)
    shallower = replace(base.network, layers=base.network.layers[:-1])
    return {
        "tanh": base,
        "tanh N": replace(base, initialise=normalised),
        "softsign": softsign,
        "softsign N": replace(softsign, initialise=normalised),
        "sigmoid": replace(base, network=shallower, activation=OfTorch("Sigmoid"), learning_rate=RATES["sigmoid"]),
    }
