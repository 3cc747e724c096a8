"""Is flipping each image every other epoch better than flipping it at random?

Jordan 2024, https://arxiv.org/abs/2404.00498: in the first epoch about half of the images are flipped,
which ones a hash of their place in the training set decides; from then on an image is flipped if it was not in the
epoch before, so that two epochs in a row always show both sides. As in the paper the hash knows nothing of the seed.
All arms crop.
"""

from dataclasses import replace

import torch
from torch import Tensor

from benchmark.baseline import Crop, InTurn, flip, then
from benchmark.recipe import Better, Claim, Moment, Recipe


def alternate(images: Tensor, moment: Moment) -> Tensor:
    chosen = (coin(moment.rows) + moment.epoch) % 2 == 1
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def coin(rows: Tensor) -> Tensor:
    """0 or 1 for each row, as a hash has it: https://github.com/skeeto/hash-prospector, lowbias32."""
    bits = rows.long() & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ((bits ^ (bits >> shift)) * factor) & 0xFFFFFFFF
    return (bits ^ (bits >> 16)) & 1


CLAIMS = [
    Claim("alternating flip", "Alternating flips beat random ones.", Better("alternating flip", than="random flip")),
    Claim("alternating flip", "Random flips beat none.", Better("random flip", than="no flip")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "no flip": replace(base, augment=Crop(4)),
        "random flip": replace(base, augment=InTurn((Crop(4), flip))),
        "alternating flip": replace(base, augment=Crop(4), timed=then(base.timed, alternate)),
    }
