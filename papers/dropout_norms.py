"""Which bound on the weights goes best with dropout, and what is dropout worth together with each?

Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, table 9: errors on MNIST of a network of
1024-1024-2048 rectifiers; the rows with KL sparsity are left out. Its table 10 has deviations of 0.04 over runs.
Dropout sets 20 % of the pixels and half of the units to zero. Differs: CIFAR-10, whose numbers stand next to those of
MNIST; one length and rate for all rows, the best of 0.003, 0.01 and 0.03 for L2 and for max norm on the validation
images of seed 0, where the paper trains longer with dropout. Reduced: a quarter of the units, a tenth of the images
for 30 epochs: over-fitting, which all rows are against, takes passes over the images.
"""

from dataclasses import replace
from typing import Literal

from ablations.regularisation import L1, MaxNorm
from benchmark.baseline import SGD, he_normal, relu, standardise
from benchmark.networks import Chain, Drop, Flat, Units
from benchmark.recipe import Better, Claim, Published, Recipe

PUBLISHED = {
    ("cifar10", ""): {
        "L2": Published(98.38, "quoted", deviation=0.04, runs=1),
        "L2 + L1": Published(98.40, "quoted", deviation=0.04, runs=1),
        "max norm": Published(98.65, "quoted", deviation=0.04, runs=1),
        "dropout + L2": Published(98.75, "quoted", deviation=0.04, runs=1),
        "dropout + max norm": Published(98.95, "quoted", deviation=0.04, runs=1),
    }
}
CLAIMS = [
    Claim("dropout 1", "Max norm is better than L2.", Better("max norm", than="L2")),
    Claim("dropout 2", "Dropout helps on top of L2.", Better("dropout + L2", than="L2")),
    Claim("dropout 3", "Dropout helps on top of max norm.", Better("dropout + max norm", than="max norm")),
    Claim("dropout 4", "Dropout goes best with max norm.", Better("dropout + max norm", than="dropout + L2")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    width = 1024 if full else 256
    return Recipe(
        data=data,
        images=None if full else 4500,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=Chain((Flat(), Units(width), Units(width), Units(2 * width))),
        activation=relu,
        initialise=he_normal,
        epochs=100 if full else 30,
        batch_size=100,
        learning_rate=0.01,
        optimiser=SGD(momentum=0.95, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def dropped(base: Recipe) -> Recipe:
    """Returns `base` with dropout of the pixels and behind every hidden layer."""
    assert isinstance(base.network, Chain)
    flat, *units = base.network.layers
    chain = Chain((flat, Drop(0.2), *(each for unit in units for each in (unit, Drop(0.5)))))
    return replace(base, network=chain)


def variants(base: Recipe) -> dict[str, Recipe]:
    bounded = replace(base, weight_decay=0.0, constrain=MaxNorm(3))
    return {
        "L2": base,
        "L2 + L1": replace(base, penalise=L1(1e-5)),
        "max norm": bounded,
        "dropout + L2": dropped(base),
        "dropout + max norm": dropped(bounded),
    }
