"""Which rows of two stores are the same: by recipe first, by name second.

Names change, and so does code. A row is another store's if both its recipe and its control's are; where no such row is
there, the row of its name is, whatever its recipe. A table whose context joins several has the names of all of them.
What is left over was compared with nothing: a row that is planned
and not trained, or a row that the other store does not know, since it is new or was renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.errors import canonical_name
from benchmark.evidence.tables import Table
from benchmark.store.names import EVERYTHING, Named, picks

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
        for name in (*table.study.same, *table.arms):
            by_name |= dict.fromkeys(full_names(table, name), (table, name))
    pairs, untrained, left, compared = list[RowPair](), list[str](), list[RowOf](), set[str]()
    for table in then:
        for name in table.arms:
            if not chosen(table, name):
                continue
            found = partners((table, name), by_recipe, by_name)
            if not found:
                left.append((table, name))
            for partner in found:
                if not is_trained(partner):
                    untrained.append(row_name(table, name))
                elif is_trained((table, name)):
                    compared |= full_names(*partner)
                    pairs.append(RowPair(table, name, *partner))
    unknown = [
        (table, name)
        for table in now
        for name in table.arms
        if chosen(table, name) and table.arms[name] and not full_names(table, name) & compared
    ]
    known = {each for table in then for name in table.arms for each in full_names(table, name)}
    bare = [(t, n) for t in now for n in t.arms if chosen(t, n) and not t.arms[n] and not full_names(t, n) & known]
    untrained += [row_name(*each) for each in bare]
    anew = {str(each) for table, _ in unknown for each in table.names}
    gone = [row_name(*each) for each in left if anew & set(map(str, each[0].names))]
    if only is not None and canonical_name(only) not in WHOLE:
        untrained += [row_name(*each) for each in left if row_name(*each) not in gone]
        left = []
    return Matching(
        pairs, untrained, [row_name(*each) for each in unknown], gone, len(left) - len(gone) if left else 0
    )


def partners(
    place: RowOf, by_recipe: Mapping[tuple[str, ...], Sequence[RowOf]], by_name: Mapping[str, RowOf]
) -> list[RowOf]:
    """Returns the rows of the store that one of the reference is compared with: that of its recipe, else those of its
    names, of which a table that joins several contexts has several."""
    names = full_names(*place)
    alike = by_recipe.get(recipe_key(place), [])
    first = next((each for each in alike if full_names(*each) & names), None) or next(iter(alike), None)
    if first and not full_names(*first) & names:
        return [first]
    found = {frozenset(full_names(*first)): first} if first else {}
    for name in sorted(names - (full_names(*first) if first else set())):
        if name in by_name:
            found.setdefault(frozenset(full_names(*by_name[name])), by_name[name])
    return list(found.values())


def chooser(only: str | None, tables: Sequence[Table]) -> Callable[[Table, str], bool]:
    """Returns whether a row is among those that a text names; always where there is none, or it says all."""
    if only is None or canonical_name(only) in WHOLE:
        return lambda table, name: True
    named = [Named(of.ablation, of.context, (*t.arms, *t.study.same)) for t in tables for of in t.names]
    found = picks(only, named)
    return lambda table, name: any(p.takes(of.ablation, of.context, name) for p in found for of in table.names)


def recipe_key(place: RowOf) -> tuple[str, ...]:
    """Returns what makes a row the same in another store: its data, its recipe and its control's."""
    table, name = place
    return table.study.fingerprint, table.study.arm(name).recipe, table.study.control.recipe


def is_trained(place: RowOf) -> bool:
    """Returns whether a row and its control have runs; a row that is its control has the control's."""
    table, name = place
    return bool(table.runs(name) and table.control)


def full_names(table: Table, variant: str) -> set[str]:
    """Returns a row's name with its data and budget, one for each context that the table joins."""
    return {f"{name.data}, {name.budget}, {name.row(variant)}" for name in table.names}


def row_name(table: Table, variant: str) -> str:
    """Returns a row's name as tables show it."""
    return table.study.name.row(variant)
