"""Which first layer should see the images?

Against one 3x3 convolution: "three 3x3", with half the channels, norm and activation in the first two (the stem of
ResNet-C: He et al. 2019, https://arxiv.org/abs/1812.01187, section 4.1, where it gains 0.2 points on ImageNet); "7x7,
stride 2", ResNet's own for images of 224 pixels (https://arxiv.org/abs/1512.03385), which here leaves 8x8 pixels after
the first pooling; and "2x2 to depth", where each 2x2 patch of pixels becomes one pixel of 12 channels ahead of a 3x3
convolution (TResNet: Ridnik et al. 2021, https://arxiv.org/abs/2003.13630, with 4x4), which halves the map as well.
"""

from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Better, Claim, Convolution, Maker, Recipe


@dataclass(frozen=True)
class Three:
    convolution: Convolution
    norm: Maker
    activation: Maker

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs != 3:
            return self.convolution(inputs, outputs, bias)
        half, layers = max(1, outputs // 2), list[nn.Module]()
        for before in (inputs, half):
            layers += [self.convolution(before, half, bias), self.norm(half), self.activation(half)]
        return nn.Sequential(*layers, self.convolution(half, outputs, bias))


@dataclass(frozen=True)
class Large:
    convolution: Convolution  # of all other layers

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs != 3:
            return self.convolution(inputs, outputs, bias)
        return nn.Conv2d(inputs, outputs, 7, stride=2, padding=3, bias=bias)


@dataclass(frozen=True)
class ToDepth:
    convolution: Convolution

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs != 3:
            return self.convolution(inputs, outputs, bias)
        return nn.Sequential(nn.PixelUnshuffle(2), self.convolution(4 * inputs, outputs, bias))


CLAIMS = [Claim("stem", "Three small convolutions are a better stem than one layer.", Better("three 3x3"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    stems: dict[str, Convolution] = {
        "three 3x3": Three(base.convolution, base.norm, base.activation),
        "7x7, stride 2": Large(base.convolution),
        "2x2 to depth": ToDepth(base.convolution),
    }
    return {name: replace(base, convolution=stem) for name, stem in stems.items()}
