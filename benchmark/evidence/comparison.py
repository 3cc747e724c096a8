"""Comparison of variants with their control: pure functions on lists of accuracies in points, one per run.

Fixed before the runs: Welch's t, Holm's correction over a table, equivalence by two one-sided tests within a margin
(Schuirmann 1987, https://doi.org/10.1007/BF01068419). A rank test is reported too and decides nothing: it shows
where variances or shapes differ so badly that means mislead.

Three runs may agree by chance, and Welch's test would believe them. For tests, a variance below the floor is therefore
raised to it: to the larger of the table's median variance and the control's own. A raised variance rests on other
samples too and counts more degrees of freedom, up to twice its own (`lifted_freedom`); a reader who recalculates a row
by textbook Welch from its own runs will sometimes find another verdict. For intervals the median is the only floor:
with the larger one they would hold the truth in 98 % of rows instead of 95 to 97 % (`speed/verdicts.py` measures this
and the errors of the verdicts).

Runs with the same seed share the initial weights and the order of the images, so their accuracies are correlated. The
correlation is estimated over a table, shrunk (`correlation`), and the covariance of an arm and its control taken off
the variance of their difference. Plain pairing would throw the control's other runs away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, isfinite, isnan, nan, sqrt
from statistics import fmean
from typing import Literal

import numpy as np
from scipy.stats import false_discovery_control, t

from benchmark.evidence.interim import Floats, combined, spent
from benchmark.evidence.power import ALPHA, LEAST, POWER, seeds_needed
from benchmark.evidence.spread import (
    ALONE,
    Background,
    Scores,
    Seeds,
    background,
    lifted,
    lifted_freedom,
    shared,
    variance,
)

GROWTH = 1.2  # times its runs that an unresolved row gets from one interim test to the next
Pair = tuple[Scores, Scores]  # of a variant and its control
Counts = tuple[int, int]  # runs of a variant and of its control
Word = Literal["helps", "hurts", "equivalent", "unresolved", "no verdict"]
SIGNED = ("helps", "hurts")  # verdicts that say which way an effect goes
ANSWERS = (*SIGNED, "equivalent")  # verdicts that say something of the effect

TOO_FEW = f"a verdict takes {LEAST} runs of the variant and of the baseline"
NO_SPREAD = "no run differs from another of its arm, so that the spread of single runs is unknown"
ROUNDING = 1e-3  # points: stored accuracies have six decimals
BASELINE_GUESSES = "the baseline is not significantly better than guessing"
UNSEEN = "no interim test has seen it yet"
ALL_SPENT = "all of its error is spent"


@dataclass(frozen=True)
class Scale:
    """What test accuracies can be at all, in points."""

    chance: float | None = None  # the accuracy of guessing; None where nothing is known of it
    step: float = 0.0  # what a single test image is worth; 0 where their number is unknown


UNKNOWN_SCALE = Scale()


@dataclass(frozen=True)
class Difference:
    """Variant less control, with Welch's error. Both may lack spread: a network that only guesses does."""

    mean: float  # points
    error: float  # standard error of the mean, points; nan if a sample has a single run
    freedom: float  # degrees
    tested: tuple[float, float] | None = None  # error and freedom of the tests, where their variances are others

    def tail(self, distance: float) -> float:
        """Returns the chance that the mean is off by more than `distance` in one direction."""
        error, freedom = self.tested or (self.error, self.freedom)
        if not error:
            return float(distance <= 0)
        return float(t.sf(distance / error, freedom))

    @property
    def p(self) -> float:
        """Returns the two-sided p value of no difference, without correction."""
        error, _ = self.tested or (self.error, self.freedom)
        return 2 * self.tail(abs(self.mean)) if error else float(self.mean == 0)

    def visible(self, family: int) -> float:
        """Returns the size that is detected with 80 % power at Holm's strictest step; nan without an error."""
        error, freedom = self.tested or (self.error, self.freedom)
        return error * float(t.isf(ALPHA / family / 2, freedom) + t.isf(1 - POWER, freedom)) if error else error

    def simultaneous(self, family: int) -> tuple[float, float]:
        """Returns the interval at 95 % for a whole family (Bonferroni)."""
        half = float(t.ppf(1 - ALPHA / 2 / family, self.freedom)) * self.error if self.error else self.error
        return self.mean - half, self.mean + half

    @property
    def interval(self) -> tuple[float, float]:
        """Returns the 95 % interval, without correction."""
        half = float(t.ppf(1 - ALPHA / 2, self.freedom)) * self.error if self.error else self.error
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Verdict:
    """What a table's row says."""

    word: Word
    difference: Difference
    p: float  # of no difference, corrected over the family; nan where nothing could be tested
    seeds_needed: int  # more runs of the variant, where it is unresolved
    reason: str = ""  # why there is no verdict, or none yet; empty where the tests have decided
    p_alone: float = nan  # as `p`, without correction over the family
    unseen: int = 0  # runs of the variant since its last interim test

    @property
    def unresolved(self) -> bool:
        """Whether more runs may decide it."""
        return self.word == "unresolved"


