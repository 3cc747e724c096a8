"""Do weights that follow the optimiser's at a distance train better?

Lookahead: after every `steps` steps of the base's optimiser, the slow weights move half of the way to the fast ones,
which go on from there: Zhang et al. 2019, https://arxiv.org/abs/1907.08610, algorithm 1, who take 5 steps and a half.
The momentum is left as it is. What is validated and tested are the weights as they are then, up to 4 steps after the
last such move.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.optim import Optimizer

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class Lookahead:
    optimiser: Callable[[Iterable[dict[str, Any]]], Optimizer]
    steps: int
    share: float = 0.5  # of the way

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"Lookahead.steps must be at least 1, got {self.steps!r}")
        if not 0 < self.share <= 1:
            raise ValueError(f"Lookahead.share must be in (0, 1], got {self.share!r}")

    def __call__(self, groups: Iterable[dict[str, Any]]) -> Optimizer:
        return Following(self.optimiser(groups), self.steps, self.share)


class Following(Optimizer):
    """Has the very groups of the optimiser it wraps: a rate set here is a rate set there."""

    def __init__(self, inner: Optimizer, steps: int, share: float) -> None:
        super().__init__(inner.param_groups, {})
        self.param_groups = inner.param_groups
        self.inner, self.steps, self.share, self.done = inner, steps, share, 0
        self.weights = [weight for group in self.param_groups for weight in group["params"]]
        self.slow = [weight.detach().clone() for weight in self.weights]

    def step(self, closure: Any = None) -> Any:
        loss = self.inner.step(closure)
        self.done += 1
        if self.done % self.steps == 0:
            with torch.no_grad():
                for slow, weight in zip(self.slow, self.weights, strict=True):
                    weight.copy_(slow.lerp_(weight, self.share))
        return loss


CLAIMS = [Claim("Lookahead", "Slow weights train better than the optimiser alone.", Better("5 steps"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{steps} steps": replace(base, optimiser=Lookahead(base.optimiser, steps)) for steps in (5, 20)}
