"""Networks, built from the parts that a recipe injects. The classifier is always the submodule `head`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Parts


class GlobalAverage(nn.Module):
    """(n, c, h, w) -> (n, c): the mean of each map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class MaxPool(nn.Module):
    """2x2 max pooling, (n, c, h, w) -> (n, c, h // 2, w // 2)."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu" or x.shape[2] % 2 or x.shape[3] % 2:
            return F.max_pool2d(x, 2)
        # The same numbers in two fifths of the time: torch's own also notes where each maximum was.
        by_pixel = x.permute(0, 2, 3, 1)
        rows = torch.maximum(by_pixel[:, ::2], by_pixel[:, 1::2])
        return torch.maximum(rows[:, :, ::2], rows[:, :, 1::2]).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class VGG:
    """Stages of 3x3 convolutions under one 2x2 max pooling each, then global average pooling and a linear head.

    Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556, made small. Pooling follows the first convolution
    of its stage, ahead of norm and activation: for an increasing activation the result is the same as behind
    them, and they have a quarter of the values to read (as in airbench, https://arxiv.org/abs/2404.00498).
    """

    stages: tuple[tuple[int, int], ...]  # (channels, convolutions) of each stage

    def __call__(self, parts: Parts) -> nn.Module:
        layers: list[nn.Module] = []
        inputs = 3
        for channels, convolutions in self.stages:
            for i in range(convolutions):
                norm = parts.norm(channels)
                bias = isinstance(norm, nn.Identity)  # a norm would take it away again
                layers.append(nn.Conv2d(inputs, channels, 3, stride=1, padding=1, bias=bias))
                layers += [MaxPool()] if i == 0 else []
                layers += [norm, parts.activation(channels)]
                inputs = channels
        features = nn.Sequential(*layers, GlobalAverage())
        return nn.Sequential(OrderedDict(features=features, head=nn.Linear(inputs, parts.classes)))
