"""The command `plan`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.claim import CONTROL
from benchmark.commands.forecast import forecast
from benchmark.commands.options import (
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
    ShardName,
    StoreDir,
    TrickNames,
    WeightsFile,
    settle,
)
from benchmark.commands.say import leave, opening, say
from benchmark.data.load import load
from benchmark.planning.grid import base_of, check_names, lacking, planned
from benchmark.planning.outlook import no_verdicts
from benchmark.planning.requests import ADD_ONE, stages_of
from benchmark.planning.shards import shard as shard_of
from benchmark.running.ended import Ended
from benchmark.running.pace import image_flops, image_seconds
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    only: Only = None,
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: Seeds = 3,
    store: StoreDir = None,
    shard: ShardName = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
) -> None:
    """Print the runs, how many are stored, and the time the others will take. Trains nothing.

    Example: python -m benchmark plan --seeds 10
    """
    part = shard_of(shard) if shard else None
    check_names(only, design, trick or ())
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds, image_size)
    if part and not store:
        asked = replace(asked, store=part.store_of(asked.store))
    say(opening(asked))
    results = Store(asked.store, ENGINE)
    grid = planned(asked, only, design, trick or (), weights, stages_of(stored := results.tables()), stored)
    grid = part.part_of(grid) if part else grid
    for table in grid.tables:
        names = [CONTROL, *table.arms]
        runs = {name: table.seeds_of(name, seeds) for name in names}
        context = f" ({table.context})" if table.context else ""
        say(f"{table.ablation.name}{context}: {', '.join(f'{name} x{count}' for name, count in runs.items())}")
    total, left = len(grid.before) + sum(map(len, grid.rounds)), lacking(grid, results)
    say(f"{f'part {part}: ' if part else ''}{total} distinct runs, {total - len(left)} stored, {len(left)} to train")
    base = base_of(asked)
    flops = image_flops(base, load(asked.data, asked.data_dir))
    seconds = partial(image_seconds, base, asked.data, asked.data_dir, asked.devices[0])
    for sentence in forecast(asked, left, results, flops, seconds):
        say(sentence)
    for sentence in (*grid.unavailable, *no_verdicts(grid.studies, seeds)):
        say(sentence)
    leave(Ended(0, [], 0, False), grid.broken)
