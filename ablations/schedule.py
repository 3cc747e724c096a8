"""When should the learning rate fall?

All peak at the baseline's rate. Step: divided by 10 after 1/2 and 3/4 of the training, as in He et al. 2016,
https://arxiv.org/abs/1512.03385. Linear: (1 - t). Cosine: (1 + cos(pi t)) / 2, Loshchilov & Hutter 2017,
https://arxiv.org/abs/1608.03983. One cycle: by cosines from 1/25 of the peak up to it and down to 1/250,000, Smith &
Topin 2017, https://arxiv.org/abs/1708.07120, as torch's OneCycleLR, which reaches its lowest rate one step earlier,
but with a constant momentum. Plateau: divided by 2 or 5 (or 10, which is ours) when validation loss, or accuracy, has
not improved for a tenth of the training: Wei 2015, section 4, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi
from typing import Literal

from benchmark.recipe import Better, Claim, Published, Recipe, Schedule, Validation, constant


def linear(progress: float, history: Sequence[Validation]) -> float:
    return 1 - progress


def cosine(progress: float, history: Sequence[Validation]) -> float:
    return (1 + cos(pi * progress)) / 2


@dataclass(frozen=True)
class OneCycle:
    rise: float  # share of the training
    first: float  # of the peak
    last: float  # of the peak

    def __post_init__(self) -> None:
        if not 0 < self.rise < 1:
            raise ValueError(f"OneCycle.rise must be in (0, 1), got {self.rise!r}")
        for name in ("first", "last"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"OneCycle.{name} must be in [0, 1], got {getattr(self, name)!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        if progress < self.rise:
            return 1 - (1 - self.first) * cosine(progress / self.rise, history)
        return self.last + (1 - self.last) * cosine((progress - self.rise) / (1 - self.rise), history)


@dataclass(frozen=True)
class Steps:
    divisor: float
    at: tuple[float, ...]  # shares of the training

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        passed = sum(progress >= share for share in self.at)
        return float(self.divisor**-passed)


@dataclass(frozen=True)
class Plateau:
    """Divide each time `patience` epochs in a row bring no new best on the validation images."""

    divisor: float
    patience: int  # epochs
    on: Literal["loss", "accuracy"] = "accuracy"

    def __post_init__(self) -> None:
        if not self.divisor > 1:
            raise ValueError(f"Plateau.divisor must be above 1, got {self.divisor!r}")
        if self.patience < 1:
            raise ValueError(f"Plateau.patience must be at least 1 epoch, got {self.patience!r}")
        if self.on not in ("loss", "accuracy"):
            raise ValueError(f"Plateau.on must be 'loss' or 'accuracy', got {self.on!r}")

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        best, waited, falls = float("-inf"), 0, 0
        for epoch in history:
            score = epoch.accuracy if self.on == "accuracy" else -epoch.loss
            best, waited = (score, 0) if score > best else (best, waited + 1)
            if waited == self.patience:
                waited, falls = 0, falls + 1
        return float(self.divisor**-falls)


CLAIMS = [
    Claim(
        "S4.2",
        f"A rate divided by {divisor} when the validation {on} stops improving beats a constant one.",
        Better(f"plateau /{divisor} on {on}", than="constant"),
    )
    for on in ("loss", "accuracy")
    for divisor in (2, 5)
]
PUBLISHED = {  # https://github.com/ducha-aiki/caffenet-benchmark, ImageNet of 128 pixels, single runs
    ("cifar10", ""): {"step /10": Published(47.1, "read", runs=1), "linear": Published(49.3, "read", runs=1)}
}
TOUR = ("constant", "step /10")


def variants(base: Recipe) -> dict[str, Recipe]:
    patience = max(1, round(base.epochs / 10))
    ways: dict[str, Schedule] = {"constant": constant, "step /10": Steps(10, (0.5, 0.75)), "linear": linear}
    ways |= {"cosine": cosine, "one cycle": OneCycle(rise=0.3, first=1 / 25, last=1 / 25e4)}
    ways |= {f"plateau /{d} on loss": Plateau(d, patience, "loss") for d in (2, 5, 10)}
    ways |= {f"plateau /{d} on accuracy": Plateau(d, patience, "accuracy") for d in (2, 5, 10)}
    return {name: replace(base, schedule=way) for name, way in ways.items()}
