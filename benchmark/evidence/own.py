"""Judges results that other programs wrote, by the tests of every table of the suite (`comparison`).

A group is a table of its own: one control, one family of tests. Nothing but the scores and seeds is known of such
runs, and nothing else is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd

from benchmark.errors import UsageError, hint
from benchmark.evidence.comparison import Difference, background_of, compare, judge_pairs
from benchmark.evidence.own_files import CONTROL_NAMES, Arms, Asked, Group, Results, Runs, column_key, results
from benchmark.evidence.power import LEAST, seeds_needed
from benchmark.evidence.regression import Side, judged
from benchmark.evidence.spread import Background, background
from benchmark.evidence.tables import none_if_nan
from benchmark.store.records import TableName

MARGIN = 0.5  # points, as of the suite's own tables


@dataclass(frozen=True)
class OwnRow:
    """One variant against its control, in the unit of the scores: a line of effects.csv."""

    group: str
    variant: str
    n: int  # runs of the variant
    n_control: int
    score: float  # mean
    std: float | None  # of single runs; None of a single one
    score_control: float
    effect: float  # score - score_control
    ci_low: float | None  # 95 % interval of the effect, without correction
    ci_high: float | None
    p: float | None  # of no effect, without correction
    p_adjusted: float | None  # the same, Holm over the group
    verdict: str  # helps, hurts, equivalent, unresolved, no verdict
    reason: str  # why there is no verdict; empty where the tests have decided
    seeds_needed: int | None  # more runs to resolve a difference of the margin; None where resolved or unknown


@dataclass(frozen=True)
class OwnTable:
    """One group's verdicts."""

    group: str  # empty of a table without groups
    control: str
    arms: Arms
    rows: tuple[OwnRow, ...]
    correlation: float  # of runs with the same seed, shrunk; 0 where none share any
    differences: tuple[Difference, ...] = ()  # of the rows, higher being better


@dataclass(frozen=True)
class Judged:
    """The verdicts on all groups of a file."""

    results: Results
    margin: float  # in the unit of the scores; 0 where none is known
    tables: tuple[OwnTable, ...]

    @property
    def rows(self) -> list[OwnRow]:
        """Returns the rows of all groups."""
        return [row for table in self.tables for row in table.rows]


@dataclass(frozen=True)
class Against:
    """One variant, now and in the reference."""

    group: str
    variant: str
    reference: float  # mean score
    now: float
    change: float  # now - reference
    ci_low: float | None
    ci_high: float | None
    p: float | None  # of no change, Holm over all variants
    word: str  # better, worse, equal within the margin, not enough runs
    more: int | None  # runs that it takes more, where there are not enough and a margin is known


def frame_of(rows: Sequence[OwnRow]) -> pd.DataFrame:
    """Returns rows as a frame."""
    frame = pd.DataFrame([{f.name: getattr(row, f.name) for f in fields(OwnRow)} for row in rows])
    return frame.astype({"seeds_needed": "Int64"})


def judge(
    frame: pd.DataFrame | Path | str,
    control: str | None = None,
    *,
    variant_column: str | None = None,
    seed_column: str | None = None,
    score_column: str | None = None,
    percent: bool | None = None,
    lower_is_better: bool | None = None,
    margin: float | None = None,
    group: Sequence[str] = (),
) -> pd.DataFrame:
    """Returns a frame with a row for each variant: effect, 95 % interval, p, verdict, seeds needed (`OwnRow`).

    `frame` has a row for each run, or a column for each variant; a path is read. What is None is found by itself.
    Raises UsageError for a table that cannot be judged.
    """
    asked = Asked(variant_column, seed_column, score_column, tuple(group), percent, lower_is_better, control)
    return frame_of(judge_results(results(frame, asked), control, margin).rows)


def margin_for(found: Results, margin: float | None) -> float:
    """Returns the margin: 0.5 points where scores are percentages, none where their unit is not known."""
    if margin is not None and not 0 <= margin < float("inf"):
        raise UsageError(f"--margin must be a number of 0 or more, got {margin:g}; it is in the unit of the scores")
    return (MARGIN if found.points else 0.0) if margin is None else margin


def judge_results(found: Results, control: str | None = None, margin: float | None = None) -> Judged:
    """Returns the verdicts. Raises UsageError where there is no control, or nothing to compare."""
    refuse_single(found)
    size = margin_for(found, margin)
    return Judged(found, size, tuple(judge_group(found, key, control, size) for key in found.groups))


def refuse_single(found: Results) -> None:
    """Raises UsageError where no variant has a second run."""
    if all(len(runs.scores) < 2 for arms in found.groups.values() for runs in arms.values()):
        raise UsageError(
            f"{found.name} has a single run of each variant, so that the spread of runs is unknown; a verdict takes "
            f"{LEAST} runs of each, with other seeds (if another column has the variants, name it with "
            "--variant-column)"
        )


def control_of(found: Results, key: Group, control: str | None) -> str:
    """Returns the control of a group: the one named, or the one with a usual name."""
    arms, where = found.groups[key], f" of {', '.join(key)}" if key else ""
    if control in arms:
        return control
    if control is not None:
        raise UsageError(f"{found.name} has no run{where} of the control {control!r}; {hint(control, arms)}")
    usual = [name for wanted in CONTROL_NAMES for name in arms if column_key(name) == wanted]
    if not usual:
        raise UsageError(
            f"{found.name} has no variant{where} named baseline; name the control with --control; there are: "
            f"{', '.join(arms)}"
        )
    return usual[0]


