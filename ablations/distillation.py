"""Does a network learn better from another network's answers than from labels alone?

The loss is (1 - share) cross-entropy + share T^2 KL(teacher || student), both softmaxes at temperature T: Hinton et
al. 2015, https://arxiv.org/abs/1503.02531, section 2, here with T = 4 and a share of 0.9. The teacher, a network
trained before as the baseline is and from the same seed, answers to the very batch that the student sees. It is twice
as wide, or of the student's own kind (Furlanello et al. 2018, https://arxiv.org/abs/1805.04770). Its training is not
in the cost of these arms.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, Recipe, Teacher


@dataclass(frozen=True)
class Distilled:
    temperature: float
    share: float  # of the loss

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"Distilled.temperature must be above 0, got {self.temperature!r}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"Distilled.share must be in [0, 1], got {self.share!r}")

    def __call__(self, logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
        mine, theirs = ((each / self.temperature).log_softmax(1) for each in (logits, taught))
        divergence = F.kl_div(mine, theirs, reduction="batchmean", log_target=True) * self.temperature**2
        return (1 - self.share) * F.cross_entropy(logits, targets) + self.share * divergence


CLAIMS = [
    Claim(
        "distillation", "A student of a larger network is better than one of labels alone.", Better("wider teacher")
    ),
    Claim("born again", "So is a student of its own kind.", Better("teacher of its own kind")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"distillation widens a VGG for the teacher; the base's network is {base.network!r}")
    wide = VGG(tuple((2 * channels, count) for channels, count in base.network.stages))
    teachers = {"wider teacher": replace(base, network=wide), "teacher of its own kind": base}
    loss = Distilled(temperature=4, share=0.9)
    return {name: replace(base, teacher=Teacher(teacher, loss)) for name, teacher in teachers.items()}
