"""Does it help to hide a grid of squares of each training image?

On top of the baseline's augmentation. Within a grid of d x d pixels, d drawn for each image from a quarter to three
quarters of its side and the grid's place drawn too, squares of side d (1 - ratio) become grey, 0.5, with probability
1/2 for an image: Chen et al. 2020, https://arxiv.org/abs/2001.04086, who also turn the grid, raise the probability
along the training, and set the squares to zero after standardising. Ratio 0.6 hides 16 % of an image, 0.4 hides 36 %.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe


@dataclass(frozen=True)
class GridMask:
    ratio: float  # of each period of the grid that is kept, along either axis
    probability: float = 0.5  # that an image is masked
    period: tuple[float, float] = (0.25, 0.75)  # of the grid, in sides of the image, uniform

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(f"GridMask.ratio must be in (0, 1), got {self.ratio!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"GridMask.probability must be in [0, 1], got {self.probability!r}")
        if not 0 < self.period[0] <= self.period[1]:
            raise ValueError(f"GridMask.period must be 0 < lowest <= highest, got {self.period!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, _, height, width = images.shape
        chosen, period, *offsets = torch.rand(4, n, 1, generator=rng, device=images.device)
        low, high = (share * height for share in self.period)
        period = (low + (high - low) * period).round().clamp_min(2)
        hidden = (period * (1 - self.ratio)).round()
        rows, columns = (
            (torch.arange(size, device=images.device) + (offset * period).floor()) % period < hidden
            for size, offset in zip((height, width), offsets, strict=True)
        )
        mask = rows[:, None, :, None] & columns[:, None, None, :] & (chosen < self.probability)[:, None, None]
        return images.masked_fill(mask, 0.5), targets


CLAIMS = [Claim("GridMask", "It improves on crops and flips.", Better(f"ratio {ratio}")) for ratio in (0.6, 0.4)]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"ratio {ratio}": replace(base, augment=InTurn((base.augment, GridMask(ratio)))) for ratio in (0.6, 0.4)}
