"""From a store to tables: each study's runs gathered, compared with their control, and judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import nan
from statistics import fmean, median

from benchmark.claim import CONTROL
from benchmark.evidence.comparison import (
    SIGNED,
    Difference,
    Scale,
    Verdict,
    compare,
    compare_in_looks,
    contrast,
    false_discovery,
)
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.ranks import rank_p, superiority, superiority_interval
from benchmark.evidence.spread import background
from benchmark.evidence.worth import Course, Rung, course, rises, worth
from benchmark.store.records import (
    ArmRecord,
    CostRecord,
    EnsembleRecord,
    FailedRecord,
    Finished,
    Record,
    RunRecord,
    TableName,
    TableRecord,
)
from benchmark.store.store import Store


@dataclass(frozen=True)
class Row:
    """One variant against its control: a line of effects.csv. Accuracies and effects are in points."""

    ablation: str
    context: str
    variant: str
    data: str
    budget: str
    n: int  # runs of the variant
    n_control: int
    accuracy: float | None  # mean on the test images; a diverged run counts as guessing
    accuracy_control: float | None
    effect: float | None  # accuracy - accuracy_control
    ci_low: float | None  # 95 % interval of the effect, without correction (Welch)
    ci_high: float | None
    p: float | None  # of no effect, without correction; None where nothing could be tested
    p_adjusted: float | None  # the same, Holm over the table
    q: float | None  # false discoveries to expect among all rows of the report as sure as this (Benjamini-Hochberg)
    superiority: float | None  # P(variant > control) of a run of each
    superiority_low: float | None  # its 95 % interval (Newcombe), of equal spreads: else too narrow
    superiority_high: float | None
    p_rank: float | None  # of superiority 1/2, Brunner-Munzel, by itself; None where it cannot be had
    verdict: str  # helps, hurts, equivalent, unresolved, no verdict; "not run", "not compared" where a side has no run
    caution: str  # why there is no verdict, or why not to take it at its word; empty if nothing is known against it
    unseen: int  # runs of the variant since its last interim test; 0 where there are no such tests
    seeds_needed: int | None  # more runs of the variant to resolve a difference of the margin
    step_ms_ratio: (
        float | None
    )  # time of a training step over the control's: measured alternately, or else medians of the runs
    step_in_turns: bool  # whether it was; medians swing with whatever else the machine did
    time_ratio: float | None  # training time over the control's: see `training_time`
    time_measured: bool  # whether it rests on steps measured alternately or on counted operations; else on seconds
    memory_ratio: float | None  # peak memory of a run over the control's, medians
    worth: float | None  # times the control's epochs at which it is as good; None beyond the lengths tried
    worth_low: float | None  # 95 % interval; None where it reaches beyond them
    worth_high: float | None
    diverged: int  # runs
    failed: int  # runs that raised an error; not counted in n


@dataclass(frozen=True)
class Table:
    """One ablation on one data set, budget and context."""

    study: TableRecord
    control: list[Finished]  # by seed, diverged runs included
    arms: dict[str, list[Finished]]
    rows: list[Row]
    missing: int  # runs planned that the store lacks
    contexts: tuple[str, ...] = ()  # of the planned tables that this one is, where these are several

    @property
    def names(self) -> list[TableName]:
        """Returns the names of the planned tables that this one is."""
        return [replace(self.study.name, context=each) for each in self.contexts or (self.study.context,)]

    def runs(self, arm: str) -> list[Finished]:
        """Returns the runs of an arm, or of the control under any of its names; none if the table has no such arm."""
        control = arm in (CONTROL, *self.study.same)
        return self.control if control else self.arms.get(arm, [])


@dataclass(frozen=True)
class Decision:
    """An ensemble's measures besides accuracy: a line of ensembles.csv. Means over its replicates; None if unknown."""

    ablation: str
    context: str
    variant: str
    n: int  # replicates, no two of which share a run
    members: float | None  # networks that answer
    accuracy: float | None  # points
    gain: float | None  # over the mean of its members, points
    gain_over_best: float | None  # over the member that is best on validation images, points
    test_loss: float | None  # negative log-likelihood, nats
    calibration_error: float | None  # points
    disagreement: float | None  # of two members, points
    error_correlation: float | None  # of two members
    training_cost: float | None  # floating point operations of all its runs over those of a run of the control
    test_cost: float | None  # floating point operations for an image over those of the control


