"""Does an average within the optimiser make a falling learning rate unnecessary?

Schedule-free SGD: gradients g are taken at y = 0.1 z + 0.9 x; then z -= rate * g, and x moves towards z by rate^2 over
the sum of all rates^2 so far: Defazio et al. 2024, https://arxiv.org/abs/2405.15682, section 2. What is validated and
tested is x. The rate rises over the first 5 % of the training and stays; weight decay is taken at y, as in the
authors' code, https://github.com/facebookresearch/schedule_free. Batch norm's statistics are those that training at y
met; the authors measure them anew at x. Rates 2.5 and 10 times the baseline's, whose momentum of 0.9 is worth a factor
of 10, were not tuned. The control for the schedule is "held": the baseline's optimiser under the same schedule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.optim import Optimizer

from benchmark.recipe import Better, Claim, NotBetter, Recipe, Validation


@dataclass(frozen=True)
class WarmUp:
    share: float  # of the training

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"WarmUp.share must be in (0, 1), got {self.share!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return min(1.0, progress / self.share)


def schedule_free(groups: Iterable[dict[str, Any]]) -> Optimizer:
    return ScheduleFree(groups, {"momentum": 0.9})


class ScheduleFree(Optimizer):
    """The parameters hold x, and y while the gradients are taken."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for weight in group["params"]:
                z = self.state[weight].setdefault("z", weight.detach().clone())
                with torch.no_grad():
                    self.state[weight]["x"] = weight.clone()
                    weight.lerp_(z, 1 - group["momentum"])
        loss = closure()
        for group in self.param_groups:
            group["sum"] = group.get("sum", 0.0) + group["lr"] ** 2
            share = group["lr"] ** 2 / group["sum"] if group["sum"] else 0.0
            for weight in group["params"]:
                z, x = self.state[weight]["z"], self.state[weight]["x"]
                with torch.no_grad():
                    if weight.grad is not None:
                        z.sub_(weight.grad.add(weight, alpha=group["weight_decay"]), alpha=group["lr"])
                    weight.copy_(x.lerp_(z, share))
        return loss


REMARKS = "The rates are in proportion to the baseline's, at every budget, and were not tuned at any."
CLAIMS = [
    Claim("schedule-free", "It is at least as good as a schedule.", NotBetter("baseline", than="rate x10")),
    Claim("schedule-free", "It is better than the same rate without average.", Better("rate x10", than="held")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    held = replace(base, schedule=WarmUp(0.05))
    free = replace(held, optimiser=schedule_free)
    rates = {f"rate x{by:g}": replace(free, learning_rate=by * base.learning_rate) for by in (2.5, 10)}
    return {"held": held, **rates}
