"""Is 2x2 max pooling the best way to halve a map?

Against 3x3 / 2 max pooling, padded by 1 (overlapping: Krizhevsky et al. 2012, https://doi.org/10.1145/3065386); the
mean of 2x2; the mean of that and their maximum (Lee et al. 2016, https://arxiv.org/abs/1509.08985, mixed pooling with
a fixed share of 1/2); and, in place of a pooling, norm, activation and a 3x3 convolution with stride 2 (All-CNN:
Springenberg et al. 2015, https://arxiv.org/abs/1412.6806, which has it ahead of pooling; it adds parameters and work).
The base's VGG pools ahead of norm and activation, so that these means are of values before the activation, and the
norm sees pooled values. Mishkin et al. 2017, https://arxiv.org/abs/1606.02228, have max + average > max > average.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Maker, NotBetter, Recipe


def overlapping(channels: int) -> nn.Module:
    return nn.MaxPool2d(3, stride=2, padding=1)


def average(channels: int) -> nn.Module:
    return nn.AvgPool2d(2)


class MaxAndAverage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)) / 2


def max_and_average(channels: int) -> nn.Module:
    return MaxAndAverage()


@dataclass(frozen=True)
class StridedConvolution:
    norm: Maker
    activation: Maker

    def __call__(self, channels: int) -> nn.Module:
        norm = self.norm(channels)
        bias = isinstance(norm, nn.Identity)  # the norm that follows would take it away again
        return nn.Sequential(
            norm, self.activation(channels), nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=bias)
        )


OTHERS = ("3x3/2 max", "average", "strided convolution", "max + average")
CLAIMS = [
    Claim("overlapping pooling", "It is better than pooling without overlap.", Better(OTHERS[0])),
    Claim("max + average", "Maximum and mean together are the best.", Better(OTHERS[3])),
    Claim("max + average", "The mean alone is behind the maximum.", Better("baseline", than=OTHERS[1])),
    Claim("All-CNN", "A strided convolution loses nothing.", NotBetter("baseline", than=OTHERS[2])),
]

TOUR = ("average",)


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Maker] = {
        "3x3/2 max": overlapping,
        "average": average,
        "max + average": max_and_average,
        "strided convolution": StridedConvolution(base.norm, base.activation),
    }
    return {name: replace(base, pool=way) for name, way in ways.items()}
