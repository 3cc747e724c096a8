"""Each statement of the article, by its number: the comparisons that it stands or falls with, over all tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.evidence.judgements import CONTRADICTED, SUPPORTED, Judgement, judgements
from benchmark.evidence.tables import Table
from benchmark.store.records import TableName

BOTH, OPEN = "both ways", "unresolved"


@dataclass(frozen=True)
class Comparison:
    """One comparison, and the runs that it rests on."""

    table: TableName
    margin: float  # points, of the table
    judgement: Judgement
    runs: dict[str, int]  # by the names of the arms that are compared


@dataclass(frozen=True)
class Place:
    """A data set and a budget."""

    data: str
    budget: str


def statements(found: Iterable[Table]) -> dict[str, dict[Place, list[Comparison]]]:
    """Returns the comparisons that have runs, by the statement's number, such as S5.4, and by place; in order."""
    made: dict[str, dict[Place, list[Comparison]]] = {}
    for table in found:
        study = table.study
        claims = [claim for claim in study.claims if claim.context in (None, study.context)]
        for claim, judged in zip(claims, judgements(table), strict=True):
            runs = {arm: len(table.runs(arm)) for arm in claim.holds.arms}
            if re.fullmatch(r"S\d+\.\d+", claim.name) and all(runs.values()):
                here = made.setdefault(claim.name, {}).setdefault(Place(study.data, study.budget), [])
                here.append(Comparison(study.name, study.margin, judged, runs))
    return dict(sorted(made.items(), key=lambda each: number(each[0])))


def number(name: str) -> tuple[int, int]:
    """Returns the part and the place of a statement: 5 and 10 of S5.10."""
    part, _, place = name.removeprefix("S").partition(".")
    return int(part), int(place)


def counts(comparisons: Iterable[Comparison]) -> tuple[int, int, int]:
    """Returns how many comparisons support a statement, contradict it, and do neither."""
    words = [each.judgement.word for each in comparisons]
    supported, contradicted = words.count(SUPPORTED), words.count(CONTRADICTED)
    return supported, contradicted, len(words) - supported - contradicted


def verdict(comparisons: Iterable[Comparison]) -> str:
    """Returns what the comparisons say together: one word if all that say something say the same."""
    supported, contradicted, _ = counts(list(comparisons))
    if supported and contradicted:
        return BOTH
    return SUPPORTED if supported else CONTRADICTED if contradicted else OPEN
