"""Should the biases of norms learn faster than everything else?

The shifts of batch norms (and of other norms) have 64 times the rate of all other tensors, as in Jordan 2024,
https://arxiv.org/abs/2404.00498, section 3.4, after Page 2019,
https://myrtle.ai/learn/how-to-train-your-resnet-8-bag-of-tricks/; or 8 times that rate; or they stay at zero. The
scales of the norms learn as ever.
"""

from dataclasses import dataclass, replace

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class NormBiases:
    factor: float  # on the rate

    def __post_init__(self) -> None:
        if not self.factor >= 0:
            raise ValueError(f"NormBiases.factor must be 0 or more, got {self.factor!r}")

    def __call__(self, layer: nn.Module, parameter: nn.Parameter) -> float:
        shifts = isinstance(layer, _BatchNorm | nn.GroupNorm) and parameter is layer.bias
        return self.factor if shifts else 1.0


CLAIMS = [Claim("norm biases", "A higher rate for the norms' biases trains better.", Better("x64"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {name: replace(base, rate_of=NormBiases(by)) for name, by in {"x64": 64, "x8": 8, "fixed": 0}.items()}
