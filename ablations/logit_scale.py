"""Does it help to start with smaller logits?

The classifier's outputs are multiplied by a fixed number, in training and in testing: 1/9, as in Jordan 2024,
https://arxiv.org/abs/2404.00498, whose networks end with it, 1/3 and 3. The gradients of its weights are multiplied by
as much, so that it learns more slowly too. The scale acts as a temperature does in Hinton et al. 2015,
https://arxiv.org/abs/1503.02531, but in testing as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Parts, Recipe


class ScaledLinear(nn.Linear):
    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__(inputs, outputs)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


@dataclass(frozen=True)
class Scaled:
    """`network` with its classifier's outputs times `scale`."""

    network: Callable[[Parts], nn.Module]
    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"Scaled.scale must be above 0, got {self.scale!r}")

    def __call__(self, parts: Parts) -> nn.Module:
        network = self.network(parts)
        head = network.get_submodule("head")
        assert isinstance(head, nn.Linear)
        network.set_submodule("head", ScaledLinear(head.in_features, parts.classes, self.scale))
        return network


CLAIMS = [Claim("logit scale", "Smaller logits train better.", Better("1/9"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    scales = {"1/9": 1 / 9, "1/3": 1 / 3, "3": 3.0}
    return {name: replace(base, network=Scaled(base.network, scale)) for name, scale in scales.items()}
