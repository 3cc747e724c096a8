"""Does batch norm generalise better when it sees fewer images at once?

Ghost batch norm: the batch is split into parts of `images` images, each normalised by its own mean and deviation, and
the running statistics take in one part after the other; in testing it is batch norm: Hoffer et al. 2017,
https://arxiv.org/abs/1705.08741, algorithm 1, who want it for large batches. The contexts are the baseline's batch and
four times that, the latter at four times the rate.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.baseline import batch_norm
from benchmark.recipe import Better, Claim, Recipe


class GhostBatchNorm(nn.BatchNorm2d):
    def __init__(self, channels: int, images: int) -> None:
        super().__init__(channels)
        self.images = images

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        return torch.cat([nn.BatchNorm2d.forward(self, part) for part in x.split(self.images)])


@dataclass(frozen=True)
class Ghost:
    images: int  # in each part of the batch

    def __post_init__(self) -> None:
        if self.images < 2:
            raise ValueError(f"Ghost.images must be at least 2, got {self.images!r}")

    def __call__(self, channels: int) -> nn.Module:
        return GhostBatchNorm(channels, self.images)


def batch(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def four_times_the_batch(base: Recipe) -> Recipe:
    rate = 4 * base.learning_rate
    return replace(base, norm=batch_norm, batch_size=4 * base.batch_size, learning_rate=rate)


CONTEXTS = {"batch x1": batch, "batch x4": four_times_the_batch}
CLAIMS = [
    Claim("ghost batch norm", "It generalises better at a large batch.", Better(f"{n} images"), context="batch x4")
    for n in (16, 32)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{images} images": replace(base, norm=Ghost(images)) for images in (16, 32)}
