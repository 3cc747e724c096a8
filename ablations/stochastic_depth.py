"""Does skipping residual blocks at random train better residual networks?

In training block l of L is skipped with probability 1 - p_l, for each image (in the paper, for the whole batch), where
p_l = 1 - (l / L) (1 - p_L) falls linearly to p_L = 0.8 or 0.5: Huang et al. 2016, https://arxiv.org/abs/1603.09382.
torchvision's StochasticDepth divides what survives by p_l in training, where the paper multiplies by it in testing.
Skipped branches are worked out all the same: no time is saved, and batch norm sees all images. The network is made of
the base's VGG: each stage's first convolution with its pooling, then as many blocks relu(x +
norm(conv(relu(norm(conv(x)))))) as the stage has convolutions, He et al. 2016, https://arxiv.org/abs/1512.03385: about
twice the work of the VGG. The control is that network without skipping.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from torch import Tensor, nn

from benchmark.networks import VGG, GlobalAverage
from benchmark.recipe import Better, Claim, Parts, Recipe


class Block(nn.Module):
    """activation(x + branch(x))."""

    def __init__(self, parts: Parts, channels: int, survival: float) -> None:
        from torchvision.ops import StochasticDepth  # here, as it takes 1.7 s, and every start imports this module

        super().__init__()
        inner = [*convolution(parts, channels, channels), parts.activation(channels)]
        self.branch = nn.Sequential(
            *inner, *convolution(parts, channels, channels), StochasticDepth(1 - survival, "row")
        )
        self.activation = parts.activation(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(x + self.branch(x))
        return out


def convolution(parts: Parts, inputs: int, channels: int) -> list[nn.Module]:
    """With its norm, or else with a bias."""
    norm = parts.norm(channels)
    return [parts.convolution(inputs, channels, isinstance(norm, nn.Identity)), norm]


@dataclass(frozen=True)
class Residual:
    stages: tuple[tuple[int, int], ...]  # (channels, blocks) of each stage
    survival: float = 1.0  # probability that the last block is not skipped

    def __post_init__(self) -> None:
        if not 0 < self.survival <= 1:
            raise ValueError(f"Residual.survival must be in (0, 1], got {self.survival!r}")

    def __call__(self, parts: Parts) -> nn.Module:
        layers: list[nn.Module] = []
        inputs, made, total = 3, 0, sum(blocks for _, blocks in self.stages)
        for channels, blocks in self.stages:
            first, norm = convolution(parts, inputs, channels)
            layers += [first, parts.pool(channels), norm, parts.activation(channels)]
            for _ in range(blocks):
                made += 1
                layers.append(Block(parts, channels, 1 - made / total * (1 - self.survival)))
            layers.append(parts.after_stage(channels))
            inputs = channels
        features, head = nn.Sequential(*layers, GlobalAverage()), nn.Linear(inputs, parts.classes)
        return nn.Sequential(OrderedDict(features=features, before_head=parts.before_head(inputs), head=head))


def residual(base: Recipe) -> Recipe:
    if not isinstance(base.network, VGG):
        raise ValueError(f"stochastic_depth takes the stages of a VGG; the base's network is {base.network!r}")
    return replace(base, network=Residual(base.network.stages))


CONTEXTS = {"residual": residual}
CLAIMS = [
    Claim("stochastic depth", "Skipping blocks at random improves testing.", Better(f"survival {p}", than="baseline"))
    for p in (0.8, 0.5)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    network = base.network if isinstance(base.network, Residual) else residual(base).network
    assert isinstance(network, Residual)
    return {f"survival {p}": replace(base, network=replace(network, survival=p)) for p in (0.8, 0.5)}
