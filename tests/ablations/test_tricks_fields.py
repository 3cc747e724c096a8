"""The arithmetic of the tricks that set a field of their own, against torch and cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as reference

from ablations import (
    aug_mix,
    bias_rates,
    decayed_tensors,
    distillation,
    early_stopping,
    growing_batch,
    imbalance,
    layer_freezing,
    repeated_augmentation,
    resolution,
)
from ablations.early_stopping import Patience, lowest_loss, most_accurate
from benchmark.recipe import Moment, Validation


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def history(*accuracies: float) -> list[Validation]:
    return [Validation(1 - accuracy / 2, accuracy) for accuracy in accuracies]


def test_the_best_epoch_is_the_first_of_the_best() -> None:
    assert most_accurate(history(0.1, 0.5, 0.3, 0.5)) == 1
    assert lowest_loss([Validation(2, 0.9), Validation(1, 0.1), Validation(3, 0.5)]) == 1


def test_patience_ends() -> None:
    assert Patience(2)(history(0.1, 0.5, 0.3, 0.4, 0.9)) == 1
    assert Patience(3)(history(0.1, 0.5, 0.3, 0.4, 0.9)) == 4
    assert Patience(2)(history(0.1, 0.5, 0.3)) == 1


@pytest.mark.parametrize("keep", [most_accurate, lowest_loss, Patience(2)])
def test_no_earlier_epoch_is_kept_than_before(keep: early_stopping.Keep) -> None:
    accuracies = torch.rand(30, generator=rng()).tolist()
    kept = [keep(history(*accuracies[:n])) for n in range(1, 31)]
    assert kept == sorted(kept)
    assert all(place in (before, n) for n, (before, place) in enumerate(zip([0, *kept], kept, strict=False)))


def test_distillation_is_cross_entropy_with_the_teachers_softened_answers() -> None:
    """KL(p || q) is the cross-entropy less the entropy of p, which the student does not change."""
    logits, taught = (3 * torch.randn(6, 4, generator=rng(seed)) for seed in (0, 1))
    targets = F.one_hot(torch.arange(6) % 4, 4).float()
    soft = (taught / 4).softmax(1)
    divergence = F.cross_entropy(logits / 4, soft) + (soft * soft.log()).sum(1).mean()
    expected = 0.1 * F.cross_entropy(logits, targets) + 0.9 * 16 * divergence
    torch.testing.assert_close(distillation.Distilled(4, 0.9)(logits, targets, taught), expected)
    torch.testing.assert_close(
        distillation.Distilled(4, 1)(logits, targets, logits), torch.zeros(()), atol=1e-6, rtol=0
    )


def test_which_tensors_decay() -> None:
    tensors = {"convolution": torch.ones(2, 2, 3, 3), "matrix": torch.ones(2, 2), "bias": torch.ones(2)}
    decays = {
        way: [name for name, each in tensors.items() if arm.decays(nn.Identity(), nn.Parameter(each))]
        for way, arm in decayed_tensors.variants(TINY).items()
    }
    assert decays == {
        "every tensor": ["convolution", "matrix", "bias"],
        "convolutions": ["convolution"],
        "classifier": ["matrix"],
    }


def test_biases_of_norms_alone_are_fast() -> None:
    fast = bias_rates.NormBiases(64)
    for norm in (nn.BatchNorm2d(3), nn.GroupNorm(1, 3)):
        assert fast(norm, norm.bias) == 64
        assert fast(norm, norm.weight) == 1
    layer = nn.Conv2d(3, 3, 1)
    assert layer.bias is not None
    assert fast(layer, layer.bias) == fast(layer, layer.weight) == 1


def test_the_batch_grows_where_the_rate_falls() -> None:
    places = (0, 0.49, 0.5, 0.74, 0.75, 0.99)
    assert [growing_batch.Growing(4)(place) for place in places] == [1, 1, 4, 4, 16, 16]
    assert [growing_batch.Falling(4)(place, ()) for place in places] == [1, 1, 1 / 4, 1 / 4, 1 / 16, 1 / 16]


def test_layers_freeze_from_below_and_join_from_above() -> None:
    """Of 5 layers, the classifier (0 above it) always learns."""
    freeze, join = layer_freezing.FrozenFromBelow(5, 0.5), layer_freezing.UnfrozenFromAbove(5, 0.5)
    learning = {p: [a for a in range(5) if freeze(a, p)] for p in (0, 0.5, 0.6, 0.7, 0.9, 0.999)}
    assert learning[0] == learning[0.5] == [0, 1, 2, 3, 4]
    assert [len(learning[p]) for p in (0.6, 0.7, 0.9)] == [5, 4, 2]
    assert learning[0.999] == [0, 1]
    assert [len([a for a in range(5) if join(a, p)]) for p in (0, 0.1, 0.2, 0.5, 0.9)] == [1, 2, 3, 5, 5]
    assert layer_freezing.variants(TINY)["frozen from below"].unfreeze == layer_freezing.FrozenFromBelow(3, 0.5)


@pytest.mark.parametrize("times", [2, 3])
def test_each_image_of_a_batch_is_there_several_times(times: int) -> None:
    rows = repeated_augmentation.Repeated(times)(torch.zeros(96), 12, rng())
    assert len(rows) == 96
    for batch in rows.split(12):
        assert torch.bincount(batch).max() == times
        assert len(batch.unique()) == 12 // times
    assert len(rows.unique()) == 96 // times


LABELS = torch.cat([torch.zeros(80), torch.ones(16), torch.full((4,), 2)]).long()


def test_over_sampling_draws_classes_evenly() -> None:
    rows = torch.cat([imbalance.over_sampled(LABELS, 10, rng(seed)) for seed in range(60)])
    torch.testing.assert_close(torch.bincount(LABELS[rows]) / len(rows), torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    counts = torch.bincount(rows)[:80].float()
    assert counts.std() / counts.mean() < 0.3  # within a class all images are alike


def test_under_sampling_keeps_as_many_of_each_class_as_the_rarest_has() -> None:
    shuffled = LABELS[torch.randperm(100, generator=rng(1))]
    first, second = (imbalance.under_sampled(shuffled, 10, rng(seed)) for seed in range(2))
    assert len(first) == 100
    assert torch.bincount(shuffled[first.unique()]).tolist() == [4, 4, 4]
    assert torch.equal(first.unique(), second.unique())  # always the same images
    assert all(
        (shuffled == label).nonzero().flatten()[:4].tolist()
        == sorted(set(first.tolist()) & set((shuffled == label).nonzero().flatten().tolist()))
        for label in range(3)
    )


@pytest.mark.parametrize("beta", [1.0, 0.999])
def test_weights_of_classes(beta: float) -> None:
    """Of 80, 8 and 0.8 images, the last at least one; torch's own weighted loss, as for one-hot targets."""
    images = torch.tensor([80.0, 8.0, 1.0])
    weights = 1 / images if beta == 1 else (1 - beta) / (1 - beta**images)
    weights = weights / ((weights * images).sum() / images.sum())
    logits, labels = torch.randn(9, 3, generator=rng()), torch.arange(9) % 3
    losses = F.cross_entropy(logits, labels, reduction="none")
    expected = (losses * weights[labels]).mean()
    made = imbalance.Weighted(100.0, 80, beta)(logits, F.one_hot(labels, 3).float())
    torch.testing.assert_close(made, expected)


