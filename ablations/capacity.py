"""How wide need the network be?

All widths of the base's VGG times 1/4 to 4, at the same rate and number of epochs; work and parameters grow with the
square of the width. On ImageNet of 128 pixels twice the width gained 6 points and half of it lost 5: Mishkin et al.
2017, https://arxiv.org/abs/1606.02228. Reading the gap between training and test: Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7.
"""

from dataclasses import replace

from benchmark.networks import VGG
from benchmark.recipe import Claim, More, Published, Recipe

CLAIMS = [
    Claim(
        "S7.3",
        "Training and test accuracy both low and close: too little capacity.",
        More("baseline", than="width x1/4", of="train accuracy"),
    ),
    Claim(
        "S7.3",
        "A large gap between training and test accuracy: over-fitting.",
        More("width x4", than="width x1/4", of="gap"),
    ),
]

PUBLISHED = {  # https://github.com/ducha-aiki/caffenet-benchmark, ImageNet of 128 pixels, single runs
    ("cifar10", ""): {
        "width x1/2": Published(41.6, "read", runs=1),
        "baseline": Published(47.1, "read", runs=1),
        "width x2": Published(53.3, "read", runs=1),
    }
}
TOUR = ("width x1/4",)


def variants(base: Recipe) -> dict[str, Recipe]:
    if not isinstance(base.network, VGG):
        raise ValueError(f"capacity scales a VGG; the base's network is {base.network!r}")
    arms = {}
    for name, factor in {"1/4": 0.25, "1/2": 0.5, "2": 2, "4": 4}.items():
        stages = tuple((max(1, round(channels * factor)), count) for channels, count in base.network.stages)
        arms[f"width x{name}"] = replace(base, network=VGG(stages))
    return arms
