"""Is it better to have each image of a batch several times, augmented apart?

Each batch is made of half or a third as many images, each there two or three times with its own crop and flip. An
epoch has as many batches as ever, so that it goes through a half or a third of the images, drawn anew each time:
Berman et al. 2019, https://arxiv.org/abs/1902.05509; Hoffer et al. 2020, https://arxiv.org/abs/1901.09335; with three
copies in Wightman et al. 2021, https://arxiv.org/abs/2110.00476.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class Repeated:
    times: int

    def __post_init__(self) -> None:
        if self.times < 2:
            raise ValueError(f"Repeated.times must be at least 2, got {self.times!r}")

    def __call__(self, labels: Tensor, size: int, rng: Generator) -> Tensor:
        rows = torch.randperm(len(labels), generator=rng)
        return rows[: -(-len(rows) // self.times)].repeat_interleave(self.times)[: len(rows)]


CLAIMS = [Claim("repeated augmentation", "Copies in a batch generalise better.", Better("3 of each"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{times} of each": replace(base, draw=Repeated(times)) for times in (2, 3)}
