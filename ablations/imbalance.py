"""Where some classes have few images, does it help to balance them?

CIFAR with a long tail: the c-th of C classes has imbalance^(-c / (C - 1)) times as many images as the first, with an
imbalance of 10 or 100: Cui et al. 2019, https://arxiv.org/abs/1901.05555, section 5.1; up to four times the epochs.
The test images stay balanced, so that accuracy is the mean over the classes. Over-sampling: each image of an epoch is
drawn from a class drawn evenly. Under-sampling: every class keeps as many images as the rarest has. Both by Hensman &
Masko 2015, https://www.diva-portal.org/smash/get/diva2:811111/FULLTEXT01.pdf, as in Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html. Weights of the classes in the loss: the inverse of
their images, or (1 - b) / (1 - b^images) with b = 0.999 (Cui et al., equation 2), scaled to a mean of 1 over the
images. Focal loss, gamma 2: Lin et al. 2017, https://arxiv.org/abs/1708.02002. "balanced": as many images in all,
evenly spread.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.recipe import Better, Claim, Recipe


def over_sampled(labels: Tensor, size: int, rng: Generator) -> Tensor:
    share = 1 / torch.bincount(labels).double()
    return torch.multinomial(share[labels], len(labels), replacement=True, generator=rng)


def under_sampled(labels: Tensor, size: int, rng: Generator) -> Tensor:
    fewest = int(torch.bincount(labels).min())
    place = torch.stack([labels == label for label in labels.unique()]).cumsum(1)  # of each image in its class
    kept = (place.gather(0, labels[None])[0] <= fewest).nonzero().flatten()
    rounds = [kept[torch.randperm(len(kept), generator=rng)] for _ in range(-(-len(labels) // len(kept)))]
    return torch.cat(rounds)[: len(labels)]


@dataclass(frozen=True)
class Weighted:
    imbalance: float
    most: int  # images of the most frequent class
    beta: float  # 1: the inverse of the number of images

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 1:
            raise ValueError(f"Weighted.beta must be in (0, 1], got {self.beta!r}")

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        classes = targets.shape[1]
        place = torch.arange(classes, device=targets.device) / max(1, classes - 1)
        images = (self.most * self.imbalance**-place).floor().clamp_min(1)
        weights = 1 / images if self.beta == 1 else (1 - self.beta) / (1 - self.beta**images)
        return F.cross_entropy(logits, targets, weight=weights * images.sum() / (weights * images).sum())


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    logs = logits.log_softmax(1)
    return -(targets * (1 - logs.exp()) ** 2 * logs).sum(1).mean()


def by_10(base: Recipe) -> Recipe:
    return replace(base, imbalance=10.0, epochs=2 * base.epochs)


def by_100(base: Recipe) -> Recipe:
    return replace(base, imbalance=100.0, epochs=4 * base.epochs)


CONTEXTS = {"imbalance 10": by_10, "imbalance 100": by_100}
WAYS = ("over-sampling", "under-sampling")
CLAIMS = [
    Claim("S9.1", "Imbalanced training data make a network worse.", Better("balanced", than="baseline")),
    *(Claim("S9.2", f"Balancing by {way} helps.", Better(way)) for way in WAYS),
    Claim("class weights", "Weights by the effective number of images help.", Better("weights, effective number")),
]
CLASSES = 10  # that "balanced" reckons with


def variants(base: Recipe) -> dict[str, Recipe]:
    """45,000 training images of ten classes where the base does not say."""
    most = (base.images or 45_000) // CLASSES
    total = sum(int(most * base.imbalance ** (-c / (CLASSES - 1))) for c in range(CLASSES))
    weighted = {"weights, inverse": 1.0, "weights, effective number": 0.999}
    return {
        "balanced": replace(base, imbalance=1.0, images=total),
        "over-sampling": replace(base, draw=over_sampled),
        "under-sampling": replace(base, draw=under_sampled),
        **{name: replace(base, loss=Weighted(base.imbalance, most, beta)) for name, beta in weighted.items()},
        "focal loss": replace(base, loss=focal),
    }
