"""Is an average of the weights along the way better than the last ones?

Exponential: after each step, average += (1 - decay) * (weights - average); while 1 / (steps so far) is the larger
share, that one is taken, so that the first weights count no more than later ones: the plain mean up to then, which at
`quick` 0.999 is to the end. Polyak & Juditsky 1992, https://doi.org/10.1137/0330046. SWA: the plain mean of the
weights over the last quarter of the training, Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, under the
baseline's schedule, and with the rate held from there on, as the paper does. Departures: every step is averaged, not
every epoch's end; batch norm's statistics are averaged with the weights, not measured anew. The average is what is
validated after each epoch and tested; training never sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.recipe import Better, Claim, Recipe, Schedule, Validation

LAST = 0.75  # SWA begins after this share of the training


@dataclass(frozen=True)
class Exponential:
    decay: float

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(f"Exponential.decay must be in [0, 1), got {self.decay!r}")

    def __call__(self, step: int, steps: int) -> float:
        return max(1 - self.decay, 1 / (step + 1))


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
    for arm in ("EMA 0.99", "EMA 0.999", "SWA", "SWA, rate held")
]


def variants(base: Recipe) -> dict[str, Recipe]:
    swa = replace(base, average=MeanFrom(LAST))
    return {
        "EMA 0.99": replace(base, average=Exponential(0.99)),
        "EMA 0.999": replace(base, average=Exponential(0.999)),
        "SWA": swa,
        "SWA, rate held": replace(swa, schedule=HeldFrom(base.schedule, LAST)),
    }
