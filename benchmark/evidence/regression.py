"""Has a trick's effect changed since a reference? Differences of differences, on stored runs.

A change of the code, of PyTorch or of the machine may move every accuracy and leave what a trick is worth as it was,
or break one trick and leave the rest. So effects are compared, beside the baselines themselves. All comparisons are
one family (Holm). Where both stores have the very same runs of a variant and of its baseline (the same recipe, code
and seed, and none besides) and all of them gave the same numbers, nothing has changed, however few they are: trainings
are deterministic. Where one side has other runs too, the statistics decide. Costs are compared by ratios of step times
that were measured in turns; their error is how much these ratios scatter from one measurement to another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import log, pi, sqrt
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from scipy.stats import t

from benchmark.evidence.comparison import TOO_FEW, Difference, contrast, holm, judge
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.spread import Background, background
from benchmark.evidence.tables import CONTROL, Table, number, points, tables
from benchmark.store.files import replace_file, told
from benchmark.store.records import Record, table_name
from benchmark.store.store import Store

OUTCOME = ("status", "test_accuracy", "test_loss", "validation_loss")  # numbers of a run that tell it from another
COST_CHANGE = 1.1  # factor between step-time ratios that is worth a word, if it is sure
ROUNDS, RANGE = 5, 2.326  # of a measured cost; the expected range of five normal numbers, standard deviations
MEDIAN_ERROR = sqrt(pi / 2)  # of a median over that of a mean, for many normal numbers
FREEDOM = 7.2  # degrees: a range of five tells as much as 3.6 degrees (Patnaik 1950), and there are two
MAD = 1.4826  # standard deviations of normal numbers per median absolute deviation
LEAST_SCATTER = 20  # changes that tell how much measurements scatter
TINY = 1e-9  # an error that stands for none
Terms = list[tuple[float, list[float]]]


@dataclass(frozen=True)
class Change:
    """One effect, or one baseline's accuracy, then and now; points."""

    ablation: str
    context: str
    variant: str  # CONTROL for a baseline's accuracy
    data: str
    budget: str
    before: float
    after: float
    low: float | None  # 95 % interval of after - before; None with a single run on a side
    high: float | None
    p: float | None  # of no change, corrected over all comparisons
    word: str  # better, worse, unchanged (surely within the margin, or the same numbers again), unresolved
    visible: float | None  # the change that would show four times out of five

    @property
    def name(self) -> str:
        """As a summary shows it."""
        return row_name(self.ablation, self.context, self.variant)


@dataclass(frozen=True)
class CostChange:
    """A variant's step time over its control's, then and now, which surely differ."""

    variant: str
    before: float
    after: float


@dataclass(frozen=True)
class Comparison:
    """A store against a reference."""

    changes: list[Change]
    costs: list[CostChange]
    missing: list[str]  # compared in the reference, without runs in the store
    again: tuple[int, int]  # of the runs that both have: those that gave the same numbers, and all
    environments: tuple[list[str], list[str]]  # of the reference, of the store

    @property
    def resolved(self) -> list[Change]:
        """What surely changed, by more than the margin allows to ignore."""
        return [change for change in self.changes if change.word in ("better", "worse")]


def row_name(ablation: str, context: str, variant: str) -> str:
    """A row as a summary names it."""
    return f"{ablation} ({context}): {variant}" if context else f"{ablation}: {variant}"


def compared(reference: Store, store: Store) -> Comparison:
    """Every effect and every baseline that both have."""
    then, now = ({table_name(table.study): table for table in tables(each)} for each in (reference, store))
    found: list[tuple[dict[str, Any], Terms, Terms]] = []
    missing, baselines = [], set()
    same: list[bool] = []  # of what is found
    for name, before in then.items():
        after = now.get(name)
        if before.study["control"]["recipe"] not in baselines and before.control and after and after.control:
            baselines.add(before.study["control"]["recipe"])
            found.append(({**about(before), "variant": CONTROL}, own(before, CONTROL), own(after, CONTROL)))
            same.append(reproduced(before, after, CONTROL))
        for arm in before.study["arms"]:
            variant = arm["variant"]
            old, new = effect(before, variant), effect(after, variant) if after else None
            if old is None:
                continue
            if new is None or after is None:
                missing.append(row_name(before.study["ablation"], before.study["context"], variant))
            else:
                found.append(({**about(before), "variant": variant}, old, new))
                same.append(reproduced(before, after, variant))
    changes = judged(
        found,
        [then[place(about)].study["margin"] for about, _, _ in found],
        [spread(then[place(about)]) for about, _, _ in found],
    )
    runs = [list(each.records.values()) for each in (reference, store)]  # read from the disk, once
    shared = again(*runs)
    return Comparison(
        [replace(c, word="unchanged") if is_same else c for c, is_same in zip(changes, same, strict=True)],
        cost_changes(reference, store),
        missing,
        (sum(shared), len(shared)),
        (environments(runs[0]), environments(runs[1])),
    )


