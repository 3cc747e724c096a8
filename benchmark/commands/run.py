"""The command `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmark import report as reports
from benchmark.commands.forecast import expected
from benchmark.commands.options import (
    AUTO,
    BudgetName,
    Data,
    DataDir,
    DesignName,
    DeviceName,
    ImageSize,
    Jobs,
    JobsPerGpu,
    Only,
    Seeds,
    StoreDir,
    TrickNames,
    WeightsFile,
    deadline_in,
    settle,
)
from benchmark.commands.say import leave, opening, say, verdicts, workers
from benchmark.data.load import load
from benchmark.engine.machine import cores
from benchmark.errors import UsageError
from benchmark.planning.grid import Grid, base_of, lacking, planned
from benchmark.planning.requests import ADD_ONE, Request, Stages, stages_of
from benchmark.planning.resolving import Need
from benchmark.running.combining import combine
from benchmark.running.packing import crew, packing
from benchmark.running.session import Session, ours, stays_open
from benchmark.running.workers import Processes
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    only: Only = "",
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: Seeds = 3,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", "--budget-minutes", min=0, help="Start no new run after so many minutes."),
    ] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Then in stages more seeds, for the rows still unresolved alone.")
    ] = False,
    max_seeds: Annotated[int, typer.Option("--max-seeds", min=2, help="With --resolve: the most of a variant.")] = 55,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Train what the store lacks, then write the report. Started again, it goes on where it was.

    Examples: python -m benchmark run --data cifar10 --budget quick --only activation --seeds 5
    python -m benchmark run --only activation --resolve --max-seeds 20 --minutes 60
    python -m benchmark run --design pairs --trick activation:GELU --trick label_smoothing:0.1
    """
    if resolve and max_seeds < seeds:
        raise UsageError(f"--max-seeds must be at least --seeds ({seeds}), got {max_seeds}")
    deadline = deadline_in(minutes)
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds, image_size)
    say(opening(asked))
    results = Store(asked.store, ENGINE)
    stages = stages_of(results.tables())
    grid = planned(asked, only, design, trick or (), weights, stages)

    def again(stages: Stages) -> Grid:
        grid = planned(asked, only, design, trick or (), weights, stages)
        results.save_tables(grid.studies)
        return grid

    def after_round(done: int) -> str:
        combined(grid, asked, results)
        return verdicts(done, ours(grid, results))

    def next_stage(grid: Grid, open_: Sequence[Need]) -> None:
        left = lacking(grid, results)
        rows = f"{len(open_)} row{'s' if len(open_) > 1 else ''} unresolved"
        say(f"next stage: {rows}; {len(left)} runs; {expected(asked, left, results)}")

    with results.writing():
        results.save_tables(grid.studies)
        left = lacking(grid, results)
        total = len(grid.before) + sum(map(len, grid.rounds))
        say(f"{total} runs, {len(left)} to train; {expected(asked, left, results)}")
        for sentence in [*grid.unavailable, *on_other_gpus(results, asked.devices)]:
            say(sentence)
        if jobs_per_gpu == AUTO and not jobs and left and asked.devices[0].startswith("cuda"):
            asked = packed(asked)
            say(f"so {workers(asked)}")
        with Processes(asked.devices, asked.data, asked.data_dir, results.folder) as trainer:
            session = Session(results, trainer, asked.about, deadline)
            ended = session.complete(grid, after_round)
            if resolve:
                ended, grid = session.resolve(ended, grid, stages, again, max_seeds, next_stage)
        unmade = combined(grid, asked, results)
    for sentence in () if ended.left else unmade:
        say(sentence)
    if resolve:
        say(stays_open(grid, results))
    if results.records:
        say(f"report: {reports.write(results, out or asked.store / 'report')}")
    leave(ended, grid.broken)


def combined(grid: Grid, asked: Request, results: Store) -> list[str]:
    """Makes the ensembles that the stored runs suffice for; a sentence for each arm that lacks some."""
    if all(each.key in results for replicates in grid.ensembles.values() for each in replicates):
        return []
    return combine(grid.ensembles, results, load(asked.data, asked.data_dir), asked.about)


def on_other_gpus(results: Store, places: Sequence[str]) -> list[str]:
    """A sentence if the store has runs of another model of GPU than those of `places`."""
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
    """With as many workers on each GPU as were measured to fill the first one."""
    gpus = tuple(dict.fromkeys(asked.devices))
    images = load(asked.data, asked.data_dir)
    with crew(Processes(gpus[:1], asked.data, asked.data_dir), base_of(asked), images) as measure:
        probes = packing(measure, most=max(1, cores() // len(gpus)))
    for probe in probes:
        used = f"{probe.memory:.0%} of its memory in use"
        say(f"{probe.workers} at once on {gpus[0]}: {probe.rate:,.0f} images/s, {used}")
    return replace(asked, devices=gpus * probes[-1].workers)