COLUMNS = [field.name for field in fields(Row)]


def tables(store: Store, records: Mapping[str, Record] | None = None) -> list[Table]:
    """Returns every table planned in this store, from the runs there are, or from `records` that were read before."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in sorted((store.records if records is None else records).values(), key=lambda record: record.seed):
        found[record.fingerprint, record.recipe].append(record)
    costs = {(each.recipe, each.control): each for each in store.costs()}
    without_worth = with_discoveries([table(study, found, costs) for study in store.tables()])
    ladders = [(control_id(each), lengths_ladder(each)) for each in without_worth]
    courses = {control: course(rungs) for control, rungs in ladders if rungs and rises(rungs)}
    return [in_lengths(each, courses.get(control_id(each))) for each in without_worth]


def with_discoveries(found: Sequence[Table]) -> list[Table]:
    """Returns the tables with their rows' false-discovery rates over all of them; equal comparisons count once."""
    ps: dict[tuple[str, str, str], float] = {}
    for each in found:
        ps |= {comparison_of(each, row): row.p for row in each.rows if row.p is not None}
    rates = dict(zip(ps, false_discovery(list(ps.values())), strict=True))
    return [
        replace(each, rows=[replace(row, q=rates.get(comparison_of(each, row))) for row in each.rows])
        for each in found
    ]


def comparison_of(table: Table, row: Row) -> tuple[str, str, str]:
    """Returns what a row compares: the data, the recipe of the variant and that of its control."""
    return table.study.fingerprint, table.study.arm(row.variant).recipe, table.study.control.recipe


def control_id(table: Table) -> tuple[str, str]:
    """Returns what tables of one data set and one control have in common; they are measured with one ladder."""
    return table.study.fingerprint, table.study.control.recipe


def lengths_ladder(table: Table) -> list[Rung]:
    """Returns the control and its longer and shorter trainings, where a table has these and two runs of each."""
    base = table.study.control.facts
    rungs: list[Rung] = [(1.0, points(table.control, table.study))]
    for arm in table.study.arms:
        if base and arm.facts and list(arm.changes) == ["epochs"]:
            rungs.append((arm.facts.epochs / base.epochs, points(table.arms[arm.variant], table.study)))
    rungs = [(length, scores) for length, scores in rungs if len(scores) > 1]
    return rungs if len(rungs) > 2 else []


def in_lengths(table: Table, baseline: Course | None) -> Table:
    """Returns the table with each effect expressed as a length of training, too."""
    if not baseline:
        return table

    def in_length(row: Row) -> Row:
        found = worth(points(table.arms[row.variant], table.study), baseline)
        return replace(row, worth=found.times, worth_low=found.low, worth_high=found.high)

    return replace(table, rows=[in_length(row) if row.n > 1 else row for row in table.rows])


def table(
    study: TableRecord, found: dict[tuple[str, str], list[Record]], costs: dict[tuple[str, str], CostRecord]
) -> Table:
    """Returns one table of `found`, the records by data fingerprint and recipe, with the measured `costs`."""

    def stored(arm: ArmRecord) -> list[Record]:
        return found.get((study.fingerprint, arm.recipe), [])

    def runs(arm: ArmRecord) -> list[Finished]:
        return [run for run in stored(arm) if not isinstance(run, FailedRecord)]

    control = runs(study.control)
    arms = {arm.variant: runs(arm) for arm in study.arms}
    failed = {arm.variant: len(stored(arm)) - len(arms[arm.variant]) for arm in study.arms}
    comparable = [name for name, records in arms.items() if records and control]
    theirs = points(control, study)
    pairs = [(points(arms[name], study), theirs) for name in comparable]
    seeds = [(seeds_of(arms[name]), seeds_of(control)) for name in comparable]
    if study.interims:
        then = [[(each.get(name, 0), each.get(CONTROL, 0)) for name in comparable] for each in study.interims]
        found_words = compare_in_looks(pairs, then, study.margin, seeds, scale(study))
    else:
        found_words = compare(pairs, study.margin, seeds, scale(study))
    verdicts = dict(zip(comparable, found_words, strict=True))
    rows = [row(study, name, arms[name], control, verdicts.get(name), failed[name]) for name in arms]
    measured = {arm.variant: costs.get((arm.recipe, study.control.recipe)) for arm in study.arms}
    rows = [
        replace(each, step_ms_ratio=cost.ratio, step_in_turns=True) if (cost := measured[each.variant]) else each
        for each in rows
    ]
    timed = {arm.variant: training_time(arm, study.control, costs, arms[arm.variant], control) for arm in study.arms}
    rows = [replace(row, time_ratio=timed[row.variant][0], time_measured=timed[row.variant][1]) for row in rows]
    planned = [(study.control, control), *((arm, arms[arm.variant]) for arm in study.arms)]
    return Table(study, control, arms, rows, missing(planned))


