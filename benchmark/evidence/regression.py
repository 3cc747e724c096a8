"""Has a trick's effect changed since a reference? Differences of differences, on stored runs.

A change of the code, of PyTorch or of the machine may move every accuracy and leave what a trick is worth as it was,
or break one trick and leave the rest. So effects are compared, and the baselines themselves too. All comparisons are
one family (Holm). Where both stores have the very same runs of a variant and of its baseline (the same recipe, code
and seed, and none besides) and all of them gave the same numbers, nothing has changed, however few they are: trainings
are deterministic. Where one side has other runs too, the statistics decide; where they leave open what the store's
own runs, all of them shared, repeat number by number, the row is called repeated: nothing that was trained differs.
Costs are compared by ratios of step times
that were measured alternately; their error is how much these ratios scatter from one measurement to another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi, sqrt
from statistics import median

from scipy.stats import t

from benchmark.claim import CONTROL
from benchmark.evidence.comparison import TOO_FEW, Difference, contrast, holm, judge
from benchmark.evidence.matching import Matching, matched
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.spread import Background, Seeds, background
from benchmark.evidence.tables import Table, none_if_nan, points, tables
from benchmark.evidence.twins import without_twins
from benchmark.store.equality import differences
from benchmark.store.records import CostRecord, Environment, Finished, TableName
from benchmark.store.store import Store

COST_CHANGE = 1.1  # factor between step-time ratios that is worth a word, if it is sure
ROUNDS, RANGE = 5, 2.326  # of a measured cost; the expected range of five normal numbers, standard deviations
MEDIAN_ERROR = sqrt(pi / 2)  # of a median over that of a mean, for many normal numbers
FREEDOM = 7.2  # degrees: a range of five tells as much as 3.6 degrees (Patnaik 1950), and there are two
MAD = 1.4826  # standard deviations of normal numbers per median absolute deviation
LEAST_SCATTER = 20  # changes that tell how much measurements scatter
TINY = 1e-9  # an error that stands for none
Terms = list[tuple[float, list[float]]]


@dataclass(frozen=True)
class EffectChange:
    """One effect, or one baseline's accuracy, then and now; points."""

    table: TableName
    variant: str  # CONTROL for a baseline's accuracy
    before: float
    after: float
    low: float | None  # 95 % interval of after - before; None with a single run on a side
    high: float | None
    p: float | None  # of no change, corrected over all comparisons
    word: str  # better, worse, unchanged (within the margin, or the same numbers again), repeated, unresolved
    visible: float | None  # the smallest change that is detected with 80 % power

    @property
    def name(self) -> str:
        """As a summary shows it."""
        return self.table.row(self.variant)


@dataclass(frozen=True)
class CostChange:
    """A variant's step time over its control's, then and now, which differ significantly."""

    variant: str
    before: float
    after: float


@dataclass(frozen=True)
class Regression:
    """A store against a reference."""

    changes: list[EffectChange]
    costs: list[CostChange]
    matching: Matching
    again: tuple[int, int]  # of the runs that both have: those that gave the same numbers, and all
    differing: list[str]  # those that gave other numbers, with the test accuracies
    environments: tuple[list[str], list[str]]  # of the reference, of the store
    commits: tuple[list[str], list[str]]  # that trained them

    @property
    def resolved(self) -> list[EffectChange]:
        """Returns what changed significantly, by more than the margin."""
        return [change for change in self.changes if change.word in ("better", "worse")]


@dataclass(frozen=True)
class Side:
    """One effect, or one baseline's accuracy, of both stores."""

    table: TableName
    variant: str
    before: Terms
    after: Terms
    margin: float  # points
    spread: Background  # what the table's arms tell together of single runs
    reproduced: bool  # whether both sides have the very same runs, which gave the same numbers
    seeds: Sequence[Seeds] = ()  # of the samples of `after`, then of `before`; none where no two share any
    repeated: bool = False  # whether the reference has all runs of `after`, with the same numbers, and may have more


