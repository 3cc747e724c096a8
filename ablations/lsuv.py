"""Is it worth scaling each layer by what it makes of real images?

Layer-sequential unit variance (LSUV): orthogonal weights, then, from the first layer to the last, each layer's divided
by the deviation of its outputs on one batch of training images: Mishkin & Matas 2016,
https://arxiv.org/abs/1511.06422, whose table 3 has LSUV ahead of He's and of Xavier's weights. They repeat the
division up to ten times, until the variance is 1 within 0.1; as biases start at zero, a layer is linear in its
weights, and one division is exact. The control's are He's. Orthogonal weights without the division are an arm of
`initialisation`.
"""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmark.baseline import batch_norm
from benchmark.recipe import Better, Claim, Recipe, absent


@torch.no_grad()
def lsuv(network: nn.Module, images: Tensor) -> None:
    for layer in layers(network):
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    twin = copy.deepcopy(network).train()  # so that the batch leaves no trace in the norms' running statistics
    for layer in layers(twin):
        layer.register_forward_hook(to_unit_variance)
    twin(images)
    for mine, scaled in zip(layers(network), layers(twin), strict=True):
        mine.weight.copy_(scaled.weight)


def layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def to_unit_variance(layer: nn.Conv2d | nn.Linear, inputs: object, output: Tensor) -> Tensor:
    """A forward hook: what it returns takes the place of the output."""
    deviation = output.std()
    layer.weight.div_(deviation)
    return output / deviation


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def without_norm(base: Recipe) -> Recipe:
    """Takes a quarter of the rate, as the full one does not train reliably (docs/notes/normalisation.md)."""
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


CONTEXTS = {"batch norm": with_norm, "no norm": without_norm}
CLAIMS = [Claim("LSUV", "Weights scaled on real images beat He's.", Better("LSUV", than="baseline"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"LSUV": replace(base, initialise=lsuv)}
