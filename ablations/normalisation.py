"""Is batch norm the best norm, and is any needed?

(x - mean) / deviation * scale + shift, scale and shift learned per channel; mean and deviation of a channel over the
batch (batch, the baseline's: Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167), of one image over all its
channels (layer: Ba et al. 2016, https://arxiv.org/abs/1607.06450), over groups of them (group: Wu & He 2018,
https://arxiv.org/abs/1803.08494; up to 8 groups, as many as divide the channels); or none, then with biases, at the
base's rate and at a quarter of it, since networks without a norm bear lower rates. Batch norm's statistics in testing
are running averages of training.
"""

from dataclasses import dataclass, replace
from math import gcd

from torch import nn

from benchmark.baseline import batch_norm
from benchmark.recipe import Better, Claim, Maker, Recipe, absent


@dataclass(frozen=True)
class Group:
    groups: int  # at most; the greatest common divisor with the number of channels is taken

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"Group.groups must be at least 1, got {self.groups!r}")

    def __call__(self, channels: int) -> nn.Module:
        return nn.GroupNorm(gcd(self.groups, channels), channels)


OTHERS = ("group", "layer", "none", "none at rate / 4")
CLAIMS = [Claim("batch norm", f"Better than {other}.", Better("batch", than=other)) for other in OTHERS]

TOUR = ("none at rate / 4",)


def variants(base: Recipe) -> dict[str, Recipe]:
    norms: dict[str, Maker] = {"batch": batch_norm, "group": Group(8), "layer": Group(1), "none": absent}
    arms = {name: replace(base, norm=norm) for name, norm in norms.items()}
    return arms | {"none at rate / 4": replace(base, norm=absent, learning_rate=base.learning_rate / 4)}
