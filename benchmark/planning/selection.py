"""Which rows a command is about: what `--only` names, and the tour where it is not given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from benchmark.errors import UsageError, canonical_name
from benchmark.planning.studies import Study, toured
from benchmark.store.names import EVERYTHING, Named, Pick, picks

TOUR = "tour"  # the word that stands for it


@dataclass(frozen=True)
class Selection:
    """The rows that a command is about."""

    picks: tuple[Pick, ...] | None  # None: all of them
    tour: bool = False

    def chooses(self, ablation: str) -> bool:
        """Returns whether any row of an ablation is among these."""
        return self.picks is None or any(pick.ablation == ablation for pick in self.picks)

    def of(self, tables: Iterable[Study]) -> list[Study]:
        """Returns the tables with the rows that are selected, without the tables that have none."""
        return [each for table in tables if (each := self.part_of(table)).arms]

    def part_of(self, table: Study) -> Study:
        """Returns a table with the rows that are selected."""
        if self.picks is None:
            return table
        place = table.ablation.name, table.context
        taken = {name: arm for name, arm in table.arms.items() if any(p.takes(*place, name) for p in self.picks)}
        return replace(table, arms=taken)


def selected(only: str | None, tables: Sequence[Study], broken: Collection[str] = ()) -> Selection:
    """Returns what `--only` selects of all tables: everything for "all", the tour for "tour" or if it is not given.

    `broken` has the modules that cannot be used, whose names select nothing. Raises UsageError for an empty text, a
    name that is not there, with the nearest names, and for a selection of nothing but baselines.
    """
    if only is None or canonical_name(only) == TOUR:
        return the_tour(tables)
    if EVERYTHING in map(canonical_name, only.split(",")):
        return Selection(None)
    named = [Named(each.ablation.name, each.context, (*each.arms, *each.same)) for each in tables]
    found = Selection(tuple(picks(only, named, broken)))
    if not found.of(tables) and not any(map(found.chooses, broken)):
        raise UsageError(f"--only {only!r} selects only the baseline, which is trained with any variant; name one")
    return found


def the_tour(tables: Iterable[Study]) -> Selection:
    """Returns the rows that the modules' constant TOUR names."""
    ablations = {table.ablation.name: table.ablation for table in tables}
    return Selection(
        tuple(Pick(name, *place) for name, each in ablations.items() for place in toured(each)), tour=True
    )
