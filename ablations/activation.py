"""Which activation trains best, and does a slope below zero beat the plain rectifier?

ReLU max(x, 0): Krizhevsky et al. 2012, https://doi.org/10.1145/3065386. Leaky: x / a below zero, a = 100 (Maas et al.
2013, https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf) and 5.5. PReLU: a slope learned per channel
or (shared) per layer, from 0.25, without weight decay: He et al. 2015, https://arxiv.org/abs/1502.01852. RReLU: x / a
below zero, a ~ U(3, 8) drawn per value in training, 2 / (3 + 8) in testing: Xu et al. 2015,
https://arxiv.org/abs/1505.00853, whose tables 3 and 4 order the errors RReLU, 1/5.5 < PReLU < ReLU, 1/100; in training
PReLU is lowest. That of torch draws the slope itself from U(1/8, 1/3). Softplus:
https://proceedings.mlr.press/v15/glorot11a.html. ELU: https://arxiv.org/abs/1511.07289. SELU:
https://arxiv.org/abs/1706.02515. GELU: https://arxiv.org/abs/1606.08415. SiLU: https://arxiv.org/abs/1702.03118. Mish:
https://arxiv.org/abs/1908.08681. With and without norm: Mishkin et al. 2017, https://arxiv.org/abs/1606.02228. All
start from the base's weights, whose scale suits rectifiers: sigmoid and SELU, which asks for 1/sqrt(n), are at a
disadvantage, above all without norm.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.baseline import batch_norm, relu
from benchmark.recipe import Better, Claim, Maker, More, Published, Recipe, absent


@dataclass(frozen=True)
class OfTorch:
    name: str  # of a class of torch.nn
    settings: tuple[float, ...] = ()

    def __call__(self, channels: int) -> nn.Module:
        layer: nn.Module = getattr(nn, self.name)(*self.settings)
        return layer


@dataclass(frozen=True)
class Leaky:
    a: float  # the slope below zero is 1 / a

    def __post_init__(self) -> None:
        if not self.a > 1:
            raise ValueError(f"Leaky.a must be above 1, got {self.a!r}")

    def __call__(self, channels: int) -> nn.Module:
        return nn.LeakyReLU(1 / self.a)


def prelu(channels: int) -> nn.Module:
    return nn.PReLU(channels, init=0.25)


class RandomLeaky(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        slope = torch.empty_like(x).uniform_(3, 8).reciprocal_() if self.training else 2 / (3 + 8)
        return torch.where(x < 0, slope * x, x)


def rrelu(channels: int) -> nn.Module:
    return RandomLeaky()


sigmoid, tanh, rrelu_of_torch = OfTorch("Sigmoid"), OfTorch("Tanh"), OfTorch("RReLU", (1 / 8, 1 / 3))


def with_norm(base: Recipe) -> Recipe:
    return replace(base, norm=batch_norm)


def without_norm(base: Recipe) -> Recipe:
    """Takes a quarter of the rate, as the full one does not train reliably (docs/notes/normalisation.md)."""
    return replace(base, norm=absent, learning_rate=base.learning_rate / 4)


PUBLISHED = {  # table of https://github.com/ducha-aiki/caffenet-benchmark, ImageNet of 128 pixels, single runs
    ("cifar10", "batch norm"): {
        "ReLU": Published(49.9, "read", runs=1),
        "RReLU of torch": Published(50.0, "read", runs=1),
        "PReLU": Published(50.3, "read", runs=1),
        "ELU": Published(49.8, "read", runs=1),
        "sigmoid": Published(47.5, "read", runs=1),
        "tanh": Published(44.8, "read", runs=1),
    },
    ("cifar10", "no norm"): {
        "ReLU": Published(47.1, "read", runs=1),
        "RReLU of torch": Published(47.8, "read", runs=1),
        "PReLU": Published(48.5, "read", runs=1),
        "ELU": Published(48.8, "read", runs=1),
        "SELU": Published(47.0, "read", runs=1),
        "tanh": Published(40.1, "read", runs=1),
    },
}
LEAKY = ("leaky 1/100", "leaky 1/5.5")
CONTEXTS = {"batch norm": with_norm, "no norm": without_norm}
CLAIMS = [
    *(Claim("S5.1", f"{s} saturates and does worse.", Better("ReLU", than=s)) for s in ("sigmoid", "tanh")),
    *(Claim("S5.2", "ReLU converges fastest.", More("ReLU", than=s, of="speed")) for s in ("sigmoid", "tanh")),
    *(Claim("S5.3", f"{s} units do not die.", More("ReLU", than=s, of="dead units")) for s in (*LEAKY, "PReLU")),
    Claim("S5.4", "The larger slope is the better leaky ReLU.", Better("leaky 1/5.5", than="leaky 1/100")),
    *(
        Claim("S5.5", "PReLU has the lowest training error.", More("PReLU", than=s, of="train accuracy"))
        for s in ("ReLU", *LEAKY, "RReLU")
    ),
    Claim("S5.5", "PReLU over-fits.", More("PReLU", than="ReLU", of="gap")),
    *(Claim("S5.6", "RReLU over-fits least.", More(s, "RReLU", of="gap")) for s in ("ReLU", "leaky 1/5.5", "PReLU")),
    Claim("S5.8", "tanh is preferable to sigmoid.", Better("tanh", than="sigmoid")),
    *(Claim("S5.9", f"{s} beats ReLU in testing.", Better(s, than="ReLU")) for s in LEAKY),
    *(Claim("S5.7", f"{s} beats ReLU in testing.", Better(s, than="ReLU")) for s in ("PReLU", "RReLU")),
]

TOUR = ("batch norm: sigmoid", "batch norm: GELU")


def variants(base: Recipe) -> dict[str, Recipe]:
    makers: dict[str, Maker] = {"sigmoid": sigmoid, "tanh": tanh, "ReLU": relu, "PReLU": prelu, "RReLU": rrelu}
    makers |= {"leaky 1/100": Leaky(100), "leaky 1/5.5": Leaky(5.5)}
    makers |= {"PReLU shared": OfTorch("PReLU", (1, 0.25)), "RReLU of torch": rrelu_of_torch}
    makers |= {name: OfTorch(name) for name in ("Softplus", "ELU", "SELU", "GELU", "SiLU", "Mish")}
    return {name: replace(base, activation=maker) for name, maker in makers.items()}