def too_few_runs(rows: Iterable[Row]) -> str:
    """Returns a sentence if no row has the runs that a verdict takes; empty if one has, or where none has any."""
    most = max((min(row.n, row.n_control) for row in rows if row.n), default=LEAST)
    if most >= LEAST:
        return ""
    return (
        f"no row can have a verdict yet: it takes {LEAST} runs of the variant and of the baseline; --seeds {LEAST} "
        "trains those that are missing, and keeps these"
    )


def seeds_of(records: Sequence[Finished]) -> list[int]:
    """Returns the seeds of runs; none of ensembles, whose numbers count replicates."""
    return [run.seed for run in records] if all(isinstance(run, RunRecord) for run in records) else []


def scale(study: TableRecord) -> Scale:
    """Returns what test accuracies can be on a table's data; older stores do not know their number of test images."""
    return Scale(guessing(study), 100 / study.test_images if study.test_images else 0.0)


def guessing(study: TableRecord) -> float:
    """Returns the test accuracy of guessing, in points: that of always answering with the largest class, as far as
    the store knows how unequal the classes are."""
    if not study.test_images or not study.largest_class:
        return 100 / study.classes
    return 100 * study.largest_class / study.test_images


def row_difference(table: Table, variant: str) -> Difference:
    """Returns a variant less its control, as the table's rows compare them."""
    samples = [table.control, *table.arms.values()]
    scores = [points(runs, table.study) for runs in samples]
    common = background(scores, scores[0], [seeds_of(runs) for runs in samples])
    sides = (table.arms[variant], table.control)
    terms = list(zip((1.0, -1.0), [points(side, table.study) for side in sides], strict=True))
    return contrast(terms, common, [seeds_of(side) for side in sides])


def missing(planned: Iterable[tuple[ArmRecord, Sequence[Finished]]]) -> int:
    """Returns how many runs the arms plan beyond those that are there."""
    return sum(max(0, arm.seeds - len(there)) for arm, there in planned)


def row(
    study: TableRecord,
    variant: str,
    records: list[Finished],
    control: list[Finished],
    verdict: Verdict | None,
    failed: int,
) -> Row:
    """Returns a variant's row; what is not known yet is None."""
    low, high = verdict.difference.interval if verdict else (None, None)
    ours, theirs = points(records, study), points(control, study)
    by_ranks = rank_p(ours, theirs) if verdict else None
    above, below = superiority_interval(ours, theirs) if verdict else (None, None)
    return Row(
        ablation=study.ablation,
        context=study.context,
        variant=variant,
        data=study.data,
        budget=study.budget,
        n=len(records),
        n_control=len(control),
        accuracy=mean(ours),
        accuracy_control=mean(theirs),
        effect=verdict.difference.mean if verdict else None,
        ci_low=none_if_nan(low),
        ci_high=none_if_nan(high),
        p=none_if_nan(verdict.p_alone) if verdict else None,
        p_adjusted=none_if_nan(verdict.p) if verdict else None,
        q=None,
        superiority=superiority(ours, theirs) if verdict else None,
        superiority_low=above,
        superiority_high=below,
        p_rank=none_if_nan(by_ranks),
        verdict=verdict.word if verdict else "not compared" if records else "not run",
        caution=caution(verdict, records, none_if_nan(by_ranks)) if verdict else "",
        unseen=verdict.unseen if verdict else 0,
        seeds_needed=verdict.seeds_needed if verdict else None,
        step_ms_ratio=ratio(lambda run: run.step_ms, records, control),
        step_in_turns=False,
        time_ratio=None,
        time_measured=False,
        memory_ratio=ratio(lambda run: run.peak_memory_mb, records, control),
        worth=None,
        worth_low=None,
        worth_high=None,
        diverged=sum(record.diverged for record in records),
        failed=failed,
    )


