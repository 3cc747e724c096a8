"""The order in which a grid is trained: what others start from, the rounds, then stage after stage what stays open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from benchmark.evidence.comparison import ANSWERS
from benchmark.evidence.tables import Table, tables
from benchmark.planning.grid import Grid, runs_to_train, starts
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Stages, stages_of
from benchmark.planning.resolving import Need, needs, news, promising_first
from benchmark.planning.rounds import lacks
from benchmark.planning.times import stored_seconds
from benchmark.running.ended import Ended
from benchmark.running.execution import complete
from benchmark.running.executor import Trainer
from benchmark.running.interrupted import amid
from benchmark.running.observer import Observer
from benchmark.store.records import About, FailedRecord, TableName
from benchmark.store.store import Store


@dataclass(frozen=True)
class Session:
    """What one command trains: into which store, by whom, and until when."""

    results: Store
    trainer: Trainer
    about: About  # goes into every record
    deadline: float  # as of time.monotonic(); no run is started after it
    observer: Observer = field(default_factory=Observer)
    hardware: frozenset[str] = frozenset()  # what trains, as `timed_runs` takes it; empty: not known

    def complete(self, grid: Grid) -> Ended:
        """Trains the rounds, and ahead of a round what its runs start from; runs whose start failed are left."""
        self.observer.expect(runs_to_train(grid, self.results))
        trained, failed, interrupted = 0, list[FailedRecord](), False
        for part in parts(grid, self.results):
            ended = complete(
                self.startable(part, grid),
                self.results,
                self.trainer,
                self.about,
                self.deadline,
                self.observer,
                self.hardware,
            )
            trained, failed, interrupted = trained + ended.trained, failed + ended.failed, ended.interrupted
            if interrupted or time.monotonic() >= self.deadline:
                break
        left = runs_to_train(grid, self.results)
        return Ended(trained, failed, len(left) - len(failed), interrupted, amid(left, self.results.folder))

    def startable(self, rounds: Sequence[Sequence[Run]], grid: Grid) -> list[list[Run]]:
        """Returns the rounds without the runs whose start is not there: its training failed."""
        lost = {run.key for run in grid.before if lacks(self.results, run)}
        return [[run for run in each if run.start not in lost] for each in rounds]

    def resolve(
        self,
        ended: Ended,
        grid: Grid,
        stages: Stages,
        plan: Callable[[Stages], Grid],
        most: int,
        tell: Callable[[Grid, Sequence[Need], int], None],
    ) -> tuple[Ended, Grid]:
        """Tests, trains what is unresolved and tests again, until nothing is unresolved or there is no time.

        `ended`: how the training of `grid` ended. `most`: seeds of a variant. `tell` takes the plan of a stage, its
        rows, and how many of these a single test had resolved. Gives the last grid too.
        """
        trained = False
        while True:
            seen = [table for table in ours(grid, self.results) if news(table)]
            alone = resolved_alone(seen) if not ended.trained else set()
            stages = stages.then(seen, [])
            grid = plan(stages)
            found = [need for table in ours(grid, self.results) for need in needs(table, most) if plans(grid, need)]
            if ended.left or not found or (trained and not seen):
                return ended, grid
            open_ = promising_first(found, stored_seconds(self.results, self.about, self.hardware))
            stages = stages.then([], open_)
            grid = plan(stages)
            tell(grid, open_, sum((need.table.study.name, need.variant) in alone for need in open_))
            then, trained = self.complete(replace(grid, rounds=by_row(grid, open_))), True
            ended = replace(then, trained=ended.trained + then.trained, failed=ended.failed + then.failed)

    def test_again(self, grid: Grid, plan: Callable[[Stages], Grid]) -> tuple[Grid, int]:
        """Makes another interim test of each table that had one and got runs since, within the error that is left.

        Returns the plan after that, and the number of these tables.
        """
        seen = [table for table in ours(grid, self.results) if table.study.interims and news(table)]
        return (plan(stages_of(self.results.tables()).then(seen, [])) if seen else grid), len(seen)


def parts(grid: Grid, results: Store) -> Iterator[list[list[Run]]]:
    """Yields the rounds in parts, each to be trained whole before the next, which may start from its runs.

    What runs of a round start from is trained together with the runs of that round that start from nothing.
    """
    waiting = {run.key: run for run in starts(grid, results)}
    part: list[list[Run]] = []
    for planned in grid.rounds:
        before = [waiting.pop(key) for key in dict.fromkeys(run.start for run in planned) if key in waiting]
        if before:
            yield [*part, [*before, *(run for run in planned if not run.start)]]
            part = [[run for run in planned if run.start]]
        else:
            part.append(list(planned))
    yield part


def resolved_alone(found: Sequence[Table]) -> set[tuple[TableName, str]]:
    """Returns the rows that are resolved by the only test of their table, which spent the whole error at once."""
    single = [table for table in found if not table.study.interims]
    return {(table.study.name, row.variant) for table in single for row in table.rows if row.verdict in ANSWERS}


def plans(grid: Grid, need: Need) -> bool:
    """Returns whether a grid plans a row: of a table planned in part, its record has others too."""
    name = need.table.study.name
    return any(
        (t.ablation.name, t.context) == (name.ablation, name.context) and need.variant in t.arms for t in grid.tables
    )


def ours(grid: Grid, results: Store) -> list[Table]:
    """Returns the tables of a grid, from the runs there are."""
    names = {study.name for study in grid.studies}
    return [table for table in tables(results) if table.study.name in names]


def by_row(grid: Grid, open_: Sequence[Need]) -> list[list[Run]]:
    """Returns the runs of `grid`, those of each row together in the order of `open_`, each control's with its first
    row."""
    place: dict[str, int] = {}
    for n, need in enumerate(open_):
        arms = {arm.variant: arm.recipe for arm in need.table.study.arms}
        place.setdefault(need.table.study.control.recipe, n)
        place.setdefault(arms[need.variant], n)
    rounds: list[list[Run]] = [[] for _ in range(len(open_) + 1)]
    for planned in grid.rounds:
        for each in planned:
            rounds[place.get(describe(each.recipe), len(open_))].append(each)
    return rounds


def stays_open(grid: Grid, results: Store) -> str:
    """Returns a sentence about what all stages have not resolved."""
    planned = {(table.ablation.name, table.context, name) for table in grid.tables for name in table.arms}
    every = [row for table in ours(grid, results) for row in table.rows]
    rows = [row for row in every if (row.ablation, row.context, row.variant) in planned]
    open_ = [f"{row.ablation}: {row.variant} ({row.n} runs)" for row in rows if row.verdict == "unresolved"]
    return f"{len(open_)} of {len(rows)} rows stay unresolved" + (f": {', '.join(open_)}" if open_ else "")
