"""What do residual shortcuts gain over the same layers without them, and does that grow with depth?

Blocks act(x + branch(x)) against act(branch(x)), branch(x) = norm(conv(act(norm(conv(x))))): He et al. 2016,
https://arxiv.org/abs/1512.03385, whose plain network of 34 layers ends behind that of 18, while the residual one ends
ahead. The network is made of the base's VGG: each stage's first convolution with its pooling, then as many blocks as
the stage has convolutions, or three times as many. "zero gamma": the last layer of each branch starts with a scale of
zero, so that a block starts as the identity: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1, and He
et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1. The control is the network without shortcuts.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.networks import VGG, GlobalAverage
from benchmark.recipe import Better, Claim, Initialise, Parts, Recipe


class Block(nn.Module):
    def __init__(self, parts: Parts, channels: int, shortcut: bool) -> None:
        super().__init__()
        inner = [*convolution(parts, channels, channels), parts.activation(channels)]
        self.branch = nn.Sequential(*inner, *convolution(parts, channels, channels))
        self.activation = parts.activation(channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        out: Tensor = self.activation(x + branch if self.shortcut else branch)
        return out


def convolution(parts: Parts, inputs: int, channels: int) -> list[nn.Module]:
    """With its norm, or else with a bias."""
    norm = parts.norm(channels)
    return [parts.convolution(inputs, channels, isinstance(norm, nn.Identity)), norm]


@dataclass(frozen=True)
class Blocks:
    stages: tuple[tuple[int, int], ...]  # (channels, blocks) of each stage
    shortcuts: bool

    def __call__(self, parts: Parts) -> nn.Module:
        layers: list[nn.Module] = []
        inputs = 3
        for channels, blocks in self.stages:
            first, norm = convolution(parts, inputs, channels)
            layers += [first, parts.pool(channels), norm, parts.activation(channels)]
            layers += [Block(parts, channels, self.shortcuts) for _ in range(blocks)]
            layers.append(parts.after_stage(channels))
            inputs = channels
        features, head = nn.Sequential(*layers, GlobalAverage()), nn.Linear(inputs, parts.classes)
        return nn.Sequential(OrderedDict(features=features, before_head=parts.before_head(inputs), head=head))


@dataclass(frozen=True)
class ZeroGamma:
    initialise: Initialise  # of everything else

    @torch.no_grad()
    def __call__(self, network: nn.Module, images: Tensor) -> None:
        self.initialise(network, images)
        for block in network.modules():
            if isinstance(block, Block):
                weights = [getattr(layer, "weight", None) for layer in block.branch]
                last = [weight for weight in weights if isinstance(weight, nn.Parameter)][-1]
                last.zero_()


def plain(base: Recipe, times: int) -> Recipe:
    if not isinstance(base.network, VGG):
        raise ValueError(f"shortcuts takes the stages of a VGG; the base's network is {base.network!r}")
    stages = tuple((channels, times * count) for channels, count in base.network.stages)
    return replace(base, network=Blocks(stages, shortcuts=False))


def shallow(base: Recipe) -> Recipe:
    return plain(base, 1)


def deep(base: Recipe) -> Recipe:
    return plain(base, 3)


CONTEXTS = {"blocks x1": shallow, "blocks x3": deep}
CLAIMS = [Claim("shortcuts", "Deep networks train better with shortcuts.", Better("shortcuts"), context="blocks x3")]


def variants(base: Recipe) -> dict[str, Recipe]:
    network = base.network if isinstance(base.network, Blocks) else shallow(base).network
    assert isinstance(network, Blocks)
    residual = replace(base, network=replace(network, shortcuts=True))
    return {"shortcuts": residual, "shortcuts, zero gamma": replace(residual, initialise=ZeroGamma(base.initialise))}
