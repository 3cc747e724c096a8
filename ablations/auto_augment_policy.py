"""Does the augmentation policy that AutoAugment learned on CIFAR-10 beat crops and flips?

Each image draws one of 25 sub-policies, and each of its two operations is carried out with its probability, at its
strength: Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, table 7. The operations are those of torchvision's
`v2.AutoAugment`, on 8-bit levels: a strength of 0 to 9 is a distance from doing nothing, and its sign is random, where
table 6 of the paper has ranges such as -0.3 to 0.3. They come after the baseline's augmentation; the paper's Cutout
behind them is in `auto_augment_cutout`. Each operation is worked out for the whole batch, with an amount of 0 for
images that did not draw it: to pick these out, the host would wait for the device.
"""

from dataclasses import replace
from functools import lru_cache
from math import pi

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe

SIGNED = {  # amount of each operation at strength 9
    **{"shear y": 0.3, "shift x": 150 / 331, "shift y": 150 / 331, "rotate": pi / 6},  # tangent, sides, radians
    **{"brightness": 0.9, "colour": 0.9, "contrast": 0.9, "sharpness": 0.9},  # share that is taken away or added
}
# Bits that are taken away, share of the levels that is turned about, and whether at all.
FULL = SIGNED | {"posterize": 4.0, "solarize": 1.0, "invert": 1.0, "autocontrast": 1.0, "equalize": 1.0}
Operation = tuple[str, float, int]  # name, probability, strength: 9 for what has only one
PUBLISHED_POLICY: tuple[tuple[Operation, Operation], ...] = (
    (("invert", 0.1, 9), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("shift x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear y", 0.5, 8), ("shift y", 0.7, 9)),
    (("autocontrast", 0.5, 9), ("equalize", 0.9, 9)),
    (("shear y", 0.2, 7), ("posterize", 0.3, 7)),
    (("colour", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 9), ("equalize", 0.5, 9)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("colour", 0.7, 7), ("shift x", 0.5, 8)),
    (("equalize", 0.3, 9), ("autocontrast", 0.4, 9)),
    (("shift y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("colour", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 9)),
    (("equalize", 0.2, 9), ("autocontrast", 0.6, 9)),
    (("equalize", 0.2, 9), ("equalize", 0.6, 9)),
    (("colour", 0.9, 9), ("equalize", 0.6, 9)),
    (("autocontrast", 0.8, 9), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("colour", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 9)),
    (("shift y", 0.9, 9), ("shift y", 0.7, 9)),
    (("autocontrast", 0.9, 9), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 9), ("invert", 0.1, 9)),
    (("shift y", 0.7, 9), ("autocontrast", 0.9, 9)),
)


@lru_cache(maxsize=16)
def policy(device: torch.device) -> Tensor:
    """Returns (25, 2, 14): of each sub-policy's operations the probability and the amounts, in the order of FULL."""
    made, names = torch.zeros(len(PUBLISHED_POLICY), 2, 1 + len(FULL), device=device), list(FULL)
    for rows, operations in zip(made, PUBLISHED_POLICY, strict=True):
        for row, (name, probability, strength) in zip(rows, operations, strict=True):
            row[0].fill_(probability)  # not copied from the host's memory, for which the host would wait
            row[1 + names.index(name)].fill_(FULL[name] * strength / 9)
    return made


def learned_policy(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    n, device = len(images), images.device
    levels = (images * 255).round_().contiguous()  # channel by channel, as the operations go
    drawn = policy(device).index_select(0, torch.randint(len(PUBLISHED_POLICY), (n,), generator=rng, device=device))
    chance, side = torch.rand(2, n, 2, 1, generator=rng, device=device)
    amounts = drawn[..., 1:] * (chance < drawn[..., :1])
    amounts[..., : len(SIGNED)] *= 1 - 2.0 * (side < 0.5)
    for operation in range(2):
        levels = operated(levels, amounts[:, operation])
    return levels.contiguous(memory_format=torch.channels_last).mul_(1 / 255), targets


def operated(levels: Tensor, amounts: Tensor) -> Tensor:
    """Returns levels 0 to 255 (n, 3, h, w) of square images after one operation each, by its amount (n, 13)."""
    from torchvision.transforms.v2.functional import equalize  # here, as it takes 1.7 s to import

    by: dict[str, Tensor] = dict(zip(FULL, amounts[..., None, None, None].unbind(1), strict=True))
    grey = (0.2989 * levels[:, :1] + 0.587 * levels[:, 1:2] + 0.114 * levels[:, 2:]).floor_()
    other = torch.where(by["contrast"] != 0, grey.mean((2, 3), keepdim=True), grey) * (by["brightness"] == 0)
    other = torch.where(by["sharpness"] != 0, smoothed(levels), other)
    moved, blend = warped(levels, by), by["brightness"] + by["colour"] + by["contrast"] + by["sharpness"]
    new = (moved + blend * (moved - other)).clamp_(0, 255).floor_()
    step = 2 ** by["posterize"].round()
    new = new.div_(step).floor_().mul_(step)
    share = by["solarize"] + by["invert"]  # of the levels, from the brightest on, that are turned about
    new = torch.where((share > 0) & (255 - levels <= 255 * share), 255 - levels, new)
    low, high = levels.amin((2, 3), keepdim=True), levels.amax((2, 3), keepdim=True)
    stretched = (levels - low * (low < high)) / ((high - low) * (1 / 255) + (low == high))
    new = torch.where(by["autocontrast"] > 0, stretched.clamp_(0, 255).floor_(), new)
    return torch.where(by["equalize"] > 0, equalize(levels.to(torch.uint8)).float(), new)


def warped(images: Tensor, by: dict[str, Tensor]) -> Tensor:
    """Returns square images sheared about a corner, moved by whole pixels, turned about the middle, by amounts."""
    side, half, cosine, sine = images.shape[3], images.shape[3] / 2, by["rotate"].cos(), by["rotate"].sin()
    right, down = ((by[f"shift {axis}"] * side).trunc() for axis in "xy")
    x = torch.arange(0.5 - half, half, device=images.device)
    old_x = x * cosine - x[:, None] * sine - right  # where each place lies in the old image
    old_y = x * (by["shear y"] + sine) + x[:, None] * cosine + (by["shear y"] * half - down)
    return F.grid_sample(images, torch.cat([old_x, old_y], 1).movedim(1, 3) / half, "nearest", "zeros", False)


def smoothed(images: Tensor) -> Tensor:
    """Returns images filtered by 3x3 weights, 5/13 in the middle and 1/13 around it; the rim stays as it is."""
    smooth, three = images.clone(), images[..., :-2] + images[..., 1:-1] + images[..., 2:]
    nine = three[..., :-2, :] + three[..., 1:-1, :] + three[..., 2:, :]
    smooth[..., 1:-1, 1:-1] = nine.add_(images[..., 1:-1, 1:-1], alpha=4).div_(13).round_()
    return smooth


CLAIMS = [Claim("AutoAugment", "Its policy for CIFAR-10 improves on crops and flips.", Better("AutoAugment"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"AutoAugment": replace(base, augment=InTurn((base.augment, learned_policy)))}
