"""Do flat minima, sought by sharpness-aware steps, generalise better?

Each step takes the gradient g, climbs to w + rho g / |g| (over all weights together), takes the gradient there, and
goes from w by that one with the baseline's optimiser: Foret et al. 2021, https://arxiv.org/abs/2010.01412, with its
rho of 0.05, and 0.1. Two passes a step: twice the cost, at equal epochs. Batch norm's running statistics see both
passes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.optim import Optimizer

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class SharpnessAware:
    optimiser: Callable[[Iterable[dict[str, Any]]], Optimizer]
    rho: float

    def __post_init__(self) -> None:
        if not self.rho > 0:
            raise ValueError(f"SharpnessAware.rho must be above 0, got {self.rho!r}")

    def __call__(self, groups: Iterable[dict[str, Any]]) -> Optimizer:
        return Climbing(self.optimiser(groups), self.rho)


class Climbing(Optimizer):
    """Has the very groups of the optimiser it wraps: a rate set here is a rate set there."""

    def __init__(self, inner: Optimizer, rho: float) -> None:
        super().__init__(inner.param_groups, {})
        self.param_groups = inner.param_groups
        self.inner, self.rho = inner, rho

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        weights = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        with torch.no_grad():
            here = [weight.clone() for weight in weights]
            gradients = [weight.grad for weight in weights]
            scale = self.rho / (torch.nn.utils.get_total_norm(gradients) + 1e-12)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.add_(gradient * scale)
        closure()
        with torch.no_grad():
            for weight, old in zip(weights, here, strict=True):
                weight.copy_(old)
        self.inner.step()
        return loss


CLAIMS = [Claim("SAM", "Sharpness-aware steps generalise better.", Better(f"rho {rho}")) for rho in (0.05, 0.1)]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"rho {rho}": replace(base, optimiser=SharpnessAware(base.optimiser, rho)) for rho in (0.05, 0.1)}
