"""Should norms and biases be spared weight decay?

The baseline decays tensors of two and more dimensions only, "no bias decay" of Jia et al. 2018,
https://arxiv.org/abs/1807.11205, and He et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1. Against that:
every tensor, as in torch's optimisers when they are given all parameters at once; convolutions alone, without the
classifier; and the classifier alone.
"""

from dataclasses import replace

from torch import nn

from benchmark.recipe import Better, Claim, Decays, Recipe


def everything(layer: nn.Module, parameter: nn.Parameter) -> bool:
    return True


def convolutions(layer: nn.Module, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 2


def classifier(layer: nn.Module, parameter: nn.Parameter) -> bool:
    return parameter.ndim == 2


CLAIMS = [
    Claim("no bias decay", "Sparing norms and biases is better.", Better("baseline", than="every tensor")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Decays] = {"every tensor": everything, "convolutions": convolutions, "classifier": classifier}
    return {name: replace(base, decays=way) for name, way in ways.items()}
