"""Effects against an amount, such as the length of training, over an ablation's tables whose contexts differ by it.

A sign changes only where both of its ends have a verdict: an effect that is resolved in one table and open in the next
may be the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from benchmark.evidence.comparison import SIGNED
from benchmark.evidence.tables import Row, Table
from benchmark.store.records import TableRecord

Point = TypeVar("Point")


@dataclass(frozen=True)
class DosePoint:
    """A variant's row at one dose."""

    times: float  # over the base's
    row: Row


@dataclass(frozen=True)
class SignChange:
    """Two doses, in order, with resolved effects of a variant of opposite signs, and none resolved between them."""

    variant: str
    before: DosePoint
    after: DosePoint


@dataclass(frozen=True)
class DoseResponse:
    """The tables of one ablation on one data set and budget, as effects by dose."""

    study: TableRecord  # that of the smallest dose
    of: str  # the field of the recipe that grows, such as "epochs"
    curves: dict[str, list[DosePoint]]  # by variant: doses in order, those with an effect

    @property
    def changes(self) -> list[SignChange]:
        """Returns every change of sign, by variant and dose."""
        return [
            SignChange(name, before, after)
            for name, points in self.curves.items()
            for before, after in sign_changes(points, lambda point: point.row.verdict)
        ]


def sign_changes(points: Iterable[Point], verdict: Callable[[Point], str]) -> list[tuple[Point, Point]]:
    """Returns neighbours among the points whose verdict has a sign, where it changes from one to the next."""
    signed = [each for each in points if verdict(each) in SIGNED]
    return [(before, after) for before, after in pairwise(signed) if verdict(before) != verdict(after)]


def dose_responses(found: Iterable[Table]) -> list[DoseResponse]:
    """Returns what there is to draw: each variant with effects at two doses and more."""
    groups: dict[tuple[str, str, str, str], dict[float, Table]] = {}
    for table in found:
        study = table.study
        if study.dose:
            kind = study.ablation, study.data, study.budget, study.dose.of
            groups.setdefault(kind, {})[study.dose.times] = table
    made = [
        DoseResponse(tables[min(tables)].study, kind[-1], curves_of(dict(sorted(tables.items()))))
        for kind, tables in groups.items()
    ]
    return [each for each in made if each.curves]


def curves_of(tables: dict[float, Table]) -> dict[str, list[DosePoint]]:
    """Returns the effects of each variant that has two and more; `tables` by dose must be in order."""
    curves: dict[str, list[DosePoint]] = {}
    for times, table in tables.items():
        for row in table.rows:
            if row.effect is not None:
                curves.setdefault(row.variant, []).append(DosePoint(times, row))
    return {name: points for name, points in curves.items() if len(points) > 1}
