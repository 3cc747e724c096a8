"""The arithmetic of what is done to pixels: augmentation, colour, preprocessing, sizes, mixing, testing."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Callable
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from scipy import stats
from torch import Generator, Tensor
from torchvision.transforms import v2

from ablations import auto_augment, auto_augment_policy
from ablations.alternating_flip import alternate, coin
from ablations.augmentation import RotateAndScale, Shift, turned
from ablations.auto_augment import Policy
from ablations.colour import HSV, Jitter, from_hsv, to_hsv
from ablations.erasing import Cutout, RandomErasing
from ablations.fancy_pca import FancyPCA
from ablations.input_size import Resized
from ablations.mixing import CutMix, Mixup, beta
from ablations.preprocessing import Centred, divided_by_255, min_max, own_mean, raw
from ablations.progressive_resizing import Growing
from ablations.test_time import flip_averaging
from ablations.whitening import Whitened, eigenbasis
from benchmark.baseline import InTurn, baseline, standardise
from benchmark.recipe import Augment, Moment


def rng(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, side: int = 32, seed: int = 1) -> Tensor:
    """As the engine gives them: channels-last in memory, values in [0, 1]."""
    return torch.rand(count, side, side, 3, generator=rng(seed)).permute(0, 3, 1, 2)


def alike(count: int) -> Tensor:
    """One image, `count` times."""
    return images(1).expand(count, -1, -1, -1).contiguous(memory_format=torch.channels_last)


def labels(count: int) -> Tensor:
    return F.one_hot(torch.arange(count) % 10, 10).float()


NO_TARGETS = torch.empty(0)
POLICIES: dict[str, Policy] = {
    name: arm.augment.parts[1]  # type: ignore[attr-defined]  # behind the baseline's own augmentation
    for name, arm in auto_augment.variants(baseline("toy", "quick")).items()
}
AUGMENTATIONS: dict[str, Augment] = {
    "shift": Shift(4),
    "rotation": RotateAndScale(15, 0),
    "scale": RotateAndScale(0, 0.15),
    "hsv": HSV(4, (0.7, 1.4), 0.1, 0.1),
    "power": HSV(power=4),
    "factor": HSV(factor=(0.7, 1.4)),
    "offset": HSV(offset=0.1),
    "hue": HSV(hue=0.1),
    "brightness": Jitter(brightness=0.4),
    "contrast": Jitter(contrast=0.4),
    "saturation": Jitter(saturation=0.4),
    "fancy PCA": FancyPCA(0.1),
    "cutout": Cutout(16),
    "random erasing": RandomErasing(1.0),
    "mixup": Mixup(1),
    "CutMix": CutMix(1.0),
    "TrivialAugment": POLICIES["TrivialAugment"],
    "RandAugment": POLICIES["RandAugment"],
    "AutoAugment": auto_augment_policy.learned_policy,
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_range_layout_input_and_the_stream_of_others(name: str) -> None:
    augment, before, targets = AUGMENTATIONS[name], images(16), labels(16)
    given = before.clone(), targets.clone(), torch.get_rng_state()
    after, mixed = augment(before, targets, rng())
    assert (after.shape, after.dtype, mixed.shape) == (before.shape, torch.float32, targets.shape)
    assert after.permute(0, 2, 3, 1).is_contiguous()
    assert after.min() >= -1e-6
    assert after.max() <= 1 + 1e-6
    assert after.max() > 0.5  # not as if pixels were in 0...255, or their 255th part
    assert torch.equal(before, given[0])
    assert torch.equal(targets, given[1])
    assert torch.equal(torch.get_rng_state(), given[2])
    assert torch.equal(augment(before, targets, rng())[0], after)  # nothing but `rng` decides
    assert not torch.equal(augment(before, targets, rng(1))[0], after)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name not in ("mixup", "CutMix")])
def test_each_image_has_its_own_draw(name: str) -> None:
    after, _ = AUGMENTATIONS[name](alike(24), labels(24), rng())
    assert len({each.numpy().tobytes() for each in after}) >= (8 if name in ("TrivialAugment", "AutoAugment") else 18)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda: Shift(0), r"Shift\.pixels must be at least 1, got 0"),
        (lambda: HSV(power=0.5), r"HSV\.power must be 1 or more .* got 0\.5"),
        (lambda: HSV(factor=(2, 1)), r"factor 0 <= low <= high, got 1, \(2, 1\)"),
        (lambda: HSV(offset=2), r"HSV\.offset must be in \[0, 1\].* got 2"),
        (lambda: HSV(hue=0.6), r"hue in \[0, 0\.5\], got 0, 0\.6"),
        (lambda: Jitter(contrast=1.1), r"Jitter\.contrast must be in \[0, 1\], got 1\.1"),
        (lambda: FancyPCA(-1), r"FancyPCA\.deviation must be 0 or more, got -1"),
        (lambda: Whitened(0.0, back=True), r"Whitened\.epsilon must be above 0, or None, got 0\.0"),
        (lambda: Resized(0, standardise), r"Resized\.side must be at least 1 pixel, got 0"),
        (lambda: Growing(0, 4), r"Growing\.start must be at least 1 pixel, got 0"),
        (lambda: Growing(16, 0), r"Growing\.step must be at least 1 pixel, got 0"),
        (lambda: Cutout(0), r"Cutout\.side must be at least 1 pixel, got 0"),
        (lambda: RandomErasing(2), r"RandomErasing\.probability must be in \[0, 1\], got 2"),
        (lambda: RandomErasing(1, area=(0.5, 0.4)), r"RandomErasing\.area must be .* got \(0\.5, 0\.4\)"),
        (lambda: RandomErasing(1, aspect=0), r"RandomErasing\.aspect must be in \(0, 1\], got 0"),
        (lambda: Mixup(0), r"Mixup\.alpha must be in \(0, 1\], got 0"),
        (lambda: CutMix(-0.1), r"CutMix\.probability must be in \[0, 1\], got -0\.1"),
    ],
)
def test_parameters_out_of_range_are_refused(part: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        part()  # type: ignore[operator]


# --- augmentation


def test_shift_is_a_window_of_the_image_padded_with_zeros() -> None:
    before = images()
    after, _ = Shift(4)(before, NO_TARGETS, rng())
    corners = []
    for image, cut in zip(F.pad(before, [4] * 4), after, strict=True):
        found = [(r, c) for r in range(9) for c in range(9) if torch.equal(image[:, r : r + 32, c : c + 32], cut)]
        assert len(found) == 1
        corners += found
    assert len(set(corners)) > 30
    assert {r for r, _ in corners} == {c for _, c in corners} == set(range(9))


def test_rotation_alone_and_scaling_alone_draw_from_their_ranges() -> None:
    """Each image is the turned one of an angle, or of a magnification, within the range."""
    before = images(1)
    for part, degrees, magnification in (
        (RotateAndScale(15, 0), torch.linspace(-15, 15, 121), torch.ones(121)),
        (RotateAndScale(0, 0.15), torch.zeros(121), torch.linspace(0.85, 1.15, 121)),
    ):
        after, _ = part(alike(20), NO_TARGETS, rng())
        candidates = turned(before.expand(121, -1, -1, -1), degrees, magnification)
        distance = (after[:, None] - candidates).square().mean((2, 3, 4)).sqrt()
        assert distance.min(1).values.max() < 0.02
        drawn = sorted(set(distance.argmin(1).tolist()))
        assert len(drawn) > 5
        assert drawn[0] < 30 < 90 < drawn[-1]  # both ways


# --- colour


def test_hsv_and_back_are_colorsyss() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.25, 0.5, 1.0])] * 3)  # with greys, ties, black and white
    pixels = torch.cat([corners, torch.rand(192, 3, generator=rng())]).reshape(4, 8, 8, 3)
    planes = pixels.permute(3, 0, 1, 2).contiguous()
    hue, saturation, value = to_hsv(planes)
    for pixel, *mine in zip(pixels.view(-1, 3), hue.flatten(), saturation.flatten(), value.flatten(), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*pixel.tolist())
        assert [mine[0].item() % 1, mine[1].item(), mine[2].item()] == pytest.approx([h, s, v], abs=1e-5)
    assert torch.allclose(from_hsv(hue, saturation, value), planes, atol=1e-6)
    for shift in (-0.6, 0.3):
        back = from_hsv(hue + shift, saturation, value).permute(1, 2, 3, 0).reshape(-1, 3)
        for h, s, v, rgb in zip(hue.flatten(), saturation.flatten(), value.flatten(), back, strict=True):
            assert rgb.tolist() == pytest.approx(
                colorsys.hsv_to_rgb((h + shift).item() % 1, s.item(), v.item()), abs=1e-5
            )


def hsv(batch: Tensor) -> npt.NDArray[np.float64]:
    """(n, h * w, 3) by colorsys."""
    pixels = batch.permute(0, 2, 3, 1).flatten(1, 2).double().numpy()
    return np.array([[colorsys.rgb_to_hsv(*pixel) for pixel in image] for image in pixels])


def test_hsv_jitter_is_the_articles_with_one_draw_for_all_pixels_of_an_image() -> None:
    """The draws are found again from the outcome, which is then worked out with colorsys and NumPy."""
    before, part = images(40, side=6), HSV(4, (0.7, 1.4), 0.1, 0.1)
    after, _ = part(before, NO_TARGETS, rng(5))
    draws = (2 * torch.rand(7, 40, generator=rng(5)) - 1).double().numpy()
    powers, factors, offsets, shift = 4 ** draws[:2], 1.05 + 0.35 * draws[2:4], 0.1 * draws[4:6], 0.1 * draws[6]
    assert 0.25 <= powers.min() < 0.5 < 2 < powers.max() <= 4
    assert 0.7 <= factors.min() < 0.8 < 1.3 < factors.max() <= 1.4
    for i, image in enumerate(hsv(before)):
        s, v = (np.clip(image[:, 1 + k] ** powers[k, i] * factors[k, i] + offsets[k, i], 0, 1) for k in (0, 1))
        expected = [colorsys.hsv_to_rgb(*each) for each in zip((image[:, 0] + shift[i]) % 1, s, v, strict=True)]
        assert np.allclose(after[i].permute(1, 2, 0).reshape(-1, 3), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("part", "number", "low", "high", "transform"),
    [
        (HSV(power=4), 2, -2, 2, lambda old, new: np.log2(np.log(new) / np.log(old))),
        (HSV(factor=(0.7, 1.4)), 2, 0.7, 1.4, lambda old, new: new / old),
        (HSV(offset=0.1), 2, -0.1, 0.1, lambda old, new: new - old),
        (HSV(hue=0.1), 0, -0.1, 0.1, lambda old, new: (new - old + 0.5) % 1 - 0.5),
    ],
    ids=["power", "factor", "offset", "hue"],
)
def test_parts_of_the_hsv_jitter_are_uniform_and_leave_the_others_alone(
    part: HSV, number: int, low: float, high: float, transform: object
) -> None:
    before = torch.tensor([0.5, 0.3, 0.2]).expand(500, 1, 1, 3).permute(0, 3, 1, 2)
    old, new = hsv(before)[:, 0], hsv(part(before, NO_TARGETS, rng())[0])[:, 0]
    drawn = transform(old[:, number], new[:, number])  # type: ignore[operator]
    assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 0.01
    untouched = {0: (1, 2), 2: (0,)}[number]
    assert np.allclose(old[:, untouched], new[:, untouched], atol=1e-4)
    if number == 2:  # saturation has a draw of its own
        assert abs(np.corrcoef(new[:, 1], new[:, 2])[0, 1]) < 0.15


def test_hsv_jitter_clamps_after_the_sum() -> None:
    bright = torch.tensor([0.99, 0.5, 0.01]).expand(100, 2, 2, 3).permute(0, 3, 1, 2)
    after, _ = HSV(4, (0.7, 1.4), 0.1, 0.1)(bright, NO_TARGETS, rng())
    assert after.isfinite().all()
    assert after.min() >= 0
    assert after.max() == 1
    black, _ = HSV(power=4)(torch.zeros(4, 3, 2, 2), NO_TARGETS, rng())
    assert not black.any()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_jitter_is_torchvisions_for_each_image(name: str) -> None:
    before, place = images(50, side=8), ("brightness", "contrast", "saturation").index(name)
    after, _ = Jitter(**{name: 0.4})(before, NO_TARGETS, rng(3))
    factors = 1 + 0.4 * (2 * torch.rand(3, 50, generator=rng(3)) - 1)[place]
    assert 0.6 <= factors.min() < 0.65 < 1.35 < factors.max() <= 1.4
    adjust = getattr(tv, f"adjust_{name}")
    expected = torch.stack([adjust(image, factor.item()) for image, factor in zip(before, factors, strict=True)])
    assert torch.allclose(after, expected, atol=2e-4)  # torchvision's weights of grey have four digits
    together, _ = Jitter(0.4, 0.4, 0.4)(before, NO_TARGETS, rng(3))
    assert not torch.allclose(together, after, atol=1e-3)


def test_hue_jitter_is_torchvisions_for_each_image() -> None:
    before = images(8, side=8)
    after, _ = HSV(hue=0.1)(before, NO_TARGETS, rng(3))
    shifts = 0.1 * (2 * torch.rand(7, 8, generator=rng(3)) - 1)[6]
    expected = torch.stack([tv.adjust_hue(image, shift.item()) for image, shift in zip(before, shifts, strict=True)])
    assert torch.allclose(after, expected, atol=1e-5)


def test_fancy_pca_shifts_along_the_eigenvectors_by_their_eigenvalues() -> None:
    """In the eigenbasis the shifts are independent and have the deviation 0.1 * eigenvalue."""
    mix = torch.tensor([[0.3, 0.2, 0.1], [0.0, 0.1, 0.1], [0.05, 0.0, 0.05]])
    before = (0.3 + torch.rand(2000, 4, 4, 3, generator=rng()) @ mix).permute(0, 3, 1, 2)
    after, _ = FancyPCA(0.1)(before, NO_TARGETS, rng(1))
    shift = (after - before).permute(0, 2, 3, 1).flatten(1, 2)
    assert torch.allclose(shift, shift[:, :1], atol=1e-6)  # the same for all pixels of an image
    eigenvalues, vectors = np.linalg.eigh(np.cov(before.permute(0, 2, 3, 1).reshape(-1, 3).numpy().T))
    components = shift[:, 0].numpy() @ vectors
    assert components.std(0) == pytest.approx(0.1 * eigenvalues, rel=0.08)
    assert np.abs(np.corrcoef(components.T) - np.eye(3)).max() < 0.08
    assert stats.kstest(components[:, 2] / (0.1 * eigenvalues[2]), "norm").pvalue > 0.01


# --- preprocessing


def numbers(batch: Tensor) -> npt.NDArray[np.float64]:
    return batch.double().numpy()


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        (raw, lambda x, t: 255 * x),
        (divided_by_255, lambda x, t: x),
        (Centred((0,)), lambda x, t: x - t.mean(0)),
        (Centred((0, 2, 3)), lambda x, t: x - t.mean((0, 2, 3), keepdims=True)),
        (Centred((0, 1, 2, 3)), lambda x, t: x - t.mean()),
        (Centred((0,), scaled=True), lambda x, t: (x - t.mean(0)) / t.std(0, ddof=1)),
        (min_max, lambda x, t: 2 * (x - t.min(0)) / (t.max(0) - t.min(0)) - 1),
        (own_mean, lambda x, t: x - x.mean((1, 2, 3), keepdims=True)),
    ],
    ids=["raw", "/255", "per pixel", "per channel", "one number", "std per pixel", "min-max", "own mean"],
)
def test_preprocessing_by_formula_with_the_training_images_numbers(fit: object, expected: object) -> None:
    train, test = images(50, side=6) ** 2, images(9, side=6, seed=2)
    after = fit(train)(test)  # type: ignore[operator]
    assert np.allclose(numbers(after), expected(numbers(test), numbers(train)), atol=1e-4)  # type: ignore[operator]
    assert after.permute(0, 2, 3, 1).is_contiguous()


def test_numbers_that_never_vary_are_only_centred() -> None:
    train = images(20, side=6)
    train[:, :, 0] = 0.25
    for fit in (Centred((0,), scaled=True), min_max):
        after = fit(train)(train)
        assert after.isfinite().all()
        assert torch.allclose(after[:, :, 0], torch.zeros(()), atol=1e-6)


def test_min_max_brings_the_training_images_to_minus_1_and_1() -> None:
    train = images(50, side=6) * 0.5
    after = min_max(train)(train)
    assert torch.allclose(after.amin(0), torch.tensor(-1.0), atol=1e-5)
    assert torch.allclose(after.amax(0), torch.tensor(1.0), atol=1e-5)


def correlated(count: int) -> Tensor:
    """Images of 6 x 6 whose 108 numbers vary together and by very different amounts."""
    mix = torch.randn(108, 108, generator=rng(4)) * torch.logspace(-2.5, 0, 108)
    rows = (torch.randn(count, 108, generator=rng(5)) @ mix.T) * 0.02 + 0.5
    return rows.view(count, 6, 6, 3).permute(0, 3, 1, 2)


def rows(batch: Tensor) -> npt.NDArray[np.float64]:
    return numbers(batch.permute(0, 2, 3, 1).flatten(1))


@pytest.mark.parametrize("epsilon", [None, 1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize("back", [False, True])
def test_whitening_is_numpys(epsilon: float | None, back: bool) -> None:
    train = correlated(2000)
    x = rows(train) - rows(train).mean(0)
    eigenvalues, basis = np.linalg.eigh(x.T @ x / len(x))
    after = rows(Whitened(epsilon, back)(train)(train))
    assert np.abs(after.mean(0)).max() < 1e-3
    left = eigenvalues if epsilon is None else eigenvalues / (eigenvalues + epsilon)  # variances
    if back:
        expected = (basis * np.sqrt(left / eigenvalues)) @ basis.T
        assert np.allclose(after, x @ expected, atol=2e-3)
    else:
        scale = max(1.0, left.max())
        assert np.allclose(after.T @ after / len(after) / scale, np.diag(left[::-1]) / scale, atol=2e-3)
        expected = np.abs(x @ basis[:, ::-1] * np.sqrt(left / eigenvalues)[::-1])  # up to signs
        assert np.allclose(np.abs(after), expected, atol=2e-2)


def test_whitening_with_a_small_epsilon_makes_the_covariance_the_identity() -> None:
    train = correlated(2000)
    for back in (False, True):
        after = rows(Whitened(1e-12, back)(train)(train))
        assert np.allclose(np.cov(after.T), np.eye(108), atol=5e-3)
    matrix = Whitened(1e-3, back=True)(train).matrix  # type: ignore[attr-defined]
    assert torch.allclose(matrix, matrix.T, atol=1e-5)


def test_eigenbasis_of_fewer_images_than_numbers_is_complete() -> None:
    few = correlated(40)
    mean, eigenvalues, basis = eigenbasis(few)
    x = rows(few) - rows(few).mean(0)
    assert np.allclose(rows(few).mean(0), mean)
    assert np.allclose(basis.T @ basis, np.eye(108), atol=1e-8)
    assert np.allclose((basis * eigenvalues) @ basis.T, x.T @ x / 40, atol=1e-8)
    assert np.linalg.matrix_rank(np.diag(eigenvalues), tol=1e-12) == 39
    assert Whitened(1e-5, back=False)(few)(correlated(60)).isfinite().all()


def test_eigenbases_of_other_images_are_not_mixed_up() -> None:
    first, second = correlated(200), correlated(200) + 0.1
    assert not torch.allclose(eigenbasis(first)[0], eigenbasis(second)[0])
    assert torch.allclose(eigenbasis(first)[0] + 0.1, eigenbasis(second)[0], atol=1e-6)


def test_whitening_is_multiplied_in_float32_under_autocast() -> None:
    train = correlated(500)
    whiten = Whitened(1e-5, back=True)(train)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(whiten(train), whiten(train.clone()))
        assert whiten(train).dtype == torch.float32
        inside = whiten(train)
    assert torch.equal(inside, whiten(train))


# --- size


@pytest.mark.parametrize("side", [28, 30, 36])
def test_images_are_preprocessed_then_resized_as_torchvision_does(side: int) -> None:
    train = images(20)
    after = Resized(side, standardise)(train)(train)
    assert torch.allclose(after, tv.resize(standardise(train)(train), [side, side], antialias=True), atol=1e-5)
    assert after.shape == (20, 3, side, side)


def test_sizes_grow_in_equal_parts_of_the_training_up_to_the_whole() -> None:
    batch, grow = images(2), Growing(24, 4)

    def side(progress: float) -> int:
        return grow(batch, Moment(torch.arange(2), 0, progress)).shape[3]

    assert [side(t) for t in (0, 0.33, 0.34, 0.66, 0.67, 0.999)] == [24, 24, 28, 28, 32, 32]
    small = grow(batch, Moment(torch.arange(2), 0, 0.0))
    assert torch.allclose(small, tv.resize(batch, [24, 24], antialias=True), atol=1e-5)
    assert grow(batch, Moment(torch.arange(2), 9, 0.9)) is batch
    assert Growing(40, 4)(batch, Moment(torch.arange(2), 0, 0.0)) is batch


# --- erasing


def test_cutout_is_one_grey_square_with_its_middle_anywhere() -> None:
    before = images(600)
    after, _ = Cutout(16)(before, NO_TARGETS, rng())
    changed = (after != before).any(1)
    assert torch.equal(after, torch.where(changed[:, None], torch.tensor(0.5), before))
    tops, heights = extents(changed.any(2))
    lefts, widths = extents(changed.any(1))
    assert torch.equal(changed.sum((1, 2)), heights * widths)  # rectangles
    for low, length in ((tops, heights), (lefts, widths)):
        assert set(zip(low.tolist(), length.tolist(), strict=True)) == {
            (max(0, m - 8), min(32, m + 8) - max(0, m - 8)) for m in range(32)
        }
        assert (length == 16).float().mean() == pytest.approx(17 / 32, abs=0.08)


def extents(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First place and number of places of each row of booleans."""
    return occupied.int().argmax(1), occupied.sum(1)


