"""Can the squared error stand in for cross-entropy?

The mean, or the sum, over the classes of (logit - target)^2, targets being 0 and 1, and no softmax: Hui & Belkin 2021,
https://arxiv.org/abs/2006.07322, who find it at least as good on most of their tasks, and a little behind in vision.
Testing takes the largest output, as ever; the test loss reads the outputs as logits, which they are not.
"""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.recipe import Claim, NotBetter, Recipe


def mean_square(logits: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(logits, targets)


def sum_square(logits: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(logits, targets) * targets.shape[1]


CLAIMS = [
    Claim("square loss", "It is at least as good as cross-entropy.", NotBetter("baseline", than=name))
    for name in ("mean over classes", "sum over classes")
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "mean over classes": replace(base, loss=mean_square),
        "sum over classes": replace(base, loss=sum_square),
    }