def decisions(table: Table) -> list[Decision]:
    """Returns the ensembles of a table that were made."""
    ensembles = {name: [r for r in records if isinstance(r, EnsembleRecord)] for name, records in table.arms.items()}
    return [decision(table, name, records) for name, records in ensembles.items() if records]


def decision(table: Table, variant: str, records: list[EnsembleRecord]) -> Decision:
    """Returns one ensemble's line."""

    def of(values: Iterable[float | None], unit: float = 1.0) -> float | None:
        known = [value for value in values if value is not None]
        return unit * fmean(known) if known else None

    facts = table.study.control.facts
    flops = [float(run.step_flops) for run in table.control if isinstance(run, RunRecord)]
    step = median(flops) if flops else nan
    return Decision(
        ablation=table.study.ablation,
        context=table.study.context,
        variant=variant,
        n=len(records),
        members=of(r.evaluations for r in records),
        accuracy=of((r.test_accuracy for r in records), 100),
        gain=of((r.gain for r in records), 100),
        gain_over_best=of((r.gain_over_best for r in records), 100),
        test_loss=of(r.test_loss for r in records),
        calibration_error=of((r.calibration_error for r in records), 100),
        disagreement=of((r.disagreement for r in records), 100),
        error_correlation=of(r.error_correlation for r in records),
        training_cost=none_if_nan(of((r.train_flops for r in records), 1 / (step * facts.steps))) if facts else None,
        test_cost=none_if_nan(of((r.test_flops for r in records), facts.batch_size / step)) if facts else None,
    )


def points(records: Sequence[Finished], study: TableRecord) -> list[float]:
    """Returns test accuracies in points; a run that diverged counts as guessing."""
    chance = guessing(study)
    return [chance if r.test_accuracy is None else 100 * r.test_accuracy for r in records]


def ratio(
    measure: Callable[[RunRecord], float], records: Sequence[Finished], control: Sequence[Finished]
) -> float | None:
    """Returns the median of a measure over the control's; None for ensembles, which have no steps of their own."""
    ours, theirs = ([measure(run) for run in runs if isinstance(run, RunRecord)] for runs in (records, control))
    return float(median(ours) / median(theirs)) if ours and theirs and median(theirs) else None


def training_time(
    arm: ArmRecord,
    control: ArmRecord,
    costs: dict[tuple[str, str], CostRecord],
    records: Sequence[Finished],
    control_records: Sequence[Finished],
) -> tuple[float | None, bool]:
    """Returns how long an arm trains over its control, and whether that is better than a ratio of the runs' seconds.

    The time of a step, measured alternately with the control's, times the ratio of their steps. For ensembles, the
    operations of all runs that they take. Where neither is known, the ratio of the median seconds of the runs, which
    swing with whatever else the machine did.
    """
    cost = costs.get((arm.recipe, control.recipe))
    if cost and records and arm.facts and control.facts and control.facts.steps:
        return cost.ratio * arm.facts.steps / control.facts.steps, True
    operations = [record.train_flops for record in records if isinstance(record, EnsembleRecord)]
    steps = [run.step_flops for run in control_records if isinstance(run, RunRecord)]
    if operations and steps and control.facts and (of_control := median(steps) * control.facts.steps):
        return fmean(operations) / of_control, True
    return ratio(lambda run: run.train_seconds, records, control_records), False


def caution(verdict: Verdict, records: Sequence[Finished], p_rank: float | None) -> str:
    """Returns why there is no verdict, or what speaks against taking one of means at its word."""
    if verdict.reason:
        return verdict.reason
    diverged = sum(record.diverged for record in records)
    if 0 < diverged < len(records):
        return f"{diverged} of {len(records)} runs diverged"
    if verdict.word in SIGNED and p_rank is not None and p_rank > ALPHA:
        return f"by ranks it is not sure (p = {p_rank:.2f})"
    return ""


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean, or None of nothing."""
    return fmean(values) if values else None


def none_if_nan(value: float | None) -> float | None:
    """Returns None for nan, which CSV and JSON have no word for."""
    return None if value is None or value != value else value
