"""The order in which a grid is trained: what others start from, the rounds, then stage after stage what stays open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmark.evidence.tables import Table, tables
from benchmark.planning.grid import Grid, lacking, starts
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Stages
from benchmark.planning.resolving import Need, needs, news, promising_first
from benchmark.planning.rounds import lacks
from benchmark.running.ended import Ended
from benchmark.running.execution import complete
from benchmark.running.executor import Trainer
from benchmark.store.records import About
from benchmark.store.store import Store


@dataclass(frozen=True)
class Session:
    """What one command trains: into which store, by whom, and until when."""

    results: Store
    trainer: Trainer
    about: About  # goes into every record
    deadline: float  # as of time.monotonic(); no run is started after it

    def complete(self, grid: Grid, after_round: Callable[[int], str] = lambda done: "") -> Ended:
        """First the runs that others start from, then the rounds; those whose start failed are left."""
        before = starts(grid, self.results)
        first = complete([before], self.results, self.trainer, self.about, self.deadline)
        lost = {run.key for run in before if lacks(self.results, run)}
        rounds = [[run for run in planned if run.start not in lost] for planned in grid.rounds]
        skipped = sum(run.start in lost and lacks(self.results, run) for planned in grid.rounds for run in planned)
        if first.interrupted:
            return replace(first, left=first.left + len(lacking(replace(grid, before=[]), self.results)))
        then = complete(rounds, self.results, self.trainer, self.about, self.deadline, after_round)
        failed, left = first.failed + then.failed, first.left + then.left + skipped
        return Ended(first.trained + then.trained, failed, left, then.interrupted)

    def resolve(
        self,
        ended: Ended,
        grid: Grid,
        stages: Stages,
        plan: Callable[[Stages], Grid],
        most: int,
        tell: Callable[[Grid, Sequence[Need]], None],
    ) -> tuple[Ended, Grid]:
        """Look, train what is open, look again, until nothing is open or there is no time.

        `ended`: how the training of `grid` ended. `most`: seeds of a variant. Gives the last grid too.
        """
        trained = False
        while True:
            seen = [table for table in ours(grid, self.results) if news(table)]
            stages = stages.then(seen, [])
            grid = plan(stages)
            found = [need for table in ours(grid, self.results) for need in needs(table, most)]
            if ended.left or not found or (trained and not seen):
                return ended, grid
            open_ = promising_first(found, self.results.seconds())
            stages = stages.then([], open_)
            grid = plan(stages)
            tell(grid, open_)
            then, trained = self.complete(replace(grid, rounds=by_row(grid, open_))), True
            ended = replace(then, trained=ended.trained + then.trained, failed=ended.failed + then.failed)


def ours(grid: Grid, results: Store) -> list[Table]:
    """The tables of a grid, from the runs there are."""
    names = {study.name for study in grid.studies}
    return [table for table in tables(results) if table.study.name in names]


def by_row(grid: Grid, open_: Sequence[Need]) -> list[list[Run]]:
    """The runs of `grid`, those of each row together in the order of `open_`, each control's with its first row."""
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
    """What all stages have not resolved."""
    rows = [row for table in ours(grid, results) for row in table.rows]
    open_ = [f"{row.ablation}: {row.variant} ({row.n} runs)" for row in rows if row.verdict == "unresolved"]
    return f"{len(open_)} of {len(rows)} rows stay unresolved" + (f": {', '.join(open_)}" if open_ else "")
