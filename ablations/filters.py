"""Are small filters, stride 1 and padding that keeps the map's size the best choice?

Against 3x3: 1x1, 5x5 and 7x7 at equal width, and at about equal cost: widths times 3 / k, so that all layers but the
first (3 inputs) and the head take as many multiply-adds as before; at `quick` the total changes by -7, 8 and 17 %.
Stride 2: the first convolution of each stage moves by two pixels, and nothing is pooled. No padding: a 3x3 convolution
takes 2 off height and width as long as 2 x 2 pixels are left, since a pooling may follow; a smaller map is padded as
ever. Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556, section 2.3; stride: Springenberg et al. 2015,
https://arxiv.org/abs/1412.6806, where Strided-CNN-C is behind its base; padding: Mishkin et al. 2017,
https://arxiv.org/abs/1606.02228, where none is behind.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, More, Parts, Recipe


@dataclass(frozen=True)
class Square:
    size: int  # pixels; odd, so that padding can keep the map's size

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"Square.size must be odd and at least 1, got {self.size!r}")

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        return nn.Conv2d(inputs, outputs, self.size, padding=self.size // 2, bias=bias)


class Unpadded(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, padding=0 if min(x.shape[2:]) >= 4 else 1)


def unpadded(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return Unpadded(inputs, outputs, 3, bias=bias)


class Halved(nn.Identity):
    """Stands where a pooling was."""


def halved(channels: int) -> nn.Module:
    return Halved()


@dataclass(frozen=True)
class Strided:
    """`network` with each convolution ahead of a pooling at stride 2, and without the poolings."""

    network: Callable[[Parts], nn.Module]

    def __call__(self, parts: Parts) -> nn.Module:
        network = self.network(replace(parts, pool=halved))
        for layer, next_one in pairwise(network.modules()):
            if isinstance(next_one, Halved) and isinstance(layer, nn.Conv2d):
                layer.stride = (2, 2)
        return network


BEST = "3x3 with stride 1 and padding 1 is more accurate."
CLAIMS = [
    *(Claim("S4.1", BEST, Better("baseline", than=s)) for s in ("1x1", "5x5", "7x7", "stride 2", "no padding")),
    *(Claim("S4.1", "It has fewer parameters.", More(s, "baseline", of="parameters")) for s in ("5x5", "7x7")),
]

TOUR = ("1x1", "stride 2")


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"filters scales a VGG's widths; the base's network is {base.network!r}")
    arms = {}
    for size in (1, 5, 7):
        stages = tuple((max(1, round(channels * 3 / size)), count) for channels, count in base.network.stages)
        arms[f"{size}x{size}"] = replace(base, convolution=Square(size))
        arms[f"{size}x{size} at equal cost"] = replace(base, convolution=Square(size), network=VGG(stages))
    return arms | {
        "stride 2": replace(base, network=Strided(base.network)),
        "no padding": replace(base, convolution=unpadded),
    }