def compare_stores(reference: Store, store: Store, only: str | None = None) -> Regression:
    """Returns every effect and baseline that both stores have, of the rows that `only` names or of all that the store
    plans."""
    then, now = (without_twins(tables(each)) for each in (reference, store))
    matching = matched(then, now, only)
    sides: list[Side] = []
    baselines = set()
    for pair in matching.pairs:
        before, after = pair.before, pair.after
        control = before.study.control.recipe
        if control not in baselines:
            baselines.add(control)
            sides.append(side_of_row(before, CONTROL, own(before, CONTROL), own(after, CONTROL), after, CONTROL))
        old, new = effect(before, pair.variant), effect(after, pair.now)
        if old is not None and new is not None:
            sides.append(side_of_row(before, pair.variant, old, new, after, pair.now))
    changes = [worded(change, side) for change, side in zip(judged(sides), sides, strict=True)]
    runs = [each.finished for each in (reference, store)]  # read from the disk, once
    shared = again(*runs)
    return Regression(
        changes=changes,
        costs=cost_changes(costs(reference), costs(store)),
        matching=matching,
        again=(sum(shared), len(shared)),
        differing=differing(runs[0], runs[1], now),
        environments=(environments(runs[0]), environments(runs[1])),
        commits=(commits_of(runs[0]), commits_of(runs[1])),
    )


def side_of_row(before: Table, variant: str, old: Terms, new: Terms, after: Table, now: str) -> Side:
    """Returns what is compared of a row or a baseline."""
    arms = [(before.runs(one), after.runs(other)) for one, other in ((variant, now), (CONTROL, CONTROL))]
    repeated = all(all_again(*arm) for arm in arms)
    reproduced = repeated and all(len(one) == len(other) for one, other in arms)
    common = table_background(before)
    return Side(before.study.name, variant, old, new, before.study.margin, common, reproduced, repeated=repeated)


def worded(change: EffectChange, side: Side) -> EffectChange:
    """Returns a change with the word that runs with the same numbers give it, if they do."""
    if side.reproduced:
        return replace(change, word="unchanged")
    return replace(change, word="repeated") if side.repeated and change.word == "unresolved" else change


def differing(before: Iterable[Finished], after: Iterable[Finished], now: Iterable[Table]) -> list[str]:
    """Returns the runs that both have and that gave other numbers, in words."""
    names: dict[str, str] = {}
    for table in now:
        for arm in (table.study.control, *table.study.arms):
            names.setdefault(arm.recipe, table.study.name.row(arm.variant))
    then = {run.key: run for run in before}
    return [
        f"{names.get(run.recipe, 'a member of ensembles')}, seed {run.seed}: {percent(old)} then, {percent(run)} now"
        for run in after
        if (old := then.get(run.key)) and differences(old, run)
    ]


def percent(run: Finished) -> str:
    """Returns a run's test accuracy in words."""
    return "diverged" if run.test_accuracy is None else f"{100 * run.test_accuracy:.2f} %"


def commits_of(runs: Iterable[Finished]) -> list[str]:
    """Returns the commits that runs were trained by, each once, shortened."""
    found = Counter(str(run.environment.get("git_commit", "")) for run in runs)
    return [commit[:9] for commit, _ in found.most_common() if commit]


def all_again(before: Sequence[Finished], after: Sequence[Finished]) -> bool:
    """Returns whether there are runs now, the reference has all of them, and all gave the same numbers."""
    return bool(after) and {run.key for run in after} <= {run.key for run in before} and all(again(before, after))


def again(before: Sequence[Finished], after: Sequence[Finished]) -> list[bool]:
    """Returns for each run that both have whether it gave the same numbers, as far as both records have them."""
    then = {run.key: run for run in before}
    return [not differences(old, run) for run in after if (old := then.get(run.key))]


def own(table: Table, variant: str) -> Terms:
    """Returns the accuracies of an arm; the control's for an arm that is the same training."""
    return [(1.0, points(table.runs(variant), table.study))]


def effect(table: Table, variant: str) -> Terms | None:
    """Returns an arm less its control; None for an arm that is the control, such as a trick that lost its effect."""
    if variant in table.study.same:
        return []
    ((_, scores),) = own(table, variant)
    control = points(table.control, table.study)
    return [(1.0, scores), (-1.0, control)] if scores and control else None


