"""What are flips, crops, shifts, rotation and scaling worth, alone and together?

Flip and crop: Krizhevsky et al. 2012, section 4.1, https://doi.org/10.1145/3065386, with crops of images padded by 4
pixels as in Lee et al. 2015, https://arxiv.org/abs/1409.5185. They pad with zeros: that is "shift", by up to 4 whole
pixels along each axis, black in the gap; "crop" fills it by reflection. Random rotation, random scaling, and both in
one warp, bilinear, edges reflected: Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html. "all" is
crop, flip, rotation + scale. Every image has its own draw. Published for flip and crop: table 5 of
https://arxiv.org/abs/1708.04896.
"""

from dataclasses import dataclass, replace
from math import pi

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import Crop, InTurn, flip
from benchmark.recipe import Augment, Batch, Better, Claim, Published, Recipe, unchanged


@dataclass(frozen=True)
class Shift:
    pixels: int  # at most, along each axis

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ValueError(f"Shift.pixels must be at least 1, got {self.pixels!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        n, channels, height, width = images.shape
        device, gap = images.device, self.pixels
        padded = F.pad(images.permute(0, 2, 3, 1), [0, 0, gap, gap, gap, gap])
        high, wide = padded.shape[1:3]
        # A row of the result is a run of memory in `padded`: take it from a view of every run there is.
        runs = padded.as_strided((n * high * wide - width + 1, width * channels), (channels, 1))
        top, left = torch.randint(2 * gap + 1, (2, n, 1), generator=rng, device=device)
        rows = torch.arange(n, device=device)[:, None] * high + top + torch.arange(height, device=device)
        cut = runs.index_select(0, (rows * wide + left).view(-1)).view(n, height, width, channels)
        return cut.permute(0, 3, 1, 2), targets


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
    warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return warped.contiguous(memory_format=torch.channels_last)


CLAIMS = [
    Claim("S1.1", f"Training with {name} improves generalisation.", Better(name, than="none"))
    for name in ("flip", "crop", "shift", "rotation", "scale", "rotation + scale")
] + [
    Claim("S1.2", f"Combining is worth more: {both} beats {one}.", Better(both, than=one))
    for both, one in (
        ("crop + flip", "flip"),
        ("crop + flip", "crop"),
        ("rotation + scale", "rotation"),
        ("rotation + scale", "scale"),
        ("all", "crop + flip"),
    )
]
PUBLISHED = {  # table 5 of Zhong et al. 2017, https://arxiv.org/abs/1708.04896, pre-activated ResNet-18, five runs
    ("cifar10", ""): {
        "none": Published(88.69, "recalled"),
        "flip": Published(91.70, "recalled"),
        "crop": Published(93.67, "recalled"),
        "crop + flip": Published(94.83, "quoted", deviation=0.18, runs=5),
    }
}
TOUR = ("none", "all")


def variants(base: Recipe) -> dict[str, Recipe]:
    turn = RotateAndScale(degrees=15, share=0.15)
    ways: dict[str, Augment] = {
        "none": unchanged,
        "flip": flip,
        "crop": Crop(4),
        "shift": Shift(4),
        "rotation": RotateAndScale(degrees=15, share=0),
        "scale": RotateAndScale(degrees=0, share=0.15),
        "rotation + scale": turn,
        "crop + flip": InTurn((Crop(4), flip)),
        "all": InTurn((Crop(4), flip, turn)),
    }
    return {name: replace(base, augment=way) for name, way in ways.items()}
