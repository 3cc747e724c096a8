"""A paper's table and ours: each row's difference, its sign, the order of all rows, and the word for the whole.

Levels differ for many reasons (fewer images, a narrower network), so they are shown and not judged. What is judged is
the sign of each published difference from the table's control, one family of tests, and of each difference of two
rows, another: only where the paper's numbers have a sign at all (see `tells`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan, sqrt
from statistics import fmean, stdev

from scipy.stats import kendalltau

from benchmark.claim import CONTROL, Published
from benchmark.evidence.comparison import Difference, contrast, guesses, holm
from benchmark.evidence.judgements import CONTRADICTED, SUPPORTED, judgements
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.spread import Background, background
from benchmark.evidence.tables import Table, guessing, none_if_nan, points, seeds_of
from benchmark.store.records import RunRecord

TYPICAL = 0.2  # points: the deviation of single runs on CIFAR-10, where a paper gives none
QUANTILE = 1.96  # of a difference's error at 95 %: 0.55 points of two single runs
UNRESOLVED, NOT_MEASURED = "unresolved", "not measured"
REPRODUCED = "reproduced"


@dataclass(frozen=True)
class PublishedRow:
    """One row of a paper's table, and ours. Accuracies and differences in points."""

    arm: str
    published: Published
    published_effect: float | None  # less the first row's; None for that row itself
    runs: int
    accuracy: float | None
    deviation: float | None  # of single runs
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    sign: str  # supported, contradicted, unresolved, not measured; why it is not judged; empty for the first row


@dataclass(frozen=True)
class RankAgreement:
    """How far two tables agree in the order of their rows."""

    rows: int
    tau: float  # Kendall's tau-b of the means
    chance: float  # of as much or more if the order were random
    pairs: Mapping[str, int]  # of rows that the paper tells apart: supported, contradicted, unresolved


@dataclass(frozen=True)
class Fate:
    """What became of a paper's message, over all of its tables."""

    word: str
    supported: int
    claims: int
    hours: float  # of one worker, over all runs


def published_rows(table: Table) -> list[PublishedRow]:
    """Returns the published rows in the order of the paper; none if none are published."""
    values = table.study.published
    if not values:
        return []
    first = reference(table)
    others = [name for name in values if name != first]
    common = common_of(table)
    gaps = {name: gap for name in others if (gap := difference(table, name, first, common))}
    judged = [name for name in others if name in gaps and tells(values[name], values[first])]
    ups = [values[name].accuracy > values[first].accuracy for name in judged]
    signs = dict(zip(judged, words([gaps[name] for name in judged], ups, few(table, judged, first)), strict=True))
    return [published_pair(table, name, first, gaps.get(name), signs.get(name)) for name in values]


def reference(table: Table) -> str:
    """Returns the row that the others are compared with: the control if it is published, else the first."""
    values = table.study.published
    return next((name for name in values if name in (CONTROL, *table.study.same)), next(iter(values)))


def published_pair(table: Table, name: str, first: str, gap: Difference | None, sign: str | None) -> PublishedRow:
    """Returns a line of the table."""
    value, base = table.study.published[name], table.study.published[first]
    scores = points(table.runs(name), table.study)
    low, high = gap.interval if gap else (None, None)
    why = "" if name == first else sign or silence(value, base) or NOT_MEASURED
    return PublishedRow(
        arm=name,
        published=value,
        published_effect=None if name == first else value.accuracy - base.accuracy,
        runs=len(scores),
        accuracy=fmean(scores) if scores else None,
        deviation=stdev(scores) if len(scores) > 1 else None,
        effect=gap.mean if gap else None,
        ci_low=none_if_nan(low),
        ci_high=none_if_nan(high),
        sign=why,
    )


def tells(one: Published, other: Published) -> bool:
    """Returns whether two published numbers have a sign: neither is from memory, and noise alone hardly gives it."""
    return not silence(one, other)


def silence(one: Published, other: Published) -> str:
    """Returns why a published difference has no sign; empty where it has one."""
    if "recalled" in (one.trust, other.trust):
        return "not judged: from memory"
    if abs(one.accuracy - other.accuracy) < QUANTILE * sqrt(error(one) + error(other)):
        return "not judged: within the paper's noise"
    return ""


