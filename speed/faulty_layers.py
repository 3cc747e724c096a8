"""Layers that fail on a GPU. They are no part of the script that trains them: run as one, it has another name in its
workers, which then take its parts for edited ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Asking(nn.Module):
    """A layer that waits for the device."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.mean().item() < 1e9)


class Poisoning(nn.Module):
    """A layer that reads memory that is not its own: the GPU does nothing more for its process.

    The kernel takes an index modulo 2**32, so that a greater one could be harmless.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x + x.flatten().index_select(0, torch.full((1,), 2**31 - 1, device=x.device)).sum()


def asking(channels: int) -> nn.Module:
    return Asking()


def poisoning(channels: int) -> nn.Module:
    return Poisoning()


def dropping(channels: int) -> nn.Module:
    return nn.Dropout(0.3)
