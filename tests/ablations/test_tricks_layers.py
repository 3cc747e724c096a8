"""The arithmetic of the catalogue's layers and networks, against torch, torchvision and cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from ablations import (
    batch_norm_settings,
    blur_pooling,
    drop_block,
    factorised_convolution,
    ghost_norm,
    gyro_dropout,
    head_pooling,
    logit_scale,
    separable_convolution,
    shortcuts,
    squeeze_excitation,
    stem,
    weight_normalisation,
    weight_standardisation,
)
from benchmark.data.splits import DataSet
from benchmark.engine.network import assembled, build
from benchmark.networks import VGG
from benchmark.recipe import Recipe, absent, convolution


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def network(recipe: Recipe) -> nn.Module:
    torch.manual_seed(0)
    return assembled(recipe, 4, [])


def test_squeeze_excitation_weights_each_channel_by_the_means_of_all() -> None:
    torch.manual_seed(0)
    layer, x = squeeze_excitation.SqueezeExcitation(4)(8), noise(2, 8, 5, 5)
    assert isinstance(layer, SqueezeExcitation)
    inner = F.relu(layer.fc1(x.mean((2, 3), keepdim=True)))
    assert inner.shape == (2, 2, 1, 1)
    torch.testing.assert_close(layer(x), x * torch.sigmoid(layer.fc2(inner)))


def test_drop_block_removes_whole_squares_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = drop_block.DropBlock(0.3, 3)(16)
    x = torch.ones(64, 16, 8, 8)
    out = layer.train()(x)
    gone = (out == 0).float()
    assert 0.2 < gone.mean().item() < 0.35  # squares overlap, so that less than 0.3 is gone
    assert out.mean().item() == pytest.approx(1, abs=1e-4)
    middles = F.avg_pool2d(gone, 3, stride=1).gt(0.999).float()
    squares = F.max_pool2d(F.pad(middles, [2] * 4), 3, stride=1)
    assert torch.equal(squares, gone)  # every value that is gone lies in a 3 x 3 square that is gone
    assert torch.equal(layer.eval()(x), x)


def test_drop_block_fits_into_a_small_map() -> None:
    assert drop_block.DropBlock(0.3, 5)(3).train()(torch.ones(2, 3, 2, 2)).shape == (2, 3, 2, 2)


@pytest.mark.parametrize("side", [2, 7, 8])
def test_blur_pooling_is_the_maximum_at_every_pixel_blurred_and_halved(side: int) -> None:
    layer, x = blur_pooling.Blurred((1, 2, 1))(2), noise(3, 2, side, side)
    maximum = F.pad(F.max_pool2d(x, 2, stride=1), [1, 1, 1, 1], mode="replicate")
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    by_hand = torch.stack([F.conv2d(maximum[:, i : i + 1], kernel[None, None], stride=2)[:, 0] for i in (0, 1)], 1)
    assert layer(x).shape == (3, 2, side // 2, side // 2)
    torch.testing.assert_close(layer(x), by_hand)


def test_a_blur_leaves_a_flat_map_flat() -> None:
    for row in ((1, 2, 1), (1, 4, 6, 4, 1)):
        out = blur_pooling.Blurred(row)(2)(torch.full((1, 2, 8, 8), 3.0))
        torch.testing.assert_close(out, torch.full((1, 2, 4, 4), 3.0))


def test_a_separable_convolution_is_one_whose_weights_are_an_outer_product() -> None:
    torch.manual_seed(0)
    layer, x = separable_convolution.Separable(convolution)(4, 6, True), noise(2, 4, 5, 5)
    depthwise, pointwise = (each for each in layer.modules() if isinstance(each, nn.Conv2d))
    whole = pointwise.weight * depthwise.weight[None, :, 0]
    torch.testing.assert_close(layer(x), F.conv2d(x, whole, pointwise.bias, padding=1))
    assert sum(weight.numel() for weight in layer.parameters()) == 4 * 9 + 4 * 6 + 6
    first = separable_convolution.Separable(convolution)(3, 6, True)
    assert isinstance(first, nn.Conv2d)
    assert first.groups == 1


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_thin_convolution_is_one_of_low_rank(share: float) -> None:
    torch.manual_seed(0)
    layer, x = factorised_convolution.Thin(share, convolution)(8, 12, True), noise(2, 8, 5, 5)
    thin, back = (each for each in layer.modules() if isinstance(each, nn.Conv2d))
    whole = (back.weight.flatten(1) @ thin.weight.flatten(1)).view(12, 8, 3, 3)
    assert torch.linalg.matrix_rank(whole.flatten(1)) == 8 * share
    torch.testing.assert_close(layer(x), F.conv2d(x, whole, back.bias, padding=1))


def test_a_convolution_by_axes_is_one_of_their_product() -> None:
    torch.manual_seed(0)
    layer, x = factorised_convolution.ByAxis(convolution)(4, 6, True), noise(2, 4, 5, 5)
    down, across = (each for each in layer.modules() if isinstance(each, nn.Conv2d))
    whole = torch.einsum("omw,mih->oihw", across.weight[:, :, 0], down.weight[:, :, :, 0])
    torch.testing.assert_close(layer(x), F.conv2d(x, whole, across.bias, padding=1))


def test_standardised_weights_have_no_mean_and_unit_deviation() -> None:
    torch.manual_seed(0)
    layer, x = weight_standardisation.standardised(4, 6, True), noise(2, 4, 5, 5)
    assert isinstance(layer, nn.Conv2d)
    rows = layer.weight.flatten(1)
    deviation, mean = torch.std_mean(rows, dim=1, keepdim=True)
    weight = ((rows - mean) / (deviation + 1e-5)).view_as(layer.weight)
    torch.testing.assert_close(layer(x), F.conv2d(x, weight, layer.bias, padding=1))
    scaled = weight_standardisation.standardised(4, 6, True)
    scaled.load_state_dict({"weight": 5 * layer.weight + 1, "bias": layer.bias})
    torch.testing.assert_close(scaled(x), layer(x), atol=1e-4, rtol=1e-4)


def test_ghost_norm_is_batch_norm_of_each_part() -> None:
    layer, plain, x = ghost_norm.Ghost(4)(3), nn.BatchNorm2d(3), noise(10, 3, 5, 5)
    parts = [plain(part) for part in (x[:4], x[4:8], x[8:])]
    torch.testing.assert_close(layer(x), torch.cat(parts))
    assert isinstance(layer, nn.BatchNorm2d)
    assert layer.running_mean is not None
    assert plain.running_mean is not None
    torch.testing.assert_close(layer.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.eval()(x), plain.eval()(x))


def test_batch_norm_follows_at_its_momentum_with_a_scale_that_stays() -> None:
    layer, x = batch_norm_settings.BatchNorm(momentum=0.4, scaled=False)(3), noise(8, 3, 5, 5) + 1
    layer(x).sum().backward()
    assert isinstance(layer, nn.BatchNorm2d)
    torch.testing.assert_close(layer.running_mean, 0.4 * x.mean((0, 2, 3)))
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


def test_a_shortcut_adds_the_input() -> None:
    base = shortcuts.shallow(replace(TINY, norm=absent))
    arms, x = shortcuts.variants(base), noise(2, 3, 32, 32).abs()
    plain, residual = network(base), network(arms["shortcuts"])
    block = next(each for each in residual.modules() if isinstance(each, shortcuts.Block))
    same = next(each for each in plain.modules() if isinstance(each, shortcuts.Block))
    same.load_state_dict(block.state_dict())
    inside = noise(2, 4, 8, 8)
    torch.testing.assert_close(block(inside), F.relu(inside + block.branch(inside)))
    torch.testing.assert_close(same(inside), F.relu(block.branch(inside)))
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in residual.parameters())
    assert residual(x).shape == (2, 4)


@pytest.mark.parametrize("base", [TINY, replace(TINY, norm=absent)], ids=["norm", "no norm"])
def test_zero_gamma_makes_each_block_the_rectified_identity(base: Recipe) -> None:
    arm = shortcuts.variants(base)["shortcuts, zero gamma"]
    module, x = network(arm), noise(4, 4, 8, 8)
    arm.initialise(module, torch.zeros(1, 3, 32, 32))
    block = next(each for each in module.modules() if isinstance(each, shortcuts.Block))
    torch.testing.assert_close(block(x), F.relu(x))


def test_the_deeper_context_has_three_times_the_blocks() -> None:
    assert shortcuts.deep(replace(TINY, network=VGG(((4, 1), (6, 2))))).network == shortcuts.Blocks(
        ((4, 3), (6, 6)), shortcuts=False
    )


def test_stems_change_the_first_layer_alone() -> None:
    for name, arm in stem.variants(TINY).items():
        layers = [each for each in network(arm).modules() if isinstance(each, nn.Conv2d)]
        assert layers[-1].kernel_size == (3, 3), name
        assert layers[-1].in_channels == 4, name
        assert arm.convolution(3, 4, False)(noise(1, 3, 32, 32)).shape[2] == (32 if name == "three 3x3" else 16)


def test_two_by_two_pixels_become_one_of_twelve_channels() -> None:
    layer, x = stem.ToDepth(convolution)(3, 4, False), noise(1, 3, 4, 4)
    made = next(each for each in layer.modules() if isinstance(each, nn.PixelUnshuffle))(x)
    assert torch.equal(made[0, :4, 1, 0], x[0, 0, 2:4, 0:2].flatten())
    assert layer(x).shape == (1, 4, 2, 2)


def test_gyro_dropout_keeps_few_masks_for_long() -> None:
    torch.manual_seed(0)
    layer, x = gyro_dropout.GyroDropout(steps=8, masks=4, at_once=2)(50), torch.ones(6, 50)
    seen = [layer.train()(x) for _ in range(9)]
    for out in seen:
        assert set(out.unique().tolist()) == {0.0, 2.0}
        assert torch.equal(out[0::2], out[0].expand(3, -1))  # every second image has the same mask
        assert torch.equal(out[1::2], out[1].expand(3, -1))
        assert not torch.equal(out[0], out[1])
    assert all(torch.equal(seen[0], out) for out in seen[:4])  # one round, half of the training
    assert all(torch.equal(seen[4], out) for out in seen[4:])  # the second, and whatever is left
    assert not torch.equal(seen[0], seen[4])
    assert torch.equal(layer.eval()(x), x)


def test_the_head_sees_maximum_mean_and_generalised_mean() -> None:
    x = noise(2, 5, 4, 4).abs()
    torch.testing.assert_close(head_pooling.maximum()(x), F.adaptive_max_pool2d(x, 1).flatten(1))
    both = torch.cat([F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)], 1).flatten(1)
    torch.testing.assert_close(head_pooling.both()(x), both)
    torch.testing.assert_close(head_pooling.generalised_mean()(x), (x**3).mean((2, 3)) ** (1 / 3))
    for arm in head_pooling.variants(TINY).values():
        assert network(arm)(noise(2, 3, 32, 32)).shape == (2, 4)


def test_logits_are_scaled() -> None:
    arm, x = logit_scale.variants(TINY)["1/9"], noise(2, 3, 32, 32)
    scaled, plain = network(arm).eval(), network(TINY).eval()
    plain.load_state_dict(scaled.state_dict())
    torch.testing.assert_close(scaled(x), plain(x) / 9)


def test_weights_of_unit_norm_are_torchs_and_start_from_the_bases(toy: DataSet) -> None:
    arms = weight_normalisation.variants(weight_normalisation.without_norm(TINY))
    normed, plain = (build(arm, 0, toy, torch.device("cpu")).module for arm in (arms["weight norm"], TINY))
    layers = [[each for each in module.modules() if isinstance(each, nn.Conv2d)] for module in (normed, plain)]
    for mine, theirs in zip(*layers, strict=True):
        torch.testing.assert_close(mine.weight, theirs.weight)
        length, direction = mine.parametrizations.weight.original0, mine.parametrizations.weight.original1
        unit = direction / direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        torch.testing.assert_close(mine.weight, length * unit)
    spectral = build(arms["spectral norm"], 0, toy, torch.device("cpu")).module.train()
    first = next(each for each in spectral.modules() if isinstance(each, nn.Conv2d))
    with torch.no_grad():
        for _ in range(60):  # each look at the weight is a power iteration
            largest = torch.linalg.matrix_norm(first.weight.flatten(1), 2)
    assert largest.item() == pytest.approx(1, abs=0.02)
