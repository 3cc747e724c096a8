"""Does noise on the pixels regularise?

N(0, deviation) is added to every pixel and channel of every training image, whose values are in [0, 1], on top of the
baseline's augmentation; sums are not cut. Bishop 1995, https://doi.org/10.1162/neco.1995.7.1.108, shows that it acts
as a penalty on the network's derivatives.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe


@dataclass(frozen=True)
class Noise:
    deviation: float  # of pixels in [0, 1]

    def __post_init__(self) -> None:
        if not self.deviation > 0:
            raise ValueError(f"Noise.deviation must be above 0, got {self.deviation!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        noise = torch.empty_like(images).normal_(0, self.deviation, generator=rng)
        return images + noise, targets


CLAIMS = [Claim("input noise", "A little noise improves generalisation.", Better("0.02"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{sd}": replace(base, augment=InTurn((base.augment, Noise(sd)))) for sd in (0.02, 0.1)}
