"""Can the learning rate stay at its peak until late, and by which curve should it fall?

"WSD": up over 5 % of the training, held, and down over the last 20 % as 1 - sqrt(share of these that is over): Hägele
et al. 2024, https://arxiv.org/abs/2405.18392; MiniCPM: Hu et al. 2024, https://arxiv.org/abs/2404.06395. "flat, then
cosine": held for 75 %, then half a cosine, fastai's fit_flat_cos, https://docs.fast.ai/callback.schedule.html.
"quadratic": (1 - t)^2, PolynomialLR of torch and timm with power 2. "exponential": 0.01^t. These three have no
warm-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sqrt

from benchmark.recipe import Alike, Claim, Recipe, Schedule, Validation


@dataclass(frozen=True)
class WSD:
    rise: float  # share of the training
    fall: float  # share of the training

    def __post_init__(self) -> None:
        if not (self.rise > 0 and self.fall > 0 and self.rise + self.fall <= 1):
            raise ValueError(
                f"WSD.rise and fall must be above 0 and at most 1 together, got {self.rise!r}, {self.fall!r}"
            )

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return min(progress / self.rise, 1 - sqrt(max(0.0, 1 - (1 - progress) / self.fall)), 1.0)


@dataclass(frozen=True)
class FlatCosine:
    flat: float  # share of the training

    def __post_init__(self) -> None:
        if not 0 <= self.flat < 1:
            raise ValueError(f"FlatCosine.flat must be in [0, 1), got {self.flat!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        return (1 + cos(pi * max(0.0, progress - self.flat) / (1 - self.flat))) / 2


def quadratic(progress: float, history: Sequence[Validation]) -> float:
    return (1 - progress) ** 2


def exponential(progress: float, history: Sequence[Validation]) -> float:
    return float(0.01**progress)


CLAIMS = [Claim("WSD", "A rate that falls late ends where one that falls all along does.", Alike("WSD"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Schedule] = {"WSD": WSD(0.05, 0.2), "flat, then cosine": FlatCosine(0.75)}
    ways |= {"quadratic": quadratic, "exponential": exponential}
    return {name: replace(base, schedule=way) for name, way in ways.items()}
