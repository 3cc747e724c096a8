"""Is it worth it to centre and to scale the pixels, and by what?

Wei 2015, section 2, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html. Fitted on training images, in
[0, 1]. Mean and deviation are taken of each number of an image ("per pixel"), of each channel, of all numbers; the
"per-image mean" is each image's own. "min-max" brings each number to [-1, 1]. What never varies is only centred.
Published for a small network: /255 58.5 %, mean + std per channel 60.4 %, https://github.com/BIGBALLON/cifar-10-cnn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmark.baseline import Affine, standardise
from benchmark.recipe import Alike, Better, Claim, More, Published, Recipe, Transform


@dataclass(frozen=True)
class Centred:
    over: tuple[int, ...]  # the axes of (n, 3, h, w) that share one mean
    scaled: bool = False  # to unit deviation

    def __call__(self, train_images: Tensor) -> Transform:
        deviation, mean = torch.std_mean(train_images, dim=self.over, keepdim=True)
        return rescaled(mean, deviation if self.scaled else torch.ones_like(deviation))


def rescaled(middle: Tensor, spread: Tensor) -> Transform:
    """(x - middle) / spread."""
    spread = torch.where(spread > 0, spread, 1)
    shape = torch.broadcast_shapes(middle.shape, (1, 3, 1, 1))
    factor, offset = (each.expand(shape) for each in (1 / spread, -middle / spread))
    if shape[3] == 1:
        return Affine(factor, offset)
    return PerPixel(*(each.contiguous(memory_format=torch.channels_last) for each in (factor, offset)))


@dataclass(frozen=True, eq=False)
class PerPixel:
    """x * factor + offset, each (1, 3, h, w)."""

    factor: Tensor
    offset: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        return torch.addcmul(self.offset, images, self.factor)


def raw(train_images: Tensor) -> Transform:
    return rescaled(train_images.new_zeros(1, 3, 1, 1), train_images.new_full((1, 3, 1, 1), 1 / 255))


def min_max(train_images: Tensor) -> Transform:
    low, high = torch.aminmax(train_images, dim=0, keepdim=True)
    return rescaled((high + low) / 2, (high - low) / 2)


def divided_by_255(train_images: Tensor) -> Transform:
    return as_they_come


def as_they_come(images: Tensor) -> Tensor:
    return images


def own_mean(train_images: Tensor) -> Transform:
    return less_own_mean


def less_own_mean(images: Tensor) -> Tensor:
    return images - images.mean((1, 2, 3), keepdim=True)


CLAIMS = [
    Claim(
        "S2.1",
        "Zero-centring is very important: training.",
        More("/255", than="zero mean per channel", of="train loss"),
    ),
    Claim("S2.1", "Zero-centring is very important: testing.", Better("zero mean per channel", than="/255")),
    Claim("S2.3", "The mean alone is enough.", Alike("zero mean per pixel", than="mean + std per pixel")),
    Claim("S2.3", "The mean alone is enough.", Alike("zero mean per channel", than="mean + std per channel")),
]
PUBLISHED = {  # https://github.com/BIGBALLON/cifar-10-cnn, LeNet, single runs
    ("cifar10", ""): {
        "/255": Published(58.48, "read", runs=1),
        "mean + std per channel": Published(60.41, "read", runs=1),
    }
}
TOUR = ("raw 0...255",)


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Callable[[Tensor], Transform]] = {
        "raw 0...255": raw,
        "/255": divided_by_255,
        "zero mean per pixel": Centred((0,)),
        "zero mean per channel": Centred((0, 2, 3)),
        "zero mean, one number": Centred((0, 1, 2, 3)),
        "mean + std per pixel": Centred((0,), scaled=True),
        "mean + std per channel": standardise,
        "min-max": min_max,
        "per-image mean": own_mean,
    }
    return {name: replace(base, preprocess=way) for name, way in ways.items()}
