"""Can a convolution be replaced by two thinner ones at no loss?

Rank 1/2 and 1/4: a 3x3 convolution to a half or a quarter of the channels (of the smaller of inputs and outputs), then
a 1x1 convolution to all of them: Denton et al. 2014, https://arxiv.org/abs/1404.0736, and Composer's Factorize with
untrained factors, https://docs.mosaicml.com/projects/composer/en/stable/method_cards/factorize.html. "3x1, 1x3": the
filter is parted along its axes, Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 3.2, who find that it
does not work well on early layers. The first layer, whose input has three channels, stays as it is. Nothing lies
between the two convolutions.
"""

from dataclasses import dataclass, replace

from torch import nn

from benchmark.recipe import Alike, Claim, Convolution, More, Recipe


@dataclass(frozen=True)
class Thin:
    share: float  # of the smaller of input and output channels
    first: Convolution  # of the images

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"Thin.share must be in (0, 1], got {self.share!r}")

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs == 3:
            return self.first(inputs, outputs, bias)
        rank = max(1, round(self.share * min(inputs, outputs)))
        return nn.Sequential(nn.Conv2d(inputs, rank, 3, padding=1, bias=False), nn.Conv2d(rank, outputs, 1, bias=bias))


@dataclass(frozen=True)
class ByAxis:
    first: Convolution  # of the images

    def __call__(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if inputs == 3:
            return self.first(inputs, outputs, bias)
        down = nn.Conv2d(inputs, outputs, (3, 1), padding=(1, 0), bias=False)
        return nn.Sequential(down, nn.Conv2d(outputs, outputs, (1, 3), padding=(0, 1), bias=bias))


CLAIMS = [
    *(
        Claim("factorised", f"{name} has fewer parameters.", More("baseline", than=name, of="parameters"))
        for name in ("rank 1/2", "rank 1/4")
    ),
    Claim("factorised", "A rank of a half ends where the whole one does.", Alike("rank 1/2")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Convolution] = {f"rank 1/{n}": Thin(1 / n, base.convolution) for n in (2, 4)}
    ways["3x1, 1x3"] = ByAxis(base.convolution)
    return {name: replace(base, convolution=way) for name, way in ways.items()}
