"""Is the suite itself honest? Estimates how often its verdicts are wrong, from runs whose true difference is known.

Two ways to know the truth. Splits: the runs of one recipe, drawn apart into arms and a control, so that no arm has an
effect (A/A). Planted: scores drawn with replacement from the runs of one recipe, an effect added to each arm. Both go
through the very comparison that the tables go through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, sqrt
from random import Random
from statistics import variance

from scipy.stats import binomtest

from benchmark.evidence.comparison import SIGNED, Verdict, judge_pairs
from benchmark.evidence.power import smallest_effect
from benchmark.store.records import Rate

Scores = Sequence[float]  # points, one per run
Pair = tuple[list[float], list[float]]
LEAST_POOL = 6  # runs of a recipe that can be drawn apart


def count_rate(what: str, happened: Sequence[bool], goal: str) -> Rate:
    """Raises ValueError for no trial at all."""
    bounds = binomtest(sum(happened), len(happened)).proportion_ci(0.95)
    return Rate(
        what=what,
        count=sum(happened),
        of=len(happened),
        low=float(bounds.low),
        high=float(bounds.high),
        goal=goal,
    )


def splits(pool: Scores, arms: int, seeds: int, trials: int, draw: Random) -> Iterator[list[Pair]]:
    """Tables of `arms` arms of `seeds` runs, and a control of those left: no run is in two places at once."""
    for _ in range(trials):
        shuffled = draw.sample(list(pool), len(pool))
        control = shuffled[arms * seeds :]
        yield [(shuffled[i * seeds : (i + 1) * seeds], control) for i in range(arms)]


def planted(pool: Scores, effects: Sequence[float], seeds: int, trials: int, draw: Random) -> Iterator[list[Pair]]:
    """Tables of one arm for each effect (points), all scores drawn from `pool` with replacement."""
    many = ceil(seeds * sqrt(len(effects)))  # as the planner gives the control
    for _ in range(trials):
        control = draw.choices(list(pool), k=many)
        yield [([score + effect for score in draw.choices(list(pool), k=seeds)], control) for effect in effects]


def calibrated(
    pool: Scores,
    margin: float,
    trials: int,
    seed: int = 0,
    arms: int = 10,
    seeds: int = 5,
    watched: Callable[[Iterable[list[Pair]]], Iterable[list[Pair]]] = iter,
) -> list[Rate]:
    """Returns what a table of `arms` arms of `seeds` runs gets wrong, by the runs `pool` of one recipe.

    `watched` passes on the tables that are drawn, 4 times `trials` in all, and may count them.

    Raises ValueError for fewer than LEAST runs.
    """
    if len(pool) < LEAST_POOL:
        raise ValueError(f"it takes {LEAST_POOL} runs of one recipe to draw them apart, and there are {len(pool)}")
    draw = Random(seed)
    few = max(1, min(seeds, len(pool) // 3))
    nothing = [judge_pairs(table, margin) for table in watched(planted(pool, [0.0] * arms, seeds, trials, draw))]
    apart = [judge_pairs(table, margin) for table in watched(splits(pool, 1, few, trials, draw))]
    edge = [judge_pairs(table, margin) for table in watched(planted(pool, [margin] * arms, seeds, trials, draw))]
    twice = 2 * detectable(pool, seeds, arms, margin)
    strong = [judge_pairs(table, margin) for table in watched(planted(pool, [twice] * arms, seeds, trials, draw))]
    return [
        count_rate(
            "a table with any false 'helps' or 'hurts'", [any(map(alarm, table)) for table in nothing], "at most 5 %"
        ),
        count_rate(
            "real runs of one recipe drawn apart: 'helps' or 'hurts'", [alarm(v) for (v,) in apart], "at most 5 %"
        ),
        count_rate(
            "a table with any effect of the margin called 'equivalent'",
            [any(verdict.word == "equivalent" for verdict in table) for table in edge],
            "at most 5 %",
        ),
        count_rate(
            "95 % intervals that hold the true effect",
            [holds(verdict, 0.0) for table in nothing for verdict in table]
            + [holds(verdict, margin) for table in edge for verdict in table],
            "93 to 97 %",
        ),
        count_rate(
            f"effects of {twice:.1f} points, twice the detectable, found",
            [verdict.word == "helps" for table in strong for verdict in table],
            "at least 95 %",
        ),
    ]


def alarm(verdict: Verdict) -> bool:
    """Whether a difference is said to be there."""
    return verdict.word in SIGNED


def holds(verdict: Verdict, effect: float) -> bool:
    """Whether the interval holds the true effect."""
    low, high = verdict.difference.interval
    return low <= effect <= high


def detectable(pool: Scores, seeds: int, family: int, margin: float) -> float:
    """Returns the smallest effect in points that so many seeds show with 80 % power at Holm's strictest step.

    At least the margin: below it an effect that is surely there is called equivalent.
    """
    return max(margin, smallest_effect(variance(pool) ** 0.5, seeds, ceil(seeds * sqrt(family)), family))
