"""Does it help to change the colours of images, and which change does?

On top of the baseline's augmentation, one draw per image for all of its pixels. HSV jitter: Dosovitskiy et al. 2014,
https://arxiv.org/abs/1406.6909, as in Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html: x ->
clamp(factor * clamp(x)^power + offset) for saturation and value, each with its own draws, clamped to [0, 1]; hue ->
hue + shift, wrapped. factor ~ U(0.7, 1.4), offset and shift ~ U(-0.1, 0.1). Of the power both say only that it is in
[0.25, 4]: here it is 2^U(-2, 2), which favours neither end. Grey has hue 0, red, and shows it once it gets saturation.
Brightness, contrast, saturation: torchvision's ColorJitter, factors ~ U(0.6, 1.4); "jitter" is these, then the hue.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Augment, Batch, Better, Claim, Recipe


@dataclass(frozen=True)
class HSV:
    power: float = 1  # of saturation and value, drawn from [1 / power, power]
    factor: tuple[float, float] = (1, 1)  # on them: lowest, highest
    offset: float = 0  # on top of them, drawn from U(-offset, offset)
    hue: float = 0  # shift in turns, drawn from U(-hue, hue)

    def __post_init__(self) -> None:
        if not (self.power >= 1 and 0 <= self.factor[0] <= self.factor[1]):
            raise ValueError(
                f"HSV.power must be 1 or more and factor 0 <= low <= high, got {self.power!r}, {self.factor!r}"
            )
        if not (0 <= self.offset <= 1 and 0 <= self.hue <= 0.5):
            raise ValueError(f"HSV.offset must be in [0, 1] and hue in [0, 0.5], got {self.offset!r}, {self.hue!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        draws = 2 * torch.rand(7, len(images), 1, 1, generator=rng, device=images.device) - 1
        factors = self.factor[0] + (self.factor[1] - self.factor[0]) * (draws[2:4] + 1) / 2
        powers, offsets, shift = self.power ** draws[:2], self.offset * draws[4:6], self.hue * draws[6]
        hue, *parts = to_hsv(images.transpose(0, 1).contiguous())
        for part, power, factor, offset in zip(parts, powers, factors, offsets, strict=True):
            part.log2_().mul_(power).exp2_().mul_(factor).add_(offset).clamp_(0, 1)
        return from_hsv(hue + shift, *parts).transpose(0, 1).contiguous(memory_format=torch.channels_last), targets


def to_hsv(planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in turns (from -1/6), saturation and value (n, h, w) of red, green, blue (3, n, h, w)."""
    value, tiny = planes.amax(0), 1e-30  # keeps 0 / 0 at 0
    chroma = value - planes.amin(0)
    sixths = planes.roll(-1, 0).sub_(planes.roll(1, 0)).div_(chroma.clamp_min(tiny))
    greatest = torch.eq(planes, value, out=torch.empty_like(planes))  # 0 or 1: torch.where takes ten times as long
    hue = (sixths[2] + 4).lerp_(sixths[1] + 2, greatest[1]).lerp_(sixths[0], greatest[0]).div_(6)
    return hue, chroma.div_(value.clamp_min(tiny)), value


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Red, green, blue (3, n, h, w): the value less what the distance from the hue takes of the chroma."""
    sixths = torch.stack([hue + 11 / 6, hue + 9 / 6, hue + 7 / 6]).frac_().mul_(6)
    return sixths.sub_(2).abs_().neg_().add_(2).clamp_(0, 1).mul_(-saturation * value).add_(value)


@dataclass(frozen=True)
class Jitter:
    brightness: float = 0  # the factor is drawn from U(1 - brightness, 1 + brightness); the others' alike
    contrast: float = 0
    saturation: float = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"Jitter.{name} must be in [0, 1], got {value!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        draws = 2 * torch.rand(3, len(images), 1, 1, generator=rng, device=images.device) - 1
        planes = images.transpose(0, 1).contiguous().mul_(1 + self.brightness * draws[0]).clamp_(0, 1)
        planes = grey(planes).mean((1, 2), keepdim=True).lerp(planes, 1 + self.contrast * draws[1]).clamp_(0, 1)
        planes = grey(planes).lerp(planes, 1 + self.saturation * draws[2]).clamp_(0, 1)
        return planes.transpose(0, 1).contiguous(memory_format=torch.channels_last), targets


def grey(planes: Tensor) -> Tensor:
    return (0.299 * planes[0]).add_(planes[1], alpha=0.587).add_(planes[2], alpha=0.114)  # ITU-R BT.601


CLAIMS = [Claim("S1.1", "HSV jitter improves generalisation.", Better("hsv"))]
TOUR = ("hsv",)


def variants(base: Recipe) -> dict[str, Recipe]:
    parts: dict[str, Augment] = {
        "hsv power": HSV(power=4),
        "hsv factor": HSV(factor=(0.7, 1.4)),
        "hsv offset": HSV(offset=0.1),
        "hue": HSV(hue=0.1),
        "hsv": HSV(power=4, factor=(0.7, 1.4), offset=0.1, hue=0.1),
        "brightness": Jitter(brightness=0.4),
        "contrast": Jitter(contrast=0.4),
        "saturation": Jitter(saturation=0.4),
        "jitter": InTurn((Jitter(0.4, 0.4, 0.4), HSV(hue=0.1))),
    }
    return {name: replace(base, augment=InTurn((base.augment, part))) for name, part in parts.items()}
