"""How often verdicts are wrong where a user adds runs to tested tables by hand, after having looked at them.

    python -m speed.adding_runs [--tables 2000]

Made-up tables of four variants, whose rows are tested at three runs and again whenever a plain `run --seeds N` has
added some to all of them, within the error that is left. The users differ in how they choose N: one has a fixed plan,
one always adds a single run, one jumps, and one looks at the p values and adds few runs where a row is nearly
significant. A table is wrong as in `speed.verdicts`; it counts as wrong whenever any of its tests is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
from scipy.stats import binomtest

from benchmark.evidence.interim import spent
from benchmark.evidence.power import ALPHA
from speed.verdicts import NOW, OPEN, Floats, Whole, combined_tails, compared, decided, holm, made, sums, wrong

FIRST, MOST = 3, 40  # runs of a variant
TRUTHS = {
    "no effect": (0.0, 0.0, 0.0, 0.0),
    "all of the margin": (1.0, 1.0, 1.0, 1.0),
    "half none, half of the margin": (0.0, 0.0, 1.0, 1.0),
}
User = Callable[[int, Floats], Whole]  # runs so far and the smallest p value of each table: runs of the next test


def single(runs: int, p: Floats) -> Whole:
    """Adds a run, up to 12, and then a tenth."""
    return np.full(len(p), runs + max(1, (runs - 2) // 10))


def jumping(runs: int, p: Floats) -> Whole:
    """Adds four times as many."""
    return np.full(len(p), 5 * runs)


def planned(runs: int, p: Floats) -> Whole:
    """Adds a third."""
    return np.full(len(p), ceil(1.3 * runs))


def tempted(runs: int, p: Floats) -> Whole:
    """Adds two runs to a table with a row that is nearly significant, and doubles the runs of the others."""
    return np.where((p > ALPHA) & (p < 4 * ALPHA), runs + 2, 2 * runs).astype(np.int64)


USERS: dict[str, User] = {
    "adds a third": planned,
    "adds one run after the other": single,
    "jumps to five times": jumping,
    "adds two where p is nearly small enough, else doubles": tempted,
}


def by_hand(scores: Floats, effects: Floats, user: User) -> tuple[Whole, Whole]:
    """Returns the words after all tests and which rows were wrong after any of them, both (tables, variants)."""
    variants = len(effects)
    apart, near = np.ones((2, len(scores), variants))
    words, bad = np.zeros((len(scores), variants), dtype=np.int64), np.zeros((len(scores), variants), dtype=bool)
    waiting = {(FIRST,): np.arange(len(scores))}  # tables by the runs of all of their tests
    while waiting:
        tests, here = waiting.popitem()
        total = [0.0, *(spent(each / FIRST) for each in tests)]
        shares = [after - before for before, after in pairwise(total)]
        if shares[-1] <= 1e-9:
            continue
        runs = np.full((len(here), variants + 1), tests[-1])
        runs[:, -1] = ceil(tests[-1] * sqrt(variants))
        gap, _, now, close = compared(sums(scores[here][:, :, : runs.max()], runs, NOW), NOW)
        for kept, found in ((apart, now), (near, close)):
            kept[here] = np.minimum(kept[here], combined_tails(found, len(tests) - 1, tests, shares, exact=True))
        words[here] = decided(2 * apart[here], near[here], gap)
        bad[here] |= wrong(words[here], effects)
        p = np.where(words[here] == OPEN, holm(np.minimum(1, 2 * apart[here])), 1).min(axis=1)
        following = user(tests[-1], p)
        going = (words[here] == OPEN).any(axis=1) & (following <= MOST)
        for count in np.unique(following[going]):
            waiting[*tests, int(count)] = here[going & (following == count)]
    return words, bad


def main() -> None:
    """Prints the share of wrong tables by truth and user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=2000)
    tables = parser.parse_args().tables
    for truth, effects in TRUTHS.items():
        for correlation in (0.0, 0.3):
            draw = np.random.default_rng(1)
            scores = made("normal", tables, np.array(effects), ceil(MOST * sqrt(len(effects))), draw, correlation)
            for name, user in USERS.items():
                words, bad = by_hand(scores, np.array(effects), user)
                count = int(bad.any(axis=1).sum())
                bounds = binomtest(count, tables).proportion_ci(0.95)
                print(
                    f"{truth}, correlation {correlation}, a user who {name}: {count / tables:.1%} "
                    f"[{bounds.low:.1%}, {bounds.high:.1%}] wrong, {(words != OPEN).mean():.0%} of the rows resolved"
                )


if __name__ == "__main__":
    main()
