"""How often verdicts are wrong, what they cost, and what their intervals hold, on made-up tables of known truth.

    python -m speed.verdicts grid [--tables 2000]     false verdicts over sizes and ten kinds of scores
    python -m speed.verdicts coverage                 95 % intervals over the same
    python -m speed.verdicts resolve [--tables 1000]  `run --resolve`: errors, runs, and a fixed design's runs

The rule is that of `benchmark.evidence.comparison`, written anew for many tables at once;
`tests/evidence/test_verdicts.py` holds the two against each other. A row of a grid is wrong where it says "helps" or
"hurts" without any effect, or "equivalent" where the effect is the margin.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr, stdtrit
from scipy.stats import binomtest

from benchmark.evidence import interim
from benchmark.evidence import tables as stored
from benchmark.evidence.comparison import GROWTH
from benchmark.evidence.interim import spent
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.spread import STRONGEST
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

MARGIN, SPREAD, MEAN, GUESS = 1.0, 0.7, 65.0, 10.0  # points: the baseline's on CIFAR-10 at `quick`
SIZES, SEEDS = (1, 2, 5, 10, 20, 40), (2, 3, 5, 10)  # variants of a table, runs of each
KINDS = {
    "normal": "normal",
    "skewed": "exponential",
    "heavy": "t of 3 degrees",
    "fail 25": "each run fails with probability 0.25",
    "fail 50": "each run fails with probability 0.5",
    "images 100": "of 100 test images",
    "images 200": "of 200 test images",
    "one x5": "one variant varies five times as much",
    "half x0.1": "half of the variants vary a tenth as much",
    "x0.3 to x3": "each variant's spread is its own",
    "real": "runs of the catalogue's baseline",
}
REAL = Path(__file__).parent.parent / "results" / "reference" / "cifar10-catalogue"
TRUTHS = {  # effects of ten variants, points
    "as in the catalogue": (-32.7, -12.2, -5.8, -3.3, -1.2, -0.5, -0.1, 0.3, 2.3, 6.3),  # 5, 15, ... 95 % of its rows
    "one is hard, the others plain": (0.8, 4.0, 4.0, -4.0, -5.0, -6.0, -8.0, -10.0, -40.0, 5.0),
    "all are worth the margin": (MARGIN,) * 10,
    "none is worth anything": (0.0,) * 10,
}
OPEN, HELPS, HURTS, EQUIVALENT = 0, 1, -1, 2


@dataclass(frozen=True)
class Rule:
    """What may be judged differently, for comparisons with what was done before."""

    control_floors: bool = True  # the floor of tests is the control's variance where that is larger than the median
    lifts_zeros: bool = True  # samples without any spread are lifted to the floor too
    counts_seeds: bool = True  # the covariance of runs with the same seed is counted
    exact: bool = True  # interim tests spend the error exactly; else by Bonferroni's inequality
    stages: tuple[int, ...] = ()  # runs at each interim test; empty for those of `run --resolve`
    shares: tuple[float, ...] = ()  # of the error at each; empty for those of `interim.spent`
    doubles: bool = False  # a lifted variance counts twice its degrees of freedom whatever the table's size
    least: int = LEAST  # runs of a variant that a verdict takes
    own_freedom: bool = True  # a table of one variant counts no more degrees of freedom than Welch's from its own runs


NOW = Rule()
BEFORE = Rule(
    control_floors=False,
    lifts_zeros=False,
    counts_seeds=False,
    exact=False,
    stages=(3, 5, 8, 13, 21, 34, 55),
    shares=(0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1),
    doubles=True,
    least=2,
    own_freedom=False,
)


@dataclass(frozen=True)
class Judged:
    """Verdicts of many tables, (tables, variants)."""

    words: Whole
    mean: Floats  # points
    half: Floats  # of the 95 % intervals, points


@dataclass(frozen=True)
class Sums:
    """What a rule needs of the runs there are: counts, means, variances of (tables, variants and control)."""

    runs: Whole
    mean: Floats
    own: Floats  # variances
    correlation: Floats  # of (tables, 1), shrunk


def tail(distance: Floats, freedom: Floats) -> Floats:
    """Returns the one-sided p values of t statistics."""
    found: Floats = stdtr(np.minimum(freedom, 1e9), -distance)
    return found


def holm(ps: Floats) -> Floats:
    """Returns p values corrected over the last axis."""
    order = np.argsort(ps, axis=-1)
    steps = np.arange(ps.shape[-1], 0, -1) * np.take_along_axis(ps, order, -1)
    corrected = np.empty_like(ps)
    np.put_along_axis(corrected, order, np.minimum(1, np.maximum.accumulate(steps, axis=-1)), -1)
    return corrected


def sums(scores: Floats, runs: Whole, rule: Rule) -> Sums:
    """Returns what is known of the first `runs` of `scores`, (tables, variants and control, most runs)."""
    there = np.arange(scores.shape[2]) < runs[:, :, None]
    mean = np.where(there, scores, 0).sum(axis=2) / runs
    rest = np.where(there, scores - mean[:, :, None], 0)
    flat = (np.where(there, scores, np.inf).min(axis=2)) == (np.where(there, scores, -np.inf).max(axis=2))
    own = np.where(flat, 0, (rest**2).sum(axis=2) / np.maximum(1, runs - 1))
    if not rule.counts_seeds:
        return Sums(runs, mean, own, np.zeros((len(scores), 1)))
    products = ((rest.sum(axis=1) ** 2) - (rest**2).sum(axis=1)).sum(axis=1)
    fewer = np.minimum(runs[:, :, None], runs[:, None, :]) - 1.0
    fewer[:, np.arange(runs.shape[1]), np.arange(runs.shape[1])] = 0
    spread = (fewer * own[:, :, None]).sum(axis=(1, 2))
    at_seed = there.sum(axis=1)
    pairs = (at_seed * (at_seed - 1)).astype(float)
    effective = pairs.sum(axis=1) ** 2 / (pairs**2).sum(axis=1)
    raw = np.divide(products, spread, out=np.zeros_like(spread), where=spread > 0)
    others = runs.shape[1] - 1
    return Sums(runs, mean, own, (np.clip(raw, 0, STRONGEST) * (1 - 1 / effective) * others / (others + 2))[:, None])


def welch(known: Sums, floor: Floats, freedom: Floats, rule: Rule) -> tuple[Floats, Floats]:
    """Returns error and degrees of freedom of each variant less the control; `freedom` of variances at the `floor`."""
    low = known.own < floor if rule.lifts_zeros else (known.own < floor) & (known.own > 0)
    variance = np.where(low, floor, known.own)
    degrees = np.where(low, freedom, known.runs - 1)
    part = variance / known.runs
    ours, theirs = part[:, :-1], part[:, -1:]
    both = np.minimum(known.runs[:, :-1], known.runs[:, -1:])
    common = 2 * known.correlation * both / (known.runs[:, :-1] * known.runs[:, -1:])
    total = ours + theirs - common * np.minimum(variance[:, :-1], variance[:, -1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (ours + theirs) ** 2 / (ours**2 / degrees[:, :-1] + theirs**2 / degrees[:, -1:])
    return np.sqrt(np.maximum(0, total)), np.where(ours + theirs > 0, found, np.inf)


def compared(known: Sums, rule: Rule) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns differences, halves of intervals, and the one-sided p values of no difference and of no equivalence."""
    spreads = np.where(known.own > 0, known.own, np.nan)
    none = np.isnan(spreads).all(axis=1)
    spreads[none] = 0
    typical = np.nanmedian(spreads, axis=1)[:, None]
    floor = np.maximum(typical, known.own[:, -1:]) if rule.control_floors else typical
    gap = known.mean[:, :-1] - known.mean[:, -1:]
    lifted = 2.0 if rule.doubles else max(1.0, 2 - 3 / known.runs.shape[1])
    error, freedom = welch(known, floor, (known.runs - 1) * lifted, rule)
    if rule.own_freedom and known.runs.shape[1] == 2:
        freedom = np.minimum(freedom, welch(known, np.zeros_like(floor), known.runs - 1.0, rule)[1])
    of_both = (known.runs + known.runs[:, -1:] - 2).astype(float)
    shown, its_freedom = (
        welch(known, np.zeros_like(floor), of_both, rule) if rule.doubles else welch_shown(known, typical, rule)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(error > 0, tail(np.abs(gap) / error, freedom), (gap == 0) / 2)
        near = np.where(error > 0, tail((MARGIN - np.abs(gap)) / error, freedom), np.abs(gap) >= MARGIN)
    return gap, stdtrit(np.minimum(its_freedom, 1e9), 1 - ALPHA / 2) * shown, apart, near


def welch_shown(known: Sums, typical: Floats, rule: Rule) -> tuple[Floats, Floats]:
    """Returns error and degrees of freedom of the intervals: a variance at the median counts those of both samples."""
    errors, freedoms = [], []
    for n in range(known.runs.shape[1] - 1):
        pair = [n, -1]
        part = Sums(known.runs[:, pair], known.mean[:, pair], known.own[:, pair], known.correlation)
        of_both = (part.runs.sum(axis=1) - 2).astype(float)[:, None] * np.ones((1, 2))
        error, freedom = welch(part, typical, of_both, rule)
        errors.append(error[:, 0])
        freedoms.append(freedom[:, 0])
    return np.stack(errors, axis=1), np.stack(freedoms, axis=1)


def decided(apart: Floats, near: Floats, gap: Floats) -> Whole:
    """Returns the words, from two-sided p values of no difference and those of no equivalence."""
    close, different = holm(near) < ALPHA, holm(np.minimum(1, apart)) < ALPHA
    return np.where(close, EQUIVALENT, np.where(different, np.sign(gap), OPEN)).astype(np.int64)


def judged(arms: Floats, control: Floats, rule: Rule = NOW) -> Judged:
    """Returns the verdicts of tables of equally many runs: (tables, variants, runs) and (tables, runs)."""
    tables, variants, seeds = arms.shape
    scores = np.zeros((tables, variants + 1, max(seeds, control.shape[1])))
    scores[:, :-1, :seeds], scores[:, -1, : control.shape[1]] = arms, control
    runs = np.full((tables, variants + 1), seeds)
    runs[:, -1] = control.shape[1]
    known = sums(scores, runs, rule)
    gap, half, apart, near = compared(known, rule)
    refused = seeds < rule.least or control.shape[1] < rule.least
    words = np.zeros_like(gap, dtype=np.int64) if refused else decided(2 * apart, near, gap)
    words[(known.own == 0).all(axis=1)] = OPEN  # nothing is known of the spread
    return Judged(words, gap, half)


@dataclass(frozen=True)
class Ended:
    """Tables after all interim tests."""

    words: Whole  # (tables, variants)
    runs: Whole  # of each table
    of_control: Whole  # those of them that are the control's
    held: npt.NDArray[np.bool_]  # whether the interval holds the truth
    decided_at: Whole  # the interim test that resolved a row; -1 where none did


def stages(first: int, most: int) -> list[int]:
    """Returns the runs of a row at each interim test of `run --resolve`."""
    found = [first]
    while found[-1] < most:
        found.append(min(most, ceil(GROWTH * found[-1])))
    return found


def combined_tails(tails: Floats, test: int, planned: Sequence[int], shares: Sequence[float], exact: bool) -> Floats:
    """Returns the total one-sided error at which an interim test rejects."""
    if not exact:
        return tails / shares[test]
    levels = interim.levels(tuple(round(n / planned[0], 3) for n in planned), tuple(shares))[test]
    inside = np.interp(np.log(np.maximum(tails, 1e-300)), np.log(levels), np.log(interim.ERRORS))
    return np.where(tails < levels[0], tails / levels[0] * interim.ERRORS[0], np.exp(inside))


def in_stages(scores: Floats, effects: Floats, most: int, rule: Rule, first: int = 3, control: int = 0) -> Ended:
    """Returns how `run --resolve` ends on tables whose runs, (tables, variants and control, runs), are all known.

    `control`: its runs at first, where a table has more than ceil(first sqrt k).
    """
    variants = scores.shape[1] - 1
    planned = [n for n in (rule.stages or stages(first, most)) if n <= most]
    total = [spent(n / planned[0]) for n in planned]
    shares = list(rule.shares) or [now - before for before, now in zip([0.0, *total], total, strict=False)]
    runs = np.full((len(scores), variants + 1), planned[0])
    runs[:, -1] = max(control, ceil(planned[0] * sqrt(variants)))
    apart, near = np.ones((2, len(scores), variants))
    open_ = np.ones((len(scores), variants), dtype=bool)
    at = np.full((len(scores), variants), -1)
    for test in range(len(planned)):
        if shares[test] <= 0:
            break
        gap, half, now, close = compared(sums(scores[:, :, : runs.max()], runs, rule), rule)
        tails = (combined_tails(each, test, planned, shares, rule.exact) for each in (now, close))
        apart, near = (np.where(open_, np.minimum(b, n), b) for b, n in zip((apart, near), tails, strict=True))
        words = decided(2 * apart, near, gap)
        at = np.where((words != OPEN) & (at < 0), test, at)
        open_ = words == OPEN
        if test + 1 == len(planned):
            break
        runs = runs.copy()
        runs[:, :-1][open_] = planned[test + 1]
        left = open_.sum(axis=1)
        runs[:, -1] = np.maximum(runs[:, -1], np.ceil(planned[test + 1] * np.sqrt(left)).astype(np.int64))
    return Ended(words, runs.sum(axis=1), runs[:, -1], np.abs(gap - effects) <= half, at)


@lru_cache(maxsize=1)
def baseline_runs() -> Floats:
    """Returns the test accuracies of the catalogue's baseline, points."""
    table = stored.tables(Store(REAL, ENGINE))[0]
    return np.array(stored.points(table.control, table.study))


def made(
    kind: str, tables: int, effects: Floats, runs: int, draw: np.random.Generator, correlation: float = 0.0
) -> Floats:
    """Returns scores of (tables, variants and control, runs): runs of the same number have the same seed."""
    rows = len(effects) + 1
    shape = (tables, rows, runs)
    normal = sqrt(1 - correlation) * draw.standard_normal(shape)
    normal += sqrt(correlation) * draw.standard_normal((tables, 1, runs))
    unit = normal
    if kind == "skewed":
        unit = -np.log1p(-np.clip(ndtr(normal), 0, 1 - 1e-15)) - 1
    elif kind == "heavy":
        unit = normal / np.sqrt(draw.chisquare(3, shape) / 3) / sqrt(3)
    elif kind == "real":
        pool = baseline_runs()
        unit = (draw.choice(pool, shape) - pool.mean()) / SPREAD
    scale = np.ones((tables, rows, 1))
    if kind == "one x5":
        scale[:, 0] = 5
    elif kind == "half x0.1":
        scale[:, : (rows // 2)] = 0.1
    elif kind == "x0.3 to x3":
        scale[:, :-1, 0] = np.exp(draw.uniform(np.log(0.3), np.log(3), (tables, rows - 1)))
    truth = np.append(effects, 0.0)[None, :, None]
    scores = MEAN + SPREAD * scale * unit
    if kind.startswith("fail"):
        rate = int(kind.split()[1]) / 100  # of runs; what is left shows so much more that the means differ as they are
        return np.where(draw.random(shape) < rate, GUESS, scores + truth / (1 - rate))
    scores = scores + truth
    if kind.startswith("images"):
        step = 100 / int(kind.split()[1])
        scores = np.round(scores / step) * step
    found: Floats = scores
    return found


def wrong(words: Whole, effects: Floats) -> npt.NDArray[np.bool_]:
    """Returns which rows say what is not so: a false difference, sign or equivalence."""
    false_sign = (np.abs(words) == HELPS) & (words != np.sign(effects))
    found: npt.NDArray[np.bool_] = false_sign | ((words == EQUIVALENT) & (np.abs(effects) >= MARGIN))
    return found


@dataclass(frozen=True)
class Cell:
    """Tables of one kind and size."""

    kind: str
    truth: Literal["none", "margin"]
    variants: int
    seeds: int
    correlation: float
    wrong: int  # tables with any wrong row
    tables: int

    @property
    def upper(self) -> float:
        """Returns the upper end of the 95 % interval of the share of wrong tables (Clopper & Pearson)."""
        return float(binomtest(self.wrong, self.tables).proportion_ci(0.95).high)

    def __str__(self) -> str:
        about = f"{self.kind}, {self.variants} variants of {self.seeds} runs, effect: {self.truth}"
        seeds = f", correlation {self.correlation}" if self.correlation else ""
        return f"{self.wrong / self.tables:.1%} (upper bound {self.upper:.1%}): {about}{seeds}"


def cell(
    kind: str,
    truth: Literal["none", "margin"],
    variants: int,
    seeds: int,
    correlation: float,
    tables: int,
    rule: Rule = NOW,
) -> Cell:
    """Returns how many of so many tables hold a wrong row."""
    key = [sorted(KINDS).index(kind), variants, seeds, round(100 * correlation), truth == "margin"]
    draw = np.random.default_rng(key)
    effects = np.full(variants, MARGIN if truth == "margin" else 0.0)
    most, found = ceil(seeds * sqrt(variants)), 0
    for start in range(0, tables, 500):
        scores = made(kind, min(500, tables - start), effects, most, draw, correlation)
        words = judged(scores[:, :-1, :seeds], scores[:, -1], rule).words
        found += int(wrong(words, effects).any(axis=1).sum())
    return Cell(kind, truth, variants, seeds, correlation, found, tables)


def grid(tables: int, rule: Rule = NOW) -> list[Cell]:
    """Returns all cells, those of correlated seeds among them; real runs are drawn without correlation."""
    truths: tuple[Literal["none", "margin"], ...] = ("none", "margin")
    return [
        cell(kind, truth, variants, seeds, correlation, tables, rule)
        for kind, variants, seeds, truth, correlation in product(KINDS, SIZES, SEEDS, truths, (0.0, 0.4))
        if not (kind == "real" and correlation) and not (seeds < rule.least)
    ]


def print_grid(tables: int) -> None:
    """Prints the worst cells by the number of runs and by the kind of scores, now and before."""
    for name, rule in (("before", BEFORE), ("now", NOW)):
        found = sorted(grid(tables, rule), key=lambda each: -each.wrong)
        above = sum(each.wrong > ALPHA * each.tables for each in found)
        print(f"{name}: {len(found)} cells of {tables} tables, {above} above 5 %; the worst:")
        for each in found[:5]:
            print(f"  {each}")
        for label, chosen in (
            *((f"{seeds} runs", [c for c in found if c.seeds == seeds]) for seeds in SEEDS),
            *((about, [c for c in found if c.kind == kind and c.seeds > 2]) for kind, about in KINDS.items()),
        ):
            print(f"    {label}: " + (str(chosen[0]) if chosen else "refused a verdict"))


def print_coverage(tables: int) -> None:
    """Prints what share of 95 % intervals hold the truth."""
    for kind in KINDS:
        for correlation in (0.0, 0.3):
            shares = []
            for variants, seeds in product((2, 10, 40), (3, 5, 10)):
                draw = np.random.default_rng([variants, seeds])
                most = ceil(seeds * sqrt(variants))
                scores = made(kind, tables // 4, np.zeros(variants), most, draw, correlation)
                found = judged(scores[:, :-1, :seeds], scores[:, -1])
                shares.append(float((np.abs(found.mean) <= found.half).mean()))
            parts = ", ".join(f"{share:.1%}" for share in shares)
            print(f"{KINDS[kind]}, correlation {correlation}: mean {np.mean(shares):.1%} ({parts})")


def print_resolve(tables: int, most: int) -> None:
    """Prints, for each truth, what staged designs get wrong, what they take, and what their intervals hold."""
    for name, correlation in product(TRUTHS, (0.0, 0.3)):
        effects = np.array(TRUTHS[name])
        print(f"{name}, correlation of equal seeds {correlation}:")
        for label, rule in (
            ("before", BEFORE),
            ("now", NOW),
            ("now without seeds", replace(NOW, counts_seeds=False)),
        ):
            parts = list(staged(effects, tables, most, correlation, rule))
            words = np.concatenate([part.words for part in parts])
            runs = float(np.concatenate([part.runs for part in parts]).mean())
            held = np.concatenate([part.held for part in parts])
            at = np.concatenate([part.decided_at for part in parts])
            bad = int(wrong(words, effects).any(axis=1).sum())
            bounds = binomtest(bad, len(words)).proportion_ci(0.95)
            resolved = float((words != OPEN).sum(axis=1).mean())
            by_look = ", ".join(
                f"{held[at == look].mean():.0%} of {(at == look).mean():.0%}" for look in np.unique(at)
            )
            seeds = as_many(effects, resolved, max(100, tables // 4), 2 * most, rule)
            same = seeds * len(effects) + ceil(seeds * sqrt(len(effects)))
            print(
                f"  {label}: any wrong {bad / len(words):.1%} [{bounds.low:.1%}, {bounds.high:.1%}]; {resolved:.2f} "
                f"of {len(effects)} rows by {runs:.0f} runs, {100 * resolved / runs:.2f} rows per 100 runs; a fixed "
                f"design takes {same} ({seeds} seeds): {runs / same:.2f} of it; {held.mean():.1%} of the intervals "
                f"hold the truth (by the interim test that resolved the row: {by_look})"
            )


def staged(effects: Floats, tables: int, most: int, correlation: float, rule: Rule) -> Iterable[Ended]:
    """Yields how tables end, some hundred at a time."""
    draw = np.random.default_rng(0)
    runs = ceil(most * sqrt(len(effects)))
    for start in range(0, tables, 250):
        scores = made("normal", min(250, tables - start), effects, runs, draw, correlation)
        yield in_stages(scores, effects, most, rule)


def as_many(effects: Floats, resolved: float, tables: int, most: int, rule: Rule) -> int:
    """Returns the least seeds with which a fixed design resolves so many rows on average; `most` if none does."""
    low, high = 3, most
    while low < high:
        middle = (low + high) // 2
        control = ceil(middle * sqrt(len(effects)))
        scores = made("normal", tables, effects, control, np.random.default_rng(middle))
        words = judged(scores[:, :-1, :middle], scores[:, -1], rule).words
        if float((words != OPEN).sum(axis=1).mean()) >= resolved - 0.005:
            high = middle
        else:
            low = middle + 1
    return low


def main() -> None:
    """Prints what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("grid", "coverage", "resolve"))
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--most", type=int, default=55, help="with resolve: seeds of a variant at most")
    given = parser.parse_args()
    if given.what == "grid":
        print_grid(given.tables)
    elif given.what == "coverage":
        print_coverage(given.tables)
    else:
        print_resolve(given.tables, given.most)


if __name__ == "__main__":
    main()
