"""Does it help to train on mixtures of two images, with their labels mixed alike?

On top of the baseline's augmentation; each image's partner comes from a permutation of the batch, its share is 1 - l.
mixup: l ~ Beta(alpha, alpha) for each pair, image and target are l * own + (1 - l) * partner's; Zhang et al. 2018,
https://arxiv.org/abs/1710.09412, whose code has one l for a batch. CutMix: with probability 1/2 for each image (in its
code for CIFAR, for a batch), a box from the partner, of sides sqrt(1 - l) times the image's, l ~ U(0, 1) = Beta(1, 1),
its middle anywhere, cut off at the border; targets are mixed by the area that it covers; Yun et al. 2019,
https://arxiv.org/abs/1905.04899. The training accuracy counts the image's own label. Beta(alpha, alpha) is drawn by
Jöhnk's method: of pairs u^(1/alpha), v^(1/alpha) the first with x + y <= 1, x / (x + y).
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Augment, Batch, Better, Claim, Published, Recipe


@dataclass(frozen=True)
class Mixup:
    alpha: float

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ValueError(f"Mixup.alpha must be in (0, 1], got {self.alpha!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        share = beta(self.alpha, len(images), rng)[:, None]
        partner = torch.randperm(len(images), generator=rng, device=images.device)
        by_pixel = images.permute(0, 2, 3, 1)
        rows = by_pixel.flatten(1)
        mixed = rows.index_select(0, partner).lerp_(rows, share).view(by_pixel.shape)
        return mixed.permute(0, 3, 1, 2), targets.index_select(0, partner).lerp_(targets, share)


def beta(alpha: float, count: int, rng: Generator) -> Tensor:
    """`count` draws from Beta(alpha, alpha), 0 < alpha <= 1: one in 2^40 finds none of 40 pairs to fit.

    By logarithms: for a small alpha both powers would be 0.
    """
    uniform = torch.rand(2, 40, count, generator=rng, device=rng.device).clamp_min(2.0**-25)
    x, y = uniform.log().div(alpha).unbind()
    first = (torch.logaddexp(x, y) <= 0).int().argmax(0, keepdim=True)
    return (x - y).sigmoid().gather(0, first)[0]


@dataclass(frozen=True)
class CutMix:
    probability: float  # that an image is mixed

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"CutMix.probability must be in [0, 1], got {self.probability!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, _, height, width = images.shape
        chosen, foreign, *middle = torch.rand(4, n, 1, generator=rng, device=images.device)
        partner = torch.randperm(n, generator=rng, device=images.device)
        ratio = foreign.sqrt() * (chosen < self.probability)
        rows, columns = (inside(m, ratio, size) for m, size in zip(middle, (height, width), strict=True))
        by_pixel = images.permute(0, 2, 3, 1)
        lines = by_pixel.flatten(2)  # (n, h, w * 3)
        box = rows[:, :, None] * columns.repeat_interleave(3, 1)[:, None, :]
        mixed = lines.lerp(lines.index_select(0, partner), box).view(by_pixel.shape)
        share = rows.mean(1, keepdim=True) * columns.mean(1, keepdim=True)
        return mixed.permute(0, 3, 1, 2), torch.lerp(targets, targets.index_select(0, partner), share)


def inside(middle: Tensor, ratio: Tensor, size: int) -> Tensor:
    """(n, size), 1 within the box's extent of ratio * size places about a middle drawn from [0, 1), 0 elsewhere."""
    half, centre = (ratio * size).int() // 2, (middle * size).int()
    place = torch.arange(size, device=middle.device)
    return ((centre - half <= place) & (place < centre + half)).float()


CLAIMS = [
    Claim("mixup", "Mixup improves generalisation.", Better("mixup 0.2")),
    Claim("mixup", "Mixup improves generalisation.", Better("mixup 1")),
    Claim("CutMix", "CutMix improves generalisation.", Better("CutMix")),
]

PUBLISHED = {  # Zhang et al. 2018, https://arxiv.org/abs/1710.09412, pre-activated ResNet-18
    ("cifar10", ""): {"baseline": Published(94.4, "quoted"), "mixup 1": Published(95.8, "quoted")}
}
TOUR = ("mixup 1",)


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Augment] = {"mixup 0.2": Mixup(0.2), "mixup 1": Mixup(1), "CutMix": CutMix(0.5)}
    return {name: replace(base, augment=InTurn((base.augment, way))) for name, way in ways.items()}
