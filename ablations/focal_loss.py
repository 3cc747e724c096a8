"""Does it help to make less of images that are classified well already?

-(1 - p)^gamma log p of the target's class, with p from the softmax: Lin et al. 2017, https://arxiv.org/abs/1708.02002,
equation 4, there for two classes of very different size; for many classes and for better calibration: Mukhoti et al.
2020, https://arxiv.org/abs/2002.09437. Mixed targets weight the terms of their classes. Gamma 0 is cross-entropy.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from benchmark.recipe import Alike, Claim, More, Recipe


@dataclass(frozen=True)
class Focal:
    gamma: float

    def __post_init__(self) -> None:
        if not self.gamma >= 0:
            raise ValueError(f"Focal.gamma must be 0 or more, got {self.gamma!r}")

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        logs = logits.log_softmax(1)
        return -(targets * (1 - logs.exp()) ** self.gamma * logs).sum(1).mean()


CLAIMS = [
    Claim(
        "focal loss", "Its test loss, of cross-entropy, is lower.", More("baseline", than="gamma 2", of="test loss")
    ),
    Claim("focal loss", "It keeps the accuracy.", Alike("gamma 2")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"gamma {gamma}": replace(base, loss=Focal(gamma)) for gamma in (1, 2)}
