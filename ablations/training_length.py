"""What is longer training worth, and at what length do tricks stop being worth more?

The baseline for a half, twice, four and eight times its epochs, its schedule stretched with them. Other effects are
expressed in this currency too: the share of training at which the baseline is as good as a variant. Hoffer et al.
2017, https://arxiv.org/abs/1705.08741, train longer to generalise better; Wortsman et al. 2022,
https://arxiv.org/abs/2203.05482, and the speed records of https://arxiv.org/abs/2404.00498 count in it.
"""

from dataclasses import replace

from benchmark.recipe import Better, Claim, Recipe

TIMES = {"half": 0.5, "twice": 2, "four times": 4, "eight times": 8}  # of the baseline's epochs
CLAIMS = [Claim("length", "Longer training is better.", Better("twice", than="half"))]

TOUR = ("twice", "half")


def variants(base: Recipe) -> dict[str, Recipe]:
    return {name: replace(base, epochs=max(1, round(times * base.epochs))) for name, times in TIMES.items()}
