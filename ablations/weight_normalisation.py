"""Can weights of a fixed norm stand in for batch norm?

Without a norm of the activations, at a quarter of the rate. "weight norm": each unit's weights are g v / |v|, and g
and v are learned: Salimans & Kingma 2016, https://arxiv.org/abs/1602.07868; it starts from the base's weights.
"spectral norm": the weights, as a matrix of units and inputs, are divided by its largest singular value, followed by
one power iteration a step: Miyato et al. 2018, https://arxiv.org/abs/1802.05957. Both are
torch.nn.utils.parametrizations', on convolutions. "batch norm" is there for comparison, at the same rate.
"""

from dataclasses import replace

from torch import nn
from torch.nn.utils import parametrizations

from benchmark.baseline import batch_norm
from benchmark.recipe import Better, Claim, NotBetter, Recipe, absent


def weight_norm(inputs: int, outputs: int, bias: bool) -> nn.Module:
    layer: nn.Module = parametrizations.weight_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias))
    return layer


def spectral_norm(inputs: int, outputs: int, bias: bool) -> nn.Module:
    layer: nn.Module = parametrizations.spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias))
    return layer


def without_norm(base: Recipe) -> Recipe:
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


CONTEXTS = {"no norm": without_norm}
CLAIMS = [
    Claim("weight norm", "It trains better than plain weights.", Better("weight norm")),
    Claim("weight norm", "It is no better than batch norm.", NotBetter("weight norm", than="batch norm")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "weight norm": replace(base, convolution=weight_norm),
        "spectral norm": replace(base, convolution=spectral_norm),
        "batch norm": replace(base, norm=batch_norm),
    }
