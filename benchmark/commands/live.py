"""What `run` shows while it trains: results, what trains now, the time left; and the report, kept fresh."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmark.commands.console import letters
from benchmark.commands.results import HEAD, ResultRow, count_in_words, result, result_line, summary_table
from benchmark.evidence.tables import table, too_few_runs
from benchmark.evidence.twins import without_twins
from benchmark.planning.grid import Grid
from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import images_seen
from benchmark.planning.times import TimedRun, timed, usual_seconds
from benchmark.running.observer import Observer
from benchmark.store.records import FailedRecord, Record, TableName, TableRecord
from benchmark.store.store import Store

REPORT_SECONDS = 240.0  # from the beginning of a report to the next while it trains, at least
REPORT_SHARE = 0.05  # of the time while it trains that reports take at most
LOW = 10  # priority as of `nice`
SAY_SECONDS = 60.0  # between two lines about what trains, where there is no terminal


@dataclass
class Clock:
    """How long the runs that are left will take, by runs of the hardware that trains now."""

    workers: int
    runs: list[TimedRun] = field(default_factory=list)  # earlier ones of this hardware, and those that ended since
    left: dict[str, tuple[str, int]] = field(default_factory=dict)  # recipe and images of each run by its key
    running: dict[str, float] = field(default_factory=dict)  # when each began, as of time.monotonic()

    def end(self, record: Record) -> None:
        """Takes a run that ended, and how long it took, if it did so well."""
        self.running.pop(record.key, None)
        if self.left.pop(record.key, None) and (run := timed(record)):
            self.runs.append(run)

    def seconds(self) -> float | None:
        """Returns the seconds until the last run ends; None until one has ended."""
        known = usual_seconds(self.runs)
        paces = [known[text] / images for text, images in self.left.values() if text in known]
        paces = paces or [known[run.recipe] / run.images for run in self.runs if run.images]
        if not paces:
            return None if self.left else 0.0
        pace = median(paces)
        now, each = time.monotonic(), list[float]()
        for key, (text, images) in self.left.items():
            whole = known.get(text, pace * images)
            each.append(max(0.0, whole - (now - self.running[key] if key in self.running else 0.0)))
        return max(sum(each) / self.workers, *each) if each else 0.0


class Rewriter:
    """Writes the report anew in a process of its own of low priority, so that the training goes on meanwhile.

    It takes a twentieth of the time at most: a report of hundreds of rows takes a minute.
    """

    def __init__(self, store: Path, out: Path) -> None:
        self.words = [sys.executable, "-m", "benchmark", "report", "--store", str(store), "--out", str(out)]
        self.process: subprocess.Popen[bytes] | None = None
        self.begun = self.seen = -REPORT_SECONDS  # when the last one began, and was last seen at work

    def rewrite(self) -> None:
        """Begins to write, unless it is at it or did so a short while ago."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.seen = now
            return
        if now - self.begun < max(REPORT_SECONDS, (self.seen - self.begun) / REPORT_SHARE):
            return
        self.begun = self.seen = now
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self.words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        with suppress(OSError):  # it has ended, or this system has no priorities
            os.setpriority(os.PRIO_PROCESS, self.process.pid, LOW)

    def end(self) -> None:
        """Ends the process: whoever calls this writes the report itself."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()


class Watch(Observer):
    """Shows a training on a terminal, or line by line where there is none. Use it in a `with`."""

    def __init__(
        self,
        grid: Grid,
        results: Store,
        clock: Clock,
        console: Console,
        combine: Callable[[], Sequence[Record]],
        rewriter: Rewriter,
    ) -> None:
        self.grid, self.results, self.clock, self.console = grid, results, clock, console
        self.combine, self.rewriter = combine, rewriter
        self.found: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in results.records.values():
            self.found[record.fingerprint, record.recipe].append(record)
        self.names = row_names(grid)
        self.total = self.done = 0
        self.said = self.tabled = time.monotonic()
        self.shown = {each.name for each in self.complete(grid.studies)}
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("starting workers", total=None, left="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        self.rewriter.end()

    def follow(self, grid: Grid) -> None:
        """Takes another plan of the same tables."""
        self.grid, self.names = grid, row_names(grid)
        self.shown = {each.name for each in self.complete(grid.studies)}

    def expect(self, runs: Sequence[Run]) -> None:
        """Counts the runs to come."""
        self.total += len(runs)
        self.clock.left |= {run.key: (describe(run.recipe), images_seen(run.recipe)) for run in runs}
        self.update()

    def begin(self, run: Run) -> None:
        """Shows what trains."""
        self.clock.running[run.key] = time.monotonic()
        self.update()

    def end(self, record: Record) -> None:
        """Shows the rows that have all their runs with this one."""
        self.done += 1
        self.clock.end(record)
        self.note(record)
        self.show([each for each in self.grid.studies if record.recipe in recipes_of(each)])
        self.update()

    def end_round(self) -> None:
        """Makes the ensembles that can be made, and from time to time shows a table and has the report written."""
        for record in self.combine():
            self.note(record)
            self.show([each for each in self.grid.studies if record.recipe in recipes_of(each)])
        if self.shown:
            self.rewriter.rewrite()
        if self.clock.left and time.monotonic() - self.tabled >= REPORT_SECONDS:
            self.tabled = time.monotonic()
            self.table(f"after {self.done} of {self.total} runs")

    def reread(self) -> None:
        """Takes all records from the store, as ensembles were made since."""
        for record in self.results.records.values():
            self.note(record)

    def note(self, record: Record) -> None:
        """Keeps a record in the place of an earlier one of its run."""
        there = self.found[record.fingerprint, record.recipe]
        there[:] = sorted([*(each for each in there if each.key != record.key), record], key=lambda each: each.seed)

    def show(self, studies: Sequence[TableRecord]) -> None:
        """Shows the rows of some tables that have all their runs by now, each once."""
        for each in self.complete(studies):
            if each.name not in self.shown:
                if not self.shown:
                    self.console.print(HEAD, style="dim")
                self.shown.add(each.name)
                self.console.print(result_line(each))

    def complete(self, studies: Sequence[TableRecord]) -> list[ResultRow]:
        """Returns the rows of some tables that have all the runs that they wait for."""
        planned = planned_rows(self.grid)
        whole: dict[TableName, set[str]] = {}
        for study in studies:
            waits = [arm for arm in study.arms if study.name.row(arm.variant) in planned]
            if self.whole(study, study.control.recipe, study.control.seeds):
                whole[study.name] = {arm.variant for arm in waits if self.whole(study, arm.recipe, arm.seeds)}
        tables = without_twins(table(each, self.found, {}) for each in studies if whole.get(each.name))
        return [
            result(found, row)
            for found in tables
            for row in found.rows
            if any(row.variant in whole[name] for name in found.names)
        ]

    def whole(self, study: TableRecord, recipe: str, seeds: int) -> bool:
        """Returns whether a recipe has the runs that it waits for."""
        there = self.found.get((study.fingerprint, recipe), [])
        return sum(not isinstance(each, FailedRecord) for each in there) >= seeds

    def results_now(self) -> list[ResultRow]:
        """Returns all rows of the plan; those of contexts whose recipes are equal once."""
        planned = planned_rows(self.grid)
        return [
            result(found, row)
            for found in without_twins(table(study, self.found, {}) for study in self.grid.studies)
            for row in found.rows
            if any(name.row(row.variant) in planned for name in found.names)
        ]

    def table(self, title: str) -> None:
        """Shows all rows of the plan in a table."""
        found = self.results_now()
        self.console.print(summary_table(found, f"{title}: {count_in_words(found)}"))
        if said := too_few_runs(each.row for each in found):
            self.console.print(letters(said), highlight=False)

    def update(self) -> None:
        """Shows how far it is."""
        seconds = self.clock.seconds()
        left = "time left: not known yet" if seconds is None else time_left(seconds) if seconds else ""
        running = list(dict.fromkeys(self.names.get(self.clock.left[key][0], "") for key in self.clock.running))
        what = ", ".join(filter(None, running[:2])) + (f" and {len(running) - 2} more" if len(running) > 2 else "")
        shown = letters(f"training {what}"[: max(20, self.console.width - 60)])
        self.bar.update(self.task, description=shown, completed=self.done, total=self.total or None, left=left)
        if self.clock.left and not self.console.is_terminal and time.monotonic() - self.said >= SAY_SECONDS:
            self.said = time.monotonic()
            self.console.print(letters(f"{self.done} of {self.total} runs, {left}; training {what}"))


def time_left(seconds: float) -> str:
    """Returns a time left in words, no more exact than it is known."""
    minutes = seconds / 60
    if minutes < 1.5:
        return f"about {max(5, 5 * round(seconds / 5))} s left"
    if minutes < 90:
        return f"about {minutes:.0f} min left"
    return f"about {minutes / 60:.1f} h left"


def recipes_of(study: TableRecord) -> set[str]:
    """Returns the recipes of a table's arms and control."""
    return {study.control.recipe, *(arm.recipe for arm in study.arms)}


def planned_rows(grid: Grid) -> set[str]:
    """Returns the names of the rows that a grid plans; the store's tables may have others from earlier plans."""
    return {f"{table.name}: {name}" for table in grid.tables for name in table.arms}


def row_names(grid: Grid) -> Mapping[str, str]:
    """Returns for each recipe the name of the first row that it stands in."""
    names: dict[str, str] = {}
    for study in grid.studies:
        names.setdefault(study.control.recipe, "the baseline" if not study.context else f"baseline of {study.name}")
        for arm in study.arms:
            names.setdefault(arm.recipe, study.name.row(arm.variant))
    return names
