"""Are Adam's relatives better than Adam?

RMSprop: Tieleman & Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf. NAdam, with
Nesterov's momentum: Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. RAdam, which waits until the
variance is known: Liu et al. 2020, https://arxiv.org/abs/1908.03265. All are torch's with its defaults, and the
baseline's L2 is a part of their gradient. NAdam and RAdam have the peak rate that the module `optimiser` has tuned for
Adam, a tenth of the baseline's; RMSprop a tenth of that, since its first steps are ten times as large. Neither was
tuned by itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch.optim import Optimizer

from benchmark.recipe import Better, Claim, Recipe

Groups = Iterable[dict[str, Any]]


def adam(groups: Groups) -> Optimizer:
    return torch.optim.Adam(list(groups), lr=0.0, fused=True)


def nadam(groups: Groups) -> Optimizer:
    return torch.optim.NAdam(list(groups), lr=0.0)


def radam(groups: Groups) -> Optimizer:
    return torch.optim.RAdam(list(groups), lr=0.0)


def rmsprop(groups: Groups) -> Optimizer:
    return torch.optim.RMSprop(list(groups), lr=0.0)


RATES = {"Adam": 0.1, "NAdam": 0.1, "RAdam": 0.1, "RMSprop": 0.01}  # peak rates over the baseline's
REMARKS = (
    "The rates are in proportion to that of Adam, which was tuned on validation images at the budget quick on "
    "CIFAR-10; those of NAdam, RAdam and RMSprop were not tuned at any budget."
)
CLAIMS = [
    Claim("NAdam", "Nesterov's momentum is better in Adam, too.", Better("NAdam", than="Adam")),
    Claim("RAdam", "Waiting for the variance is better than not.", Better("RAdam", than="Adam")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Callable[[Groups], Optimizer]] = {"Adam": adam, "NAdam": nadam, "RAdam": radam, "RMSprop": rmsprop}
    return {
        name: replace(base, optimiser=way, learning_rate=RATES[name] * base.learning_rate)
        for name, way in ways.items()
    }
