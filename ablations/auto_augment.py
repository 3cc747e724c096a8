"""Do automatic augmentation policies beat crops and flips?

TrivialAugment: one operation out of 14, at a strength drawn for it; Müller & Hutter 2021,
https://arxiv.org/abs/2103.10158 ("wide"). RandAugment: two operations at strength 9 of 30; Cubuk et al. 2020,
https://arxiv.org/abs/1909.13719. Both are torchvision's, with its defaults, on top of the baseline's augmentation.
torchvision draws once a call, so each image is a call of its own, as 8-bit integers, which it asks for: about 0.5 and
1 ms an image on a CPU, which makes a step twice as long and more; on a GPU too Python sets the pace.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from benchmark.baseline import InTurn
from benchmark.recipe import Augment, Batch, Better, Claim, Recipe


def trivial_augment(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    from torchvision.transforms import v2  # here, as it takes 1.7 s, and every start imports this module

    return each_by(v2.TrivialAugmentWide(), images, rng), targets


def rand_augment(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    from torchvision.transforms import v2  # as above

    return each_by(v2.RandAugment(), images, rng), targets


def each_by(policy: nn.Module, images: Tensor, rng: Generator) -> Tensor:
    """`policy` on each image; it draws from torch's own stream, which is put back where it was."""
    levels = (images * 255).round_().to(torch.uint8)
    seed = torch.randint(2**62, (), generator=rng, device=images.device).item()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))  # torch.manual_seed would also seed the GPU
        changed = torch.stack([policy(image) for image in levels])
    return changed.contiguous(memory_format=torch.channels_last).float().mul_(1 / 255)


CLAIMS = [
    Claim("TrivialAugment", "TrivialAugment improves on crops and flips.", Better("TrivialAugment")),
    Claim("RandAugment", "RandAugment improves on crops and flips.", Better("RandAugment")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    policies: dict[str, Augment] = {"TrivialAugment": trivial_augment, "RandAugment": rand_augment}
    return {name: replace(base, augment=InTurn((base.augment, policy))) for name, policy in policies.items()}
