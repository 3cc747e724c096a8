"""How much sooner does a network of rectifiers fit its training images than one of tanh units?

Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, figure 1: a network of four layers without any regularisation
reaches 25 % of errors on the training images of CIFAR-10 six times sooner with ReLU than with tanh, each at a rate of
its own. There is no table, so the claims are about the epochs. Differs: 5x5 convolutions of 32, 32 and 64 filters
under 2x2 pooling and the classifier, as the paper's layers are specified nowhere; tanh is trained at two rates, and
ReLU at one has to be sooner than both; batches are counted as they were trained on, so that the accuracy of an epoch
is that of its middle. Reduced: half the filters, 3,000 images for 40 epochs, batches of 32. Images are cut, not
passes, which are what is counted.
"""

from dataclasses import replace
from typing import Literal

from ablations.activation import OfTorch
from benchmark.baseline import SGD, he_normal, relu, standardise
from benchmark.networks import Chain, Filter, Flat, Halve
from benchmark.recipe import Claim, More, Recipe

RATES = {"tanh": (0.01, 0.03), "sigmoid": (0.03,)}
CLAIMS = [
    Claim("AlexNet 1", "ReLU fits sooner than tanh.", More(f"tanh {rate}", than="ReLU", of="epochs to 75 %"))
    for rate in RATES["tanh"]
] + [
    Claim("AlexNet 2", "ReLU fits sooner than sigmoid.", More(f"sigmoid {rate}", than="ReLU", of="epochs to 75 %"))
    for rate in RATES["sigmoid"]
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    widths = (32, 32, 64) if full else (16, 16, 32)
    filters = [layer for width in widths for layer in (Filter(width, 5, padding=2), Halve())]
    return Recipe(
        data=data,
        images=None if full else 3000,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=Chain((*filters, Flat())),
        activation=relu,
        initialise=he_normal,
        epochs=60 if full else 40,
        batch_size=128 if full else 32,
        learning_rate=0.01,
        optimiser=SGD(momentum=0.9, nesterov=False),
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    units = {"tanh": OfTorch("Tanh"), "sigmoid": OfTorch("Sigmoid")}
    slower = {
        f"{name} {rate}": replace(base, activation=units[name], learning_rate=rate)
        for name, rates in RATES.items()
        for rate in rates
    }
    return {"ReLU": base, **slower}
