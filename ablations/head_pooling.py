"""How should the last map become the classifier's inputs?

Against the mean of each map (Lin et al. 2014, https://arxiv.org/abs/1312.4400): its maximum; both, side by side, as in
fastai's AdaptiveConcatPool2d, https://docs.fast.ai/layers.html; and the generalised mean (mean of x^p)^(1/p) of values
clamped to 1e-6 and more, with one p that is learned from 3: Radenovic et al. 2019, https://arxiv.org/abs/1711.02512.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.networks import GlobalAverage
from benchmark.recipe import Better, Claim, Parts, Recipe


class Maximum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))


class Both(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


class GeneralisedMean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([3.0]))

    def forward(self, x: Tensor) -> Tensor:
        return x.float().clamp_min(1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)


@dataclass(frozen=True)
class PooledBy:
    """`network` with another layer in place of its global average."""

    network: Callable[[Parts], nn.Module]
    make: Callable[[], nn.Module]
    factor: int = 1  # the classifier's inputs for each map

    def __call__(self, parts: Parts) -> nn.Module:
        network = self.network(parts)
        found = [name for name, layer in network.named_modules() if isinstance(layer, GlobalAverage)]
        if len(found) != 1:
            raise ValueError(f"the network must have one GlobalAverage, got {found} in {self.network!r}")
        network.set_submodule(found[0], self.make())
        head = network.get_submodule("head")
        assert isinstance(head, nn.Linear)
        network.set_submodule("head", nn.Linear(self.factor * head.in_features, parts.classes))
        return network


def maximum() -> nn.Module:
    return Maximum()


def both() -> nn.Module:
    return Both()


def generalised_mean() -> nn.Module:
    return GeneralisedMean()


CLAIMS = [
    Claim("head pooling", "Mean and maximum together are better than the mean.", Better("mean and maximum")),
    Claim("head pooling", "A generalised mean is better than the mean.", Better("generalised mean")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "maximum": replace(base, network=PooledBy(base.network, maximum)),
        "mean and maximum": replace(base, network=PooledBy(base.network, both, factor=2)),
        "generalised mean": replace(base, network=PooledBy(base.network, generalised_mean)),
    }
