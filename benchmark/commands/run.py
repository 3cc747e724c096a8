"""The command `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmark import report as reports
from benchmark.commands.console import console
from benchmark.commands.forecast import expected
from benchmark.commands.live import Clock, Rewriter, Watch
from benchmark.commands.measures import MeasureNames, remember
from benchmark.commands.options import (
    AUTO,
    MINUTES,
    Address,
    BaseFile,
    BudgetName,
    Data,
    DataDir,
    DesignName,
    DeviceName,
    ExecutorName,
    ImageSize,
    Jobs,
    JobsPerGpu,
    Only,
    RunLimit,
    SeedCount,
    ShardName,
    StoreDir,
    TrickNames,
    WeightsFile,
    deadline_in,
    settle_request,
    with_base,
)
from benchmark.commands.say import leave, opening, say, say_link, say_preparation, workers
from benchmark.data.load import load
from benchmark.engine.machine import cores, hardware
from benchmark.errors import UsageError
from benchmark.evidence.measures import in_words, measured_tables, parse_measures
from benchmark.evidence.tables import tables
from benchmark.planning.grid import Grid, base_of, check_names, planned, runs_to_train
from benchmark.planning.identity import Run
from benchmark.planning.outlook import no_verdicts
from benchmark.planning.requests import ADD_ONE, Request, Stages, stages_of
from benchmark.planning.resolving import Need
from benchmark.planning.shards import Shard
from benchmark.planning.shards import shard as shard_of
from benchmark.planning.times import stored_seconds, timed_runs
from benchmark.running.combining import combine
from benchmark.running.executors import LOCAL, trainer_on
from benchmark.running.interrupted import amid
from benchmark.running.limits import limits
from benchmark.running.packing import crew, packing
from benchmark.running.remote import RemoteTrainer
from benchmark.running.session import Session, stays_open
from benchmark.running.workers import Processes
from benchmark.store.records import Record
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    base: BaseFile = None,
    only: Only = None,
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: SeedCount = 3,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            "--budget-minutes",
            min=0,
            help=MINUTES,
        ),
    ] = None,
    run_limit: RunLimit = None,
    executor: ExecutorName = LOCAL,
    address: Address = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Then add seeds in stages, only to rows still unresolved.")
    ] = False,
    max_seeds: Annotated[
        int, typer.Option("--max-seeds", min=2, help="With --resolve: the most seeds of a variant.")
    ] = 55,
    store: StoreDir = None,
    shard: ShardName = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
    measure: MeasureNames = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Train the runs that the store lacks, then write the report. The same command again resumes.

    Without --only, it trains the tour: some 35 variants.

    Examples: python -m benchmark run --data cifar10 --budget quick --only activation --seeds 5
    python -m benchmark run --only "whitening: ZCA 1e-1"
    python -m benchmark run --only activation --resolve --max-seeds 20 --minutes 60
    python -m benchmark run --base my_base.py --only "label_smoothing, schedule"
    python -m benchmark run --data flowers --image-size 64 --measure balanced-accuracy
    python -m benchmark run --only all --shard 3/8 --store results/part3
    python -m benchmark run --design pairs --trick activation:GELU --trick label_smoothing:0.1
    """
    if resolve and max_seeds < seeds:
        raise UsageError(f"--max-seeds must be at least --seeds ({seeds}), got {max_seeds}")
    measures = parse_measures(measure)
    part = shard_of(shard) if shard else None
    if part and resolve:
        raise UsageError(
            "--resolve needs the runs of all parts; leave out --shard, or resolve what `merge` has joined"
        )
    deadline = deadline_in(minutes)
    check_names(only, design, trick or (), budget)
    asked = settle_request(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds, image_size)
    asked = with_base(asked, base, store)
    if part and not store:
        asked = replace(asked, store=part.store_of(asked.store))
    say(opening(asked))
    say_preparation(asked)
    results = Store(asked.store, ENGINE)
    order = RunOrder(asked, only, design, tuple(trick or ()), weights, results, part)
    stages = stages_of(results.tables())
    grid = order.planned(stages)
    out = out or asked.store / "report"
    with results.writing():
        results.save_tables(grid.studies)
        remember(results, measures if measure else None, grid.studies, data_dir)
        left = runs_to_train(grid, results)
        announce(order, grid, left, out)
        for sentence in no_verdicts(grid.studies, max_seeds if resolve else seeds):
            say(sentence)
        if executor == LOCAL and jobs_per_gpu == AUTO and not jobs and left and asked.devices[0].startswith("cuda"):
            asked = packed(asked)
            say(f"taking {workers(asked)}")
        known = stored_seconds(results, asked.about, hardware(asked.devices))
        training = trainer_on(executor, address, asked, results, limits(deadline, run_limit, known))
        if isinstance(training, RemoteTrainer):
            asked = replace(asked, devices=asked.devices[:1] * max(1, training.places()))
            say(f"taking {len(asked.devices)} places of --executor {executor}")
        terminal = console()
        with (
            training as trainer,
            Watch(
                grid, results, clock(asked, results), terminal, Making(order, grid), Rewriter(asked.store, out)
            ) as watch,
        ):
            session = Session(results, trainer, asked.about, deadline, watch, hardware(asked.devices))
            ended = session.complete(grid)
            if resolve:
                ended, grid = session.resolve(ended, grid, stages, order.replanned, max_seeds, Telling(order, watch))
        unmade = combine_stored(grid, asked, results)
        grid, tested = session.test_again(grid, order.replanned)
    if tested:
        say(f"tested again within the error that is left: {tested} table{'' if tested == 1 else 's'}")
    if results.records:
        watch.reread()
        watch.table("results")
    for sentence in () if ended.left else unmade:
        say(sentence)
    if resolve:
        say(stays_open(grid, results))
    if results.records:
        with terminal.status("writing the report"):
            page = reports.write(results, out)
        if measures:
            say(in_words(measured_tables(reports.by_name(tables(results)).values(), results, results.measures())))
        say(f"report: {page}")
    leave(ended, grid.broken)


