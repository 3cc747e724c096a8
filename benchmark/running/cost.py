"""What a trick costs: the time of its training step against the control's, measured alternately on one core.

Step times taken from runs swing with whatever else the machine did at the time. Here a variant and its control take
turns of a few steps each, so that both meet the same machine; the ratio is the median over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch

from benchmark.data.splits import DataSet
from benchmark.engine.capture import captures
from benchmark.engine.machine import environment
from benchmark.engine.network import build, first, resident, tensors
from benchmark.engine.training import fit
from benchmark.planning.identity import describe
from benchmark.recipe import Recipe
from benchmark.store.records import CostRecord

ROUNDS, STEPS = 5, 15  # 15 steps at `quick` are a fifth of a second
GPU_STEPS = 60  # there a step takes milliseconds, and the first of an epoch waits for the order of the images


@dataclass(frozen=True)
class Cost:
    """Step time of a variant over that of its control."""

    ratio: float  # median over the rounds
    low: float  # least and greatest of the rounds
    high: float
    step_ms: float  # of the variant, median over its turns
    control_step_ms: float


@dataclass(frozen=True)
class Turns:
    """Seconds a step in each turn. The control has one turn more: before and after each of the variant's."""

    variant: tuple[float, ...]
    control: tuple[float, ...]

    def cost(self) -> Cost:
        """Returns each turn of the variant against the mean of its two neighbours."""
        before_and_after = zip(self.control, self.control[1:], strict=False)
        ratios = [2 * here / sum(beside) for here, beside in zip(self.variant, before_and_after, strict=True)]
        here, there = 1000 * median(self.variant), 1000 * median(self.control)
        return Cost(median(ratios), min(ratios), max(ratios), here, there)


def in_turns(variant: Callable[[], float], control: Callable[[], float], rounds: int = ROUNDS) -> Turns:
    """Measure `variant` in each of `rounds` between two turns of `control`; each call gives seconds a step."""
    here, there = [], [control()]
    for _ in range(rounds):
        here.append(variant())
        there.append(control())
    return Turns(tuple(here), tuple(there))


def cost_record(variant: Recipe, control: Recipe, found: Cost, device: str) -> CostRecord:
    """Returns what a store keeps of a measurement."""
    return CostRecord(
        recipe=describe(variant),
        control=describe(control),
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        step_ms=found.step_ms,
        control_step_ms=found.control_step_ms,
        environment=environment(device),
    )


def step_turns(variant: Recipe, control: Recipe, data: DataSet, device: torch.device) -> Turns:
    """Times training steps of two recipes, taken alternately."""
    return in_turns(stepper(variant, data, device), stepper(control, data, device))


def step_seconds(recipe: Recipe, data: DataSet, device: torch.device, steps: int = STEPS) -> float:
    """Returns the mean seconds of so many training steps."""
    return stepper(recipe, data, device, steps)()


def stepper(recipe: Recipe, data: DataSet, device: torch.device, steps: int | None = None) -> Callable[[], float]:
    """Returns a function that gives the mean seconds of so many training steps, always the same ones.

    Steps are as in a run: on a GPU they are replayed as a CUDA graph where they can be captured. They start from
    random weights: trained ones take no longer. All were taken once before, untimed, so that every shape is captured
    and every library has chosen its kernels.
    """
    train_split, validation, _ = resident(data, device)
    once = replace(recipe, epochs=1, start_from=None)
    network = build(once, 0, data, device)
    network = network.captured() if captures(device) else network
    # Without gradients: an autograd graph made on this stream would fail the capture on another.
    begun = [each.detach().clone() for each in tensors(network.module)]
    count = steps or (GPU_STEPS if captures(device) else STEPS)
    split = first(train_split, count * recipe.batch_size)

    def seconds() -> float:
        with torch.no_grad():
            for mine, before in zip(tensors(network.module), begun, strict=True):
                mine.copy_(before)
        progress = fit(once, 0, network, split, first(validation, 1), len(data.classes))
        return sum(progress.seconds) / len(progress.losses)

    seconds()
    return seconds
