"""How often verdicts are wrong where rows that nearly have one get, once, the seeds that they lack.

    python -m speed.nearly_resolved [--tables 500]

Made-up tables are judged at three runs of each variant, by `benchmark.evidence.comparison.compare`. Each row that is
unresolved and lacks four seeds at most gets these, and the table is judged again, as one that had been planned so: the
rows were chosen by what was seen, which no correction counts. A table is wrong as in `speed.verdicts`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from math import ceil, sqrt

import numpy as np
from scipy.stats import binomtest

from benchmark.evidence.comparison import Verdict, compare
from speed.verdicts import MARGIN, Floats, made

FIRST, LACKING = 3, 4  # runs of a variant at first; seeds that a row may lack
KINDS = ("normal", "heavy", "x0.3 to x3")
TRUTHS = {"none": (0.0, 0.0), "of the margin": (MARGIN, MARGIN), "half of either": (0.0, MARGIN)}


def is_wrong(verdict: Verdict, effect: float) -> bool:
    """Returns whether a verdict finds what is not there, or nothing or a loss where the effect is the margin."""
    return verdict.word in ("equivalent", "hurts") if effect else verdict.word in ("helps", "hurts")


def judged(scores: Floats, runs: Sequence[int]) -> list[Verdict]:
    """Judges a table of scores (variants and control, runs), of so many runs of each variant."""
    control = scores[-1, : ceil(FIRST * sqrt(len(runs)))].tolist()
    return compare([(scores[n, :count].tolist(), control) for n, count in enumerate(runs)], MARGIN)


def twice(scores: Floats, effects: Sequence[float]) -> tuple[bool, bool]:
    """Returns whether the table is wrong at its first runs, and after rows that lack a few seeds got them."""
    first = judged(scores, [FIRST] * len(effects))
    runs = [FIRST + (each.seeds_needed if each.unresolved and each.seeds_needed <= LACKING else 0) for each in first]
    second = judged(scores, runs)
    once, again = (any(map(is_wrong, found, effects)) for found in (first, second))
    return once, again


def main() -> None:
    """Prints the shares of wrong tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=500)
    tables = parser.parse_args().tables
    for kind, size, (truth, pattern) in product(KINDS, (2, 4, 10), TRUTHS.items()):
        effects = np.array([pattern[n % 2] for n in range(size)])
        runs = max(FIRST + LACKING, ceil(FIRST * sqrt(size)))
        scores = made(kind, tables, effects, runs, np.random.default_rng(1))
        found = np.array([twice(each, effects.tolist()) for each in scores]).sum(axis=0)
        bounds = [binomtest(int(count), tables).proportion_ci(0.95) for count in found]
        said = [f"{n / tables:.1%} [{b.low:.1%}, {b.high:.1%}]" for n, b in zip(found, bounds, strict=True)]
        print(f"{kind}, {size} variants, effects {truth}: {said[0]} at first, {said[1]} in the end", flush=True)


if __name__ == "__main__":
    main()
