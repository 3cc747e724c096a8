"""The command `combine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import report as reports
from benchmark.commands.options import (
    BudgetName,
    Data,
    DataDir,
    DeviceName,
    ImageSize,
    Only,
    SeedCount,
    StoreDir,
    opened,
    settle_request,
)
from benchmark.commands.run import combine_stored
from benchmark.commands.say import leave, say
from benchmark.errors import UsageError
from benchmark.planning.grid import check_names, planned
from benchmark.planning.requests import stages_of
from benchmark.running.combining import check_ensembles
from benchmark.running.ended import Ended


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    only: Only = "all",
    seeds: SeedCount = 3,
    store: StoreDir = None,
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Make the ensembles that the stored runs suffice for, then write the report. Trains nothing.

    Example: python -m benchmark combine --store results/cifar10-quick --seeds 5
    """
    check_names(only)
    asked = settle_request(data, data_dir, budget, store, 1, "1", device, seeds, image_size)
    results = opened(asked.store)
    grid = planned(asked, only, stages=stages_of(stored := results.tables()), stored=stored)
    check_ensembles(grid.ensembles, results)
    with results.writing():
        results.save_tables(grid.studies)
        unmade = combine_stored(grid, asked, results)
    for sentence in unmade:
        say(sentence)
    made = [each for replicates in grid.ensembles.values() for each in replicates if each.key in results]
    if not made:
        raise UsageError(f"{asked.store} has too few runs for any ensemble; train them with `run`")
    say(f"{len(made)} ensembles of stored runs; report: {reports.write(results, out or asked.store / 'report')}")
    leave(Ended(0, [], 0, False), grid.broken)
    if unmade:
        raise typer.Exit(1)
