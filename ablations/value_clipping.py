"""Does it help to clip each number of the gradient by itself?

Every number of every gradient is brought into [-bound, bound], which changes the gradient's direction: Graves 2013,
https://arxiv.org/abs/1308.0850, section 2.1, for recurrent networks; torch's clip_grad_value_. Weight decay is added
by the optimiser, after clipping. At the baseline's rate, and at five times that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class ClipValue:
    bound: float  # of each number of a gradient

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise ValueError(f"ClipValue.bound must be above 0, got {self.bound!r}")

    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        nn.utils.clip_grad_value_(parameters, self.bound)


def as_it_is(base: Recipe) -> Recipe:
    return base


def five_times_the_rate(base: Recipe) -> Recipe:
    return replace(base, learning_rate=5 * base.learning_rate)


CONTEXTS = {"rate x1": as_it_is, "rate x5": five_times_the_rate}
CLAIMS = [Claim("value clipping", "It mends a rate that is too high.", Better("bound 0.01"), context="rate x5")]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"bound {bound}": replace(base, clip=ClipValue(bound)) for bound in (0.01, 0.1)}