def trained(**options: Any) -> int:
    """Carries out `run` with options by the names of its parameters, and returns its exit code."""
    try:
        command(**options)
    except typer.Exit as left:
        return int(left.exit_code)
    return 0


@dataclass(frozen=True)
class RunOrder:
    """What `run` was asked for, and the store that it fills."""

    asked: Request
    only: str | None
    design: str
    tricks: tuple[str, ...]
    weights: Path | None
    results: Store
    part: Shard | None = None  # None: all of it

    def planned(self, stages: Stages) -> Grid:
        """Returns what there is to do after the interim tests of `stages`."""
        stored = self.results.tables()
        grid = planned(self.asked, self.only, self.design, self.tricks, self.weights, stages, stored)
        return self.part.part_of(grid) if self.part else grid

    def replanned(self, stages: Stages) -> Grid:
        """Returns the same, its tables saved."""
        grid = self.planned(stages)
        self.results.save_tables(grid.studies)
        return grid


@dataclass(frozen=True)
class Making:
    """Makes the ensembles of a plan for which all runs are there."""

    order: RunOrder
    grid: Grid

    def __call__(self) -> list[Record]:
        """Returns the records of the ensembles that were made now."""
        results = self.order.results
        every = [each for replicates in self.grid.ensembles.values() for each in replicates]
        ready = [e for e in every if e.key not in results and all(run.key in results for run in e.runs)]
        if not ready:
            return []
        combine_stored(self.grid, self.order.asked, results)
        records = results.records
        return [records[each.key] for each in ready if each.key in records]


@dataclass(frozen=True)
class Telling:
    """Says what the next stage of a resolution trains."""

    order: RunOrder
    watch: Watch

    def __call__(self, grid: Grid, open_: Sequence[Need], resolved_alone: int) -> None:
        """Takes the plan of the stage, the rows that are open, and how many of them a single test had resolved."""
        self.watch.follow(grid)
        if resolved_alone:
            say(
                f"{resolved_alone} of the rows to come had a verdict by the only test of their table. Tests that are"
                " repeated while runs are added share that test's error, so these rows are unresolved until they have"
                " more runs"
            )
        left = runs_to_train(grid, self.order.results)
        rows = f"{len(open_)} row{'s' if len(open_) > 1 else ''} unresolved"
        say(f"next stage: {rows}; {len(left)} runs; {expected(self.order.asked, left, self.order.results)}")


def announce(order: RunOrder, grid: Grid, left: Sequence[Run], out: Path) -> None:
    """Says what will be trained, how long it will take, and where the report will be."""
    total = len(grid.before) + sum(map(len, grid.rounds))
    rows = sum(len(table.arms) for table in grid.tables)
    if order.only is None and not order.tricks:
        say(f"the tour: {rows} variants of {len(grid.tables)} tables; `--only all` takes the whole catalogue")
    which = f"part {order.part}: " if order.part else ""
    say(f"{which}{total} runs, {len(left)} to train; {expected(order.asked, left, order.results)}")
    for sentence in [*grid.unavailable, *on_other_gpus(order.results, order.asked.devices)]:
        say(sentence)
    if begun := amid(left, order.asked.store):
        say(f"{begun} of them {'goes' if begun == 1 else 'go'} on after the epoch at which an earlier command stopped")
    if left:
        say_link("report, rewritten every few minutes", out / "index.html")


def clock(asked: Request, results: Store) -> Clock:
    """Returns the clock for the time left, which knows the stored runs of the hardware that trains now."""
    return Clock(len(asked.devices), timed_runs(results, asked.about, hardware(asked.devices)))


def combine_stored(grid: Grid, asked: Request, results: Store) -> list[str]:
    """Makes the ensembles that the stored runs suffice for; a sentence for each arm that lacks some."""
    if all(each.key in results for replicates in grid.ensembles.values() for each in replicates):
        return []
    return combine(grid.ensembles, results, load(asked.data, asked.data_dir), asked.about)


def on_other_gpus(results: Store, places: Sequence[str]) -> list[str]:
    """Returns a sentence if the store has runs of another model of GPU than those of `places`."""
    gpus = {place for place in places if place.startswith("cuda")}
    here = {torch.cuda.get_device_name(place) for place in gpus}
    there = {str(record.environment.get("device", "cpu")) for record in results.records.values()} if gpus else set()
    if not (others := sorted(there - here - {"cpu"})):
        return []
    return [
        f"the store has runs of {', '.join(others)}: on {', '.join(sorted(here))} the same seed gives other numbers,"
        " as good a sample as those, and other step times; --store names another folder if these are to be compared"
    ]


def packed(asked: Request) -> Request:
    """Returns the request with as many workers on each GPU as were measured to fill the first one."""
    gpus = tuple(dict.fromkeys(asked.devices))
    images = load(asked.data, asked.data_dir)
    with crew(Processes(gpus[:1], asked.data, asked.data_dir), base_of(asked), images) as measure:
        probes = packing(measure, most=max(1, cores() // len(gpus)))
    for probe in probes:
        used = f"{probe.memory:.0%} of its memory in use"
        say(f"{probe.workers} at once on {gpus[0]}: {probe.rate:,.0f} images/s, {used}")
    return replace(asked, devices=gpus * probes[-1].workers)