def error(value: Published) -> float:
    """Returns the square of a published mean's error, points squared."""
    return float((TYPICAL if value.deviation is None else value.deviation) ** 2 / (value.runs or 1))


def difference(table: Table, name: str, other: str, common: Background) -> Difference | None:
    """Returns one arm less another; None where one has no runs."""
    sides = (table.runs(name), table.runs(other))
    if not all(sides):
        return None
    scores = [points(side, table.study) for side in sides]
    return contrast([(1, scores[0]), (-1, scores[1])], common, [seeds_of(side) for side in sides])


def common_of(table: Table) -> Background:
    """Returns what the runs of the published rows tell together of single runs."""
    names = dict.fromkeys([CONTROL, *table.study.published])
    samples = list({id(runs): runs for name in names if (runs := table.runs(name))}.values())
    scores = [points(runs, table.study) for runs in samples]
    return background(scores, points(table.control, table.study), [seeds_of(runs) for runs in samples])


def few(table: Table, names: Sequence[str], *more: str) -> list[bool]:
    """Returns of each arm whether it, or one of `more`, has too few runs for a word."""
    return [min(len(table.runs(each)) for each in (name, *more)) < LEAST for name in names]


def words(gaps: Sequence[Difference], ups: Sequence[bool], few: Sequence[bool]) -> list[str]:
    """Returns of each difference whether it has the sign that was published, which `ups` says; one family of tests."""
    ps = holm([nan if short else gap.p for gap, short in zip(gaps, few, strict=True)])
    return [
        (SUPPORTED if (gap.mean > 0) == up else CONTRADICTED) if p < ALPHA else UNRESOLVED
        for gap, up, p in zip(gaps, ups, ps, strict=True)
    ]


def order(table: Table) -> RankAgreement | None:
    """Returns how far the rows that are published and measured agree in order; None of fewer than three.

    Values from memory take no part.
    """
    values = {n: v for n, v in table.study.published.items() if v.trust != "recalled" and table.runs(n)}
    if len(values) < 3:
        return None
    ours = [fmean(points(table.runs(name), table.study)) for name in values]
    found = kendalltau([each.accuracy for each in values.values()], ours, alternative="greater")
    return RankAgreement(len(values), float(found.statistic), float(found.pvalue), signs(table, values))


def signs(table: Table, values: Mapping[str, Published]) -> dict[str, int]:
    """Returns the fates of all pairs of rows that the paper tells apart, as one family of tests."""
    pairs = [(a, b) for a, b in combinations(values, 2) if tells(values[a], values[b])]
    common = common_of(table)
    gaps = [gap for a, b in pairs if (gap := difference(table, a, b, common))]
    ups = [values[a].accuracy > values[b].accuracy for a, b in pairs]
    short = [min(len(table.runs(a)), len(table.runs(b))) < LEAST for a, b in pairs]
    found = words(gaps, ups, short)
    return {word: found.count(word) for word in (SUPPORTED, CONTRADICTED, UNRESOLVED)}


def fate(tables: Sequence[Table]) -> Fate:
    """Returns what became of a paper's claims over its tables.

    Reproduced: all of them supported, and of every table the control surely better than guessing, which a claim that
    something fails needs besides it. Contradicted: any of them.
    """
    judged = [each.word for table in tables for each in judgements(table)]
    supported = judged.count(SUPPORTED)
    if CONTRADICTED in judged:
        word = CONTRADICTED
    elif judged and supported == len(judged) and all(map(trains, tables)):
        word = REPRODUCED
    else:
        word = UNRESOLVED if any(each.rows and each.control for each in tables) else NOT_MEASURED
    return Fate(word, supported, len(judged), hours(tables))


def trains(table: Table) -> bool:
    """Returns whether the control surely does better than guessing: the positive control of the table."""
    scores = points(table.control, table.study)
    return len(scores) > 1 and not guesses(scores, guessing(table.study))


def hours(tables: Iterable[Table]) -> float:
    """Returns how long the runs of tables took on their workers in all, hours; each run counts once."""
    runs = {
        run.key: run.seconds
        for table in tables
        for arm in (table.control, *table.arms.values())
        for run in arm
        if isinstance(run, RunRecord)
    }
    return sum(runs.values()) / 3600
