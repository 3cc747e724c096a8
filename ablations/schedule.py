"""When should the learning rate fall?

All start at the baseline's peak. Step: divided by 10 after 1/2 and 3/4 of the training, as in He et al. 2016,
https://arxiv.org/abs/1512.03385. Linear: (1 - t). Cosine: (1 + cos(pi t)) / 2, Loshchilov & Hutter 2017,
https://arxiv.org/abs/1608.03983. Plateau: divided by 2, 5 or 10 when the validation accuracy has not risen for a
tenth of the training: Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi

from benchmark.recipe import Better, Claim, Recipe, Schedule, Validation, constant


def linear(progress: float, history: Sequence[Validation]) -> float:
    return 1 - progress


def cosine(progress: float, history: Sequence[Validation]) -> float:
    return (1 + cos(pi * progress)) / 2


@dataclass(frozen=True)
class Steps:
    divisor: float
    at: tuple[float, ...]  # shares of the training

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        passed = sum(progress >= share for share in self.at)
        return float(self.divisor**-passed)


@dataclass(frozen=True)
class Plateau:
    """Divide each time `patience` epochs in a row bring no new best validation accuracy."""

    divisor: float
    patience: int  # epochs

    def __post_init__(self) -> None:
        if not self.divisor > 1:
            raise ValueError(f"Plateau.divisor must be above 1, got {self.divisor!r}")
        if self.patience < 1:
            raise ValueError(f"Plateau.patience must be at least 1 epoch, got {self.patience!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        best, waited, falls = float("-inf"), 0, 0
        for epoch in history:
            best, waited = (epoch.accuracy, 0) if epoch.accuracy > best else (best, waited + 1)
            if waited == self.patience:
                waited, falls = 0, falls + 1
        return float(self.divisor**-falls)


CLAIMS = [
    Claim(
        "S4.2",
        f"A rate divided by {d} on the validation plateau beats a constant one.",
        Better(f"plateau /{d}", than="constant"),
    )
    for d in (2, 5, 10)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    patience = max(1, round(base.epochs / 10))
    ways: dict[str, Schedule] = {
        "constant": constant,
        "step /10": Steps(10, (0.5, 0.75)),
        "linear": linear,
        "cosine": cosine,
        **{f"plateau /{d}": Plateau(d, patience) for d in (2, 5, 10)},
    }
    return {name: replace(base, schedule=way) for name, way in ways.items()}
