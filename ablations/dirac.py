"""Is it a good start for a convolution to pass its input on?

The first filters of each convolution but the first one pick out one input channel each, unchanged, so that the first n
of its outputs are its n inputs; filters left over keep the base's weights: torch's dirac_ as in Jordan 2024,
https://arxiv.org/abs/2404.00498, section 3.3, after Zagoruyko & Komodakis 2017, https://arxiv.org/abs/1706.00388. A
layer with fewer outputs than inputs stays as it is.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Initialise, Recipe


@dataclass(frozen=True)
class Dirac:
    initialise: Initialise  # of everything else

    @torch.no_grad()
    def __call__(self, network: nn.Module, images: Tensor) -> None:
        self.initialise(network, images)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and layer.groups == 1 and 3 < layer.in_channels <= layer.out_channels:
                nn.init.dirac_(layer.weight[: layer.in_channels])


CLAIMS = [Claim("dirac", "Convolutions that start as the identity train better.", Better("dirac"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"dirac": replace(base, initialise=Dirac(base.initialise))}
