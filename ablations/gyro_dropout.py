"""Is it better to train a few fixed sub-networks for long than another one in each step?

Gyro dropout: 256 masks of units are drawn before the training, each unit dropped with probability 1/2; 16 of them,
drawn anew after each sixteenth of the training, are in use at a time, each for an equal part of the batch: Lee et al.,
MLSys 2022, as in https://docs.mosaicml.com/projects/composer/en/stable/_modules/composer/algorithms/gyro_dropout/gyro_dropout.html
with its defaults. It stands in front of the classifier; plain dropout, a mask for each image, is there for comparison.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Recipe


class FewMasks(nn.Module):
    masks: Tensor  # (rounds, at once, channels), 0 or 1 / (1 - p)
    done: Tensor  # steps

    def __init__(self, channels: int, p: float, masks: int, at_once: int, steps: int) -> None:
        super().__init__()
        drawn = (torch.rand(masks, channels) > p).float() / (1 - p)
        rounds = masks // at_once
        chosen = torch.stack([torch.randperm(masks)[:at_once] for _ in range(rounds)])
        self.register_buffer("masks", drawn[chosen])
        self.register_buffer("done", torch.zeros((), dtype=torch.long))
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        rounds, at_once, _ = self.masks.shape
        now = (self.done * rounds // self.steps).clamp_max(rounds - 1)
        self.done += 1
        masks = self.masks.index_select(0, now.view(1))[0]
        return x * masks.index_select(0, torch.arange(len(x), device=x.device) % at_once)


@dataclass(frozen=True)
class GyroDropout:
    steps: int  # of the training
    p: float = 0.5  # of dropping
    masks: int = 256
    at_once: int = 16

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise ValueError(f"GyroDropout.p must be in [0, 1), got {self.p!r}")
        if not 1 <= self.at_once <= self.masks:
            raise ValueError(f"GyroDropout.at_once must be from 1 to masks, got {self.at_once!r} of {self.masks!r}")
        if self.steps < 1:
            raise ValueError(f"GyroDropout.steps must be at least 1, got {self.steps!r}")

    def __call__(self, channels: int) -> nn.Module:
        return FewMasks(channels, self.p, self.masks, self.at_once, self.steps)


def plain(channels: int) -> nn.Module:
    return nn.Dropout(0.5)


CLAIMS = [Claim("gyro dropout", "Few masks for long are better than dropout.", Better("gyro", than="dropout"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    """45,000 training images where the base does not say how many it takes."""
    steps = base.epochs * max(1, (base.images or 45_000) // base.batch_size)
    return {"gyro": replace(base, before_head=GyroDropout(steps)), "dropout": replace(base, before_head=plain)}
