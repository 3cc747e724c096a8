"""Is it enough to learn from the harder half of each batch?

"drawn": a half of the batch, drawn without putting back, an image of the lowest, ..., highest loss with chances in
proportion to its rank: Jiang et al. 2019, https://arxiv.org/abs/1910.00762, in the form of Composer,
https://docs.mosaicml.com/projects/composer/en/stable/method_cards/selective_backprop.html, which does so from a half
to nine tenths of the training and in every second step; here it is done in all. "hardest": the half of the highest
losses: Shrivastava et al. 2016, https://arxiv.org/abs/1604.03540. "random": any half. The others have no gradient but
are worked out all the same: what is measured is the worth of the selection, and no time is saved.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from benchmark.recipe import Alike, Better, Claim, Recipe


@dataclass(frozen=True)
class Selected:
    share: float  # of the batch
    by: Literal["rank", "loss", "chance"]

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"Selected.share must be in (0, 1], got {self.share!r}")
        if self.by not in ("rank", "loss", "chance"):
            raise ValueError(f"Selected.by must be 'rank', 'loss' or 'chance', got {self.by!r}")

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        losses = -(targets * logits.log_softmax(1)).sum(1)
        return losses.index_select(0, self.chosen(losses.detach())).mean()

    def chosen(self, losses: Tensor) -> Tensor:
        """Rows of the images that are learned from."""
        count = max(1, round(self.share * len(losses)))
        if self.by == "loss":
            return losses.topk(count).indices
        ranks = losses.argsort().argsort()
        chances = (ranks + 0.5) / len(losses) if self.by == "rank" else torch.ones_like(losses)
        weights = chances ** (1 / self.share - 1)
        # The largest of log(weight) + Gumbel noise are a draw without putting back: https://arxiv.org/abs/1903.06059.
        noise = -torch.rand_like(losses).clamp_min(1e-30).log()
        return (weights / noise).topk(count).indices


CLAIMS = [
    Claim("selective backprop", "Hard images teach more than random ones.", Better("drawn", than="random")),
    Claim("selective backprop", "A half, well chosen, is as good as all.", Alike("drawn")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Literal["rank", "loss", "chance"]] = {"drawn": "rank", "hardest": "loss", "random": "chance"}
    return {name: replace(base, loss=Selected(0.5, by)) for name, by in ways.items()}
