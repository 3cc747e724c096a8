"""How much dropout, where, and does it complement L1, L2 and max norm?

In training each unit is zeroed with probability p (the paper's p is that of keeping it) and the others are divided by
1 - p; in testing nothing is done. Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, whose table
4 has no dropout behind dropout in front of the classifier behind dropout after all layers. Head: once, in front of
the classifier. Stages: after each stage's last activation. Units are single values of a map, as in the paper, not
whole channels. L2 is the baseline's own, so "head 0.5" is L2 with dropout; L1 (gradient + 1e-4 * sign(w)) and max
norm (|w|_2 <= 3 of a unit's incoming weights after each step) stand in its place. A norm behind dropout measures
another variance in training than it meets in testing: Li et al. 2019, https://arxiv.org/abs/1801.05134; here the
pooling between them adds to it, since the maximum of noisy values is larger. Measured where over-fitting shows:
without augmentation, and on a tenth of the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmark.recipe import Better, Claim, NotBetter, Recipe, unchanged


@dataclass(frozen=True)
class Dropout:
    p: float  # of dropping

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise ValueError(f"Dropout.p must be in [0, 1), got {self.p!r}")

    def __call__(self, channels: int) -> nn.Module:
        return nn.Dropout(self.p)


@torch.no_grad()
def l1(parameters: Sequence[nn.Parameter]) -> None:
    for weight in parameters:
        if weight.ndim > 1 and weight.grad is not None:
            weight.grad.add_(weight.sign(), alpha=1e-4)


@torch.no_grad()
def norm_up_to_3(parameters: Sequence[nn.Parameter]) -> None:
    for weight in parameters:
        if weight.ndim > 1:
            weight.renorm_(2, 0, 3.0)


def without_augmentation(base: Recipe) -> Recipe:
    return replace(base, augment=unchanged)


def little_data(base: Recipe) -> Recipe:
    """For five times the epochs, which is half the steps: time enough to over-fit. 45,000 images where not said."""
    return replace(base, images=max(1, (base.images or 45_000) // 10), epochs=5 * base.epochs)


CONTEXTS = {"no augmentation": without_augmentation, "10 % of the data": little_data}
CLAIMS = [
    Claim("S6.3", "Dropout complements L1.", Better("L1 + dropout", than="L1")),
    Claim("S6.3", "Dropout complements L2.", Better("head 0.5", than="baseline")),
    Claim("S6.3", "Dropout complements max norm.", Better("max norm + dropout", than="max norm")),
    *(
        Claim("S6.4", "p = 0.5 is a reasonable default.", NotBetter(f"{place} {p}", than=f"{place} 0.5"))
        for place in ("head", "stages")
        for p in (0.1, 0.3, 0.7)
    ),
]

TOUR = ("no augmentation: head 0.7", "no augmentation: head 0.5")


def variants(base: Recipe) -> dict[str, Recipe]:
    half = Dropout(0.5)
    by_l1 = replace(base, weight_decay=0.0, penalise=l1)
    by_norm = replace(base, weight_decay=0.0, constrain=norm_up_to_3)
    return {
        **{f"head {p}": replace(base, before_head=Dropout(p)) for p in (0.1, 0.3, 0.5, 0.7)},
        **{f"stages {p}": replace(base, after_stage=Dropout(p)) for p in (0.1, 0.3, 0.5, 0.7)},
        "L1": by_l1,
        "L1 + dropout": replace(by_l1, before_head=half),
        "max norm": by_norm,
        "max norm + dropout": replace(by_norm, before_head=half),
    }
