"""The arithmetic of the tricks that change the network or its first weights, against references and cases by hand."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, log1p, sqrt, tanh

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import StochasticDepth

from ablations import activation, capacity, depth, filters, first_layer, maxout, stochastic_depth
from ablations.activation import OfTorch
from ablations.filters import Square, Strided, unpadded
from ablations.first_layer import Whitening, whitening
from ablations.initialisation import Normal, Uniform, he_uniform, orthogonal, xavier
from ablations.lsuv import lsuv
from ablations.maxout import GreaterOfTwo, Maxout
from ablations.normalisation import Group
from ablations.pooling import StridedConvolution, average, max_and_average, overlapping
from ablations.stochastic_depth import Residual
from benchmark.baseline import baseline, batch_norm, he_normal, relu
from benchmark.data.splits import DataSet
from benchmark.engine.network import build, resident
from benchmark.engine.training import fit
from benchmark.networks import VGG
from benchmark.recipe import Convolution, Maker, Parts, Recipe, absent, convolution, max_pool

QUICK, STANDARD = baseline("cifar10", "quick"), baseline("cifar10", "standard")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 16) -> Tensor:
    """Standardised, smooth enough for patches of unequal variances."""
    noise = torch.randn(count, 3, 34, 34, generator=rng(1))
    return F.avg_pool2d(noise, 3, 1) * 3


def parts(norm: Maker = batch_norm, convolution: Convolution = convolution, pool: Maker = max_pool) -> Parts:
    return Parts(relu, norm, 10, convolution, pool, absent, absent)


def parts_of(recipe: Recipe) -> Parts:
    r = recipe
    return Parts(r.activation, r.norm, 10, r.convolution, r.pool, r.after_stage, r.before_head)


def made(recipe: Recipe) -> nn.Module:
    """The network of a recipe, with its first weights."""
    torch.manual_seed(0)
    network = recipe.network(parts_of(recipe))
    recipe.initialise(network, images())
    return network


def flops(recipe: Recipe) -> int:
    with FlopCounterMode(display=False) as counter:
        recipe.network(parts_of(recipe))(images(2))
    return counter.get_total_flops()


def layers(of: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in of.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def convolutions(of: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in of.modules() if isinstance(layer, nn.Conv2d)]


# --- activation, maxout


@pytest.mark.parametrize(
    ("name", "by_formula"),
    [
        ("Softplus", lambda x: log1p(exp(x))),
        ("ELU", lambda x: x if x > 0 else exp(x) - 1),
        ("SELU", lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (exp(x) - 1))),
        ("GELU", lambda x: x * (1 + erf(x / sqrt(2))) / 2),
        ("SiLU", lambda x: x / (1 + exp(-x))),
        ("Mish", lambda x: x * tanh(log1p(exp(x)))),
    ],
)
def test_activations_of_torch_by_formula(name: str, by_formula: object) -> None:
    x = torch.linspace(-4, 4, 81)
    expected = [by_formula(each) for each in x.tolist()]  # type: ignore[operator]
    assert activation.variants(TINY)[name].activation == OfTorch(name)
    assert OfTorch(name)(7)(x).tolist() == pytest.approx(expected, abs=1e-5)


def test_shared_prelu_learns_one_slope_a_layer() -> None:
    maker = activation.variants(TINY)["PReLU shared"].activation
    (slope,) = maker(7).parameters()
    assert slope.tolist() == [0.25]
    assert slope.ndim == 1  # so that the engine spares it from weight decay


def test_maxout_is_the_greater_of_two_convolutions() -> None:
    layer = Maxout(convolution)(3, 5, True)
    (both,) = convolutions(layer)
    x = images(2)
    outputs = [F.conv2d(x, both.weight[half], both.bias[half], padding=1) for half in (slice(0, 5), slice(5, 10))]
    assert torch.allclose(layer(x), torch.maximum(*outputs), atol=1e-6)
    assert layer(x).shape == (2, 5, 32, 32)


def test_maxout_costs_about_what_the_baseline_does_and_has_no_other_activation() -> None:
    for base in (QUICK, STANDARD):
        arm = maxout.variants(base)["maxout"]
        assert flops(arm) == pytest.approx(flops(base), rel=0.06)
        assert not any(isinstance(layer, nn.ReLU) for layer in made(arm).modules())


def test_maxout_starts_with_the_mean_square_that_it_gets() -> None:
    """E[max(a, b)^2] = E[a^2] of two independent symmetric numbers; the head's weights stay the base's."""
    arm = maxout.variants(replace(QUICK, network=VGG(((64, 1), (256, 1))), norm=absent))["maxout"]
    torch.manual_seed(0)
    network = arm.network(parts_of(arm))
    arm.initialise(network, images())
    _, second = (layer for layer in network.modules() if isinstance(layer, GreaterOfTwo))
    x = torch.randn(8, 45, 16, 16, generator=rng())
    inside = second(x)[:, :, 1:-1, 1:-1]  # away from the padding
    assert inside.square().mean().item() == pytest.approx(1, rel=0.1)
    head = layers(network)[-1]
    assert head.weight.std().item() == pytest.approx(sqrt(2 / head.weight[0].numel()), rel=0.06)


@pytest.mark.parametrize("module", [maxout, capacity, depth, filters, stochastic_depth])
def test_what_rebuilds_a_vgg_says_so_if_the_base_has_none(module: object) -> None:
    base = replace(TINY, network=Strided(VGG(((4, 1),))))
    adapted = getattr(module, "CONTEXTS", {"": lambda recipe: recipe})
    with pytest.raises(ValueError, match=r"a VGG.*the base's network is Strided"):
        module.variants(list(adapted.values())[-1](base))  # type: ignore[attr-defined]


# --- initialisation, LSUV, depth


@pytest.mark.parametrize(
    ("initialise", "edge"),
    [
        (he_uniform, lambda fan_in, fan_out: sqrt(6 / fan_in)),
        (xavier, lambda fan_in, fan_out: sqrt(6 / (fan_in + fan_out))),
    ],
)
def test_uniform_weights_fill_the_range_they_should(initialise: object, edge: object) -> None:
    torch.manual_seed(0)
    network = VGG(((32, 1), (64, 2)))(parts(absent))
    initialise(network, images(2))  # type: ignore[operator]
    for layer in layers(network):
        fan_in, pixels = layer.weight[0].numel(), layer.weight[0, 0].numel()
        expected = edge(fan_in, len(layer.weight) * pixels)  # type: ignore[operator]
        assert layer.weight.abs().max().item() == pytest.approx(expected, rel=0.02)
        assert layer.weight.abs().max().item() <= expected
        assert layer.weight.abs().mean().item() == pytest.approx(expected / 2, rel=0.1)
        assert not layer.bias.any()


def test_orthogonal_weights_are_sqrt_2_times_orthonormal_rows_or_columns() -> None:
    network = VGG(((32, 1), (64, 2)))(parts(absent))
    orthogonal(network, images(2))
    for layer in layers(network):
        matrix = layer.weight.flatten(1).double()
        rows, columns = matrix.shape
        product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
        assert torch.allclose(product, 2 * torch.eye(min(rows, columns), dtype=torch.double), atol=1e-5)
        assert not layer.bias.any()
    assert layers(network)[0].weight.flatten(1).shape == (32, 27)  # one of the other kind is among them


@pytest.mark.parametrize("part", [lambda: Normal(0.0), lambda: Uniform(-1.0)])
def test_deviations_out_of_range_are_refused(part: object) -> None:
    with pytest.raises(ValueError, match=r"(Normal|Uniform)\.deviation must be above 0, got"):
        part()  # type: ignore[operator]


@pytest.mark.parametrize("norm", [absent, batch_norm])
def test_lsuv_gives_each_layer_unit_variance_on_its_batch_and_leaves_no_other_trace(norm: Maker) -> None:
    torch.manual_seed(0)
    network = VGG(((16, 1), (32, 2)))(parts(norm))
    lsuv(network, images())
    assert not any(layer._forward_hooks for layer in network.modules())
    for name, buffer in network.named_buffers():
        assert not buffer.any() or "running_var" in name
    variances: list[float] = []
    for layer in layers(network):
        matrix = layer.weight.flatten(1)
        norms = matrix.norm(dim=1)
        if len(matrix) <= matrix.shape[1]:  # orthogonal still
            assert torch.allclose(matrix @ matrix.T, norms.square().diag(), atol=1e-4)
        layer.register_forward_hook(lambda layer, inputs, output: variances.append(output.var().item()))
    network.train()(images())
    assert variances == pytest.approx([1] * 4, rel=1e-3)


@pytest.mark.parametrize("base", [TINY, QUICK, STANDARD], ids=["tiny", "quick", "standard"])
def test_plain_networks_are_as_deep_as_their_context_says(base: Recipe) -> None:
    for count in (8, 16, 32):
        recipe = depth.CONTEXTS[f"{count} layers"](base)
        network = recipe.network(parts_of(recipe))
        assert len(convolutions(network)) == count
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def test_rectifiers_halve_the_mean_square_at_each_layer_unless_the_weights_make_up_for_it() -> None:
    """He et al. 2015, section 2.2: 2 / n keeps it, 1 / n loses a factor of 2 a layer."""
    base = replace(QUICK, network=VGG(((256, 8),)), norm=absent)
    squares = {}
    for name, arm in depth.variants(base).items():
        network = made(arm)
        x = torch.randn(4, 256, 4, 4, generator=rng())
        for layer in convolutions(network)[1:]:
            x = F.conv2d(F.pad(x, [1] * 4, mode="circular"), layer.weight).relu()
        squares[name] = x.square().mean().item()
    assert squares["He"] == pytest.approx(1, rel=0.5)
    assert squares["orthogonal"] == pytest.approx(1, rel=0.5)
    assert squares["1/sqrt(n)"] == pytest.approx(2**-7, rel=0.5)
    assert squares["Xavier"] == pytest.approx(2**-7, rel=0.5)
    assert squares["normal 0.01"] == pytest.approx((0.01**2 * 9 * 256 / 2) ** 7, rel=0.5)


def test_a_base_too_deep_for_a_context_is_refused() -> None:
    base = replace(TINY, network=VGG(((4, 8), (4, 1))))
    with pytest.raises(ValueError, match="no room for a last one within 8 layers"):
        depth.CONTEXTS["8 layers"](base)


# --- filters, pooling, capacity


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_square_filters_keep_the_size_of_the_map(size: int) -> None:
    layer = Square(size)(3, 4, True)
    assert layer(images(2)).shape == (2, 4, 32, 32)
    assert sum(p.numel() for p in layer.parameters()) == 4 * (3 * size**2 + 1)
    assert Square(size)(3, 4, False).bias is None


@pytest.mark.parametrize("size", [0, -3, 2])
def test_sizes_of_filters_out_of_range_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"Square.size must be odd and at least 1, got {size}"):
        Square(size)


@pytest.mark.parametrize("size", [1, 5, 7])
def test_filters_at_equal_cost_cost_about_as_much(size: int) -> None:
    for base, tolerance in ((QUICK, 0.18), (STANDARD, 0.05)):
        arms = filters.variants(base)
        assert flops(arms[f"{size}x{size} at equal cost"]) == pytest.approx(flops(base), rel=tolerance)
        assert flops(arms[f"{size}x{size}"]) == pytest.approx(flops(base) * size**2 / 9, rel=0.01)


class EverySecond(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, ::2, ::2]


def test_stride_2_gives_every_second_place_of_stride_1() -> None:
    network = VGG(((8, 1), (12, 2), (12, 2)))  # the last stage keeps the number of channels
    strided, cut = Strided(network)(parts()), network(parts(pool=lambda channels: EverySecond()))
    cut.load_state_dict(strided.state_dict())
    assert torch.allclose(strided(images(4)), cut(images(4)), atol=1e-5)
    assert [layer.stride[0] for layer in convolutions(strided)] == [2, 2, 1, 2, 1]
    assert flops(replace(QUICK, network=Strided(network))) < flops(replace(QUICK, network=network)) / 2


def test_without_padding_maps_shrink_until_nothing_would_be_left() -> None:
    layer = unpadded(3, 4, False)
    x = images(2)
    assert torch.allclose(layer(x), F.conv2d(x, layer.weight), atol=1e-6)
    assert [layer(x[..., :size, :size]).shape[-1] for size in (1, 2, 3, 4, 5, 15)] == [1, 2, 3, 2, 3, 13]
    for base in (TINY, QUICK, STANDARD):
        assert made(filters.variants(base)["no padding"])(images(2)).shape == (2, 10)


def test_poolings_by_hand() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert overlapping(1)(x).flatten().tolist() == [5, 7, 13, 15]
    assert overlapping(1)(-x).flatten().tolist() == [0, -1, -4, -5]  # where windows overlap and the padding is less
    assert average(1)(x).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert max_and_average(1)(x).flatten().tolist() == [3.75, 5.75, 11.75, 13.75]


@pytest.mark.parametrize("norm", [absent, batch_norm])
def test_a_strided_convolution_in_place_of_pooling_follows_norm_and_activation(norm: Maker) -> None:
    layer = StridedConvolution(norm, relu)(6)
    (inner,) = convolutions(layer)
    x = torch.randn(4, 6, 8, 8, generator=rng())
    expected = F.conv2d(norm(6)(x).relu(), inner.weight, inner.bias, stride=2, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-6)
    assert expected.shape == (4, 6, 4, 4)
    assert (inner.bias is None) == (norm is batch_norm)


def test_widths_are_scaled_and_never_zero() -> None:
    stages = {name: arm.network.stages for name, arm in capacity.variants(QUICK).items()}  # type: ignore[attr-defined]
    assert stages == {
        "width x1/4": ((4, 1), (8, 2), (16, 2)),
        "width x1/2": ((8, 1), (16, 2), (32, 2)),
        "width x2": ((32, 1), (64, 2), (128, 2)),
        "width x4": ((64, 1), (128, 2), (256, 2)),
    }
    narrow = capacity.variants(replace(QUICK, network=VGG(((1, 1),))))["width x1/4"]
    assert narrow.network == VGG(((1, 1),))


# --- normalisation, stochastic depth, first layer


@pytest.mark.parametrize(
    ("maker", "channels", "groups"), [(Group(8), 12, 4), (Group(8), 16, 8), (Group(1), 12, 1), (Group(8), 7, 1)]
)
def test_group_norms_by_hand(maker: Maker, channels: int, groups: int) -> None:
    x = torch.randn(3, channels, 5, 5, generator=rng())
    grouped = x.double().numpy().reshape(3, groups, -1)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    layer = maker(channels)
    assert np.allclose(layer(x).detach().numpy(), expected, atol=1e-5)
    assert [p.shape for p in layer.parameters()] == [(channels,), (channels,)]
    assert torch.isfinite(layer(x[:, :, :1, :1])).all()


def test_groups_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Group\.groups must be at least 1, got 0"):
        Group(0)


def dropped(network: nn.Module) -> list[StochasticDepth]:
    return [layer for layer in network.modules() if isinstance(layer, StochasticDepth)]


def test_survival_falls_linearly_to_the_last_block() -> None:
    network = Residual(((4, 1), (6, 3)), survival=0.6)(parts())
    assert [layer.p for layer in dropped(network)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert {layer.mode for layer in dropped(network)} == {"row"}
    assert [layer.p for layer in dropped(Residual(((4, 1), (6, 3)))(parts()))] == [0] * 4


def test_blocks_are_skipped_for_each_image_on_its_own_and_only_in_training() -> None:
    torch.manual_seed(0)
    block = dropped_block(0.5)
    x = torch.randn(1, 4, 6, 6, generator=rng()).expand(400, -1, -1, -1)
    with torch.no_grad():
        whole = block.eval()(x[:1])
        block.branch[-1].train()  # the draw alone
        outputs = block(x)
    skipped = torch.tensor([torch.equal(each, x[0].relu()) for each in outputs])
    branch = block.branch.eval()(x[:1])
    assert torch.allclose(whole, (x[:1] + branch).relu())
    assert torch.allclose(outputs[~skipped], (x[:1] + 2 * branch).relu(), atol=1e-5)
    assert skipped.sum() == pytest.approx(200, abs=5 * sqrt(100))


def dropped_block(survival: float) -> stochastic_depth.Block:
    return stochastic_depth.Block(parts(), 4, survival)


def test_the_residual_network_has_two_convolutions_a_block_and_one_a_stage() -> None:
    base = stochastic_depth.residual(QUICK)
    assert len(convolutions(made(base))) == 3 + 2 * 5
    assert made(base)(images(2)).shape == (2, 10)
    assert flops(base) < 2.5 * flops(QUICK)
    assert all((c.bias is None) for c in convolutions(made(base)))
    assert all((c.bias is not None) for c in convolutions(made(replace(base, norm=absent))))


@pytest.mark.parametrize("survival", [0, 1.1])
def test_survival_out_of_range_is_refused(survival: float) -> None:
    with pytest.raises(ValueError, match=r"Residual\.survival must be in \(0, 1\], got"):
        Residual(((4, 1),), survival)


def test_whitening_filters_make_uncorrelated_outputs_of_unit_variance() -> None:
    x = images(32)
    kernel = whitening(x, (3, 3), 1e-12)
    assert kernel.shape == (27, 3, 3, 3)
    outputs = F.conv2d(x.double(), kernel.double()).movedim(1, 0).flatten(1)
    assert torch.allclose(outputs.cov(), torch.eye(27, dtype=torch.double), atol=1e-4)
    widths = kernel.flatten(1).norm(dim=1)  # 1 / deviation: the greatest variance comes first
    assert (widths.diff() > 0).all()
    patches = np.lib.stride_tricks.sliding_window_view(x.numpy(), (3, 3), (2, 3))
    covariance = np.cov(patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 27).T.astype(float))
    greatest = np.linalg.eigvalsh(covariance)[-1]
    assert widths[0].item() == pytest.approx(1 / sqrt(greatest), rel=1e-4)


def test_a_larger_epsilon_shrinks_the_filters_of_small_variance() -> None:
    little, much = (whitening(images(), (3, 3), e).flatten(1).norm(dim=1) for e in (1e-12, 1.0))
    assert (1 / much.square() - 1 / little.square()).tolist() == pytest.approx([1.0] * 27, rel=0.01)


@pytest.mark.parametrize("channels", [5, 16, 64])
def test_the_first_layer_has_whitening_filters_and_their_negatives_and_the_rest_is_the_bases(channels: int) -> None:
    base = replace(QUICK, network=VGG(((channels, 1), (6, 1))))
    plain, *others = layers(made(base))
    white, *same = layers(made(replace(base, initialise=Whitening(he_normal, frozen=True))))
    pairs = min(27, channels // 2)
    kernel = whitening(images(), (3, 3), 5e-4)
    half = min(27, (channels + 1) // 2)
    assert torch.equal(white.weight[:half], kernel[:half])
    assert torch.equal(white.weight[half : half + pairs], -kernel[:pairs])
    assert torch.equal(white.weight[half + pairs :], plain.weight[half + pairs :])
    assert all(torch.equal(mine.weight, its.weight) for mine, its in zip(same, others, strict=True))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_filters_keep_every_bit_in_training(frozen: bool, toy: DataSet) -> None:
    recipe = replace(first_layer.variants(TINY)["frozen" if frozen else "trained"], weight_decay=0.1)
    network = build(recipe, 0, toy, torch.device("cpu"))
    before = [layer.weight.detach().clone() for layer in layers(network.module)]
    train_split, validation, _ = resident(toy, torch.device("cpu"))
    fit(recipe, 0, network, train_split, validation, 4)
    changed = [not torch.equal(old, layer.weight) for old, layer in zip(before, layers(network.module), strict=True)]
    assert changed == [not frozen, True, True]


def test_epsilon_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Whitening\.epsilon must be above 0, got 0"):
        Whitening(he_normal, True, 0.0)
