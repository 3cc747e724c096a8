"""How much momentum?

Nesterov's momentum of 0 to 0.98, the rate multiplied by (1 - momentum) / 0.1, so that a steady gradient moves the
weights by as much as under the baseline's 0.9 (Sutskever et al. 2013,
https://proceedings.mlr.press/v28/sutskever13.html; Goh 2017, https://distill.pub/2017/momentum/). The `optimiser`
module compares SGD with and without it at rates tuned for each.
"""

from dataclasses import replace

from benchmark.baseline import SGD
from benchmark.recipe import Better, Claim, Recipe

VALUES = (0.0, 0.5, 0.8, 0.95, 0.98)
REMARKS = (
    "The rate is in proportion to 1 - momentum, so that a steady gradient moves the weights as far as under the "
    "baseline; it was not tuned at any budget."
)
CLAIMS = [Claim("momentum", "Momentum trains better than none.", Better("baseline", than="0.0"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {}
    for value in VALUES:
        rate = base.learning_rate * (1 - value) / 0.1
        arms[f"{value}"] = replace(base, optimiser=SGD(value, nesterov=value > 0), learning_rate=rate)
    return arms
