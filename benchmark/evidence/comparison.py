"""Comparison of variants with their control: pure functions on lists of accuracies in points, one per run.

Fixed before the runs: Welch's t, since differences between runs come mostly from chaos in training and pairing by
seed buys little (Jordan 2024, https://arxiv.org/abs/2304.01910); Holm's correction over a table; equivalence by two
one-sided tests within a margin (Schuirmann 1987, https://doi.org/10.1007/BF01068419). A rank test stands beside
Welch's and decides nothing: it shows where variances or shapes differ so badly that means mislead.

Three runs may agree by luck, and Welch's test believes them: with 3 runs of each of 10 variants and no effect at all,
9 to 16 % of tables would hold a false alarm, with 20 variants up to 29 % (NOTES.md). So tests, not intervals, take a
sample's variance as no smaller than the median one of its table; what is lifted to it counts twice the degrees of
freedom, since it rests on other samples too. That leaves 0 to 5 %.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, nan, sqrt
from statistics import fmean
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import brunnermunzel, norm, t
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

ALPHA, POWER = 0.05, 0.8
LEAST_RANKED = 5  # runs on a side: with four, even samples that hardly overlap are no surprise to a rank test
MOST = 100_000  # runs of a variant; more are never asked for
Scores = Sequence[float]  # accuracies in points, one per run
Pair = tuple[Scores, Scores]  # of a variant and its control
Counts = tuple[int, int]  # runs of these
Word = Literal["helps", "hurts", "equivalent", "unresolved"]
SHARES = tuple(part / 20 for part in (1, 2, 3, 4, 4, 3, 2, 1))  # of the error, for each look: most where most end


@dataclass(frozen=True)
class Difference:
    """Variant less control, with Welch's error. Both may lack spread: a network that only guesses does."""

    mean: float  # points
    error: float  # standard error of the mean, points; nan if a sample has a single run
    freedom: float  # degrees
    tested: tuple[float, float] | None = None  # error and freedom of the tests, where variances have a floor

    def tail(self, distance: float) -> float:
        """The chance that the mean is off by more than `distance` in one direction."""
        error, freedom = self.tested or (self.error, self.freedom)
        if not error:
            return float(distance <= 0)
        return float(t.sf(distance / error, freedom))

    @property
    def p(self) -> float:
        """Of no difference, two-sided, by itself."""
        return 2 * self.tail(abs(self.mean)) if self.error else float(self.mean == 0)

    def visible(self, family: int) -> float:
        """The size that shows four times out of five at Holm's strictest step with this error; nan without one."""
        error, freedom = self.tested or (self.error, self.freedom)
        return error * float(t.isf(ALPHA / family / 2, freedom) + t.isf(1 - POWER, freedom)) if error else error

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by itself."""
        half = float(t.ppf(1 - ALPHA / 2, self.freedom)) * self.error if self.error else self.error
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Verdict:
    """What a table's row says."""

    word: Word
    difference: Difference
    p: float  # of no difference, corrected over the family; nan with fewer than two runs on a side
    seeds_needed: int  # more runs of the variant, where it is unresolved

    @property
    def unresolved(self) -> bool:
        return self.word == "unresolved"


def difference(variant: Scores, control: Scores, floor: float = 0.0) -> Difference:
    """Variant less control. Needs a run on each side, two for an error. `floor` as in `contrast`."""
    return contrast([(1, variant), (-1, control)], floor)


def contrast(terms: Sequence[tuple[float, Scores]], floor: float = 0.0) -> Difference:
    """A weighted sum of means: Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28, for two or more samples.

    Tests take no sample's variance as smaller than `floor`, but for one without any, which is no luck.
    """
    mean = sum(weight * fmean(scores) for weight, scores in terms)
    if min(len(scores) for _, scores in terms) < 2:
        return Difference(mean, nan, nan)
    known = [(weight, len(scores), variance(scores)) for weight, scores in terms]
    plain = [(weight**2 * spread / count, count - 1) for weight, count, spread in known]
    lifted = [
        (weight**2 * floor / count, 2 * (count - 1)) if 0 < spread < floor else part
        for (weight, count, spread), part in zip(known, plain, strict=True)
    ]
    return Difference(mean, *welch(plain), tested=welch(lifted))


