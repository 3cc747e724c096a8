"""Networks, built from the parts that a recipe injects. The classifier is always the submodule `head`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Parts


class GlobalAverage(nn.Module):
    """(n, c, h, w) -> (n, c): the mean of each map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


@dataclass(frozen=True)
class VGG:
    """Stages of convolutions under one pooling each, then global average pooling and a linear head.

    Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556, made small. Pooling follows the first convolution
    of its stage, ahead of norm and activation, which have a quarter of the values to read (as in airbench,
    https://arxiv.org/abs/2404.00498). Without a norm a maximum and an increasing activation could change places; a
    batch norm measures pooled values here.
    """

    stages: tuple[tuple[int, int], ...]  # (channels, convolutions) of each stage

    def __call__(self, parts: Parts) -> nn.Module:
        layers: list[nn.Module] = []
        inputs = 3
        for channels, convolutions in self.stages:
            for i in range(convolutions):
                norm = parts.norm(channels)
                bias = isinstance(norm, nn.Identity)  # a norm would take it away again
                layers.append(parts.convolution(inputs, channels, bias))
                layers += [parts.pool(channels)] if i == 0 else []
                layers += [norm, parts.activation(channels)]
                inputs = channels
            layers.append(parts.after_stage(inputs))
        features = nn.Sequential(*layers, GlobalAverage())
        head = nn.Linear(inputs, parts.classes)
        return nn.Sequential(OrderedDict(features=features, before_head=parts.before_head(inputs), head=head))


Shape = tuple[int, ...]  # of what a layer takes and gives, without the batch: (c, h, w), or (c,)
Made = tuple[list[nn.Module], Shape]  # layers, and the shape that they give


