"""The arithmetic of each trick's parts, against references and cases worked out by hand."""

from __future__ import annotations

from math import cos, pi, sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from torch import Tensor, nn

from ablations.activation import Leaky, RandomLeaky, prelu, rrelu_of_torch, sigmoid, tanh
from ablations.augmentation import RotateAndScale, turned
from ablations.initialisation import Normal, Uniform, calibrated, zeros
from ablations.schedule import Plateau, Steps, cosine, linear
from benchmark.baseline import Crop, InTurn, WarmUpAndDecay, batch_norm, flip, he_normal, mirrored, relu
from benchmark.networks import VGG
from benchmark.recipe import MaxPool, Parts, Validation, absent, convolution, max_pool


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64) -> Tensor:
    """As the engine gives them: channels-last in memory, values in [0, 1]."""
    return torch.rand(count, 32, 32, 3, generator=rng(1)).permute(0, 3, 1, 2)


NO_TARGETS = torch.empty(0)

# --- augmentation


def test_flip_mirrors_about_half_of_the_images_and_leaves_the_others() -> None:
    before = images(1000)
    after, _ = flip(before, NO_TARGETS, rng())
    same = (after == before).flatten(1).all(1)
    turned_over = (after == tv.horizontal_flip(before)).flatten(1).all(1)
    assert (same ^ turned_over).all()
    assert turned_over.sum() == pytest.approx(500, abs=5 * sqrt(250))


def test_crop_is_a_window_of_the_image_padded_by_reflection() -> None:
    before = images()
    after, _ = Crop(4)(before, NO_TARGETS, rng())
    padded = F.pad(before, [4] * 4, mode="reflect")
    corners = []
    for image, cut in zip(padded, after, strict=True):
        found = [(r, c) for r in range(9) for c in range(9) if torch.equal(image[:, r : r + 32, c : c + 32], cut)]
        assert len(found) == 1
        corners += found
    assert len(set(corners)) > 30  # each image has its own draw
    assert {r for r, _ in corners} == {c for _, c in corners} == set(range(9))


def test_mirrored_indices_by_hand() -> None:
    assert mirrored(torch.arange(-3, 8), 5).tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]


def test_in_turn_applies_one_after_the_other() -> None:
    before, generator = images(), rng()
    first, _ = Crop(4)(before, NO_TARGETS, generator)
    expected, _ = flip(first, NO_TARGETS, generator)
    assert torch.equal(InTurn((Crop(4), flip))(before, NO_TARGETS, rng())[0], expected)


@pytest.mark.parametrize(("degrees", "magnification"), [(0.0, 1.0), (10.0, 1.0), (-15.0, 1.1), (7.0, 0.9)])
def test_turned_is_torchvisions_affine_for_each_image(degrees: float, magnification: float) -> None:
    before = images(2)
    after = turned(before, torch.full((2,), degrees), torch.full((2,), magnification))
    expected = tv.affine(
        before,
        angle=-degrees,  # torchvision turns clockwise
        translate=[0.0, 0.0],
        scale=magnification,
        shear=[0.0, 0.0],
        interpolation=tv.InterpolationMode.BILINEAR,
    )
    middle = slice(8, 24)  # away from the border, which torchvision fills with zeros
    assert torch.allclose(after[..., middle, middle], expected[..., middle, middle], atol=1e-4)


def test_rotation_and_scaling_draw_for_each_image_within_their_range() -> None:
    before = images(1).expand(200, -1, -1, -1)
    after, _ = RotateAndScale(15, 0.15)(before, NO_TARGETS, rng())
    assert len({float(each.sum()) for each in after}) > 190
    assert after.min() >= 0
    assert after.max() <= 1
    unchanged, _ = RotateAndScale(0, 0)(before, NO_TARGETS, rng())
    assert torch.allclose(unchanged, before, atol=1e-5)


