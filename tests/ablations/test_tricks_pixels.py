"""The arithmetic of the catalogue's tricks on images and weights, against torchvision and cases worked out by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from ablations import data_size, dirac, multi_crop, three_augment
from ablations.col_out import ColOut
from ablations.grid_mask import GridMask
from ablations.input_noise import Noise
from ablations.mixup_or_cutmix import Switched
from ablations.random_resized_crop import RandomResizedCrop, resized
from ablations.three_augment import ThreeAugment
from benchmark.baseline import baseline, he_normal


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 8, side: int = 32) -> Tensor:
    return torch.rand(n, 3, side, side, generator=rng()).contiguous(memory_format=torch.channels_last)


TARGETS = torch.eye(4)[torch.arange(8) % 4]


def brightness_at(row: int, column: int) -> multi_crop.Transform:
    return lambda x: x[:, :, row, column]


def test_six_views_weigh_the_middle_a_half_and_the_corners_a_quarter_each() -> None:
    x = images()
    wide = F.pad(x, [1] * 4, mode="reflect")
    expected = torch.zeros(8, 3)
    for weight, top in ((0.5, 1), (0.25, 0), (0.25, 2)):
        view = wide[:, :, top : top + 32, top : top + 32]
        expected += weight * (view[:, :, 5, 7] + view[:, :, 5, 24]) / 2
    torch.testing.assert_close(multi_crop.six_views(brightness_at(5, 7), x), expected)


def test_ten_crops_are_torchvisions() -> None:
    x = images()
    crops = reference.ten_crop(x, [28, 28])
    expected = torch.stack([crop[:, :, 3, 4] for crop in crops]).mean(0)
    torch.testing.assert_close(multi_crop.ten_crops(brightness_at(3, 4), x), expected)


def test_a_dirac_convolution_passes_its_input_on() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in ((3, 4), (4, 6), (6, 5))))
    first, middle, last = network
    plain = [weight.clone() for weight in network.parameters()]
    dirac.Dirac(lambda module, images: None)(network, torch.zeros(1))  # type: ignore[arg-type]  # draws nothing
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(middle(x)[:, :4], x)
    assert torch.equal(middle.weight[4:], plain[1][4:])
    assert torch.equal(first.weight, plain[0])
    assert torch.equal(last.weight, plain[2])
    assert dirac.variants(TINY)["dirac"].initialise == dirac.Dirac(he_normal)


def test_a_grid_hides_squares_at_equal_distances() -> None:
    x = torch.zeros(200, 3, 32, 32)
    out, _ = GridMask(0.5, probability=1, period=(0.25, 0.25))(x, x, rng())  # 8 pixels, of which 4 are hidden
    hidden = out.eq(0.5)
    assert torch.equal(hidden.float().mean((1, 2, 3)), torch.full((200,), 0.25))
    assert torch.equal(hidden[:, :, 8:, 8:], hidden[:, :, :-8, :-8])
    assert len({tuple(each.flatten().tolist()) for each in hidden[:, 0, :8, :8]}) > 30  # of 64 places


@pytest.mark.parametrize(("ratio", "share"), [(0.6, 0.16), (0.4, 0.36)])
def test_a_grid_hides_the_share_that_its_docstring_names(ratio: float, share: float) -> None:
    x = torch.zeros(500, 3, 32, 32)
    assert GridMask(ratio, probability=1)(x, x, rng())[0].eq(0.5).float().mean().item() == pytest.approx(
        share, abs=0.02
    )
    half = GridMask(ratio)(x, x, rng())[0].eq(0.5).flatten(1).any(1).float().mean().item()
    assert half == pytest.approx(0.5, abs=0.08)


def test_rows_and_columns_drop_out_in_their_order() -> None:
    place = torch.arange(32.0)
    x = (100 * place[:, None] + place).expand(2, 3, 32, 32)
    out, _ = ColOut(0.15)(x, TARGETS, rng())
    assert out.shape == (2, 3, 27, 27)
    rows, columns = (out[0, 0] // 100)[:, 0], (out[0, 0] % 100)[0]
    for kept in (rows, columns):
        assert len(kept.unique()) == 27
        assert torch.equal(kept, kept.sort().values)
    assert torch.equal(out[1, 2], 100 * rows[:, None] + columns)


def test_grey_inverted_and_blurred_are_torchvisions() -> None:
    x = images()
    torch.testing.assert_close(three_augment.grey(x), reference.rgb_to_grayscale(x), atol=2e-4, rtol=0)
    torch.testing.assert_close(three_augment.inverted(x), reference.solarize(x, 0.5))
    sigma = torch.linspace(0.1, 1, 8)
    expected = torch.stack([reference.gaussian_blur(x[i], [5, 5], [sigma[i].item()] * 2) for i in range(8)])
    torch.testing.assert_close(three_augment.blurred(x, sigma), expected)


def test_each_image_gets_one_of_the_three() -> None:
    x = images(1).expand(300, 3, 32, 32)
    out, _ = ThreeAugment(0.0)(x, x, rng())
    is_grey = out.std(1).amax((1, 2)) < 1e-5
    is_inverted = (out - three_augment.inverted(x)).abs().amax((1, 2, 3)) < 1e-5
    assert 70 < is_grey.sum() < 130
    assert 70 < is_inverted.sum() < 130
    assert not (is_grey & is_inverted).any()
    assert ThreeAugment(0.3)(x, x, rng())[0].isfinite().all()


@pytest.mark.parametrize(
    ("top", "left", "tall", "wide"), [(0, 0, 32, 32), (3, 5, 17, 22), (31, 0, 1, 32), (2, 9, 8, 2)]
)
def test_an_enlarged_box_is_torchvisions(top: int, left: int, tall: int, wide: int) -> None:
    x = images(2)
    expected = reference.resized_crop(x, top, left, tall, wide, [32, 32], antialias=False)
    ours = resized(x, *(torch.full((2,), float(v)) for v in (top, left, tall, wide)))
    torch.testing.assert_close(ours, expected)


def test_boxes_have_the_area_and_place_that_torchvision_draws() -> None:
    """The image's coordinates, cropped and enlarged, tell where the box was."""
    place = torch.arange(32.0)
    x = torch.stack([place[:, None].expand(32, 32), place.expand(32, 32), place.expand(32, 32)]).expand(
        4000, 3, 32, 32
    )
    out, _ = RandomResizedCrop(0.35)(x, x, rng())
    tall, wide = out[:, 0, -1, 0] - out[:, 0, 0, 0] + 1, out[:, 1, 0, -1] - out[:, 1, 0, 0] + 1
    torch.manual_seed(0)
    crop = v2.RandomResizedCrop(32, scale=(0.35, 1))
    drawn = [crop.make_params([x[0]]) for _ in range(4000)]
    for mine, key in ((tall, "height"), (wide, "width"), (out[:, 0, 0, 0], "top"), (out[:, 1, 0, 0], "left")):
        expected = torch.tensor([float(each[key]) for each in drawn])
        assert mine.mean().item() == pytest.approx(expected.mean().item(), abs=0.35), key
        assert mine.std().item() == pytest.approx(expected.std().item(), abs=0.35), key


