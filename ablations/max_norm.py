"""Does a maximal norm keep a network from exploding where the learning rate is too high?

After each step the incoming weights of every unit are scaled down to |w|_2 <= 3 or 4: Srivastava et al. 2014,
https://jmlr.org/papers/v15/srivastava14a.html, section 5.1, and Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 6. At a rate of 8, under which the baseline's
loss leaves the finite numbers or learns nothing, with batch norm and without; the max norm stands in place of L2. "no
bound" has neither. At rates that suit, max norm is an arm of `regularisation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmark.recipe import Better, Claim, Fails, Recipe, absent


@dataclass(frozen=True)
class MaxNorm:
    bound: float  # of the incoming weights of a unit

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise ValueError(f"MaxNorm.bound must be above 0, got {self.bound!r}")

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        for weight in parameters:
            if weight.ndim > 1:
                weight.renorm_(2, 0, self.bound)


def too_high(base: Recipe) -> Recipe:
    return replace(base, learning_rate=8.0)


def too_high_without_norm(base: Recipe) -> Recipe:
    return replace(too_high(base), norm=absent)


CONTEXTS = {"rate 8": too_high, "rate 8, no norm": too_high_without_norm}
CLAIMS = [
    Claim("S6.5", "The rate is too high without a bound (the control).", Fails("no bound")),
    *(
        Claim("S6.5", "Under max norm the network cannot explode.", Better(f"max norm {c}", "no bound"))
        for c in (3, 4)
    ),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    free = replace(base, weight_decay=0.0)
    return {"no bound": free, **{f"max norm {bound}": replace(free, constrain=MaxNorm(bound)) for bound in (3, 4)}}
