"""Which first weights still train plain rectifier networks of 14 and of 30 layers?

He et al. 2015, https://arxiv.org/abs/1502.01852, section 2.2 and figures 2 and 3, on ImageNet: at 22 layers Xavier's
and He's weights both converge, at 30 Xavier's stall. Small numbers, N(0, 0.01^2), are those of AlexNet, with which
networks of more than 8 layers "have difficulties". Differs: CIFAR-10, and narrow networks of 3x3 convolutions, as many
as the layers less the classifier; no accuracy is published for these, so the claims are about what trains at all.
Reduced: 16 channels all along, 1,600 steps of 32 images: what is asked shows in the first epochs.
"""

from dataclasses import replace
from typing import Literal

from torch import nn

from ablations.depth import Each
from ablations.schedule import Steps
from benchmark.baseline import SGD, Crop, InTurn, flip, he_normal, relu, standardise
from benchmark.networks import VGG
from benchmark.recipe import Alike, Better, Claim, Fails, Recipe


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 3200,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=VGG(((64, 2), (128, 2), (256, 1)) if full else ((16, 2), (16, 2), (16, 1))),
        activation=relu,
        initialise=he_normal,
        epochs=60 if full else 16,
        batch_size=128 if full else 32,
        learning_rate=0.01 if full else 0.005,
        schedule=Steps(10, (0.75,)),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=5e-4,
        precision=precision,
    )


def deepened(base: Recipe, layers: int) -> Recipe:
    """Returns `base` with so many layers, its last stage made longer."""
    assert isinstance(base.network, VGG)
    *before, (width, _) = base.network.stages
    return replace(base, network=VGG((*before, (width, layers - 1 - sum(count for _, count in before)))))


def layers_14(base: Recipe) -> Recipe:
    return deepened(base, 14)


def layers_30(base: Recipe) -> Recipe:
    return deepened(base, 30)


CONTEXTS = {"14 layers": layers_14, "30 layers": layers_30}
CLAIMS = [
    Claim("He 1", "At 14 layers Xavier's weights do as well.", Alike("Xavier", than="He"), "14 layers"),
    Claim("He 2", "At 30 layers Xavier's weights stall.", Fails("Xavier"), "30 layers"),
    Claim("He 3", "At 30 layers He's weights train.", Better("He", than="Xavier"), "30 layers"),
    Claim("He 4", "Beyond 8 layers small numbers do not train.", Fails("normal 0.01"), "14 layers"),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "He": base,
        "Xavier": replace(base, initialise=Each(nn.init.xavier_uniform_)),
        "normal 0.01": replace(base, initialise=Each(nn.init.normal_, (0.0, 0.01))),
    }
