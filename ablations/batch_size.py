"""How large should a batch be, and should the rate grow with it?

A quarter to eight times the baseline's batch, for the same number of epochs: at the baseline's rate, and at one in
proportion to the batch, Goyal et al. 2017, https://arxiv.org/abs/1706.02677 (who also warm up, as the baseline does).
A batch is at most the whole training set. Batch norm sees other numbers of images too: these arms do not part the
two.
What the band of the per-batch losses says of the batch: Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7, and https://cs231n.github.io/neural-networks-3/.
"""

from dataclasses import replace
from itertools import pairwise

from benchmark.recipe import Better, Claim, More, NotBetter, Recipe

FACTORS = {"/4": 0.25, "/2": 0.5, "x2": 2, "x4": 4, "x8": 8}

SIZES = ("batch /4", "baseline", "batch x4")
CLAIMS = [
    *(
        Claim(
            "batch",
            "A large batch wants a rate in proportion.",
            Better(f"batch {by}, rate scaled", than=f"batch {by}"),
        )
        for by in ("x4", "x8")
    ),
    *(
        Claim(
            "S4.6",
            "The rate need not change with the batch.",
            NotBetter(f"batch {by}, rate scaled", than=f"batch {by}"),
        )
        for by in ("/2", "x2")
    ),
    *(
        Claim("S7.2", "The band of the per-batch loss narrows as the batch grows.", More(small, than=large, of="band"))
        for small, large in pairwise(SIZES)
    ),
]

TOUR = ("batch x4",)


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {}
    for name, factor in FACTORS.items():
        size = max(1, round(base.batch_size * factor))
        arms[f"batch {name}"] = replace(base, batch_size=size)
        scaled = base.learning_rate * size / base.batch_size
        arms[f"batch {name}, rate scaled"] = replace(base, batch_size=size, learning_rate=scaled)
    return arms
