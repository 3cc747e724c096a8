"""Is it better to ask of each class by itself whether it is there?

The mean, or the sum, over the classes of the binary cross-entropy of sigmoid(logit) and target, in place of the
cross-entropy of the softmax: Wightman et al. 2021, https://arxiv.org/abs/2110.00476, section 2.2; Beyer et al. 2020,
https://arxiv.org/abs/2006.07159. timm takes the mean, whose gradients are smaller by the number of classes. Testing is
the same; the test loss is that of the softmax, which these networks were not trained for.
"""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.recipe import Better, Claim, Recipe


def mean_over_classes(logits: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, targets)


def sum_over_classes(logits: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, targets) * targets.shape[1]


CLAIMS = [Claim("BCE", "Binary cross-entropy trains better than the softmax's.", Better("sum over classes"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "mean over classes": replace(base, loss=mean_over_classes),
        "sum over classes": replace(base, loss=sum_over_classes),
    }
