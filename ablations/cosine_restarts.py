"""Do warm restarts of the learning rate help?

In each cycle the rate falls from the peak to zero by half a cosine, and begins again: Loshchilov & Hutter 2017,
https://arxiv.org/abs/1608.03983, equation 5. Cycles of equal length, or each twice as long as the one before, as
theirs with T_mult = 2. One cycle is their schedule without restarts. The last cycle ends with the training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi

from benchmark.recipe import Better, Claim, Recipe, Validation


@dataclass(frozen=True)
class Restarts:
    cycles: int
    growth: int = 1  # length of a cycle over that of the one before

    def __post_init__(self) -> None:
        if self.cycles < 1:
            raise ValueError(f"Restarts.cycles must be at least 1, got {self.cycles!r}")
        if self.growth < 1:
            raise ValueError(f"Restarts.growth must be at least 1, got {self.growth!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        lengths = [self.growth**i for i in range(self.cycles)]
        left = progress * sum(lengths)
        for length in lengths:
            if left < length:
                return (1 + cos(pi * left / length)) / 2
            left -= length
        return 0.0


CLAIMS = [
    Claim("warm restarts", "Restarts are better than one fall.", Better(name, than="1 cycle"))
    for name in ("2 cycles", "3 cycles, doubling")
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways = {"1 cycle": Restarts(1), "2 cycles": Restarts(2), "4 cycles": Restarts(4)}
    ways["3 cycles, doubling"] = Restarts(3, growth=2)
    return {name: replace(base, schedule=way) for name, way in ways.items()}