def difference(variant: Scores, control: Scores, background: Background = ALONE) -> Difference:
    """Returns variant less control. Needs a run on each side, two for an error."""
    return contrast([(1, variant), (-1, control)], background)


def contrast(
    terms: Sequence[tuple[float, Scores]], background: Background = ALONE, seeds: Sequence[Seeds] = ()
) -> Difference:
    """Returns a weighted sum of means: Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28, for two or more samples.

    `seeds`: of each term's runs; without them no two are taken to share any.
    """
    mean = sum(weight * fmean(scores) for weight, scores in terms)
    if min(len(scores) for _, scores in terms) < 2:
        return Difference(mean, nan, nan)
    of_all = sum(len(scores) - 1 for _, scores in terms)
    shown = [lifted(scores, background.typical, of_all) for _, scores in terms]
    tested = [lifted(scores, background.floor, lifted_freedom(len(scores), background.samples)) for _, scores in terms]
    common = shared(terms, seeds, background.correlation)
    error, freedom = welch(terms, tested, common)
    if background.samples == 2:  # one variant, one control: the floor is made of the very variances that it lifts
        freedom = min(freedom, welch(terms, [lifted(scores, 0.0, 0.0) for _, scores in terms], ())[1])
    return Difference(mean, *welch(terms, shown, common), tested=(error, freedom))


def welch(
    terms: Sequence[tuple[float, Scores]],
    each: Sequence[tuple[float, float]],
    common: Sequence[tuple[int, int, float]],
) -> tuple[float, float]:
    """Returns the error of a sum of means and its degrees of freedom, from the variance and degrees of each sample.

    The covariance of two samples is taken for that of the one that varies less, so that it is rather too small.
    """
    parts = [weight**2 * spread / len(scores) for (weight, scores), (spread, _) in zip(terms, each, strict=True)]
    total = sum(parts) + sum(factor * min(each[i][0], each[j][0]) for i, j, factor in common)
    spread = sum(part**2 / freedom for part, (_, freedom) in zip(parts, each, strict=True))
    return sqrt(max(0.0, total)), sum(parts) ** 2 / spread if spread else inf


def holm(ps: Sequence[float]) -> list[float]:
    """Returns corrected p values: Holm 1979, https://www.jstor.org/stable/4615733; nan stays out of the family.

    As `multipletests` of statsmodels, which collects garbage on every call: with a report's figures in memory, that
    takes longer than all else a report does.
    """

    def corrected(known: Floats) -> Floats:
        order = np.argsort(known)
        found = np.empty_like(known)
        found[order] = np.minimum(np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1)), 1.0)
        return found

    return _corrected(ps, corrected)


def false_discovery(ps: Sequence[float]) -> list[float]:
    """Returns for each test the share of false rejections to expect among those at least as sure.

    Benjamini & Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x; nan stays out.
    """
    return _corrected(ps, lambda known: np.asarray(false_discovery_control(known), dtype=np.float64))


def _corrected(ps: Sequence[float], correct: Callable[[Floats], Floats]) -> list[float]:
    """Returns the known p values corrected, nan in the place of the others."""
    known = np.array([p for p in ps if isfinite(p)], dtype=np.float64)
    corrected = iter(correct(known).tolist() if len(known) else [])
    return [float(next(corrected)) if isfinite(p) else nan for p in ps]


def compare(
    pairs: Sequence[Pair], margin: float, seeds: Sequence[tuple[Seeds, Seeds]] = (), scale: Scale = UNKNOWN_SCALE
) -> list[Verdict]:
    """Returns one verdict for each (variant, control); the pairs are one family of tests.

    `seeds`: of the runs of each pair; without them no two runs are taken to share any.
    """
    return with_seeds(judge_pairs(pairs, margin, seeds, scale), pairs, margin, [1.0] * len(pairs))


def compare_in_looks(
    pairs: Sequence[Pair],
    looks: Sequence[Sequence[Counts]],
    margin: float,
    seeds: Sequence[tuple[Seeds, Seeds]] = (),
    scale: Scale = UNKNOWN_SCALE,
) -> list[Verdict]:
    """As `compare`, for pairs that were tested while their runs were made: see `judge_looks`."""
    tests = [taken(looks, n) for n in range(len(pairs))]
    return with_seeds(judge_looks(pairs, looks, margin, seeds, scale), pairs, margin, [next_share(t) for t in tests])


@dataclass(frozen=True)
class Taken:
    """An interim test of one pair."""

    look: int  # its place among the looks at the table
    runs: Counts
    share: float  # of the error


