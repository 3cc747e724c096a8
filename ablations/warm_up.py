"""Does the rate need a warm-up, and how long a one?

The rate rises linearly from zero to the peak over a share of the training and falls linearly to zero from there: Goyal
et al. 2017, https://arxiv.org/abs/1706.02677, section 2.2, who warm up for 5 of 90 epochs, and climb from a rate above
zero, that of a small batch. The baseline's share is 20 %.
"""

from dataclasses import replace

from benchmark.baseline import WarmUpAndDecay
from benchmark.recipe import Better, Claim, Recipe

CLAIMS = [Claim("warm-up", "Training begins better with a low rate that rises.", Better("20 %", than="0 %"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{share} %": replace(base, schedule=WarmUpAndDecay(share / 100)) for share in (0, 5, 10, 20, 40)}
