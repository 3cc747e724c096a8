"""Does it help to take the mean out of each unit's gradient?

Of every tensor of two and more dimensions, each unit's gradient loses its mean over the unit's inputs: Yong et al.
2020, https://arxiv.org/abs/2004.01461, equation 1. Weight decay is added by the optimiser, after that.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from benchmark.recipe import Better, Claim, Recipe


@torch.no_grad()
def centralise(parameters: Sequence[nn.Parameter]) -> None:
    for weight in parameters:
        if weight.grad is not None and weight.ndim > 1:
            weight.grad.sub_(weight.grad.mean(tuple(range(1, weight.ndim)), keepdim=True))


CLAIMS = [Claim("gradient centralisation", "Gradients without mean generalise better.", Better("centralised"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"centralised": replace(base, penalise=centralise)}
