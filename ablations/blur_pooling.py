"""Does blurring before a map is halved help?

Max pooling with stride 2 keeps patterns that are finer than the halved map can show. Here the maximum of 2x2 is taken
at every pixel and then blurred and halved by a filter, [1 2 1] or [1 4 6 4 1] along both axes, divided by its sum:
MaxBlurPool of Zhang 2019, https://arxiv.org/abs/1904.11486, who finds ImageNet accuracy higher for several networks.
Edge values are repeated where the filter hangs over the border; the author's code reflects them.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Recipe


class MaxBlurPool(nn.Module):
    """(n, c, h, w) -> (n, c, h // 2, w // 2)."""

    kernel: Tensor

    def __init__(self, channels: int, row: tuple[int, ...]) -> None:
        super().__init__()
        weights = torch.tensor(row, dtype=torch.float32) / sum(row)
        self.register_buffer("kernel", weights.outer(weights).expand(channels, 1, -1, -1).contiguous())
        self.border = len(row) // 2

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(x, 2, stride=1)
        for axis in (2, 3):  # by slices: the gradient of torch's padding by edge values is not deterministic on a GPU
            low, high = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
            x = torch.cat([*[low] * self.border, x, *[high] * self.border], axis)
        return F.conv2d(x, self.kernel.to(x.dtype), stride=2, groups=x.shape[1])


@dataclass(frozen=True)
class Blurred:
    row: tuple[int, ...]  # the filter along one axis; of odd length

    def __post_init__(self) -> None:
        if len(self.row) % 2 == 0 or sum(self.row) <= 0:
            raise ValueError(f"Blurred.row must have an odd length and a sum above 0, got {self.row!r}")

    def __call__(self, channels: int) -> nn.Module:
        return MaxBlurPool(channels, self.row)


CLAIMS = [
    Claim("blur pooling", "Blurring before halving improves testing.", Better(name)) for name in ("blur 3", "blur 5")
]


def variants(base: Recipe) -> dict[str, Recipe]:
    rows = {"blur 3": (1, 2, 1), "blur 5": (1, 4, 6, 4, 1)}
    return {name: replace(base, pool=Blurred(row)) for name, row in rows.items()}
