"""Which rows of two stores are the same: by recipe first, by name second.

Names change, and so does code. A row is another store's if both its recipe and its control's are; where no such row is
there, the row of its name is, whatever its recipe. What is left over was compared with nothing: a row that is planned
and not trained, or a row that the other store does not know, since it is new or was renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.evidence.tables import Table
from benchmark.store.names import EVERYTHING, Named, canonical_name, picks

RowOf = tuple[Table, str]  # a table and the name of one of its rows
WHOLE = (EVERYTHING, "tour")  # words that select all that a store has


@dataclass(frozen=True)
class RowPair:
    """A row of the reference and the row of the store that it is compared with."""

    before: Table
    variant: str
    after: Table
    now: str  # the variant's name in the store

    @property
    def recoded(self) -> bool:
        """Returns whether the two have one name and different recipes."""
        return self.now in self.after.arms and recipe_key((self.before, self.variant)) != recipe_key(
            (self.after, self.now)
        )


@dataclass(frozen=True)
class Matching:
    """The rows of a reference and a store, matched."""

    pairs: list[RowPair]
    untrained: list[str]  # asked for, without runs in the store
    unknown: list[str]  # trained in the store, without a row in the reference, or with one that has no runs
    gone: list[str]  # rows of the reference whose table has rows of other names in the store, and not these
    others: int  # rows of the reference that were not asked for

    @property
    def lacking(self) -> list[str]:
        """Returns what was asked for and compared with nothing."""
        return [*self.untrained, *self.unknown]


def matched(then: Sequence[Table], now: Sequence[Table], only: str | None = None) -> Matching:
    """Returns the rows of two stores, matched; those that `only` names, or all that the store plans.

    Raises UsageError for a name that neither has.
    """
    chosen = chooser(only, [*then, *now])
    by_recipe: dict[tuple[str, ...], list[RowOf]] = {}
    by_name: dict[str, RowOf] = {}
    for place in [(table, name) for table in now for name in table.arms]:
        by_recipe.setdefault(recipe_key(place), []).append(place)
    for table in now:
        by_name |= {full_name(table, name): (table, name) for name in (*table.study.same, *table.arms)}
    pairs, untrained, left, compared = list[RowPair](), list[str](), list[RowOf](), set[str]()
    for table in then:
        for name in table.arms:
            if not chosen(table, name):
                continue
            alike = by_recipe.get(recipe_key((table, name)), [])
            partner = next((each for each in alike if full_name(*each) == full_name(table, name)), None)
            partner = partner or next(iter(alike), None) or by_name.get(full_name(table, name))
            if partner is None:
                left.append((table, name))
            elif not is_trained(partner):
                untrained.append(row_name(table, name))
            elif is_trained((table, name)):
                compared.add(full_name(*partner))
                pairs.append(RowPair(table, name, *partner))
    unknown = [
        (table, name)
        for table in now
        for name in table.arms
        if chosen(table, name) and table.arms[name] and full_name(table, name) not in compared
    ]
    known = {full_name(table, name) for table in then for name in table.arms}
    bare = [(t, n) for t in now for n in t.arms if chosen(t, n) and not t.arms[n] and full_name(t, n) not in known]
    untrained += [row_name(*each) for each in bare]
    anew = {str(table.study.name) for table, _ in unknown}
    gone = [row_name(*each) for each in left if str(each[0].study.name) in anew]
    if only is not None and canonical_name(only) not in WHOLE:
        untrained += [row_name(*each) for each in left if row_name(*each) not in gone]
        left = []
    return Matching(
        pairs, untrained, [row_name(*each) for each in unknown], gone, len(left) - len(gone) if left else 0
    )


def chooser(only: str | None, tables: Sequence[Table]) -> Callable[[Table, str], bool]:
    """Returns whether a row is among those that a text names; always where there is none, or it says all."""
    if only is None or canonical_name(only) in WHOLE:
        return lambda table, name: True
    named = [Named(t.study.ablation, t.study.context, (*t.arms, *t.study.same)) for t in tables]
    found = picks(only, named)
    return lambda table, name: any(p.takes(table.study.ablation, table.study.context, name) for p in found)


def recipe_key(place: RowOf) -> tuple[str, ...]:
    """Returns what makes a row the same in another store: its data, its recipe and its control's."""
    table, name = place
    return table.study.fingerprint, table.study.arm(name).recipe, table.study.control.recipe


def is_trained(place: RowOf) -> bool:
    """Returns whether a row and its control have runs; a row that is its control has the control's."""
    table, name = place
    return bool(table.runs(name) and table.control)


def full_name(table: Table, variant: str) -> str:
    """Returns a row's name with its data and budget."""
    return f"{table.study.data}, {table.study.budget}, {row_name(table, variant)}"


def row_name(table: Table, variant: str) -> str:
    """Returns a row's name as tables show it."""
    return table.study.name.row(variant)
