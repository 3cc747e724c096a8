"""What `run --resolve` gets wrong, and what it saves, on made-up tables whose truth is known.

    python -m benchmarks.two_stages [--tables 1000] [--first 3] [--most 60]

Each table has ten variants. A fixed design gives all of them the same number of seeds, the least with which it
resolves as many rows as the two stages do. One deviation of the scores is the margin, as at `quick`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from random import Random
from statistics import fmean

from scipy.stats import binomtest
from tqdm import tqdm

from benchmark.comparison import Verdict, compare, judge_pairs
from benchmark.resolving import LOOKS, control_for

MARGIN = 1.0  # points
SPREAD = 1.0  # points, of single runs
TRUTHS = {  # effects of ten variants, points
    "none is worth anything": [0.0] * 10,
    "all are worth the margin": [MARGIN] * 10,
    "as in the catalogue": [0.0, 0.3, -0.3, 0.6, -1.0, 2.0, -3.0, -5.0, -12.0, -45.0],
    "one is hard, the others plain": [0.8, 4.0, 4.0, -4.0, -5.0, -6.0, -8.0, -10.0, -40.0, 5.0],
}


@dataclass(frozen=True)
class Outcome:
    """One table after all its runs."""

    verdicts: list[Verdict]
    runs: int

    @property
    def resolved(self) -> int:
        """Rows with an answer."""
        return sum(not verdict.unresolved for verdict in self.verdicts)

    def wrong(self, effects: Sequence[float]) -> bool:
        """Whether any row is told what is not so: a false difference, sign or equivalence."""
        return any(map(is_wrong, self.verdicts, effects))


def is_wrong(verdict: Verdict, effect: float) -> bool:
    """Whether a verdict contradicts the truth."""
    if verdict.word == "equivalent":
        return abs(effect) >= MARGIN
    return verdict.word in ("helps", "hurts") and (effect == 0 or (effect > 0) != (verdict.word == "helps"))


def scores(effect: float, count: int, draw: Random) -> list[float]:
    """Of so many runs."""
    return [draw.gauss(effect, SPREAD) for _ in range(count)]


def two_stages(effects: Sequence[float], first: int, most: int, draw: Random) -> Outcome:
    """As `run --resolve` has it: see `benchmark.resolving`."""
    control = scores(0.0, ceil(first * sqrt(len(effects))), draw)
    arms = [scores(effect, first, draw) for effect in effects]
    seen = compare([(arm, control) for arm in arms], MARGIN, LOOKS)
    wanted = {n: min(most, first + each.seeds_needed) for n, each in enumerate(seen) if each.unresolved}
    for n, seeds in wanted.items():
        arms[n] += scores(effects[n], seeds - first, draw)
    if wanted:
        control += scores(0.0, control_for(list(wanted.values())) - len(control), draw)
    verdicts = judge_pairs([(arm, control) for arm in arms], MARGIN, LOOKS)
    return Outcome(verdicts, len(control) + sum(map(len, arms)))


def fixed(effects: Sequence[float], seeds: int, draw: Random) -> Outcome:
    """All variants alike, one look."""
    control = scores(0.0, ceil(seeds * sqrt(len(effects))), draw)
    arms = [scores(effect, seeds, draw) for effect in effects]
    verdicts = judge_pairs([(arm, control) for arm in arms], MARGIN)
    return Outcome(verdicts, len(control) + sum(map(len, arms)))


def as_many(effects: Sequence[float], resolved: float, tables: int, most: int, draw: Random) -> int:
    """The least seeds with which a fixed design resolves so many rows on average; `most` if none does."""
    low, high = 2, most
    while low < high:
        middle = (low + high) // 2
        if fmean(fixed(effects, middle, draw).resolved for _ in range(tables)) >= resolved:
            high = middle
        else:
            low = middle + 1
    return low


def main() -> None:
    """Print a line for each truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--first", type=int, default=3, help="seeds of the first stage")
    parser.add_argument("--most", type=int, default=60, help="seeds of a variant at most")
    given = parser.parse_args()
    draw = Random(0)
    for name, effects in TRUTHS.items():
        found = [two_stages(effects, given.first, given.most, draw) for _ in tqdm(range(given.tables), desc=name)]
        wrong = sum(each.wrong(effects) for each in found)
        bounds = binomtest(wrong, len(found)).proportion_ci(0.95)
        resolved, runs = fmean(each.resolved for each in found), fmean(each.runs for each in found)
        seeds = as_many(effects, resolved, max(50, given.tables // 5), 2 * given.most, draw)
        same = fixed(effects, seeds, draw).runs
        print(
            f"{name}: any wrong {wrong / len(found):.1%} [{bounds.low:.1%}, {bounds.high:.1%}]; {resolved:.1f} of "
            f"{len(effects)} rows resolved by {runs:.0f} runs; a fixed design takes {same} ({seeds} seeds): "
            f"{runs / same:.2f} of it"
        )


if __name__ == "__main__":
    main()