def test_random_erasing_draws_area_aspect_place_and_noise_as_the_paper_says() -> None:
    before = torch.full((3000, 32, 32, 3), 0.5).permute(0, 3, 1, 2)
    after, _ = RandomErasing(0.5)(before, NO_TARGETS, rng())
    changed = (after != before).any(1)
    chosen = changed.any((1, 2))
    assert chosen.float().mean() == pytest.approx(0.5, abs=4 * sqrt(0.25 / 3000))
    tops, heights = extents(changed[chosen].any(2))
    lefts, widths = extents(changed[chosen].any(1))
    assert torch.equal(changed[chosen].sum((1, 2)), heights * widths)
    area, aspect = heights * widths / 1024, heights / widths
    assert area.min() > 0.015
    assert 0.38 < area.max() < 0.43  # sides are whole pixels
    assert aspect.min() > 0.22
    assert aspect.max() < 4.5
    assert heights.max() < 32
    assert (tops + heights).max() == (lefts + widths).max() == 32
    assert tops.min() == lefts.min() == 0
    # what the published code draws: again until it fits
    reference = np.random.default_rng(0)
    drawn = 1024 * reference.uniform(0.02, 0.4, 20_000), reference.uniform(0.3, 1 / 0.3, 20_000)
    tall, wide = np.rint(np.sqrt(drawn[0] * drawn[1])), np.rint(np.sqrt(drawn[0] / drawn[1]))
    fits = (tall < 32) & (wide < 32)
    assert stats.ks_2samp(tall[fits], heights.numpy()).pvalue > 0.01
    assert stats.ks_2samp(wide[fits], widths.numpy()).pvalue > 0.01
    noise = after.permute(0, 2, 3, 1)[changed]
    assert stats.kstest(noise.flatten()[:20_000].numpy(), "uniform").pvalue > 0.01


