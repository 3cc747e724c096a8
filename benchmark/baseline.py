"""The recipes that every trick is measured against, the parts they are made of, and the budgets.

The baseline is what the article recommends: a small VGG of 3x3 convolutions, batch norm, ReLU, He initialisation,
standardised inputs, random crops and flips, SGD with Nesterov momentum, L2, linear warm-up and decay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from benchmark.budgets import BUDGETS, asked_side
from benchmark.errors import unknown
from benchmark.networks import VGG
from benchmark.recipe import Batch, Moment, ParameterGroup, Recipe, Timed, Transform, Validation, takes_bytes, untimed


def standardise(train_images: Tensor) -> Transform:
    """Returns the images with zero mean and unit standard deviation per channel, measured on the training images."""
    deviation, mean = torch.std_mean(train_images, dim=(0, 2, 3), keepdim=True)
    return Affine(1 / deviation, -mean / deviation)


@dataclass(frozen=True, eq=False)
class Affine:
    """x * factor + offset, broadcast over images (n, 3, h, w)."""

    factor: Tensor
    offset: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        # As long as a row of pixels: over the three channels alone, the arithmetic takes eight times as long.
        factor, offset = (each.expand(1, -1, 1, images.shape[3]) for each in (self.factor, self.offset))
        in_memory = torch.channels_last
        return torch.addcmul(
            offset.contiguous(memory_format=in_memory), images, factor.contiguous(memory_format=in_memory)
        )


@dataclass(frozen=True)
class Stacked:
    """Preprocessings one after the other, each fitted on what those before it give."""

    parts: tuple[Callable[[Tensor], Transform], ...]

    def __call__(self, train_images: Tensor) -> Transform:
        fitted: list[Transform] = []
        for part in self.parts:
            fitted.append(part(train_images))
            train_images = fitted[-1](train_images)
        return Following(tuple(fitted))


@dataclass(frozen=True, eq=False)
class Following:
    """Transforms one after the other."""

    parts: tuple[Transform, ...]

    def __call__(self, images: Tensor) -> Tensor:
        for part in self.parts:
            images = part(images)
        return images


def contrast_normalised(train_images: Tensor) -> Transform:
    """Returns global contrast normalisation: Coates et al. 2011, https://proceedings.mlr.press/v15/coates11a.html.

    Each image less its own mean, over its own standard deviation; 10 is added to the variance of values from 0 to 255.
    """
    return less_own_contrast


def less_own_contrast(images: Tensor) -> Tensor:
    """Returns each image with mean 0 and nearly unit deviation over all of its numbers."""
    variance, mean = torch.var_mean(images, dim=(1, 2, 3), keepdim=True)
    return (images - mean) / (variance + 10 / 255**2).sqrt()


@takes_bytes
def flip(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    """Returns each image mirrored left to right with probability 1/2."""
    n, device = len(images), images.device
    chosen = torch.rand(n, generator=rng, device=device) < 0.5
    by_pixel = images.permute(0, 2, 3, 1)  # no copy: images lie channels-last
    both = torch.cat([by_pixel, by_pixel.flip(2)])  # whole images are taken from it: faster than pixel by pixel
    taken = both.index_select(0, torch.arange(n, device=device) + n * chosen)
    return taken.permute(0, 3, 1, 2), targets


@dataclass(frozen=True)
class Crop:
    """Each image padded by reflection, then cut to its size again at a place drawn for it.

    With 4 pixels, after Lee et al. 2015, https://arxiv.org/abs/1409.5185, who pad with zeros.
    """

    padding: int  # pixels on each side
    takes_bytes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.padding < 1:
            raise ValueError(f"Crop.padding must be at least 1 pixel, got {self.padding!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, channels, height, width = images.shape
        device, padding = images.device, self.padding
        shift = torch.randint(-padding, padding + 1, (2, n, 1), generator=rng, device=device)
        by_pixel = images.permute(0, 2, 3, 1)  # no copy: images lie channels-last
        left = [by_pixel[:, :, i : i + 1] for i in range(padding, 0, -1)]
        right = [by_pixel[:, :, i : i + 1] for i in range(width - 2, width - 2 - padding, -1)]
        wide = torch.cat([*left, by_pixel, *right], 2).contiguous()
        # A row of the result is a run of memory in `wide`: take it from a view of every run there is.
        full = width + 2 * padding
        runs = wide.as_strided((n * height * full - width + 1, width * channels), (channels, 1))
        rows, first = places(n, height, full, padding, device)
        start = rows.index_select(0, shift[0].view(-1) + padding) + (first + shift[1])
        cut = runs.index_select(0, start.view(-1)).view(n, height, width, channels)
        return cut.permute(0, 3, 1, 2), targets


@lru_cache(maxsize=16)
def places(n: int, height: int, width: int, padding: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns, of images that lie one after the other as rows of `width` pixels, where the rows of an image begin, for
    each shift from -padding to padding (2 padding + 1, height); and the middle of the first row's play, for each image
    (n, 1)."""
    shifts = torch.arange(-padding, padding + 1, device=device)[:, None]
    rows = mirrored(shifts + torch.arange(height, device=device), height) * width
    return rows, torch.arange(n, device=device)[:, None] * height * width + padding


