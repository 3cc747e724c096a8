"""Does clipping the gradient's norm help, at the baseline's rate and at one that is too high?

Where the norm |g| of all gradients together exceeds c, they are multiplied by c / |g|: Pascanu et al. 2013,
https://arxiv.org/abs/1211.5063, algorithm 1. Weight decay is added by the optimiser, after clipping.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class ClipNorm:
    bound: float  # of all gradients together

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise ValueError(f"ClipNorm.bound must be above 0, got {self.bound!r}")

    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        nn.utils.clip_grad_norm_(parameters, self.bound)


def as_it_is(base: Recipe) -> Recipe:
    return base


def five_times_the_rate(base: Recipe) -> Recipe:
    return replace(base, learning_rate=5 * base.learning_rate)


CONTEXTS = {"rate x1": as_it_is, "rate x5": five_times_the_rate}
CLAIMS = [Claim("clipping", "Clipping mends a rate that is too high.", Better("norm 1"), context="rate x5")]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"norm {bound}": replace(base, clip=ClipNorm(bound)) for bound in (0.1, 1, 5)}
