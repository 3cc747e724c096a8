"""Does ZCA whitening help a shallow network without norm, and one with batch norm?

Pal & Sudeep 2016, https://doi.org/10.1109/RTEICT.2016.7808140, whose abstract has ZCA ahead of a subtracted mean and
of mean and deviation for three shallow networks on CIFAR-10; settings of their CNN3 as in the first author's code,
https://github.com/kuntalkumarpal: two 5x5 convolutions under 2x2 pooling, 200 units, batches of 50, the rate divided
by 10 after ten epochs without a better validation. No numbers of theirs could be read. Zagoruyko & Komodakis 2016,
https://arxiv.org/abs/1605.07146, have errors of 4.17 % with ZCA and 4.00 % with mean and deviation for a wide residual
network, which has batch norm. eps is 0.1, of pixels in [0, 1]. Differs: the norm's context is the same shallow network
with batch norm; momentum of 0.9, L2 of 5e-4 and weights by He et al. Reduced: 20 filters, not 40, a tenth of the
images for 20 epochs: the images whose covariance is measured are fewer too, 4,500 for 3,072 numbers.
"""

from dataclasses import replace
from typing import Literal

from ablations.preprocessing import Centred, divided_by_255
from ablations.schedule import Plateau
from ablations.whitening import Whitened
from benchmark.baseline import SGD, batch_norm, he_normal, relu
from benchmark.networks import Chain, Filter, Flat, Halve, Units
from benchmark.recipe import Better, Claim, NotBetter, Published, Recipe, absent

PUBLISHED = {
    ("cifar10", "batch norm"): {
        "mean and deviation": Published(96.00, "quoted"),
        "ZCA": Published(95.83, "quoted"),
    }
}
CLAIMS = [
    Claim("ZCA 1", "Without a norm ZCA beats a subtracted mean.", Better("ZCA", than="mean"), "no norm"),
    Claim("ZCA 1", "Without a norm it beats mean and deviation.", Better("ZCA", "mean and deviation"), "no norm"),
    Claim("ZCA 2", "With a norm it is no better.", NotBetter("ZCA", than="mean and deviation"), "batch norm"),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    width = 40 if full else 20
    return Recipe(
        data=data,
        images=None if full else 4500,
        validation_images=None if full else 500,
        preprocess=Centred((0,), scaled=True),
        network=Chain((Filter(width, 5), Halve(), Filter(width, 5), Halve(), Flat(), Units(200))),
        activation=relu,
        initialise=he_normal,
        epochs=100 if full else 20,
        batch_size=50,
        learning_rate=0.01,
        schedule=Plateau(10, 10 if full else 4),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def without_norm(base: Recipe) -> Recipe:
    return replace(base, norm=absent)


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


CONTEXTS = {"no norm": without_norm, "batch norm": with_norm}


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "mean and deviation": base,
        "/255": replace(base, preprocess=divided_by_255),
        "mean": replace(base, preprocess=Centred((0,))),
        "ZCA": replace(base, preprocess=Whitened(0.1, back=True)),
    }
