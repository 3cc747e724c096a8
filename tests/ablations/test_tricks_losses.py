"""The arithmetic of the catalogue's losses, against torch, torchvision and cases worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from ablations.binary_cross_entropy import mean_over_classes, sum_over_classes
from ablations.focal_loss import Focal
from ablations.selective_backprop import Selected
from ablations.square_loss import mean_square, sum_square


def batch(n: int = 6, classes: int = 4) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(n, classes, generator=draws)
    return logits, F.one_hot(torch.arange(n) % classes, classes).float()


def test_binary_cross_entropy_asks_of_each_class() -> None:
    logits, targets = torch.tensor([[0.0, log(3)]]), torch.tensor([[1.0, 0.0]])
    assert sum_over_classes(logits, targets).item() == pytest.approx(-log(0.5) - log(0.25))
    assert mean_over_classes(logits, targets).item() == pytest.approx((-log(0.5) - log(0.25)) / 2)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    logits, targets = batch()
    torch.testing.assert_close(Focal(0)(logits, targets), F.cross_entropy(logits, targets))


@pytest.mark.parametrize("gamma", [1, 2])
def test_focal_loss_of_two_classes_is_torchvisions(gamma: float) -> None:
    """The softmax of logits (0, z) is the sigmoid of z."""
    z, labels = batch()[0][:, 0], torch.tensor([0, 1, 1, 0, 1, 0])
    ours = Focal(gamma)(torch.stack([torch.zeros_like(z), z], 1), F.one_hot(labels, 2).float())
    theirs = sigmoid_focal_loss(z, labels.float(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(ours, theirs)


def test_square_loss() -> None:
    logits, targets = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    assert sum_square(logits, targets).item() == pytest.approx(2)
    assert mean_square(logits, targets).item() == pytest.approx(1)


def test_the_hardest_half_is_the_half_of_the_highest_losses() -> None:
    logits, targets = batch()
    losses = F.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(Selected(0.5, "loss")(logits, targets), losses.sort().values[3:].mean())


def test_an_image_is_drawn_in_proportion_to_its_rank_without_putting_back() -> None:
    torch.manual_seed(0)
    losses = torch.tensor([3.0, 1.0, 4.0, 2.0])  # chances 5, 1, 7, 3 of 16
    first = torch.stack([Selected(0.5, "rank").chosen(losses) for _ in range(4000)])
    assert all(len(set(pair)) == 2 for pair in first.tolist())
    counts = torch.bincount(first[:, 0], minlength=4) / len(first)
    torch.testing.assert_close(counts, torch.tensor([5.0, 1.0, 7.0, 3.0]) / 16, atol=0.03, rtol=0)


def test_random_images_are_drawn_evenly() -> None:
    torch.manual_seed(0)
    chosen = torch.stack([Selected(0.5, "chance").chosen(torch.arange(4.0)) for _ in range(2000)])
    counts = torch.bincount(chosen.flatten(), minlength=4) / chosen.numel()
    torch.testing.assert_close(counts, torch.full((4,), 0.25), atol=0.03, rtol=0)
