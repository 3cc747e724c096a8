"""Can layers stop learning from below, or begin to learn from above?

"frozen from below": in the second half of the training one layer after the other, the lowest first, gets a rate of
zero, until the classifier alone learns: Raghu et al. 2017, https://arxiv.org/abs/1706.05806, section 4.2 (freeze
training), and Composer's layer freezing,
https://docs.mosaicml.com/projects/composer/en/stable/method_cards/layer_freezing.html. "unfrozen from above": in the
first half of the training the classifier learns first, and one layer after the other joins it: Howard & Ruder 2018,
https://arxiv.org/abs/1801.06146, section 3.2, there for a pre-trained network. A norm goes with the layer below it;
its statistics follow the batches all along. The gradients are worked out all the same, so no time is saved.
"""

from dataclasses import dataclass, replace

from benchmark.networks import VGG
from benchmark.recipe import Alike, Claim, Recipe


@dataclass(frozen=True)
class FrozenFromBelow:
    layers: int  # of the network, the classifier among them
    start: float  # share of the training

    def __post_init__(self) -> None:
        if not 0 <= self.start < 1:
            raise ValueError(f"FrozenFromBelow.start must be in [0, 1), got {self.start!r}")

    def __call__(self, above: int, progress: float) -> float:
        left = 1 - max(0.0, progress - self.start) / (1 - self.start)  # share of the layers that still learn
        return float(above < 1 + left * (self.layers - 1))


@dataclass(frozen=True)
class UnfrozenFromAbove:
    layers: int  # of the network, the classifier among them
    end: float  # share of the training

    def __post_init__(self) -> None:
        if not 0 < self.end <= 1:
            raise ValueError(f"UnfrozenFromAbove.end must be in (0, 1], got {self.end!r}")

    def __call__(self, above: int, progress: float) -> float:
        return float(above < 1 + min(1.0, progress / self.end) * (self.layers - 1))


CLAIMS = [Claim("layer freezing", "Freezing layers from below costs no accuracy.", Alike("frozen from below"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"layer_freezing counts the layers of a VGG; the base's network is {base.network!r}")
    layers = 1 + sum(count for _, count in base.network.stages)
    return {
        "frozen from below": replace(base, unfreeze=FrozenFromBelow(layers, 0.5)),
        "unfrozen from above": replace(base, unfreeze=UnfrozenFromAbove(layers, 0.5)),
    }