@pytest.mark.parametrize("part", [lambda: Crop(0), lambda: RotateAndScale(181, 0.1), lambda: RotateAndScale(1, 1.0)])
def test_augmentations_out_of_range_are_refused(part: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        part()  # type: ignore[operator]


# --- activation


def test_sigmoid_tanh_and_leaky_by_formula() -> None:
    x = torch.linspace(-4, 4, 101)
    assert torch.allclose(sigmoid(1)(x), 1 / (1 + (-x).exp()))
    assert torch.allclose(tanh(1)(x), (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()))
    assert torch.allclose(relu(1)(x.clone()), x.clamp_min(0))
    for a in (100, 5.5):
        assert torch.allclose(Leaky(a)(1)(x), torch.where(x < 0, x / a, x))
    with pytest.raises(ValueError, match=r"Leaky\.a must be above 1"):
        Leaky(0.5)


def test_prelu_learns_one_slope_a_channel_from_a_quarter_and_no_two_layers_share_it() -> None:
    first, second = prelu(7), prelu(7)
    (slope,) = first.parameters()
    assert slope.tolist() == [0.25] * 7
    assert slope.ndim == 1  # so that the engine spares it from weight decay
    assert slope.data_ptr() != next(second.parameters()).data_ptr()


def test_rrelu_draws_as_the_paper_says() -> None:
    """a ~ U(3, 8): mean 5.5, variance 25/12; 2/11 in testing. Xu et al. 2015."""
    layer, x = RandomLeaky(), -torch.ones(100_000)
    torch.manual_seed(0)
    a = -1 / layer(x)
    assert (a.min().item(), a.max().item()) == pytest.approx((3, 8), abs=0.01)
    assert a.mean().item() == pytest.approx(5.5, abs=0.03)
    assert a.var().item() == pytest.approx(25 / 12, abs=0.05)
    assert torch.equal(layer(torch.ones(5)), torch.ones(5))
    assert torch.allclose(layer.eval()(x), x * (2 / 11))


def test_rrelu_of_torch_is_another_distribution() -> None:
    """The slope itself ~ U(1/8, 1/3), its mean 11/48 in testing."""
    layer = rrelu_of_torch(1)
    assert layer.eval()(torch.tensor([-1.0])).item() == pytest.approx(-11 / 48)


# --- initialisation


def network(norm: bool = True) -> nn.Module:
    return VGG(((32, 1), (64, 2)))(
        Parts(relu, batch_norm if norm else absent, 10, convolution, max_pool, absent, absent)
    )


def layers(of: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in of.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize(
    ("initialise", "deviation"),
    [
        (Normal(0.01), lambda fan_in: 0.01),
        (Normal(0.001), lambda fan_in: 0.001),
        (Uniform(0.01), lambda fan_in: 0.01),
        (calibrated, lambda fan_in: 1 / sqrt(fan_in)),
        (he_normal, lambda fan_in: sqrt(2 / fan_in)),
    ],
)
def test_initial_weights_have_the_deviation_they_should(initialise: object, deviation: object) -> None:
    torch.manual_seed(0)
    net = network(norm=False)
    for layer in layers(net):
        nn.init.ones_(layer.bias)  # type: ignore[arg-type]  # without a norm every layer has one
    initialise(net, images(2))  # type: ignore[operator]
    for layer in layers(net):
        fan_in = layer.weight[0].numel()
        expected = deviation(fan_in)  # type: ignore[operator]
        spread = 4 * expected / sqrt(2 * layer.weight.numel())  # four standard errors of a normal's deviation
        assert layer.weight.std().item() == pytest.approx(expected, abs=spread)
        assert layer.weight.mean().item() == pytest.approx(0, abs=4 * expected / sqrt(layer.weight.numel()))
        assert layer.bias is not None
        assert not layer.bias.any()


def test_uniform_is_uniform_up_to_its_edge() -> None:
    net = network()
    Uniform(0.01)(net, images(2))
    weight = layers(net)[2].weight
    assert weight.abs().max().item() == pytest.approx(0.01 * sqrt(3), rel=0.01)


def test_zeros_are_zero_and_give_every_class_the_same() -> None:
    net = network()
    zeros(net, images(2))
    assert not net.eval()(images(2)).any()


# --- schedule


@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 0.9])
def test_schedules_by_formula(t: float) -> None:
    assert linear(t, []) == 1 - t
    assert cosine(t, []) == (1 + cos(pi * t)) / 2


def test_steps_by_hand() -> None:
    factors = [Steps(10, (0.5, 0.75))(t, []) for t in (0, 0.49, 0.5, 0.74, 0.75, 0.99)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_warm_up_and_decay_by_hand() -> None:
    factors = [WarmUpAndDecay(0.2)(t, []) for t in (0, 0.1, 0.2, 0.6, 1.0)]
    assert factors == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert WarmUpAndDecay(0)(0.25, []) == 0.75


@pytest.mark.parametrize("divisor", [2, 5, 10])
def test_plateau_falls_after_each_wait(divisor: float) -> None:
    history = [Validation(1.0, accuracy) for accuracy in (0.5, 0.6, 0.6, 0.6, 0.7, 0.6, 0.6)]
    factors = [Plateau(divisor, 2)(0.0, history[:n]) for n in range(8)]
    assert factors == pytest.approx([1, 1, 1, 1, 1 / divisor, 1 / divisor, 1 / divisor, 1 / divisor**2])


def test_plateau_keeps_no_state_from_one_run_to_the_next() -> None:
    plateau, flat = Plateau(10, 1), [Validation(1.0, 0.5)] * 5
    assert plateau(0.5, flat) == pytest.approx(1e-4)
    assert plateau(0.0, []) == 1


# --- network


def test_vgg_is_3x3_convolutions_with_stride_1_and_padding_1_under_2x2_pooling() -> None:
    net = network()
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert all((c.kernel_size, c.stride, c.padding) == ((3, 3), (1, 1), (1, 1)) for c in convolutions)
    assert sum(isinstance(layer, MaxPool) for layer in net.modules()) == 2
    assert net(images(2)).shape == (2, 10)
    assert all(c.bias is None for c in convolutions)


def test_pooling_ahead_of_norm_and_rectifier_is_pooling_behind_them() -> None:
    """True of increasing functions: a norm with positive scale, and a rectifier."""
    x = torch.randn(2, 8, 16, 16, generator=rng())
    norm = nn.BatchNorm2d(8).eval()
    assert torch.allclose(F.relu(norm(F.max_pool2d(x, 2))), F.max_pool2d(F.relu(norm(x)), 2))


@pytest.mark.parametrize("size", [(8, 8), (7, 8), (5, 3)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_pooling_is_torchs_with_and_without_gradient(size: tuple[int, int], kind: torch.dtype) -> None:
    x = torch.randn(3, 4, *size, generator=rng()).to(kind).to(memory_format=torch.channels_last)
    x[0, 0, 0, 0] = float("nan")
    expected = F.max_pool2d(x, 2)
    for mode in (torch.enable_grad(), torch.inference_mode()):
        with mode:
            assert torch.equal(MaxPool()(x).nan_to_num(9.0), expected.nan_to_num(9.0))


def test_pixels_run_from_0_to_1() -> None:
    from benchmark.engine.network import pixels

    assert pixels(torch.tensor([0, 128, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 128 / 255, 1])
    assert np.isclose(pixels(torch.tensor([255], dtype=torch.uint8)).item(), 1.0)
