"""Is it better to mix some batches by mixup and others by CutMix?

On top of the baseline's augmentation. With probability 1/2 a batch is mixed by mixup, else by CutMix, as in the
training recipes of torchvision,
https://docs.pytorch.org/vision/stable/auto_examples/transforms/plot_cutmix_mixup.html, and of timm (Wightman et al.
2021, https://arxiv.org/abs/2110.00476); "a quarter left": and one batch in four is left as it is. The share of the own
image is drawn once for a batch, the partner is the image before it in the batch: torchvision's MixUp and CutMix with
alpha 1, whose arithmetic this is; they draw on the host, for which a GPU would have to wait. mixup: Zhang et al. 2018,
https://arxiv.org/abs/1710.09412. CutMix: Yun et al. 2019, https://arxiv.org/abs/1905.04899.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe


@dataclass(frozen=True)
class Switched:
    mixup: float  # share of the batches
    cutmix: float  # share of the batches

    def __post_init__(self) -> None:
        if not (self.mixup >= 0 and self.cutmix >= 0 and self.mixup + self.cutmix <= 1):
            raise ValueError(
                f"Switched.mixup and cutmix must be 0 or more, at most 1 together, got {self.mixup!r}, {self.cutmix!r}"
            )

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        way, share, *middle = torch.rand(4, generator=rng, device=images.device)
        blend = torch.where(way < self.mixup, 1 - share, 0)
        ratio = torch.where((way >= self.mixup) & (way < self.mixup + self.cutmix), (1 - share).sqrt(), 0)
        rows, columns = (inside(m, ratio, size) for m, size in zip(middle, images.shape[2:], strict=True))
        box = rows[:, None] * columns
        mask = torch.maximum(blend, box)  # either is zero
        share = torch.maximum(blend, box.mean())
        return images.lerp(images.roll(1, 0), mask), targets.lerp(targets.roll(1, 0), share)


def inside(middle: Tensor, ratio: Tensor, size: int) -> Tensor:
    """(size,), 1 within the box's extent of ratio * size places about a middle drawn from [0, 1), 0 elsewhere."""
    half, centre = (ratio * size / 2).int(), (middle * size).int()
    place = torch.arange(size, device=middle.device)
    return ((centre - half <= place) & (place < centre + half)).float()


CLAIMS = [Claim("mixup or CutMix", "Mixing batches by either improves generalisation.", Better("half each"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways = {
        "half each": Switched(0.5, 0.5),
        "a quarter left": Switched(0.375, 0.375),
        "mixup": Switched(1, 0),
        "CutMix": Switched(0, 1),
    }
    return {name: replace(base, augment=InTurn((base.augment, way))) for name, way in ways.items()}
