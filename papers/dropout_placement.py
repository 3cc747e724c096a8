"""Does dropout help in the fully connected layers, and more in all layers?

Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, table 4: errors on CIFAR-10 and CIFAR-100
without dropout, with it in fully connected layers and in all. Three 5x5 convolutions of 96, 128 and 256 filters under
3x3 pooling with a stride of 2, two layers of 2,048 units; 10, 25, 25, 50, 50 and 50 % dropped from the input up;
momentum 0.95, a maximal norm of 4 for all rows. Differs: pooling is 2x2, pixels are standardised, and weights are
scaled by LSUV, which allows for the dropout: from He's weights the small network with dropout in all layers never left
guessing. The paper tuned its network without dropout by hand, and here all rows are trained alike. Reduced: an eighth
of the filters, 256 units, 3,000 images for 40 epochs in batches of 32. Images are cut, not passes: over-fitting, which
dropout is against, takes these.
"""

from dataclasses import replace
from typing import Literal

from ablations.lsuv import lsuv
from ablations.regularisation import MaxNorm
from benchmark.baseline import SGD, WarmUpAndDecay, relu, standardise
from benchmark.networks import Chain, Drop, Filter, Flat, Halve, Layer, Units
from benchmark.recipe import Better, Claim, Published, Recipe

NO_DROPOUT, HEAD, ALL = "none", "fully connected", "all layers"
SHARES = (0.1, 0.25, 0.25, 0.5, 0.5, 0.5)  # dropped of the input, behind each convolution and each layer of units
PUBLISHED = {
    ("cifar10", ""): {
        NO_DROPOUT: Published(100 - 15.60, "quoted"),
        HEAD: Published(100 - 14.32, "quoted"),
        ALL: Published(100 - 12.61, "quoted"),
    },
    ("cifar100", ""): {
        NO_DROPOUT: Published(100 - 43.48, "quoted"),
        HEAD: Published(100 - 41.26, "quoted"),
        ALL: Published(100 - 37.20, "quoted"),
    },
}
CLAIMS = [
    Claim("placement 1", "Dropout of units helps.", Better(HEAD, than=NO_DROPOUT)),
    Claim("placement 2", "Dropout in all layers helps more.", Better(ALL, than=HEAD)),
]


def chain(filters: tuple[int, ...], units: int, shares: tuple[float, ...]) -> Chain:
    """Returns the network, with these shares dropped where they are above 0."""
    dropped = [[Drop(share)] if share else [] for share in shares]
    layers: list[Layer] = [*dropped[0]]
    for count, drop in zip(filters, dropped[1:4], strict=True):
        layers += [Filter(count, 5, padding=2), Halve(), *drop]
    return Chain((*layers, Flat(), Units(units), *dropped[4], Units(units), *dropped[5]))


def sizes(full: bool) -> tuple[tuple[int, ...], int]:
    return ((96, 128, 256), 2048) if full else ((12, 16, 32), 256)


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 3000,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=chain(*sizes(full), (0.0,) * 6),
        activation=relu,
        initialise=lsuv,
        epochs=200 if full else 40,
        batch_size=128 if full else 32,
        learning_rate=0.01 if full else 0.005,
        schedule=WarmUpAndDecay(0.1),
        optimiser=SGD(momentum=0.95, nesterov=False),
        constrain=MaxNorm(4),
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    full = base.images is None
    return {
        NO_DROPOUT: base,
        HEAD: replace(base, network=chain(*sizes(full), (0.0,) * 4 + SHARES[4:])),
        ALL: replace(base, network=chain(*sizes(full), SHARES)),
    }
