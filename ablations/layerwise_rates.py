"""With large batches, should each layer's step be in proportion to its weights?

At eight times the baseline's batch and rate. LARS: the rate of each tensor w of two and more dimensions is multiplied
by 0.001 |w| / (|g| + decay |w|), under momentum 0.9: You et al. 2017, https://arxiv.org/abs/1708.03888, algorithm 1.
LAMB: Adam's step u = m / (sqrt(v) + 1e-6) + decay w, each tensor's multiplied by |w| / |u|, with bias correction,
means over 10 and 1,000 steps and a decay of 0.01: You et al. 2020, https://arxiv.org/abs/1904.00962, algorithm 2.
Norms and biases get no such factor and no decay. The rates, ten times the baseline's for LARS and a hundredth of it
for LAMB, which move a layer by 1.6 % of its norm in a step at `quick`, were not tuned.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class LARS:
    trust: float = 0.001  # relative size of a step at rate 1

    def __call__(self, groups: Iterable[dict[str, Any]]) -> Optimizer:
        return ByNorm(groups, {"trust": self.trust})


class ByNorm(Optimizer):
    def step(self, closure: Any = None) -> Any:
        loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    if weight.grad is None:
                        continue
                    momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                    step = weight.grad.add(weight, alpha=group["weight_decay"])
                    if weight.ndim > 1:
                        size = weight.norm()
                        step = step * ratio(size * group["trust"], weight.grad.norm() + group["weight_decay"] * size)
                    weight.sub_(momentum.mul_(0.9).add_(step, alpha=group["lr"]))
        return loss


def lamb(groups: Iterable[dict[str, Any]]) -> Optimizer:
    return LAMB(groups, {})


class LAMB(Optimizer):
    def step(self, closure: Any = None) -> Any:
        loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    if weight.grad is None:
                        continue
                    state = self.state[weight]
                    state["steps"] = n = state.get("steps", 0) + 1
                    mean = state.setdefault("mean", torch.zeros_like(weight)).lerp_(weight.grad, 0.1)
                    square = state.setdefault("square", torch.zeros_like(weight)).lerp_(weight.grad.square(), 0.001)
                    step = mean / (1 - 0.9**n) / ((square / (1 - 0.999**n)).sqrt() + 1e-6)
                    if weight.ndim > 1:
                        step = step.add(weight, alpha=group["weight_decay"])
                        step = step * ratio(weight.norm(), step.norm())
                    weight.sub_(step, alpha=group["lr"])
        return loss


def ratio(size: Tensor, change: Tensor) -> Tensor:
    """size / change, and 1 where either is 0."""
    return torch.where((size > 0) & (change > 0), size / change, 1)


def large_batch(base: Recipe) -> Recipe:
    return replace(base, batch_size=8 * base.batch_size, learning_rate=8 * base.learning_rate)


CONTEXTS = {"batch x8": large_batch}
REMARKS = "The rates are in proportion to the baseline's, at every budget, and were not tuned at any."
CLAIMS = [Claim(name, "It trains better at a large batch.", Better(name)) for name in ("LARS", "LAMB")]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "LARS": replace(base, optimiser=LARS(), learning_rate=10 * base.learning_rate),
        "LAMB": replace(base, optimiser=lamb, learning_rate=base.learning_rate / 100, weight_decay=0.01),
    }
