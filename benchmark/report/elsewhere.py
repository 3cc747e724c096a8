"""The same trick in several places: under each context, on each data set and budget, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.evidence.tables import Row, Table
from benchmark.report.text import digits_of, in_numbers

RESOLVED = {"helps", "hurts", "equivalent"}
CHANGES, DIFFERS, SAME, OPEN = "changes sign", "not the same", "the same", "not resolved everywhere"


@dataclass(frozen=True)
class Place:
    """An effect in one place."""

    name: str
    effect: str
    verdict: str


@dataclass(frozen=True)
class Trick:
    """A variant that was measured in two or more places."""

    name: str
    places: list[Place]
    word: str


def tricks(found: Iterable[Table]) -> list[Trick]:
    """Those measured in two or more places; those whose sign changes first, then by what is known of them."""
    rows: dict[tuple[str, str], list[tuple[Row, int]]] = {}
    for table in found:
        for row in table.rows:
            if row.effect is not None:
                digits = digits_of(table.study["margin"])
                rows.setdefault((row.ablation, row.variant), []).append((row, digits))
    several = [trick(f"{names[0]}: {names[1]}", each) for names, each in rows.items() if len(each) > 1]
    order = [CHANGES, DIFFERS, SAME, OPEN]
    return sorted(several, key=lambda one: order.index(one.word))


def trick(name: str, rows: list[tuple[Row, int]]) -> Trick:
    """One line. Places are told apart by what differs between them."""
    parts = [(row.data, row.budget, row.context) for row, _ in rows]
    telling = [n for n in range(3) if len({part[n] for part in parts}) > 1]
    places = [
        Place(
            ", ".join(part[n] for n in telling if part[n]) or "no context",
            in_numbers(row.effect, row.ci_low, row.ci_high, digits),
            row.verdict,
        )
        for (row, digits), part in zip(rows, parts, strict=True)
    ]
    return Trick(name, places, word([row.verdict for row, _ in rows]))


def word(verdicts: list[str]) -> str:
    """What the places say together."""
    if {"helps", "hurts"} <= set(verdicts):
        return CHANGES
    if len(set(verdicts) & RESOLVED) > 1:
        return DIFFERS
    return SAME if set(verdicts) <= RESOLVED else OPEN
