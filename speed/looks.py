"""What `run --resolve` gets wrong, and what it saves, on made-up tables whose truth is known.

    python -m speed.looks [--tables 1000] [--first 3] [--most 55]

Each table has ten variants. A fixed design gives all of them the same number of seeds, the least with which it
resolves as many rows as the looks do, on average over tables of its own.
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

from benchmark.evidence.comparison import SHARES, Counts, Verdict, judge_looks, judge_pairs
from benchmark.planning.resolving import control_for, next_seeds

MARGIN = 1.0  # points, as at `quick`
SPREAD = 0.7  # points, of single runs: the baseline's on CIFAR-10 at `quick`
TRUTHS = {  # effects of ten variants, points
    "as in the catalogue": [-32.7, -12.2, -5.8, -3.3, -1.2, -0.5, -0.1, 0.3, 2.3, 6.3],  # 5, 15, ... 95 % of its rows
    "none is worth anything": [0.0] * 10,
    "all are worth the margin": [MARGIN] * 10,
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

    def held(self, effects: Sequence[float]) -> float:
        """The share of 95 % intervals that hold the truth, which know nothing of the looks."""
        intervals = [verdict.difference.interval for verdict in self.verdicts]
        return fmean(low <= effect <= high for (low, high), effect in zip(intervals, effects, strict=True))

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


def in_looks(effects: Sequence[float], first: int, most: int, draw: Random) -> Outcome:
    """As `run --resolve` has it: see `benchmark.resolving`."""
    control = scores(0.0, ceil(first * sqrt(len(effects))), draw)
    arms = [scores(effect, first, draw) for effect in effects]
    looks: list[list[Counts]] = []
    while True:
        pairs = [(arm, control) for arm in arms]
        looks.append([(len(arm), len(control)) for arm in arms])
        verdicts = judge_looks(pairs, looks, MARGIN)
        open_ = [n for n, verdict in enumerate(verdicts) if verdict.unresolved and len(arms[n]) < most]
        if not open_ or len(looks) == len(SHARES):
            return Outcome(verdicts, len(control) + sum(map(len, arms)))
        for n in open_:
            arms[n] += scores(effects[n], next_seeds(len(arms[n]), most) - len(arms[n]), draw)
        control += scores(0.0, control_for([len(arms[n]) for n in open_]) - len(control), draw)


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
    parser.add_argument("--most", type=int, default=55, help="seeds of a variant at most")
    given = parser.parse_args()
    draw = Random(0)
    for name, effects in TRUTHS.items():
        found = [in_looks(effects, given.first, given.most, draw) for _ in tqdm(range(given.tables), desc=name)]
        wrong = sum(each.wrong(effects) for each in found)
        bounds = binomtest(wrong, len(found)).proportion_ci(0.95)
        resolved, runs = fmean(each.resolved for each in found), fmean(each.runs for each in found)
        seeds = as_many(effects, resolved, max(50, given.tables // 5), 2 * given.most, draw)
        same = fixed(effects, seeds, draw).runs
        held = fmean(each.held(effects) for each in found)
        print(
            f"{name}: any wrong {wrong / len(found):.1%} [{bounds.low:.1%}, {bounds.high:.1%}]; {resolved:.1f} of "
            f"{len(effects)} rows resolved by {runs:.0f} runs; a fixed design takes {same} ({seeds} seeds): "
            f"{runs / same:.2f} of it; {held:.1%} of the intervals hold the truth"
        )


if __name__ == "__main__":
    main()
