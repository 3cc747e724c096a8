"""Do targets a little short of certain generalise better?

Each target t becomes t (1 - e) + e / K with K classes, whether one-hot or mixed by an augmentation: Szegedy et al.
2016, https://arxiv.org/abs/1512.00567, section 7; Müller et al. 2019, https://arxiv.org/abs/1906.02629. The train
loss of these arms is the smoothed one, which even a perfect network cannot bring to zero; the test loss is plain.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class SmoothedCrossEntropy:
    share: float  # of each target, spread over all classes

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"SmoothedCrossEntropy.share must be in [0, 1), got {self.share!r}")

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, label_smoothing=self.share)


CLAIMS = [Claim("label smoothing", "Smoothed labels generalise better.", Better("0.1"))]

TOUR = ("0.1",)


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{share}": replace(base, loss=SmoothedCrossEntropy(share)) for share in (0.1, 0.2)}