def taken(looks: Sequence[Sequence[Counts]], pair: int) -> list[Taken]:
    """Returns the interim tests of a pair: the looks for which its variant got more runs, while error is left."""
    found: list[Taken] = []
    for at, look in enumerate(looks):
        runs = look[pair]
        before = found[-1].runs[0] if found else LEAST - 1
        if runs[0] <= before or runs[1] < LEAST:
            continue
        first = found[0].runs[0] if found else runs[0]
        share = spent(runs[0] / first) - sum(each.share for each in found)
        if share > 1e-9:
            found.append(Taken(at, runs, share))
    return found


def next_share(tests: Sequence[Taken]) -> float:
    """Returns the share of the error that the next of the planned interim tests has; 0 if none is left."""
    return next_spent(tests[-1].runs[0] / tests[0].runs[0]) - sum(each.share for each in tests) if tests else spent(1)


def next_spent(growth: float) -> float:
    """Returns what is spent one stage of `--resolve` further."""
    return spent(GROWTH * growth)


def judge_looks(
    pairs: Sequence[Pair],
    looks: Sequence[Sequence[Counts]],
    margin: float,
    seeds: Sequence[tuple[Seeds, Seeds]] = (),
    scale: Scale = UNKNOWN_SCALE,
) -> list[Verdict]:
    """As `judge_pairs`, for pairs that were tested while their runs were made: `looks` has the runs of each then.

    A pair takes part in an interim test for which its variant got more runs. Adding runs until a test passes inflates
    the error, so each interim test gets a share of it that only the numbers of runs decide (`interim.spent`), and the
    p value is that of all tests together. These go through Holm's correction: Maurer &
    Bretz 2013, https://doi.org/10.1080/19466315.2013.807748. Runs after the last test count only in the effect.
    """
    tests = [taken(looks, n) for n in range(len(pairs))]
    tails: list[list[tuple[float, float]]] = [[] for _ in pairs]
    for at, look in enumerate(looks):
        here = [n for n in range(len(pairs)) if any(test.look == at for test in tests[n])]
        if not here:
            continue
        seen = [(variant[:n], control[:m]) for (variant, control), (n, m) in zip(pairs, look, strict=True)]
        seeds_seen = [(ours[:n], theirs[:m]) for (ours, theirs), (n, m) in zip(seeds, look, strict=False)]
        common = background_of(seen, pairs, seeds_seen)
        for n in here:
            gap = gap_of(seen[n], common, seeds_seen[n] if seeds else None)
            tails[n].append((gap.tail(abs(gap.mean)), nearness(gap, margin)))
    one_sided = [all_together(tests[n], [apart for apart, _ in tails[n]]) for n in range(len(pairs))]
    apart = [p if isnan(p) else min(1.0, 2 * p) for p in one_sided]
    close = [all_together(tests[n], [near for _, near in tails[n]]) for n in range(len(pairs))]
    common = background_of(pairs, pairs, seeds)
    gaps = [gap_of(pair, common, seeds[n] if seeds else None) for n, pair in enumerate(pairs)]
    reasons = [refusal(pair, common, margin, scale) for pair in pairs]
    unseen = [len(pairs[n][0]) - (tests[n][-1].runs[0] if tests[n] else 0) for n in range(len(pairs))]
    found = [
        replace(verdict, unseen=new, reason=verdict.reason or (UNSEEN if not these else ""))
        for verdict, new, these in zip(decide(gaps, apart, close, reasons), unseen, tests, strict=True)
    ]
    return [
        replace(each, reason=ALL_SPENT) if each.unresolved and not each.reason and next_share(these) <= 0 else each
        for each, these in zip(found, tests, strict=True)
    ]


def all_together(tests: Sequence[Taken], tails: Sequence[float]) -> float:
    """Returns the one-sided p value of a pair's interim tests; nan without any."""
    if not tests:
        return nan
    information = [1.0]
    for before, now in pairwise(tests):
        # The less the tests share, the stricter: of variant and control the one that grew more counts.
        grew = max(now.runs[0] / before.runs[0], now.runs[1] / before.runs[1])
        information.append(information[-1] * grew)
    return combined(tails, information, [test.share for test in tests])


def with_seeds(
    verdicts: Sequence[Verdict], pairs: Sequence[Pair], margin: float, shares: Sequence[float]
) -> list[Verdict]:
    """Returns them with the seeds that unresolved rows need, if the next test of each has that share of the error."""
    common = background_of(pairs, pairs)
    return [
        replace(verdict, seeds_needed=seeds_needed(*pair, margin, len(pairs) / share, common))
        if verdict.unresolved and share > 0
        else verdict
        for verdict, pair, share in zip(verdicts, pairs, shares, strict=True)
    ]