def test_a_batch_is_mixed_as_torchvision_mixes_it() -> None:
    """The share is read off the targets; given it, images and targets are torchvision's."""
    x = images()
    mixup, cutmix = v2.MixUp(alpha=1.0), v2.CutMix(alpha=1.0)
    for seed in range(20):
        out, targets = Switched(1, 0)(x, TARGETS, rng(seed))
        share = targets[0, 0].item()
        torch.testing.assert_close(out, mixup.transform(x, {"lam": share, "batch_size": 8, "labels": None}))
        torch.testing.assert_close(
            targets, mixup.transform(TARGETS, {"lam": share, "labels": TARGETS, "batch_size": 8})
        )
        out, targets = Switched(0, 1)(x, TARGETS, rng(seed))
        foreign = (out != x).any(0).any(0)
        if foreign.any():
            rows, columns = (foreign.any(axis).nonzero().flatten() for axis in (1, 0))
            box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            area = len(rows) * len(columns) / 1024
            expected = cutmix.transform(x, {"box": box, "batch_size": 8, "labels": None})
            torch.testing.assert_close(out, expected)
            torch.testing.assert_close(targets, TARGETS.lerp(TARGETS.roll(1, 0), area))
        else:
            assert torch.equal(targets, TARGETS)


def test_batches_are_switched_between_the_two_and_left_as_they_are() -> None:
    x, kinds = images(), []
    for seed in range(300):
        out, _ = Switched(0.375, 0.375)(x, TARGETS, rng(seed))
        moved = (out != x).flatten().float().mean().item()
        kinds.append("left" if moved == 0 else "mixed" if moved > 0.99 else "cut")
    assert [kinds.count(kind) / 300 for kind in ("mixed", "cut", "left")] == pytest.approx(
        [0.375, 0.375, 0.25], abs=0.08
    )


def test_the_box_has_the_area_that_torchvision_draws() -> None:
    x = torch.zeros(2, 3, 32, 32)
    x[1] = 1
    mine = torch.tensor([Switched(0, 1)(x, x[:, 0, 0], rng(seed))[0][0].mean().item() for seed in range(3000)])
    torch.manual_seed(0)
    cutmix = v2.CutMix(alpha=1.0)
    theirs = torch.tensor([1 - cutmix.make_params([x])["lam_adjusted"] for _ in range(3000)])
    assert mine.mean().item() == pytest.approx(theirs.mean().item(), abs=0.02)
    assert mine.std().item() == pytest.approx(theirs.std().item(), abs=0.02)


def test_noise_has_its_deviation() -> None:
    x = images(64)
    added = Noise(0.1)(x, x, rng())[0] - x
    assert added.std().item() == pytest.approx(0.1, rel=0.01)
    assert added.mean().item() == pytest.approx(0, abs=0.001)


def test_more_images_take_as_many_steps() -> None:
    arms = data_size.variants(baseline("cifar10", "quick"))
    assert {name: (arm.images, arm.epochs) for name, arm in arms.items()} == {
        "1/4": (1125, 40),
        "1/2": (2250, 20),
        "x2": (9000, 5),
        "x5": (22500, 2),
        "x10": (45000, 1),
    }
    assert list(data_size.variants(baseline("cifar10", "small"))) == ["1/4", "1/2"]
