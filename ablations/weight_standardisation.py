"""Do weights of zero mean and unit deviation train better, with batch norm and with group norm?

Each unit's weights w are replaced, wherever they are used, by (w - mean(w)) / (deviation(w) + 1e-5) over its inputs,
and gradients go through that: Qiao et al. 2019, https://arxiv.org/abs/1903.10520, who propose it for small batches,
together with group norm: Wu & He 2018, https://arxiv.org/abs/1803.08494, here of 8 groups. Convolutions only, as
there. The base's first weights are drawn as ever; of their scale nothing is left.
"""

from dataclasses import dataclass, replace
from math import gcd

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Recipe


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = centred / (centred.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, weight, self.bias, padding=1)


def standardised(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return Standardised(inputs, outputs, 3, padding=1, bias=bias)


@dataclass(frozen=True)
class Group:
    groups: int  # at most; the greatest common divisor with the number of channels is taken

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"Group.groups must be at least 1, got {self.groups!r}")

    def __call__(self, channels: int) -> nn.Module:
        return nn.GroupNorm(gcd(self.groups, channels), channels)


CLAIMS = [
    Claim("weight standardisation", "It improves on batch norm alone.", Better("standardised")),
    Claim(
        "weight standardisation",
        "It improves on group norm alone.",
        Better("group norm, standardised", than="group norm"),
    ),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    grouped = replace(base, norm=Group(8))
    return {
        "standardised": replace(base, convolution=standardised),
        "group norm": grouped,
        "group norm, standardised": replace(grouped, convolution=standardised),
    }
