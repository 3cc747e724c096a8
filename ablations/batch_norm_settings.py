"""Do batch norm's own settings matter: how fast its statistics follow, and whether its scale learns?

Momentum m: after each step, running statistics += m (those of the batch - running ones), torch's convention, whose
default of 0.1 looks back some 10 steps; 0.4 with an epsilon of 1e-12, and a scale fixed at 1 (only the shift learns),
are airbench's: Jordan 2024, https://arxiv.org/abs/2404.00498. 0.01 is the default of Keras,
https://keras.io/api/layers/normalization_layers/batch_normalization/. The momentum changes testing alone.
"""

from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Alike, Claim, Maker, Recipe


@dataclass(frozen=True)
class BatchNorm:
    momentum: float = 0.1  # share of the running statistics that each step replaces
    epsilon: float = 1e-5  # added to the variance
    scaled: bool = True  # whether the scale learns

    def __post_init__(self) -> None:
        if not 0 < self.momentum <= 1:
            raise ValueError(f"BatchNorm.momentum must be in (0, 1], got {self.momentum!r}")
        if not self.epsilon > 0:
            raise ValueError(f"BatchNorm.epsilon must be above 0, got {self.epsilon!r}")

    def __call__(self, channels: int) -> nn.Module:
        norm = nn.BatchNorm2d(channels, eps=self.epsilon, momentum=self.momentum)
        norm.weight.requires_grad_(self.scaled)
        return norm


CLAIMS = [Claim("batch norm", "Its scale need not learn.", Alike("scale fixed"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    norms: dict[str, Maker] = {
        "momentum 0.4": BatchNorm(momentum=0.4, epsilon=1e-12),
        "momentum 0.01": BatchNorm(momentum=0.01),
        "scale fixed": BatchNorm(scaled=False),
    }
    return {name: replace(base, norm=norm) for name, norm in norms.items()}
