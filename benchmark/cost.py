"""What a trick costs: the time of its training step against the control's, measured in turns on one core.

Step times taken from runs swing with whatever else the machine did at the time. Here a variant and its control take
turns of a few steps each, so that both meet the same machine; the ratio is the median over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch

from benchmark.data import DataSet
from benchmark.recipe import Recipe
from benchmark.training import first, fit, ready, resident

ROUNDS, STEPS = 5, 15  # 15 steps at `quick` are a fifth of a second


@dataclass(frozen=True)
class Cost:
    """Step time of a variant over that of its control."""

    ratio: float  # median over the rounds
    low: float  # least and greatest of the rounds
    high: float


def cost(
    variant: Recipe,
    control: Recipe,
    data: DataSet,
    device: torch.device,
    measure: Callable[[Recipe, DataSet, torch.device], float] | None = None,
) -> Cost:
    """Measure `variant` between two turns of `control`, in each of ROUNDS rounds."""
    seconds = measure or step_seconds
    ratios: list[float] = []
    before = seconds(control, data, device)
    for _ in range(ROUNDS):
        here, after = seconds(variant, data, device), seconds(control, data, device)
        ratios.append(2 * here / (before + after))
        before = after
    return Cost(median(ratios), min(ratios), max(ratios))


def step_seconds(recipe: Recipe, data: DataSet, device: torch.device) -> float:
    """Mean seconds of STEPS training steps, from the first weights on."""
    train_split, validation, _ = resident(data, device)
    steps = replace(recipe, epochs=1)
    network = ready(recipe, 0, data, device)
    split = first(train_split, STEPS * recipe.batch_size)
    curves = fit(steps, 0, network, split, first(validation, 1), len(data.classes))
    return sum(curves.seconds) / len(curves.losses)
