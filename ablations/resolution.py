"""Should a network be tested at a higher resolution than it was trained at?

Test images are enlarged to 36 or 40 pixels for a network trained at 32; or training images are shrunk to 24, and the
test images to 24, 28 or not at all: Touvron et al. 2019, https://arxiv.org/abs/1906.06423, who find that objects look
larger to a network in training, where they are cut out by random resized crops, and mend that by a higher resolution
in testing. The baseline cuts no such crops, so that less is to be expected. Bilinear, with antialiasing. Nothing is
trained again at the new size.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.baseline import then
from benchmark.recipe import Better, Claim, Moment, Recipe, Transform


@dataclass(frozen=True)
class TrainedAt:
    side: int  # pixels

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"TrainedAt.side must be at least 1 pixel, got {self.side!r}")

    def __call__(self, images: Tensor, moment: Moment) -> Tensor:
        return resized(images, self.side)


@dataclass(frozen=True)
class TestedAt:
    side: int  # pixels

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"TestedAt.side must be at least 1 pixel, got {self.side!r}")

    def __call__(self, network: Transform, images: Tensor) -> Tensor:
        return network(resized(images, self.side))


def resized(images: Tensor, side: int) -> Tensor:
    """To `side` x `side` pixels."""
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


CLAIMS = [
    Claim(
        "FixRes",
        "Testing at a higher resolution than training is better.",
        Better("24, tested at 28", than="24, tested at 24"),
    )
]


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {f"32, tested at {side}": replace(base, predict=TestedAt(side)) for side in (36, 40)}
    small = replace(base, timed=then(base.timed, TrainedAt(24)))
    arms |= {f"24, tested at {side}": replace(small, predict=TestedAt(side)) for side in (24, 28)}
    return {**arms, "24, tested at 32": small}
