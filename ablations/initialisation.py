"""How much do the first weights matter, with and without batch norm?

n is a unit's fan-in. Zeros; small random numbers 0.01 N(0, 1) and 0.001 N(0, 1), and uniform ones of the same
deviations (edge = deviation * sqrt(3)); calibrated N(0, 1) / sqrt(n): LeCun et al. 1998,
https://doi.org/10.1007/3-540-49430-8_2; for rectifiers N(0, 1) * sqrt(2 / n): He et al. 2015,
https://arxiv.org/abs/1502.01852, eq. 10, which is the baseline's. Biases are zero everywhere.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmark.baseline import batch_norm, he_normal
from benchmark.recipe import Alike, Better, Claim, Fails, Initialise, Recipe, absent


@dataclass(frozen=True)
class Normal:
    deviation: float

    def __call__(self, network: nn.Module, images: torch.Tensor) -> None:
        for weight in weights(network):
            nn.init.normal_(weight, std=self.deviation)


@dataclass(frozen=True)
class Uniform:
    deviation: float

    def __call__(self, network: nn.Module, images: torch.Tensor) -> None:
        edge = self.deviation * 3**0.5
        for weight in weights(network):
            nn.init.uniform_(weight, -edge, edge)


def zeros(network: nn.Module, images: torch.Tensor) -> None:
    for weight in weights(network):
        nn.init.zeros_(weight)


def calibrated(network: nn.Module, images: torch.Tensor) -> None:
    for weight in weights(network):
        nn.init.normal_(weight, std=weight[0].numel() ** -0.5)


def weights(network: nn.Module) -> list[torch.Tensor]:
    """(units, fan-in ...) of every layer; its bias is set to zero on the way."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return [layer.weight for layer in layers]


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def without_norm(base: Recipe) -> Recipe:
    """At a quarter of the rate: without a norm the baseline's own does not train reliably (NOTES.md)."""
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


CONTEXTS = {"batch norm": with_norm, "no norm": without_norm}
CLAIMS = [
    Claim("S3.1", "All zeros: symmetry is never broken, the network does not learn.", Fails("zeros")),
    Claim(
        "S3.2",
        "Uniform or normal small numbers end up about the same.",
        Alike("uniform 0.01", than="normal 0.01"),
    ),
    Claim("S3.4", "For rectifiers sqrt(2/n) is the one to use.", Better("He", than="1/sqrt(n)")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Initialise] = {
        "zeros": zeros,
        "normal 0.01": Normal(0.01),
        "normal 0.001": Normal(0.001),
        "uniform 0.01": Uniform(0.01),
        "uniform 0.001": Uniform(0.001),
        "1/sqrt(n)": calibrated,
        "He": he_normal,
    }
    return {name: replace(base, initialise=way) for name, way in ways.items()}
