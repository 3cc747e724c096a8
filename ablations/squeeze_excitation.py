"""Does it help to weight each channel by what the whole map shows?

Squeeze-and-excitation: each map is multiplied by a number in (0, 1) that two small layers compute from the mean of all
maps, s = sigmoid(W2 relu(W1 mean(x))), the inner layer having 1 / ratio as many units as there are channels: Hu et al.
2018, https://arxiv.org/abs/1709.01507, equations 2 to 4, whose ratio is 16. It is torchvision's SqueezeExcitation,
once behind each stage, where the paper has one in each residual block. Its layers start from the base's weights.
"""

from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class SqueezeExcitation:
    ratio: int  # channels for each unit of the inner layer

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise ValueError(f"SqueezeExcitation.ratio must be at least 1, got {self.ratio!r}")

    def __call__(self, channels: int) -> nn.Module:
        from torchvision import ops  # here, as it takes 1.7 s, and every start imports this module

        layer: nn.Module = ops.SqueezeExcitation(channels, max(1, channels // self.ratio))
        return layer


CLAIMS = [
    Claim("squeeze-excitation", "Weighting channels by the whole map improves testing.", Better(f"ratio {ratio}"))
    for ratio in (4, 16)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"ratio {ratio}": replace(base, after_stage=SqueezeExcitation(ratio)) for ratio in (4, 16)}
