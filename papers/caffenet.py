"""How should a small network halve its maps, by a maximum, a mean, both, or a stride, and how wide need it be?

Mishkin et al. 2017, https://arxiv.org/abs/1606.02228, table of https://github.com/ducha-aiki/caffenet-benchmark:
accuracies on ImageNet of 128 pixels, CaffeNet, single runs. "max + average" is the sum of both, all 3x3 with a stride
of 2 where not said. Differs: CIFAR-10; three 3x3 convolutions, each with its rectifier ahead of pooling, and 128
units, where theirs has five and two layers of 2,048. The row without padding is left out, as it halves the stride of
the first layer too. Reduced: 16, 32 and 64 filters, a tenth of the images for ten epochs, which under-fits: an order
of networks trained alike is asked, and none of the rows regularises.
"""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from benchmark.baseline import SGD, Crop, InTurn, WarmUpAndDecay, flip, he_normal, relu, standardise
from benchmark.networks import Chain, Filter, Flat, Halve, Layer, Units
from benchmark.recipe import Better, Claim, Published, Recipe


class Sum(nn.Module):
    """The maximum of each 3x3 plus its mean, with a stride of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList((nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.parts[0](x) + self.parts[1](x)
        return out


@dataclass(frozen=True)
class Pooling:
    """As Caffe pools: windows may reach beyond the edge, where nothing is."""

    kind: Literal["max", "average", "sum"]

    def __call__(self, channels: int) -> nn.Module:
        if self.kind == "sum":
            return Sum()
        return (nn.MaxPool2d if self.kind == "max" else nn.AvgPool2d)(3, 2, ceil_mode=True)


def pooled_2x2(channels: int) -> nn.Module:
    return nn.MaxPool2d(2)


OVERLAPPING = "3x3/2 max"
WIDTH = {True: 64, False: 16}  # filters of the first layer, in the full form and in the reduced one
PUBLISHED = {
    ("cifar10", ""): {
        OVERLAPPING: Published(47.1, "read", runs=1),
        "2x2 max": Published(48.4, "read", runs=1),
        "average": Published(43.5, "read", runs=1),
        "max + average": Published(48.3, "read", runs=1),
        "strided convolution": Published(47.2, "read", runs=1),
        "width x1/2": Published(41.6, "read", runs=1),
        "width x2": Published(53.3, "read", runs=1),
    }
}
CLAIMS = [
    Claim("pooling 1", "The maximum beats the mean.", Better(OVERLAPPING, than="average")),
    Claim("pooling 2", "Both together beat the maximum.", Better("max + average", than=OVERLAPPING)),
    Claim("pooling 3", "Small maps want pooling without overlap.", Better("2x2 max", than=OVERLAPPING)),
    Claim("width 1", "Twice the width gains.", Better("width x2", than=OVERLAPPING)),
    Claim("width 2", "Half the width loses.", Better(OVERLAPPING, than="width x1/2")),
]


def chain(width: int, stride: int = 1) -> Chain:
    """Returns three convolutions, each with a pooling behind it, or with a stride of 2 in its place."""
    layers: list[Layer] = []
    for n in range(3):
        layers += [Filter(width * 2**n, 3, stride, 1), *([Halve()] if stride == 1 else [])]
    return Chain((*layers, Flat(), Units(8 * width)))


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 4500,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=chain(WIDTH[full]),
        pool=Pooling("max"),
        activation=relu,
        initialise=he_normal,
        epochs=60 if full else 10,
        batch_size=128 if full else 64,
        learning_rate=0.02,
        schedule=WarmUpAndDecay(0.1),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def variants(base: Recipe) -> dict[str, Recipe]:
    width = WIDTH[base.images is None]
    return {
        OVERLAPPING: base,
        "2x2 max": replace(base, pool=pooled_2x2),
        "average": replace(base, pool=Pooling("average")),
        "max + average": replace(base, pool=Pooling("sum")),
        "strided convolution": replace(base, network=chain(width, stride=2)),
        "width x1/2": replace(base, network=chain(width // 2)),
        "width x2": replace(base, network=chain(2 * width)),
    }
