"""How much is it worth to have more training images, at an equal number of steps?

From a quarter to ten times the baseline's images, as far as there are any more, for as many fewer epochs: Sun et al.
2017, https://arxiv.org/abs/1707.02968, find accuracy to grow with the logarithm of the number of images. Where the
number of epochs does not divide, it is rounded.
"""

from dataclasses import replace

from benchmark.recipe import Better, Claim, Recipe

FACTORS = {"1/4": 0.25, "1/2": 0.5, "x2": 2, "x5": 5, "x10": 10}
CLAIMS = [
    Claim("data", "More images train better.", Better("baseline", than="1/2")),
    Claim("data", "More images train better.", Better("1/2", than="1/4")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    """45,000 images where the base takes all there are; then there are no more."""
    there = base.images or 45_000
    factors = {name: factor for name, factor in FACTORS.items() if factor < 1 or base.images}
    return {
        name: replace(base, images=max(1, round(there * factor)), epochs=max(1, round(base.epochs / factor)))
        for name, factor in factors.items()
    }
