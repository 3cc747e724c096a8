"""The effects of a trick at several budgets: does what helps a short training help a longer one?

Budgets differ in more than their length: the network grows too (`benchmark.budgets`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.budgets import BUDGETS
from benchmark.evidence.doses import sign_changes
from benchmark.evidence.tables import Row, Table


@dataclass(frozen=True, order=True)
class Trick:
    """One variant of one ablation."""

    ablation: str
    context: str
    variant: str


@dataclass(frozen=True)
class Turn:
    """A trick whose resolved effects have opposite signs at two budgets, with none resolved between them."""

    trick: Trick
    before: Row
    after: Row


def by_budget(found: Iterable[Table], data: str, least: int = 3) -> dict[Trick, dict[str, Row]]:
    """Returns the tricks that have effects at `least` budgets or more, on one data set.

    Budgets stand in the order of their length. Where several tables have the same row, as of two machines, that
    which most runs went into is taken.
    """
    rows: dict[Trick, dict[str, Row]] = {}
    for table in found:
        study = table.study
        if study.data != data or study.design != "add-one" or BUDGETS[study.budget].package != "ablations":
            continue
        for row in table.rows:
            places = rows.setdefault(Trick(row.ablation, row.context, row.variant), {})
            if row.effect is not None and runs(row) > runs(places.get(row.budget)):
                places[row.budget] = row
    return {
        trick: dict(sorted(places.items(), key=lambda place: BUDGETS[place[0]].images_seen))
        for trick, places in sorted(rows.items())
        if len(places) >= least
    }


def runs(row: Row | None) -> int:
    """Returns the number of runs of both sides."""
    return row.n + row.n_control if row else 0


def turns(tricks: Mapping[Trick, Mapping[str, Row]]) -> list[Turn]:
    """Returns every change of sign between resolved effects, from one budget to a longer one."""
    return [
        Turn(trick, before, after)
        for trick, places in tricks.items()
        for before, after in sign_changes(places.values(), lambda row: row.verdict)
    ]


def budgets_of(tricks: Mapping[Trick, Mapping[str, Row]]) -> Sequence[str]:
    """Returns the budgets that any of the tricks has an effect at, in the order of their length."""
    return sorted(
        {budget for places in tricks.values() for budget in places}, key=lambda name: BUDGETS[name].images_seen
    )
