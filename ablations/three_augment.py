"""Is one of grey, inverted or blurred a simple augmentation that suffices?

3-Augment: each image becomes grey, or has its values above one half inverted, or is blurred, one of the three at
random, and then its brightness, contrast and saturation change by factors from U(0.7, 1.3): Touvron et al. 2022,
https://arxiv.org/abs/2204.07118, section 3. The blur is a Gaussian of U(0.1, 1) pixels within 5 x 5; theirs is up to 2
pixels of an image seven times as large. "grey, inverted or blurred" leaves the colour change out. On top of the
baseline's augmentation.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe

GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, as in torchvision


@dataclass(frozen=True)
class ThreeAugment:
    jitter: float  # brightness, contrast and saturation change by factors from U(1 - jitter, 1 + jitter)

    def __post_init__(self) -> None:
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"ThreeAugment.jitter must be in [0, 1], got {self.jitter!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        chosen, sigma, *factors = torch.rand(5, len(images), 1, 1, 1, generator=rng, device=images.device)
        images = torch.where(
            chosen < 1 / 3,
            grey(images).expand_as(images),
            torch.where(chosen < 2 / 3, inverted(images), blurred(images, (0.1 + 0.9 * sigma).flatten())),
        )
        brightness, contrast, saturation = (1 + self.jitter * (2 * factor - 1) for factor in factors)
        images = (images * brightness).clamp_(0, 1)
        mean = grey(images).mean((2, 3), keepdim=True)
        images = torch.lerp(mean, images, contrast).clamp_(0, 1)
        images = torch.lerp(grey(images), images, saturation).clamp_(0, 1)
        return images.contiguous(memory_format=torch.channels_last), targets


def grey(images: Tensor) -> Tensor:
    """(n, 3, h, w) -> (n, 1, h, w)."""
    red, green, blue = GREY
    mixed: Tensor = red * images[:, :1] + green * images[:, 1:2] + blue * images[:, 2:]
    return mixed


def inverted(images: Tensor) -> Tensor:
    return torch.where(images >= 0.5, 1 - images, images)


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Each image by a Gaussian of its own deviation (n,) in pixels, within 5 x 5, edges reflected."""
    n, channels, height, width = images.shape
    row = torch.exp(-((torch.arange(-2, 3, device=sigma.device) / sigma[:, None]) ** 2) / 2)
    row = (row / row.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    planes = F.pad(images, [2] * 4, mode="reflect").reshape(1, n * channels, height + 4, width + 4)
    down = F.conv2d(planes, row[:, None, :, None], groups=n * channels)
    return F.conv2d(down, row[:, None, None, :], groups=n * channels).view(n, channels, height, width)


CLAIMS = [Claim("3-Augment", "It improves on crops and flips.", Better("3-Augment"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways = {"3-Augment": ThreeAugment(0.3), "grey, inverted or blurred": ThreeAugment(0.0)}
    return {name: replace(base, augment=InTurn((base.augment, way))) for name, way in ways.items()}
