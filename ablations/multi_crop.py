"""Is an image better classified from several crops of it?

In evaluation alone. "6 views": the image, and the image moved by one pixel up and left, and down and right, each with
its mirror image; the logits of the middle weigh a half, those of the two others a quarter each: Jordan 2024,
https://arxiv.org/abs/2404.00498, with its edges reflected. "10 crops": the four corners and the middle, of 28 pixels
in 32, and their mirror images, averaged: Krizhevsky et al. 2012, section 4.1, https://doi.org/10.1145/3065386, who
average probabilities, not logits, and train on crops of that size. Mirror images alone are in the module `test_time`.
"""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.recipe import Better, Claim, Recipe, Transform


def mirrored(network: Transform, images: Tensor) -> Tensor:
    return (network(images) + network(images.flip(3))) / 2


def six_views(network: Transform, images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    wide = F.pad(images, [1] * 4, mode="reflect")
    corners = mirrored(network, wide[:, :, :height, :width]) + mirrored(network, wide[:, :, 2:, 2:])
    return mirrored(network, images) / 2 + corners / 4


def ten_crops(network: Transform, images: Tensor) -> Tensor:
    gaps = [size - size * 7 // 8 for size in images.shape[2:]]
    places = [(0, 0), (0, gaps[1]), (gaps[0], 0), (gaps[0], gaps[1]), (gaps[0] // 2, gaps[1] // 2)]
    height, width = (size - gap for size, gap in zip(images.shape[2:], gaps, strict=True))
    crops = (images[:, :, top : top + height, left : left + width] for top, left in places)
    return sum((mirrored(network, crop) for crop in crops), images.new_zeros(())) / len(places)


CLAIMS = [Claim("multi-crop", "Several views classify better than one.", Better(n)) for n in ("6 views", "10 crops")]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"6 views": replace(base, predict=six_views), "10 crops": replace(base, predict=ten_crops)}
