"""Can the batch grow where the learning rate would fall?

After 1/2 and 3/4 of the training either the rate is divided by 4 or the batch is made 4 times as large, at a rate that
is constant: Smith et al. 2018, https://arxiv.org/abs/1711.00489, who find both to end alike, the latter in fewer
steps. Neither warms up. A batch holds at most all images. "constant": neither falls nor grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.recipe import Alike, Better, Claim, Recipe, Validation, constant

PLACES = (0.5, 0.75)  # shares of the training


@dataclass(frozen=True)
class Falling:
    divisor: float  # of the rate, at each of the places

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return float(self.divisor ** -sum(progress >= place for place in PLACES))


@dataclass(frozen=True)
class Growing:
    factor: int  # on the batch, at each of the places

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"Growing.factor must be at least 1, got {self.factor!r}")

    def __call__(self, progress: float) -> int:
        return int(self.factor ** sum(progress >= place for place in PLACES))


CLAIMS = [
    Claim("growing batch", "It ends where a falling rate does.", Alike("batch x4", than="rate / 4")),
    Claim("growing batch", "It is better than neither.", Better("batch x4", than="constant")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    flat = replace(base, schedule=constant)
    return {
        "constant": flat,
        "rate / 4": replace(base, schedule=Falling(4)),
        "batch x4": replace(flat, growth=Growing(4)),
    }
