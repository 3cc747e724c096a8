"""Given a pre-trained network, which of its layers should learn the new task, and how fast?

Two factors decide: how many new images there are, and how similar the old task is: Wei 2015, section 4,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html; Yosinski et al. 2014, https://arxiv.org/abs/1411.1792.
The old task is the other CIFAR set (similar) or fractal10 (different), learned from all its images as the baseline
learns. Linear: a new classifier on features of the last stage, or a lower one; all below stays. Slow: a tenth of the
rate. Layer-wise: half of the layer above's. The control starts from scratch. Few images get up to 4 times the epochs.
"""

from dataclasses import dataclass, replace
from functools import partial

from benchmark.networks import VGG
from benchmark.recipe import Better, Claim, NotBetter, Published, Recipe

OLD = {
    "cifar10": {"similar": "cifar100", "different": "fractal10"},
    "cifar100": {"similar": "cifar10", "different": "fractal10"},
    "fractal10": {"similar": "fractal10", "different": "cifar10"},
}
ELSE = {"similar": "cifar10", "different": "fractal10"}  # for a data set of the user's, "similar" is a guess
SLOW = 0.1  # of the baseline's rate


@dataclass(frozen=True)
class Top:
    layers: int  # that learn, the classifier among them

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"Top.layers must be at least 1, got {self.layers!r}")

    def __call__(self, above: int) -> float:
        return float(above < self.layers)


@dataclass(frozen=True)
class LayerWise:
    share: float  # of the rate of the layer above

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"LayerWise.share must be in (0, 1], got {self.share!r}")

    def __call__(self, above: int) -> float:
        return self.share**above


def few(count: int, base: Recipe) -> Recipe:
    """At most `count` training images; the baseline's 45,000 where it does not say."""
    images = min(count, base.images or 45_000)
    more = min(4, max(1, (base.images or 45_000) // images))
    return replace(base, images=images, epochs=more * base.epochs)


def ways(old: Recipe, base: Recipe) -> dict[str, Recipe]:
    start = replace(base, start_from=old)
    slow = replace(start, learning_rate=SLOW * base.learning_rate)
    if not isinstance(base.network, VGG) or len(base.network.stages) < 2:
        raise ValueError(f"fine_tuning cuts a VGG of two and more stages; the base's network is {base.network!r}")
    stages, last = base.network.stages, 1 + base.network.stages[-1][1]
    lower = {"still " * n + "lower": stages[: len(stages) - 1 - n] for n in range(len(stages) - 1)}
    cut = {f"linear, {name}": replace(start, network=VGG(kept), rates=Top(1)) for name, kept in lower.items()}
    return {
        **cut,
        "linear": replace(start, rates=Top(1)),
        "last stage, slow": replace(slow, rates=Top(last)),
        "all, slow": slow,
        "all": start,
        "layer-wise": replace(start, rates=LayerWise(0.5)),
    }


SIZES = {"500 images": 500, "2,000 images": 2_000, "10,000 images": 10_000, "all images": 10**9}
CONTEXTS = {name: partial(few, count) for name, count in SIZES.items()}
LITTLE, MUCH = "500 images", "all images"
ADVICE = {  # S4.5, cell by cell: what to do, and what it is to be no worse than
    (LITTLE, "similar"): ("linear", ("linear, lower", "last stage, slow", "all, slow", "all")),
    (MUCH, "similar"): ("last stage, slow", ("linear", "linear, lower", "all, slow", "all")),
    (LITTLE, "different"): ("linear, lower", ("linear", "last stage, slow", "all, slow", "all")),
    (MUCH, "different"): ("all, slow", ("linear", "linear, lower", "last stage, slow", "all")),
}
CLAIMS = [
    *(
        Claim("S4.4", f"A {kind} pre-trained start beats a random one.", Better(f"{kind}: all"), context=size)
        for size in CONTEXTS
        for kind in ("similar", "different")
    ),
    *(
        Claim("S4.5", f"{size}, {kind}: {best} is best.", NotBetter(f"{kind}: {other}", f"{kind}: {best}"), size)
        for (size, kind), (best, others) in ADVICE.items()
        for other in others
    ),
]
PUBLISHED = {  # Kataoka et al. 2020, ResNet-50 from scratch and from FractalDB-1k
    ("cifar10", "all images"): {"baseline": Published(87.6, "recalled"), "different: all": Published(93.4, "recalled")}
}
TWO_FACTORS = ("old task", "way")


def variants(base: Recipe, original: Recipe) -> dict[str, Recipe]:
    old = {kind: replace(original, data=name, images=None) for kind, name in OLD.get(base.data, ELSE).items()}
    return {f"{kind}: {way}": arm for kind, task in old.items() for way, arm in ways(task, base).items()}
