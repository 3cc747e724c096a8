"""How much do the first weights matter, with and without batch norm?

n is a unit's fan-in. Zeros; un-calibrated N(0, 1); small random numbers 0.01 N(0, 1) and 0.001 N(0, 1), and uniform
ones of the same deviations (edge = deviation * sqrt(3)); calibrated N(0, 1) / sqrt(n): LeCun et al. 1998,
https://doi.org/10.1007/3-540-49430-8_2; Xavier, U(-e, e) with e = sqrt(6 / (fan-in + fan-out)): Glorot & Bengio 2010,
https://proceedings.mlr.press/v9/glorot10a.html, eq. 16; for rectifiers N(0, 1) * sqrt(2 / n), the baseline's, and
uniform numbers of that deviation: He et al. 2015, https://arxiv.org/abs/1502.01852, eq. 10, and section 2.2: no gain
over Xavier until networks are deep. Orthogonal: sqrt(2), for rectifiers, times a matrix whose rows, or columns if they
are fewer, are orthonormal: Saxe et al. 2014, https://arxiv.org/abs/1312.6120. Biases are zero everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from benchmark.baseline import batch_norm, he_normal
from benchmark.recipe import Alike, Better, Claim, Fails, Initialise, More, Recipe, absent


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


@dataclass(frozen=True)
class Normal:
    deviation: float

    def __post_init__(self) -> None:
        if not self.deviation > 0:
            raise ValueError(f"{type(self).__name__}.deviation must be above 0, got {self.deviation!r}")

    def __call__(self, network: nn.Module, images: Tensor) -> None:
        Each(nn.init.normal_, (0.0, self.deviation))(network, images)


@dataclass(frozen=True)
class Uniform(Normal):
    def __call__(self, network: nn.Module, images: Tensor) -> None:
        edge = self.deviation * 3**0.5
        Each(nn.init.uniform_, (-edge, edge))(network, images)


zeros = Each(nn.init.zeros_)
calibrated = Each(nn.init.kaiming_normal_, (0.0, "fan_in", "linear"))
xavier = Each(nn.init.xavier_uniform_)
he_uniform = Each(nn.init.kaiming_uniform_, (0.0, "fan_in", "relu"))
orthogonal = Each(nn.init.orthogonal_, (2**0.5,))


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def without_norm(base: Recipe) -> Recipe:
    """Takes a quarter of the rate, as the full one does not train reliably (docs/notes/normalisation.md)."""
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


CONTEXTS = {"batch norm": with_norm, "no norm": without_norm}
CLAIMS = [
    Claim("S3.1", "All zeros: symmetry is never broken, the network does not learn.", Fails("zeros")),
    *(
        Claim("S3.2", "Uniform or normal small numbers end up about the same.", Alike(f"uniform {d}", f"normal {d}"))
        for d in (0.01, 0.001)
    ),
    Claim("S3.3", "Un-calibrated outputs grow.", More("normal 1", "1/sqrt(n)", of="first deviation"), "no norm"),
    Claim("S3.3", "1/sqrt(n) mends it.", Better("1/sqrt(n)", than="normal 1"), "no norm"),
    Claim("S3.4", "For rectifiers sqrt(2/n) is the one to use.", Better("He", than="1/sqrt(n)")),
]

TOUR = ("batch norm: zeros", "batch norm: normal 0.01")


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Initialise] = {"zeros": zeros, "normal 1": Normal(1.0)}
    for deviation in (0.01, 0.001):
        ways |= {f"normal {deviation}": Normal(deviation), f"uniform {deviation}": Uniform(deviation)}
    ways |= {"1/sqrt(n)": calibrated, "Xavier": xavier, "He": he_normal, "He uniform": he_uniform}
    ways |= {"orthogonal": orthogonal}
    return {name: replace(base, initialise=way) for name, way in ways.items()}
