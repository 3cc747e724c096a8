"""Parameter groups, averaged weights, and one optimiser step's view of a batch."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.engine.network import Network, tensors
from benchmark.recipe import Rates, Recipe


class Look:
    """One batch, as an optimiser sees it: called, it puts the gradients in place and gives the loss.

    Most optimisers call it once, sharpness-aware ones twice; `loss` and `logits` are those of the first call.
    """

    def __init__(
        self, recipe: Recipe, network: Network, parameters: list[nn.Parameter], images: Tensor, targets: Tensor
    ) -> None:
        self.recipe, self.network, self.parameters = recipe, network, parameters
        self.batch = images, targets
        self.loss = self.logits = torch.empty(0)

    def __call__(self) -> float:
        loss, logits = self.network.step(*self.batch)
        if not len(self.logits):
            self.loss, self.logits = loss.clone(), logits.clone()  # the next step may write over them
        self.recipe.penalise(self.parameters)
        self.recipe.clip(self.parameters)
        return cast(float, loss)  # as torch's own optimisers take it: a tensor, that nobody waits for


def is_frozen(layer: nn.Module) -> bool:
    """Whether it has parameters of its own and none learns; its statistics then stay as they are, too."""
    own = list(layer.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


@torch.no_grad()
def blend(average: nn.Module, newest: nn.Module, share: float) -> None:
    """Move `average` towards `newest` by `share` of the way; counters are copied."""
    for mine, theirs in zip(tensors(average), tensors(newest), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs, share)
        else:
            mine.copy_(theirs)


def parameter_groups(network: nn.Module, weight_decay: float, rates: Rates) -> list[dict[str, Any]]:
    """Parameters by their factor on the rate and by whether they decay; those of factor 0 are frozen, and left out.

    L2 is for tensors of two and more dimensions: not for norms, biases and learned slopes.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for factor in dict.fromkeys(factor for factor, _ in by_factor(network, rates)):
        groups |= {(factor, True): [], (factor, False): []}
    for factor, parameter in by_factor(network, rates):
        groups[factor, parameter.ndim > 1].append(parameter)
        parameter.requires_grad_(parameter.requires_grad and factor > 0)
    return [
        {"params": parameters, "weight_decay": weight_decay if decays else 0.0, "factor": factor}
        for (factor, decays), parameters in groups.items()
        if factor > 0
    ]


def by_factor(network: nn.Module, rates: Rates) -> list[tuple[float, nn.Parameter]]:
    """Each parameter with its layer's factor; what has no weights of its own, as a norm, goes with the layer below."""
    owners = [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]
    weighty = [any(p.ndim > 1 for p in module.parameters(recurse=False)) for module in owners]
    above = [max(0, sum(weighty[i + 1 :])) for i in range(len(owners))]
    return [(rates(n), p) for module, n in zip(owners, above, strict=True) for p in module.parameters(recurse=False)]
