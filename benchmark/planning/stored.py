"""The runs that a store holds, as today's code plans them: recipes by the text that the store knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from benchmark.budgets import BUDGETS
from benchmark.claim import CONTROL
from benchmark.errors import canonical_name
from benchmark.planning.checkpoints import KIND as OWN_WEIGHTS
from benchmark.planning.folds import on_fold
from benchmark.planning.grid import choose_tables, fingerprints
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import origins, run_of
from benchmark.planning.studies import Study, old_data
from benchmark.recipe import Arm, Ensemble, Recipe
from benchmark.store.names import EVERYTHING, Named, picks
from benchmark.store.records import ArmRecord, RunRecord, TableRecord

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")  # of the baseline, as devices are fast in


@dataclass(frozen=True)
class Today:
    """What today's code plans for a store: recipes by their text, and fingerprints of data sets by name.

    A data set that is not available has no fingerprint; its name is in `unavailable`, with the reason and the remedy.
    """

    recipes: Mapping[str, Recipe]
    names: Mapping[str, str]  # of the row that a recipe stands in, by its text
    fingerprints: Mapping[str, str]
    from_files: frozenset[str] = frozenset()  # recipes, as text, that start from weights of the user's own
    unavailable: Mapping[str, str] = field(default_factory=dict)
    folded: dict[str, Recipe] = field(default_factory=dict, compare=False)  # by text, as they were asked for

    def run(self, record: RunRecord) -> Run | None:
        """Returns the run that a record is of; None if no table plans it any more."""
        found = self.recipe(record)
        if found is None or self.missing(record) or self.fingerprints.get(found.data) != record.fingerprint:
            return None
        planned = run_of(found, record.seed, record.fingerprint, self.fingerprints)
        return planned if planned.key == record.key else None

    def recipe(self, record: RunRecord) -> Recipe | None:
        """Returns the recipe that a record is of; None if no table plans it any more."""
        return self.on_fold(record) if record.fold else self.recipes.get(record.recipe)

    def missing(self, record: RunRecord) -> str:
        """Returns the unavailable data set that a run or the one it starts from takes; empty if there is none."""
        found = self.recipe(record)
        needed = {found.data, old_data(found)} if found else set()
        return next((name for name in self.unavailable if name in needed), "")

    def on_fold(self, record: RunRecord) -> Recipe | None:
        """Returns the recipe of a run of cross-validation."""
        assert record.fold is not None
        if record.recipe not in self.folded:
            runs = (on_fold(recipe, *record.fold, record.fingerprint) for recipe in self.recipes.values())
            self.folded.update({describe(run.recipe): run.recipe for run in runs})
        return self.folded.get(record.recipe)

    def name(self, record: RunRecord) -> str:
        """Returns the row that a run stands in first, as tables print it."""
        found = self.on_fold(record) if record.fold else None
        text = describe(replace(found, fold=None)) if found else record.recipe
        return self.names.get(text, "")

    def origins(self, runs: Sequence[Run]) -> list[Run]:
        """Returns the runs that some of `runs` start from, each once."""
        return origins([runs], self.fingerprints)


def today(tables: Sequence[TableRecord], store: Path, data_dir: Path, base: Path | None = None) -> Today:
    """Returns what today's code plans for stored tables, in each precision that a baseline may have.

    `base` is the file with the base of the user's own that some tables have in place of a budget's. The data sets of
    tables, and those that arms start from, may be missing.
    """
    recipes: dict[str, Recipe] = {}
    rows = [(table, arm) for table in tables for arm in (table.control, *table.arms)]
    names = {arm.recipe: table.name.row(arm.variant) for table, arm in reversed(rows)}
    known = [table for table in tables if table.budget in BUDGETS or (base and base.stem == table.budget)]
    for precision in PRECISIONS:
        for study in planned_again(known, store, data_dir, precision, base):
            for name, arm in {CONTROL: study.base, **study.arms}.items():
                for each in (arm, *recipes_behind(arm)):
                    if isinstance(each, Recipe):
                        text = describe(each)
                        recipes.setdefault(text, each)
                        names.setdefault(text, f"{study.name}: {name}")
    sets = dict.fromkeys([table.data for table in tables] + [each.data for each in recipes.values()])
    prints, unavailable = fingerprints(sets, data_dir)
    own = frozenset(arm.recipe for _, arm in rows if arm.kind == OWN_WEIGHTS)
    return Today(recipes, names, prints, own, unavailable)


def planned_again(
    tables: Iterable[TableRecord], store: Path, data_dir: Path, precision: Precision, base: Path | None
) -> Iterator[Study]:
    """Yields the tables that today's code has for the data, budgets and designs of stored ones, with the arms that
    start from data that are not available.

    Tables of no budget have the base in the file `base`.
    """
    places = dict.fromkeys((table.data, table.budget, table.design, table.tricks) for table in tables)
    for data, budget, design, tricks in places:
        own = None if budget in BUDGETS else base
        asked = Request(data, "", data_dir, "quick" if own else budget, ("cpu",), store, 1, precision, own)
        named = [trick.replace(": ", ":", 1) for trick in tricks]
        choice = choose_tables(asked, None, design, named) if named else choose_tables(asked)
        yield from choice.tables


def recipes_behind(arm: Arm) -> list[Recipe]:
    """Returns the recipes that an arm is made of: members of an ensemble, the one that another starts from."""
    if isinstance(arm, Ensemble):
        return [member.recipe for member in arm.members]
    return [arm.before] if isinstance(arm.before, Recipe) else []


def chosen(records: Sequence[RunRecord], tables: Sequence[TableRecord], only: str | None) -> list[RunRecord]:
    """Returns the runs of the rows that `only` names; all of them if it is None or "all".

    Raises UsageError for a name that no stored table has.
    """
    if only is None or canonical_name(only) == EVERYTHING:
        return list(records)
    named = [Named(t.ablation, t.context, (*(arm.variant for arm in t.arms), *t.same)) for t in tables]
    wanted = picks(only, named)
    rows: list[tuple[TableRecord, ArmRecord]] = [(t, arm) for t in tables for arm in (t.control, *t.arms)]
    texts = {
        (table.fingerprint, arm.recipe)
        for table, arm in rows
        if any(pick.takes(table.ablation, table.context, arm.variant) for pick in wanted)
    }
    return [record for record in records if (record.fingerprint, record.recipe) in texts]
