"""Networks of papers: the numbers of parameters that are known of them, shapes, and what the recipe's parts reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmark.baseline import (
    Stacked,
    batch_norm,
    contrast_normalised,
    relu,
    standardise,
)
from benchmark.networks import (
    Chain,
    Drop,
    Filter,
    Flat,
    Halve,
    Layer,
    Mean,
    PaddedShortcut,
    ResNet,
    Units,
    residual_18,
    residual_network,
)
from benchmark.recipe import Parts, absent, convolution, max_pool

PLAIN = Parts(
    activation=relu,
    norm=absent,
    classes=10,
    convolution=convolution,
    pool=max_pool,
    after_stage=absent,
    before_head=absent,
)
NORMED = replace(PLAIN, norm=batch_norm)


def filters(*counts: int) -> tuple[Layer, ...]:
    return tuple(Filter(count, 3, padding=1) for count in counts)


def mlpconv(size: int, *counts: int) -> tuple[Layer, ...]:
    return Filter(counts[0], size, padding=size // 2), *(Filter(count, 1) for count in counts[1:])


CHAINS: dict[str, tuple[tuple[Layer, ...], int]] = {
    "LeNet": ((Filter(6, 5), Halve(), Filter(16, 5), Halve(), Flat(), Units(120), Units(84)), 62_006),
    "MLP": ((Flat(), *(Units(1000),) * 5), 3073 * 1000 + 4 * 1001 * 1000 + 10_010),
    "NIN": (
        (*mlpconv(5, 192, 160, 96), Halve(), *mlpconv(5, 192, 192, 192), Halve(), *mlpconv(3, 192, 192), Mean()),
        966_986,  # the 0.97 million of https://github.com/BIGBALLON/cifar-10-cnn
    ),
    "FitNet-4": (
        (
            *(Drop(0.2), *filters(32, 32, 32, 48, 48), Halve(), *filters(*(80,) * 6), Halve()),
            *(*filters(*(128,) * 6), Halve(), Flat(), Units(500)),
        ),
        2_236_806,  # 896 + 2 * 9248 + 13,872 + 20,784 + 34,640 + 5 * 57,680 + 92,288 + 5 * 147,584 + 1,024,500 + 5010
    ),
    "All-CNN-C": (
        (
            *(Filter(96, 3, padding=1), Filter(96, 3, padding=1), Filter(96, 3, 2, 1), Drop(0.5)),
            *(Filter(192, 3, padding=1), Filter(192, 3, padding=1), Filter(192, 3, 2, 1), Drop(0.5)),
            *(Filter(192, 3, padding=1), Filter(192, 1), Mean()),
        ),
        1_369_738,  # 2688 + 2 * 83,040 + 166,080 + 3 * 331,968 + 37,056 + 1930: 1.37 million
    ),
    "dropout net": (
        (
            *(Filter(96, 5, padding=2), Halve(), Filter(128, 5, padding=2), Halve(), Filter(256, 5, padding=2)),
            *(Halve(), Flat(), Units(2048), Drop(0.5), Units(2048), Drop(0.5)),
        ),
        7296 + 307_328 + 819_456 + 4097 * 2048 + 2049 * 2048 + 20_490,
    ),
}


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("name", CHAINS)
def test_chains_have_the_known_numbers_of_parameters(name: str) -> None:
    layers, count = CHAINS[name]
    with torch.device("meta"):
        network = Chain(layers)(PLAIN)
        assert network(torch.empty(2, 3, 32, 32)).shape == (2, 10)
    assert parameters(network) == count


# The counts of https://github.com/akamaster/pytorch_resnet_cifar10, and of https://github.com/kuangliu/pytorch-cifar,
# whose pre-activated ResNet-18 lacks the last norm's 1,024.
@pytest.mark.parametrize(
    ("network", "count"),
    [
        (residual_network(20), 269_722),
        (residual_network(32), 464_154),
        (residual_network(56), 853_018),
        (residual_network(110), 1_727_962),
        (residual_18(), 11_173_962),
        (residual_18(preactivated=True), 11_171_146 + 1024),
    ],
)
def test_residual_networks_have_the_known_numbers_of_parameters(network: ResNet, count: int) -> None:
    with torch.device("meta"):
        made = network(NORMED)
        assert made(torch.empty(2, 3, 32, 32)).shape == (2, 10)
    assert parameters(made) == count


@pytest.mark.parametrize("depth", [2, 19, 21])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"6n \\+ 2, such as 20, 32, 56 or 110, got {depth}"):
        residual_network(depth)


def test_a_chain_that_ends_in_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match="must end in Flat, Mean or Units"):
        Chain((Filter(4, 3),))(PLAIN)
    with pytest.raises(ValueError, match=r"Drop\.share must be in \[0, 1\), got 1\.5"):
        Drop(1.5)


@pytest.mark.parametrize("preactivated", [False, True])
@pytest.mark.parametrize("parts", [PLAIN, NORMED], ids=["no norm", "norm"])
def test_a_block_with_an_empty_branch_is_its_shortcut(parts: Parts, preactivated: bool) -> None:
    """Also without a norm, where an activation in place must not change what the shortcut carries."""
    network = ResNet(((4, 1),), preactivated)(parts).eval()
    block = network.get_submodule("features")[1 if preactivated else 3]  # type: ignore[index]  # a Sequential
    for layer in block.branch.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    x = torch.randn(2, 4, 8, 8)
    expected = x.clone() if preactivated else x.clamp_min(0)
    assert torch.equal(block(x.clone()), expected)


def test_the_padded_shortcut_by_hand() -> None:
    x = torch.arange(32.0).view(1, 2, 4, 4)
    out = PaddedShortcut(2, 2)(x)
    assert out.shape == (1, 4, 2, 2)
    assert torch.equal(out[:, 1:3], x[:, :, ::2, ::2])
    assert not out[:, [0, 3]].any()


def test_the_recipes_parts_reach_the_networks() -> None:
    def made(channels: int) -> nn.Module:
        return nn.SiLU()

    for network in (Chain((Filter(4, 3), Halve(), Flat(), Units(6))), ResNet(((4, 1), (8, 1)))):
        layers = list(network(replace(NORMED, activation=made, pool=lambda channels: nn.AvgPool2d(2))).modules())
        assert any(isinstance(each, nn.SiLU) for each in layers)
        assert any(isinstance(each, nn.BatchNorm2d) for each in layers)
        assert not any(isinstance(each, nn.ReLU) for each in layers)


def test_contrast_is_normalised_image_by_image() -> None:
    images = torch.rand(5, 3, 8, 8)
    out = contrast_normalised(images)(images)
    rows = images.flatten(1) * 255
    expected = (rows - rows.mean(1, keepdim=True)) / (rows.var(1, keepdim=True) + 10).sqrt()
    assert torch.allclose(out.flatten(1), expected, atol=1e-5)
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert not contrast_normalised(images)(flat).any()


def test_a_second_preprocessing_is_fitted_on_what_the_first_gives() -> None:
    images = torch.rand(50, 3, 8, 8)
    both = Stacked((contrast_normalised, standardise))(images)

    def by_hand(x: Tensor) -> Tensor:
        first = contrast_normalised(images)
        return standardise(first(images))(first(x))

    assert torch.equal(both(images[:7]), by_hand(images[:7]))
    assert both(images).mean((0, 2, 3)).abs().max() < 1e-5
