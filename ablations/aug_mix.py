"""Does it help to see an image in three mixed versions whose answers must agree?

Each version is a mixture, by random shares, of three chains of one to three operations (rotation, shear and shift
along either axis, posterising, solarising, stretched contrast), mixed in turn with the image by a share from U(0, 1).
A batch holds the image and two versions; the loss is the cross-entropy of the image plus 12 times the Jensen-Shannon
divergence of the three answers: Hendrycks et al. 2020, https://arxiv.org/abs/1912.02781, for its severity 3 of 10,
without equalisation. "one version": as an augmentation alone. On top of the baseline's augmentation.
"""

from dataclasses import dataclass, replace
from math import pi

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.baseline import InTurn
from benchmark.recipe import Batch, Better, Claim, Recipe

CHAINS, LONGEST, SEVERITY, KINDS = 3, 3, 0.3, 8


@dataclass(frozen=True)
class AugMix:
    versions: int
    with_original: bool  # ahead of the versions

    def __post_init__(self) -> None:
        if self.versions < 1:
            raise ValueError(f"AugMix.versions must be at least 1, got {self.versions!r}")

    def __call__(self, images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        made = [images] * self.with_original + [mixed(images, rng) for _ in range(self.versions)]
        return torch.cat(made).contiguous(memory_format=torch.channels_last), targets.repeat(len(made), 1)


def mixed(images: Tensor, rng: Generator) -> Tensor:
    n = len(images)
    shares = -torch.rand(CHAINS, n, 1, 1, 1, generator=rng, device=images.device).clamp_min(1e-20).log()
    length = torch.randint(1, LONGEST + 1, (CHAINS * n, 1, 1, 1), generator=rng, device=images.device)
    chains = images.repeat(CHAINS, 1, 1, 1)
    for place in range(LONGEST):
        chains = torch.where(place < length, operated(chains, rng), chains)
    mixture = (chains.view(CHAINS, *images.shape) * (shares / shares.sum(0))).sum(0)
    return images.lerp(mixture, torch.rand(n, 1, 1, 1, generator=rng, device=images.device))


def operated(images: Tensor, rng: Generator) -> Tensor:
    """Each image by an operation and a strength up to SEVERITY drawn for it."""
    kind, strength, sign = torch.rand(3, len(images), generator=rng, device=images.device)
    kind, strength = (kind * KINDS).floor(), SEVERITY * strength
    signed = torch.where(sign < 0.5, -strength, strength)
    level, number = strength.view(-1, 1, 1, 1), kind.view(-1, 1, 1, 1)
    rotation, shear_x, shear_y, right, down = ((kind == place) * signed for place in range(5))
    moved = warped(images, rotation * (pi / 6), 0.3 * shear_x, 0.3 * shear_y, right * (2 / 3), down * (2 / 3))
    step = 2 ** (4 + (4 * level).floor()) / 255  # 4 bits and fewer of 8 are left
    posterised = (images / step + 1e-4).floor() * step
    solarised = torch.where(images >= 1 - level, 1 - images, images)
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = (images - low) / (high - low).clamp_min(1 / 255)
    out = torch.where(number == 5, posterised, moved)
    return torch.where(number == 6, solarised, torch.where(number == 7, stretched, out))


def warped(images: Tensor, turn: Tensor, shear_x: Tensor, shear_y: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Images turned by radians, sheared by tangents and moved by half sides, black outside."""
    cosine, sine = turn.cos(), turn.sin()
    rows = torch.stack([cosine, shear_x - sine, right], 1), torch.stack([shear_y + sine, cosine, down], 1)
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def agreeing(logits: Tensor, targets: Tensor) -> Tensor:
    answers = logits.log_softmax(1).view(3, -1, logits.shape[1])
    mean = answers.exp().mean(0).clamp_min(1e-7).log().expand_as(answers)
    divergence = F.kl_div(mean, answers, reduction="none", log_target=True).sum(2).mean()
    return -(targets[: answers.shape[1]] * answers[0]).sum(1).mean() + 12 * divergence


CLAIMS = [Claim("AugMix", "Versions that must agree generalise better.", Better("three that agree"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    one, three = (InTurn((base.augment, AugMix(n, with_original=n > 1))) for n in (1, 2))
    return {
        "one version": replace(base, augment=one),
        "three that agree": replace(base, augment=three, views=3, loss=agreeing),
    }