def judge_pairs(
    pairs: Sequence[Pair], margin: float, seeds: Sequence[tuple[Seeds, Seeds]] = (), scale: Scale = UNKNOWN_SCALE
) -> list[Verdict]:
    """As `compare`, but for the seeds still needed, which take most of its time."""
    common = background_of(pairs, pairs, seeds)
    gaps = [gap_of(pair, common, seeds[n] if seeds else None) for n, pair in enumerate(pairs)]
    reasons = [refusal(pair, common, margin, scale) for pair in pairs]
    return judge(gaps, [margin] * len(pairs), reasons)


def gap_of(pair: Pair, common: Background, seeds: tuple[Seeds, Seeds] | None) -> Difference:
    """Returns variant less control."""
    return contrast([(1, pair[0]), (-1, pair[1])], common, seeds or ())


def minus(one: Difference, other: Difference) -> Difference:
    """Returns the difference of two differences that share no runs, by the errors of the tests of both."""
    parts = [each.tested or (each.error, each.freedom) for each in (one, other)]
    total = sum(error**2 for error, _ in parts)
    spread = sum(error**4 / freedom for error, freedom in parts)
    return Difference(one.mean - other.mean, sqrt(total), total**2 / spread if spread else inf)


def background_of(
    pairs: Sequence[Pair], whole: Sequence[Pair], seeds: Sequence[tuple[Seeds, Seeds]] = ()
) -> Background:
    """Returns what the samples in `pairs`, beginnings of those in `whole`, tell; a shared one counts once."""
    parts: dict[int, tuple[Scores, Seeds]] = {}
    controls: list[Scores] = []
    for n, (pair, these) in enumerate(zip(pairs, whole, strict=True)):
        for side in (0, 1):
            parts[id(these[side])] = pair[side], seeds[n][side] if seeds else ()
        controls.append(pair[1])
    if not parts:
        return ALONE
    of_control = max((variance(each) for each in controls if len(each) > 1), default=0.0)
    samples = [scores for scores, _ in parts.values()]
    found = background(samples, (), [each for _, each in parts.values()] if seeds else ())
    return replace(found, floor=max(found.floor, of_control))


def refusal(pair: Pair, common: Background, margin: float, scale: Scale) -> str:
    """Returns why a pair cannot have a verdict; empty where it can."""
    variant, control = pair
    if min(len(variant), len(control)) < LEAST:
        return TOO_FEW
    if scale.step > margin > 0:
        return f"one test image is worth {scale.step:.3g} points, more than the margin of {margin:.3g}"
    if scale.chance is not None and guesses(control, scale.chance):
        return BASELINE_GUESSES
    return "" if common.floor else NO_SPREAD


def guesses(scores: Scores, chance: float) -> bool:
    """Returns whether runs are not significantly better than guessing (one-sided t test at 5 %)."""
    above = fmean(scores) - chance
    error = sqrt(variance(scores) / len(scores)) if len(scores) > 1 else inf
    return above <= ROUNDING or (error > 0 and float(t.sf(above / error, max(1, len(scores) - 1))) >= ALPHA)


def judge(gaps: Sequence[Difference], margins: Sequence[float], reasons: Sequence[str] = ()) -> list[Verdict]:
    """Returns one verdict for each difference, which are one family of tests. At a margin of 0 none is equivalent.

    `reasons` why some get no verdict; these stay out of the family.
    """
    close = [nearness(gap, margin) for gap, margin in zip(gaps, margins, strict=True)]
    return decide(gaps, [gap.p for gap in gaps], close, reasons or [""] * len(gaps))


def nearness(gap: Difference, margin: float) -> float:
    """Returns p of a difference of the margin or more, without correction."""
    return gap.tail(margin - abs(gap.mean)) if margin else 1.0


def decide(
    gaps: Sequence[Difference], apart: Sequence[float], close: Sequence[float], reasons: Sequence[str]
) -> list[Verdict]:
    """Decides by the p values of no difference and of no equivalence, each a family.

    "Equivalent" goes before "helps" and "hurts": a difference that is surely there and surely smaller than the margin
    is no reason to use the variant.
    """
    apart = [nan if reason else p for p, reason in zip(apart, reasons, strict=True)]
    close = [nan if reason else p for p, reason in zip(close, reasons, strict=True)]
    return [
        Verdict(_word(gap, p, near, reason), gap, p, 0, reason, alone)
        for gap, p, near, reason, alone in zip(gaps, holm(apart), holm(close), reasons, apart, strict=True)
    ]


def _word(gap: Difference, apart: float, close: float, reason: str) -> Word:
    if reason:
        return "unresolved" if reason == TOO_FEW else "no verdict"
    if close < ALPHA:
        return "equivalent"
    if apart < ALPHA:
        return "helps" if gap.mean > 0 else "hurts"
    return "unresolved"
