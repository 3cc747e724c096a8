"""The same trick in several places: under each context, on each data set and budget, side by side.

Whether its effects differ is tested by the difference of the differences, not read off the verdicts: one that is
significant and one that is not may well be the same. All pairs of places of all tricks are one family.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmark.evidence.comparison import ANSWERS, SIGNED, Difference, holm, minus, nearness
from benchmark.evidence.power import ALPHA, LEAST
from benchmark.evidence.tables import Row, Table, comparison_of, row_difference
from benchmark.report.text import digits_of, in_numbers

CHANGES, DIFFERS, SAME = "changes sign", "not the same", "the same"
ALIKE, OPEN = "same verdict", "not resolved"
ORDER = (CHANGES, DIFFERS, SAME, ALIKE, OPEN)


@dataclass(frozen=True)
class EffectElsewhere:
    """An effect in one place."""

    name: str
    effect: str
    verdict: str


@dataclass(frozen=True)
class TrickElsewhere:
    """A variant that was measured in two or more places."""

    name: str
    places: list[EffectElsewhere]
    word: str


@dataclass(frozen=True)
class Found:
    """A row, and what testing it against others takes. Contexts with equal recipes are one place."""

    row: Row
    contexts: tuple[str, ...]
    gap: Difference
    margin: float  # points


def tricks_elsewhere(found: Iterable[Table]) -> list[TrickElsewhere]:
    """Returns those measured in two or more places; those whose sign changes first, then by what is known of them."""
    several = {name: places for name, places in group_by_trick(found).items() if len(places) > 1}
    pairs = [
        (name, one, other)
        for name, places in several.items()
        for one, other in combinations(places, 2)
        if both(one, other)
    ]
    gaps = [minus(one.gap, other.gap) for _, one, other in pairs]
    apart = holm([each.p for each in gaps])
    close = holm(
        [nearness(each, min(one.margin, other.margin)) for each, (_, one, other) in zip(gaps, pairs, strict=True)]
    )
    ps: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for (name, _, _), p, near in zip(pairs, apart, close, strict=True):
        ps.setdefault(name, []).append((p, near))
    shown = [trick_elsewhere(f"{name[0]}: {name[1]}", places, ps.get(name, [])) for name, places in several.items()]
    return sorted(shown, key=lambda one: ORDER.index(one.word))


def group_by_trick(found: Iterable[Table]) -> dict[tuple[str, str], list[Found]]:
    """Returns the places of each variant, by the names of its ablation and its own."""
    places: dict[tuple[str, str], dict[tuple[str, str, str], Found]] = {}
    for table in found:
        for row in table.rows:
            if row.effect is None:
                continue
            here = places.setdefault((row.ablation, row.variant), {})
            same = comparison_of(table, row)
            contexts = (*here[same].contexts, row.context) if same in here else (row.context,)
            here[same] = Found(row, contexts, row_difference(table, row.variant), table.study.margin)
    return {name: list(each.values()) for name, each in places.items()}


def both(one: Found, other: Found) -> bool:
    """Whether two places have the runs that a test takes."""
    return min(one.row.n, one.row.n_control, other.row.n, other.row.n_control) >= LEAST


def trick_elsewhere(name: str, places: Sequence[Found], ps: Sequence[tuple[float, float]]) -> TrickElsewhere:
    """Returns one line. Places are named by what differs between them."""
    parts = [(each.row.data, each.row.budget, " = ".join(each.contexts)) for each in places]
    telling = [n for n in range(3) if len({part[n] for part in parts}) > 1]
    shown = [
        EffectElsewhere(
            ", ".join(part[n] for n in telling if part[n]) or "no context",
            in_numbers(each.row.effect, each.row.ci_low, each.row.ci_high, digits_of(each.margin)),
            each.row.verdict,
        )
        for each, part in zip(places, parts, strict=True)
    ]
    whole = len(ps) == len(places) * (len(places) - 1) // 2
    return TrickElsewhere(name, shown, joint_word([each.row.verdict for each in places], ps if whole else []))


def joint_word(verdicts: Sequence[str], ps: Sequence[tuple[float, float]]) -> str:
    """Returns what the places say together.

    `ps`: of each pair of places, corrected: of no difference of their effects, and of one of the margin or more; none
    where some pair could not be tested.
    """
    if set(SIGNED) <= set(verdicts):
        return CHANGES
    if ps and all(close < ALPHA for _, close in ps):
        return SAME
    if any(apart < ALPHA for apart, _ in ps):
        return DIFFERS
    return ALIKE if len(set(verdicts)) == 1 and set(verdicts) <= set(ANSWERS) else OPEN
