"""Do automatic augmentation policies beat crops and flips?

TrivialAugment: one operation out of 14 at one of 31 strengths, both drawn for each image; Müller & Hutter 2021,
https://arxiv.org/abs/2103.10158 ("wide"). RandAugment: two operations, each at strength 9 of 30; Cubuk et al. 2020,
https://arxiv.org/abs/1909.13719. Both are torchvision's `v2`, with its defaults, on 8-bit levels, after the baseline's
augmentation, and without the Cutout of 16 pixels that both papers have behind them on CIFAR. Every operation is worked
out for the whole batch, and each image gets the one it drew: to pick these out, the host would wait for the device.
"""

from dataclasses import dataclass, replace
from math import pi

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe

STRENGTHS = 31  # from nothing to the full strength, in equal steps
BLENDS = ("brightness", "colour", "contrast", "sharpness")
MOVES = ("shear x", "shear y", "shift x", "shift y", "rotate")
NAMES = ("identity", *MOVES, *BLENDS, "posterize", "solarize", "autocontrast", "equalize")


@dataclass(frozen=True)
class Policy:
    """Operations drawn for each image; the last five numbers are those at full strength."""

    operations: int  # one after the other
    strengths: tuple[int, int]  # by number, of which one is drawn; the second is the first that is too strong
    shear: float  # tangent of the angle
    shift: float  # share of an image's side
    degrees: float
    blend: float  # share by which brightness, colour, contrast and sharpness are lowered or raised
    bits: int  # of 8, that `posterize` takes away

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        levels = (images * 255).round_().contiguous()  # channel by channel, as the operations go
        for _ in range(self.operations):
            bounds = (0, len(NAMES)), self.strengths, (0, 2)
            draws = (torch.randint(*each, (len(images),), generator=rng, device=images.device) for each in bounds)
            levels = self.applied(levels, *draws)
        return levels.contiguous(memory_format=torch.channels_last).mul_(1 / 255), targets

    def applied(self, levels: Tensor, kind: Tensor, strength: Tensor, negative: Tensor) -> Tensor:
        """Levels 0 to 255 (n, 3, h, w), each image by its entry (n,) of NAMES, the strength's number and the sign."""
        from torchvision.transforms.v2.functional import equalize  # here, as it takes 1.7 s to import

        chosen = torch.arange(len(NAMES), device=kind.device)[:, None] == kind
        has: dict[str, Tensor] = dict(zip(NAMES, chosen[..., None, None, None], strict=True))
        sign = 1 - 2.0 * negative.view(-1, 1, 1, 1)

        def at(name: str, full: float, start: float = 0.0) -> Tensor:
            """An operation's number for each image (n, 1, 1, 1)."""
            steps = torch.linspace(start, full, STRENGTHS, device=kind.device)
            return steps.index_select(0, strength).view(-1, 1, 1, 1) * has[name]

        tilt, lean = at("shear x", self.shear) * sign, at("shear y", self.shear) * sign
        right, down = (at(f"shift {axis}", self.shift * levels.shape[3]).trunc() * sign for axis in "xy")
        moved = warped(levels, tilt, lean, right, down, at("rotate", self.degrees) * sign * (pi / 180))
        grey = (0.2989 * levels[:, :1] + 0.587 * levels[:, 1:2] + 0.114 * levels[:, 2:]).floor_()
        other = torch.where(has["contrast"], grey.mean((2, 3), keepdim=True), grey) * ~has["brightness"]
        other = torch.where(has["sharpness"], smoothed(levels), other)
        blend = sum(at(name, self.blend) for name in BLENDS) * sign
        new = (moved + blend * (moved - other)).clamp_(0, 255).floor_()
        step = 2 ** at("posterize", self.bits).round()
        new = new.div_(step).floor_().mul_(step)
        new = torch.where(has["solarize"] & (levels >= 255 * at("solarize", 0.0, start=1.0)), 255 - levels, new)
        low, high = levels.amin((2, 3), keepdim=True), levels.amax((2, 3), keepdim=True)
        stretched = (levels - low * (low < high)) / ((high - low) * (1 / 255) + (low == high))
        new = torch.where(has["autocontrast"], stretched.clamp_(0, 255).floor_(), new)
        return torch.where(has["equalize"], equalize(levels.to(torch.uint8)).float(), new)


def warped(images: Tensor, tilt: Tensor, lean: Tensor, right: Tensor, down: Tensor, turn: Tensor) -> Tensor:
    """Square images sheared about a corner by tangents, moved by pixels, turned about the middle by radians."""
    half, cosine, sine = images.shape[2] / 2, turn.cos(), turn.sin()
    x = torch.arange(0.5 - half, half, device=images.device)
    old_x = x * cosine + x[:, None] * (tilt - sine) + (tilt * half - right)  # where each place lies in the old image
    old_y = x * (lean + sine) + x[:, None] * cosine + (lean * half - down)
    return F.grid_sample(images, torch.cat([old_x, old_y], 1).movedim(1, 3) / half, "nearest", "zeros", False)


def smoothed(images: Tensor) -> Tensor:
    """Filtered by 3x3 weights, 5/13 in the middle and 1/13 around it, and rounded; the rim stays as it is."""
    smooth, three = images.clone(), images[..., :-2] + images[..., 1:-1] + images[..., 2:]
    nine = three[..., :-2, :] + three[..., 1:-1, :] + three[..., 2:, :]
    smooth[..., 1:-1, 1:-1] = nine.add_(images[..., 1:-1, 1:-1], alpha=4).div_(13).round_()
    return smooth


CLAIMS = [Claim(way, f"{way} improves on crops and flips.", Better(way)) for way in ("TrivialAugment", "RandAugment")]


def variants(base: Recipe) -> dict[str, Recipe]:
    trivial = Policy(1, (0, STRENGTHS), shear=0.99, shift=1.0, degrees=135, blend=0.99, bits=6)
    rand = Policy(2, (9, 10), shear=0.3, shift=150 / 331, degrees=30, blend=0.9, bits=4)
    ways = {"TrivialAugment": trivial, "RandAugment": rand}
    return {name: replace(base, augment=InTurn((base.augment, policy))) for name, policy in ways.items()}
