"""Networks, built from the parts that a recipe injects. The classifier is always the submodule `head`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

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
