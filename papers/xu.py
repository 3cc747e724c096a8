"""Does a slope below zero make better networks than ReLU, and is a random one better than a fixed or a learned one?

Xu et al. 2015, https://arxiv.org/abs/1505.00853, tables 3 and 4: errors on CIFAR-10 and CIFAR-100 of a Network in
Network (Lin et al. 2014, https://arxiv.org/abs/1312.4400) with dropout, on raw pixels without augmentation. Leaky is
x / a below zero; RReLU draws a from U(3, 8) for each value in training and takes 5.5 in testing; PReLU learns a slope
for each channel. Claims are in the words of the abstract; that PReLU has the lowest training error, in others'
accounts of the tables. Differs: pixels are standardised: of raw ones, three epochs hardly left guessing on CIFAR-100.
Where the paper's settings were not known, widths are those of https://github.com/BIGBALLON/cifar-10-cnn, and momentum,
L2 and length of the full form those of the network's first author, whose solver is
https://gist.github.com/mavenlin/e56253735ef32c3c296d; its rate is the reduced form's per image. The rate rises and
falls linearly, weights are by He et al., pooling is 2x2, and the last 1x1 convolution is a linear layer behind the
mean. Reduced: half the width, 9,000 images for 20 epochs in batches of 32. Images are cut, not passes: the claims are
about over-fitting, which takes these.
"""

from dataclasses import replace
from typing import Literal

from ablations.activation import Leaky, prelu, rrelu
from benchmark.baseline import SGD, WarmUpAndDecay, he_normal, relu, standardise
from benchmark.networks import Chain, Drop, Filter, Halve, Layer, Mean
from benchmark.recipe import Better, Claim, Maker, More, Published, Recipe

WIDTHS = ((192, 160, 96), (192, 192, 192), (192, 192))  # of a convolution and the 1x1 convolutions behind it
PUBLISHED = {
    ("cifar10", ""): {
        "ReLU": Published(100 - 12.45, "recalled"),
        "leaky 1/100": Published(100 - 12.66, "recalled"),
        "leaky 1/5.5": Published(100 - 11.20, "recalled"),
        "PReLU": Published(100 - 11.79, "recalled"),
        "RReLU": Published(100 - 11.19, "quoted"),
    },
    ("cifar100", ""): {
        "ReLU": Published(100 - 42.90, "recalled"),
        "leaky 1/100": Published(100 - 42.05, "recalled"),
        "leaky 1/5.5": Published(100 - 40.42, "recalled"),
        "PReLU": Published(100 - 41.63, "recalled"),
        "RReLU": Published(100 - 40.25, "quoted"),
    },
}
OTHERS = ("ReLU", "leaky 1/100", "leaky 1/5.5", "RReLU")
CLAIMS = [
    *(Claim("Xu 1", f"{s} improves on ReLU.", Better(s, than="ReLU")) for s in ("leaky 1/5.5", "PReLU", "RReLU")),
    Claim("Xu 2", "The larger slope is the better leaky ReLU.", Better("leaky 1/5.5", than="leaky 1/100")),
    *(Claim("Xu 3", "PReLU fits best.", More("PReLU", than=other, of="train accuracy")) for other in OTHERS),
    Claim("Xu 4", "A random slope is better than a learned one.", Better("RReLU", than="PReLU")),
]


def layers(full: bool, between: tuple[Layer, ...]) -> list[Layer]:
    """Returns the layers up to the last map, with these ones behind each pooling."""
    made: list[Layer] = []
    for size, widths in zip((5, 5, 3), WIDTHS, strict=True):
        first, *others = widths if full else [width // 2 for width in widths]
        made += [Halve(), *between] if made else []
        made += [Filter(first, size, padding=size // 2), *(Filter(width, 1) for width in others)]
    return made


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 9000,
        validation_images=None if full else 500,
        preprocess=standardise,
        network=Chain((*layers(full, (Drop(0.5),)), Mean())),
        activation=relu,
        initialise=he_normal,
        epochs=300 if full else 20,
        batch_size=128 if full else 32,
        learning_rate=0.04 if full else 0.01,
        schedule=WarmUpAndDecay(0.1),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=1e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    makers: dict[str, Maker] = {"ReLU": relu, "leaky 1/100": Leaky(100), "leaky 1/5.5": Leaky(5.5)}
    makers |= {"PReLU": prelu, "RReLU": rrelu}
    return {name: replace(base, activation=maker) for name, maker in makers.items()}
