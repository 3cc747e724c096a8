"""What a request means: its tables, their runs in rounds, and the tables as the store keeps them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark.baseline import baseline
from benchmark.budgets import BUDGETS, FULL
from benchmark.data.load import fingerprint_of, load
from benchmark.engine.machine import has_fast_bf16
from benchmark.errors import UsageError, unknown
from benchmark.planning.bases import base_of_file, fitting
from benchmark.planning.checkpoints import checkpoint, with_weights
from benchmark.planning.designs import DESIGNS, find_tricks
from benchmark.planning.discovery import Ablation, discover
from benchmark.planning.identity import Run
from benchmark.planning.requests import ADD_ONE, Request, Stages
from benchmark.planning.rounds import Planned, by_variant, combinations, lacks, origins, plan
from benchmark.planning.selection import Selection, selected
from benchmark.planning.studies import Study, old_data, studies
from benchmark.planning.study_record import as_record, join_plans
from benchmark.recipe import Recipe
from benchmark.store.names import EVERYTHING
from benchmark.store.records import TableName, TableRecord
from benchmark.store.store import Store


@dataclass(frozen=True)
class Grid:
    """A plan: the tables, their runs in rounds, and the modules that had to be left out."""

    tables: list[Study]
    before: list[Run]  # those that others start from; some have rows too
    rounds: list[list[Run]]  # all other runs
    studies: list[TableRecord]  # the tables as the store keeps them
    broken: dict[str, str]
    unavailable: list[str]  # sentences about arms that do not fit, or whose earlier data are missing; no failure
    ensembles: Planned = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Leaves out of the rounds what stands in `before`, so that each run is counted and trained once."""
        starts = {run.key for run in self.before}
        object.__setattr__(self, "rounds", [[run for run in each if run.key not in starts] for each in self.rounds])


@dataclass(frozen=True)
class Choice:
    """The tables that a request chooses, before any data set is looked for."""

    every: list[Study]  # all tables of the design
    tables: list[Study]
    tour: bool  # nothing was selected
    broken: dict[str, str]  # as in a grid
    unfit: dict[str, str]  # why some tables do not fit a user's network, by name


def choose_tables(
    asked: Request, only: str | None = EVERYTHING, design: str = ADD_ONE, named: Sequence[str] = ()
) -> Choice:
    """Returns the tables of what `only` selects, or of the tour if that is None; needs no data.

    Raises UsageError for a name that is not there.
    """
    every, left_out = plan_tables(asked, design, named)
    selection = Selection(None) if named else selected(only, every, left_out)
    tables = selection.of(every)
    left_out = {name: why for name, why in left_out.items() if selection.tour or selection.chooses(name)}
    unfit = dict[str, str]()
    if asked.base:  # what does not fit a user's network is no failure
        tables, unfit = fitting(tables, base_of(asked))
        refusing = [each for each in found_for(asked.budget)[0] if each.name in left_out]
        unfit |= {each.name: left_out[each.name] for each in refusing if each.tour or not selection.tour}
        left_out = {name: why for name, why in left_out.items() if name not in {each.name for each in refusing}}
    return Choice(every, tables, selection.tour, left_out, unfit)


def planned(
    asked: Request,
    only: str | None = EVERYTHING,
    design: str = ADD_ONE,
    named: Sequence[str] = (),
    weights: Path | None = None,
    stages: Stages | None = None,
    stored: Sequence[TableRecord] = (),
) -> Grid:
    """Returns the grid of a request: of what `only` selects, or of the tour if that is None.

    `stored` has the tables that the store knows: of those that are planned in part now, it keeps the other arms.
    Raises UsageError for a name that is not there, or data that are not available.
    """
    if weights and named:
        raise UsageError("--weights goes with --design add-one; leave out --design and --trick")
    choice = choose_tables(asked, only, design, named)
    start = checkpoint(weights) if weights else None
    data = load(asked.data, asked.data_dir)
    entire = with_weights(choice.tables, start, len(data.classes)) if start else choice.tables
    prints, why_not = old_fingerprints(entire, asked)
    tables = [each for table in entire if (each := without(table, why_not)).arms]
    stages = stages or Stages()
    tables = [replace(table, wanted=stages.wanted.get(table_name(table, asked), {})) for table in tables]
    kept = [as_record(table, asked, data, stages.interims.get(table_name(table, asked), ())) for table in tables]
    earlier, whole = {each.name: each for each in stored}, {table.name: table for table in choice.every}
    for n, (table, record) in enumerate(zip(tables, kept, strict=True)):
        if (before := earlier.get(record.name)) and len(table.arms) < len(whole[table.name].arms):
            kept[n] = join_plans(record, as_record(whole[table.name], asked, data), before)
    ordered = by_variant if choice.tour else plan
    rounds = ordered(tables, asked.seeds, data.fingerprint, prints)
    unavailable = [*data.remarks, *choice.unfit.values()] + [
        f"skipped the variants pre-trained on {name}: {why}" for name, why in why_not.items()
    ]
    ensembles = combinations(tables, asked.seeds, data.fingerprint)
    return Grid(tables, origins(rounds, prints), rounds, kept, choice.broken, unavailable, ensembles)


