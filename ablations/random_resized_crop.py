"""Does it help to cut out a part of each image and enlarge it to the whole?

In place of the baseline's crop, ahead of its flip. A box of a share of the image's area drawn from U(lowest, 1) and of
a width over height drawn from exp U(log 3/4, log 4/3), its sides rounded, at a place drawn for it, is resized to the
image's size, bilinear; of ten boxes the first that fits is taken, else the whole image: Szegedy et al. 2015,
https://arxiv.org/abs/1409.4842, section 6, as torchvision's RandomResizedCrop, whose lowest share is 0.08. The two
others are milder, for images that are small already.
"""

from dataclasses import dataclass, replace
from math import log

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn, flip
from benchmark.recipe import Batch, Better, Claim, Recipe

TRIES = 10  # boxes drawn for each image: the first that fits is taken
ASPECT = log(4 / 3)


@dataclass(frozen=True)
class RandomResizedCrop:
    lowest: float  # share of the area

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= 1:
            raise ValueError(f"RandomResizedCrop.lowest must be in (0, 1], got {self.lowest!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, _, height, width = images.shape
        area, aspect = torch.rand(2, TRIES, n, generator=rng, device=images.device)
        area = (self.lowest + (1 - self.lowest) * area) * (height * width)
        aspect = (ASPECT * (2 * aspect - 1)).exp()
        wide, tall = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        fits = (wide >= 1) & (wide <= width) & (tall >= 1) & (tall <= height)
        first = fits.int().argmax(0, keepdim=True)
        found = fits.gather(0, first)[0]
        wide = torch.where(found, wide.gather(0, first)[0], width)
        tall = torch.where(found, tall.gather(0, first)[0], height)
        place = torch.rand(2, n, generator=rng, device=images.device)
        top, left = (place[0] * (height - tall + 1)).floor(), (place[1] * (width - wide + 1)).floor()
        return resized(images, top, left, tall, wide), targets


def resized(images: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    """A box of each image (n, 3, h, w), given by (n,) corners and sides in pixels, enlarged to the whole, bilinear."""
    rows, columns = shares(top, tall, images.shape[2]), shares(left, wide, images.shape[3])
    return (rows[:, None] @ images @ columns[:, None].mT).contiguous(memory_format=torch.channels_last)


def shares(start: Tensor, side: Tensor, size: int) -> Tensor:
    """The share of each of `size` places of the image in each of as many of the enlarged box (n, new, old)."""
    place = torch.arange(size, device=start.device)
    old = ((place + 0.5) * side[:, None] / size - 0.5).clamp_min(0)
    old = torch.minimum(old, side[:, None] - 1) + start[:, None]
    return (1 - (old[:, :, None] - place).abs()).clamp_min(0)


CLAIMS = [Claim("random resized crop", "It is better than shifted crops.", Better("area 0.35 to 1"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        f"area {lowest} to 1": replace(base, augment=InTurn((RandomResizedCrop(lowest), flip)))
        for lowest in (0.08, 0.35, 0.7)
    }
