"""How large should a batch be, and should the rate grow with it?

A quarter to eight times the baseline's batch, for the same number of epochs: at the baseline's rate, and at one in
proportion to the batch, Goyal et al. 2017, https://arxiv.org/abs/1706.02677 (who also warm up, as the baseline does).
A batch is at most the whole training set. Batch norm sees other numbers of images too: these arms do not part the
two.
"""

from dataclasses import replace

from benchmark.recipe import Better, Claim, Recipe

FACTORS = {"/4": 0.25, "/2": 0.5, "x2": 2, "x4": 4, "x8": 8}

CLAIMS = [
    Claim(
        "batch",
        "A large batch wants a rate in proportion.",
        Better(f"batch {by}, rate scaled", than=f"batch {by}"),
    )
    for by in ("x4", "x8")
]


def variants(base: Recipe) -> dict[str, Recipe]:
    arms = {}
    for name, factor in FACTORS.items():
        size = max(1, round(base.batch_size * factor))
        arms[f"batch {name}"] = replace(base, batch_size=size)
        scaled = base.learning_rate * size / base.batch_size
        arms[f"batch {name}, rate scaled"] = replace(base, batch_size=size, learning_rate=scaled)
    return arms
