"""Parameter groups, averaged weights, and one optimiser step's view of a batch."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmark.engine.network import Network, pixels, tensors
from benchmark.recipe import Decays, ParameterGroup, RateOf, Rates, Recipe, equally, matrices


class Closure:
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
    """Moves `average` towards `newest` by `share` of the way; counters are copied."""
    for mine, theirs in zip(tensors(average), tensors(newest), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs, share)
        else:
            mine.copy_(theirs)


def parameter_groups(
    network: nn.Module,
    weight_decay: float,
    rates: Rates,
    rate_of: RateOf = equally,
    decays: Decays = matrices,
    by_layer: bool = False,
) -> list[ParameterGroup]:
    """Parameters by their factor on the rate, by whether they decay and, if asked, by the layers above theirs.

    What is frozen, by a factor of 0 or since it needs no gradient, is left out: no optimiser meets it.
    """
    groups: dict[tuple[float, int, bool], list[nn.Parameter]] = {}
    for above, layer, parameter in layered(network):
        factor = rates(above) * rate_of(layer, parameter)
        parameter.requires_grad_(parameter.requires_grad and factor > 0)
        if parameter.requires_grad:
            place = factor, above if by_layer else 0
            for decaying in (True, False):
                groups.setdefault((*place, decaying), [])
            groups[*place, decays(layer, parameter)].append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay if decaying else 0.0, "factor": factor, "above": above}
        for (factor, above, decaying), parameters in groups.items()
    ]


def layered(network: nn.Module) -> list[tuple[int, nn.Module, nn.Parameter]]:
    """Returns each parameter with its layer and the number of layers with weights above that one.

    A layer without weights of its own, such as a norm, counts as the layer below it.
    """
    owners = [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]
    weighty = [any(p.ndim > 1 for p in module.parameters(recurse=False)) for module in owners]
    above = [sum(weighty[i + 1 :]) for i in range(len(owners))]
    return [(n, module, p) for module, n in zip(owners, above, strict=True) for p in module.parameters(recurse=False)]


@torch.no_grad()
def remeasure(network: Network, images: Tensor, size: int) -> None:
    """Replaces the running statistics of batch norms by their means over batches of uint8 images (n, 3, h, w).

    As torch.optim.swa_utils.update_bn does, but no other layer is put into training: none draws random numbers.
    """
    network.module.eval()
    norms = [layer for layer in network.module.modules() if isinstance(layer, _BatchNorm) and not is_frozen(layer)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for batch in images.split(size):
        network(pixels(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