def mirrored(index: Tensor, size: int) -> Tensor:
    """Indices beyond 0 and size - 1, reflected there: -1 is 1, size is size - 2."""
    return size - 1 - (size - 1 - index.abs()).abs()


@dataclass(frozen=True)
class InTurn:
    """Several augmentations, one after the other."""

    parts: tuple[Callable[[Tensor, Tensor, Generator], Batch], ...]

    @property
    def takes_bytes(self) -> bool:
        """Whether all of them do."""
        return all(getattr(part, "takes_bytes", False) for part in self.parts)

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        for part in self.parts:
            images, targets = part(images, targets, rng)
        return images, targets


@dataclass(frozen=True)
class Timely:
    """Two changes of a batch that depend on the time, one after the other."""

    first: Timed
    second: Timed

    def __call__(self, images: Tensor, moment: Moment) -> Tensor:
        return self.second(self.first(images, moment), moment)


def then(first: Timed, second: Timed) -> Timed:
    """Returns `second` on top of `first`; by itself where the first does nothing."""
    return second if first is untimed else Timely(first, second)


def relu(channels: int) -> nn.Module:
    """Returns max(x, 0)."""
    return nn.ReLU(inplace=True)


def batch_norm(channels: int) -> nn.Module:
    """Returns the normalisation of Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167."""
    return nn.BatchNorm2d(channels)


@torch.no_grad()
def he_normal(network: nn.Module, images: Tensor) -> None:
    """Draws weights from N(0, 2 / fan-in) and sets biases to zero: He et al. 2015, https://arxiv.org/abs/1502.01852,
    eq. 10."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@dataclass(frozen=True)
class WarmUpAndDecay:
    """Linear from zero to the peak over a share of the training, then linear to zero."""

    warm_up: float  # share of the training

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"WarmUpAndDecay.warm_up must be in [0, 1), got {self.warm_up!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        if progress < self.warm_up:
            return progress / self.warm_up
        return (1 - progress) / (1 - self.warm_up)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html."""

    momentum: float
    nesterov: bool

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ValueError(f"SGD.momentum must be in [0, 1), got {self.momentum!r}")

    def __call__(self, groups: Iterable[ParameterGroup]) -> Optimizer:
        groups = list(groups)
        return torch.optim.SGD(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov, fused=True)


def at_side(stages: tuple[tuple[int, int], ...], side: int) -> tuple[tuple[int, int], ...]:
    """Returns the stages for images of `side` pixels: as many as bring them to maps of about 4 x 4, the last repeated.

    At 32 pixels they are as they are, at 64 there is one more, at 16 one fewer.
    """
    count = max(1, round(math.log2(side / 4)))
    return (stages + stages[-1:] * count)[:count]


def baseline(data: str, budget: str, precision: Literal["fp32", "bf16"] = "bf16") -> Recipe:
    """Returns the baseline of a budget on a data set. Raises UsageError for an unknown budget, with the
    nearest names."""
    if budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    given = BUDGETS[budget]
    return Recipe(
        data=data,
        images=given.images,
        validation_images=given.validation_images,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=VGG(at_side(given.stages, asked_side(data) or 32)),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=given.epochs,
        batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        schedule=WarmUpAndDecay(0.2),
        optimiser=SGD(momentum=0.9, nesterov=True),
        weight_decay=5e-4,
        precision=precision,
    )
