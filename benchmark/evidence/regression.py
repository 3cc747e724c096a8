"""Has a trick's effect changed since a reference? Differences of differences, on stored runs.

A change of the code, of PyTorch or of the machine may move every accuracy and leave what a trick is worth as it was,
or break one trick and leave the rest. So effects are compared, beside the baselines themselves. All comparisons are
one family (Holm). Where runs that both stores have (the same recipe, code and seed) gave the same numbers, nothing has
changed, however few they are: trainings are deterministic. Costs are compared by the ranges that were measured in
turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from benchmark.evidence.comparison import Difference, contrast, judge, typical
from benchmark.evidence.tables import CONTROL, Table, number, points, tables
from benchmark.store.files import replace_file, told
from benchmark.store.records import Record, table_name
from benchmark.store.store import Store

OUTCOME = ("status", "test_accuracy", "test_loss", "validation_loss")  # numbers of a run that tell it from another
COST_CHANGE = 1.1  # factor between step-time ratios that is worth a word, where the measured ranges do not meet
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
    """A variant's step time over its control's, then and now, whose measured ranges do not meet."""

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
    then, now = ({table_name(t.study): t for t in tables(each)} for each in (reference, store))
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
    """Whether a variant and its control have runs in common then and now, all of which gave the same numbers."""
    both = [again(before.runs(arm), after.runs(arm)) for arm in (variant, CONTROL)]
    return all(runs and all(runs) for runs in both)


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


def spread(table: Table) -> float:
    """The median variance of its arms: no sample is believed to vary less (see `comparison`)."""
    return typical(points(runs, table.study) for runs in (table.control, *table.arms.values()))


def judged(
    found: Sequence[tuple[dict[str, Any], Terms, Terms]], margins: Sequence[float], floors: Sequence[float]
) -> list[Change]:
    """A line for each comparison, all of them one family."""
    gaps = [difference(old, new, floor) for (_, old, new), floor in zip(found, floors, strict=True)]
    verdicts = judge(gaps, margins)
    words = {"helps": "better", "hurts": "worse", "equivalent": "unchanged", "unresolved": "unresolved"}
    return [
        Change(
            **named,
            before=mean(old),
            after=mean(new),
            low=number(gap.interval[0]),
            high=number(gap.interval[1]),
            p=number(verdict.p),
            word=words[verdict.word],
            visible=number(gap.visible(len(gaps))),
        )
        for (named, old, new), gap, verdict in zip(found, gaps, verdicts, strict=True)
    ]


def difference(old: Terms, new: Terms, floor: float) -> Difference:
    """New less old."""
    terms = [*new, *((-weight, scores) for weight, scores in old)]
    return contrast(terms, floor) if terms else Difference(0.0, 0.0, float("inf"))


def mean(terms: Terms) -> float:
    """The weighted sum of the means."""
    return sum(weight * sum(scores) / len(scores) for weight, scores in terms)


def cost_changes(reference: Store, store: Store) -> list[CostChange]:
    """Variants whose ranges of step time over the control's, measured in turns, do not meet, and differ enough."""
    then, now = costs(reference), costs(store)
    changed = []
    for name in then.keys() & now.keys():
        old, new = then[name], now[name]
        apart = old["high"] < new["low"] or new["high"] < old["low"]
        if apart and max(new["ratio"] / old["ratio"], old["ratio"] / new["ratio"]) > COST_CHANGE:
            changed.append(CostChange(name, old["ratio"], new["ratio"]))
    return sorted(changed, key=lambda change: change.variant)


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
