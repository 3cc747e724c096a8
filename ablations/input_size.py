"""Are input sizes that are powers of two better than their neighbours?

Images resized from 32 x 32 to 28, 30 and 36 pixels, in training and testing, after the base's own preprocessing:
bilinear, with antialiasing (a weighted mean) where they shrink. The network stays as it is, so that the cost of a step
goes with the square of the size. Wei 2015, section 4.1,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, advises 32, 64, 224: sizes that the poolings divide
evenly.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from benchmark.recipe import CONTROL, Better, Claim, Recipe, Transform


@dataclass(frozen=True)
class Resized:
    side: int  # pixels
    preprocess: Callable[[Tensor], Transform]

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"Resized.side must be at least 1 pixel, got {self.side!r}")

    def __call__(self, train_images: Tensor) -> Transform:
        return Resize(self.side, self.preprocess(train_images))


@dataclass(frozen=True, eq=False)
class Resize:
    side: int
    preprocess: Transform

    def __call__(self, images: Tensor) -> Tensor:
        return resized(self.preprocess(images), self.side)


def resized(images: Tensor, side: int) -> Tensor:
    """To `side` x `side` pixels."""
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


CLAIMS = [
    Claim("S4.1", f"Images of 32 pixels are better than images of {side}.", Better(CONTROL, than=f"{side}"))
    for side in (28, 30, 36)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    resizing = {f"{side}": replace(base, preprocess=Resized(side, base.preprocess)) for side in (28, 30, 36)}
    return {"32": base, **resizing}