def table_background(table: Table) -> Background:
    """Returns what its arms tell together of single runs."""
    control = points(table.control, table.study)
    return background([control, *(points(runs, table.study) for runs in table.arms.values())], control)


def judged(sides: Sequence[Side]) -> list[EffectChange]:
    """Returns a line for each comparison, all of them one family."""
    gaps = [difference(side.before, side.after, side.spread, side.seeds) for side in sides]
    reasons = [TOO_FEW if any(len(s) < LEAST for _, s in (*side.before, *side.after)) else "" for side in sides]
    verdicts = judge(gaps, [side.margin for side in sides], reasons)
    words = {"helps": "better", "hurts": "worse", "equivalent": "unchanged"}
    return [
        EffectChange(
            table=side.table,
            variant=side.variant,
            before=mean(side.before),
            after=mean(side.after),
            low=none_if_nan(gap.interval[0]),
            high=none_if_nan(gap.interval[1]),
            p=none_if_nan(verdict.p),
            word=words.get(verdict.word, "unresolved"),
            visible=none_if_nan(gap.visible(len(gaps))),
        )
        for side, gap, verdict in zip(sides, gaps, verdicts, strict=True)
    ]


def difference(old: Terms, new: Terms, common: Background, seeds: Sequence[Seeds] = ()) -> Difference:
    """Returns new less old; `seeds` of the samples of `new`, then of `old`."""
    terms = [*new, *((-weight, scores) for weight, scores in old)]
    return contrast(terms, common, seeds) if terms else Difference(0.0, 0.0, float("inf"))


def mean(terms: Terms) -> float:
    """Returns the weighted sum of the means."""
    return sum(weight * sum(scores) / len(scores) for weight, scores in terms)


def cost_changes(then: Mapping[str, CostRecord], now: Mapping[str, CostRecord]) -> list[CostChange]:
    """Returns the variants whose step time over the control's changed significantly, by more than COST_CHANGE.

    At 5 % after Holm's correction over all that both stores measured. The error of a change is that of the rounds of
    the two measurements or, where it is larger and there are enough of them, the scatter over all changes: a machine
    differs more from one day to another than within the minute of a measurement.
    """
    names = sorted(then.keys() & now.keys())
    changes = [log(now[name].ratio / then[name].ratio) for name in names]
    scatter = median(map(abs, changes)) * MAD if len(changes) >= LEAST_SCATTER else 0.0
    ps = [
        2 * float(t.sf(abs(change) / max(scatter, sqrt(squared(then[name]) + squared(now[name])), TINY), FREEDOM))
        for name, change in zip(names, changes, strict=True)
    ]
    return [
        CostChange(name, then[name].ratio, now[name].ratio)
        for name, change, p in zip(names, changes, holm(ps), strict=True)
        if p < ALPHA and abs(change) > log(COST_CHANGE)
    ]


def squared(cost: CostRecord) -> float:
    """Returns the squared error of the logarithm of a ratio, the median of ROUNDS, from their range."""
    return (log(cost.high / cost.low) / RANGE * MEDIAN_ERROR) ** 2 / ROUNDS


def costs(store: Store) -> dict[str, CostRecord]:
    """Returns the measured costs by the name of their row: texts of recipes change with the code."""
    measured = {(each.recipe, each.control): each for each in store.costs()}
    return {
        study.name.row(arm.variant): measured[arm.recipe, study.control.recipe]
        for study in store.tables()
        for arm in study.arms
        if (arm.recipe, study.control.recipe) in measured
    }


def environments(runs: Iterable[Finished]) -> list[str]:
    """Returns what the runs were trained on, in words; each once."""
    return sorted({described(run.environment) for run in runs})


def described(there: Environment) -> str:
    """Returns the part of an environment that an effect may depend on, in words."""
    device = there.get("device", "?")
    return f"torch {there.get('torch', '?')} on {there.get('cpu') if device == 'cpu' else device}"
