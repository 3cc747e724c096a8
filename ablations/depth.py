"""Which initialisations still train as plain networks get deeper?

Plain networks of 8, 16 and 32 convolutions, without norm or shortcuts: the base's VGG with all the depth that is
added, and the width of the stage before it, in the last stage. A rectifier halves the mean square of what it gets;
weights of variance 1 / n leave it so, layer after layer, and those of variance 2 / n make up for it: He et al. 2015,
https://arxiv.org/abs/1502.01852, section 2.2, where 30 layers train from the latter and stall from Xavier's. Xavier
U(-e, e), e = sqrt(6 / (fan-in + fan-out)): https://proceedings.mlr.press/v9/glorot10a.html; between equal widths its
variance is 1 / n. Orthogonal, times sqrt(2): https://arxiv.org/abs/1312.6120. All at a sixteenth of the base's rate,
the highest of /8, /16 and /32 at which He's weights train at all depths.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from benchmark.baseline import he_normal
from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, Fails, Initialise, Recipe, absent


@dataclass(frozen=True)
class Each:
    """Every layer's weights by a function of torch.nn.init, its biases zero."""

    fill: Callable[..., Tensor]
    settings: tuple[float | str, ...] = ()

    def __call__(self, network: nn.Module, images: Tensor) -> None:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                self.fill(layer.weight, *self.settings)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def plain(base: Recipe, depth: int) -> Recipe:
    """`base` with as many convolutions and without norm. Raises ValueError if its network cannot be deepened so."""
    if not isinstance(base.network, VGG):
        raise ValueError(f"depth deepens a VGG; the base's network is {base.network!r}")
    *before, (width, _) = base.network.stages
    count = depth - sum(convolutions for _, convolutions in before)
    if count < 1:
        raise ValueError(f"the base's stages {base.network.stages} have no room for a last one within {depth} layers")
    stages = (*before, (before[-1][0] if before else width, count))
    return replace(base, network=VGG(stages), norm=absent, learning_rate=base.learning_rate / 16)


def layers_8(base: Recipe) -> Recipe:
    return plain(base, 8)


def layers_16(base: Recipe) -> Recipe:
    return plain(base, 16)


def layers_32(base: Recipe) -> Recipe:
    return plain(base, 32)


CONTEXTS = {"8 layers": layers_8, "16 layers": layers_16, "32 layers": layers_32}
CLAIMS = [
    *(
        Claim("S3.4", "Deep rectifier networks want sqrt(2/n).", Better("He", than="1/sqrt(n)"), depth)
        for depth in ("16 layers", "32 layers")
    ),
    Claim("He 2015", "At 30 layers Xavier stalls.", Fails("Xavier"), "32 layers"),
    *(
        Claim("He 2015", "Small numbers do not train deep networks.", Fails("normal 0.01"), depth)
        for depth in ("16 layers", "32 layers")
    ),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Initialise] = {
        "normal 0.01": Each(nn.init.normal_, (0.0, 0.01)),
        "1/sqrt(n)": Each(nn.init.kaiming_normal_, (0.0, "fan_in", "linear")),
        "Xavier": Each(nn.init.xavier_uniform_),
        "He": he_normal,
        "orthogonal": Each(nn.init.orthogonal_, (2**0.5,)),
    }
    return {name: replace(base, initialise=way) for name, way in ways.items()}
