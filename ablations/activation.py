"""Which activation trains best, and does a slope below zero beat the plain rectifier?

Sigmoid 1 / (1 + exp(-x)); tanh; ReLU max(x, 0): Krizhevsky et al. 2012, https://doi.org/10.1145/3065386. Leaky: x / a
below zero, a = 100 (Maas et al. 2013, https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf) and 5.5.
PReLU: a slope learned per channel, from 0.25, without weight decay: He et al. 2015, https://arxiv.org/abs/1502.01852.
RReLU: x / a below zero, a ~ U(3, 8) drawn for each value in training, 2 / (3 + 8) in testing: Xu et al. 2015,
https://arxiv.org/abs/1505.00853, whose table 3 is the published ordering. `torch.nn.RReLU` draws the slope itself from
U(1/8, 1/3), whose mean is another.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.baseline import relu
from benchmark.recipe import Better, Claim, Maker, Recipe


def sigmoid(channels: int) -> nn.Module:
    return nn.Sigmoid()


def tanh(channels: int) -> nn.Module:
    return nn.Tanh()


@dataclass(frozen=True)
class Leaky:
    a: float  # the slope below zero is 1 / a

    def __post_init__(self) -> None:
        if not self.a > 1:
            raise ValueError(f"Leaky.a must be above 1, got {self.a!r}")

    def __call__(self, channels: int) -> nn.Module:
        return nn.LeakyReLU(1 / self.a)


def prelu(channels: int) -> nn.Module:
    return nn.PReLU(channels, init=0.25)


class RandomLeaky(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        slope = torch.empty_like(x).uniform_(3, 8).reciprocal_() if self.training else 2 / (3 + 8)
        return torch.where(x < 0, slope * x, x)


def rrelu(channels: int) -> nn.Module:
    return RandomLeaky()


def rrelu_of_torch(channels: int) -> nn.Module:
    return nn.RReLU(1 / 8, 1 / 3)


CLAIMS = [
    Claim("S5.1", "Sigmoid saturates and does worse than the rectifier.", Better("ReLU", than="sigmoid")),
    Claim("S5.1", "Tanh saturates and does worse than the rectifier.", Better("ReLU", than="tanh")),
    Claim("S5.4", "The larger slope is the better leaky ReLU.", Better("leaky 1/5.5", than="leaky 1/100")),
    Claim("S5.5", "PReLU beats ReLU in testing.", Better("PReLU", than="ReLU")),
    Claim("S5.7", "RReLU beats ReLU.", Better("RReLU", than="ReLU")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    makers: dict[str, Maker] = {
        "sigmoid": sigmoid,
        "tanh": tanh,
        "ReLU": relu,
        "leaky 1/100": Leaky(100),
        "leaky 1/5.5": Leaky(5.5),
        "PReLU": prelu,
        "RReLU": rrelu,
        "RReLU of torch": rrelu_of_torch,
    }
    return {name: replace(base, activation=maker) for name, maker in makers.items()}
