"""How often tests besides the verdicts are wrong: the best of several ways, changes of costs, and the chance to win.

    python -m speed.side_tests [--repeats 2000]

Where all ways of a table of two factors are equal, how often the best is called better than another; where no cost
has changed, how often `regress` names one; and how many 95 % intervals of P(variant > control) hold it.
"""

from __future__ import annotations

import argparse
from itertools import product
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, norm

from benchmark.evidence.factors import margin
from benchmark.evidence.ranks import superiority_interval
from benchmark.evidence.regression import cost_changes
from benchmark.evidence.spread import background
from benchmark.store.records import CostRecord

Floats = npt.NDArray[np.float64]

SPREAD = 0.7  # points, of the baseline's runs on CIFAR-10 at `quick`
WAYS = 7
ROUNDS = 5  # of a measured cost


def share(count: int, of: int) -> str:
    """Returns a share with its 95 % interval (Clopper & Pearson)."""
    found = binomtest(count, of).proportion_ci(0.95)
    return f"{count / of:.1%} [{found.low:.1%}, {found.high:.1%}]"


def best_ways(repeats: int) -> None:
    """Prints how often the best of equal ways is called better than the control, the next best, an advised way."""
    for runs, spreads in product((3, 5, 10), ("equal", "0.3 to 3 times")):
        draw = np.random.default_rng(runs)
        counts = np.zeros(3, dtype=int)
        for _ in range(repeats):
            factors = np.exp(draw.uniform(np.log(0.3), np.log(3), WAYS)) if spreads != "equal" else np.ones(WAYS)
            ways = (SPREAD * factors[:, None] * draw.standard_normal((WAYS, runs))).tolist()
            control = (SPREAD * draw.standard_normal(ceil(runs * sqrt(2 * WAYS)))).tolist()
            common = background([control, *ways], control)
            ranked = sorted(ways, key=lambda each: -sum(each))
            others = ((control, WAYS), (ranked[1], 1), (ways[0], WAYS - 1))
            counts += [
                ranked[0] is not other and margin(ranked[0], "", other, choices, common).resolved
                for other, choices in others
            ]
        shares = ", ".join(share(int(count), repeats) for count in counts)
        print(f"{WAYS} equal ways of {runs} runs, spreads {spreads}: better than control, next, advised: {shares}")


def costs(repeats: int) -> None:
    """Prints how often a store of unchanged costs is said to have a changed one."""
    for variants, noise, days in product((5, 33, 285), (0.01, 0.05), (0.0, 0.017, 0.03)):
        draw = np.random.default_rng(variants)
        wrong, tried = 0, repeats if variants < 100 else max(1, repeats // 10)
        for _ in range(tried):
            # Each variant's rounds scatter by `noise` about a value that moves by `days` from one day to another.
            logs = noise * draw.standard_normal((2, variants, ROUNDS)) + days * draw.standard_normal((2, variants, 1))
            wrong += bool(cost_changes(*({str(n): measured(rounds) for n, rounds in enumerate(day)} for day in logs)))
        print(f"{variants} costs, {noise:.0%} within, {days:.1%} between days: {share(wrong, tried)} of comparisons")


def measured(rounds: Floats) -> CostRecord:
    """Returns a cost, from the logarithms of the ratios of its rounds."""
    ratio, low, high = (float(np.exp(each)) for each in (np.median(rounds), rounds.min(), rounds.max()))
    about: dict[str, Any] = {"recipe": "", "control": "", "step_ms": 1.0, "control_step_ms": 1.0, "environment": {}}
    return CostRecord(ratio=ratio, low=low, high=high, **about)


def chances(repeats: int) -> None:
    """Prints how many intervals of P(variant > control) hold it, for normal runs of equal spread and of another."""
    for runs, effect, factor in product((3, 5, 10), (0.0, 1.0, 2.0), (1.0, 3.0)):
        draw = np.random.default_rng(runs)
        truth = float(norm.cdf(effect / sqrt(1 + factor**2)))
        held = 0
        for _ in range(repeats):
            variant = (effect + factor * draw.standard_normal(runs)).tolist()
            low, high = superiority_interval(variant, draw.standard_normal(ceil(runs * sqrt(10))).tolist())
            held += low <= truth <= high
        about = f"{runs} runs and {ceil(runs * sqrt(10))} of the control, effect {effect:g}, spread ×{factor:g}"  # noqa: RUF001
        print(f"{about}: {share(held, repeats)} hold {truth:.2f}")


def main() -> None:
    """Prints all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    repeats = parser.parse_args().repeats
    best_ways(repeats)
    chances(repeats)
    costs(repeats)


if __name__ == "__main__":
    main()