def check_names(only: str | None, design: str = ADD_ONE, named: Sequence[str] = (), budget: str = "") -> None:
    """Raises UsageError for names of ablations, variants, designs or tricks that are not there; needs no data."""
    if design not in (ADD_ONE, *DESIGNS):
        raise unknown("design", design, [ADD_ONE, *DESIGNS])
    if bool(named) != (design != ADD_ONE) or (only is not None and named):
        raise UsageError("--trick goes with --design leave-one-out, pairs or ladder, and --only with add-one")
    found, broken = found_for(budget)
    base = baseline("cifar10", "quick")  # names are the same on any other
    if named:
        DESIGNS[design](find_tricks(named, found, list(broken)), base)
    elif only is not None:
        tables, failing = studies(found, base)
        selected(only, tables, broken | failing)


def plan_tables(asked: Request, design: str, named: Sequence[str]) -> tuple[list[Study], dict[str, str]]:
    """Returns all tables of a design, and for each module that cannot be used one sentence that says why."""
    found, broken = found_for(asked.budget)
    if named:
        return [DESIGNS[design](find_tricks(named, found, list(broken)), base_of(asked))], broken
    tables, failing = studies(found, base_of(asked), own=asked.base is not None)
    return tables, broken | failing


def found_for(budget: str) -> tuple[list[Ablation], dict[str, str]]:
    """Returns the modules that a budget trains, and why some are left out; the catalogue's for a budget not known."""
    given = BUDGETS.get(budget)
    return discover(given.package, budget == FULL) if given else discover()


def table_name(table: Study, asked: Request) -> TableName:
    """Returns the name under which the store keeps a table."""
    return TableName(table.ablation.name, table.context, asked.data, asked.label)


def old_fingerprints(tables: Sequence[Study], asked: Request) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the fingerprints of the data sets that arms start from, and why one is not available."""
    names = sorted({old for table in tables for arm in table.arms.values() if (old := old_data(arm))})
    return fingerprints(names, asked.data_dir)


def fingerprints(names: Iterable[str], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the fingerprints of the data sets that are available, and of each other one why not, with the remedy."""
    prints, why_not = dict[str, str](), dict[str, str]()
    for name in names:
        try:
            prints[name] = fingerprint_of(name, folder, replaceable=False)
        except UsageError as reason:
            why_not[name] = str(reason)
    return prints, why_not


def without(table: Study, data: Container[str]) -> Study:
    """Returns `table` less the arms that start from any of `data`."""
    return replace(table, arms={name: arm for name, arm in table.arms.items() if old_data(arm) not in data})


def base_of(asked: Request) -> Recipe:
    """Returns the user's base or the baseline, in the precision asked for or that all of the devices are fast in."""
    precision = asked.precision or ("bf16" if all(map(has_fast_bf16, set(asked.devices))) else "fp32")
    if asked.base:
        return base_of_file(asked.base, asked.data, precision)
    return baseline(asked.data, asked.budget, precision)


def runs_to_train(grid: Grid, results: Store) -> list[Run]:
    """Returns the runs that are still to be trained."""
    return [*starts(grid, results), *(each for planned in grid.rounds for each in planned if lacks(results, each))]


def starts(grid: Grid, results: Store) -> list[Run]:
    """Returns the runs that others start from and that are to be trained: not stored, or without the weights that are
    needed."""
    needed = {run.start for planned in grid.rounds for run in planned if lacks(results, run)}
    return [run for run in grid.before if run.key not in results or (run.key in needed and lacks(results, run))]