def judge_group(found: Results, key: Group, control: str | None, margin: float) -> OwnTable:
    """Returns the verdicts on one group."""
    arms, name = found.groups[key], control_of(found, key, control)
    if len(arms) < 2:
        where = f" of {', '.join(key)}" if key else ""
        raise UsageError(f"{found.name} has no variant{where} besides the control {name!r}; add runs of one")
    sign = -1.0 if found.lower_is_better else 1.0
    others = [variant for variant in arms if variant != name]
    theirs = [sign * score for score in arms[name].scores]
    pairs = [([sign * score for score in arms[variant].scores], theirs) for variant in others]
    numbers = seed_numbers(arms) if found.seeded else {}
    seeds = [(numbers[variant], numbers[name]) for variant in others] if numbers else []
    verdicts = compare(pairs, margin, seeds) if margin else judge_pairs(pairs, margin, seeds)
    rows = []
    for variant, verdict in zip(others, verdicts, strict=True):
        runs, (low, high) = arms[variant].scores, verdict.difference.interval
        low, high = (low, high) if sign > 0 else (-high, -low)
        rows.append(
            OwnRow(
                group=", ".join(key),
                variant=variant,
                n=len(runs),
                n_control=len(theirs),
                score=fmean(runs),
                std=stdev(runs) if len(runs) > 1 else None,
                score_control=fmean(arms[name].scores),
                effect=sign * verdict.difference.mean,
                ci_low=none_if_nan(low),
                ci_high=none_if_nan(high),
                p=none_if_nan(verdict.p_alone),
                p_adjusted=none_if_nan(verdict.p),
                verdict=verdict.word,
                reason=verdict.reason,
                seeds_needed=verdict.seeds_needed or None,
            )
        )
    differences = tuple(verdict.difference for verdict in verdicts)
    return OwnTable(
        ", ".join(key), name, arms, tuple(rows), background_of(pairs, pairs, seeds).correlation, differences
    )


def seed_numbers(arms: Arms) -> dict[str, list[int]]:
    """Returns the seeds of each variant as numbers, equal where their names are."""
    numbers: dict[str, int] = {}
    return {name: [numbers.setdefault(seed, len(numbers)) for seed in runs.seeds] for name, runs in arms.items()}


def against(now: Results, then: Results, margin: float | None = None) -> list[Against]:
    """Returns what became of each variant that both files have; all are one family of tests.

    Raises UsageError where the files have none in common or measure different things.
    """
    if now.points != then.points or now.lower_is_better != then.lower_is_better:
        raise UsageError(
            f"{now.name} and {then.name} measure different things ({now.said[-1]} | {then.said[-1]}); choose one "
            "score with --score-column, --percent and --lower-is-better"
        )
    size = margin_for(now, margin)
    common = [(key, name) for key, arms in now.groups.items() for name in arms if name in then.groups.get(key, {})]
    if not common:
        theirs = ", ".join(sorted({name for arms in then.groups.values() for name in arms}))
        raise UsageError(f"{now.name} and {then.name} have no variant in common; the reference has: {theirs}")
    spreads = {key: spread_of(now, then, key) for key, _ in common}
    sides = [
        own_side(now.groups[key][name], then.groups[key][name], key, name, now, size, spreads[key])
        for key, name in common
    ]
    sign = -1.0 if now.lower_is_better else 1.0
    found = []
    for (key, name), each, change in zip(common, sides, judged(sides), strict=True):
        ((_, before),), ((_, after),) = each.before, each.after
        ends = [sign * end for end in (change.low, change.high) if end is not None]
        word = {"unchanged": "equal within the margin", "unresolved": "not enough runs"}.get(change.word, change.word)
        word = word if spreads[key].floor else "not enough runs"  # of equal runs the spread is unknown
        same = each.reproduced
        lacking = word == "not enough runs" and not same
        found.append(
            Against(
                group=", ".join(key),
                variant=name,
                reference=sign * change.before,
                now=sign * change.after,
                change=sign * (change.after - change.before),
                ci_low=min(ends) if ends else None,
                ci_high=max(ends) if ends else None,
                p=change.p,
                word="equal within the margin" if same else word,
                more=seeds_needed(after, before, size, len(sides), spreads[key]) if lacking and size else None,
            )
        )
    return found


def spread_of(now: Results, then: Results, key: Group) -> Background:
    """Returns what all samples of a group, of both files, tell of single runs."""
    arms = {("now", name): runs for name, runs in now.groups[key].items()} | {
        ("then", name): runs for name, runs in then.groups[key].items()
    }
    samples = [runs.scores for runs in arms.values()]
    numbers = seed_numbers({str(name): runs for name, runs in arms.items()})
    return background(samples, (), list(numbers.values()) if now.seeded and then.seeded else ())


def own_side(
    after: Runs, before: Runs, key: Group, name: str, now: Results, margin: float, common: Background
) -> Side:
    """Returns one variant of both files, higher being better."""
    sign = -1.0 if now.lower_is_better else 1.0
    numbers = seed_numbers({"after": after, "before": before})
    paired = len(after.seeds) == len(after.scores) and len(before.seeds) == len(before.scores)
    same = paired and dict(zip(after.seeds, after.scores, strict=True)) == dict(
        zip(before.seeds, before.scores, strict=True)
    )
    return Side(
        table=TableName(", ".join(key), "", "", ""),
        variant=name,
        before=[(1.0, [sign * score for score in before.scores])],
        after=[(1.0, [sign * score for score in after.scores])],
        margin=margin,
        spread=common,
        reproduced=same,
        seeds=(numbers["after"], numbers["before"]) if paired else (),
    )
