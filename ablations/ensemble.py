"""Do several networks decide better than one?

Copies: the baseline from other seeds, Hansen & Salamon 1990, https://doi.org/10.1109/34.58871. Top models of a search:
all combinations of the baseline's rate or half of it, its L2 or four times that, its width or 5/4 of that; the best on
validation decide, as in Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 8. Snapshots
of one run: its last epochs, epochs spread over it, and the ends of cosine cycles of its rate, Huang et al. 2017,
https://arxiv.org/abs/1704.00109, at the cost of one run in all. Other architectures, and weights fitted on validation:
Ju et al. 2018, https://arxiv.org/abs/1704.01664. For comparison the weights' mean over the last quarter, Izmailov et
al. 2018, https://arxiv.org/abs/1803.05407, and one run of three times the epochs. Arms share runs with one another and
with the baseline, so their differences are a little surer than the intervals say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import cos, pi

from torch import nn

from benchmark.ensembles import Top, fitted_weights, majority_vote, mean_logit, mean_probability
from benchmark.networks import VGG
from benchmark.recipe import Arm, Better, Claim, Diminishing, Ensemble, Member, More, Parts, Recipe, Validation

SIZES = (2, 3, 5, 10)
COMBINERS = {"mean logit": mean_logit, "majority vote": majority_vote, "fitted weights": fitted_weights}
SPREAD = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Cycles:
    ends: tuple[float, ...]  # shares of the training at which the rate has fallen to zero

    def __call__(self, progress: float, history: Sequence[Validation]) -> float:
        start = max((end for end in self.ends if end <= progress), default=0.0)
        end = min((end for end in self.ends if end > progress), default=1.0)
        return (1 + cos(pi * (progress - start) / (end - start))) / 2


def last_quarter(step: int, steps: int) -> float:
    return 1 / (1 + max(0, step - int(0.75 * steps)))


def reshaped(network: Callable[[Parts], nn.Module], width: float, deeper: int) -> VGG:
    """The VGG `network` with `width` times the channels and `deeper` more convolutions in each stage."""
    if not isinstance(network, VGG):
        raise TypeError(f"the search varies the width of a VGG, got {network!r}")
    return VGG(tuple((round(channels * width), count + deeper) for channels, count in network.stages))


def copies(recipe: Recipe, count: int) -> tuple[Member, ...]:
    return tuple(Member(recipe, offset) for offset in range(count))


def shots(recipe: Recipe, shares: Sequence[float]) -> Ensemble:
    return Ensemble(tuple(Member(recipe, at=share) for share in shares), mean_probability)


CLAIMS = [
    *(Claim("S8.1", "An ensemble beats its single members.", Better(f"{size} seeds")) for size in SIZES),
    Claim("members", "More members, smaller gains.", Diminishing("baseline", "2 seeds", "3 seeds", (1, 2, 3))),
    Claim("members", "More members, smaller gains.", Diminishing("baseline", "3 seeds", "10 seeds", (1, 3, 10))),
    *(
        Claim("S8.3", "Top models differ more than copies.", More(f"top {k} of 8", f"{k} seeds", "disagreement"))
        for k in (3, 5)
    ),
    Claim("S8.4", "Checkpoints lack diversity.", More("3 seeds", "last 3 epochs", "disagreement")),
    Claim("S8.4", "Yet they still gain something, for free.", Better("last 3 epochs")),
    Claim("snapshots", "Snapshots of a cyclic rate beat one run of equal cost.", Better("2 cycles")),
]

TOUR = ("3 seeds", "2 seeds")


def variants(base: Recipe) -> dict[str, Arm]:
    nets = [reshaped(base.network, width, 0) for width in (1, 1.25)]
    rates, decays = (base.learning_rate, base.learning_rate / 2), (base.weight_decay, 4 * base.weight_decay or 5e-4)
    search = tuple(  # each from a seed of its own: shared first weights would make them alike
        Member(replace(base, network=net, weight_decay=decay, learning_rate=rate), place)
        for place, (net, decay, rate) in enumerate(product(nets, decays, rates))
    )
    last = tuple(dict.fromkeys(max(1, base.epochs - back) / base.epochs for back in (2, 1, 0)))
    halves = tuple(dict.fromkeys(base.epoch(share) / base.epochs for share in (0.5, 1)))
    looked_at = replace(base, snapshots=tuple(dict.fromkeys((*last[:-1], *SPREAD[:-1]))))
    cyclic = replace(base, schedule=Cycles(halves), snapshots=halves[:-1])
    deeper = replace(base, network=reshaped(base.network, 1, 1))
    short = replace(base, epochs=max(1, round(base.epochs / 3)))
    return {
        **{f"{size} seeds": Ensemble(copies(base, size), mean_probability) for size in SIZES},
        **{f"5 seeds, {name}": Ensemble(copies(base, 5), combine) for name, combine in COMBINERS.items()},
        **{f"top {k} of 8": Ensemble(search, mean_probability, Top(k)) for k in (1, 3, 5)},
        "3 architectures": Ensemble((Member(base, 1), search[4], Member(deeper)), mean_probability),
        "last 3 epochs": shots(looked_at, last),
        "4 epochs, spread": shots(looked_at, SPREAD),
        "2 cycles": shots(cyclic, halves),
        "averaged weights": replace(base, average=last_quarter),
        "3 short runs": Ensemble(copies(short, 3), mean_probability),
        "one long run": replace(base, epochs=3 * base.epochs),
    }