def test_balanced_has_as_many_images_as_the_long_tail() -> None:
    base = imbalance.by_100(replace(TINY, images=4500))
    assert base.epochs == 4 * TINY.epochs
    assert imbalance.variants(base)["balanced"].images == sum(int(450 * 100 ** (-c / 9)) for c in range(10))


def test_images_are_shrunk_in_training_and_enlarged_in_testing() -> None:
    arms, x = resolution.variants(TINY), torch.rand(2, 3, 32, 32, generator=rng())
    moment = Moment(torch.arange(2), 0, 0.0)
    small = arms["24, tested at 28"].timed(x, moment)
    torch.testing.assert_close(small, reference.resize(x, [24, 24], antialias=True))
    seen = arms["24, tested at 28"].predict(lambda images: images, x)
    torch.testing.assert_close(seen, reference.resize(x, [28, 28], antialias=True))
    assert arms["24, tested at 32"].predict(lambda images: images, x) is x


def operated(kind: int, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """`aug_mix.operated` with one operation at its full strength, to the right."""
    draws = torch.stack([torch.full((len(x),), value) for value in ((kind + 0.5) / 8, 0.999999, 0.75)])
    monkeypatch.setattr(torch, "rand", lambda *shape, **options: draws)
    return aug_mix.operated(x, rng())


def test_operations_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    x = (torch.rand(2, 3, 32, 32, generator=rng()) * 255).round() / 255
    with monkeypatch.context() as patch:
        made = [operated(kind, x, patch) for kind in range(8)]
    bilinear = reference.InterpolationMode.BILINEAR
    turned = reference.affine(x, -9.0, [0, 0], 1.0, [0.0, 0.0], interpolation=bilinear)
    torch.testing.assert_close(made[0], turned, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        made[3][..., :28], 0.8 * x[..., 3:31] + 0.2 * x[..., 4:], atol=1e-4, rtol=0
    )  # 3.2 pixels
    levels = (x * 255).round().to(torch.uint8)
    posterised = reference.posterize(levels, 3).float() / 255
    torch.testing.assert_close(made[5], posterised, atol=1e-4, rtol=0)
    torch.testing.assert_close(made[6], reference.solarize(x, 0.7000003), atol=1e-4, rtol=0)
    torch.testing.assert_close(made[7], reference.autocontrast(x), atol=1e-4, rtol=0)


def test_versions_are_mixtures_of_the_image_and_agree_where_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    x, targets = torch.rand(6, 3, 32, 32, generator=rng()), torch.eye(6)
    out, mixed = aug_mix.AugMix(2, with_original=True)(x, targets, rng())
    assert out.shape == (18, 3, 32, 32)
    assert torch.equal(out[:6], x)
    assert torch.equal(mixed, targets.repeat(3, 1))
    assert 0 < (out[6:12] - x).abs().mean() < 0.3
    monkeypatch.setattr(aug_mix, "operated", lambda images, generator: images)
    torch.testing.assert_close(aug_mix.mixed(x, rng()), x)  # shares sum to one


def test_agreement_is_the_jensen_shannon_divergence() -> None:
    logits, targets = torch.randn(6, 4, generator=rng()), torch.eye(4)[[0, 1, 0, 1, 0, 1]]
    answers = logits.softmax(1).view(3, 2, 4)
    mean = answers.mean(0)
    divergence = sum((each * (each / mean).log()).sum(1).mean() for each in answers) / 3
    expected = F.cross_entropy(logits[:2], targets[:2]) + 12 * divergence
    torch.testing.assert_close(aug_mix.agreeing(logits, targets), expected)
    same = logits[:2].repeat(3, 1)
    torch.testing.assert_close(aug_mix.agreeing(same, targets), F.cross_entropy(same, targets))