def reproduced(before: Table, after: Table, variant: str) -> bool:
    """Whether a variant and its control have the very same runs then and now, all of which gave the same numbers."""
    return all(all_again(before.runs(arm), after.runs(arm)) for arm in (variant, CONTROL))


def all_again(before: Sequence[Record], after: Sequence[Record]) -> bool:
    """Whether there are runs, the same on both sides and no others, and all gave the same numbers."""
    keys = [{run["key"] for run in runs} for runs in (before, after)]
    return bool(keys[0]) and keys[0] == keys[1] and all(again(before, after))


def again(before: Sequence[Record], after: Sequence[Record]) -> list[bool]:
    """Of each run that both have: whether it gave the same numbers, as far as both records have them."""
    then = {run["key"]: run for run in before}
    return [
        all(run[name] == old[name] for name in OUTCOME if name in run and name in old)
        for run in after
        if (old := then.get(run["key"]))
    ]


def about(table: Table) -> dict[str, str]:
    """Which table a line is of."""
    return {field: table.study[field] for field in ("ablation", "context", "data", "budget")}


def place(named: dict[str, str]) -> tuple[str, str, str, str]:
    """The table's name, of what `about` gave."""
    return named["ablation"], named["context"], named["data"], named["budget"]


def own(table: Table, variant: str) -> Terms:
    """The accuracies of an arm; the control's for an arm that is the same training."""
    return [(1.0, points(table.runs(variant), table.study))]


def effect(table: Table, variant: str) -> Terms | None:
    """An arm less its control; nothing at all for an arm that is the control, as a trick that lost its effect is."""
    if variant in table.study["control"]["same"]:
        return []
    ((_, scores),) = own(table, variant)
    control = points(table.control, table.study)
    return [(1.0, scores), (-1.0, control)] if scores and control else None


def spread(table: Table) -> Background:
    """Returns what its arms tell together of single runs."""
    control = points(table.control, table.study)
    return background([control, *(points(runs, table.study) for runs in table.arms.values())], control)


def judged(
    found: Sequence[tuple[dict[str, Any], Terms, Terms]], margins: Sequence[float], spreads: Sequence[Background]
) -> list[Change]:
    """Returns a line for each comparison, all of them one family."""
    gaps = [difference(old, new, common) for (_, old, new), common in zip(found, spreads, strict=True)]
    reasons = [TOO_FEW if any(len(scores) < LEAST for _, scores in (*old, *new)) else "" for _, old, new in found]
    verdicts = judge(gaps, margins, reasons)
    words = {"helps": "better", "hurts": "worse", "equivalent": "unchanged"}
    return [
        Change(
            **named,
            before=mean(old),
            after=mean(new),
            low=number(gap.interval[0]),
            high=number(gap.interval[1]),
            p=number(verdict.p),
            word=words.get(verdict.word, "unresolved"),
            visible=number(gap.visible(len(gaps))),
        )
        for (named, old, new), gap, verdict in zip(found, gaps, verdicts, strict=True)
    ]


def difference(old: Terms, new: Terms, common: Background) -> Difference:
    """Returns new less old."""
    terms = [*new, *((-weight, scores) for weight, scores in old)]
    return contrast(terms, common) if terms else Difference(0.0, 0.0, float("inf"))


def mean(terms: Terms) -> float:
    """The weighted sum of the means."""
    return sum(weight * sum(scores) / len(scores) for weight, scores in terms)


def cost_changes(reference: Store, store: Store) -> list[CostChange]:
    """Returns the variants whose step time over the control's surely changed, by a factor of more than COST_CHANGE.

    At 5 % after Holm's correction over all that both stores measured. The error of a change is that of the rounds of
    the two measurements or, where it is larger and there are enough of them, the scatter over all changes: a machine
    differs more from one day to another than within the minute of a measurement.
    """
    then, now = costs(reference), costs(store)
    names = sorted(then.keys() & now.keys())
    changes = [log(now[name]["ratio"] / then[name]["ratio"]) for name in names]
    scatter = median(map(abs, changes)) * MAD if len(changes) >= LEAST_SCATTER else 0.0
    ps = [
        2 * float(t.sf(abs(change) / max(scatter, sqrt(squared(then[name]) + squared(now[name])), TINY), FREEDOM))
        for name, change in zip(names, changes, strict=True)
    ]
    return [
        CostChange(name, then[name]["ratio"], now[name]["ratio"])
        for name, change, p in zip(names, changes, holm(ps), strict=True)
        if p < ALPHA and abs(change) > log(COST_CHANGE)
    ]


