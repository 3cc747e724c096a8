"""Is an average of the weights along the way better than the last ones?

Exponential: after each step, average += share * (weights - average), where share is 1 / (window in steps), and 1 /
(steps so far) while that is larger, so that the first weights count no more than later ones: Polyak & Juditsky 1992,
https://doi.org/10.1137/0330046. The window is 5 or 20 % of the training: a decay of so much a step, such as 0.999, is
another average at each length of training, and torchvision's recipes scale it likewise,
https://github.com/pytorch/vision/blob/main/references/classification/train.py. Batch norm's statistics are averaged
with the weights, as there, or measured anew on training images ahead of each evaluation. SWA: the plain mean of the
weights over the last quarter of the training, statistics measured, Izmailov et al. 2018,
https://arxiv.org/abs/1803.05407, under the baseline's schedule, and with the rate held from there on, as the paper
does. Departure: every step is averaged, not every epoch's end. The average is what is validated after each epoch and
tested; training never sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.recipe import Better, Claim, Recipe, Schedule, Validation

LAST = 0.75  # SWA begins after this share of the training


@dataclass(frozen=True)
class Exponential:
    window: float  # share of the training that the average looks back over

    def __post_init__(self) -> None:
        if not 0 < self.window <= 1:
            raise ValueError(f"Exponential.window must be in (0, 1], got {self.window!r}")

    def __call__(self, step: int, steps: int) -> float:
        return min(1.0, max(1 / (self.window * steps), 1 / (step + 1)))


@dataclass(frozen=True)
class MeanFrom:
    start: float  # share of the training; until there, the weights themselves

    def __post_init__(self) -> None:
        if not 0 <= self.start < 1:
            raise ValueError(f"MeanFrom.start must be in [0, 1), got {self.start!r}")

    def __call__(self, step: int, steps: int) -> float:
        return 1 / (1 + max(0, step - int(self.start * steps)))


@dataclass(frozen=True)
class HeldFrom:
    schedule: Schedule
    start: float  # share of the training; from there on the rate stays as it is

    def __post_init__(self) -> None:
        if not 0 <= self.start <= 1:
            raise ValueError(f"HeldFrom.start must be in [0, 1], got {self.start!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return self.schedule(min(progress, self.start), history)


CLAIMS = [
    Claim("averaging", "Averaged weights generalise better than the last ones.", Better(arm))
    for arm in ("EMA 5 %", "EMA 20 %", "EMA 20 %, statistics measured", "SWA", "SWA, rate held")
]

TOUR = ("EMA 5 %",)


def variants(base: Recipe) -> dict[str, Recipe]:
    short, long = (replace(base, average=Exponential(window)) for window in (0.05, 0.2))
    swa = replace(base, average=MeanFrom(LAST), remeasure=True)
    return {
        "EMA 5 %": short,
        "EMA 20 %": long,
        "EMA 20 %, statistics measured": replace(long, remeasure=True),
        "SWA": swa,
        "SWA, rate held": replace(swa, schedule=HeldFrom(base.schedule, LAST)),
    }
