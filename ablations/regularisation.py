"""Which bound on the weights generalises best: L2, L1, both, or a maximal norm?

On tensors of two and more dimensions. L2: the gradient gains factor * w, the penalty being factor / 2 * w^2. L1: it
gains factor * sign(w), Tibshirani 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x; both: Zou & Hastie 2005,
https://doi.org/10.1111/j.1467-9868.2005.00503.x. Max norm: after each step the incoming weights of every unit are
scaled down to |w|_2 <= c, Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, whose table 9 has
L2 behind L2 + L1 behind max norm on MNIST. L1 and max norm stand in place of the baseline's L2, not on top of it.
Under batch norm a convolution gives the same whatever the scale of its weights: a bound there only keeps the steps
from becoming small relative to the weights (van Laarhoven 2017, https://arxiv.org/abs/1706.05350); the head is bounded
as in the papers. Measured where over-fitting shows: without augmentation, and on a tenth of the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmark.recipe import Better, Claim, More, Recipe, unchanged


@dataclass(frozen=True)
class L1:
    factor: float

    def __post_init__(self) -> None:
        if not self.factor >= 0:
            raise ValueError(f"L1.factor must be 0 or more, got {self.factor!r}")

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        for weight in parameters:
            if weight.ndim > 1 and weight.grad is not None:
                weight.grad.add_(weight.sign(), alpha=self.factor)


@dataclass(frozen=True)
class MaxNorm:
    bound: float  # of the incoming weights of a unit

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise ValueError(f"MaxNorm.bound must be above 0, got {self.bound!r}")

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        for weight in parameters:
            if weight.ndim > 1:
                weight.renorm_(2, 0, self.bound)


def without_augmentation(base: Recipe) -> Recipe:
    return replace(base, augment=unchanged)


def little_data(base: Recipe) -> Recipe:
    """For five times the epochs, which is half the steps: time enough to over-fit. 45,000 images where not said."""
    return replace(base, images=max(1, (base.images or 45_000) // 10), epochs=5 * base.epochs)


CONTEXTS = {"no augmentation": without_augmentation, "10 % of the data": little_data}
CLAIMS = [
    Claim(
        "S6.1",
        "L1 makes the weights sparse.",
        More("L1 1e-4", than="L2 5e-4", of="near-zero weights"),
    ),
    *(
        Claim("S6.2", "If sparsity is not needed, L2 does better than L1.", Better("L2 5e-4", than=arm))
        for arm in ("L1 1e-5", "L1 1e-4", "L1 1e-3")
    ),
]

TOUR = ("no augmentation: L2 5e-3", "no augmentation: L1 1e-3")


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {f"L2 {name}": replace(base, weight_decay=float(name)) for name in ("0", "1e-4", "5e-4", "5e-3")}
    arms |= {
        f"L1 {name}": replace(base, weight_decay=0.0, penalise=L1(float(name))) for name in ("1e-5", "1e-4", "1e-3")
    }
    arms["L1 + L2"] = replace(base, weight_decay=5e-4, penalise=L1(1e-4))
    arms |= {f"max norm {c}": replace(base, weight_decay=0.0, constrain=MaxNorm(c)) for c in (1, 2, 3, 4)}
    return arms
