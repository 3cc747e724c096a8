"""Is it better to drop whole regions or whole channels of a map than single values?

In training only, behind each stage. DropBlock: squares of `side` pixels of each map are set to zero so that a share p
of the values is gone, and the rest is scaled up so that its sum is kept: Ghiasi et al. 2018,
https://arxiv.org/abs/1810.12890, by torchvision's drop_block2d; a side that does not fit becomes the largest odd
number that does. The paper raises p from 0 along the training and drops in the last two groups of a residual network;
here p is constant. Channels: each map is set to zero as a whole with probability p, torch's Dropout2d: Tompson et al.
2015, https://arxiv.org/abs/1411.4280. Values: torch's Dropout, for comparison.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Maker, Recipe


class Regions(nn.Module):
    def __init__(self, p: float, side: int) -> None:
        super().__init__()
        self.p, self.side = p, side

    def forward(self, x: Tensor) -> Tensor:
        from torchvision.ops import drop_block2d  # here, as it takes 1.7 s, and every start imports this module

        largest = min(self.side, *x.shape[2:])
        dropped: Tensor = drop_block2d(x, self.p, largest - (1 - largest % 2), training=self.training)
        return dropped


@dataclass(frozen=True)
class DropBlock:
    p: float  # share of the values that is dropped
    side: int  # pixels; odd

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise ValueError(f"DropBlock.p must be in [0, 1), got {self.p!r}")
        if self.side < 1 or self.side % 2 == 0:
            raise ValueError(f"DropBlock.side must be odd and at least 1 pixel, got {self.side!r}")

    def __call__(self, channels: int) -> nn.Module:
        return Regions(self.p, self.side)


def channels_dropped(channels: int) -> nn.Module:
    return nn.Dropout2d(0.1)


def values_dropped(channels: int) -> nn.Module:
    return nn.Dropout(0.1)


CLAIMS = [
    Claim("DropBlock", "Dropping regions is better than dropping single values.", Better("regions", than="values")),
    Claim("DropBlock", "Dropping regions improves testing.", Better("regions")),
    Claim("spatial dropout", "Dropping channels is better than single values.", Better("channels", than="values")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Maker] = {"regions": DropBlock(0.1, 3), "channels": channels_dropped, "values": values_dropped}
    return {name: replace(base, after_stage=way) for name, way in ways.items()}
