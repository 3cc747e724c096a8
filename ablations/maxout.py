"""Is the greater of two convolutions a better activation than the rectifier, at equal cost?

max(w_1 * x + b_1, w_2 * x + b_2), two filters for each channel, and no other activation: Goodfellow et al. 2013,
https://arxiv.org/abs/1302.4389. At about equal cost: widths / sqrt(2), so that all layers but the first (3 inputs,
sqrt(2) times as dear) and the head take as many multiply-adds as before. The maximum is taken ahead of pooling, with
which it commutes, and of the norm. The greater of two keeps twice the mean square of a rectified one, so the
convolutions start from the base's weights / sqrt(2); with He's as they are, no network without norm trained here, nor
in Mishkin & Matas 2016, https://arxiv.org/abs/1511.06422. With and without norm: Mishkin et al. 2017,
https://arxiv.org/abs/1606.02228.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.baseline import batch_norm
from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, Convolution, Initialise, Recipe, absent


class GreaterOfTwo(nn.Sequential):
    """Layers that make 2c channels, and then the maximum of each and the one c after it."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        first, second = x.chunk(2, 1)
        return second + F.relu(first - second)  # backward in a third of the time of torch.maximum's


@dataclass(frozen=True)
class Maxout:
    convolution: Convolution

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        return GreaterOfTwo(self.convolution(inputs, 2 * outputs, bias))


@dataclass(frozen=True)
class OverRoot2:
    initialise: Initialise

    @torch.no_grad()
    def __call__(self, network: nn.Module, images: Tensor) -> None:
        self.initialise(network, images)
        for layer in network.modules():
            if isinstance(layer, GreaterOfTwo):
                for weight in layer.parameters():
                    weight.div_(2**0.5)


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def without_norm(base: Recipe) -> Recipe:
    """Takes a quarter of the rate, as the full one does not train reliably (docs/notes/normalisation.md)."""
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


CONTEXTS = {"batch norm": with_norm, "no norm": without_norm}
CLAIMS = [Claim("maxout", "Maxout beats the rectifier.", Better("maxout", than="baseline"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"maxout narrows a VGG; the base's network is {base.network!r}")
    network = VGG(tuple((round(channels / 2**0.5), count) for channels, count in base.network.stages))
    convolution, initialise = Maxout(base.convolution), OverRoot2(base.initialise)
    return {
        "maxout": replace(base, network=network, activation=absent, convolution=convolution, initialise=initialise)
    }