@dataclass(frozen=True)
class Filter:
    """A convolution of a size of its own, then norm and activation; the recipe's `convolution` is not asked."""

    channels: int
    size: int  # pixels
    stride: int = 1
    padding: int = 0  # pixels of zeros on each side

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        norm = parts.norm(self.channels)
        bias = isinstance(norm, nn.Identity)  # a norm would take it away again
        layer = nn.Conv2d(shape[0], self.channels, self.size, self.stride, self.padding, bias=bias)
        sides = ((side + 2 * self.padding - self.size) // self.stride + 1 for side in shape[1:])
        return [layer, norm, parts.activation(self.channels)], (self.channels, *sides)


@dataclass(frozen=True)
class Halve:
    """The recipe's pooling, then its `after_stage`."""

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        channels, *sides = shape
        return [parts.pool(channels), parts.after_stage(channels)], (channels, *(side // 2 for side in sides))


@dataclass(frozen=True)
class Flat:
    """(n, c, h, w) -> (n, c * h * w)."""

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        return [nn.Flatten()], (prod(shape),)


@dataclass(frozen=True)
class Mean:
    """(n, c, h, w) -> (n, c): the mean of each map."""

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        return [GlobalAverage()], shape[:1]


@dataclass(frozen=True)
class Units:
    """Fully connected, then the activation; without norm."""

    count: int

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        return [nn.Linear(shape[0], self.count), parts.activation(self.count)], (self.count,)


@dataclass(frozen=True)
class Drop:
    """Dropout: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html."""

    share: float  # of the values, set to zero in training

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"Drop.share must be in [0, 1), got {self.share!r}")

    def __call__(self, parts: Parts, shape: Shape) -> Made:
        return [nn.Dropout(self.share)], shape


Layer = Filter | Halve | Flat | Mean | Units | Drop


@dataclass(frozen=True)
class Chain:
    """Layers one after the other, the last giving (n, c), and a linear head: the networks of older papers.

    A last convolution of size 1 under a mean over the map, as in All-CNN, is `Mean` and the head here: the two change
    places.
    """

    layers: tuple[Layer, ...]
    side: int = 32  # pixels of its images, on which the first fully connected layer depends

    def __call__(self, parts: Parts) -> nn.Module:
        shape: Shape = (3, self.side, self.side)
        layers: list[nn.Module] = []
        for each in self.layers:
            made, shape = each(parts, shape)
            layers += made
        if len(shape) != 1:
            raise ValueError(f"the layers of a Chain must end in Flat, Mean or Units, got {self.layers[-1:]!r}")
        head = nn.Linear(shape[0], parts.classes)
        return nn.Sequential(
            OrderedDict(features=nn.Sequential(*layers), before_head=parts.before_head(shape[0]), head=head)
        )


class PaddedShortcut(nn.Module):
    """Every second pixel, and channels of zeros next to the old ones: option A of He et al. 2016."""

    def __init__(self, stride: int, more: int) -> None:
        super().__init__()
        self.stride, self.more = stride, more  # pixels; channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], [0, 0, 0, 0, self.more // 2, self.more - self.more // 2])


class ResidualBlock(nn.Module):
    """activation(shortcut(x) + branch(x)), where the branch is two 3x3 convolutions with norm."""

    def __init__(self, parts: Parts, inputs: int, channels: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *normed(parts, inputs, channels, stride), parts.activation(channels), *normed(parts, channels, channels)
        )
        self.shortcut, self.activation = shortcut, parts.activation(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.shortcut(x) + self.branch(x))
        return out


class PreactivatedBlock(nn.Module):
    """shortcut + branch, norm and activation ahead of each convolution, and of a shortcut that changes the shape."""

    def __init__(self, parts: Parts, inputs: int, channels: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.first = nn.Sequential(parts.norm(inputs), parts.activation(inputs))
        convolution = strided(parts, inputs, channels, stride)
        self.branch = nn.Sequential(
            convolution, parts.norm(channels), parts.activation(channels), strided(parts, channels, channels)
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        # Without a norm, an activation that works in place would change x.
        activated = self.first(x.clone() if isinstance(self.first[0], nn.Identity) else x)
        kept = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(activated)
        out: Tensor = kept + self.branch(activated)
        return out


def strided(parts: Parts, inputs: int, channels: int, stride: int = 1) -> nn.Module:
    """Returns a 3x3 convolution: the recipe's, or of torch where the stride is not 1, which recipes do not have."""
    bias = isinstance(parts.norm(channels), nn.Identity)
    if stride == 1:
        return parts.convolution(inputs, channels, bias)
    return nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=bias)


def normed(parts: Parts, inputs: int, channels: int, stride: int = 1) -> list[nn.Module]:
    """Returns a 3x3 convolution with its norm."""
    return [strided(parts, inputs, channels, stride), parts.norm(channels)]


@dataclass(frozen=True)
class ResNet:
    """A residual network for small images: a 3x3 convolution, stages of blocks of two, global average, linear head.

    He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2: three stages of 16, 32 and 64 channels with n blocks
    each make 6n + 2 layers, with shortcuts that are padded. Pre-activated: https://arxiv.org/abs/1603.05027. Each
    stage but the first halves the map by a stride of 2.
    """

    stages: tuple[tuple[int, int], ...]  # (channels, blocks) of each
    preactivated: bool = False
    shortcut: Literal["padded", "projected"] = "padded"  # where the shape changes; projected: a 1x1 convolution

    def __call__(self, parts: Parts) -> nn.Module:
        block = PreactivatedBlock if self.preactivated else ResidualBlock
        inputs = self.stages[0][0]
        layers = [strided(parts, 3, inputs)] if self.preactivated else normed(parts, 3, inputs)
        layers += [] if self.preactivated else [parts.activation(inputs)]
        for place, (channels, blocks) in enumerate(self.stages):
            for n in range(blocks):
                stride = 2 if place and not n else 1
                layers.append(
                    block(parts, inputs, channels, stride, self.shortcut_of(parts, inputs, channels, stride))
                )
                inputs = channels
            layers.append(parts.after_stage(inputs))
        layers += [parts.norm(inputs), parts.activation(inputs)] if self.preactivated else []
        features, head = nn.Sequential(*layers, GlobalAverage()), nn.Linear(inputs, parts.classes)
        return nn.Sequential(OrderedDict(features=features, before_head=parts.before_head(inputs), head=head))

    def shortcut_of(self, parts: Parts, inputs: int, channels: int, stride: int) -> nn.Module:
        """Returns the way around a block; a pre-activated block has norm and activation ahead of it."""
        if inputs == channels and stride == 1:
            return nn.Identity()
        if self.shortcut == "padded":
            return PaddedShortcut(stride, channels - inputs)
        if self.preactivated:
            return nn.Conv2d(inputs, channels, 1, stride, bias=False)
        norm = parts.norm(channels)
        return nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=isinstance(norm, nn.Identity)), norm)


def residual_network(depth: int, width: int = 1, preactivated: bool = False) -> ResNet:
    """Returns He's network of 6n + 2 layers, its 16, 32 and 64 channels times `width`.

    Raises ValueError for another depth.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth must be 6n + 2, such as 20, 32, 56 or 110, got {depth!r}")
    return ResNet(tuple((16 * width * 2**n, (depth - 2) // 6) for n in range(3)), preactivated)


def residual_18(width: int = 64, preactivated: bool = False) -> ResNet:
    """Returns the ResNet-18 that work on CIFAR uses: four stages of two blocks, a 3x3 stem, no first pooling."""
    return ResNet(tuple((width * 2**n, 2) for n in range(4)), preactivated, "projected")
