"""Is an image better classified when the network sees its mirror image too?

The logits of both are averaged in evaluation, which takes twice as long; training is the same. Averaging over flips
and crops: Krizhevsky et al. 2012, section 4.1, https://doi.org/10.1145/3065386 (of probabilities); over flips, of
logits, as here: Jordan 2024, https://arxiv.org/abs/2404.00498.
"""

from dataclasses import replace

from torch import Tensor

from benchmark.recipe import Better, Claim, Recipe, Transform


def flip_averaging(network: Transform, images: Tensor) -> Tensor:
    return (network(images) + network(images.flip(3))) / 2


CLAIMS = [Claim("flip averaging", "Averaging over the mirror image improves testing.", Better("flip averaging"))]

TOUR = ("flip averaging",)


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"flip averaging": replace(base, predict=flip_averaging)}