def test_rectangles_that_never_fit_change_nothing() -> None:
    before = images(16)
    assert torch.equal(RandomErasing(1.0, area=(0.99, 0.995))(before, NO_TARGETS, rng())[0], before)


# --- mixing


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0])
def test_beta_is_beta(alpha: float) -> None:
    drawn = beta(alpha, 4000, rng()).double().numpy()
    assert stats.kstest(np.clip(drawn, 1e-12, 1 - 1e-12), stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixup_mixes_images_as_their_labels() -> None:
    before, targets = images(64), torch.eye(64)
    after, mixed = Mixup(1)(before, targets, rng())
    assert torch.allclose(mixed.sum(1), torch.ones(64))
    assert torch.allclose(after, torch.einsum("ij,jchw->ichw", mixed, before), atol=1e-5)
    own = mixed.diagonal()
    assert len(set(own.tolist())) > 60
    partner = (mixed - torch.diag(own)).argmax(1)[own < 1]
    assert len(set(partner.tolist())) == len(partner)  # a permutation


def test_cutmix_counts_labels_by_area() -> None:
    before, targets = images(400), torch.eye(400)
    after, mixed = CutMix(0.5)(before, targets, rng())
    assert torch.allclose(mixed.sum(1), torch.ones(400))
    own = mixed.diagonal()
    kept = (after == before).all(1)
    assert torch.allclose(kept.float().mean((1, 2)), own, atol=1e-6)
    for i in (own < 1).nonzero()[:, 0].tolist():
        (partner,) = [j for j in mixed[i].nonzero()[:, 0].tolist() if j != i]
        assert torch.equal(after[i], torch.where(kept[i], before[i], before[partner]))
    assert (own < 1).float().mean() == pytest.approx(0.5, abs=0.1)
    height, width = extents((~kept).any(2))[1], extents((~kept).any(1))[1]
    assert torch.equal((~kept).sum((1, 2)), height * width)
    assert height.max() > 24


def test_boxes_of_cutmix_have_the_size_and_place_of_the_published_code() -> None:
    """bbx1 = clip(cx - cut_w // 2), bbx2 = clip(cx + cut_w // 2), cut_w = int(W * sqrt(1 - lambda))."""
    before = torch.zeros(4000, 3, 32, 32)
    before[::2] = 1
    targets = torch.eye(2)[(torch.arange(4000) % 2)]
    _, mixed = CutMix(1.0)(before, targets, rng())
    foreign = 1 - mixed.max(1).values.numpy()[(mixed.max(1).values < 1).numpy()]
    reference = np.random.default_rng(0)
    half = (32 * np.sqrt(1 - reference.beta(1, 1, 20_000))).astype(int) // 2
    sides = []
    for _ in range(2):
        middle = reference.integers(0, 32, 20_000)
        sides.append(np.clip(middle + half, 0, 32) - np.clip(middle - half, 0, 32))
    share = sides[0] * sides[1] / 1024
    share = np.minimum(share, 1 - share)[share > 0]
    assert stats.ks_2samp(share, foreign).pvalue > 0.01


# --- policies


TORCHVISION = {"TrivialAugment": v2.TrivialAugmentWide(), "RandAugment": v2.RandAugment()}
THEIRS = dict(
    zip(auto_augment.NAMES, v2.RandAugment._AUGMENTATION_SPACE, strict=True)
)  # the same order as torchvision's


def by_torchvision(policy: str, levels: Tensor, name: str, strength: int, negative: bool) -> Tensor:
    """uint8 images after one of torchvision's operations, at the strength of that number."""
    theirs, side = TORCHVISION[policy], levels.shape[-1]
    strengths, signed = theirs._AUGMENTATION_SPACE[THEIRS[name]]
    table = strengths(auto_augment.STRENGTHS, side, side)
    magnitude = 0.0 if table is None else float(table[strength]) * (-1 if signed and negative else 1)
    return theirs._apply_image_or_video_transform(levels, THEIRS[name], magnitude, theirs.interpolation, theirs._fill)


def some_levels() -> Tensor:
    """Noise, smooth colours and a flat image, (5, 3, 32, 32) uint8."""
    slope = torch.linspace(30, 200, 32)
    smooth = torch.stack([slope[:, None].expand(32, 32), slope.expand(32, 32), slope[None] / 2 + slope[:, None] / 2])
    flat = torch.full((1, 3, 32, 32), 77.0)
    return torch.cat([255 * images(3), smooth[None], flat]).to(torch.uint8).contiguous()


@pytest.mark.parametrize("name", auto_augment.NAMES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_policys_operation_is_torchvisions(policy: str, name: str) -> None:
    """At every strength, and either way round. Torchvision rounds blends otherwise: a few pixels end a level apart."""
    given, ours = some_levels(), POLICIES[policy]
    n, apart = len(given), []
    for strength in range(*ours.strengths):
        for negative in (0, 1):
            entries = [torch.full((n,), each) for each in (auto_augment.NAMES.index(name), strength, negative)]
            after = ours.applied(given.float(), *entries)
            expected = by_torchvision(policy, given, name, strength, bool(negative)).float()
            apart.append((after - expected).abs())
    assert torch.stack(apart).max() <= (1 if name in auto_augment.BLENDS else 0)
    assert (torch.stack(apart) > 0).float().mean() < 0.01


def drawn_by(policy: str, monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """The operations, strengths and signs that a policy draws for 20,000 images, one list for each of its turns."""
    seen: list[list[Tensor]] = []

    def applied(self: Policy, levels: Tensor, *draws: Tensor) -> Tensor:
        seen.append(list(draws))
        return levels

    monkeypatch.setattr(Policy, "applied", applied)
    POLICIES[policy](torch.zeros(20_000, 3, 1, 1), NO_TARGETS, rng(4))
    return seen


def test_trivial_augment_draws_one_operation_a_strength_and_a_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    [drawn] = drawn_by("TrivialAugment", monkeypatch)
    counts = [torch.bincount(each).numpy() for each in drawn]
    assert [len(each) for each in counts] == [14, 31, 2]
    assert all(stats.chisquare(each).pvalue > 0.01 for each in counts)
    assert stats.chi2_contingency(np.histogram2d(*drawn[:2], bins=(14, 31))[0]).pvalue > 0.01  # one from the other


def test_rand_augment_draws_two_operations_at_strength_9(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = drawn_by("RandAugment", monkeypatch)
    for kind, strength, sign in (first, second):
        assert strength.unique().tolist() == [9]
        assert all(stats.chisquare(torch.bincount(each).numpy()).pvalue > 0.01 for each in (kind, sign))
    assert stats.chi2_contingency(np.histogram2d(first[0], second[0], bins=14)[0]).pvalue > 0.01


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_applies_what_it_draws_one_after_the_other(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = some_levels()
    after, _ = POLICIES[policy](before / 255, NO_TARGETS, rng(4))
    counted = [
        torch.randint(*bounds, (5,), generator=g)
        for g in [rng(4)]
        for _ in range(POLICIES[policy].operations)
        for bounds in ((0, 14), POLICIES[policy].strengths, (0, 2))
    ]
    expected = before
    for kind, strength, sign in zip(counted[::3], counted[1::3], counted[2::3], strict=True):
        drawn = zip(expected, kind.tolist(), strength.tolist(), sign.tolist(), strict=True)
        expected = torch.stack([by_torchvision(policy, x, auto_augment.NAMES[k], s, bool(n)) for x, k, s, n in drawn])
    assert ((255 * after - expected).abs() > 0.01).float().mean() < 0.01


# --- AutoAugment's policy for CIFAR-10

LEARNED = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)
LEARNED_NAMES = {**THEIRS, "invert": "Invert"}
SIGNED = len(auto_augment_policy.SIGNED)


def learned_by_torchvision(levels: Tensor, name: str, strength: int | None, negative: bool) -> Tensor:
    """uint8 images after one operation of torchvision's policy, at a strength of 0 to 9."""
    strengths, signed = LEARNED._AUGMENTATION_SPACE[name]
    table = strengths(10, *levels.shape[-2:])
    amount = 0.0 if table is None else float(table[strength]) * (-1 if signed and negative else 1)
    return LEARNED._apply_image_or_video_transform(levels, name, amount, LEARNED.interpolation, LEARNED._fill)


def test_the_learned_policy_is_torchvisions() -> None:
    ours = [
        [(LEARNED_NAMES[name], chance, strength) for name, chance, strength in pair]
        for pair in auto_augment_policy.PUBLISHED_POLICY
    ]
    assert ours == [
        [(name, chance, 9 if strength is None else strength) for name, chance, strength in pair]
        for pair in LEARNED._policies
    ]
    of_strength = {name for name, (table, _) in LEARNED._AUGMENTATION_SPACE.items() if table(10, 32, 32) is not None}
    assert all(strength == 9 or name in of_strength for pair in ours for name, _, strength in pair)
    signed = {name for name, (_, signed) in LEARNED._AUGMENTATION_SPACE.items() if signed}
    assert {LEARNED_NAMES[name] for name in auto_augment_policy.SIGNED} == signed - {"ShearX"}  # which is not in it


@pytest.mark.parametrize("index", range(25))
def test_a_sub_policys_operations_are_torchvisions(index: int) -> None:
    """Either way round. Where a blend is a whole level, as 0.3 of 10 is, rounding may end either a level below."""
    given = some_levels()
    entries = zip(auto_augment_policy.policy(torch.device("cpu"))[index], LEARNED._policies[index], strict=True)
    for row, (name, chance, strength) in entries:
        assert row[0].item() == pytest.approx(chance)
        for negative in (False, True):
            amounts = row[1:].clone()
            amounts[:SIGNED] *= 1 - 2 * negative
            apart = auto_augment_policy.operated(given.float(), amounts.expand(len(given), -1))
            apart = (apart - learned_by_torchvision(given, name, strength, negative).float()).abs()
            assert apart.max() <= (1 if name in ("Brightness", "Color", "Contrast", "Sharpness") else 0), name
            assert (apart > 0).float().mean() < 0.11, name


def test_an_operation_that_is_not_drawn_changes_nothing() -> None:
    given = some_levels().float()
    assert torch.equal(
        auto_augment_policy.operated(given, torch.zeros(len(given), len(auto_augment_policy.FULL))), given
    )


@pytest.fixture
def learned_draws(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor], tuple[Tensor, list[Tensor]]]:
    """Applies the policy; returns what became of the images, and the amounts of each image's two operations."""
    seen: list[Tensor] = []
    operated = auto_augment_policy.operated

    def watched(levels: Tensor, amounts: Tensor) -> Tensor:
        seen.append(amounts.clone())
        return operated(levels, amounts)

    def draw(images: Tensor) -> tuple[Tensor, list[Tensor]]:
        after, _ = auto_augment_policy.learned_policy(images, NO_TARGETS, rng(4))
        return after, seen

    monkeypatch.setattr(auto_augment_policy, "operated", watched)
    return draw


def test_the_learned_policy_draws_as_torchvisions(learned_draws: Any) -> None:
    """Pairs of amounts, 0 where an operation is not carried out, as often as 25 sub-policies and their signs say."""
    n = 20_000
    _, (first, second) = learned_draws(torch.zeros(n, 3, 2, 2))
    assert (first.count_nonzero(1) <= 1).all()
    assert (second.count_nonzero(1) <= 1).all()
    pairs, counts = torch.cat([first, second], 1).mul(1e4).round().unique(dim=0, return_counts=True)
    seen = {tuple(pair.int().tolist()): count for pair, count in zip(pairs, counts.tolist(), strict=True)}
    expected: Counter[tuple[int, ...]] = Counter()
    for rows in auto_augment_policy.policy(torch.device("cpu")):
        outcomes = []
        for chance, *amounts in rows.mul(1e4).round().int().tolist():
            signs = (1, -1) if any(amounts[:SIGNED]) else (1,)
            carried = [([sign * amount for amount in amounts], chance / 1e4 / len(signs)) for sign in signs]
            outcomes.append([*carried, ([0] * len(amounts), 1 - chance / 1e4)])
        for (one, p), (other, q) in product(*outcomes):
            expected[*one, *other] += p * q / 25
    possible = {pair: share for pair, share in expected.items() if share}
    assert seen.keys() <= possible.keys()
    found = [seen.get(pair, 0) for pair in possible]
    assert stats.chisquare(found, [n * share for share in possible.values()]).pvalue > 0.01


def test_the_learned_policy_applies_what_it_draws_one_after_the_other(learned_draws: Any) -> None:
    before = some_levels().repeat(20, 1, 1, 1)
    after, drawn = learned_draws(before / 255)
    expected, names = before, list(auto_augment_policy.FULL)
    for amounts in drawn:
        images_after = []
        for image, amount in zip(expected, amounts, strict=True):
            kind = int(amount.abs().argmax())
            name = names[kind]
            strength = round(9 * abs(amount[kind].item()) / auto_augment_policy.FULL[name])
            one = learned_by_torchvision(image, LEARNED_NAMES[name], strength, bool(amount[kind] < 0))
            images_after.append(one if amount[kind] else image)
        expected = torch.stack(images_after)
    apart = (255 * after - expected).abs()
    assert (apart > 0.01).float().mean() < 0.02
    assert apart.flatten(1).amax(1).median() < 0.01


# --- flips


def test_alternating_flips_show_the_other_side_in_every_next_epoch() -> None:
    batch, places = images(1000, side=4), torch.arange(5000, 6000)
    epochs = [alternate(batch, Moment(places, epoch, 0.0)) for epoch in range(4)]
    whole = [(each == batch).flatten(1).all(1) for each in epochs]
    mirrored = [(each == batch.flip(3)).flatten(1).all(1) for each in epochs]
    assert all(bool((w ^ m).all()) for w, m in zip(whole, mirrored, strict=True))
    assert torch.equal(whole[0], mirrored[1])
    assert torch.equal(whole[0], whole[2])
    assert torch.equal(whole[1], whole[3])
    order = torch.randperm(1000, generator=rng())
    shuffled = alternate(batch[order], Moment(places[order], 0, 0.0))
    assert torch.equal(shuffled, epochs[0][order])  # an image's side goes with its place


@pytest.mark.parametrize("every", [1, 2, 10, 100])
def test_coins_are_fair_whatever_the_order_of_classes(every: int) -> None:
    rows = torch.arange(0, 50_000, every)
    heads = coin(rows).float()
    assert set(heads.unique().tolist()) == {0, 1}
    assert heads.mean().item() == pytest.approx(0.5, abs=4 * sqrt(0.25 / len(rows)))
    neighbours = (heads[1:] == heads[:-1]).float().mean().item()
    assert neighbours == pytest.approx(0.5, abs=4 * sqrt(0.25 / len(rows)))


def test_coin_by_hand() -> None:
    """lowbias32 in NumPy's wrapping integers."""
    x = np.arange(1000, dtype=np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    assert coin(torch.arange(1000)).tolist() == (x & 1).tolist()


def test_flip_averaging_is_the_mean_over_both_sides() -> None:
    def network(batch: Tensor) -> Tensor:
        return batch[:, :, 0, 0]

    batch = images(5)
    assert torch.allclose(flip_averaging(network, batch), (batch[:, :, 0, 0] + batch[:, :, 0, -1]) / 2)


def test_arms_of_colour_come_on_top_of_the_bases_augmentation() -> None:
    from ablations.colour import variants
    from benchmark.baseline import baseline

    base = baseline("cifar10", "quick")
    for name, arm in variants(base).items():
        assert isinstance(arm.augment, InTurn), name
        assert arm.augment.parts[0] == base.augment
