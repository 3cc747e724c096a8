"""Does it help to hide a part of each training image?

On top of the baseline's augmentation. Cutout: a square whose middle may be any pixel, so that it may hang over the
border, becomes grey, 0.5; DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552, who have 16 pixels for CIFAR-10 and
8 for CIFAR-100, and the training set's mean colour, which 0.5 is close to. Random erasing: with probability 1/2 a
rectangle of 2 to 40 % of the area and of height / width 0.3 to 1 / 0.3, inside the image, becomes noise from U(0, 1);
drawn again until it fits; Zhong et al. 2017, https://arxiv.org/abs/1708.04896. Published: tables 1 and 5 of these.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Augment, Batch, Better, Claim, Published, Recipe

TRIES = 20  # rectangles drawn for each image: the first that fits is taken


@dataclass(frozen=True)
class Cutout:
    side: int  # pixels

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"Cutout.side must be at least 1 pixel, got {self.side!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, _, height, width = images.shape
        draws = torch.rand(2, n, generator=rng, device=images.device)
        top, left = ((draws[i] * size).floor() - self.side // 2 for i, size in enumerate((height, width)))
        sides = torch.full_like(top, self.side)
        return covered(images, top, left, sides, sides, images.new_full((1, 1, 3 * width), 0.5)), targets


@dataclass(frozen=True)
class RandomErasing:
    probability: float  # that an image is changed
    area: tuple[float, float] = (0.02, 0.4)  # share of the image, uniform
    aspect: float = 0.3  # height / width is uniform in [aspect, 1 / aspect]

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"RandomErasing.probability must be in [0, 1], got {self.probability!r}")
        if not 0 < self.area[0] <= self.area[1] < 1:
            raise ValueError(f"RandomErasing.area must be 0 < lowest <= highest < 1, got {self.area!r}")
        if not 0 < self.aspect <= 1:
            raise ValueError(f"RandomErasing.aspect must be in (0, 1], got {self.aspect!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, _, height, width = images.shape
        area, aspect = torch.rand(2, TRIES, n, generator=rng, device=images.device)
        area = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area)
        aspect = self.aspect + (1 / self.aspect - self.aspect) * aspect
        tall, wide = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        fits = (tall < height) & (wide < width)
        first = fits.int().argmax(0, keepdim=True)
        chosen, top, left = torch.rand(3, n, generator=rng, device=images.device)
        found = fits.gather(0, first)[0] & (chosen < self.probability)
        tall, wide = (each.gather(0, first)[0] * found for each in (tall, wide))
        top, left = (top * (height - tall + 1)).floor(), (left * (width - wide + 1)).floor()
        noise = torch.rand(n, height, 3 * width, generator=rng, device=images.device)
        return covered(images, top, left, tall, wide, noise), targets


def covered(images: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor, by: Tensor) -> Tensor:
    """Images with a rectangle each, given by (n,) corners and sides in pixels, replaced by what `by` has there."""
    by_pixel = images.permute(0, 2, 3, 1)
    lines = by_pixel.flatten(2)  # (n, h, w * 3)
    within = []
    for size, repeats, low, side in ((images.shape[2], 1, top, tall), (images.shape[3], 3, left, wide)):
        place = torch.arange(size, device=images.device).repeat_interleave(repeats) - low[:, None]
        within.append(((place >= 0) & (place < side[:, None])).float())
    mask = within[0][:, :, None] * within[1][:, None, :]  # 0 or 1: torch.where takes several times as long
    return lines.lerp(by, mask).view(by_pixel.shape).permute(0, 3, 1, 2)


CLAIMS = [
    Claim("cutout", "Cutout improves on crops and flips.", Better("cutout 16")),
    Claim("random erasing", "Random erasing improves on crops and flips.", Better("random erasing")),
]

PUBLISHED = {  # https://github.com/uoguelph-mlrg/Cutout, ResNet-18, means of five runs
    ("cifar10", ""): {
        "baseline": Published(95.28, "read", deviation=0.21, runs=5),
        "cutout 16": Published(96.01, "read", runs=5),
    }
}
TOUR = ("cutout 16",)


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Augment] = {
        "cutout 8": Cutout(8),
        "cutout 16": Cutout(16),
        "random erasing": RandomErasing(0.5),
    }
    return {name: replace(base, augment=InTurn((base.augment, way))) for name, way in ways.items()}
