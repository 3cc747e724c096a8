"""Parts with a fault each that a real GPU would show: a wait, a mixture of devices, a draw or a count on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmark.recipe import Batch

Forward = Callable[["Layer", Tensor], Tensor]


class Layer(nn.Module):
    """A layer that a function makes."""

    def __init__(self, function: Forward) -> None:
        super().__init__()
        self.function = function
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@dataclass(frozen=True)
class Made:
    """Makes a layer of a function, as `Recipe.before_head` takes it."""

    function: Forward

    def __call__(self, channels: int) -> nn.Module:
        return Layer(self.function)


def drops(layer: Layer, x: Tensor) -> Tensor:
    return F.dropout(x, 0.3, layer.training)


def reads_a_number(layer: Layer, x: Tensor) -> Tensor:
    return x * float(x.mean().item() < 1e9)


def decides(layer: Layer, x: Tensor) -> Tensor:
    return x * 2 if bool(x.sum() > 0) else x


def masks(layer: Layer, x: Tensor) -> Tensor:
    return x + x[x > 0].mean()


def copies_to_the_host(layer: Layer, x: Tensor) -> Tensor:
    return x + x.cpu().mean().to(x.device)


def mixes(layer: Layer, x: Tensor) -> Tensor:
    return x + torch.ones(x.shape[1])


def counts_its_calls(layer: Layer, x: Tensor) -> Tensor:
    layer.count += 1
    return x * (1 + 0.01 * layer.count)


def draws_on_the_host(layer: Layer, x: Tensor) -> Tensor:
    return x * float(torch.rand(()) + 0.5) if layer.training else x


def scales(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    return images * torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device), targets


def draws_from_no_stream_of_its_own(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    return images * torch.rand(len(images), 1, 1, 1, device=images.device), targets


def draws_from_a_host_generator(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    other = torch.Generator().manual_seed(1)
    return images * torch.rand(len(images), 1, 1, 1, generator=other, device=images.device), targets


def brings_numbers_from_the_host(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    return images * torch.rand(len(images), 1, 1, 1), targets


def reads_the_batch(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    return images * (1 if images.mean().item() > 0 else 2), targets


def blanks_by_a_mask(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    chosen = torch.rand(len(images), generator=rng, device=images.device) < 0.5
    images = images.clone()
    images[chosen] = images.mean()
    return images, targets