def squared(cost: dict[str, float]) -> float:
    """Returns the squared error of the logarithm of a ratio, the median of ROUNDS, from their range."""
    return (log(cost["high"] / cost["low"]) / RANGE * MEDIAN_ERROR) ** 2 / ROUNDS


def costs(store: Store) -> dict[str, dict[str, float]]:
    """The measured costs by the name of ablation, context and variant: texts of recipes change with the code."""
    measured = {(each["recipe"], each["control"]): each for each in store.cost_entries()}
    return {
        f"{study['ablation']} {study['context']}: {arm['variant']}": measured[
            arm["recipe"], study["control"]["recipe"]
        ]
        for study in store.studies()
        for arm in study["arms"]
        if (arm["recipe"], study["control"]["recipe"]) in measured
    }


def environments(runs: Iterable[Record]) -> list[str]:
    """What the runs were trained on, in words; each once."""
    return sorted({described(run) for run in runs})


def described(record: Record) -> str:
    """The environment of a run that an effect may depend on."""
    there = record["environment"]
    device = there.get("device", "?")
    return f"torch {there.get('torch', '?')} on {there.get('cpu') if device == 'cpu' else device}"


def summary(comparison: Comparison, rows: int = 20) -> str:
    """Markdown fit for a pull request."""
    resolved = comparison.resolved
    counts = {word: sum(c.word == word for c in comparison.changes) for word in ("unchanged", "unresolved")}
    lines = [
        f"### Effects: {len(resolved)} changed, {counts['unchanged']} unchanged, {counts['unresolved']} unresolved",
        "",
        f"Reference: {'; '.join(comparison.environments[0])}. Now: {'; '.join(comparison.environments[1])}.",
    ]
    same, both = comparison.again
    if both:
        lines += ["", f"{same} of the {both} runs that both have gave the same numbers."]
    if sizes := [change.visible for change in comparison.changes if change.visible]:
        lines += [
            "",
            f"With these runs half of the comparisons show a change of {median(sizes):.1f} points "
            "four times out of five.",
        ]
    if resolved:
        lines += ["", "| effect | reference | now | change [95 % interval] | p | |", "|---|--:|--:|--:|--:|---|"]
        lines += map(line, sorted(resolved, key=lambda change: change.p or 0)[:rows])
        lines += [f"\n… and {len(resolved) - rows} more."] if len(resolved) > rows else []
    if comparison.costs:
        lines += ["", "| step time over the baseline's | reference | now |", "|---|--:|--:|"]
        lines += [f"| {c.variant} | {c.before:.2f} | {c.after:.2f} |" for c in comparison.costs]
    if comparison.missing:
        named = ", ".join(comparison.missing[:rows]) + (", …" if len(comparison.missing) > rows else "")
        lines += ["", f"Not compared, since the store has no runs of them: {len(comparison.missing)}: {named}."]
    return "\n".join(lines) + "\n"


def line(change: Change) -> str:
    """A row of the summary's table."""
    interval = "" if change.low is None or change.high is None else f" [{change.low:+.1f}, {change.high:+.1f}]"
    p = "" if change.p is None else f"{change.p:.2g}"
    gap = f"{change.after - change.before:+.1f}{interval}"
    return f"| {change.name} | {change.before:+.1f} | {change.after:+.1f} | {gap} | {p} | {change.word} |"


def accept(store: Store, reference: Path, comparison: Comparison, history: Path, commit: str) -> None:
    """Put `store` in the place of `reference`, say where it came from, and note its effects in `history`, a CSV."""
    when = datetime.now(UTC).date().isoformat()
    with told(reference):
        reference.mkdir(parents=True, exist_ok=True)
        for name in ("runs.jsonl", "studies.json", "costs.json"):
            if (store.folder / name).exists():
                replace_file(reference / name, (store.folder / name).read_bytes())
        came_from = {"accepted": when, "commit": commit, "environments": comparison.environments[1]}
        replace_file(reference / "accepted.json", json.dumps(came_from, indent=1).encode())
    with told(history.parent):
        noted = pd.read_csv(history) if history.exists() else pd.DataFrame()
        pd.concat([noted, pd.DataFrame(lines(comparison.changes, when, commit))]).to_csv(history, index=False)


def lines(changes: Iterable[Change], when: str, commit: str) -> list[dict[str, Any]]:
    """Lines of the history: every effect, and its change since the reference before."""
    return [
        {
            "date": when,
            "commit": commit,
            **{field: getattr(change, field) for field in ("data", "budget", "ablation", "context", "variant")},
            "effect": round(change.after, 3),
            "change": change.word,
        }
        for change in changes
    ]
