"""Should gradients be clipped by the size of the weights that they change?

Adaptive gradient clipping: where the norm of a unit's gradients exceeds a share of the norm of its weights (of at
least 1e-3), they are scaled down to it: Brock et al. 2021, https://arxiv.org/abs/2102.06171, section 4, who leave the
classifier out and use it to do without batch norm. A unit is a row of a tensor of two and more dimensions; of a
vector, such as biases, the norm is that of the whole, as in timm. At the baseline's rate, and at five times that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Recipe


@dataclass(frozen=True)
class AdaptiveClip:
    share: float  # of the weights' norm

    def __post_init__(self) -> None:
        if not self.share > 0:
            raise ValueError(f"AdaptiveClip.share must be above 0, got {self.share!r}")

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        classifier = [weight for weight in parameters if weight.ndim > 1][-1]
        for weight in parameters:
            if weight.grad is not None and weight is not classifier:
                bound = by_unit(weight).clamp_min(1e-3) * self.share
                weight.grad.mul_((bound / by_unit(weight.grad).clamp_min(1e-6)).clamp_max(1))


def by_unit(tensor: Tensor) -> Tensor:
    """Norms that broadcast over `tensor`."""
    axes = tuple(range(min(1, tensor.ndim - 1), tensor.ndim))
    norms: Tensor = torch.linalg.vector_norm(tensor, dim=axes, keepdim=True)
    return norms


def as_it_is(base: Recipe) -> Recipe:
    return base


def five_times_the_rate(base: Recipe) -> Recipe:
    return replace(base, learning_rate=5 * base.learning_rate)


CONTEXTS = {"rate x1": as_it_is, "rate x5": five_times_the_rate}
CLAIMS = [
    Claim("adaptive clipping", "It lets a higher rate train better.", Better(f"share {share}"), context="rate x5")
    for share in (0.01, 0.1)
]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"share {share}": replace(base, clip=AdaptiveClip(share)) for share in (0.01, 0.1)}
