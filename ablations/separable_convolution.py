"""What does it cost to filter each channel by itself and then mix channels pixel by pixel?

A depthwise separable convolution: a 3x3 filter for each input channel, then a 1x1 convolution: Howard et al. 2017,
https://arxiv.org/abs/1704.04861 (MobileNets), whose table 4 has 70.6 % on ImageNet instead of 71.7 at a ninth of the
multiply-adds; nothing lies between the two, as in Chollet 2017, https://arxiv.org/abs/1610.02357. The first layer,
whose input has three channels, stays as it is, as in MobileNets. "wide": all widths times 2, which spends a part of
what is saved.
"""

from dataclasses import dataclass, replace

from torch import nn

from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, Convolution, More, Recipe


@dataclass(frozen=True)
class Separable:
    first: Convolution  # of the images

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs == 3:
            return self.first(inputs, outputs, bias)
        depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        return nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1, bias=bias))


CLAIMS = [
    Claim("separable", "It has fewer parameters.", More("baseline", than="separable", of="parameters")),
    Claim("separable", "It costs accuracy.", Better("baseline", than="separable")),
    Claim("separable", "Width is a way to buy it back.", Better("separable, wide", than="separable")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"separable_convolution widens a VGG; the base's network is {base.network!r}")
    separable = replace(base, convolution=Separable(base.convolution))
    wide = VGG(tuple((2 * channels, count) for channels, count in base.network.stages))
    return {"separable": separable, "separable, wide": replace(separable, network=wide)}
