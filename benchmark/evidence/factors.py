"""Tables of two factors: which way is best in each context, for each kind, and by how much.

An ablation is one if it has two or more contexts with the same variants, each with a kind and a way, of two or more
kinds: `fine_tuning` by the number of images (its contexts) and the similarity of the old task (its kinds), as in Wei
2015, section 4, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmark.claim import CONTROL, NotBetter
from benchmark.evidence.comparison import difference
from benchmark.evidence.spread import Background, Scores, background
from benchmark.evidence.tables import Table, missing, none_if_nan, points
from benchmark.store.records import TableRecord

MARGIN_COLUMNS = {
    "n": "n",
    "margin": "mean",
    "ci_low": "ci_low",
    "ci_high": "ci_high",
    "resolved": "resolved",
}  # of a Margin


@dataclass(frozen=True)
class Margin:
    """By how much the best way is better than another."""

    over: str  # a way, or CONTROL
    n: int  # runs of the other
    mean: float  # points
    ci_low: float | None  # 95 % interval, corrected for having chosen the best of all ways; None of a single run
    ci_high: float | None

    @property
    def resolved(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.ci_low is not None and self.ci_high is not None and not self.ci_low <= 0 <= self.ci_high


@dataclass(frozen=True)
class FactorCell:
    """One context and kind."""

    context: str
    kind: str
    best: str | None  # the way of highest mean test accuracy; None without runs
    n: int  # its runs
    accuracy: float | None  # its mean, points; a diverged run counts as guessing
    second: Margin | None  # over the next best way; None where no other has runs
    control: Margin | None  # None without runs of the control
    source: str  # the claim that advises a way here, such as "S4.5"; else empty
    advised: str  # that way; else empty
    behind: Margin | None  # over the advised way; None where that is the best, or has no runs
    missing: int  # runs planned that the store lacks, those of the control among them


@dataclass(frozen=True)
class Factors:
    """One ablation on one data set and budget."""

    ablation: str
    data: str
    budget: str
    margin: float  # points
    contexts: list[str]
    kinds: list[str]
    scratch: bool  # whether the control alone starts from no trained weights
    cells: list[FactorCell]  # the kinds of the first context, then those of the next


def factors(found: Iterable[Table]) -> list[Factors]:
    """Returns those of `found` that are tables of two factors, in their order."""
    groups: dict[tuple[str, str, str], list[Table]] = {}
    for table in found:
        groups.setdefault((table.study.ablation, table.study.data, table.study.budget), []).append(table)
    return [
        crossed(*name, tables, kinds)
        for name, tables in groups.items()
        if (kinds := kinds_of(tables)) and any(table.arms[arm] for table in tables for arm in table.arms)
    ]


def kinds_of(tables: Sequence[Table]) -> list[str]:
    """Returns the kinds that all tables have with the same ways; none if these are no tables of two factors."""
    arms = tables[0].study.arms
    kinds = list(dict.fromkeys(arm.kind for arm in arms if arm.kind))
    alike = all({arm.variant for arm in table.study.arms} == {arm.variant for arm in arms} for table in tables)
    whole = alike and all(arm.kind for arm in arms)
    return kinds if whole and len(tables) > 1 and len(kinds) > 1 else []


def crossed(ablation: str, data: str, budget: str, tables: Sequence[Table], kinds: list[str]) -> Factors:
    """Returns the tables of an ablation as one."""
    arms = [arm for table in tables for arm in table.study.arms]
    return Factors(
        ablation=ablation,
        data=data,
        budget=budget,
        margin=tables[0].study.margin,
        contexts=[table.study.context for table in tables],
        kinds=kinds,
        scratch=all("start_from" in arm.changes for arm in arms),
        cells=[factor_cell(table, kind) for table in tables for kind in kinds],
    )


def factor_cell(table: Table, kind: str) -> FactorCell:
    """Returns the cell of one kind of a table."""
    scores = {
        arm.way: points(runs, table.study)
        for arm in table.study.arms
        if arm.kind == kind and (runs := table.arms[arm.variant])
    }
    ranked = sorted(scores, key=lambda way: -fmean(scores[way]))
    best, source, advised = ranked[0] if ranked else None, *advice(table.study, kind)
    control = points(table.control, table.study)
    others = scores | ({CONTROL: control} if control else {})
    common = background([control, *(points(runs, table.study) for runs in table.arms.values())], control)

    def over(way: str | None, choices: int = 1) -> Margin | None:
        if best is None or way is None or way == best or way not in others:
            return None
        return margin(scores[best], way, others[way], choices, common)

    return FactorCell(
        context=table.study.context,
        kind=kind,
        best=best,
        n=len(scores.get(best or "", [])),
        accuracy=fmean(scores[best]) if best else None,
        second=over(ranked[1] if len(ranked) > 1 else None),
        control=over(CONTROL, len(scores)),
        source=source,
        advised=advised,
        behind=over(advised, max(1, len(scores) - 1)),
        missing=missing_runs_of(table, kind),
    )


def margin(best: Scores, way: str, other: Scores, choices: int, common: Background) -> Margin:
    """Returns the best way less another, by accuracies in points; `common` has the spread of single runs in the table.

    The best of so many `choices` looks better than it is: so its interval is Bonferroni's over them. The next best was
    chosen too, which works against it: there one choice is enough. No variance is taken as smaller than the table's
    median: of seven equal ways with three runs, Welch's own interval found one better than the control in 7 % of
    cells (`speed/side_tests.py`).
    """
    gap = difference(best, other, common)
    low, high = gap.simultaneous(choices)
    return Margin(way, len(other), gap.mean, none_if_nan(low), none_if_nan(high))


def advice(study: TableRecord, kind: str) -> tuple[str, str]:
    """Returns the claim and the way that, it says, no other of the kind beats in this context; empty if none does."""
    ways = {arm.variant: arm.way for arm in study.arms if arm.kind == kind}
    said = {
        (claim.name, ways[claim.holds.than])
        for claim in study.claims
        if claim.context == study.context and isinstance(claim.holds, NotBetter) and claim.holds.than in ways
    }
    return said.pop() if len(said) == 1 and study.context else ("", "")


def missing_runs_of(table: Table, kind: str) -> int:
    """Returns how many runs of a kind, and of the control, were planned and are not there."""
    arms = [arm for arm in table.study.arms if arm.kind == kind]
    return missing([(table.study.control, table.control), *((arm, table.arms[arm.variant]) for arm in arms)])


def factor_line(table: Factors, cell: FactorCell) -> dict[str, str | float | None]:
    """Returns a line of factors.csv: accuracies and margins in points."""
    margins = {"second": cell.second, "control": cell.control, "advised": cell.behind}
    return {
        "ablation": table.ablation,
        "context": cell.context,
        "kind": cell.kind,
        "data": table.data,
        "budget": table.budget,
        "best": cell.best,
        "n": cell.n,
        "accuracy": cell.accuracy,
        "second": cell.second.over if cell.second else None,
        "source": cell.source or None,
        "advised": cell.advised or None,
        "missing": cell.missing,
        **{
            f"{name}_{column}": getattr(there, part) if there else None
            for name, there in margins.items()
            for column, part in MARGIN_COLUMNS.items()
        },
    }