def welch(each: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Error and degrees of freedom of a sum of means, from the squared error and the degrees of each."""
    total, spread = sum(part for part, _ in each), sum(part**2 / freedom for part, freedom in each)
    return sqrt(total), total**2 / spread if spread else inf


def typical(samples: Iterable[Scores]) -> float:
    """The median variance of samples that have one; 0 if none has."""
    known = [each for scores in samples if len(scores) > 1 and (each := variance(scores))]
    return float(np.median(known)) if known else 0.0


def variance(scores: Scores) -> float:
    """Of single runs, estimated from two or more of them; exactly 0 of equal ones."""
    return float(np.var(scores, ddof=1)) if min(scores) < max(scores) else 0.0


def holm(ps: Sequence[float]) -> list[float]:
    """Holm 1979, https://www.jstor.org/stable/4615733; nan stays out of the family."""
    known = [p for p in ps if isfinite(p)]
    corrected = iter(multipletests(known, method="holm")[1] if known else [])
    return [float(next(corrected)) if isfinite(p) else nan for p in ps]


def superiority(variant: Scores, control: Scores) -> float:
    """P(variant > control) of a run drawn from each, ties counted half: 0.5 of no difference."""
    ordered = np.sort(control)
    below = np.searchsorted(ordered, variant, "left") + np.searchsorted(ordered, variant, "right")
    return float(below.mean()) / (2 * len(ordered))


def rank_p(variant: Scores, control: Scores) -> float:
    """Of P(variant > control) = 1/2, by itself: the test of Brunner & Munzel 2000,
    https://doi.org/10.1002/(SICI)1521-4036(200001)42:1%3C17::AID-BIMJ17%3E3.0.CO;2-U.

    It assumes neither equal spreads nor normal scores. nan with fewer than five runs on a side, where it is no test
    at all, and where the samples do not overlap, which leaves its error without an estimate.
    """
    if min(len(variant), len(control)) < LEAST_RANKED or superiority(variant, control) in (0.0, 1.0):
        return nan
    return float(brunnermunzel(variant, control).pvalue)


def compare(pairs: Sequence[Pair], margin: float) -> list[Verdict]:
    """One verdict for each (variant, control); the pairs are one family of tests."""
    return with_seeds(judge_pairs(pairs, margin), pairs, margin, 1.0)


def compare_in_looks(pairs: Sequence[Pair], looks: Sequence[Sequence[Counts]], margin: float) -> list[Verdict]:
    """As `compare`, for pairs that were looked at while their runs were made: see `judge_looks`."""
    return with_seeds(judge_looks(pairs, looks, margin), pairs, margin, max(SHARES))


def judge_looks(pairs: Sequence[Pair], looks: Sequence[Sequence[Counts]], margin: float) -> list[Verdict]:
    """As `judge_pairs`, for pairs that were looked at while their runs were made: `looks` has the runs of each then.

    A pair takes part in a look for which its variant got more runs; without two on a side it learns nothing there.
    Who trains on wherever a look has resolved nothing gets as many chances to be wrong, so each look has its share of
    the error, and the least p over share is a p value again (Bonferroni). These go through Holm's correction: Maurer &
    Bretz 2013, https://doi.org/10.1080/19466315.2013.807748. Runs after a pair's last look count in its effect alone.
    """
    apart, close = [nan] * len(pairs), [nan] * len(pairs)
    taken, before = [0] * len(pairs), [0] * len(pairs)
    for look in looks:
        seen = [(variant[:n], control[:m]) for (variant, control), (n, m) in zip(pairs, look, strict=True)]
        floor = floor_of(seen, pairs)
        for at, pair in enumerate(seen):
            if len(pair[0]) <= before[at] or not pair[1] or taken[at] == len(SHARES):
                continue
            gap, share = difference(*pair, floor), SHARES[taken[at]]
            apart[at] = least(apart[at], gap.p / share)
            close[at] = least(close[at], nearness(gap, margin) / share)
            before[at], taken[at] = len(pair[0]), taken[at] + 1
    floor = floor_of(pairs, pairs)
    return decide([difference(*pair, floor) for pair in pairs], apart, close)


def least(before: float, now: float) -> float:
    """The smaller p, at most 1; nan is none yet."""
    known = [p for p in (before, now) if not isnan(p)]
    return min(1.0, *known) if known else nan


def with_seeds(verdicts: Sequence[Verdict], pairs: Sequence[Pair], margin: float, share: float) -> list[Verdict]:
    """With the seeds that unresolved rows need, if a look has that share of the error."""
    return [
        replace(verdict, seeds_needed=seeds_needed(*pair, margin, len(pairs) / share))
        if verdict.unresolved
        else verdict
        for verdict, pair in zip(verdicts, pairs, strict=True)
    ]


def judge_pairs(pairs: Sequence[Pair], margin: float) -> list[Verdict]:
    """As `compare`, but for the seeds still needed, which take most of its time."""
    floor = floor_of(pairs, pairs)
    return judge([difference(*pair, floor) for pair in pairs], [margin] * len(pairs))


def floor_of(pairs: Sequence[Pair], whole: Sequence[Pair]) -> float:
    """The typical variance of the samples in `pairs`, beginnings of those in `whole`; a shared one counts once."""
    parts = {
        id(all_): part
        for pair, these in zip(pairs, whole, strict=True)
        for part, all_ in zip(pair, these, strict=True)
    }
    return typical(parts.values())


def judge(gaps: Sequence[Difference], margins: Sequence[float]) -> list[Verdict]:
    """One verdict for each difference, which are one family of tests. Where the margin is 0 nothing is equivalent."""
    close = [nearness(gap, margin) for gap, margin in zip(gaps, margins, strict=True)]
    return decide(gaps, [gap.p for gap in gaps], close)


def nearness(gap: Difference, margin: float) -> float:
    """p of a difference of the margin or more, by itself."""
    return gap.tail(margin - abs(gap.mean)) if margin else 1.0


def decide(gaps: Sequence[Difference], apart: Sequence[float], close: Sequence[float]) -> list[Verdict]:
    """By the p values of no difference and of no equivalence, each a family.

    "Equivalent" goes before "helps" and "hurts": a difference that is surely there and surely smaller than the margin
    is no reason to use the variant.
    """
    return [Verdict(_word(*each), each[0], each[1], 0) for each in zip(gaps, holm(apart), holm(close), strict=True)]


def _word(gap: Difference, apart: float, close: float) -> Word:
    if close < ALPHA:
        return "equivalent"
    if apart < ALPHA:
        return "helps" if gap.mean > 0 else "hurts"
    return "unresolved"


def seeds_needed(variant: Scores, control: Scores, margin: float, family: float) -> int:
    """How many more runs the variant needs to show a difference of `margin` at Holm's strictest step.

    With 80 % power, if the control grows in proportion; at least 1.
    """
    spreads = [variance(scores) for scores in (variant, control) if len(scores) > 1]
    if not spreads:
        return 2 - len(variant) if len(variant) < 2 else 1
    deviation = sqrt(fmean(spreads))
    size = min(margin / deviation, 3.0) if deviation else 3.0  # what is larger shows with two runs all the same
    ratio = len(control) / len(variant)
    alpha = ALPHA / family

    def enough(n: int) -> bool:
        return power(size, n, ratio, alpha) >= POWER

    # Were the deviation known, so many would do: the t test takes a few more, and the search starts from there.
    least = (norm.isf(alpha / 2) + norm.ppf(POWER)) ** 2 * (1 + 1 / ratio) / size**2 if size else MOST
    low = min(MOST, max(2, int(least)))
    high = min(MOST, low + 64)
    among = range(low, high + 1) if enough(high) else range(high, MOST + 1)
    return max(1, among[0] + bisect_left(among, True, key=enough) - len(variant))


def smallest_effect(deviation: float, seeds: int, control_seeds: int, family: int) -> float:
    """The smallest difference in points that so many runs show with 80 % power at Holm's strictest step.

    `deviation` is that of single runs, in points.
    """
    if not deviation:
        return 0.0
    ratio, alpha = control_seeds / seeds, ALPHA / family
    size: float = brentq(lambda effect: power(effect, seeds, ratio, alpha) - POWER, 1e-6, 30.0)
    return size * deviation


def power(size: float, seeds: int, ratio: float, alpha: float) -> float:
    """Of a two-sided t test for a difference of `size` deviations, with `ratio` as many runs of the control."""
    found = float(TTestIndPower().power(size, seeds, alpha, ratio))
    if not isnan(found):
        return found
    # SciPy's non-central t gives up here and there: Johnson, Kotz & Balakrishnan 1995, eq. 31.26, is within 0.01.
    freedom = seeds * (1 + ratio) - 2
    edge, shift = float(t.isf(alpha / 2, freedom)), size * sqrt(seeds * ratio / (1 + ratio))
    spread = sqrt(1 + edge**2 / (2 * freedom))
    return float(norm.sf((edge * (1 - 1 / (4 * freedom)) - shift) / spread))
