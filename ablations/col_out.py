"""Do images that lose random rows and columns train as well, at less cost?

In each batch a share of the rows and as large a share of the columns, drawn for the batch, are taken out, and what is
left closes up: 32 x 32 pixels become 27 x 27. Testing is at full size. ColOut of Composer with its share of 0.15,
https://docs.mosaicml.com/projects/composer/en/stable/method_cards/colout.html. On top of the baseline's augmentation.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Alike, Batch, Claim, Recipe


@dataclass(frozen=True)
class ColOut:
    share: float  # of rows, and of columns

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"ColOut.share must be in (0, 1), got {self.share!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        for axis in (2, 3):
            size = images.shape[axis]
            order = torch.rand(size, generator=rng, device=images.device).argsort()
            kept = order[: max(1, int((1 - self.share) * size))].sort().values
            images = images.index_select(axis, kept)
        return images, targets


CLAIMS = [Claim("ColOut", "It costs no accuracy.", Alike("share 0.15"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    augment = base.augment
    return {f"share {share}": replace(base, augment=InTurn((augment, ColOut(share)))) for share in (0.15, 0.05)}
