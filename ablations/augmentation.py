"""What are flips, crops, rotation and scaling worth, alone and together?

Flip and crop: Krizhevsky et al. 2012, section 4.1, https://doi.org/10.1145/3065386, with crops of images padded by
4 pixels as in Lee et al. 2015, https://arxiv.org/abs/1409.5185. A random rotation together with a random scaling,
bilinear, edges reflected: Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html. Every image has
its own draw.
"""

from dataclasses import dataclass, replace
from math import pi

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import Crop, InTurn, flip
from benchmark.recipe import Augment, Batch, Better, Claim, Recipe, unchanged


@dataclass(frozen=True)
class RotateAndScale:
    degrees: float  # the angle is drawn from U(-degrees, degrees)
    share: float  # the magnification is drawn from U(1 - share, 1 + share)

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise ValueError(f"RotateAndScale.degrees must be in [0, 180], got {self.degrees!r}")
        if not 0 <= self.share < 1:
            raise ValueError(f"RotateAndScale.share must be in [0, 1), got {self.share!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        draws = 2 * torch.rand(2, len(images), generator=rng, device=images.device) - 1
        return turned(images, draws[0] * self.degrees, 1 + draws[1] * self.share), targets


def turned(images: Tensor, degrees: Tensor, magnification: Tensor) -> Tensor:
    """Images (n, 3, h, w) turned anticlockwise about their middle and magnified; one (n,) entry for each."""
    angle = degrees * (pi / 180)
    cosine, sine = angle.cos() / magnification, angle.sin() / magnification
    zero = torch.zeros_like(angle)
    # where in the old image each place of the new one lies
    matrix = torch.stack([torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)], 1)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


CLAIMS = [
    Claim("S1.1", "Flips improve generalisation.", Better("flip", than="none")),
    Claim("S1.1", "Crops improve generalisation.", Better("crop", than="none")),
    Claim("S1.1", "Rotation with scaling improves generalisation.", Better("rotation + scale", than="none")),
    Claim(
        "S1.2",
        "Crops and flips together are worth more than flips alone.",
        Better("crop + flip", than="flip"),
    ),
    Claim(
        "S1.2",
        "Crops and flips together are worth more than crops alone.",
        Better("crop + flip", than="crop"),
    ),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    turn = RotateAndScale(degrees=15, share=0.15)
    ways: dict[str, Augment] = {
        "none": unchanged,
        "flip": flip,
        "crop": Crop(4),
        "crop + flip": InTurn((Crop(4), flip)),
        "rotation + scale": turn,
        "crop + flip + rotation + scale": InTurn((Crop(4), flip, turn)),
    }
    return {name: replace(base, augment=way) for name, way in ways.items()}
