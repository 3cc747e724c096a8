"""Is a first layer that whitens patches a better start, and need it be trained?

The first convolution's filters v_i / sqrt(l_i + 5e-4) and their negatives, v_i and l_i being the leading eigenvectors
and eigenvalues of the covariance of the patches that it sees in one batch of preprocessed training images: Jordan
2024, https://arxiv.org/abs/2404.00498, section 3.2; whitened patches: Coates, Lee & Ng 2011,
https://proceedings.mlr.press/v15/coates11a.html. Frozen as there, or trained like any layer. Its own layer there has
2x2 filters and sits ahead of the network; here the base's first layer is overwritten: half as many eigenvectors as it
has filters, of 27. Filters left over keep the base's weights. The base pools and normalises ahead of its rectifier, so
that of a pair of opposite filters the larger values of each survive, not both halves of a projection.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.recipe import Better, Claim, Initialise, More, Recipe


@dataclass(frozen=True)
class Whitening:
    initialise: Initialise  # of all other layers
    frozen: bool
    epsilon: float = 5e-4  # added to the variances of patches of preprocessed images

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"Whitening.epsilon must be above 0, got {self.epsilon!r}")

    @torch.no_grad()
    def __call__(self, network: nn.Module, images: Tensor) -> None:
        self.initialise(network, images)
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.in_channels == 3)
        filters = whitening(images, first.kernel_size, self.epsilon)[: (first.out_channels + 1) // 2]
        both = torch.cat([filters, -filters])[: first.out_channels]
        first.weight[: len(both)] = both
        first.weight.requires_grad_(not self.frozen)


def whitening(images: Tensor, size: tuple[int, ...], epsilon: float) -> Tensor:
    """Filters (3 h w, 3, h, w), that of the greatest variance first, whose outputs on the patches are uncorrelated."""
    patches = F.unfold(images, size).movedim(1, 2).flatten(0, 1)
    variances, vectors = torch.linalg.eigh(patches.T.cov().double())
    filters: Tensor = (vectors / (variances + epsilon).sqrt()).T.flip(0).float()
    return filters.view(len(filters), 3, *size)


CLAIMS = [
    Claim("whitening", "A frozen whitening layer learns faster.", More("frozen", than="baseline", of="speed")),
    Claim("whitening", "It ends better.", Better("frozen", than="baseline")),
    Claim("whitening", "Trained from there, the layer ends better.", Better("trained", than="baseline")),
]

TOUR = ("frozen",)


def variants(base: Recipe) -> dict[str, Recipe]:
    return {
        "frozen": replace(base, initialise=Whitening(base.initialise, frozen=True)),
        "trained": replace(base, initialise=Whitening(base.initialise, frozen=False)),
    }
